-- uncommented.sql: lists objects of the extension without COMMENT.  Indexes,
-- row types and the like are no members; sequences belong to their columns.
WITH member AS (
	SELECT classid, objid
	FROM pg_depend
	WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	  AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pgseal')
)
SELECT pg_describe_object(classid, objid, 0) AS uncommented
FROM member
WHERE obj_description(objid, classid::regclass::name) IS NULL
  AND NOT EXISTS (
	SELECT FROM pg_class
	WHERE classid = 'pg_class'::regclass AND oid = objid AND relkind = 'S')
UNION ALL
SELECT 'extension pgseal has no objects here'
WHERE NOT EXISTS (SELECT FROM member)
ORDER BY 1;
