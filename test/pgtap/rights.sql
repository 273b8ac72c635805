-- rights: who may do what with a key.
--
-- A right is a verb on a key: seal (write), search (compare for equality),
-- reveal (open, and search).  What a login role without superuser may do is
-- asked in test/tap/roles.pl; here the login role is a superuser, whose own
-- rights are asked too.  So it holds every verb until the part about it.

SELECT no_plan();

CREATE ROLE lab_owner;
CREATE ROLE lab_app;
CREATE ROLE lab_writer;
CREATE ROLE lab_seeker;
CREATE ROLE lab_reader;
CREATE ROLE lab_nobody;

SELECT seal.create_key('nir', searchable => true) > 0 AS made \gset
SELECT seal.create_key('note') > 0 AS made \gset
DO $$ BEGIN
  PERFORM seal.grant_key(k, 'postgres', '{seal,search,reveal}') FROM unnest('{nir,note}'::text[]) k;
END $$;

CREATE TABLE patient (id integer PRIMARY KEY, nir sealed_text(nir), note sealed_text(note));
ALTER TABLE patient OWNER TO lab_owner;
GRANT ALL ON patient TO PUBLIC;
GRANT CREATE ON SCHEMA public TO PUBLIC;
INSERT INTO patient VALUES (1, '184127645108946', 'asthma');

-- Prepared once, asked in every role: a plan keeps no right.
PREPARE write_it AS INSERT INTO patient VALUES (2, '295109912611193', NULL)
  ON CONFLICT (id) DO UPDATE SET nir = excluded.nir;
PREPARE search_it AS SELECT id FROM patient WHERE nir = '184127645108946';
PREPARE reveal_it AS SELECT seal.reveal(nir) FROM patient WHERE id = 1;
PREPARE cast_it AS SELECT nir::text FROM patient WHERE id = 1;
PREPARE show_it AS SELECT seal.show(nir) FROM patient WHERE id = 1;
PREPARE print_it AS SELECT starts_with(to_jsonb(nir) #>> '{}', 'seal1:') FROM patient WHERE id = 1;

\set denied_nir '''permission denied for key "nir"'''
\set denied_note '''permission denied for key "note"'''

-- Without a grant ----------------------------------------------------------

SET ROLE lab_nobody;
SELECT throws_ok('write_it', '42501', :denied_nir, 'a role without a grant writes nothing');
SELECT throws_ok('search_it', '42501', :denied_nir, 'and finds nothing');
SELECT throws_ok('reveal_it', '42501', :denied_nir, 'and opens nothing');
SELECT throws_ok('cast_it', '42501', :denied_nir, 'a cast is a reveal');
SELECT results_eq('show_it', 'VALUES (NULL::text)', 'seal.show() is NULL to it');
SELECT results_eq('print_it', 'VALUES (true)', 'it sees the envelope');
SELECT lives_ok($$ INSERT INTO patient SELECT 3, nir, note FROM patient WHERE id = 1 $$, 'and may copy it');
SELECT lives_ok($$ DELETE FROM patient WHERE id = 3 $$, 'and delete the row');
SELECT throws_ok($$ SELECT seal.seal('x'::text, 'nir') $$, '42501', :denied_nir, 'seal.seal() asks for the verb seal');
SELECT throws_ok($$ SELECT seal.token_literal('nir', 'x'::text) $$, '42501', :denied_nir,
  'seal.token_literal() asks for the verb search');
SELECT throws_ok($$ UPDATE patient SET note = 'x' $$, '42501', :denied_note, 'UPDATE asks for the key of the column');
SELECT lives_ok($$ UPDATE patient SET nir = NULL WHERE false $$, 'NULL needs no key');

SET ROLE lab_owner;
SELECT throws_ok('write_it', '42501', :denied_nir, 'the owner of the table writes nothing');
SELECT throws_ok('search_it', '42501', :denied_nir, 'the owner finds nothing');
SELECT throws_ok('reveal_it', '42501', :denied_nir, 'the owner opens nothing');

-- One verb -----------------------------------------------------------------

RESET ROLE;
DO $$ BEGIN
  PERFORM seal.grant_key('nir', 'lab_writer', '{seal}');
  PERFORM seal.grant_key('nir', 'lab_seeker', '{search}');
  PERFORM seal.grant_key('nir', 'lab_reader', '{reveal}');
  PERFORM seal.grant_key('nir', 'lab_app', '{seal,search,reveal}');
END $$;

SET ROLE lab_writer;
SELECT lives_ok('write_it', 'seal: writes');
SELECT throws_ok('search_it', '42501', :denied_nir, 'seal: finds nothing');
SELECT throws_ok('reveal_it', '42501', :denied_nir, 'seal: opens nothing');
SELECT throws_ok('cast_it', '42501', :denied_nir, 'seal: opens nothing by a cast');
SELECT throws_ok($$ SELECT seal.token_literal('nir', 'x'::text) $$, '42501', :denied_nir, 'seal: makes no token');
SELECT throws_ok($$ UPDATE patient SET note = 'x' $$, '42501', :denied_note, 'seal: another key stays closed');

SET ROLE lab_seeker;
SELECT throws_ok('write_it', '42501', :denied_nir, 'search: writes nothing');
SELECT results_eq('search_it', 'VALUES (1)', 'search: finds');
SELECT throws_ok('reveal_it', '42501', :denied_nir, 'search: opens nothing');
SELECT results_eq('show_it', 'VALUES (NULL::text)', 'search: sees nothing');

SET ROLE lab_reader;
SELECT throws_ok('write_it', '42501', :denied_nir, 'reveal: writes nothing');
SELECT results_eq('search_it', 'VALUES (1)', 'reveal: finds');
SELECT results_eq('reveal_it', $$ VALUES ('184127645108946') $$, 'reveal: opens');
SELECT results_eq('cast_it', $$ VALUES ('184127645108946') $$, 'reveal: opens by a cast');
SELECT results_eq('show_it', $$ VALUES ('184127645108946') $$, 'reveal: sees');
SELECT throws_ok('SELECT seal.reveal(note) FROM patient', '42501', :denied_note, 'reveal: another key stays closed');

SET ROLE lab_app;
SELECT lives_ok('write_it', 'all verbs: writes');
SELECT results_eq('search_it', 'VALUES (1)', 'all verbs: finds');
SELECT results_eq('reveal_it', $$ VALUES ('184127645108946') $$, 'all verbs: opens');

RESET ROLE;
DO $$ BEGIN PERFORM seal.grant_key('note', 'lab_seeker', '{search}'); END $$;
SET ROLE lab_seeker;
SELECT throws_ok($$ SELECT id FROM patient WHERE note = 'asthma' $$, '0A000', 'key "note" is not searchable',
  'search on a key that is not searchable has no effect');
RESET ROLE;

-- Members of a role --------------------------------------------------------

CREATE ROLE lab_member IN ROLE lab_reader;
CREATE ROLE lab_distant IN ROLE lab_member;
CREATE ROLE lab_noinherit NOINHERIT IN ROLE lab_reader;
CREATE ROLE lab_beyond IN ROLE lab_noinherit;
CREATE ROLE lab_super SUPERUSER IN ROLE lab_nobody;

SET ROLE lab_member;
SELECT results_eq('reveal_it', $$ VALUES ('184127645108946') $$, 'a member that inherits opens');
SELECT throws_ok('write_it', '42501', :denied_nir, 'with the verbs of the role, no more');
SET ROLE lab_distant;
SELECT results_eq('reveal_it', $$ VALUES ('184127645108946') $$, 'a member of a member opens');
SET ROLE lab_noinherit;
SELECT throws_ok('reveal_it', '42501', :denied_nir, 'a member that does not inherit opens nothing');
SET ROLE lab_beyond;
SELECT throws_ok('reveal_it', '42501', :denied_nir, 'nor does a member behind one that does not inherit');
SET ROLE lab_super;
SELECT throws_ok('reveal_it', '42501', :denied_nir, 'a superuser is no member of every role');
SELECT throws_ok('write_it', '42501', :denied_nir, 'neither for writing');
RESET ROLE;
REVOKE lab_reader FROM lab_member;
SET ROLE lab_member;
SELECT throws_ok('reveal_it', '42501', :denied_nir, 'who is a member no more opens nothing');
SET ROLE lab_distant;
SELECT throws_ok('reveal_it', '42501', :denied_nir, 'nor do its members');
RESET ROLE;
-- from PostgreSQL 16 on the membership decides, no longer the member
SELECT current_setting('server_version_num')::integer >= 160000 AS by_membership \gset
\if :by_membership
GRANT lab_reader TO lab_noinherit WITH INHERIT TRUE;
\else
ALTER ROLE lab_noinherit INHERIT;
\endif
SET ROLE lab_beyond;
SELECT results_eq('reveal_it', $$ VALUES ('184127645108946') $$, 'INHERIT counts at once');
RESET ROLE;

-- SECURITY DEFINER: the definer's rights count -----------------------------

SET ROLE lab_reader;
CREATE FUNCTION initials() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = public
  AS 'SELECT left(seal.reveal(nir), 2) FROM patient WHERE id = 1';
SET ROLE lab_owner;
CREATE FUNCTION nothing() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = public
  AS 'SELECT seal.reveal(nir) FROM patient WHERE id = 1';
SET ROLE lab_nobody;
SELECT is(initials(), '18', 'a function of a reader opens for whoever may call it');
SELECT throws_ok('reveal_it', '42501', :denied_nir, 'and only inside');
SET ROLE lab_reader;
SELECT throws_ok('SELECT nothing()', '42501', :denied_nir, 'a function of a role without rights opens nothing for a reader');
RESET ROLE;

-- Revoking -----------------------------------------------------------------

SET ROLE lab_app;
SELECT results_eq('reveal_it', $$ VALUES ('184127645108946') $$, 'before: opens');
RESET ROLE;
DO $$ BEGIN PERFORM seal.revoke_key('nir', 'lab_app', '{reveal}'); END $$;
SET ROLE lab_app;
SELECT throws_ok('reveal_it', '42501', :denied_nir, 'a revoked verb is gone at the next statement, in a prepared one too');
SELECT results_eq('search_it', 'VALUES (1)', 'the others stay');
SELECT lives_ok('write_it', 'all of them');
RESET ROLE;
DO $$ BEGIN PERFORM seal.revoke_key('nir', 'lab_app'); END $$;
SET ROLE lab_app;
SELECT throws_ok('search_it', '42501', :denied_nir, 'without verbs named, all are gone');
SELECT throws_ok('write_it', '42501', :denied_nir, 'all of them');
RESET ROLE;
SELECT is_empty($$ SELECT * FROM seal.grants WHERE role = 'lab_app'::regrole $$, 'and seal.grants shows none');
DO $$ BEGIN PERFORM seal.grant_key('nir', 'lab_app', '{reveal}'); END $$;
SELECT results_eq($$ SELECT verbs FROM seal.grants WHERE role = 'lab_app'::regrole $$, $$ VALUES ('{reveal}'::text[]) $$,
  'a right given again brings no other back');

-- A right to everybody would be a right to nobody in particular.
SELECT throws_ok($$ SELECT seal.grant_key('nir', 0::oid::regrole, '{reveal}') $$, '42704', 'role with OID 0 does not exist',
  'PUBLIC cannot be given a right');

-- The superuser ------------------------------------------------------------

DO $$ BEGIN PERFORM seal.grant_key('nir', 'lab_app', '{seal,search,reveal}'); END $$;
SELECT results_eq('reveal_it', $$ VALUES ('184127645108946') $$, 'a superuser with a grant opens');
DO $$ BEGIN PERFORM seal.revoke_key('nir', 'postgres', '{reveal}'); END $$;
SELECT throws_ok('reveal_it', '42501', :denied_nir, 'a superuser without the verb reveal opens nothing');
SELECT throws_ok('cast_it', '42501', :denied_nir, 'nor by a cast');
SELECT results_eq('search_it', 'VALUES (1)', 'what it was given it may');
SET ROLE lab_app;
SELECT throws_ok('reveal_it', '42501', :denied_nir, 'SET ROLE gains nothing');
RESET ROLE;
SET SESSION AUTHORIZATION lab_app;
SELECT throws_ok('reveal_it', '42501', :denied_nir, 'SET SESSION AUTHORIZATION gains nothing');
SELECT lives_ok('write_it', 'what both may, both may');
RESET SESSION AUTHORIZATION;
SET ROLE lab_nobody;
SELECT throws_ok('search_it', '42501', :denied_nir, 'and what the superuser may, the role it set may not');
SELECT throws_ok('SELECT initials()', '42501', :denied_nir, 'a definer''s function opens nothing for a superuser''s session');
RESET ROLE;
DO $$ BEGIN PERFORM seal.revoke_key('nir', 'postgres'); END $$;
SELECT throws_ok('write_it', '42501', :denied_nir, 'a superuser without a grant writes nothing');
SELECT throws_ok('search_it', '42501', :denied_nir, 'finds nothing');
SELECT results_eq('show_it', 'VALUES (NULL::text)', 'sees nothing');
SELECT throws_ok($$ SELECT seal.reveal(note) FROM patient; SELECT seal.reveal(nir) FROM patient $$, '42501', :denied_nir,
  'one key is no other');

-- Administration -----------------------------------------------------------

SELECT throws_ok($$ SELECT seal.grant_key('nir', 'lab_app', '{reveal}', 'admitted') $$, '22023',
  'role "lab_app" holds verbs of scope all on key "nir"', 'verbs have one scope: it changes for all of them');
SELECT throws_ok($$ SELECT seal.grant_key('nir', 'lab_app', '{reveal}', 'some') $$, '22023',
  'unknown scope "some"', 'any other scope is unknown');
SELECT throws_ok($$ SELECT seal.grant_key('nir', 'lab_app', '{reveal,erase}') $$, '22023',
  'unknown verb "erase"', 'an unknown verb is refused');
SELECT throws_ok($$ SELECT seal.grant_key('nir', 'lab_app', '{REVEAL}') $$, '22023',
  'unknown verb "REVEAL"', 'verbs are lower case');
SELECT throws_ok($$ SELECT seal.grant_key('nir', 'lab_app', '{NULL}') $$, '22023',
  'unknown verb "null"', 'NULL is no verb');
SELECT throws_ok($$ SELECT seal.grant_key('nir', 'lab_app', NULL) $$, '22004',
  'argument "verbs" must not be null', 'nor may the verbs be NULL');
SELECT throws_ok($$ SELECT seal.grant_key('none', 'lab_app', '{reveal}') $$, '42704',
  'key "none" does not exist', 'an unknown key is refused');
SELECT throws_ok($$ SELECT seal.revoke_key('none', 'lab_app') $$, '42704',
  'key "none" does not exist', 'for revoking too');
SELECT throws_ok($$ SELECT seal.revoke_key('nir', 'lab_app', '{erase}') $$, '22023',
  'unknown verb "erase"', 'an unknown verb is refused for revoking too');
SELECT throws_ok($$ SELECT seal.grant_key('literal', 'lab_app', '{reveal}') $$, '22023',
  'key "literal" cannot be granted', 'the key of literals opens for nobody');
SELECT throws_ok($$ SET seal.admin_role = 'lab_nobody' $$, '55P02', 'parameter "seal.admin_role" cannot be changed now',
  'seal.admin_role is no setting of a session');

SET ROLE lab_owner;
SELECT throws_ok(format('SELECT seal.%s', call), '42501', format('permission denied for function seal.%s', split_part(call, '(', 1)),
    format('who is no administrator may not call %s', call))
  FROM unnest(ARRAY[$$create_key('mine')$$, $$rotate_key('nir')$$, $$drop_key('nir')$$,
    $$grant_key('nir', 'lab_owner', '{reveal}')$$, $$revoke_key('nir', 'lab_app')$$, 'rotate_root()', 'accept_ring()',
    'rebind_grants()', 'export_ring()', $$import_ring('x')$$, $$admit('patient', '1', 'lab_owner', 'TREAT', 'infinity')$$,
    $$dismiss('patient', '1', 'lab_app')$$, 'sign_off(1)', $$subject_number('patient', '1')$$]) AS calls(call);
RESET ROLE;
SELECT table_privs_are('seal', t, 'lab_app', '{}', format('seal.%s is closed to applications', t))
  FROM unnest('{key,key_version,grant,protection,ring_head,subject,admission}'::name[]) t;
SELECT table_privs_are('seal', v, 'lab_app', '{SELECT}', format('seal.%s is open to applications', v))
  FROM unnest('{keys,grants}'::name[]) v;

SELECT * FROM finish();
