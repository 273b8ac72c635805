# crash.pl: after a crash the ring verifies, what was committed opens, and what was
# not never was.
#
# Not a pg_regress test: it kills backends and the server, and reads the server log.
use strict;
use warnings;
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;
use Pgseal;

my $node = new_node('crash', conf => "restart_after_crash = on\nlog_min_messages = log\n");
$node->safe_psql('postgres', <<'END');
CREATE ROLE lab_app LOGIN;
CREATE EXTENSION pgseal;
SELECT seal.create_key('nir', searchable => true);
SELECT seal.create_key('note');
SELECT seal.grant_key(k, 'lab_app', '{seal,search,reveal}') FROM unnest('{nir,note}'::text[]) k;
CREATE TABLE patient (id serial PRIMARY KEY, nir sealed_text(nir) UNIQUE, note sealed_text(note));
GRANT ALL ON patient TO lab_app;
GRANT ALL ON SEQUENCE patient_id_seq TO lab_app;
END
as_role($node, 'lab_app', q{INSERT INTO patient (nir, note) SELECT 'nir' || n, 'asthma' FROM generate_series(1, 100) n});

# verifies_ok NAME, VERSIONS: the ring and the table are as they were committed.
sub verifies_ok
{
	my ($name, $versions) = @_;
	is(as_role($node, 'lab_app', q{SELECT count(*), min(seal.reveal(note)), max(seal.reveal(note)), count(DISTINCT nir) FROM patient}),
		'100|asthma|asthma|100', "$name: what was committed opens");
	is(as_role($node, 'lab_app', q{SELECT seal.reveal(nir) FROM patient WHERE nir = 'nir42'}), 'nir42', "$name: and is found");
	is($node->safe_psql('postgres', q{SELECT versions FROM seal.keys WHERE name = 'note'}), $versions, "$name: versions of the key");
	is($node->safe_psql('postgres', q{SELECT length(seal.export_ring()) > 0}), 't', "$name: the ring verifies");
	is(as_role($node, 'lab_app', q{BEGIN; INSERT INTO patient (nir, note) VALUES ('new', 'of today') RETURNING seal.reveal(note); ROLLBACK}),
		'of today', "$name: and is in use");
	return;
}

# session ROLE, SQL...: a session in the middle of its work, and its process id.
sub session
{
	my ($role, @sql) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0, extra_params => [ '--username' => $role ]);
	$session->query_safe($_) foreach @sql;
	return ($session, $session->query_safe('SELECT pg_backend_pid()'));
}

# kill_and_wait PID: kill -9; the server starts anew.
sub kill_and_wait
{
	my ($pid) = @_;
	my $offset = -s $node->logfile;

	kill 'KILL', $pid or die "could not kill $pid: $!";
	comes_back($node, $offset);
	return $offset;
}

# A backend that is killed takes all others with it -----------------------------------------------

my ($copy, $copy_pid) = session('lab_app');
my ($change) = session('postgres', 'BEGIN', q{SELECT seal.rotate_key('note')}, q{SELECT seal.create_key('half')}, q{SELECT seal.revoke_key('nir', 'lab_app')});
$copy->query_until(qr/sent/, "\\echo sent\nCOPY patient (nir, note) FROM STDIN;\n" . join('', map { "canary$_\tcanary-note\n" } 1 .. 5000));
$node->poll_query_until('postgres', "SELECT pg_relation_size('patient') > 100000") or die 'COPY did not begin';
kill_and_wait($copy_pid);
verifies_ok('a backend killed in COPY', 1);
is($node->safe_psql('postgres', q{SELECT count(*) FROM seal.key WHERE name = 'half'}), '0', 'half a change of the ring is none');
eval { $_->quit } foreach $copy, $change;

my ($rotating, $rotating_pid) = session('postgres', 'BEGIN', q{SELECT seal.rotate_key('note')}, 'SELECT seal.rotate_root()');
kill_and_wait($rotating_pid);
verifies_ok('a backend killed in a change of the ring', 1);
eval { $rotating->quit };

# The report of a crash names the statement, and that may hold a value.
my ($running, $running_pid) = session('lab_app');
$running->query_until(qr/sent/, "\\echo sent\nUPDATE patient SET note = 'canary-running' WHERE id = 1 AND pg_sleep(100) IS NULL;\n");
$node->poll_query_until('postgres', "SELECT query LIKE '%pg_sleep%' AND state = 'active' FROM pg_stat_activity WHERE pid = $running_pid") or die 'nothing runs';
my $offset = kill_and_wait($running_pid);
my $log = log_since($node, $offset);
like($log, qr/LOG:  server process \(PID $running_pid\) was terminated by signal 9/, 'a crash is reported');
unlike($log, qr/canary-running|Failed process was running/, 'without its statement');
eval { $running->quit };

# The whole server --------------------------------------------------------------------------------

$node->safe_psql('postgres', q{SELECT seal.rotate_key('note')});
$node->stop('immediate');
$node->start;
verifies_ok('immediate shutdown after a change', 2);

my ($open) = session('postgres', 'BEGIN', q{SELECT seal.rotate_key('note')}, q{SELECT seal.grant_key('note', 'lab_app', '{seal}')});
my ($app) = session('lab_app', 'BEGIN', q{INSERT INTO patient (nir, note) SELECT 'lost' || n, 'lost' FROM generate_series(1, 1000) n});
$node->safe_psql('postgres', 'CHECKPOINT');
$node->stop('immediate');
$node->start;
verifies_ok('immediate shutdown in the middle of changes that were on disk', 2);
eval { $_->quit } foreach $open, $app;

# Prepared transactions outlive the server, and hold their change back until they end.
$node->append_conf('postgresql.conf', 'max_prepared_transactions = 2');
$node->restart;
is(error_of($node, 'postgres', q{BEGIN; SELECT seal.rotate_key('note'); PREPARE TRANSACTION 'change'}), '', 'a change of the ring is prepared');
verifies_ok('prepared', 2);
$node->stop('immediate');
$node->start;
verifies_ok('prepared, after a crash', 2);
is(error_of($node, 'postgres', q{SET lock_timeout = '100ms'; SELECT seal.create_key('other')}), '55P03: canceling statement due to lock timeout', 'another change waits for it');
$node->safe_psql('postgres', q{COMMIT PREPARED 'change'});
verifies_ok('committed', 3);

$node->stop;
unlike(slurp_file($node->logfile), qr/canary|asthma/, 'no value in the log of all this');
done_testing();
