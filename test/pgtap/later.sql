-- later: what PostgreSQL 17 and 18 added or do in another way asks for the same
-- rights.  A server that cannot MERGE BY SOURCE or return OLD skips that part.

SELECT no_plan();

CREATE ROLE later_app;
CREATE ROLE later_seeker;
CREATE ROLE later_nobody;
SELECT seal.create_key('nir', searchable => true) > 0 AS made \gset
DO $$ BEGIN
  PERFORM seal.grant_key('nir', 'postgres', '{seal,search,reveal}');
  PERFORM seal.grant_key('nir', 'later_app', '{seal,search,reveal}');
  PERFORM seal.grant_key('nir', 'later_seeker', '{search}');
END $$;
CREATE TABLE patient (id integer PRIMARY KEY, nir sealed_text(nir), ward text);
CREATE TABLE moved (nir text);
INSERT INTO patient VALUES (1, 'n1', 'north'), (2, 'n2', 'north'), (3, 'n2', 'south');
INSERT INTO moved VALUES ('n1'), ('n9');
SELECT seal.create_revealing_view('patient') IS NOT NULL AS made \gset
GRANT ALL ON patient, patient_revealed, moved TO later_app, later_seeker, later_nobody;
SELECT current_setting('server_version_num')::integer >= 170000 AS merges_by_source,
  current_setting('server_version_num')::integer >= 180000 AS returns_old \gset
\set denied '\'permission denied for key "nir"\''

\if :merges_by_source
-- MERGE: the condition is asked, and rows without a match are found by the whole row
PREPARE merge_it AS MERGE INTO moved m USING patient_revealed v ON v.nir = m.nir
  WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED BY SOURCE THEN DELETE;
PREPARE merge_view AS MERGE INTO patient_revealed v USING moved m ON v.nir = m.nir WHEN MATCHED THEN UPDATE SET ward = 'moved';
SET ROLE later_nobody;
SELECT throws_ok('merge_it', '42501', :denied, 'MERGE joins no false NULL');
SELECT throws_ok('merge_view', '42501', :denied, 'nor when it writes through the view');
SET ROLE later_app;
SELECT lives_ok('merge_it', 'MERGE joins by the value');
SELECT results_eq('SELECT nir FROM moved', $$ VALUES ('n1') $$, 'and deletes what has no match');
SELECT lives_ok('merge_view', 'MERGE into the view writes its plain columns');
SELECT results_eq('SELECT id FROM patient WHERE ward = ''moved''', 'VALUES (1)', 'of the rows that match');
RESET ROLE;
\endif

\if :returns_old
-- OLD and NEW in RETURNING: given out, so NULL without the right
PREPARE return_it AS UPDATE patient_revealed SET ward = 'west' WHERE id = 2 RETURNING old.nir, old.ward, new.nir, new.ward;
SET ROLE later_seeker;
SELECT results_eq('return_it', $$ VALUES (NULL::text, 'north', NULL::text, 'west') $$, 'OLD and NEW hide what may not be seen');
SET ROLE later_app;
SELECT results_eq('return_it', $$ VALUES ('n2', 'west', 'n2', 'west') $$, 'OLD and NEW show what may be seen');
RESET ROLE;
\endif

-- Groups: a Var of the grouping step from PostgreSQL 18 on
PREPARE shown_groups AS SELECT nir, count(*) FROM patient_revealed GROUP BY GROUPING SETS ((nir), ()) ORDER BY 2, 1;
PREPARE sealed_groups AS SELECT count(*) FROM patient GROUP BY CASE WHEN id > 1 THEN nir END HAVING CASE WHEN id > 1 THEN nir END = 'n2';
SET ROLE later_nobody;
SELECT throws_ok('shown_groups', '42501', :denied, 'no groups of false NULLs');
SET ROLE later_seeker;
SELECT results_eq('sealed_groups', 'VALUES (2::bigint)', 'the key of what is grouped by is known');
SET ROLE later_app;
SELECT results_eq('shown_groups', $$ VALUES ('n1', 1::bigint), ('n2', 2), (NULL, 3) $$, 'groups of what may be seen');
RESET ROLE;

SELECT * FROM finish();
