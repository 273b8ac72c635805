-- plan_view: making and refreshing revealing views, as the owner of the table.
-- A column t must be true, a column f false.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgseal;
RESET client_min_messages;
CREATE ROLE regress_view_owner;
CREATE ROLE regress_view_member IN ROLE regress_view_owner;
CREATE ROLE regress_view_clerk;
SELECT count(seal.create_key(k)) FROM unnest('{view_name,view_note}'::text[]) k;
SELECT count(seal.grant_key(k, r, '{seal,search,reveal}'))
  FROM unnest('{view_name,view_note}'::text[]) k, unnest(ARRAY['regress_view_owner', current_user::regrole]) r;
SELECT seal.grant_key('view_name', 'regress_view_clerk', '{reveal}');
CREATE SCHEMA plan_view AUTHORIZATION regress_view_owner;
GRANT USAGE ON SCHEMA plan_view TO PUBLIC;
SET search_path = plan_view;
CREATE DOMAIN sealed_code AS sealed_text(view_note);
SET SESSION AUTHORIZATION regress_view_owner;
SET timezone = 'UTC';

-- ---------------------------------------------------------------------------
-- Create
-- ---------------------------------------------------------------------------

CREATE TABLE patient (
  id    integer PRIMARY KEY,
  gone  text,
  name  sealed_text(view_name),
  born  sealed_date(view_name),
  "Note ""x""" sealed_text(view_note),
  code  sealed_code,
  ward  varchar(8));
ALTER TABLE patient DROP COLUMN gone;
COMMENT ON TABLE patient IS 'who we treat';
COMMENT ON COLUMN patient.name IS 'family name';
COMMENT ON COLUMN patient.ward IS 'where';
INSERT INTO patient VALUES (1, 'Dupont', '1984-12-03', 'asthma', 'J45', 'B2');

SELECT seal.create_revealing_view('patient');
SELECT pg_get_viewdef('patient_revealed'), reloptions, relowner::regrole AS owner FROM pg_class WHERE oid = 'patient_revealed'::regclass;
SELECT attname, format_type(atttypid, atttypmod) AS type, col_description(attrelid, attnum) AS comment
  FROM pg_attribute WHERE attrelid = 'patient_revealed'::regclass AND attnum > 0 ORDER BY attnum;
SELECT obj_description('patient_revealed'::regclass, 'pg_class') AS comment;
SELECT * FROM patient_revealed;
-- every sealed type is shown in its plain type
CREATE TABLE every_type (t sealed_text(view_name), a sealed_bytea(view_name), b sealed_bool(view_name), i sealed_int(view_name), f sealed_float8(view_name),
  n sealed_numeric(view_name), d sealed_date(view_name), z sealed_timestamptz(view_name), u sealed_uuid(view_name), j sealed_jsonb(view_name));
SELECT seal.create_revealing_view('every_type');
SELECT string_agg(format_type(atttypid, atttypmod), ', ' ORDER BY attnum) AS types
  FROM pg_attribute WHERE attrelid = 'every_type_revealed'::regclass AND attnum > 0;
-- another name, some columns in the order asked for
SELECT seal.create_revealing_view('patient', 'Few "columns"', '{name,id}');
SELECT pg_get_viewdef('"Few ""columns"""');
SELECT seal.create_revealing_view(relation => 'patient', columns => '{id}', view_name => 'numbers');
-- with a name of its own length, clipped as PostgreSQL clips the names it makes
CREATE TABLE a_table_whose_name_is_as_long_as_the_name_of_any_relation_is (id integer, name sealed_text(view_name));
SELECT seal.create_revealing_view('a_table_whose_name_is_as_long_as_the_name_of_any_relation_is') AS clipped,
  length('a_table_whose_name_is_as_long_as_the_name_of_any_relation_is') AS length;
SELECT seal.create_revealing_view('a_table_whose_name_is_as_long_as_the_name_of_any_relation_is');	-- fails: the name is taken, and says so
-- partitioned, temporary, without a sealed column, and with names that must be quoted
CREATE TABLE spread (id integer, name sealed_text(view_name)) PARTITION BY RANGE (id);
CREATE TABLE spread_1 PARTITION OF spread FOR VALUES FROM (0) TO (10);
CREATE TEMPORARY TABLE brief (id integer, name sealed_text(view_name));
CREATE TABLE plain (id integer);
CREATE TABLE "Odd; table" ("Select" integer, "a.b" sealed_text(view_name));
SELECT seal.create_revealing_view(r) FROM unnest('{spread,spread_1,plain,"\"Odd; table\""}'::regclass[]) r;
SELECT seal.create_revealing_view('brief') IS NOT NULL AS t;
SELECT count(*) FROM pg_temp.brief_revealed;

-- ---------------------------------------------------------------------------
-- What is refused
-- ---------------------------------------------------------------------------

\set VERBOSITY sqlstate
CREATE SEQUENCE counter;
CREATE TYPE pair AS (a integer, b integer);
CREATE VIEW simple AS SELECT id FROM plain;
SELECT seal.create_revealing_view('patient_revealed');	-- fails
SELECT seal.create_revealing_view('simple');	-- fails
SELECT seal.create_revealing_view('patient_pkey');	-- fails
SELECT seal.create_revealing_view('counter');	-- fails
SELECT seal.create_revealing_view('pair');	-- fails
SELECT seal.create_revealing_view('nowhere');	-- fails
SELECT seal.create_revealing_view(4294967295::oid);	-- fails
SELECT seal.create_revealing_view(NULL);	-- fails
SELECT seal.create_revealing_view('patient', 'x', '{id,nowhere}');	-- fails
SELECT seal.create_revealing_view('patient', 'x', '{id,ctid}');	-- fails
SELECT seal.create_revealing_view('patient', 'x', '{id,"........pg.dropped.2........"}');	-- fails
SELECT seal.create_revealing_view('patient', 'x', '{id,name,id}');	-- fails
SELECT seal.create_revealing_view('patient', 'x', '{}');	-- fails
SELECT seal.create_revealing_view('patient', 'x', '{id,NULL}');	-- fails
SELECT seal.create_revealing_view('patient');	-- fails
SELECT seal.create_revealing_view('patient', 'plain');	-- fails
SELECT seal.refresh_revealing_view('patient');	-- fails
SELECT seal.refresh_revealing_view('simple');	-- fails
SELECT seal.refresh_revealing_view(4294967295::oid);	-- fails
SELECT seal.refresh_revealing_view(NULL) IS NULL AS t;
RESET SESSION AUTHORIZATION;
SELECT seal.create_revealing_view('pg_catalog.pg_class', 'x');	-- fails
SELECT seal.create_revealing_view(4294967294::oid);	-- fails
SET SESSION AUTHORIZATION regress_view_clerk;
SELECT seal.create_revealing_view('patient', 'mine');	-- fails
SELECT seal.refresh_revealing_view('patient_revealed');	-- fails
\set VERBOSITY default
SELECT seal.create_revealing_view('patient', 'mine');	-- fails
SELECT seal.refresh_revealing_view('patient_revealed');	-- fails
SET SESSION AUTHORIZATION regress_view_owner;
SELECT seal.create_revealing_view('simple');	-- fails
SELECT seal.refresh_revealing_view('simple');	-- fails

-- ---------------------------------------------------------------------------
-- Whose it is
-- ---------------------------------------------------------------------------

-- a member of the owner, and a superuser, give it to the owner
SET SESSION AUTHORIZATION regress_view_member;
SELECT seal.create_revealing_view('patient', 'by_member');
RESET SESSION AUTHORIZATION;
SELECT seal.create_revealing_view('patient', 'by_superuser');
-- where the owner may not create in the schema, the member keeps it
CREATE SCHEMA plan_view_member AUTHORIZATION regress_view_member;
GRANT USAGE, CREATE ON SCHEMA plan_view_member TO regress_view_member;
CREATE TABLE plan_view_member.patient (id integer, name sealed_text(view_name));
ALTER TABLE plan_view_member.patient OWNER TO regress_view_owner;
SET SESSION AUTHORIZATION regress_view_member;
SELECT seal.create_revealing_view('plan_view_member.patient');
SELECT oid::regclass AS view, relowner::regrole AS owner FROM pg_class
  WHERE oid IN ('by_member'::regclass, 'by_superuser'::regclass, 'plan_view_member.patient_revealed'::regclass) ORDER BY 1;

-- what stands first in the caller's search path is not called
RESET SESSION AUTHORIZATION;
CREATE SCHEMA plan_view_trap AUTHORIZATION regress_view_owner;
SET SESSION AUTHORIZATION regress_view_owner;
CREATE TABLE plan_view_trap.patient (id text);
CREATE FUNCTION plan_view_trap.show(sealed_text) RETURNS text LANGUAGE sql AS $$ SELECT 'trapped' $$;
SET search_path = plan_view_trap, plan_view, pg_catalog;
SELECT seal.create_revealing_view('plan_view.patient', 'untrapped', '{name}');
SHOW search_path;
SET search_path = plan_view;
SELECT pg_get_viewdef('untrapped');

-- ---------------------------------------------------------------------------
-- Reading: what a role may not see is NULL; rights on the table are the role's own
-- ---------------------------------------------------------------------------

GRANT SELECT ON patient_revealed TO regress_view_clerk;
SET SESSION AUTHORIZATION regress_view_clerk;
SELECT * FROM patient_revealed;	-- fails: no right on the table
SET SESSION AUTHORIZATION regress_view_owner;
GRANT SELECT ON patient TO regress_view_clerk;
SET SESSION AUTHORIZATION regress_view_clerk;
SELECT * FROM patient_revealed;
SET SESSION AUTHORIZATION regress_view_owner;

-- ---------------------------------------------------------------------------
-- Refresh
-- ---------------------------------------------------------------------------

CREATE VIEW dependent AS SELECT name, ward FROM patient_revealed;
ALTER TABLE patient ADD COLUMN phone sealed_text(view_note), ADD COLUMN seen timestamptz;
COMMENT ON COLUMN patient.phone IS 'at home';
COMMENT ON COLUMN patient.ward IS 'where now';
COMMENT ON COLUMN patient_revealed.born IS 'kept: the table has none';
UPDATE patient SET phone = '0102030405';
SELECT seal.refresh_revealing_view('patient_revealed');
SELECT attname, format_type(atttypid, atttypmod) AS type, col_description(attrelid, attnum) AS comment
  FROM pg_attribute WHERE attrelid = 'patient_revealed'::regclass AND attnum > 0 ORDER BY attnum;
SELECT phone, seen FROM patient_revealed;
SELECT reloptions, relacl FROM pg_class WHERE oid = 'patient_revealed'::regclass;
SELECT * FROM dependent;
-- renamed columns, two of them crosswise
ALTER TABLE patient RENAME COLUMN ward TO place;
ALTER TABLE patient RENAME COLUMN name TO tmp;
ALTER TABLE patient RENAME COLUMN phone TO name;
ALTER TABLE patient RENAME COLUMN tmp TO phone;
ALTER TABLE patient ADD COLUMN ward integer;
SELECT name, phone, ward FROM patient_revealed;	-- the old names, the old columns
SELECT seal.refresh_revealing_view('patient_revealed');
SELECT name, phone, place, ward FROM patient_revealed;
SELECT * FROM dependent;
-- nothing new: nothing changes
SELECT pg_get_viewdef('patient_revealed') AS before \gset
SELECT count(seal.refresh_revealing_view('patient_revealed')) FROM generate_series(1, 3);
SELECT pg_get_viewdef('patient_revealed') = :'before' AS t;
-- a view of some columns gets those behind the last one it shows
SELECT seal.refresh_revealing_view('"Few ""columns"""');
SELECT pg_get_viewdef('"Few ""columns"""');
SELECT seal.refresh_revealing_view('numbers');
SELECT pg_get_viewdef('numbers');
-- recognised by shape, under any name, made by anybody
ALTER VIEW patient_revealed RENAME TO patient_app;
CREATE VIEW by_hand WITH (security_invoker) AS SELECT id, seal.show(phone) AS phone FROM patient;
ALTER TABLE patient ADD COLUMN last text;
SELECT seal.refresh_revealing_view('patient_app');
SELECT seal.refresh_revealing_view('by_hand');
SELECT attname FROM pg_attribute WHERE attrelid = 'by_hand'::regclass AND attnum > 0 ORDER BY attnum;
-- none of these is one
CREATE FUNCTION shape_of(query text, options text DEFAULT 'security_invoker') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE 'CREATE VIEW shape WITH (' || options || ') AS ' || query;
  BEGIN
    PERFORM seal.refresh_revealing_view('shape');
    DROP VIEW shape;
    RETURN 'revealing';
  EXCEPTION WHEN wrong_object_type THEN
    DROP VIEW shape;
    RETURN 'not';
  END;
END $$;
SELECT shape_of(q), q FROM (VALUES (1, 'SELECT id, seal.show(name) AS name FROM patient'), (2, 'SELECT id FROM patient'),
  (3, 'SELECT id FROM patient WHERE true'), (4, 'SELECT id FROM patient ORDER BY id'), (5, 'SELECT DISTINCT id FROM patient'), (6, 'SELECT id FROM patient LIMIT 1'),
  (7, 'SELECT id + 1 AS id FROM patient'), (8, 'SELECT id, id AS again FROM patient'), (9, 'SELECT id, name, seal.show(name) AS shown FROM patient'),
  (10, 'SELECT seal.reveal(name) AS name FROM patient'), (11, 'SELECT seal.show(name)::varchar AS name FROM patient'), (12, 'SELECT a.id FROM patient a, patient b'),
  (13, 'SELECT id FROM ONLY patient'), (14, 'SELECT id FROM patient TABLESAMPLE system (50)'), (15, 'SELECT id FROM patient GROUP BY id'), (16, 'SELECT id FROM patient FOR UPDATE'),
  (17, 'SELECT id FROM patient UNION ALL SELECT id FROM patient'), (18, 'SELECT ctid FROM patient'), (19, 'SELECT patient FROM patient'), (20, 'SELECT id FROM patient_app'),
  (21, 'SELECT max(id) AS id FROM patient'), (22, 'SELECT id, (SELECT 1) AS one FROM patient'), (23, 'SELECT seal.show(seal.seal(place, ''view_name'')) AS place FROM patient'),
  (24, 'SELECT 1 AS one'), (25, 'WITH p AS (SELECT * FROM patient) SELECT id FROM p')) AS v(n, q) ORDER BY n;
SELECT shape_of('SELECT id FROM patient', o), o FROM unnest('{security_invoker,"security_invoker, security_barrier","security_invoker = off"}'::text[]) o;

-- ---------------------------------------------------------------------------
-- What PostgreSQL says when the table changes below the view
-- ---------------------------------------------------------------------------

ALTER TABLE every_type DROP COLUMN t;	-- fails
ALTER TABLE every_type ALTER COLUMN i TYPE sealed_numeric(view_name) USING NULL;	-- fails
DROP TABLE every_type;	-- fails
ALTER TABLE every_type DROP COLUMN t CASCADE;
SELECT to_regclass('every_type_revealed') IS NULL AS t;

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP VIEW pg_temp.brief_revealed;
DROP TABLE pg_temp.brief;
DROP SCHEMA plan_view, plan_view_member, plan_view_trap CASCADE;
SELECT count(seal.revoke_key(k, r))
  FROM unnest('{view_name,view_note}'::text[]) k, unnest(ARRAY['regress_view_owner', current_user::regrole]) r;
SELECT seal.revoke_key('view_name', 'regress_view_clerk');
DROP ROLE regress_view_owner, regress_view_member, regress_view_clerk;
