# audit_copies.pl: copies of the log and of its segments: each has its own name, says where
# it parted from the other, and takes each record in once.
#
# Not a pg_regress test: it needs several servers.
use strict;
use warnings;
use Pgseal;
use PostgreSQL::Test::Utils qw(slurp_file slurp_dir);
use Segments;
use Test::More;

my $quiet = "seal.ingest_interval = '1h'\n";
my $original = new_node('original', allows_streaming => 1, has_archiving => 1,
	conf => "seal.ingest_interval = '20ms'\nseal.checkpoint_interval = 0\n");

sub run_sql
{
	my ($node, $sql, $database) = @_;
	return $node->safe_psql($database // 'postgres', $sql);
}

# reads NODE, NAME, COUNT: so many statements open a value, as application NAME.
sub reads
{
	my ($node, $name, $count, $database) = @_;
	as_role($node, 'lab_app', "SET application_name = '$name';" . 'SELECT seal.reveal(note) FROM patient WHERE id = 1;' x $count,
		database => $database // 'postgres');
	return;
}

# taken NODE, NAME: how many reads of an application the log has.
sub taken
{
	my ($node, $name, $database) = @_;
	return run_sql($node, "SELECT count(*) FROM seal.audit_entry WHERE action = 'open' AND application = '$name'", $database);
}

# verified NODE [, CHECKPOINT]: intact, first_bad and the problem.
sub verified
{
	my ($node, $checkpoint, $database) = @_;
	$checkpoint = defined $checkpoint ? "'$checkpoint'" : 'NULL';
	return run_sql($node, "SELECT intact, first_bad, problem FROM seal.verify_audit($checkpoint)", $database);
}

sub checkpoint { return run_sql($_[0], 'SELECT seal.checkpoint()', $_[1]); }
sub origin { return run_sql($_[0], 'SELECT origin FROM seal.audit_state', $_[1]); }
sub origins { return run_sql($_[0], q{SELECT string_agg(entry || '=' || detail, ',' ORDER BY entry) FROM seal.audit_entry WHERE what = 'new_origin'}, $_[1]); }
sub size_of { return (split /\n/, $_[0])[1]; }

# keep_from_log NODE: from now on records stay in their segments.  The second checkpoint comes
# in a later round of the launcher than the first, so behind its look when the setting changed.
sub keep_from_log
{
	my ($node) = @_;
	$node->append_conf('postgresql.conf', $quiet);
	$node->reload;
	$node->poll_query_until('postgres', q{SELECT current_setting('seal.ingest_interval') = '1h'}) or die 'not reloaded';
	checkpoint($node) foreach 1, 2;
	return;
}

# take_in NODE: the end of that.
sub take_in
{
	my ($node) = @_;
	$node->append_conf('postgresql.conf', "seal.ingest_interval = '20ms'");
	$node->reload;
	return;
}

# copy_of FOLDER, NAME: a copy of it.
sub copy_of
{
	my ($folder, $name) = @_;
	my $copy = $original->basedir . "/$name";
	system('cp', '-r', $folder, $copy) == 0 or die "could not copy $folder";
	return $copy;
}

run_sql($original, <<'SQL');
CREATE EXTENSION pgseal;
SELECT seal.create_key('note');
CREATE ROLE lab_app LOGIN;
SELECT seal.grant_key('note', 'lab_app', '{seal,reveal}');
CREATE TABLE patient (id int PRIMARY KEY, note sealed_text(note));
GRANT ALL ON patient TO lab_app;
INSERT INTO seal.audit_change (what) SELECT 'filler' FROM generate_series(1, 300);
SQL
as_role($original, 'lab_app', q{INSERT INTO patient VALUES (1, 'asthma')});

# A base backup becomes a server of its own, and the old one goes on ---------------------------------

reads($original, 'before', 3);
my $before = checkpoint($original);
my $generation = run_sql($original, 'SELECT generation FROM seal.ring_head');
like($before, qr/^pgseal\/\d+\/\d+\/1\/[0-9a-f]{16}\n\d+\n\S{44}\nring $generation\n\n/, 'a checkpoint tells of log, size, root and ring');
$original->backup('base');
my $copy = PostgreSQL::Test::Cluster->new('copy');
$copy->init_from_backup($original, 'base', standby => 0);
$copy->start;
reads($original, 'on the original', 2);
reads($copy, 'on the copy', 2);
my ($of_original, $of_copy) = (checkpoint($original), checkpoint($copy));
isnt(origin($copy), origin($original), 'the copy has a name of its own');
like(origin($copy), qr/\/1\/[0-9a-f]{16}$/, 'on the same timeline');
my $parted = (split /=/, origins($copy))[0];
is(origins($copy), "$parted=" . origin($original) . " $parted", 'an entry names the old one and its size');
is(origins($original), '', 'the original has none');
is(join(' ', map { taken($copy, $_) } 'before', 'on the original', 'on the copy'), '3 0 2', 'the copy has what was there, and its own');
is(join(' ', map { taken($original, $_) } 'before', 'on the original', 'on the copy'), '3 2 0', 'so has the original');
is(verified($_), 't||', 'each log verifies') foreach $original, $copy;
is(verified($_, $before), 't||', 'and with the checkpoint from before') foreach $original, $copy;
like(verified($copy, $of_original), qr/^f\|$parted\|the log was copied or put back: .* under the old one$/, 'the copy says from where on a checkpoint of the original is none of its own');
like(verified($original, $of_copy), qr/^f\|\|the given checkpoint is of another log$/, 'to the original the copy is another log');
$copy->restart;
reads($copy, 'again', 1);
checkpoint($copy);
is(origins($copy), "$parted=" . origin($original) . " $parted", 'a restart changes no name');

run_sql($copy, q{SELECT seal.purge_audit('0', below_minimum => true)});
is(verified($copy, $before), 't||', 'a purge takes no name away');

# Nothing in the database shows a copy that has the very same file: only checkpoints do.
$original->stop;
$original->backup_fs_cold('cold');
my $twin = PostgreSQL::Test::Cluster->new('twin');
$twin->init_from_backup($original, 'cold', standby => 0);
unlink $twin->data_dir . '/PG_VERSION';
link $original->data_dir . '/PG_VERSION', $twin->data_dir . '/PG_VERSION' or die "could not link: $!";
$_->start foreach $original, $twin;
reads($original, 'first', 1);
reads($twin, 'second', 3);
($of_original, my $of_twin) = (checkpoint($original), checkpoint($twin));
is(origin($twin), origin($original), 'a snapshot of the disk goes on under the same name');
like(verified($twin, $of_original), qr/^f\|\|entries before \d+ are not those that the given checkpoint covered/, 'a checkpoint of the other shows it');
like(verified($original, $of_twin), qr/^f\|\d+\|the log was cut or put back/, 'in both directions');
$twin->stop;

# Two servers cannot share a folder of segments ----------------------------------------------------------

my $shared_folder = $original->basedir . '/shared segments';
$_->append_conf('postgresql.conf', "seal.audit_directory = '$shared_folder'") foreach $original, $copy;
$original->restart;
$copy->stop;
is($copy->start(fail_ok => 1), 0, 'a server with the segments of another does not start');
like(slurp_file($copy->logfile), qr/the folder of the audit segments is used by another server/, 'and says why');
$original->restart;
pass('its own restart is none in the way');
$original->append_conf('postgresql.conf', "seal.audit_directory = ''");
$original->restart;

# Recovery to a point before the end -----------------------------------------------------------------------

$original->backup('before_point');
reads($original, 'kept', 2);
my $kept = checkpoint($original);
run_sql($original, q{SELECT pg_create_restore_point('here')});
reads($original, 'abandoned', 3);
my $abandoned = checkpoint($original);
keep_from_log($original);
reads($original, 'unread', 4);
$original->stop('fast');
my $old_segments = copy_of($original->data_dir . '/pg_seal', 'old_segments');
my $pitr = PostgreSQL::Test::Cluster->new('pitr');
$pitr->init_from_backup($original, 'before_point', has_restoring => 1, standby => 0);
$pitr->append_conf('postgresql.conf', "archive_mode = off\nrecovery_target_name = 'here'\nrecovery_target_action = promote\n");
$pitr->start;
$pitr->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'recovery does not end';
reads($pitr, 'on the new timeline', 1);
checkpoint($pitr);
like(origin($pitr), qr/\/2\/[0-9a-f]{16}$/, 'a log that was put back has a name of the new timeline');
$parted = size_of($kept);
like(origins($pitr), qr/^\d+=\Q${\origin($original)}\E \d+$/, 'and an entry names the old one and its size') if $original->start;
is(join(' ', map { taken($pitr, $_) } 'kept', 'abandoned', 'unread'), '2 0 0', 'what came after the point is not in the log');
cmp_ok(run_sql($pitr, "SELECT seal.ingest_segments('$old_segments')"), '>=', 14, 'until the segments of the old timeline are fed');
is(join(' ', map { taken($pitr, $_) } 'kept', 'abandoned', 'unread'), '2 3 4', 'then it is there, once');
is(run_sql($pitr, "SELECT seal.ingest_segments('$old_segments')"), '0', 'fed twice they add nothing');
checkpoint($pitr);
is(verified($pitr), 't||', 'the log verifies');
is(verified($pitr, $kept), 't||', 'also with a checkpoint from before the point');
like(verified($pitr, $abandoned), qr/^f\|\d+\|the log was copied or put back/, 'one from behind it shows that the log was put back');
is(run_sql($pitr, 'SELECT count(*) FROM seal.audit_entry WHERE what ~ $$^(altered|torn|unreadable)$$'), '0', 'no record is found altered');
$pitr->stop;

# A segment that was copied while it was being written, and later whole ------------------------------------

my $folder = $original->data_dir . '/pg_seal';
keep_from_log($original);
reads($original, 'whole', 1);
reads($original, 'torn', 1);
$original->stop('fast');
my $whole = copy_of($folder, 'whole');
my $torn = copy_of($folder, 'torn');
foreach my $path (grep { grep { ($_->{application} // '') eq 'torn' } segment_records($_) } segment_files($original, $torn))
{
	my $bytes = slurp_file($path);
	substr($bytes, index($bytes, 'torn') - 30) = "\0" x 100;
	open my $handle, '>', $path or die $!;
	print $handle $bytes;
	close $handle;
}
system('rm', '-r', $folder) == 0 or die;
$original->start;
run_sql($original, "SELECT seal.ingest_segments('$torn')");
is(join(' ', map { taken($original, $_) } 'whole', 'torn'), '1 0', 'a torn copy gives what is whole in it');
is(run_sql($original, q{SELECT count(*) FROM seal.audit_entry WHERE what = 'torn_segment'}), '1', 'and an entry tells that it is torn');
is(run_sql($original, "SELECT seal.ingest_segments('$torn')"), '0', 'once');
run_sql($original, "SELECT seal.ingest_segments('$whole')");
is(join(' ', map { taken($original, $_) } 'whole', 'torn'), '1 1', 'a whole copy gives the rest');
is(run_sql($original, "SELECT seal.ingest_segments('$torn') + seal.ingest_segments('$whole')"), '0', 'and then neither gives more');
checkpoint($original);
is(verified($original), 't||', 'the log verifies');

# Clones of a database ---------------------------------------------------------------------------------------

run_sql($original, 'CREATE DATABASE lab TEMPLATE postgres');
keep_from_log($original);
checkpoint($original, 'lab');
reads($original, 'in the template', 2, 'lab');
run_sql($original, 'CREATE DATABASE clone TEMPLATE lab');
my $clone_oid = run_sql($original, q{SELECT oid FROM pg_database WHERE datname = 'clone'});
my $taken = $original->basedir . '/taken';
$original->append_conf('postgresql.conf', "seal.checkpoint_command = 'cp %p $taken'");
$original->reload;
$of_copy = checkpoint($original, 'clone');
is(slurp_file($taken), $of_copy, 'the checkpoint of a clone without segments is handed over');
reads($original, 'in the clone', 3, 'clone');
checkpoint($original, $_) foreach 'lab', 'clone';
is(join(' ', map { taken($original, 'in the template', $_) } 'lab', 'clone'), '2 0', 'the segments of a template stay its own');
is(join(' ', map { taken($original, 'in the clone', $_) } 'lab', 'clone'), '0 3', 'and those of a clone its own');
like(origin($original, 'clone'), qr/\/$clone_oid\//, 'a clone has a name of its own');
is((split /,/, origins($original, 'clone'))[-1] =~ s/^\d+=//r =~ s/ \d+$//r, origin($original, 'lab'), 'and names the one it comes from');
is(verified($original, undef, $_), 't||', "$_ verifies") foreach 'lab', 'clone';
is(verified($original, $of_copy, 'lab'), 'f||the given checkpoint is of another log', 'to the template the clone is another log');

# A dropped database leaves its folder, and another one gets its oid.
reads($original, 'left behind', 5, 'clone');
run_sql($original, 'DROP DATABASE clone');
ok(-d "$folder/$clone_oid", 'a dropped database leaves unread segments');
take_in($original);
$original->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pg_ls_dir('pg_seal') d WHERE d = '$clone_oid')") or die 'still there';
my @aside = glob "$folder/$clone_oid.dropped.*";
is(scalar(grep { $_->{action} eq 'open' && $_->{application} eq 'left behind' } map { segment_records($_) } grep { !/checkpoint$/ } map { glob "$_/*" } @aside),
	5, 'they are kept under another name');
run_sql($original, "CREATE DATABASE reborn TEMPLATE lab OID = $clone_oid");
checkpoint($original, 'reborn');
is(taken($original, 'left behind', 'reborn'), '0', 'and not the records');
is(verified($original, undef, 'reborn'), 't||', 'its log verifies');

# The key ring put back ------------------------------------------------------------------------------------------

my $ring = run_sql($original, <<'SQL');
CREATE SCHEMA kept;
CREATE TABLE kept.head AS SELECT * FROM seal.ring_head;
CREATE TABLE kept.grant AS SELECT * FROM seal.grant;
SELECT seal.revoke_key('note', 'lab_app');
SELECT length(seal.checkpoint());
SQL
my $later = checkpoint($original);
run_sql($original, <<'SQL');
DELETE FROM seal.ring_head; INSERT INTO seal.ring_head SELECT * FROM kept.head;
DELETE FROM seal.grant; INSERT INTO seal.grant SELECT * FROM kept.grant;
SQL
reads($original, 'with a right that was revoked', 1);
like(verified($original), qr/^f\|\|the key ring was put back: its generation is \d+, the last checkpoint tells of \d+$/, 'an older ring, put back whole, shows');
checkpoint($original);
is(verified($original), 't||', 'until the next checkpoint tells of the older one');
like(verified($original, $later), qr/^f\|\|the key ring was put back: .*, the given checkpoint tells/, 'and one that was kept elsewhere shows it then');

# A dump has no log, and what is restored from it begins one ----------------------------------------------------

my $dump = $original->basedir . '/dump.sql';
$original->command_ok([ 'pg_dump', '--dbname', $original->connstr('lab'), '--file', $dump ], 'pg_dump');
run_sql($original, 'CREATE DATABASE restored');
$original->command_ok([ 'psql', '--no-psqlrc', '--quiet', '--set', 'ON_ERROR_STOP=1', '--dbname', $original->connstr('restored'), '--file', $dump ], 'restored');
reads($original, 'in what was restored', 1, 'restored');
my $restored = checkpoint($original, 'restored');
is(taken($original, 'in the template', 'restored'), '0', 'the log is not in a dump');
is(origins($original, 'restored'), '', 'what was restored begins a log');
is(verified($original, undef, 'restored'), 't||', 'which verifies');
$original->stop;

done_testing;
