-- keys: the functions and views of the key ring, each by example.  A column t
-- must be true, a column f false.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgseal;
RESET client_min_messages;
CREATE ROLE regress_keys_writer;
CREATE ROLE regress_keys_reader;

-- create_key: returns the id, which is the type modifier of the key's columns
SELECT seal.create_key('keys_nir', searchable => true) > 0 AS t;
SELECT seal.create_key('keys_note', pad => 64, comment => 'free text') > 0 AS t;
CREATE TABLE keys_patient (id integer PRIMARY KEY, nir sealed_text(keys_nir), note sealed_text(keys_note));
SELECT format_type(atttypid, atttypmod), atttypmod = k.id AS t
  FROM pg_attribute JOIN seal.keys k ON k.name = 'keys_' || attname
  WHERE attrelid = 'keys_patient'::regclass ORDER BY attnum;
SELECT seal.create_key('keys_nir');
SELECT seal.create_key('Keys');
SELECT seal.create_key('select');
SELECT seal.create_key('literal');
SELECT seal.create_key('keys_pad', pad => 0);
SELECT seal.create_key('keys_purpose', require_purpose => '{TREAT,CURIOSITY}');
SELECT seal.create_key(NULL);

-- seal.keys: what there is; the two built-in keys come with the first one
SELECT name, searchable, pad, versions, active_version, root ~ '^[0-9a-f]{16}$' AS t, columns
  FROM seal.keys WHERE name LIKE 'keys\_%' OR name IN ('literal', 'audit') ORDER BY name::text COLLATE "C";
SELECT count(DISTINCT root) = 1 AS t FROM seal.keys;

-- grant_key: verbs add up, giving them again changes nothing
SELECT seal.grant_key('keys_nir', 'regress_keys_writer', '{seal}');
SELECT seal.grant_key('keys_nir', 'regress_keys_writer', '{search,seal}');
SELECT seal.grant_key('keys_nir', 'regress_keys_writer', '{seal}');
SELECT seal.grant_key('keys_note', 'regress_keys_reader', '{reveal}');
SELECT * FROM seal.grants WHERE key LIKE 'keys\_%' ORDER BY key;
SELECT seal.grant_key('keys_nir', 'regress_keys_writer', '{seal,read}');
SELECT seal.grant_key('keys_none', 'regress_keys_writer', '{seal}');
SELECT seal.grant_key('literal', 'regress_keys_writer', '{seal}');
-- a role's verbs on a key have one scope: it changes when all are named
SELECT seal.grant_key('keys_nir', 'regress_keys_writer', '{seal}', 'admitted');
SELECT seal.grant_key('keys_nir', 'regress_keys_writer', '{seal,search}', 'admitted');
SELECT verbs, scope FROM seal.grants WHERE key = 'keys_nir';
SELECT seal.grant_key('keys_nir', 'regress_keys_writer', '{search}');
SELECT seal.grant_key('keys_nir', 'regress_keys_writer', '{search,seal}');
SELECT verbs, scope FROM seal.grants WHERE key = 'keys_nir';
SELECT seal.grant_key('keys_nir', 'regress_keys_writer', '{seal}', 'some');

-- revoke_key: the verbs named, or all of them
SELECT seal.revoke_key('keys_nir', 'regress_keys_writer', '{search,reveal}');
SELECT seal.revoke_key('keys_note', 'regress_keys_reader');
SELECT * FROM seal.grants WHERE key LIKE 'keys\_%' ORDER BY key;
SELECT seal.revoke_key('keys_note', 'regress_keys_reader');
SELECT seal.revoke_key('keys_nir', 'regress_keys_writer', '{write}');

-- nobody has a right by default, a superuser neither
INSERT INTO keys_patient VALUES (1, '184127645108946', 'asthma');
SELECT seal.grant_key(k, current_user::regrole, '{seal,reveal}') FROM unnest('{keys_nir,keys_note}'::text[]) k;

-- rotate_key: new values have the new version, old ones open as before
INSERT INTO keys_patient VALUES (1, '184127645108946', 'asthma');
SELECT seal.rotate_key('keys_note');
INSERT INTO keys_patient VALUES (2, '295109912611193', 'asthma');
SELECT id, seal.reveal(note), get_byte(seal.sealed_text_send(note), 11) AS version FROM keys_patient ORDER BY id;
SELECT versions, active_version FROM seal.keys WHERE name = 'keys_note';
SELECT seal.rotate_key('keys_none');

-- drop_key: refused while a column has the key; then its values open nowhere again
CREATE TEMPORARY TABLE keys_envelope AS SELECT to_jsonb(note) #>> '{}' AS note FROM keys_patient WHERE id = 1;
SELECT seal.drop_key('keys_note');
ALTER TABLE keys_patient DROP COLUMN note;
SELECT seal.drop_key('keys_note');
SELECT seal.reveal(note::sealed_text) FROM keys_envelope;
SELECT seal.create_key('keys_note');
SELECT seal.rotate_key('keys_note');
SELECT seal.drop_key('keys_note');
SELECT seal.drop_key('audit');
SELECT count(*) = 0 AS t FROM seal.keys WHERE name = 'keys_note';
SELECT dropped AS t, search_secret IS NULL AS t FROM seal.key WHERE name = 'keys_note';
SELECT count(*), bool_and(secret IS NULL) AS t FROM seal.key_version v JOIN seal.key k ON k.id = v.key WHERE k.name = 'keys_note';

-- export_ring, import_ring: of two rows the newer one is kept, so nothing is taken from one's own export
SELECT seal.export_ring() ~ '^pgseal-ring 1 [0-9a-f]{16} [0-9]+\n' AS t;
SELECT seal.import_ring(seal.export_ring());
SELECT seal.import_ring('ring');
SELECT seal.import_ring(overlay(seal.export_ring() PLACING '*' FROM 60));

-- rotate_root, accept_ring, rebind_grants: nothing to do here
SELECT seal.rotate_root() = root AS t FROM seal.keys WHERE name = 'keys_nir';
SELECT seal.accept_ring();
SELECT seal.rebind_grants();
SELECT seal.reveal(nir) = '184127645108946' AS t FROM keys_patient WHERE id = 1;

-- grant_state: of a row that is there, and of one that is not
SELECT seal.grant_state(id, 'regress_keys_writer'), seal.grant_state(id, 'regress_keys_reader') FROM seal.keys WHERE name = 'keys_nir';

-- administration needs superuser or seal.admin_role; the views do not
SET ROLE regress_keys_reader;
SELECT seal.create_key('keys_mine');
SELECT seal.rotate_key('keys_nir');
SELECT seal.drop_key('keys_nir');
SELECT seal.grant_key('keys_nir', 'regress_keys_reader', '{reveal}');
SELECT seal.revoke_key('keys_nir', 'regress_keys_writer');
SELECT seal.rotate_root();
SELECT seal.accept_ring();
SELECT seal.rebind_grants();
SELECT seal.export_ring();
SELECT seal.import_ring('ring');
SELECT seal.ring_changed();
SELECT name FROM seal.keys WHERE name LIKE 'keys\_%' ORDER BY 1;
SELECT * FROM seal.grants WHERE role = 'regress_keys_writer'::regrole;
SELECT secret FROM seal.key_version;
RESET ROLE;

-- a role that has rights cannot be dropped
DROP ROLE regress_keys_writer;
SELECT seal.revoke_key('keys_nir', 'regress_keys_writer');
SELECT seal.revoke_key('keys_nir', current_user::regrole);
DROP ROLE regress_keys_writer, regress_keys_reader;
DROP TABLE keys_patient;
