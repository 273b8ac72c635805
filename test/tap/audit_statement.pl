# audit_statement.pl: what a statement opens is recorded before it is opened, however
# the statement is written and however it ends.
#
# Not a pg_regress test: it reads segment files, and ends sessions.
use strict;
use warnings;
use IO::Socket::UNIX;
use Pgseal;
use PostgreSQL::Test::Utils qw(slurp_file);
use Segments;
use Test::More;

my $node = new_node('audit_statement', conf => <<'CONF');
seal.audit_batch = 100
max_parallel_workers = 8
max_worker_processes = 16
wal_level = logical
CONF
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pgseal;
CREATE ROLE lab_app LOGIN;
CREATE ROLE lab_other LOGIN;
CREATE ROLE lab_definer;
SELECT seal.create_key('nir', searchable => true), seal.create_key('note');
SELECT seal.grant_key(k, 'lab_app', '{seal,search,reveal}') FROM unnest('{nir,note}'::text[]) k;
SELECT seal.grant_key('note', 'lab_definer', '{reveal}');
CREATE TABLE patient (id integer PRIMARY KEY, nir sealed_text(nir) UNIQUE, note sealed_text(note));
GRANT ALL ON patient TO lab_app, lab_other;
GRANT SELECT ON patient TO lab_definer;
CREATE FUNCTION open_loop(n integer) RETURNS text LANGUAGE plpgsql AS
  $$ DECLARE x text; BEGIN FOR i IN 1 .. n LOOP SELECT seal.reveal(note) INTO x FROM patient WHERE id = i; END LOOP; RETURN x; END $$;
CREATE FUNCTION definer_note(i integer) RETURNS text LANGUAGE sql SECURITY DEFINER AS
  $$ SELECT seal.reveal(note) FROM patient WHERE id = i $$;
ALTER FUNCTION definer_note OWNER TO lab_definer;
CREATE PROCEDURE open_and_commit() LANGUAGE plpgsql AS
  $$ DECLARE x text; BEGIN FOR i IN 1 .. 3 LOOP SELECT seal.reveal(note) INTO x FROM patient WHERE id = i; COMMIT; END LOOP; END $$;
CREATE FUNCTION open_all() RETURNS SETOF text LANGUAGE sql AS $$ SELECT seal.reveal(note) FROM patient $$;
CREATE FUNCTION open_own() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM seal.reveal(NEW.note); RETURN NULL; END $$;
SELECT seal.create_revealing_view('patient');
GRANT ALL ON patient_revealed TO lab_app;
CREATE TABLE at_once (LIKE patient);
CREATE TABLE at_commit (LIKE patient);
CREATE TRIGGER t AFTER INSERT ON at_once FOR EACH ROW EXECUTE FUNCTION open_own();
CREATE CONSTRAINT TRIGGER t AFTER INSERT ON at_commit DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION open_own();
GRANT ALL ON at_once, at_commit TO lab_app;
CREATE EXTENSION postgres_fdw;
SQL
my ($host, $port) = ($node->host, $node->port);
$node->safe_psql('postgres', <<"SQL");
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
CREATE USER MAPPING FOR lab_app SERVER far OPTIONS (password_required 'false');
CREATE FOREIGN TABLE far_patient (id integer, note sealed_text(note)) SERVER far OPTIONS (table_name 'patient');
GRANT SELECT ON far_patient TO lab_app;
SQL
as_role($node, 'lab_app', q{INSERT INTO patient SELECT g, 'CANARY-NIR-' || g, 'CANARY-NOTE-' || g FROM generate_series(1, 450) g});

my $step = 0;

# marked SQL [, ROLE]: runs it under a name of its own, and returns that.
sub marked
{
	my ($sql, $role) = @_;
	my $mark = 't' . ++$step;
	$node->psql('postgres', "SET application_name = '$mark';\n$sql", extra_params => [ '--username' => $role // 'lab_app' ]);
	return $mark;
}

# recorded_ok EXPECTED, NAME, SQL [, ROLE]: what SQL leaves in the segments, by key.
sub recorded_ok
{
	my ($expected, $name, $sql, $role) = @_;
	my $mark = marked($sql, $role);
	is(short(grep { $_->{key} eq 'note' } records($node, application => $mark)), $expected, $name);
	return records($node, application => $mark);
}

# Every way to ask ------------------------------------------------------------------------------

my ($open, $close) = recorded_ok('open close=1', 'one value', 'SELECT seal.reveal(note) FROM patient WHERE id = 1');
is($close->{statement}, $open->{statement}, 'open and close name one statement');
is(join('|', @{$open}{qw(login_role session_role role address what key_version)}), 'lab_app|lab_app|lab_app|local|reveal|1', 'and who did it from where');
is($close->{rows_returned}, 1, 'close has the rows');
like($open->{mac}, qr/[1-9a-f]/, 'a record has a MAC');
isnt($open->{mac}, $close->{mac}, 'of its own');

my ($again) = recorded_ok('open close=1', 'another constant', 'SELECT seal.reveal(note) /* why */ FROM patient WHERE id = 2');
my ($another) = recorded_ok('open progress=50 progress=100 progress=150 progress=200 progress=250 progress=300 progress=350 progress=400 close=450', 'a record before each batch', 'SELECT seal.reveal(note) FROM patient');
is($again->{digest}, $open->{digest}, 'a digest does not tell constants');
isnt($another->{digest}, $open->{digest}, 'but statements');

recorded_ok('', 'sealed output', 'SELECT * FROM patient');
recorded_ok('open close=1', 'a cast', 'SELECT note::text FROM patient WHERE id = 1');
recorded_ok('open close=1', 'show', 'SELECT seal.show(note) FROM patient WHERE id = 1');
recorded_ok('open close=50', 'a plpgsql loop is one statement', 'SELECT open_loop(50)');
recorded_ok('open close=3', 'so is a procedure that commits', 'CALL open_and_commit()');
recorded_ok('open close=3', 'and DO', 'DO $$ DECLARE x text; BEGIN FOR i IN 1 .. 3 LOOP SELECT seal.reveal(note) INTO x FROM patient WHERE id = i; COMMIT; END LOOP; END $$');
recorded_ok('open close=2', 'a part of a block that fails is counted', <<'SQL');
DO $$ DECLARE x text; BEGIN SELECT seal.reveal(note) INTO x FROM patient WHERE id = 1;
BEGIN SELECT seal.reveal(note) INTO x FROM patient WHERE id = 2; PERFORM 1 / 0; EXCEPTION WHEN OTHERS THEN NULL; END; END $$
SQL
recorded_ok('export close=7', 'COPY', 'COPY (SELECT seal.reveal(note) FROM patient LIMIT 7) TO STDOUT');
recorded_ok('open progress=50 progress=100 close=120', 'EXPLAIN ANALYZE', 'EXPLAIN ANALYZE SELECT seal.reveal(note) FROM patient WHERE id <= 120');
recorded_ok('', 'EXPLAIN', 'EXPLAIN SELECT seal.reveal(note) FROM patient');
recorded_ok('export close=9', 'CREATE TABLE AS', 'CREATE TEMP TABLE t AS SELECT seal.reveal(note) FROM patient WHERE id < 10');
recorded_ok('open close=3 open close=2', 'each FETCH of a cursor', 'BEGIN; DECLARE c CURSOR FOR SELECT seal.reveal(note) FROM patient; FETCH 3 FROM c; FETCH 2 FROM c; COMMIT');
recorded_ok('open close=5', 'a cursor that is held, when it is filled', 'BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT seal.reveal(note) FROM patient WHERE id <= 5; COMMIT; FETCH 5 FROM c');
recorded_ok('open close=1', 'a prepared statement', 'PREPARE q(int) AS SELECT seal.reveal(note) FROM patient WHERE id = $1; EXECUTE q(5)');
recorded_ok('open close=1', 'a read-only transaction', 'BEGIN READ ONLY; SELECT seal.reveal(note) FROM patient WHERE id = 1; COMMIT');
recorded_ok('open close=1 open close=2', 'two statements of one message', 'SELECT seal.reveal(note) FROM patient WHERE id = 1 \; SELECT seal.reveal(note) FROM patient WHERE id <= 2');
recorded_ok('open open close=2 close=2', 'roles of one statement apart', 'SELECT seal.reveal(note), definer_note(id) FROM patient WHERE id <= 2');
is(join(' ', map { $_->{role} } records($node, application => "t$step", action => 'open')), 'lab_app lab_definer', 'each value under the role that opened it');

recorded_ok('open close=2', 'RETURNING', 'BEGIN; UPDATE patient SET id = id WHERE id <= 2 RETURNING seal.reveal(note); ROLLBACK');
recorded_ok('open close=6', 'a revealing view', 'SELECT * FROM patient_revealed LIMIT 6');
recorded_ok('export close=4', 'COPY from one', 'COPY (SELECT * FROM patient_revealed WHERE id <= 4) TO STDOUT');
recorded_ok('export close=3', 'INSERT ... SELECT', 'CREATE TEMP TABLE t (x text); INSERT INTO t SELECT seal.reveal(note) FROM patient WHERE id <= 3');
recorded_ok('open progress=50 progress=100 progress=150 progress=200 progress=250 progress=300 progress=350 progress=400 close=450', 'a function that opens more than it is asked for', 'SELECT * FROM open_all() LIMIT 5');
recorded_ok('open close=2', 'a foreign table, here where its values are opened', 'SELECT seal.reveal(note) FROM far_patient WHERE id <= 2');
recorded_ok('open close=3 open close=3 open close=1', 'psql in pieces', "\\set FETCH_COUNT 3\nSELECT seal.reveal(note) FROM patient WHERE id <= 7");
recorded_ok('open close=1', 'a trigger', q{INSERT INTO at_once VALUES (1, 'x', 'y')});
recorded_ok('open close=1', 'a trigger that fires at the end of the transaction', q{BEGIN; INSERT INTO at_commit VALUES (1, 'x', 'y'); SELECT 1; COMMIT});
recorded_ok('open close=1', 'EXECUTE of text', q{DO $$ DECLARE x text; BEGIN EXECUTE 'SELECT seal.reveal(note) FROM patient WHERE id = 1' INTO x; END $$});

# What is kept ----------------------------------------------------------------------------------

my $copies = 'CREATE TEMP TABLE t (id integer, x text); INSERT INTO t VALUES (1), (2);';
foreach my $kept (
	[ 'SELECT INTO', 'SELECT seal.reveal(note) INTO TEMP t FROM patient WHERE id <= 2' ],
	[ 'EXPLAIN ANALYZE of CREATE TABLE AS', 'EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT seal.reveal(note) FROM patient WHERE id <= 2' ],
	[ 'CREATE TABLE AS of a prepared statement', 'PREPARE q(int) AS SELECT seal.reveal(note) FROM patient WHERE id <= $1; CREATE TEMP TABLE t AS EXECUTE q(2)' ],
	[ 'CREATE TABLE AS of a function that opens', 'CREATE TEMP TABLE t AS SELECT open_loop(2)' ],
	[ 'CREATE TABLE AS in a block', 'DO $$ BEGIN CREATE TEMP TABLE t AS SELECT seal.reveal(note) FROM patient WHERE id <= 2; END $$' ],
	[ 'a prepared INSERT with a generic plan', "$copies SET plan_cache_mode = force_generic_plan; PREPARE q(int) AS INSERT INTO t SELECT id, seal.reveal(note) FROM patient WHERE id <= \$1; EXECUTE q(2)" ],
	[ 'INSERT of rows that were chosen by what they hold', "$copies INSERT INTO t SELECT id FROM patient WHERE id <= 2 AND seal.reveal(note) <> 'nobody'" ],
	[ 'INSERT of VALUES with a subquery', "$copies INSERT INTO t VALUES (1, (SELECT string_agg(seal.reveal(note), '') FROM patient WHERE id <= 2))" ],
	[ 'INSERT of VALUES with a function', "$copies INSERT INTO t VALUES (1, open_loop(2))" ],
	[ 'INSERT of several VALUES', "$copies INSERT INTO t VALUES (1, open_loop(2)), (2, NULL)" ],
	[ 'INSERT in a WITH', "$copies WITH i AS (INSERT INTO t SELECT id, seal.reveal(note) FROM patient WHERE id <= 2 RETURNING id) SELECT * FROM i" ],
	[ 'ON CONFLICT DO UPDATE', "$copies CREATE UNIQUE INDEX ON t (id); INSERT INTO t VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET x = open_loop(2)" ],
	[ 'UPDATE', "$copies UPDATE t SET x = seal.reveal(p.note) FROM patient p WHERE p.id = t.id" ],
	[ 'UPDATE from below a sort', "$copies UPDATE t SET x = p.x FROM (SELECT id, seal.reveal(note) AS x FROM patient WHERE id <= 2 ORDER BY 2 OFFSET 0) p WHERE p.id = t.id" ],
	[ 'UPDATE from a function', "$copies UPDATE t SET x = f FROM open_loop(2) f WHERE t.id = 1" ],
	[ 'MERGE', "$copies MERGE INTO t USING patient p ON p.id = t.id WHEN MATCHED THEN UPDATE SET x = seal.reveal(p.note)" ],
	[ 'INSERT in a function that is asked for', "$copies CREATE FUNCTION pg_temp.keep() RETURNS bigint LANGUAGE sql AS 'INSERT INTO t SELECT id, seal.reveal(note) FROM patient WHERE id <= 2; SELECT 1::bigint'; SELECT pg_temp.keep()" ])
{
	recorded_ok('export close=2', "kept: $kept->[0]", $kept->[1]);
}
recorded_ok('open export close=4', 'kept: what was only read first', "$copies " . q{DO $$ BEGIN PERFORM open_loop(2); INSERT INTO t SELECT id, seal.reveal(note) FROM patient WHERE id <= 2; END $$});
my @kept = recorded_ok('export progress=50 progress=100 close=120', 'kept: more than a batch', 'CREATE TEMP TABLE t AS SELECT seal.reveal(note) FROM patient WHERE id <= 120');
is(join('|', @{ $kept[0] }{qw(what key login_role)}, $kept[0]{digest} eq $another->{digest} ? 'same' : 'other'), 'reveal|note|lab_app|other', 'with what an open says');
recorded_ok('export close=2 open close=1', 'the next statement keeps nothing', q{CREATE TEMP TABLE t AS SELECT seal.reveal(note) FROM patient WHERE id <= 2; SELECT seal.reveal(note) FROM patient WHERE id = 1});
recorded_ok('export close!22012=2 open close=1', 'nor does one after a failure', "\\set ON_ERROR_STOP 0\nCREATE TEMP TABLE t AS SELECT seal.reveal(note), 1 / (id - 2) FROM patient WHERE id <= 2;\nSELECT seal.reveal(note) FROM patient WHERE id = 1");
foreach my $asked (
	[ 'what an UPDATE compares', "$copies UPDATE t SET x = 'x' FROM patient p WHERE p.id <= 2 AND p.id = t.id AND seal.reveal(p.note) <> 'nobody'" ],
	[ 'what an UPDATE returns', 'BEGIN; UPDATE patient SET id = id WHERE id <= 2 RETURNING seal.reveal(note); ROLLBACK' ],
	[ 'what an INSERT returns', q{BEGIN; INSERT INTO patient VALUES (1001, 'x', 'y'), (1002, 'z', 'y') RETURNING seal.reveal(note); ROLLBACK} ],
	[ 'what a DELETE returns', 'BEGIN; DELETE FROM patient WHERE id <= 2 RETURNING seal.reveal(note); ROLLBACK' ],
	[ 'what is sealed again', q{BEGIN; UPDATE patient_revealed SET note = note || '!' WHERE id <= 2; ROLLBACK} ])
{
	recorded_ok('open close=2', "not kept: $asked->[0]", $asked->[1]);
}

# What maintenance and replication read, they do not open.
my $slot = $node->safe_psql('postgres', q{SELECT pg_create_logical_replication_slot('s', 'test_decoding')});
recorded_ok('', 'ANALYZE, VACUUM, REINDEX, CLUSTER, a materialized view', <<'SQL', 'postgres');
ANALYZE patient;
VACUUM FULL patient;
REINDEX TABLE patient;
CLUSTER patient USING patient_pkey;
CREATE MATERIALIZED VIEW m AS SELECT id, note FROM patient;
REFRESH MATERIALIZED VIEW m;
SQL
as_role($node, 'lab_app', q{INSERT INTO patient VALUES (1000, 'x', 'y'); DELETE FROM patient WHERE id = 1000});
recorded_ok('', 'logical decoding', q{SELECT * FROM pg_logical_slot_get_changes('s', NULL, NULL)}, 'postgres');
recorded_ok('', 'pg_dump', q{COPY patient TO STDOUT}, 'postgres');
$node->safe_psql('postgres', q{SELECT pg_drop_replication_slot('s')});

# rows_ok ROWS, NAME, SQL: what the closes of SQL say was returned.
sub rows_ok
{
	my ($expected, $name, $sql) = @_;
	my $mark = marked($sql);
	is(join(' ', map { $_->{rows_returned} // 'none' } records($node, application => $mark, action => 'close', key => 'note')), $expected, $name);
	return;
}

rows_ok(450, 'rows of a query', 'SELECT seal.reveal(note) FROM patient');
rows_ok(7, 'rows of COPY', 'COPY (SELECT seal.reveal(note) FROM patient LIMIT 7) TO STDOUT');
rows_ok('3 2', 'rows of each FETCH', 'BEGIN; DECLARE c CURSOR FOR SELECT seal.reveal(note) FROM patient; FETCH 3 FROM c; FETCH 2 FROM c; COMMIT');
rows_ok(2, 'rows of RETURNING', 'BEGIN; UPDATE patient SET id = id WHERE id <= 2 RETURNING seal.reveal(note); ROLLBACK');
rows_ok(9, 'rows that a table was made of', 'CREATE TEMP TABLE t AS SELECT seal.reveal(note) FROM patient WHERE id < 10');
rows_ok(1, 'rows, not values', 'SELECT count(seal.reveal(note)) FROM patient');
rows_ok(0, 'rows that are filtered are opened and not returned', q{SELECT id FROM patient WHERE seal.reveal(note) = 'nobody'});

# A driver that asks for rows in pieces: Execute with a limit.
sub message { return $_[0] . pack('N', 4 + length $_[1]) . $_[1]; }

# ask SOCKET, MESSAGES: sends them, and waits until all are answered; without any for the start.
sub ask
{
	my ($socket, @messages) = @_;
	my $ends = @messages > 0 ? grep { /^[SQ]/ } @messages : 1;
	syswrite $socket, join '', @messages;
	my $buffer = '';
	while ($ends > 0)
	{
		sysread($socket, $buffer, 65536, length $buffer) or die 'the server has gone';
		while (length $buffer >= 5 && length $buffer > (my $len = unpack 'x N', $buffer))
		{
			die "server: $buffer" if $buffer =~ /^E/;
			$ends-- if $buffer =~ /^Z/;
			substr $buffer, 0, 1 + $len, '';
		}
	}
	return;
}

sub execute { return message('E', pack 'Z*N', @_); }

my $socket = IO::Socket::UNIX->new("$host/.s.PGSQL.$port") or die "no connection: $!";
my $startup = pack 'N (Z*)*', 196608, qw(user lab_app database postgres application_name pieces), '';
syswrite $socket, pack('N', 4 + length $startup) . $startup;
ask($socket);
ask($socket, message('Q', "BEGIN\0"));
my @open_portal = (
	message('P', "\0SELECT seal.reveal(note) FROM patient\0\0\0"),
	message('B', "p\0\0\0\0\0\0\0\0"));

# fetch ROWS [, BEFORE]: Execute with a limit, of the portal that BEFORE opened or opens.
sub fetch
{
	my ($rows, @before) = @_;
	return ask($socket, @before, execute('p', $rows), message('S', ''));
}

fetch(3, @open_portal);
fetch(4);
is(short(records($node, application => 'pieces')), 'open', 'a portal that is read in pieces is one statement');
ask($socket, message('C', "Pp\0"), message('S', ''));
is(short(records($node, application => 'pieces')), 'open close=7', 'until it is closed');
is((records($node, application => 'pieces'))[1]{rows_returned}, 7, 'with the rows of all pieces');
ask($socket, message('Q', "SET application_name = 'mixed'\0"));
fetch(3, @open_portal);
ask($socket, message('Q', "SELECT seal.reveal(note) FROM patient WHERE id <= 2\0"));
fetch(4);
ask($socket, message('Q', "COMMIT\0"));
is(short(records($node, application => 'mixed')), 'open close=3 open close=2 open close=4', 'another statement between the pieces ends it');
ask($socket, message('Q', "BEGIN; SET application_name = 'left'\0"));
fetch(3, @open_portal);
close $socket;
foreach (1 .. 100)
{
	last if short(records($node, application => 'left')) =~ /close/;
	select undef, undef, undef, 0.1;
}
like(short(records($node, application => 'left')), qr/^open close(!aborted)?=3$/, 'a portal that is left when the client goes');

my @search = recorded_ok('', 'a search', q{SELECT id FROM patient WHERE nir = 'CANARY-NIR-7'});
is($search[0]{action}, 'search', 'is recorded as a search');
is($search[-1]{action}, 'close', 'with its end');

# distinct FIELDS, RECORD...: what their fields hold, each once.
sub distinct
{
	my ($fields, @records) = @_;
	my %seen = map { join(' ', @$_{@$fields}) => 1 } @records;
	return join ', ', sort { $a cmp $b } keys %seen;
}

my $parallel = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off; SET max_parallel_workers_per_gather = 2';
my @parallel = records($node, application => marked("$parallel; SELECT count(seal.reveal(note)) FROM patient"));
my $total = 0;
$total += $_->{values_opened} foreach grep { $_->{action} eq 'close' } @parallel;
is($total, 450, 'parallel workers record what they open');
unlike(distinct(['statement'], @parallel), qr/,/, 'under the statement of their leader');
is(distinct([qw(login_role address)], @parallel), 'lab_app local', 'and as their leader');
is(distinct(['action'], grep { $_->{action} !~ /close|progress/ } @parallel), 'open', 'as read');
@parallel = records($node, application => marked("$parallel; CREATE TEMP TABLE t AS SELECT seal.reveal(note) FROM patient"));
is(distinct(['action'], grep { $_->{action} !~ /close|progress/ } @parallel), 'export', 'or as kept');
cmp_ok(scalar(grep { $_->{action} eq 'close' && !defined $_->{rows_returned} } @parallel), '>', 0, 'by workers');

# Every way to end ------------------------------------------------------------------------------

recorded_ok('open progress=50 progress=100 progress=150 progress=200 progress=250 progress=300 progress=350 progress=400 close=450', 'ROLLBACK', 'BEGIN; SELECT seal.reveal(note) FROM patient; ROLLBACK');
recorded_ok('open progress=50 close!22012=51', 'an error in the middle', 'SELECT seal.reveal(note), 1 / (id - 51) FROM patient');
recorded_ok('open close!22012=11 open close=1', 'an error after a savepoint', "\\set ON_ERROR_STOP 0\nBEGIN; SAVEPOINT s;\nSELECT seal.reveal(note), 1 / (id - 11) FROM patient;\nROLLBACK TO s; SELECT seal.reveal(note) FROM patient WHERE id = 1; COMMIT");
recorded_ok('open close!57014=20', 'a timeout', "SET statement_timeout = '200ms'; SELECT seal.reveal(note), CASE WHEN id = 20 THEN pg_sleep(10) END FROM patient");

# session NAME [, SQL]: of lab_app, under that name, and its process id.
sub session
{
	my ($name, $sql) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0, extra_params => [ '--username' => 'lab_app' ]);
	$session->query_safe("SET application_name = '$name'; " . ($sql // ''));
	return ($session, $session->query_safe('SELECT pg_backend_pid()'));
}

# falls_asleep SESSION, PID, SQL: sends SQL, and waits until the process, or a parallel worker of it, sleeps.
sub falls_asleep
{
	my ($session, $pid, $sql) = @_;
	$session->query_until(qr/sent/, "\\echo sent\n$sql;\n");
	return $node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_stat_activity WHERE $pid IN (pid, leader_pid) AND wait_event = 'PgSleep'") || die 'it does not sleep';
}

my ($session, $pid) = session('terminated');
falls_asleep($session, $pid, 'SELECT seal.reveal(note), CASE WHEN id = 120 THEN pg_sleep(100) END FROM patient');
is(short(records($node, application => 'terminated')), 'open progress=50 progress=100', 'what is being opened is known while it is');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 10000)");
is(short(records($node, application => 'terminated')), 'open progress=50 progress=100 close!aborted=120', 'pg_terminate_backend');
eval { $session->quit };

# Parallel workers whose leader is ended.
($session, $pid) = session('workers', $parallel);
falls_asleep($session, $pid, 'SELECT count(seal.reveal(note)), max(CASE WHEN id >= 120 THEN pg_sleep(100)::text END) FROM patient');
my $granted = 0;
$granted += ($_->{values_opened} // 0) + 100 foreach grep { $_->{action} eq 'open' } records($node, application => 'workers');
cmp_ok($granted, '>=', 100, 'what parallel workers open is known while they do');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 10000)");
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE leader_pid = $pid") or die 'the workers stay';
like(short(records($node, application => 'workers')), qr/close!\w+=\d+$/, 'and when their leader is ended');
eval { $session->quit };

($session) = session('abandoned');
$session->query_safe('BEGIN; DECLARE c CURSOR FOR SELECT seal.reveal(note) FROM patient; FETCH 30 FROM c');
$session->quit;
is(short(records($node, application => 'abandoned')), 'open close=30', 'a cursor left in the middle');

# Changes and refusals --------------------------------------------------------------------------

my @changes = records($node, action => 'key');
is(join(' ', map { "$_->{what}:$_->{key}" } @changes), 'create:nir create:note', 'new keys');
recorded_ok('grant', 'a grant', q{SELECT seal.grant_key('note', 'lab_other', '{seal}')}, 'postgres');
recorded_ok('grant grant!aborted', 'one that is taken back', q{BEGIN; SELECT seal.grant_key('note', 'lab_other', '{reveal}'); ROLLBACK}, 'postgres');
recorded_ok('grant grant!aborted', 'in part', q{BEGIN; SAVEPOINT s; SELECT seal.grant_key('note', 'lab_other', '{reveal}'); ROLLBACK TO s; COMMIT}, 'postgres');
recorded_ok('grant grant!aborted', 'in part, after a release', q{BEGIN; SAVEPOINT r; SAVEPOINT s; SELECT seal.grant_key('note', 'lab_other', '{reveal}'); RELEASE s; ROLLBACK TO r; COMMIT}, 'postgres');
recorded_ok('grant', 'a savepoint that is released', q{BEGIN; SAVEPOINT s; SELECT seal.grant_key('note', 'lab_other', '{seal}'); RELEASE s; COMMIT}, 'postgres');

recorded_ok('refuse!42501', 'a refusal', 'SELECT seal.reveal(note) FROM patient', 'lab_other');
recorded_ok('', 'its repetition is counted', 'SELECT seal.reveal(note) FROM patient', 'lab_other');

# What is not there -----------------------------------------------------------------------------

$node->safe_psql('postgres', 'CREATE DATABASE bare');
$node->safe_psql('bare', 'GRANT lab_definer TO lab_other');
my $oid = $node->safe_psql('postgres', q{SELECT oid FROM pg_database WHERE datname = 'bare'});
ok(!-e $node->data_dir . "/pg_seal/$oid", 'a database without the extension has no segments');
recorded_ok('', 'a membership is a grant', 'REVOKE lab_definer FROM lab_other', 'postgres');
is(short(records($node, application => "t$step")), 'grant', 'where the extension is');

my $bytes = join '', map { slurp_file($_) } segment_files($node);
unlike($bytes, qr/CANARY/, 'no value in a segment');
like($bytes, qr/lab_app/, 'while names are');

$node->stop;
ok(!(grep { -s $_ >= 16 * 1024 * 1024 } segment_files($node)), 'a server that stops gives back what it had allocated');
done_testing();
