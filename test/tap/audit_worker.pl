# audit_worker.pl: a worker with a backlog leaves the processor to others, and goes when it is told to.
#
# Not a pg_regress test: it needs a backlog of segments, drops databases that a
# worker is in, and restarts without a root.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use Pgseal;

my $backlog = 200_000;
my $batch = 5000;
my $node = new_node('audit_worker', conf => <<'END');
max_prepared_transactions = 2
seal.ingest_interval = '1h'
seal.checkpoint_interval = 1
seal.audit_max_size = '4GB'
seal.audit_sync = off
END

sub sql { return $node->safe_psql($_[1] // 'postgres', $_[0]); }

# setting NAME, VALUE: from now on.
sub setting { return sql("ALTER SYSTEM SET $_[0] = '$_[1]'") . sql('SELECT pg_reload_conf()'); }

# records COUNT, DATABASE: so many records, appended one after the other.
sub records { return sql("SELECT count(seal.audit_reading('audit_log')) FROM generate_series(1, $_[0])", $_[1]); }

# entries DATABASE: the log's, so far.
sub entries { return sql('SELECT coalesce(max(size), 0) FROM seal.audit_state', $_[0]); }

# a_worker_rests: in the middle of a backlog, in a database.
sub a_worker_rests
{
	my ($database) = @_;
	my $begun = entries($database);
	return $node->poll_query_until($database, "SELECT size >= $begun + $batch FROM seal.audit_state");
}

# segment_count: of a database.
sub segment_count { return sql("SELECT count(*) FROM pg_ls_dir('pg_seal/' || (SELECT oid FROM pg_database WHERE datname = '$_[0]')) AS name WHERE name ~ '[.]'"); }

sql(q{CREATE EXTENSION pgseal; CREATE EXTENSION amcheck; SELECT seal.create_key('k'); CREATE TABLE patient (id int PRIMARY KEY, plain text); SELECT seal.watch('patient')});
sql('SELECT seal.checkpoint()');

# A backlog is worked off slowly, and signed on the way.
records($backlog);
my $all = entries() + $backlog;
setting('seal.ingest_interval', '10ms');
a_worker_rests('postgres');
my ($from, $begun) = (entries(), time);
ok($node->poll_query_until('postgres', "SELECT checkpoint_size >= $from + $batch AND size < $all FROM seal.audit_state"), 'a checkpoint is made during a backlog');
my $slow = (entries() - $from) / (time - $begun);
is(sql(q{SELECT unread_segments > 0, lag > '0' FROM seal.audit_status}), 't|t', 'what is unread shows, and how old it is');
ok($node->poll_query_until('postgres', <<'END'), 'a worker that rests holds no lock');
SELECT count(*) = 1 FROM pg_stat_activity a WHERE backend_type = 'pgseal log' AND NOT EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid)
END

# Whoever waits for it has all of it.
($from, $begun) = (entries(), time);
sql('SELECT seal.checkpoint()');
my $fast = (entries() - $from) / (time - $begun);
cmp_ok(entries(), '>=', $all, 'a demand has everything taken in');
cmp_ok($fast, '>', 2 * $slow, sprintf 'at %.0f entries a second instead of %.0f', $fast, $slow);
is(sql('SELECT intact FROM seal.verify_audit()'), 't', 'and the log verifies');

# Prepared writes come with COMMIT PREPARED, or never.
sql(q{BEGIN; INSERT INTO patient VALUES (1, 'kept'); PREPARE TRANSACTION 'kept'});
sql(q{BEGIN; INSERT INTO patient VALUES (2, 'lost'); PREPARE TRANSACTION 'lost'});
sql('SELECT seal.checkpoint()');
is(sql(q{SELECT count(*) FROM seal.audit_entry WHERE row_key IS NOT NULL}), '0', 'what is prepared is in no entry');
sql(q{ROLLBACK PREPARED 'lost'});
sql(q{COMMIT PREPARED 'kept'});
my $there = 0;
for (my $end = time + 30; !$there && time < $end; select undef, undef, undef, 0.1)
{
	$there = sql(q{SELECT count(*) FROM seal.audit_entry WHERE row_key IS NOT NULL});
}
is(sql(q{SELECT string_agg(row_key, ',') FROM seal.audit_entry WHERE row_key IS NOT NULL}), '1', 'COMMIT PREPARED brings it, without another write');
sql('SELECT seal.checkpoint()');
is(sql(q{SELECT string_agg(row_key, ',') FROM seal.audit_entry WHERE row_key IS NOT NULL}), '1', 'ROLLBACK PREPARED brings nothing');

# The history of a row reads its entries alone.
sql(q{UPDATE patient SET id = 7 WHERE id = 1; UPDATE patient SET plain = 'moved' WHERE id = 7});
sql('SELECT seal.checkpoint(); ANALYZE seal.audit_entry');
is(sql(q{SELECT string_agg(action, ' ' ORDER BY entry) FROM seal.row_history('patient', '7')}), 'update update', 'a row has a history, also under a key that it got later');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM pg_stat_user_indexes WHERE indexrelname IN ('audit_entry_row', 'audit_entry_moved_row') AND idx_scan > 0}),
	'found by its indexes');
is(sql('SELECT seal.purge_audit(interval \'0\', true) > 0'), 't', 'a purge');
sql(q{SELECT bt_index_check(c.oid, true) FROM pg_index JOIN pg_class c ON c.oid = indexrelid JOIN pg_am a ON a.oid = relam WHERE indrelid = 'seal.audit_entry'::regclass AND amname = 'btree'});
is(sql('SELECT pg_relation_size(oid) <= 5 * 8192 FROM pg_class WHERE relname = \'audit_entry_row\''), 't', 'what is read stands in no index of rows');

# What comes while a worker works waits for the next look, not for its end alone.
sub workers { return q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pgseal log'}; }
setting('seal.checkpoint_command', 'sleep 2');
setting('seal.ingest_interval', '1h');
my $session = $node->background_psql('postgres');
$node->poll_query_until('postgres', workers(), '0') or die 'a worker stays';
$session->query_until(qr/^$/, "SELECT seal.checkpoint();\n");
ok($node->poll_query_until('postgres', workers(), '1'), 'a worker is demanded');
my $before = sql('SELECT coalesce(max(size), 0) FROM seal.audit_state WHERE pg_sleep(1) IS NOT NULL');
records(10);
$session->quit;
$node->poll_query_until('postgres', workers(), '0') or die 'a worker stays';
is(sql('SELECT size FROM seal.audit_state WHERE pg_sleep(1) IS NOT NULL'), $before, 'its end makes nobody look for records');
setting('seal.checkpoint_command', '');

# Nobody waits for a worker with a backlog.
sql('CREATE DATABASE busy');
sql(q{CREATE EXTENSION pgseal}, 'busy');
records(60_000, 'busy');
setting('seal.ingest_interval', '10ms');
a_worker_rests('busy');
sql('CREATE DATABASE twin TEMPLATE busy');
cmp_ok(entries('twin'), '<', 60_000, 'CREATE DATABASE ... TEMPLATE beside a worker with a backlog');
a_worker_rests('busy');
cmp_ok(entries('busy'), '<', 60_000, 'it comes back, and goes on');
sql('DROP EXTENSION pgseal', 'busy');
pass('DROP EXTENSION beside it');
sql('CREATE EXTENSION pgseal', 'busy');
records(60_000, 'busy');
a_worker_rests('busy');
sql('DROP DATABASE busy');
pass('DROP DATABASE beside it');

# With no checkpoint to wait for, segments go when they are read.
setting('seal.checkpoint_interval', '0');
setting('seal.ingest_interval', '1h');
records(150_000);
cmp_ok(segment_count('postgres'), '>', 1, 'several segments');
my $signed = sql('SELECT checkpoint_size FROM seal.audit_state');
setting('seal.ingest_interval', '10ms');
ok($node->poll_query_until('postgres', q{SELECT unread_segments = 0 FROM seal.audit_status}), 'are read');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_ls_dir('pg_seal/' || (SELECT oid FROM pg_database WHERE datname = 'postgres')) AS name WHERE name ~ '[.]'}),
	'and all but the one that is written to are removed');
is(sql('SELECT checkpoint_size FROM seal.audit_state'), $signed, 'though no checkpoint was made');

# Without a root nothing is signed, and segments stay.
setting('seal.checkpoint_interval', '1');
$node->append_conf('postgresql.conf', "seal.root_key_file = ''");
foreach my $start (1, 2)	# a segment each
{
	$node->restart;
	records(10);
}
ok($node->poll_query_until('postgres', q{SELECT unread_segments = 0 AND last_error LIKE 'no checkpoint for want of the signing key%' FROM seal.audit_status}),
	'without a root the log goes on, and says that nothing is signed');
cmp_ok(segment_count('postgres'), '>', 1, 'segments wait for a checkpoint');

$node->stop;
done_testing();
