# audit_disk.pl: the disk of the segments is full.
#
# Not a pg_regress test: its server stands in a mount namespace of its own, where the folder
# of the segments is a file system of 56 MB.  Where a kernel lets nobody but root make one,
# test/lib/faults.c counts the bytes instead.
use strict;
use warnings;
use File::Basename qw(dirname);
use File::Temp qw(tempdir);

my $disk_bytes;

# Root in a namespace of one's own may mount, but start no server: so another one inside, as who one was.
# Before the test's modules take hold of the output.
BEGIN
{
	$disk_bytes = 56 * 1024 * 1024;
	if (!defined $ENV{SEAL_SMALL_DISK})
	{
		my $disk = $ENV{SEAL_SMALL_DISK} = tempdir(CLEANUP => 0);
		my @inside = ('unshare', '--user', '--map-root-user', '--mount', 'sh', '-c',
			'mount -t tmpfs -o size="$1" seal "$2" && user=$3 group=$4 && shift 4 && exec unshare --user --map-user="$user" --map-group="$group" -- "$@"',
			'sh', $disk_bytes, $disk, $>, $) + 0);
		local $ENV{SEAL_REAL_DISK} = system(@inside, 'true') == 0 ? 1 : 0;
		my @self = ($^X, (map { "-I$_" } @INC), $0);
		my $status = $ENV{SEAL_REAL_DISK} ? system(@inside, @self) : system(@self);
		rmdir $disk or die "$disk: $!";
		exit($status >> 8 || $status);
	}
}

use Pgseal;
use PostgreSQL::Test::Utils qw(slurp_file append_to_file);
use Test::More;

my $disk = $ENV{SEAL_SMALL_DISK};
my $real = $ENV{SEAL_REAL_DISK};
diag('no namespace can be made here: the disk is one that counts') if !$real;

my $node = new_node('audit_disk', start => 0, conf => <<"CONF");
seal.audit_directory = '$disk'
seal.audit_batch = 1
seal.ingest_interval = '1h'
seal.checkpoint_interval = 0
CONF
if (!$real)
{
	my ($library, $faults) = ($node->basedir . '/faults.so', $node->basedir . '/faults');
	system('cc', '-shared', '-fPIC', '-o', $library, dirname(__FILE__) . '/../lib/faults.c', '-ldl') == 0 or die 'faults.c does not compile';
	append_to_file($faults, "room $disk_bytes $disk");
	@ENV{qw(LD_PRELOAD SEAL_FAULTS)} = ($library, $faults);
}
$node->start;

sub sql { return $node->safe_psql('postgres', $_[0]); }

# ballast BYTES: what else takes room on that disk.
sub ballast
{
	my ($bytes) = @_;
	my $taken = 0;
	$taken += -s $_ foreach glob "$disk/*/*";
	$bytes = $disk_bytes - $taken if !$real && $bytes > $disk_bytes - $taken;
	open my $file, '>:raw', "$disk/ballast" or die $!;
	print $file 'x' x $bytes;
	close $file;		# no space left is what is wanted
	return;
}

my (@shown, @refused);
my $attempt = 0;

# read_one: a value, under a name of its own; '' or the error.
sub read_one
{
	my $name = 'read' . ++$attempt;
	my ($status, $out, $err) = $node->psql('postgres', "SET application_name = '$name'; SELECT seal.reveal(note) FROM patient WHERE id = 1",
		extra_params => [ '--username' => 'lab_app', '--set' => 'VERBOSITY=verbose' ]);
	push @{ $status == 0 ? \@shown : \@refused }, $name;
	is($out, '', "nothing is shown with an error") if $status != 0;
	return $status == 0 ? '' : $err =~ /ERROR:  (\w{5}: .*)$/m ? $1 : $err;
}

# fill: eight sessions that read until none can; each has its own values.
sub fill
{
	my $sessions = 8;
	my @pids;
	foreach my $session (1 .. $sessions)
	{
		my $pid = fork() // die $!;
		push @pids, $pid;
		next if $pid != 0;
		my $error = '';
		foreach (1 .. 100)
		{
			$error = error_of($node, 'lab_app', 'SELECT count(seal.reveal(a.note)) FROM patient a, generate_series(1, 250)');
			last if $error ne '';
		}
		require POSIX;
		POSIX::_exit($error =~ /^53100: audit record could not be stored: no space left/ ? 0 : 1);
	}
	my $stopped = 0;
	foreach my $pid (@pids)
	{
		waitpid $pid, 0;
		$stopped += $? == 0;
	}
	return is($stopped, $sessions, "each of $sessions sessions is stopped by 53100");
}

sub full_ok
{
	my ($name) = @_;
	like(read_one(), qr/^53100: audit record could not be stored: no space left/, $name);
	return;
}

sql(<<'SQL');
CREATE EXTENSION pgseal;
CREATE ROLE lab_app LOGIN;
CREATE ROLE lab_other LOGIN;
SELECT seal.create_key('note');
SELECT seal.grant_key('note', 'lab_app', '{seal,reveal}');
CREATE TABLE patient (id integer PRIMARY KEY, note sealed_text(note));
CREATE TABLE ward (id integer PRIMARY KEY, name text);
SELECT seal.watch('ward');
GRANT ALL ON patient, ward TO lab_app, lab_other;
SQL
as_role($node, 'lab_app', q{INSERT INTO patient SELECT g, 'asthma' FROM generate_series(1, 100) g});

# Full, and what goes on meanwhile ---------------------------------------------------------------

ballast(20 * 1024 * 1024);
is(read_one(), '', 'a value is opened');
fill();
full_ok('a full disk: no value') foreach 1 .. 3;
like(error_of($node, 'postgres', q{SELECT seal.grant_key('note', 'lab_other', '{reveal}')}), qr/^53100: /, 'nor a grant');
like(error_of($node, 'lab_other', 'SELECT seal.reveal(note) FROM patient'), qr/^42501: /, 'a refusal stands');
as_role($node, 'lab_app', q{INSERT INTO patient VALUES (1000, 'angina'); INSERT INTO ward VALUES (1, 'north'); UPDATE ward SET name = 'south'; DELETE FROM patient WHERE id = 1000});
is(sql('CHECKPOINT; SELECT count(*), count(note) FROM patient'), '100|100', 'the rest of the server works');
unlink "$disk/ballast" or die $!;
is(read_one(), '', 'with room, values are opened again, and nobody restarted anything');

fill();
full_ok('full again');
$node->restart;
full_ok('after a restart too');
is(sql('SELECT length(seal.checkpoint()) > 0'), 't', 'the log takes in what is there');
is(read_one(), '', 'and makes room');

# Not one byte left -------------------------------------------------------------------------------

fill();
ballast($disk_bytes);
full_ok('not one byte left');
my $taken = $node->basedir . '/taken';
$node->append_conf('postgresql.conf', "seal.checkpoint_command = 'cp %p $taken'");
$node->reload;
my ($status, $note, $error) = $node->psql('postgres', 'SELECT seal.checkpoint()');
is($error, '', 'a checkpoint is made');
ok(-e $taken && slurp_file($taken) eq $note, 'and handed over');
is(sql('SELECT last_error FROM seal.audit_status'), '', 'with no error');
is(read_one(), '', 'which makes room for values');
unlink "$disk/ballast" or die $!;

# Nothing is lost ---------------------------------------------------------------------------------

sql('SELECT seal.checkpoint()');
my %opened = map { $_ => 1 } split /\n/, sql(q{SELECT DISTINCT application FROM seal.audit_entry WHERE action = 'open' AND application ~ '^read'});
is(join(' ', grep { !$opened{$_} } @shown), '', scalar(@shown) . ' values were shown, each is in the log');
# A record that waited in memory may come to the disk later: the log then says that a value was asked for, not that it was given.
my $refused = join ', ', map { "'$_'" } @refused;
is(sql("SELECT application, values_opened FROM seal.audit_entry WHERE application IN ($refused) AND values_opened > 0"), '', scalar(@refused) . ' were refused, and none is said to be opened');
is(sql(q{SELECT count(*), count(DISTINCT (start, serial)) FROM seal.audit_entry WHERE serial IS NULL AND start IS NOT NULL}), '0|0', 'no segment is torn');
is(sql(q{SELECT count(*) FROM seal.audit_entry WHERE relation = 'public.ward'}), '2', 'writes to watched tables are there');
is(sql('SELECT intact, problem FROM seal.verify_audit()'), 't|', 'the log verifies');
is(sql("SELECT intact FROM seal.verify_audit('$note')"), 't', 'also against the checkpoint of the full disk');

$node->stop;
system('find', $disk, '-mindepth', '1', '-delete');
done_testing();
