# audit_statement.pl: what a statement opens is recorded before it is opened, however
# the statement is written and however it ends.
#
# Not a pg_regress test: it reads segment files, and ends sessions.
use strict;
use warnings;
use Pgseal;
use PostgreSQL::Test::Utils qw(slurp_file);
use Segments;
use Test::More;

my $node = new_node('audit_statement', conf => <<'CONF');
seal.audit_batch = 100
max_parallel_workers = 8
max_worker_processes = 16
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
SQL
as_role($node, 'lab_app', q{INSERT INTO patient SELECT g, 'CANARY-NIR-' || g, 'CANARY-NOTE-' || g FROM generate_series(1, 450) g});

my $step = 0;

# recorded_ok EXPECTED, NAME, SQL [, ROLE]: what SQL leaves in the segments, by key.
sub recorded_ok
{
	my ($expected, $name, $sql, $role) = @_;
	my $mark = 't' . ++$step;
	$node->psql('postgres', "SET application_name = '$mark';\n$sql", extra_params => [ '--username' => $role // 'lab_app' ]);
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
my ($another) = recorded_ok('open progress=100 progress=200 progress=300 progress=400 close=450', 'a record before each batch', 'SELECT seal.reveal(note) FROM patient');
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
recorded_ok('open close=7', 'COPY', 'COPY (SELECT seal.reveal(note) FROM patient LIMIT 7) TO STDOUT');
recorded_ok('open progress=100 close=120', 'EXPLAIN ANALYZE', 'EXPLAIN ANALYZE SELECT seal.reveal(note) FROM patient WHERE id <= 120');
recorded_ok('', 'EXPLAIN', 'EXPLAIN SELECT seal.reveal(note) FROM patient');
recorded_ok('open close=9', 'CREATE TABLE AS', 'CREATE TEMP TABLE t AS SELECT seal.reveal(note) FROM patient WHERE id < 10');
recorded_ok('open close=3 open close=2', 'each FETCH of a cursor', 'BEGIN; DECLARE c CURSOR FOR SELECT seal.reveal(note) FROM patient; FETCH 3 FROM c; FETCH 2 FROM c; COMMIT');
recorded_ok('open close=5', 'a cursor that is held, when it is filled', 'BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT seal.reveal(note) FROM patient WHERE id <= 5; COMMIT; FETCH 5 FROM c');
recorded_ok('open close=1', 'a prepared statement', 'PREPARE q(int) AS SELECT seal.reveal(note) FROM patient WHERE id = $1; EXECUTE q(5)');
recorded_ok('open close=1', 'a read-only transaction', 'BEGIN READ ONLY; SELECT seal.reveal(note) FROM patient WHERE id = 1; COMMIT');
recorded_ok('open close=1 open close=2', 'two statements of one message', 'SELECT seal.reveal(note) FROM patient WHERE id = 1 \; SELECT seal.reveal(note) FROM patient WHERE id <= 2');
recorded_ok('open open close=2 close=2', 'roles of one statement apart', 'SELECT seal.reveal(note), definer_note(id) FROM patient WHERE id <= 2');
is(join(' ', map { $_->{role} } records($node, application => "t$step", action => 'open')), 'lab_app lab_definer', 'each value under the role that opened it');

my @search = recorded_ok('', 'a search', q{SELECT id FROM patient WHERE nir = 'CANARY-NIR-7'});
is($search[0]{action}, 'search', 'is recorded as a search');
is($search[-1]{action}, 'close', 'with its end');

$node->safe_psql('postgres', "SET application_name = 'parallel'; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off; SET max_parallel_workers_per_gather = 2; SELECT count(seal.reveal(note)) FROM patient",
	extra_params => [ '--username' => 'lab_app' ]);
my @parallel = records($node, application => 'parallel');
my $total = 0;
$total += $_->{values_opened} foreach grep { $_->{action} eq 'close' } @parallel;
is($total, 450, 'parallel workers record what they open');
my %statements = map { $_->{statement} => 1 } @parallel;
is(scalar keys %statements, 1, 'under the statement of their leader');
is(join(' ', sort { $a cmp $b } keys %{ { map { $_->{login_role} . $_->{address} => 1 } @parallel } }), 'lab_applocal', 'and as their leader');

# Every way to end ------------------------------------------------------------------------------

recorded_ok('open progress=100 progress=200 progress=300 progress=400 close=450', 'ROLLBACK', 'BEGIN; SELECT seal.reveal(note) FROM patient; ROLLBACK');
recorded_ok('open close!22012=51', 'an error in the middle', 'SELECT seal.reveal(note), 1 / (id - 51) FROM patient');
recorded_ok('open close!22012=11 open close=1', 'an error after a savepoint', "\\set ON_ERROR_STOP 0\nBEGIN; SAVEPOINT s;\nSELECT seal.reveal(note), 1 / (id - 11) FROM patient;\nROLLBACK TO s; SELECT seal.reveal(note) FROM patient WHERE id = 1; COMMIT");
recorded_ok('open close!57014=20', 'a timeout', "SET statement_timeout = '200ms'; SELECT seal.reveal(note), CASE WHEN id = 20 THEN pg_sleep(10) END FROM patient");

my $session = $node->background_psql('postgres', on_error_stop => 0, extra_params => [ '--username' => 'lab_app' ]);
$session->query_safe("SET application_name = 'terminated'");
my $pid = $session->query_safe('SELECT pg_backend_pid()');
$session->query_until(qr/sent/, "\\echo sent\nSELECT seal.reveal(note), CASE WHEN id = 120 THEN pg_sleep(100) END FROM patient;\n");
$node->poll_query_until('postgres', "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $pid") or die 'it does not sleep';
is(short(records($node, application => 'terminated')), 'open progress=100', 'what is being opened is known while it is');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 10000)");
is(short(records($node, application => 'terminated')), 'open progress=100 close!aborted=120', 'pg_terminate_backend');
eval { $session->quit };

$session = $node->background_psql('postgres', on_error_stop => 0, extra_params => [ '--username' => 'lab_app' ]);
$session->query_safe("SET application_name = 'abandoned'");
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
