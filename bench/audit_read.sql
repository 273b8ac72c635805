-- audit_read.sql: patients to read, and what is measured on the log inside one backend.
CREATE EXTENSION pgseal;
SELECT seal.create_key('nir', searchable => true), seal.create_key('identity');
SELECT seal.grant_key(key, current_user::regrole, '{seal,search,reveal}') FROM unnest('{nir,identity}'::text[]) AS key;

CREATE TABLE patient (id bigint PRIMARY KEY, nir sealed_text(nir), last_name sealed_text(identity), first_name sealed_text(identity),
  born sealed_date(identity), phone sealed_text(identity), note sealed_text(identity));
SELECT seal.create_revealing_view('patient');
INSERT INTO patient
SELECT n, (180000000000000 + n)::text, initcap(left(md5('l' || n), 4 + n % 9)), initcap(left(md5('f' || n), 4 + n % 6)),
  '1930-01-01'::date + n % 30000, '06' || 10000000 + n, left(md5('a' || n) || md5('b' || n), 12 + n % 50)
FROM generate_series(1, :rows) AS n;

-- Five values a row, of one key; elapsed time too, because it is the disk that is waited for.
CREATE PROCEDURE bench.audit_scan(variant text, round integer, rows bigint) LANGUAGE plpgsql AS $$
DECLARE
  before float8 := bench.cpu();
  started timestamptz := clock_timestamp();
BEGIN
  PERFORM count(seal.reveal(last_name)), count(seal.reveal(first_name)), count(seal.reveal(born)), count(seal.reveal(phone)),
    count(seal.reveal(note)) FROM patient;
  INSERT INTO bench.sample VALUES
    ('audit scan, elapsed', variant, round, extract(epoch FROM clock_timestamp() - started) * 1e9 / (5 * rows), 'ns'),
    ('audit scan, processor', variant, round, (bench.cpu() - before) * 1e9 / (5 * rows), 'ns');
END $$;

-- Entries that are verified in a second of the processor.
CREATE PROCEDURE bench.audit_verify(round integer) LANGUAGE plpgsql AS $$
DECLARE
  before float8 := bench.cpu();
  verdict record;
BEGIN
  SELECT * INTO verdict FROM seal.verify_audit();
  IF verdict.intact IS NOT TRUE THEN
    RAISE EXCEPTION 'the log is not intact: %', verdict.problem;
  END IF;
  INSERT INTO bench.sample VALUES ('audit verify', 'entries', round, verdict.entries / (bench.cpu() - before), '1/s');
END $$;
