-- access_roles: who may open whose values, role by role.
--
-- One table about patients, protected; keys identity and clinical.  The same five
-- questions are asked in every role: which rows it sees, what the revealing view
-- shows, what seal.reveal() opens, whether it finds a name, and whether it may write.
-- The login role is a superuser, whose own rights are asked too: it holds every verb,
-- of scope all, until the part about it.  Roles that log in themselves are in
-- test/tap/glass.pl.

SELECT no_plan();

CREATE ROLE clinic_owner;
CREATE ROLE clinic_app;
CREATE ROLE clinic_doctor;
CREATE ROLE clinic_ward;
CREATE ROLE clinic_nurse IN ROLE clinic_ward;
CREATE ROLE clinic_visitor NOINHERIT IN ROLE clinic_ward;
CREATE ROLE clinic_auditor;
CREATE ROLE clinic_stranger;
CREATE ROLE clinic_backup BYPASSRLS;

SELECT seal.create_key('identity', searchable => true) > 0 AND seal.create_key('clinical') > 0 AS made \gset
DO $$ BEGIN
  PERFORM seal.grant_key(k, r::regrole, '{seal,search,reveal}')
    FROM unnest('{identity,clinical}'::text[]) k, unnest('{postgres,clinic_app}'::text[]) r;
  PERFORM seal.grant_key(k, 'clinic_owner', '{seal}') FROM unnest('{identity,clinical}'::text[]) k;
  PERFORM seal.grant_key(k, r::regrole, '{seal,search,reveal}', 'admitted')
    FROM unnest('{identity,clinical}'::text[]) k, unnest('{clinic_doctor,clinic_ward}'::text[]) r;
  PERFORM seal.grant_key('audit', 'clinic_auditor', '{reveal}');
END $$;

CREATE TABLE patient (id bigint PRIMARY KEY, ward text, name sealed_text(identity), note sealed_text(clinical));
ALTER TABLE patient OWNER TO clinic_owner;
GRANT ALL ON patient TO PUBLIC;
SELECT seal.protect('patient', 'id', 'patient') IS NULL AS protected \gset
SELECT seal.create_revealing_view('patient') IS NOT NULL AS revealed \gset
GRANT ALL ON patient_revealed TO PUBLIC;
CREATE TABLE letter (id bigint PRIMARY KEY, body sealed_text(clinical));
GRANT ALL ON letter TO PUBLIC;
INSERT INTO letter VALUES (1, 'letter of nobody');
INSERT INTO patient SELECT i, 'north', 'name ' || i, 'note ' || i FROM generate_series(1, 9) i;

-- Prepared once, asked in every role: a plan keeps no right.
PREPARE rows_seen AS SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), '-') FROM patient;
PREPARE shown AS SELECT coalesce(string_agg(concat_ws('/', id, coalesce(name, '?'), coalesce(note, '?')), ', ' ORDER BY id), '-')
  FROM (SELECT id, name, note FROM patient_revealed WHERE id <= 4 OFFSET 0) AS v;
PREPARE opened(bigint) AS SELECT seal.reveal(note) FROM patient WHERE id = $1;
PREPARE found(text) AS SELECT id FROM patient WHERE name = $1;
PREPARE written(bigint) AS UPDATE patient SET note = 'changed' WHERE id = $1 RETURNING id;

\set denied_identity '''permission denied for key "identity"'''
\set denied_clinical '''permission denied for key "clinical"'''
\set not_admitted '''permission denied for key "clinical" and this subject'''

-- A role without any right ---------------------------------------------------

SET ROLE clinic_stranger;
SELECT results_eq('rows_seen', $$ VALUES ('-') $$, 'a role without a right sees no row');
SELECT is_empty('EXECUTE opened(1)', 'and so opens nothing');
SELECT throws_ok($$ EXECUTE found('name 1') $$, '42501', :denied_identity, 'it may not search');
SELECT throws_ok($$ INSERT INTO patient VALUES (10, 'north', 'x', NULL) $$, '42501', :denied_identity, 'nor write');

-- The application: scope all -------------------------------------------------

SET ROLE clinic_app;
SELECT results_eq('rows_seen', $$ VALUES ('1 2 3 4 5 6 7 8 9') $$, 'scope all sees every row');
SELECT results_eq('shown', $$ VALUES ('1/name 1/note 1, 2/name 2/note 2, 3/name 3/note 3, 4/name 4/note 4') $$, 'and every value');
SELECT results_eq('EXECUTE opened(3)', $$ VALUES ('note 3') $$, 'opens any');
SELECT results_eq($$ EXECUTE found('name 3') $$, 'VALUES (3::bigint)', 'finds any');
SELECT results_eq('EXECUTE written(9)', 'VALUES (9::bigint)', 'writes any');
SELECT ok(seal.sees_all('patient'), 'seal.sees_all() says so');
SELECT is(seal.admitted('patient', NULL::bigint), '{}'::bigint[], 'it is admitted to nobody, and need not be');

-- The owner of the table: row security does not apply to him, the gate does ------

SET ROLE clinic_owner;
SELECT results_eq('rows_seen', $$ VALUES ('1 2 3 4 5 6 7 8 9') $$, 'the owner sees every row');
SELECT throws_ok('EXECUTE opened(3)', '42501', :denied_clinical, 'and opens none');
SELECT throws_ok($$ EXECUTE found('name 3') $$, '42501', :denied_identity, 'nor finds any');

-- A backup role: all rows, no value ---------------------------------------------

SET ROLE clinic_backup;
SELECT results_eq('rows_seen', $$ VALUES ('1 2 3 4 5 6 7 8 9') $$, 'a backup role sees every row');
SELECT results_eq('shown', $$ VALUES ('1/?/?, 2/?/?, 3/?/?, 4/?/?') $$, 'sealed');
SELECT throws_ok('EXECUTE opened(3)', '42501', :denied_clinical, 'and opens none');

-- A doctor: scope admitted, admitted to nobody ------------------------------------

SET ROLE clinic_doctor;
SELECT results_eq('rows_seen', $$ VALUES ('-') $$, 'a doctor who is admitted to nobody sees no row');
SELECT ok(NOT seal.sees_all('patient'), 'not even by a right to some');
SELECT is_empty('EXECUTE opened(1)', 'opens nothing');
SELECT is_empty($$ EXECUTE found('name 1') $$, 'finds nothing');
SELECT throws_ok($$ INSERT INTO patient VALUES (10, 'north', 'x', NULL) $$, '42501', NULL, 'makes no patient');

-- Admitted ------------------------------------------------------------------------

RESET ROLE;
DO $$ BEGIN
  PERFORM seal.admit('patient', i::text, 'clinic_doctor', 'TREAT', 'infinity') FROM generate_series(2, 3) i;
  PERFORM seal.admit('patient', '3', 'clinic_ward', 'TREAT', now() + '1 hour');
END $$;
SET ROLE clinic_doctor;
SELECT results_eq('rows_seen', $$ VALUES ('2 3') $$, 'an admitted doctor sees the rows of his patients');
SELECT results_eq('shown', $$ VALUES ('2/name 2/note 2, 3/name 3/note 3') $$, 'and what is in them');
SELECT results_eq('EXECUTE opened(3)', $$ VALUES ('note 3') $$, 'opens it');
SELECT is_empty('EXECUTE opened(4)', 'of nobody else');
SELECT results_eq($$ EXECUTE found('name 3') $$, 'VALUES (3::bigint)', 'finds them');
SELECT is_empty($$ EXECUTE found('name 4') $$, 'and nobody else');
SELECT results_eq('EXECUTE written(3)', 'VALUES (3::bigint)', 'writes about them');
SELECT is_empty('EXECUTE written(4)', 'and about nobody else');
SELECT results_eq($$ SELECT unnest(seal.admitted('patient', NULL::bigint)) ORDER BY 1 $$, '{2,3}'::bigint[], 'seal.admitted() lists them');

-- A value of nobody does not become that of somebody he is admitted to --------------

SELECT throws_ok('SELECT seal.reveal(body) FROM letter', '42501', :denied_clinical, 'a value of nobody needs scope all');
SELECT throws_ok('UPDATE patient SET note = (SELECT body FROM letter) WHERE id = 3', '42501', :denied_clinical, 'also to be made that of a patient');
SELECT body AS envelope FROM letter \gset
PREPARE pasted(text) AS UPDATE patient SET note = $1::sealed_text WHERE id = 3;
SELECT throws_ok(format('EXECUTE pasted(%L)', :'envelope'), '42501', :denied_clinical, 'also pasted');
SELECT throws_ok($$ WITH moved AS (DELETE FROM letter RETURNING body) UPDATE patient SET note = body FROM moved WHERE patient.id = 3 $$,
  '42501', :denied_clinical, 'also taken out of its table by the same statement');
SELECT results_eq('EXECUTE opened(3)', $$ VALUES ('changed') $$, 'and is not');
BEGIN;
INSERT INTO letter VALUES (2, 'letter of today');
UPDATE patient SET note = (SELECT body FROM letter WHERE id = 2) WHERE id = 3;
SELECT results_eq('EXECUTE opened(3)', $$ VALUES ('letter of today') $$, 'what he sealed in the same transaction does');
ROLLBACK;
SELECT results_eq($$ SELECT unnest(seal.admitted('patient', NULL::text)) ORDER BY 1 $$, '{2,3}'::text[], 'in any type a subject column has');
SELECT is(seal.admitted('employee', NULL::bigint), '{}'::bigint[], 'of their type alone');
SELECT throws_ok($$ SELECT seal.admitted('patient', NULL::date) $$, '42804', 'a subject has no id of type date', 'a subject column has no other type');
SELECT throws_ok($$ SELECT seal.admitted(NULL, NULL::bigint) $$, '22004', NULL, 'and a type has a name');

-- The gate asks again: a copy of the table has no row security
RESET ROLE;
CREATE TABLE stolen AS SELECT * FROM patient;
GRANT SELECT ON stolen TO PUBLIC;
SET ROLE clinic_doctor;
SELECT results_eq('SELECT count(*) FROM stolen', 'VALUES (9::bigint)', 'a copy shows every row');
SELECT results_eq('SELECT seal.reveal(note) FROM stolen WHERE id = 2', $$ VALUES ('note 2') $$, 'opens for whom one is admitted to');
SELECT throws_ok('SELECT seal.reveal(note) FROM stolen WHERE id = 4', '42501', :not_admitted, 'and for nobody else');
SELECT results_eq('SELECT count(seal.show(note)) FROM stolen', 'VALUES (2::bigint)', 'seal.show() neither');
SELECT throws_ok('SELECT note::text FROM stolen WHERE id = 4', '42501', :not_admitted, 'nor a cast');

-- Nor is it switched off with the table's
RESET ROLE;
ALTER TABLE patient DISABLE ROW LEVEL SECURITY;
SET ROLE clinic_doctor;
SELECT throws_ok('EXECUTE opened(4)', '42501', :not_admitted, 'without row security nothing more opens');
SELECT throws_ok('EXECUTE written(4)', '42501', :not_admitted, 'and nothing more is written');
SELECT results_eq('EXECUTE written(3)', 'VALUES (3::bigint)', 'than about one''s patients');
RESET ROLE;
ALTER TABLE patient ENABLE ROW LEVEL SECURITY;

-- Members of an admitted role
SET ROLE clinic_nurse;
SELECT results_eq('rows_seen', $$ VALUES ('3') $$, 'an admission reaches members');
SELECT results_eq('EXECUTE opened(3)', $$ VALUES ('changed') $$, 'as rights do');
SET ROLE clinic_visitor;
SELECT results_eq('rows_seen', $$ VALUES ('-') $$, 'and not those who do not inherit');

-- Dismissed -------------------------------------------------------------------------

RESET ROLE;
SELECT is(seal.dismiss('patient', '3', 'clinic_doctor'), 1, 'an administrator dismisses');
SELECT is(seal.dismiss('patient', '3', 'clinic_doctor'), 0, 'once');
SET ROLE clinic_doctor;
SELECT results_eq('rows_seen', $$ VALUES ('2') $$, 'effective at the next statement, in prepared ones too');
SELECT is_empty('EXECUTE opened(3)', 'what was seen is not seen');
SELECT throws_ok('SELECT seal.reveal(note) FROM stolen WHERE id = 3', '42501', :not_admitted, 'nor opened elsewhere');
SET ROLE clinic_nurse;
SELECT results_eq('rows_seen', $$ VALUES ('3') $$, 'another role''s admission stays');

-- Time passes without a job
RESET ROLE;
DO $$ BEGIN PERFORM seal.admit('patient', '5', 'clinic_doctor', 'TREAT', clock_timestamp() + '0.7 second'); END $$;
SET ROLE clinic_doctor;
SELECT results_eq('rows_seen', $$ VALUES ('2 5') $$, 'before its end an admission counts');
SELECT pg_sleep(0.8);
SELECT results_eq('rows_seen', $$ VALUES ('2') $$, 'and then it does not');
SELECT throws_ok('SELECT seal.reveal(note) FROM stolen WHERE id = 5', '42501', :not_admitted, 'at the gate neither');

-- Breaking the glass ------------------------------------------------------------------

SELECT throws_ok($$ SELECT seal.break_glass('patient', '6', $$ || rest, sqlstate, NULL, why) FROM (VALUES
  ($$ NULL, '1 hour') $$, '22004', 'a reason is given'),
  ($$ '', '1 hour') $$, '22023', 'one that says something'),
  ($$ E' \n\t', '1 hour') $$, '22023', 'more than blanks'),
  ($$ 'collapsed', NULL) $$, '22004', 'a duration is given'),
  ($$ 'collapsed', '0') $$, '22023', 'one that lasts'),
  ($$ 'collapsed', '-1 hour') $$, '22023', 'forward'),
  ($$ 'collapsed', '4 hours 1 second') $$, '22023', 'up to seal.break_glass_max')) AS bad(rest, sqlstate, why);
SELECT throws_ok($$ SELECT seal.break_glass('patient', '66', 'collapsed', '1 hour') $$, '42704', 'no subject of type "patient" has this id',
  'for a patient there is');
SELECT throws_ok($$ SELECT seal.break_glass('employee', '6', 'collapsed', '1 hour') $$, '42704',
  'no protected table has subjects of type "employee"', 'of a type there is');
BEGIN;
SELECT lives_ok($$ SELECT seal.break_glass('patient', '6', 'collapsed', '1 hour') $$, 'any doctor may');
SELECT results_eq('rows_seen', $$ VALUES ('2') $$, 'but nothing opens before everybody can hear of it');
ROLLBACK;
SELECT results_eq('rows_seen', $$ VALUES ('2') $$, 'nor when it is taken back');
SELECT ok(seal.break_glass('patient', '6', 'collapsed', '4 hours') > now(), 'committed');
SELECT results_eq('rows_seen', $$ VALUES ('2 6') $$, 'it counts at once');
SELECT results_eq('EXECUTE opened(6)', $$ VALUES ('note 6') $$, 'and opens');
SET ROLE clinic_nurse;
SELECT results_eq('rows_seen', $$ VALUES ('3') $$, 'for who broke it alone');
SET ROLE clinic_app;
SELECT throws_ok($$ SELECT seal.break_glass('patient', '6', 'curious', '1 hour') $$, '42501', 'permission denied to break the glass',
  'who has no right of scope admitted breaks none');
SET ROLE clinic_stranger;
SELECT throws_ok($$ SELECT seal.break_glass('patient', '6', 'curious', '1 hour') $$, '42501', 'permission denied to break the glass',
  'who has no right at all neither');
RESET ROLE;
SELECT throws_ok($$ SELECT seal.break_glass('patient', '6', 'curious', '1 hour') $$, '42501', 'permission denied to break the glass',
  'nor a superuser');

-- The auditor: reads about it, signs it off, opens no value -----------------------------

SELECT is(concat_ws(' ', subject_type, role, broken_by, state, signed_off_at), 'patient clinic_doctor postgres valid', 'a broken glass is in the list')
  FROM seal.break_glass_review;
SELECT ok(bool_and(reason LIKE 'seal1:%'), 'its reason is sealed') FROM seal.break_glass_review;
SELECT admission FROM seal.break_glass_review \gset
SELECT throws_ok(format('SELECT seal.sign_off(%s)', :admission), '42501', 'who broke the glass cannot sign it off', 'who broke it does not sign it off');
SET ROLE clinic_auditor;
SELECT throws_ok(format('SELECT seal.sign_off(%s)', :admission), '42501', 'permission denied for function seal.sign_off',
  'in a superuser''s session his own right is asked too');
SELECT results_eq('rows_seen', $$ VALUES ('-') $$, 'an auditor sees no row');
RESET ROLE;
DO $$ BEGIN PERFORM seal.grant_key('audit', 'postgres', '{reveal}'); END $$;
SET ROLE clinic_auditor;
SELECT throws_ok(format('SELECT seal.sign_off(%s)', :admission), '42501', 'who broke the glass cannot sign it off', 'nor does SET ROLE help');
RESET ROLE;
GRANT SELECT ON seal.break_glass_review TO clinic_auditor;
SET ROLE clinic_auditor;
SELECT results_eq('SELECT seal.reveal(reason::sealed_text) FROM seal.break_glass_review', $$ VALUES ('collapsed') $$, 'an auditor reads the reason');
SELECT throws_ok('SELECT seal.sign_off(1)', '42704', NULL, 'there is none of another number');
SELECT throws_ok('SELECT seal.sign_off(NULL)', '22004', NULL, 'or without one');

-- Bad input for admissions ------------------------------------------------------------------

RESET ROLE;
SELECT throws_ok('SELECT seal.admit(' || arguments || ')', sqlstate, NULL, why) FROM (VALUES
  ($$ NULL, '2', 'clinic_doctor', 'TREAT', 'infinity' $$, '22004', 'a type is given'),
  ($$ 'patient', NULL, 'clinic_doctor', 'TREAT', 'infinity' $$, '22004', 'a subject is given'),
  ($$ 'patient', '2', NULL, 'TREAT', 'infinity' $$, '22004', 'a role is given'),
  ($$ 'patient', '2', 'clinic_doctor', NULL, 'infinity' $$, '22004', 'a purpose is given'),
  ($$ 'patient', '2', 'clinic_doctor', 'TREAT', NULL $$, '22004', 'an end is given'),
  ($$ 'patient', '2', 'clinic_doctor', 'CURIOSITY', 'infinity' $$, '22023', 'a purpose is a code'),
  ($$ 'patient', '2', 'clinic_doctor', 'TREAT', now() $$, '22023', 'an end is to come'),
  ($$ 'patient', '2', 'clinic_doctor', 'TREAT', '-infinity' $$, '22023', 'it is not before all time'),
  ($$ 'patient', '2', 0::oid::regrole, 'TREAT', 'infinity' $$, '42704', 'a role is there'),
  ($$ 'employee', '2', 'clinic_doctor', 'TREAT', 'infinity' $$, '42704', 'a type is there'),
  ($$ 'patient', '', 'clinic_doctor', 'TREAT', 'infinity' $$, '22023', 'a subject has a name'),
  ($$ 'patient', '66', 'clinic_doctor', 'TREAT', 'infinity' $$, '42704', 'a subject is there')) AS bad(arguments, sqlstate, why);
SELECT throws_ok($$ DROP ROLE clinic_doctor $$, '2BP01', 'role "clinic_doctor" cannot be dropped because it is admitted to subjects',
  'a role that is admitted is not dropped');

-- A role is renamed
ALTER ROLE clinic_doctor RENAME TO clinic_physician;
SET ROLE clinic_physician;
SELECT results_eq('rows_seen', $$ VALUES ('2 6') $$, 'admissions go with a role to its new name');
SELECT results_eq('EXECUTE opened(6)', $$ VALUES ('note 6') $$, 'with its rights');
RESET ROLE;
ALTER ROLE clinic_physician RENAME TO clinic_doctor;

-- By hand: a row that pgseal did not write gives nothing -------------------------------------------

UPDATE seal.admission SET until = 'infinity' WHERE until < now();
UPDATE seal.admission SET dismissed_at = NULL WHERE dismissed_at IS NOT NULL;
UPDATE seal.admission SET role = 'clinic_doctor', role_oid = 'clinic_doctor'::regrole, role_name = 'clinic_doctor' WHERE role = 'clinic_ward'::regrole;
INSERT INTO seal.admission SELECT 77, s.number, a.subject_type, a.role, a.role_oid, a.role_name, a.purpose, a.granted_by, a.granted_by_oid, a.granted_at,
    a.until, NULL, false, NULL, NULL, NULL, NULL, a.key_version, a.mac
  FROM seal.admission a, seal.subject s WHERE a.break_glass LIMIT 1;
SET ROLE clinic_doctor;
SELECT results_eq('rows_seen', $$ VALUES ('2 6') $$, 'an end moved, a dismissal taken back, another role, another subject: none gives a row');
SELECT throws_ok('SELECT seal.reveal(note) FROM stolen WHERE id = 3', '42501', :not_admitted, 'or a value');
RESET ROLE;
SELECT is(count(*), 4::bigint, 'seal.admissions shows them') FROM seal.admissions WHERE state = 'not valid';

-- The superuser ---------------------------------------------------------------------------------------

SELECT results_eq('rows_seen', $$ VALUES ('1 2 3 4 5 6 7 8 9') $$, 'a superuser sees every row');
DO $$ BEGIN
  PERFORM seal.revoke_key(k, 'postgres') FROM unnest('{identity,clinical}'::text[]) k;
END $$;
SELECT results_eq('rows_seen', $$ VALUES ('1 2 3 4 5 6 7 8 9') $$, 'without a grant too');
SELECT throws_ok('EXECUTE opened(2)', '42501', :denied_clinical, 'and opens none');
SELECT results_eq('shown', $$ VALUES ('1/?/?, 2/?/?, 3/?/?, 4/?/?') $$, 'nor is he shown any');
SET ROLE clinic_doctor;
SELECT throws_ok('EXECUTE opened(2)', '42501', :denied_clinical, 'SET ROLE to an admitted doctor gains nothing');
SET ROLE clinic_app;
SELECT results_eq('rows_seen', $$ VALUES ('-') $$, 'nor to the application');
RESET ROLE;
SET SESSION AUTHORIZATION clinic_doctor;
SELECT throws_ok('EXECUTE opened(2)', '42501', :denied_clinical, 'nor SET SESSION AUTHORIZATION');
RESET SESSION AUTHORIZATION;
DO $$ BEGIN
  PERFORM seal.grant_key(k, 'postgres', '{reveal}', 'admitted') FROM unnest('{identity,clinical}'::text[]) k;
END $$;
SET ROLE clinic_doctor;
SELECT throws_ok('EXECUTE opened(2)', '42501', :not_admitted, 'with scope admitted he must be admitted himself');
RESET ROLE;
DO $$ BEGIN PERFORM seal.admit('patient', '2', 'postgres', 'HSYSADMIN', now() + '1 hour'); END $$;
SET ROLE clinic_doctor;
SELECT results_eq('EXECUTE opened(2)', $$ VALUES ('note 2') $$, 'and then opens what both may');
SELECT throws_ok('EXECUTE opened(6)', '42501', :not_admitted, 'and no more');
RESET ROLE;

-- What everybody can ask about himself, and nobody about others ------------------------------------------

SELECT table_privs_are('seal', t, 'clinic_app', '{}', format('seal.%s is closed to applications', t))
  FROM unnest('{admission,admissions,break_glass_review,subject}'::name[]) t;
SELECT function_privs_are('seal', 'access_report', '{text,text}', 'clinic_app', '{}', 'who saw a patient is told to those with EXECUTE');

SELECT * FROM finish();
