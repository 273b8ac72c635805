# no_root.pl: keys are needed to read meaning, never to do maintenance: what must work
# after the root key file was moved away and the server restarted.
#
# Not a pg_regress test: it moves files, restarts servers, waits for autovacuum, and runs
# client programs between databases, clusters and replicas.  pg_upgrade is in upgrade.pl.
use strict;
use warnings;
use File::Basename qw(basename);
use File::Copy qw(move);
use IPC::Run;
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;
use Pgseal;

my $node = new_node('home', allows_streaming => 'logical', conf => "autovacuum = off\nmax_worker_processes = 16\n");
my $folder = $node->basedir . '/files';
mkdir $folder or die "could not make $folder: $!";

# quiet_ok NAME, SQL, OPTION => VALUE...: SQL succeeds, and the client hears nothing else; what it prints.
#	on			the server, default home
#	database	default postgres
#	role		default the owner of the tables, who has no right to any key
sub quiet_ok
{
	my ($name, $sql, %option) = @_;
	my ($status, $out, $err) = ($option{on} // $node)->psql($option{database} // 'postgres', $sql,
		extra_params => [ '--username' => $option{role} // 'lab_owner' ]);
	is("$status:$err", '0:', $name);
	return $out;
}

# run_ok NAME, COMMAND...: a client program succeeds and says nothing; what it prints.
sub run_ok
{
	my ($name, @command) = @_;
	my ($out, $err) = ('', '');
	my $ok = IPC::Run::run \@command, '>', \$out, '2>', \$err;
	is(($ok ? 0 : 1) . ":$err", '0:', $name);
	return $out;
}

sub at
{
	my ($where) = @_;
	return ('--host', $where->host, '--port', $where->port);
}

sub take_root_away
{
	my ($where) = @_;
	my $offset = -s $where->logfile;

	move(root_key_file($where), root_key_file($where) . '.away') or die "could not move the root key: $!";
	$where->restart;
	my @warnings = log_since($where, $offset) =~ /^.*WARNING:.*$/mg;
	is(scalar(@warnings), 1, $where->name . ': the server starts without its root key, with one warning');
	return;
}

sub put_root_back
{
	my ($where) = @_;
	move(root_key_file($where) . '.away', root_key_file($where)) or die "could not move the root key: $!";
	$where->restart;
	return;
}

# closed_ok NAME, NODE, DATABASE [, FILE]: a stored value does not open, because the root key in FILE is gone.
sub closed_ok
{
	my ($name, $where, $database, $file) = @_;
	$file //= root_key_file($where);
	is(error_of($where, 'lab_app', 'SELECT seal.reveal(note) FROM patient WHERE id = 7', database => $database),
		qq{F0000: root key cannot be used: could not find "$file"}, "$name: a reveal fails");
	return;
}

# Tables, with a column of every type -----------------------------------------------------------------

$node->safe_psql('postgres', <<'END');
CREATE ROLE lab_app LOGIN;
CREATE ROLE lab_former LOGIN;
CREATE ROLE lab_new LOGIN;
CREATE ROLE lab_owner LOGIN;
CREATE EXTENSION pgseal;
SELECT seal.create_key('nir', searchable => true);
SELECT seal.create_key('note', pad => 64);
SELECT seal.grant_key(k, r::regrole, '{seal,search,reveal}') FROM unnest('{nir,note}'::text[]) k, unnest('{lab_app,lab_former}'::text[]) r;
GRANT CREATE ON SCHEMA public TO lab_owner;
SET SESSION AUTHORIZATION lab_owner;
CREATE TABLE patient (
  id integer PRIMARY KEY,
  nir sealed_text(nir) UNIQUE,
  family sealed_text(nir),
  born sealed_date(note),
  note sealed_text(note),
  label text);
CREATE TABLE visit (id integer, patient sealed_text(nir) REFERENCES patient (nir), value sealed_numeric(note));
CREATE TABLE every_type (
  id integer PRIMARY KEY,
  t sealed_text(nir), b sealed_bytea(nir), o sealed_bool(nir), i sealed_int(nir), f sealed_float8(nir),
  n sealed_numeric(nir), d sealed_date(nir), z sealed_timestamptz(nir), u sealed_uuid(nir), j sealed_jsonb(nir),
  label text);
CREATE TABLE spread (nir sealed_text(nir), n integer) PARTITION BY HASH (nir);
CREATE TABLE spread_0 PARTITION OF spread FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE spread_1 PARTITION OF spread FOR VALUES WITH (MODULUS 2, REMAINDER 1);
GRANT ALL ON ALL TABLES IN SCHEMA public TO lab_app, lab_former, lab_new;
END
as_role($node, 'lab_app', <<'END');
INSERT INTO patient SELECT n, 'nir' || n, 'family' || n % 50, date '1984-12-03' + n, repeat('asthma ', n), 'label' || n % 3 FROM generate_series(1, 500) n;
INSERT INTO patient (id, note) VALUES (501, repeat('0123456789abcdef', 20000)), (502, NULL);
INSERT INTO visit SELECT id, nir, 1.5 FROM patient WHERE nir IS NOT NULL;
INSERT INTO every_type SELECT n, 'asthma' || n, 'asthma', n > 50, n, n / 7.0, n / 7.0, date '1984-12-03' + n, timestamptz '1984-12-03 10:00+00' + n * interval '1 hour',
  md5(n::text)::uuid, jsonb_build_object('asthma', n), 'label' || n % 3 FROM generate_series(1, 100) n;
INSERT INTO every_type (id) VALUES (101);
INSERT INTO spread SELECT 'nir' || n % 40, n FROM generate_series(1, 100) n;
END
$node->safe_psql('postgres', q{SELECT seal.grant_key('nir', 'postgres', '{search}')});
my $envelope = $node->safe_psql('postgres', q{SELECT seal.token_literal('nir', 'family7')});
$node->safe_psql('postgres', q{SELECT seal.revoke_key('nir', 'postgres')});

# What a database holds, byte by byte, what it says when opened, and what it finds.
my $stored = q{SELECT md5(string_agg(line, ',' ORDER BY line)) FROM (
  SELECT to_jsonb(p)::text FROM patient p UNION ALL SELECT to_jsonb(v)::text FROM visit v UNION ALL SELECT to_jsonb(e)::text FROM every_type e
  UNION ALL SELECT to_jsonb(s)::text || s.tableoid::regclass FROM spread s) AS x(line)};
my $opened = q{SELECT md5(string_agg(concat_ws('|', p.id, seal.reveal(nir), seal.reveal(family), seal.reveal(born), seal.reveal(note),
    t::text, b::bytea, o::boolean, i::bigint, f::float8, n::numeric, d::date, z::timestamptz, u::uuid, j::jsonb), ',' ORDER BY p.id))
  FROM patient p LEFT JOIN every_type e USING (id)};
my $found = q{SELECT (SELECT count(*) FROM patient WHERE nir = 'nir7'), (SELECT count(*) FROM patient WHERE family = 'family7'),
  (SELECT count(*) FROM spread WHERE nir = 'nir7'), (SELECT count(*) FROM patient JOIN visit ON nir = patient WHERE nir = 'nir7'),
  (SELECT count(*) FROM every_type WHERE t = 'asthma7' AND i = 7 AND d = '1984-12-10' AND u = md5('7')::uuid AND j = '{"asthma": 7}')};
my $home_stored = $node->safe_psql('postgres', $stored);
my $home_opened = as_role($node, 'lab_app', $opened);

sub unchanged_ok
{
	my ($name, $where, $database) = @_;
	is($where->safe_psql($database, $stored), $home_stored, "$name: every envelope is the same");
	return;
}

# works_ok NAME, NODE, DATABASE: with the root key there, everything opens, and is found with and without indexes.
sub works_ok
{
	my ($name, $where, $database) = @_;
	is(as_role($where, 'lab_app', $opened, database => $database), $home_opened, "$name: opens");
	is(as_role($where, 'lab_app', "SET enable_$_ = off; $found", database => $database), '1|10|3|1|1', "$name: finds with enable_$_ off")
	  foreach 'seqscan', 'indexscan';
	return;
}
works_ok('with the root key', $node, 'postgres');

take_root_away($node);
closed_ok('home', $node, 'postgres');
like(error_of($node, 'lab_app', q{SELECT id FROM patient WHERE nir = 'nir7'}), qr/^F0000: /, 'home: so does a search');
like(error_of($node, 'lab_app', q{INSERT INTO patient (id, nir) VALUES (1001, 'nir1001')}), qr/^F0000: /, 'home: a plain value is not written');
is(error_of($node, 'lab_app', q{INSERT INTO patient (id) VALUES (7)}), '23505: duplicate key value violates unique constraint "patient_pkey"', 'home: other errors are as ever');

# ANALYZE, and autovacuum by itself -------------------------------------------------------------------

# statistics_ok NAME: they are there, and hold values of plain columns only.
sub statistics_ok
{
	my ($name) = @_;
	my $statistics = $node->safe_psql('postgres', q{SELECT s FROM pg_statistic s WHERE starelid IN ('patient'::regclass, 'every_type'::regclass)});

	is($node->safe_psql('postgres', q{SELECT n_distinct::integer, null_frac > 0 FROM pg_stats WHERE tablename = 'patient' AND attname = 'family'}), '50|t',
		"$name: distinct tokens are counted");
	is($node->safe_psql('postgres', q{SELECT count(*), count(most_common_vals) + count(histogram_bounds) FROM pg_stats JOIN pg_attribute a USING (attname)
		WHERE tablename IN ('patient', 'every_type') AND attrelid = tablename::regclass AND format_type(a.atttypid, NULL) LIKE 'sealed%'}), '14|0',
		"$name: no values of the 14 sealed columns");
	like($statistics, qr/label1/, "$name: values of a plain column are found");
	unlike($statistics, qr/asthma|nir\d|family|1984-12|seal1/, "$name: values of sealed columns are not");
	return;
}

is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stats WHERE schemaname = 'public'}), '0', 'before: no statistics');
my $offset = -s $node->logfile;
quiet_ok('dead rows', q{UPDATE patient SET label = label; UPDATE every_type SET label = label; DELETE FROM visit WHERE id = 500});
$node->append_conf('postgresql.conf', "autovacuum = on\nautovacuum_naptime = 1s\nautovacuum_vacuum_threshold = 0\nautovacuum_vacuum_scale_factor = 0\n"
	. "autovacuum_analyze_threshold = 0\nautovacuum_analyze_scale_factor = 0\nlog_autovacuum_min_duration = 0");
$node->reload;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 3 FROM pg_stat_user_tables WHERE relname IN ('patient', 'every_type', 'visit')
	AND last_autovacuum IS NOT NULL AND last_autoanalyze IS NOT NULL AND n_dead_tup = 0}), 'autovacuum vacuums and analyzes');
$node->append_conf('postgresql.conf', 'autovacuum = off');
$node->reload;
my $log = log_since($node, $offset);
like($log, qr/automatic vacuum of table "postgres\.public\.patient": index scans: 1/, 'autovacuum: the log says so');
unlike($log, qr/ERROR|WARNING|asthma|nir\d/, 'autovacuum: without an error or a value');
statistics_ok('autovacuum');
$home_stored = $node->safe_psql('postgres', $stored);		# a visit was deleted

quiet_ok("maintenance: $_", $_) foreach 'ANALYZE patient, every_type, visit, spread', 'VACUUM ANALYZE patient', 'VACUUM (FREEZE, ANALYZE) every_type';
statistics_ok('ANALYZE');

# VACUUM FULL, CLUSTER, REINDEX, CREATE INDEX ---------------------------------------------------------

my $type_columns = 't b o i f n d z u j';
foreach my $rewrite ('VACUUM FULL patient', 'CLUSTER patient USING patient_nir_key', 'CLUSTER patient', 'VACUUM FULL every_type')
{
	my ($table) = $rewrite =~ /(patient|every_type)/;
	my $file = $node->safe_psql('postgres', "SELECT pg_relation_filenode('$table')");
	quiet_ok("maintenance: $rewrite", $rewrite);
	isnt($node->safe_psql('postgres', "SELECT pg_relation_filenode('$table')"), $file, "$rewrite: has written the table anew");
	unchanged_ok($rewrite, $node, 'postgres');
}
quiet_ok("CREATE INDEX on every_type ($_)", "CREATE INDEX every_type_$_ ON every_type ($_); CREATE INDEX ON every_type USING hash ($_)") foreach split / /, $type_columns;
foreach my $sql (
	'CREATE INDEX ON patient (family)', 'CREATE INDEX CONCURRENTLY ON patient USING hash (family)', 'CREATE INDEX ON spread (nir)',
	"CREATE INDEX ON patient (id) WHERE family = '$envelope'", 'CREATE UNIQUE INDEX CONCURRENTLY ON visit (patient, id) INCLUDE (value)',
	'CREATE INDEX ON patient ((family IS NULL), nir)', 'CLUSTER every_type USING every_type_t',
	'REINDEX INDEX patient_nir_key', 'REINDEX INDEX CONCURRENTLY patient_nir_key', 'REINDEX TABLE patient', 'REINDEX TABLE CONCURRENTLY patient',
	'REINDEX TABLE every_type', 'REINDEX TABLE spread',
	'ALTER TABLE visit DROP CONSTRAINT visit_patient_fkey', 'ALTER TABLE visit ADD FOREIGN KEY (patient) REFERENCES patient (nir)',
	'CREATE STATISTICS s (ndistinct) ON label, family FROM patient', 'ANALYZE patient',
	'CREATE MATERIALIZED VIEW seen AS SELECT * FROM patient', 'REFRESH MATERIALIZED VIEW seen', 'DROP MATERIALIZED VIEW seen', 'DROP STATISTICS s',
	'CREATE TABLE copied AS SELECT * FROM patient', 'ALTER TABLE copied ADD UNIQUE (nir), ALTER note SET STORAGE extended',
	'INSERT INTO copied SELECT 1000 + id, NULL, family, born, note FROM patient', 'UPDATE copied SET born = NULL', 'DELETE FROM copied WHERE id > 1000',
	'ALTER TABLE copied ADD COLUMN more sealed_int(note)', 'SELECT nir FROM patient INTERSECT SELECT nir FROM copied', 'DROP TABLE copied',
	'SELECT family, count(DISTINCT nir) FROM patient JOIN visit ON patient = nir GROUP BY family')
{
	quiet_ok("maintenance: $sql", $sql);
}
quiet_ok("maintenance: $_", $_, role => 'postgres') foreach 'VACUUM FULL', 'REINDEX DATABASE postgres', 'REINDEX SYSTEM postgres', 'VACUUM ANALYZE';
unchanged_ok('maintenance', $node, 'postgres');

# What was built without a key is in order, and has an entry for every row.
$node->safe_psql('postgres', 'CREATE EXTENSION amcheck');
is($node->safe_psql('postgres', q{SELECT count(bt_index_parent_check(i.indexrelid, true)::text) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
	JOIN pg_class t ON t.oid = i.indrelid WHERE m.amname = 'btree' AND t.relnamespace = 'public'::regnamespace AND c.relkind = 'i'}), '19', 'amcheck finds the indexes sound');
$node->safe_psql('postgres', 'DROP EXTENSION amcheck');

# COPY, both ways --------------------------------------------------------------------------------------

my @tables = ('patient', 'visit', 'every_type', 'spread');

# copy_in NAME, FORMAT: all rows as copies in that format have them, in place of those that are there.
sub copy_in
{
	my ($name, $format) = @_;
	quiet_ok($name, join "\n", 'BEGIN;', "TRUNCATE @{[ join ', ', @tables ]};",
		(map { "\\copy $_ FROM '$folder/$_.$format' WITH (FORMAT $format)" } @tables), 'COMMIT;');
	unchanged_ok($name, $node, 'postgres');
	return;
}

foreach my $format ('text', 'csv', 'binary')
{
	quiet_ok("COPY TO as $format", join "\n", map { "\\copy (TABLE $_) TO '$folder/$_.$format' WITH (FORMAT $format)" } @tables);
	copy_in("COPY FROM as $format", $format);
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM patient'), '502', 'COPY: with all rows');

# Logical decoding names columns, and shows envelopes.
$node->safe_psql('postgres', q{SELECT pg_create_logical_replication_slot('slot', 'test_decoding')});
quiet_ok('INSERT ... SELECT of envelopes', 'CREATE TABLE archived (LIKE patient); INSERT INTO archived SELECT * FROM patient WHERE id = 9');
like(quiet_ok('logical decoding', q{SELECT data FROM pg_logical_slot_get_changes('slot', NULL, NULL)}, role => 'postgres'),
	qr/table public\.archived: INSERT: .*sealed_text.*'seal1:/, 'logical decoding shows envelopes');
$node->safe_psql('postgres', q{SELECT pg_drop_replication_slot('slot'); DROP TABLE archived});

# pg_dump, restore into a new database and a new cluster ---------------------------------------------

# A cluster with other OIDs of roles, and without its root key too.
my $away = new_node('away');
$away->safe_psql('postgres', join ';', map { "CREATE ROLE filler_$_ LOGIN" } 1 .. 20);
$away->safe_psql('postgres', run_ok('pg_dumpall --roles-only', 'pg_dumpall', '--roles-only', at($node)) =~ s/^(CREATE|ALTER) ROLE postgres.*\n//mgr);
isnt($away->safe_psql('postgres', q{SELECT 'lab_app'::regrole::oid}), $node->safe_psql('postgres', q{SELECT 'lab_app'::regrole::oid}), 'another cluster: roles have other OIDs');
take_root_away($away);

my %dump = (
	plain       => [ ['--format=plain'] ],
	inserts     => [ [ '--format=plain', '--inserts' ] ],
	custom      => [ ['--format=custom'] ],
	directory   => [ [ '--format=directory', '--jobs=2' ] ],
	'data-only' => [ [ '--format=plain', '--schema-only' ], [ '--format=plain', '--data-only' ] ]);
my @forms = sort keys %dump;
foreach my $form (@forms)
{
	my @files;
	foreach my $options (@{ $dump{$form} })
	{
		push @files, "$folder/$form." . scalar(@files);
		run_ok("pg_dump @$options", 'pg_dump', @$options, '--file', $files[-1], at($node), 'postgres');
		next if "@$options" !~ /plain/ || "@$options" =~ /schema/;
		like(slurp_file($files[-1]), qr/\blabel1\b/, "pg_dump @$options: a plain value is found");
		unlike(slurp_file($files[-1]), qr/asthma|\bnir7\b|\bfamily7\b|1984-12-10/, "pg_dump @$options: no value of a sealed column is");
	}
	foreach my $where ($node, $away)
	{
		my $name = $form . ' in ' . ($where == $node ? 'a new database' : 'a new cluster');
		$where->safe_psql('postgres', qq{CREATE DATABASE "from_$form"});
		foreach my $file (@files)
		{
			my @restore = $form =~ /custom|directory/
			  ? ('pg_restore', '--exit-on-error', '--jobs=2', $file)
			  : ('psql', '-XAtq', '--set=ON_ERROR_STOP=1', '--output=/dev/null', "--file=$file");
			run_ok("$name: restore of " . basename($file), @restore, at($where), "--dbname=from_$form");
		}
		unchanged_ok($name, $where, "from_$form");
		closed_ok($name, $where, "from_$form");
	}
}

# Logical replication, between two servers without a root key -----------------------------------------

$away->safe_psql('postgres', 'CREATE DATABASE subscriber');
run_ok('restore of definitions for a subscriber', 'psql', '-XAtq', '--set=ON_ERROR_STOP=1', '--output=/dev/null', "--file=$folder/data-only.0", at($away), '--dbname=subscriber');
$node->safe_psql('postgres', 'CREATE PUBLICATION lab FOR TABLE patient, visit, every_type, spread; ALTER TABLE visit REPLICA IDENTITY FULL; ALTER TABLE spread REPLICA IDENTITY FULL');
foreach my $binary ('false', 'true')
{
	my $name = "logical replication, binary = $binary";
	$away->safe_psql('subscriber', 'TRUNCATE patient, visit, every_type, spread');
	$away->safe_psql('subscriber', "CREATE SUBSCRIPTION sub_$binary CONNECTION '" . $node->connstr . " dbname=postgres user=postgres' PUBLICATION lab WITH (binary = $binary)");
	$away->wait_for_subscription_sync($node, "sub_$binary", 'subscriber');
	unchanged_ok("$name, first copy", $away, 'subscriber');
	quiet_ok("$name: changes", q{BEGIN; DELETE FROM visit WHERE id IN (1, 2, 3); UPDATE patient SET family = (SELECT nir FROM patient WHERE id = 4), label = 'new' WHERE id = 1;
		INSERT INTO spread SELECT nir, id FROM patient WHERE id < 5; DELETE FROM every_type WHERE id = 101; UPDATE every_type SET t = NULL, u = NULL WHERE id = 3; COMMIT});
	$node->wait_for_catchup("sub_$binary");
	is($away->safe_psql('subscriber', $stored), $node->safe_psql('postgres', $stored), "$name: changes arrive");
	isnt($node->safe_psql('postgres', $stored), $home_stored, "$name: and were some");
	closed_ok($name, $away, 'subscriber');
	$away->safe_psql('subscriber', "DROP SUBSCRIPTION sub_$binary");
	copy_in("$name: all rows as they were", 'binary');
}

# Streaming replica: taken, fed, promoted and maintained without a root key ------------------------------

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
quiet_ok('changes for the standby', q{UPDATE patient SET label = 'streamed', family = (SELECT nir FROM patient WHERE id = 5) WHERE id = 1; CREATE INDEX ON patient (family, id)});
quiet_ok('maintenance for the standby', 'VACUUM FULL patient', role => 'postgres');
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', $stored), $node->safe_psql('postgres', $stored), 'standby: the same envelopes');
isnt($standby->safe_psql('postgres', $stored), $home_stored, 'standby: and the changes');
closed_ok('standby', $standby, 'postgres', root_key_file($node));
run_ok('pg_dump of a standby', 'pg_dump', '--format=custom', '--file', "$folder/standby", at($standby), 'postgres');
$standby->promote;
closed_ok('promoted', $standby, 'postgres', root_key_file($node));
quiet_ok("promoted: $_", $_, on => $standby) foreach 'VACUUM FULL patient', 'REINDEX TABLE patient', 'ANALYZE patient', 'CREATE INDEX ON patient (family, nir)';
is($standby->safe_psql('postgres', $stored), $node->safe_psql('postgres', $stored), 'promoted: the same envelopes');

# The root key is back: everything opens ---------------------------------------------------------------

copy_in('all rows as they were', 'binary');
put_root_back($_) foreach $node, $away;
works_ok('home', $node, 'postgres');
works_ok("$_ in a new database", $node, "from_$_") foreach @forms;
is(as_role($standby, 'lab_app', q{SELECT label, seal.reveal(family), seal.reveal(note) FROM patient WHERE nir = 'nir1'}), 'streamed|nir5|asthma ', 'promoted: opens');

# In the new cluster with today's ring, which knows of a right taken away, a right given and a new version.
$node->safe_psql('postgres', q{SELECT seal.revoke_key('note', 'lab_former'); SELECT seal.grant_key('note', 'lab_new', '{reveal}'); SELECT seal.rotate_key('note')});
my $import = 'SELECT seal.import_ring($ring$' . $node->safe_psql('postgres', 'SELECT seal.export_ring()') . '$ring$)';
my $today  = as_role($node, 'lab_app', q{SELECT seal.seal('of today'::text, 'note')});
my $opens  = 'SELECT seal.reveal(note) FROM patient WHERE id = 7';
foreach my $form (@forms)
{
	my ($database, $name) = ("from_$form", "$form in a new cluster");

	is(error_of($away, 'lab_app', $opens, database => $database), '42501: permission denied for key "note"', "$name: roles with other OIDs have no right");
	if ($form eq 'custom')
	{
		is($away->safe_psql($database, 'SELECT seal.rebind_grants()'), '4', "$name: rebind_grants");
		works_ok("$name, bound", $away, $database);
		is(error_of($away, 'lab_former', $opens, database => $database), '', "$name, bound: the old ring gives an old right");
	}
	cmp_ok($away->safe_psql($database, $import), '>', 0, "$name: import_ring");
	is($away->safe_psql($database, 'SELECT seal.rebind_grants()'), $form eq 'custom' ? '1' : '4', "$name: rebind_grants after it");
	works_ok($name, $away, $database);
	is(as_role($away, 'lab_app', "SELECT seal.reveal('$today'::sealed_text)", database => $database), 'of today', "$name: so does a value of today");
	is(error_of($away, 'lab_former', $opens, database => $database), '42501: permission denied for key "note"', "$name: a right that was taken away stays away");
	is(error_of($away, 'lab_new', $opens, database => $database), '', "$name: a right that was given since is there");
}
is($away->safe_psql('from_custom', q{SELECT string_agg(DISTINCT state, ',') FROM seal.grants WHERE verbs <> '{}'}), 'valid', 'every grant is bound');

like(slurp_file($node->logfile), qr/Key \(id\)=\(7\) already exists/, 'a plain value is found in the log');
unlike(slurp_file($_->logfile), qr/asthma|nir\d/, 'no value of a sealed column in the log of ' . $_->name) foreach $node, $away, $standby;
$_->stop foreach $standby, $away, $node;
done_testing();
