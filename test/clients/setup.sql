-- setup.sql: roles, keys and rights that every client finds; once per server and template database.
CREATE EXTENSION pgseal;
CREATE ROLE client_app LOGIN PASSWORD 'app';		-- seals, searches and reveals
CREATE ROLE client_intern LOGIN PASSWORD 'intern' BYPASSRLS;	-- may read and write every row, has no right on a key
GRANT CREATE, USAGE ON SCHEMA public TO client_app;

SELECT seal.create_key('nir', searchable => true);
SELECT seal.create_key('identity', searchable => true);
SELECT seal.create_key('clinical', pad => 64);
SELECT seal.grant_key(key, 'client_app', '{seal,search,reveal}')
FROM unnest('{nir,identity,clinical}'::text[]) AS key;
