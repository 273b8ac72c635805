# audit_crash.pl: records outlive crashes; what cannot be recorded is not opened.
#
# Not a pg_regress test: it kills backends and servers, and makes file operations fail.
use strict;
use warnings;
use File::Basename qw(dirname);
use Pgseal;
use PostgreSQL::Test::Utils qw(append_to_file slurp_file);
use Segments;
use Test::More;

# Faults, by a library that is put before libc.
my $node = new_node('audit_crash', start => 0, allows_streaming => 1, conf => <<'CONF');
restart_after_crash = on
seal.audit_batch = 100
seal.ingest_interval = '1h'
seal.audit_max_size = '64MB'
fsync = on
CONF
my $library = $node->basedir . '/faults.so';
my $faults  = $node->basedir . '/faults';
system('cc', '-shared', '-fPIC', '-o', $library, dirname(__FILE__) . '/../lib/faults.c', '-ldl') == 0 or die 'faults.c does not compile';
{
	local $ENV{LD_PRELOAD}  = $library;
	local $ENV{SEAL_FAULTS} = $faults;
	$node->start;
}

# fault TEXT: what fails from now on.
sub fault
{
	my ($text) = @_;
	unlink $faults;
	append_to_file($faults, $text) if $text ne '';
	return;
}

$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pgseal;
CREATE ROLE lab_app LOGIN;
CREATE ROLE lab_other LOGIN;
SELECT seal.create_key('note');
SELECT seal.grant_key('note', 'lab_app', '{seal,reveal}');
CREATE TABLE patient (id integer PRIMARY KEY, note sealed_text(note));
GRANT ALL ON patient TO lab_app, lab_other;
SQL
as_role($node, 'lab_app', q{INSERT INTO patient SELECT g, 'asthma' FROM generate_series(1, 450) g});

# note_as NAME: opens one value under an application's name.
sub note_as
{
	my ($name) = @_;
	return error_of($node, 'lab_app', "SET application_name = '$name'; SELECT seal.reveal(note) FROM patient WHERE id = 1");
}

sub recorded
{
	my ($name) = @_;
	return short(records($node, application => $name));
}

# on_disk NAME: what stands in the segments now, without a record that takes others along.
sub on_disk
{
	my ($name) = @_;
	return short(records($node, application => $name, unsettled => 1));
}

# comes_to_disk NAME, EXPECTED: waits ten seconds for it.
sub comes_to_disk
{
	my ($name, $expected) = @_;
	foreach (1 .. 100)
	{
		last if on_disk($name) eq $expected;
		select undef, undef, undef, 0.1;
	}
	return on_disk($name);
}

# process PATTERN: id of a process of the server that is named so, or 0.
sub process
{
	my ($pattern) = @_;
	my ($postmaster) = split /\n/, slurp_file($node->data_dir . '/postmaster.pid');
	my ($line) = grep { /$pattern/ } `ps --ppid $postmaster -o pid=,args=`;
	return defined $line ? (split ' ', $line)[0] : 0;
}

sub writer { return process('pgseal audit writer'); }

# stop_writer: SIGSTOP for what brings records out that nobody waits for, when it has
# nothing to do, so that it holds no lock: the writer, and the launcher of workers.
sub stop_writer
{
	comes_to_disk('idle', 'open close=1') if note_as('idle') eq '';
	my @stopped = (writer(), process('pgseal log launcher'));
	kill('STOP', @stopped) == 2 or die "could not stop the writer and the launcher: $!";
	foreach (1 .. 100)
	{
		last if !process('pgseal log of');
		select undef, undef, undef, 0.1;
	}
	return @stopped;
}

# No room, no value -----------------------------------------------------------------------------

is(note_as('sound'), '', 'a value is opened');
my $segments = () = segment_files($node);
fault('unsynced');
like(note_as('unsynced'), qr/^58030: audit record could not be stored/, 'no sync, no value');
fault('');
is(note_as('synced again'), '', 'service resumes');
is(recorded('synced again'), 'open close=1', 'with its record');
cmp_ok(scalar(() = segment_files($node)), '>', $segments, 'in another segment');
is(recorded('sound'), 'open close=1', 'what was not yet on the disk is not lost');
is(recorded('unsynced'), 'open', 'nor the record that was refused: it says more than happened, not less');
my %of_start;
push @{ $of_start{ $_->{serial} } }, $_->{path} foreach map { segment_records($_) } segment_files($node);
is(scalar(grep { @$_ > 1 } values %of_start), 0, 'and no record stands twice');

fault('unwritable');
like(note_as('unwritable'), qr/^58030: audit record could not be stored/, 'no write, no value');
is(recorded('unwritable'), '', 'and no record');
like(error_of($node, 'postgres', q{SELECT seal.grant_key('note', 'lab_other', '{reveal}')}), qr/^58030: /, 'nor a grant');
is($node->safe_psql('postgres', q{SELECT count(*) FROM seal.grants WHERE role = 'lab_other'::regrole}), '0', 'it is not made');
fault('full');
like(note_as('full'), qr/^53100: audit record could not be stored: no space left/, 'no space, no value');
like(error_of($node, 'lab_other', 'SELECT seal.reveal(note) FROM patient'), qr/^42501: /, 'a refusal stands without its record');
is($node->safe_psql('postgres', 'SELECT count(*) FROM patient'), '450', 'sealed values are read meanwhile');
fault('');
is(note_as('room again'), '', 'service resumes');
is(recorded('room again'), 'open close=1', 'with its record');
is(recorded('unwritable'), 'open', 'and what could not be written is written then');

# Full segments ----------------------------------------------------------------------------------

# A batch of one value makes a record of each.
$node->safe_psql('postgres', "ALTER SYSTEM SET seal.audit_batch = 1; ALTER SYSTEM SET seal.audit_sync = off; SELECT pg_reload_conf()");
my $error = '';
foreach (1 .. 30)
{
	$error = error_of($node, 'lab_app', 'SELECT count(seal.reveal(a.note)) FROM patient a, generate_series(1, 100)');
	last if $error ne '';
}
like($error, qr/^53100: audit record could not be stored: segments take as much as seal.audit_max_size allows/, 'segments end at seal.audit_max_size');
my @files = segment_files($node);
cmp_ok(scalar @files, '>=', 4, 'after several segments');
my $size = 0;
$size += -s $_ foreach @files;
cmp_ok($size, '<=', 64 * 1024 * 1024, 'and not beyond');
$node->safe_psql('postgres', "ALTER SYSTEM RESET seal.audit_batch; ALTER SYSTEM RESET seal.audit_sync; ALTER SYSTEM SET seal.audit_max_size = '1GB'; SELECT pg_reload_conf()");
is(note_as('more room'), '', 'more room: service resumes');
unlink grep { -s $_ > 1024 * 1024 && (segment_files($node))[-1] ne $_ } @files;	# what the log does once it has them

# Crashes ----------------------------------------------------------------------------------------

# scanning NAME, VALUES: a session in the middle of a scan that has opened so many values, and its process id.
sub scanning
{
	my ($name, $values) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0, extra_params => [ '--username' => 'lab_app' ]);
	$session->query_safe("SET application_name = '$name'");
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	$session->query_until(qr/sent/, "\\echo sent\nSELECT seal.reveal(note), CASE WHEN id = $values THEN pg_sleep(100) END FROM patient;\n");
	$node->poll_query_until('postgres', "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $pid") or die 'it does not sleep';
	return ($session, $pid);
}

# kill_backend SESSION, PID: kill -9, and the server comes back.
sub kill_backend
{
	my ($session, $pid) = @_;
	my $offset = -s $node->logfile;
	kill 'KILL', $pid or die "could not kill $pid: $!";
	comes_back($node, $offset);
	eval { $session->quit };
	return;
}

my ($session, $pid) = scanning('killed', 120);
comes_to_disk('killed', 'open progress=50 progress=100');
my @old = segment_files($node);
my %content = map { $_ => slurp_file($_) } @old;
my %starts = map { start_of($_) => 1 } @old;
is(scalar keys %starts, 1, 'one start so far');
kill_backend($session, $pid);
is(on_disk('killed'), 'open progress=50 progress=100', 'kill -9 in the middle of a scan');

is(note_as('restarted'), '', 'the server goes on');
%starts = map { start_of($_) => 1 } segment_files($node);
is(scalar keys %starts, 2, 'as another start');
is(scalar(grep { slurp_file($_) ne $content{$_} } @old), 0, 'that appends to no segment of the one before');

fault('unsynced');
like(note_as('before a new segment'), qr/^58030: /, 'a segment that takes no more');
my $offset = -s $node->logfile;
fault('killed');
note_as('killed while a segment is made');
comes_back($node, $offset);
ok(!-e $faults, 'kill -9 while the next is made');
is(note_as('restarted again'), '', 'the server goes on');
is(scalar(() = glob $node->data_dir . '/pg_seal/*/*.new'), 0, 'nothing of that segment is left');
$node->safe_psql('postgres', 'SELECT seal.checkpoint()');
is($node->safe_psql('postgres', q{SELECT count(*) FROM seal.audit_log WHERE what = 'unreadable_segment'}), '0', 'and nobody is told of a damaged one');

($session, $pid) = scanning('immediate', 120);
$node->stop('immediate');
eval { $session->quit };
$node->start;
is(on_disk('immediate'), 'open progress=50 progress=100', 'immediate shutdown');
is(recorded('restarted again'), 'open close=1', 'loses nothing from before');

# The writer ------------------------------------------------------------------------------------

is(note_as('lingering'), '', 'a value is opened');
is(comes_to_disk('lingering', 'open close=1'), 'open close=1', 'its end comes to the disk though nothing else happens');

($session, $pid) = scanning('ahead', 80);
is(comes_to_disk('ahead', 'open progress=50'), 'open progress=50', 'the next record of a scan is on the disk before it is needed');
kill_backend($session, $pid);

stop_writer();
($session, $pid) = scanning('behind', 100);
is(on_disk('behind'), 'open', 'without a writer it is not');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 10000)");
eval { $session->quit };
($session, $pid) = scanning('waited', 101);
is(on_disk('waited'), 'open progress=50', 'but no value is opened beyond the batch');
kill_backend($session, $pid);	# the postmaster ends those that are stopped, before they do anything
is(on_disk('waited'), 'open progress=50', 'and a kill -9 takes nothing away');

$node->safe_psql('postgres', 'ALTER SYSTEM SET seal.audit_sync = off; SELECT pg_reload_conf()');
my @stopped = stop_writer();
($session, $pid) = scanning('unsynced scan', 101);
is(on_disk('unsynced scan'), 'open progress=50', 'with seal.audit_sync off too');
kill 'CONT', @stopped;
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 10000)");
eval { $session->quit };
$node->safe_psql('postgres', 'ALTER SYSTEM RESET seal.audit_sync; SELECT pg_reload_conf()');

my $writer = writer();
kill 'TERM', $writer;
is(note_as('without a writer'), '', 'a writer that is ended stops no reading');
foreach (1 .. 100)
{
	last if writer() && writer() != $writer;
	select undef, undef, undef, 0.1;
}
isnt(writer(), $writer, 'and another comes');
is(comes_to_disk('without a writer', 'open close=1'), 'open close=1', 'to bring out what was left');

# A standby --------------------------------------------------------------------------------------

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('audit_standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
as_role($standby, 'lab_app', "SET application_name = 'standby'; SELECT seal.reveal(note) FROM patient WHERE id = 1");
is(short(records($standby, application => 'standby')), 'open close=1', 'a hot standby records for itself');
is(recorded('standby'), '', 'the primary not');
my ($record) = records($standby, application => 'standby');
like($record->{mac}, qr/[1-9a-f]/, 'with a MAC');

# Without a root ---------------------------------------------------------------------------------

$node->append_conf('postgresql.conf', "seal.root_key_file = ''");
$node->restart;
like(note_as('rootless'), qr/^55000: no root key is loaded/, 'without a root nothing is opened');
is(recorded('rootless'), 'refuse!55000', 'which is recorded');
($record) = records($node, application => 'rootless');
is($record->{mac}, '0' x 32, 'without a MAC');
$node->stop;
$standby->stop;
done_testing();
