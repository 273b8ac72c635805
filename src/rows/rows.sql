-- SPDX-License-Identifier: PostgreSQL
-- rows: what is done with each row of a watched table.

CREATE FUNCTION seal.audit() RETURNS trigger
  AS 'MODULE_PATHNAME', 'pgseal_audit' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION seal.audit() IS
  'trigger that seal.watch() installs: records each row written, and each TRUNCATE, in the transaction that wrote it; the plain values of a row are sealed together under key audit; 39P01, 55000';

CREATE FUNCTION seal.watch(relation regclass) RETURNS void
  AS 'MODULE_PATHNAME', 'pgseal_watch' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.watch(regclass) IS
  'records from now on every write to a table and to its partitions: key of the row, changed columns, old and new values; does nothing when it is watched already; other tables that inherit from it are watched by themselves; 42501, 42704 before the first key is made, 42809, 2BP01';

CREATE FUNCTION seal.unwatch(relation regclass) RETURNS void
  AS 'MODULE_PATHNAME', 'pgseal_unwatch' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.unwatch(regclass) IS
  'ends what seal.watch() began; what was recorded stays; 42501, 42704 when the table is not watched, 42809, 2BP01 for a partition of one';

CREATE FUNCTION seal.row_history(relation regclass, row_key text)
  RETURNS TABLE (entry bigint, at timestamptz, action text, login_role text, session_role text, role text,
    actor text, purpose text, address text, application text, xid xid8, what text, detail text,
    columns text[], old jsonb, new jsonb)
  AS 'MODULE_PATHNAME', 'pgseal_row_history' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.row_history(regclass, text) IS
  'what was written to one row of a table, in order: row_key is its primary key as text, of several columns a JSON array as jsonb_build_array(...)::text prints it, of a sealed column what seal.token_literal(key, value) prints; entry is null until it is numbered; values stand open, as text, where the caller may reveal them, and sealed where not; 22004, 42P16';
REVOKE EXECUTE ON FUNCTION seal.row_history(regclass, text) FROM PUBLIC;

CREATE FUNCTION seal.subject() RETURNS trigger
  AS 'MODULE_PATHNAME', 'pgseal_subject' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION seal.subject() IS
  'trigger that seal.protect() installs: seals the values of each row for its subject, row and column; 22023 for a value that belongs elsewhere, 23502 for a row without a subject, 39P01, 42501, 55000';

CREATE FUNCTION seal.protect(relation regclass, subject_column name, subject_type text) RETURNS void
  AS 'MODULE_PATHNAME', 'pgseal_protect' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.protect(regclass, name, text) IS
  'protects a table and its partitions: seals every value, those that are there and those that come, for the subject that the row names in subject_column, turns row security on and refreshes the revealing views; keeps everybody out of the table meanwhile; needs the right to seal with each key of the table; no trigger of the table fires; 0A000, 22004, 22023 for a value of another subject, 23502 for a row without a subject, 42501, 42602, 42703, 42710, 42804, 42809, 42P16, 55000';

CREATE PROCEDURE seal.protect_in_batches(relation regclass, subject_column name, subject_type text, batch_size integer DEFAULT 10000)
  AS 'MODULE_PATHNAME', 'pgseal_protect_in_batches' LANGUAGE C;
COMMENT ON PROCEDURE seal.protect_in_batches(regclass, name, text, integer) IS
  'as seal.protect(), but keeps everybody out only while it begins: rows that are there are sealed batch by batch, each committed; a NOTICE tells the progress; called again, it goes on where it was stopped, or seals what was written since without a subject; cannot run in a transaction block; 25001, and as seal.protect()';

CREATE FUNCTION seal.unprotect(relation regclass) RETURNS void
  AS 'MODULE_PATHNAME', 'pgseal_unprotect' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.unprotect(regclass) IS
  'ends what seal.protect() began: values lose their subject, row security goes off where the table has no policy of its own; 22004, 22023 for a value that belongs elsewhere, 42501, 42704 when the table is not protected, 55000';

CREATE FUNCTION seal.verify_places(relation regclass)
  RETURNS TABLE (row_key text, column_name name, problem text)
  AS 'MODULE_PATHNAME', 'pgseal_verify_places' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.verify_places(regclass) IS
  'sealed values of a protected table that have no subject, belong to another subject, row or column, or do not open; opens every value and returns none; needs ownership, and the right to seal with each key of the table; 22004, 42501, 42704 when the table is not protected, 55000';
