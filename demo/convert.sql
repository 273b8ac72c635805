-- convert.sql: what demo/convert does.  Variables: table, and columns, a line COLUMN=KEY for each.
\set SHOW_CONTEXT never
SET client_min_messages = notice;
SELECT :'table'::regclass::oid AS table \gset
SET search_path = pg_catalog, pg_temp;

CREATE TEMP TABLE conversion (attnum smallint, name name, key text, plain text, sealed text);
CREATE TEMP SEQUENCE rows_done;

-- The sealed type for a plain one.  float4 and timestamp are widened; the comparison at the end
-- shows whether a value came through that unchanged.
CREATE FUNCTION pg_temp.sealed_type(plain regtype) RETURNS text LANGUAGE sql AS $$
  SELECT CASE plain
    WHEN 'text'::regtype THEN 'sealed_text' WHEN 'varchar'::regtype THEN 'sealed_text'
    WHEN 'bpchar'::regtype THEN 'sealed_text' WHEN 'name'::regtype THEN 'sealed_text'
    WHEN 'bytea'::regtype THEN 'sealed_bytea' WHEN 'boolean'::regtype THEN 'sealed_bool'
    WHEN 'smallint'::regtype THEN 'sealed_int' WHEN 'integer'::regtype THEN 'sealed_int'
    WHEN 'bigint'::regtype THEN 'sealed_int' WHEN 'real'::regtype THEN 'sealed_float8'
    WHEN 'double precision'::regtype THEN 'sealed_float8' WHEN 'numeric'::regtype THEN 'sealed_numeric'
    WHEN 'date'::regtype THEN 'sealed_date' WHEN 'timestamp'::regtype THEN 'sealed_timestamptz'
    WHEN 'timestamptz'::regtype THEN 'sealed_timestamptz' WHEN 'uuid'::regtype THEN 'sealed_uuid'
    WHEN 'json'::regtype THEN 'sealed_jsonb' WHEN 'jsonb'::regtype THEN 'sealed_jsonb'
  END
$$;

-- Fills the list of what is to be done; an error names what cannot be.
CREATE PROCEDURE pg_temp.read_orders(relation regclass, orders text) LANGUAGE plpgsql AS $$
DECLARE
  named text[];
  attribute pg_attribute;
  sealed text;
BEGIN
  FOR named IN SELECT string_to_array(line, '=') FROM regexp_split_to_table(orders, '\n') AS line LOOP
    SELECT * INTO attribute FROM pg_attribute
      WHERE attrelid = relation AND attname = named[1] AND attnum > 0 AND NOT attisdropped;
    IF NOT FOUND THEN
      RAISE undefined_column USING MESSAGE = format('table %s has no column "%s"', relation, named[1]);
    END IF;
    sealed := pg_temp.sealed_type(attribute.atttypid);
    IF sealed IS NULL THEN
      RAISE datatype_mismatch USING MESSAGE = format('column "%s" is of type %s, for which there is no sealed type',
        named[1], format_type(attribute.atttypid, attribute.atttypmod));
    END IF;
    IF NOT EXISTS (SELECT FROM seal.keys WHERE name = named[2]) THEN
      RAISE undefined_object USING MESSAGE = format('there is no key "%s"', named[2]),
        HINT = format('SELECT seal.create_key(%L);', named[2]);
    END IF;
    INSERT INTO pg_temp.conversion VALUES (attribute.attnum, attribute.attname, named[2],
      CASE attribute.atttypid WHEN 'json'::regtype THEN 'jsonb' ELSE format_type(attribute.atttypid, attribute.atttypmod) END, sealed);
  END LOOP;
END $$;

-- What would stop ALTER TABLE after minutes of work is named before it starts.
CREATE PROCEDURE pg_temp.check_obstacles(relation regclass) LANGUAGE plpgsql AS $$
DECLARE
  obstacle text;
BEGIN
  SELECT string_agg(line, E'\n') INTO obstacle FROM (
    SELECT format('%s: key "%s" is not searchable; drop the index, or take a searchable key',
        pg_describe_object('pg_class'::regclass, i.indexrelid, 0), c.key) AS line
      FROM pg_index i JOIN pg_temp.conversion c ON c.attnum = ANY (i.indkey) JOIN seal.keys k ON k.name = c.key
      WHERE i.indrelid = relation AND NOT k.searchable
    UNION ALL
    SELECT DISTINCT format('%s: drop it, and create it again after the conversion if it still makes sense',
        pg_describe_object(d.classid, d.objid, d.objsubid))
      FROM pg_depend d JOIN pg_temp.conversion c ON d.refobjsubid = c.attnum
      WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = relation
        AND (d.classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_statistic_ext'::regclass)
          OR d.classid = 'pg_trigger'::regclass AND d.deptype = 'n'
          OR d.classid = 'pg_constraint'::regclass AND (SELECT contype FROM pg_constraint WHERE oid = d.objid) = 'c'
          OR d.classid = 'pg_class'::regclass AND (SELECT indexprs IS NOT NULL OR indpred IS NOT NULL FROM pg_index WHERE indexrelid = d.objid)
          OR d.classid = 'pg_attrdef'::regclass AND d.objid IN (SELECT oid FROM pg_attrdef a WHERE a.adrelid = relation AND a.adnum <> c.attnum))
  ) AS found;
  IF obstacle IS NOT NULL THEN
    RAISE dependent_objects_still_exist USING
      MESSAGE = format('these stand in the way of sealing columns of %s', relation), DETAIL = obstacle;
  END IF;
END $$;

-- A digest of all rows in which each converted column is the text that EXPRESSION, with its
-- name for %1$I and its plain type for %2$s, makes of it.  Two sums of keyed 64-bit hashes: they
-- show an accident, and are kept nowhere but in this session.
CREATE FUNCTION pg_temp.digest(relation regclass, expression text, seed bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  fields text;
  digest text;
BEGIN
  SELECT string_agg(CASE WHEN c.name IS NULL THEN quote_ident(a.attname) ELSE format(expression, c.name, c.plain) END, ', ' ORDER BY a.attnum) INTO fields
    FROM pg_attribute a LEFT JOIN pg_temp.conversion c USING (attnum)
    WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped;
  EXECUTE format('SELECT count(*) || '' '' || coalesce(sum(hashtextextended(line, %s)), 0) || '' '' || coalesce(sum(hashtextextended(line, %s)), 0)
    FROM (SELECT ROW(%s)::text AS line FROM %s) AS lines', seed, seed + 1, fields, relation) INTO digest;
  RETURN digest;
END $$;

-- Gives its argument back; says how far ALTER TABLE has come at every tenth of the rows.
CREATE FUNCTION pg_temp.counted(value anyelement) RETURNS anyelement VOLATILE LANGUAGE plpgsql AS $$
DECLARE
  done bigint := nextval('pg_temp.rows_done');
  tenth bigint := current_setting('convert.tenth');
BEGIN
  IF done % tenth = 0 THEN
    RAISE NOTICE '% rows sealed, % s', done, extract(epoch FROM clock_timestamp() - transaction_timestamp())::integer;
  END IF;
  RETURN value;
END $$;

-- A default that is a constant, as a literal without a type, so that it is stored sealed; NULL
-- for any other default.
CREATE FUNCTION pg_temp.constant_default(relation regclass, attnum smallint) RETURNS text LANGUAGE sql AS $$
  SELECT CASE
      WHEN written ~ $q$^'([^']|'')*'::[^']+\Z$q$ THEN regexp_replace(written, $q$::[^']+\Z$q$, '')
      WHEN written ~ '^(-?[0-9.]+|true|false)$' THEN quote_literal(written)
    END
  FROM (SELECT pg_get_expr(adbin, adrelid) AS written FROM pg_attrdef WHERE adrelid = relation AND adnum = attnum) AS found
$$;

-- ALTER TABLE ... TYPE for all columns at once, so that the table is written once.
CREATE PROCEDURE pg_temp.seal_columns(relation regclass) LANGUAGE plpgsql AS $$
DECLARE
  actions text;
BEGIN
  SELECT string_agg(format('ALTER COLUMN %1$I TYPE %2$s(%3$s) USING %4$s::%2$s(%3$s)', name, sealed, quote_ident(key),
        CASE WHEN first THEN format('pg_temp.counted(%I)', name) ELSE quote_ident(name) END)
      || coalesce(format(', ALTER COLUMN %1$I DROP DEFAULT, ALTER COLUMN %1$I SET DEFAULT ', name) || constant, ''), ', ') INTO actions
    FROM (SELECT *, attnum = min(attnum) OVER () AS first, pg_temp.constant_default(relation, attnum) AS constant
      FROM pg_temp.conversion) AS conversion;
  EXECUTE format('ALTER TABLE %s %s', relation, actions);
END $$;

CREATE PROCEDURE pg_temp.convert(relation regclass, orders text) LANGUAGE plpgsql AS $$
DECLARE
  seed bigint := hashtextextended(gen_random_uuid()::text, 0) / 2;
  before text;
  after text;
BEGIN
  SET LOCAL row_security = off;		-- an error rather than a part of the rows
  CALL pg_temp.read_orders(relation, orders);
  CALL pg_temp.check_obstacles(relation);
  EXECUTE format('LOCK TABLE %s', relation);
  before := pg_temp.digest(relation, '%1$I::%2$s', seed);
  PERFORM set_config('convert.tenth', greatest(split_part(before, ' ', 1)::bigint / 10, 1)::text, true);
  RAISE NOTICE '% rows of % read', split_part(before, ' ', 1), relation;
  CALL pg_temp.seal_columns(relation);
  after := pg_temp.digest(relation, 'seal.reveal(%1$I)::%2$s', seed);
  IF after <> before THEN
    RAISE data_exception USING MESSAGE = 'a value does not open to what it was: nothing has changed',
      HINT = 'A timestamp without time zone that does not exist, or exists twice, in the session''s TimeZone, or a number of type real?';
  END IF;
  RAISE NOTICE 'every value opens to what it was';
END $$;

BEGIN;
CALL pg_temp.convert(:table, :'columns');
COMMIT;

-- Statistics of the sealed columns, and of what depends on them, anew.
SELECT format('ANALYZE %s', :table::regclass) \gexec

\echo 'The old plaintext is still in:'
SELECT format('  write-ahead log up to file %s: overwritten or removed after the next checkpoints', pg_walfile_name(pg_current_wal_lsn()))
UNION ALL
SELECT format('  archive of the write-ahead log: archive_mode is %s; all files up to that one', current_setting('archive_mode'))
  WHERE current_setting('archive_mode') <> 'off'
UNION ALL
SELECT format('  replication slot %s keeps write-ahead log from %s on', slot_name, restart_lsn)
  FROM pg_replication_slots WHERE restart_lsn IS NOT NULL
UNION ALL
SELECT format('  standby %s: its write-ahead log, and its files until it has replayed to %s', coalesce(application_name, client_addr::text), pg_current_wal_lsn())
  FROM pg_stat_replication
UNION ALL
SELECT DISTINCT format('  column %I of %s: %s, of the same name; is it a copy?', a.attname, a.attrelid::regclass, format_type(a.atttypid, a.atttypmod))
  FROM pg_attribute a JOIN pg_class r ON r.oid = a.attrelid JOIN pg_temp.conversion c ON c.name = a.attname
  WHERE r.relkind IN ('r', 'm', 'p') AND r.relpersistence <> 't' AND a.attrelid <> :table::regclass AND NOT a.attisdropped
    AND format_type(a.atttypid, NULL) NOT LIKE 'sealed\_%'
    AND r.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'seal'::regnamespace)
UNION ALL
SELECT format('  statistics of %s: extended statistics that were made before', statistics_name)
  FROM pg_stats_ext WHERE format('%I.%I', schemaname, tablename)::regclass = :table::regclass
UNION ALL
SELECT '  texts of statements in pg_stat_statements: SELECT pg_stat_statements_reset()'
  FROM pg_extension WHERE extname = 'pg_stat_statements';
\echo '  free space of the disk: the old files of the table and its indexes are deleted, not overwritten'
\echo '  snapshots of the file system or of the virtual machine, backups and dumps made before now'
\echo '  logs of the server, exports, history tables under other names, caches of applications'
