# dump_restore.pl: dumps hold envelopes, a restore changes none of them, and a
# restored ring is brought up to date.
#
# Not a pg_regress test: it runs pg_dump and pg_restore between databases, clusters
# and root keys.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Utils qw(append_to_file slurp_file);
use Test::More;
use Pgseal;

my $node   = new_node('home');
my $folder = $node->basedir . '/files';
mkdir $folder or die "could not make $folder: $!";
my $plain_value = 'CANARY-IN-CLEAR';

# run_ok NAME, COMMAND...: a client program succeeds.
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

# shell_ok NAME, NODE, SCRIPT: a script of the documentation succeeds in the folder, at that node; what it prints.
sub shell_ok
{
	my ($name, $where, $script) = @_;
	my ($out, $err) = ('', '');
	local @ENV{ 'PGHOST', 'PGPORT' } = ($where->host, $where->port);
	my $ok = IPC::Run::run [ 'bash', '-e', '-c', $script ], init => sub { chdir $folder or die "could not change folder: $!" }, '>', \$out, '2>', \$err;
	ok($ok, $name) or diag($err);
	return $out;
}

$node->safe_psql('postgres', <<'END');
CREATE ROLE lab_app LOGIN;
CREATE ROLE lab_former LOGIN;
CREATE DATABASE lab;
END
$node->safe_psql('lab', <<'END');
CREATE EXTENSION pgseal;
SELECT seal.create_key('nir', searchable => true);
SELECT seal.create_key('note', pad => 64, comment => 'free text');
SELECT seal.create_key('doomed');
SELECT seal.grant_key(k, r::regrole, '{seal,search,reveal}')
  FROM unnest('{nir,note,doomed}'::text[]) k, unnest('{lab_app,lab_former,postgres}'::text[]) r;

CREATE TABLE patient (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  nir sealed_text(nir) UNIQUE,
  born sealed_date(note),
  status sealed_text(nir) DEFAULT 'new',
  note sealed_text(note),
  plain text DEFAULT 'CANARY-IN-CLEAR');
CREATE TABLE visit (id integer, patient sealed_text(nir) REFERENCES patient (nir), value sealed_numeric(note));
CREATE TABLE spread (nir sealed_text(nir), n integer) PARTITION BY HASH (nir);
CREATE TABLE spread_0 PARTITION OF spread FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE spread_1 PARTITION OF spread FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE listed (status sealed_text(nir), n integer) PARTITION BY LIST (status);
CREATE TABLE listed_rest PARTITION OF listed DEFAULT;
CREATE TABLE listed_new PARTITION OF listed FOR VALUES IN ('new');
CREATE VIEW adults AS SELECT id, nir, note FROM patient WHERE nir IS NOT NULL;
SELECT seal.create_revealing_view('patient');
CREATE TABLE doomed (id integer, secret sealed_text(doomed));
GRANT ALL ON ALL TABLES IN SCHEMA public TO lab_app, lab_former;
END
as_role($node, 'lab_app', <<'END', database => 'lab');
INSERT INTO patient (nir, born, note) SELECT 'nir' || n, date '1984-12-03' + n, repeat('asthma ', n) FROM generate_series(1, 100) n;
INSERT INTO patient (nir, status, note) VALUES (NULL, 'old', NULL), ('nir-large', 'old', repeat('0123456789abcdef', 20000));
INSERT INTO visit SELECT id, nir, 1.50 FROM patient WHERE nir IS NOT NULL;
INSERT INTO spread SELECT 'nir' || n, n FROM generate_series(1, 50) n;
INSERT INTO listed VALUES ('new', 1), ('new', 2), ('old', 3);
INSERT INTO doomed VALUES (1, 'doomed value');
END

# What a database holds, byte by byte, and what it says when opened.
my $stored = q{SELECT md5(string_agg(line, ',' ORDER BY line)) FROM (
  SELECT to_jsonb(p)::text FROM patient p UNION ALL SELECT to_jsonb(v)::text FROM visit v
  UNION ALL SELECT to_jsonb(s)::text || s.tableoid::regclass FROM spread s UNION ALL SELECT to_jsonb(l)::text || l.tableoid::regclass FROM listed l
  UNION ALL SELECT to_jsonb(d)::text FROM doomed d) AS x(line)};
my $opened = q{SELECT md5(string_agg(concat_ws('|', id, seal.reveal(nir), seal.reveal(born), seal.reveal(status), seal.reveal(note)), ',' ORDER BY id)) FROM patient};
my $ring = q{SELECT md5(string_agg(line, ',' ORDER BY line)) FROM (
  SELECT k::text FROM seal.key k UNION ALL SELECT v::text FROM seal.key_version v UNION ALL SELECT g::text FROM seal.grant g
  UNION ALL SELECT h::text FROM seal.ring_head h) AS x(line)};
my $home_stored = $node->safe_psql('lab', $stored);
my $home_opened = as_role($node, 'lab_app', $opened, database => 'lab');
my $home_ring   = $node->safe_psql('lab', $ring);

# works_ok NODE, DATABASE, NAME: the restored database does what the first one did.
sub works_ok
{
	my ($where, $database, $name) = @_;
	is(as_role($where, 'lab_app', $opened, database => $database), $home_opened, "$name: opens");
	is(as_role($where, 'lab_app', q{SELECT count(*) FROM patient JOIN visit ON nir = patient WHERE nir = 'nir7'}, database => $database),
		'1', "$name: finds");
	is(as_role($where, 'lab_app', q{SELECT count(*) FROM spread WHERE nir = 'nir9'}, database => $database), '1', "$name: finds in a hash partition");
	is(as_role($where, 'lab_app', q{SELECT string_agg(n || tableoid::regclass::text, ',' ORDER BY n) FROM listed WHERE status = 'new'}, database => $database),
		'1listed_new,2listed_new', "$name: finds in a list partition");
	is(as_role($where, 'lab_app', <<'END', database => $database), 'new|new|1|again', "$name: writes, and seals once");
BEGIN;
INSERT INTO patient (nir) VALUES ('nir-new');
INSERT INTO patient (nir, note) VALUES ('nir-new', 'again') ON CONFLICT (nir) DO UPDATE SET note = excluded.note;
INSERT INTO patient (nir, note) VALUES ('nir-new', 'never') ON CONFLICT DO NOTHING;
INSERT INTO listed (SELECT status, 9 FROM patient WHERE nir = 'nir-new');
SELECT seal.reveal(p.status), seal.reveal(l.status), (SELECT count(*) FROM patient WHERE nir = 'nir-new'), seal.reveal(note)
  FROM patient p, listed_new l WHERE nir = 'nir-new' AND n = 9;
ROLLBACK;
END
	is(as_role($where, 'lab_app', <<'END', database => $database), 'nir-new|2001-01-01|new|seen again', "$name: writes through the revealing view");
BEGIN;
INSERT INTO patient_revealed (nir, born, note) VALUES ('nir-new', '2001-01-01', 'seen');
UPDATE patient_revealed SET note = note || ' again' WHERE nir = 'nir-new';
SELECT nir, born, status, note FROM patient_revealed WHERE nir = 'nir-new';
ROLLBACK;
END
	is(error_of($where, 'lab_app', q{INSERT INTO patient (nir) VALUES ('nir1')}, database => $database),
		'23505: duplicate key value violates unique constraint "patient_nir_key"', "$name: UNIQUE holds");
	is(error_of($where, 'lab_app', q{INSERT INTO visit (patient) VALUES ('nobody')}, database => $database),
		'23503: insert or update on table "visit" violates foreign key constraint "visit_patient_fkey"', "$name: the foreign key holds");
	return;
}

works_ok($node, 'lab', 'home');

# In the same cluster -----------------------------------------------------------------------------

my %dump = (
	plain     => ['--format=plain'],
	inserts   => [ '--format=plain', '--column-inserts', '--on-conflict-do-nothing' ],
	custom    => ['--format=custom'],
	directory => ['--format=directory']);
foreach my $format (sort keys %dump)
{
	$node->safe_psql('postgres', "CREATE DATABASE $format");
	run_ok("pg_dump $format", 'pg_dump', @{ $dump{$format} }, '--file', "$folder/$format", at($node), 'lab');
	my @restore = $dump{$format}[0] eq '--format=plain'
	  ? ('psql', '-XAtq', '--set=ON_ERROR_STOP=1', '--output=/dev/null', "--file=$folder/$format")
	  : ('pg_restore', '--exit-on-error', "$folder/$format");
	run_ok("restore of $format", @restore, at($node), "--dbname=$format");
	is($node->safe_psql($format, $stored), $home_stored, "$format: every envelope is the same");
	is($node->safe_psql($format, $ring), $home_ring, "$format: every row of the ring is the same");
	works_ok($node, $format, $format);
}
foreach my $file ('plain', 'inserts')
{
	my $text = slurp_file("$folder/$file");
	unlike($text, qr/\bnir7\b|asthma|1984-12|doomed value|0123456789abcdef|'new'/, "$file: no value in clear");
	like($text, qr/$plain_value/, "$file: while a plain column is");
	like($text, qr/nir sealed_text\(nir\)/, "$file: a column's key is its name");
	like($text, qr/status sealed_text\(nir\) DEFAULT 'seal1:/, "$file: a default of a sealed column is sealed");
	like($text, qr/FOR VALUES IN \('seal1:/, "$file: a partition's bound is sealed");
}

# Definitions first, the data into tables that have their triggers and constraints.
$node->safe_psql('postgres', 'CREATE DATABASE two_steps');
run_ok('pg_dump --schema-only', 'pg_dump', '--schema-only', '--file', "$folder/schema", at($node), 'lab');
run_ok('pg_dump --data-only', 'pg_dump', '--data-only', '--disable-triggers', '--file', "$folder/data", at($node), 'lab');
run_ok("restore of $_ only", 'psql', '-XAtq', '--set=ON_ERROR_STOP=1', '--output=/dev/null', "--file=$folder/$_", at($node), '--dbname=two_steps')
  foreach 'schema', 'data';
is($node->safe_psql('two_steps', $stored), $home_stored, 'two steps: every envelope is the same');
works_ok($node, 'two_steps', 'two steps');

# As a template the ring comes along too.
$node->safe_psql('postgres', 'CREATE DATABASE clone TEMPLATE lab');
works_ok($node, 'clone', 'clone');

# In a new cluster, where the roles have other OIDs -------------------------------------------------

my $away = new_node('away');
$away->safe_psql('postgres', join ';', map { "CREATE ROLE filler_$_ LOGIN" } 1 .. 20);
my ($drill) = slurp_file('doc/keys.md') =~ /^```sh\n(pg_dumpall .*?)^```$/ms or die 'doc/keys.md has no drill with pg_dump';
my ($dumping, $restoring, $binding) = $drill =~ /^(.*?)(^# in the other cluster.*?)(^psql --command.*)/ms or die 'the drill with pg_dump has other parts';
shell_ok('the drill of doc/keys.md dumps', $node, $dumping);
shell_ok('the drill of doc/keys.md restores', $away, $restoring);
my $roles = slurp_file("$folder/roles.sql") =~ s/^(CREATE|ALTER) ROLE postgres.*\n//mgr;
is($away->safe_psql('lab', $stored), $home_stored, 'another cluster: every envelope is the same');
is($away->safe_psql('lab', q{SELECT role, state, count(*) FROM seal.grants GROUP BY 1, 2 ORDER BY 1::text}),
	"lab_app|unbound|3\nlab_former|unbound|3\npostgres|valid|3", 'another cluster: grants of roles with other OIDs are unbound');
is(error_of($away, 'lab_app', $opened, database => 'lab'), '42501: permission denied for key "nir"', 'another cluster: and give nothing');
my $namesake = $away->safe_psql('lab', 'SELECT rolname FROM pg_roles WHERE oid = ' . $node->safe_psql('lab', q{SELECT 'lab_app'::regrole::oid}));
like($namesake, qr/^filler_/, 'another cluster: another role has the OID that stands in the grant');
is(error_of($away, $namesake, q{SELECT seal.seal('x'::text, 'nir')}, database => 'lab'), '42501: permission denied for key "nir"', 'another cluster: and no right');
like(shell_ok('the drill of doc/keys.md binds', $away, $binding), qr/^ +6$/m, 'another cluster: rebind_grants');
works_ok($away, 'lab', 'another cluster');
is(error_of($away, $namesake, q{SELECT seal.seal('x'::text, 'nir')}, database => 'lab'), '42501: permission denied for key "nir"', 'another cluster: bound by name');
$away->stop;

# Under another root nothing opens, and the error says which root is needed.
my $fingerprint = $node->safe_psql('lab', 'SELECT DISTINCT root FROM seal.keys');
my $foreign = new_node('foreign', root => 'f0' x 32);
$foreign->safe_psql('postgres', $roles);
$foreign->safe_psql('postgres', 'CREATE DATABASE lab');
run_ok('restore under another root', 'pg_restore', '--exit-on-error', at($foreign), '--dbname=lab', "$folder/custom");
is($foreign->safe_psql('lab', $stored), $home_stored, 'another root: every envelope is the same');
my $unknown = "55000: root key $fingerprint, under which the key ring was written, is not loaded";
my $foreign_ring = $foreign->safe_psql('lab', $ring);
is(error_of($foreign, 'lab_app', $opened, database => 'lab'), $unknown, 'another root: nothing opens');
is(error_of($foreign, 'lab_app', q{INSERT INTO patient (nir) VALUES ('x')}, database => 'lab'), $unknown, 'another root: nothing is sealed');
is(error_of($foreign, 'lab_app', "COPY patient (nir) FROM STDIN;\nx\n\\.\n", database => 'lab'), $unknown, 'another root: nothing is copied in');
is(error_of($foreign, 'lab_app', q{SELECT id FROM patient WHERE nir = 'nir7'}, database => 'lab'), $unknown, 'another root: nothing is found');
is(error_of($foreign, 'postgres', "SELECT seal.$_", database => 'lab'), $unknown, "another root: no $_")
  foreach 'rebind_grants()', q{create_key('other')}, q{rotate_key('note')}, q{revoke_key('note', 'lab_former')}, 'rotate_root()', 'accept_ring()', 'export_ring()';
my (undef, undef, $complaint) = $foreign->psql('lab', $opened, extra_params => [ '--username' => 'lab_app' ]);
like($complaint, qr/^HINT:  Add the root key with this fingerprint to the source that seal\.root_key_file or seal\.root_key_command names\.$/m, 'another root: the hint');
is($foreign->safe_psql('lab', $stored), $home_stored, 'another root: and no row has changed');
is($foreign->safe_psql('lab', $ring), $foreign_ring, 'nor the ring');

# Old data and today's ring ---------------------------------------------------------------------------

my $doomed = $node->safe_psql('lab', q{SELECT to_jsonb(secret) #>> '{}' FROM doomed});
$node->safe_psql('lab', q{DROP TABLE doomed; SELECT seal.drop_key('doomed'); SELECT seal.revoke_key('note', 'lab_former');
  SELECT seal.rotate_key('note'); SELECT seal.create_key('fresh'); SELECT seal.grant_key('fresh', 'lab_app', '{seal,reveal}')});
my $today = as_role($node, 'lab_app', q{SELECT seal.seal('of today'::text, 'note')}, database => 'lab');
my $fresh = as_role($node, 'lab_app', q{SELECT seal.seal('of today'::text, 'fresh')}, database => 'lab');

# The drill, taken from doc/keys.md.
my ($script) = slurp_file('doc/keys.md') =~ /^\*\*Old data with today's ring\*\*.*?^```sql\n(.*?)^```$/ms or die 'doc/keys.md has no drill';
$script =~ s{\bring\.txt\b}{$folder/ring.txt}g;
$script =~ s{^\\connect restored$}{\\connect custom}m or die 'the drill connects to no restored database';
is(error_of($node, 'lab_app', q{SELECT seal.reveal(secret) FROM doomed}, database => 'custom'), '', 'the old dump by itself: a destroyed key lives');
is(error_of($node, 'lab_former', $opened, database => 'custom'), '', 'the old dump by itself: a revoked right lives');
append_to_file("$folder/drill", $script);
run_ok('the drill of doc/keys.md', 'psql', '-X', '--set=ON_ERROR_STOP=1', "--file=$folder/drill", at($node), 'lab');
is(error_of($node, 'lab_app', q{SELECT seal.reveal(secret) FROM doomed}, database => 'custom'), '42704: key "doomed" does not exist',
	'the drill: a destroyed key stays destroyed');
is(error_of($node, 'lab_app', "SELECT seal.reveal('$doomed'::sealed_text)", database => 'custom'), '42704: key "doomed" does not exist',
	'the drill: for its envelopes from elsewhere too');
is(error_of($node, 'lab_former', $opened, database => 'custom'), '42501: permission denied for key "note"',
	'the drill: a right taken away stays away');
is(as_role($node, 'lab_app', "SELECT seal.reveal('$today'::sealed_text), seal.reveal('$fresh'::sealed_text)", database => 'custom'),
	'of today|of today', 'the drill: newer versions and keys come along');
works_ok($node, 'custom', 'the drill');
is($node->safe_psql('custom', q{SELECT versions, active_version FROM seal.keys WHERE name = 'note'}), '2|2', 'the drill: the active version is the newer one');
is($node->safe_psql('custom', "\\set ring `cat $folder/ring.txt`\nSELECT seal.import_ring(:'ring')"), '0', 'a second time there is nothing to take');

# The other way round: an old ring brings nothing back.
$node->safe_psql('postgres', 'CREATE DATABASE backwards TEMPLATE lab');
is($node->safe_psql('plain', "\\o $folder/old.txt\nSELECT seal.export_ring();\n\\o\n"), '', 'an export of the ring as it was');
$node->safe_psql('backwards', "\\set ring `cat $folder/old.txt`\nSELECT seal.import_ring(:'ring')");
is(error_of($node, 'lab_app', "SELECT seal.reveal('$doomed'::sealed_text)", database => 'backwards'), '42704: key "doomed" does not exist',
	'an old ring brings no destroyed key back');
is(error_of($node, 'lab_former', 'SELECT seal.reveal(note) FROM patient', database => 'backwards'), '42501: permission denied for key "note"',
	'nor a right that was taken away');
is(as_role($node, 'lab_app', "SELECT seal.reveal('$today'::sealed_text)", database => 'backwards'), 'of today', 'and takes no version away');

# Into a database without a ring.
$node->safe_psql('postgres', 'CREATE DATABASE bare');
$node->safe_psql('bare', 'CREATE EXTENSION pgseal');
cmp_ok($node->safe_psql('bare', "\\set ring `cat $folder/ring.txt`\nSELECT seal.import_ring(:'ring')"), '>', 10, 'into a database without a ring');
is(as_role($node, 'lab_app', "SELECT seal.reveal('$today'::sealed_text)", database => 'bare'), 'of today', 'where it opens');
is(error_of($node, 'postgres', q{SELECT seal.create_key('doomed')}, database => 'bare'), '42710: key "doomed" was dropped, its name cannot be used again',
	'where tombstones are known');

# Whole or nothing ----------------------------------------------------------------------------------------

my $text  = slurp_file("$folder/ring.txt");
my $broken = '22023: ring export is malformed or was altered';
my $before = $node->safe_psql('directory', $ring);
my @lines  = split /(?<=\n)/, $text =~ s/\n+\z/\n/r;
my ($grant) = grep { $lines[$_] =~ /^grant / } 0 .. $#lines;
my %altered = (
	'an empty text' => '',
	'another text' => "seal1:AAAA\n",
	'the header alone' => $lines[0],
	'without its last line' => join('', @lines[ 0 .. $#lines - 1 ]),
	'without one row' => join('', @lines[ 0 .. $grant - 1, $grant + 1 .. $#lines ]),
	'one row twice' => join('', @lines[ 0 .. $grant, $grant .. $#lines ]),
	'two rows in another order' => join('', @lines[ 0 .. $grant - 1 ], $lines[ $grant + 1 ], $lines[$grant], @lines[ $grant + 2 .. $#lines ]),
	'cut in the middle' => substr($text, 0, length($text) / 2),
	'a line behind the end' => join('', @lines, $lines[$grant]),
	'another generation' => $text =~ s/^(pgseal-ring 1 \w+ )(\d+)/$1 . ($2 + 1)/er,
	'another table' => $text =~ s/^key_version /key /mr,
	'another version of the format' => $text =~ s/^pgseal-ring 1/pgseal-ring 2/r,
	'another MAC' => join('', @lines[ 0 .. $#lines - 1 ]) . 'mac ' . '00' x 32 . "\n");
foreach my $place (1 .. 8)
{
	my $at = int(length($lines[0]) + (length($text) - length($lines[0])) * $place / 9);
	my $char = substr($text, $at, 1) eq 'A' ? 'B' : 'A';
	$altered{"byte $at altered"} = substr($text, 0, $at) . $char . substr($text, $at + 1);
}
foreach my $name (sort keys %altered)
{
	is(error_of($node, 'postgres', "SELECT seal.import_ring(\$ring\$$altered{$name}\$ring\$)", database => 'directory'), $broken, "refused: $name");
}
is($node->safe_psql('directory', $ring), $before, 'and nothing was taken');

# An honest ring that does not fit: rotated here and there.
$node->safe_psql('directory', q{SELECT seal.rotate_key('note')});
$before = $node->safe_psql('directory', $ring);
my $id = $node->safe_psql('directory', q{SELECT id FROM seal.keys WHERE name = 'note'});
is(error_of($node, 'postgres', "SELECT seal.import_ring(\$ring\$$text\$ring\$)", database => 'directory'), "22023: key $id has other secrets in this database",
	'a ring that was rotated separately is refused');
is($node->safe_psql('directory', $ring), $before, 'and nothing of it was taken');
is(error_of($node, 'lab_former', $opened, database => 'directory'), '', 'not even a revocation');

# Under another root.
$foreign->safe_psql('postgres', q{CREATE DATABASE other});
$foreign->safe_psql('other', q{CREATE EXTENSION pgseal; SELECT seal.create_key('note')});
$foreign_ring = $foreign->safe_psql('other', $ring);
is(error_of($foreign, 'postgres', "SELECT seal.import_ring(\$ring\$$text\$ring\$)", database => 'other'), $unknown,
	'a ring of a root that is not loaded is refused with its fingerprint');
is($foreign->safe_psql('other', $ring), $foreign_ring, 'and nothing was taken');
$foreign->stop;

# Under the same root, a key of the same name that was never this one: its number fits, so input takes the envelope.
$node->safe_psql('postgres', 'CREATE DATABASE stranger');
$node->safe_psql('stranger', q{CREATE EXTENSION pgseal; SELECT seal.create_key('note'); SELECT seal.grant_key('note', 'lab_app', '{seal,reveal}');
  CREATE TABLE kept (note sealed_text(note)); GRANT ALL ON kept TO lab_app});
is(error_of($node, 'lab_app', "INSERT INTO kept VALUES ('$today')", database => 'stranger'), '', 'a key of the same name in another ring: an envelope is stored');
is(error_of($node, 'lab_app', 'SELECT seal.reveal(note) FROM kept', database => 'stranger'), 'XX001: sealed value does not open', 'and does not open');
is($node->safe_psql('stranger', q{SELECT to_jsonb(note) #>> '{}' FROM kept}), $today, 'nor changes');

# With both roots loaded, a ring moves from one to the other.
append_to_file(root_key_file($node), "\n" . 'f0' x 32 . "\n");
$foreign->start;
$foreign->safe_psql('other', q{SELECT seal.grant_key('note', 'postgres', '{seal,reveal}')});
my $foreign_text  = $foreign->safe_psql('other', 'SELECT seal.export_ring()');
my $foreign_value = $foreign->safe_psql('other', q{SELECT seal.seal('of another root'::text, 'note')});
$foreign->stop;
$node->safe_psql('postgres', 'CREATE DATABASE moved');
$node->safe_psql('moved', "CREATE EXTENSION pgseal; SELECT seal.import_ring(\$ring\$$foreign_text\$ring\$)");
is($node->safe_psql('moved', 'SELECT DISTINCT root FROM seal.keys'), $fingerprint, 'a ring of another root comes under the first one');
is($node->safe_psql('moved', "SELECT seal.reveal('$foreign_value'::sealed_text)"), 'of another root', 'and opens its values');

# Two rings that were never one are not merged.
$id = $node->safe_psql('lab', q{SELECT id FROM seal.keys WHERE name = 'literal'});
is(error_of($node, 'postgres', "SELECT seal.import_ring(\$ring\$$foreign_text\$ring\$)", database => 'lab'), "22023: key $id has other secrets in this database",
	'a ring with other keys of the same names is refused');
works_ok($node, 'custom', 'in the end');

$node->stop;
done_testing();
