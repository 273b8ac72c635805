-- plan_view_bind: a comparison of what a view shows finds what the same comparison
-- of a plain column finds, and uses the index of the sealed column below.  A column
-- t must be true, a column f false.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgseal;
RESET client_min_messages;
CREATE ROLE regress_view_app;
CREATE ROLE regress_view_search;
CREATE ROLE regress_view_none;
SELECT count(seal.create_key(k, searchable => true)) FROM unnest('{view_key,view_other}'::text[]) k;
SELECT seal.create_key('bind_note') > 0 AS t;
-- The login role of pg_regress is a superuser, whose own rights count too: they are granted like anybody's.
SELECT count(seal.grant_key(k, r, '{seal,search,reveal}'))
  FROM unnest('{view_key,view_other,bind_note}'::text[]) k, unnest(ARRAY['regress_view_app', current_user::regrole]) r;
SELECT count(seal.grant_key(k, 'regress_view_search', '{search}')) FROM unnest('{view_key,view_other}'::text[]) k;
CREATE SCHEMA plan_view AUTHORIZATION regress_view_app;
CREATE COLLATION plan_view.case_blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
GRANT USAGE ON SCHEMA plan_view TO PUBLIC;
SET search_path = plan_view;
SET SESSION AUTHORIZATION regress_view_app;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET jit = off;

-- A plan without what differs from run to run.
CREATE FUNCTION plan(query text, options text DEFAULT 'VERBOSE') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE format('EXPLAIN (COSTS OFF, %s) %s', options, query) LOOP
    RETURN NEXT replace(regexp_replace(line, 'seal\.probe(\w*)\(\d+', 'seal.probe\1(key', 'g'), 'plan_view.', '');
  END LOOP;
END $$;
CREATE FUNCTION uses_index(query text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT bool_or(line ~ 'Index Cond: .*(probe|nir|twin)') AND NOT bool_or(line ~ 'Seq Scan') FROM plan(query) line);
END $$;
-- What a query gives, or how it is refused.
CREATE FUNCTION outcome(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  rows text;
BEGIN
  EXECUTE format('SELECT string_agg(r::text, '' '' ORDER BY r::text COLLATE "C") FROM (%s) r', query) INTO rows;
  RETURN coalesce(rows, 'no row');
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

CREATE TABLE patient (
  id    integer PRIMARY KEY,
  nir   sealed_text(view_key),
  twin  sealed_text(view_key),
  n     sealed_int(view_key),
  other sealed_text(view_other),
  note  sealed_text(bind_note),
  plain text);
INSERT INTO patient
  SELECT i, 'n' || i, 'n' || (i + 1) % 10, i, 'n' || i, 'note', 'n' || i FROM generate_series(1, 9) i;
INSERT INTO patient VALUES (10, NULL, 'n1', NULL, NULL, NULL, NULL);
CREATE INDEX patient_nir ON patient (nir);
CREATE INDEX patient_twin ON patient (twin);
CREATE INDEX patient_n ON patient (n);
ANALYZE patient;
CREATE VIEW shown WITH (security_invoker) AS
  SELECT id, seal.show(nir) AS nir, seal.show(twin) AS twin, seal.show(n) AS n, seal.show(other) AS other, seal.show(note) AS note, plain FROM patient;
CREATE VIEW again WITH (security_invoker) AS SELECT plain, nir, id, n FROM shown WHERE id > 0;
CREATE VIEW barred WITH (security_invoker, security_barrier) AS SELECT * FROM shown;
GRANT SELECT ON patient, shown, again, barred TO PUBLIC;

-- ---------------------------------------------------------------------------
-- The index of the sealed column
-- ---------------------------------------------------------------------------

SET enable_seqscan = off;
PREPARE one(text) AS SELECT id, note FROM shown WHERE nir = $1;
PREPARE list(text[]) AS SELECT id FROM again WHERE nir = ANY ($1);
PREPARE whole(numeric) AS SELECT id FROM again WHERE n = $1;
SET plan_cache_mode = force_generic_plan;
SELECT * FROM plan('EXECUTE one(''n3'')');
SELECT * FROM plan('EXECUTE list(''{n3,n5}'')');
SELECT * FROM plan('EXECUTE whole(7.5)');
EXECUTE one('n3');
EXECUTE one(NULL);
EXECUTE list('{n3,n5,NULL}');
EXECUTE list(NULL);
EXECUTE whole(7.0);
EXECUTE whole(7.5);
SET plan_cache_mode = force_custom_plan;
SELECT * FROM plan('EXECUTE one(''n3'')');
SELECT * FROM plan('EXECUTE list(''{n3,n5}'')');
EXECUTE one('n3');
EXECUTE list('{n3,n5,NULL}');
RESET plan_cache_mode;
DEALLOCATE ALL;
SELECT * FROM plan('SELECT p.id, s.note FROM patient p LEFT JOIN shown s ON s.nir = p.plain WHERE p.id = 3');
-- each gives what does not use the index, which is nothing
SELECT q FROM unnest(ARRAY[
  'SELECT id FROM shown WHERE nir = ''n3''',
  'SELECT id FROM shown WHERE ''n3'' = nir',
  'SELECT id FROM shown WHERE nir = ''n3''::varchar',
  'SELECT id FROM shown WHERE nir::varchar = ''n3''',
  'SELECT id FROM shown WHERE nir = ''n3 ''::char(4)',
  'SELECT id FROM shown WHERE nir = ''n3''::name',
  'SELECT id FROM shown WHERE nir = ''n3'' COLLATE "C"',
  'SELECT id FROM shown WHERE nir IN (''n3'', ''n4'')',
  'SELECT id FROM shown WHERE nir = ANY (string_to_array(''n3,n4'', '',''))',
  'SELECT id FROM shown WHERE nir = (SELECT ''n3'')',
  'SELECT id FROM shown WHERE nir = ''n3'' AND NOT nir <> ''n3''',
  'SELECT id FROM shown WHERE n = 3',
  'SELECT id FROM shown WHERE n = 3::smallint',
  'SELECT id FROM shown WHERE n IN (3, 4)',
  'SELECT id FROM shown WHERE n = 3.0',
  'SELECT id FROM patient WHERE seal.show(nir) = ''n3''',
  'SELECT id FROM again WHERE nir = ''n3''',
  'SELECT a.id FROM shown a JOIN shown b USING (nir) WHERE nir = ''n3''',
  'SELECT b.id FROM shown a JOIN shown b ON a.nir = b.twin WHERE a.id = 3',
  'SELECT b.id FROM shown a LEFT JOIN again b ON a.nir = b.nir WHERE a.id = 3',
  'SELECT p.id FROM shown a JOIN patient p ON p.nir = a.twin WHERE a.id = 3',
  'SELECT a.id FROM shown a JOIN patient p ON p.nir = a.twin WHERE p.id = 3',
  'SELECT a.id FROM (VALUES (''n3''), (''n4'')) v(x) JOIN shown a ON a.nir = v.x',
  'SELECT id FROM (SELECT nir AS x, id FROM (SELECT * FROM shown) s) t WHERE x = ''n3''',
  'SELECT id FROM (SELECT * FROM shown ORDER BY note) s WHERE nir = ''n3''',
  'WITH w AS (SELECT * FROM shown) SELECT id FROM w WHERE nir = ''n3''',
  'WITH w AS (SELECT * FROM shown), x AS (SELECT * FROM w WHERE id > 1) SELECT x FROM x WHERE nir = ''n3''',
  'SELECT s FROM shown s WHERE nir = ''n3''',
  'SELECT row_to_json(s) FROM shown s WHERE nir = ''n3''',
  'SELECT s FROM (SELECT * FROM shown) s WHERE nir = ''n3''',
  'SELECT id FROM shown WHERE nir IN (SELECT twin FROM shown WHERE id = 3)',
  'SELECT id FROM patient WHERE nir IN (SELECT twin FROM shown WHERE id = 3)',
  'SELECT id FROM shown s WHERE id = 3 AND EXISTS (SELECT FROM shown t WHERE t.nir = s.twin)',
  'SELECT (SELECT t.id FROM shown t WHERE t.nir = s.twin) FROM shown s WHERE s.id = 3',
  'SELECT l.id FROM shown s, LATERAL (SELECT * FROM shown t WHERE t.nir = s.twin) l WHERE s.id = 3',
  'SELECT id FROM shown WHERE nir = ''n3'' FOR UPDATE',
  'SELECT id FROM shown WHERE nir = ''n3'' UNION ALL SELECT id FROM shown WHERE twin = ''n3''',
  'SELECT count(*) FROM shown WHERE nir = ''n3'' GROUP BY plain HAVING count(note) > 0',
  'UPDATE patient SET plain = ''x'' WHERE seal.show(nir) = ''n3''',
  'UPDATE patient p SET plain = ''x'' FROM shown s WHERE s.nir = ''n3'' AND p.id = s.id',
  'DELETE FROM shown WHERE nir = ''n3''']) q WHERE uses_index(q) IS DISTINCT FROM true;
-- each gives what uses it, which is nothing: a token says something else there, or PostgreSQL keeps conditions out
SELECT q FROM unnest(ARRAY[
  'SELECT id FROM shown WHERE nir = ''n3'' COLLATE case_blind',
  'SELECT id FROM shown WHERE nir::char(3) = ''n3''',
  'SELECT id FROM shown WHERE n = 3::float8',
  'SELECT id FROM shown WHERE other = ''n3''',
  'SELECT id FROM shown WHERE note = ''note''',
  'SELECT id FROM barred WHERE nir = ''n3''',
  'SELECT id FROM (SELECT * FROM shown LIMIT 5) s WHERE nir = ''n3''',
  'SELECT id FROM (SELECT * FROM shown OFFSET 0) s WHERE nir = ''n3''',
  'SELECT id FROM (SELECT DISTINCT id, nir FROM shown) s WHERE nir = ''n3''',
  'SELECT id FROM (SELECT nir, max(id) AS id FROM shown GROUP BY nir) s WHERE nir = ''n3''',
  'SELECT id FROM (SELECT nir, row_number() OVER () AS id FROM shown) s WHERE nir = ''n3''',
  'SELECT s FROM (SELECT * FROM shown ORDER BY id) s WHERE nir = ''n3''',
  'WITH w AS MATERIALIZED (SELECT * FROM shown) SELECT id FROM w WHERE nir = ''n3''',
  'WITH w AS (SELECT * FROM shown) SELECT a.id FROM w a, w b WHERE a.nir = ''n3'' AND b.nir = ''n3''']) q WHERE uses_index(q);
RESET enable_seqscan;
SELECT * FROM plan('SELECT id FROM barred WHERE nir = ''n3''');
SELECT * FROM plan('SELECT s FROM (SELECT * FROM shown ORDER BY id) s WHERE nir = ''n3''');
SELECT id FROM shown WHERE nir = 'N3' COLLATE case_blind;
SELECT id FROM shown WHERE nir = other AND id < 3;
SELECT id FROM shown WHERE nir = note;

-- partitions
CREATE TABLE bed (ward sealed_text(view_key), nr integer) PARTITION BY LIST (ward);
SELECT seal.seal('north', 'view_key') AS north, seal.seal('south', 'view_key') AS south \gset
CREATE TABLE bed_north PARTITION OF bed FOR VALUES IN (:'north');
CREATE TABLE bed_south PARTITION OF bed FOR VALUES IN (:'south');
CREATE TABLE bed_rest PARTITION OF bed DEFAULT;
INSERT INTO bed VALUES ('north', 1), ('south', 2), ('west', 3);
CREATE VIEW bed_shown AS SELECT seal.show(ward) AS ward, nr FROM bed;
CREATE VIEW bed_again AS SELECT * FROM bed_shown;
PREPARE bed(text) AS SELECT nr FROM bed_shown WHERE ward = $1;
PREPARE beds(text, text) AS SELECT nr FROM bed_again WHERE ward IN ($1, $2);
SET plan_cache_mode = force_generic_plan;
EXECUTE bed('south');
SELECT count(*) AS one FROM plan('EXECUTE bed(''south'')', 'ANALYZE, TIMING OFF, SUMMARY OFF') line WHERE line ~ ' Scan on bed_.*loops=1';
SELECT count(*) AS two FROM plan('EXECUTE beds(''south'', ''north'')', 'ANALYZE, TIMING OFF, SUMMARY OFF') line WHERE line ~ ' Scan on bed_.*loops=1';
RESET plan_cache_mode;
DEALLOCATE ALL;

-- ---------------------------------------------------------------------------
-- Whole rows keep their shape
-- ---------------------------------------------------------------------------

SELECT s FROM shown s WHERE nir = 'n3' OR n = 4;
SELECT row_to_json(s) FROM again s WHERE nir = 'n3';
SELECT s FROM (SELECT id, nir FROM shown ORDER BY id) s WHERE nir = 'n3';
SELECT j FROM (again a JOIN (SELECT nir, twin FROM shown) b USING (nir)) j WHERE nir = 'n3';
SELECT * FROM (SELECT id, nir FROM shown) s WHERE nir = 'n3' AND s IS NOT NULL;
WITH w AS (SELECT id, nir FROM shown) SELECT w, w.* FROM w WHERE nir = 'n3';
SELECT (SELECT s) FROM (SELECT id, nir FROM shown) s WHERE nir = 'n3';
SELECT count(*) FROM (SELECT DISTINCT s FROM (SELECT id, nir FROM shown) s WHERE nir = ANY ('{n3,n4}')) d;

-- ---------------------------------------------------------------------------
-- Rights: who may search finds, and is shown nothing
-- ---------------------------------------------------------------------------

PREPARE find(text) AS SELECT id, nir, n, plain FROM shown WHERE nir = $1;
SET SESSION AUTHORIZATION regress_view_search;
SET search_path = plan_view;
PREPARE find_too(text) AS SELECT id, nir, n, plain FROM shown WHERE nir = $1;
EXECUTE find_too('n3');
SELECT id, nir FROM again WHERE nir IN ('n3', 'n4') ORDER BY id;
SELECT id, nir, n = 3 AS found FROM shown WHERE n IN (3, 4) ORDER BY id;
SELECT a.id, b.id, b.nir FROM shown a JOIN shown b ON a.nir = b.twin WHERE a.id IN (3, 10);
SELECT p.id, s.id, s.nir FROM patient p JOIN shown s ON p.nir = s.twin WHERE p.id = 3;
SELECT id FROM shown WHERE nir = other;			-- fails: two keys, one side must be opened
SELECT id FROM barred WHERE nir = 'n3';			-- fails: compared in clear
SELECT id FROM shown WHERE note = 'note';		-- fails
SET SESSION AUTHORIZATION regress_view_none;
SELECT id FROM plan_view.shown WHERE nir = 'n3';	-- fails
RESET SESSION AUTHORIZATION;
-- a plan that outlives a grant or a revoke
SELECT seal.grant_key('view_key', 'regress_view_search', '{reveal}');
SET SESSION AUTHORIZATION regress_view_search;
EXECUTE find_too('n3');
RESET SESSION AUTHORIZATION;
SELECT seal.revoke_key('view_key', 'regress_view_search');
SET SESSION AUTHORIZATION regress_view_search;
EXECUTE find_too('n3');
SET SESSION AUTHORIZATION regress_view_app;
EXECUTE find_too('n3');
EXECUTE find('n3');
DEALLOCATE ALL;

-- ---------------------------------------------------------------------------
-- Lists
-- ---------------------------------------------------------------------------

CREATE TABLE big (id integer, nir sealed_text(view_key), n sealed_int(view_key));
INSERT INTO big SELECT i, 'n' || i, i FROM generate_series(1, 20000) i;
CREATE INDEX ON big (nir);
CREATE INDEX ON big (n);
ANALYZE big;
CREATE VIEW big_shown AS SELECT id, seal.show(nir) AS nir, seal.show(n) AS n FROM big;
SELECT string_agg(quote_literal('n' || i * 4), ',') AS names, string_agg('n' || i * 4, ',') AS list, string_agg((i * 4)::text, ',') AS numbers FROM generate_series(1, 5000) i \gset
SELECT count(*) FROM big WHERE nir IN (:names);
SELECT count(*), min(nir), max(n) FROM big_shown WHERE nir IN (:names);
SELECT count(*) FROM big_shown WHERE n IN (:numbers);
SELECT count(*) FROM big_shown WHERE nir = ANY (string_to_array(:'list', ','));
SELECT bool_or(line ~ 'Index Cond') AS t FROM plan($$SELECT id FROM big_shown WHERE nir IN ('n1','n2','n3','n4','n5','n6','n7','n8','n9','n10','n11')$$) line;
SELECT count(*) FROM big_shown WHERE nir = ANY ('{NULL}');
SELECT count(*) FROM big_shown WHERE nir = ANY (NULL::text[]);
SELECT count(*) FROM big_shown WHERE nir = ANY ('{n1,NULL}') OR nir = ANY ('{}');
SELECT count(*) FROM big_shown WHERE nir <> ALL ('{n1,NULL}');
SELECT count(*) FROM big_shown WHERE nir <> ALL ('{n1}');
SELECT count(*) FROM big_shown WHERE nir = ANY ('{1}'::integer[]);		-- fails: as of a plain column
SELECT count(*) FROM big_shown WHERE n = ANY ('{1.5,2.0,NaN}'::numeric[]);
SELECT count(*) FROM big_shown WHERE n = ANY ('{x}');						-- fails: as of a plain column

-- ---------------------------------------------------------------------------
-- The same as of plain columns
-- ---------------------------------------------------------------------------

-- Ten types, each with a few values that come up often.
CREATE TABLE kind (c text, type text, vals text[]);
INSERT INTO kind VALUES
  ('t', 'text', ARRAY['', 'a', 'A', 'a ', 'é', repeat('long', 200)]),
  ('y', 'bytea', ARRAY['', '\x00', '\x0001', 'a']),
  ('b', 'boolean', ARRAY['t', 'f']),
  ('i', 'bigint', ARRAY['0', '1', '-1', '9007199254740993', '9223372036854775807']),
  ('f', 'double precision', ARRAY['0', '-0', '1.5', 'NaN', '-Infinity', '1e300']),
  ('n', 'numeric', ARRAY['0', '1', '1.00', '0.1', 'NaN', '123456789012345678901234567890.5']),
  ('d', 'date', ARRAY['1970-01-01', '1984-12-03', '2018-11-04', 'infinity', '0044-03-15 BC']),
  ('z', 'timestamptz', ARRAY['1970-01-01 00:00Z', '1970-01-01 01:00+01', '2024-02-29 12:00:00.000001Z', '-infinity']),
  ('u', 'uuid', ARRAY['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '00000000-0000-0000-0000-000000000000']),
  ('j', 'jsonb', ARRAY['{"a":1,"b":[]}', '{"b": [], "a": 1.0}', '[]', 'null', '"a"']);
-- values of other types that core compares with these
CREATE TABLE mixed (c text, v text);
INSERT INTO mixed VALUES
  ('t', $$'a'::char(3)$$), ('t', $$'A'::name$$), ('t', $$'a '::varchar$$), ('t', $$'a'::"char"$$),
  ('i', '1::smallint'), ('i', '1.0'), ('i', '7.5'), ('i', '1::real'), ('i', '9007199254740992::float8'), ('i', $$'NaN'::numeric$$), ('i', '9007199254740993.0'),
  ('f', '1.5::real'), ('f', '0::smallint'), ('f', '1.5'), ('f', '0::bigint'), ('n', '1'), ('n', '0.1::float8'), ('n', '1::bigint'), ('n', $$'NaN'::float8$$),
  ('d', $$'1970-01-01'::timestamp$$), ('d', $$'1970-01-01 00:00Z'::timestamptz$$), ('d', $$'infinity'::timestamptz$$), ('d', $$'1970-01-01 10:00'::timestamp$$),
  ('d', $$'2018-11-04 03:00Z'::timestamptz$$), ('d', $$'2018-11-04'::timestamptz$$),
  ('z', $$'1970-01-01'::date$$), ('z', $$'1970-01-01'::timestamp$$), ('z', $$'-infinity'::date$$), ('z', $$'5874897-01-01'::date$$), ('b', '(id > 3)');
CREATE TABLE plain_a (id integer, t text, y bytea, b boolean, i bigint, f double precision, n numeric, d date, z timestamptz, u uuid, j jsonb);
CREATE TABLE plain_b (LIKE plain_a);
CREATE TABLE sealed_a (id integer, t sealed_text(view_key), y sealed_bytea(view_key), b sealed_bool(view_key), i sealed_int(view_key), f sealed_float8(view_key),
  n sealed_numeric(view_key), d sealed_date(view_key), z sealed_timestamptz(view_key), u sealed_uuid(view_key), j sealed_jsonb(view_key));
CREATE TABLE sealed_b (LIKE sealed_a);
-- A number from 0 to n - 1: the same in each run, for each seed.
CREATE FUNCTION pick(n integer, seed text) RETURNS integer LANGUAGE sql IMMUTABLE AS
  $$SELECT (('x' || substr(md5('pgseal 20210223 ' || seed), 1, 7))::bit(28)::integer) % n$$;
CREATE FUNCTION chosen_value(kind, seed text) RETURNS text LANGUAGE sql AS
  $$SELECT CASE WHEN pick(6, 'null ' || seed) > 0 THEN ($1).vals[1 + pick(cardinality(($1).vals), seed)] END$$;
DO $$
DECLARE
  name text;
  id integer;
  list text;
BEGIN
  FOREACH name IN ARRAY '{a,b}'::text[] LOOP
    FOR id IN SELECT generate_series(1, CASE name WHEN 'a' THEN 40 ELSE 15 END) LOOP
      SELECT string_agg(format('%L', chosen_value(kind, name || id || c)), ', ' ORDER BY kind.ctid) INTO list FROM kind;
      EXECUTE format('INSERT INTO plain_%s VALUES (%s, %s)', name, id, list);
      EXECUTE format('INSERT INTO sealed_%s VALUES (%s, %s)', name, id, list);
    END LOOP;
    SELECT string_agg(format('seal.show(%I) AS %1$I', c), ', ' ORDER BY kind.ctid) INTO list FROM kind;
    EXECUTE format('CREATE VIEW shown_%s WITH (security_invoker) AS SELECT id, %s FROM sealed_%1$s', name, list);
    EXECUTE format('CREATE VIEW twice_%s WITH (security_invoker) AS SELECT * FROM shown_%1$s WHERE id > 0', name);
    EXECUTE format('CREATE VIEW sorted_%s WITH (security_invoker) AS SELECT * FROM shown_%1$s ORDER BY id', name);
  END LOOP;
END $$;
-- In each query @ stands for plain, shown, twice or sorted, # for a column, % for its plain type, {1} and {2} for values.
CREATE TABLE form (f text);
INSERT INTO form VALUES
  ('SELECT * FROM @_a WHERE # = {1}'),
  ('SELECT id FROM @_a WHERE {1}::% = #'),
  ('SELECT id FROM @_a WHERE # <> {1}'),
  ('SELECT id FROM @_a WHERE NOT (# = {1} OR # = {2}::%)'),
  ('SELECT id FROM @_a WHERE # IN ({1}, {2}::%, NULL)'),
  ('SELECT id FROM @_a WHERE # NOT IN ({1}, {2})'),
  ('SELECT id FROM @_a WHERE # NOT IN ({1}, NULL)'),
  ('SELECT id FROM @_a WHERE # <> ALL (ARRAY[{1}, {2}]::%[])'),
  ('SELECT id FROM @_a WHERE # IS DISTINCT FROM {1}'),
  ('SELECT id FROM @_a WHERE # IS NOT DISTINCT FROM {1}::% OR # IS NOT DISTINCT FROM NULL::%'),
  ('SELECT id, # = {1}, # <> {2}, # IN ({1}, {2}) FROM @_a'),
  ('SELECT id, CASE # WHEN {1} THEN 1 WHEN {2} THEN 2 END, nullif(#, {1}) FROM @_a'),
  ('SELECT id FROM @_a WHERE coalesce(# = {1}, true)'),
  ('SELECT id FROM @_a WHERE (#, id) IS DISTINCT FROM ({1}, id)'),
  ('SELECT a, b.id FROM @_a a JOIN @_b b ON a.# = b.#'),
  ('SELECT a.id, b.id FROM @_a a JOIN plain_b b ON a.# = b.#'),
  ('SELECT a.id, b FROM @_a a LEFT JOIN @_b b ON a.# = b.# AND b.# <> {1}'),
  ('SELECT # FROM @_a a FULL JOIN @_b b USING (#) WHERE # = {1}'),
  ('SELECT # FROM @_a a LEFT JOIN @_b b USING (#) WHERE # = {1}'),
  ('SELECT a.# FROM @_a a RIGHT JOIN @_b b USING (#) WHERE a.# IS DISTINCT FROM {1}'),
  ('SELECT both_of FROM (@_a a JOIN @_b b USING (#)) both_of WHERE # = {1}'),
  ('SELECT a.id, b.id FROM plain_a a FULL JOIN @_b b ON b.# = a.#'),
  ('SELECT a.id FROM @_a a JOIN sealed_b b ON b.# = a.#'),
  ('SELECT a.#, b.#, c.# FROM @_a a LEFT JOIN (@_b b JOIN @_b c ON b.# = c.#) ON a.# = b.# AND c.# <> {1}'),
  ('SELECT a.id, d FROM @_a a LEFT JOIN (SELECT b.id, c.#, 1 AS one FROM @_b b LEFT JOIN @_b c ON b.# = c.# AND c.id > 4) d ON a.# = d.# AND d.# <> {1}'),
  ('SELECT a.id, d.* FROM @_a a LEFT JOIN (SELECT b.id, c.# FROM @_b b LEFT JOIN @_b c ON b.# = c.# AND c.id > 4) d ON a.# = d.# WHERE d.# IS DISTINCT FROM {1} ORDER BY a.id'),
  ('SELECT a.id, l.id FROM @_a a LEFT JOIN LATERAL (SELECT * FROM @_b b WHERE b.# = a.# AND a.# <> {1}) l ON l.# = {2}'),
  ('SELECT a.id, l.id FROM @_a a, LATERAL (SELECT * FROM @_b b WHERE b.# = a.# ORDER BY id LIMIT 1) l'),
  ('SELECT a.id, v.x FROM @_a a, LATERAL (VALUES (a.#), (a.#)) v(x) WHERE v.x = {1}'),
  ('SELECT id FROM @_a WHERE # IN (SELECT # FROM @_b WHERE # <> {1})'),
  ('SELECT id FROM @_a WHERE # NOT IN (SELECT # FROM plain_b WHERE # IS NOT NULL AND id < 3)'),
  ('SELECT id FROM @_a WHERE (#, id) NOT IN (SELECT #, id FROM @_b WHERE # IS NOT NULL)'),
  ('SELECT id FROM @_a WHERE # <> ALL (SELECT # FROM @_b WHERE # IS NOT NULL)'),
  ('SELECT id FROM @_a WHERE # = ANY (ARRAY(SELECT # FROM @_b)) OR # = ANY (ARRAY[#, {1}])'),
  ('SELECT b.id FROM sealed_b b WHERE b.# NOT IN (SELECT # FROM @_a WHERE # IS NOT NULL)'),
  ('SELECT id FROM @_a a WHERE NOT EXISTS (SELECT FROM @_b b WHERE b.# = a.#)'),
  ('SELECT id, (SELECT count(*) FROM @_b b WHERE b.# = a.#) FROM @_a a'),
  ('SELECT id FROM @_a a WHERE # = (SELECT min(#::text)::% FROM plain_b WHERE mod(id, 3) = mod(a.id, 3))'),
  ('SELECT # = {1}, count(*) FILTER (WHERE # = {2}) FROM @_a GROUP BY ROLLUP (# = {1})'),
  ('SELECT #, # = {1}, count(*) FROM @_a GROUP BY ROLLUP (#)'),
  ('SELECT #, (SELECT count(*) FROM @_b b WHERE b.# = a.#) FROM @_a a GROUP BY # HAVING # <> {1}'),
  ('SELECT DISTINCT ON (# = {1}) # = {1} FROM @_a ORDER BY # = {1}'),
  ('SELECT id, rank() OVER (PARTITION BY # = {1} ORDER BY id), lag(#) OVER (ORDER BY id) FROM @_a ORDER BY id'),
  ('SELECT id, # FROM @_a ORDER BY #::text COLLATE "C" DESC NULLS FIRST, id LIMIT 5'),
  ('SELECT s FROM (SELECT id, # FROM @_a OFFSET 0) s WHERE # = {1}'),
  ('SELECT s FROM (SELECT id, #, generate_series(1, 2) FROM @_a) s WHERE # = {1}'),
  ('SELECT u FROM (SELECT id, # FROM @_a UNION ALL SELECT id, # FROM @_b) u WHERE # = {1}'),
  ('SELECT count(*) FROM (SELECT # FROM @_a EXCEPT SELECT # FROM @_b WHERE # <> {1}) u'),
  ('WITH w AS (SELECT * FROM @_a), x AS (SELECT * FROM w WHERE id > 3) SELECT id, x FROM x WHERE # IN ({1}, {2})'),
  ('WITH w AS (SELECT * FROM @_a) SELECT a.id, b.id FROM w a JOIN w b USING (#)'),
  ('WITH RECURSIVE r AS (SELECT # FROM @_b WHERE # = {1} UNION SELECT a.# FROM @_a a JOIN r ON a.# = r.#) SELECT count(*) FROM r');
CREATE VIEW question AS
  SELECT replace(replace(replace(replace(f, '#', c), '%', type),
      '{1}', quote_literal(vals[1 + pick(cardinality(vals), f || '1')])),
      '{2}', quote_literal(vals[1 + pick(cardinality(vals), f || '2')])) AS q
    FROM form, kind
  UNION ALL
  SELECT replace(replace(f, '#', c), '{1}', v) FROM mixed, unnest(ARRAY[
    'SELECT id FROM @_a WHERE # = {1}', 'SELECT id FROM @_a WHERE {1} <> #', 'SELECT id FROM @_a WHERE # IS DISTINCT FROM {1}',
    'SELECT id FROM @_a WHERE # IN ({1}, {1})', 'SELECT id FROM @_a WHERE # <> ALL (ARRAY[{1}])']) f;
CREATE FUNCTION battery(side text) RETURNS TABLE (queries bigint, same bigint, with_rows bigint, refused bigint) LANGUAGE sql AS $$
  SELECT count(*), count(*) FILTER (WHERE plain = shown), count(*) FILTER (WHERE plain <> 'no row'), count(*) FILTER (WHERE plain ~ '^[0-9A-Z]{5} ')
    FROM (SELECT outcome(replace(q, '@', 'plain')) AS plain, outcome(replace(q, '@', side)) AS shown FROM question) a $$;
SELECT q FROM question WHERE outcome(replace(q, '@', 'plain')) <> outcome(replace(q, '@', 'shown'));
SELECT * FROM battery('shown');
SELECT * FROM battery('sorted');
SET enable_hashjoin = off;
SET enable_hashagg = off;
SELECT * FROM battery('twice');
SET enable_mergejoin = off;
SET enable_sort = off;
SET timezone = 'America/Sao_Paulo';		-- where some days begin at 01:00
SELECT * FROM battery('shown');
DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT kind.c FROM kind LOOP
    EXECUTE format('CREATE INDEX ON sealed_a (%I); CREATE INDEX ON sealed_b USING hash (%1$I)', name);
  END LOOP;
END $$;
SET enable_seqscan = off;
SELECT * FROM battery('shown');
-- every plan can be printed with its columns
SELECT count(*) FROM question WHERE outcome(replace(q, '@', 'sorted')) !~ '^[0-9A-Z]{5} ' AND EXISTS (SELECT FROM plan(replace(q, '@', 'sorted')));
-- who may only search gets the same rows, or is refused where a value had to be opened
GRANT SELECT ON ALL TABLES IN SCHEMA plan_view TO PUBLIC;
RESET SESSION AUTHORIZATION;
SELECT seal.grant_key('view_key', 'regress_view_search', '{search}');
SET SESSION AUTHORIZATION regress_view_search;
SELECT count(*) FILTER (WHERE shown = plain) AS same, count(*) FILTER (WHERE shown = '42501 permission denied for key "view_key"') AS refused, count(*) AS queries
  FROM (SELECT outcome(replace(q, '@', 'plain')) AS plain, outcome(replace(q, '@', 'shown')) AS shown FROM question WHERE q ~ '^SELECT (.\.)?id(, .\.id)? FROM') a;

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA plan_view CASCADE;
SELECT count(seal.revoke_key(k, r)) FROM unnest('{view_key,view_other,bind_note}'::text[]) k,
  unnest(ARRAY['regress_view_app', 'regress_view_search', current_user::regrole]) r;
DROP ROLE regress_view_app, regress_view_search, regress_view_none;
