# failed_statement_log.pl: a statement that fails leaves its error in the server log,
# and none of its values.
#
# Not a pg_regress test: it reads the server log.  The log settings are PostgreSQL's
# defaults: log_min_error_statement = error, which logs the statement of each error.
use strict;
use warnings;
use Test::More;
use Pgseal;

my $node = new_node('failed', conf => <<'END');
log_statement = none
log_min_error_statement = error
log_min_messages = warning
deadlock_timeout = 10ms
log_lock_waits = off
END
$node->safe_psql('postgres', 'CREATE ROLE lab_app LOGIN; CREATE DATABASE lab; CREATE DATABASE plain');
my $tables = q{
CREATE TABLE patient (id integer PRIMARY KEY, nir %1$s UNIQUE, born %2$s, n %3$s, data %4$s, plain text, CHECK (id < 1000));
CREATE TABLE visit (patient %1$s REFERENCES patient (nir));
CREATE TABLE required (id integer, note %1$s NOT NULL);
GRANT ALL ON ALL TABLES IN SCHEMA public TO lab_app;
GRANT CREATE ON SCHEMA public TO lab_app;};
$node->safe_psql('lab', q{CREATE EXTENSION pgseal; SELECT seal.create_key('nir', searchable => true); SELECT seal.grant_key('nir', 'lab_app', '{seal,search,reveal}')}
	. ';' . sprintf($tables, map { "sealed_$_(nir)" } 'text', 'date', 'int', 'jsonb'));
$node->safe_psql('plain', sprintf($tables, 'text', 'date', 'bigint', 'jsonb'));
foreach my $database ('lab', 'plain')
{
	as_role($node, 'lab_app', q{INSERT INTO patient (id, nir) VALUES (1, 'one'), (2, 'two'), (999, 'CANARY-NIR')}, database => $database);
}

# fails_ok NAME, SQLSTATE, SQL, OPTION => VALUE...: SQL fails in both databases; the log of the sealed one
# has the error and not the value, that of the plain one has the statement too.
#	value	what must not be found; default: CANARY
#	quiet	the plain log has the statement, but not the value in it
sub fails_ok
{
	my ($name, $sqlstate, $sql, %option) = @_;
	my $value = $option{value} // 'CANARY';

	my $offset = -s $node->logfile;
	my $error  = error_of($node, 'lab_app', $sql, database => 'lab');
	my $log    = log_since($node, $offset);
	like($error, qr/^$sqlstate: /, "$name: fails");
	unlike($log, qr/$value/, "$name: not in the log");
	like($log, qr/ERROR:  \S/, "$name: while the error is");
	unlike($log, qr/STATEMENT:|QUERY:|CONTEXT:/, "$name: without statement and context");

	# A session finds out with its first query whether its database has the extension.
	$offset = -s $node->logfile;
	error_of($node, 'lab_app', "SELECT 1;\n$sql", database => 'plain');
	$log = log_since($node, $offset);
	like($log, qr/ERROR:  .*STATEMENT:  \S/s, "$name: a database without the extension has the statement");
	like($log, qr/$value/, "$name: and the value") unless $option{quiet};
	return;
}

# Statements ---------------------------------------------------------------------------------

fails_ok('duplicate key', '23505', q{INSERT INTO patient (id, nir) VALUES (1, 'CANARY')});
fails_ok('duplicate value', '23505', q{INSERT INTO patient (id, nir) VALUES (3, 'CANARY-NIR')});
fails_ok('check violation', '23514', q{INSERT INTO patient (id, nir) VALUES (1001, 'CANARY')});
fails_ok('not null', '23502', q{INSERT INTO required (id, note) SELECT 1, NULL FROM patient WHERE nir = 'CANARY-NIR'});
fails_ok('foreign key', '23503', q{INSERT INTO visit VALUES ('CANARY')});
fails_ok('foreign key, parent', '23503', q{BEGIN; INSERT INTO visit VALUES ('two'); DELETE FROM patient WHERE nir = 'two' OR nir = 'CANARY'});
fails_ok('division by zero', '22012', q{UPDATE patient SET nir = 'CANARY', id = 1 / (id - id)});
fails_ok('division by zero in a search', '22012', q{SELECT 1 / (id - id) FROM patient WHERE nir = 'CANARY-NIR'});
fails_ok('column that does not exist', '42703', q{UPDATE patient SET nir = 'CANARY', nothing = 1});
fails_ok('syntax error behind the value', '42601', q{INSERT INTO patient (id, nir) VALUES (3, 'CANARY') nonsense});
fails_ok('no privilege', '42501', q{INSERT INTO pg_authid (rolname) SELECT 'CANARY' FROM patient});
fails_ok('several statements', '22012', q{BEGIN; INSERT INTO patient (id, nir) VALUES (4, 'CANARY'); SELECT 1 / 0}, quiet => 1);
fails_ok('INSERT ... SELECT', '23505', q{INSERT INTO patient (id, nir) SELECT 1, 'CANARY' FROM patient LIMIT 1});
fails_ok('ON CONFLICT', '22012', q{INSERT INTO patient (id, nir) VALUES (1, 'CANARY') ON CONFLICT (id) DO UPDATE SET nir = excluded.nir, id = 1 / 0});
fails_ok('a CTE', '23505', q{WITH x AS (SELECT 1 AS id, 'CANARY' AS nir) INSERT INTO patient (id, nir) SELECT id, nir FROM x});
fails_ok('EXPLAIN ANALYZE', '23505', q{EXPLAIN ANALYZE INSERT INTO patient (id, nir) VALUES (1, 'CANARY')});
fails_ok('CREATE TABLE AS', '42P07', q{CREATE TABLE patient AS SELECT 'CANARY' AS note});
fails_ok('a cursor', '22012', q{BEGIN; DECLARE c CURSOR FOR SELECT 1 / (id - 1) FROM patient WHERE nir <> 'CANARY'; FETCH ALL FROM c}, quiet => 1);
fails_ok('PREPARE', '42601', q{PREPARE p AS INSERT INTO patient (id, nir) VALUES (1, 'CANARY') nonsense});
fails_ok('EXECUTE with a literal', '23505', q{PREPARE p(integer, text) AS INSERT INTO patient (id, nir) VALUES ($1, $2); EXECUTE p(1, 'CANARY')});
fails_ok('a prepared literal', '23505', q{PREPARE p AS INSERT INTO patient (id, nir) VALUES (1, 'CANARY'); EXECUTE p}, quiet => 1);
fails_ok('statement timeout', '57014', q{SET statement_timeout = 20; UPDATE patient SET nir = 'CANARY' WHERE pg_sleep(1) IS NULL});
fails_ok('a comment', '22012', q{SELECT 1 / 0 /* CANARY */ FROM patient});

# Values that do not fit their type --------------------------------------------------------------

fails_ok('a date that is none', '22008', q{INSERT INTO patient (id, born) VALUES (3, '1984-99-99')}, value => '1984-99-99');
fails_ok('a date with a name', '22007', q{INSERT INTO patient (id, born) VALUES (3, 'CANARY 1984-12-03')});
fails_ok('a number that is none', '22P02', q{INSERT INTO patient (id, n) VALUES (3, '12CANARY')});
fails_ok('a number out of range', '22003', q{INSERT INTO patient (id, n) VALUES (3, '99999999999999999999')}, value => '99999999999999999999');
fails_ok('broken JSON', '22P02', q[INSERT INTO patient (id, data) VALUES (3, '{"name": "CANARY')]);
fails_ok('a broken search', '22007', q{SELECT id FROM patient WHERE born = 'CANARY'});
fails_ok('a parameter', '22007', q{PREPARE p AS INSERT INTO patient (id, born) VALUES (3, $1); EXECUTE p('CANARY')});

# COPY, functions, DO ------------------------------------------------------------------------------

fails_ok('COPY, bad date', '22007', "COPY patient (id, nir, born) FROM STDIN;\n5\tCANARY\tCANARY\n\\.\n");
fails_ok('COPY, duplicate key', '23505', "COPY patient (id, nir) FROM STDIN;\n1\tCANARY\n\\.\n", quiet => 1);
fails_ok('COPY, too few columns', '22P04', "COPY patient (id, nir, plain) FROM STDIN;\n5\tCANARY\n\\.\n");
fails_ok('COPY, too many columns', '22P04', "COPY patient (id, nir) FROM STDIN;\n5\tCANARY\tCANARY\n\\.\n");
fails_ok('COPY, bad plain column', '22P02', "COPY patient (nir, id) FROM STDIN;\nCANARY\tx\n\\.\n", quiet => 1);
fails_ok('COPY csv', '23505', "COPY patient (id, nir) FROM STDIN (FORMAT csv);\n1,CANARY\n\\.\n", quiet => 1);
fails_ok('DO', '22012', q{DO $$ BEGIN INSERT INTO patient (id, nir) VALUES (6, 'CANARY'); PERFORM 1 / 0; END $$});
fails_ok('DO, duplicate key', '23505', q{DO $$ DECLARE v text := 'CANARY'; BEGIN INSERT INTO patient (id, nir) VALUES (1, v); END $$});
fails_ok('DO, dynamic', '23505', q{DO $$ BEGIN EXECUTE 'INSERT INTO patient (id, nir) VALUES (1, ''CANARY'')'; END $$});
fails_ok('DO, dynamic, not parsed', '42P01', q{DO $$ BEGIN EXECUTE 'SELECT ''CANARY'' FROM nowhere'; END $$});
fails_ok('DO, dynamic, bad date', '22007', q{DO $$ BEGIN EXECUTE 'SELECT id FROM patient WHERE born = ''CANARY'''; END $$});
fails_ok('a function', '23505', q{CREATE FUNCTION pg_temp.f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO patient (id, nir) VALUES (1, 'CANARY'); END $$; SELECT pg_temp.f()});
fails_ok("a function's argument", '23505', q{CREATE FUNCTION pg_temp.g(v text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO patient (id, nir) VALUES (1, v); END $$; SELECT pg_temp.g('CANARY')});
fails_ok('a SQL function', '23505', q{CREATE FUNCTION pg_temp.h() RETURNS void LANGUAGE sql AS $$ INSERT INTO patient (id, nir) VALUES (1, 'CANARY') $$; SELECT pg_temp.h()}, quiet => 1);
fails_ok('a function that does not compile', '42601', q{CREATE FUNCTION pg_temp.i() RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO patient (id, nir) VALUES (1, 'CANARY') nonsense; END $$});

# Reports of waits and deadlocks hold statements of two sessions -------------------------------------

foreach my $database ('lab', 'plain')
{
	my @session = map { $node->background_psql($database, on_error_stop => 0, extra_params => [ '--username' => 'lab_app' ]) } 1, 2;
	my $offset  = -s $node->logfile;
	$_->query_safe('BEGIN') foreach @session;
	$session[0]->query_safe(q{UPDATE patient SET nir = 'CANARY-1' WHERE id = 1});
	$session[1]->query_safe(q{UPDATE patient SET nir = 'CANARY-2' WHERE id = 2});
	$session[0]->query_until(qr/sent/, "\\echo sent\nUPDATE patient SET nir = 'CANARY-3' WHERE id = 2;\n");
	$session[1]->query(q{UPDATE patient SET nir = 'CANARY-4' WHERE id = 1});
	$session[0]->query('ROLLBACK');
	$_->quit foreach @session;
	my $log = log_since($node, $offset);
	like($log, qr/ERROR:  deadlock detected/, "$database: deadlock");
	unlike($log, qr/CANARY/, 'lab: no value in the report of a deadlock') if $database eq 'lab';
	like($log, qr/CANARY-3.*CANARY-4|CANARY-4.*CANARY-3/s, 'plain: the values of both sessions are in it') if $database eq 'plain';
}

# What is no statement of a sealed value stays readable, and the client gets its whole error.
my $offset = -s $node->logfile;
my ($status, $out, $err) = $node->psql('lab', q{INSERT INTO patient (id) VALUES (1)}, extra_params => [ '--username' => 'lab_app' ]);
like($err, qr/ERROR:  duplicate key value violates unique constraint "patient_pkey"\nDETAIL:  Key \(id\)=\(1\) already exists\./, 'the client gets the error and its detail');
like(log_since($node, $offset), qr/ERROR:  duplicate key value violates unique constraint "patient_pkey"\n.*DETAIL:  Key \(id\)=\(1\) already exists\./, 'the log too');

$node->stop;
done_testing();
