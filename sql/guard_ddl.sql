-- guard_ddl: which definitions are refused, because they would keep clear values,
-- need a key in maintenance, or never find anything; and which keep working.
-- A column t must be true, a column f false.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgseal;
RESET client_min_messages;
CREATE ROLE regress_guard_app;
SELECT count(seal.create_key(k, searchable => true)) FROM unnest('{guard_key,guard_other}'::text[]) k;
SELECT seal.create_key('guard_note') > 0 AS t;
-- The login role of pg_regress is a superuser, whose own rights count too: they are granted like anybody's.
SELECT count(seal.grant_key(k, r, '{seal,search,reveal}'))
  FROM unnest('{guard_key,guard_other,guard_note}'::text[]) k, unnest(ARRAY['regress_guard_app', current_user::regrole]) r;
CREATE SCHEMA guard_ddl AUTHORIZATION regress_guard_app;
CREATE FOREIGN DATA WRAPPER guard_ddl_wrapper;
CREATE SERVER guard_ddl_server FOREIGN DATA WRAPPER guard_ddl_wrapper;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_guard_app', current_database()) AS command \gset
:command;
GRANT USAGE ON FOREIGN SERVER guard_ddl_server TO regress_guard_app;
SET search_path = guard_ddl;
SET SESSION AUTHORIZATION regress_guard_app;

CREATE TABLE patient (
  id    integer PRIMARY KEY,
  nir   sealed_text(guard_key),
  twin  sealed_text(guard_key),
  n     sealed_int(guard_key),
  other sealed_text(guard_other),
  note  sealed_text(guard_note),
  plain text);
INSERT INTO patient VALUES (1, 'a', 'b', 1, 'a', 'x', 'a'), (2, 'b', 'b', 2, 'b', 'x', 'b'), (3, NULL, 'a', NULL, 'a', 'x', 'c');
SELECT seal.token_literal('guard_key', 'a') AS a \gset

-- How a command is refused.  {a}, {b} and {d} are envelopes of guard_key, {other} is one of guard_other.
CREATE FUNCTION refusal(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  value text;
BEGIN
  command := replace(command, '{other}', quote_literal(seal.token_literal('guard_other', 'a')));
  FOREACH value IN ARRAY '{a,b,d}'::text[] LOOP
    command := replace(command, '{' || value || '}', quote_literal(seal.token_literal('guard_key', value)));
  END LOOP;
  EXECUTE command;
  RETURN 'done';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

-- ---------------------------------------------------------------------------
-- A column names its key, and is no array
-- ---------------------------------------------------------------------------

CREATE TABLE nameless (id integer, x sealed_text);
CREATE TABLE listed (id integer, x sealed_text(guard_key)[]);
CREATE TABLE misnamed (x sealed_text(no_such_key));
CREATE DOMAIN keyless AS sealed_text;
CREATE TYPE pair AS (a integer, b sealed_text(guard_key));
CREATE TYPE loose AS (a integer);
CREATE DOMAIN keyed AS sealed_text(guard_key);
CREATE TABLE typed OF pair;
CREATE TABLE of_domain (x keyed, p pair, ps pair[]);
CREATE TABLE holder (x sealed_text(guard_key));
CREATE TABLE plain_holder (x text);
CREATE FOREIGN TABLE remote (id integer, y sealed_text(guard_key)) SERVER guard_ddl_server;
-- gives those that are not refused so, which is none
SELECT c, refusal(c) FROM (VALUES
  (1, 'CREATE TABLE x (x sealed_text)'),
  (2, 'CREATE TEMP TABLE x (x sealed_int)'),
  (3, 'CREATE UNLOGGED TABLE x (x sealed_bool)'),
  (4, 'CREATE TABLE x (id integer, x sealed_date) PARTITION BY LIST (id)'),
  (5, 'CREATE FOREIGN TABLE x (x sealed_numeric) SERVER guard_ddl_server'),
  (6, 'CREATE TYPE x AS (x sealed_uuid)'),
  (7, 'CREATE DOMAIN x AS sealed_text'),
  (8, 'CREATE TABLE x AS SELECT seal.seal(plain, ''guard_key'') AS x FROM patient'),
  (9, 'CREATE TABLE x AS SELECT ''a''::sealed_text AS x WITH NO DATA'),
  (10, 'SELECT coalesce(nir, other) AS x INTO x FROM patient'),
  (11, 'CREATE MATERIALIZED VIEW x AS SELECT coalesce(nir, other) AS x FROM patient'),
  (12, 'ALTER TABLE patient ADD COLUMN x sealed_text'),
  (13, 'ALTER TABLE patient ADD COLUMN x sealed_text, ADD y integer'),
  (14, 'ALTER TABLE holder ALTER COLUMN x TYPE sealed_text'),
  (15, 'ALTER TABLE plain_holder ALTER COLUMN x TYPE sealed_text USING x::sealed_text'),
  (16, 'ALTER TYPE loose ADD ATTRIBUTE x sealed_text'),
  (17, 'ALTER FOREIGN TABLE remote ADD COLUMN x sealed_text'),
  (18, 'CREATE SCHEMA x CREATE TABLE x (x sealed_text)'),
  (19, 'CREATE TABLE x (x sealed_text(guard_key)[])'),
  (20, 'CREATE TABLE x (x sealed_text[][])'),
  (21, 'CREATE TABLE x (x keyed[])'),
  (22, 'CREATE DOMAIN x AS sealed_text(guard_key)[]'),
  (23, 'CREATE TYPE x AS (x sealed_jsonb(guard_key)[])'),
  (24, 'CREATE TABLE x AS SELECT array_agg(nir) AS x FROM patient'),
  (25, 'ALTER TABLE patient ADD COLUMN x sealed_text(guard_key)[]'),
  (26, 'ALTER TABLE plain_holder ALTER COLUMN x TYPE sealed_text(guard_key)[] USING NULL'),
  (27, 'CREATE MATERIALIZED VIEW x AS SELECT array_agg(nir) AS x FROM patient')
  ) AS v(i, c) WHERE refusal(c) NOT LIKE '42P16 column "x" %' ORDER BY i;
-- nothing of them is left
SELECT relname FROM pg_class WHERE relnamespace = 'guard_ddl'::regnamespace AND relname LIKE 'x%';
-- views hold no data
CREATE VIEW any_key AS SELECT coalesce(nir, other) AS x, array_agg(nir) AS list FROM patient GROUP BY coalesce(nir, other)::text, 1;
DROP VIEW any_key;
-- a range would need an order
CREATE TYPE sealed_range AS RANGE (subtype = sealed_text);
SELECT refusal('CREATE TABLE x (x sealed_range)') AS range, refusal('CREATE TABLE x (x sealed_multirange)') AS multirange;
DROP TYPE sealed_range;
-- columns with a key come in every way
CREATE TABLE copied (LIKE patient INCLUDING ALL);
CREATE TABLE child () INHERITS (patient);
CREATE TABLE made AS SELECT nir, twin AS same FROM patient;
SELECT refusal('ALTER TABLE patient ADD COLUMN born sealed_date(guard_note)') AS added;
SELECT attrelid::regclass, attname, format_type(atttypid, atttypmod) FROM pg_attribute
  WHERE attrelid IN ('made'::regclass, 'child'::regclass) AND attname IN ('same', 'born') ORDER BY 1;
-- changing a key is for those who may seal under the new one, on values that are there
SELECT refusal('ALTER TABLE made ALTER COLUMN nir TYPE sealed_text(guard_other)') AS envelopes;
ALTER TABLE made ALTER COLUMN nir TYPE sealed_text(guard_other) USING seal.reveal(nir)::sealed_text(guard_other), ALTER COLUMN same TYPE text USING same::text;
SELECT nir::text, same FROM made ORDER BY 1, 2;
DROP TABLE copied, child, made;

-- ---------------------------------------------------------------------------
-- Indexes
-- ---------------------------------------------------------------------------

CREATE INDEX ON patient (note);
CREATE INDEX ON patient (id) WHERE nir = 'a';
CREATE INDEX ON patient ((nir = twin OR seal.sealed_text_send(nir) IS NULL));
CREATE FUNCTION opened(sealed_text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1::text';
CREATE FUNCTION hidden(sealed_text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1::text; END';
CREATE TABLE unique_nir (nir sealed_text(guard_key) UNIQUE);
CREATE FUNCTION whole(patient) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1.nir::text; END';
SELECT c, refusal(c) FROM (VALUES
  (1, 'CREATE INDEX ON patient (note)'),
  (2, 'CREATE INDEX ON patient USING hash (note)'),
  (3, 'CREATE UNIQUE INDEX ON patient (id, note)'),
  (4, 'ALTER TABLE patient ADD UNIQUE (note)'),
  (5, 'ALTER TABLE patient ADD UNIQUE NULLS NOT DISTINCT (note)'),
  (6, 'ALTER TABLE patient ADD EXCLUDE USING hash (note WITH =)'),
  (7, 'ALTER TABLE patient ADD EXCLUDE USING btree (id WITH =, note WITH =)'),
  (8, 'CREATE TABLE x (x sealed_text(guard_note) UNIQUE)'),
  (9, 'CREATE TABLE x (x sealed_text(guard_note) PRIMARY KEY)'),
  (10, 'CREATE INDEX ON patient (coalesce(note, note))'),
  (11, 'CREATE INDEX ON patient ((patient.*))'),
  (12, 'ALTER TABLE unique_nir ALTER COLUMN nir TYPE sealed_text(guard_note) USING NULL')
  ) AS v(i, c) WHERE refusal(c) IS DISTINCT FROM '0A000 key "guard_note" is not searchable' ORDER BY i;
SELECT i, refusal(c) FROM (VALUES
  (1, 'CREATE INDEX ON patient (seal.reveal(nir))'),
  (2, 'CREATE INDEX ON patient ((nir::text))'),
  (3, 'CREATE INDEX ON patient ((n::integer))'),
  (4, 'CREATE INDEX ON patient (upper(nir::text))'),
  (5, 'CREATE INDEX ON patient (opened(nir))'),
  (6, 'CREATE INDEX ON patient (hidden(nir))'),
  (7, 'CREATE INDEX ON patient (whole(patient))'),
  (8, 'CREATE INDEX ON patient (textin(seal.sealed_text_out(nir)))'),
  (9, 'CREATE INDEX ON patient (seal.sealed_text_send(nir))'),
  (10, 'CREATE INDEX ON patient (seal.sealed_hash(nir))'),
  (11, 'CREATE INDEX ON patient (seal.probe(1, nir))'),
  (12, 'CREATE INDEX ON patient (nullif(nir, {other}))'),
  (13, 'CREATE INDEX ON patient ((nir = ''a''))'),
  (14, 'CREATE INDEX ON patient ((nir = plain))'),
  (15, 'CREATE INDEX ON patient ((ARRAY[nir] = ARRAY[twin]))'),
  (16, 'CREATE INDEX ON patient (id) WHERE nir = ''a'''),
  (17, 'CREATE INDEX ON patient (id) WHERE nir = ''a''::text'),
  (18, 'CREATE INDEX ON patient (id) WHERE nir IN (''a'', {b})'),
  (19, 'CREATE INDEX ON patient (id) WHERE nir = ANY (''{a,b}''::text[])'),
  (20, 'CREATE INDEX ON patient (id) WHERE n IN (1, 2)'),
  (21, 'CREATE INDEX ON patient (id) WHERE nir = {other}'),
  (22, 'CREATE INDEX ON patient (id) WHERE nir = other'),
  (23, 'CREATE INDEX ON patient (id) WHERE note = note'),
  (24, 'CREATE INDEX ON patient (id) WHERE coalesce(nir, other) = twin'),
  (25, 'CREATE INDEX ON patient (id) WHERE nir OPERATOR(seal.<~) twin'),
  (26, 'CREATE INDEX ON patient (id) WHERE hidden(nir) = ''a'''),
  (27, 'CREATE INDEX ON patient (id) WHERE greatest(nir, twin) IS NULL'),
  (28, 'CREATE INDEX ON patient (id) WHERE CASE nir WHEN ''a'' THEN true END')
  ) AS v(i, c) ORDER BY i;
SELECT i, refusal(c) FROM (VALUES
  (1, 'CREATE UNIQUE INDEX good_unique ON patient (nir)'),
  (2, 'CREATE INDEX good_hash ON patient USING hash (n)'),
  (3, 'CREATE INDEX good_include ON patient (id) INCLUDE (note, nir)'),
  (4, 'CREATE INDEX good_null ON patient (id) WHERE note IS NOT NULL'),
  (5, 'CREATE INDEX good_envelope ON patient (id) WHERE nir = {a}'),
  (6, 'CREATE INDEX good_list ON patient (id) WHERE nir IN ({a}, {b}, NULL)'),
  (7, 'CREATE INDEX good_columns ON patient (id) WHERE nir IS DISTINCT FROM twin AND nir <> {b}'),
  (8, 'CREATE INDEX good_expression ON patient (coalesce(nir, twin))'),
  (9, 'CREATE INDEX good_test ON patient ((nir = twin), (nir IS NULL))'),
  (10, 'ALTER TABLE patient ADD CONSTRAINT good_exclude EXCLUDE USING hash (nir WITH =) WHERE (other <> {other})'),
  (11, 'CREATE INDEX good_case ON patient (id) WHERE CASE nir WHEN {a} THEN twin = {b} ELSE nullif(twin, {b}) IS NULL END')
  ) AS v(i, c) ORDER BY i;
INSERT INTO patient (id, nir, other) VALUES (4, 'd', 'd');
\set VERBOSITY sqlstate
INSERT INTO patient (id, nir) VALUES (5, 'd');		-- fails
\set VERBOSITY default
SET enable_seqscan = off;
SELECT id FROM patient WHERE nir = :'a' AND id > 0 ORDER BY id;
RESET enable_seqscan;

-- ---------------------------------------------------------------------------
-- Constraints, defaults, generated columns, triggers, statistics
-- ---------------------------------------------------------------------------

CREATE TABLE parent (nir sealed_text(guard_key) UNIQUE, other sealed_text(guard_other) UNIQUE, plain text UNIQUE, id integer UNIQUE);
ALTER TABLE patient ADD FOREIGN KEY (other) REFERENCES parent (nir);
ALTER TABLE patient ADD CHECK (nir = 'a');
ALTER TABLE patient ADD CHECK (seal.reveal(nir) <> '');
ALTER TABLE patient ALTER note SET DEFAULT 'x'::text;
CREATE STATISTICS common_values ON nir, twin FROM patient;
CREATE TABLE two (id integer, nir sealed_text(guard_key), UNIQUE (id, nir));
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
SELECT i, refusal(c) FROM (VALUES
  (1, 'ALTER TABLE patient ADD FOREIGN KEY (other) REFERENCES parent (nir)'),
  (2, 'ALTER TABLE patient ADD FOREIGN KEY (plain) REFERENCES parent (nir)'),
  (3, 'ALTER TABLE patient ADD FOREIGN KEY (nir) REFERENCES parent (plain)'),
  (4, 'CREATE TABLE x (id integer, o sealed_text(guard_other), FOREIGN KEY (id, o) REFERENCES two (id, nir))'),
  (5, 'CREATE TABLE x (x sealed_text(guard_key) REFERENCES parent (other))'),
  (6, 'ALTER TABLE patient ADD CHECK (nir = ''a'')'),
  (7, 'ALTER TABLE patient ADD CHECK (nir <> plain) NOT VALID'),
  (8, 'ALTER TABLE patient ADD CHECK (nir::text <> '''')'),
  (9, 'ALTER TABLE patient ADD CHECK (length(seal.show(nir)) > 1)'),
  (10, 'ALTER TABLE patient ADD CHECK (nir <> other)'),
  (11, 'ALTER TABLE patient ADD CHECK (note <> note)'),
  (12, 'ALTER TABLE patient ADD CHECK (hidden(nir) <> '''')'),
  (13, 'ALTER TABLE patient ADD CHECK (whole(patient) <> '''')'),
  (14, 'ALTER TABLE patient ADD CHECK (nir IN ({a}, ''b''))'),
  (15, 'ALTER TABLE patient ADD CHECK (to_jsonb(nir) IS NOT NULL)'),
  (16, 'CREATE TABLE x (x sealed_text(guard_key) CHECK (x <> ''a''))'),
  (17, 'CREATE DOMAIN x AS sealed_text(guard_key) CHECK (VALUE <> ''a'')'),
  (18, 'CREATE DOMAIN x AS sealed_text(guard_key) CHECK (VALUE::text <> ''a'')'),
  (19, 'ALTER DOMAIN keyed ADD CHECK (seal.reveal(VALUE) <> ''a'')'),
  (20, 'ALTER DOMAIN keyed ADD CHECK (VALUE <> {other})'),
  (21, 'ALTER TABLE patient ALTER note SET DEFAULT ''x''::text'),
  (22, 'ALTER TABLE patient ALTER note SET DEFAULT upper(''x'')'),
  (23, 'ALTER TABLE patient ALTER n SET DEFAULT 5'),
  (24, 'ALTER TABLE patient ALTER plain SET DEFAULT seal.reveal(''x''::sealed_text)'),
  (25, 'ALTER TABLE patient ALTER note SET DEFAULT seal.seal(''x'', ''guard_note'')'),
  (26, 'CREATE TABLE x (x sealed_int(guard_key) DEFAULT 7)'),
  (27, 'CREATE DOMAIN x AS sealed_text(guard_key) DEFAULT ''x''::text'),
  (28, 'ALTER DOMAIN keyed SET DEFAULT ''x''::text'),
  (29, 'ALTER TABLE patient ADD g text GENERATED ALWAYS AS (nir::text) STORED'),
  (30, 'ALTER TABLE patient ADD g text GENERATED ALWAYS AS (hidden(nir)) STORED'),
  (31, 'ALTER TABLE patient ADD g boolean GENERATED ALWAYS AS (nir = ''a'') STORED'),
  (32, 'ALTER TABLE patient ADD g sealed_text(guard_key) GENERATED ALWAYS AS (plain) STORED'),
  (33, 'CREATE TRIGGER x BEFORE UPDATE ON patient FOR EACH ROW WHEN (new.nir = ''a'') EXECUTE FUNCTION nothing()'),
  (34, 'CREATE TRIGGER x BEFORE UPDATE ON patient FOR EACH ROW WHEN (seal.reveal(new.nir) = ''a'') EXECUTE FUNCTION nothing()'),
  (35, 'CREATE TRIGGER x BEFORE UPDATE ON patient FOR EACH ROW WHEN (new.nir <> old.other) EXECUTE FUNCTION nothing()'),
  (36, 'CREATE TRIGGER x BEFORE UPDATE ON patient FOR EACH ROW WHEN (hidden(new.nir) = ''a'') EXECUTE FUNCTION nothing()'),
  (37, 'CREATE TRIGGER x BEFORE UPDATE ON patient FOR EACH ROW WHEN (old IS DISTINCT FROM new) EXECUTE FUNCTION nothing()'),
  (38, 'CREATE STATISTICS x ON nir, twin FROM patient'),
  (39, 'CREATE STATISTICS x (mcv) ON id, nir FROM patient'),
  (40, 'CREATE STATISTICS x ON (nir::text) FROM patient'),
  (41, 'CREATE STATISTICS x (ndistinct) ON (seal.reveal(nir)), id FROM patient'),
  (42, 'CREATE STATISTICS x (ndistinct) ON (coalesce(nir, twin)), id FROM patient'),
  (43, 'CREATE STATISTICS x (dependencies) ON (nir = ''a''), id FROM patient'),
  (44, 'ALTER TABLE patient ADD CHECK (nir = plain::sealed_text(guard_key))'),
  (45, 'ALTER TABLE patient ADD CHECK (plain::sealed_text(guard_key) IS NOT NULL)'),
  (46, 'ALTER TABLE patient ADD CHECK (nir = {other}::text::sealed_text)'),
  (47, 'ALTER TABLE patient ADD CHECK (length(seal.show_volatile(nir)) > 1)'),
  (48, 'CREATE STATISTICS x ON (seal.reveal_stable(nir)), id FROM patient')
  ) AS v(i, c) ORDER BY i;
SELECT i, refusal(c) FROM (VALUES
  (1, 'CREATE TABLE good_child (nir sealed_text(guard_key) REFERENCES parent (nir), id integer REFERENCES parent (id), note sealed_text(guard_note))'),
  (2, 'ALTER TABLE good_child ADD FOREIGN KEY (id, nir) REFERENCES two (id, nir) MATCH FULL'),
  (3, 'ALTER TABLE good_child ADD CHECK (nir IS NOT NULL AND nir <> {a})'),
  (4, 'ALTER TABLE patient ADD CHECK (nir IN ({a}, {b}, {d}))'),
  (5, 'ALTER TABLE patient ADD CHECK (nir IS DISTINCT FROM twin OR nir = twin)'),
  (6, 'ALTER TABLE patient ADD CHECK (note IS NOT NULL OR id > 3)'),
  (7, 'CREATE DOMAIN good_domain AS sealed_text(guard_key) DEFAULT ''a'' NOT NULL CHECK (VALUE IN ({a}, {b}))'),
  (8, 'CREATE TABLE good_default (id integer, x sealed_text(guard_note) DEFAULT ''x'', n sealed_int(guard_key) DEFAULT ''7'', d good_domain, nil sealed_text(guard_key) DEFAULT NULL)'),
  (9, 'ALTER TABLE good_default ADD g sealed_text(guard_note) GENERATED ALWAYS AS (x) STORED, ADD h boolean GENERATED ALWAYS AS (x IS NULL) STORED'),
  (10, 'ALTER TABLE good_default ADD f sealed_text(guard_note) DEFAULT ''added'''),
  (11, 'CREATE TRIGGER good_trigger BEFORE UPDATE ON patient FOR EACH ROW WHEN (new.nir IS DISTINCT FROM old.nir OR new.nir = {a}) EXECUTE FUNCTION nothing()'),
  (12, 'CREATE TRIGGER good_rows BEFORE UPDATE ON two FOR EACH ROW WHEN (old IS DISTINCT FROM new OR old *= new) EXECUTE FUNCTION nothing()'),
  (13, 'CREATE STATISTICS good_counts (ndistinct, dependencies) ON nir, twin, id FROM patient'),
  (14, 'CREATE STATISTICS good_plain ON id, plain FROM patient'),
  (15, 'CREATE RULE good_rule AS ON UPDATE TO good_child WHERE old.nir <> ''b'' DO ALSO INSERT INTO good_default (id) VALUES (old.id)')
  ) AS v(i, c) ORDER BY i;
INSERT INTO parent (nir, id) VALUES ('b', 1), ('a', 2);
INSERT INTO two VALUES (1, 'b');
INSERT INTO good_child VALUES ('b', 1, 'n');
SELECT refusal('INSERT INTO good_child VALUES (''a'', 2, NULL)') LIKE '23514 %' AS t, refusal('INSERT INTO good_child VALUES (''z'', 1, NULL)') LIKE '23503 %' AS t,
  refusal('INSERT INTO patient (id, nir) VALUES (9, ''z'')') LIKE '23514 %' AS t, refusal('INSERT INTO good_default (d) VALUES (''z'')') LIKE '23514 %' AS t;
INSERT INTO good_default (id) VALUES (1), (2);
SELECT id, x::text, n::text, seal.reveal(d::sealed_text) AS d, nil, g::text, h, f::text, x::text = g::text AS same FROM good_default ORDER BY id;
UPDATE two SET id = 1;
ANALYZE patient;
SELECT attnames, kinds, n_distinct IS NOT NULL AS t, most_common_vals FROM pg_stats_ext WHERE statistics_name = 'good_counts';
-- what the catalogs hold of a default is ciphertext
SELECT pg_get_expr(adbin, adrelid) ~ '^''seal1:' AS t FROM pg_attrdef WHERE adrelid = 'good_default'::regclass AND adnum IN (2, 3);

-- ---------------------------------------------------------------------------
-- Partitions
-- ---------------------------------------------------------------------------

CREATE TABLE ranged (nir sealed_text(guard_key)) PARTITION BY RANGE (nir);
SELECT i, refusal(c) FROM (VALUES
  (1, 'CREATE TABLE x (id integer, nir sealed_text(guard_key)) PARTITION BY RANGE (id, nir)'),
  (2, 'CREATE TABLE x (nir sealed_text(guard_note)) PARTITION BY HASH (nir)'),
  (3, 'CREATE TABLE x (nir sealed_text(guard_note)) PARTITION BY LIST (nir)'),
  (4, 'CREATE TABLE x (p pair, n sealed_text(guard_note)) PARTITION BY HASH ((coalesce(n, n)))'),
  (5, 'CREATE TABLE x (nir sealed_text(guard_key)) PARTITION BY HASH ((nir::text))'),
  (6, 'CREATE TABLE x (nir sealed_text(guard_key)) PARTITION BY LIST (hidden(nir))'),
  (7, 'CREATE TABLE x (nir sealed_text(guard_key)) PARTITION BY LIST ((nir = ''a''))'),
  (8, 'CREATE TABLE good_hash_parts (nir sealed_text(guard_key), note sealed_text(guard_note)) PARTITION BY HASH (nir)'),
  (9, 'CREATE TABLE good_list_parts (nir sealed_text(guard_key), note sealed_text(guard_note)) PARTITION BY LIST (nir)'),
  (10, 'CREATE TABLE good_range_parts (id integer, nir sealed_text(guard_key)) PARTITION BY RANGE (id)'),
  (11, 'CREATE TABLE good_part PARTITION OF good_hash_parts FOR VALUES WITH (MODULUS 2, REMAINDER 0)'),
  (12, 'CREATE TABLE good_sub PARTITION OF good_hash_parts FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY RANGE (nir)'),
  (13, 'CREATE TABLE good_sub PARTITION OF good_hash_parts FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY HASH (nir)'),
  (14, 'CREATE TABLE good_item PARTITION OF good_list_parts FOR VALUES IN (''a'', NULL)'),
  (15, 'CREATE SCHEMA x CREATE TABLE x (nir sealed_text(guard_key)) PARTITION BY RANGE (nir)'),
  (16, 'CREATE TEMP TABLE x (nir sealed_text(guard_key)) PARTITION BY RANGE (nir)'),
  (17, 'CREATE UNIQUE INDEX ON good_hash_parts (nir)'),
  (18, 'CREATE INDEX ON good_list_parts (note)'),
  (19, 'ALTER TABLE good_hash_parts ADD CHECK (nir <> ''a'')')
  ) AS v(i, c) ORDER BY i;
CREATE TABLE attached (nir sealed_text(guard_key), note sealed_text(guard_note));
CREATE TABLE misfit (nir sealed_text(guard_other), note sealed_text(guard_note));
INSERT INTO attached VALUES ('b', 'x'), ('c', NULL);
SELECT refusal('ALTER TABLE good_list_parts ATTACH PARTITION attached FOR VALUES IN (''b'')') AS holds_another, refusal('ALTER TABLE good_list_parts ATTACH PARTITION misfit FOR VALUES IN (''b'')') AS other_key;
DELETE FROM attached WHERE nir = 'c';
ALTER TABLE good_list_parts ATTACH PARTITION attached FOR VALUES IN ('b');
SELECT tableoid::regclass, nir::text FROM good_list_parts WHERE nir = 'b';

-- ---------------------------------------------------------------------------
-- Materialized views
-- ---------------------------------------------------------------------------

CREATE MATERIALIZED VIEW opened_view AS SELECT seal.reveal(nir) FROM patient;
CREATE MATERIALIZED VIEW literal_view AS SELECT id FROM patient WHERE nir = 'a';
CREATE MATERIALIZED VIEW column_view AS SELECT id FROM patient WHERE nir = plain;
CREATE VIEW behind AS SELECT id, nir::text AS opened, nir = 'a' AS is_a FROM patient;
SELECT i, refusal(c) FROM (VALUES
  (1, 'CREATE MATERIALIZED VIEW x AS SELECT nir::text FROM patient WITH NO DATA'),
  (2, 'CREATE MATERIALIZED VIEW x AS SELECT id FROM patient WHERE length(seal.show(nir)) > 1 WITH NO DATA'),
  (3, 'CREATE MATERIALIZED VIEW x AS WITH c AS (SELECT n::integer AS n FROM patient) SELECT n FROM c WITH NO DATA'),
  (4, 'CREATE MATERIALIZED VIEW x AS SELECT id FROM patient WHERE nir = ''a'' WITH NO DATA'),
  (5, 'CREATE MATERIALIZED VIEW x AS SELECT id, nir = ''a''::text AS a FROM patient WITH NO DATA'),
  (6, 'CREATE MATERIALIZED VIEW x AS SELECT id FROM patient WHERE nir IN ({a}, ''b'') WITH NO DATA'),
  (7, 'CREATE MATERIALIZED VIEW x AS SELECT id FROM patient WHERE nir = ANY (ARRAY[''a'']::text[]) WITH NO DATA'),
  (8, 'CREATE MATERIALIZED VIEW x AS SELECT id FROM patient WHERE n = 1 OR n IN (2, 3) WITH NO DATA'),
  (9, 'CREATE MATERIALIZED VIEW x AS SELECT CASE nir WHEN ''a'' THEN 1 END FROM patient WITH NO DATA'),
  (10, 'CREATE MATERIALIZED VIEW x AS SELECT id FROM patient WHERE nir IS DISTINCT FROM ''a'' WITH NO DATA'),
  (11, 'CREATE MATERIALIZED VIEW x AS SELECT id FROM patient WHERE nullif(nir, ''a'') IS NULL WITH NO DATA'),
  (12, 'CREATE MATERIALIZED VIEW x AS SELECT id FROM patient WHERE id IN (SELECT id FROM patient WHERE (nir, id) = (''a'', 1)) WITH NO DATA'),
  (13, 'CREATE MATERIALIZED VIEW x AS SELECT p.id FROM patient p JOIN parent q ON p.nir = q.plain WITH NO DATA'),
  (14, 'CREATE MATERIALIZED VIEW x AS SELECT id FROM patient WHERE nir IN (SELECT plain FROM parent) WITH NO DATA'),
  (15, 'CREATE MATERIALIZED VIEW x AS SELECT id FROM patient WHERE nir = current_user WITH NO DATA'),
  (16, 'CREATE MATERIALIZED VIEW x AS SELECT id FROM patient WHERE nir = {other}'),
  (17, 'CREATE MATERIALIZED VIEW x AS SELECT id FROM patient WHERE nir = other'),
  (18, 'CREATE MATERIALIZED VIEW x AS SELECT id FROM patient ORDER BY nir'),
  (19, 'CREATE MATERIALIZED VIEW x AS SELECT count(*) FROM patient GROUP BY note'),
  (20, 'CREATE MATERIALIZED VIEW x AS SELECT opened FROM behind'),
  (21, 'CREATE MATERIALIZED VIEW x AS SELECT is_a FROM behind'),
  (22, 'CREATE MATERIALIZED VIEW x AS SELECT hidden(nir) FROM patient'),
  (23, 'EXPLAIN ANALYZE CREATE MATERIALIZED VIEW x AS SELECT id FROM patient WHERE nir = ''a'''),
  (24, 'CREATE MATERIALIZED VIEW good_envelope_view AS SELECT id, nir, nir IN ({a}, {b}) AS known FROM patient WHERE nir = {a} OR nir <> {b}'),
  (25, 'CREATE MATERIALIZED VIEW good_groups AS SELECT p.nir, q.other, count(*) FROM patient p LEFT JOIN parent q ON p.nir = q.nir AND q.nir IS DISTINCT FROM NULL GROUP BY 1, 2'),
  (26, 'CREATE MATERIALIZED VIEW good_beside AS SELECT id, note FROM patient WHERE plain = ''a'' OR id IN (1, 2)'),
  (27, 'CREATE MATERIALIZED VIEW x AS SELECT seal.show_volatile(nir) FROM patient WITH NO DATA'),
  (28, 'CREATE MATERIALIZED VIEW x AS SELECT id FROM patient WHERE seal.reveal_stable(nir) IS NULL WITH NO DATA')
  ) AS v(i, c) ORDER BY i;
SELECT id, nir::text, known FROM good_envelope_view ORDER BY id;
DELETE FROM patient WHERE id = 2;
REFRESH MATERIALIZED VIEW good_envelope_view;
SELECT id, nir::text, known FROM good_envelope_view ORDER BY id;
REFRESH MATERIALIZED VIEW good_groups;
CREATE UNIQUE INDEX ON good_groups (nir, other) NULLS NOT DISTINCT;
SELECT refusal('REFRESH MATERIALIZED VIEW CONCURRENTLY good_groups');
SELECT count(*) FROM good_groups;
-- nobody's right is needed for that
RESET SESSION AUTHORIZATION;
SELECT count(seal.revoke_key(k, r)) FROM unnest('{guard_key,guard_other,guard_note}'::text[]) k, unnest(ARRAY['regress_guard_app', current_user::regrole]) r;
SET SESSION AUTHORIZATION regress_guard_app;
REFRESH MATERIALIZED VIEW good_envelope_view;
REFRESH MATERIALIZED VIEW good_groups;
REINDEX TABLE patient;
CLUSTER patient USING good_unique;
ANALYZE patient;
CREATE INDEX good_later ON patient (twin) WHERE nir = :'a' OR nir = twin;
RESET SESSION AUTHORIZATION;
SELECT count(seal.grant_key(k, r, '{seal,search,reveal}')) FROM unnest('{guard_key,guard_other,guard_note}'::text[]) k, unnest(ARRAY['regress_guard_app', current_user::regrole]) r;
SET SESSION AUTHORIZATION regress_guard_app;

-- ---------------------------------------------------------------------------
-- As a restore does it
-- ---------------------------------------------------------------------------

-- definitions first, the ring later: a number stands for a key that is not known yet
SET check_function_bodies = off;
CREATE TABLE restored (id integer, x sealed_text(123456789), y sealed_text(123456789));
CREATE INDEX ON restored (x);
ALTER TABLE restored ADD CHECK (x = y), ADD UNIQUE (y);
SELECT refusal('CREATE TABLE x (x sealed_text)') AS keyless, refusal('ALTER TABLE restored ADD CHECK (x = ''a'')') AS literal,
  refusal('CREATE TABLE x (z sealed_text(12345) REFERENCES restored (y))') AS other_key, refusal('ALTER TABLE restored ADD CHECK (x::text = '''')') AS opened;
RESET check_function_bodies;
-- what PostgreSQL prints of a definition defines the same again
CREATE TABLE again (LIKE patient);
SELECT count(refusal(definition)) FILTER (WHERE refusal(definition) <> 'done') AS refused, count(*) > 10 AS t
  FROM (SELECT replace(replace(pg_get_indexdef(indexrelid), ' guard_ddl.patient', ' guard_ddl.again'), 'INDEX ', 'INDEX again_') AS definition FROM pg_index
        WHERE indrelid = 'patient'::regclass AND NOT indisprimary AND NOT indisexclusion
        UNION ALL SELECT format('ALTER TABLE guard_ddl.again ADD CONSTRAINT %I %s', 'again_' || conname, pg_get_constraintdef(oid)) FROM pg_constraint
        WHERE conrelid = 'patient'::regclass AND contype = 'c') d;
SELECT refusal(format('CREATE TABLE again_default (x sealed_text(guard_note) DEFAULT %s)', pg_get_expr(adbin, adrelid))) FROM pg_attrdef WHERE adrelid = 'good_default'::regclass AND adnum = 2;
INSERT INTO again_default DEFAULT VALUES;
SELECT x::text FROM again_default;

-- ---------------------------------------------------------------------------
-- Nobody can switch this off
-- ---------------------------------------------------------------------------

RESET SESSION AUTHORIZATION;
CREATE FUNCTION pass() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER guard_ddl_pass ON ddl_command_end EXECUTE FUNCTION pass();
SET session_replication_role = replica;
ALTER TABLE patient DISABLE TRIGGER ALL;
CREATE TABLE off (x sealed_text);
CREATE INDEX ON patient (hidden(nir));
ALTER TABLE patient ADD CHECK (nir = 'a');
CREATE MATERIALIZED VIEW off AS SELECT nir::text FROM patient WITH NO DATA;
ALTER EVENT TRIGGER guard_ddl_pass DISABLE;
CREATE TABLE off (nir sealed_text(guard_key)) PARTITION BY RANGE (nir);
CREATE TABLE off (nir sealed_text(guard_note) UNIQUE);
RESET session_replication_role;
DROP EVENT TRIGGER guard_ddl_pass;

SET client_min_messages = warning;
DROP SCHEMA guard_ddl CASCADE;
DROP SERVER guard_ddl_server;
DROP FOREIGN DATA WRAPPER guard_ddl_wrapper;
SELECT count(seal.revoke_key(k, r))
  FROM unnest('{guard_key,guard_other,guard_note}'::text[]) k, unnest(ARRAY['regress_guard_app', current_user::regrole]) r;
SELECT format('REVOKE CREATE ON DATABASE %I FROM regress_guard_app', current_database()) AS command \gset
:command;
DROP ROLE regress_guard_app;
