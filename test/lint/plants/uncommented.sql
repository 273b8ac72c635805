CREATE FUNCTION seal.planted() RETURNS integer LANGUAGE sql RETURN 1;
ALTER EXTENSION pgseal ADD FUNCTION seal.planted();
