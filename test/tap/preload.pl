# preload.pl: what works without pgseal in shared_preload_libraries, and without a
# root key.
#
# Not a pg_regress test: it needs servers started in different ways, their logs,
# and pg_dump.
use strict;
use warnings;
use PostgreSQL::Test::Utils qw(slurp_file append_to_file);
use Test::More;
use Pgseal;

# complaint_of NODE, ROLE, SQL: all that psql says of an error, with hint.
sub complaint_of
{
	my ($node, $role, $sql, %option) = @_;
	my ($status, $out, $err) = $node->psql($option{database} // 'postgres', $sql,
		extra_params => [ '--username' => $role, '--set' => 'VERBOSITY=verbose' ]);
	return $err;
}

# quiet_ok NODE, DATABASE, SQL, NAME: SQL succeeds, and the client hears nothing else.
sub quiet_ok
{
	my ($node, $database, $sql, $name) = @_;
	my ($status, $out, $err) = $node->psql($database, $sql);
	is("$status:$err", '0:', $name);
	return $out;
}

# run_ok NAME, COMMAND...: a client program succeeds and says nothing.
sub run_ok
{
	my ($name, @command) = @_;
	my ($out, $err) = ('', '');
	my $ok = IPC::Run::run \@command, '>', \$out, '2>', \$err;
	is(($ok ? 0 : 1) . ":$err", '0:', $name);
	return;
}

sub set_and_restart
{
	my ($node, $name, $value) = @_;
	$node->append_conf('postgresql.conf', "$name = '$value'");
	my $offset = -s $node->logfile;
	$node->restart;
	return $offset;
}

my $no_root = qr/ERROR:  55000: no root key is loaded\n(?:LINE.*\n.*\n)?HINT:  Set seal\.root_key_file or seal\.root_key_command and reload the server\./;

# Without shared_preload_libraries ---------------------------------------------

my $node = new_node('preload', conf => "shared_preload_libraries = ''\n");
my $not_preloaded = qr/ERROR:  55000: pgseal must be loaded via shared_preload_libraries\nHINT:  Add pgseal to shared_preload_libraries in postgresql\.conf and restart the server\./;
like(complaint_of($node, 'postgres', 'CREATE EXTENSION pgseal'), $not_preloaded, 'CREATE EXTENSION needs preloading');
like(complaint_of($node, 'postgres', "LOAD 'pgseal'"), $not_preloaded, 'LOAD is not preloading');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_namespace WHERE nspname = 'seal'"), '0', 'nothing is left');

# With it and a root: a loaded table -------------------------------------------

my $offset = set_and_restart($node, 'shared_preload_libraries', 'pgseal');
unlike(log_since($node, $offset), qr/WARNING/, 'a server with a root key starts without a warning');
$node->safe_psql('postgres', <<'END');
CREATE ROLE lab_app LOGIN;
CREATE EXTENSION pgseal;
SELECT seal.create_key('nir', searchable => true);
SELECT seal.create_key('note', pad => 64);
SELECT seal.grant_key(k, 'lab_app', '{seal,search,reveal}') FROM unnest('{nir,note}'::text[]) k;
CREATE TABLE patient (
  id integer PRIMARY KEY,
  nir sealed_text(nir) UNIQUE,
  born sealed_date(note),
  note sealed_text(note));
CREATE TABLE visit (patient sealed_text(nir) REFERENCES patient (nir), value sealed_numeric(note));
GRANT ALL ON patient, visit TO lab_app;
END
as_role($node, 'lab_app', <<'END');
INSERT INTO patient SELECT n, 'nir' || n, '1984-12-03', repeat('asthma ', n) FROM generate_series(1, 500) n;
INSERT INTO visit SELECT nir, 1.5 FROM patient;
END
my $digest_sql = q{SELECT md5(string_agg(to_jsonb(p)::text, ',' ORDER BY id)) FROM patient p};
my $digest = $node->safe_psql('postgres', $digest_sql);

# Without a root: one warning at start -----------------------------------------

$offset = set_and_restart($node, 'seal.root_key_file', '');
my @warnings = log_since($node, $offset) =~ /^.*WARNING:.*$/mg;
is(scalar(@warnings), 1, 'a server without a root key starts, with one warning');
like($warnings[0] // '', qr/WARNING:  no root key is configured: sealed values can be neither written nor opened$/, 'that says so');
quiet_ok($node, 'postgres', 'SELECT 1', 'clients hear nothing of it');
$node->safe_psql('postgres', 'CREATE DATABASE empty');
quiet_ok($node, 'empty', 'CREATE EXTENSION pgseal', 'CREATE EXTENSION needs no root key');
quiet_ok($node, 'empty', 'SELECT * FROM seal.keys; SELECT * FROM seal.grants', 'the views neither');

foreach my $sql (
	'SELECT seal.reveal(note) FROM patient WHERE id = 1',
	'SELECT note::text FROM patient WHERE id = 1',
	'SELECT seal.show(note) FROM patient WHERE id = 1',
	q{SELECT id FROM patient WHERE nir = 'nir1'},
	q{INSERT INTO patient (id, nir) VALUES (1001, 'nir1001')},
	q{UPDATE patient SET born = '1984-12-04'},
	q{SELECT seal.seal('x'::text, 'note')},
	q{SELECT seal.token_literal('nir', 'x'::text)})
{
	like(complaint_of($node, 'lab_app', $sql), $no_root, "no root key: $sql");
}
like(complaint_of($node, 'postgres', "COPY patient (id, nir) FROM STDIN;\n1002\tnir1002\n\\.\n"),
	$no_root, 'no root key: COPY of a plain value');
like(complaint_of($node, 'postgres', 'SELECT seal.reveal(note) FROM patient'), $no_root,
	'it is said before a missing right');
foreach my $call (q{create_key('k')}, q{rotate_key('nir')}, q{drop_key('nir')}, q{grant_key('nir', 'lab_app', '{seal}')},
	q{revoke_key('nir', 'lab_app')}, 'rotate_root()', 'accept_ring()', 'rebind_grants()', 'export_ring()')
{
	like(complaint_of($node, 'postgres', "SELECT seal.$call"), $no_root, "no root key: $call");
}
is($node->safe_psql('postgres', 'SELECT DISTINCT state FROM seal.grants'), 'not verified', 'seal.grants says that it cannot tell');

# Maintenance, without a word: a selection; no_root.pl has the whole list --------

foreach my $sql (
	'ANALYZE', 'VACUUM FULL patient', 'CLUSTER patient USING patient_nir_key', 'REINDEX TABLE CONCURRENTLY patient', 'CREATE INDEX ON visit (patient)',
	'CREATE TABLE copied AS SELECT * FROM patient', 'ALTER TABLE copied ADD UNIQUE (nir)', 'CREATE MATERIALIZED VIEW m AS SELECT * FROM patient',
	'REFRESH MATERIALIZED VIEW m', 'SELECT nir FROM patient INTERSECT SELECT nir FROM copied', 'DROP TABLE copied', 'VACUUM ANALYZE')
{
	quiet_ok($node, 'postgres', $sql, "maintenance: $sql");
}
my $dump = $node->basedir . '/dump';
my @connection = ('--host', $node->host, '--port', $node->port);
run_ok('pg_dump', 'pg_dump', '--format=custom', '--file', $dump, @connection, 'postgres');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
run_ok('pg_restore', 'pg_restore', '--exit-on-error', @connection, '--dbname=restored', $dump);
is($node->safe_psql('restored', $digest_sql), $digest, 'the same envelopes in the restored database');

# The root is back -------------------------------------------------------------

$offset = set_and_restart($node, 'seal.root_key_file', root_key_file($node));
unlike(log_since($node, $offset), qr/WARNING/, 'no warning with the root key back');
foreach my $database ('postgres', 'restored')
{
	is(as_role($node, 'lab_app', q{SELECT id || seal.reveal(note) FROM patient WHERE nir = 'nir2'}, database => $database),
		'2asthma asthma ', "everything opens in $database");
}

$node->stop;
done_testing();
