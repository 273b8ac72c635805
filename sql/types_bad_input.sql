-- types_bad_input: what a sealed column does not take, by every way in, as text and in
-- binary: a clear error with a hint, and nothing has changed: no row, no definition, not
-- the ring.  A column t must be true, a column f false.  test/tap/dump_restore.pl has the wrong root.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgseal;
RESET client_min_messages;
CREATE ROLE regress_bad_app;
SELECT count(seal.create_key(k, searchable => true)) FROM unnest('{bad_key,bad_other}'::text[]) k;
-- The login role of pg_regress is a superuser, whose own rights count too: they are granted like anybody's.
SELECT count(seal.grant_key(k, r, '{seal,search,reveal}')) FROM unnest('{bad_key,bad_other}'::text[]) k, unnest(ARRAY['regress_bad_app', current_user::regrole]) r;
CREATE SCHEMA types_bad_input AUTHORIZATION regress_bad_app;
SET search_path = types_bad_input;
CREATE FUNCTION ring_now() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT md5(h::text) FROM seal.ring_head h';
SET SESSION AUTHORIZATION regress_bad_app;

CREATE TABLE patient (id integer PRIMARY KEY, nir sealed_text(bad_key), n sealed_int(bad_key));
INSERT INTO patient VALUES (1, '184127645108946', 7), (2, '295109912611193', NULL);
CREATE TABLE source (id integer, nir sealed_text(bad_key), other sealed_text(bad_other), n sealed_int(bad_key));
INSERT INTO source VALUES (11, 'a', 'a', 1), (12, 'b', 'b', 2);
CREATE FUNCTION state() RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws(' ', (SELECT md5(string_agg(to_jsonb(p)::text, ',' ORDER BY id)) FROM patient p), types_bad_input.ring_now(),
    (SELECT md5(string_agg(concat_ws(' ', c.oid, relfilenode, attname, format_type(atttypid, atttypmod), attisdropped), ',' ORDER BY c.oid, attnum))
      FROM pg_class c JOIN pg_attribute ON attrelid = c.oid WHERE relnamespace = 'types_bad_input'::regnamespace),
    (SELECT count(*) FROM pg_type WHERE typnamespace = 'types_bad_input'::regnamespace))
$$;
SELECT state() AS before \gset
\set unchanged 'SELECT state() = :''before'' AS t;'
-- it sees a row and a column change
BEGIN;
UPDATE patient SET nir = nir::text WHERE id = 1;
SELECT state() = :'before' AS f;
ROLLBACK;
BEGIN;
ALTER TABLE patient ADD x integer;
SELECT state() = :'before' AS f;
ROLLBACK;
:unchanged

-- The ways in: a good row first, then a bad one.
PREPARE add_text(text) AS INSERT INTO patient (id, nir) SELECT id, CASE id WHEN 12 THEN $1 ELSE 'good' END FROM source;
PREPARE add_number(text) AS INSERT INTO patient (id, n) SELECT id, CASE id WHEN 12 THEN $1 ELSE '7' END::sealed_int(bad_key) FROM source;
SELECT to_jsonb(nir) #>> '{}' AS envelope, to_jsonb(other) #>> '{}' AS of_other_key, to_jsonb(n) #>> '{}' AS of_other_type FROM source WHERE id = 12 \gset
\getenv abs_builddir PG_ABS_BUILDDIR
\cd :abs_builddir
\set SHOW_CONTEXT never

-- ---------------------------------------------------------------------------
-- An envelope of another key
-- ---------------------------------------------------------------------------

EXECUTE add_text(:'of_other_key');
SET plan_cache_mode = force_generic_plan;
EXECUTE add_text(:'of_other_key');
RESET plan_cache_mode;
INSERT INTO patient SELECT id, CASE id WHEN 11 THEN nir ELSE other END FROM source;
UPDATE patient SET nir = other FROM source WHERE source.id = patient.id + 10;
INSERT INTO patient (id, nir) SELECT 1, nir FROM source WHERE id = 11 ON CONFLICT (id) DO UPDATE SET nir = (SELECT other FROM source WHERE id = 12);
\copy (SELECT id, CASE id WHEN 11 THEN to_jsonb(nir) #>> '{}' ELSE to_jsonb(other) #>> '{}' END FROM source ORDER BY id) TO results/types_bad_input.text
\copy patient (id, nir) FROM results/types_bad_input.text
\copy patient (id, nir) FROM results/types_bad_input.text WITH (FORMAT csv, DELIMITER E'\t')
\copy (SELECT id, CASE id WHEN 11 THEN seal.sealed_text_send(nir) ELSE seal.sealed_text_send(other) END FROM source ORDER BY id) TO results/types_bad_input.binary WITH (FORMAT binary)
\copy patient (id, nir) FROM results/types_bad_input.binary WITH (FORMAT binary)
\set VERBOSITY terse
INSERT INTO patient VALUES (11, :'envelope'), (12, :'of_other_key');
UPDATE patient SET nir = :'of_other_key';
SELECT id FROM patient WHERE nir = :'of_other_key';
\set VERBOSITY default
:unchanged

-- ---------------------------------------------------------------------------
-- An envelope of another type
-- ---------------------------------------------------------------------------

EXECUTE add_text(:'of_other_type');
EXECUTE add_number(:'envelope');
SET plan_cache_mode = force_generic_plan;
EXECUTE add_text(:'of_other_type');
EXECUTE add_number(:'envelope');
RESET plan_cache_mode;
INSERT INTO patient (id, n) SELECT id, nir FROM source;
\copy (SELECT id, CASE id WHEN 11 THEN to_jsonb(n) #>> '{}' ELSE to_jsonb(nir) #>> '{}' END FROM source ORDER BY id) TO results/types_bad_input.text
\copy patient (id, n) FROM results/types_bad_input.text
\copy (SELECT id, CASE id WHEN 11 THEN seal.sealed_int_send(n) ELSE seal.sealed_text_send(nir) END FROM source ORDER BY id) TO results/types_bad_input.binary WITH (FORMAT binary)
\copy patient (id, n) FROM results/types_bad_input.binary WITH (FORMAT binary)
-- a plain value of another type
\copy (SELECT id, CASE id WHEN 11 THEN int8send(7) ELSE int4send(7) END FROM source ORDER BY id) TO results/types_bad_input.binary WITH (FORMAT binary)
\copy patient (id, n) FROM results/types_bad_input.binary WITH (FORMAT binary)
EXECUTE add_number('seven');
INSERT INTO patient (id, n) SELECT id, true FROM source;
\set VERBOSITY terse
INSERT INTO patient (id, n) VALUES (11, :'of_other_type'), (12, :'envelope');
INSERT INTO patient (id, n) VALUES (11, 7), (12, 'seven');
\set VERBOSITY default
:unchanged

-- ---------------------------------------------------------------------------
-- The wrong key: its number and type fit, but it was sealed elsewhere, or altered
-- ---------------------------------------------------------------------------

-- the last byte before the tag: input cannot see it, opening does
SELECT seal.sealed_text_send(nir) AS wire FROM source WHERE id = 12 \gset
SELECT 'seal1:' || rtrim(translate(encode(substr(set_byte(w, length(w) - 17, get_byte(w, length(w) - 17) # 1), 9), 'base64'), E'+/\n', '-_'), '=') AS altered
  FROM (SELECT :'wire'::bytea AS w) AS wire \gset
INSERT INTO source (id, nir) VALUES (13, :'altered');
SELECT seal.reveal(nir) FROM source WHERE id = 13;
SELECT nir::text FROM source;
SELECT seal.show(nir) FROM source WHERE id = 13;
UPDATE patient SET nir = seal.reveal(source.nir) FROM source WHERE source.id = 13;
CREATE TABLE opened AS SELECT id, seal.reveal(nir) AS nir FROM source;
SELECT id FROM source WHERE nir = 'b' ORDER BY id;		-- found by its token, which is in order
:unchanged

-- ---------------------------------------------------------------------------
-- A key that is not there, a column without one, an array
-- ---------------------------------------------------------------------------

CREATE TABLE bad (id integer, x sealed_text(bad_nobody));
ALTER TABLE patient ADD x sealed_text(bad_nobody) DEFAULT 'x';
ALTER TABLE patient ALTER nir TYPE sealed_text(bad_nobody) USING seal.reveal(nir);
CREATE TYPE bad AS (x sealed_date(bad_nobody));
CREATE DOMAIN bad AS sealed_text(bad_nobody);
INSERT INTO patient (id, nir) SELECT id, nir::sealed_text(bad_nobody) FROM source;
INSERT INTO patient (id, nir) SELECT id, seal.seal('x'::text, 'bad_nobody') FROM source;
SELECT seal.token_literal('bad_nobody', 'x'::text);
:unchanged

CREATE TABLE bad (id integer, x sealed_text);
ALTER TABLE patient ADD x sealed_text DEFAULT 'x';
ALTER TABLE patient ALTER nir TYPE sealed_text;
CREATE TABLE bad AS SELECT id, seal.seal('x'::text, 'bad_key') AS x FROM source;
CREATE TEMPORARY TABLE bad AS SELECT coalesce(nir, other) AS x FROM source;
CREATE TYPE bad AS (x sealed_date);
CREATE DOMAIN bad AS sealed_text;
:unchanged

CREATE TABLE bad (id integer, x sealed_text(bad_key)[]);
ALTER TABLE patient ADD x sealed_text(bad_key)[] DEFAULT '{}';
ALTER TABLE patient ALTER nir TYPE sealed_text(bad_key)[] USING ARRAY[nir];
CREATE TABLE bad AS SELECT array_agg(nir) AS x FROM source;
CREATE TYPE bad AS (x sealed_date(bad_key)[]);
CREATE DOMAIN bad AS sealed_text(bad_key)[];
:unchanged

-- the same administration gets, and the ring stays as it is
RESET SESSION AUTHORIZATION;
SELECT seal.rotate_key('bad_nobody');
SELECT seal.grant_key('bad_nobody', 'regress_bad_app', '{seal}');
SELECT seal.drop_key('bad_nobody');
SELECT seal.create_key('bad_key');
SELECT seal.create_key('Bad name');
SELECT seal.grant_key('bad_key', 'regress_bad_app', '{read}');
SELECT seal.import_ring('pgseal-ring 1 bad');
:unchanged

SET client_min_messages = warning;
DROP SCHEMA types_bad_input CASCADE;
SELECT count(seal.revoke_key(k, r)) FROM unnest('{bad_key,bad_other}'::text[]) k, unnest(ARRAY['regress_bad_app', current_user::regrole]) r;
DROP ROLE regress_bad_app;
