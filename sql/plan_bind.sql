-- plan_bind: a comparison of a sealed column, however it is written, finds what
-- the same comparison of a plain column finds, and uses the index.  A column t
-- must be true, a column f false.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgseal;
RESET client_min_messages;
CREATE ROLE regress_plan_app;
CREATE ROLE regress_plan_reader;
SELECT count(seal.create_key(k, searchable => true)) FROM unnest('{plan_key,plan_other}'::text[]) k;
SELECT seal.create_key('plan_note') > 0 AS t;
-- The login role of pg_regress is a superuser, whose own rights count too: they are granted like anybody's.
SELECT count(seal.grant_key(k, r, '{seal,search,reveal}'))
  FROM unnest('{plan_key,plan_other,plan_note}'::text[]) k, unnest(ARRAY['regress_plan_app', current_user::regrole]) r;
CREATE SCHEMA plan_bind AUTHORIZATION regress_plan_app;
SET search_path = plan_bind;
SET SESSION AUTHORIZATION regress_plan_app;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET jit = off;

-- A plan without the ciphertext in it.
CREATE FUNCTION plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    RETURN NEXT regexp_replace(line, 'seal1:[A-Za-z0-9_-]+', 'seal1:...', 'g');
  END LOOP;
END $$;
CREATE FUNCTION uses_index(query text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT bool_or(line ~ 'Index Cond') AND NOT bool_or(line ~ 'Seq Scan') FROM plan(query) line);
END $$;
-- Tables that are really read when the query runs.
CREATE FUNCTION scans(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  line text;
  scans bigint := 0;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    scans := scans + (line ~ ' Scan .*on ' AND line !~ 'never executed')::integer;
  END LOOP;
  RETURN scans;
END $$;

CREATE TABLE patient (
  id    integer PRIMARY KEY,
  nir   sealed_text(plan_key),
  twin  sealed_text(plan_key),
  n     sealed_int(plan_key),
  other sealed_text(plan_other),
  note  sealed_text(plan_note),
  plain text);
INSERT INTO patient
  SELECT i, 'n' || i, 'n' || (i + 1) % 10, i, 'n' || i, 'note', 'n' || i FROM generate_series(1, 9) i;
INSERT INTO patient VALUES (10, NULL, 'n1', NULL, NULL, NULL, NULL);

-- ---------------------------------------------------------------------------
-- One value
-- ---------------------------------------------------------------------------

SELECT id FROM patient WHERE nir = 'n3';
SELECT id FROM patient WHERE 'n3' = nir;
SELECT id FROM patient WHERE nir = 'n3'::text;
SELECT id FROM patient WHERE nir = 'n3'::varchar(2);
SELECT id FROM patient WHERE nir = 'n3 '::char(5);
SELECT id FROM patient WHERE nir = 'n3'::name;
SELECT id FROM patient WHERE nir = 'n3'::sealed_text;
SELECT id FROM patient WHERE nir = 'n3'::sealed_text(plan_key);
SELECT id FROM patient WHERE nir = seal.seal('n3', 'plan_key');
SELECT id FROM patient WHERE nir = plain ORDER BY id;
SELECT id FROM patient WHERE nir = 'n' || (id % 4) ORDER BY id;
SELECT id FROM patient WHERE nir = (SELECT 'n3');
SELECT id FROM patient WHERE nir = (SELECT max(plain) FROM patient);
SELECT id FROM patient WHERE nir = NULL;
SELECT id FROM patient WHERE nir = NULL::text;
SELECT id FROM patient WHERE nir <> 'n3' ORDER BY id;
SELECT id FROM patient WHERE NOT nir = 'n3' ORDER BY id;
SELECT id FROM patient WHERE nir IS DISTINCT FROM 'n3' ORDER BY id;
SELECT id FROM patient WHERE nir IS NOT DISTINCT FROM 'n3' OR nir IS NOT DISTINCT FROM NULL ORDER BY id;
SELECT id FROM patient WHERE nir IS DISTINCT FROM plain;
SELECT id, nir = 'n3' AS equal, nir <> 'n3' AS different FROM patient WHERE id IN (3, 4, 10) ORDER BY id;
SELECT id, CASE nir WHEN 'n1' THEN 'one' WHEN 'n2'::text THEN 'two' WHEN twin THEN 'twin' ELSE 'else' END FROM patient WHERE id IN (1, 2, 3, 10) ORDER BY id;
SELECT id, CASE WHEN nir = 'n1' OR twin = 'n1' THEN 'one' END FROM patient WHERE id IN (1, 9, 10) ORDER BY id;
SELECT id, nullif(nir, 'n1') IS NULL AS hidden, nullif(nir, 'n1'::text)::text AS shown FROM patient WHERE id IN (1, 2, 10) ORDER BY id;
SELECT id FROM patient WHERE coalesce(nir, twin) = 'n1' ORDER BY id;
SELECT id FROM patient WHERE CASE WHEN id > 5 THEN nir END = 'n7';
-- of the column's key in fact, though nothing says so when the statement is planned
SELECT id FROM patient WHERE nir = (SELECT p.nir FROM patient p WHERE p.id = 4);
SELECT id FROM patient WHERE nir = coalesce(twin, 'n1') OR nir = coalesce(nir, twin, 'x') AND id < 2 ORDER BY id;
SELECT id FROM patient, (SELECT array_agg(nir) AS a FROM patient WHERE id = 6) s WHERE nir = s.a[1];

-- parameters: what the driver does not say is described as sealed, text or varchar work too
PREPARE untyped AS SELECT id FROM patient WHERE nir = $1;
PREPARE as_text(text) AS SELECT id FROM patient WHERE nir = $1;
PREPARE as_varchar(varchar) AS SELECT id FROM patient WHERE nir = $1 AND $1 <> 'n9';
SELECT name, parameter_types FROM pg_prepared_statements ORDER BY name;
EXECUTE untyped('n3');
EXECUTE as_text('n4');
EXECUTE as_varchar('n5');
EXECUTE as_varchar('n9');
EXECUTE untyped(NULL);
DEALLOCATE ALL;

-- ---------------------------------------------------------------------------
-- Lists
-- ---------------------------------------------------------------------------

SELECT id FROM patient WHERE nir IN ('n3', 'n5') ORDER BY id;
SELECT id FROM patient WHERE nir IN ('n3');
SELECT id FROM patient WHERE nir IN ('n3', NULL);
SELECT id FROM patient WHERE nir IN ('n3'::text, 'n5'::varchar) ORDER BY id;
SELECT id FROM patient WHERE nir IN (twin, plain) ORDER BY id;
SELECT id FROM patient WHERE nir NOT IN ('n3', 'n5') ORDER BY id;
SELECT id FROM patient WHERE nir NOT IN ('n3', NULL);
SELECT id FROM patient WHERE nir NOT IN ('n1','n2','n3','n4','n5','n6','n7','n8','x','y','z');
SELECT id FROM patient WHERE nir IN ('n1','n2','n3','x4','x5','x6','x7','x8','x','y','z', NULL) ORDER BY id;
SELECT id FROM patient WHERE nir = ANY ('{n3,n5,NULL}') ORDER BY id;
SELECT id FROM patient WHERE nir = ANY ('{n3,n5}'::text[]) ORDER BY id;
SELECT id FROM patient WHERE nir = ANY ('{{n3,n5},{n6,NULL}}'::varchar[]) ORDER BY id;
SELECT id FROM patient WHERE nir = ANY (ARRAY['n3', plain]) ORDER BY id;
SELECT id FROM patient WHERE nir = ANY (ARRAY[twin, 'n3']) ORDER BY id;
SELECT id FROM patient WHERE nir = ANY ('{}');
SELECT id FROM patient WHERE nir = ANY (NULL);
SELECT id FROM patient WHERE nir = ANY (string_to_array('n3,n5', ',')) ORDER BY id;
SELECT id FROM patient WHERE nir <> ALL ('{n3,n5}') ORDER BY id;
SELECT id FROM patient WHERE nir <> ALL ('{n3,NULL}'::text[]);
SELECT id FROM patient WHERE nir <> ANY ('{n3}'::text[]) ORDER BY id;
SELECT id FROM patient WHERE nir = ALL ('{n3,n3}'::text[]);
SELECT id FROM patient WHERE 'n3' = ANY (ARRAY[nir, twin]) ORDER BY id;
-- integers have no common type with a sealed one, so this arrives as OR and AND of single comparisons
SELECT id FROM patient WHERE n IN (3, 5, NULL) ORDER BY id;
SELECT id FROM patient WHERE n NOT IN (3, 5) ORDER BY id;
SELECT id FROM patient WHERE n NOT IN (3, NULL);
SELECT id FROM patient WHERE n = 3 OR nir = 'n4' OR n = 5 OR twin = 'n7' ORDER BY id;
SELECT id FROM patient WHERE (n <> 3 AND n <> 4 AND id < 6) OR n = 9 ORDER BY id;
PREPARE two AS SELECT id FROM patient WHERE nir IN ($1, $2) ORDER BY id;
EXECUTE two('n3', 'n5');
EXECUTE two(NULL, 'n5');
PREPARE list AS SELECT id FROM patient WHERE nir = ANY ($1) ORDER BY id;
PREPARE text_list(text[]) AS SELECT id FROM patient WHERE nir = ANY ($1) ORDER BY id;
PREPARE int_list(integer[], integer, integer) AS SELECT id FROM patient WHERE n = ANY ($1) OR n IN ($2, $3) ORDER BY id;
SELECT name, parameter_types FROM pg_prepared_statements WHERE name LIKE '%list' ORDER BY name;
EXECUTE list('{n3,n5,NULL}');
EXECUTE text_list('{n3,n5}');
EXECUTE text_list(NULL);
EXECUTE int_list('{3,5}', 7, 8);
DEALLOCATE ALL;

-- ---------------------------------------------------------------------------
-- Rows
-- ---------------------------------------------------------------------------

SELECT id FROM patient WHERE (nir, id) = ('n3', 3);
SELECT id FROM patient WHERE (nir, twin) = ('n3', 'n4');
SELECT id FROM patient WHERE (id, nir) IN ((3, 'n3'), (4, 'n5'), (5, 'n5')) ORDER BY id;
SELECT id FROM patient WHERE (nir, n) <> ('n3', 3) ORDER BY id;
SELECT id FROM patient WHERE (nir, id) IS NOT DISTINCT FROM (NULL, 10);
SELECT id FROM patient WHERE ROW(nir) = ROW('n3'::text);
SELECT id FROM patient WHERE (nir, id) IN (SELECT plain, id FROM patient WHERE id < 4) ORDER BY id;
SELECT a.id FROM patient a, patient b WHERE a.nir = b.nir AND (a.nir, a.n) = (b.plain, b.id) AND a.id < 3 ORDER BY a.id;
PREPARE pair(text, integer) AS SELECT id FROM patient WHERE (nir, id) = ($1, $2);
EXECUTE pair('n6', 6);
DEALLOCATE ALL;

-- ---------------------------------------------------------------------------
-- Joins, subqueries, common table expressions
-- ---------------------------------------------------------------------------

CREATE TABLE result (id integer PRIMARY KEY, nir sealed_text(plan_key), plain text, value integer);
INSERT INTO result SELECT i, 'n' || i % 5, 'n' || i % 5, i FROM generate_series(1, 8) i;
INSERT INTO result VALUES (9, NULL, NULL, 9);
SELECT p.id, r.id FROM patient p JOIN result r USING (nir) ORDER BY p.id, r.id;
SELECT p.id, r.id FROM patient p JOIN result r ON p.nir = r.plain ORDER BY p.id, r.id;
SELECT p.id, r.id FROM patient p FULL JOIN result r ON r.nir = p.nir AND r.nir = p.nir WHERE p.id IS NULL OR p.id < 3 ORDER BY p.id, r.id;
SELECT p.id, r.id FROM patient p FULL JOIN result r ON r.plain = p.nir WHERE p.id IS NULL OR p.id < 3 ORDER BY p.id, r.id;
SELECT p.id, r.id FROM patient p LEFT JOIN result r ON r.nir = p.nir AND r.nir <> 'n1' WHERE p.id IN (1, 2) ORDER BY p.id, r.id;
SELECT count(*) FROM patient NATURAL JOIN (SELECT nir FROM result) r WHERE nir = 'n1';
SELECT count(*) FROM patient JOIN (VALUES ('n1'), ('n2'), ('x')) AS v(nir) ON patient.nir = v.nir;
SELECT id FROM patient WHERE nir IN (SELECT nir FROM result) ORDER BY id;
SELECT id FROM patient WHERE nir IN (SELECT plain FROM result) ORDER BY id;
SELECT id FROM patient WHERE plain IN (SELECT nir FROM result) ORDER BY id;
SELECT id FROM patient WHERE nir NOT IN (SELECT nir FROM result WHERE nir IS NOT NULL) ORDER BY id;
SELECT id FROM patient WHERE nir NOT IN (SELECT plain FROM result WHERE id < 9) ORDER BY id;
SELECT id FROM patient WHERE nir NOT IN (SELECT plain FROM result);
SELECT id FROM patient WHERE nir = ANY (SELECT plain FROM result) OR id = 9 ORDER BY id;
SELECT id FROM patient WHERE nir <> ALL (SELECT plain FROM result WHERE id < 9) ORDER BY id;
SELECT id FROM patient p WHERE EXISTS (SELECT FROM result r WHERE r.nir = p.nir AND r.plain = p.nir) ORDER BY id;
SELECT id FROM patient p WHERE NOT EXISTS (SELECT FROM result r WHERE r.plain = p.nir) ORDER BY id;
SELECT id, (SELECT sum(value) FROM result r WHERE r.nir = p.nir) AS sum, ARRAY(SELECT r.id FROM result r WHERE r.plain = p.nir ORDER BY 1) FROM patient p WHERE id < 4 ORDER BY id;
SELECT p.id, s.* FROM patient p, LATERAL (SELECT r.id AS result FROM result r WHERE r.nir = p.nir AND r.nir <> 'n1' LIMIT 1) s ORDER BY 1;
SELECT p.id FROM (SELECT p.* FROM patient p OFFSET 0) p WHERE nir = 'n3';
SELECT p.id FROM (SELECT DISTINCT ON (nir) * FROM patient) p WHERE nir = 'n3';
SELECT id FROM (SELECT id, nir FROM patient UNION ALL SELECT id, nir FROM result) u WHERE nir = 'n1' ORDER BY id;
SELECT id FROM (SELECT id, nir, row_number() OVER (PARTITION BY nir) AS r FROM result) w WHERE nir = 'n1' AND r = 2;
WITH p AS (SELECT * FROM patient) SELECT id FROM p WHERE nir = 'n3';
WITH p AS MATERIALIZED (SELECT * FROM patient) SELECT a.id FROM p a JOIN p b ON a.nir = b.twin WHERE b.nir = 'n3';
WITH RECURSIVE chain(id, nir, twin) AS (
    SELECT id, nir, twin FROM patient WHERE nir = 'n7'
    UNION SELECT p.id, p.nir, p.twin FROM patient p JOIN chain c ON p.nir = c.twin)
  SELECT id FROM chain ORDER BY id;
WITH moved AS (DELETE FROM result WHERE nir = 'n4' RETURNING *) INSERT INTO result SELECT id, nir, plain, value FROM moved WHERE nir IN ('n4', 'x') RETURNING id;
SELECT one, count(*) FROM (SELECT nir, nir = 'n1' AS one FROM result) r GROUP BY one HAVING count(*) FILTER (WHERE nir <> 'n2') > 1 ORDER BY 1;
SELECT count(*) FILTER (WHERE nir = 'n1'), sum(CASE WHEN nir IN ('n1', 'n2') THEN 1 END) OVER () FROM result GROUP BY nir ORDER BY 1 DESC LIMIT 1;

-- ---------------------------------------------------------------------------
-- What equality of one key gives: groups, sets, distinct values
-- ---------------------------------------------------------------------------

SELECT count(*), min(value) FROM result GROUP BY nir ORDER BY 2;
SELECT count(*) FROM (SELECT DISTINCT nir FROM result) d;
SELECT count(DISTINCT nir), count(DISTINCT (nir, plain)) FROM result;
SELECT count(*) FROM (SELECT nir FROM result UNION SELECT nir FROM patient) u;
SELECT count(*) FROM (SELECT nir, NULL FROM result INTERSECT SELECT nir, NULL FROM patient) u;
SELECT count(*) FROM (SELECT nir FROM patient EXCEPT ALL SELECT nir FROM result) u;
SELECT value, rank FROM (SELECT value, rank() OVER (PARTITION BY nir ORDER BY value) FROM result) r ORDER BY value LIMIT 3;
SELECT count(*) FROM (SELECT plain, nir FROM result GROUP BY GROUPING SETS ((plain), (nir), ())) g;
SELECT a.id FROM result a, result b WHERE a = b AND a.id < 3 ORDER BY 1;
SELECT count(DISTINCT p) FROM result p;
SELECT array_position(array_agg(nir), 'n2'::sealed_text(plan_key)) FROM (SELECT nir FROM result ORDER BY id) r;		-- fails: array_agg() hides the key
SELECT array_position(ARRAY[nir, twin], 'n3'::sealed_text(plan_key)), ARRAY[nir] = ARRAY[twin] AS f FROM patient WHERE id = 2;

-- ---------------------------------------------------------------------------
-- Statements that write
-- ---------------------------------------------------------------------------

BEGIN;
UPDATE patient SET plain = 'updated' FROM result r WHERE patient.nir = r.plain AND r.id = 3 RETURNING patient.id;
UPDATE patient SET twin = v.new FROM (VALUES ('n1', 'new')) AS v(old, new) WHERE nir = v.old RETURNING id, twin = 'new' AS t;
DELETE FROM patient USING result r WHERE patient.nir = r.nir AND r.nir = 'n3' RETURNING patient.id;
DELETE FROM patient WHERE nir = 'n4' OR twin IN ('n6', 'n7') RETURNING id;
MERGE INTO patient p USING result r ON p.nir = r.nir AND r.id < 5
  WHEN MATCHED AND p.nir = 'n1' AND r.plain = p.nir THEN UPDATE SET plain = 'merged'
  WHEN MATCHED THEN DELETE;
MERGE INTO patient p USING (VALUES ('n8'), ('n100')) AS v(nir) ON p.nir = v.nir
  WHEN MATCHED THEN UPDATE SET plain = 'merged'
  WHEN NOT MATCHED AND v.nir <> 'n101' THEN INSERT (id, nir) VALUES (100, v.nir);
SELECT id, plain, nir::text FROM patient ORDER BY id;
ROLLBACK;
CREATE UNIQUE INDEX ON result (id, nir);
INSERT INTO result VALUES (1, 'n1', 'n1', 100) ON CONFLICT (id, nir) DO UPDATE SET value = excluded.value WHERE result.nir = excluded.nir AND result.nir <> 'n2' RETURNING id, value;
INSERT INTO result VALUES (1, 'n1', 'n1', 200) ON CONFLICT (id, nir) DO UPDATE SET value = excluded.value WHERE excluded.nir = 'n2' RETURNING id, value;
-- a partial index is taken for what it says: the envelope of one value
CREATE TABLE bed (ward sealed_text(plan_key), patient integer);
SELECT seal.token_literal('plan_key', 'north') AS north, seal.token_literal('plan_key', 'south') AS south \gset
CREATE UNIQUE INDEX ON bed (patient) WHERE ward = :'north';
INSERT INTO bed VALUES ('north', 1), ('south', 1), ('south', 1);
INSERT INTO bed VALUES ('north', 1) ON CONFLICT (patient) WHERE ward = :'north' DO UPDATE SET patient = 2 RETURNING patient;
SET enable_seqscan = off;
SELECT * FROM plan(format('SELECT * FROM bed WHERE ward = %L AND patient = 2', :'north'));
RESET enable_seqscan;
SELECT patient FROM bed WHERE ward = :'south';
SELECT patient FROM bed WHERE ward = seal.token_literal('plan_other', 'south')::sealed_text;		-- fails

-- ---------------------------------------------------------------------------
-- Views, policies, functions, cursors
-- ---------------------------------------------------------------------------

CREATE VIEW inner_view AS SELECT id, nir, plain FROM patient WHERE nir <> 'n9';
CREATE VIEW outer_view WITH (security_barrier) AS SELECT v.id, v.nir, r.value FROM inner_view v JOIN result r ON r.nir = v.nir WHERE v.nir IN ('n1', 'n2', 'n9');
SELECT id, value FROM outer_view WHERE nir = 'n1' ORDER BY value;
SELECT id FROM inner_view WHERE nir IN ('n8', 'n9');
CREATE TABLE chart (nir sealed_text(plan_key), line integer);
INSERT INTO chart VALUES ('n1', 1), ('n2', 2);
ALTER TABLE chart ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON chart TO regress_plan_reader USING (nir = current_setting('plan.nir', true)) WITH CHECK (nir = current_setting('plan.nir') OR nir = 'n3');
GRANT USAGE ON SCHEMA plan_bind TO regress_plan_reader;
GRANT SELECT, INSERT, UPDATE ON chart TO regress_plan_reader;
RESET SESSION AUTHORIZATION;
SELECT seal.grant_key('plan_key', 'regress_plan_reader', '{seal,search}');
SET SESSION AUTHORIZATION regress_plan_reader;
SELECT line FROM chart;
SET plan.nir = 'n1';
SELECT line FROM chart;
INSERT INTO chart VALUES ('n1', 3), ('n3', 4);
\set VERBOSITY sqlstate
INSERT INTO chart VALUES ('n2', 3);		-- fails
\set VERBOSITY default
UPDATE chart SET line = line + 10 WHERE nir <> 'n2';
SET plan.nir = 'n2';
SELECT line FROM chart;
SET SESSION AUTHORIZATION regress_plan_app;
SELECT line FROM chart ORDER BY line;

CREATE FUNCTION is_value(value sealed_text, wanted text) RETURNS boolean LANGUAGE sql AS 'SELECT value = wanted';
CREATE FUNCTION is_one_of(value sealed_text, VARIADIC wanted text[]) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT value = ANY (wanted)';
CREATE FUNCTION of_value(wanted text) RETURNS SETOF patient LANGUAGE sql STABLE AS 'SELECT * FROM patient WHERE nir = wanted';
CREATE FUNCTION of_two(a text, b text) RETURNS TABLE (id integer, nir sealed_text) LANGUAGE sql STABLE
  BEGIN ATOMIC SELECT p.id, p.nir FROM patient p WHERE p.nir IN (a, b); END;
CREATE FUNCTION of_value_not_inlined(wanted text) RETURNS SETOF patient LANGUAGE sql VOLATILE AS 'SELECT * FROM patient WHERE nir = wanted';
CREATE FUNCTION countdown(value sealed_text, n integer) RETURNS boolean LANGUAGE sql AS
  'SELECT CASE WHEN n <= 0 THEN value IS NOT NULL ELSE countdown(value, n - 1) END';
CREATE FUNCTION endless(value sealed_text) RETURNS boolean LANGUAGE sql AS
  'SELECT CASE WHEN value IS NULL THEN true ELSE endless(value) END';
SELECT id FROM patient WHERE is_value(nir, 'n3');
SELECT id FROM patient WHERE is_one_of(nir, 'n3', 'n4') ORDER BY id;
SELECT id FROM of_value('n3') WHERE twin = 'n4';
SELECT a.id, b.id FROM patient a, LATERAL of_value(a.plain) b WHERE a.id < 3 ORDER BY 1;
SELECT id FROM of_two('n3', 'n5') WHERE nir = 'n5';					-- fails: the function's columns have no key
SELECT id FROM of_two('n3', 'n5') WHERE nir::sealed_text(plan_key) = 'n5';
SELECT id FROM of_value_not_inlined('n3') WHERE nir = 'n3';
SELECT count(*) FROM patient WHERE countdown(nir, id);
SELECT endless(nir) AS t FROM patient WHERE id = 10;
SELECT * FROM plan($$SELECT id FROM of_value('n3')$$);
-- what a column definition list says of a column's key is checked, in comparisons and on the way into a column
CREATE FUNCTION records(wanted text) RETURNS SETOF record LANGUAGE plpgsql STABLE AS
  $$BEGIN RETURN QUERY SELECT p.id, p.nir FROM patient p WHERE p.nir = wanted; END$$;
SELECT p.id FROM patient p JOIN json_to_recordset('[{"nir":"n3","x":1},{"nir":"n100"}]') AS j(nir sealed_text(plan_key), x integer) USING (nir);
SELECT r.id, o FROM ROWS FROM (records('n3') AS (id integer, nir sealed_text(plan_key)), generate_series(1, 1)) WITH ORDINALITY AS r(id, nir, g, o) WHERE nir = 'n3';
SELECT p.id, r.id FROM patient p, LATERAL (SELECT r.id FROM records(p.plain) AS r(id integer, nir sealed_text(plan_key)) WHERE r.nir = p.nir AND p.id < 3) r ORDER BY 1;
SELECT count(*) FROM unnest(ARRAY(SELECT ROW(nir) FROM patient WHERE id < 4)) AS u(nir sealed_text(plan_key)) JOIN patient USING (nir);
SELECT count(*) FROM unnest(ARRAY(SELECT ROW(other) FROM patient WHERE id < 4)) AS u(nir sealed_text(plan_key)) JOIN patient USING (nir);		-- fails
INSERT INTO chart (nir) SELECT nir FROM unnest(ARRAY(SELECT ROW(other) FROM patient)) AS u(nir sealed_text(plan_key));		-- fails

CREATE FUNCTION by_variable(wanted text) RETURNS integer[] LANGUAGE plpgsql AS $$
DECLARE
  as_text varchar := wanted;
  sealed sealed_text(plan_key) := wanted;
  unkeyed sealed_text := wanted;
  row patient;
  found integer[];
  one integer;
  lines CURSOR (x text) FOR SELECT id FROM patient p WHERE p.nir = x;
BEGIN
  SELECT array_agg(id) INTO found FROM patient WHERE nir = as_text OR nir = sealed OR nir = unkeyed;
  SELECT * INTO STRICT row FROM patient WHERE nir = as_text;
  ASSERT row.nir = sealed, 'variable with a key';
  ASSERT row.nir = as_text AND row.nir = unkeyed AND row.nir IN (as_text, 'x'), 'variables without a key';
  ASSERT row.nir <> 'x', 'literal';
  FOR i IN 1 .. 3 LOOP
    ASSERT (row.nir = 'n' || i) = (i = row.id), 'one expression, many values';
  END LOOP;
  FOR line IN lines(wanted) LOOP
    found := found || line.id;
  END LOOP;
  EXECUTE 'SELECT id FROM patient WHERE nir = $1' INTO one USING wanted;
  RETURN found || one;
END $$;
SELECT by_variable('n3'), by_variable('n2'), by_variable('n3');
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id FROM patient WHERE nir IN ('n3', 'n5') ORDER BY id;
FETCH ALL FROM c;
FETCH BACKWARD 1 FROM c;
DECLARE u CURSOR FOR SELECT id FROM patient WHERE nir = 'n3' FOR UPDATE;
FETCH u;
UPDATE patient SET plain = 'current' WHERE CURRENT OF u RETURNING id, nir = 'n3' AS t;
ROLLBACK;
COPY (SELECT id FROM patient WHERE nir IN ('n3', 'n4') ORDER BY id) TO STDOUT;
CREATE TABLE copied AS SELECT id, nir FROM patient WHERE nir = 'n3' OR nir = 'n4' WITH NO DATA;
INSERT INTO copied SELECT id, nir FROM patient WHERE nir = 'n3';
SELECT id, nir = 'n3' AS t FROM copied;
SELECT id INTO chosen FROM patient WHERE nir = 'n3';
TABLE chosen;

-- ---------------------------------------------------------------------------
-- Every plan asks for the right when it runs
-- ---------------------------------------------------------------------------

RESET SESSION AUTHORIZATION;
GRANT SELECT ON patient TO regress_plan_reader;
SELECT seal.revoke_key('plan_key', 'regress_plan_reader', '{seal}');
SET SESSION AUTHORIZATION regress_plan_reader;
SET plan_cache_mode = force_generic_plan;
PREPARE generic(text) AS SELECT id FROM patient WHERE nir = $1;
PREPARE constant AS SELECT id FROM patient WHERE nir IN ('n4'::text, 'n5') ORDER BY id;
EXECUTE generic('n3');
EXECUTE constant;
RESET SESSION AUTHORIZATION;
SELECT seal.revoke_key('plan_key', 'regress_plan_reader');
SET SESSION AUTHORIZATION regress_plan_reader;
EXECUTE generic('n3');		-- fails
EXECUTE constant;			-- fails
SELECT id FROM patient WHERE nir = 'n3';		-- fails
EXPLAIN (COSTS OFF) SELECT id FROM patient WHERE nir IS NULL;
SELECT a.id FROM patient a JOIN patient b ON a.nir = b.twin WHERE b.id = 3;
RESET SESSION AUTHORIZATION;
SELECT seal.grant_key('plan_key', 'regress_plan_reader', '{search}');
SET SESSION AUTHORIZATION regress_plan_reader;
EXECUTE generic('n3');
EXECUTE constant;
RESET SESSION AUTHORIZATION;
SELECT generic_plans > 0 AS t, custom_plans FROM pg_prepared_statements WHERE name = 'generic';
DEALLOCATE ALL;
RESET plan_cache_mode;
SET SESSION AUTHORIZATION regress_plan_app;

-- ---------------------------------------------------------------------------
-- Index scans, on 20,000 rows
-- ---------------------------------------------------------------------------

CREATE TABLE big (id integer, nir sealed_text(plan_key), n sealed_int(plan_key));
INSERT INTO big SELECT i, 'n' || i, i FROM generate_series(1, 20000) i;
CREATE UNIQUE INDEX big_nir ON big (nir);
CREATE INDEX big_n ON big (n);
ANALYZE big;
SET max_parallel_workers_per_gather = 0;
SELECT * FROM plan($$SELECT id FROM big WHERE nir = 'n7'$$);
SELECT * FROM plan($$SELECT id FROM big WHERE nir = 'n7'::varchar$$);
SELECT * FROM plan($$SELECT id FROM big WHERE nir IN ('n7', 'n8')$$);
SELECT * FROM plan($$SELECT id FROM big WHERE n = 7$$);
SELECT * FROM plan($$SELECT id FROM big WHERE n IN (7, 8)$$);
SELECT * FROM plan($$SELECT id FROM big WHERE nir = ANY ('{n7,n8}'::text[])$$);
SELECT * FROM plan($$SELECT p.id FROM patient p JOIN big b ON b.nir = p.plain WHERE p.id = 3$$);
SELECT * FROM plan($$SELECT p.id FROM patient p JOIN big b ON b.nir = p.nir WHERE p.id = 3$$);
SELECT * FROM plan($$UPDATE big SET id = id WHERE nir = 'n7'$$);
SELECT uses_index($$SELECT id FROM big WHERE 'n7'::text = nir$$) AS t,
  uses_index($$SELECT id FROM big WHERE (nir, id) = ('n7', 7)$$) AS t,
  uses_index($$SELECT id FROM big WHERE nir IN ('n7', NULL)$$) AS t,
  uses_index($$SELECT id FROM big WHERE n = 7::bigint OR n = 8.0 OR n = 9$$) AS t,
  uses_index($$SELECT id FROM big WHERE n = 7::float8$$) AS t,
  uses_index($$DELETE FROM big WHERE nir = 'n7'$$) AS t,
  uses_index($$SELECT id FROM big WHERE nir = (SELECT 'n7')$$) AS t,
  uses_index($$SELECT id FROM (SELECT * FROM big) b WHERE nir = current_setting('plan.nir', true)$$) AS t,
  uses_index($$WITH b AS (SELECT * FROM big) SELECT id FROM b WHERE nir = 'n7'$$) AS t,
  uses_index($$SELECT (SELECT id FROM big WHERE nir = v.x) FROM (VALUES ('n7')) AS v(x)$$) AS t;
SET plan_cache_mode = force_generic_plan;
PREPARE one AS SELECT id FROM big WHERE nir = $1;
PREPARE in_two(text, text) AS SELECT id FROM big WHERE nir IN ($1, $2);
PREPARE any_text(text[]) AS SELECT id FROM big WHERE nir = ANY ($1);
PREPARE any_untyped AS SELECT id FROM big WHERE nir = ANY ($1);
PREPARE in_int(integer, bigint) AS SELECT id FROM big WHERE n IN ($1, $2);
SELECT * FROM plan($$EXECUTE one('n7')$$);
SELECT * FROM plan($$EXECUTE in_two('n7', 'n8')$$);
SELECT * FROM plan($$EXECUTE any_text('{n7}')$$);
SELECT * FROM plan($$EXECUTE any_untyped('{n7}')$$);
SELECT * FROM plan($$EXECUTE in_int(7, 8)$$);
EXECUTE one('n7');
EXECUTE in_two('n7', 'n8');
EXECUTE any_text('{n7,n8,NULL}');
EXECUTE any_untyped('{n7}');
EXECUTE in_int(7, 8);
DEALLOCATE ALL;
RESET plan_cache_mode;
-- long lists
SELECT string_agg(quote_literal('n' || i * 5), ', ') AS names, string_agg((i * 5)::text, ', ') AS numbers FROM generate_series(1, 5000) i \gset
SELECT count(*), sum(id) FROM big WHERE nir IN (:names);
SELECT count(*), sum(id) FROM big WHERE n IN (:numbers);
SELECT count(*), sum(id) FROM big WHERE n NOT IN (:numbers) AND id <= 100;
SELECT count(*), sum(id) FROM big WHERE nir NOT IN (:names) AND id <= 100;
SELECT count(*), sum(id) FROM big WHERE nir = ANY (ARRAY(SELECT 'n' || i * 5 FROM generate_series(1, 5000) i));
SELECT count(*), sum(id) FROM big JOIN (SELECT 'n' || i * 5 AS nir FROM generate_series(1, 5000) i) wanted ON big.nir = wanted.nir;
SELECT count(*), sum(id) FROM big WHERE nir IN (SELECT 'n' || i * 5 FROM generate_series(1, 5000) i);
SELECT uses_index(format('SELECT id FROM big WHERE nir IN (%s)', :'names')) AS t, uses_index(format('SELECT id FROM big WHERE n IN (%s)', :'numbers')) AS t;
-- so long that its tokens are not kept between rows, and read without an index
SELECT string_agg(quote_literal('n' || i), ', ') AS names FROM generate_series(1, 16000) i \gset
SET enable_indexscan = off;
SET enable_bitmapscan = off;
SELECT id FROM big WHERE id BETWEEN 15999 AND 16001 AND nir IN (:names) ORDER BY id;
SELECT id FROM big WHERE id BETWEEN 15999 AND 16001 AND nir NOT IN (:names) ORDER BY id;
RESET enable_indexscan;
RESET enable_bitmapscan;
-- parallel workers look up their own keys and rights
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET enable_indexscan = off;
SET enable_bitmapscan = off;
SELECT * FROM plan($$SELECT count(*) FROM big WHERE nir IN ('n7', 'n8', 'x')$$);
SELECT count(*) FROM big WHERE nir IN ('n7', 'n8', 'x');
SELECT count(*) FROM big WHERE nir <> 'n7'::text AND n IN (7, 8, 9);
RESET ALL;
SET search_path = plan_bind;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET jit = off;

-- ---------------------------------------------------------------------------
-- Partitions are pruned when the statement starts
-- ---------------------------------------------------------------------------

CREATE TABLE hashed (nir sealed_text(plan_key), id integer) PARTITION BY HASH (nir);
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 4, REMAINDER 0);
CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 4, REMAINDER 1);
CREATE TABLE hashed_2 PARTITION OF hashed FOR VALUES WITH (MODULUS 4, REMAINDER 2);
CREATE TABLE hashed_3 PARTITION OF hashed FOR VALUES WITH (MODULUS 4, REMAINDER 3);
INSERT INTO hashed SELECT 'n' || i, i FROM generate_series(1, 100) i;
CREATE TABLE listed (sex sealed_text(plan_key), id integer) PARTITION BY LIST (sex);
CREATE TABLE listed_f PARTITION OF listed FOR VALUES IN ('F');
CREATE TABLE listed_m PARTITION OF listed FOR VALUES IN ('M');
CREATE TABLE listed_other PARTITION OF listed DEFAULT;
INSERT INTO listed VALUES ('F', 1), ('M', 2), ('X', 3), (NULL, 4);
SELECT tableoid::regclass, id FROM listed ORDER BY id;
SELECT id FROM hashed WHERE nir = 'n7';
SELECT id FROM hashed WHERE nir IN ('n7', 'n8', 'n8') ORDER BY id;
SELECT scans($$SELECT id FROM hashed WHERE nir = 'n7'$$), scans($$SELECT id FROM hashed WHERE nir = 'n7'::text$$),
  scans($$SELECT id FROM hashed WHERE nir IN ('n7', 'n8')$$) <= 2 AS t, scans($$SELECT id FROM hashed WHERE nir <> 'n7'$$),
  scans($$UPDATE hashed SET id = id WHERE nir = 'n7'$$) <= 2 AS t;
SELECT scans($$SELECT id FROM listed WHERE sex = 'F'$$), scans($$SELECT id FROM listed WHERE sex = 'F' OR sex = 'M'$$),
  scans($$SELECT id FROM listed WHERE sex IN ('F', 'M', 'M')$$), scans($$SELECT id FROM listed WHERE sex IS NULL$$);
PREPARE pruned(text, text) AS SELECT id FROM listed WHERE sex IN ($1, $2) ORDER BY id;
SET plan_cache_mode = force_generic_plan;
EXECUTE pruned('F', 'X');
SELECT scans($$EXECUTE pruned('F', 'X')$$);
RESET plan_cache_mode;
SELECT tableoid::regclass, id FROM listed WHERE sex = 'X';
SELECT id FROM listed WHERE sex NOT IN ('F', 'X');
SELECT count(*) FROM hashed h JOIN hashed i USING (nir);
SET enable_partitionwise_join = on;
SELECT count(*) FROM hashed h JOIN hashed i USING (nir);
RESET enable_partitionwise_join;
SELECT count(*) FROM (VALUES ('n1'), ('n2')) AS v(x) JOIN hashed ON hashed.nir = v.x;
DEALLOCATE ALL;

-- ---------------------------------------------------------------------------
-- Exactly the same answers as of plain columns
-- ---------------------------------------------------------------------------

CREATE TABLE number (i sealed_int(plan_key), n sealed_numeric(plan_key), f sealed_float8(plan_key));
INSERT INTO number VALUES ('9007199254740993', '9007199254740993', '9007199254740992'), ('1', '0.10', '0.1'), ('-0', '-0.00', '-0');
SELECT i::bigint FROM number WHERE i = 9007199254740993;
SELECT i::bigint FROM number WHERE i = 9007199254740992;
SELECT i::bigint FROM number WHERE i IN (9007199254740992, 9007199254740993);
SELECT i::bigint FROM number WHERE i = 9007199254740993.0;
SELECT i::bigint FROM number WHERE i = 9007199254740993.5 OR i = 1.5 OR i = 1e400;
SELECT i::bigint FROM number WHERE i = 9007199254740993::float8;		-- fails: not exact
SELECT i::bigint FROM number WHERE i = 1::float8 OR i = 1.5::float8 OR i = 'NaN'::float8;
SELECT i::bigint FROM number WHERE i = 1::smallint AND i = 1::numeric AND i = 1::real;
SELECT i::bigint FROM number WHERE i = ANY ('{1.0,2}'::numeric[]);
SELECT n FROM (SELECT n::numeric FROM number WHERE n = 9007199254740993) x;
SELECT n FROM (SELECT n::numeric FROM number WHERE n = 0.1) x;
SELECT n FROM (SELECT n::numeric FROM number WHERE n = 0.1::float8) x;
SELECT n FROM (SELECT n::numeric FROM number WHERE n = 0 OR n = 0::smallint) x;
SELECT f::float8 FROM number WHERE f = 9007199254740993;
SELECT f::float8 FROM number WHERE f = 0.1 AND f = 0.1::float8;
SELECT f::float8 FROM number WHERE f = 0.1::real;
SELECT f::float8 FROM number WHERE f = 0;
CREATE TABLE moment (d sealed_date(plan_key), z sealed_timestamptz(plan_key));
INSERT INTO moment VALUES ('2024-03-31', '2024-03-31 00:00+01'), ('infinity', '-infinity');
SELECT d::date FROM moment WHERE d = '2024-03-31'::date;
SELECT d::date FROM moment WHERE d = '2024-03-31 00:00'::timestamp;
SELECT d::date FROM moment WHERE d = '2024-03-31 00:00:01'::timestamp;
SELECT d::date FROM moment WHERE d = 'infinity'::timestamptz;
SELECT d::date FROM moment WHERE d = '2024-03-31'::timestamptz AND z = '2024-03-30 23:00'::timestamp;
SELECT z::text FROM moment WHERE z = '2024-03-31 01:00+02';
SELECT z::text FROM moment WHERE z = '-infinity'::date;
SET timezone = 'Europe/Paris';
SELECT d::date FROM moment WHERE d = '2024-03-30 23:00Z'::timestamptz;
SELECT z::text FROM moment WHERE z = '2024-03-31'::date;
SET timezone = 'UTC';
SELECT count(*) FROM moment WHERE z = '2024-03-31'::date;

-- Ten types, each with a few values that come up often.
CREATE TABLE kind (c text, type text, vals text[]);
INSERT INTO kind VALUES
  ('t', 'text', ARRAY['', 'a', 'A', 'a ', 'é', repeat('long', 200)]),
  ('y', 'bytea', ARRAY['', '\x00', '\x0001', 'a']),
  ('b', 'boolean', ARRAY['t', 'f']),
  ('i', 'bigint', ARRAY['0', '1', '-1', '9007199254740993', '9223372036854775807']),
  ('f', 'double precision', ARRAY['0', '-0', '1.5', 'NaN', '-Infinity', '1e300']),
  ('n', 'numeric', ARRAY['0', '1', '1.00', '0.1', 'NaN', '123456789012345678901234567890.5']),
  ('d', 'date', ARRAY['1970-01-01', '1984-12-03', 'infinity', '0044-03-15 BC']),
  ('z', 'timestamptz', ARRAY['1970-01-01 00:00Z', '1970-01-01 01:00+01', '2024-02-29 12:00:00.000001Z', '-infinity']),
  ('u', 'uuid', ARRAY['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '00000000-0000-0000-0000-000000000000']),
  ('j', 'jsonb', ARRAY['{"a":1,"b":[]}', '{"b": [], "a": 1.0}', '[]', 'null', '"a"']);
CREATE TABLE plain_a (id integer, t text, y bytea, b boolean, i bigint, f double precision, n numeric, d date, z timestamptz, u uuid, j jsonb);
CREATE TABLE plain_b (LIKE plain_a);
CREATE TABLE sealed_a (id integer, t sealed_text(plan_key), y sealed_bytea(plan_key), b sealed_bool(plan_key), i sealed_int(plan_key), f sealed_float8(plan_key),
  n sealed_numeric(plan_key), d sealed_date(plan_key), z sealed_timestamptz(plan_key), u sealed_uuid(plan_key), j sealed_jsonb(plan_key));
CREATE TABLE sealed_b (LIKE sealed_a);
-- A number from 0 to n - 1: the same in each run, for each seed.
CREATE FUNCTION pick(n integer, seed text) RETURNS integer LANGUAGE sql IMMUTABLE AS
  $$SELECT (('x' || substr(md5('pgseal 20210223 ' || seed), 1, 7))::bit(28)::integer) % n$$;
CREATE FUNCTION chosen_value(kind, seed text) RETURNS text LANGUAGE sql AS
  $$SELECT CASE WHEN pick(6, 'null ' || seed) > 0 THEN ($1).vals[1 + pick(cardinality(($1).vals), seed)] END$$;
DO $$
DECLARE
  name text;
  id integer;
  list text;
BEGIN
  FOREACH name IN ARRAY '{a,b}'::text[] LOOP
    FOR id IN SELECT generate_series(1, CASE name WHEN 'a' THEN 40 ELSE 15 END) LOOP
      SELECT string_agg(format('%L', chosen_value(kind, name || id || c)), ', ' ORDER BY kind.ctid) INTO list FROM kind;
      EXECUTE format('INSERT INTO plain_%s VALUES (%s, %s)', name, id, list);
      EXECUTE format('INSERT INTO sealed_%s VALUES (%s, %s)', name, id, list);
    END LOOP;
  END LOOP;
END $$;
-- In each query @ stands for plain or sealed, # for a column, % for its plain type, {1} and {2} for values.
CREATE TABLE form (f text);
INSERT INTO form VALUES
  ('SELECT id FROM @_a WHERE # = {1}'),
  ('SELECT id FROM @_a WHERE {1}::% = #'),
  ('SELECT id FROM @_a WHERE # <> {1}'),
  ('SELECT id FROM @_a WHERE NOT (# = {1} OR # = {2}::%)'),
  ('SELECT id FROM @_a WHERE # IN ({1}, {2})'),
  ('SELECT id FROM @_a WHERE # IN ({1}, {2}::%, NULL)'),
  ('SELECT id FROM @_a WHERE # NOT IN ({1}, {2})'),
  ('SELECT id FROM @_a WHERE # NOT IN ({1}, NULL)'),
  ('SELECT id FROM @_a WHERE # = ANY (ARRAY[{1}, {2}]::%[])'),
  ('SELECT id FROM @_a WHERE # <> ALL (ARRAY[{1}, {2}]::%[])'),
  ('SELECT id FROM @_a WHERE # IS DISTINCT FROM {1}'),
  ('SELECT id FROM @_a WHERE # IS NOT DISTINCT FROM {1}::%'),
  ('SELECT id, # = {1}, # <> {2}, # IN ({1}, {2}) FROM @_a'),
  ('SELECT id, CASE # WHEN {1} THEN 1 WHEN {2} THEN 2 END FROM @_a'),
  ('SELECT id FROM @_a WHERE nullif(#, {1}) IS NULL'),
  ('SELECT id FROM @_a WHERE (#, mod(id, 2)) = ({1}, 0)'),
  ('SELECT id FROM @_a WHERE (#, id) IS DISTINCT FROM ({1}, id)'),
  ('SELECT a.id, b.id FROM @_a a JOIN @_b b ON a.# = b.#'),
  ('SELECT a.id, b.id FROM @_a a JOIN plain_b b ON a.# = b.#'),
  ('SELECT a.id, b.id FROM @_a a LEFT JOIN @_b b ON a.# = b.# AND b.# <> {1}'),
  ('SELECT a.id, b.id FROM @_a a FULL JOIN @_b b USING (#)'),
  ('SELECT a.id, b.id FROM plain_a a FULL JOIN @_b b ON b.# = a.#'),
  ('SELECT id FROM @_a WHERE # IN (SELECT # FROM @_b WHERE # <> {1})'),
  ('SELECT id FROM @_a WHERE # NOT IN (SELECT # FROM plain_b WHERE # IS NOT NULL AND id < 3)'),
  ('SELECT id FROM @_a a WHERE NOT EXISTS (SELECT FROM @_b b WHERE b.# = a.#)'),
  ('SELECT id FROM @_a a WHERE # = (SELECT min(#::text)::% FROM plain_b WHERE mod(id, 3) = mod(a.id, 3))'),
  ('SELECT count(*) FROM @_a GROUP BY #'),
  ('SELECT count(DISTINCT #), count(*) FILTER (WHERE # = {1}) FROM @_a GROUP BY mod(id, 2)'),
  ('SELECT count(*) FROM (SELECT # FROM @_a UNION SELECT # FROM @_b) u'),
  ('SELECT count(*) FROM (SELECT # FROM @_a INTERSECT ALL SELECT # FROM @_b) u'),
  ('SELECT count(*) FROM (SELECT # FROM @_a EXCEPT SELECT # FROM @_b WHERE # <> {1}) u'),
  ('WITH RECURSIVE r AS (SELECT # FROM @_b WHERE # = {1} UNION SELECT a.# FROM @_a a JOIN r ON a.# = r.#) SELECT count(*) FROM r'),
  ('SELECT id, count(*) OVER (PARTITION BY #) FROM @_a');
CREATE FUNCTION answer(query text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  rows text[];
BEGIN
  EXECUTE format('SELECT array_agg(r::text ORDER BY r::text COLLATE "C") FROM (%s) r', query) INTO rows;
  RETURN rows;
END $$;
CREATE VIEW question AS
  SELECT replace(replace(replace(replace(f, '#', c), '%', type),
      '{1}', quote_literal(vals[1 + pick(cardinality(vals), f || '1')])),
      '{2}', quote_literal(vals[1 + pick(cardinality(vals), f || '2')])) AS q
    FROM form, kind;
CREATE FUNCTION battery() RETURNS TABLE (queries bigint, same bigint, with_rows bigint) LANGUAGE sql AS $$
  SELECT count(*), count(*) FILTER (WHERE plain IS NOT DISTINCT FROM sealed), count(plain)
    FROM (SELECT answer(replace(q, '@', 'plain')) AS plain, answer(replace(q, '@', 'sealed')) AS sealed FROM question) a $$;
SELECT q FROM question WHERE answer(replace(q, '@', 'plain')) IS DISTINCT FROM answer(replace(q, '@', 'sealed'));
SELECT * FROM battery();
SET enable_hashjoin = off;
SET enable_hashagg = off;
SELECT * FROM battery();
SET enable_mergejoin = off;
SET enable_sort = off;
SELECT * FROM battery();
RESET ALL;
SET search_path = plan_bind;
SET jit = off;
DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT kind.c FROM kind LOOP
    EXECUTE format('CREATE INDEX ON sealed_a (%I); CREATE INDEX ON sealed_b USING hash (%1$I)', name);
  END LOOP;
END $$;
SET enable_seqscan = off;
SELECT * FROM battery();

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA plan_bind CASCADE;
SELECT count(seal.revoke_key(k, r)) FROM unnest('{plan_key,plan_other,plan_note}'::text[]) k,
  unnest(ARRAY['regress_plan_app', 'regress_plan_reader', current_user::regrole]) r;
DROP ROLE regress_plan_app, regress_plan_reader;
