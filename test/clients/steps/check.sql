-- check.sql: what a client's steps must have left, seen from outside; each row is a
-- check: passed, what it says, what was found.  names: the names, one a line.
SET TimeZone = 'UTC';

CREATE TEMP TABLE expected AS
SELECT * FROM (VALUES
	(1, '184127645108946', 'Léger', date '1984-12-03', timestamptz '2021-02-23 09:15:30+00', 0.30, 'positif'),
	(2, '290017512345678', 'Dupont', '1990-01-16', '2021-02-24 22:30:00+00', 12.50, 'négatif'),
	(3, '175063312345612', 'Noël', '1975-06-30', '2021-07-14 00:00:00+00', 12.00, 'négatif'),
	(4, '190123156789034', 'O''Connor', '1990-12-31', '1999-12-31 23:59:59+00', 0.05, 'à refaire'),
	(5, '555', NULL, NULL, NULL, NULL, NULL),
	(6, '666', 'Nadia', NULL, NULL, NULL, NULL)) AS patient (id, nir, name, born, seen, dose, note)
UNION ALL
SELECT 9 + place::integer, (9 + place)::text, name, NULL, NULL, NULL, NULL
FROM string_to_table(:'names', E'\n') WITH ORDINALITY AS list (name, place)
UNION ALL
SELECT 7, '777', 'Vue', date '2001-02-03', NULL, NULL, 'relu';

CREATE TEMP TABLE found AS
SELECT id, seal.reveal(nir) AS nir, seal.reveal(name) AS name, seal.reveal(born) AS born, seal.reveal(seen) AS seen,
       seal.reveal(dose) AS dose, seal.reveal(note) AS note
FROM patient;

WITH wrong AS (
	SELECT * FROM (TABLE expected EXCEPT ALL TABLE found) AS missing
	UNION ALL
	SELECT * FROM (TABLE found EXCEPT ALL TABLE expected) AS unexpected)
SELECT count(*) = 0, 'from outside, every value opens to what was written', jsonb_agg(wrong ORDER BY id) FROM wrong;

WITH clear AS (
	SELECT id, key FROM patient, jsonb_each_text(to_jsonb(patient) - 'id')
	WHERE value NOT LIKE 'seal1:%' AND value IS NOT NULL)
SELECT count(*) = 0, 'from outside, every stored value is an envelope', jsonb_agg(clear) FROM clear;

SELECT types = 'integer sealed_text(nir) sealed_text(identity) sealed_date(identity) sealed_timestamptz(clinical)'
	' sealed_numeric(clinical) sealed_text(clinical)', 'from outside, the columns are sealed, each under its key', types
FROM (SELECT string_agg(format_type(atttypid, atttypmod), ' '
			ORDER BY array_position('{id,nir,name,born,seen,dose,note}'::name[], attname)) AS types
	  FROM pg_attribute WHERE attrelid = 'patient'::regclass AND attnum > 0 AND NOT attisdropped) AS columns;

SELECT count(*) = 1, 'from outside, nir is unique', count(*) FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
WHERE indrelid = 'patient'::regclass AND indisunique AND attname = 'nir' AND indnkeyatts = 1;

SELECT relrowsecurity = (current_database() LIKE '%.protected'), 'from outside, the table is protected where it is said to be', relrowsecurity
FROM pg_class WHERE oid = 'patient'::regclass;
SELECT current_database() LIKE '%.protected' AS protected \gset
\if :protected
SELECT count(*) = 0, 'from outside, every value is in its place', jsonb_agg(misplaced) FROM seal.verify_places('patient') AS misplaced;
\endif
