# claims.pl: seal.actor and seal.purpose in the log, and in sessions that go from
# person to person.
#
# Not a pg_regress test: it needs a pooler, workers, and the worker of the log.
use strict;
use warnings;
use IPC::Run;
use Pgseal;
use PostgreSQL::Test::Cluster;
use Test::More;

my $node = new_node('claims', conf => "seal.ingest_interval = '1h'\nseal.checkpoint_interval = 0\nseal.audit_batch = 10\nlisten_addresses = '127.0.0.1'\n");

sub sql { return $node->safe_psql('postgres', $_[0]); }

sql(<<'SQL');
CREATE EXTENSION pgseal;
CREATE ROLE lab_app LOGIN PASSWORD 'app';
SELECT seal.create_key('note');
SELECT seal.create_key('who', require_actor => true);
SELECT seal.grant_key(k, 'lab_app', '{seal,reveal}') FROM unnest('{note,who}'::text[]) k;
CREATE TABLE patient (id int PRIMARY KEY, ward text, note sealed_text(note), nir sealed_text(who));
SELECT seal.watch('patient');
GRANT ALL ON patient TO lab_app;
SQL
as_role($node, 'lab_app', q{INSERT INTO patient SELECT i, 'north', 'asthma', 'n' || i FROM generate_series(1, 100) i});

# entries WHAT, CONDITION: of the log, everything taken in.
sub entries
{
	my ($what, $condition) = @_;
	sql('SELECT seal.checkpoint()');
	return sql("SELECT $what FROM seal.audit_entry WHERE $condition ORDER BY entry");
}

# last_entry: number of the newest entry.
sub last_entry
{
	sql('SELECT seal.checkpoint()');
	return sql('SELECT coalesce(max(entry), -1) FROM seal.audit_entry');
}

# Every record of a statement -----------------------------------------------------------------------

my $from = last_entry();
as_role($node, 'lab_app', <<'SQL');
BEGIN;
SET LOCAL seal.actor = 'Dr Lune';
SET LOCAL seal.purpose = 'TREAT';
SELECT count(seal.reveal(note)) FROM patient;
UPDATE patient SET ward = 'south' WHERE id = 1;
COMMIT;
SELECT count(seal.reveal(note)) FROM patient;
UPDATE patient SET ward = 'west' WHERE id = 1;
SQL
sql('SELECT seal.checkpoint()');
is(sql(qq{SELECT string_agg(DISTINCT concat_ws(' ', action, actor, purpose), ', ' ORDER BY concat_ws(' ', action, actor, purpose)) FROM seal.audit_entry WHERE entry > $from AND action IN ('open', 'progress', 'close')}),
	'close, close Dr Lune TREAT, open, open Dr Lune TREAT, progress, progress Dr Lune TREAT', 'open, progress and close say for whom and why, of the transaction that said so and of no other');
is(sql(qq{SELECT string_agg(concat_ws(' ', actor, purpose), ', ' ORDER BY entry) FROM seal.audit_entry WHERE entry > $from AND action = 'update'}),
	'Dr Lune TREAT, ', 'and writes to a watched table');

$from = last_entry();
error_of($node, 'lab_app', q{BEGIN; SET LOCAL seal.actor = 'Dr Lune'; SELECT 1 / (length(seal.reveal(note)) - 6) FROM patient});
is(entries(q{concat_ws(' ', action, outcome, actor)}, "entry > $from AND action IN ('open', 'close')"),
	"open ok Dr Lune\nclose 22012 Dr Lune", 'a statement that fails closes as it opened');

$from = last_entry();
sql(<<'SQL');
BEGIN;
SET LOCAL seal.actor = 'Dr Lune';
SELECT seal.rotate_key('note');
ROLLBACK;
SELECT seal.rotate_key('note');
SQL
is(entries(q{concat_ws(' ', action, outcome, actor)}, "entry > $from AND action = 'key'"),
	"key ok Dr Lune\nkey aborted Dr Lune\nkey ok", 'changes of the ring, also when they are taken back');

$from = last_entry();
as_role($node, 'lab_app', <<'SQL');
CREATE FUNCTION pg_temp.as_two() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
  PERFORM set_config('seal.actor', 'Dr Lune', true);
  SELECT count(seal.reveal(note)) INTO n FROM patient WHERE id <= 3;
  PERFORM set_config('seal.actor', 'Dr Soleil', true);
  RETURN n + (SELECT count(seal.reveal(note)) FROM patient WHERE id <= 4);
END $$;
SELECT pg_temp.as_two();
SQL
is(entries(q{concat_ws(' ', action, actor, values_opened)}, "entry > $from AND action IN ('open', 'close')"),
	"open Dr Lune\nopen Dr Soleil\nclose Dr Lune 3\nclose Dr Soleil 4", 'within a statement each actor has his own count');

$from = last_entry();
as_role($node, 'lab_app', <<'SQL');
DO $$ BEGIN
  PERFORM set_config('seal.actor', 'Dr Lune', false);
  PERFORM seal.reveal(note) FROM patient WHERE id <= 3;
  COMMIT;
  PERFORM seal.reveal(note) FROM patient WHERE id <= 4;
END $$;
SQL
is(entries(q{concat_ws(' ', action, actor, values_opened)}, "entry > $from AND action IN ('open', 'close')"),
	"open Dr Lune\nopen\nclose Dr Lune 3\nclose 4", 'and what a command opens after its COMMIT is nobody\'s');

# A name that is no ASCII, and one that is too long.
$from = last_entry();
as_role($node, 'lab_app', q{BEGIN; SET LOCAL seal.actor = 'Zoé Ångström'; SELECT seal.reveal(note) FROM patient LIMIT 1});
as_role($node, 'lab_app', q{BEGIN; SELECT set_config('seal.actor', repeat('é', 5000), true); SELECT seal.reveal(note) FROM patient LIMIT 1});
is(entries(q{left(actor, 12) || ' ' || (octet_length(actor) < 300)}, "entry > $from AND action = 'open'"),
	"Zoé Ångström true\n" . 'é' x 12 . ' true', 'an actor is kept as it was spelled, up to a length');

# Parallel workers: their own records say the same ----------------------------------------------------------

$from = last_entry();
my $parallel = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off;';
sql('ALTER TABLE patient SET (parallel_workers = 2)');
my $in_worker = 'SELECT count(seal.show(nir)) FROM patient';
as_role($node, 'lab_app', "$parallel SET seal.actor = 'Dr Before'; BEGIN; SET LOCAL seal.actor = 'Dr Lune'; $in_worker");
sql('SELECT seal.checkpoint()');
is(sql(qq{SELECT string_agg(DISTINCT concat_ws(' ', action, actor, rows_returned IS NULL), ', ') FROM seal.audit_entry WHERE entry > $from AND action = 'close'}),
	'close Dr Lune t', "a parallel worker records its leader's actor");
like(error_of($node, 'lab_app', "$parallel SET seal.actor = 'Dr Before'; $in_worker"), qr/^42501: key "who" requires an actor/, 'and refuses what its leader would refuse');

# A pooler in transaction mode: two people take turns on one session ------------------------------------------

my $folder = $node->basedir;
my $port = PostgreSQL::Test::Cluster::get_free_port();
PostgreSQL::Test::Utils::append_to_file("$folder/users.txt", qq{"lab_app" "app"\n});
PostgreSQL::Test::Utils::append_to_file("$folder/pgbouncer.ini", <<"INI");
[databases]
postgres = host=${\$node->host} port=${\$node->port} dbname=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = plain
auth_file = $folder/users.txt
pool_mode = transaction
default_pool_size = 1
logfile = $folder/pgbouncer.log
INI
my $pooler = IPC::Run::start([ 'pgbouncer', '--quiet', "$folder/pgbouncer.ini" ], '>', \my $pooler_out, '2>', \my $pooler_err);

# person: a client of the pooler, one psql that stays connected.
sub person
{
	my %person = (in => '', out => '', err => '');
	$person{run} = IPC::Run::start([ 'psql', '-X', '-q', '-A', '-t', '-d', "host=127.0.0.1 port=$port user=lab_app password=app dbname=postgres" ],
		'<', \$person{in}, '>', \$person{out}, '2>', \$person{err}, IPC::Run::timeout(60));
	return \%person;
}

# ask PERSON, SQL: what it gets, or the message of the error.
sub ask
{
	my ($person, $sql) = @_;
	$person->{out} = $person->{err} = '';
	$person->{in} .= "$sql\n\\echo DONE\n";
	IPC::Run::pump($person->{run}) until $person->{out} =~ /DONE\n/;
	(my $out = $person->{out}) =~ s/DONE\n//;
	return $person->{err} =~ /ERROR:  (.*)/ ? $1 : $out =~ s/\n\z//r;
}

for (1 .. 100)
{
	last if system("psql -X -q -o /dev/null -c 'SELECT' 'host=127.0.0.1 port=$port user=lab_app password=app dbname=postgres' 2>/dev/null") == 0;
	select undef, undef, undef, 0.1;
}
my ($lune, $soleil) = (person(), person());
my $refused = 'key "who" requires an actor';
my $one = 'SELECT seal.reveal(nir) FROM patient WHERE id = 1;';
is(ask($lune, 'SELECT pg_backend_pid();'), ask($soleil, 'SELECT pg_backend_pid();'), 'two people, one session');
ask($lune, "SET seal.actor = 'Dr Lune'; SET seal.purpose = 'TREAT';");
is(ask($soleil, 'SHOW seal.actor;'), 'Dr Lune', 'the setting of one reaches the other');
is(ask($soleil, $one), $refused, 'but counts for nothing there');
is(ask($soleil, "BEGIN; $one"), $refused, 'in a transaction neither');
ask($soleil, 'ROLLBACK;');
is(ask($soleil, "BEGIN; SAVEPOINT s; SET LOCAL seal.actor = 'x'; ROLLBACK TO s; $one"), $refused, 'nor when a savepoint brings it back');
ask($soleil, 'ROLLBACK;');
is(ask($lune, $one), $refused, 'not even for who set it, in a transaction before');
$from = last_entry();
is(ask($lune, "BEGIN; SET LOCAL seal.actor = 'Dr Lune'; $one"), 'n1', 'in the transaction that says so the value opens');
ask($lune, 'COMMIT;');
is(ask($soleil, $one), $refused, 'and in the next one on that session it does not');
is(ask($soleil, "BEGIN; SET LOCAL seal.actor = 'Dr Soleil'; $one COMMIT;"), 'n1', 'until that says so itself');
is(ask($soleil, 'SELECT seal.reveal(note) FROM patient WHERE id = 1;'), 'asthma', 'a key that requires nobody opens without');
is(entries(q{concat_ws(' ', keys::text, actor, purpose)}, "entry > $from AND action = 'open'"),
	"{who} Dr Lune\n{who} Dr Soleil\n{note}", 'each is recorded under his own name, the last under none');
$_->{run}->finish foreach map { $_->{in} .= "\\q\n"; $_ } ($lune, $soleil);
$pooler->signal('TERM');
$pooler->finish;

done_testing();
