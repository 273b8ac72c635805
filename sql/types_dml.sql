-- types_dml: sealed columns in every statement that writes, as an application
-- without a thought for them would write it.  A column t must be true, a column f false.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgseal;
RESET client_min_messages;
CREATE ROLE regress_dml_app;
SELECT count(seal.create_key(k, searchable => true)) FROM unnest('{dml_key,dml_other}'::text[]) k;
SELECT seal.create_key('dml_note') > 0 AS t;
-- The login role of pg_regress is a superuser, whose own rights count too: they are granted like anybody's.
SELECT count(seal.grant_key(k, r, '{seal,search,reveal}'))
  FROM unnest('{dml_key,dml_other,dml_note}'::text[]) k, unnest(ARRAY['regress_dml_app', current_user::regrole]) r;
SELECT current_setting('max_prepared_transactions')::integer > 0 AS two_phase \gset
CREATE SCHEMA types_dml AUTHORIZATION regress_dml_app;
SET search_path = types_dml;
SET SESSION AUTHORIZATION regress_dml_app;
SET timezone = 'UTC';
SET datestyle = 'ISO';

-- ---------------------------------------------------------------------------
-- INSERT, UPDATE, DELETE, RETURNING
-- ---------------------------------------------------------------------------

CREATE TABLE patient (
  id    integer PRIMARY KEY,
  nir   sealed_text(dml_key) UNIQUE,
  name  sealed_text(dml_note) NOT NULL,
  born  sealed_date(dml_note),
  visits sealed_int(dml_key) DEFAULT '0',
  seen  timestamptz,
  label text GENERATED ALWAYS AS ('patient ' || id) STORED);
CREATE VIEW patient_opened AS
  SELECT id, seal.reveal(nir) AS nir, seal.reveal(name) AS name, seal.reveal(born) AS born, seal.reveal(visits) AS visits, label FROM patient;

INSERT INTO patient (id, nir, name, born) VALUES
  (1, '184127645108946', 'Dupont', '1984-12-03'),
  (2, '295109912611193', 'Léger', '1995-10-17'),
  (3, NULL, 'Martin', NULL)
  RETURNING id, seal.reveal(nir) AS nir, born::text, visits::int4, to_jsonb(name) #>> '{}' LIKE 'seal1:%' AS t;
-- what core says of such rows has envelopes in its DETAIL, never values
\set VERBOSITY terse
INSERT INTO patient (id, nir, name) VALUES (4, '184127645108946', 'Dupond');		-- fails
INSERT INTO patient (id, name) VALUES (4, NULL);									-- fails
\set VERBOSITY default
CREATE FUNCTION detail_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  detail text;
BEGIN
  EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
  RETURN regexp_replace(detail, 'seal1:[A-Za-z0-9_.-]+', 'ENVELOPE', 'g');
END $$;
SELECT detail_of($$INSERT INTO patient (id, nir, name) VALUES (4, '184127645108946', 'Dupond')$$);
SELECT detail_of($$INSERT INTO patient (id, nir, name) VALUES (4, '255081416802538', NULL)$$);
PREPARE add(integer, text, text, date) AS INSERT INTO patient (id, nir, name, born) VALUES ($1, $2, $3, $4) RETURNING id, name::text;
EXECUTE add(4, '171017511113221', 'Petit', '1971-01-01');
EXECUTE add(5, '255081416802538', 'Moreau', NULL);

UPDATE patient SET name = 'Dupont-Léger', visits = visits::int4 + 1 WHERE nir = '184127645108946' RETURNING id, name::text, visits::int4;
UPDATE patient SET (name, born) = ('Martin', '2001-02-03') WHERE id = 3;
UPDATE patient SET name = other.name, born = NULL FROM patient other WHERE patient.id = 4 AND other.nir = '295109912611193';
UPDATE patient SET visits = DEFAULT WHERE nir IN ('184127645108946', '255081416802538');
SELECT * FROM patient_opened ORDER BY id;
-- a statement that does not write a sealed column leaves it bit by bit as it was
CREATE TABLE before AS SELECT id, seal.sealed_text_send(nir) AS nir, seal.sealed_text_send(name) AS name FROM patient;
UPDATE patient SET seen = now(), visits = '7';
SELECT count(*), count(*) FILTER (WHERE seal.sealed_text_send(p.name) = b.name AND seal.sealed_text_send(p.nir) IS NOT DISTINCT FROM b.nir) AS unchanged
  FROM patient p JOIN before b USING (id);
DELETE FROM patient WHERE nir = '255081416802538' RETURNING id, seal.reveal(nir) AS nir;
DELETE FROM patient USING (VALUES ('171017511113221'), ('nobody')) AS v(nir) WHERE patient.nir = v.nir RETURNING id;
SELECT id, nir = '184127645108946' AS t, nir <> '184127645108946' AS f FROM patient ORDER BY id;

-- ---------------------------------------------------------------------------
-- ON CONFLICT: found by token, never sealed twice
-- ---------------------------------------------------------------------------

INSERT INTO patient (id, nir, name) VALUES (9, '184127645108946', 'Nobody') ON CONFLICT DO NOTHING RETURNING id;
INSERT INTO patient (id, nir, name) VALUES (9, '184127645108946', 'Nobody') ON CONFLICT (nir) DO NOTHING RETURNING id;
INSERT INTO patient AS p (id, nir, name, visits) VALUES (9, '184127645108946', 'Dupont', '8')
  ON CONFLICT (nir) DO UPDATE SET name = excluded.name, visits = p.visits, born = '1984-12-04' RETURNING id, name::text, born::text, visits::int4;
INSERT INTO patient AS p (id, nir, name) VALUES (1, '184127645108946', 'Dupont'), (2, 'x', 'Léger'), (6, '6', 'Robert')
  ON CONFLICT (id) DO UPDATE SET nir = excluded.nir, name = excluded.name WHERE p.nir <> excluded.nir RETURNING id, nir::text;
INSERT INTO patient (id, nir, name) VALUES (7, '7', 'a'), (8, '7', 'b') ON CONFLICT (nir) DO UPDATE SET name = excluded.name;		-- fails: one row twice
-- what comes back opens once and is plain then
SELECT id, nir, name FROM patient_opened WHERE id IN (1, 2, 6) ORDER BY id;
INSERT INTO patient (id, nir, name, born) SELECT id, nir, name, born FROM patient ON CONFLICT (id) DO UPDATE SET nir = excluded.nir, name = excluded.name, born = excluded.born;
SELECT id, nir, name FROM patient_opened WHERE id IN (1, 2, 6) ORDER BY id;

-- ---------------------------------------------------------------------------
-- MERGE
-- ---------------------------------------------------------------------------

CREATE TABLE delivery (nir sealed_text(dml_key), name text);
INSERT INTO delivery VALUES ('184127645108946', 'Durand'), ('6', NULL), ('2880775056032', 'Nguyen');
MERGE INTO patient p USING delivery d ON p.nir = d.nir
  WHEN MATCHED AND d.name IS NULL THEN DELETE
  WHEN MATCHED THEN UPDATE SET name = d.name, visits = '10'
  WHEN NOT MATCHED THEN INSERT (id, nir, name) VALUES (10, d.nir, d.name);
MERGE INTO patient p USING (VALUES ('2880775056032', 'Tran'), ('x', 'Léger')) AS v(nir, name) ON p.nir = v.nir
  WHEN MATCHED AND p.nir <> 'x' THEN UPDATE SET name = v.name
  WHEN MATCHED THEN DO NOTHING;
SELECT id, nir, name, visits FROM patient_opened ORDER BY id;

-- ---------------------------------------------------------------------------
-- Foreign keys between sealed columns: checked as the table's owner, by token
-- ---------------------------------------------------------------------------

CREATE TABLE result (
  id  integer PRIMARY KEY,
  nir sealed_text(dml_key) REFERENCES patient (nir) ON UPDATE CASCADE ON DELETE CASCADE,
  result sealed_text(dml_note));
CREATE TABLE bill (nir sealed_text(dml_key) DEFAULT 'nobody' REFERENCES patient (nir) ON UPDATE RESTRICT ON DELETE SET NULL);
INSERT INTO result VALUES (1, '184127645108946', 'negative'), (2, '184127645108946', 'positive'), (3, 'x', 'pending'), (4, NULL, 'lost');
INSERT INTO bill VALUES ('x');
\set VERBOSITY terse
INSERT INTO result VALUES (5, 'nobody', 'negative');		-- fails
INSERT INTO bill DEFAULT VALUES;							-- fails
UPDATE patient SET nir = 'y' WHERE nir = 'x';				-- fails
\set VERBOSITY default
UPDATE patient SET nir = '1' WHERE nir = '184127645108946';
SELECT id, nir::text, seal.reveal(result) AS result FROM result ORDER BY id;
DELETE FROM patient WHERE nir = 'x' OR nir = '1';
SELECT id, nir::text FROM result ORDER BY id;
SELECT nir::text FROM bill;
SELECT conname, convalidated FROM pg_constraint WHERE contype = 'f' AND conrelid = 'result'::regclass;
ALTER TABLE result DROP CONSTRAINT result_nir_fkey, ADD FOREIGN KEY (nir) REFERENCES patient (nir);
DROP TABLE bill, result;

-- ---------------------------------------------------------------------------
-- Partitions: hash of the token, lists of envelopes
-- ---------------------------------------------------------------------------

CREATE TABLE hashed (nir sealed_text(dml_key), n integer) PARTITION BY HASH (nir);
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO hashed SELECT 'n' || n % 100, n FROM generate_series(1, 200) n;
INSERT INTO hashed VALUES (NULL, 0);
SELECT count(*) AS rows, count(DISTINCT nir) AS values FROM hashed;
SELECT count(*) > 20 AS t FROM hashed_0;
SELECT count(*) > 20 AS t FROM hashed_1;
SELECT count(*) FROM (SELECT nir FROM hashed_0 INTERSECT SELECT nir FROM hashed_1) AS both_partitions;
SELECT n FROM hashed WHERE nir = 'n7' ORDER BY n;
UPDATE hashed SET nir = 'n1000' WHERE nir IN ('n7', 'n8');
SELECT n FROM hashed WHERE nir = 'n1000' ORDER BY n;
CREATE FUNCTION scans(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  line text;
  scans bigint := 0;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    scans := scans + (line ~ ' Scan ')::integer;
  END LOOP;
  RETURN scans;
END $$;

-- a bound is written as a literal, and lies in the catalog as an envelope of the column's key
CREATE TABLE listed (sex sealed_text(dml_key), n integer) PARTITION BY LIST (sex);
CREATE TABLE listed_f PARTITION OF listed FOR VALUES IN ('F');
CREATE TABLE listed_m PARTITION OF listed FOR VALUES IN ('M', NULL);
CREATE TABLE listed_again PARTITION OF listed FOR VALUES IN ('X', 'F');		-- fails: 'F' has its partition
SELECT pg_get_expr(relpartbound, oid) ~ '^FOR VALUES IN \(''seal1:[A-Za-z0-9_-]+''(, NULL)?\)$' AS t FROM pg_class WHERE relname IN ('listed_f', 'listed_m');
CREATE TABLE listed_rest PARTITION OF listed DEFAULT;
INSERT INTO listed VALUES ('F', 1), ('M', 2), (NULL, 3), ('X', 4), ('F', 5), ('', 6);
SELECT tableoid::regclass AS partition, n, seal.reveal(sex) AS sex FROM listed ORDER BY n;
SELECT n FROM listed WHERE sex = 'F' ORDER BY n;
UPDATE listed SET sex = 'M' WHERE n = 1;
SELECT tableoid::regclass AS partition, n FROM listed WHERE sex = 'M' ORDER BY n;
-- pruned while the plan is made or when it starts
SELECT scans($$SELECT FROM hashed$$) AS all_hashed, scans($$SELECT FROM hashed WHERE nir = 'n7'$$) AS one_hashed,
    scans($$SELECT FROM listed$$) AS all_listed, scans($$SELECT FROM listed WHERE sex = 'F'$$) AS one_listed,
    scans($$SELECT FROM listed WHERE sex IN ('F', 'M')$$) AS two_listed, scans($$SELECT FROM listed WHERE sex IS NULL$$) AS null_listed;
-- rows that are there already are looked at, too
CREATE TABLE listed_x PARTITION OF listed FOR VALUES IN ('X');		-- fails: the default partition has one
ALTER TABLE listed DETACH PARTITION listed_f;
SELECT n FROM listed WHERE sex = 'F';
INSERT INTO listed_f VALUES ('G', 7);
ALTER TABLE listed ATTACH PARTITION listed_f FOR VALUES IN ('F');		-- fails
DELETE FROM listed_f WHERE sex = 'G';
ALTER TABLE listed ATTACH PARTITION listed_f FOR VALUES IN ('F');
SELECT n FROM listed WHERE sex = 'F';
DROP TABLE hashed, listed;

-- ---------------------------------------------------------------------------
-- CREATE TABLE AS, SELECT INTO, INSERT ... SELECT
-- ---------------------------------------------------------------------------

TRUNCATE patient;
INSERT INTO patient (id, nir, name, born) VALUES (1, '184127645108946', 'Dupont', '1984-12-03'), (2, '295109912611193', 'Léger', '1995-10-17');
CREATE TABLE copied AS SELECT id, nir, born FROM patient;
SELECT nir, name INTO selected FROM patient WHERE nir = '295109912611193';
CREATE TABLE empty (LIKE patient INCLUDING ALL);
\d copied
\d selected
SELECT string_agg(format_type(atttypid, atttypmod), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'empty'::regclass AND attnum > 0;
INSERT INTO empty (id, nir, name, born) SELECT id, nir, name, born FROM patient;
SELECT count(*) FROM patient p JOIN copied c USING (nir) JOIN empty e USING (nir)
  WHERE seal.sealed_text_send(p.nir) = seal.sealed_text_send(c.nir) AND seal.sealed_text_send(p.name) = seal.sealed_text_send(e.name);
CREATE TABLE exported AS SELECT id, seal.reveal(name) AS name, born::date FROM patient;
SELECT * FROM exported ORDER BY id;
CREATE TABLE nameless AS SELECT seal.seal('x', 'dml_key') AS c;		-- fails: no key in the type
CREATE TABLE named AS SELECT seal.seal('x', 'dml_key')::sealed_text(dml_key) AS c;
WITH moved AS (DELETE FROM copied WHERE nir = '295109912611193' RETURNING *)
  INSERT INTO empty (id, nir, name, born) SELECT 3, 'moved', 'x', born FROM moved RETURNING id, born::text;
DROP TABLE copied, selected, empty, exported, named;

-- ---------------------------------------------------------------------------
-- plpgsql, cursors, row types, domains
-- ---------------------------------------------------------------------------

CREATE FUNCTION enrol(id integer, nir text, name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  sealed_name sealed_text(dml_note) := name;
  envelope text;
  found patient;
BEGIN
  INSERT INTO patient (id, nir, name) VALUES (enrol.id, enrol.nir, sealed_name);
  SELECT p.* INTO STRICT found FROM patient p WHERE p.nir = enrol.nir;
  envelope := found.name;		-- a text variable takes the envelope
  RETURN format('%s %s %s', found.name::text, envelope LIKE 'seal1:%', envelope::sealed_text(dml_note)::text);
END $$;
SELECT enrol(3, '171017511113221', 'Petit');
SELECT enrol(4, '255081416802538', 'Moreau');
CREATE FUNCTION nir_of(integer) RETURNS sealed_text LANGUAGE sql STABLE AS 'SELECT nir FROM patient WHERE id = $1';
CREATE FUNCTION id_of(text) RETURNS integer LANGUAGE sql STABLE AS 'SELECT id FROM patient WHERE nir = $1';
SELECT seal.reveal(nir_of(3)) AS nir, id_of('255081416802538') AS id, id_of('nobody') AS nobody;
SELECT id FROM patient WHERE nir = nir_of(4);
DO $$
DECLARE
  p patient;
  wrong sealed_int(dml_key);
BEGIN
  FOR p IN SELECT * FROM patient WHERE id > 2 LOOP
    p.name := 'Dr ' || p.name::text;
    p.visits := 3;
    UPDATE patient SET name = p.name, visits = p.visits WHERE id = p.id;
  END LOOP;
  wrong := 'seven';
EXCEPTION WHEN invalid_text_representation THEN
  RAISE NOTICE '%', SQLERRM;
  UPDATE patient SET name = 'Dr ' || name::text, visits = 3 WHERE id > 2;
END $$;
SELECT id, name, visits FROM patient_opened ORDER BY id;

BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id, seal.reveal(name) AS name FROM patient WHERE nir <> 'x' ORDER BY id;
FETCH LAST FROM c;
FETCH FIRST FROM c;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT id, seal.reveal(nir) AS nir FROM patient WHERE visits = 3 ORDER BY id;
FETCH 1 FROM c;
FETCH ALL FROM c;
CLOSE c;
DECLARE c CURSOR FOR SELECT id FROM patient WHERE nir = '184127645108946' FOR UPDATE;
FETCH c;
UPDATE patient SET name = 'Dupont (current)' WHERE CURRENT OF c;
COMMIT;
SELECT name FROM patient_opened WHERE id = 1;

CREATE TYPE identity AS (nir sealed_text(dml_key), born sealed_date(dml_note));
SELECT ROW('1', '1984-12-03')::identity::text ~ '^\(seal1:[^,]+,seal1:[^,]+\)$' AS t;
SELECT ((ROW('1', '1984-12-03')::identity).born)::text AS born;
CREATE TABLE document (id integer, whose identity);
INSERT INTO document VALUES (1, ROW('1', '1984-12-03')), (2, ('2', NULL));
UPDATE document SET whose.born = '1995-10-17' WHERE (whose).nir = '2';
SELECT id, seal.reveal((whose).nir) AS nir, (whose).born::text FROM document ORDER BY id;
SELECT id FROM document WHERE (whose).nir = '1';

CREATE DOMAIN nir AS sealed_text(dml_key) NOT NULL;
CREATE TABLE domain_user (id integer, nir nir);
\d domain_user
INSERT INTO domain_user VALUES (1, '184127645108946'), (2, '295109912611193');
INSERT INTO domain_user SELECT 3, nir FROM patient WHERE id = 3;
\set VERBOSITY terse
INSERT INTO domain_user VALUES (4, NULL);			-- fails
\set VERBOSITY default
INSERT INTO domain_user SELECT 4, name FROM patient WHERE id = 3;		-- fails: another key
SELECT d.id, d.nir::text, p.id FROM domain_user d JOIN patient p ON p.nir = d.nir ORDER BY d.id;
SELECT id FROM domain_user WHERE nir = '295109912611193';
CREATE DOMAIN keyless AS sealed_text;				-- fails

-- ---------------------------------------------------------------------------
-- Temporary tables, views, rules
-- ---------------------------------------------------------------------------

BEGIN;
CREATE TEMPORARY TABLE staged (nir sealed_text(dml_key), name sealed_text(dml_note)) ON COMMIT DROP;
INSERT INTO staged VALUES ('295109912611193', 'Léger-Petit');
UPDATE patient SET name = s.name FROM staged s WHERE patient.nir = s.nir RETURNING patient.id, patient.name::text;
COMMIT;

CREATE VIEW adults AS SELECT id, nir, name FROM patient WHERE nir <> 'x' WITH CHECK OPTION;
INSERT INTO adults VALUES (5, 'y', 'Robert');
\set VERBOSITY terse
INSERT INTO adults VALUES (6, 'x', 'Robert');		-- fails
\set VERBOSITY default
SELECT id, name::text FROM adults WHERE nir = 'y';
UPDATE adults SET name = 'Roberts' WHERE nir = 'y';
DELETE FROM adults WHERE nir = 'y' RETURNING name::text;
-- the view keeps its literals sealed
SELECT pg_get_viewdef('adults') LIKE '%seal1:%' AS t, pg_get_viewdef('adults') LIKE '%''x''%' AS f;

CREATE TABLE written (nir sealed_text(dml_key), by text);
CREATE RULE written AS ON UPDATE TO patient WHERE new.nir <> old.nir DO ALSO INSERT INTO written VALUES (old.nir, 'rule');
UPDATE patient SET nir = '3' WHERE id = 3;
UPDATE patient SET nir = nir WHERE id = 3;
SELECT nir::text, by FROM written;

-- ---------------------------------------------------------------------------
-- Transactions
-- ---------------------------------------------------------------------------

BEGIN;
UPDATE patient SET name = 'a' WHERE id = 1;
SAVEPOINT s;
UPDATE patient SET name = 'b' WHERE id = 1;
SELECT name FROM patient_opened WHERE id = 1;
INSERT INTO patient (id, nir, name) VALUES (1, '1', 'c');		-- fails
ROLLBACK TO s;
SELECT name FROM patient_opened WHERE id = 1;
RELEASE s;
COMMIT;
BEGIN;
UPDATE patient SET name = 'rolled back' WHERE id = 1;
ROLLBACK;
SELECT name FROM patient_opened WHERE id = 1;

-- without two-phase commit in the server, an ordinary one
BEGIN;
UPDATE patient SET name = 'prepared' WHERE nir = '184127645108946';
\if :two_phase
PREPARE TRANSACTION 'types_dml';
COMMIT PREPARED 'types_dml';
\else
COMMIT;
\endif
SELECT name FROM patient_opened WHERE id = 1;

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA types_dml CASCADE;
SELECT count(seal.revoke_key(k, r))
  FROM unnest('{dml_key,dml_other,dml_note}'::text[]) k, unnest(ARRAY['regress_dml_app', current_user::regrole]) r;
DROP ROLE regress_dml_app;
