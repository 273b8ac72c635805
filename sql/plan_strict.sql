-- plan_strict: what a role may not see is NULL where it is given out, and an error
-- where a row depends on it; what is only given out is opened after the sort.  A
-- column t must be true, a column f false.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgseal;
RESET client_min_messages;
CREATE ROLE regress_strict_app;
CREATE ROLE regress_strict_reader;
SELECT seal.create_key('strict_key') > 0 AS t;
-- The login role of pg_regress is a superuser, whose own rights count too: they are granted like anybody's.
SELECT count(seal.grant_key('strict_key', r, '{seal,reveal}')) FROM unnest(ARRAY['regress_strict_app', current_user::regrole]) r;
CREATE SCHEMA plan_strict AUTHORIZATION regress_strict_app;
GRANT USAGE ON SCHEMA plan_strict TO regress_strict_reader;
SET search_path = plan_strict;
SET SESSION AUTHORIZATION regress_strict_app;
SET jit = off;

CREATE FUNCTION plan(query text, options text DEFAULT 'VERBOSE') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE format('EXPLAIN (COSTS OFF, %s) %s', options, query) LOOP
    RETURN NEXT replace(line, 'plan_strict.', '');
  END LOOP;
END $$;
-- What a query gives, or how it is refused; it is undone.
CREATE FUNCTION outcome(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  line text;
  lines text[];
BEGIN
  BEGIN
    FOR line IN EXECUTE 'WITH q AS (' || query || ') SELECT q::text FROM q' LOOP
      lines := lines || line;
    END LOOP;
    RAISE SQLSTATE 'DONE0';
  EXCEPTION
    WHEN SQLSTATE 'DONE0' THEN
      RETURN coalesce((SELECT string_agg(l, ' ' ORDER BY l COLLATE "C") FROM unnest(lines) l), 'no row');
    WHEN OTHERS THEN
      RETURN SQLSTATE || ' ' || SQLERRM;
  END;
END $$;

CREATE TABLE sealed (id integer PRIMARY KEY, name sealed_text(strict_key), n sealed_int(strict_key), ward text);
CREATE TABLE plain (id integer PRIMARY KEY, name text, n bigint, ward text);
INSERT INTO plain VALUES (1, 'Dupont', 10, 'north'), (2, 'Petit', 20, 'south'), (3, NULL, NULL, 'Petit'), (4, 'Dupont', 40, 'north');
INSERT INTO sealed SELECT id, name, n, ward FROM plain;
CREATE VIEW shown WITH (security_invoker) AS SELECT id, seal.show(name) AS name, seal.show(n) AS n, ward FROM sealed;
CREATE VIEW twice WITH (security_invoker) AS SELECT id, name, n, ward FROM shown ORDER BY id;
CREATE TABLE note (id integer PRIMARY KEY, body text);
INSERT INTO note VALUES (1, 'one'), (2, 'Petit');
CREATE FUNCTION is_missing(text) RETURNS boolean LANGUAGE sql AS 'SELECT $1 IS NULL';
CREATE FUNCTION missing() RETURNS SETOF integer LANGUAGE sql STABLE AS 'SELECT id FROM plan_strict.shown WHERE name IS NULL';
GRANT SELECT ON sealed, plain, shown, twice TO regress_strict_reader;
GRANT ALL ON note TO regress_strict_reader;

-- ---------------------------------------------------------------------------
-- Where rows depend on it: the answer of a plain column, or 42501
-- ---------------------------------------------------------------------------

CREATE TABLE used (i integer, q text);
INSERT INTO used VALUES
  (1, 'SELECT id FROM @ WHERE name = ''Petit'''),
  (2, 'SELECT id FROM @ WHERE name IS NULL'),
  (3, 'SELECT id FROM @ WHERE name LIKE ''D%'' OR n < 15'),
  (4, 'SELECT id FROM @ WHERE is_missing(name)'),
  (5, 'SELECT id FROM @ WHERE coalesce(n, 0) = 0'),
  (6, 'SELECT id FROM @ WHERE @ IS NOT NULL'),
  (7, 'SELECT p.id FROM plain p JOIN @ s ON p.ward = s.name'),
  (8, 'SELECT p.id FROM plain p LEFT JOIN @ s ON p.ward = s.name'),
  (9, 'SELECT p.id FROM plain p LEFT JOIN @ s ON p.id = s.id WHERE s.name IS NULL'),
  (10, 'SELECT count(*) FROM @ JOIN @ t USING (name)'),
  (11, 'SELECT a.id FROM (@ a CROSS JOIN note) j(id, name) JOIN plain a ON a.name = j.name'),
  (12, 'SELECT name, count(*) FROM @ GROUP BY name'),
  (13, 'SELECT count(*) FROM @ GROUP BY length(name)'),
  (14, 'SELECT ward, count(*) FROM @ GROUP BY ROLLUP (ward, n)'),
  (15, 'SELECT ward FROM @ GROUP BY ward HAVING max(name) IS NULL'),
  (16, 'SELECT DISTINCT name FROM @'),
  (17, 'SELECT DISTINCT ON (n) id FROM @'),
  (18, 'SELECT id FROM @ ORDER BY name'),
  (19, 'SELECT id FROM @ ORDER BY length(name), n LIMIT 1'),
  (20, 'SELECT id, rank() OVER (ORDER BY n) FROM @'),
  (21, 'SELECT id, count(*) OVER (PARTITION BY name) FROM @'),
  (22, 'SELECT count(*) FILTER (WHERE name IS NULL) FROM @'),
  (23, 'SELECT count(*) FILTER (WHERE name IS NULL) OVER () FROM @'),
  (24, 'SELECT array_agg(id ORDER BY n DESC) FROM @'),
  (25, 'SELECT count(DISTINCT name) FROM @'),
  (26, 'SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY n) FROM @'),
  (27, 'SELECT id FROM plain WHERE ward IN (SELECT name FROM @)'),
  (28, 'SELECT id FROM plain WHERE ward NOT IN (SELECT name FROM @ WHERE id <> 3)'),
  (29, 'SELECT ''Petit'' IN (SELECT name FROM @)'),
  (30, 'SELECT id FROM plain WHERE ward = (SELECT name FROM @ WHERE id = 2)'),
  (31, 'SELECT id FROM plain WHERE ward = ANY (ARRAY(SELECT name FROM @))'),
  (32, 'SELECT id FROM plain p WHERE NOT EXISTS (SELECT FROM @ s WHERE s.name = p.ward)'),
  (33, 'SELECT id FROM plain p WHERE EXISTS (SELECT FROM note WHERE body = (SELECT name FROM @ s WHERE s.id = p.id))'),
  (34, 'SELECT (SELECT count(*) FROM plain p WHERE p.ward = s.name) FROM @ s'),
  (35, 'SELECT id FROM plain ORDER BY id LIMIT (SELECT n / 10 FROM @ WHERE id = 2)'),
  (36, 'SELECT name FROM @ UNION SELECT ward FROM plain'),
  (37, 'SELECT ward FROM plain EXCEPT SELECT name FROM @'),
  (38, 'SELECT ward FROM plain INTERSECT ALL (SELECT name FROM @ UNION ALL SELECT ward FROM @)'),
  (39, 'SELECT id FROM (SELECT id, name FROM plain UNION ALL SELECT id, name FROM @) u WHERE name IS NULL'),
  (40, 'SELECT id, name FROM @ UNION ALL SELECT id, name FROM plain ORDER BY name'),
  (41, 'SELECT count(*) FROM (SELECT name FROM @ ORDER BY id OFFSET 0) u WHERE name IS NULL'),
  (42, 'SELECT count(*) FROM (SELECT max(name) AS name FROM @ GROUP BY ward) u WHERE name IS NULL'),
  (43, 'SELECT count(*) FROM (SELECT lag(name) OVER (ORDER BY id) AS name FROM @) u WHERE name IS NULL'),
  (44, 'SELECT count(*) FROM (SELECT s FROM @ s) u WHERE s IS NOT NULL'),
  (45, 'WITH w AS MATERIALIZED (SELECT * FROM @) SELECT id FROM w WHERE n IS NULL'),
  (46, 'WITH w AS (SELECT * FROM @) SELECT a.id FROM w a, w b WHERE a.name = b.ward'),
  (47, 'WITH RECURSIVE w AS (SELECT id, name FROM @ WHERE id = 1 UNION ALL SELECT s.id, s.name FROM @ s, w WHERE s.id = w.id + 1) SELECT id FROM w WHERE name IS NULL'),
  (48, 'WITH RECURSIVE w AS (SELECT id, name FROM @ WHERE id = 1 UNION SELECT s.id, s.name FROM @ s, w WHERE s.id = w.id + 1) SELECT * FROM w'),
  (49, 'SELECT s.id, v.x FROM @ s, LATERAL (VALUES (s.name)) v(x)'),
  (50, 'SELECT s.id, l FROM @ s, regexp_split_to_table(s.name, '''') l'),
  (51, 'SELECT id, regexp_split_to_table(name, '''') FROM @'),
  (52, 'SELECT s.id FROM @ s, LATERAL (SELECT WHERE s.n > 15) l'),
  (53, 'INSERT INTO note SELECT id + 10, name FROM @ RETURNING *'),
  (54, 'INSERT INTO note VALUES (9, (SELECT name FROM @ WHERE id = 1)) RETURNING *'),
  (55, 'INSERT INTO note SELECT 1 ON CONFLICT (id) DO UPDATE SET body = (SELECT name FROM @ WHERE id = 2) RETURNING *'),
  (56, 'UPDATE note SET body = s.name FROM @ s WHERE s.id = note.id RETURNING note.*'),
  (57, 'UPDATE note SET (body, id) = (SELECT name, id FROM @ s WHERE s.id = note.id) RETURNING note.*'),
  (58, 'DELETE FROM note USING @ s WHERE s.name = note.body RETURNING note.*'),
  (59, 'DELETE FROM note WHERE body IN (SELECT name FROM @) RETURNING *'),
  (60, 'SELECT * FROM missing()'),
  (61, 'SELECT s.id FROM @ s, upper(s.name) u WHERE u IS NULL');
SELECT i, q FROM used WHERE outcome(replace(q, '@', 'plain')) ~ '^[0-9A-Z]{5} ';
SELECT i, q, outcome(replace(q, '@', 'shown')) FROM used WHERE outcome(replace(q, '@', 'shown')) IS DISTINCT FROM outcome(replace(q, '@', 'plain'));
SELECT i, q, outcome(replace(q, '@', 'twice')) FROM used WHERE outcome(replace(q, '@', 'twice')) IS DISTINCT FROM outcome(replace(q, '@', 'plain'));
GRANT SELECT ON used TO regress_strict_reader;
SET SESSION AUTHORIZATION regress_strict_reader;
SELECT i, q, outcome(replace(q, '@', 'shown')) FROM used WHERE outcome(replace(q, '@', 'shown')) <> '42501 permission denied for key "strict_key"';
SELECT i, q, outcome(replace(q, '@', 'twice')) FROM used WHERE outcome(replace(q, '@', 'twice')) <> '42501 permission denied for key "strict_key"';
-- without rows nothing is asked for
SELECT id FROM shown WHERE id > 9 AND name IS NULL;
-- MERGE, which gives no rows
MERGE INTO note USING shown s ON s.id = note.id WHEN MATCHED THEN UPDATE SET body = s.name;						-- fails
MERGE INTO note USING shown s ON s.id = note.id WHEN MATCHED AND s.name IS NULL THEN DELETE;					-- fails
MERGE INTO note USING shown s ON s.name = note.body WHEN NOT MATCHED THEN DO NOTHING;							-- fails
-- tables made of it
CREATE TEMPORARY TABLE kept AS SELECT id, name FROM shown;					-- fails
SELECT id, name INTO TEMPORARY kept FROM twice ORDER BY id;					-- fails
EXPLAIN ANALYZE CREATE TEMPORARY TABLE kept AS SELECT id, name FROM shown;	-- fails
DO $$ BEGIN CREATE TEMPORARY TABLE kept AS SELECT ward, name FROM shown; END $$;	-- fails
CREATE TEMPORARY TABLE kept AS SELECT id, ward FROM shown WHERE id > 2;
-- seal.show() written by hand
SELECT id FROM sealed WHERE seal.show(name) IS NULL;			-- fails
SELECT id FROM sealed WHERE seal.show_volatile(name) IS NULL;	-- fails
SELECT id FROM sealed ORDER BY seal.show(n);					-- fails
SELECT seal.show(name), count(*) FROM sealed GROUP BY 1;		-- fails

-- ---------------------------------------------------------------------------
-- Where it is given out: NULL
-- ---------------------------------------------------------------------------

SELECT i, outcome(q) FROM (VALUES
  (1, 'SELECT * FROM shown'),
  (2, 'SELECT id, upper(name), n + 1 FROM twice ORDER BY id DESC'),
  (3, 'SELECT shown FROM shown'),
  (4, 'SELECT row_to_json(s) FROM shown s WHERE id = 1'),
  (5, 'SELECT p.id, s.name FROM plain p LEFT JOIN shown s ON s.id = p.id ORDER BY p.id'),
  (6, 'SELECT max(name), count(n), count(*) FROM shown'),
  (7, 'SELECT ward, array_agg(name ORDER BY id) FROM shown GROUP BY ward'),
  (8, 'SELECT id, lag(name) OVER (ORDER BY id) FROM shown'),
  (9, 'SELECT id, seal.show(name) FROM sealed GROUP BY id'),
  (10, 'SELECT name FROM shown UNION ALL SELECT ward FROM shown'),
  (11, 'SELECT name FROM (SELECT DISTINCT id, ward FROM shown) d JOIN shown USING (id)'),
  (12, 'SELECT (SELECT name FROM shown WHERE id = 1), EXISTS (SELECT name FROM shown)'),
  (13, 'WITH w AS MATERIALIZED (SELECT * FROM shown) SELECT name FROM w WHERE id = 1'),
  (14, 'WITH RECURSIVE w AS (SELECT id, name FROM shown WHERE id = 1 UNION ALL SELECT s.id, s.name FROM shown s, w WHERE s.id = w.id + 1) SELECT * FROM w'),
  (15, 'UPDATE note SET body = ''x'' FROM shown s WHERE s.id = note.id RETURNING note.id, s.name'),
  (16, 'DELETE FROM note USING shown s WHERE s.id = note.id RETURNING s.name')) v(i, q) ORDER BY i;
SET SESSION AUTHORIZATION regress_strict_app;
-- grouped by, and used in another expression
SELECT seal.show(name), length(seal.show(name)), count(*) FROM sealed GROUP BY ROLLUP (seal.show(name)) ORDER BY 1, 3;
CREATE TEMPORARY TABLE kept_open AS SELECT id, name FROM shown ORDER BY id;
SELECT * FROM kept_open;
-- a plan that outlives a revoke
PREPARE missing AS SELECT id FROM shown WHERE name IS NULL;
PREPARE names AS SELECT id, name FROM shown ORDER BY id;
EXECUTE missing;
EXECUTE names;
RESET SESSION AUTHORIZATION;
SELECT seal.revoke_key('strict_key', 'regress_strict_app', '{reveal}');
SET SESSION AUTHORIZATION regress_strict_app;
EXECUTE missing;
EXECUTE names;
RESET SESSION AUTHORIZATION;
SELECT seal.grant_key('strict_key', 'regress_strict_app', '{reveal}');
SET SESSION AUTHORIZATION regress_strict_app;
EXECUTE missing;
EXECUTE names;
DEALLOCATE ALL;

-- ---------------------------------------------------------------------------
-- Late: what is only given out is opened after the sort
-- ---------------------------------------------------------------------------

SELECT * FROM plan('SELECT id, name, upper(name), n FROM shown ORDER BY ward');
SELECT * FROM plan('SELECT id, name, length(name), n FROM shown ORDER BY name');
SELECT * FROM plan('SELECT seal.show(n), id FROM sealed ORDER BY ward');
SELECT * FROM plan('SELECT id, name FROM twice ORDER BY ward');
SELECT * FROM plan('SELECT p.ward, s.name FROM plain p LEFT JOIN shown s ON s.ward = p.ward');
-- a whole row, and rows that DISTINCT ON leaves
SELECT * FROM plan('SELECT shown, row_to_json(shown) FROM shown ORDER BY ward');
SELECT * FROM plan('SELECT r FROM (SELECT id, name AS "the name" FROM shown) r ORDER BY id');
SELECT * FROM plan('SELECT DISTINCT ON (ward) ward, name, shown FROM shown ORDER BY ward, id');
-- nothing to sort, or nothing that could be put off
SELECT * FROM plan('SELECT id, name FROM shown');
SELECT * FROM plan('SELECT DISTINCT id, name FROM shown ORDER BY id');
SELECT * FROM plan('SELECT max(name) FROM shown ORDER BY 1');
-- the same rows in the same order
SELECT id, name, n FROM shown ORDER BY ward, id;
SELECT shown, row_to_json(shown), (shown).name FROM shown ORDER BY ward, id;
SELECT row_to_json(r), r FROM (SELECT id, name AS "the name" FROM shown) r ORDER BY id;
SELECT DISTINCT ON (ward) ward, id, name, shown FROM shown ORDER BY ward, id DESC;
-- no row is not a row of NULLs
SELECT p.id, s, row_to_json(s) FROM plain p LEFT JOIN shown s ON s.id = p.id AND s.id = 1 ORDER BY p.id LIMIT 2;
SELECT s.*, rank() OVER w FROM shown s WINDOW w AS (ORDER BY n) ORDER BY name, id;

CREATE TABLE many (id integer, name sealed_text(strict_key), note sealed_text(strict_key));
INSERT INTO many SELECT i, 'CANARY' || (i * 7919) % 6000, 'note' FROM generate_series(1, 6000) i;
ANALYZE many;
CREATE VIEW many_shown AS SELECT id, seal.show(name) AS name, seal.show(note) AS note FROM many;
-- of LIMIT 20, 20 notes are opened
SELECT * FROM plan('SELECT name, note FROM many_shown ORDER BY name LIMIT 20', 'VERBOSE, ANALYZE, TIMING OFF, SUMMARY OFF') line WHERE line !~ 'Sort Method';
-- in parallel too
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
SELECT * FROM plan('SELECT name, note FROM many_shown');
SELECT * FROM plan('SELECT name, note FROM many_shown ORDER BY id');
SET max_parallel_workers_per_gather = 0;
-- temporary files
GRANT SELECT ON many_shown TO PUBLIC;
RESET SESSION AUTHORIZATION;
SET work_mem = '64kB';
CREATE FUNCTION plan_strict.canary_is_spilled() RETURNS boolean LANGUAGE sql AS $$
  SELECT bool_or(position('CANARY'::bytea IN pg_read_binary_file('base/pgsql_tmp/' || name)) > 0) FROM pg_ls_tmpdir() $$;
BEGIN;
DECLARE by_id CURSOR FOR SELECT id, name FROM plan_strict.many_shown ORDER BY id;
FETCH 1 FROM by_id;
SELECT plan_strict.canary_is_spilled() AS f;
CLOSE by_id;
DECLARE joined CURSOR FOR SELECT a.id, b.name FROM plan_strict.many a LEFT JOIN plan_strict.many_shown b ON a.id + 1 = b.id ORDER BY a.id;
FETCH 1 FROM joined;
SELECT plan_strict.canary_is_spilled() AS f;
CLOSE joined;
DECLARE rows CURSOR FOR SELECT row_to_json(m) FROM plan_strict.many_shown m ORDER BY id;
FETCH 1 FROM rows;
SELECT plan_strict.canary_is_spilled() AS f;
CLOSE rows;
-- a sort by clear values must hold them
DECLARE by_name CURSOR FOR SELECT id, name FROM plan_strict.many_shown ORDER BY name COLLATE "C";
FETCH 1 FROM by_name;
SELECT plan_strict.canary_is_spilled() AS t;
COMMIT;
RESET work_mem;

SET client_min_messages = warning;
DROP SCHEMA plan_strict CASCADE;
DROP TABLE kept, kept_open;
SELECT count(seal.revoke_key('strict_key', r)) FROM unnest(ARRAY['regress_strict_app', current_user::regrole]) r;
DROP ROLE regress_strict_app, regress_strict_reader;
