-- rows_watch: seal.watch() records each way of writing; row_history() opens it for
-- who may read.  A column t must be true, a column f false.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgseal;
RESET client_min_messages;
SELECT seal.create_key('rows_nir', searchable => true) > 0 AS t, seal.create_key('rows_note') > 0 AS t;
CREATE ROLE regress_rows_owner;
CREATE ROLE regress_rows_app;
CREATE ROLE regress_rows_auditor;
CREATE SCHEMA regress_rows AUTHORIZATION regress_rows_owner;
GRANT USAGE ON SCHEMA regress_rows TO PUBLIC;
SELECT seal.grant_key(k, 'regress_rows_app', '{seal,search}') FROM unnest('{rows_nir,rows_note}'::text[]) k;
SELECT seal.grant_key('rows_note', 'regress_rows_auditor', '{reveal}'), seal.grant_key('audit', 'regress_rows_auditor', '{reveal}');
-- the login role of pg_regress is a superuser, whose own rights count too
SELECT count(seal.grant_key(k, current_user::regrole, '{seal,search,reveal}')) FROM unnest('{rows_nir,rows_note,audit}'::text[]) k;
GRANT EXECUTE ON FUNCTION seal.row_history(regclass, text) TO regress_rows_auditor;
SET search_path = regress_rows, public;
-- what was recorded since the last look; an envelope prints as *, a key of a row that is one as token
CREATE FUNCTION pg_temp.stars(image jsonb) RETURNS text LANGUAGE sql AS
  $$ SELECT regexp_replace(image::text, '"seal1:[^"]*"', '*', 'g') $$;
CREATE TEMPORARY TABLE began AS SELECT clock_timestamp() AS first;
CREATE TEMPORARY TABLE seen AS SELECT clock_timestamp() AS last;
CREATE PROCEDURE pg_temp.forget() LANGUAGE sql AS $$ UPDATE seen SET last = clock_timestamp() $$;
CREATE TEMPORARY VIEW written AS
  SELECT * FROM (
    SELECT action, relation, row_key, keys, columns, old, new, detail, what, login_role, session_role, role, actor, purpose, address,
      application, xid, outcome, at, subject, statement, entry, 0 AS id FROM seal.audit_entry
    UNION ALL SELECT action, relation, row_key, keys, columns, seal.audit_image(old), seal.audit_image(new), detail, what, login_role, session_role,
      role, actor, purpose, address, application, xid, outcome, at, subject, statement, NULL, id FROM seal.audit_change) AS log
  WHERE at > (SELECT last FROM seen) AND action IN ('insert', 'update', 'delete', 'truncate') ORDER BY entry, id;
CREATE TEMPORARY VIEW recorded AS
  SELECT action, relation, regexp_replace(row_key, 'seal1:[^"]*', 'token', 'g') AS row_key, keys, columns,
    pg_temp.stars(old) AS old, pg_temp.stars(new) AS new, detail, what
  FROM written;

SET ROLE regress_rows_owner;
CREATE TABLE patient (id integer PRIMARY KEY, ward text, nir sealed_text(rows_nir) UNIQUE, note sealed_text(rows_note), born date);
GRANT ALL ON patient TO regress_rows_app;
SELECT seal.watch('patient');
SELECT seal.watch('patient');	-- again: nothing happens
RESET ROLE;
SELECT tgname, tgenabled, tgtype & 1 = 1 AS for_row FROM pg_trigger WHERE tgrelid = 'patient'::regclass ORDER BY tgname;

-- who may watch, and what
SET ROLE regress_rows_app;
SELECT seal.watch('patient');
SELECT seal.unwatch('patient');
RESET ROLE;
SELECT seal.watch('seal.audit_change');
SELECT seal.watch('seal.key');
SELECT seal.watch('pg_class');
CREATE TEMPORARY TABLE temporary (id integer);
SELECT seal.watch('temporary');
CREATE VIEW looks AS SELECT 1;
SELECT seal.watch('looks');
SELECT seal.unwatch('seen');
CREATE TABLE plain (id integer PRIMARY KEY);
SELECT seal.unwatch('plain');

-- each way of writing, as a role that has rights on the table only
SET ROLE regress_rows_app;
INSERT INTO patient VALUES (1, 'north', '184127645108946', 'HIV positive', '1984-12-03');
PREPARE add(integer, text, text, text, date) AS INSERT INTO patient VALUES ($1, $2, $3, $4, $5);
SET plan_cache_mode = force_generic_plan;
EXECUTE add(2, 'south', '285', NULL, NULL);
EXECUTE add(3, NULL, NULL, 'none', '2001-01-01');
RESET plan_cache_mode;
COPY patient (id, ward, note) FROM stdin;
4	east	copied
\.
INSERT INTO patient (id, ward) VALUES (4, 'west'), (5, 'new') ON CONFLICT (id) DO UPDATE SET ward = excluded.ward;
INSERT INTO patient (id, ward) VALUES (5, 'never') ON CONFLICT DO NOTHING;
MERGE INTO patient USING (VALUES (4, 'merged'), (6, 'made')) AS source (id, ward) ON patient.id = source.id
  WHEN MATCHED THEN UPDATE SET ward = source.ward WHEN NOT MATCHED THEN INSERT (id, ward) VALUES (source.id, source.ward);
RESET ROLE;
SELECT action, relation, row_key, keys, columns, old, new FROM recorded;
CALL pg_temp.forget();

-- an update has what it changed, and none but that
SET ROLE regress_rows_app;
UPDATE patient SET note = 'mix-up' WHERE id = 1;
UPDATE patient SET ward = 'north' WHERE id = 1;
UPDATE patient SET born = NULL, nir = NULL WHERE id = 1;
UPDATE patient SET born = '1984-12-03' WHERE id = 1;
DELETE FROM patient WHERE id = 3;
RESET ROLE;
SELECT action, row_key, keys, columns, old, new FROM recorded;
CALL pg_temp.forget();

-- a row that gets another key is found under both
SET ROLE regress_rows_app;
UPDATE patient SET id = 11 WHERE id = 1;
RESET ROLE;
SELECT action, row_key, columns, old, new, detail FROM recorded;
CALL pg_temp.forget();

-- plain values are one envelope, of their texts by column, that opens as any other
SET ROLE regress_rows_app;
INSERT INTO patient VALUES (40, E'"\\\t\u00e9', NULL, NULL, NULL);
UPDATE patient SET ward = NULL, born = '1984-12-03' WHERE id = 40;
RESET ROLE;
SELECT action, seal.reveal((old->>'')::sealed_jsonb) AS old, seal.reveal((new->>'')::sealed_jsonb) AS new FROM written;
DELETE FROM patient WHERE id = 40;
CALL pg_temp.forget();

-- no trace of what was rolled back, by statement, savepoint or transaction
BEGIN;
UPDATE patient SET ward = 'lost';
SAVEPOINT a;
DELETE FROM patient;
ROLLBACK TO a;
SELECT action, row_key FROM recorded ORDER BY row_key;
ROLLBACK;
INSERT INTO patient (id) VALUES (100), (11);
SELECT count(*) AS none FROM recorded;

-- in one transaction: each change of a row in its order, whichever subtransaction made it, and none that was undone
SET ROLE regress_rows_owner;
CREATE FUNCTION ladder() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.ward = 'undone' THEN
    RAISE division_by_zero;
  ELSIF NEW.ward = 'outer' THEN
    BEGIN
      UPDATE patient SET ward = 'inner' WHERE id = NEW.id;
    EXCEPTION WHEN division_by_zero THEN
      NULL;
    END;
    BEGIN
      UPDATE patient SET ward = 'undone' WHERE id = NEW.id;
    EXCEPTION WHEN division_by_zero THEN
      UPDATE patient SET ward = 'handled' WHERE id = NEW.id;
    END;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER ladder AFTER INSERT OR UPDATE ON patient FOR EACH ROW EXECUTE FUNCTION ladder();
RESET ROLE;
CREATE TEMPORARY VIEW wards AS SELECT action, row_key, seal.reveal((new->>'')::sealed_jsonb)->>'ward' AS ward FROM written;
SET ROLE regress_rows_app;
BEGIN;
INSERT INTO patient (id, ward) VALUES (41, 'outer'), (42, 'first');
SAVEPOINT kept;
UPDATE patient SET ward = 'second' WHERE id = 42;
SAVEPOINT undone;
UPDATE patient SET ward = 'never' WHERE id = 42;
ROLLBACK TO undone;
RELEASE kept;
UPDATE patient SET ward = 'third' WHERE id = 42;
COMMIT;
RESET ROLE;
SELECT * FROM wards;
DROP TRIGGER ladder ON patient;
CALL pg_temp.forget();
-- more of them than are written together
SET ROLE regress_rows_app;
INSERT INTO patient (id, ward) SELECT n, repeat('x', n % 3000) FROM generate_series(1001, 2500) n;
UPDATE patient SET ward = 'y' WHERE id > 1000;
DELETE FROM patient WHERE id > 1000;
RESET ROLE;
SELECT action, count(*), count(DISTINCT row_key) AS rows, count(DISTINCT xid) AS transactions FROM written GROUP BY action ORDER BY action;
SELECT count(*) AS none FROM (SELECT action, lag(action) OVER (PARTITION BY row_key ORDER BY entry, id) AS before FROM written) AS steps
  WHERE (action, coalesce(before, '')) NOT IN (('insert', ''), ('update', 'insert'), ('delete', 'update'));
-- COPY, and a look at it in the same transaction
BEGIN;
COPY patient (id, ward) FROM stdin;
43	copied
\.
SELECT count(*) AS one FROM written WHERE row_key = '43';
ROLLBACK;
DELETE FROM patient WHERE id IN (41, 42);
CALL pg_temp.forget();

-- who: the roles, the transaction
GRANT regress_rows_owner TO regress_rows_app;
SET application_name = 'laboratory';
SET SESSION AUTHORIZATION regress_rows_app;
SET ROLE regress_rows_owner;
BEGIN;
SET LOCAL application_name = E'ward\n1';
UPDATE patient SET ward = 'who' WHERE id = 2;
SELECT pg_current_xact_id() AS xid \gset
SET LOCAL ROLE regress_rows_app;
SET LOCAL application_name = 'other';
UPDATE patient SET ward = 'whom' WHERE id = 2;
SET LOCAL ROLE regress_rows_owner;
UPDATE patient SET ward = 'who else' WHERE id = 2;
COMMIT;
RESET SESSION AUTHORIZATION;
SELECT login_role = session_user AS t, session_role, role, address, application, xid = :'xid' AS t, outcome,
    at BETWEEN now() - interval '1 minute' AND now() AS t, actor, purpose, subject, statement
  FROM written;
CALL pg_temp.forget();

-- a role that gets another name
CREATE ROLE regress_rows_before;
GRANT ALL ON patient TO regress_rows_before;
SET ROLE regress_rows_before;
UPDATE patient SET ward = 'one' WHERE id = 2;
RESET ROLE;
ALTER ROLE regress_rows_before RENAME TO regress_rows_after;
SET ROLE regress_rows_after;
UPDATE patient SET ward = 'two' WHERE id = 2;
RESET ROLE;
SELECT role FROM written;
REVOKE ALL ON patient FROM regress_rows_after;
DROP ROLE regress_rows_after;
CALL pg_temp.forget();

-- what a trigger or a cascade changes comes after what made it
SET ROLE regress_rows_owner;
CREATE TABLE sample (lab integer, number text, patient integer REFERENCES patient ON DELETE CASCADE ON UPDATE CASCADE, PRIMARY KEY (lab, number));
SELECT seal.watch('sample');
INSERT INTO sample VALUES (7, 'a "b"', 2);
CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE patient SET ward = 'marked' WHERE id = NEW.id; RETURN NULL; END $$;
CREATE TRIGGER mark AFTER INSERT ON patient FOR EACH ROW EXECUTE FUNCTION mark();
INSERT INTO patient (id, ward) VALUES (20, 'as given');
DROP TRIGGER mark ON patient;
UPDATE patient SET id = 12 WHERE id = 2;
DELETE FROM patient WHERE id = 12;
RESET ROLE;
SELECT action, relation, row_key, columns, detail FROM recorded;
SELECT DISTINCT row_key = jsonb_build_array(7, 'a "b"')::text AS t FROM recorded WHERE relation = 'regress_rows.sample';
CALL pg_temp.forget();

-- one value, one text: the settings of a session do not matter
SET ROLE regress_rows_owner;
CREATE TABLE dated (at timestamptz PRIMARY KEY, f float8, d date, b bytea, i interval);
SELECT seal.watch('dated');
SET datestyle = 'German'; SET timezone = 'Asia/Tokyo'; SET extra_float_digits = -15; SET bytea_output = 'escape'; SET intervalstyle = 'iso_8601';
INSERT INTO dated VALUES ('2026-11-23 12:00+00', 0.1::float8 + 0.2::float8, '2026-11-23', '\x00ff', '1 day 2 hours');
SELECT d FROM dated;
UPDATE dated SET d = NULL;
RESET datestyle; RESET timezone; RESET extra_float_digits; RESET bytea_output; RESET intervalstyle;
RESET ROLE;
SELECT action, row_key FROM recorded;
CALL pg_temp.forget();
SET ROLE regress_rows_auditor;
SELECT action, new->>'at' AS at, new->>'f' AS f, new->>'d' AS d, new->>'b' AS b, new->>'i' AS i, old->>'d' AS old_d
  FROM seal.row_history('regress_rows.dated', '2026-11-23 12:00:00+00');
RESET ROLE;

-- partitions, whenever they come; rows that move
SET ROLE regress_rows_owner;
CREATE TABLE result (id integer, year integer, value sealed_int(rows_note), PRIMARY KEY (id, year)) PARTITION BY LIST (year);
CREATE TABLE result_2024 PARTITION OF result FOR VALUES IN (2024);
CREATE TABLE result_2025 PARTITION OF result FOR VALUES IN (2025);
SELECT seal.watch('result_2025');	-- by itself, until its table is
SELECT seal.watch('result');
CREATE TABLE result_2026 PARTITION OF result FOR VALUES IN (2026);
CREATE TABLE result_old (id integer, junk text, year integer, value sealed_int(rows_note), PRIMARY KEY (id, year));
ALTER TABLE result_old DROP COLUMN junk;
ALTER TABLE result ATTACH PARTITION result_old DEFAULT;
CREATE TABLE result_2027 PARTITION OF result FOR VALUES IN (2027) PARTITION BY LIST (id);
CREATE TABLE result_2027_1 PARTITION OF result_2027 FOR VALUES IN (1);
SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE tgrelid::regclass::text LIKE 'result%' ORDER BY tgrelid::regclass::text COLLATE "C", tgname;
SELECT seal.watch('result_2026');	-- it is
SELECT seal.unwatch('result_2026');
RESET ROLE;
SELECT seal.grant_key('rows_note', 'regress_rows_owner', '{seal}');
SET ROLE regress_rows_owner;
INSERT INTO result VALUES (1, 2024, 5), (1, 2026, 6), (1, 1999, 7), (1, 2027, 8);
UPDATE result SET year = 2025 WHERE year = 2024;
UPDATE result_old SET value = NULL;
DELETE FROM result_2026;
TRUNCATE result_2025;
TRUNCATE result;
RESET ROLE;
SELECT action, relation, what AS partition, row_key, columns, old, new FROM recorded;
SET ROLE regress_rows_owner;
ALTER TABLE result DETACH PARTITION result_2025;
SELECT seal.unwatch('result_2025');
SELECT seal.watch('result_2025');
SELECT seal.unwatch('result');
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgrelid::regclass::text LIKE 'result%' ORDER BY tgrelid::regclass::text COLLATE "C", tgname;
RESET ROLE;
CALL pg_temp.forget();

-- a sealed primary key names a row by its token, the same for every envelope of the value
SET ROLE regress_rows_owner;
CREATE TABLE person (nir sealed_text(rows_nir) PRIMARY KEY, name text);
SELECT seal.watch('person');
GRANT ALL ON person TO regress_rows_app;
SET ROLE regress_rows_app;
INSERT INTO person VALUES ('1841', 'a');
UPDATE person SET name = 'b', nir = '1841' WHERE nir = '1841';
RESET ROLE;
SELECT action, row_key, columns, detail FROM recorded;
SELECT count(DISTINCT row_key) FROM recorded;
SET ROLE regress_rows_app;
SELECT seal.token_literal('rows_nir', '1841')::text AS token \gset
SET ROLE regress_rows_auditor;
SELECT action, old->>'name' AS old_name, new->>'name' AS new_name, new->>'nir' ~ '^seal1:' AS t FROM seal.row_history('regress_rows.person', :'token');
RESET ROLE;
CALL pg_temp.forget();

-- without a primary key: the replica identity, or no key
CREATE TABLE keyless (a integer NOT NULL, b integer);
SELECT seal.watch('keyless');
INSERT INTO keyless VALUES (1, 2);
CREATE UNIQUE INDEX keyless_a ON keyless (a);
ALTER TABLE keyless REPLICA IDENTITY USING INDEX keyless_a;
INSERT INTO keyless VALUES (2, 2);
ALTER TABLE keyless ADD c integer DEFAULT 3, DROP b;
UPDATE keyless SET c = 3 WHERE a = 1;
UPDATE keyless SET c = 4 WHERE a = 1;
SELECT action, row_key, columns, old, new FROM recorded;
ALTER TABLE keyless REPLICA IDENTITY DEFAULT;
SELECT * FROM seal.row_history('keyless', '1');
CALL pg_temp.forget();

-- what a table can be
SET ROLE regress_rows_owner;
CREATE DOMAIN grade AS varchar(8) CHECK (value <> 'no');
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE UNLOGGED TABLE motley (id smallint PRIMARY KEY, grade grade, mood mood, tags text[], price numeric(6,2), doc jsonb, c char(4), n name,
  half numeric GENERATED ALWAYS AS (price / 2) STORED, gone text, "Wa""rd" text DEFAULT 'w');
ALTER TABLE motley DROP COLUMN gone;
SELECT seal.watch('motley');
INSERT INTO motley (id, grade, mood, tags, price, doc, c, n) VALUES (-1, 'a', 'bad', '{x,"y z"}', 7.5, '{"k": [1, "v"]}', 'ab', 'nm');
ALTER TABLE motley ADD later integer DEFAULT 5, ADD seen timestamptz;
UPDATE motley SET price = 8, seen = '2026-11-23 12:00+00';
ALTER TABLE motley RENAME grade TO mark;
DELETE FROM motley;
CREATE TABLE wide (id integer PRIMARY KEY);
DO $$ BEGIN EXECUTE 'ALTER TABLE wide ' || (SELECT string_agg(format('ADD c%s text DEFAULT %L', n, n), ', ') FROM generate_series(1, 1000) n); END $$;
SELECT seal.watch('wide');
INSERT INTO wide VALUES (1);
UPDATE wide SET c7 = 'changed', c1000 = NULL;
CREATE TABLE nothing ();
SELECT seal.watch('nothing');
INSERT INTO nothing DEFAULT VALUES;
CREATE TABLE parent (id integer PRIMARY KEY, a text);
CREATE TABLE child (b text) INHERITS (parent);
SELECT seal.watch('parent');
INSERT INTO parent VALUES (1, 'watched');
INSERT INTO child VALUES (2, 'not watched');
UPDATE parent SET a = 'both' WHERE id > 0;
RESET ROLE;
SELECT action, relation, row_key, columns, seal.reveal((old->>'')::sealed_jsonb) AS old, seal.reveal((new->>'')::sealed_jsonb) AS new FROM written
  WHERE relation <> 'regress_rows.wide';
SELECT action, columns, (SELECT count(*) FROM jsonb_object_keys(seal.reveal((new->>'')::sealed_jsonb))) AS members,
  seal.reveal((new->>'')::sealed_jsonb)->>'c7' AS c7, seal.reveal((old->>'')::sealed_jsonb)->>'c1000' AS c1000 FROM written WHERE relation = 'regress_rows.wide';
CALL pg_temp.forget();
-- so many sealed columns that the offsets of a jsonb count
CREATE TABLE many (id integer PRIMARY KEY);
DO $$ BEGIN EXECUTE 'ALTER TABLE many ' || (SELECT string_agg(format('ADD c%s sealed_text(rows_note)', n), ', ') FROM generate_series(1, 100) n); END $$;
SELECT seal.watch('many');
INSERT INTO many (id, c1, c50, c100) VALUES (1, 'first', 'middle', 'last');
SELECT count(*) AS members, count(*) FILTER (WHERE value = 'null') AS nulls FROM written, jsonb_each(new);
SELECT seal.reveal((new->>'c1')::sealed_text) AS c1, seal.reveal((new->>'c50')::sealed_text) AS c50, seal.reveal((new->>'c100')::sealed_text) AS c100,
  seal.reveal((new->>'')::sealed_jsonb) AS plain, new = new::text::jsonb AS t FROM written;
CALL pg_temp.forget();
-- what it cannot be
CREATE FOREIGN DATA WRAPPER regress_rows_wrapper;
CREATE SERVER regress_rows_server FOREIGN DATA WRAPPER regress_rows_wrapper;
CREATE FOREIGN TABLE elsewhere (id integer) SERVER regress_rows_server;
SELECT seal.watch('elsewhere');
CREATE MATERIALIZED VIEW stored AS SELECT 1;
SELECT seal.watch('stored');
DROP FOREIGN TABLE elsewhere;
DROP SERVER regress_rows_server;
DROP FOREIGN DATA WRAPPER regress_rows_wrapper;
-- a trigger that changes the row; a constraint, and a cascade, that wait for the end
SET ROLE regress_rows_owner;
CREATE TABLE changed (id integer PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, a text);
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.a = upper(NEW.a); RETURN NEW; END $$;
CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON changed FOR EACH ROW EXECUTE FUNCTION shout();
SELECT seal.watch('changed');
INSERT INTO changed VALUES (1, 'quiet'), (2, 'quiet too');
UPDATE changed SET id = 3 - id;
CREATE TABLE below (id integer PRIMARY KEY, up integer REFERENCES parent ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED);
SELECT seal.watch('below');
INSERT INTO below VALUES (1, 1);
BEGIN;
DELETE FROM parent WHERE id = 1;
COMMIT;
RESET ROLE;
SELECT action, relation, row_key, detail, seal.reveal((new->>'')::sealed_jsonb) AS new FROM written;
CALL pg_temp.forget();
-- a name that changed: of the table, of its schema, of the table that is partitioned; each write under the name of then
SET ROLE regress_rows_owner;
INSERT INTO below VALUES (2, NULL);
ALTER TABLE below RENAME TO beneath;
UPDATE beneath SET id = 3 WHERE id = 2;
CREATE TABLE halves (id integer PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE lower_half PARTITION OF halves FOR VALUES FROM (0) TO (50);
SELECT seal.watch('halves');
INSERT INTO lower_half VALUES (1);
ALTER TABLE halves RENAME TO parts;
INSERT INTO lower_half VALUES (2);
ALTER TABLE parts DETACH PARTITION lower_half;
INSERT INTO lower_half VALUES (3);
ALTER TABLE parts ATTACH PARTITION lower_half FOR VALUES FROM (0) TO (50);
INSERT INTO lower_half VALUES (4);
ALTER TABLE lower_half ADD CHECK (id > 0);
INSERT INTO parts VALUES (5);
RESET ROLE;
ALTER SCHEMA regress_rows RENAME TO regress_rows_2;
INSERT INTO regress_rows_2.beneath VALUES (4, NULL);
ALTER SCHEMA regress_rows_2 RENAME TO regress_rows;
SELECT action, relation, what, row_key FROM written;
CALL pg_temp.forget();

-- values outside the row, and unchanged ones
SET ROLE regress_rows_app;
UPDATE patient SET note = repeat('long ', 5000), ward = repeat('w', 20000) WHERE id = 4;
UPDATE patient SET born = '2000-02-02' WHERE id = 4;
UPDATE patient SET note = note || '', ward = ward || '' WHERE id = 4;	-- fails: no right to reveal
UPDATE patient SET ward = ward || '' WHERE id = 4;
RESET ROLE;
SELECT action, columns, length(new) AS stars, detail FROM recorded;
SELECT length(new->>'') > 20000 AS t, length(new->>'note') > 25000 AS t FROM written WHERE new ? 'note';
CALL pg_temp.forget();

-- row_history opens what its reader may open, and leaves the rest sealed
SET ROLE regress_rows_auditor;
SELECT action, role, columns, pg_temp.stars(old) AS old, pg_temp.stars(new) AS new, detail FROM seal.row_history('regress_rows.patient', '1');
SELECT action, pg_temp.stars(new) AS new FROM seal.row_history('regress_rows.patient', '11');
SELECT count(*) AS none FROM seal.row_history('regress_rows.patient', 'no such row');
SELECT * FROM seal.audit_change;
SELECT * FROM seal.row_history(NULL, '1');
SELECT * FROM seal.row_history('regress_rows.patient', NULL);
SET ROLE regress_rows_app;
SELECT * FROM seal.row_history('patient', '1');
RESET ROLE;
GRANT EXECUTE ON FUNCTION seal.row_history(regclass, text) TO regress_rows_app;
SET ROLE regress_rows_app;
SELECT action, pg_temp.stars(new) AS new FROM seal.row_history('patient', '1');
RESET ROLE;
-- nothing of the caller runs with the rights of the log's owner
CREATE FUNCTION regress_rows.equal(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'called as %', current_user; END $$;
CREATE OPERATOR regress_rows.= (LEFTARG = text, RIGHTARG = text, FUNCTION = regress_rows.equal);
SET search_path = regress_rows, pg_catalog;
SELECT count(*) AS two FROM seal.row_history('patient', '1') WHERE action OPERATOR(pg_catalog.=) 'insert' OR detail IS NOT NULL;
DROP OPERATOR regress_rows.= (text, text);
SET search_path = regress_rows, public;
-- entries that have their number, and those that have none yet, in one history
SELECT length(seal.checkpoint()) > 0 AS t;
SELECT action, entry IS NULL AS f FROM seal.row_history('patient', '11');
BEGIN;
UPDATE patient SET ward = 'not committed' WHERE id = 11;
SELECT action, entry IS NULL AS unnumbered FROM seal.row_history('patient', '11');
ROLLBACK;
SELECT count(*) AS one FROM seal.row_history('patient', '11');
-- who looked is on record
SELECT length(seal.checkpoint()) > 0 AS t;
SELECT DISTINCT action, role, relation, regexp_replace(row_key, 'seal1:.*', 'token') AS row_key, what, outcome FROM seal.audit_entry
  WHERE at > (SELECT first FROM began) AND what = 'row_history' AND action = 'open' AND role ~ 'regress' ORDER BY relation, row_key, role;
-- what was altered does not open, and is not shown as if the reader had no right
BEGIN;
ALTER TABLE seal.audit_entry DISABLE TRIGGER ALL;
UPDATE seal.audit_entry SET new = jsonb_set(new, '{note}', to_jsonb(overlay(new->>'note' PLACING 'AAAA' FROM 60)))
  WHERE relation = 'regress_rows.patient' AND row_key = '1' AND action = 'insert';
SET LOCAL ROLE regress_rows_auditor;
SELECT * FROM seal.row_history('regress_rows.patient', '1');
ROLLBACK;

-- texts come back as they were, whatever must be escaped, wherever it stands
CREATE TABLE texts (id integer PRIMARY KEY, held text);
SELECT seal.watch('texts');
INSERT INTO texts SELECT row_number() OVER (), repeat('x', before) || odd || repeat('y', behind)
  FROM generate_series(0, 9) before, generate_series(0, 9) behind,
    unnest(ARRAY['"', '\', '''', E'\n', E'\x01', E'\x1f', E'\x7f', ' ', '!', '#', '[', ']', 'é', '/', E'\\u0041', '']) odd;
SELECT count(*), count(DISTINCT held) > 1000 AS t, count(*) FILTER (WHERE h.new->>'held' = held) AS same FROM texts, seal.row_history('texts', id::text) h;
CALL pg_temp.forget();

-- what waits to be numbered is bytes, which the log shows as jsonb; anything else is no image
SELECT image, seal.audit_image(decode(image, 'hex')) FROM (VALUES (''), ('0000000000'), ('016100000000'), ('016100000001ff'),
  ('0000000000016100000002ffff01620000000002616100000000'),
  ('01'), ('0161000000'), ('016100000002ff'), ('0161ffffffff'), ('01ff00000000'),
  ('016200000000016100000000'), ('016100000000016100000000'), ('02616100000000016200000000')) AS images (image);
SELECT seal.audit_image(string_agg('\x03'::bytea || n::text::bytea || '\x0000000101'::bytea, '' ORDER BY n)) = jsonb_object_agg(n, 'seal1:AQ') AS t
  FROM generate_series(100, 199) n;
-- an index that somebody gives that table is kept up, for one row and for many
BEGIN;
CREATE INDEX regress_rows_waiting ON seal.audit_change (row_key);
INSERT INTO patient (id) VALUES (40);
INSERT INTO patient (id) SELECT generate_series(41, 49);
SET LOCAL enable_seqscan = off;
SELECT string_agg(row_key, ' ' ORDER BY id) FROM seal.audit_change WHERE row_key BETWEEN '40' AND '49' AND xid = pg_current_xact_id();
ROLLBACK;

-- replication roles pass no trigger of ours
SET session_replication_role = replica;
INSERT INTO patient (id, ward) VALUES (30, 'applied');
RESET session_replication_role;
SELECT action, row_key FROM recorded;
CALL pg_temp.forget();

-- the function by other ways
CREATE TABLE odd (id integer PRIMARY KEY);
CREATE TRIGGER odd BEFORE INSERT ON odd FOR EACH ROW EXECUTE FUNCTION seal.audit();
INSERT INTO odd VALUES (1);
DROP TRIGGER odd ON odd;
CREATE TRIGGER odd AFTER INSERT ON odd FOR EACH STATEMENT EXECUTE FUNCTION seal.audit();
INSERT INTO odd VALUES (1);
DROP TRIGGER odd ON odd;
SELECT seal.audit();	-- no trigger calls it

-- unwatch: nothing is recorded any more, what was is kept
SET ROLE regress_rows_owner;
SELECT seal.unwatch('patient');
RESET ROLE;
UPDATE patient SET ward = 'unseen';
SELECT count(*) AS none FROM recorded;
SELECT count(*) > 0 AS t FROM seal.row_history('patient', '11');
-- a watch that was switched off is switched on again
SELECT seal.watch('patient');
ALTER TABLE patient DISABLE TRIGGER ALL;
SELECT seal.watch('patient');
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'patient'::regclass AND NOT tgisinternal ORDER BY tgname;
-- a restore with --disable-triggers ends so; ours fire always, for a subscription too, or not at all
ALTER TABLE patient DISABLE TRIGGER ALL;
ALTER TABLE patient ENABLE TRIGGER ALL;
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'patient'::regclass AND NOT tgisinternal ORDER BY tgname;
ALTER TABLE patient ENABLE REPLICA TRIGGER "0_seal_audit", DISABLE TRIGGER "0_seal_audit_truncate";
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'patient'::regclass AND NOT tgisinternal ORDER BY tgname;

RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA regress_rows CASCADE;
RESET client_min_messages;
REVOKE ALL ON FUNCTION seal.row_history(regclass, text) FROM regress_rows_app, regress_rows_auditor;
SELECT seal.revoke_key(k, r::regrole) FROM unnest('{rows_nir,rows_note,audit}'::text[]) k, unnest(ARRAY['regress_rows_app', 'regress_rows_auditor', 'regress_rows_owner', current_user]) r;
DROP ROLE regress_rows_owner, regress_rows_app, regress_rows_auditor;
