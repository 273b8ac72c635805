-- values.sql: keys, tables and what is measured on them inside one backend.
CREATE EXTENSION pgseal;
SELECT seal.create_key('nir', searchable => true);
SELECT seal.create_key('identity');
SELECT seal.grant_key(key, current_user::regrole, '{seal,search,reveal}') FROM unnest('{nir,identity}'::text[]) AS key;

CREATE FUNCTION bench.nothing(text) RETURNS text AS 'pgseal_bench', 'bench_nothing' LANGUAGE C VOLATILE STRICT;
CREATE FUNCTION bench.nothing(sealed_text) RETURNS text AS 'pgseal_bench', 'bench_nothing' LANGUAGE C VOLATILE STRICT;

-- One text of so many bytes a row, in clear, sealed, and sealed with a search token.
CREATE TABLE value_11 (id bigint, plain text, sealed sealed_text(identity), searchable sealed_text(nir));
CREATE TABLE value_200 (LIKE value_11);
INSERT INTO value_11 SELECT n, v, v, v FROM (SELECT n, lpad(n::text, 11, 'x') AS v FROM generate_series(1, :rows) AS n) AS made;
INSERT INTO value_200 SELECT n, v, v, v FROM (SELECT n, lpad(n::text, 200, 'x') AS v FROM generate_series(1, :rows) AS n) AS made;

-- As an application writes them, a statement a row: each has a nonce prefix of its own.
CREATE TABLE value_single (LIKE value_11);
DO $$
BEGIN
  FOR n IN 1..20000 LOOP
    INSERT INTO value_single (id, sealed) VALUES (n, lpad(n::text, 11, 'x'));
  END LOOP;
END $$;

-- Six values a row, a patient as laboratories register one.
CREATE TABLE plain (id bigint, nir text, last_name text, first_name text, born date, phone text, note text);
CREATE TABLE sealed (id bigint, nir sealed_text(nir), last_name sealed_text(identity), first_name sealed_text(identity),
  born sealed_date(identity), phone sealed_text(identity), note sealed_text(identity));
SELECT seal.create_revealing_view('sealed');
INSERT INTO plain
SELECT n, 180000000000000 + n, initcap(left(md5('l' || n), 4 + n % 9)), initcap(left(md5('f' || n), 4 + n % 6)),
  '1930-01-01'::date + n % 30000, '06' || 10000000 + n, left(md5('a' || n) || md5('b' || n), 12 + n % 50)
FROM generate_series(1, :rows) AS n;
COPY plain TO :'file';

CREATE PROCEDURE bench.load(round integer, times bigint, file text) LANGUAGE plpgsql AS $$
DECLARE
  variant text;
BEGIN
  FOREACH variant IN ARRAY '{plain,sealed}'::text[] LOOP
    EXECUTE format('TRUNCATE %I', variant);
    COMMIT;
    CALL bench.take('load', variant, round, times, format('COPY %I FROM %L', variant, file));
    COMMIT;
  END LOOP;
END $$;

-- The same columns in clear and opened: counted, which is next to no work on
-- plain ones, and printed to a file.
CREATE PROCEDURE bench.scan(round integer, times bigint) LANGUAGE plpgsql AS $$
DECLARE
  six text := 'nir, last_name, first_name, born, phone, note';
  counted text := 'SELECT %s FROM %I';
  printed text := 'COPY (SELECT %s FROM %I) TO ''/dev/null''';
BEGIN
  CALL bench.take('counted, 1 column', 'plain', round, times, format(counted, 'count(last_name)', 'plain'));
  CALL bench.take('counted, 1 column', 'sealed', round, times, format(counted, 'count(seal.reveal(last_name))', 'sealed'));
  CALL bench.take('counted, 1 column', 'not opened', round, times, format(counted, 'count(last_name)', 'sealed'));
  CALL bench.take('printed, 1 column', 'plain', round, times, format(printed, 'last_name', 'plain'));
  CALL bench.take('printed, 1 column', 'sealed', round, times, format(printed, 'seal.reveal(last_name)', 'sealed'));
  CALL bench.take('counted, 6 columns', 'plain', round, times,
    format(counted, regexp_replace(six, '(\w+)', 'count(\1)', 'g'), 'plain'));
  CALL bench.take('counted, 6 columns', 'sealed', round, times,
    format(counted, regexp_replace(six, '(\w+)', 'count(seal.reveal(\1))', 'g'), 'sealed'));
  CALL bench.take('printed, 6 columns', 'plain', round, times, format(printed, six, 'plain'));
  CALL bench.take('printed, 6 columns', 'sealed', round, times,
    format(printed, regexp_replace(six, '(\w+)', 'seal.reveal(\1)', 'g'), 'sealed'));
END $$;

-- Reveal and seal of one value: a scan that calls it, one that calls a function
-- that does nothing, and libsodium alone on as many bytes (payloads are padded to
-- the next multiple of 16, 9 bytes are associated data, 25 with a token).
CREATE PROCEDURE bench.value(len integer, round integer, times bigint) LANGUAGE plpgsql AS $$
DECLARE
  padded integer := len / 16 * 16 + 16;
  name text := len || ' bytes';
  source text := 'value_' || len;
BEGIN
  CALL bench.take('reveal, ' || name, 'with', round, times, format('SELECT count(seal.reveal(sealed)) FROM %I', source));
  CALL bench.take('reveal, ' || name, 'without', round, times, format('SELECT count(bench.nothing(sealed)) FROM %I', source));
  CALL bench.take('reveal, ' || name, 'bare', round, times, format('SELECT bench.decrypt(%s, 9, %s)', padded, times));
  CALL bench.take('seal, ' || name, 'with', round, times, format('SELECT count(plain::sealed_text(identity)) FROM %I', source));
  CALL bench.take('seal, ' || name, 'without', round, times, format('SELECT count(bench.nothing(plain)) FROM %I', source));
  CALL bench.take('seal, ' || name, 'bare', round, times, format('SELECT bench.encrypt(%s, 9, %s)', padded, times));
  CALL bench.take('seal with token, ' || name, 'with', round, times, format('SELECT count(plain::sealed_text(nir)) FROM %I', source));
  CALL bench.take('seal with token, ' || name, 'without', round, times, format('SELECT count(bench.nothing(plain)) FROM %I', source));
  CALL bench.take('seal with token, ' || name, 'bare', round, times, format('SELECT bench.encrypt(%s, 25, %s)', padded, times));
END $$;

CREATE PROCEDURE bench.single(round integer) LANGUAGE plpgsql AS $$
BEGIN
  CALL bench.take('reveal, 11 bytes, a statement each', 'with', round, 20000, 'SELECT count(seal.reveal(sealed)) FROM value_single');
  CALL bench.take('reveal, 11 bytes, a statement each', 'without', round, 20000, 'SELECT count(bench.nothing(sealed)) FROM value_single');
  CALL bench.take('reveal, 11 bytes, a statement each', 'bare', round, 20000, 'SELECT bench.decrypt(16, 9, 20000)');
END $$;

CREATE PROCEDURE bench.bytes() LANGUAGE sql AS $$
  INSERT INTO bench.sample
  SELECT 'bytes', variant, 1, bytes - pg_column_size(plain), 'bytes'
  FROM value_11, LATERAL (VALUES ('without token', pg_column_size(sealed)), ('with token', pg_column_size(searchable))) AS v(variant, bytes)
  WHERE id = 1
$$;

-- All six columns of the view, counted; the table's columns, not opened, are what it costs without.
CREATE PROCEDURE bench.view_scan(round integer, times bigint) LANGUAGE plpgsql AS $$
DECLARE
  six text := 'SELECT count(nir), count(last_name), count(first_name), count(born), count(phone), count(note) FROM %I';
BEGIN
  CALL bench.take('view, 6 columns', 'view', round, times, format(six, 'sealed_revealed'));
  CALL bench.take('view, 6 columns', 'not opened', round, times, format(six, 'sealed'));
END $$;

-- The same 2,000 rows written, one prepared statement each, to a table and through its view.
CREATE TABLE written (LIKE sealed, PRIMARY KEY (id));
SELECT seal.create_revealing_view('written');

CREATE FUNCTION bench.write_rows(target text, write text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('PREPARE bench_write (bigint, text, text) AS ' || write, target);
  FOR n IN 1..2000 LOOP
    EXECUTE format('EXECUTE bench_write (%s, %L, %L)', n, 'Dupont', 'nothing to report');
  END LOOP;
  DEALLOCATE bench_write;
END $$;

CREATE PROCEDURE bench.write(round integer) LANGUAGE plpgsql AS $$
DECLARE
  target text;
BEGIN
  FOREACH target IN ARRAY '{written,written_revealed}'::text[] LOOP
    TRUNCATE written;
    COMMIT;
    CALL bench.take('write, INSERT', target, round, 2000, format('SELECT bench.write_rows(%L, %L)', target,
      'INSERT INTO %I (id, last_name, note) VALUES ($1, $2, $3)'));
    CALL bench.take('write, UPDATE', target, round, 2000, format('SELECT bench.write_rows(%L, %L)', target,
      'UPDATE %I SET last_name = $2, note = $3 WHERE id = $1'));
    COMMIT;
  END LOOP;
END $$;

-- Wall time of a scan that opens six columns, by one process and by two.
CREATE PROCEDURE bench.parallel(round integer) LANGUAGE plpgsql AS $$
DECLARE
  query text := 'SELECT count(seal.reveal(nir)), count(seal.reveal(last_name)), count(seal.reveal(first_name)),
    count(seal.reveal(born)), count(seal.reveal(phone)), count(seal.reveal(note)) FROM sealed';
  started timestamptz;
BEGIN
  PERFORM set_config('parallel_setup_cost', '0', true), set_config('parallel_tuple_cost', '0', true),
    set_config('min_parallel_table_scan_size', '0', true);
  FOR workers IN 0..1 LOOP
    PERFORM set_config('max_parallel_workers_per_gather', workers::text, true);
    started := clock_timestamp();
    EXECUTE query;
    INSERT INTO bench.sample VALUES ('parallel scan, 6 columns', workers || ' workers', round,
      extract(epoch FROM clock_timestamp() - started) * 1e3, 'ms');
  END LOOP;
END $$;

-- Five million values in one statement, then 100,000 statements of one value.
CREATE PROCEDURE bench.memory(rows bigint) LANGUAGE plpgsql AS $$
DECLARE
  taken integer[];
  before integer;
BEGIN
  EXECUTE 'SELECT array_agg(bench.memory()) FILTER (WHERE id % 10000 = 0) FROM
    (SELECT id, seal.reveal(sealed) IS NULL FROM value_11, generate_series(1, $1) OFFSET 0) AS opened'
    INTO taken USING ceil(5e6 / rows)::integer;
  INSERT INTO bench.sample
    SELECT 'memory, one statement', 'after ' || n * 10000, 1, taken[n], 'kB' FROM unnest(ARRAY[1, 10, 100, 500]) AS n;
  before := bench.memory();
  FOR n IN 1..100000 LOOP
    PERFORM seal.reveal(sealed) FROM value_single LIMIT 1;
    IF n IN (1000, 100000) THEN
      INSERT INTO bench.sample VALUES ('memory, many statements', 'after ' || n, 1, bench.memory(), 'kB');
    END IF;
  END LOOP;
END $$;
