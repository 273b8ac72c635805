# audit_write.pl: watched tables without a root key, through a dump and through
# logical replication, and what the server log tells of a watch.  Not a pg_regress
# test: it needs several servers, a restart and the log.

use strict;
use warnings;
use Pgseal;
use PostgreSQL::Test::Utils qw(slurp_file run_log command_ok);
use Test::More;

# writes on record, whether or not they have their number in the log by now
my $log = q{(SELECT action, row_key, role, columns, new, entry, 0 AS id FROM seal.audit_entry
	UNION ALL SELECT action, row_key, role, columns, seal.audit_image(new), NULL, id FROM seal.audit_change) AS log};
my $writes = q{action IN ('insert', 'update', 'delete', 'truncate')};
my $recorded = "SELECT action, row_key, role FROM $log WHERE $writes ORDER BY entry, id";
my $node = new_node('node', allows_streaming => 'logical', conf => "max_worker_processes = 16\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pgseal;
CREATE ROLE lab_owner LOGIN;
CREATE ROLE lab_app LOGIN;
GRANT CREATE ON SCHEMA public TO lab_owner;
SQL
like(error_of($node, 'lab_owner', q{CREATE TABLE early (id integer); SELECT seal.watch('early')}),
	qr/^42704: key "audit" does not exist/, 'no watch before there is a key for the log');
$node->safe_psql('postgres', q{SELECT seal.create_key('note'); SELECT seal.grant_key('note', 'lab_app', '{seal,reveal}'); SELECT seal.grant_key('audit', 'lab_app', '{reveal}')});

# What the server log tells ------------------------------------------------------------------------

my $offset = -s $node->logfile;
as_role($node, 'lab_owner', <<'SQL');
CREATE TABLE patient (id integer PRIMARY KEY, ward text, note sealed_text(note));
CREATE TABLE result (id integer, year integer, note sealed_text(note), PRIMARY KEY (id, year)) PARTITION BY LIST (year);
CREATE TABLE result_1 PARTITION OF result FOR VALUES IN (1);
SELECT seal.watch('patient');
SELECT seal.watch('result');
GRANT ALL ON patient, result TO lab_app;
SQL
my $noted = log_since($node, $offset);
like($noted, qr/pgseal: admin watch table=public\.patient trigger=0_seal_audit enabled=A login=lab_owner/, 'a watch is noted');
is(scalar(() = $noted =~ /pgseal: admin watch table=public\.patient/g), 1, 'once');
$offset = -s $node->logfile;
as_role($node, 'lab_owner', 'ALTER TABLE patient DISABLE TRIGGER USER');
like(log_since($node, $offset), qr/pgseal: admin change_watch table=public\.patient trigger=0_seal_audit enabled=D login=lab_owner/, 'so is one that is switched off');
as_role($node, 'lab_owner', q{SELECT seal.watch('patient')});
$offset = -s $node->logfile;
as_role($node, 'lab_owner', 'CREATE TABLE gone (id integer); SELECT seal.watch(\'gone\'); DROP TABLE gone');
like(log_since($node, $offset), qr/pgseal: admin unwatch table=public\.gone trigger=0_seal_audit /, 'and one that goes with its table');
$offset = -s $node->logfile;
as_role($node, 'lab_owner', q{CREATE TABLE left_alone (id integer); SELECT seal.watch('left_alone'); SELECT seal.unwatch('left_alone')});
is(scalar(() = log_since($node, $offset) =~ /pgseal: admin unwatch table=public\.left_alone/g), 1, 'and, once, one that ends');
$offset = -s $node->logfile;
as_role($node, 'lab_owner', q{SELECT seal.watch('left_alone'); DROP TRIGGER "0_seal_audit_truncate" ON left_alone; DROP TABLE left_alone});
like(log_since($node, $offset), qr/pgseal: admin unwatch table=public\.left_alone trigger=0_seal_audit_truncate /, 'and one of half a watch');

as_role($node, 'lab_app', q{INSERT INTO patient VALUES (1, 'CANARY-PLAIN-OF-LOG', 'asthma'); INSERT INTO result VALUES (1, 1, 'positive')});
is($node->safe_psql('postgres', $recorded), "insert|1|lab_app\ninsert|[1, 1]|lab_app", 'writes are recorded');
is($node->safe_psql('postgres', qq{SELECT count(*) FILTER (WHERE new::text ~ 'CANARY'), count(*) FILTER (WHERE ward ~ 'CANARY') FROM $log, patient WHERE row_key = '1'}),
	'0|1', 'no plain value stands in the log, as it does in the table');

# Through a dump -----------------------------------------------------------------------------------

my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '--file', $dump, 'postgres' ], 'a watched database is dumped');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', '--file', $dump, 'restored' ], 'and restored');
is($node->safe_psql('restored', q{SELECT tgrelid::regclass, tgname, tgenabled, tgparentid <> 0 FROM pg_trigger WHERE tgname ~ 'seal_audit' ORDER BY tgrelid::regclass::text, tgname}),
	join("\n", 'patient|0_seal_audit|A|f', 'patient|0_seal_audit_truncate|A|f', 'result|0_seal_audit|A|f', 'result|0_seal_audit_truncate|A|f',
		'result_1|0_seal_audit|A|t', 'result_1|0_seal_audit_truncate|A|f'), 'with its watches');
is($node->safe_psql('restored', "SELECT count(*) FROM $log WHERE $writes"), '0', 'which did not see the restore');
as_role($node, 'lab_app', q{UPDATE patient SET note = 'none'; DELETE FROM result}, database => 'restored');
is($node->safe_psql('restored', $recorded), "update|1|lab_app\ndelete|[1, 1]|lab_app", 'and see what comes then');
as_role($node, 'lab_owner', q{CREATE TABLE result_2 PARTITION OF result FOR VALUES IN (2)}, database => 'restored');
is($node->safe_psql('restored', q{SELECT count(*) FROM pg_trigger WHERE tgrelid = 'result_2'::regclass}), '2', 'on new partitions too');

# Logical replication, to a watched table ------------------------------------------------------------

my $subscriber = new_node('subscriber');
$subscriber->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pgseal;
SELECT seal.create_key('note');
CREATE TABLE patient (id integer PRIMARY KEY, ward text, note sealed_text(note));
SELECT seal.watch('patient');
SQL
$node->safe_psql('postgres', 'CREATE PUBLICATION all_patients FOR TABLE patient');
my $connection = $node->connstr . ' dbname=postgres';
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION sub CONNECTION '$connection' PUBLICATION all_patients");
$subscriber->wait_for_subscription_sync($node, 'sub');
as_role($node, 'lab_app', q{UPDATE patient SET ward = 'x'; INSERT INTO patient VALUES (2); DELETE FROM patient WHERE id = 2; TRUNCATE patient});
$node->wait_for_catchup('sub');
is($subscriber->safe_psql('postgres', "SELECT action, row_key, columns FROM $log WHERE $writes ORDER BY entry, id"),
	join("\n", 'insert|1|', 'update|1|{ward}', 'insert|2|', 'delete|2|', 'truncate||'), 'what replication writes is recorded');
$subscriber->stop;

# Two-phase commit, and a crash ----------------------------------------------------------------------

$node->append_conf('postgresql.conf', 'max_prepared_transactions = 5');
$node->restart;
as_role($node, 'lab_app', q{BEGIN; INSERT INTO patient VALUES (3, 'kept'); PREPARE TRANSACTION 'kept'; BEGIN; INSERT INTO patient VALUES (4, 'lost'); PREPARE TRANSACTION 'lost'});
$node->stop('immediate');
$node->start;
as_role($node, 'lab_app', q{COMMIT PREPARED 'kept'; ROLLBACK PREPARED 'lost'});
is($node->safe_psql('postgres', qq{SELECT string_agg(row_key, ' ') FROM $log WHERE action = 'insert' AND row_key IN ('3', '4')}), '3', 'a write is recorded exactly when it is committed');

# The order of the log ------------------------------------------------------------------------------

# Later writes fill the room of some that were rolled back, so they lie in no order; they are more than a batch,
# and several sessions wrote each row.
$node->append_conf('postgresql.conf', "seal.ingest_interval = '1h'\nautovacuum = off\n");
$node->reload;
my $count = 'UPDATE counted SET n = n + 1;';
as_role($node, 'lab_owner', q{CREATE TABLE counted (id int PRIMARY KEY, n int); SELECT seal.watch('counted');
	INSERT INTO counted SELECT n, 0 FROM generate_series(1001, 1300) n});
as_role($node, 'lab_owner', 'BEGIN;' . $count x 12 . 'ROLLBACK');
as_role($node, 'lab_owner', $count) foreach 1 .. 12;
$node->safe_psql('postgres', 'VACUUM seal.audit_change');
as_role($node, 'lab_owner', $count) foreach 1 .. 12;
is($node->safe_psql('postgres', q{SELECT EXISTS (SELECT FROM (SELECT id < lag(id) OVER (ORDER BY ctid) AS back FROM seal.audit_change) c WHERE back)}),
	't', 'what waits lies in no order');
$node->safe_psql('postgres', 'SELECT seal.checkpoint()');
is($node->safe_psql('postgres', 'SELECT count(*) FROM seal.audit_change'), '0', 'all of it is taken');
is($node->safe_psql('postgres', <<'SQL'), '7500 300 0', 'the entries of a row are in the order in which it was written');
SELECT concat_ws(' ', count(*), count(DISTINCT row_key), count(*) FILTER (WHERE back))
FROM (SELECT row_key, at < lag(at) OVER (PARTITION BY row_key ORDER BY entry) AS back FROM seal.audit_entry WHERE relation = 'public.counted') e
SQL

# What a superuser puts among the writes and is none does not stop the log.
$node->safe_psql('postgres', q{INSERT INTO seal.audit_change (at, action, row_key, old) VALUES (now(), 'delete', 'forged', '\x05')});
$node->safe_psql('postgres', 'SELECT seal.checkpoint()');
is($node->safe_psql('postgres', q{SELECT detail FROM seal.audit_entry WHERE what = 'forged_change'}), 'a change has values that are no image of a row',
	'what is no image is told');
is($node->safe_psql('postgres', 'SELECT intact FROM seal.verify_audit()'), 't', 'the log verifies');

# Without a root -------------------------------------------------------------------------------------

as_role($node, 'lab_app', q{INSERT INTO patient VALUES (5, 'w', 'kept')});
my $envelope = $node->safe_psql('postgres', 'SELECT note FROM patient WHERE id = 5');
$node->append_conf('postgresql.conf', "seal.root_key_file = ''");
$node->restart;
like(error_of($node, 'lab_app', q{UPDATE patient SET ward = 'unrecorded' WHERE id = 5}), qr/^55000: no root key is loaded/, 'without a root no plain value of a watched table is written');
is($node->safe_psql('postgres', 'SELECT ward FROM patient WHERE id = 5'), 'w', 'none');
as_role($node, 'lab_app', "UPDATE patient SET note = NULL WHERE id = 5; UPDATE patient SET note = '$envelope' WHERE id = 5; TRUNCATE result");
is($node->safe_psql('postgres', qq{SELECT action, columns, new->>'note' FROM $log WHERE row_key = '5' ORDER BY entry, id OFFSET 1}),
	"update|{note}|\nupdate|{note}|$envelope", 'envelopes are, and recorded as they are');
like(error_of($node, 'lab_app', q{DELETE FROM patient WHERE id = 5}), qr/^55000: no root key is loaded/, 'a delete would have to keep plain values');
as_role($node, 'lab_owner', q{SELECT seal.unwatch('patient'); SELECT seal.watch('patient')});
pass('maintenance of watches needs none');

done_testing;
