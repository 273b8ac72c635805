-- types_rights: what roles may do with sealed values: nothing without a right on the
-- key, whoever they are.  A column t must be true, a column f false.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgseal;
RESET client_min_messages;
CREATE ROLE regress_rights_writer;
CREATE ROLE regress_rights_finder;
CREATE ROLE regress_rights_reader;
CREATE ROLE regress_rights_nobody;
CREATE ROLE regress_rights_super SUPERUSER;
SELECT seal.create_key('rights_key', searchable => true) > 0 AS t;
SELECT seal.create_key('rights_note') > 0 AS t;
SELECT seal.create_key('rights_own', searchable => true) > 0 AS t;
SELECT count(seal.grant_key(k, r, v))
  FROM unnest('{rights_key,rights_note}'::text[]) k,
    (VALUES ('regress_rights_writer'::regrole, '{seal}'::text[]), ('regress_rights_finder', '{search}'), ('regress_rights_reader', '{reveal}'),
  -- The login role of pg_regress is a superuser, whose own rights count too: they are granted like anybody's.
      (current_user::regrole, '{seal,search,reveal}')) AS g(r, v);
CREATE SCHEMA types_rights;
GRANT ALL ON SCHEMA types_rights TO PUBLIC;
SET search_path = types_rights;
CREATE TABLE patient (id integer, nir sealed_text(rights_key), note sealed_text(rights_note));
INSERT INTO patient VALUES (1, '184127645108946', 'asthma');
GRANT ALL ON patient TO PUBLIC;
SELECT seal.token_literal('rights_key', '184127645108946') AS token, to_jsonb(nir) #>> '{}' AS nir, to_jsonb(note) #>> '{}' AS note FROM patient \gset

-- what each role may do: with one verb, with none, as a superuser with none, with all
CREATE FUNCTION try(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE statement;
  RETURN 'yes';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE;
END $$;
CREATE FUNCTION may(role name, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  EXECUTE format('SET LOCAL ROLE %I', role);
  result := try(statement);
  RESET ROLE;
  RETURN result;
END $$;
CREATE TABLE deed (n integer GENERATED ALWAYS AS IDENTITY, deed text, statement text);
INSERT INTO deed (deed, statement) VALUES
  ('print', 'SELECT nir, note, to_jsonb(patient) FROM patient'),
  ('copy', 'INSERT INTO patient SELECT 2, nir, note FROM patient WHERE id = 1'),
  ('delete', 'DELETE FROM patient WHERE id = 2'),
  ('literal', 'INSERT INTO patient (note) VALUES (''x'')'),
  ('cast', 'INSERT INTO patient (note) VALUES (''x''::text)'),
  ('update', 'UPDATE patient SET note = ''x'' WHERE id = 1'),
  ('seal()', 'SELECT seal.seal(''x'', ''rights_note'')'),
  ('reveal()', 'SELECT seal.reveal(note) FROM patient WHERE id = 1'),
  ('cast out', 'SELECT note::text FROM patient WHERE id = 1'),
  ('search', 'SELECT id FROM patient WHERE nir = ''184127645108946'''),
  ('search list', 'SELECT id FROM patient WHERE nir = ANY (''{a,b}''::text[])'),
  ('token', 'SELECT seal.token_literal(''rights_key'', ''a'')'),
  ('probe', 'SELECT seal.probe(id, ''a''::text) FROM seal.keys WHERE name = ''rights_key'''),
  ('group', 'SELECT count(*) FROM patient GROUP BY nir'),
  ('join', 'SELECT count(*) FROM patient a JOIN patient b USING (nir)'),
  ('null test', 'SELECT id FROM patient WHERE note IS NULL');
SELECT d.deed, may('regress_rights_writer', statement) AS seal, may('regress_rights_finder', statement) AS search, may('regress_rights_reader', statement) AS reveal,
    may('regress_rights_nobody', statement) AS nobody, may('regress_rights_super', statement) AS superuser, may(current_user, statement) AS granted
  FROM deed d ORDER BY n;
DELETE FROM patient WHERE id IS NULL;

-- ---------------------------------------------------------------------------
-- The refusals themselves
-- ---------------------------------------------------------------------------

SET SESSION AUTHORIZATION regress_rights_nobody;
SELECT seal.reveal(note) FROM patient;
SELECT note::varchar FROM patient;
SELECT id FROM patient WHERE nir = '184127645108946';
INSERT INTO patient (note) VALUES ('x');
SELECT seal.seal('x', 'rights_note');
COPY patient (note) FROM stdin;
x
\.
-- show gives NULL instead, whatever the value
SELECT id, seal.show(nir) IS NULL AS t, seal.show(note) IS NULL AS t, note IS NULL AS f FROM patient;
-- and so do the twins that the planner uses
SELECT seal.show_volatile(note) IS NULL AS t FROM patient;
SELECT seal.reveal_stable(note) FROM patient;
-- envelopes may be carried by anybody, found by envelope or token by anybody
INSERT INTO patient VALUES (4, :'nir', :'note');
SELECT id FROM patient WHERE nir = :'nir' ORDER BY id;
SELECT id FROM patient WHERE nir = :'token' ORDER BY id;
DELETE FROM patient WHERE nir = :'token' AND id = 4;
-- nobody without the right learns whether a value would open
SELECT overlay(:'note' PLACING CASE substr(:'note', 40, 1) WHEN 'A' THEN 'B' ELSE 'A' END FROM 40 FOR 1) AS altered \gset
INSERT INTO patient (id, note) VALUES (5, :'altered');
SELECT seal.reveal(note) FROM patient WHERE id = 5;
SELECT seal.show(note) IS NULL AS t FROM patient WHERE id = 5;
-- no row, no refusal: rights are asked when a value is opened
SELECT seal.reveal(note) FROM patient WHERE id = 99;
EXPLAIN (COSTS OFF) SELECT seal.reveal(note) FROM patient;
RESET SESSION AUTHORIZATION;
-- who has the right is told that it does not, by show too
SELECT seal.reveal(note) FROM patient WHERE id = 5;
SELECT seal.show(note) FROM patient WHERE id = 5;

-- which comes first: what is wrong with the statement, then what is wrong with the role
SET SESSION AUTHORIZATION regress_rights_nobody;
CREATE TABLE dates (d sealed_date(rights_key));
\set VERBOSITY sqlstate
INSERT INTO dates VALUES ('seven');
INSERT INTO dates VALUES ('seal1:');
INSERT INTO dates VALUES (:'nir');
INSERT INTO patient (note) VALUES (:'nir');
INSERT INTO patient (nir) VALUES (:'token');
SELECT seal.seal('x', 'rights_none');
SELECT seal.token_literal('rights_none', 'x');
SELECT id FROM patient WHERE note = 'x';
SELECT seal.token_literal('rights_note', 'x');
INSERT INTO dates VALUES ('2021-02-14');
\set VERBOSITY default
DROP TABLE dates;
RESET SESSION AUTHORIZATION;
SELECT seal.token_literal('rights_note', 'x');		-- fails: the key makes no tokens

-- ---------------------------------------------------------------------------
-- Superusers, owners, members, definers
-- ---------------------------------------------------------------------------

-- The owner, here the superuser who logged in, has no right on this key until he is granted one.
CREATE TABLE own (id integer, v sealed_text(rights_own));
\set VERBOSITY terse
INSERT INTO own VALUES (1, 'x');
SELECT seal.grant_key('rights_own', 'regress_rights_reader', '{seal,search,reveal}');
-- His right is needed too where he acts as another role: SET ROLE gains nothing, SET SESSION AUTHORIZATION neither.
GRANT ALL ON own TO PUBLIC;
SET ROLE regress_rights_reader;
INSERT INTO own VALUES (1, 'x');
RESET ROLE;
SET SESSION AUTHORIZATION regress_rights_reader;
INSERT INTO own VALUES (1, 'x');
RESET SESSION AUTHORIZATION;
SELECT seal.grant_key('rights_own', current_user::regrole, '{seal,search,reveal}');
SET ROLE regress_rights_reader;
INSERT INTO own VALUES (1, 'x'), (2, 'x');
SELECT seal.reveal(v) FROM own;
RESET ROLE;
SELECT seal.reveal(v) FROM own;
SET ROLE regress_rights_nobody;
SELECT seal.reveal(v) FROM own;
RESET ROLE;
-- members inherit, unless they are NOINHERIT
CREATE ROLE regress_rights_member IN ROLE regress_rights_reader;
CREATE ROLE regress_rights_noinherit NOINHERIT IN ROLE regress_rights_reader;
SET ROLE regress_rights_member;
SELECT seal.reveal(v) FROM own;
SET ROLE regress_rights_noinherit;
SELECT seal.reveal(v) FROM own;
RESET ROLE;
-- in SECURITY DEFINER code it is the definer's right that counts; a view has no rights of its own
CREATE FUNCTION reveal_own() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT seal.reveal(v) FROM types_rights.own';
ALTER FUNCTION reveal_own() OWNER TO regress_rights_reader;
CREATE VIEW opened AS SELECT seal.reveal(v) AS v FROM own;
ALTER VIEW opened OWNER TO regress_rights_reader;
GRANT SELECT ON opened TO PUBLIC;
SET ROLE regress_rights_nobody;
SELECT reveal_own();
SELECT v FROM opened;
RESET ROLE;
-- what is taken away is gone for the next value, of open cursors too, and comes back with a rollback
BEGIN;
DECLARE opening CURSOR FOR SELECT seal.reveal(v) FROM own;
DECLARE searching CURSOR FOR SELECT id FROM own WHERE v = 'x';
SET LOCAL ROLE regress_rights_reader;
FETCH opening;
FETCH searching;
RESET ROLE;
SELECT seal.revoke_key('rights_own', 'regress_rights_reader', '{search,reveal}');
SET LOCAL ROLE regress_rights_reader;
SAVEPOINT s;
FETCH opening;
ROLLBACK TO s;
FETCH searching;
ROLLBACK;
-- and gone at the next statement, of prepared ones too
PREPARE open AS SELECT seal.reveal(v), seal.show(v) FROM own WHERE v = 'x';
SET ROLE regress_rights_reader;
EXECUTE open;
RESET ROLE;
SELECT seal.revoke_key('rights_own', 'regress_rights_reader', '{reveal}');
SET ROLE regress_rights_reader;
EXECUTE open;
SELECT seal.show(v) IS NULL AS t FROM own WHERE v = 'x';
RESET ROLE;

-- the owner needs no right to keep the table in order
SELECT seal.revoke_key('rights_own', current_user::regrole);
SELECT seal.reveal(v) FROM own;
CREATE INDEX own_v ON own (v);
CREATE INDEX own_hash ON own USING hash (v);
ANALYZE own;
CLUSTER own USING own_v;
REINDEX TABLE own;
VACUUM FULL own;
ALTER TABLE own ADD n integer DEFAULT 0, ALTER id TYPE bigint;
CREATE TABLE own_copy AS TABLE own;
CREATE MATERIALIZED VIEW own_sealed AS SELECT v, count(*) FROM own GROUP BY v;
REFRESH MATERIALIZED VIEW own_sealed;
SELECT count(*) FROM own JOIN own_copy USING (v) JOIN own_sealed USING (v);
SELECT seal.grant_key('rights_own', current_user::regrole, '{seal,search,reveal}');

-- ---------------------------------------------------------------------------
-- Nothing opens where PostgreSQL stores what it computes
-- ---------------------------------------------------------------------------

-- What a function in plpgsql does is not seen when an index or a materialized view is
-- defined; what it opens is refused when it runs there, whoever has the right.
CREATE FUNCTION peep(integer) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN (SELECT seal.reveal(v) FROM types_rights.own WHERE id = $1); END';
CREATE FUNCTION peep_shown(integer) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN (SELECT seal.show(v) FROM types_rights.own WHERE id = $1); END';
CREATE FUNCTION peep_found(integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN EXISTS (SELECT FROM types_rights.own WHERE id = $1 AND v = 'x'); END $$;
CREATE TABLE other (id integer);
INSERT INTO other VALUES (1);
\set VERBOSITY default
SELECT peep(id), peep_shown(id), peep_found(id) FROM other;
CREATE INDEX ON other (peep(id));
\set VERBOSITY sqlstate
CREATE INDEX ON other (peep_shown(id));
CREATE INDEX ON other (id) WHERE peep_found(id);
CREATE MATERIALIZED VIEW peeped AS SELECT peep(id) FROM other;
CREATE MATERIALIZED VIEW peeped AS SELECT peep_shown(id) FROM other;
CREATE MATERIALIZED VIEW peeped AS SELECT id FROM other WHERE peep_found(id);
CREATE MATERIALIZED VIEW peeped AS SELECT peep(id) FROM other WITH NO DATA;
REFRESH MATERIALIZED VIEW peeped;
-- nor is it computed by the upkeep of an index that was made while there was nothing to open
ALTER TABLE own RENAME TO own_away;
CREATE TABLE own (LIKE own_away);
CREATE INDEX other_peep ON other (peep(id));
DROP TABLE own;
ALTER TABLE own_away RENAME TO own;
ANALYZE other;
REINDEX INDEX other_peep;
CLUSTER other USING other_peep;
VACUUM FULL other;
\set VERBOSITY default

SET client_min_messages = warning;
DROP SCHEMA types_rights CASCADE;
SELECT count(seal.revoke_key(k, r))
  FROM unnest('{rights_key,rights_note,rights_own}'::text[]) k,
    unnest(ARRAY['regress_rights_writer', 'regress_rights_finder', 'regress_rights_reader', current_user::regrole]) r;
DROP ROLE regress_rights_super, regress_rights_member, regress_rights_noinherit, regress_rights_writer, regress_rights_finder, regress_rights_reader, regress_rights_nobody;
