-- keys: what a key is, and what becomes of it.

SELECT no_plan();

-- Before the first key ------------------------------------------------------

SELECT is_empty('SELECT * FROM seal.keys', 'CREATE EXTENSION makes no key');
SELECT is_empty('SELECT * FROM seal.grants', 'and no grant');
SELECT is_empty('SELECT * FROM seal.ring_head', 'and writes no row of the ring');
SELECT throws_ok('SELECT seal.export_ring()', '55000', 'key ring is empty', 'there is nothing to export');
SELECT throws_ok($$ SELECT seal.rotate_key('audit') $$, '42704', 'key "audit" does not exist',
  'the built-in keys are made by the first create_key');
SELECT throws_ok($$ CREATE TABLE t (a sealed_text(nir)) $$, '42704', 'key "nir" does not exist',
  'a column cannot name a key that does not exist');

-- create_key: its arguments --------------------------------------------------

SELECT throws_ok(format('SELECT seal.create_key(%s)', arguments), sqlstate, message, why)
FROM (VALUES
  ('NULL', '22004', 'argument "name" must not be null', 'a key has a name'),
  ($$''$$, '42602', 'invalid key name: ""', 'an empty name is none'),
  ($$'Nir'$$, '42602', 'invalid key name: "Nir"', 'a name has no capitals'),
  ($$'1nir'$$, '42602', 'invalid key name: "1nir"', 'a name does not start with a digit'),
  ($$'a-b'$$, '42602', 'invalid key name: "a-b"', 'a name has no hyphen'),
  ($$'a b'$$, '42602', 'invalid key name: "a b"', 'a name has no blank'),
  ($$'clé'$$, '42602', 'invalid key name: "clé"', 'a name has ASCII letters only'),
  ($$repeat('a', 64)$$, '42602', format('invalid key name: "%s"', repeat('a', 64)), 'a name has at most 63 characters'),
  ($$'table'$$, '42939', 'key name "table" is a reserved word', 'a name is no reserved word'),
  ($$'between'$$, '42939', 'key name "between" is a reserved word', 'nor a keyword that cannot be a function'),
  ($$'literal'$$, '42939', 'key "literal" is built in', 'literal is built in'),
  ($$'audit'$$, '42939', 'key "audit" is built in', 'audit is built in'),
  ($$'k', searchable => NULL$$, '22004', 'argument "searchable" must not be null', 'searchable is true or false'),
  ($$'k', pad => NULL$$, '22004', 'argument "pad" must not be null', 'pad is a number'),
  ($$'k', pad => 0$$, '22023', 'pad must be between 1 and 4096 bytes', 'pad is 1 at least'),
  ($$'k', pad => -16$$, '22023', 'pad must be between 1 and 4096 bytes', 'pad is not negative'),
  ($$'k', pad => 4097$$, '22023', 'pad must be between 1 and 4096 bytes', 'pad is 4096 at most'),
  ($$'k', require_actor => NULL$$, '22004', 'argument "require_actor" must not be null', 'require_actor is true or false'),
  ($$'k', require_purpose => NULL$$, '22004', 'argument "require_purpose" must not be null', 'require_purpose is a list'),
  ($$'k', require_purpose => '{treat}'$$, '22023', 'unknown purpose of use', 'of codes, as HL7 writes them'),
  ($$'k', require_purpose => '{TREAT,NULL}'$$, '22023', 'unknown purpose of use', 'all of them')
) AS bad(arguments, sqlstate, message, why);
SELECT is_empty('SELECT * FROM seal.keys', 'what was refused left no key');

-- create_key: what it makes --------------------------------------------------

SELECT isnt(seal.create_key('nir', searchable => true, comment => 'national number'), 0, 'a key has an id');
SELECT isnt(seal.create_key('note', pad => 4096), 0, 'with the greatest pad');
SELECT isnt(seal.create_key('bare', pad => 1), 0, 'with the least pad');
SELECT isnt(seal.create_key(repeat('a', 63)), 0, 'with the longest name');
SELECT isnt(seal.create_key('value'), 0, 'with a word that is not reserved for its name');
SELECT throws_ok($$ SELECT seal.create_key('nir') $$, '42710', 'key "nir" already exists', 'a name is given once');
SELECT throws_ok($$ SELECT seal.create_key('nir', searchable => false) $$, '42710', 'key "nir" already exists',
  'whatever the other arguments');
SELECT results_eq(
  $$ SELECT name::text COLLATE "default", searchable, pad, versions, active_version::integer FROM seal.keys ORDER BY name $$,
  $$ VALUES (repeat('a', 63), false, 16, 1, 1), ('audit', false, 16, 1, 1), ('bare', false, 1, 1, 1), ('literal', false, 16, 1, 1),
     ('nir', true, 16, 1, 1), ('note', false, 4096, 1, 1), ('subject', false, 16, 1, 1), ('value', false, 16, 1, 1) $$,
  'seal.keys shows them, and the built-in ones');
SELECT is((SELECT comment FROM seal.key WHERE name = 'nir'), 'national number', 'a comment is kept');
SELECT is((SELECT count(*) FROM seal.key WHERE search_secret IS NOT NULL), 1::bigint, 'only a searchable key has a search secret');
SELECT is((SELECT count(DISTINCT secret) FROM seal.key_version), 8::bigint, 'each key has a secret of its own');
SELECT throws_ok($$ CREATE TABLE t (a sealed_text(literal)) $$, '22023', 'invalid key name in type modifier: "literal"',
  'no column has the key of literals');
SELECT throws_ok($$ CREATE TABLE t (a sealed_text(audit)) $$, '22023', 'invalid key name in type modifier: "audit"',
  'nor that of the audit trail');

-- A key's columns ------------------------------------------------------------

CREATE SCHEMA "Lab";
CREATE TABLE "Lab"."Patient" (id integer, "N" sealed_text(note), born sealed_date(note), nir sealed_text(nir));
CREATE VIEW "Lab".v AS SELECT * FROM "Lab"."Patient";
CREATE TYPE "Lab".pair AS (first sealed_int(note));
CREATE TABLE parted (id integer, value sealed_int(note)) PARTITION BY LIST (id);
SELECT is((SELECT columns FROM seal.keys WHERE name = 'note'),
  ARRAY['"Lab"."Patient"."N"', '"Lab"."Patient".born', '"Lab".pair.first', 'public.parted.value'],
  'seal.keys lists the columns of a key');
SELECT throws_ok($$ SELECT seal.drop_key('note') $$, '2BP01', 'cannot drop key "note" because columns use it',
  'a key that columns use is not dropped');
CREATE FUNCTION detail_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  detail text;
BEGIN
  EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
  RETURN detail;
END $$;
SELECT is(ARRAY(SELECT line FROM unnest(string_to_array(detail_of($$ SELECT seal.drop_key('note') $$), E'\n')) line ORDER BY line COLLATE "C"),
  ARRAY['column "N" of "Lab"."Patient"', 'column born of "Lab"."Patient"', 'column first of "Lab".pair', 'column value of public.parted'],
  'the refusal lists them');

-- rotate_key -----------------------------------------------------------------

DO $$ BEGIN PERFORM seal.grant_key(k, 'postgres', '{seal,reveal}') FROM unnest('{nir,note}'::text[]) k; END $$;
INSERT INTO "Lab"."Patient" VALUES (1, 'asthma', '1984-12-03', '184127645108946');
SELECT is(seal.rotate_key('note'), 2::smallint, 'rotate_key returns the new version');
INSERT INTO "Lab"."Patient" VALUES (2, 'asthma', '1984-12-03', '184127645108946');
SELECT is(seal.rotate_key('note'), 3::smallint, 'and the next one');
SELECT is(seal.rotate_key('nir'), 2::smallint, 'of each key by itself');
INSERT INTO "Lab"."Patient" VALUES (3, 'asthma', '1984-12-03', '184127645108946');
SELECT results_eq($$ SELECT get_byte(seal.sealed_text_send("N"), 11) FROM "Lab"."Patient" ORDER BY id $$, $$ VALUES (1), (2), (3) $$,
  'a value is sealed with the version that was active');
SELECT results_eq($$ SELECT seal.reveal("N"), seal.reveal(born) FROM "Lab"."Patient" ORDER BY id $$,
  $$ SELECT 'asthma', '1984-12-03'::date FROM generate_series(1, 3) $$, 'and opens with it');
SELECT results_eq($$ SELECT id FROM "Lab"."Patient" WHERE nir = '184127645108946' ORDER BY id $$, $$ VALUES (1), (2), (3) $$,
  'equal values of all versions are found');
SELECT results_eq($$ SELECT versions, active_version::integer FROM seal.keys WHERE name = 'note' $$, $$ VALUES (3, 3) $$,
  'seal.keys counts the versions');
SELECT lives_ok($$ UPDATE "Lab"."Patient" SET "N" = seal.seal(seal.reveal("N"), 'note') $$, 'values are brought to the active version by writing them');
SELECT results_eq($$ SELECT DISTINCT get_byte(seal.sealed_text_send("N"), 11) FROM "Lab"."Patient" $$, $$ VALUES (3) $$, 'all of them');
SELECT lives_ok($$ SELECT seal.rotate_key('literal') $$, 'a built-in key is rotated like any other');
SELECT throws_ok($$ SELECT seal.rotate_key('none') $$, '42704', 'key "none" does not exist', 'an unknown key is not');

-- drop_key -------------------------------------------------------------------

CREATE TABLE envelope AS SELECT to_jsonb("N") #>> '{}' AS note, to_jsonb(nir) #>> '{}' AS nir FROM "Lab"."Patient" WHERE id = 1;
SELECT is((SELECT seal.reveal(note::sealed_text(note)) FROM envelope), 'asthma', 'an envelope kept as text opens');
DROP VIEW "Lab".v;
DROP TABLE parted, "Lab"."Patient";
SELECT throws_ok($$ SELECT seal.drop_key('note') $$, '2BP01', 'cannot drop key "note" because columns use it', 'a composite type counts');
DROP TYPE "Lab".pair;
SELECT lives_ok($$ SELECT seal.drop_key('note') $$, 'a key that no column uses is dropped');
SELECT throws_ok('SELECT seal.reveal(note::sealed_text) FROM envelope', '42704', 'key "note" does not exist',
  'its values do not open');
SELECT throws_ok('SELECT note::sealed_text(note) FROM envelope', '42704', 'key "note" does not exist', 'its name is no key');
SELECT throws_ok($$ CREATE TABLE t (a sealed_text(note)) $$, '42704', 'key "note" does not exist', 'no column can have it');
SELECT throws_ok($$ SELECT seal.seal('x'::text, 'note') $$, '42704', 'key "note" does not exist', 'nothing is sealed with it');
SELECT throws_ok($$ SELECT seal.create_key('note') $$, '42710', 'key "note" was dropped, its name cannot be used again',
  'its name stays taken');
SELECT throws_ok($$ SELECT seal.grant_key('note', 'postgres', '{reveal}') $$, '42704', 'key "note" does not exist', 'it cannot be granted');
SELECT throws_ok($$ SELECT seal.rotate_key('note') $$, '42704', 'key "note" does not exist', 'nor rotated');
SELECT throws_ok($$ SELECT seal.drop_key('note') $$, '42704', 'key "note" does not exist', 'nor dropped again');
SELECT is_empty($$ SELECT * FROM seal.keys WHERE name = 'note' $$, 'seal.keys does not list it');
SELECT is_empty($$ SELECT * FROM seal.grants WHERE key = 'note' $$, 'nor seal.grants its grants');
SELECT results_eq($$ SELECT count(*), count(secret) FROM seal.key_version v JOIN seal.key k ON k.id = v.key WHERE k.name = 'note' AND k.dropped $$,
  $$ VALUES (3::bigint, 0::bigint) $$, 'its tombstones hold no secret');
SELECT lives_ok($$ SELECT seal.create_key('brief', searchable => true); SELECT seal.drop_key('brief') $$, 'a searchable key is dropped');
SELECT is((SELECT count(search_secret) FROM seal.key WHERE dropped), 0::bigint, 'its search secret is gone too');
SELECT throws_ok(format('SELECT seal.drop_key(%L)', k), '42939', format('key "%s" is built in', k), format('%s cannot be dropped', k))
  FROM unnest('{literal,audit,subject}'::text[]) k;
SELECT throws_ok($$ SELECT seal.drop_key('none') $$, '42704', 'key "none" does not exist', 'an unknown key cannot be dropped');
SELECT is((SELECT seal.reveal(nir::sealed_text(nir)) FROM envelope), '184127645108946', 'other keys open as before');

-- Whole or not at all --------------------------------------------------------

BEGIN;
SELECT seal.create_key('undone') > 0 AS made \gset
SELECT seal.grant_key('undone', 'postgres', '{seal,reveal}') AS void \gset
SELECT lives_ok($$ SELECT seal.seal('x'::text, 'undone') $$, 'a new key is used in its own transaction');
SAVEPOINT s;
SELECT seal.rotate_key('undone') AS version \gset
SELECT is((SELECT versions FROM seal.keys WHERE name = 'undone'), 2, 'rotated there');
ROLLBACK TO s;
SELECT is((SELECT versions FROM seal.keys WHERE name = 'undone'), 1, 'and back after ROLLBACK TO');
SELECT lives_ok($$ SELECT seal.seal('x'::text, 'undone') $$, 'where it still seals');
ROLLBACK;
SELECT throws_ok($$ SELECT seal.seal('x'::text, 'undone') $$, '42704', 'key "undone" does not exist', 'a key rolled back never was');
SELECT lives_ok($$ SELECT seal.create_key('undone') $$, 'so its name is free');

SELECT * FROM finish();
