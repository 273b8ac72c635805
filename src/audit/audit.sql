-- SPDX-License-Identifier: PostgreSQL
-- audit: the log, its Merkle tree and its checkpoints.  Rows are written by pgseal's own
-- code below the executor; what comes by SQL and changes or removes a row is refused.
--
-- No table of the log is part of a dump: restored beside another log it would be mixed
-- with it.  Base backups, replicas and pg_upgrade carry the log; seal.export_audit()
-- writes it out in a form that verifies without the database.

CREATE TABLE seal.audit_entry (
  entry bigint PRIMARY KEY,
  at timestamptz,
  action text,
  outcome text,
  login_role text,
  session_role text,
  role text,
  actor text,
  purpose text,
  address text,
  application text,
  xid xid8,
  statement bigint,
  relation text,
  row_key text,
  subject bigint,
  keys text[],
  what text,
  detail text,
  columns text[],
  old jsonb,
  new jsonb,
  values_opened bigint,
  subjects_opened bigint,
  rows_returned bigint,
  repeated bigint,
  subjects bigint[],
  statement_digest bytea,
  start uuid,
  segment integer,
  position bigint,
  serial bigint,
  salt bytea,
  leaf bytea NOT NULL,
  UNIQUE (start, segment, position),
  UNIQUE (start, serial));
COMMENT ON TABLE seal.audit_entry IS
  'the log, one row an entry, numbered from 0 as the leaves of its tree; a purged entry keeps its number, its leaf and where it was read; position: byte of its segment where it ends; negative: where it begins, of a record that does not fit its MAC, or where records end and something else stands; 0: the file is no segment; null: another record has its place, or it was read from no segment; serial: its number in that start of the server, null where none is believed; read it through seal.audit_log';

-- For the questions of an auditor, who asks about a time; it costs an entry next to nothing.
CREATE INDEX audit_entry_at ON seal.audit_entry USING brin (at);
COMMENT ON INDEX seal.audit_entry_at IS 'entries of a time';

-- What seal.row_history() asks for; records of reads are in neither.
CREATE INDEX audit_entry_row ON seal.audit_entry (relation, row_key) WHERE row_key IS NOT NULL;
COMMENT ON INDEX seal.audit_entry_row IS 'the history of a row';
CREATE INDEX audit_entry_moved_row ON seal.audit_entry (relation, detail) WHERE detail LIKE 'new key %';
COMMENT ON INDEX seal.audit_entry_moved_row IS 'the history of a row that got its key by an update';

-- Who saw a patient; entries that name none are in neither.
CREATE INDEX audit_entry_subject ON seal.audit_entry (subject) WHERE subject IS NOT NULL;
COMMENT ON INDEX seal.audit_entry_subject IS 'entries about one subject';
CREATE INDEX audit_entry_subjects ON seal.audit_entry USING gin (subjects) WHERE subjects IS NOT NULL;
COMMENT ON INDEX seal.audit_entry_subjects IS 'entries about several subjects';

CREATE TABLE seal.audit_change (
  id bigint,
  at timestamptz,
  action text,
  outcome text,
  login_role text,
  session_role text,
  role text,
  actor text,
  purpose text,
  address text,
  application text,
  xid xid8,
  statement bigint,
  relation text,
  row_key text,
  subject bigint,
  keys text[],
  what text,
  detail text,
  columns text[],
  old bytea,
  new bytea) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, vacuum_truncate = false);
COMMENT ON TABLE seal.audit_change IS
  'writes to watched tables that are not yet numbered; id: their order, by the position of the WAL, equal for writes whose order does not matter; the other columns are those of seal.audit_entry, in that order, old and new in the form that seal.audit_image() shows';
ALTER TABLE seal.audit_change ALTER old SET STORAGE EXTERNAL, ALTER new SET STORAGE EXTERNAL;

CREATE FUNCTION seal.audit_image(image bytea) RETURNS jsonb
  AS 'MODULE_PATHNAME', 'pgseal_audit_image' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION seal.audit_image(bytea) IS
  'values of a row in seal.audit_change as the log will have them, envelopes by column; null when it is no such image';
REVOKE EXECUTE ON FUNCTION seal.audit_image(bytea) FROM PUBLIC;

CREATE TABLE seal.audit_node (
  level smallint,
  index bigint,
  hash bytea NOT NULL,
  PRIMARY KEY (level, index));
COMMENT ON TABLE seal.audit_node IS
  'complete subtrees of the log''s tree from level 8 (256 leaves) on; lower ones are computed from the leaves';

CREATE TABLE seal.audit_state (
  singleton boolean PRIMARY KEY CHECK (singleton),
  origin text NOT NULL,
  place text NOT NULL,
  size bigint NOT NULL,
  ingested_at timestamptz NOT NULL,
  checkpoint text,
  checkpoint_size bigint NOT NULL,
  checkpoint_at timestamptz,
  delivered_size bigint NOT NULL,
  delivered_at timestamptz);
COMMENT ON TABLE seal.audit_state IS
  'where the log stands: its origin, the place (cluster, database, timeline, data directory) it was given for, the size of its tree, the last checkpoint and the last one that seal.checkpoint_command took';

CREATE FUNCTION seal.audit_refuse() RETURNS trigger
  AS 'MODULE_PATHNAME', 'pgseal_audit_refuse' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION seal.audit_refuse() IS
  'statement trigger of the log''s tables: refuses UPDATE, DELETE and TRUNCATE, 42501';

DO $$
DECLARE
  log_table text;
BEGIN
  FOREACH log_table IN ARRAY '{audit_entry,audit_change,audit_node,audit_state}'::text[] LOOP
    EXECUTE format('CREATE TRIGGER audit_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON seal.%I
      FOR EACH STATEMENT EXECUTE FUNCTION seal.audit_refuse()', log_table);
    EXECUTE format('ALTER TABLE seal.%I ENABLE ALWAYS TRIGGER audit_refuse', log_table);
    EXECUTE format('COMMENT ON TRIGGER audit_refuse ON seal.%I IS %L', log_table,
      'refuses UPDATE, DELETE and TRUNCATE');
  END LOOP;
END $$;

-- What the log proves.

CREATE FUNCTION seal.public_key() RETURNS text
  AS 'MODULE_PATHNAME', 'pgseal_public_key' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.public_key() IS
  'verifier key of the log''s checkpoints, in the form of signed notes; keep it, and checkpoints, outside of this server; 55000';

CREATE FUNCTION seal.checkpoint() RETURNS text
  AS 'MODULE_PATHNAME', 'pgseal_checkpoint' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.checkpoint() IS
  'has everything that is committed taken into the log and signed, and returns the checkpoint, a signed note; waits as long as records are taken in, at most a minute for each 5000; 55000';
REVOKE EXECUTE ON FUNCTION seal.checkpoint() FROM PUBLIC;

CREATE FUNCTION seal.inclusion_proof(entry bigint, tree_size bigint DEFAULT NULL) RETURNS text[]
  AS 'MODULE_PATHNAME', 'pgseal_inclusion_proof' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.inclusion_proof(bigint, bigint) IS
  'hashes (RFC 9162 section 2.1.3, hexadecimal) which show that an entry''s leaf is in the tree of a size, by default the present one; 22023, XX001';

CREATE FUNCTION seal.consistency_proof(old bigint, new bigint) RETURNS text[]
  AS 'MODULE_PATHNAME', 'pgseal_consistency_proof' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.consistency_proof(bigint, bigint) IS
  'hashes (RFC 9162 section 2.1.4, hexadecimal) which show that the tree of the new size, null for the present one, begins with that of the old; 22023, XX001';

CREATE FUNCTION seal.verify_audit(checkpoint text DEFAULT NULL,
    OUT intact boolean, OUT entries bigint, OUT first_bad bigint, OUT problem text)
  AS 'MODULE_PATHNAME', 'pgseal_verify_audit' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.verify_audit(text) IS
  'hashes the whole log again and compares it with its leaves, its tree, its last checkpoint and a given one; entries: how many were read; first_bad: the first entry that is altered, missing or added, null when it cannot be told; 55000';
REVOKE EXECUTE ON FUNCTION seal.verify_audit(text) FROM PUBLIC;

CREATE FUNCTION seal.export_audit(from_entry bigint DEFAULT 0, to_entry bigint DEFAULT NULL) RETURNS SETOF text
  AS 'MODULE_PATHNAME', 'pgseal_export_audit' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.export_audit(bigint, bigint) IS
  'entries as lines that demo/verify_export checks outside of the database, with the last checkpoint and the hashes that lead to it; by default all that it covers; 22023, 55000';
REVOKE EXECUTE ON FUNCTION seal.export_audit(bigint, bigint) FROM PUBLIC;

CREATE FUNCTION seal.ingest_segments(path text) RETURNS bigint
  AS 'MODULE_PATHNAME', 'pgseal_ingest_segments' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.ingest_segments(text) IS
  'takes the segments of this database from a copied folder, pg_seal or the one of the database in it, into the log, what it has already left out, and returns how many entries were added; 25006, 42501';

CREATE FUNCTION seal.remove_segments() RETURNS bigint
  AS 'MODULE_PATHNAME', 'pgseal_remove_segments' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.remove_segments() IS
  'removes the segments of this database on this server that the log has and that a delivered checkpoint covers, and returns how many; for a standby, whose segments were fed to its primary: elsewhere workers do it; 42501';

CREATE FUNCTION seal.purge_audit(older_than interval, below_minimum boolean DEFAULT false) RETURNS bigint
  AS 'MODULE_PATHNAME', 'pgseal_purge_audit' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.purge_audit(interval, boolean) IS
  'empties the entries that are older and that a delivered checkpoint covers, and returns how many; their leaves stay, so the log and its proofs verify as before, and an entry tells of it; refused below six months unless below_minimum; 22023, 42501';

-- Who reads the log is in it.

CREATE FUNCTION seal.audit_reading(view_name text) RETURNS boolean
  AS 'MODULE_PATHNAME', 'pgseal_audit_reading' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.audit_reading(text) IS
  'records that a view of the log is read, and returns true; called by the views, for those who may read them; 42501, 53100, 58030';

CREATE VIEW seal.audit_shown AS
  SELECT entry, at, action, outcome, login_role, session_role, role, actor, purpose, address, application,
    relation, row_key, subject, keys, columns, old, new, values_opened, subjects_opened, rows_returned,
    statement_digest, leaf, what, detail, repeated, xid, statement, subjects
  FROM seal.audit_entry;
COMMENT ON VIEW seal.audit_shown IS
  'the columns that all views of the log have; nobody is granted it: seal.audit_log is read';

CREATE VIEW seal.audit_log WITH (security_barrier) AS
  SELECT *
  FROM seal.audit_shown
  WHERE (SELECT seal.audit_reading('audit_log'));
COMMENT ON VIEW seal.audit_log IS
  'the entries of the log; that it is read is itself recorded; the other views of the log have the same columns';
COMMENT ON COLUMN seal.audit_log.entry IS
  'number of the entry, and of its leaf in the tree; not the order of time';
COMMENT ON COLUMN seal.audit_log.at IS 'when it happened, by the clock of the server';
COMMENT ON COLUMN seal.audit_log.action IS
  'insert, update, delete, truncate: of a watched row; open, progress, close, search: of a statement; export: in place of open or after it, what a statement keeps elsewhere than in sealed columns, and without keys the log itself; refuse; key, grant, admin, setting, purge: what was administered';
COMMENT ON COLUMN seal.audit_log.outcome IS
  'ok, an SQLSTATE, aborted (what was recorded as ok was taken back), or prepared';
COMMENT ON COLUMN seal.audit_log.login_role IS 'who logged in';
COMMENT ON COLUMN seal.audit_log.session_role IS 'after SET SESSION AUTHORIZATION';
COMMENT ON COLUMN seal.audit_log.role IS
  'as whom it was done: after SET ROLE, or the owner of a SECURITY DEFINER function';
COMMENT ON COLUMN seal.audit_log.actor IS 'person on whose behalf the client worked, as it claimed in that transaction by seal.actor';
COMMENT ON COLUMN seal.audit_log.purpose IS 'purpose of use, a code of HL7 PurposeOfUse, as claimed by seal.purpose';
COMMENT ON COLUMN seal.audit_log.address IS 'host:port of the client, or local';
COMMENT ON COLUMN seal.audit_log.application IS 'application_name, as the client claims';
COMMENT ON COLUMN seal.audit_log.relation IS
  'watched table; table whose history, or view of the log, was read';
COMMENT ON COLUMN seal.audit_log.row_key IS
  'key of the row: the text of a key of one column, else a JSON array';
COMMENT ON COLUMN seal.audit_log.subject IS
  'number of the subject; in open that of the first value, in close of the only one, in a write that of the row as it is now, where its table is protected';
COMMENT ON COLUMN seal.audit_log.keys IS
  'key of the values, or the one that was changed; of a watched row those of its recorded sealed columns, null without any';
COMMENT ON COLUMN seal.audit_log.columns IS 'columns that an update changed; null for an insert and a delete, which have all of them';
COMMENT ON COLUMN seal.audit_log.old IS
  'values before: sealed columns by their names, as stored; all plain ones as one envelope under key audit, whose name is empty; seal.row_history() opens them';
COMMENT ON COLUMN seal.audit_log.new IS 'values after, likewise';
COMMENT ON COLUMN seal.audit_log.values_opened IS
  'values opened, or searched for, so far: in progress a part, in close the total';
COMMENT ON COLUMN seal.audit_log.subjects_opened IS 'how many subjects they were of; beyond 1000 an estimate, with a standard error of 1.6 %';
COMMENT ON COLUMN seal.audit_log.rows_returned IS
  'rows that the statement returned; null for a parallel worker and after an error';
COMMENT ON COLUMN seal.audit_log.statement_digest IS
  'SHA-256 of the statement without its constants: equal for calls of one statement';
COMMENT ON COLUMN seal.audit_log.leaf IS 'hash of this entry in the tree of the log';
COMMENT ON COLUMN seal.audit_log.what IS 'verb or function';
COMMENT ON COLUMN seal.audit_log.detail IS 'names and numbers, never a value';
COMMENT ON COLUMN seal.audit_log.repeated IS 'how many more refusals of the same kind came within a minute';
COMMENT ON COLUMN seal.audit_log.subjects IS
  'numbers of the subjects of a statement that opened several, the first 1000; those of the entries of a statement add up';
COMMENT ON COLUMN seal.audit_log.xid IS 'transaction, null when it had written nothing';
COMMENT ON COLUMN seal.audit_log.statement IS
  'equal for all entries of one statement of one start of the server';

CREATE VIEW seal.refusals WITH (security_barrier) AS
  SELECT *
  FROM seal.audit_shown
  WHERE action = 'refuse' AND (SELECT seal.audit_reading('refusals'));
COMMENT ON VIEW seal.refusals IS
  'entries of the log that tell of refusals; outcome: the SQLSTATE; reading it is recorded';

CREATE VIEW seal.bulk_reads WITH (security_barrier) AS
  SELECT *
  FROM seal.audit_shown AS shown
  WHERE ((action = 'export' AND keys IS NULL) OR (action IN ('progress', 'close') AND values_opened >= 1000))
    AND NOT EXISTS (
      SELECT FROM seal.audit_entry AS read, seal.audit_entry AS later
      WHERE read.entry = shown.entry AND read.action = 'progress'
        AND later.action IN ('progress', 'close') AND later.values_opened >= 1000
        AND later.start = read.start AND later.statement = read.statement AND later.keys = read.keys
        AND later.role = read.role AND later.what = read.what AND later.serial > read.serial)
    AND (SELECT seal.audit_reading('bulk_reads'));
COMMENT ON VIEW seal.bulk_reads IS
  'one line for each statement, key and role that opened or searched for 1000 values or more: its close, or its latest progress while it runs and when a crash ended it; a parallel worker has a line of its own; and exports of the log; reading it is recorded';

CREATE VIEW seal.key_events WITH (security_barrier) AS
  SELECT *
  FROM seal.audit_shown
  WHERE action IN ('key', 'grant', 'admin', 'setting', 'protect', 'admit', 'break_glass', 'limit', 'erase', 'purge')
    AND (SELECT seal.audit_reading('key_events'));
COMMENT ON VIEW seal.key_events IS
  'entries of the log about keys, rights, settings and the log itself; reading it is recorded';

CREATE FUNCTION seal.audit_unread() RETURNS bigint
  AS 'MODULE_PATHNAME', 'pgseal_audit_unread' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.audit_unread() IS
  'how many segment files of this database hold records that the log has not, for those who may read seal.audit_status; 42501';

CREATE FUNCTION seal.audit_last_error() RETURNS text
  AS 'MODULE_PATHNAME', 'pgseal_audit_last_error' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION seal.audit_last_error() IS
  'what the last worker of this database''s log failed in; null when all is well; for those who may read seal.audit_status; 42501';

CREATE VIEW seal.audit_status AS
  SELECT unread AS unread_segments,
    CASE WHEN unread > 0 OR EXISTS (SELECT FROM seal.audit_change)
      THEN pg_catalog.now() - LEAST(s.ingested_at, (SELECT at FROM seal.audit_entry WHERE entry = s.size - 1))
      ELSE '0' END AS lag,
    s.size AS entries, s.size AS tree_size, s.checkpoint_at AS last_checkpoint,
    seal.audit_last_error() AS last_error, s.origin, s.checkpoint_size, s.delivered_size, s.delivered_at
  FROM (SELECT seal.audit_unread() AS unread) u LEFT JOIN seal.audit_state s ON true;
COMMENT ON VIEW seal.audit_status IS
  'how the log does: segment files with unread records, lag: time since the last record that was taken in, while others wait, entries, size of the tree, time of the last checkpoint, last error of its worker';
