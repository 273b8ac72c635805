-- gate_claims: seal.actor and seal.purpose, and keys that require them.  A claim
-- counts in the transaction that made it.  What records say of it, and sessions
-- that go from hand to hand, are in test/tap/claims.pl.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgseal;
RESET client_min_messages;
CREATE ROLE regress_claims_doctor;
SELECT seal.create_key('claims_plain') > 0 AS t;
SELECT seal.create_key('claims_who', searchable => true, require_actor => true) > 0 AS t;
SELECT seal.create_key('claims_why', require_purpose => '{TREAT,ETREAT}') > 0 AS t;
SELECT name, require_actor, require_purpose FROM seal.keys WHERE name LIKE 'claims\_%' ORDER BY name;
DO $$ BEGIN
  PERFORM seal.grant_key(k, r::regrole, '{seal,search,reveal}')
    FROM unnest('{claims_plain,claims_who,claims_why}'::text[]) k, unnest(ARRAY['regress_claims_doctor', current_user]) r;
END $$;
CREATE TABLE claims_patient (id integer PRIMARY KEY, plain sealed_text(claims_plain), nir sealed_text(claims_who), note sealed_text(claims_why));
CREATE VIEW claims_shown WITH (security_invoker) AS
  SELECT id, seal.show(plain) AS plain, seal.show(nir) AS nir, seal.show(note) AS note FROM claims_patient;
GRANT ALL ON claims_patient, claims_shown TO regress_claims_doctor;

-- bad input: a purpose is a code, of the setting and of the key alike
SET seal.purpose = 'curiosity';
SELECT set_config('seal.purpose', 'treat', true);
SET seal.purpose = '';
SELECT seal.create_key('claims_bad', require_purpose => '{TREAT,NULL}');
SELECT seal.create_key('claims_bad', require_purpose => NULL);

-- sealing asks nobody; opening and searching ask the client
SET ROLE regress_claims_doctor;
INSERT INTO claims_patient SELECT i, 'p' || i, 'n' || i, 'asthma' FROM generate_series(1, 3) i;
PREPARE who_revealed AS SELECT seal.reveal(nir) FROM claims_patient WHERE id = 1;
PREPARE who_cast AS SELECT nir::text FROM claims_patient WHERE id = 1;
PREPARE who_shown AS SELECT nir FROM claims_shown WHERE id = 1;
PREPARE who_found(text) AS SELECT id FROM claims_patient WHERE nir = $1;
PREPARE why_revealed AS SELECT seal.reveal(note) FROM claims_patient WHERE id = 1;
EXECUTE who_revealed;
EXECUTE who_cast;
EXECUTE who_shown;
EXECUTE who_found('n1');
EXECUTE why_revealed;
SELECT id, plain FROM claims_shown ORDER BY id;

BEGIN;
SET LOCAL seal.actor = 'Dr Lune';
EXECUTE who_revealed;
EXECUTE who_cast;
EXECUTE who_shown;
EXECUTE who_found('n1');
EXECUTE why_revealed;
ROLLBACK;

-- a generic plan asks as well
SET plan_cache_mode = force_generic_plan;
BEGIN;
SET LOCAL seal.actor = 'Dr Lune';
EXECUTE who_found('n1');
COMMIT;
EXECUTE who_found('n1');
RESET plan_cache_mode;

-- one of the purposes that the key takes
BEGIN;
SET LOCAL seal.purpose = 'TREAT';
EXECUTE why_revealed;
SET LOCAL seal.purpose = 'ETREAT';
EXECUTE why_revealed;
SAVEPOINT other;
SET LOCAL seal.purpose = 'HRESCH';
EXECUTE why_revealed;
ROLLBACK TO other;
EXECUTE why_revealed;
RESET seal.purpose;
EXECUTE why_revealed;
ROLLBACK;

-- an actor of blanks names nobody
BEGIN;
SET LOCAL seal.actor = '  ';
EXECUTE who_revealed;
ROLLBACK;

-- what an earlier transaction set does not count, whatever brings it back
SET seal.actor = 'Dr Soleil';
SHOW seal.actor;
EXECUTE who_revealed;
BEGIN;
EXECUTE who_revealed;
ROLLBACK;
BEGIN;
SAVEPOINT mine;
SET LOCAL seal.actor = 'Dr Lune';
EXECUTE who_revealed;
ROLLBACK TO mine;
SHOW seal.actor;
EXECUTE who_revealed;
ROLLBACK;
BEGIN;
SET LOCAL seal.actor = 'Dr Lune';
COMMIT;
EXECUTE who_revealed;
BEGIN;
SET seal.actor = 'Dr Lune';
ROLLBACK;
EXECUTE who_revealed;
CREATE FUNCTION pg_temp.claims_as(name text) RETURNS text LANGUAGE plpgsql SET seal.actor = 'function' AS
  $$ BEGIN RETURN (SELECT seal.reveal(nir) FROM claims_patient WHERE id = 1); END $$;
SELECT pg_temp.claims_as('x');
EXECUTE who_revealed;

-- a transaction that ends inside a command takes its claim with it
DO $$ BEGIN
  PERFORM set_config('seal.actor', 'Dr Lune', false);
  PERFORM seal.reveal(nir) FROM claims_patient;
  COMMIT;
  PERFORM seal.reveal(nir) FROM claims_patient;
END $$;

-- a cursor goes on in the transaction that opened it, and no further
BEGIN;
SET LOCAL seal.actor = 'Dr Lune';
DECLARE c CURSOR FOR SELECT seal.reveal(nir) FROM claims_patient ORDER BY id;
FETCH 1 FROM c;
RESET seal.actor;
FETCH 1 FROM c;
ROLLBACK;

-- parallel workers ask what their leader may
RESET ROLE;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
SET parallel_leader_participation = off;
ALTER TABLE claims_patient SET (parallel_workers = 2);
SET ROLE regress_claims_doctor;
EXPLAIN (COSTS OFF) SELECT count(seal.show(nir)) FROM claims_patient;
SELECT count(seal.show(nir)) FROM claims_patient;
BEGIN;
SET LOCAL seal.actor = 'Dr Lune';
SELECT count(seal.show(nir)) FROM claims_patient;
SET LOCAL seal.purpose = 'TREAT';
SELECT count(seal.show(nir)), count(seal.show(note)) FROM claims_patient;
COMMIT;
SELECT count(seal.show(nir)) FROM claims_patient;
RESET ROLE;

DROP FUNCTION pg_temp.claims_as(text);
DROP VIEW claims_shown;
DROP TABLE claims_patient;
SELECT seal.revoke_key(k, r::regrole) FROM unnest('{claims_plain,claims_who,claims_why}'::text[]) k, unnest(ARRAY['regress_claims_doctor', current_user]) r;
DROP ROLE regress_claims_doctor;
