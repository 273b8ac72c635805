-- public_functions.sql: compares the functions that PUBLIC may execute and that
-- are C or SECURITY DEFINER with public_functions.txt, which names the intended
-- ones: a forgotten REVOKE breaks the build.
--
-- Functions behind a type, cast, operator or operator class need no line there:
-- whoever may use the type may call them.  Unless they are SECURITY DEFINER.
\set intended `grep -v '^#' test/lint/public_functions.txt`
WITH callable AS (
	SELECT p.oid, p.prosecdef, p.pronamespace::regnamespace || '.' || p.proname AS name
	FROM pg_proc p
	JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
		AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'pgseal'
	JOIN pg_language l ON l.oid = p.prolang
	WHERE (l.lanname IN ('c', 'internal') OR p.prosecdef)
	  AND has_function_privilege('public', p.oid, 'EXECUTE')
),
support AS (
	SELECT unnest(ARRAY[typinput, typoutput, typreceive, typsend, typmodin, typmodout, typanalyze]) AS oid FROM pg_type
	UNION SELECT castfunc FROM pg_cast
	UNION SELECT unnest(ARRAY[oprcode, oprrest, oprjoin]) FROM pg_operator
	UNION SELECT amproc FROM pg_amproc
),
found AS (
	SELECT name, string_agg(oid::regprocedure::text, ', ' ORDER BY oid) AS functions
	FROM callable
	WHERE prosecdef OR oid NOT IN (SELECT oid FROM support)
	GROUP BY name
),
intended AS (
	SELECT name FROM regexp_split_to_table(:'intended', '\s+') AS name WHERE name <> ''
)
SELECT CASE WHEN intended.name IS NULL
			THEN 'PUBLIC may execute ' || functions
			ELSE 'PUBLIC may not execute, or there is no C or SECURITY DEFINER function ' || intended.name END
FROM found FULL JOIN intended USING (name)
WHERE found.name IS NULL OR intended.name IS NULL
ORDER BY 1;
