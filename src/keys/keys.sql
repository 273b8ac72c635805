-- SPDX-License-Identifier: PostgreSQL
-- keys: the tables of the key ring.  They hold wrapped secrets only, and are
-- part of every dump.  Written by the functions of the gate; a change by hand
-- no longer fits the MACs.

CREATE TABLE seal.key (
  id integer PRIMARY KEY,
  name name NOT NULL UNIQUE,
  searchable boolean NOT NULL,
  pad integer NOT NULL,
  require_actor boolean NOT NULL,
  require_purpose text[] NOT NULL,
  active_version smallint NOT NULL,
  search_secret bytea,
  comment text,
  dropped boolean NOT NULL,
  generation bigint NOT NULL,
  changed_at timestamptz NOT NULL,
  root text NOT NULL,
  mac bytea NOT NULL);
COMMENT ON TABLE seal.key IS
  'keys of the ring, one row a key; a dropped key leaves a tombstone; written by seal.create_key and its kin only';

CREATE TABLE seal.key_version (
  key integer NOT NULL,
  version smallint NOT NULL,
  secret bytea,
  created_at timestamptz NOT NULL,
  generation bigint NOT NULL,
  changed_at timestamptz NOT NULL,
  root text NOT NULL,
  mac bytea NOT NULL,
  PRIMARY KEY (key, version));
COMMENT ON TABLE seal.key_version IS
  'versions of the keys, each a secret wrapped by the root key; no secret once destroyed';

CREATE TABLE seal.grant (
  key integer NOT NULL,
  role regrole NOT NULL,
  role_oid oid NOT NULL,
  role_name name NOT NULL,
  verbs text[] NOT NULL,
  scope text NOT NULL,
  granted_by name NOT NULL,
  generation bigint NOT NULL,
  changed_at timestamptz NOT NULL,
  root text NOT NULL,
  mac bytea NOT NULL,
  PRIMARY KEY (key, role_name));
COMMENT ON TABLE seal.grant IS
  'rights of roles on keys; a row counts only while its MAC fits and role, role_oid and role_name are one role of this cluster';

CREATE TABLE seal.protection (
  id bigint PRIMARY KEY,
  relation regclass NOT NULL,
  relation_name text NOT NULL UNIQUE,
  subject_type name NOT NULL,
  subject_column name NOT NULL,
  columns name[] NOT NULL,
  column_numbers bigint[] NOT NULL,
  complete boolean NOT NULL,
  generation bigint NOT NULL,
  changed_at timestamptz NOT NULL,
  root text NOT NULL,
  mac bytea NOT NULL);
COMMENT ON TABLE seal.protection IS
  'protected tables: which column names the subject of a row, and the random number of each sealed column, by which a value tells where it belongs';

CREATE TABLE seal.ring_head (
  singleton boolean PRIMARY KEY CHECK (singleton),
  digest bytea NOT NULL,
  generation bigint NOT NULL,
  changed_at timestamptz NOT NULL,
  root text NOT NULL,
  mac bytea NOT NULL);
COMMENT ON TABLE seal.ring_head IS
  'digest over the MACs of all rows of the ring, so that a row added, deleted or put back is seen';

CREATE TABLE seal.subject (
  number bigint PRIMARY KEY,
  type name NOT NULL,
  lookup bytea NOT NULL UNIQUE,
  external bytea NOT NULL,
  secret bytea,
  key_version smallint NOT NULL,
  generation bigint NOT NULL,
  changed_at timestamptz NOT NULL);
COMMENT ON TABLE seal.subject IS
  'whom rows of protected tables are about, each with a random number and a secret; external, what the application calls them, is found by lookup; both are sealed under key subject, and bound to the row';

CREATE TABLE seal.admission (
  id bigint PRIMARY KEY,
  subject bigint NOT NULL,
  subject_type name NOT NULL,
  role regrole NOT NULL,
  role_oid oid NOT NULL,
  role_name name NOT NULL,
  purpose text,
  granted_by name NOT NULL,
  granted_by_oid oid NOT NULL,
  granted_at timestamptz NOT NULL,
  until timestamptz NOT NULL,
  dismissed_at timestamptz,
  break_glass boolean NOT NULL,
  reason text,
  signed_off_by name,
  signed_off_at timestamptz,
  note text,
  key_version smallint NOT NULL,
  mac bytea NOT NULL);
COMMENT ON TABLE seal.admission IS
  'which role may open the values of which subject, and until when; rows are kept when they are over; a row counts only while its MAC fits and role, role_oid and role_name are one role of this cluster; reason and note are sealed under key audit';
CREATE INDEX admission_role ON seal.admission (role_oid, dismissed_at, until);
COMMENT ON INDEX seal.admission_role IS 'what a role is still admitted to';

SELECT pg_catalog.pg_extension_config_dump('seal.key', '');
SELECT pg_catalog.pg_extension_config_dump('seal.key_version', '');
SELECT pg_catalog.pg_extension_config_dump('seal.grant', '');
SELECT pg_catalog.pg_extension_config_dump('seal.protection', '');
SELECT pg_catalog.pg_extension_config_dump('seal.ring_head', '');
SELECT pg_catalog.pg_extension_config_dump('seal.subject', '');
SELECT pg_catalog.pg_extension_config_dump('seal.admission', '');
