-- surface: everything the extension installs.  A new object, or one that goes, shows
-- here; so does one without a comment, and one that everybody may call.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgseal;
RESET client_min_messages;
CREATE TEMPORARY VIEW member AS
  SELECT classid, objid FROM pg_depend
  WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pgseal')
    -- row and array types are members since PostgreSQL 17
    AND NOT (classid = 'pg_type'::regclass AND EXISTS (SELECT FROM pg_type t WHERE t.oid = objid AND (typrelid <> 0 OR typelem <> 0)));

SELECT classid::regclass AS catalog, count(*) FROM member GROUP BY classid ORDER BY classid::regclass::text COLLATE "C";

-- types, in pg_catalog
SELECT string_agg(objid::regtype::text, ' ' ORDER BY objid::regtype::text COLLATE "C") AS types, typnamespace::regnamespace AS schema
  FROM member JOIN pg_type ON pg_type.oid = objid WHERE classid = 'pg_type'::regclass AND typelem = 0 AND typrelid = 0 GROUP BY typnamespace;

-- functions, by name
SELECT regexp_replace(proname, '^sealed_(text|bytea|bool|int|float8|numeric|date|timestamptz|uuid|jsonb)(_|$)', 'sealed_*\2') AS name,
    count(*) AS overloads, string_agg(DISTINCT pronamespace::regnamespace::text, ' ') AS schema,
    string_agg(DISTINCT provolatile::text, '') AS volatility, string_agg(DISTINCT proparallel::text, '') AS parallel,
    bool_and(proisstrict) AS strict, bool_and(proleakproof) AS leakproof
  FROM member JOIN pg_proc ON pg_proc.oid = objid WHERE classid = 'pg_proc'::regclass
  GROUP BY 1 ORDER BY 1;

-- operators, by name
SELECT oprname AS name, oprnamespace::regnamespace AS schema, count(*)
  FROM member JOIN pg_operator ON pg_operator.oid = objid WHERE classid = 'pg_operator'::regclass
  GROUP BY oprname, oprnamespace ORDER BY oprname COLLATE "C";

-- tables and views, with their columns; a dump takes the tables along, with all rows
SELECT objid::regclass AS name, relkind AS kind, string_agg(attname, ' ' ORDER BY attnum) AS columns, objid = ANY (extconfig) AS dumped
  FROM member JOIN pg_class ON pg_class.oid = objid JOIN pg_attribute ON attrelid = objid AND attnum > 0 AND NOT attisdropped, pg_extension
  WHERE classid = 'pg_class'::regclass AND extname = 'pgseal'
  GROUP BY objid, relkind, extconfig ORDER BY relkind, objid::regclass::text COLLATE "C";
SELECT extcondition FROM pg_extension WHERE extname = 'pgseal';
SELECT tgrelid::regclass AS table, tgname AS trigger, tgenabled = 'A' AS always
  FROM pg_trigger WHERE NOT tgisinternal AND tgrelid IN (SELECT objid FROM member) ORDER BY tgrelid::regclass::text COLLATE "C";

-- no comment
SELECT pg_describe_object(classid, objid, 0) AS uncommented FROM member
  WHERE obj_description(objid, classid::regclass::name) IS NULL ORDER BY 1;

-- what everybody may do: call these, read these
SELECT string_agg(DISTINCT proname, ' ' ORDER BY proname) AS "PUBLIC may execute"
  FROM member JOIN pg_proc ON pg_proc.oid = objid
  WHERE classid = 'pg_proc'::regclass AND has_function_privilege('public', objid, 'EXECUTE') AND proname !~ '^(sealed_|reveal_)';
SELECT count(*) AS "PUBLIC may not execute" FROM member WHERE classid = 'pg_proc'::regclass AND NOT has_function_privilege('public', objid, 'EXECUTE');
SELECT objid::regclass AS name, string_agg(privilege, ' ' ORDER BY privilege) AS "PUBLIC may"
  FROM member, unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS privilege
  WHERE classid = 'pg_class'::regclass AND has_table_privilege('public', objid, privilege) GROUP BY objid ORDER BY objid::regclass::text COLLATE "C";
SELECT has_schema_privilege('public', 'seal', 'USAGE') AS t, has_schema_privilege('public', 'seal', 'CREATE') AS f;
-- none runs with the rights of its owner; all are in C
SELECT objid::regprocedure AS "security definer" FROM member JOIN pg_proc ON pg_proc.oid = objid WHERE classid = 'pg_proc'::regclass AND prosecdef;
SELECT lanname AS language, count(*) FROM member JOIN pg_proc ON pg_proc.oid = objid JOIN pg_language l ON l.oid = prolang WHERE classid = 'pg_proc'::regclass GROUP BY lanname;
