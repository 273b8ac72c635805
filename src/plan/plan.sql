-- SPDX-License-Identifier: PostgreSQL
-- plan: revealing views.

-- ---------------------------------------------------------------------------
-- Revealing views: each checks for the owner itself, and runs its statements as
-- the caller.
-- ---------------------------------------------------------------------------

CREATE FUNCTION seal.create_revealing_view(relation regclass, view_name name DEFAULT NULL, columns name[] DEFAULT NULL)
  RETURNS regclass
  AS 'MODULE_PATHNAME', 'pgseal_create_revealing_view' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.create_revealing_view(regclass, name, name[]) IS
  'makes a view in the schema of a table, <table>_revealed unless named, that shows its sealed columns in their plain types, where the role may see them, and can be written to like the table; columns: these, in this order, instead of all; the view belongs to the owner of the table where the caller may give it to him; 22004, 22023, 42501, 42701, 42703, 42809, 42P07';

CREATE FUNCTION seal.refresh_revealing_view(view regclass) RETURNS regclass
  AS 'MODULE_PATHNAME', 'pgseal_refresh_revealing_view' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.refresh_revealing_view(regclass) IS
  'brings a revealing view up to date with its table: columns that came after the last one it shows are added at its end, all take the names of the table''s columns, and the comments the table has; rights on the view and what depends on it stay; 42501, 42701, 42809';
