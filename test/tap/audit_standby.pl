# audit_standby.pl: what is read on a standby comes to the log: fed to its primary, or when
# it is promoted; nothing is lost or doubled in pg_rewind.
#
# Not a pg_regress test: it needs several servers.
use strict;
use warnings;
use Pgseal;
use PostgreSQL::Test::Utils qw(slurp_file system_log);
use Segments;
use Test::More;
use Time::HiRes qw(time);

my $primary = new_node('one', allows_streaming => 1,
	conf => "seal.ingest_interval = '20ms'\nseal.checkpoint_interval = '1h'\nseal.audit_max_size = 64MB\nwal_log_hints = on\nwal_keep_size = 200MB\nmax_wal_senders = 5\n");

sub run_sql { return $_[0]->safe_psql('postgres', $_[1]); }

# reads NODE, NAME, COUNT: so many statements open a value, as application NAME.
sub reads
{
	my ($node, $name, $count) = @_;
	as_role($node, 'lab_app', "SET application_name = '$name';" . 'SELECT seal.reveal(note) FROM patient WHERE id = 1;' x $count);
	return;
}

# taken NODE, NAME...: how many reads of each application the log has.
sub taken
{
	my ($node, @names) = @_;
	return join ' ', map { run_sql($node, "SELECT count(*) FROM seal.audit_entry WHERE action = 'open' AND application = '$_'") } @names;
}

sub verified
{
	my ($node, $checkpoint) = @_;
	$checkpoint = defined $checkpoint ? "'$checkpoint'" : 'NULL';
	return run_sql($node, "SELECT intact, first_bad, problem FROM seal.verify_audit($checkpoint)");
}

sub checkpoint { return run_sql($_[0], 'SELECT seal.checkpoint()'); }
sub origin { return run_sql($_[0], 'SELECT origin FROM seal.audit_state'); }
sub findings { return run_sql($_[0], q{SELECT count(*) FROM seal.audit_entry WHERE what ~ '^(altered|torn|unreadable)_'}); }

# copy_of NODE, NAME: a copy of its segments.
sub copy_of
{
	my ($node, $name) = @_;
	my $copy = $primary->basedir . "/$name";
	system('rm', '-rf', $copy);
	system('cp', '-r', $node->data_dir . '/pg_seal', $copy) == 0 or die 'could not copy';
	return $copy;
}

# kill_and_start NODE: kill -9 of its postmaster; its processes take a moment to go.
sub kill_and_start
{
	my ($node) = @_;
	my @pids = split /\n/, run_sql($node, 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()');
	$node->kill9;
	foreach (1 .. 1000)
	{
		last if !kill 0, @pids;
		select undef, undef, undef, 0.02;
	}
	$node->start;
	return;
}

run_sql($primary, <<'SQL');
CREATE EXTENSION pgseal;
SELECT seal.create_key('note');
CREATE ROLE lab_app LOGIN;
SELECT seal.grant_key('note', 'lab_app', '{seal,reveal}');
CREATE TABLE patient (id int PRIMARY KEY, note sealed_text(note));
GRANT ALL ON patient TO lab_app;
SQL
as_role($primary, 'lab_app', q{INSERT INTO patient VALUES (1, 'asthma')});
reads($primary, 'primary', 2);
$primary->backup('base');
checkpoint($primary);
my $standby = PostgreSQL::Test::Cluster->new('two');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);

# A standby that is read from fills its folder, and gets it back -------------------------------------------------

# Each start that is killed leaves a segment as it was allocated: 16 MB.
my $refused = '';
my @given;
foreach my $start (1 .. 6)
{
	$refused = error_of($standby, 'lab_app', "SET application_name = 'standby$start'; SELECT seal.reveal(note) FROM patient");
	last if $refused ne '';
	push @given, "standby$start";
	kill_and_start($standby);
}
like($refused, qr/^53100: .*seal\.audit_max_size/, 'segments that nobody takes in fill the folder of a standby');
# What was refused may still be recorded later, when there is room.
sub in_segments { return scalar map { grep { $_->{action} eq 'open' } records($standby, application => $_) } @given; }
my $reads = in_segments();
my $each = join ' ', map { '1' } @given;
is($reads, scalar @given, 'with records of what was read there');
like(error_of($standby, 'postgres', q{SELECT seal.ingest_segments('/tmp')}), qr/^25006: /, 'which it cannot take in itself');
run_sql($standby, 'SELECT seal.remove_segments()');
is(in_segments(), $reads, 'what the log has not is not removed');
cmp_ok(run_sql($standby, 'SELECT seal.audit_unread()'), '>=', $reads, 'its status tells of them');
my $fed = copy_of($standby, 'from_standby');
run_sql($primary, "SELECT seal.ingest_segments('$fed')");
is(taken($primary, @given), $each, 'fed to the primary they are in the log');
$primary->wait_for_catchup($standby);
run_sql($standby, 'SELECT seal.remove_segments()');
is(in_segments(), $reads, 'before a checkpoint covers them they stay');
checkpoint($primary);
$primary->wait_for_catchup($standby);
like(error_of($standby, 'lab_app', 'SELECT seal.remove_segments()'), qr/^42501: /, 'not everybody removes segments');
cmp_ok(run_sql($standby, 'SELECT seal.remove_segments()'), '>=', $reads, 'then they can be removed');
is(in_segments(), 0, 'and are gone');
reads($standby, 'after', 1);
is(verified($_), 't||', 'the log verifies') foreach $primary, $standby;

# Promotion ---------------------------------------------------------------------------------------------------------

my $old_origin = origin($primary);
$primary->append_conf('postgresql.conf', "seal.ingest_interval = '1h'");
$primary->reload;
my $before = checkpoint($primary);
reads($primary, 'unread', 3);
$primary->wait_for_catchup($standby);
reads($standby, 'in recovery', 4);
$primary->stop('immediate');
my $begun = time;
$standby->promote;
run_sql($standby, 'CREATE TABLE promoted (id int)');
cmp_ok(time - $begun, '<', 30, 'a promotion waits for nobody');
reads($standby, 'promoted', 1);
checkpoint($standby);
is(taken($standby, 'after', 'in recovery', 'promoted', 'unread'), '1 4 1 0', 'what was read in recovery comes to the log with the promotion');
like(origin($standby), qr/\/2\/[0-9a-f]{16}$/, 'the log has a name of the new timeline');
is(run_sql($standby, q{SELECT detail = '}. $old_origin . q{ ' || entry FROM seal.audit_entry WHERE what = 'new_origin'}), 't', 'and an entry names the old one and its size');
is(verified($standby), 't||', 'the log verifies');
is(verified($standby, $before), 't||', 'also with a checkpoint of the old primary');

# The old primary joins the new one: pg_rewind removes what it has not ------------------------------------------------

$primary->start;
$primary->stop('fast');
my $old_segments = copy_of($primary, 'old_primary');
my @files = map { (split /\//)[-1] } segment_files($primary);
$standby->stop('fast');	# what pg_rewind reads must be whole
my $conf = slurp_file($primary->data_dir . '/postgresql.conf');
system_log('pg_rewind', '--source-pgdata', $standby->data_dir, '--target-pgdata', $primary->data_dir, '--no-sync');
$standby->start;
my @left = map { (split /\//)[-1] } segment_files($primary);
my %left = map { $_ => 1 } @left;
is(scalar(grep { $left{$_} && !-e $standby->data_dir . "/pg_seal/5/$_" } @files), 0, 'pg_rewind leaves no segment that the new primary has not');
ok((grep { !$left{$_} } @files), 'and removes those of the old one');
run_sql($standby, "SELECT seal.ingest_segments('$old_segments')");
is(taken($standby, 'primary', @given, 'after', 'unread', 'in recovery', 'promoted'), "2 $each 1 3 4 1", 'a copy made before is fed: nothing is lost or doubled');
is(run_sql($standby, "SELECT seal.ingest_segments('$old_segments') + seal.ingest_segments('$fed')"), '0', 'fed twice it adds nothing');
my $after = checkpoint($standby);
is(verified($standby, $after), 't||', 'the log verifies');
is(findings($standby), '0', 'no record is found torn or altered');

# It is a standby now, and one day the primary again.
open my $handle, '>', $primary->data_dir . '/postgresql.conf' or die $!;
print $handle $conf;
close $handle;
$primary->enable_streaming($standby);
$primary->set_standby_mode;
$primary->start;
$standby->wait_for_catchup($primary);
reads($primary, 'rewound', 2);
is(verified($primary, $after), 't||', 'the log verifies on the old primary, now a standby');
$standby->stop('fast');
$primary->promote;
checkpoint($primary);
is(taken($primary, 'primary', @given, 'after', 'unread', 'in recovery', 'promoted', 'rewound'), "2 $each 1 3 4 1 2", 'promoted again, it has every read once');
is(run_sql($primary, q{SELECT count(*) FROM seal.audit_entry WHERE what = 'new_origin'}), '2', 'the log had two other names');
is(verified($primary, $_), 't||', 'and verifies with every checkpoint') foreach $before, $after;
is(findings($primary), '0', 'no record is found torn or altered');

done_testing;
