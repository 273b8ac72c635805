-- SPDX-License-Identifier: PostgreSQL
-- types: the sealed types, their casts, operators and operator classes, seal,
-- reveal, show and probe.  Types, casts and operators go to pg_catalog, so that
-- they resolve under any search_path; functions go to schema seal.  One C
-- function serves all ten types, so each template below is written once.

CREATE FUNCTION seal.sealed_typmod_in(cstring[]) RETURNS integer
  AS 'MODULE_PATHNAME', 'pgseal_typmod_in' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION seal.sealed_typmod_in(cstring[]) IS
  'id of the key a sealed type names; 42704 when there is none (unless check_function_bodies is off), 22023 for anything but one name or id';

CREATE FUNCTION seal.sealed_typmod_out(integer) RETURNS cstring
  AS 'MODULE_PATHNAME', 'pgseal_typmod_out' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION seal.sealed_typmod_out(integer) IS
  'name of a key in parentheses, its id when the ring does not know it';

CREATE FUNCTION seal.sealed_analyze(internal) RETURNS boolean
  AS 'MODULE_PATHNAME', 'pgseal_analyze' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION seal.sealed_analyze(internal) IS
  'ANALYZE of a sealed column: null fraction, width, distinct tokens; no values';

CREATE FUNCTION seal.sealed_sortsupport(internal) RETURNS void
  AS 'MODULE_PATHNAME', 'pgseal_sortsupport' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION seal.sealed_sortsupport(internal) IS
  'sort support of the btree operator classes';

-- ---------------------------------------------------------------------------
-- The types
-- ---------------------------------------------------------------------------

DO $do$
DECLARE
  t record;
BEGIN
  FOR t IN
    SELECT * FROM (VALUES
      ('sealed_text', 'S', 'text'),
      ('sealed_bytea', 'U', 'bytea'),
      ('sealed_bool', 'B', 'boolean'),
      ('sealed_int', 'N', 'bigint'),
      ('sealed_float8', 'N', 'double precision'),
      ('sealed_numeric', 'N', 'numeric'),
      ('sealed_date', 'D', 'date'),
      ('sealed_timestamptz', 'D', 'timestamp with time zone'),
      ('sealed_uuid', 'U', 'uuid'),
      ('sealed_jsonb', 'U', 'jsonb')) AS v(sealed, category, plain)
  LOOP
    EXECUTE format($sql$
      CREATE TYPE pg_catalog.%1$s;

      CREATE FUNCTION seal.%1$s_in(cstring, oid, integer) RETURNS pg_catalog.%1$s
        AS 'MODULE_PATHNAME', 'pgseal_in' LANGUAGE C STABLE STRICT PARALLEL SAFE;
      COMMENT ON FUNCTION seal.%1$s_in(cstring, oid, integer) IS
        'keeps an envelope, seals any other text of type %3$s; 22P02 malformed, 22023 envelope of another key or type, 42501 without the right to seal, 55000 without a root key; errors of the plain type without the value';

      CREATE FUNCTION seal.%1$s_out(pg_catalog.%1$s) RETURNS cstring
        AS 'MODULE_PATHNAME', 'pgseal_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
      COMMENT ON FUNCTION seal.%1$s_out(pg_catalog.%1$s) IS
        'the envelope as text (seal1:...), always';

      CREATE FUNCTION seal.%1$s_recv(internal, oid, integer) RETURNS pg_catalog.%1$s
        AS 'MODULE_PATHNAME', 'pgseal_recv' LANGUAGE C STABLE STRICT PARALLEL SAFE;
      COMMENT ON FUNCTION seal.%1$s_recv(internal, oid, integer) IS
        'keeps a binary envelope, seals the binary form of %3$s; 22P03 malformed, 22023 envelope of another key or type, 42501, 55000';

      CREATE FUNCTION seal.%1$s_send(pg_catalog.%1$s) RETURNS bytea
        AS 'MODULE_PATHNAME', 'pgseal_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
      COMMENT ON FUNCTION seal.%1$s_send(pg_catalog.%1$s) IS
        'the envelope in binary, always';

      CREATE TYPE pg_catalog.%1$s (
        INPUT = seal.%1$s_in, OUTPUT = seal.%1$s_out,
        RECEIVE = seal.%1$s_recv, SEND = seal.%1$s_send,
        TYPMOD_IN = seal.sealed_typmod_in, TYPMOD_OUT = seal.sealed_typmod_out,
        ANALYZE = seal.sealed_analyze,
        INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = external,
        CATEGORY = %2$L, PREFERRED = false, COLLATABLE = false);
      COMMENT ON TYPE pg_catalog.%1$s IS
        '%3$s kept encrypted under the key that the type names, as in %1$s(key); prints as an envelope';

      CREATE FUNCTION seal.%1$s(value pg_catalog.%1$s, key integer, explicit boolean) RETURNS pg_catalog.%1$s
        AS 'MODULE_PATHNAME', 'pgseal_coerce' LANGUAGE C VOLATILE STRICT PARALLEL SAFE;
      COMMENT ON FUNCTION seal.%1$s(pg_catalog.%1$s, integer, boolean) IS
        'seals a literal under the key of its column, lets an envelope of that key pass; 22023 for another key, 42501 without the right to seal, 55000';
      CREATE CAST (pg_catalog.%1$s AS pg_catalog.%1$s)
        WITH FUNCTION seal.%1$s(pg_catalog.%1$s, integer, boolean) AS IMPLICIT;
      COMMENT ON CAST (pg_catalog.%1$s AS pg_catalog.%1$s) IS
        'from a literal to the key of a column';

      CREATE FUNCTION seal.reveal(value pg_catalog.%1$s) RETURNS %3$s
        AS 'MODULE_PATHNAME', 'pgseal_reveal' LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 100;
      COMMENT ON FUNCTION seal.reveal(pg_catalog.%1$s) IS
        'the plain value; 42501 without the right to reveal, 55000 without a root key, XX001 when it does not open';

      CREATE FUNCTION seal.show(value pg_catalog.%1$s) RETURNS %3$s
        AS 'MODULE_PATHNAME', 'pgseal_show' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100;
      COMMENT ON FUNCTION seal.show(pg_catalog.%1$s) IS
        'the plain value, NULL without the right to reveal, but 42501 where the query chooses, orders, groups or writes rows by it; 55000 without a root key, XX001 when it does not open';

      CREATE FUNCTION seal.reveal_stable(value pg_catalog.%1$s) RETURNS %3$s
        AS 'MODULE_PATHNAME', 'pgseal_reveal' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100;
      COMMENT ON FUNCTION seal.reveal_stable(pg_catalog.%1$s) IS
        'seal.reveal() as the planner puts it in the place of seal.show() wherever rows are chosen, ordered, grouped or written; 42501, 55000, XX001';

      CREATE FUNCTION seal.show_volatile(value pg_catalog.%1$s) RETURNS %3$s
        AS 'MODULE_PATHNAME', 'pgseal_show' LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 100;
      COMMENT ON FUNCTION seal.show_volatile(pg_catalog.%1$s) IS
        'seal.show() as the planner puts it in a select list, so that it is evaluated after the sort; NULL without the right to reveal; 55000, XX001';

      CREATE FUNCTION seal.reveal(value pg_catalog.%1$s, subject text, place bytea) RETURNS %3$s
        AS 'MODULE_PATHNAME', 'pgseal_reveal_at' LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 100;
      COMMENT ON FUNCTION seal.reveal(pg_catalog.%1$s, text, bytea) IS
        'the plain value of a protected table, if it belongs to the subject with this external id and to this place; 42501 without the right to reveal, for that subject too, 55000 without a root key, XX001 when it belongs elsewhere or does not open';

      CREATE FUNCTION seal.show(value pg_catalog.%1$s, subject text, place bytea) RETURNS %3$s
        AS 'MODULE_PATHNAME', 'pgseal_show_at' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100;
      COMMENT ON FUNCTION seal.show(pg_catalog.%1$s, text, bytea) IS
        'as seal.reveal() of a protected table, but NULL without the right to reveal, except where the query chooses, orders, groups or writes rows by it; 55000, XX001';

      CREATE FUNCTION seal.reveal_stable(value pg_catalog.%1$s, subject text, place bytea) RETURNS %3$s
        AS 'MODULE_PATHNAME', 'pgseal_reveal_at' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100;
      COMMENT ON FUNCTION seal.reveal_stable(pg_catalog.%1$s, text, bytea) IS
        'seal.reveal() as the planner puts it in the place of seal.show() wherever rows are chosen, ordered, grouped or written; 42501, 55000, XX001';

      CREATE FUNCTION seal.show_volatile(value pg_catalog.%1$s, subject text, place bytea) RETURNS %3$s
        AS 'MODULE_PATHNAME', 'pgseal_show_at' LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 100;
      COMMENT ON FUNCTION seal.show_volatile(pg_catalog.%1$s, text, bytea) IS
        'seal.show() as the planner puts it in a select list, so that it is evaluated after the sort; NULL without the right to reveal; 55000, XX001';
    $sql$, t.sealed, t.category, t.plain);
  END LOOP;
END $do$;

CREATE FUNCTION seal.place(column_number bigint, VARIADIC row_key "any") RETURNS bytea
  AS 'MODULE_PATHNAME', 'pgseal_place' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION seal.place(bigint, "any") IS
  'the place of a value in a protected table: the number that seal.protection has for its column, and the primary key of its row; 0A000 for a type that cannot be in such a key';

-- ---------------------------------------------------------------------------
-- Comparisons of sealed values, and their classes
-- ---------------------------------------------------------------------------

DO $do$
DECLARE
  t text;
  f record;
BEGIN
  FOREACH t IN ARRAY '{sealed_text,sealed_bytea,sealed_bool,sealed_int,sealed_float8,sealed_numeric,sealed_date,sealed_timestamptz,sealed_uuid,sealed_jsonb}'::text[]
  LOOP
    FOR f IN
      SELECT * FROM (VALUES
        ('eq', 'boolean', 'do two values of one key have one token, or one envelope where the key makes no tokens; 0A000 for two keys'),
        ('ne', 'boolean', 'the opposite of seal.sealed_eq; 0A000 for two keys'),
        ('lt', 'boolean', 'before in the order of an index, which says nothing about the values'),
        ('le', 'boolean', 'before or equal in the order of an index'),
        ('ge', 'boolean', 'after or equal in the order of an index'),
        ('gt', 'boolean', 'after in the order of an index'),
        ('cmp', 'integer', 'order in an index: key, token, envelope; negative, zero or positive')) AS v(name, result, says)
    LOOP
      EXECUTE format($sql$
        CREATE FUNCTION seal.sealed_%2$s(pg_catalog.%1$s, pg_catalog.%1$s) RETURNS %3$s
          AS 'MODULE_PATHNAME', 'pgseal_%2$s' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
        COMMENT ON FUNCTION seal.sealed_%2$s(pg_catalog.%1$s, pg_catalog.%1$s) IS
          '%4$s; 0A000 for a literal without a key';
      $sql$, t, f.name, f.result, f.says);
    END LOOP;

    EXECUTE format($sql$
      CREATE FUNCTION seal.sealed_hash(pg_catalog.%1$s) RETURNS integer
        AS 'MODULE_PATHNAME', 'pgseal_hash' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
      COMMENT ON FUNCTION seal.sealed_hash(pg_catalog.%1$s) IS
        'hash of key and token, or of the envelope; 0A000 for a literal without a key';

      CREATE FUNCTION seal.sealed_hash_extended(pg_catalog.%1$s, bigint) RETURNS bigint
        AS 'MODULE_PATHNAME', 'pgseal_hash_extended' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
      COMMENT ON FUNCTION seal.sealed_hash_extended(pg_catalog.%1$s, bigint) IS
        'seeded hash of key and token, or of the envelope; 0A000 for a literal without a key';

      CREATE OPERATOR pg_catalog.= (
        LEFTARG = pg_catalog.%1$s, RIGHTARG = pg_catalog.%1$s, FUNCTION = seal.sealed_eq,
        COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>),
        RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel, HASHES, MERGES);
      COMMENT ON OPERATOR pg_catalog.= (pg_catalog.%1$s, pg_catalog.%1$s) IS
        'equal, by token; 0A000 for two keys and for a key that is not searchable';

      CREATE OPERATOR pg_catalog.<> (
        LEFTARG = pg_catalog.%1$s, RIGHTARG = pg_catalog.%1$s, FUNCTION = seal.sealed_ne,
        COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=),
        RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel);
      COMMENT ON OPERATOR pg_catalog.<> (pg_catalog.%1$s, pg_catalog.%1$s) IS
        'not equal, by token; 0A000 for two keys and for a key that is not searchable';
    $sql$, t);

    FOR f IN
      SELECT * FROM (VALUES
        ('<~', 'lt', '>~', '>=~'),
        ('<=~', 'le', '>=~', '>~'),
        ('>=~', 'ge', '<=~', '<~'),
        ('>~', 'gt', '<~', '<=~')) AS v(operator, name, commutator, negator)
    LOOP
      EXECUTE format($sql$
        CREATE OPERATOR seal.%2$s (
          LEFTARG = pg_catalog.%1$s, RIGHTARG = pg_catalog.%1$s, FUNCTION = seal.sealed_%3$s,
          COMMUTATOR = OPERATOR(seal.%4$s), NEGATOR = OPERATOR(seal.%5$s));
        COMMENT ON OPERATOR seal.%2$s (pg_catalog.%1$s, pg_catalog.%1$s) IS
          'order of tokens inside an index; says nothing about the values';
      $sql$, t, f.operator, f.name, f.commutator, f.negator);
    END LOOP;

    EXECUTE format($sql$
      CREATE OPERATOR CLASS pg_catalog.%1$s_ops DEFAULT FOR TYPE pg_catalog.%1$s USING btree AS
        OPERATOR 1 seal.<~, OPERATOR 2 seal.<=~, OPERATOR 3 pg_catalog.=, OPERATOR 4 seal.>=~, OPERATOR 5 seal.>~,
        FUNCTION 1 seal.sealed_cmp(pg_catalog.%1$s, pg_catalog.%1$s),
        FUNCTION 2 seal.sealed_sortsupport(internal);
      COMMENT ON OPERATOR CLASS pg_catalog.%1$s_ops USING btree IS
        'equality of one searchable key by token; UNIQUE, DISTINCT, merge joins; no order of values';
      COMMENT ON OPERATOR FAMILY pg_catalog.%1$s_ops USING btree IS
        'btree operators of %1$s';

      CREATE OPERATOR CLASS pg_catalog.%1$s_ops DEFAULT FOR TYPE pg_catalog.%1$s USING hash AS
        OPERATOR 1 pg_catalog.=,
        FUNCTION 1 seal.sealed_hash(pg_catalog.%1$s),
        FUNCTION 2 seal.sealed_hash_extended(pg_catalog.%1$s, bigint);
      COMMENT ON OPERATOR CLASS pg_catalog.%1$s_ops USING hash IS
        'equality of one searchable key by token; hash indexes, joins, aggregates and partitions';
      COMMENT ON OPERATOR FAMILY pg_catalog.%1$s_ops USING hash IS
        'hash operators of %1$s';
    $sql$, t);
  END LOOP;
END $do$;

-- ---------------------------------------------------------------------------
-- Casts
-- ---------------------------------------------------------------------------

-- In, on assignment: what drivers send for a column of the plain type.
DO $do$
DECLARE
  c record;
BEGIN
  FOR c IN
    SELECT v.sealed, source FROM (VALUES
      ('sealed_text', '{text,varchar,bpchar,name}'),
      ('sealed_bytea', '{bytea}'),
      ('sealed_bool', '{bool}'),
      ('sealed_int', '{int2,int4,int8,numeric}'),
      ('sealed_float8', '{int2,int4,int8,float4,float8,numeric}'),
      ('sealed_numeric', '{int2,int4,int8,float4,float8,numeric}'),
      ('sealed_date', '{date,timestamp,timestamptz}'),
      ('sealed_timestamptz', '{timestamptz,timestamp,date}'),
      ('sealed_uuid', '{uuid}'),
      ('sealed_jsonb', '{jsonb,json}')) AS v(sealed, sources), unnest(v.sources::text[]) AS source
  LOOP
    EXECUTE format($sql$
      CREATE FUNCTION seal.%1$s(value pg_catalog.%2$s, key integer, explicit boolean) RETURNS pg_catalog.%1$s
        AS 'MODULE_PATHNAME', 'pgseal_cast_in' LANGUAGE C VOLATILE STRICT PARALLEL SAFE;
      COMMENT ON FUNCTION seal.%1$s(pg_catalog.%2$s, integer, boolean) IS
        'seals a plain value under the key of its column; 42501 without the right to seal, 55000 without a root key, 22xxx as the cast between the plain types';
      CREATE CAST (pg_catalog.%2$s AS pg_catalog.%1$s)
        WITH FUNCTION seal.%1$s(pg_catalog.%2$s, integer, boolean) AS ASSIGNMENT;
      COMMENT ON CAST (pg_catalog.%2$s AS pg_catalog.%1$s) IS
        'seals a value that is assigned to a sealed column';
    $sql$, c.sealed, c.source);
  END LOOP;
END $do$;

-- Out, explicit: each is a reveal.  None to json: to_jsonb(), row_to_json() and their kind call such a cast unasked.
DO $do$
DECLARE
  c record;
BEGIN
  FOR c IN
    SELECT v.sealed, v.plain, target FROM (VALUES
      ('sealed_text', 'text', '{text,varchar,bpchar,name}'),
      ('sealed_bytea', 'bytea', '{bytea,text,varchar,bpchar,name}'),
      ('sealed_bool', 'bool', '{bool,int4,text,varchar,bpchar,name}'),
      ('sealed_int', 'int8', '{int8,int2,int4,numeric,float8,text,varchar,bpchar,name}'),
      ('sealed_float8', 'float8', '{float8,float4,int4,int8,numeric,text,varchar,bpchar,name}'),
      ('sealed_numeric', 'numeric', '{numeric,int2,int4,int8,float4,float8,text,varchar,bpchar,name}'),
      ('sealed_date', 'date', '{date,timestamp,timestamptz,text,varchar,bpchar,name}'),
      ('sealed_timestamptz', 'timestamptz', '{timestamptz,date,timestamp,text,varchar,bpchar,name}'),
      ('sealed_uuid', 'uuid', '{uuid,text,varchar,bpchar,name}'),
      ('sealed_jsonb', 'jsonb', '{jsonb,text,varchar,bpchar,name}')) AS v(sealed, plain, targets),
      unnest(v.targets::text[]) AS target
  LOOP
    IF c.target <> c.plain THEN
      EXECUTE format($sql$
        CREATE FUNCTION seal.reveal_%2$s(value pg_catalog.%1$s) RETURNS pg_catalog.%2$s
          AS 'MODULE_PATHNAME', 'pgseal_reveal' LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 100;
        COMMENT ON FUNCTION seal.reveal_%2$s(pg_catalog.%1$s) IS
          'seal.reveal(), cast to %2$s; 42501, 55000, XX001 as seal.reveal(), 22xxx as the cast between the plain types';
      $sql$, c.sealed, c.target);
    END IF;
    EXECUTE format($sql$
      CREATE CAST (pg_catalog.%1$s AS pg_catalog.%2$s) WITH FUNCTION seal.%3$s(pg_catalog.%1$s);
      COMMENT ON CAST (pg_catalog.%1$s AS pg_catalog.%2$s) IS
        'reveals a value, where the statement says so';
    $sql$, c.sealed, c.target, CASE c.target WHEN c.plain THEN 'reveal' ELSE 'reveal_' || c.target END);
  END LOOP;
END $do$;

-- ---------------------------------------------------------------------------
-- Sealing by hand
-- ---------------------------------------------------------------------------

DO $do$
DECLARE
  f record;
BEGIN
  FOR f IN
    SELECT * FROM (VALUES
      ('text', 'sealed_text'),
      ('bytea', 'sealed_bytea'),
      ('bool', 'sealed_bool'),
      ('int2', 'sealed_int'),
      ('int4', 'sealed_int'),
      ('int8', 'sealed_int'),
      ('float8', 'sealed_float8'),
      ('numeric', 'sealed_numeric'),
      ('date', 'sealed_date'),
      ('timestamptz', 'sealed_timestamptz'),
      ('uuid', 'sealed_uuid'),
      ('json', 'sealed_jsonb'),
      ('jsonb', 'sealed_jsonb')) AS v(plain, sealed)
  LOOP
    EXECUTE format($sql$
      CREATE FUNCTION seal.seal(value pg_catalog.%1$s, key text) RETURNS pg_catalog.%2$s
        AS 'MODULE_PATHNAME', 'pgseal_seal' LANGUAGE C VOLATILE STRICT PARALLEL SAFE;
      COMMENT ON FUNCTION seal.seal(pg_catalog.%1$s, text) IS
        'the value sealed under a key, as it is; 42704 unknown key, 42501 without the right to seal, 55000 without a root key';

      CREATE FUNCTION seal.token_literal(key text, value pg_catalog.%1$s) RETURNS text
        AS 'MODULE_PATHNAME', 'pgseal_token_literal' LANGUAGE C STABLE STRICT PARALLEL SAFE;
      COMMENT ON FUNCTION seal.token_literal(text, pg_catalog.%1$s) IS
        'the search token of a value, as text for a stored predicate; 42704 unknown key, 0A000 not searchable, 42501 without the right to search, 55000 without a root key';
    $sql$, f.plain, f.sealed);
  END LOOP;
END $do$;

-- ---------------------------------------------------------------------------
-- Comparisons with plain values: the planner hook replaces them by probes
-- ---------------------------------------------------------------------------

-- An overload cannot choose its result, so a second type for one value has a name of its own.
DO $do$
DECLARE
  p record;
BEGIN
  FOR p IN
    SELECT v.name, v.value || brackets AS value, v.sealed || brackets AS sealed,
      -- these raise for some values, which would tell of rows that a policy hides
      CASE WHEN (v.name, v.value) IN (('probe_int', 'float8'), ('probe_numeric', 'float8'), ('probe', 'json'))
        THEN '' ELSE 'LEAKPROOF' END AS leakproof
    FROM (VALUES
      ('probe', 'text', 'sealed_text'), ('probe', 'sealed_text', 'sealed_text'),
      ('probe', 'bytea', 'sealed_bytea'), ('probe', 'sealed_bytea', 'sealed_bytea'),
      ('probe', 'bool', 'sealed_bool'), ('probe', 'sealed_bool', 'sealed_bool'),
      ('probe', 'int8', 'sealed_int'), ('probe', 'sealed_int', 'sealed_int'),
      ('probe_int', 'numeric', 'sealed_int'), ('probe_int', 'float8', 'sealed_int'),
      ('probe', 'float8', 'sealed_float8'), ('probe', 'sealed_float8', 'sealed_float8'),
      ('probe', 'numeric', 'sealed_numeric'), ('probe', 'sealed_numeric', 'sealed_numeric'),
      ('probe_numeric', 'float8', 'sealed_numeric'),
      ('probe', 'date', 'sealed_date'), ('probe', 'sealed_date', 'sealed_date'),
      ('probe_date', 'timestamp', 'sealed_date'), ('probe_date', 'timestamptz', 'sealed_date'),
      ('probe', 'timestamptz', 'sealed_timestamptz'), ('probe', 'sealed_timestamptz', 'sealed_timestamptz'),
      ('probe', 'uuid', 'sealed_uuid'), ('probe', 'sealed_uuid', 'sealed_uuid'),
      ('probe', 'jsonb', 'sealed_jsonb'), ('probe', 'sealed_jsonb', 'sealed_jsonb'),
      ('probe', 'json', 'sealed_jsonb')) AS v(name, value, sealed), unnest('{"",[]}'::text[]) AS brackets
  LOOP
    EXECUTE format($sql$
      CREATE FUNCTION seal.%1$s(key integer, value pg_catalog.%2$s) RETURNS pg_catalog.%3$s
        AS 'MODULE_PATHNAME', 'pgseal_probe' LANGUAGE C STABLE STRICT %4$s PARALLEL SAFE;
      COMMENT ON FUNCTION seal.%1$s(integer, pg_catalog.%2$s) IS
        'search token under a key, to compare with values of that key; its envelopes pass unchanged; 42501 without the right to search, 0A000 not searchable or not exact, 22023 envelope of another key, 55000 without a root key';
    $sql$, p.name, p.value, p.sealed, p.leakproof);
  END LOOP;
END $do$;

-- Row comparisons, as in (a, b) = ($1, $2), look for a btree family that knows "=".
CREATE OPERATOR FAMILY seal.row_ops USING btree;
COMMENT ON OPERATOR FAMILY seal.row_ops USING btree IS
  'what sealed = plain means inside a row comparison; owns no class, so no index uses it';

DO $do$
DECLARE
  o record;
BEGIN
  FOR o IN
    SELECT one.sealed, one.plain, two.l, two.r FROM (VALUES
      ('sealed_text', 'text'),
      ('sealed_bytea', 'bytea'),
      ('sealed_bool', 'bool'),
      ('sealed_int', 'int8'), ('sealed_int', 'numeric'), ('sealed_int', 'float8'),
      ('sealed_float8', 'float8'),
      ('sealed_numeric', 'numeric'), ('sealed_numeric', 'float8'),
      ('sealed_date', 'date'), ('sealed_date', 'timestamp'), ('sealed_date', 'timestamptz'),
      ('sealed_timestamptz', 'timestamptz'),
      ('sealed_uuid', 'uuid'),
      ('sealed_jsonb', 'jsonb'), ('sealed_jsonb', 'json')) AS one(sealed, plain),
      LATERAL (VALUES (sealed, plain), (plain, sealed)) AS two(l, r)
  LOOP
    EXECUTE format($sql$
      CREATE FUNCTION seal.sealed_unbound(pg_catalog.%1$s, pg_catalog.%2$s) RETURNS boolean
        AS 'MODULE_PATHNAME', 'pgseal_unbound' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
      COMMENT ON FUNCTION seal.sealed_unbound(pg_catalog.%1$s, pg_catalog.%2$s) IS
        'stands for a comparison until a query binds it to a key; 0A000 where none does';

      CREATE OPERATOR pg_catalog.= (
        LEFTARG = pg_catalog.%1$s, RIGHTARG = pg_catalog.%2$s, FUNCTION = seal.sealed_unbound,
        COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>));
      COMMENT ON OPERATOR pg_catalog.= (pg_catalog.%1$s, pg_catalog.%2$s) IS
        'equal, by token of the column''s key; 0A000 when the key is not searchable or not known';

      CREATE OPERATOR pg_catalog.<> (
        LEFTARG = pg_catalog.%1$s, RIGHTARG = pg_catalog.%2$s, FUNCTION = seal.sealed_unbound,
        COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=));
      COMMENT ON OPERATOR pg_catalog.<> (pg_catalog.%1$s, pg_catalog.%2$s) IS
        'not equal, by token of the column''s key; 0A000 when the key is not searchable or not known';

      ALTER OPERATOR FAMILY seal.row_ops USING btree
        ADD OPERATOR 3 pg_catalog.= (pg_catalog.%1$s, pg_catalog.%2$s);
    $sql$, o.l, o.r);
  END LOOP;
END $do$;
