-- audit_write.sql: what it costs to keep the history of a table, by five ways of keeping it.
--
-- Load it after bench.sql, as a superuser, into a database with extension pgseal.  Then
--
--	CALL audit_write.prepare(rows)	makes rows to write; first and once
--	CALL audit_write.arrange(variant)	makes tables <variant>.patient (8 columns, 6 of them sealed) and
--						<variant>.visit (8 plain columns) in a schema of that name, and their history
--	CALL audit_write.bulk(variant, relation, round)	INSERT, UPDATE and DELETE of all rows, each one transaction
--	CALL audit_write.single(variant, relation, round, times)	the same with one row per transaction; not inside
--						of a transaction; set synchronous_commit = off before
--	audit_write.script(variant)	text of a pgbench script: an INSERT and an UPDATE of that row, each
--						a transaction of its own, for throughput with many clients
--
-- Variants: none, pgseal, plpgsql_jsonb, supa_audit (needs uuid-ossp), pgaudit (needs a server that preloads it).
-- Both procedures write to bench.sample: measure 'audit insert, patient', 'audit single update, visit' and so on;
-- variant; ns of processor time of the backend for each row.  The price of a variant is its sample less that of
-- variant none in the same round.
CREATE SCHEMA audit_write;

SELECT seal.create_key('audit_write_nir', searchable => true), seal.create_key('audit_write_identity'), seal.create_key('audit_write_clinical');
SELECT seal.grant_key(key, current_user::regrole, '{seal}') FROM unnest('{audit_write_nir,audit_write_identity,audit_write_clinical}'::text[]) key;

-- Rows to write, sealed already: sealing them is no part of the price.
CREATE UNLOGGED TABLE audit_write.patient (
  id bigint PRIMARY KEY,
  ward text,
  nir sealed_text(audit_write_nir),
  last_name sealed_text(audit_write_identity),
  first_name sealed_text(audit_write_identity),
  born sealed_date(audit_write_identity),
  phone sealed_text(audit_write_identity),
  note sealed_text(audit_write_clinical));
CREATE UNLOGGED TABLE audit_write.visit (
  id bigint PRIMARY KEY,
  patient bigint,
  ward text,
  doctor text,
  began timestamptz,
  kind integer,
  price numeric,
  note text);

CREATE PROCEDURE audit_write.prepare(rows integer) LANGUAGE sql AS $$
  INSERT INTO audit_write.patient
    SELECT n, 'ward ' || n % 40, (180000000000000 + n)::text, 'Dupont-' || n, 'Marie ' || n % 500, '1930-01-01'::date + n % 30000,
      '+33 6 ' || 10000000 + n, 'note of some length about patient ' || n
    FROM generate_series(1, rows) n;
  INSERT INTO audit_write.visit
    SELECT n, n % 1000, 'ward ' || n % 40, 'Dr. Martin ' || n % 90, '2026-01-01 08:00+00'::timestamptz + n * interval '1 minute',
      n % 7, n % 500 / 4.0, 'note of some length about visit ' || n
    FROM generate_series(1, rows) n;
$$;

-- The usual trigger: both rows as jsonb.

CREATE FUNCTION audit_write.log_jsonb() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO plpgsql_jsonb.log (at, table_name, user_name, op, new)
      VALUES (clock_timestamp(), TG_TABLE_NAME, current_user, TG_OP, to_jsonb(NEW));
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO plpgsql_jsonb.log (at, table_name, user_name, op, old, new)
      VALUES (clock_timestamp(), TG_TABLE_NAME, current_user, TG_OP, to_jsonb(OLD), to_jsonb(NEW));
  ELSE
    INSERT INTO plpgsql_jsonb.log (at, table_name, user_name, op, old)
      VALUES (clock_timestamp(), TG_TABLE_NAME, current_user, TG_OP, to_jsonb(OLD));
  END IF;
  RETURN NULL;
END $$;

-- After the example of supa_audit: rows as jsonb, under a uuid made of the table and its primary key.

CREATE FUNCTION audit_write.key_columns(relation oid) RETURNS text[] STABLE LANGUAGE sql AS $$
  SELECT array_agg(a.attname::text ORDER BY a.attnum)
    FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
    WHERE i.indrelid = relation AND i.indisprimary
$$;

CREATE FUNCTION audit_write.record_id(relation oid, key_columns text[], record jsonb) RETURNS uuid STABLE LANGUAGE plpgsql AS $$
BEGIN
  IF record IS NULL THEN
    RETURN NULL;
  END IF;
  RETURN public.uuid_generate_v5('6ba7b812-9dad-11d1-80b4-00c04fd430c8',
    (SELECT jsonb_agg(part ORDER BY place)::text
       FROM (SELECT to_jsonb(relation) AS part, 0 AS place
             UNION ALL SELECT record -> name, place FROM unnest(key_columns) WITH ORDINALITY AS k (name, place)) parts));
END $$;

CREATE FUNCTION audit_write.log_version() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  names text[] := audit_write.key_columns(TG_RELID);
  new_record jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
  old_record jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
BEGIN
  INSERT INTO supa_audit.log (record_id, old_record_id, op, table_oid, table_schema, table_name, record, old_record)
    SELECT audit_write.record_id(TG_RELID, names, new_record), audit_write.record_id(TG_RELID, names, old_record),
      TG_OP, TG_RELID, TG_TABLE_SCHEMA, TG_TABLE_NAME, new_record, old_record;
  RETURN coalesce(NEW, OLD);
END $$;

-- Arranging

CREATE PROCEDURE audit_write.arrange_triggers(variant text, trigger_function text) LANGUAGE plpgsql AS $$
DECLARE
  relation text;
BEGIN
  FOREACH relation IN ARRAY '{patient,visit}'::text[] LOOP
    EXECUTE format('CREATE TRIGGER history AFTER INSERT OR UPDATE OR DELETE ON %I.%I FOR EACH ROW EXECUTE FUNCTION %s()',
      variant, relation, trigger_function);
  END LOOP;
END $$;

CREATE PROCEDURE audit_write.arrange(variant text) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE SCHEMA %I', variant);
  EXECUTE format('CREATE TABLE %I.patient (LIKE audit_write.patient INCLUDING ALL)', variant);
  EXECUTE format('CREATE TABLE %I.visit (LIKE audit_write.visit INCLUDING ALL)', variant);
  EXECUTE format('CREATE SEQUENCE %I.number CACHE 1000 START 1000000000', variant);
  CASE variant
    WHEN 'none' THEN
      NULL;
    WHEN 'pgseal' THEN
      PERFORM seal.watch('pgseal.patient'), seal.watch('pgseal.visit');
    WHEN 'plpgsql_jsonb' THEN
      CREATE TABLE plpgsql_jsonb.log (
        id bigserial PRIMARY KEY, at timestamptz NOT NULL, table_name text NOT NULL, user_name text NOT NULL, op text NOT NULL,
        old jsonb, new jsonb);
      CALL audit_write.arrange_triggers(variant, 'audit_write.log_jsonb');
    WHEN 'supa_audit' THEN
      CREATE EXTENSION IF NOT EXISTS "uuid-ossp" SCHEMA public;
      CREATE TABLE supa_audit.log (
        id bigserial PRIMARY KEY, record_id uuid, old_record_id uuid, op varchar(8) NOT NULL, ts timestamptz NOT NULL DEFAULT now(),
        table_oid oid NOT NULL, table_schema name NOT NULL, table_name name NOT NULL, record jsonb, old_record jsonb);
      CREATE INDEX ON supa_audit.log (record_id) WHERE record_id IS NOT NULL;
      CREATE INDEX ON supa_audit.log (old_record_id) WHERE old_record_id IS NOT NULL;
      CREATE INDEX ON supa_audit.log USING brin (ts);
      CREATE INDEX ON supa_audit.log (table_oid);
      CALL audit_write.arrange_triggers(variant, 'audit_write.log_version');
    WHEN 'pgaudit' THEN
      CREATE EXTENSION IF NOT EXISTS pgaudit;
      EXECUTE format('ALTER DATABASE %I SET pgaudit.log = write', current_database());
  END CASE;
END $$;

-- What is written

CREATE FUNCTION audit_write.insertion(variant text, relation text, condition text) RETURNS text LANGUAGE sql AS $$
  SELECT format('INSERT INTO %I.%I SELECT * FROM audit_write.%2$I s WHERE %s', variant, relation, condition)
$$;

-- Each row takes the note, and its ward, of another one.
CREATE FUNCTION audit_write.change(variant text, relation text, condition text) RETURNS text LANGUAGE sql AS $$
  SELECT format($sql$UPDATE %I.%I t SET note = s.note, ward = s.ward || '*' FROM audit_write.%2$I s WHERE s.id = t.id %% 1000 + 1 AND %s$sql$,
    variant, relation, condition)
$$;

CREATE FUNCTION audit_write.deletion(variant text, relation text, condition text) RETURNS text LANGUAGE sql AS $$
  SELECT format('DELETE FROM %I.%I t WHERE %s', variant, relation, condition)
$$;

CREATE PROCEDURE audit_write.bulk(variant text, relation text, round integer) LANGUAGE plpgsql AS $$
DECLARE
  rows bigint;
BEGIN
  EXECUTE format('TRUNCATE %I.%I', variant, relation);
  EXECUTE format('SELECT count(*) FROM audit_write.%I', relation) INTO rows;
  COMMIT;
  CALL bench.take('audit insert, ' || relation, variant, round, rows, audit_write.insertion(variant, relation, 'true'));
  COMMIT;
  CALL bench.take('audit update, ' || relation, variant, round, rows, audit_write.change(variant, relation, 'true'));
  COMMIT;
  CALL bench.take('audit delete, ' || relation, variant, round, rows, audit_write.deletion(variant, relation, 'true'));
  COMMIT;
END $$;

-- One statement with a parameter, so many times, each in a transaction of its own.
CREATE PROCEDURE audit_write.repeat(measure text, variant text, round integer, times integer, statement text) LANGUAGE plpgsql AS $$
DECLARE
  before float8;
BEGIN
  EXECUTE 'PREPARE audit_write_one (bigint) AS ' || statement;
  before := bench.cpu();
  FOR n IN 1..times LOOP
    EXECUTE 'EXECUTE audit_write_one (' || n || ')';
    COMMIT;
  END LOOP;
  INSERT INTO bench.sample VALUES (measure, variant, round, (bench.cpu() - before) * 1e9 / times, 'ns');
  DEALLOCATE audit_write_one;
  COMMIT;
END $$;

CREATE PROCEDURE audit_write.single(variant text, relation text, round integer, times integer) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('TRUNCATE %I.%I', variant, relation);
  COMMIT;
  CALL audit_write.repeat('audit single insert, ' || relation, variant, round, times, audit_write.insertion(variant, relation, 's.id = $1'));
  CALL audit_write.repeat('audit single update, ' || relation, variant, round, times, audit_write.change(variant, relation, 't.id = $1'));
  CALL audit_write.repeat('audit single delete, ' || relation, variant, round, times, audit_write.deletion(variant, relation, 't.id = $1'));
END $$;

CREATE FUNCTION audit_write.script(variant text) RETURNS text LANGUAGE sql AS $$
  SELECT format($script$\set source random(1, 1000)
SELECT nextval('%1$s.number') AS id \gset
INSERT INTO %1$I.patient SELECT :id, ward, nir, last_name, first_name, born, phone, note FROM audit_write.patient WHERE id = :source;
UPDATE %1$I.patient SET ward = 'other', note = (SELECT note FROM audit_write.patient WHERE id = 1001 - :source) WHERE id = :id;
$script$, variant)
$$;
