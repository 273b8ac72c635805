-- plan_refuse: what would be answered wrongly from ciphertext is refused, with
-- SQLSTATE and hint, before the first row.  A column t must be true, f false.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgseal;
RESET client_min_messages;
CREATE ROLE regress_refuse_app;
SELECT count(seal.create_key(k, searchable => true)) FROM unnest('{refuse_key,refuse_other}'::text[]) k;
SELECT seal.create_key('refuse_note') > 0 AS t;
-- The login role of pg_regress is a superuser, whose own rights count too: they are granted like anybody's.
SELECT count(seal.grant_key(k, r, '{seal,search,reveal}'))
  FROM unnest('{refuse_key,refuse_other,refuse_note}'::text[]) k, unnest(ARRAY['regress_refuse_app', current_user::regrole]) r;
CREATE SCHEMA plan_refuse AUTHORIZATION regress_refuse_app;
SET search_path = plan_refuse;
-- a string type of a user, as citext is: PostgreSQL itself assigns anything to it
SET client_min_messages = warning;
CREATE TYPE other_text;
CREATE FUNCTION other_text_in(cstring) RETURNS other_text LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION other_text_out(other_text) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE other_text (INPUT = other_text_in, OUTPUT = other_text_out, LIKE = text, CATEGORY = 'S');
RESET client_min_messages;
SET SESSION AUTHORIZATION regress_refuse_app;

CREATE TABLE patient (
  id    integer PRIMARY KEY,
  nir   sealed_text(refuse_key),
  twin  sealed_text(refuse_key),
  n     sealed_int(refuse_key),
  other sealed_text(refuse_other),
  note  sealed_text(refuse_note),
  plain text);
INSERT INTO patient VALUES (1, 'a', 'b', 1, 'a', 'x', 'a'), (2, 'b', 'b', 2, 'b', 'x', 'b'), (3, NULL, 'a', NULL, 'a', 'x', 'c');
CREATE TABLE result (id integer, nir sealed_text(refuse_key), other sealed_text(refuse_other), note sealed_text(refuse_note));
INSERT INTO result SELECT id, nir, other, note FROM patient;
CREATE FUNCTION anything() RETURNS sealed_text LANGUAGE sql VOLATILE AS $$ SELECT seal.seal('a', 'refuse_key') $$;

CREATE FUNCTION is_x(value sealed_text) RETURNS boolean LANGUAGE sql AS $$ SELECT value = 'x' $$;
CREATE FUNCTION first(a sealed_text, b sealed_text) RETURNS sealed_text LANGUAGE sql AS $$ SELECT least(a, b) $$;
CREATE VIEW ordered AS SELECT id FROM patient ORDER BY nir;

-- How a statement is refused while it is planned: nothing has run then.
CREATE FUNCTION refusal(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE 'EXPLAIN ' || query;
  RETURN 'planned';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

-- ---------------------------------------------------------------------------
-- The refusals with their hints; each list below gives what is not refused so, which is nothing
-- ---------------------------------------------------------------------------

SELECT id FROM patient WHERE nir = other;
SELECT id FROM patient WHERE anything() = anything();
SELECT id FROM patient WHERE note = 'x';
SELECT id FROM patient ORDER BY nir;
SELECT id FROM patient WHERE n = 1e18::float8;
SELECT id FROM patient WHERE nir < 'b';

-- ---------------------------------------------------------------------------
-- Two keys
-- ---------------------------------------------------------------------------

SELECT q, refusal(q) FROM (VALUES
  (1, 'SELECT FROM patient WHERE nir = other'),
  (2, 'SELECT FROM patient WHERE nir <> other'),
  (3, 'SELECT FROM patient WHERE nir IS DISTINCT FROM other'),
  (4, 'SELECT nullif(nir, other) FROM patient'),
  (5, 'SELECT nir = other FROM patient'),
  (6, 'SELECT FROM patient WHERE nir IN (twin, other)'),
  (7, 'SELECT FROM patient WHERE (nir, id) = (other, id)'),
  (8, 'SELECT CASE nir WHEN other THEN 1 END FROM patient'),
  (9, 'SELECT FROM patient p JOIN result r ON p.nir = r.other'),
  (10, 'SELECT FROM patient p FULL JOIN result r ON p.nir = r.other'),
  (11, 'SELECT FROM patient JOIN (SELECT other AS nir FROM result) r USING (nir)'),
  (12, 'SELECT FROM patient WHERE nir IN (SELECT other FROM result)'),
  (13, 'SELECT FROM patient WHERE nir NOT IN (SELECT other FROM result)'),
  (14, 'SELECT FROM patient p WHERE EXISTS (SELECT FROM result r WHERE r.other = p.nir)'),
  (15, 'SELECT FROM patient WHERE (nir, other) IN (SELECT other, nir FROM result)'),
  (16, 'SELECT FROM patient WHERE nir = ANY (ARRAY[other])'),
  (17, 'SELECT FROM patient WHERE nir = ''a''::sealed_text(refuse_other)'),
  (18, 'SELECT nir FROM patient UNION SELECT other FROM patient'),
  (19, 'SELECT nir FROM patient INTERSECT SELECT other FROM patient'),
  (20, 'SELECT id, nir FROM patient EXCEPT ALL SELECT id, other FROM patient'),
  (21, '(SELECT nir FROM patient UNION ALL SELECT twin FROM patient) EXCEPT SELECT other FROM patient'),
  (22, '(SELECT nir FROM patient INTERSECT SELECT other FROM patient) UNION ALL SELECT nir FROM patient'),
  (23, 'SELECT nir FROM patient UNION ALL (SELECT nir FROM patient EXCEPT ALL SELECT other FROM patient)'),
  (24, 'SELECT ARRAY[nir] = ARRAY[other] FROM patient'),
  (25, 'SELECT ARRAY[nir] @> ARRAY[other] FROM patient'),
  (26, 'SELECT ARRAY[nir] && ARRAY[other] FROM patient'),
  (27, 'SELECT array_position(ARRAY[nir], other) FROM patient'),
  (28, 'SELECT array_remove(ARRAY[nir], other) FROM patient'),
  (29, 'SELECT ROW(nir, id)::record = ROW(other, id)::record FROM patient'),
  (30, 'UPDATE patient SET id = 1 WHERE nir = other'),
  (31, 'DELETE FROM patient USING result r WHERE patient.nir = r.other'),
  (32, 'MERGE INTO patient p USING result r ON p.nir = r.other WHEN MATCHED THEN DELETE'),
  (33, 'INSERT INTO patient SELECT * FROM patient ON CONFLICT (id) DO UPDATE SET id = 1 WHERE patient.nir = excluded.other'),
  (34, 'WITH x AS MATERIALIZED (SELECT nir FROM patient) SELECT FROM x, result r WHERE x.nir = r.other'),
  (35, 'SELECT a = b FROM (SELECT nir FROM patient) a, (SELECT other FROM patient) b'),
  (36, 'SELECT s FROM (SELECT id, nir FROM patient) s EXCEPT SELECT s FROM (SELECT id, other FROM patient) s')
  ) AS v(i, q) WHERE refusal(q) IS DISTINCT FROM '0A000 sealed values of different keys cannot be compared' ORDER BY i;

-- ---------------------------------------------------------------------------
-- No key that is known when the statement is planned
-- ---------------------------------------------------------------------------

SELECT q, refusal(q) FROM (VALUES
  (1, 'SELECT ''a''::sealed_text = ''a''::sealed_text'),
  (2, 'SELECT ''a''::sealed_text = ''a'''),
  (3, 'SELECT ''a''::sealed_text = ''a''::text'),
  (4, 'SELECT ''a''::sealed_text IN (''a'', ''b'')'),
  (5, 'SELECT FROM patient WHERE anything() = ''a'''),
  (6, 'SELECT FROM patient WHERE coalesce(nir, other) = ''a'''),
  (7, 'SELECT FROM patient WHERE coalesce(nir, ''z'') = ''a'''),
  (8, 'SELECT FROM patient WHERE CASE WHEN id = 1 THEN nir ELSE other END IN (''a'', ''b'')'),
  (9, 'SELECT FROM patient WHERE ARRAY[nir, other] && ARRAY[nir]'),
  (10, 'SELECT FROM patient WHERE nullif(''a'', nir) IS NULL'),
  (11, 'SELECT FROM patient WHERE nullif(plain, nir) IS NULL'),
  (12, 'SELECT lag(nir) OVER (ORDER BY id) = ''a'' FROM patient'),
  (13, 'SELECT (array_agg(nir))[1] = ''a'' FROM patient'),
  (14, 'SELECT FROM (SELECT nir FROM patient UNION ALL SELECT other FROM patient) u WHERE nir = ''a'''),
  (15, 'SELECT FROM (VALUES (''a''::sealed_text), (''b'')) v(x) WHERE x = ''a'''),
  (16, 'SELECT count(*) FROM patient GROUP BY coalesce(nir, other)'),
  (17, 'SELECT count(*) FROM patient GROUP BY anything()'),
  (18, 'SELECT DISTINCT coalesce(nir, other) FROM patient'),
  (19, 'SELECT DISTINCT ON (anything()) id FROM patient'),
  (20, 'SELECT count(DISTINCT coalesce(nir, other)) FROM patient'),
  (21, 'SELECT count(*) OVER (PARTITION BY coalesce(nir, other)) FROM patient'),
  (22, 'SELECT ''a''::sealed_text UNION SELECT ''b'''),
  (23, 'SELECT nir FROM patient UNION SELECT ''a'''),
  (24, 'SELECT nir FROM patient INTERSECT SELECT anything()'),
  (25, 'SELECT nir FROM patient EXCEPT SELECT coalesce(nir, other) FROM patient'),
  (26, '(SELECT nir FROM patient UNION ALL SELECT other FROM patient) INTERSECT SELECT nir FROM patient'),
  (27, 'WITH RECURSIVE r(x, i) AS (SELECT anything(), 1 UNION SELECT x, i + 1 FROM r WHERE i < 3) SELECT FROM r'),
  (28, 'SELECT DISTINCT ARRAY[nir, other] FROM patient'),
  (29, 'SELECT DISTINCT ROW(nir, coalesce(nir, other)) FROM patient'),
  (30, 'SELECT array_agg(nir) = array_agg(nir) FROM patient'),
  (31, 'SELECT array_positions(array_agg(nir), ''a'') FROM patient'),
  (32, 'SELECT id FROM patient p ORDER BY (SELECT ROW(p.nir))'),
  (33, 'SELECT DISTINCT (SELECT ROW(p.note, p.id)) FROM patient p'),
  (34, 'SELECT array_append(NULL::record[], ROW(note)) = array_append(NULL::record[], ROW(note)) FROM patient'),
  (35, 'SELECT x FROM (VALUES (ROW((SELECT nir FROM patient)), 1), (ROW(''a''::sealed_text), 2)) v(x) UNION SELECT ROW(nir) FROM patient')
  ) AS v(i, q) WHERE refusal(q) IS DISTINCT FROM '0A000 key of a sealed value is not known when the statement is planned' ORDER BY i;
-- a parameter has no key either
PREPARE two_parameters(sealed_text, sealed_text) AS SELECT $1 = $2;
EXECUTE two_parameters('a', 'a');
DEALLOCATE two_parameters;
-- the cast that the hint names helps
SELECT 'a'::sealed_text::sealed_text(refuse_key) = 'a' AS t, 'a'::text::sealed_text(refuse_key) IN ('b', 'a') AS t,
  coalesce(nir, 'z')::sealed_text(refuse_key) = 'z' AS f, nullif('a'::sealed_text(refuse_key), nir) IS NULL AS t FROM patient WHERE id = 1;
SELECT count(DISTINCT coalesce(nir, twin, 'z')::sealed_text(refuse_key)) FROM patient;

-- ---------------------------------------------------------------------------
-- A key without tokens
-- ---------------------------------------------------------------------------

SELECT q, refusal(q) FROM (VALUES
  (1, 'SELECT FROM patient WHERE note = ''x'''),
  (2, 'SELECT FROM patient WHERE note <> ''x''::text'),
  (3, 'SELECT FROM patient WHERE note = note'),
  (4, 'SELECT FROM patient WHERE note = NULL'),
  (5, 'SELECT FROM patient WHERE note IN (''x'', ''y'')'),
  (6, 'SELECT FROM patient WHERE note IS DISTINCT FROM ''x'''),
  (7, 'SELECT nullif(note, ''x'') FROM patient'),
  (8, 'SELECT CASE note WHEN ''x'' THEN 1 END FROM patient'),
  (9, 'SELECT FROM patient p JOIN result r USING (note)'),
  (10, 'SELECT FROM patient WHERE note IN (SELECT note FROM result)'),
  (11, 'SELECT count(*) FROM patient GROUP BY note'),
  (12, 'SELECT count(*) FROM patient GROUP BY GROUPING SETS ((id), (note))'),
  (13, 'SELECT DISTINCT note FROM patient'),
  (14, 'SELECT DISTINCT ON (note) id FROM patient'),
  (15, 'SELECT count(DISTINCT note) FROM patient'),
  (16, 'SELECT count(*) OVER w FROM patient WINDOW w AS (PARTITION BY note)'),
  (17, 'SELECT note FROM patient UNION SELECT note FROM patient'),
  (18, 'SELECT note FROM patient INTERSECT ALL SELECT note FROM patient'),
  (19, 'SELECT note FROM patient EXCEPT SELECT note FROM patient'),
  (20, 'SELECT DISTINCT * FROM patient'),
  (21, 'SELECT DISTINCT p FROM patient p'),
  (22, 'SELECT FROM patient p, patient q WHERE p = q'),
  (23, 'SELECT count(*) FROM patient p GROUP BY p'),
  (24, 'SELECT ARRAY[note] = ARRAY[note] FROM patient'),
  (25, 'SELECT ROW(note)::record <> ROW(note)::record FROM patient'),
  (26, 'SELECT array_position(ARRAY[note], ''x'') FROM patient'),
  (27, 'WITH RECURSIVE r AS (SELECT note FROM patient UNION SELECT note FROM r) SELECT FROM r'),
  (28, 'SELECT FROM patient WHERE is_x(note)'),
  (29, 'SELECT DISTINCT s FROM (SELECT nir, note FROM patient OFFSET 0) s'),
  (30, 'SELECT a = b FROM (SELECT note FROM patient OFFSET 0) a, (SELECT note FROM patient OFFSET 0) b'),
  (31, 'SELECT s FROM (SELECT note FROM patient OFFSET 0) s UNION SELECT s FROM (SELECT note FROM patient OFFSET 0) s'),
  (32, 'SELECT DISTINCT j FROM (patient p JOIN result r USING (id)) j'),
  (33, 'WITH x AS MATERIALIZED (SELECT note FROM patient) SELECT count(*) FROM x GROUP BY x'),
  (34, 'SELECT DISTINCT x FROM (VALUES (ROW(1, (SELECT note FROM patient))), (ROW(2, NULL::sealed_text))) v(x)'),
  (35, 'SELECT FROM result r WHERE EXISTS (SELECT FROM (SELECT note FROM patient) p, LATERAL (SELECT p AS x) l WHERE x = ROW(r.note))')
  ) AS v(i, q) WHERE refusal(q) IS DISTINCT FROM '0A000 key "refuse_note" is not searchable' ORDER BY i;
-- UNION ALL, array_agg() and whole rows pass such values on without comparing them
SELECT count(*) FROM (SELECT note FROM patient UNION ALL SELECT note FROM patient) u;
SELECT cardinality(array_agg(note)), count(note), count(p) FROM patient p;
SELECT id FROM patient WHERE note IS NOT NULL AND seal.reveal(note) = 'x' ORDER BY id;

-- ---------------------------------------------------------------------------
-- The order of tokens is no order
-- ---------------------------------------------------------------------------

SELECT q, refusal(q) FROM (VALUES
  (1, 'SELECT FROM patient ORDER BY nir'),
  (2, 'SELECT id, nir FROM patient ORDER BY id, 2 DESC'),
  (3, 'SELECT FROM patient ORDER BY note NULLS FIRST LIMIT 1'),
  (4, 'SELECT FROM patient ORDER BY nir USING OPERATOR(seal.<~)'),
  (5, 'SELECT FROM patient WHERE nir OPERATOR(seal.<~) ''b'''),
  (6, 'SELECT FROM patient WHERE nir OPERATOR(seal.>=~) twin'),
  (7, 'SELECT FROM patient WHERE nir OPERATOR(seal.<=~) ANY (ARRAY[twin])'),
  (8, 'SELECT DISTINCT ON (nir) id FROM patient ORDER BY nir, id'),
  (9, 'SELECT DISTINCT nir FROM patient ORDER BY nir'),
  (10, 'SELECT count(*), nir FROM patient GROUP BY nir ORDER BY nir'),
  (11, 'SELECT nir FROM patient UNION SELECT twin FROM patient ORDER BY 1'),
  (12, 'SELECT nir FROM patient UNION ALL SELECT other FROM patient ORDER BY 1'),
  (13, 'SELECT rank() OVER (ORDER BY nir) FROM patient'),
  (14, 'SELECT sum(id) OVER w FROM patient WINDOW w AS (PARTITION BY id ORDER BY nir ROWS 1 PRECEDING)'),
  (15, 'SELECT array_agg(id ORDER BY nir) FROM patient'),
  (16, 'SELECT string_agg(plain, '','' ORDER BY id, note) FROM patient'),
  (17, 'SELECT array_agg(DISTINCT nir ORDER BY nir) FROM patient'),
  (18, 'SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY nir) FROM patient'),
  (19, 'SELECT mode() WITHIN GROUP (ORDER BY nir) FROM patient'),
  (20, 'SELECT rank(''a''::sealed_text) WITHIN GROUP (ORDER BY nir) FROM patient'),
  (21, 'SELECT greatest(nir, twin) FROM patient'),
  (22, 'SELECT least(note, note, NULL) FROM patient'),
  (23, 'SELECT ROW(nir, 1)::record < ROW(twin, 2)::record FROM patient'),
  (24, 'SELECT FROM patient p, patient q WHERE p < q'),
  (25, 'SELECT FROM patient p, patient q WHERE p >= q'),
  (26, 'SELECT FROM patient p ORDER BY p'),
  (27, 'SELECT FROM patient ORDER BY ROW(id, nir)'),
  (28, 'SELECT ARRAY[nir] < ARRAY[twin] FROM patient'),
  (29, 'SELECT FROM patient ORDER BY ARRAY[id::text::sealed_text]'),
  (30, 'SELECT max(ARRAY[nir]), min(ARRAY[twin]) FROM patient'),
  (31, 'SELECT array_larger(ARRAY[nir], ARRAY[twin]) FROM patient'),
  (32, 'SELECT btrecordcmp(p, q) FROM patient p, patient q'),
  (33, 'SELECT btarraycmp(ARRAY[nir], ARRAY[twin]) FROM patient'),
  (34, 'SELECT width_bucket(nir, ARRAY[nir, twin]) FROM patient'),
  (35, 'SELECT FROM (SELECT id FROM patient ORDER BY nir) s'),
  (36, 'SELECT FROM result WHERE id = (SELECT id FROM patient ORDER BY note LIMIT 1)'),
  (37, 'WITH x AS (SELECT id FROM patient ORDER BY nir) SELECT FROM x'),
  (38, 'WITH RECURSIVE r(nir, i) AS (SELECT nir, 1 FROM patient UNION ALL SELECT nir, i + 1 FROM r WHERE i < 2) SEARCH DEPTH FIRST BY nir SET o SELECT FROM r'),
  (39, 'INSERT INTO result SELECT id, nir FROM patient ORDER BY nir'),
  (40, 'SELECT id FROM ordered'),
  (41, 'SELECT first(nir, twin) FROM patient'),
  (42, 'SELECT s FROM (SELECT note FROM patient OFFSET 0) s ORDER BY s'),
  (43, 'SELECT row_number() OVER (ORDER BY s) FROM (SELECT nir FROM patient OFFSET 0) s'),
  (44, 'SELECT a < b FROM (SELECT nir FROM patient OFFSET 0) a, (SELECT nir FROM patient OFFSET 0) b'),
  (45, 'SELECT greatest(a, b) FROM (SELECT nir FROM patient OFFSET 0) a, (SELECT nir FROM patient OFFSET 0) b'),
  (46, 'SELECT max(ARRAY[s]) FROM (SELECT nir FROM patient OFFSET 0) s'),
  (47, 'SELECT (SELECT array_agg(x ORDER BY s) FROM generate_series(1, 2) x) FROM (SELECT nir FROM patient OFFSET 0) s'),
  (48, 'WITH x AS (SELECT nir AS y FROM patient UNION ALL SELECT twin FROM patient) SELECT x FROM x ORDER BY x'),
  (49, 'WITH RECURSIVE r(id, path) AS (SELECT id, ARRAY[ROW(nir)] FROM patient UNION ALL SELECT id + 1, path || ROW(id) FROM r WHERE id < 5) SELECT id FROM r ORDER BY path')
  ) AS v(i, q) WHERE refusal(q) IS DISTINCT FROM '0A000 sealed values have no order' ORDER BY i;
-- there are no such operators and functions, as on any type without an order
SELECT q, refusal(q) FROM (VALUES
  (1, 'SELECT FROM patient WHERE nir < ''b'''),
  (2, 'SELECT FROM patient WHERE nir BETWEEN ''a'' AND ''b'''),
  (3, 'SELECT FROM patient WHERE (nir, id) < (''b'', 1)'),
  (4, 'SELECT FROM patient WHERE nir LIKE ''a%'''),
  (5, 'SELECT max(nir) FROM patient'),
  (6, 'SELECT sum(n) FROM patient'),
  (7, 'SELECT n + 1 FROM patient')
  ) AS v(i, q) WHERE refusal(q) NOT LIKE '42883 % does not exist%' ORDER BY i;
-- revealed values have one; the sorts that PostgreSQL makes for itself are no promise of order
SELECT id FROM patient ORDER BY seal.reveal(nir) COLLATE "C" DESC NULLS LAST, note::text;
SELECT count(*) FROM (SELECT DISTINCT nir FROM patient) d;
SET enable_hashagg = off;
SET enable_hashjoin = off;
SELECT count(*) FROM (SELECT nir FROM patient GROUP BY nir) d;
SELECT count(*) FROM patient p JOIN result r USING (nir);
RESET enable_hashagg;
RESET enable_hashjoin;
CREATE INDEX ON patient (nir, id);

-- ---------------------------------------------------------------------------
-- Statements that are planned elsewhere than at the top
-- ---------------------------------------------------------------------------

DO $$ BEGIN PERFORM id FROM patient ORDER BY nir; END $$;
DO $$ DECLARE a sealed_text; BEGIN a := 'a'; IF a = 'a' THEN RAISE 'wrong'; END IF; END $$;
CREATE FUNCTION ordered_set() RETURNS SETOF integer LANGUAGE sql STABLE AS 'SELECT id FROM patient ORDER BY nir';
SELECT * FROM ordered_set();
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM patient ORDER BY nir;
ROLLBACK;
COPY (SELECT id FROM patient WHERE note = 'x') TO STDOUT;
CREATE TABLE copied AS SELECT id FROM patient ORDER BY nir;
CREATE VIEW same AS SELECT id FROM patient WHERE nir = other;
SELECT * FROM same;
PREPARE wrong AS SELECT id FROM patient WHERE note = $1;
EXECUTE wrong('x');
DEALLOCATE wrong;

-- ---------------------------------------------------------------------------
-- Queries that only look as if
-- ---------------------------------------------------------------------------

SELECT id, count(*) FROM patient GROUP BY id ORDER BY id;		-- sealed columns beside
SELECT id, nir = 'a' AS a FROM patient ORDER BY 2, 1;
SELECT greatest(id, 2), ROW(id, plain) < ROW(2, 'b') AS less FROM patient WHERE nir = 'a';
SELECT array_agg(id ORDER BY plain) FROM patient WHERE nir <> 'z';
SELECT a.id FROM (SELECT 1 AS id) a, patient p WHERE ROW(p.id, 1)::record = ROW(a.id, 1)::record AND nir = 'a' ORDER BY ROW(p.id, 2);
SELECT DISTINCT id, ARRAY[id] FROM patient WHERE nir IN ('a', 'b') ORDER BY ARRAY[id];
SELECT count(*) FROM (SELECT DISTINCT s FROM (SELECT nir, twin FROM patient) s) d;
SELECT count(*) FROM (SELECT id, nir FROM patient) a, (SELECT id, nir FROM result) b WHERE a = b;
SELECT s FROM (SELECT id, plain FROM patient WHERE nir IN ('a', 'b')) s ORDER BY s;
SELECT x FROM (VALUES (ROW(1, 2)), (ROW(2, 3))) v(x), patient WHERE nir = 'a' UNION SELECT ROW(1, 2) ORDER BY x;
WITH RECURSIVE r(id, nir) AS (SELECT id, nir FROM patient WHERE id = 1 UNION ALL SELECT p.id, p.nir FROM patient p, r WHERE p.id = r.id + 1)
  SEARCH DEPTH FIRST BY id SET path SELECT id FROM r WHERE nir <> 'z' ORDER BY path;
WITH RECURSIVE r(id, nir, twin) AS (SELECT id, nir, twin FROM patient WHERE id = 1 UNION ALL SELECT p.id, p.nir, p.twin FROM patient p, r WHERE p.nir = r.twin)
  SEARCH BREADTH FIRST BY id SET o CYCLE nir SET again USING path SELECT id, again FROM r ORDER BY o;
SELECT p.id FROM patient p JOIN patient r ON p *= r ORDER BY 1;		-- the same bits, which is no comparison of values

-- ---------------------------------------------------------------------------
-- Envelopes as text, and values opened on the quiet
-- ---------------------------------------------------------------------------

SELECT nir || 'x' FROM patient;
CREATE FUNCTION say(anyelement) RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$;
CREATE FUNCTION said(anyelement) RETURNS SETOF text LANGUAGE sql STABLE AS $$ SELECT 'x' FROM generate_series(1, 2) $$;
CREATE FUNCTION tell(VARIADIC anycompatiblearray) RETURNS varchar LANGUAGE sql AS $$ SELECT 'x' $$;
CREATE FUNCTION joined(sealed_text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT $1 || '.' $$;
CREATE FUNCTION letters(text) RETURNS SETOF text LANGUAGE sql STABLE AS $$ SELECT unnest(string_to_array($1, NULL)) $$;
CREATE DOMAIN keyed AS sealed_text(refuse_key);
CREATE TABLE printed (id integer, x other_text);
SELECT q, refusal(q) FROM (VALUES
  (1, 'SELECT ''x'' || nir FROM patient'),
  (2, 'SELECT n || ''x'' FROM patient'),
  (3, 'SELECT concat(nir) FROM patient'),
  (4, 'SELECT concat(id, nir) FROM patient'),
  (5, 'SELECT concat_ws('','', plain, nir, twin) FROM patient'),
  (6, 'SELECT concat(VARIADIC ARRAY[nir, twin]) FROM patient'),
  (7, 'SELECT format(''%s'', nir) FROM patient'),
  (8, 'SELECT format(''%L %L'', id, coalesce(nir, twin)) FROM patient'),
  (9, 'SELECT quote_literal(nir) FROM patient'),
  (10, 'SELECT quote_nullable(nir) FROM patient'),
  (11, 'SELECT array_to_string(array_agg(nir), '','') FROM patient'),
  (12, 'SELECT say(nir) FROM patient'),
  (13, 'SELECT say(nir::keyed) FROM patient'),
  (14, 'SELECT tell(nir, twin) FROM patient'),
  (15, 'SELECT joined(nir) FROM patient'),
  (16, 'SELECT l FROM patient, letters(nir || ''x'') l'),
  (17, 'SELECT nir::xml FROM patient'),
  (18, 'SELECT nir::regclass FROM patient'),
  (19, 'SELECT ARRAY[nir]::text FROM patient'),
  (20, 'SELECT ARRAY[nir]::xml[] FROM patient'),
  (21, 'SELECT id FROM patient WHERE nir || ''x'' = ''ax'''),
  (22, 'SELECT id FROM patient ORDER BY concat(nir)'),
  (23, 'UPDATE patient SET plain = concat(nir)'),
  (24, 'INSERT INTO patient (id, plain) SELECT 9, format(''%s'', nir) FROM patient'),
  (25, 'SELECT lag(concat(nir)) OVER (ORDER BY id) FROM patient'),
  (26, 'WITH w AS (SELECT nir FROM patient) SELECT quote_literal(nir) FROM w'),
  (27, 'INSERT INTO printed SELECT id, nir FROM patient'),
  (28, 'SELECT s FROM patient, said(nir) s')
  ) AS v(i, q) WHERE refusal(q) IS DISTINCT FROM '0A000 a sealed value is not text' ORDER BY i;
DO $$ BEGIN RAISE NOTICE '%', (SELECT concat(nir) FROM patient WHERE id = 1); END $$;
-- what is no text, and what says which value it means
SELECT pg_typeof(nir), num_nulls(nir, n), pg_column_size(nir) > 0 AS t, pg_column_compression(nir) IS NULL AS t, coalesce(nir, twin) IS NULL AS f,
  to_jsonb(nir) #>> '{}' ~ '^seal1:' AS t, row_to_json(patient) ->> 'nir' ~ '^seal1:' AS t, patient::text ~ 'seal1:' AS t, ARRAY[nir]::text[] AS opened,
  nir::text || 'x' AS opened, concat(nir::text, '.') AS opened, quote_literal(seal.reveal(nir)) AS opened
  FROM patient WHERE id = 1;
SELECT count(nir), cardinality(array_agg(nir)), json_array_length(json_agg(nir)) FROM patient;

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA plan_refuse CASCADE;
SELECT count(seal.revoke_key(k, r))
  FROM unnest('{refuse_key,refuse_other,refuse_note}'::text[]) k, unnest(ARRAY['regress_refuse_app', current_user::regrole]) r;
DROP ROLE regress_refuse_app;
