-- types_io: how sealed values go in and out, as text, in binary and by COPY, and
-- what input refuses.  A column t must be true, a column f false.  Envelopes are
-- random: they are compared, counted and opened, never printed.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgseal;
RESET client_min_messages;
CREATE ROLE regress_io_app;
SELECT count(seal.create_key(k, searchable => true)) FROM unnest('{io_key,io_other}'::text[]) k;
SELECT seal.create_key('io_note', pad => 64) > 0 AS t;
-- The login role of pg_regress is a superuser, whose own rights count too: they are granted like anybody's.
SELECT count(seal.grant_key(k, r, '{seal,search,reveal}'))
  FROM unnest('{io_key,io_other,io_note}'::text[]) k, unnest(ARRAY['regress_io_app', current_user::regrole]) r;
CREATE SCHEMA types_io AUTHORIZATION regress_io_app;
SET search_path = types_io;
SET SESSION AUTHORIZATION regress_io_app;
SET timezone = 'UTC';
\pset null '(null)'

-- ---------------------------------------------------------------------------
-- Type modifiers: the name of a key, or its id
-- ---------------------------------------------------------------------------

CREATE TABLE sealed (
  id integer PRIMARY KEY,
  t sealed_text(io_key), b sealed_bytea(io_key), o sealed_bool(io_key), i sealed_int(io_key), f sealed_float8(io_key),
  n sealed_numeric(io_key), d sealed_date(io_key), z sealed_timestamptz(io_key), u sealed_uuid(io_key), j sealed_jsonb(io_key));
\d sealed
SELECT bool_and(atttypmod = k.id) AS t, bool_and(attstorage = 'e') AS t
  FROM pg_attribute, seal.keys k WHERE k.name = 'io_key' AND attrelid = 'sealed'::regclass AND attnum > 1;

SELECT id AS io_id FROM seal.keys WHERE name = 'io_key' \gset
CREATE TABLE numbered (t sealed_text(:io_id));
\d numbered
CREATE TABLE quoted (t sealed_text('io_key'));
SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'quoted'::regclass AND attnum > 0;
DROP TABLE numbered, quoted;

CREATE TABLE bad (t sealed_text(io_nobody));		-- fails, as all of these do
CREATE TABLE bad (t sealed_text(12345));
CREATE TABLE bad (t sealed_text('IO_key'));
CREATE TABLE bad (t sealed_text('io key'));
CREATE TABLE bad (t sealed_text('1io'));
CREATE TABLE bad (t sealed_text(''));
CREATE TABLE bad (t sealed_text(0));
CREATE TABLE bad (t sealed_text(2147483648));
CREATE TABLE bad (t sealed_text(io_key, io_other));
CREATE TABLE bad (t sealed_text('io_key', 'io_key'));
CREATE TABLE bad (t sealed_text(literal));
CREATE TABLE bad (t sealed_text(audit));
SELECT id AS literal_id FROM seal.keys WHERE name = 'literal' \gset
SELECT id AS audit_id FROM seal.keys WHERE name = 'audit' \gset
\set VERBOSITY sqlstate
CREATE TABLE bad (t sealed_text(:literal_id));
CREATE TABLE bad (t sealed_text(:audit_id));
\set VERBOSITY default

-- In a restore the definitions come before the key ring; what names no key is refused all the same.
SET check_function_bodies = off;
CREATE TABLE restored (t sealed_text(io_nobody), i sealed_int(12345));
\d restored
CREATE TABLE bad (t sealed_text(literal));
CREATE TABLE bad (t sealed_text('IO_key'));
CREATE TABLE bad (t sealed_text(io_key, io_other));
RESET check_function_bodies;
DROP TABLE restored;

-- ---------------------------------------------------------------------------
-- Text in, envelopes out, values back
-- ---------------------------------------------------------------------------

CREATE TABLE plain (
  id integer PRIMARY KEY,
  t text, b bytea, o boolean, i bigint, f double precision, n numeric, d date, z timestamptz, u uuid, j jsonb);
COPY plain FROM stdin;
1	Dupont	\\x00ff10	t	184127645108946	36.6	1.50	1984-12-03	2021-02-14 08:30:00.123456+01	6ba7b810-9dad-11d1-80b4-00c04fd430c8	{"hiv": true, "cd4": 512.0}
2	Léger, Ænne 日本 😀	\\x	f	-9223372036854775808	-Infinity	-12345678901234567890.123456789000	4713-01-01 BC	infinity	00000000-0000-0000-0000-000000000000	null
3		\\xff	t	9223372036854775807	NaN	NaN	infinity	4714-11-24 00:00:00+00 BC	ffffffff-ffff-ffff-ffff-ffffffffffff	[]
4	 a\tb\\c\nd "e" 'f'	\\x7365616c313a	f	0	-0	-Infinity	-infinity	-infinity	a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11	"\\u00e9\\t"
5	\N	\N	\N	\N	\N	\N	\N	\N	\N	\N
\.
CREATE VIEW opened AS
  SELECT id, seal.reveal(t) AS t, seal.reveal(b) AS b, seal.reveal(o) AS o, seal.reveal(i) AS i, seal.reveal(f) AS f,
    seal.reveal(n) AS n, seal.reveal(d) AS d, seal.reveal(z) AS z, seal.reveal(u) AS u, seal.reveal(j) AS j
  FROM sealed;

-- INSERT of literals: the input functions, without a type modifier
SELECT format('INSERT INTO sealed VALUES (%L, %L, %L, %L, %L, %L, %L, %L, %L, %L, %L)', id, t, b, o, i, f, n, d, z, u, j) FROM plain ORDER BY id
\gexec
SELECT id, r::text = p::text AS t FROM opened r JOIN plain p USING (id) ORDER BY id;
SELECT pg_typeof(t) AS t, pg_typeof(b) AS b, pg_typeof(o) AS o, pg_typeof(i) AS i, pg_typeof(f) AS f, pg_typeof(n) AS n,
    pg_typeof(d) AS d, pg_typeof(z) AS z, pg_typeof(u) AS u, pg_typeof(j) AS j
  FROM opened WHERE id = 1 \gx

-- Whatever prints a sealed value prints the envelope
SELECT count(*), count(*) FILTER (WHERE value ~ '^seal1:[A-Za-z0-9_-]+$') AS envelopes FROM sealed s, jsonb_each_text(to_jsonb(s)) WHERE key <> 'id' AND s.id < 5;
SELECT row_to_json(s)::jsonb = to_jsonb(s) AS t, json_build_object('t', t, 'b', b, 'o', o, 'i', i, 'f', f, 'n', n, 'd', d, 'z', z, 'u', u, 'j', j)::jsonb = to_jsonb(s) - 'id' AS t,
    to_json(j)::text = to_jsonb(j)::text AS t, json_agg(j)::jsonb -> 0 = to_jsonb(j) AS t, jsonb_object_agg(id, j) -> '1' = to_jsonb(j) AS t
  FROM sealed s WHERE id = 1 GROUP BY s.id;
SELECT bool_and(textin(seal.sealed_text_out(t)) = to_jsonb(t) #>> '{}') AS t,
    bool_and(seal.sealed_text_send(t) = '\xff7365616c310d0a' || decode(rpad(translate(substr(textin(seal.sealed_text_out(t)), 7), '-_', '+/'),
      (length(seal.sealed_text_out(t)::text) - 6 + 3) / 4 * 4, '='), 'base64')) AS t
  FROM sealed WHERE t IS NOT NULL;
SELECT s::text ~ '^\(1(,seal1:[A-Za-z0-9_-]+){10}\)$' AS t, row_to_json(s)::text ~ 'Dupont' AS f FROM sealed s WHERE id = 1;
SELECT count(*) = 4 AS t, count(DISTINCT seal.sealed_text_send(t)) = 4 AS t FROM sealed WHERE t IS NOT NULL;

-- Head of an envelope: suite, flags, version, key, type; then a token when the key is searchable
CREATE TABLE note (id integer PRIMARY KEY, t sealed_text(io_note), i sealed_int(io_note));
INSERT INTO note VALUES (1, 'Positif', 1), (2, 'Négatif', -1), (3, '', NULL);
SELECT 'searchable' AS key, substr(seal.sealed_text_send(t), 9, 4) AS head, get_byte(seal.sealed_text_send(t), 16) AS type, length(seal.sealed_text_send(t)) - 8 AS length FROM sealed WHERE id = 1
UNION ALL
SELECT 'not', substr(seal.sealed_text_send(t), 9, 4), get_byte(seal.sealed_text_send(t), 16), length(seal.sealed_text_send(t)) - 8 FROM note WHERE id = 1
UNION ALL
SELECT 'not', substr(seal.sealed_int_send(i), 9, 4), get_byte(seal.sealed_int_send(i), 16), length(seal.sealed_int_send(i)) - 8 FROM note WHERE id = 1;
-- padding: one length for short values
SELECT count(DISTINCT length(seal.sealed_text_send(t))) FROM note;
SELECT id, seal.reveal(t) AS t, seal.reveal(i) AS i FROM note ORDER BY id;

-- ---------------------------------------------------------------------------
-- Short, long and toasted values
-- ---------------------------------------------------------------------------

CREATE TABLE long (n integer PRIMARY KEY, t sealed_text(io_key), b sealed_bytea(io_note), j sealed_jsonb(io_key));
INSERT INTO long SELECT n, repeat('é', n / 2) || repeat('a', n % 2), decode(repeat('a5', n), 'hex'), to_jsonb(repeat('"', n))
  FROM (SELECT generate_series(0, 150) UNION ALL SELECT unnest('{1900,2000,2047,2048,8100,8200,65536,1000000}'::int[])) AS v(n);
SELECT count(*),
    count(*) FILTER (WHERE seal.reveal(t) = repeat('é', n / 2) || repeat('a', n % 2)) AS text,
    count(*) FILTER (WHERE seal.reveal(b) = decode(repeat('a5', n), 'hex')) AS bytea,
    count(*) FILTER (WHERE seal.reveal(j) = to_jsonb(repeat('"', n))) AS jsonb
  FROM long;
-- 1-byte headers, 4-byte headers and TOAST all occur
SELECT bool_or(pg_column_size(t) < 127) AS t, bool_or(pg_column_size(t) BETWEEN 127 AND 2000) AS t, bool_or(pg_column_size(t) > 1000000) AS t FROM long;
SELECT pg_relation_size(reltoastrelid) > 2000000 AS t FROM pg_class WHERE oid = 'long'::regclass;
-- pad 16 and pad 64: the padded payload is longer than the payload
SELECT n, length(seal.sealed_text_send(t)) - 8 - 65 AS text, length(seal.sealed_bytea_send(b)) - 8 - 49 AS bytea
  FROM long WHERE n IN (0, 1, 15, 16, 31, 32, 63, 64, 127, 128) ORDER BY n;
-- rewritten by UPDATE of another column, VACUUM FULL and a copy
UPDATE long SET n = -n WHERE n > 100;
VACUUM FULL long;
CREATE TABLE long_copy (LIKE long);
INSERT INTO long_copy TABLE long;
SELECT count(*) FILTER (WHERE seal.reveal(t) = repeat('é', -n / 2) || repeat('a', -n % 2)) AS text FROM long_copy WHERE n < 0;
SELECT count(*) FROM long l JOIN long_copy c USING (n)
  WHERE seal.sealed_text_send(l.t) = seal.sealed_text_send(c.t) AND seal.sealed_bytea_send(l.b) = seal.sealed_bytea_send(c.b);

-- ---------------------------------------------------------------------------
-- COPY: text, csv and binary, of envelopes and of plain values
-- ---------------------------------------------------------------------------

-- The files lie below the client's own results; \copy reads no variables, so psql goes there.
\getenv abs_builddir PG_ABS_BUILDDIR
\cd :abs_builddir
CREATE VIEW stored AS		-- what lies in the table, bit by bit
  SELECT id, seal.sealed_text_send(t) AS t, seal.sealed_bytea_send(b) AS b, seal.sealed_bool_send(o) AS o, seal.sealed_int_send(i) AS i,
    seal.sealed_float8_send(f) AS f, seal.sealed_numeric_send(n) AS n, seal.sealed_date_send(d) AS d, seal.sealed_timestamptz_send(z) AS z,
    seal.sealed_uuid_send(u) AS u, seal.sealed_jsonb_send(j) AS j
  FROM sealed;
CREATE TABLE before AS TABLE stored;
CREATE VIEW changed AS (TABLE stored EXCEPT TABLE before) UNION ALL (TABLE before EXCEPT TABLE stored);

-- envelopes come back unchanged
\copy sealed TO results/types_io.text
\copy sealed TO results/types_io.csv WITH (FORMAT csv, HEADER)
\copy sealed TO results/types_io.binary WITH (FORMAT binary)
TRUNCATE sealed;
\copy sealed FROM results/types_io.text
SELECT count(*) AS rows, (SELECT count(*) FROM changed) AS changed FROM sealed;
TRUNCATE sealed;
\copy sealed FROM results/types_io.csv WITH (FORMAT csv, HEADER)
SELECT count(*) AS rows, (SELECT count(*) FROM changed) AS changed FROM sealed;
TRUNCATE sealed;
\copy sealed FROM results/types_io.binary WITH (FORMAT binary)
SELECT count(*) AS rows, (SELECT count(*) FROM changed) AS changed FROM sealed;
SELECT id, r::text = p::text AS t FROM opened r JOIN plain p USING (id) ORDER BY id;

-- plain values are sealed on their way in
\copy plain TO results/types_io.text
\copy plain TO results/types_io.csv WITH (FORMAT csv, HEADER)
\copy plain TO results/types_io.binary WITH (FORMAT binary)
TRUNCATE sealed;
\copy sealed FROM results/types_io.text
SELECT count(*) AS rows, count(*) FILTER (WHERE r::text = p::text) AS same FROM opened r JOIN plain p USING (id);
TRUNCATE sealed;
\copy sealed FROM results/types_io.csv WITH (FORMAT csv, HEADER)
SELECT count(*) AS rows, count(*) FILTER (WHERE r::text = p::text) AS same FROM opened r JOIN plain p USING (id);
TRUNCATE sealed;
\copy sealed FROM results/types_io.binary WITH (FORMAT binary)
SELECT count(*) AS rows, count(*) FILTER (WHERE r::text = p::text) AS same FROM opened r JOIN plain p USING (id);
SELECT count(*) FROM changed WHERE id < 5;		-- all eight rows: sealed anew

-- no binary of another width or type, no bytes left over, no value that the type does not have
\set VERBOSITY sqlstate
\copy (SELECT 7::integer) TO results/types_io.binary WITH (FORMAT binary)
\copy sealed (i) FROM results/types_io.binary WITH (FORMAT binary)
\copy (SELECT 7::bigint) TO results/types_io.binary WITH (FORMAT binary)
\copy sealed (d) FROM results/types_io.binary WITH (FORMAT binary)
\copy sealed (o) FROM results/types_io.binary WITH (FORMAT binary)
\copy sealed (u) FROM results/types_io.binary WITH (FORMAT binary)
\copy sealed (j) FROM results/types_io.binary WITH (FORMAT binary)
\copy (SELECT '\x02'::bytea) TO results/types_io.binary WITH (FORMAT binary)
\copy sealed (o) FROM results/types_io.binary WITH (FORMAT binary)
\copy sealed (j) FROM results/types_io.binary WITH (FORMAT binary)
\copy (SELECT '\x'::bytea) TO results/types_io.binary WITH (FORMAT binary)
\copy sealed (o) FROM results/types_io.binary WITH (FORMAT binary)
\copy sealed (z) FROM results/types_io.binary WITH (FORMAT binary)
\copy (SELECT '\xc328'::bytea) TO results/types_io.binary WITH (FORMAT binary)
\copy sealed (t) FROM results/types_io.binary WITH (FORMAT binary)

-- the magic of a binary envelope, cut short or with one bit flipped, does not make it plain
\copy (SELECT '\xff7365616c31'::bytea) TO results/types_io.binary WITH (FORMAT binary)
\copy sealed (b) FROM results/types_io.binary WITH (FORMAT binary)
\copy (SELECT '\xff7365616c310d0a'::bytea) TO results/types_io.binary WITH (FORMAT binary)
\copy sealed (b) FROM results/types_io.binary WITH (FORMAT binary)
\copy (SELECT set_bit(b, 0, 0) FROM before WHERE id = 1) TO results/types_io.binary WITH (FORMAT binary)
\copy sealed (b) FROM results/types_io.binary WITH (FORMAT binary)
\copy (SELECT set_bit(t, 63, 1) FROM before WHERE id = 1) TO results/types_io.binary WITH (FORMAT binary)
\copy sealed (t) FROM results/types_io.binary WITH (FORMAT binary)
\copy (SELECT substr(t, 1, length(t) - 33) FROM before WHERE id = 1) TO results/types_io.binary WITH (FORMAT binary)
\copy sealed (t) FROM results/types_io.binary WITH (FORMAT binary)
\copy (SELECT t FROM before WHERE id = 1) TO results/types_io.binary WITH (FORMAT binary)
\copy sealed (b) FROM results/types_io.binary WITH (FORMAT binary)
\copy note (t) FROM results/types_io.binary WITH (FORMAT binary)
\set VERBOSITY default
-- given as text it is a bytea like any other
INSERT INTO sealed (id, b) VALUES (6, '\xff7365616c310d0a');
SELECT seal.reveal(b) AS b FROM sealed WHERE id = 6;

-- ---------------------------------------------------------------------------
-- Envelopes that come in
-- ---------------------------------------------------------------------------

TRUNCATE sealed;
\copy sealed FROM results/types_io.csv WITH (FORMAT csv, HEADER)
CREATE FUNCTION envelope(sealed_text) RETURNS text LANGUAGE sql AS $$ SELECT textin(seal.sealed_text_out($1)) $$;
CREATE FUNCTION envelope(sealed_int) RETURNS text LANGUAGE sql AS $$ SELECT textin(seal.sealed_int_out($1)) $$;
CREATE TABLE other (id integer, t sealed_text(io_other), i sealed_int(io_key));
CREATE TABLE same (id integer, t sealed_text(io_key));

-- kept unchanged: as a literal, through the cast from text, from another column, from a function
SELECT envelope(t) AS dupont FROM sealed WHERE id = 1 \gset
INSERT INTO same VALUES (1, :'dupont');
INSERT INTO same SELECT 2, envelope(t) FROM sealed WHERE id = 1;
INSERT INTO same SELECT 3, t FROM sealed WHERE id = 1;
INSERT INTO same SELECT 4, seal.seal('Dupont', 'io_key');
UPDATE same SET t = t WHERE id = 1;
SELECT id, envelope(t) = :'dupont' AS unchanged, seal.reveal(t) AS t FROM same ORDER BY id;

-- of another key or type: refused, never converted
SELECT seal.reveal(:'dupont'::sealed_text(io_other));
INSERT INTO other (t) SELECT t FROM sealed WHERE id = 1;
INSERT INTO other (t) SELECT envelope(t) FROM sealed WHERE id = 1;
INSERT INTO other (t) SELECT seal.seal('Dupont', 'io_key');
\set VERBOSITY sqlstate
INSERT INTO other (t) VALUES (:'dupont');
INSERT INTO other (i) VALUES (:'dupont');
INSERT INTO other (i) SELECT t FROM sealed WHERE id = 1;
\set VERBOSITY default
SELECT t::sealed_text(io_other) IS NULL FROM sealed WHERE id = 1;

-- malformed
COPY same (t) FROM stdin;
seal1:AQEAAXw
\.
INSERT INTO same VALUES (5, 'seal1:');
INSERT INTO same SELECT 5, 'seal1:' || 'AQ'::text;
\set VERBOSITY sqlstate
INSERT INTO same VALUES (5, 'seal1:====');
INSERT INTO same VALUES (5, 'seal1: AQEA');
INSERT INTO same VALUES (5, :'dupont' || '=');
INSERT INTO same VALUES (5, :'dupont' || E'\n');
INSERT INTO same VALUES (5, left(:'dupont', 40));
INSERT INTO other (i) VALUES ('seal1:');
\set VERBOSITY default

-- text that starts like an envelope is sealed by seal.seal() only, and comes out as it was
INSERT INTO same VALUES (6, seal.seal('seal1:hello', 'io_key')), (7, ' seal1:hello'), (8, 'Seal1:hello'), (9, 'seal1'), (10, 'seal2:');
SELECT id, seal.reveal(t) AS t FROM same WHERE id > 5 ORDER BY id;

-- a search token holds no value, so it is not stored
INSERT INTO same SELECT 11, seal.token_literal('io_key', 'Dupont');
SELECT seal.token_literal('io_key', 'Dupont') AS token \gset
INSERT INTO same VALUES (11, :'token');
SELECT seal.reveal(:'token'::sealed_text);

-- a value too short for its type is no envelope of it: 1 byte where 8 are needed
CREATE FUNCTION text_form(wire bytea) RETURNS text LANGUAGE sql IMMUTABLE AS
  $$ SELECT 'seal1:' || rtrim(translate(encode(substr(wire, 9), 'base64'), E'+/\n', '-_'), '=') $$;
SELECT text_form(seal.sealed_int_send(i)) = envelope(i) AS t, text_form(substr(seal.sealed_int_send(i), 1, 8 + 25 + 24 + 1 + 16)) AS short
  FROM sealed WHERE id = 1 \gset
SELECT :'t' AS t;
\set VERBOSITY sqlstate
INSERT INTO other (i) VALUES (:'short');
\set VERBOSITY default

-- ---------------------------------------------------------------------------
-- Altered envelopes: every bit, every truncation, every character
-- ---------------------------------------------------------------------------

CREATE TABLE altered (
  text sealed_text(io_key), bytea sealed_bytea(io_key), bool sealed_bool(io_key), int sealed_int(io_key), float8 sealed_float8(io_key),
  "numeric" sealed_numeric(io_key), date sealed_date(io_key), timestamptz sealed_timestamptz(io_key), uuid sealed_uuid(io_key), jsonb sealed_jsonb(io_key));
CREATE TABLE outcome (type text, change text, result text);

-- A changed envelope is stored and opened like any other.  Neither must work.
CREATE FUNCTION try(type text, change text, envelope text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  opened text;
BEGIN
  EXECUTE format('INSERT INTO altered (%I) VALUES (%L)', type, envelope);
  EXECUTE format('SELECT seal.reveal(%I)::text FROM altered', type) INTO STRICT opened;
  INSERT INTO outcome VALUES (type, change, 'opened');
  DELETE FROM altered;
EXCEPTION WHEN OTHERS THEN
  INSERT INTO outcome VALUES (type, change, SQLSTATE);
END $$;

CREATE FUNCTION alter_envelope(type text, wire bytea) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  text text := text_form(wire);
  code integer;
BEGIN
  PERFORM try(type, 'none', text);
  FOR bit IN 64 .. length(wire) * 8 - 1 LOOP
    PERFORM try(type, 'bit flipped', text_form(set_bit(wire, bit, 1 - get_bit(wire, bit))));
  END LOOP;
  FOR len IN 8 .. length(wire) - 1 LOOP
    PERFORM try(type, 'bytes cut', text_form(substr(wire, 1, len)));
  END LOOP;
  PERFORM try(type, 'byte added', text_form(wire || '\x00'));
  FOR len IN length('seal1:') .. length(text) - 1 LOOP
    PERFORM try(type, 'text cut', left(text, len));
  END LOOP;
  FOR place IN length('seal1:') + 1 .. length(text) LOOP
    FOR bit IN 0 .. 6 LOOP
      code := ascii(substr(text, place, 1)) # (1 << bit);
      CONTINUE WHEN code = 0;
      PERFORM try(type, 'character changed', overlay(text PLACING chr(code) FROM place FOR 1));
    END LOOP;
  END LOOP;
END $$;

SELECT count(alter_envelope(v.type, v.wire))
  FROM before, LATERAL (VALUES ('text', t), ('bytea', b), ('bool', o), ('int', i), ('float8', f),
    ('numeric', n), ('date', d), ('timestamptz', z), ('uuid', u), ('jsonb', j)) AS v(type, wire) WHERE id = 1;
SELECT change, count(*) AS tried, count(*) FILTER (WHERE result IN ('22P02', '22023', '55000', 'XX001')) AS refused,
    count(*) FILTER (WHERE result = 'opened') AS opened
  FROM outcome GROUP BY change ORDER BY change;
-- Which bits only input can see: suite, flags, key, type.  What became of characters depends on the random bytes.
SELECT change, result, count(*) FROM outcome WHERE change ~ 'byte|bit flipped' GROUP BY change, result ORDER BY change, result;
SELECT type, count(*) AS tried FROM outcome WHERE result = 'opened' GROUP BY type ORDER BY type;

-- ---------------------------------------------------------------------------
-- Bad input: core's SQLSTATE, and no value in any field of the error
-- ---------------------------------------------------------------------------

CREATE FUNCTION error_of(statement text, OUT state text, OUT message text, OUT said text) LANGUAGE plpgsql AS $$
DECLARE
  detail text;
  hint text;
  context text;
BEGIN
  EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
  said := concat_ws('|', message, detail, hint, replace(context, statement, ''));		-- EXECUTE tells its statement
END $$;
CREATE TABLE bad_input (type text, value text);
INSERT INTO bad_input VALUES
  ('bytea', '\xcanary'), ('bool', 'canary'), ('int', 'canary'), ('int', '99999999999999999999'), ('int', '1.5'), ('float8', 'canary'), ('float8', '1e999'),
  ('numeric', 'canary'), ('numeric', '1e999999'), ('date', 'canary'), ('date', '2021-02-30'), ('date', '99999999-01-01'),
  ('timestamptz', 'canary'), ('timestamptz', '2021-02-14 08:30 canary/zone'), ('timestamptz', '2021-13-14'), ('uuid', 'canary'), ('uuid', '6ba7b810-9dad'),
  ('jsonb', '{"canary": }'), ('jsonb', '"canary'), ('jsonb', '"\u0000canary"');
SELECT type, value, sealed.state, sealed.message, sealed.state = core.state AS t, said ~ 'canary|999|2021|6ba7|JSON data' AS f
  FROM bad_input, error_of(format('INSERT INTO altered (%I) VALUES (%L)', type, value)) AS sealed,
    LATERAL (SELECT state FROM error_of(format('SELECT %L::%s', value, CASE type WHEN 'int' THEN 'bigint' ELSE type END))) AS core
  ORDER BY type, value COLLATE "C";
INSERT INTO altered (date) VALUES ('3 Ventose');
\set VERBOSITY sqlstate
INSERT INTO altered (date) VALUES ('3 Ventose');
COPY altered (uuid) FROM stdin;
1 84 12 76 451 089
\.
\set VERBOSITY default

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA types_io CASCADE;
SELECT count(seal.revoke_key(k, r))
  FROM unnest('{io_key,io_other,io_note}'::text[]) k, unnest(ARRAY['regress_io_app', current_user::regrole]) r;
DROP ROLE regress_io_app;
