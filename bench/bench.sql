-- bench.sql: functions and samples, in every database that is measured.
CREATE SCHEMA bench;
CREATE FUNCTION bench.cpu() RETURNS float8 AS 'pgseal_bench', 'bench_cpu' LANGUAGE C VOLATILE;
CREATE FUNCTION bench.memory() RETURNS integer AS 'pgseal_bench', 'bench_memory' LANGUAGE C VOLATILE;
CREATE FUNCTION bench.encrypt(plain_len integer, bound_len integer, times integer) RETURNS void
  AS 'pgseal_bench', 'bench_encrypt' LANGUAGE C VOLATILE STRICT;
CREATE FUNCTION bench.decrypt(plain_len integer, bound_len integer, times integer) RETURNS void
  AS 'pgseal_bench', 'bench_decrypt' LANGUAGE C VOLATILE STRICT;

CREATE TABLE bench.sample (measure text, variant text, round integer, value float8, unit text);

-- Runs a statement and keeps the CPU time that it took in this backend, in
-- nanoseconds for each of so many values, rows or times.
CREATE PROCEDURE bench.take(measure text, variant text, round integer, times bigint, statement text)
LANGUAGE plpgsql AS $$
DECLARE
  before float8 := bench.cpu();
BEGIN
  EXECUTE statement;
  INSERT INTO bench.sample VALUES (measure, variant, round, (bench.cpu() - before) * 1e9 / times, 'ns');
END $$;

-- Parses and plans a query so many times.
CREATE FUNCTION bench.plan(query text, times integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  FOR n IN 1..times LOOP
    EXECUTE 'EXPLAIN ' || query;
  END LOOP;
END $$;
