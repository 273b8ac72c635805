# audit_reader.pl: what an auditor sees with the grants of doc/audit.md, and that he is seen.
#
# Not a pg_regress test: it takes the commands from the document, ends sessions and kills a backend.
use strict;
use warnings;
use Pgseal;
use PostgreSQL::Test::Utils qw(slurp_file);
use Segments;
use Test::More;

my $node = new_node('audit_reader', conf => "restart_after_crash = on\nmax_worker_processes = 16\n");
sub sql { return $node->safe_psql('postgres', @_); }
sub auditor { return as_role($node, 'auditor', @_); }

sql(<<'END');
CREATE EXTENSION pgseal;
CREATE ROLE lab_app LOGIN;
CREATE ROLE lab_other LOGIN;
CREATE ROLE auditor LOGIN;
SELECT seal.create_key('note', searchable => true);
SELECT seal.grant_key('note', 'lab_app', '{seal,search,reveal}');
CREATE TABLE patient (id int PRIMARY KEY, note sealed_text(note), seen date);
SELECT seal.watch('patient');
GRANT ALL ON patient TO lab_app, lab_other;
END
as_role($node, 'lab_app', q{INSERT INTO patient SELECT n, 'asthma', '2020-01-01' FROM generate_series(1, 3000) n});

# The role, as the document makes it.
my ($grants) = slurp_file('doc/audit.md') =~ /```sql\n(-- the auditor\n.*?)```/s;
like($grants // '', qr/GRANT SELECT/, 'the document has the grants of an auditor');
sql($grants);

# What he asks.
as_role($node, 'lab_app', "SET application_name = 'bulk'; SELECT count(seal.reveal(note)) FROM patient");
as_role($node, 'lab_app', "SET application_name = 'small'; SELECT count(seal.reveal(note)) FROM patient WHERE id < 1000");
as_role($node, 'lab_app', "SET application_name = 'exact'; SELECT count(seal.reveal(note)) FROM patient WHERE id <= 1000");
error_of($node, 'lab_app', "SET application_name = 'failed'; SELECT seal.reveal(note), 1 / (id - 2500) FROM patient");
as_role($node, 'lab_app', "SET application_name = 'parallel'; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off; SET max_parallel_workers_per_gather = 1; SELECT count(seal.reveal(note)) FROM patient");
as_role($node, 'lab_app', "SET application_name = 'kept'; CREATE TEMP TABLE t AS SELECT seal.reveal(note) FROM patient WHERE id <= 1500");
as_role($node, 'lab_app', "SET application_name = 'kept small'; CREATE TEMP TABLE t AS SELECT seal.reveal(note) FROM patient WHERE id <= 5");
error_of($node, 'lab_other', 'SELECT seal.reveal(note) FROM patient');
as_role($node, 'lab_app', 'UPDATE patient SET seen = now() WHERE id = 7');

# killed NAME: a session that is killed when it has opened 2500 values.
sub killed
{
	my ($name) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0, extra_params => [ '--username' => 'lab_app' ]);
	$session->query_safe("SET application_name = '$name'");
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	$session->query_until(qr/sent/, "\\echo sent\nSELECT seal.reveal(note), CASE WHEN id = 2500 THEN pg_sleep(100) END FROM patient WHERE id <> 7;\n");
	$node->poll_query_until('postgres', "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $pid") or die 'it does not sleep';
	my $offset = -s $node->logfile;
	kill 'KILL', $pid or die "could not kill $pid: $!";
	comes_back($node, $offset);
	eval { $session->quit };
	return;
}
killed('killed');
auditor('SELECT seal.checkpoint()');

is(auditor(q{SELECT string_agg(concat_ws(' ', application, action, outcome, values_opened), ', ' ORDER BY at) FROM seal.bulk_reads WHERE application <> 'killed'}),
	'bulk close ok 3000, exact close ok 1000, failed close 22012 2500, parallel close ok 3000, kept close ok 1500', 'a line for each statement that opened a thousand values, and for no other');
like(auditor(q{SELECT string_agg(concat_ws(' ', action, outcome, values_opened), ', ') FROM seal.bulk_reads WHERE application = 'killed'}),
	qr/^progress ok (1\d\d\d|2\d\d\d)$/, 'and for one that a crash ended');
is(auditor(q{SELECT string_agg(concat_ws(' ', application, keys, what), ', ' ORDER BY at) FROM seal.audit_log WHERE action = 'export'}), 'kept {note} reveal, kept small {note} reveal', 'who kept what he opened');
is(auditor(q{SELECT concat_ws(' ', login_role, role, keys, outcome, what) FROM seal.refusals WHERE at > now() - interval '1 hour'}), 'lab_other lab_other {note} 42501 reveal', 'who was refused what');
is(auditor(q{SELECT string_agg(concat_ws(' ', action, what, keys, detail), ', ' ORDER BY entry) FROM seal.key_events WHERE action IN ('key', 'grant')}),
	'key create {note}, grant grant {note} to=lab_app verbs=seal,search,reveal scope=all', 'who changed keys and rights');
is(auditor(q{SELECT count(DISTINCT detail) FROM seal.key_events WHERE what = 'watch' AND detail LIKE 'table=public.patient%'}), '1', 'and what is watched');
is(auditor(q{SELECT string_agg(concat_ws(' ', action, login_role, columns), ', ' ORDER BY entry) FROM seal.row_history('patient', '7')}), 'insert lab_app, update lab_app {seen}', 'what was done to a row');
like(auditor(q{SELECT old ->> '' FROM seal.row_history('patient', '7') WHERE action = 'update'}), qr/^seal1:/, 'whose plain columns are sealed for him');
sql(q{SELECT seal.grant_key('audit', 'auditor', '{reveal}')});
is(auditor(q{SELECT old ->> 'seen' FROM seal.row_history('patient', '7') WHERE action = 'update'}), '2020-01-01', 'until he is granted key audit');
like(auditor(q{SELECT old ->> 'note' FROM seal.row_history('patient', '7') WHERE old ? 'note' UNION ALL SELECT new ->> 'note' FROM seal.row_history('patient', '7') WHERE new ? 'note' LIMIT 1}), qr/^seal1:/, 'which opens no value of a patient');
is(auditor('SELECT intact FROM seal.verify_audit()'), 't', 'he verifies the log');
like(auditor('SELECT seal.export_audit(0, 1)'), qr/^pgseal audit export 1\n/, 'and takes it away');
is(auditor('SELECT last_error IS NULL FROM seal.audit_status'), 't', 'and sees how it does');
like(error_of($node, 'auditor', 'SELECT * FROM seal.audit_entry'), qr/permission denied/, 'but not the table');
like(error_of($node, 'auditor', q{SELECT seal.ingest_segments('/')}), qr/permission denied/, 'nor does he feed it');

# He is in it himself, also when he takes it back.
sql('SELECT seal.checkpoint()');
my $before = sql(q{SELECT max(entry) FROM seal.audit_entry});
auditor("SET application_name = 'honest'; SELECT count(*) FROM seal.audit_log");
auditor("SET application_name = 'sly'; BEGIN; SELECT count(*) FROM seal.refusals; ROLLBACK");
auditor("SET application_name = 'cursor'; BEGIN; DECLARE c CURSOR FOR SELECT * FROM seal.key_events; FETCH 1 FROM c; ROLLBACK");
auditor("SET application_name = 'prepared'; PREPARE p AS SELECT count(*) FROM seal.bulk_reads; EXECUTE p; EXECUTE p");
auditor("SET application_name = 'history'; SELECT count(*) FROM seal.row_history('patient', '8')");
auditor("SET application_name = 'export'; SELECT count(*) FROM seal.export_audit(0, 1)");
auditor("SET application_name = 'nothing'; EXPLAIN SELECT * FROM seal.audit_log");
sql('SELECT count(*) FROM seal.audit_entry');
sql('SELECT seal.checkpoint()');
is(auditor(q{SELECT concat_ws(' ', application, action, relation) FROM seal.bulk_reads WHERE application = 'export'}), 'export export seal.audit_entry', 'an export of the log is a bulk read');
is(sql("SELECT string_agg(concat_ws(' ', application, action, relation, row_key), ', ' ORDER BY entry) FROM seal.audit_entry WHERE entry > $before AND login_role = 'auditor'"),
	'honest open seal.audit_log, sly open seal.refusals, cursor open seal.key_events, prepared open seal.bulk_reads, prepared open seal.bulk_reads, history open public.patient 8, history open, history close, export export seal.audit_entry',
	'reading the log is in the log, and EXPLAIN is no reading');
is(sql("SELECT count(*) FROM seal.audit_entry WHERE entry > $before AND login_role = 'postgres'"), '0', 'a superuser who reads the table itself is not: doc/audit.md says so');

# The views' shape, and speed.
my $designed = 'entry, at, action, outcome, login_role, session_role, role, actor, purpose, address, application, relation, row_key, subject, keys, columns, old, new, values_opened, subjects_opened, rows_returned, statement_digest, leaf';
foreach my $view (qw(audit_log refusals bulk_reads key_events))
{
	like(sql("SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'seal.$view'::regclass AND attnum > 0"), qr/^$designed/, "columns of seal.$view");
}
is(sql("SELECT count(*) FROM pg_attribute WHERE attrelid = 'seal.audit_log'::regclass AND attnum > 0 AND col_description(attrelid, attnum) IS NULL"), '0', 'each with a comment');
sql('VACUUM ANALYZE seal.audit_entry');
like(auditor("SET enable_seqscan = off; EXPLAIN (costs off) SELECT * FROM seal.refusals WHERE at > now() - interval '1 hour'"), qr/audit_entry_at/, 'a time is looked up in an index');
$node->stop;
done_testing();
