# protected_dump.pl: protected tables, their subjects and admissions in dumps, in other
# clusters, on standbys and subscribers, and without the root key.
#
# Not a pg_regress test: it runs client programs between several servers.
use strict;
use warnings;
use Cwd qw(getcwd);
use File::Copy qw(move);
use IPC::Run;
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;
use Pgseal;

my $node = new_node('home', allows_streaming => 'logical', conf => "seal.checkpoint_interval = 0\nmax_worker_processes = 16\n");
my $folder = $node->basedir . '/files';
mkdir $folder or die "could not make $folder: $!";

# run_ok NAME, COMMAND...: a client program succeeds and says nothing.
sub run_ok
{
	my ($name, @command) = @_;
	my ($out, $err) = ('', '');
	my $ok = IPC::Run::run \@command, '>', \$out, '2>', \$err;
	is(($ok ? 0 : 1) . ":$err", '0:', $name);
	return $out;
}

sub at
{
	my ($where) = @_;
	return ('--host', $where->host, '--port', $where->port);
}

$node->safe_psql('postgres', <<'SQL');
CREATE ROLE lab_app LOGIN;
CREATE ROLE doctor LOGIN;
CREATE ROLE stranger LOGIN;
CREATE ROLE backup LOGIN BYPASSRLS IN ROLE pg_read_all_data;
CREATE ROLE half_backup LOGIN IN ROLE pg_read_all_data;
CREATE DATABASE lab;
SQL
$node->safe_psql('lab', <<'SQL');
CREATE EXTENSION pgseal;
SELECT seal.create_key('clinical', searchable => true), seal.create_key('note');
SELECT seal.grant_key(k, 'lab_app', '{seal,search,reveal}'), seal.grant_key(k, 'postgres', '{seal}'),
  seal.grant_key(k, 'doctor', '{search,reveal}', 'admitted') FROM unnest('{clinical,note}'::text[]) k;
CREATE TABLE patient (id uuid PRIMARY KEY, name sealed_text(clinical) UNIQUE, note sealed_text(note), plain text DEFAULT 'plain');
CREATE TABLE result (id bigint GENERATED ALWAYS AS IDENTITY, patient_id uuid REFERENCES patient (id), at date, value sealed_text(clinical), PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE result_old PARTITION OF result FOR VALUES FROM ('2020-01-01') TO ('2024-01-01');
CREATE TABLE result_new PARTITION OF result FOR VALUES FROM ('2024-01-01') TO ('2030-01-01');
SELECT seal.protect('patient', 'id', 'patient'), seal.protect('result', 'patient_id', 'patient');
SELECT seal.create_revealing_view('patient'), seal.create_revealing_view('result');
GRANT ALL ON patient, patient_revealed, result, result_revealed TO lab_app, doctor, stranger;
SQL
as_role($node, 'lab_app', <<'SQL', database => 'lab');
INSERT INTO patient SELECT lpad(i::text, 32, '0')::uuid, 'CANARY-name-' || i, 'CANARY-note-' || i FROM generate_series(1, 50) i;
INSERT INTO result (patient_id, at, value) SELECT id, date '2022-06-01' + 30 * n, 'CANARY-value' FROM patient, generate_series(1, 40) n;
SQL
$node->safe_psql('lab', q{SELECT seal.admit('patient', lpad('7', 32, '0')::uuid::text, 'doctor', 'TREAT', 'infinity')});

my $stored = q{SELECT md5(string_agg(line, ',' ORDER BY line)) FROM (SELECT to_jsonb(p)::text FROM patient p
  UNION ALL SELECT to_jsonb(r)::text || r.tableoid::regclass FROM result r UNION ALL SELECT s::text FROM seal.subject s) AS x(line)};
my $opened = q{SELECT md5(string_agg(concat_ws('|', p.id, name, note, r.id, value), ',' ORDER BY p.id, r.id)), count(*) FROM patient_revealed p JOIN result_revealed r ON patient_id = p.id};
my $home_stored = $node->safe_psql('lab', $stored);
my $home_opened = as_role($node, 'lab_app', $opened, database => 'lab');
like($home_opened, qr/\|2000$/, 'home: opens');

# works_ok NODE, DATABASE, NAME: a restored database gives to each what the first one gave, and goes on.
sub works_ok
{
	my ($where, $database, $name) = @_;
	is($where->safe_psql($database, $stored), $home_stored, "$name: every envelope and subject is the same");
	is(as_role($where, 'lab_app', $opened, database => $database), $home_opened, "$name: opens");
	is(as_role($where, 'doctor', q{SELECT string_agg(name, ',') FROM patient_revealed}, database => $database), 'CANARY-name-7', "$name: who is admitted sees her patient");
	is(as_role($where, 'doctor', q{SELECT count(value) FROM result_revealed}, database => $database), '40', "$name: and the results");
	is(as_role($where, 'stranger', q{SELECT count(*) FROM patient}, database => $database), '0', "$name: who has no right sees nobody");
	is($where->safe_psql($database, q{SELECT * FROM seal.verify_places('patient') UNION ALL SELECT * FROM seal.verify_places('result')}), '', "$name: every value is in its place");
	is($where->safe_psql($database, q{SELECT relrowsecurity, count(*) FROM pg_class WHERE relname IN ('patient', 'result') GROUP BY 1}), 't|2', "$name: row security is on");
	is($where->safe_psql($database, q{SELECT string_agg(DISTINCT tgenabled::text, '') FROM pg_trigger WHERE tgname = '~seal_subject'}),
		'A', "$name: the trigger always fires");
	is(as_role($where, 'lab_app', <<'SQL', database => $database), "52\nagain|again", "$name: goes on, with the same subjects");
BEGIN;
INSERT INTO result (patient_id, at, value) SELECT id, '2024-02-02', 'again' FROM patient WHERE name = 'CANARY-name-9';
INSERT INTO patient (id, name) VALUES (lpad('60', 32, '0')::uuid, 'again'), (lpad('61', 32, '0')::uuid, 'other');
SELECT count(*) FROM patient;
SELECT (SELECT value FROM result_revealed WHERE at = '2024-02-02' AND patient_id = lpad('9', 32, '0')::uuid ORDER BY id DESC LIMIT 1), name FROM patient_revealed WHERE name = 'again';
ROLLBACK;
SQL
	return;
}
works_ok($node, 'lab', 'home');

# Dumps ------------------------------------------------------------------------------------------

my $away = new_node('away', conf => "max_worker_processes = 16\nmax_prepared_transactions = 2\n");
my $roles = run_ok('pg_dumpall', 'pg_dumpall', '--roles-only', at($node)) =~ s/^(CREATE|ALTER) ROLE postgres.*\n//mgr;
$away->safe_psql('postgres', join(';', map { "CREATE ROLE filler_$_" } 1 .. 20) . ";$roles");
my %dump = (
	plain   => ['--format=plain'],
	inserts => [ '--format=plain', '--rows-per-insert=7' ],
	custom  => ['--format=custom'],
	backup  => [ '--format=custom', '--username=backup' ]);
foreach my $format (sort keys %dump)
{
	$away->safe_psql('postgres', "CREATE DATABASE $format");
	run_ok("pg_dump $format", 'pg_dump', @{ $dump{$format} }, '--file', "$folder/$format", at($node), 'lab');
	unlike(slurp_file("$folder/$format"), qr/CANARY/, "$format: no value in clear");
	my @restore = $dump{$format}[0] eq '--format=plain'
	  ? ('psql', '-XAtq', '--set=ON_ERROR_STOP=1', '--output=/dev/null', "--file=$folder/$format")
	  : ('pg_restore', '--exit-on-error', "$folder/$format");
	run_ok("restore of $format", @restore, at($away), "--dbname=$format");
	is(as_role($away, 'doctor', 'SELECT count(*) FROM patient', database => $format), '0', "$format: an unbound admission gives nothing");
	$away->safe_psql($format, 'SELECT seal.rebind_grants()');
	works_ok($away, $format, $format);
}
$away->safe_psql('postgres', 'CREATE DATABASE two_steps');
run_ok('pg_dump --schema-only', 'pg_dump', '--schema-only', '--file', "$folder/schema", at($node), 'lab');
run_ok('pg_dump --data-only', 'pg_dump', '--data-only', '--disable-triggers', '--file', "$folder/data", at($node), 'lab');
run_ok("restore of $_ only", 'psql', '-XAtq', '--set=ON_ERROR_STOP=1', '--output=/dev/null', "--file=$folder/$_", at($away), '--dbname=two_steps')
  foreach 'schema', 'data';
$away->safe_psql('two_steps', 'SELECT seal.rebind_grants()');
works_ok($away, 'two_steps', 'two steps');

# Without BYPASSRLS a dump fails; it does not leave rows out.
my ($out, $err) = ('', '');
ok(!IPC::Run::run([ 'pg_dump', '--username=half_backup', '--file', "$folder/half", at($node), 'lab' ], '>', \$out, '2>', \$err), 'pg_dump without BYPASSRLS fails');
like($err, qr/query would be affected by row-level security policy for table "(?:patient|result_new|result_old)"/, 'and says why');

# A ring without its subjects ------------------------------------------------------------------------

my $export = $node->safe_psql('lab', 'SELECT seal.export_ring()');
like($export, qr/^protection /m, 'an export of the ring has the protections');
unlike($export, qr/^(?:subject|admission) /m, 'but no subjects and no admissions');
$node->safe_psql('lab', q{SELECT seal.rotate_key('clinical')});
my $newer = $node->safe_psql('lab', 'SELECT seal.export_ring()');
cmp_ok($away->safe_psql('custom', "SELECT seal.import_ring(\$ring\$$newer\$ring\$)"), '>', 0, 'a newer ring comes to a restored database');
$away->safe_psql('custom', 'SELECT seal.rebind_grants()');
works_ok($away, 'custom', 'with the newer ring');

# Standby ----------------------------------------------------------------------------------------------

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is(as_role($standby, 'lab_app', $opened, database => 'lab'), $home_opened, 'a standby opens');
is(as_role($standby, 'doctor', 'SELECT name FROM patient_revealed', database => 'lab'), 'CANARY-name-7', 'who is admitted sees her patient there');
my $session = $standby->background_psql('lab', on_error_stop => 0, extra_params => [ '--username' => 'doctor' ]);
is($session->query_safe('SELECT name FROM patient_revealed'), 'CANARY-name-7', 'in a session');
$node->safe_psql('lab', q{SELECT seal.dismiss('patient', lpad('7', 32, '0')::uuid::text, 'doctor'), seal.admit('patient', lpad('8', 32, '0')::uuid::text, 'doctor', 'TREAT', 'infinity')});
$node->wait_for_catchup($standby);
is($session->query_safe('SELECT name FROM patient_revealed'), 'CANARY-name-8', 'which learns of admissions');
$session->quit;
$standby->stop;

# Subscriber ---------------------------------------------------------------------------------------------

# It has the ring and the subjects; the tables are filled by the subscription.
$away->safe_psql('postgres', 'CREATE DATABASE subscriber');
run_ok('pg_dump of the subjects', 'pg_dump', '--data-only', '--disable-triggers', '--schema=seal', '--extension=pgseal', '--file', "$folder/subjects", at($node), 'lab');
run_ok("subscriber: restore of $_", 'psql', '-XAtq', '--set=ON_ERROR_STOP=1', '--output=/dev/null', "--file=$folder/$_", at($away), '--dbname=subscriber')
  foreach 'schema', 'subjects';
$away->safe_psql('subscriber', 'SELECT seal.rebind_grants()');
$node->safe_psql('lab', 'CREATE PUBLICATION lab FOR TABLE patient, result, seal.subject');
$away->safe_psql('subscriber', q{TRUNCATE seal.subject});
$away->safe_psql('subscriber', q{CREATE SUBSCRIPTION lab CONNECTION '} . $node->connstr . q{ dbname=lab user=postgres' PUBLICATION lab});
$away->wait_for_subscription_sync($node, 'lab', 'subscriber');
as_role($node, 'lab_app', <<'SQL', database => 'lab');
INSERT INTO patient (id, name) VALUES (lpad('70', 32, '0')::uuid, 'streamed');
INSERT INTO result (patient_id, at, value) SELECT id, '2024-02-02', 'streamed' FROM patient WHERE name = 'streamed';
UPDATE result_revealed SET value = 'changed' WHERE id = 1;
UPDATE result SET patient_id = lpad('2', 32, '0')::uuid WHERE id = 2;
SQL
$node->wait_for_catchup('lab');
is($away->safe_psql('subscriber', $stored), $node->safe_psql('lab', $stored), 'a subscriber has the same envelopes');
is(as_role($away, 'lab_app', $opened, database => 'subscriber'), as_role($node, 'lab_app', $opened, database => 'lab'), 'opens them');
is($away->safe_psql('subscriber', q{SELECT * FROM seal.verify_places('patient') UNION ALL SELECT * FROM seal.verify_places('result')}), '', 'every value in its place');
$away->safe_psql('subscriber', 'DROP SUBSCRIPTION lab');

# Without the root key ----------------------------------------------------------------------------------------

$home_stored = $node->safe_psql('lab', $stored);
my $gone = 'F0000: root key cannot be used: could not find ';
move(root_key_file($_), root_key_file($_) . '.away') or die "could not move the root key: $!" foreach $node, $away;
$_->restart foreach $node, $away;
like(error_of($node, 'lab_app', 'SELECT name FROM patient_revealed', database => 'lab'), qr/^$gone/, 'without a root: nothing opens');
isnt(error_of($node, 'lab_app', q{INSERT INTO patient (id, name) VALUES (lpad('80', 32, '0')::uuid, 'x')}, database => 'lab'), '', 'nothing is sealed');
is(error_of($node, 'postgres', q{UPDATE patient SET plain = 'touched' WHERE id = lpad('5', 32, '0')::uuid; UPDATE patient SET plain = 'plain' WHERE id = lpad('5', 32, '0')::uuid}, database => 'lab'), '', 'plain columns are written');
is(error_of($node, 'postgres', 'VACUUM FULL; REINDEX DATABASE lab', database => 'lab'), '', 'maintenance works');
run_ok('pg_dump without a root', 'pg_dump', '--format=custom', '--username=backup', '--file', "$folder/rootless", at($node), 'lab');
$away->safe_psql('postgres', 'CREATE DATABASE rootless');
run_ok('restore without a root', 'pg_restore', '--exit-on-error', '--dbname=rootless', at($away), "$folder/rootless");
is($away->safe_psql('rootless', $stored), $home_stored, 'changes nothing');

# pg_upgrade, without a root too.
my $new = new_node('new', start => 0);
move(root_key_file($new), root_key_file($new) . '.away') or die "could not move the root key: $!";
$node->stop;
my $here = getcwd();
chomp(my $bindir = `$ENV{PG_CONFIG} --bindir`);
chdir $new->basedir or die "could not change folder: $!";
my $done = IPC::Run::run [ 'pg_upgrade', '--username=postgres', '--old-bindir', $bindir, '--new-bindir', $bindir, '--old-datadir', $node->data_dir,
	'--new-datadir', $new->data_dir, '--old-port', $node->port, '--new-port', $new->port, '--socketdir', $new->host ], '>', \$out, '2>', \$err;
chdir $here or die "could not change folder: $!";
ok($done, 'pg_upgrade') or diag($out, $err);
$new->start;
is($new->safe_psql('lab', $stored), $home_stored, 'pg_upgrade: every envelope and subject is the same');

move(root_key_file($_) . '.away', root_key_file($_)) or die "could not move the root key: $!" foreach $new, $away;
foreach my $where ([ $new, 'lab', 'pg_upgrade' ], [ $away, 'rootless', 'restored without a root' ])
{
	my ($server, $database, $name) = @$where;
	$server->safe_psql($database, 'SELECT seal.rebind_grants()');
	is(as_role($server, 'doctor', 'SELECT name FROM patient_revealed', database => $database), 'CANARY-name-8', "$name: who is admitted sees her patient");
	is($server->safe_psql($database, q{SELECT * FROM seal.verify_places('patient') UNION ALL SELECT * FROM seal.verify_places('result')}), '', "$name: every value is in its place");
}
$_->stop foreach $new, $away;
done_testing();
