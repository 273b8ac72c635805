-- types_compare: equality of sealed values of one searchable key, through every
-- plan that compares, groups, joins or indexes.  A column t must be true, a column f false.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgseal;
RESET client_min_messages;
CREATE ROLE regress_compare_app;
SELECT count(seal.create_key(k, searchable => true)) FROM unnest('{compare_key,compare_other}'::text[]) k;
SELECT seal.create_key('compare_note') > 0 AS t;
-- The login role of pg_regress is a superuser, whose own rights count too: they are granted like anybody's.
SELECT count(seal.grant_key(k, r, '{seal,search,reveal}'))
  FROM unnest('{compare_key,compare_other,compare_note}'::text[]) k, unnest(ARRAY['regress_compare_app', current_user::regrole]) r;
CREATE SCHEMA types_compare AUTHORIZATION regress_compare_app;
SET search_path = types_compare;

-- ---------------------------------------------------------------------------
-- Operators and their classes
-- ---------------------------------------------------------------------------

SELECT amname, count(*), bool_and(amvalidate(c.oid)) AS t, bool_and(opcdefault) AS t, bool_and(opcname = typname || '_ops') AS t
  FROM pg_opclass c JOIN pg_am ON pg_am.oid = opcmethod JOIN pg_type t ON t.oid = opcintype
  WHERE typname LIKE 'sealed\_%' GROUP BY amname ORDER BY amname;
SELECT nspname AS schema, oprname AS operator, count(*), count(*) FILTER (WHERE oprleft = oprright) AS same_type,
    count(*) FILTER (WHERE oprcanmerge) AS merges, count(*) FILTER (WHERE oprcanhash) AS hashes
  FROM pg_operator o JOIN pg_namespace n ON n.oid = oprnamespace
  WHERE format_type(oprleft, NULL) LIKE 'sealed\_%' OR format_type(oprright, NULL) LIKE 'sealed\_%' GROUP BY nspname, oprname ORDER BY nspname, oprname COLLATE "C";
-- what a sealed value can be compared with, besides its own type; both ways round
SELECT replace(oprleft::regtype::text, 'sealed_', '') AS sealed, string_agg(oprright::regtype::text, ', ' ORDER BY oprright::regtype::text COLLATE "C") AS plain
  FROM pg_operator WHERE oprname = '=' AND oprleft::regtype::text LIKE 'sealed\_%' AND oprleft <> oprright GROUP BY oprleft ORDER BY oprleft::regtype::text COLLATE "C";
SELECT count(*) FROM pg_operator o JOIN pg_operator c ON c.oid = o.oprcom AND c.oprcom = o.oid JOIN pg_operator n ON n.oid = o.oprnegate AND n.oprnegate = o.oid
  WHERE o.oprname IN ('=', '<>') AND o.oprleft::regtype::text LIKE 'sealed\_%' AND c.oprleft = o.oprright AND n.oprleft = o.oprleft;
-- leakproof, so that they may run below row security; no equal-image function, so an index keeps every envelope
SELECT bool_and(proleakproof) AS t, bool_and(provolatile = 'i') AS t FROM pg_proc JOIN pg_operator o ON oprcode = pg_proc.oid
  WHERE oprleft::regtype::text LIKE 'sealed\_%' OR oprright::regtype::text LIKE 'sealed\_%';
SELECT count(*) FROM pg_amproc JOIN pg_opfamily f ON f.oid = amprocfamily WHERE amproclefttype::regtype::text LIKE 'sealed\_%' AND amprocnum = 4;

SET SESSION AUTHORIZATION regress_compare_app;
SET timezone = 'UTC';

-- ---------------------------------------------------------------------------
-- Equal where core says equal
-- ---------------------------------------------------------------------------

CREATE TABLE a (
  id text, text sealed_text(compare_key), bytea sealed_bytea(compare_key), bool sealed_bool(compare_key), int8 sealed_int(compare_key), float8 sealed_float8(compare_key),
  "numeric" sealed_numeric(compare_key), date sealed_date(compare_key), timestamptz sealed_timestamptz(compare_key), uuid sealed_uuid(compare_key), jsonb sealed_jsonb(compare_key));
CREATE TABLE b (LIKE a);
CREATE TABLE pairs (type text, a text, b text);
INSERT INTO pairs VALUES
  ('text', 'Dupont', 'Dupont'), ('text', 'Dupont', 'dupont'), ('text', 'a', 'a '), ('text', '', ''), ('text', U&'\00e9', U&'e\0301'), ('text', repeat('a', 3000), repeat('a', 3000)),
  ('bytea', '\x00', '\000'), ('bytea', '\x00', '\x0000'), ('bytea', '\x', '\x'),
  ('bool', 'yes', 't'), ('bool', 'f', 't'),
  ('int8', '007', '7'), ('int8', '-7', '7'), ('int8', '-0', '0'), ('int8', '9223372036854775807', '-9223372036854775808'),
  ('float8', '1e2', '100'), ('float8', '-0', '0'), ('float8', 'NaN', 'nan'), ('float8', 'inf', 'Infinity'), ('float8', '-inf', 'inf'), ('float8', '0.1', '0.10000000000000002'), ('float8', 'NaN', '0'),
  ('numeric', '1.0', '1.00'), ('numeric', '0', '-0.000'), ('numeric', '1e3', '1000'), ('numeric', 'NaN', 'NaN'), ('numeric', 'inf', 'Infinity'), ('numeric', 'inf', '-inf'),
  ('numeric', '1.00000000000000000001', '1'), ('numeric', '12300000000000000000000', '1.23e22'), ('numeric', '10', '1'),
  ('date', '1984-12-03', '3 Dec 1984'), ('date', 'infinity', 'infinity'), ('date', '-infinity', 'infinity'), ('date', '0044-03-15 BC', '0044-03-15'),
  ('timestamptz', '2021-02-14 08:30:00+01', '2021-02-14 07:30:00Z'), ('timestamptz', 'infinity', 'infinity'), ('timestamptz', '2021-02-14 08:30:00.000001Z', '2021-02-14 08:30:00Z'),
  ('uuid', '6BA7B8109DAD11D180B400C04FD430C8', '{6ba7b810-9dad-11d1-80b4-00c04fd430c8}'), ('uuid', '6ba7b810-9dad-11d1-80b4-00c04fd430c8', '6ba7b810-9dad-11d1-80b4-00c04fd430c9'),
  ('jsonb', '{"a": 1, "bb": [true, null]}', '{"bb":[true,null],"a":1}'), ('jsonb', '{"a": 1.0}', '{"a": 1.00}'), ('jsonb', '{"a": 1, "a": 2}', '{"a": 2}'), ('jsonb', '[1, 2]', '[2, 1]'),
  ('jsonb', '"1"', '1'), ('jsonb', '1', '[1]'), ('jsonb', 'null', '{}'), ('jsonb', '[[1], 2]', '[[1, 2]]'), ('jsonb', '"\u00e9"', '"é"'), ('jsonb', '["a", "b"]', '["a\", \"b"]'),
  ('jsonb', '{"a": {"b": -0.0}}', '{"a": {"b": 0}}'), ('jsonb', '1e2', '100.00');

-- Two stored values, and a stored one with a literal and with a value of the plain type.
-- consistent: all of these, their negations and their hashes agree; core: the plain type does, too.
CREATE FUNCTION compare(type text, x text, y text, OUT equal boolean, OUT consistent boolean, OUT core boolean) LANGUAGE plpgsql AS $$
BEGIN
  TRUNCATE a, b;
  EXECUTE format('INSERT INTO a (%I) VALUES (%L)', type, x);
  EXECUTE format('INSERT INTO b (%I) VALUES (%L)', type, y);
  EXECUTE format('SELECT a.%1$I = b.%1$I, %2$L::%1$I = %3$L::%1$I,
      array[b.%1$I = a.%1$I, NOT (a.%1$I <> b.%1$I), a.%1$I = %3$L, %3$L = a.%1$I, NOT (a.%1$I <> %3$L), a.%1$I = %3$L::%1$I, %3$L::%1$I = a.%1$I,
        a.%1$I = ANY (ARRAY[%3$L]::%1$I[]), a.%1$I IN (%3$L, %3$L), b.%1$I IS NOT NULL AND a.%1$I IS NOT DISTINCT FROM b.%1$I,
        seal.sealed_hash(a.%1$I) = seal.sealed_hash(b.%1$I), seal.sealed_hash_extended(a.%1$I, 42) = seal.sealed_hash_extended(b.%1$I, 42),
        seal.sealed_cmp(a.%1$I, b.%1$I) = 0, sign(seal.sealed_cmp(a.%1$I, b.%1$I)) = - sign(seal.sealed_cmp(b.%1$I, a.%1$I)) AND a.%1$I = b.%1$I]
      = array_fill(a.%1$I = b.%1$I, array[14]) FROM a, b', type, x, y) INTO STRICT equal, core, consistent;
  core := core IS NOT DISTINCT FROM equal;
END $$;
SELECT p.type, CASE WHEN length(p.a) > 100 THEN 'long' ELSE p.a END AS a, CASE WHEN length(p.b) > 100 THEN 'long' ELSE p.b END AS b, c.equal, c.consistent AS t, c.core AS t
  FROM pairs p, LATERAL compare(p.type, p.a, p.b) AS c;

SELECT count(*) AS rows, count(a.text = NULL) AS unknown, count(*) FILTER (WHERE a.text IS DISTINCT FROM NULL) AS different FROM a;
-- with values of other types, as core compares them: no rounding makes two values equal
CREATE TABLE mixed (type text, a text, other text, b text);
INSERT INTO mixed VALUES
  ('int8', '7', 'int2', '7'), ('int8', '7', 'int4', '8'), ('int8', '7', 'numeric', '7.00'), ('int8', '7', 'numeric', '7.5'), ('int8', '7', 'numeric', '1e30'), ('int8', '7', 'float8', '7'), ('int8', '7', 'float8', '7.5'), ('int8', '7', 'float8', 'NaN'),
  ('float8', '7', 'int4', '7'), ('float8', '0.5', 'numeric', '0.50'), ('float8', '0.5', 'float4', '0.5'),
  ('numeric', '7.00', 'int8', '7'), ('numeric', '7.5', 'float8', '7.5'), ('numeric', '7.5', 'float4', '7.5'), ('numeric', '0.1', 'float8', '0.2'), ('numeric', 'NaN', 'float8', 'NaN'),
  ('date', '1984-12-03', 'timestamp', '1984-12-03 00:00'), ('date', '1984-12-03', 'timestamp', '1984-12-03 00:01'), ('date', '1984-12-03', 'timestamptz', '1984-12-03 00:00Z'), ('date', '1984-12-03', 'timestamptz', '1984-12-03 00:00+01'), ('date', 'infinity', 'timestamp', 'infinity'),
  ('timestamptz', '2021-02-14 00:00Z', 'date', '2021-02-14'), ('timestamptz', '2021-02-14 08:30Z', 'timestamp', '2021-02-14 08:30'),
  ('text', 'lab', 'name', 'lab'), ('text', 'lab', 'varchar', 'lab'), ('text', 'lab', 'char(5)', 'lab'),
  ('jsonb', '{"a": 1}', 'json', '{"a":1.0}');
CREATE FUNCTION compare_mixed(type text, x text, other text, y text, OUT equal boolean, OUT consistent boolean, OUT core boolean) LANGUAGE plpgsql AS $$
BEGIN
  TRUNCATE a;
  EXECUTE format('INSERT INTO a (%I) VALUES (%L)', type, x);
  EXECUTE format('SELECT a.%1$I = %2$L::%3$s, a.%1$I = %2$L::%3$s AND %2$L::%3$s = a.%1$I OR a.%1$I <> %2$L::%3$s AND %2$L::%3$s <> a.%1$I FROM a', type, y, other) INTO STRICT equal, consistent;
  EXECUTE format('SELECT %L::%s = %L::%s', x, type, y, CASE other WHEN 'json' THEN 'jsonb' ELSE other END) INTO STRICT core;
  core := core = equal;
END $$;
SELECT m.*, c.equal, c.consistent AS t, c.core AS t FROM mixed m, LATERAL compare_mixed(m.type, m.a, m.other, m.b) AS c;
TRUNCATE a;
INSERT INTO a (int8, "numeric") VALUES (7, 7);
SELECT int8 = 1e300::float8 FROM a;				-- fails: so large a double is no single integer
SELECT "numeric" = 1e300::float8 FROM a;		-- fails, too
SELECT int8 = 'seven' FROM a;					-- fails
SELECT date = int8 FROM a;						-- fails: another type
DROP TABLE a, b;

-- ---------------------------------------------------------------------------
-- Whatever the plan, the same answer as over the plain values
-- ---------------------------------------------------------------------------

CREATE TABLE visit (id integer PRIMARY KEY, nir sealed_text(compare_key), day sealed_date(compare_key), note sealed_text(compare_note), other sealed_text(compare_other), plain text);
CREATE TABLE person (nir sealed_text(compare_key), plain text);
INSERT INTO visit SELECT n, plain, date '2021-01-01' + n % 5, 'note', plain, plain
  FROM (SELECT n, CASE WHEN n % 10 <> 0 THEN 'nir ' || n % 37 END AS plain FROM generate_series(1, 400) n) AS v;
INSERT INTO person SELECT plain, plain FROM (SELECT 'nir ' || n AS plain FROM generate_series(30, 45) n UNION ALL SELECT NULL) AS v;
ANALYZE visit, person;

-- does a plan have this node?
CREATE FUNCTION plan_has(node text, query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    IF line ~ ('(^|-> +| )' || node) THEN
      RETURN true;
    END IF;
  END LOOP;
  RETURN false;
END $$;

-- DISTINCT, GROUP BY, count(DISTINCT), set operations; hashed and sorted
CREATE VIEW grouped AS
  SELECT (SELECT count(*) FROM (SELECT DISTINCT nir FROM visit) q) = (SELECT count(*) FROM (SELECT DISTINCT plain FROM visit) q) AS "distinct",
    (SELECT array_agg(n ORDER BY n) FROM (SELECT count(*) AS n FROM visit GROUP BY nir, day) q) = (SELECT array_agg(n ORDER BY n) FROM (SELECT count(*) AS n FROM visit GROUP BY plain, id % 5) q) AS "group by",
    (SELECT count(DISTINCT nir) FROM visit) = (SELECT count(DISTINCT plain) FROM visit) AS "count(distinct)",
    (SELECT count(*) FROM (SELECT nir FROM visit UNION SELECT nir FROM person) q) = (SELECT count(*) FROM (SELECT plain FROM visit UNION SELECT plain FROM person) q) AS "union",
    (SELECT count(*) FROM (SELECT nir FROM visit INTERSECT SELECT nir FROM person) q) = (SELECT count(*) FROM (SELECT plain FROM visit INTERSECT SELECT plain FROM person) q) AS "intersect",
    (SELECT count(*) FROM (SELECT nir FROM visit EXCEPT ALL SELECT nir FROM person) q) = (SELECT count(*) FROM (SELECT plain FROM visit EXCEPT ALL SELECT plain FROM person) q) AS "except all",
    (SELECT count(*) FROM (SELECT row_number() OVER (PARTITION BY nir) AS n FROM visit) q WHERE n = 1) = (SELECT count(DISTINCT coalesce(plain, '')) FROM visit) AS "partition by";
SELECT * FROM grouped \gx
SELECT plan_has('HashAggregate', 'SELECT DISTINCT nir FROM visit') AS t;
SET enable_hashagg = off;
SELECT * FROM grouped \gx
SELECT plan_has('HashAggregate', 'SELECT DISTINCT nir FROM visit') AS f;
RESET enable_hashagg;
SELECT seal.reveal(nir) AS nir, count(*) FROM visit WHERE nir IN ('nir 1', 'nir 2', 'nobody') GROUP BY nir ORDER BY 1;
SELECT count(*) FROM (SELECT nir, plain FROM visit GROUP BY GROUPING SETS ((nir, plain), (nir), ())) q;

-- joins and IN, by every method
CREATE VIEW joined AS
  SELECT (SELECT count(*) FROM visit JOIN person USING (nir)) = (SELECT count(*) FROM visit JOIN person USING (plain)) AS "join",
    (SELECT count(*) FROM visit LEFT JOIN person USING (nir) WHERE person.plain IS NULL) = (SELECT count(*) FROM visit LEFT JOIN person USING (plain) WHERE person.plain IS NULL) AS "left join",
    (SELECT count(*) FROM visit FULL JOIN person USING (nir)) = (SELECT count(*) FROM visit FULL JOIN person USING (plain)) AS "full join",
    (SELECT count(*) FROM visit WHERE nir IN (SELECT nir FROM person)) = (SELECT count(*) FROM visit WHERE plain IN (SELECT plain FROM person)) AS "in",
    (SELECT count(*) FROM visit WHERE nir NOT IN (SELECT nir FROM person WHERE nir IS NOT NULL)) = (SELECT count(*) FROM visit WHERE plain NOT IN (SELECT plain FROM person WHERE nir IS NOT NULL)) AS "not in",
    (SELECT count(*) FROM visit WHERE nir NOT IN (SELECT nir FROM person)) = 0 AS "not in null",
    (SELECT count(*) FROM visit v WHERE NOT EXISTS (SELECT FROM person p WHERE p.nir = v.nir)) = (SELECT count(*) FROM visit v WHERE NOT EXISTS (SELECT FROM person p WHERE p.plain = v.plain)) AS "not exists",
    (SELECT count(*) FROM visit v JOIN visit w ON v.nir = w.nir AND v.id <> w.id) = (SELECT count(*) FROM visit v JOIN visit w ON v.plain = w.plain AND v.id <> w.id) AS "self join",
    (SELECT count(*) FROM visit v JOIN person p ON v.nir = p.plain) = (SELECT count(*) FROM visit v JOIN person p ON v.plain = p.plain) AS "with plain";
\set query 'SELECT FROM visit JOIN person USING (nir)'
SELECT * FROM joined \gx
SET enable_mergejoin = off; SET enable_nestloop = off;
SELECT plan_has('Hash Join', :'query') AS t;
SELECT * FROM joined \gx
SET enable_hashjoin = off; RESET enable_mergejoin;
SELECT plan_has('Merge Join', :'query') AS t;
SELECT * FROM joined \gx
SET enable_mergejoin = off; RESET enable_nestloop;
SELECT plan_has('Nested Loop', :'query') AS t;
SELECT * FROM joined \gx
RESET enable_mergejoin; RESET enable_hashjoin;

-- rows
SELECT count(*) FROM visit WHERE (nir, day) = ('nir 1', '2021-01-02');
SELECT count(*) FROM visit WHERE (nir, day) IN (('nir 1', '2021-01-02'), ('nir 2', '2021-01-03'));
SELECT count(*) FROM visit v, visit w WHERE (v.nir, v.day) = (w.nir, w.day) AND v.id < w.id;
SELECT count(*) = (SELECT count(*) FROM visit WHERE plain IS DISTINCT FROM 'nir 1' OR id % 5 <> 1) AS t FROM visit WHERE (nir, day) IS DISTINCT FROM ('nir 1', '2021-01-02');
PREPARE find(text, date) AS SELECT count(*) FROM visit WHERE (nir, day) = ($1, $2);
EXECUTE find('nir 1', '2021-01-02');

-- ---------------------------------------------------------------------------
-- Indexes
-- ---------------------------------------------------------------------------

CREATE INDEX visit_btree ON visit (nir, id);
VACUUM ANALYZE visit;
SET enable_seqscan = off; SET enable_bitmapscan = off;
SELECT plan_has('Index Only Scan using visit_btree', $$SELECT id FROM visit WHERE nir = 'nir 1'$$) AS t;
SELECT array_agg(id ORDER BY id) = (SELECT array_agg(id ORDER BY id) FROM visit WHERE plain = 'nir 1') AS t FROM visit WHERE nir = 'nir 1';
SELECT count(*) = (SELECT count(*) FROM visit WHERE plain IN ('nir 1', 'nir 2')) AS t FROM visit WHERE nir IN ('nir 1', 'nir 2');
SELECT count(*) = (SELECT count(*) FROM visit WHERE plain IS NULL) AS t FROM visit WHERE nir IS NULL;
SELECT count(*) FROM (SELECT nir FROM visit WHERE nir = 'nir 3') q WHERE seal.reveal(nir) = 'nir 3';		-- the index gives the envelope
SELECT plan_has('Index Scan using visit_btree|Index Only Scan using visit_btree', :'query') AS t;
SELECT * FROM joined \gx
DROP INDEX visit_btree;
CREATE INDEX visit_hash ON visit USING hash (nir);
SELECT plan_has('Index Scan using visit_hash', $$SELECT id FROM visit WHERE nir = 'nir 1'$$) AS t;
SELECT array_agg(id ORDER BY id) = (SELECT array_agg(id ORDER BY id) FROM visit WHERE plain = 'nir 1') AS t FROM visit WHERE nir = 'nir 1';
DROP INDEX visit_hash;
RESET enable_seqscan; RESET enable_bitmapscan;

-- tokens in an index: no values, also of long ones, and unique by value
CREATE TABLE long (t sealed_text(compare_key) UNIQUE, n integer);
INSERT INTO long SELECT repeat('x', 1000 + n), n FROM generate_series(1, 50) n;
\set VERBOSITY terse
INSERT INTO long VALUES (repeat('x', 1001), 0);		-- fails
\set VERBOSITY default
SELECT n FROM long WHERE t = repeat('x', 1025);
ALTER TABLE long DROP CONSTRAINT long_t_key;
INSERT INTO long VALUES (repeat('x', 100000), 100000), (repeat('x', 100000), 100001), (repeat('y', 100000), 100002);
SELECT array_agg(n ORDER BY n) FROM long GROUP BY t HAVING count(*) > 1;
SELECT n FROM long WHERE t = repeat('x', 100000) ORDER BY n;
SELECT count(*) FROM long a JOIN long b USING (t);

-- ---------------------------------------------------------------------------
-- Statistics
-- ---------------------------------------------------------------------------

ALTER TABLE visit SET (autovacuum_enabled = off);
ANALYZE visit;
SELECT attname, round(null_frac::numeric, 2) AS null_frac, avg_width, n_distinct,
    num_nulls(most_common_vals, most_common_freqs, histogram_bounds, correlation, most_common_elems, most_common_elem_freqs, elem_count_histogram) AS unknown
  FROM pg_stats WHERE tablename = 'visit' AND schemaname = 'types_compare' AND attname <> 'id' AND attname <> 'plain' ORDER BY attname;
SELECT count(*) AS rows FROM pg_stats WHERE tablename = 'visit' AND schemaname = 'types_compare' AND (most_common_vals::text || histogram_bounds::text) ~ 'seal1';
CREATE FUNCTION estimated_rows(query text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
  RETURN plan #>> '{0,Plan,Plan Rows}';
END $$;
SELECT estimated_rows($$SELECT FROM visit WHERE nir = 'nir 1'$$) AS "of 10", estimated_rows($$SELECT FROM visit WHERE nir IS NULL$$) AS "of 40";

-- ---------------------------------------------------------------------------
-- Parallel plans
-- ---------------------------------------------------------------------------

SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2; SET enable_nestloop = off;
\set opening 'SELECT count(*), count(DISTINCT seal.reveal(nir)) AS values FROM visit WHERE nir <> \'nir 1\' AND seal.show(day) > \'2021-01-02\''
SELECT plan_has('Parallel Seq Scan on visit', :'opening') AS t, plan_has('Parallel Seq Scan on visit', :'query') AS t;
:opening;
SELECT count(*), count(DISTINCT plain) AS values FROM visit WHERE plain <> 'nir 1' AND id % 5 > 1;
SELECT * FROM grouped \gx
SELECT * FROM joined \gx
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET max_parallel_workers_per_gather; RESET enable_nestloop;

-- ---------------------------------------------------------------------------
-- Not searchable, two keys, no key: said so, before a row is read
-- ---------------------------------------------------------------------------

SELECT count(*) FROM visit WHERE note = 'note';			-- fails, as all of these do
SELECT DISTINCT note FROM visit;
SELECT count(*) FROM visit WHERE nir = other;
SELECT count(*) FROM visit v JOIN visit w ON v.nir = w.other;
SELECT nir FROM visit UNION SELECT other FROM visit;
SELECT count(*) FROM visit WHERE seal.seal('a', 'compare_key') = 'a';
SELECT nir FROM visit ORDER BY nir;
CREATE INDEX ON visit (note);
ALTER TABLE visit ADD UNIQUE (note);
ALTER TABLE person ADD UNIQUE (nir);					-- passes
ALTER TABLE visit ADD FOREIGN KEY (other) REFERENCES person (nir);
-- what no plan could bind is one fixed error, which depends on nothing but the key
SELECT seal.sealed_eq('a'::sealed_text, nir) FROM visit;
SELECT seal.sealed_hash('a'::sealed_text);
SELECT seal.sealed_eq(nir, other) FROM visit;
SELECT seal.sealed_cmp(nir, other) <> 0 AS t FROM visit WHERE id = 1;
-- revealed values can be compared with anything
SELECT count(*) FROM visit WHERE seal.reveal(nir) = seal.reveal(other);

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA types_compare CASCADE;
SELECT count(seal.revoke_key(k, r))
  FROM unnest('{compare_key,compare_other,compare_note}'::text[]) k, unnest(ARRAY['regress_compare_app', current_user::regrole]) r;
DROP ROLE regress_compare_app;
