-- plan_view_life: a revealing view in use: many rows, no key, names that change, rights that go.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgseal;
RESET client_min_messages;
CREATE ROLE regress_life_app;
SELECT count(seal.create_key(k, searchable => k = 'life_nir')) FROM unnest('{life_nir,life_name}'::text[]) k;
SELECT count(seal.grant_key(k, r, '{seal,search,reveal}'))
  FROM unnest('{life_nir,life_name}'::text[]) k, unnest(ARRAY['regress_life_app', current_user::regrole]) r;
CREATE SCHEMA plan_view_life AUTHORIZATION regress_life_app;
SET search_path = plan_view_life;
\set VERBOSITY default

-- 100,000 rows: the index, without a push, on the table and through the view
SET SESSION AUTHORIZATION regress_life_app;
CREATE TABLE patient (id integer, nir sealed_text(life_nir), name sealed_text(life_name), born sealed_date(life_name));
SELECT seal.create_revealing_view('patient');
INSERT INTO patient_revealed SELECT i, 'n' || i, 'name ' || i, '1950-01-01'::date + i % 20000 FROM generate_series(1, 100000) i;
CREATE UNIQUE INDEX ON patient (nir);
ANALYZE patient;
PREPARE by_table (text) AS SELECT id FROM patient WHERE nir = $1;
PREPARE by_view (text) AS SELECT id, name, born FROM patient_revealed WHERE nir = $1;
EXPLAIN (COSTS OFF) SELECT id FROM patient WHERE nir = 'n99999'::text;
EXPLAIN (COSTS OFF) SELECT * FROM patient_revealed WHERE nir = 'n99999';
EXPLAIN (COSTS OFF) EXECUTE by_table ('n99999');
EXPLAIN (COSTS OFF) EXECUTE by_view ('n99999');
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE by_table ('n99999');
EXPLAIN (COSTS OFF) EXECUTE by_view ('n99999');
EXECUTE by_table ('n99999');
EXECUTE by_view ('n99999');
RESET plan_cache_mode;

-- no primary key: the view asks for none, equal rows are written as on the table
CREATE TABLE visit (ward text, name sealed_text(life_name));
SELECT seal.create_revealing_view('visit');
INSERT INTO visit_revealed VALUES ('A', 'Dupont'), ('A', 'Dupont'), ('B', 'Leger'), ('B', NULL);
UPDATE visit_revealed SET ward = 'C' WHERE name = 'Dupont' RETURNING *;
DELETE FROM visit_revealed WHERE name IS NULL RETURNING *;
SELECT ward, name, count(*) FROM visit_revealed GROUP BY 1, 2 ORDER BY 1, 2;
INSERT INTO visit_revealed VALUES ('A', 'x') ON CONFLICT (name) DO NOTHING;	-- fails: nothing to conflict on

-- a column renamed: the view keeps its name for it until it is refreshed
PREPARE shown AS SELECT name FROM visit_revealed ORDER BY name;
ALTER TABLE visit RENAME name TO full_name;
EXECUTE shown;
INSERT INTO visit_revealed (ward, name) VALUES ('D', 'Martin');
SELECT seal.refresh_revealing_view('visit_revealed');
EXECUTE shown;	-- fails: its name is gone
SELECT full_name FROM visit_revealed WHERE full_name = 'Martin';
SELECT name FROM visit_revealed;	-- fails

-- a key in use stays
RESET SESSION AUTHORIZATION;
SELECT seal.drop_key('life_name');	-- fails
SET SESSION AUTHORIZATION regress_life_app;

-- values of the wrong form, of the wrong type, arrays of nothing
SELECT id FROM patient_revealed WHERE born = 'yesterday or so';	-- fails
SELECT id FROM patient_revealed WHERE nir = 5;	-- fails
SELECT id FROM patient_revealed WHERE born = 5;	-- fails
SELECT count(*) FROM patient_revealed WHERE nir = ANY (NULL::text[]);
SELECT count(*) FROM patient_revealed WHERE nir = ANY ('{}'::text[]);
SELECT count(*) FROM patient_revealed WHERE nir = ANY (ARRAY[NULL, 'n5', NULL]);
SELECT count(*) FROM patient_revealed WHERE nir <> ALL (ARRAY[NULL, 'n5']);
SELECT count(*) FROM patient_revealed WHERE nir = ANY (ARRAY[['n5', 'n6'], ['n7', NULL]]);
SELECT count(*) FROM patient_revealed WHERE nir = NULL;
UPDATE patient_revealed SET born = 'yesterday or so' WHERE id = 1;	-- fails
UPDATE patient_revealed SET born = 7 WHERE id = 1;	-- fails

-- a right that goes while a cursor is open: what comes after is hidden
BEGIN;
DECLARE open_one CURSOR FOR SELECT id, name FROM patient_revealed WHERE id <= 4 ORDER BY id;
DECLARE open_where CURSOR FOR SELECT id FROM patient_revealed WHERE name LIKE 'name %';
FETCH 2 FROM open_one;
FETCH 2 FROM open_where;
RESET SESSION AUTHORIZATION;
SELECT seal.revoke_key('life_name', 'regress_life_app');
SET SESSION AUTHORIZATION regress_life_app;
FETCH 1 FROM open_one;
SAVEPOINT s;
FETCH 2 FROM open_where;	-- fails
ROLLBACK TO s;
FETCH 1 FROM open_one;
COMMIT;
EXECUTE by_view ('n7');

-- and one that comes back
RESET SESSION AUTHORIZATION;
SELECT seal.grant_key('life_name', 'regress_life_app', '{reveal}');
SET SESSION AUTHORIZATION regress_life_app;
EXECUTE by_view ('n7');

-- an event trigger finds its own tables, as in any statement of the owner
RESET SESSION AUTHORIZATION;
CREATE TABLE noted (command text, object text);
CREATE FUNCTION note_command() RETURNS event_trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO noted SELECT command_tag, object_identity FROM pg_event_trigger_ddl_commands(); END';
CREATE EVENT TRIGGER plan_view_life ON ddl_command_end EXECUTE FUNCTION note_command();
CREATE TABLE ward (id integer, name sealed_text(life_name));
SELECT seal.create_revealing_view('ward');
ALTER TABLE ward ADD COLUMN beds integer;
SELECT seal.refresh_revealing_view('ward_revealed');
DROP EVENT TRIGGER plan_view_life;
SELECT * FROM noted;
INSERT INTO ward_revealed VALUES (1, 'maternity', 20) RETURNING *;
SET SESSION AUTHORIZATION regress_life_app;

-- the table goes with its view, or not at all
DROP TABLE visit;	-- fails
DROP TABLE visit CASCADE;

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA plan_view_life CASCADE;
SELECT count(seal.revoke_key(k, r))
  FROM unnest('{life_nir,life_name}'::text[]) k, unnest(ARRAY['regress_life_app', current_user::regrole]) r;
DROP ROLE regress_life_app;
