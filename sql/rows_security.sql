-- rows_security: which rows of a protected table a role sees and writes, beside policies of
-- the laboratory, by every kind of statement, in plans that are kept and in parallel.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgseal;
RESET client_min_messages;
SELECT seal.create_key('sec_name') > 0 AS made;
CREATE ROLE regress_sec_owner;
CREATE ROLE regress_sec_app;
CREATE ROLE regress_sec_doctor;
CREATE ROLE regress_sec_nobody;
CREATE ROLE regress_sec_backup BYPASSRLS;
SELECT count(seal.grant_key('sec_name', r, '{seal,reveal}')) FROM unnest(ARRAY['regress_sec_owner', 'regress_sec_app', current_user]::regrole[]) r;
SELECT seal.grant_key('sec_name', 'regress_sec_doctor', '{seal,reveal}', 'admitted');
CREATE SCHEMA rows_security AUTHORIZATION regress_sec_owner;
GRANT USAGE ON SCHEMA rows_security TO PUBLIC;
SET search_path = rows_security;

SET SESSION AUTHORIZATION regress_sec_owner;
-- what a statement says: its SQLSTATE and message, or how many rows
CREATE FUNCTION outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  n bigint;
BEGIN
  EXECUTE statement;
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n || ' rows';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
CREATE TABLE patient (id int PRIMARY KEY, ward text, name sealed_text(sec_name));
CREATE TABLE visit (id int, patient int REFERENCES patient, note sealed_text(sec_name), PRIMARY KEY (id, patient)) PARTITION BY HASH (patient);
CREATE TABLE visit_0 PARTITION OF visit FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE visit_1 PARTITION OF visit FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO patient SELECT n, CASE n % 2 WHEN 0 THEN 'b' ELSE 'a' END, 'Name ' || n FROM generate_series(1, 6) AS n;
INSERT INTO visit SELECT n, n % 6 + 1, 'note ' || n FROM generate_series(1, 12) AS n;
SELECT seal.protect('patient', 'id', 'sec'), seal.protect('visit', 'patient', 'sec');
SELECT seal.create_revealing_view('patient'), seal.create_revealing_view('visit');
GRANT ALL ON patient, visit, visit_0, visit_1, patient_revealed, visit_revealed TO regress_sec_app, regress_sec_doctor, regress_sec_nobody, regress_sec_backup;
RESET SESSION AUTHORIZATION;
SELECT count(seal.admit('sec', n::text, 'regress_sec_doctor', 'TREAT', 'infinity')) FROM unnest('{1,2}'::int[]) AS n;

-- one question, asked in every role; the plan is kept
PREPARE who AS SELECT current_user AS role, (SELECT string_agg(id::text, ' ' ORDER BY id) FROM patient) AS patients,
  (SELECT string_agg(name, ' ' ORDER BY id) FROM patient_revealed) AS names, (SELECT count(*) FROM visit) AS visits,
  (SELECT count(*) FROM visit_0) + (SELECT count(*) FROM visit_1) AS in_partitions, (SELECT count(note) FROM visit_revealed) AS notes;
SET plan_cache_mode = force_generic_plan;

-- ---------------------------------------------------------------------------
-- Without policies of the laboratory
-- ---------------------------------------------------------------------------

SET SESSION AUTHORIZATION regress_sec_app;
EXECUTE who;
SET SESSION AUTHORIZATION regress_sec_doctor;
EXECUTE who;
SET SESSION AUTHORIZATION regress_sec_nobody;
EXECUTE who;
SET SESSION AUTHORIZATION regress_sec_backup;
EXECUTE who;
SET SESSION AUTHORIZATION regress_sec_owner;
EXECUTE who;
-- FORCE: the owner, too, sees what its rights reach
ALTER TABLE patient FORCE ROW LEVEL SECURITY;
EXECUTE who;
RESET SESSION AUTHORIZATION;
SELECT seal.revoke_key('sec_name', 'regress_sec_owner');
SET SESSION AUTHORIZATION regress_sec_owner;
EXECUTE who;
ALTER TABLE patient NO FORCE ROW LEVEL SECURITY;
EXECUTE who;
RESET SESSION AUTHORIZATION;
SELECT seal.grant_key('sec_name', 'regress_sec_owner', '{seal,reveal}');

-- who would rather have an error than fewer rows gets one
SET row_security = off;
SET SESSION AUTHORIZATION regress_sec_doctor;
SELECT outcome('SELECT FROM patient'), outcome('SELECT FROM visit_1');
SET SESSION AUTHORIZATION regress_sec_backup;
SELECT outcome('SELECT FROM patient'), outcome('SELECT FROM visit_1');
RESET SESSION AUTHORIZATION;
RESET row_security;

-- ---------------------------------------------------------------------------
-- Each kind of statement, by a doctor who is admitted to patients 1 and 2
-- ---------------------------------------------------------------------------

SET SESSION AUTHORIZATION regress_sec_doctor;
BEGIN;
SELECT outcome('INSERT INTO visit VALUES (20, 1, ''new'')') AS own, outcome('INSERT INTO visit VALUES (20, 3, ''new'')') AS others,
  outcome('INSERT INTO visit_revealed VALUES (21, 2, ''new'')') AS own, outcome('INSERT INTO visit_revealed VALUES (21, 3, ''new'')') AS others,
  outcome('INSERT INTO visit_0 VALUES (22, 1, ''new'')') AS own, outcome('INSERT INTO visit_1 VALUES (22, 3, ''new'')') AS others;
SELECT outcome('UPDATE visit SET note = ''changed''') AS own, outcome('UPDATE visit SET note = ''changed'' WHERE patient = 3') AS others,
  outcome('UPDATE visit SET patient = 3 WHERE id = 20') AS away, outcome('UPDATE visit SET patient = 2 WHERE id = 20') AS between_own;
-- rows without a sealed value: row security alone decides
SELECT outcome('INSERT INTO visit (id, patient) VALUES (24, 1)') AS own, outcome('INSERT INTO visit (id, patient) VALUES (24, 3)') AS others,
  outcome('UPDATE visit SET patient = 3 WHERE id = 24') AS away, outcome('UPDATE visit SET patient = 2 WHERE id = 24') AS between_own,
  outcome('INSERT INTO visit_1 (id, patient) VALUES (24, 3)') AS partition;
SELECT outcome('DELETE FROM visit WHERE patient = 3') AS others, outcome('DELETE FROM visit WHERE id = 20') AS own;
SELECT outcome('SELECT FROM patient WHERE id IN (2, 3) FOR UPDATE') AS locked, outcome('SELECT FROM patient WHERE id = 3 FOR SHARE') AS others;
INSERT INTO visit VALUES (23, 1, 'told') RETURNING id, patient, note::text;
-- a constant of a plan that an earlier transaction made is sealed when it is written
PREPARE constant AS INSERT INTO visit VALUES (25, 1, 'constant') RETURNING note::text;
-- a conflict with a row that is not there for the role
SELECT outcome('INSERT INTO patient VALUES (1, ''c'', ''x'') ON CONFLICT (id) DO UPDATE SET ward = excluded.ward') AS own,
  outcome('INSERT INTO patient VALUES (3, ''c'', ''x'') ON CONFLICT (id) DO UPDATE SET ward = excluded.ward') AS others,
  outcome('INSERT INTO patient VALUES (3, ''c'', ''x'') ON CONFLICT DO NOTHING') AS others_nothing,
  outcome('INSERT INTO patient VALUES (2, ''c'', ''x'') ON CONFLICT DO NOTHING') AS own_nothing;
SELECT outcome('MERGE INTO patient p USING (VALUES (1), (2)) AS v (id) ON p.id = v.id WHEN MATCHED THEN UPDATE SET ward = ''m''') AS own,
  outcome('MERGE INTO patient p USING (VALUES (2), (3)) AS v (id) ON p.id = v.id WHEN MATCHED THEN UPDATE SET ward = ''m'' WHEN NOT MATCHED THEN INSERT VALUES (v.id, ''m'', ''x'')') AS others,
  outcome('MERGE INTO patient p USING (VALUES (1), (3)) AS v (id) ON p.id = v.id WHEN MATCHED THEN DELETE') AS referenced;
-- row security says nothing about TRUNCATE: who has that privilege empties the table
SELECT outcome('TRUNCATE visit') AS truncated;
ROLLBACK;
EXECUTE constant;
CREATE FUNCTION pg_temp.write() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  written text;
BEGIN
  DELETE FROM visit WHERE id = 25;
  INSERT INTO visit VALUES (25, 2, 'from a function') RETURNING note INTO written;
  RETURN written;
END $$;
SELECT pg_temp.write() LIKE 'seal1:%' AS t;
SELECT pg_temp.write() LIKE 'seal1:%' AS t;
DELETE FROM visit WHERE id = 25 RETURNING note::text;
DROP FUNCTION pg_temp.write();
COPY (SELECT id, name FROM patient_revealed ORDER BY id) TO STDOUT;
COPY (SELECT id FROM patient ORDER BY id) TO STDOUT;
COPY visit (id, patient) TO STDOUT;
-- PostgreSQL copies into no table whose rows it has to check
COPY visit FROM STDIN;
\.
SELECT outcome('TABLE visit_revealed') AS visits, (SELECT count(*) FROM pg_stats WHERE schemaname = 'rows_security') AS statistics;

-- ---------------------------------------------------------------------------
-- Functions and views
-- ---------------------------------------------------------------------------

-- a function that costs nothing is asked after the policy
CREATE FUNCTION pg_temp.leak(int) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE NOTICE 'seen: %', $1; RETURN true; END $$;
SELECT count(*) FROM patient WHERE pg_temp.leak(id);
SELECT count(*) FROM visit_0 WHERE pg_temp.leak(patient);
SELECT count(*) FROM visit_1 WHERE pg_temp.leak(patient);
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_sec_app;
CREATE FUNCTION pg_temp.of_app() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = rows_security AS
  $$ SELECT string_agg(name, ' ' ORDER BY id) FROM patient_revealed $$;
RESET SESSION AUTHORIZATION;
-- a view of the owner's shows rows that the caller may not see, and no value of them
SELECT column_numbers[1] AS name_number FROM seal.protection WHERE relation = 'patient'::regclass \gset
SET SESSION AUTHORIZATION regress_sec_owner;
CREATE VIEW of_owner WITH (security_barrier) AS SELECT id, seal.show(name, id::text, seal.place(:name_number, id)) AS name FROM patient;
CREATE VIEW of_caller WITH (security_invoker, security_barrier) AS SELECT id FROM patient;
GRANT SELECT ON of_owner, of_caller TO regress_sec_doctor, regress_sec_app, regress_sec_nobody;
SET SESSION AUTHORIZATION regress_sec_doctor;
SELECT pg_temp.of_app();
SELECT string_agg(id::text, ' ' ORDER BY id) AS of_caller FROM of_caller;
SELECT * FROM of_owner ORDER BY id;
DROP FUNCTION pg_temp.leak(int);
RESET SESSION AUTHORIZATION;

-- ---------------------------------------------------------------------------
-- Policies of the laboratory
-- ---------------------------------------------------------------------------

SET SESSION AUTHORIZATION regress_sec_owner;
CREATE POLICY ward_a ON patient USING (ward = 'a');
SET SESSION AUTHORIZATION regress_sec_app;
EXECUTE who;
SET SESSION AUTHORIZATION regress_sec_doctor;
EXECUTE who;
SELECT outcome('UPDATE patient SET ward = ''b'' WHERE id = 1') AS checked, outcome('UPDATE patient SET ward = ''a''') AS own;
SET SESSION AUTHORIZATION regress_sec_owner;
CREATE POLICY ward_b ON patient FOR SELECT TO regress_sec_doctor USING (ward = 'b');
SET SESSION AUTHORIZATION regress_sec_doctor;
EXECUTE who;
SET SESSION AUTHORIZATION regress_sec_owner;
CREATE POLICY not_two ON patient AS RESTRICTIVE USING (id <> 2);
SET SESSION AUTHORIZATION regress_sec_doctor;
EXECUTE who;
SET SESSION AUTHORIZATION regress_sec_app;
EXECUTE who;
-- one that asks another table, which is protected itself
SET SESSION AUTHORIZATION regress_sec_owner;
DROP POLICY not_two ON patient;
DROP POLICY ward_b ON patient;
ALTER POLICY ward_a ON patient USING (EXISTS (SELECT FROM visit WHERE visit.patient = patient.id AND visit.id > 6));
SET SESSION AUTHORIZATION regress_sec_doctor;
EXECUTE who;
SET SESSION AUTHORIZATION regress_sec_owner;
DROP POLICY ward_a ON patient;
-- restrictive ones alone: pgseal's permissive policy lets through what they leave
CREATE POLICY not_two ON patient AS RESTRICTIVE USING (id <> 2);
SET SESSION AUTHORIZATION regress_sec_doctor;
EXECUTE who;
SET SESSION AUTHORIZATION regress_sec_owner;
DROP POLICY not_two ON patient;

-- ---------------------------------------------------------------------------
-- Admitted and dismissed, by a plan that is kept
-- ---------------------------------------------------------------------------

SET SESSION AUTHORIZATION regress_sec_doctor;
EXECUTE who;
RESET SESSION AUTHORIZATION;
SELECT seal.admit('sec', '3', 'regress_sec_doctor', 'TREAT', 'infinity'), seal.dismiss('sec', '1', 'regress_sec_doctor');
SET SESSION AUTHORIZATION regress_sec_doctor;
EXECUTE who;
RESET SESSION AUTHORIZATION;
GRANT regress_sec_doctor TO regress_sec_nobody;
SET SESSION AUTHORIZATION regress_sec_nobody;
EXECUTE who;
SET ROLE regress_sec_doctor;
EXECUTE who;
RESET ROLE;
RESET SESSION AUTHORIZATION;
REVOKE regress_sec_doctor FROM regress_sec_nobody;
SET SESSION AUTHORIZATION regress_sec_nobody;
EXECUTE who;
-- a transaction that ends badly takes its admissions with it
RESET SESSION AUTHORIZATION;
BEGIN;
SELECT seal.admit('sec', '5', 'regress_sec_doctor', 'TREAT', 'infinity');
SET LOCAL SESSION AUTHORIZATION regress_sec_doctor;
EXECUTE who;
ROLLBACK;
SET SESSION AUTHORIZATION regress_sec_doctor;
EXECUTE who;

-- ---------------------------------------------------------------------------
-- In parallel
-- ---------------------------------------------------------------------------

RESET SESSION AUTHORIZATION;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET enable_indexscan = off;
SET enable_bitmapscan = off;
SET enable_indexonlyscan = off;
SET SESSION AUTHORIZATION regress_sec_doctor;
EXPLAIN (COSTS OFF) SELECT count(*), count(note) FROM visit_revealed;
SELECT count(*), count(note), max(note COLLATE "C") FROM visit_revealed;
SET SESSION AUTHORIZATION regress_sec_app;
SELECT count(*), count(note), max(note COLLATE "C") FROM visit_revealed;
SET SESSION AUTHORIZATION regress_sec_nobody;
SELECT count(*), count(note), max(note COLLATE "C") FROM visit_revealed;
RESET SESSION AUTHORIZATION;

SET client_min_messages = warning;
SELECT sum(seal.dismiss('sec', n::text, 'regress_sec_doctor')) FROM unnest('{2,3}'::int[]) AS n;
DROP FUNCTION pg_temp.of_app();
SET search_path = public;
DROP SCHEMA rows_security CASCADE;
SELECT count(seal.revoke_key('sec_name', r)) FROM unnest(ARRAY['regress_sec_owner', 'regress_sec_app', 'regress_sec_doctor', current_user]::regrole[]) r;
DROP ROLE regress_sec_owner, regress_sec_app, regress_sec_doctor, regress_sec_nobody, regress_sec_backup;
