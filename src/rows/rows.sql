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
