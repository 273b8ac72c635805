-- ring: what keys and rights do when the things around them change.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgseal;
RESET client_min_messages;
CREATE ROLE regress_alice;
CREATE ROLE regress_bob;
SELECT seal.create_key('ring_id', searchable => true) > 0 AS t, seal.create_key('ring_note') > 0 AS t, seal.create_key('ring_gone') > 0 AS t;
DO $$ BEGIN PERFORM seal.grant_key(k, current_user::regrole, '{seal,search,reveal}') FROM unnest('{ring_id,ring_note,ring_gone}'::text[]) k; END $$;
CREATE FUNCTION error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE statement;
  RETURN 'none';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
CREATE VIEW rights AS SELECT key, role, verbs, state FROM seal.grants WHERE role::text LIKE 'regress%' ORDER BY key, role::text;

-- a key that a domain uses is in use, also through a domain over the domain
CREATE DOMAIN ring_name AS sealed_text(ring_gone);
CREATE DOMAIN ring_surname AS ring_name;
SELECT error_of($$SELECT seal.drop_key('ring_gone')$$);
CREATE TABLE ring_domain (x ring_surname);
INSERT INTO ring_domain VALUES ('Dupont');
SELECT columns FROM seal.keys WHERE name = 'ring_gone';
SELECT error_of($$SELECT seal.drop_key('ring_gone')$$);
SELECT x::text FROM ring_domain;
DROP TABLE ring_domain;
DROP DOMAIN ring_surname;
DROP DOMAIN ring_name;

-- a right on a dropped key does not keep a role alive
SELECT seal.grant_key('ring_gone', 'regress_bob', '{seal}');
SELECT error_of('DROP ROLE regress_bob');
SELECT seal.drop_key('ring_gone');
SELECT error_of('DROP ROLE regress_bob');

-- a right taken away stays away: under the role's new name, its old one, and an older ring
SELECT seal.grant_key('ring_id', 'regress_alice', '{reveal}');
SELECT seal.export_ring() AS older \gset
ALTER ROLE regress_alice RENAME TO regress_alicia;
TABLE rights;
SELECT seal.revoke_key('ring_id', 'regress_alicia');
SELECT seal.import_ring(:'older') AS taken;
ALTER ROLE regress_alicia RENAME TO regress_alice;
SELECT seal.rebind_grants() IS NOT NULL AS t;
TABLE rights;

-- a rename to a name that had rights once
SELECT seal.grant_key('ring_id', 'regress_alice', '{search}');
ALTER ROLE regress_alice RENAME TO regress_alicia;
ALTER ROLE regress_alicia RENAME TO regress_alice;
TABLE rights;
SELECT seal.revoke_key('ring_id', 'regress_alice');
DROP ROLE regress_alice;

-- comparisons that are never planned: right, or refused
CREATE TABLE ring_pair (id int, a sealed_text(ring_note), b sealed_text(ring_note), c sealed_text(ring_id), d sealed_text(ring_id));
INSERT INTO ring_pair VALUES (1, 'x', 'x', 'y', 'y');
SELECT error_of('ALTER TABLE ring_pair ALTER id TYPE bool USING (a = b)');
SELECT error_of('ALTER TABLE ring_pair ALTER id TYPE bool USING (a <> b)');
SELECT error_of('ALTER TABLE ring_pair ALTER id TYPE bool USING (c = d)');
SELECT id AS t FROM ring_pair;
CREATE FUNCTION ring_same(text, text) RETURNS bool LANGUAGE sql AS $$ SELECT $1::sealed_text(ring_note) = $2::sealed_text(ring_note) $$;
SELECT error_of($$SELECT ring_same('a', 'a')$$);
CREATE FUNCTION ring_same_id(text, text) RETURNS bool LANGUAGE sql AS $$ SELECT $1::sealed_text(ring_id) = $2::sealed_text(ring_id) $$;
SELECT ring_same_id('a', 'a') AS t, ring_same_id('a', 'b') AS f;

-- a probe follows the time zone of the session
DO $$
DECLARE
  born sealed_date(ring_id) := '2020-01-02';
  at timestamptz := '2020-01-02 00:00+00';
BEGIN
  FOR i IN 1..2 LOOP
    PERFORM set_config('timezone', CASE i WHEN 1 THEN 'UTC' ELSE 'Asia/Tokyo' END, true);
    RAISE NOTICE 'sealed %, plain %', born::sealed_date(ring_id) = at, '2020-01-02'::date = at;
  END LOOP;
END $$;

-- a probe asks for the right each time, also for the value it saw last
CREATE ROLE regress_nobody;
SELECT error_of($do$DO $$
DECLARE
  v sealed_text(ring_id) := 'a';
  hit boolean;
BEGIN
  FOR i IN 1..2 LOOP
    hit := v = 'a';
    SET LOCAL ROLE regress_nobody;
  END LOOP;
END $$$do$);
DROP ROLE regress_nobody;

-- nonces: rows of one command share a prefix; no two commands do, in one transaction or in two
CREATE FUNCTION nonce_prefix(value sealed_text) RETURNS bytea LANGUAGE sql
  AS $$ SELECT substr(seal.sealed_text_send(value), 34, 16) $$;	-- magic 8, head 9, token 16
CREATE TABLE ring_nonce (command int, x sealed_text(ring_id));
INSERT INTO ring_nonce VALUES (1, 'a'), (1, 'a');
INSERT INTO ring_nonce VALUES (2, 'a');
BEGIN;
INSERT INTO ring_nonce VALUES (3, 'a');
INSERT INTO ring_nonce VALUES (4, 'a');
COMMIT;
SELECT count(DISTINCT nonce_prefix(x)) AS one FROM ring_nonce WHERE command = 1;
SELECT count(DISTINCT nonce_prefix(x)) AS four FROM ring_nonce;
SELECT count(DISTINCT substr(seal.sealed_text_send(x), 34, 24)) AS five FROM ring_nonce;
DROP TABLE ring_nonce;

-- the trigger of the ring's tables is for them only
CREATE TEMPORARY TABLE "grant" (a int);
CREATE TRIGGER forged AFTER INSERT ON "grant" FOR EACH STATEMENT EXECUTE FUNCTION seal.ring_changed();
SELECT error_of('INSERT INTO "grant" VALUES (1)');
DROP TABLE "grant";

-- no ring is changed in a read-only transaction
SELECT error_of($$SELECT set_config('transaction_read_only', 'on', true), seal.rotate_key('ring_id')$$);
DROP TABLE ring_pair;
