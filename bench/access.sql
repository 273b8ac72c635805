-- access.sql: patients in a protected table and in one that is not, and what is measured on them
-- inside one backend.
CREATE EXTENSION pgseal;
SELECT seal.create_key('nir', searchable => true), seal.create_key('identity');
SELECT seal.grant_key(key, current_user::regrole, '{seal,search,reveal}') FROM unnest('{nir,identity}'::text[]) AS key;
CREATE ROLE bench_reader LOGIN;
CREATE ROLE bench_doctor LOGIN;
SELECT seal.grant_key(key, 'bench_reader', '{seal,search,reveal}'), seal.grant_key(key, 'bench_doctor', '{reveal}', 'admitted')
FROM unnest('{nir,identity}'::text[]) AS key;

CREATE TABLE sealed (id bigint PRIMARY KEY, nir sealed_text(nir), last_name sealed_text(identity), first_name sealed_text(identity),
  born sealed_date(identity), phone sealed_text(identity), note sealed_text(identity));
CREATE TABLE protected (LIKE sealed INCLUDING ALL);
CREATE TABLE later (LIKE sealed INCLUDING ALL);
SELECT seal.create_revealing_view(name) FROM unnest('{sealed,protected}'::regclass[]) AS name;
SELECT seal.protect('protected', 'id', 'patient');

CREATE FUNCTION bench.patients(first bigint, last bigint)
RETURNS TABLE (id bigint, nir text, last_name text, first_name text, born date, phone text, note text) LANGUAGE sql AS $$
  SELECT n, (180000000000000 + n)::text, initcap(left(md5('l' || n), (4 + n % 9)::integer)), initcap(left(md5('f' || n), (4 + n % 6)::integer)),
    '1930-01-01'::date + (n % 30000)::integer, '06' || 10000000 + n, left(md5('a' || n) || md5('b' || n), (12 + n % 50)::integer)
  FROM generate_series(first, last) AS n
$$;
INSERT INTO sealed SELECT * FROM bench.patients(1, :rows);
INSERT INTO protected SELECT * FROM bench.patients(1, :rows);
CREATE TABLE incoming AS SELECT * FROM bench.patients(1000000001, 1000000000 + :chunk);

GRANT USAGE ON SCHEMA bench TO bench_reader, bench_doctor;
GRANT INSERT ON bench.sample TO bench_reader, bench_doctor;
GRANT SELECT ON sealed, protected, sealed_revealed, protected_revealed TO bench_reader, bench_doctor;

-- Six columns of every patient, opened; and the memory of the backend that did it.
CREATE PROCEDURE bench.access_scan(round integer, times bigint) LANGUAGE plpgsql AS $$
DECLARE
  variant text;
BEGIN
  FOREACH variant IN ARRAY '{sealed,protected}'::text[] LOOP
    CALL bench.take('access scan', variant, round, times,
      format('SELECT count(nir), count(last_name), count(first_name), count(born), count(phone), count(note) FROM %I', variant || '_revealed'));
    INSERT INTO bench.sample VALUES ('access memory', variant, round, bench.memory(), 'kB');
  END LOOP;
END $$;

-- Wall time of the same scans by two processes.
CREATE PROCEDURE bench.access_parallel(round integer) LANGUAGE plpgsql AS $$
DECLARE
  variant text;
  started timestamptz;
BEGIN
  PERFORM set_config('parallel_setup_cost', '0', true), set_config('parallel_tuple_cost', '0', true),
    set_config('min_parallel_table_scan_size', '0', true), set_config('max_parallel_workers_per_gather', '1', true);
  FOREACH variant IN ARRAY '{sealed,protected}'::text[] LOOP
    started := clock_timestamp();
    EXECUTE format('SELECT count(nir), count(last_name), count(first_name), count(born), count(phone), count(note) FROM %I', variant || '_revealed');
    INSERT INTO bench.sample VALUES ('access parallel scan', variant, round, extract(epoch FROM clock_timestamp() - started) * 1e3, 'ms');
  END LOOP;
END $$;

-- Rows that are copied from a file, of new patients.
CREATE PROCEDURE bench.access_copy(round integer, times bigint, file text) LANGUAGE plpgsql AS $$
DECLARE
  variant text;
BEGIN
  EXECUTE format('COPY (SELECT id + %s, nir, last_name, first_name, born, phone, note FROM incoming) TO %L', 1000000000 + round * times, file);
  FOREACH variant IN ARRAY '{sealed,protected}'::text[] LOOP
    CALL bench.take('access copy', variant, round, times, format('COPY %I FROM %L', variant, file));
    EXECUTE format('DELETE FROM %I WHERE id > 1000000000', variant);
    COMMIT;
  END LOOP;
END $$;

-- Rows that are inserted: of patients who are new, and of those who were there before.
CREATE PROCEDURE bench.access_load(round integer, times bigint) LANGUAGE plpgsql AS $$
DECLARE
  load text[];
BEGIN
  FOREACH load SLICE 1 IN ARRAY '{{sealed,sealed},{protected,"protected, new patients"},{protected,"protected, known patients"}}'::text[] LOOP
    CALL bench.take('access load', load[2], round, times,
      format('INSERT INTO %I SELECT id + %s, nir, last_name, first_name, born, phone, note FROM incoming', load[1], round * times));
    EXECUTE format('DELETE FROM %I WHERE id > 1000000000', load[1]);
    COMMIT;
  END LOOP;
END $$;

-- Rows that are there already, protected in one transaction.
CREATE PROCEDURE bench.access_protect(round integer, times bigint) LANGUAGE plpgsql AS $$
BEGIN
  TRUNCATE later;
  INSERT INTO later SELECT * FROM sealed WHERE id <= times;
  COMMIT;
  CALL bench.take('access protect', 'rows', round, times, 'SELECT seal.protect(''later'', ''id'', ''patient'')');
  PERFORM seal.unprotect('later');
  COMMIT;
END $$;
