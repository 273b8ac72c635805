# long_life.pl: many changes of the ring while sessions write, search and open.
# Not a pg_regress test: it needs concurrent sessions, and looks at their memory.
# `make test-long` makes 2,000 rotations under 8 sessions, `make test` 150 under 4.

use strict;
use warnings;
use Pgseal;
use IPC::Run ();
use PostgreSQL::Test::Utils qw(slurp_file append_to_file);
use Test::More;

my ($rotations, $sessions) = $ENV{PGSEAL_LONG} ? (2000, 8) : (150, 4);

my $node = new_node('life', conf => "max_prepared_transactions = 20\nmin_parallel_table_scan_size = 0\nparallel_setup_cost = 0\nparallel_tuple_cost = 0\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pgseal;
CREATE ROLE lab_app LOGIN;
CREATE ROLE passer_by;
SELECT seal.create_key('nir', searchable => true), seal.create_key('note');
SELECT seal.grant_key(k, 'lab_app', '{seal,search,reveal}') FROM unnest('{nir,note}'::text[]) k;
CREATE TABLE patient (id bigint PRIMARY KEY, nir sealed_text(nir) UNIQUE, note sealed_text(note));
GRANT ALL ON patient TO lab_app;
SQL

# script NAME, SQL: a pgbench script; returns its path.
sub script
{
	my ($name, $sql) = @_;
	my $file = $node->basedir . "/$name.sql";
	append_to_file($file, $sql);
	return $file;
}

# bench ROLE, OPTION...: starts pgbench; finish with finish_ok().
sub bench
{
	my ($role, @options) = @_;
	my $output = '';
	my $run = IPC::Run::start([ 'pgbench', '--no-vacuum', '-h', $node->host, '-p', $node->port, '-U', $role, @options, 'postgres' ], '<', \undef, '>&', \$output);
	return [ $run, \$output ];
}

sub finish_ok
{
	my ($bench, $name) = @_;
	ok($bench->[0]->finish, $name) or diag(${ $bench->[1] });
	unlike(${ $bench->[1] }, qr/ERROR|aborted/, "$name: without an error");
	return;
}

# What is written is found and opens, in the transaction and after it, in plans that were
# prepared long ago and in parallel workers: a division by zero if not.
my $work = script('work', <<'SQL');
\set id random(1, 1000000000000)
BEGIN;
INSERT INTO patient VALUES (:id, 'n' || :id, 'note ' || :id) ON CONFLICT DO NOTHING;
SELECT 1 / count(*) FROM patient WHERE nir = ('n' || :id) AND seal.reveal(note) = 'note ' || :id;
END;
SELECT 1 / count(*) FROM patient WHERE nir = ('n' || :id);
SELECT 1 / (1 - count(*)) FROM patient WHERE seal.reveal(note) <> 'note ' || id;
SQL
my $two_phase = script('two_phase', <<'SQL');
\set id random(1, 1000000000000)
BEGIN;
INSERT INTO patient VALUES (:id, 'n' || :id, 'note ' || :id) ON CONFLICT DO NOTHING;
PREPARE TRANSACTION 'p:client_id';
COMMIT PREPARED 'p:client_id';
SELECT 1 / count(*) FROM patient WHERE nir = ('n' || :id) AND seal.reveal(note) = 'note ' || :id;
SQL
my $change = script('change', <<'SQL');
SELECT seal.rotate_key('note');
SELECT seal.grant_key('note', 'passer_by', '{seal}');
SELECT seal.revoke_key('note', 'passer_by');
BEGIN;
SELECT seal.rotate_key('nir');
ROLLBACK;
SQL

# An open session that stays, with a plan of its own, to be looked at before and after.
my $open = $node->background_psql('postgres', timeout => 3600, extra_params => [ '--username' => 'lab_app' ]);
$open->set_query_timer_restart;		# the long run takes longer than one query may
my $pid = $open->query_safe('SELECT pg_backend_pid()');
$open->query_safe(q{INSERT INTO patient VALUES (1, 'n1', 'note 1'); PREPARE p AS SELECT seal.reveal(note) FROM patient WHERE nir = $1});

sub resident_kb
{
	return slurp_file("/proc/$pid/status") =~ /^VmRSS:\s+(\d+) kB/m ? $1 : die "no VmRSS of process $pid";
}

my $changes = int($rotations / 5);
for my $round (1 .. 5)
{
	my $changer = bench('postgres', '-n', '-c', 1, '-t', $changes, '-f', $change);
	my $worker  = bench('lab_app', '-M', 'prepared', '-c', $sessions - 2, '-j', 2, '-t', $changes, '-f', $work);
	my $other   = bench('lab_app', '-c', 1, '-t', $changes, '-f', $two_phase);
	finish_ok($changer, "round $round: $changes rotations, grants and revokes");
	finish_ok($worker, "round $round: the sessions beside them");
	finish_ok($other, "round $round: one with two-phase commit");
	is($open->query_safe("EXECUTE p('n1')"), 'note 1', "round $round: the oldest session and value");
}
is($node->safe_psql('postgres', q{SELECT active_version FROM seal.keys WHERE name = 'note'}), 5 * $changes + 1, 'no rotation was lost');
is(as_role($node, 'lab_app', q{SELECT count(*) FROM patient WHERE seal.reveal(note) IS DISTINCT FROM 'note ' || id}), '0', 'every value of every version opens');
cmp_ok(as_role($node, 'lab_app', q{SELECT count(DISTINCT substr(seal.sealed_text_send(note), 11, 2)) FROM patient}), '>', 10, 'and there are many versions');

# Memory: the open session reads the ring anew after each change, and opens all versions.
$open->query_safe('SELECT count(seal.reveal(note)) FROM patient');
my $before = resident_kb();
for (1 .. 30)
{
	$node->safe_psql('postgres', q{SELECT seal.grant_key('note', 'passer_by', '{seal}'); SELECT seal.revoke_key('note', 'passer_by')});
	$open->query_safe('SELECT count(seal.reveal(note)) FROM patient');
}
my $growth = resident_kb() - $before;
cmp_ok($growth, '<', 2048, "memory is flat over 30 changes of a ring with many versions ($growth kB)");

# The root key, while sessions work: the new line first, rotate, the old line away.
my $worker = bench('lab_app', '-M', 'prepared', '-c', $sessions - 1, '-j', 2, '-T', 3, '-f', $work);
my $file = root_key_file($node);
my $old = slurp_file($file);
my $new = 'f0' x 32 . "\n";
write_root_lines($new . $old);
my $fingerprint = $node->safe_psql('postgres', 'SELECT seal.rotate_root()');
is($node->safe_psql('postgres', 'SELECT DISTINCT root FROM seal.keys'), $fingerprint, 'the ring is under the new root');
write_root_lines($new);
finish_ok($worker, 'sessions beside a rotation of the root key');
is($open->query_safe("EXECUTE p('n1')"), 'note 1', 'the oldest session goes on');
is(as_role($node, 'lab_app', q{SELECT count(*) FROM patient WHERE seal.reveal(note) IS DISTINCT FROM 'note ' || id}), '0', 'every value opens without the old root key');
$open->quit;

# write_root_lines LINES: as an administrator does, by a new file that takes the old one's place.
sub write_root_lines
{
	my ($lines) = @_;
	append_to_file("$file.new", $lines);
	chmod 0600, "$file.new" or die "could not change the mode of $file.new: $!";
	rename "$file.new", $file or die "could not rename $file.new: $!";
	return;
}

done_testing;
