# convert.pl: demo/convert turns a table of plain columns that is in use into a sealed one.
#
# Not a pg_regress test: it runs a program and reads the table's files.
use strict;
use warnings;
use Cwd qw(getcwd);
use IPC::Run qw(run);
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;
use Pgseal;

my $node = new_node('convert', allows_streaming => 1);
$node->safe_psql('postgres', <<'END');
CREATE ROLE lab_owner LOGIN;
CREATE ROLE lab_writer LOGIN IN ROLE lab_owner;
CREATE EXTENSION pgseal;
SELECT seal.create_key('nir', searchable => true), seal.create_key('clinical');
SELECT seal.grant_key(k, 'lab_owner', '{seal,reveal,search}') FROM unnest('{nir,clinical}'::text[]) AS k;
GRANT CREATE ON SCHEMA public TO lab_owner;
SET SESSION AUTHORIZATION lab_owner;
CREATE TABLE "Patient" (id bigint PRIMARY KEY, nir varchar(15) UNIQUE, "Note" text DEFAULT 'it''s empty', born date NOT NULL DEFAULT current_date,
  weight numeric(6,2) DEFAULT 1.50, visits integer, ratio real, score double precision, seen timestamp, signed timestamptz, alive boolean DEFAULT true,
  ident uuid, raw bytea, extra json, ward text);
INSERT INTO "Patient"
  SELECT n, 180000000000000 + n, CASE WHEN n % 7 > 0 THEN 'canary of ' || n END, '1950-01-01'::date + n, n % 90 + 0.5, n, n / 3.0, n / 7.0,
    '2024-01-01'::timestamp + n * interval '7 min', '2024-01-01'::timestamptz + n * interval '9 min', n % 2 = 0,
    md5(n::text)::uuid, decode(md5(n::text), 'hex'), format('{"b": %s,  "a":1}', n)::json, 'ward ' || n % 5
  FROM generate_series(1, 1000) AS n;
CREATE TABLE plain_copy AS SELECT * FROM "Patient";
END

# convert ROLE, ARGUMENT...: exit status, what it said, what it complained of.
sub convert
{
	my ($role, @arguments) = @_;
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	local $ENV{PGDATABASE} = 'postgres';
	local $ENV{PGUSER} = $role;
	run([ getcwd() . '/demo/convert', @arguments ], '<', \'', '>', \my $output, '2>', \my $errors);
	return ($? >> 8, $output, $errors);
}

# refused NAME, EXPECTED, ROLE, ARGUMENT...: it fails, says why, and the table is what it was.
sub refused
{
	my ($name, $expected, $role, @arguments) = @_;
	my $state = q{SELECT pg_relation_filenode('"Patient"'), string_agg(attname || atttypid::regtype, ',' ORDER BY attnum)
		FROM pg_attribute WHERE attrelid = '"Patient"'::regclass};
	my $before = $node->safe_psql('postgres', $state);
	my ($status, undef, $errors) = convert($role, @arguments);
	isnt($status, 0, "$name: refused");
	like($errors, $expected, "$name: says why");
	is($node->safe_psql('postgres', $state), $before, "$name: nothing changed");
	return;
}

sub file_of_table
{
	return $node->data_dir . '/' . $node->safe_psql('postgres', q{SELECT pg_relation_filepath('"Patient"')});
}

# Refusals --------------------------------------------------------------------------------------

refused('no such table', qr/relation "nothing" does not exist/, 'lab_owner', 'nothing', 'nir=nir');
refused('no such column', qr/has no column "nothing"/, 'lab_owner', '"Patient"', 'nothing=nir');
refused('no such key', qr/there is no key "nothing".*create_key/s, 'lab_owner', '"Patient"', 'nir=nothing');
refused('a type that cannot be sealed', qr/"span" is of type interval/s, 'lab_owner', '"Patient"', 'span=nir')
  if $node->safe_psql('postgres', 'ALTER TABLE "Patient" ADD span interval; SELECT 1');
$node->safe_psql('postgres', 'ALTER TABLE "Patient" DROP span');
refused('an index on a key without tokens', qr/index public."Patient_nir_key".*not searchable/s, 'lab_owner', '"Patient"', 'nir=clinical');
$node->safe_psql('postgres', 'CREATE VIEW wards AS SELECT ward FROM "Patient"; CREATE POLICY own ON "Patient" USING (alive);
	ALTER TABLE "Patient" ADD CONSTRAINT heavy CHECK (weight > 0);');
refused('a view', qr/on view public.wards/, 'lab_owner', '"Patient"', 'ward=clinical');
refused('a policy', qr/policy own/, 'lab_owner', '"Patient"', 'alive=clinical');
refused('a CHECK constraint', qr/constraint heavy/, 'lab_owner', '"Patient"', 'weight=clinical');
$node->safe_psql('postgres', 'DROP VIEW wards; DROP POLICY own ON "Patient"; ALTER TABLE "Patient" DROP CONSTRAINT heavy');
refused('a role that does not own it', qr/must be owner|permission denied/, 'lab_writer', '"Patient"', 'Note=clinical')
  if $node->safe_psql('postgres', 'REVOKE lab_owner FROM lab_writer; GRANT USAGE ON SCHEMA public TO lab_writer; SELECT 1');
$node->safe_psql('postgres', q{SELECT seal.revoke_key('clinical', 'lab_owner', '{reveal}')});
refused('no right to compare', qr/permission denied for key "clinical"/, 'lab_owner', '"Patient"', 'Note=clinical');
$node->safe_psql('postgres', q{SELECT seal.grant_key('clinical', 'lab_owner', '{reveal}')});

# 02:30 of that night does not exist in Paris.
$node->safe_psql('postgres', q{ALTER ROLE lab_owner SET timezone = 'Europe/Paris';
	UPDATE "Patient" SET seen = '2024-03-31 02:30' WHERE id = 500});
refused('a value that would change', qr/does not open to what it was/, 'lab_owner', '"Patient"', 'seen=clinical');
$node->safe_psql('postgres', q{ALTER ROLE lab_owner RESET timezone; UPDATE "Patient" p SET seen = c.seen FROM plain_copy c WHERE c.id = p.id AND p.id = 500});

# The conversion --------------------------------------------------------------------------------

$node->safe_psql('postgres', 'CHECKPOINT');
my $old_file = file_of_table();
like(slurp_file($old_file), qr/canary of 999/, 'the plain value is in the table before');
$node->safe_psql('postgres', q{SELECT pg_create_physical_replication_slot('backup', true)});
my ($status, $output, $errors) = convert('lab_owner', '"Patient"', 'nir=nir', map { "$_=clinical" }
	  qw(Note born weight visits ratio score seen signed alive ident raw extra));
is($status, 0, 'converted') or diag $errors;
like($errors, qr/100 rows sealed.*1000 rows sealed/s, 'it says how far it is');
like($errors, qr/every value opens to what it was/, 'it says that it compared');
like($output, qr/write-ahead log up to file [0-9A-F]{24}/, 'it names the write-ahead log');
like($output, qr/replication slot backup/, 'it names the slot that keeps old write-ahead log');
like($output, qr/column "?nir"? of public\.plain_copy/, 'it names the copy');
unlike($output, qr/column ward of/, 'it does not name columns that were not converted');
$node->safe_psql('postgres', 'CHECKPOINT');
unlike(slurp_file(file_of_table()), qr/canary of/, 'no plain value is in the table');
ok(!-s $old_file, 'the old file is gone');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_attribute WHERE attrelid = '"Patient"'::regclass AND atttypid::regtype::text LIKE 'sealed%'}),
	13, 'thirteen columns are sealed');
is(as_role($node, 'lab_owner', q{
	SELECT count(*) FROM "Patient" s JOIN plain_copy p USING (id) WHERE
	  (s.nir::varchar, s."Note"::text, s.born::date, s.weight::numeric, s.visits::int, s.ratio::real, s.score::float8, s.seen::timestamp,
	   s.signed::timestamptz, s.alive::boolean, s.ident::uuid, s.raw::bytea, s.extra::jsonb::text)
	  IS NOT DISTINCT FROM (p.nir, p."Note", p.born, p.weight, p.visits, p.ratio, p.score, p.seen, p.signed, p.alive, p.ident, p.raw, p.extra::jsonb::text)}),
	1000, 'every value, by this test\'s own comparison');
is(as_role($node, 'lab_owner', q{SELECT id FROM "Patient" WHERE nir = '180000000000042'}), 42, 'found by equality');
like(error_of($node, 'lab_owner', q{INSERT INTO "Patient" (id, nir) VALUES (-1, '180000000000042')}), qr/^23505/, 'the unique index works');
is(as_role($node, 'lab_owner', q{INSERT INTO "Patient" (id) VALUES (-1) RETURNING seal.reveal("Note") || ', ' || seal.reveal(weight) || ', ' || seal.reveal(alive)}),
	q{it's empty, 1.50, true}, 'defaults are what they were');
like($node->safe_psql('postgres', q{SELECT string_agg(pg_get_expr(adbin, adrelid), '') FROM pg_attrdef WHERE adrelid = '"Patient"'::regclass}),
	qr/^(?!.*empty).*seal1:/s, 'constant defaults are stored sealed');

# A partitioned table is converted with its partitions.
as_role($node, 'lab_owner', q{CREATE TABLE result (id integer, day date, value text) PARTITION BY RANGE (day);
	CREATE TABLE result_1 PARTITION OF result FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
	CREATE TABLE result_2 PARTITION OF result FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
	INSERT INTO result SELECT n, '2024-01-01'::date + n, 'value ' || n FROM generate_series(0, 59) AS n});
($status, undef, $errors) = convert('lab_owner', 'result', 'value=clinical');
is($status, 0, 'a partitioned table') or diag $errors;
is(as_role($node, 'lab_owner', q{SELECT count(*) FROM result_2 WHERE seal.reveal(value) = 'value ' || id}), 29, 'and its partitions');

done_testing();
