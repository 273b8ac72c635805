-- laboratory.sql: what the administrator of a laboratory does once, as role postgres.
--
-- Sealed: who the patient is, and everything a physician would call a finding.  Plain: what
-- the laboratory is run by, so that turnaround, rejections and backlog need no key: accession
-- number, code of the test, unit, status, times.
\set ON_ERROR_STOP on

CREATE EXTENSION pgseal;

CREATE ROLE lab_app LOGIN;			-- the laboratory's application
CREATE ROLE lab_intern LOGIN;		-- may read the tables, holds no key

SELECT seal.create_key('nir', searchable => true, comment => 'national number; the only value searched for');
SELECT seal.create_key('identity', comment => 'who the patient is and where to find him');
SELECT seal.create_key('clinical', comment => 'findings and remarks');

-- Nobody else has a right on these keys, the superuser included.
SELECT seal.grant_key(key, 'lab_app', '{seal,search,reveal}')
FROM unnest('{nir,identity,clinical}'::text[]) AS key;

CREATE SCHEMA lab;

CREATE TABLE lab.patient (
	id			bigint PRIMARY KEY,
	nir			sealed_text(nir) UNIQUE,
	family		sealed_text(identity),
	given		sealed_text(identity),
	sex			sealed_text(identity),
	born		sealed_date(identity),
	address		sealed_text(identity),
	postcode	sealed_text(identity),
	city		sealed_text(identity),
	phone		sealed_text(identity),
	email		sealed_text(identity),
	note		sealed_text(clinical));

CREATE TABLE lab.sample (
	id			bigint PRIMARY KEY,
	patient_id	bigint NOT NULL REFERENCES lab.patient,
	accession	text NOT NULL UNIQUE,
	collected	timestamptz,
	received	timestamptz,
	status		text);

CREATE TABLE lab.result (
	id			bigint PRIMARY KEY,
	sample_id	bigint NOT NULL REFERENCES lab.sample,
	code		text NOT NULL,			-- LOINC, or the laboratory's own
	value		sealed_numeric(clinical),
	value_text	sealed_text(clinical),
	unit		text,
	released	timestamptz);

CREATE TABLE lab.report (
	id			bigint PRIMARY KEY,
	sample_id	bigint NOT NULL REFERENCES lab.sample,
	text		sealed_text(clinical),
	status		text,
	issued		timestamptz);

CREATE INDEX ON lab.sample (patient_id);
CREATE INDEX ON lab.result (sample_id);
CREATE INDEX ON lab.report (sample_id);

-- The thief's control: plain columns, whose values the same search must find wherever a value
-- can come to lie: table, index, TOAST, statistics, write-ahead log, server log, dump.
CREATE TABLE lab.control_plain (
	id			bigint PRIMARY KEY,
	value		text UNIQUE,
	letter		text);
ALTER TABLE lab.control_plain ALTER COLUMN letter SET STORAGE EXTERNAL;

GRANT USAGE ON SCHEMA lab TO lab_app, lab_intern;
GRANT SELECT, INSERT, UPDATE ON lab.patient, lab.sample, lab.result, lab.report TO lab_app;
GRANT SELECT ON lab.patient, lab.sample, lab.result, lab.report TO lab_intern;
