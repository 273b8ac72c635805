-- planning.sql: a query of one table and one of six, none with a sealed column.
CREATE TABLE bench.visit (id bigint PRIMARY KEY, patient bigint, doctor bigint, ward bigint, at timestamptz);
CREATE TABLE bench.person (id bigint PRIMARY KEY, name text);
CREATE TABLE bench.ward (id bigint PRIMARY KEY, name text);
CREATE TABLE bench.sample_taken (id bigint PRIMARY KEY, visit bigint REFERENCES bench.visit, kind text);
CREATE TABLE bench.result (id bigint PRIMARY KEY, sample bigint REFERENCES bench.sample_taken, code text, value numeric);
INSERT INTO bench.visit SELECT n, n, n % 50, n % 9, '2021-01-01'::timestamptz + n * interval '1 h' FROM generate_series(1, 1000) AS n;
INSERT INTO bench.person SELECT n, 'person ' || n FROM generate_series(1, 1000) AS n;
INSERT INTO bench.ward SELECT n, 'ward ' || n FROM generate_series(0, 8) AS n;
INSERT INTO bench.sample_taken SELECT n, n, 'blood' FROM generate_series(1, 1000) AS n;
INSERT INTO bench.result SELECT n, n, n % 90 || '-7', n FROM generate_series(1, 1000) AS n;
VACUUM (ANALYZE) bench.visit, bench.person, bench.ward, bench.sample_taken, bench.result;

CREATE PROCEDURE bench.planning(variant text, round integer, times integer) LANGUAGE plpgsql AS $$
DECLARE
  one text := 'SELECT name FROM bench.person WHERE id = 7';
  six text := $q$
    SELECT p.name, d.name, w.name, s.kind, r.code, r.value
    FROM bench.visit v
      JOIN bench.person p ON p.id = v.patient
      JOIN bench.person d ON d.id = v.doctor
      JOIN bench.ward w ON w.id = v.ward
      JOIN bench.sample_taken s ON s.visit = v.id
      JOIN bench.result r ON r.sample = s.id
    WHERE v.at > '2021-02-23' AND r.code IN ('718-7', '2345-7') AND p.name = 'x' ORDER BY r.value$q$;
BEGIN
  -- The first plans fill the caches of a new session.
  PERFORM bench.plan(one, 50), bench.plan(six, 50);
  CALL bench.take('planning, 1 table', variant, round, times * 4, format('SELECT bench.plan(%L, %s)', one, times * 4));
  CALL bench.take('planning, 6 tables', variant, round, times, format('SELECT bench.plan(%L, %s)', six, times));
END $$;
