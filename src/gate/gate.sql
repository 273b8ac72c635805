-- SPDX-License-Identifier: PostgreSQL
-- gate: the functions that change the key ring, and the views that show it.
-- All of them check for themselves who calls: superuser or seal.admin_role.

CREATE FUNCTION seal.create_key(name text, searchable boolean DEFAULT false, pad integer DEFAULT 16,
    require_actor boolean DEFAULT false, require_purpose text[] DEFAULT '{}', comment text DEFAULT NULL)
  RETURNS integer
  AS 'MODULE_PATHNAME', 'pgseal_create_key' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.create_key(text, boolean, integer, boolean, text[], text) IS
  'makes a key and its first version, returns its id (the type modifier of its columns); searchable: equal values can be found on ciphertext; pad: values are padded to a multiple of so many bytes, 1 to 4096; require_actor, require_purpose: values open, and are searched for, only in a transaction that set seal.actor, and seal.purpose to one of these codes; 22023, 42501, 42602, 42939, 42710, 55000';

CREATE FUNCTION seal.rotate_key(name text) RETURNS smallint
  AS 'MODULE_PATHNAME', 'pgseal_rotate_key' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.rotate_key(text) IS
  'makes a new version of a key and returns its number; new values are sealed with it, old ones still open; 42501, 42704, 55000';

CREATE FUNCTION seal.drop_key(name text) RETURNS void
  AS 'MODULE_PATHNAME', 'pgseal_drop_key' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.drop_key(text) IS
  'destroys the secrets of a key that no column uses; its name stays taken, its values open nowhere again; 2BP01, 42501, 42704, 55000';

CREATE FUNCTION seal.grant_key(key text, role regrole, verbs text[], scope text DEFAULT 'all') RETURNS void
  AS 'MODULE_PATHNAME', 'pgseal_grant_key' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.grant_key(text, regrole, text[], text) IS
  'gives a role verbs on a key: seal (write; on a searchable key also compare with what was written), search (compare for equality), reveal (open, and search); verbs add up; scope: all, or admitted for the values of subjects that the role is admitted to, which is one for all verbs of a role on a key; 22023, 42501, 42704, 55000';

CREATE FUNCTION seal.revoke_key(key text, role regrole, verbs text[] DEFAULT NULL) RETURNS void
  AS 'MODULE_PATHNAME', 'pgseal_revoke_key' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.revoke_key(text, regrole, text[]) IS
  'takes verbs on a key away from a role, all of them when none is named; effective at the next statement everywhere; 22023, 42501, 42704, 55000';

CREATE FUNCTION seal.rotate_root() RETURNS text
  AS 'MODULE_PATHNAME', 'pgseal_rotate_root' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.rotate_root() IS
  'puts the whole ring under the first root key of the root key file or command, in this transaction, and returns its fingerprint; 42501, 55000';

CREATE FUNCTION seal.accept_ring() RETURNS void
  AS 'MODULE_PATHNAME', 'pgseal_accept_ring' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.accept_ring() IS
  'vouches for the rows of the ring as they are, after they were changed outside pgseal; rows whose own MAC does not fit stay worthless; 42501, 55000';

CREATE FUNCTION seal.rebind_grants() RETURNS integer
  AS 'MODULE_PATHNAME', 'pgseal_rebind_grants' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.rebind_grants() IS
  'binds grants, and admissions that are not over, to the roles that have their names in this cluster, after a restore; returns how many; 42501, 55000';

CREATE FUNCTION seal.export_ring() RETURNS text
  AS 'MODULE_PATHNAME', 'pgseal_export_ring' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.export_ring() IS
  'the whole ring as text, its secrets wrapped by the root key; 42501, 55000';

CREATE FUNCTION seal.import_ring(ring text) RETURNS integer
  AS 'MODULE_PATHNAME', 'pgseal_import_ring' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.import_ring(text) IS
  'merges an exported ring into this one, whole or not at all, and returns the number of rows taken: the newer row wins, what was destroyed stays destroyed; 22023, 42501, 55000';

CREATE FUNCTION seal.grant_state(key integer, role_name name) RETURNS text
  AS 'MODULE_PATHNAME', 'pgseal_grant_state' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION seal.grant_state(integer, name) IS
  'what a row of seal.grant is worth: valid, unbound (role renamed or of another cluster), not valid (altered), not verified (no root key)';

CREATE FUNCTION seal.ring_changed() RETURNS trigger
  AS 'MODULE_PATHNAME', 'pgseal_ring_changed' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION seal.ring_changed() IS
  'statement trigger of the ring''s tables: tells every backend of a change by hand, and notes it';

DO $$
DECLARE
  ring_table text;
BEGIN
  FOREACH ring_table IN ARRAY '{key,key_version,grant,protection,ring_head,subject,admission}'::text[] LOOP
    EXECUTE format('CREATE TRIGGER ring_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON seal.%I
      FOR EACH STATEMENT EXECUTE FUNCTION seal.ring_changed()', ring_table);
    EXECUTE format('ALTER TABLE seal.%I ENABLE ALWAYS TRIGGER ring_changed', ring_table);
    EXECUTE format('COMMENT ON TRIGGER ring_changed ON seal.%I IS %L', ring_table,
      'tells every backend of a change by hand, and notes it');
  END LOOP;
END $$;

CREATE FUNCTION seal.sees_all(relation regclass) RETURNS boolean
  AS 'MODULE_PATHNAME', 'pgseal_sees_all' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION seal.sees_all(regclass) IS
  'whether the current role sees all rows of a protected table: it has a verb of scope all on a key of it; 55000';

CREATE FUNCTION seal.admitted(subject_type text, subject anyelement) RETURNS anyarray
  AS 'MODULE_PATHNAME', 'pgseal_admitted' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION seal.admitted(text, anyelement) IS
  'ids of the subjects of a type that the current role is admitted to, as of the begin of the statement, in the type of the second argument, which may be null; 22004, 42804, 55000';

CREATE FUNCTION seal.admit(subject_type text, subject text, role regrole, purpose text, until timestamptz) RETURNS void
  AS 'MODULE_PATHNAME', 'pgseal_admit' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.admit(text, text, regrole, text, timestamptz) IS
  'admits a role, for a purpose (a code of HL7 PurposeOfUse), to the values of a subject, until a time, which may be infinity: its rights of scope admitted count for them; 22004, 22023, 42501, 42704, 55000';

CREATE FUNCTION seal.dismiss(subject_type text, subject text, role regrole) RETURNS integer
  AS 'MODULE_PATHNAME', 'pgseal_dismiss' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.dismiss(text, text, regrole) IS
  'ends what a role is admitted to of a subject, a broken glass too, and returns how many admissions that were; effective at the next statement everywhere; 22004, 42501, 42704, 55000';

CREATE FUNCTION seal.break_glass(subject_type text, subject text, reason text, duration interval) RETURNS timestamptz
  AS 'MODULE_PATHNAME', 'pgseal_break_glass' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.break_glass(text, text, text, interval) IS
  'in an emergency: admits the current role, which must have a right of scope admitted, to the values of a subject, for a time up to seal.break_glass_max, and returns its end; counts from its commit on; recorded, in the server log, told by NOTIFY seal_alert, and listed in seal.break_glass_review; 22004, 22023, 25006, 42501, 42704, 53100, 55000, 58030';

CREATE FUNCTION seal.sign_off(admission bigint, note text DEFAULT NULL) RETURNS void
  AS 'MODULE_PATHNAME', 'pgseal_sign_off' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.sign_off(bigint, text) IS
  'says that somebody else than who broke a glass has looked at it; for administrators and those with the verb reveal on key audit; the note is sealed; 22004, 42501, 42704, 55000';

CREATE FUNCTION seal.admission_state(admission bigint) RETURNS text
  AS 'MODULE_PATHNAME', 'pgseal_admission_state' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION seal.admission_state(bigint) IS
  'what a row of seal.admission is worth: valid, over, dismissed, unbound (role renamed or of another cluster), not valid (altered), not verified (no root key)';

CREATE FUNCTION seal.subject_number(subject_type text, subject text) RETURNS bigint
  AS 'MODULE_PATHNAME', 'pgseal_subject_number' LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.subject_number(text, text) IS
  'number of a subject, as records name it; for administrators and those with the verb reveal on key audit; 22004, 42501, 42704, 55000';

CREATE VIEW seal.admissions WITH (security_barrier) AS
  SELECT subject_type, subject, role, purpose, granted_by, granted_at, until, dismissed_at, break_glass,
    seal.admission_state(id) AS state
  FROM seal.admission;
COMMENT ON VIEW seal.admissions IS
  'who is, or was, admitted to which subject; only rows in state valid give anything';

CREATE FUNCTION seal.access_report(subject_type text, subject text)
  RETURNS TABLE (at timestamptz, action text, outcome text, purpose text, login_role text, role text, actor text, categories text[])
  AS 'MODULE_PATHNAME', 'pgseal_access_report' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.access_report(text, text) IS
  'who opened values of a subject, was refused, admitted or wrote them, one line a statement, as far as the log has taken it in; categories: keys of the values; asking is recorded; 22004, 42704, 55000';
REVOKE EXECUTE ON FUNCTION seal.access_report(text, text) FROM PUBLIC;

CREATE FUNCTION seal.key_of_type(type oid, typmod integer) RETURNS integer
  AS 'MODULE_PATHNAME', 'pgseal_key_of_type' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION seal.key_of_type(oid, integer) IS
  'id of the key of a sealed type or of a domain over one; NULL for other types';

CREATE VIEW seal.keys AS
  SELECT k.name, k.id, k.searchable, k.pad,
    (SELECT count(*)::integer FROM seal.key_version v WHERE v.key = k.id) AS versions,
    k.active_version, k.root,
    ARRAY(SELECT format('%I.%I.%I', n.nspname, c.relname, a.attname)
          FROM pg_catalog.pg_attribute a
            JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            JOIN LATERAL seal.key_of_type(a.atttypid, a.atttypmod) AS column_key ON column_key = k.id
          WHERE NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f', 'm', 'c')
          ORDER BY 1) AS columns,
    k.require_actor, k.require_purpose
  FROM seal.key k
  WHERE NOT k.dropped;
COMMENT ON VIEW seal.keys IS
  'keys of the ring: id = type modifier of the columns, pad in bytes, versions kept, fingerprint of the root key they are wrapped by, columns that use the key, whether opening needs seal.actor, and which of these purposes in seal.purpose';

CREATE VIEW seal.grants AS
  SELECT k.name AS key, g.role, g.verbs, g.scope, seal.grant_state(g.key, g.role_name) AS state
  FROM seal.grant g JOIN seal.key k ON k.id = g.key
  WHERE g.verbs <> '{}' AND NOT k.dropped;
COMMENT ON VIEW seal.grants IS
  'rights of roles on keys; only rows in state valid give anything';

CREATE VIEW seal.break_glass_review AS
  SELECT id AS admission, subject_type, subject, role, granted_by AS broken_by, granted_at AS broken_at, until, dismissed_at,
    purpose, reason, signed_off_by, signed_off_at, note, seal.admission_state(id) AS state
  FROM seal.admission
  WHERE break_glass;
COMMENT ON VIEW seal.break_glass_review IS
  'broken glasses, signed off or not; reason and note are envelopes: seal.reveal(reason::sealed_text) opens them, with the verb reveal on key audit';

GRANT SELECT ON seal.keys, seal.grants TO PUBLIC;
