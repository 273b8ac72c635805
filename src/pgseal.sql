-- SPDX-License-Identifier: PostgreSQL
-- pgseal: head of the install script.  The pieces of the rooms follow, in floor order.
\echo Use "CREATE EXTENSION pgseal" to load this file. \quit

CREATE SCHEMA seal;
COMMENT ON SCHEMA seal IS 'functions, views and tables of pgseal';
GRANT USAGE ON SCHEMA seal TO PUBLIC;
