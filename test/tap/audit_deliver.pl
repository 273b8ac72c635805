# audit_deliver.pl: checkpoint commands that fail, hang, print or are missing; workers that are
# in nobody's way; many databases, and such that are not UTF-8.
#
# Not a pg_regress test: it needs settings of the server, and its log.
use strict;
use warnings;
use Pgseal;
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;
use Time::HiRes qw(time);

my $node = new_node('audit_deliver', conf => "seal.ingest_interval = '20ms'\nseal.checkpoint_interval = 0\nseal.audit_sync = off\n");

sub sql { return $node->safe_psql($_[1] // 'postgres', $_[0]); }

# command TEXT: is seal.checkpoint_command from now on.
sub command
{
	my ($text) = @_;
	$node->append_conf('postgresql.conf', "seal.checkpoint_command = '" . $text =~ s/'/''/gr . "'");
	$node->reload;
	return;
}

# records DATABASE, COUNT: so many records.
sub records
{
	my ($database, $count) = @_;
	sql("SELECT count(seal.audit_reading('audit_log')) FROM generate_series(1, $count)", $database);
	return;
}

sub status { return sql('SELECT coalesce(last_error, $$none$$) FROM seal.audit_status', $_[0]); }
sub delivered { return sql('SELECT delivered_size = checkpoint_size FROM seal.audit_state', $_[0]); }

# quick WHAT, CODE: takes less than 5 seconds, after which PostgreSQL gives up on others in a database.
sub quick
{
	my ($what, $code) = @_;
	my $begun = time;
	$code->();
	cmp_ok(time - $begun, '<', 5, "$what waits for nobody");
	return;
}

# wait_for SQL, WHAT
sub wait_for
{
	my ($sql, $what, $database) = @_;
	ok($node->poll_query_until($database // 'postgres', $sql), $what);
	return;
}

sql(q{CREATE EXTENSION pgseal; SELECT seal.create_key('note')});

# Commands --------------------------------------------------------------------------------------------------------

command('/nowhere/command %p');
sql('SELECT seal.checkpoint()');
like(status(), qr/^seal\.checkpoint_command failed: command not found$/, 'a command that is missing shows');
is(delivered(), 'f', 'and delivers nothing');
command('echo shouts; exit 7');
records('postgres', 1);
sql('SELECT seal.checkpoint()');
is(status(), 'seal.checkpoint_command failed: child process exited with exit code 7', 'so does one that fails');
like(slurp_file($node->logfile), qr/^shouts$/m, 'what it prints is in the log of the server');
like(slurp_file($node->logfile), qr/LOG:  seal\.checkpoint_command failed: child process exited with exit code 7/, 'and its failure');
command('kill -TERM $$');
records('postgres', 1);
sql('SELECT seal.checkpoint()');
like(status(), qr/terminated by signal 15/, 'so does one that is killed');

# It is tried again, by itself, and then shows no error.
my $to = $node->basedir . '/taken here';
command("cp '%p' '$to'");
wait_for('SELECT delivered_size = checkpoint_size FROM seal.audit_state', 'it is tried again');
wait_for('SELECT last_error IS NULL FROM seal.audit_status', 'and then shows no error');
is(slurp_file($to), sql('SELECT checkpoint FROM seal.audit_state') , 'the command takes the note');
command("printf 100%% > '$to'");
records('postgres', 1);
sql('SELECT seal.checkpoint()');
is(slurp_file($to), '100', 'two signs of percent are one');

# Without pauses each round of the worker would run it.
my $count = $node->basedir . '/count';
command("echo >> $count; false");
records('postgres', 1);
sql('SELECT seal.checkpoint()');
foreach (1 .. 20)
{
	records('postgres', 1);
	select undef, undef, undef, 0.1;
}
cmp_ok(length slurp_file($count), '<=', 3, 'a command that fails is not run at every round');
is(status(), 'seal.checkpoint_command failed: child process exited with exit code 1', 'its error stays to be seen');

# One that hangs holds no lock and stops nobody.
command('');
sql('CREATE DATABASE hangs');
sql(q{CREATE EXTENSION pgseal; SELECT seal.create_key('k')}, 'hangs');
my $hangs = $node->basedir . '/hangs';
my $nap = 'sleep 600.' . $node->port;
sub naps { return scalar grep { /\Q$nap\E/ } `ps -eo args`; }
# hang DATABASE: its worker hands over a checkpoint, and does not come back.
sub hang
{
	my ($database) = @_;
	unlink $hangs;
	records($database, 1);
	foreach (1 .. 500)
	{
		last if -e $hangs;
		select undef, undef, undef, 0.02;
	}
	ok(-e $hangs, 'the command hangs');
	return;
}
sql('SELECT seal.checkpoint()', 'hangs');
$node->append_conf('postgresql.conf', "seal.checkpoint_interval = '1s'");
command("echo > $hangs; $nap");
hang('postgres');
my $began = time;
is(sql('BEGIN; LOCK TABLE seal.audit_state, seal.audit_entry IN ACCESS EXCLUSIVE MODE NOWAIT; SELECT 1; COMMIT'), '1', 'nothing is locked meanwhile');
records('postgres', 10);
pass('and records are made');
wait_for(q{SELECT last_error = 'seal.checkpoint_command failed: stopped after 30 seconds' FROM seal.audit_status}, 'it is stopped');
cmp_ok(time - $began, '>', 25, 'after its time');
is(naps(), 0, 'with what it started');
hang('hangs');
quick('CREATE DATABASE ... TEMPLATE', sub { sql('CREATE DATABASE hung TEMPLATE hangs') });
hang('hung');
quick('DROP EXTENSION', sub { sql('DROP EXTENSION pgseal', 'hung') });
hang('hangs');
quick('DROP DATABASE', sub { sql('DROP DATABASE hangs') });
foreach (1 .. 700)
{
	last if naps() > 0;
	select undef, undef, undef, 0.1;
}
cmp_ok(naps(), '>', 0, 'the command of another database hangs again');
quick('a stop of the server', sub { $node->stop('fast') });
is(naps(), 0, 'which leaves no command');
$node->append_conf('postgresql.conf', "seal.checkpoint_command = ''\nseal.checkpoint_interval = 0");
$node->start;
sql('SELECT seal.checkpoint()');
is(delivered(), 't', 'without a command a checkpoint is delivered at once');

# Busy workers ---------------------------------------------------------------------------------------------------------

sql('CREATE DATABASE busy');
foreach my $round (1 .. 5)
{
	sql('CREATE EXTENSION pgseal', 'busy');
	records('busy', 20000);
	quick("$round: CREATE DATABASE ... TEMPLATE beside a busy worker", sub { sql('CREATE DATABASE twin TEMPLATE busy') });
	records($_, 20000) foreach 'twin', 'busy';
	quick("$round: DROP EXTENSION", sub { sql('DROP EXTENSION pgseal', 'busy') });
	quick("$round: DROP DATABASE", sub { sql('DROP DATABASE twin') });
}

# More databases than there are places for at a time ----------------------------------------------------------------

sql('CREATE DATABASE many');
sql(q{CREATE EXTENSION pgseal; SELECT seal.create_key('note'); SELECT seal.checkpoint()}, 'many');
my @many = map { "many$_" } 1 .. 36;
sql("CREATE DATABASE $_ TEMPLATE many") foreach @many;
foreach my $round (1 .. 2)
{
	records($_, 3) foreach @many;
}
my $whole = 0;
foreach my $database (@many)
{
	$whole++ if sql(q{SELECT length(seal.checkpoint()) AS len \gset
SELECT count(*) = 6 AND (SELECT intact FROM seal.verify_audit()) FROM seal.audit_entry WHERE what = 'audit_log'}, $database) eq 't';
}
is($whole, 36, 'each of 36 databases has its records, and a log that verifies');

# Other encodings -------------------------------------------------------------------------------------------------------

sql('CREATE ROLE lab_app LOGIN');
foreach my $encoding ('LATIN1', 'SQL_ASCII')
{
	my $database = lc $encoding;
	local $ENV{PGCLIENTENCODING} = $encoding eq 'LATIN1' ? 'UTF8' : 'SQL_ASCII';
	sql("CREATE DATABASE $database TEMPLATE template0 ENCODING '$encoding' LOCALE 'C'");
	sql(<<"SQL", $database);
CREATE EXTENSION pgseal;
SELECT seal.create_key('note');
CREATE ROLE "müller_$database";
GRANT "müller_$database" TO lab_app;
SELECT seal.grant_key('note', 'müller_$database', '{seal,reveal}');
CREATE TABLE "bücher" (id int PRIMARY KEY, note sealed_text(note), "größe" text);
GRANT ALL ON "bücher" TO "müller_$database";
SELECT seal.watch('"bücher"');
SQL
	as_role($node, 'lab_app', qq{SET ROLE "müller_$database"; INSERT INTO "bücher" VALUES (1, 'Käse', 'groß'); SELECT seal.reveal(note) FROM "bücher"}, database => $database);
	sql('SELECT seal.checkpoint()', $database);
	is(sql(q{SELECT string_agg(action, ' ' ORDER BY entry) FROM seal.audit_entry WHERE login_role = 'lab_app'}, $database) =~ /^(?=.*\bopen\b)(?=.*\bclose\b)(?=.*\binsert\b)/, 1, "$encoding: records and writes are in the log");
	is(sql(q{SELECT DISTINCT relation FROM seal.audit_entry WHERE action = 'insert'}, $database), 'public."bücher"', "$encoding: a table has its name");
	is(sql(q{SELECT DISTINCT role FROM seal.audit_entry WHERE action = 'open'}, $database), "müller_$database", "$encoding: a role has its name");
	is(sql('SELECT intact, problem FROM seal.verify_audit()', $database), 't|', "$encoding: the log verifies");
	local $ENV{PGCLIENTENCODING} = $encoding;	# the dash of a note is no character of LATIN1: no conversion
	my $export = $node->basedir . "/export.$database";
	open my $handle, '>', $export or die $!;
	print $handle sql('SELECT seal.export_audit()', $database), "\n";
	close $handle;
	my $key = sql('SELECT seal.public_key()', $database);
	like(`demo/verify_export '$key' '$export' 2>&1`, qr/^verified: /m, "$encoding: also outside");
}
unlike(slurp_file($node->logfile), qr/deadlock detected|PANIC|terminated by signal 11/, 'no deadlock, no crash');

done_testing;
