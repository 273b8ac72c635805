# protected.pl: the life of protected tables: dumps and restores, replicas, a server without
# a root, rotations, a table of subjects that was altered, an upgrade of the table.
#
# Not a pg_regress test: it needs several servers, pg_dump, and restarts.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Utils qw(append_to_file slurp_file);
use Test::More;
use Pgseal;

my $node = new_node('protected', allows_streaming => 'logical', conf => "max_prepared_transactions = 2\nmax_worker_processes = 16\n");
my $folder = $node->basedir . '/files';
mkdir $folder or die "could not make $folder: $!";

my $roles = <<'END';
CREATE ROLE lab_owner;
CREATE ROLE lab_app LOGIN;
CREATE ROLE lab_doctor LOGIN;
CREATE ROLE lab_backup LOGIN BYPASSRLS IN ROLE pg_read_all_data;
CREATE ROLE lab_reader LOGIN IN ROLE pg_read_all_data;
END
$node->safe_psql('postgres', $roles);
$node->safe_psql('postgres', <<'END');
CREATE EXTENSION pgseal;
SELECT seal.create_key('name'), seal.create_key('clinical');
SELECT seal.grant_key(k, 'lab_app', '{seal,reveal}'), seal.grant_key(k, 'lab_doctor', '{reveal}', 'admitted'), seal.grant_key(k, 'postgres', '{seal}')
  FROM unnest('{name,clinical}'::text[]) k;
CREATE TABLE patient (id uuid PRIMARY KEY, name sealed_text(name), born sealed_date(name));
CREATE TABLE result (id bigint, at date, patient uuid NOT NULL, value sealed_text(clinical), PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE result_2025 PARTITION OF result FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE result_rest PARTITION OF result DEFAULT;
SELECT seal.protect('patient', 'id', 'patient'), seal.protect('result', 'patient', 'patient');
SELECT seal.create_revealing_view('patient'), seal.create_revealing_view('result');
GRANT ALL ON patient, result, patient_revealed, result_revealed TO lab_app;
GRANT SELECT ON patient, result, patient_revealed, result_revealed TO lab_doctor;
END

sub id { return sprintf '00000000-0000-0000-0000-%012d', $_[0]; }

as_role($node, 'lab_app', <<'END');
INSERT INTO patient SELECT format('00000000-0000-0000-0000-%s', lpad(n::text, 12, '0'))::uuid, 'Name ' || n, date '1950-01-01' + n FROM generate_series(1, 30) AS n;
INSERT INTO result SELECT n, date '2025-12-01' + n, format('00000000-0000-0000-0000-%s', lpad((n % 30 + 1)::text, 12, '0'))::uuid, 'value ' || n FROM generate_series(1, 90) AS n;
END
$node->safe_psql('postgres', "SELECT seal.admit('patient', '" . id(7) . "', 'lab_doctor', 'TREAT', 'infinity')");

# What roles see through the revealing views, and what stands in the wrong place.
my $opened = q{SELECT md5(string_agg(p::text, ',' ORDER BY id)), count(name), (SELECT md5(string_agg(r::text, ',' ORDER BY id)) FROM result_revealed r) FROM patient_revealed p};
my $own = q{SELECT (SELECT string_agg(name || ' ' || born, ',') FROM patient_revealed), (SELECT string_agg(value, ',' ORDER BY id) FROM result_revealed)};
my $misplaced = q{SELECT (SELECT count(*) FROM seal.verify_places('patient')) + (SELECT count(*) FROM seal.verify_places('result'))};
my $home_stored;
my $stored = q{SELECT md5(string_agg(line, ',' ORDER BY line)) FROM (SELECT p::text FROM patient p UNION ALL SELECT r::text FROM result r UNION ALL SELECT s::text FROM seal.subject s) AS x(line)};
my $home = as_role($node, 'lab_app', $opened);
like($home, qr/^\w{32}\|30\|\w{32}$/, 'the application reads all');
is(as_role($node, 'lab_doctor', $own), 'Name 7 1950-01-08|value 6,value 36,value 66', 'a doctor what is of her patient');

# works_ok NODE, NAME [, database => NAME, stored => 0]: another copy does what the first does.
sub works_ok
{
	my ($where, $name, %option) = @_;
	my $stored_too = delete $option{stored} // 1;
	my $database = $option{database} // 'postgres';
	is($where->safe_psql($database, $stored), $home_stored, "$name: what is stored is the same") if $stored_too;
	is(as_role($where, 'lab_app', $opened, %option), $home, "$name: the application reads all");
	is(as_role($where, 'lab_doctor', $own, %option), 'Name 7 1950-01-08|value 6,value 36,value 66', "$name: a doctor what is of her patient");
	is($where->safe_psql($database, $misplaced), '0', "$name: every value is in its place");
	return;
}

# writes_ok NODE, NAME [, database => NAME]: it protects what comes, of a patient who is new.
my $patients = 100;
sub writes_ok
{
	my ($where, $name, %option) = @_;
	my ($new, $old) = (id($patients++), id(7));
	as_role($where, 'lab_app', "INSERT INTO patient VALUES ('$new', 'new'); INSERT INTO result VALUES (100, '2026-05-05', '$new', 'of the new')", %option);
	is(error_of($where, 'lab_app', "UPDATE patient SET name = (SELECT name FROM patient WHERE id = '$new') WHERE id = '$old'", %option),
		'22023: sealed value belongs to another subject, row or column', "$name: it refuses what is moved");
	is(as_role($where, 'lab_app', "SELECT name FROM patient_revealed WHERE id = '$new'", %option), 'new', "$name: it opens what came");
	is(as_role($where, 'lab_doctor', "SELECT count(*) FROM patient WHERE id = '$new'", %option), '0', "$name: and not for everybody");
	as_role($where, 'lab_app', "DELETE FROM result WHERE id = 100; DELETE FROM patient WHERE id = '$new'", %option);
	return;
}
writes_ok($node, 'at home');
$home_stored = $node->safe_psql('postgres', $stored);

# Dumps ------------------------------------------------------------------------------------------------------

# dumped NAME, ROLE, OPTION...: its file.
sub dumped
{
	my ($name, $role, @options) = @_;
	$node->command_ok([ 'pg_dump', @options, '--username' => $role, '--file', "$folder/$name", $node->connstr('postgres') ], "dump $name");
	return "$folder/$name";
}

my $plain = dumped('plain', 'lab_backup');
my $custom = dumped('custom', 'postgres', '--format=custom');
my $clear = slurp_file($plain);
unlike($clear, qr/Name 7|value 36/, 'no value stands in a dump');
like($clear, qr/COPY public\.patient .*seal1:/s, 'but envelopes do');
like($clear, qr/lab_doctor/, 'and in clear what is not sealed');
my ($status, $out, $err) = (0, '', '');
IPC::Run::run [ 'pg_dump', '--username' => 'lab_reader', $node->connstr('postgres') ], '>', \$out, '2>', \$err;
like($err, qr/query would be affected by row-level security policy/, 'a role whose rows are checked dumps nothing, rather than a part');
IPC::Run::run [ 'pg_dump', '--enable-row-security', '--data-only', '--table=patient', '--username' => 'lab_reader', $node->connstr('postgres') ], '>', \$out, '2>', \$err;
unlike($out, qr/seal1:/, 'or its own rows when it says so, here none');

my $other = new_node('other');
$other->safe_psql('postgres', "CREATE ROLE first_here;$roles");	# so that no OID is that of the same role at home
# restored NAME, COMMAND...: into a new database of the other cluster.
sub restored
{
	my ($name, @command) = @_;
	$other->safe_psql('postgres', "CREATE DATABASE $name");
	$other->command_ok([ @command, '--host', $other->host, '--port', $other->port, '--username=postgres', '--dbname', $name ], "restored $name");
	return;
}
restored('from_plain', 'psql', '--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', '--output=/dev/null', '--file', $plain);
restored('from_custom', 'pg_restore', '--exit-on-error', $custom);
restored('in_parts', 'pg_restore', '--exit-on-error', '--section=pre-data', $custom);
$other->command_ok([ 'pg_restore', '--exit-on-error', '--data-only', '--disable-triggers', '--host', $other->host, '--port', $other->port, '--username=postgres', '--dbname=in_parts', $custom ], 'the data alone, with triggers disabled');
$other->command_ok([ 'pg_restore', '--exit-on-error', '--section=post-data', '--host', $other->host, '--port', $other->port, '--username=postgres', '--dbname=in_parts', $custom ], 'then what comes after');
foreach my $database ('from_plain', 'from_custom', 'in_parts')
{
	is(error_of($other, 'lab_app', 'SELECT count(name) FROM patient_revealed', database => $database), '', "$database: a role without a bound grant is no error");
	is(as_role($other, 'lab_doctor', 'SELECT count(*) FROM patient', database => $database), '0', "$database: roles of the other cluster are none of this one");
	is($other->safe_psql($database, 'SELECT seal.rebind_grants()'), '5', "$database: until they are bound");
	works_ok($other, $database, database => $database);
	writes_ok($other, $database, database => $database);
}

# Subjects come first: rows are refused whose values belong to nobody who is known.
my $alone = dumped('alone', 'postgres', '--data-only', '--table=patient');
my @load = ('psql', '--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', '--output=/dev/null', '--file', $alone, $other->connstr('from_custom'));
$other->safe_psql('from_custom', 'TRUNCATE patient, seal.subject');
IPC::Run::run \@load, '2>', \$err;
like($err, qr/ERROR:  sealed value belongs to another subject, row or column/, 'rows are not restored without their subjects');
$other->command_ok([ 'pg_restore', '--exit-on-error', '--data-only', '--table=subject', '--schema=seal', '--host', $other->host, '--port', $other->port, '--username=postgres', '--dbname=from_custom', $custom ], 'these can be restored alone');
$other->command_ok(\@load, 'then the rows');
is(as_role($other, 'lab_app', 'SELECT count(name) FROM patient_revealed', database => 'from_custom'), '30', 'and they open');

# Replicas -----------------------------------------------------------------------------------------------------

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
works_ok($standby, 'standby');
$node->safe_psql('postgres', "SELECT seal.admit('patient', '" . id(8) . "', 'lab_doctor', 'TREAT', 'infinity')");
$node->wait_for_catchup($standby);
is(as_role($standby, 'lab_doctor', 'SELECT count(name) FROM patient_revealed'), '2', 'an admission reaches the standby');
$node->safe_psql('postgres', "SELECT seal.dismiss('patient', '" . id(8) . "', 'lab_doctor')");
$node->wait_for_catchup($standby);
is(as_role($standby, 'lab_doctor', 'SELECT count(name) FROM patient_revealed'), '1', 'and its end');
like(error_of($standby, 'lab_doctor', "SELECT seal.break_glass('patient', '" . id(8) . "', 'on a standby', '1 hour')"), qr/^25006: /, 'no glass is broken there');
$standby->stop;

# A subscriber with the same ring: a database that was restored, emptied, and fed again.
$node->safe_psql('postgres', 'CREATE PUBLICATION lab FOR TABLE patient, result, seal.subject');
$other->safe_psql('from_plain', 'TRUNCATE patient, result, seal.subject');
$other->safe_psql('from_plain', q{CREATE SUBSCRIPTION lab CONNECTION '} . $node->connstr . q{ dbname=postgres user=postgres' PUBLICATION lab});
$other->wait_for_subscription_sync($node, 'lab', 'from_plain');
works_ok($other, 'subscriber', database => 'from_plain');
as_role($node, 'lab_app', "INSERT INTO patient VALUES ('" . id(40) . "', 'enrolled later'); UPDATE patient SET name = 'renamed' WHERE id = '" . id(7) . "'");
$node->wait_for_catchup('lab');
is(as_role($other, 'lab_app', "SELECT string_agg(name, ',' ORDER BY id) FROM patient_revealed WHERE id IN ('" . id(7) . "', '" . id(40) . "')", database => 'from_plain'),
	'renamed,enrolled later', 'what is written goes on to open there');
is(as_role($other, 'lab_doctor', 'SELECT name FROM patient_revealed', database => 'from_plain'), 'renamed', 'to whom it may');
is($other->safe_psql('from_plain', $misplaced), '0', 'every value is in its place');
$other->safe_psql('from_plain', 'DROP SUBSCRIPTION lab');
as_role($node, 'lab_app', "DELETE FROM patient WHERE id = '" . id(40) . "'; UPDATE patient SET name = 'Name 7' WHERE id = '" . id(7) . "'");

# Rotations ----------------------------------------------------------------------------------------------------

$node->safe_psql('postgres', q{SELECT seal.rotate_key('subject'), seal.rotate_key('name'), seal.rotate_key('clinical')});
works_ok($node, 'after a rotation of all keys', stored => 0);
as_role($node, 'lab_app', q{UPDATE patient_revealed SET name = name, born = born; UPDATE result_revealed SET value = value});
works_ok($node, 'when all values are of the new versions', stored => 0);
writes_ok($node, 'with them');
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT key_version::text, ',' ORDER BY key_version::text) FROM seal.subject}), '1,2', 'new subjects are of the new version');
my $root_file = root_key_file($node);
my $old_root = slurp_file($root_file);
open my $file, '>', $root_file or die $!;
print $file '5' x 64, "\n", $old_root;
close $file;
$node->reload;
$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM (SELECT seal.rotate_root()) AS rotated}) or die 'the root was not rotated';
works_ok($node, 'under another root', stored => 0);
writes_ok($node, 'under another root');

# Two-phase commit -----------------------------------------------------------------------------------------------

as_role($node, 'lab_app', "BEGIN; INSERT INTO patient VALUES ('" . id(50) . "', 'prepared'); PREPARE TRANSACTION 'enrol'; BEGIN; INSERT INTO patient VALUES ('" . id(51) . "', 'never'); PREPARE TRANSACTION 'drop'");
$node->stop('immediate');
$node->start;
as_role($node, 'lab_app', "COMMIT PREPARED 'enrol'; ROLLBACK PREPARED 'drop'");
is(as_role($node, 'lab_app', "SELECT name FROM patient_revealed WHERE id >= '" . id(50) . "'"), 'prepared', 'a prepared transaction enrols when it is committed, through a crash');
as_role($node, 'lab_app', "DELETE FROM patient WHERE id >= '" . id(50) . "'");

# Rewritten tables ---------------------------------------------------------------------------------------------

$node->safe_psql('postgres', <<'END');
VACUUM FULL patient;
VACUUM FULL seal.subject;
CLUSTER patient USING patient_pkey;
REINDEX TABLE seal.subject;
ALTER TABLE patient ADD COLUMN ward text DEFAULT 'a';
ALTER TABLE patient RENAME TO person;
ALTER TABLE person RENAME COLUMN id TO person_id;
CREATE SCHEMA archive;
ALTER TABLE person SET SCHEMA archive;
ALTER TABLE archive.person SET SCHEMA public;
ALTER TABLE person RENAME COLUMN person_id TO id;
ALTER TABLE person RENAME TO patient;
ALTER TABLE patient DROP COLUMN ward;
END
works_ok($node, 'after the table was rewritten and renamed', stored => 0);

# Altered subjects ----------------------------------------------------------------------------------------------

# altered NAME, CHANGE: of the row of one subject; its values stay shut, those of others open, and it is taken back.
my $number = $node->safe_psql('postgres', q{SELECT seal.subject_number('patient', '} . id(7) . q{')});
my $others = $node->safe_psql('postgres', q{SELECT seal.subject_number('patient', '} . id(9) . q{')});
sub altered
{
	my ($name, $change) = @_;
	$node->safe_psql('postgres', "CREATE TABLE kept AS SELECT * FROM seal.subject WHERE number IN ($number, $others)");
	$node->safe_psql('postgres', "BEGIN; SET LOCAL session_replication_role = replica; $change; COMMIT");
	like(error_of($node, 'lab_app', "SELECT name FROM patient_revealed WHERE id = '" . id(7) . "'"), qr/^(?:55000|XX001): /, "$name: its values do not open");
	is(as_role($node, 'lab_app', "SELECT name FROM patient_revealed WHERE id = '" . id(8) . "'"), 'Name 8', "$name: those of others do");
	is($node->safe_psql('postgres', q{SELECT count(DISTINCT row_key) > 0 FROM seal.verify_places('patient') WHERE row_key = '} . id(7) . q{'}), 't', "$name: they are named");
	unlike(error_of($node, 'lab_doctor', "SELECT name FROM patient_revealed WHERE id = '" . id(7) . "'"), qr/Name 7/, "$name: nor for an admitted role");
	$node->safe_psql('postgres', "BEGIN; SET LOCAL session_replication_role = replica; DELETE FROM seal.subject WHERE number IN ($number, $others); INSERT INTO seal.subject SELECT * FROM kept; COMMIT; DROP TABLE kept");
	is(as_role($node, 'lab_app', "SELECT name FROM patient_revealed WHERE id = '" . id(7) . "'"), 'Name 7', "$name: put back, they open");
	return;
}
foreach my $column ('external', 'secret')
{
	altered("$column with a flipped bit", "UPDATE seal.subject SET $column = set_bit($column, 8 * length($column) - 1, 1 - get_bit($column, 8 * length($column) - 1)) WHERE number = $number");
	altered("$column of another subject", "UPDATE seal.subject SET $column = (SELECT $column FROM seal.subject WHERE number = $others) WHERE number = $number");
}
altered('another version', "UPDATE seal.subject SET key_version = 2 WHERE number = $number");
altered('no such version', "UPDATE seal.subject SET key_version = 77 WHERE number = $number");
altered('another type', "UPDATE seal.subject SET type = 'person' WHERE number = $number");
altered('a row that is gone', "DELETE FROM seal.subject WHERE number = $number");
altered('two rows swapped', "UPDATE seal.subject SET lookup = lookup || '\\x00' WHERE number = $others; UPDATE seal.subject SET number = -1 WHERE number = $number; UPDATE seal.subject SET number = $number WHERE number = $others; UPDATE seal.subject SET number = $others WHERE number = -1");

# Without a root -------------------------------------------------------------------------------------------------

$node->append_conf('postgresql.conf', "seal.root_key_file = ''");
$node->restart;
like(error_of($node, 'lab_app', 'SELECT name FROM patient_revealed'), qr/^55000: no root key is loaded/, 'without a root nothing opens');
like(error_of($node, 'lab_app', "INSERT INTO patient VALUES ('" . id(60) . "', 'x')"), qr/^55000: no root key is loaded/, 'and nothing is sealed');
$node->command_ok([ 'pg_dump', '--username=lab_backup', '--file', "$folder/without_root", $node->connstr('postgres') ], 'a backup role dumps');
like(slurp_file("$folder/without_root"), qr/COPY public\.patient .*seal1:/s, 'what is sealed');
is($node->safe_psql('postgres', 'SELECT count(*) FROM patient; VACUUM FULL patient; REINDEX TABLE patient'), '30', 'and maintenance goes on');

$_->stop foreach $node, $other;
done_testing();
