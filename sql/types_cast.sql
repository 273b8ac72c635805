-- types_cast: casts into the sealed types seal, casts out of them reveal; none is
-- implicit.  A column t must be true, a column f false.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgseal;
RESET client_min_messages;
CREATE ROLE regress_cast_app;
SELECT count(seal.create_key(k, searchable => true)) FROM unnest('{cast_key,cast_other}'::text[]) k;
-- The login role of pg_regress is a superuser, whose own rights count too: they are granted like anybody's.
SELECT count(seal.grant_key(k, r, '{seal,search,reveal}'))
  FROM unnest('{cast_key,cast_other}'::text[]) k, unnest(ARRAY['regress_cast_app', current_user::regrole]) r;
CREATE SCHEMA types_cast AUTHORIZATION regress_cast_app;
SET search_path = types_cast;

-- ---------------------------------------------------------------------------
-- What there is: a = on assignment, e = explicit, i = implicit
-- ---------------------------------------------------------------------------

CREATE VIEW casts AS
  SELECT castsource::regtype::text AS source, casttarget::regtype::text AS target, castcontext AS context, castmethod AS method,
    s.typname LIKE 'sealed\_%' AS sealed_source, t.typname LIKE 'sealed\_%' AS sealed_target
  FROM pg_cast JOIN pg_type s ON s.oid = castsource JOIN pg_type t ON t.oid = casttarget
  WHERE s.typname LIKE 'sealed\_%' OR t.typname LIKE 'sealed\_%';
SELECT target, string_agg(source, ', ' ORDER BY source COLLATE "C") AS "from", string_agg(DISTINCT context::text, '') AS context, count(*)
  FROM casts WHERE NOT sealed_source GROUP BY target ORDER BY target COLLATE "C";
SELECT source, string_agg(target, ', ' ORDER BY target COLLATE "C") AS "to", string_agg(DISTINCT context::text, '') AS context, count(*)
  FROM casts WHERE NOT sealed_target GROUP BY source ORDER BY source COLLATE "C";
-- between sealed types: only from a type to itself, which is how a value gets the key of its column
SELECT count(*), bool_and(source = target) AS t, string_agg(DISTINCT context::text, '') AS context FROM casts WHERE sealed_source AND sealed_target;
SELECT count(*), string_agg(DISTINCT method::text, '') AS method FROM casts;
GRANT SELECT ON casts TO regress_cast_app;
SELECT typcategory, string_agg(typname, ', ' ORDER BY typname) AS types, bool_or(typispreferred) AS f, bool_or(typcollation <> 0) AS f
  FROM pg_type WHERE typname LIKE 'sealed\_%' AND typtype = 'b' AND typcategory <> 'A' GROUP BY typcategory ORDER BY typcategory;

SET SESSION AUTHORIZATION regress_cast_app;
SET timezone = 'Europe/Paris';
SET datestyle = 'ISO, DMY';

-- ---------------------------------------------------------------------------
-- In: assigned as core would assign to the plain type
-- ---------------------------------------------------------------------------

CREATE TABLE plain (
  "text" text, bytea bytea, bool boolean, int bigint, float8 double precision, "numeric" numeric,
  date date, timestamptz timestamptz, uuid uuid, jsonb jsonb);
CREATE TABLE sealed (
  "text" sealed_text(cast_key), bytea sealed_bytea(cast_key), bool sealed_bool(cast_key), int sealed_int(cast_key), float8 sealed_float8(cast_key),
  "numeric" sealed_numeric(cast_key), date sealed_date(cast_key), timestamptz sealed_timestamptz(cast_key), uuid sealed_uuid(cast_key), jsonb sealed_jsonb(cast_key));

-- what a statement does: the value it gives, or its SQLSTATE
CREATE FUNCTION try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  EXECUTE statement INTO STRICT result;
  RETURN result;
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE;
END $$;
-- the same, of an assignment
CREATE FUNCTION assign(relation text, col text, expression text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  EXECUTE format('INSERT INTO %I (%I) VALUES (%s)', relation, col, expression);
  EXECUTE format('SELECT (%s)::text FROM %I', CASE relation WHEN 'sealed' THEN format('seal.reveal(%I)', col) ELSE format('%I', col) END, relation)
    INTO STRICT result;
  EXECUTE format('DELETE FROM %I', relation);
  RETURN result;
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE;
END $$;

CREATE TABLE assigned (col text, type text, value text);
INSERT INTO assigned VALUES
  ('text', 'text', 'Léger  '), ('text', 'varchar', 'a '), ('text', 'varchar(3)', 'Dupont'), ('text', 'bpchar', 'Dupont   '), ('text', 'char(8)', 'Léger'), ('text', 'name', 'lab'), ('text', 'int4', '42'), ('text', 'date', '1984-12-03'),
  ('bytea', 'bytea', '\x00ff'),
  ('bool', 'bool', 'yes'),
  ('int', 'int2', '-32768'), ('int', 'int4', '2147483647'), ('int', 'int8', '-9223372036854775808'),
  ('int', 'numeric', '1.5'), ('int', 'numeric', '2.5'), ('int', 'numeric', '-0.5'), ('int', 'numeric', '1e19'), ('int', 'numeric', 'NaN'),
  ('float8', 'int2', '1'), ('float8', 'int4', '2'), ('float8', 'int8', '9007199254740993'), ('float8', 'float4', '0.1'), ('float8', 'float8', '-0'), ('float8', 'numeric', '0.1'), ('float8', 'numeric', '1e400'),
  ('numeric', 'int2', '1'), ('numeric', 'int4', '2'), ('numeric', 'int8', '3'), ('numeric', 'float4', '0.1'), ('numeric', 'float8', '0.1'), ('numeric', 'float8', 'Infinity'), ('numeric', 'numeric', '1.500'), ('numeric', 'numeric(5,1)', '36.66'),
  ('date', 'date', '1984-12-03'), ('date', 'timestamp', '1984-12-03 23:59:59'), ('date', 'timestamptz', '1984-12-03 23:30:00+00'), ('date', 'timestamp', 'infinity'),
  ('timestamptz', 'timestamptz', '2021-02-14 08:30:00+00'), ('timestamptz', 'timestamp', '2021-07-14 08:30:00'), ('timestamptz', 'date', '2021-02-14'), ('timestamptz', 'date', '5874897-01-01'),
  ('uuid', 'uuid', '6ba7b810-9dad-11d1-80b4-00c04fd430c8'),
  ('jsonb', 'jsonb', '{"b": 1.0, "a": [1, 2]}'), ('jsonb', 'json', '{"b":1.0,  "a":2, "a":[]}'), ('jsonb', 'json', '"\u0000"');
SELECT col, type, value, outcome, outcome = assign('plain', col, format('%L::%s', value, type)) AS t
  FROM assigned, LATERAL assign('sealed', col, format('%L::%s', value, type)) AS outcome;
-- every cast there is was tried
SELECT source, target FROM casts WHERE sealed_target AND NOT sealed_source
EXCEPT SELECT format_type(type::regtype, NULL), 'sealed_' || col FROM assigned;

-- what core would not assign to the plain type is not assigned to the sealed one
SELECT col, type, assign('sealed', col, format('NULL::%s', type)) AS outcome, assign('plain', col, format('NULL::%s', type)) AS core
  FROM (VALUES ('int', 'text'), ('int', 'bool'), ('bool', 'int4'), ('date', 'text'), ('bytea', 'text'), ('jsonb', 'text'), ('uuid', 'text'), ('int', 'date')) AS v(col, type);
-- floating-point numbers are not rounded to integers silently, and no sealed value becomes one of another type
SELECT col, type, assign('sealed', col, format('NULL::%s', type)) AS outcome
  FROM (VALUES ('int', 'float8'), ('int', 'float4'), ('int', 'sealed_text'), ('date', 'sealed_timestamptz'), ('numeric', 'sealed_int')) AS v(col, type);
SELECT assign('sealed', 'text', 'seal.seal(7, ''cast_key'')');

-- ---------------------------------------------------------------------------
-- Out: revealed, then cast as core casts the plain type
-- ---------------------------------------------------------------------------

INSERT INTO plain VALUES
  ('Dupont', '\x41ff', true, 12345, 2.5, 1.50, '1984-12-03', '2021-02-14 23:30:00+00', '6ba7b810-9dad-11d1-80b4-00c04fd430c8', '{"hiv": true}'),
  (repeat('é', 80), '\x', false, 9223372036854775807, 1e300, 'NaN', 'infinity', '-infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '[1.0, null]'),
  ('  blank  ', '\x00', false, -40000, 'NaN', -32768.5, '4713-01-01 BC', '1900-01-01 00:00:00+00', '00000000-0000-0000-0000-000000000000', '"x"'),
  ('', '\x5c', true, -1, -0.5, 0, '2000-01-01', '2000-01-01 00:00:00+00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '1');
INSERT INTO sealed TABLE plain;
ALTER TABLE plain ADD row integer GENERATED ALWAYS AS IDENTITY;
ALTER TABLE sealed ADD row integer GENERATED ALWAYS AS IDENTITY;
SELECT source, target, string_agg(outcome, ' ' ORDER BY row) FILTER (WHERE outcome ~ '^(22|0A)[0-9A-Z]{3}$') AS states, count(*), bool_and(outcome = core) AS t
  FROM casts, substr(source, 8) AS col, generate_series(1, 4) AS row,
    LATERAL (SELECT try(format('SELECT %I::%s FROM sealed WHERE row = %s', col, target, row)) AS outcome,
      try(format('SELECT %I::%s FROM plain WHERE row = %s', col, target, row)) AS core) AS tried
  WHERE sealed_source AND NOT sealed_target
  GROUP BY source, target ORDER BY source COLLATE "C", target COLLATE "C";
-- text as name and with a length, bool as integer, dates in the session's time zone
SELECT length("text"::name), "text"::varchar(3), "text"::char(9) || '|' AS char, CAST("text" AS text) = seal.reveal("text") AS t FROM sealed ORDER BY row;
SELECT bool::int4, int::float8, float8::int4, timestamptz::date, timestamptz::timestamp, jsonb::jsonb::json FROM sealed WHERE row = 1;
SELECT jsonb::json FROM sealed;		-- fails: with such a cast to_jsonb() would open what it prints
-- errors without the value
SELECT int::int2 FROM sealed WHERE row = 3;
SELECT "numeric"::int8 FROM sealed WHERE row = 2;
SELECT date::timestamp(3) FROM sealed WHERE row = 1;

-- ---------------------------------------------------------------------------
-- Nothing is revealed unless the statement says so
-- ---------------------------------------------------------------------------

CREATE TABLE target (t text, v varchar, c char(20), n name, i bigint, i4 integer, b bytea, o boolean, f float8, m numeric, d date, z timestamptz, u uuid, j jsonb, s json);
INSERT INTO target (t) SELECT "text" FROM sealed;		-- fails, as all of these do
INSERT INTO target (v) SELECT "text" FROM sealed;
INSERT INTO target (c) SELECT "text" FROM sealed;
INSERT INTO target (n) SELECT "text" FROM sealed;
UPDATE target SET t = (SELECT "text" FROM sealed WHERE row = 1);
\set VERBOSITY sqlstate
INSERT INTO target (t) SELECT int FROM sealed;
INSERT INTO target (v) SELECT date FROM sealed;
INSERT INTO target (c) SELECT jsonb FROM sealed;
INSERT INTO target (n) SELECT uuid FROM sealed;
INSERT INTO target (i) SELECT int FROM sealed;
INSERT INTO target (i4) SELECT int FROM sealed;
INSERT INTO target (b) SELECT bytea FROM sealed;
INSERT INTO target (o) SELECT bool FROM sealed;
INSERT INTO target (f) SELECT float8 FROM sealed;
INSERT INTO target (m) SELECT "numeric" FROM sealed;
INSERT INTO target (d) SELECT date FROM sealed;
INSERT INTO target (z) SELECT timestamptz FROM sealed;
INSERT INTO target (u) SELECT uuid FROM sealed;
INSERT INTO target (j) SELECT jsonb FROM sealed;
INSERT INTO target (s) SELECT jsonb FROM sealed;
-- nor do functions and operators of the plain types take a sealed value
SELECT lower("text") FROM sealed;
SELECT length("text") FROM sealed;
SELECT "text" LIKE 'D%' FROM sealed;
SELECT "text" < 'x' FROM sealed;
SELECT int + 1 FROM sealed;
SELECT sum(int) FROM sealed;
SELECT max(date) FROM sealed;
SELECT extract(year FROM date) FROM sealed;
SELECT jsonb -> 'hiv' FROM sealed;
SELECT 1 FROM sealed WHERE bool;
SELECT CASE WHEN bool THEN 1 END FROM sealed;
\set VERBOSITY default
SELECT count(*) FROM target;
-- said so
INSERT INTO target (t, i) SELECT "text"::text, seal.reveal(int) FROM sealed WHERE row = 1;
SELECT t, i FROM target;

-- ---------------------------------------------------------------------------
-- One envelope for each row that is written, whatever one literal stood for
-- ---------------------------------------------------------------------------

CREATE TABLE fresh (id integer GENERATED ALWAYS AS IDENTITY, c sealed_text(cast_key) DEFAULT 'Positif', i sealed_int(cast_key) DEFAULT '7');
CREATE VIEW repeated AS
  SELECT count(*) AS rows, count(*) - count(DISTINCT seal.sealed_text_send(c)) AS repeated_c, count(*) - count(DISTINCT seal.sealed_int_send(i)) AS repeated_i,
    count(DISTINCT seal.reveal(c)) AS values, count(DISTINCT c) AS tokens
  FROM fresh;
INSERT INTO fresh (c, i) SELECT 'Positif', '7' FROM generate_series(1, 100);
SELECT * FROM repeated;
INSERT INTO fresh (c, i) SELECT v.c, v.i FROM (SELECT 'Positif'::text AS c, 7 AS i) AS v, generate_series(1, 100);
SELECT * FROM repeated;
TRUNCATE fresh;
INSERT INTO fresh VALUES (DEFAULT, 'Positif', 7), (DEFAULT, 'Positif', 7), (DEFAULT, 'Positif', 7);
INSERT INTO fresh DEFAULT VALUES;
INSERT INTO fresh DEFAULT VALUES;
INSERT INTO fresh (c) SELECT 'Positif' FROM generate_series(1, 3);
SELECT * FROM repeated;
UPDATE fresh SET c = 'Négatif', i = '-7';
SELECT * FROM repeated;
UPDATE fresh SET c = DEFAULT, i = DEFAULT;
SELECT * FROM repeated;
TRUNCATE fresh;
PREPARE add AS INSERT INTO fresh (c, i) VALUES ('Positif', '7');
PREPARE add_value(text, bigint) AS INSERT INTO fresh (c, i) VALUES ($1, $2);
EXECUTE add;
EXECUTE add;
EXECUTE add;
EXECUTE add_value('Positif', 7);
EXECUTE add_value('Positif', 7);
SET plan_cache_mode = force_generic_plan;
EXECUTE add;
EXECUTE add;
EXECUTE add_value('Positif', 7);
EXECUTE add_value('Positif', 7);
RESET plan_cache_mode;
SELECT * FROM repeated;
COPY fresh (c) FROM stdin;
Positif
Positif
\.
SELECT * FROM repeated;
DROP VIEW repeated;
ALTER TABLE fresh ADD d sealed_text(cast_other) DEFAULT 'Positif';
SELECT count(*) AS rows, count(DISTINCT seal.sealed_text_send(d)) AS envelopes, count(DISTINCT seal.reveal(d)) AS values FROM fresh;

-- another key for a column: revealed and sealed anew where the statement says so, the default too
ALTER TABLE fresh ALTER c TYPE sealed_text(cast_other);
ALTER TABLE fresh ALTER c TYPE sealed_text(cast_other) USING c::text;
INSERT INTO fresh DEFAULT VALUES;
SELECT count(*) AS rows, count(DISTINCT seal.sealed_text_send(c)) AS envelopes, count(DISTINCT c) AS tokens, bool_and(c = d) AS t FROM fresh;

-- a literal lies in a catalog as an envelope
SELECT count(*), bool_and(pg_get_expr(adbin, adrelid) ~ '^''seal1:') AS t, bool_or(pg_get_expr(adbin, adrelid) ~ 'Positif') AS f
  FROM pg_attrdef WHERE adrelid = 'fresh'::regclass AND pg_get_expr(adbin, adrelid) ~ 'seal';
-- it opens in no other way than by being written
SELECT seal.reveal('Positif'::sealed_text);
SELECT seal.show('Positif'::sealed_text);

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA types_cast CASCADE;
SELECT count(seal.revoke_key(k, r))
  FROM unnest('{cast_key,cast_other}'::text[]) k, unnest(ARRAY['regress_cast_app', current_user::regrole]) r;
DROP ROLE regress_cast_app;
