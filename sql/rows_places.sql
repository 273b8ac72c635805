-- rows_places: a value of a protected table opens in its own place and nowhere else:
-- through revealing views, by hand, in plans that are kept.  A column t must be true,
-- a column f false.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgseal;
RESET client_min_messages;
SELECT count(seal.create_key(k, searchable => k = 'place_nir')) FROM unnest('{place_nir,place_name}'::text[]) k;
CREATE ROLE regress_place_app;
CREATE ROLE regress_place_doctor;
CREATE ROLE regress_place_clerk;
SELECT count(seal.grant_key(k, r, '{seal,search,reveal}'))
  FROM unnest('{place_nir,place_name}'::text[]) k, unnest(ARRAY['regress_place_app', current_user]::regrole[]) r;
SELECT count(seal.grant_key(k, 'regress_place_doctor', '{reveal}', 'admitted')) FROM unnest('{place_nir,place_name}'::text[]) k;
SELECT seal.grant_key('place_nir', 'regress_place_clerk', '{reveal}');
CREATE SCHEMA rows_places;
GRANT USAGE ON SCHEMA rows_places TO PUBLIC;
SET search_path = rows_places;

-- numbers of columns are random
CREATE FUNCTION definition(view regclass) RETURNS text LANGUAGE sql AS
  $$ SELECT regexp_replace(pg_get_viewdef(view), '''\d+''::bigint', '<number>', 'g') $$;
-- what a statement says: its SQLSTATE, or how many rows
CREATE FUNCTION outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  n bigint;
BEGIN
  EXECUTE statement;
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE;
END $$;

-- ---------------------------------------------------------------------------
-- The place as bytes
-- ---------------------------------------------------------------------------

SELECT seal.place(258, 1::smallint), seal.place(258, 1::bigint) = seal.place(258, 1::smallint) AS t, seal.place(258, 1) = seal.place(258, 1::bigint) AS t;
SELECT seal.place(258, 'é'::text, -1), seal.place(258, 'a '::char(5)) = seal.place(258, 'a'::varchar) AS t;
SELECT seal.place(1, 'ab'::text, 'c'::text) = seal.place(1, 'a'::text, 'bc'::text) AS f, seal.place(1, 'a'::text) = seal.place(2, 'a'::text) AS f, seal.place(1, NULL::text) IS NULL AS t;
SELECT seal.place(1, '{}'::jsonb);	-- fails
SELECT seal.place(1, 'a');	-- fails
SELECT seal.place(1, VARIADIC '{1,2}'::int[]);	-- fails
BEGIN; SET LOCAL client_encoding = 'latin1'; SELECT encode(seal.place(1, chr(233)), 'hex') = '0000000000000001' || '00000002' || 'c3a9' AS t; ROLLBACK;

-- ---------------------------------------------------------------------------
-- Views follow the protection
-- ---------------------------------------------------------------------------

CREATE DOMAIN code AS sealed_text(place_name);
CREATE TABLE patient (id integer PRIMARY KEY, nir sealed_text(place_nir) UNIQUE, name sealed_text(place_name), born sealed_date(place_name), ward text, code code);
CREATE TABLE visit (ward text, "At day" date, patient text COLLATE "C" NOT NULL, note sealed_text(place_name), alias sealed_text(place_name), PRIMARY KEY ("At day", ward));
CREATE TABLE stay (id uuid, patient integer NOT NULL, note sealed_text(place_name), PRIMARY KEY (id)) PARTITION BY HASH (id);
CREATE TABLE stay_1 PARTITION OF stay FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE stay_2 (note sealed_text(place_name), gone text, patient integer NOT NULL, id uuid NOT NULL);
ALTER TABLE stay_2 DROP COLUMN gone;
ALTER TABLE stay ATTACH PARTITION stay_2 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT seal.create_revealing_view(r) FROM unnest('{patient,visit,stay,stay_2}'::regclass[]) r;
CREATE VIEW names WITH (security_invoker) AS SELECT id, seal.show(name) AS name FROM patient;
ALTER VIEW names OWNER TO regress_place_clerk;
CREATE VIEW other AS SELECT id, seal.show(name) AS name FROM patient WHERE ward = 'A';
INSERT INTO patient SELECT g, 'n' || g, 'Name ' || g, date '1990-01-01' + g, chr(64 + g % 3 + 1), 'C' || g FROM generate_series(1, 9) g;
INSERT INTO visit SELECT 'W' || g, date '2021-02-01' + g, 'p' || g % 3, 'note ' || g, 'alias ' || g FROM generate_series(1, 6) g;
INSERT INTO stay SELECT ('00000000-0000-0000-0000-00000000000' || g)::uuid, g % 3 + 1, 'stay ' || g FROM generate_series(1, 6) g;
SELECT seal.protect('patient', 'id', 'patient');
SELECT seal.protect('visit', 'patient', 'visitor');
SELECT seal.protect('stay', 'patient', 'patient');
SELECT r, definition(r) FROM unnest('{patient_revealed,visit_revealed,stay_revealed,stay_2_revealed,names,other}'::regclass[]) r;
SELECT relowner::regrole FROM pg_class WHERE oid = 'names'::regclass;
-- made later, and made again
SELECT seal.create_revealing_view('visit', 'visit_again');
SELECT definition('visit_again') = definition('visit_revealed') AS t, seal.refresh_revealing_view('visit_again') IS NOT NULL AS t,
  definition('visit_again') = definition('visit_revealed') AS t;
SELECT format_type(atttypid, atttypmod), attcollation::regcollation FROM pg_attribute WHERE attrelid = 'visit_again'::regclass AND attname = 'note';
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA rows_places TO regress_place_app, regress_place_clerk, regress_place_doctor;

-- ---------------------------------------------------------------------------
-- What an application does goes on
-- ---------------------------------------------------------------------------

SET SESSION AUTHORIZATION regress_place_app;
SELECT id, nir, name, born, code FROM patient_revealed WHERE nir = 'n3';
EXPLAIN (COSTS OFF) SELECT name FROM patient_revealed WHERE nir = 'n3' ORDER BY id;
SELECT DISTINCT note FROM visit_revealed WHERE note < 'note 3' ORDER BY note;
SELECT p.name, v.note, s.note FROM patient_revealed p LEFT JOIN visit_revealed v ON v.ward = 'W' || p.id + 4
  LEFT JOIN stay_revealed s ON s.patient = p.id AND s.note = 'stay 1' WHERE p.id < 4 ORDER BY p.id;
SELECT note FROM stay_2_revealed UNION SELECT note FROM stay_revealed ORDER BY note;
INSERT INTO patient_revealed (id, nir, name) VALUES (10, 'n10', 'Ten') RETURNING id, name;
INSERT INTO patient_revealed AS p (id, nir, name) VALUES (10, 'n10', 'Eleven') ON CONFLICT (nir) DO UPDATE SET name = excluded.name RETURNING id, name;
INSERT INTO patient_revealed AS p (id, nir, name) VALUES (11, 'n10', 'Twelve') ON CONFLICT (nir) DO UPDATE SET name = excluded.name || p.nir RETURNING id, name;
UPDATE patient_revealed SET name = nir WHERE id = 10 RETURNING name;
UPDATE patient_revealed SET name = name, born = born WHERE id = 9 RETURNING name, born;
UPDATE visit_revealed SET note = alias, alias = note WHERE ward = 'W6' RETURNING note, alias;
INSERT INTO stay_revealed (id, patient, note) SELECT '00000000-0000-0000-0000-0000000000ff', 1, note FROM stay_revealed WHERE note = 'stay 2' RETURNING note;
DELETE FROM patient_revealed WHERE name = 'n10' RETURNING id;
PREPARE one(text) AS SELECT id, name FROM patient_revealed WHERE nir = $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE one('n3');
RESET SESSION AUTHORIZATION;

-- ---------------------------------------------------------------------------
-- Moved behind our back: by a superuser, with the trigger disabled
-- ---------------------------------------------------------------------------

ALTER TABLE patient DISABLE TRIGGER "~seal_subject";
ALTER TABLE visit DISABLE TRIGGER "~seal_subject";
CREATE TABLE kept AS SELECT id, name FROM patient;
UPDATE patient SET name = (SELECT name FROM kept WHERE id = 2) WHERE id = 1;	-- another patient's
UPDATE visit SET alias = note WHERE ward = 'W1';	-- another column's
UPDATE visit SET note = (SELECT note FROM visit WHERE ward = 'W3') WHERE ward = 'W6' AND patient = 'p0';	-- another row's, of the same patient
UPDATE visit SET patient = 'p9' WHERE ward = 'W2';	-- another patient's row
UPDATE patient SET name = seal.seal('no one''s'::text, 'place_name') WHERE id = 4;	-- of no patient
UPDATE visit SET note = (SELECT name FROM kept WHERE id = 5) WHERE ward = 'W4';	-- another table's
ALTER TABLE patient ENABLE ALWAYS TRIGGER "~seal_subject";
ALTER TABLE visit ENABLE ALWAYS TRIGGER "~seal_subject";
SET SESSION AUTHORIZATION regress_place_app;
SELECT name FROM patient_revealed WHERE id = 1;	-- fails
SELECT statement, outcome(statement) FROM (VALUES
  ('SELECT nir, born FROM patient_revealed WHERE id = 1'), ('SELECT name FROM patient_revealed WHERE id = 2'),
  ('SELECT name FROM patient_revealed WHERE id = 1'), ('SELECT name FROM patient_revealed ORDER BY id'),
  ('SELECT FROM patient_revealed WHERE id = 1 AND name = ''Name 2'''), ('SELECT count(name) FROM patient_revealed WHERE id = 1'),
  ('UPDATE patient_revealed SET born = born, ward = name WHERE id = 1'), ('SELECT name FROM names WHERE id = 1'),
  ('SELECT name FROM patient_revealed WHERE id = 4'),
  ('SELECT note FROM visit_revealed WHERE ward = ''W1'''), ('SELECT alias FROM visit_revealed WHERE ward = ''W1'''),
  ('SELECT note FROM visit_revealed WHERE ward = ''W2'''), ('SELECT note FROM visit_revealed WHERE ward = ''W3'''),
  ('SELECT note FROM visit_revealed WHERE ward = ''W4'''), ('SELECT note FROM visit_revealed WHERE ward = ''W6'''),
  ('COPY (SELECT name FROM patient_revealed WHERE id = 1) TO ''/dev/null''')) s(statement);
EXECUTE one('n1');	-- fails
EXECUTE one('n2');
-- by hand
SELECT outcome(format('SELECT seal.reveal(name, %L, seal.place(%s, %s)) FROM patient WHERE id = 3', subject, of_column, id)), what
  FROM (SELECT substring(pg_get_viewdef('names') FROM '''(\d+)''::bigint') AS number) n,
  LATERAL (VALUES ('3', n.number, '3', 'itself'), ('4', n.number, '3', 'another subject'), ('3', n.number, '4', 'another row'),
    ('3', '17', '3', 'no such column'), ('03', n.number, '3', 'another spelling')) AS v(subject, of_column, id, what);
SELECT seal.reveal(name, '3', '\x01') FROM patient WHERE id = 3;	-- fails
-- who has no right learns nothing of where a value belongs
SET SESSION AUTHORIZATION regress_place_clerk;
SELECT id, nir, name FROM patient_revealed WHERE id IN (1, 2) ORDER BY id;
SELECT outcome('SELECT FROM patient_revealed WHERE id = 1 AND name = ''Name 2'''), outcome('SELECT FROM patient_revealed WHERE id = 2 AND name = ''Name 2''');
RESET SESSION AUTHORIZATION;

-- ---------------------------------------------------------------------------
-- Row access: plans use the list of the admitted, and follow it
-- ---------------------------------------------------------------------------

INSERT INTO patient SELECT g, 'n' || g, 'Name ' || g, NULL, 'Z', NULL FROM generate_series(1001, 4000) g;
ANALYZE patient;
SELECT seal.admit('patient', '7', 'regress_place_doctor', 'TREAT', 'infinity');
SET SESSION AUTHORIZATION regress_place_doctor;
EXPLAIN (COSTS OFF) SELECT count(*) FROM patient;
PREPARE mine AS SELECT id, name FROM patient_revealed ORDER BY id LIMIT 3;
EXECUTE mine;
EXPLAIN (COSTS OFF) EXECUTE mine;
RESET SESSION AUTHORIZATION;
SELECT seal.admit('patient', '8', 'regress_place_doctor', 'TREAT', 'infinity');
SET SESSION AUTHORIZATION regress_place_doctor;
EXECUTE mine;
RESET SESSION AUTHORIZATION;
SELECT seal.dismiss('patient', '7', 'regress_place_doctor');
SET SESSION AUTHORIZATION regress_place_doctor;
EXECUTE mine;
RESET SESSION AUTHORIZATION;
-- a right to all, by membership and by grant; and its end
GRANT regress_place_app TO regress_place_doctor;
SET SESSION AUTHORIZATION regress_place_doctor;
SELECT outcome('EXECUTE mine');
SELECT count(*) FROM patient_revealed;
EXPLAIN (COSTS OFF) SELECT count(*) FROM patient;
RESET SESSION AUTHORIZATION;
REVOKE regress_place_app FROM regress_place_doctor;
SET SESSION AUTHORIZATION regress_place_doctor;
EXECUTE mine;
RESET SESSION AUTHORIZATION;
SELECT count(seal.revoke_key(k, 'regress_place_doctor')) FROM unnest('{place_nir,place_name}'::text[]) k;
SELECT seal.grant_key('place_nir', 'regress_place_doctor', '{reveal}');
SET SESSION AUTHORIZATION regress_place_doctor;
SELECT outcome('EXECUTE mine');
RESET SESSION AUTHORIZATION;

-- ---------------------------------------------------------------------------
-- Tables change
-- ---------------------------------------------------------------------------

-- another width of the key, other names: the place stays
DELETE FROM patient WHERE id IN (1, 4);
DROP VIEW names, other;
CREATE TABLE dropped AS SELECT definition('patient_revealed');
DROP VIEW patient_revealed;
ALTER TABLE patient ALTER id TYPE bigint;
ALTER TABLE patient RENAME id TO number;
SELECT seal.create_revealing_view('patient');
SELECT definition('patient_revealed');
SELECT number, name FROM patient_revealed WHERE nir = 'n3';
-- no longer protected
SELECT seal.unprotect('patient');
SELECT definition('patient_revealed');
SELECT number, name FROM patient_revealed WHERE nir = 'n3';
UPDATE patient_revealed SET name = nir WHERE number = 3 RETURNING name;
-- a view of another protection reveals nothing, and is written through by nobody
CREATE VIEW stale WITH (security_invoker) AS SELECT number, seal.show(name, number::text, seal.place(17::bigint, number)) AS name FROM patient;
CREATE VIEW stale_number WITH (security_invoker) AS SELECT number, seal.show(name, number::text, seal.place('17'::bigint, number)) AS name FROM patient;
SELECT outcome('SELECT name FROM stale_number WHERE number = 3'), outcome('UPDATE stale_number SET name = ''x'''), outcome('UPDATE stale SET name = ''x''');
SELECT seal.refresh_revealing_view('stale_number');
SELECT definition('stale_number'), outcome('SELECT name FROM stale_number WHERE number = 3');

RESET search_path;
RESET plan_cache_mode;
SET client_min_messages = warning;
DROP SCHEMA rows_places CASCADE;
SELECT count(*) FROM seal.protection WHERE relation_name LIKE 'rows_places.%';
