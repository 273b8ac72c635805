-- guard_default: a DEFAULT of a sealed column holds no clear value, wherever it is spelled out.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgseal;
RESET client_min_messages;
SELECT seal.create_key('default_key') > 0 AS t;
DO $$ BEGIN PERFORM seal.grant_key('default_key', current_user::regrole, '{seal,reveal}'); END $$;
CREATE TABLE default_table (id int, x sealed_text(default_key), n sealed_int(default_key), d sealed_date(default_key));
CREATE FUNCTION set_default(col text, expression text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE default_table ALTER %I SET DEFAULT %s', col, expression);
  RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

-- refused: the value could be one that is written here
SELECT expression, set_default(col, expression) FROM (VALUES
  ('x', $$'DUPONT'::text$$),
  ('x', $$CASE WHEN now() > '2000-01-01' THEN 'DUPONT' ELSE 'x' END$$),
  ('x', $$CASE WHEN now() > '2000-01-01' THEN current_user::text ELSE 'DUPONT' END$$),
  ('x', $$coalesce(current_setting('a.b', true), 'DUPONT')$$),
  ('x', $$greatest(current_setting('a.b', true), 'DUPONT')$$),
  ('x', $$'DUPONT' || current_user$$),
  ('x', $$('DUPONT' || current_user)::varchar(9)$$),
  ('n', $$CASE WHEN now() > '2000-01-01' THEN 424242 END$$),
  ('d', $$date '1984-12-03'$$)) AS v(col, expression);
SELECT count(*) AS none FROM pg_attrdef WHERE adrelid = 'default_table'::regclass;

-- taken: sealed literals, and what is made when the row is
SELECT expression, set_default(col, expression) FROM (VALUES
  ('x', $$'DUPONT'$$),
  ('x', $$current_user$$),
  ('x', $$current_setting('a.b', true)$$),
  ('x', $$CASE WHEN now() > '2000-01-01' THEN current_user END$$),
  ('x', $$'DUPONT'$$),
  ('n', $$'424242'$$),
  ('d', $$CURRENT_DATE + 30$$)) AS v(col, expression);
INSERT INTO default_table (id) VALUES (1);
SELECT x::text = 'DUPONT' AS t, n::bigint = 424242 AS t, d::date = CURRENT_DATE + 30 AS t FROM default_table;
SELECT bool_or(pg_get_expr(adbin, adrelid) ~ 'DUPONT|424242') AS f FROM pg_attrdef WHERE adrelid = 'default_table'::regclass;
DROP TABLE default_table;
