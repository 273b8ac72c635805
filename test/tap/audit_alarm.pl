# audit_alarm.pl: whatever clients and crashes do, the log says what happened and no more,
# and its verification raises no false alarm.
#
# Not a pg_regress test: it kills backends.  30 seconds; ten minutes with PGSEAL_LONG.
use strict;
use warnings;
use Pgseal;
use POSIX qw(_exit);
use PostgreSQL::Test::Utils qw(slurp_file append_to_file);
use Test::More;
use Time::HiRes qw(sleep time);

my $seconds = $ENV{PGSEAL_LONG} ? 600 : 30;
my $rounds  = $ENV{PGSEAL_LONG} ? 200 : 20;
my $clients = 8;
my $batch   = 100;
my $seed    = $ENV{ALARM_SEED} // int rand 1_000_000;
note("ALARM_SEED=$seed repeats the choices of this run");

my $node = new_node('audit_alarm', conf => <<"CONF");
restart_after_crash = on
seal.audit_batch = $batch
seal.ingest_interval = '50ms'
seal.checkpoint_interval = '1s'
log_min_messages = fatal
CONF
my $notes = $node->basedir . '/notes';
mkdir $notes or die $!;
$node->append_conf('postgresql.conf', "seal.checkpoint_command = 'cp %p $notes/\$(date +%%s%%N)'");
$node->reload;

sub sql { return $node->safe_psql('postgres', $_[0]); }

sql(<<'SQL');
CREATE EXTENSION pgseal;
CREATE ROLE lab_app LOGIN;
SELECT seal.create_key('note');
SELECT seal.grant_key('note', 'lab_app', '{seal,reveal}');
CREATE TABLE patient (id integer PRIMARY KEY, note sealed_text(note));
CREATE TABLE ledger (id bigint PRIMARY KEY, version integer NOT NULL, note sealed_text(note));
CREATE TABLE gone (id bigint PRIMARY KEY, version integer NOT NULL);
SELECT seal.watch('ledger');
GRANT ALL ON patient, ledger, gone TO lab_app;
SQL
as_role($node, 'lab_app', q{INSERT INTO patient SELECT g, 'asthma' FROM generate_series(1, 450) g});

# run_psql FILE, OUTPUT: as lab_app; what comes is written as it comes.
sub run_psql
{
	my ($script, $output) = @_;
	open STDOUT, '>>', $output or die $!;
	open STDERR, '>', '/dev/null' or die $!;
	exec 'psql', '--no-psqlrc', '--quiet', '--no-align', '--tuples-only', '--username', 'lab_app',
	  '--dbname', $node->connstr('postgres'), '--file', $script;
}

# wait_for_server: a crash makes it go and come back.
sub wait_for_server
{
	foreach (1 .. 300)
	{
		return if system("psql --no-psqlrc -qAtc 'SELECT 1' -d '" . $node->connstr('postgres') . "' >/dev/null 2>&1") == 0;
		sleep 0.1;
	}
	die 'the server did not come back';
}

# Killed in the middle of a scan ------------------------------------------------------------------

srand $seed;
my %received;
my $killed = 0;
foreach my $round (1 .. $rounds)
{
	my ($script, $output) = map { $node->basedir . "/scan.$round.$_" } qw(sql out);
	append_to_file($script, <<"END");
SET application_name = 'scan$round';
SELECT pg_backend_pid();
COPY (SELECT seal.reveal(note) FROM patient, generate_series(1, 300)) TO STDOUT;
END
	append_to_file($output, '');
	my $pid = fork() // die $!;
	run_psql($script, $output) if $pid == 0;
	my $backend;
	foreach (1 .. 1000)
	{
		($backend) = slurp_file($output) =~ /^(\d+)\n/;
		last if $backend;
		sleep 0.005;
	}
	$backend or die 'no session';
	sleep rand 0.12;
	$killed += kill 'KILL', $backend;
	waitpid $pid, 0;
	$received{"scan$round"} = () = slurp_file($output) =~ /asthma\n/g;
	wait_for_server();
}
cmp_ok($killed, '>=', $rounds / 2, "$killed backends were killed while they scanned");
cmp_ok((scalar grep { $_ > 0 && $_ < 135_000 } values %received), '>=', $rounds / 4, 'many in the middle of it');

# Eight clients -----------------------------------------------------------------------------------

# Each transaction writes rows of its own; ledger and gone say afterwards what was committed.
my $serial = 0;

sub random_write
{
	my ($client) = @_;
	my @rows;
	my $sql = "BEGIN;\n";
	foreach (1 .. 1 + int rand 5)
	{
		my $id = $client * 10_000_000 + $serial++;
		$sql .= "INSERT INTO ledger VALUES ($id, 1, 'x$id');\n";
		push @rows, $id;
		my $row = $rows[ int rand @rows ];
		my $what = rand;
		my $change = $what < 0.5 ? "UPDATE ledger SET version = version + 1 WHERE id = $row;\n"
		  : $what < 0.7 ? "WITH d AS (DELETE FROM ledger WHERE id = $row RETURNING id, version) INSERT INTO gone SELECT * FROM d;\n"
		  :               "UPDATE ledger SET version = version + 1, note = 'y' WHERE id BETWEEN $rows[0] AND $id;\n";
		my $way = rand;
		$sql .= $way < 0.5 ? $change
		  : $way < 0.7 ? "SAVEPOINT s;\n${change}ROLLBACK TO s;\n"
		  : $way < 0.9 ? "SAVEPOINT s;\n${change}RELEASE s;\n"
		  :              "SAVEPOINT s;\n${change}SELECT 1 / 0;\nROLLBACK TO s;\n";
	}
	return $sql . (rand() < 0.3 ? "ROLLBACK;\n" : rand() < 0.1 ? "SELECT 1 / 0;\nCOMMIT;\n" : "COMMIT;\n");
}

sub random_read
{
	my ($name) = @_;
	my $way = rand;
	my $read = $way < 0.6 ? 'SELECT seal.reveal(note) FROM patient WHERE id <= ' . (1 + int rand 5)
	  : $way < 0.8 ? 'COPY (SELECT seal.reveal(note) FROM patient) TO STDOUT'
	  : $way < 0.9 ? 'COPY (SELECT seal.reveal(note), 1 / (id - 300) FROM patient) TO STDOUT'
	  :              'BEGIN; SELECT seal.reveal(note) FROM patient LIMIT 7; ROLLBACK';
	return "\\echo :$name\nSET application_name = '$name';\n$read;\n";
}

sub client
{
	my ($client, $until) = @_;
	my $output = $node->basedir . "/client.$client.out";
	srand $seed + $client;
	$serial = 0;
	for (my $round = 1; time < $until; $round++)
	{
		my $script = $node->basedir . "/client.$client.$round.sql";
		append_to_file($script, join '', map { rand() < 0.5 ? random_write($client) : random_read("c$client.$round.$_") } 1 .. 40);
		my $pid = fork() // die $!;
		run_psql($script, $output) if $pid == 0;
		waitpid $pid, 0;
		unlink $script;
		sleep 0.2 if $? != 0;	# the server may be coming back
	}
	_exit(0);
}

my $until = time + $seconds;
my @pids;
foreach my $client (1 .. $clients)
{
	my $pid = fork() // die $!;
	client($client, $until) if $pid == 0;
	push @pids, $pid;
}
my %done = map { $_ => 0 } qw(cancel terminate kill);
while (time < $until)
{
	sleep 0.1 + rand 0.3;
	my $what = rand() < 0.05 ? 'kill' : rand() < 0.5 ? 'cancel' : 'terminate';
	my $victim = q{FROM pg_stat_activity WHERE usename = 'lab_app' AND state <> 'idle' ORDER BY random() LIMIT 1};
	# While the server comes back psql may go before it was told what to do: a broken pipe.
	my ($status, $out) = eval { $node->psql('postgres', $what eq 'kill' ? "SELECT pid $victim" : "SELECT pg_${what}_backend(pid) $victim") };
	next if ($status // 1) != 0 || $out eq '';
	kill 'KILL', $out if $what eq 'kill';
	$done{$what}++;
}
waitpid $_, 0 foreach @pids;
wait_for_server();
cmp_ok($done{$_}, '>', 0, "$done{$_} times $_") foreach sort keys %done;

# What the log says -------------------------------------------------------------------------------

my ($last, $tries) = ('', 0);
($last) = ($node->psql('postgres', 'SELECT seal.checkpoint()'))[1] while $last eq '' && $tries++ < 10;
sql(q{CREATE TABLE said AS SELECT row_key::bigint AS id, count(*) FILTER (WHERE action = 'insert') AS inserts,
	count(*) FILTER (WHERE action = 'update') AS updates, count(*) FILTER (WHERE action = 'delete') AS deletes
	FROM seal.audit_entry WHERE relation = 'public.ledger' GROUP BY row_key});
sql(q{CREATE TABLE true_rows AS SELECT id, 1 AS inserts, version - 1 AS updates, 0 AS deletes FROM ledger UNION ALL SELECT id, 1, version - 1, 1 FROM gone});
my ($rows, $writes) = split /\|/, sql('SELECT count(*), sum(inserts + updates + deletes) FROM true_rows');
cmp_ok($rows, '>', 100, "$rows rows were committed, in $writes writes");
is(sql('SELECT * FROM (TABLE said EXCEPT TABLE true_rows) more LIMIT 5'), '', 'no write is in the log that was not committed, and none twice');
is(sql('SELECT * FROM (TABLE true_rows EXCEPT TABLE said) more LIMIT 5'), '', 'each committed write is in the log');

foreach my $client (1 .. $clients)
{
	my $name;
	foreach (split /\n/, slurp_file($node->basedir . "/client.$client.out"))
	{
		$name = $1 if /^:(\S+)/;
		$received{$name}++ if /^asthma/;
	}
}
my %recorded = map { split /\|/ } split /\n/, sql(q{SELECT application, sum(values) FROM
	(SELECT application, statement, max(coalesce(values_opened, 0)) AS values FROM seal.audit_entry
	 WHERE action IN ('open', 'export', 'progress', 'close') AND keys = '{note}' GROUP BY application, statement, start) s GROUP BY application});
my $values = 0;
$values += $_ foreach values %received;
cmp_ok(scalar keys %received, '>', 100, scalar(keys %received) . " statements gave $values values to clients");
is(join(' ', grep { $received{$_} > 0 && !exists $recorded{$_} } sort keys %received), '', 'each of them is on record');
is(join(' ', map { "$_:$received{$_}>$recorded{$_}" } grep { $received{$_} > ($recorded{$_} // 0) + $batch } sort keys %received), '', 'with its values, but for one batch');
is(sql(q{SELECT count(*) FROM (SELECT start, serial FROM seal.audit_entry WHERE serial IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1) twice}), '0', 'no record is in the log twice');
is(sql(q{SELECT DISTINCT what FROM seal.audit_entry WHERE outcome = 'XX001'}), '', 'nothing is said to be torn or altered');

my $entries = sql('SELECT size FROM seal.audit_state');
is(sql("SELECT intact, entries, problem FROM seal.verify_audit('$last')"), "t|$entries|", "$entries entries verify");
my @delivered = sort glob "$notes/*";
cmp_ok(scalar @delivered, '>=', $seconds / 10, scalar(@delivered) . ' checkpoints were handed over');
my $step = 1 + int(@delivered / ($ENV{PGSEAL_LONG} ? 40 : 6));	# each takes as long as the log
my @bad = grep { sql("SELECT intact FROM seal.verify_audit(pg_read_file('$_'))") ne 't' } @delivered[ grep { $_ % $step == 0 } 0 .. $#delivered ];
is("@bad", '', 'those tried are beginnings of the log');

$node->stop;
done_testing();
