# roles.pl: rights follow the role that logged in, and roles that are renamed,
# dropped and made again.
#
# Not a pg_regress test: its questions are about login roles, two databases, a
# setting that is reloaded, and the server log.
use strict;
use warnings;
use Test::More;
use Pgseal;

my $node = new_node('roles');
$node->safe_psql('postgres', <<'END');
CREATE ROLE lab_app LOGIN;
CREATE ROLE lab_nobody LOGIN;
CREATE ROLE lab_front LOGIN NOINHERIT IN ROLE lab_app;
CREATE ROLE lab_member LOGIN IN ROLE lab_app, lab_nobody;
CREATE ROLE lab_dba LOGIN SUPERUSER;
CREATE DATABASE elsewhere;
CREATE EXTENSION pgseal;
SELECT seal.create_key('note');
SELECT seal.create_key('nir', searchable => true);
SELECT seal.grant_key('note', 'lab_app', '{seal,reveal}');
SELECT seal.grant_key('nir', 'lab_app', '{search}');
CREATE TABLE patient (id integer, note sealed_text(note), nir sealed_text(nir));
GRANT ALL ON patient TO PUBLIC;
END
as_role($node, 'lab_app', q{INSERT INTO patient VALUES (1, 'asthma', NULL)});

my $read   = 'SELECT seal.reveal(note) FROM patient';
my $denied = '42501: permission denied for key "note"';

# states ROLE: the states of its grants, one a line.
sub states
{
	my ($role) = @_;
	return $node->safe_psql('postgres',
		"SELECT k.name, seal.grant_state(g.key, g.role_name) FROM seal.grant g JOIN seal.key k ON k.id = g.key WHERE g.role_name = '$role' AND g.verbs <> '{}' ORDER BY 1");
}

# answer SESSION: what its prepared statement r gives: its output, or "SQLSTATE: message".
sub answer
{
	my ($session) = @_;
	my $out = $session->query('EXECUTE r');
	my $err = $session->{stderr};
	$session->{stderr} = '';
	return $err =~ /ERROR:  (\w{5}: .*)/ ? $1 : $out;
}

# The role that logged in ----------------------------------------------------------------

is(error_of($node, 'lab_app', $read), '', 'the application opens');
is(error_of($node, 'lab_nobody', $read), $denied, 'another role does not');
is(error_of($node, 'lab_member', $read), '', 'a member opens');
is(error_of($node, 'lab_front', $read), $denied, 'a member that does not inherit does not');
is(error_of($node, 'lab_front', "SET ROLE lab_app; $read"), '', 'but may set the role');
is(error_of($node, 'lab_member', "SET ROLE lab_nobody; $read"), $denied, 'a member that sets a role without rights has none');
is(error_of($node, 'lab_dba', $read), $denied, 'a superuser has no right');
is(error_of($node, 'lab_dba', "SET ROLE lab_app; $read"), $denied, 'SET ROLE gives a superuser none');
is(error_of($node, 'lab_dba', "SET SESSION AUTHORIZATION lab_app; $read"), $denied, 'SET SESSION AUTHORIZATION neither');
is(error_of($node, 'lab_dba', "SET LOCAL ROLE lab_app; $read"), $denied, 'in no form');
$node->safe_psql('postgres', <<'END');
CREATE FUNCTION by_app() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS 'SELECT seal.reveal(note) FROM patient';
ALTER FUNCTION by_app() OWNER TO lab_app;
END
is(error_of($node, 'lab_nobody', 'SELECT by_app()'), '', 'a function of the application opens for another role');
is(error_of($node, 'lab_dba', 'SELECT by_app()'), $denied, 'and not for a superuser');
$node->safe_psql('postgres', 'GRANT lab_app TO lab_dba');
is(error_of($node, 'lab_dba', $read), '', 'a superuser that is a member has the right of a member');
$node->safe_psql('postgres', 'REVOKE lab_app FROM lab_dba');
is(error_of($node, 'lab_dba', $read), $denied, 'until he is none');

# Administration -----------------------------------------------------------------------------

my $mine = q{SELECT seal.create_key('mine')};
is(error_of($node, 'lab_nobody', $mine), '42501: permission denied for function seal.create_key', 'without seal.admin_role only superusers make keys');
$node->safe_psql('postgres', 'CREATE ROLE lab_keys; GRANT lab_keys TO lab_nobody');
$node->append_conf('postgresql.conf', "seal.admin_role = 'lab_keys'");
$node->reload;
$node->poll_query_until('postgres', q{SELECT current_setting('seal.admin_role') = 'lab_keys'}) or die 'seal.admin_role did not change';
is(error_of($node, 'lab_nobody', $mine), '', 'a member of seal.admin_role makes keys');
is(error_of($node, 'lab_app', q{SELECT seal.create_key('other')}), '42501: permission denied for function seal.create_key', 'another role does not');
is(error_of($node, 'lab_nobody', $read), $denied, 'an administrator has no right to a value');
is(error_of($node, 'lab_nobody', q{UPDATE seal.grant SET verbs = '{reveal}'}), '42501: permission denied for table grant', 'nor to the tables');
my $offset = -s $node->logfile;
is(error_of($node, 'lab_nobody', q{SELECT seal.grant_key('note', 'lab_nobody', '{reveal}')}), '', 'he may give himself one');
is(error_of($node, 'lab_nobody', $read), '', 'and use it');
like(log_since($node, $offset), qr/LOG:  pgseal: grant grant key=note to=lab_nobody verbs=reveal scope=all login=lab_nobody session=lab_nobody role=lab_nobody$/m,
	'which is told in the log');
$offset = -s $node->logfile;
is(error_of($node, 'lab_nobody', q{SELECT seal.revoke_key('note', 'lab_nobody')}), '', 'taken away again');
like(log_since($node, $offset), qr/LOG:  pgseal: grant revoke key=note from=lab_nobody verbs=seal,search,reveal login=lab_nobody/, 'told too');
# Roles that were not refused before: a repetition within a minute is counted, not told.
$node->safe_psql('postgres', 'CREATE ROLE lab_stranger LOGIN; CREATE ROLE lab_root LOGIN SUPERUSER');
$offset = -s $node->logfile;
is(error_of($node, 'lab_stranger', $read), $denied, 'refused');
like(log_since($node, $offset), qr/LOG:  pgseal: refuse reveal key=note sqlstate=42501 login=lab_stranger session=lab_stranger role=lab_stranger$/m,
	'a refusal is told with its SQLSTATE');
$offset = -s $node->logfile;
is(error_of($node, 'lab_stranger', $read), $denied, 'refused again');
unlike(log_since($node, $offset), qr/LOG:  pgseal:/, 'and not told again');
$offset = -s $node->logfile;
error_of($node, 'lab_root', "SET ROLE lab_app; $read");
like(log_since($node, $offset), qr/LOG:  pgseal: refuse reveal key=note sqlstate=42501 login=lab_root session=lab_root role=lab_app$/m,
	'with the role that logged in');

# What seal.show() hides is told once for each key of a statement, however many keys and rows there are.
my @hidden = map { "hidden_$_" } 1 .. 20;
$node->safe_psql('postgres', join ';', 'CREATE ROLE lab_clerk LOGIN',
	(map { "SELECT seal.create_key('$_'), seal.grant_key('$_', 'postgres', '{seal}')" } @hidden),
	'CREATE TABLE hidden (' . join(', ', map { "$_ sealed_text($_)" } @hidden) . ')',
	'INSERT INTO hidden SELECT ' . join(', ', ('n::text') x @hidden) . ' FROM generate_series(1, 5) AS n',
	(map { "SELECT seal.revoke_key('$_', 'postgres')" } @hidden),
	'GRANT SELECT ON hidden TO lab_clerk');
$offset = -s $node->logfile;
is(as_role($node, 'lab_clerk', 'SELECT count(*), ' . join(', ', map { "count(seal.show($_))" } @hidden) . ' FROM hidden'),
	join('|', 5, (0) x @hidden), 'twenty columns are hidden in five rows');
is(join(' ', sort(log_since($node, $offset) =~ /LOG:  pgseal: refuse show key=(\w+) sqlstate=42501 login=lab_clerk /g)), join(' ', sort @hidden),
	'and told once each');

# From PostgreSQL 16 on the membership says what is inherited, no longer the member.
sub inherit
{
	my ($yes) = @_;

	return 'ALTER ROLE lab_member ' . ($yes ? 'INHERIT' : 'NOINHERIT') if $node->pg_version < 16;
	return 'GRANT lab_app TO lab_member WITH INHERIT ' . ($yes ? 'TRUE' : 'FALSE');
}

# RENAME -----------------------------------------------------------------------------------

my $app = $node->background_psql('postgres', on_error_stop => 0, extra_params => [ '--username' => 'lab_member', '--set' => 'VERBOSITY=verbose' ]);
$app->query_safe("PREPARE r AS $read");
is($app->query_safe('EXECUTE r'), 'asthma', 'an open session of a member');
$node->safe_psql('postgres', 'REVOKE lab_app FROM lab_member');
is(answer($app), $denied, 'a membership taken away counts in it at once');
$node->safe_psql('postgres', 'GRANT lab_app TO lab_member; ' . inherit(0));
is(answer($app), $denied, 'and one that is not inherited');
$node->safe_psql('postgres', inherit(1));
is(answer($app), 'asthma', 'given back');
$offset = -s $node->logfile;
$node->safe_psql('postgres', 'ALTER ROLE lab_app RENAME TO lab_office');
like(log_since($node, $offset), qr/LOG:  pgseal: grant rename_role to=lab_office login=postgres/, 'a rename is told in the log');
is(states('lab_office'), "nir|valid\nnote|valid", 'RENAME carries the grants over');
is(states('lab_app'), '', 'and leaves none behind');
is(error_of($node, 'lab_office', $read), '', 'the role opens under its new name');
is($app->query_safe('EXECUTE r'), 'asthma', 'the open session too');
$node->safe_psql('postgres', 'BEGIN; ALTER ROLE lab_office RENAME TO lab_undone; ROLLBACK');
is(states('lab_office'), "nir|valid\nnote|valid", 'a rename rolled back carries nothing');
$node->safe_psql('postgres', 'CREATE ROLE lab_app LOGIN');
is(error_of($node, 'lab_app', $read), $denied, 'a new role with the old name has no right');
$node->safe_psql('postgres', 'BEGIN; ALTER ROLE lab_app RENAME TO lab_third; ALTER ROLE lab_office RENAME TO lab_app; ALTER ROLE lab_third RENAME TO lab_office; COMMIT');
is(states('lab_app'), "nir|valid\nnote|valid", 'two roles that swap names');
is(error_of($node, 'lab_office', $read), $denied, 'do not swap rights');
$node->safe_psql('postgres', 'ALTER ROLE lab_app CONNECTION LIMIT 10');
is(states('lab_app'), "nir|valid\nnote|valid", 'another ALTER ROLE changes nothing');

# In another database nobody can follow.
$node->safe_psql('elsewhere', 'ALTER ROLE lab_app RENAME TO lab_far');
is(states('lab_app'), "nir|unbound\nnote|unbound", 'renamed in another database: unbound');
is(error_of($node, 'lab_far', $read), $denied, 'and without rights');
is(answer($app), $denied, 'in the open session of a member too');
$node->safe_psql('postgres', 'CREATE ROLE lab_app LOGIN');
is(error_of($node, 'lab_app', $read), $denied, 'a new role with the name in the grant has no right');
is($node->safe_psql('postgres', q{SELECT key, state FROM seal.grants ORDER BY key::text}), "nir|unbound\nnote|unbound", 'seal.grants says unbound');
$node->safe_psql('elsewhere', 'DROP ROLE lab_app; ALTER ROLE lab_far RENAME TO lab_app');
is(states('lab_app'), "nir|valid\nnote|valid", 'renamed back: as before');
is($app->query_safe('EXECUTE r'), 'asthma', 'in the open session too');

# DROP ROLE ---------------------------------------------------------------------------------

$node->safe_psql('postgres', 'REASSIGN OWNED BY lab_app TO postgres; REVOKE ALL ON patient FROM lab_app');
my ($status, $out, $err) = $node->psql('postgres', 'DROP ROLE lab_app');
like($err, qr/ERROR:  role "lab_app" cannot be dropped because it has rights on keys\nDETAIL:  rights on key "\w+"\nrights on key "\w+"\nHINT:  Take them away with seal\.revoke_key\(\) first\./,
	'DROP ROLE is refused with the list');
like($err, qr/rights on key "$_"/, "which names $_") foreach 'nir', 'note';
is(error_of($node, 'postgres', 'DROP ROLE lab_app'), '2BP01: role "lab_app" cannot be dropped because it has rights on keys', 'with the SQLSTATE of a dependency');
is(error_of($node, 'postgres', 'DROP OWNED BY lab_app; DROP ROLE lab_app'), '2BP01: role "lab_app" cannot be dropped because it has rights on keys',
	'DROP OWNED takes no right on a key away');
is(error_of($node, 'postgres', q{SELECT seal.revoke_key('nir', 'lab_app'); DROP ROLE lab_app}), '2BP01: role "lab_app" cannot be dropped because it has rights on keys',
	'as long as one is left');
$node->safe_psql('postgres', q{CREATE ROLE lab_gone; SELECT seal.grant_key('note', 'lab_gone', '{seal}'); SELECT seal.revoke_key('note', 'lab_gone')});
is(error_of($node, 'postgres', 'DROP ROLE lab_gone'), '', 'a role whose rights were revoked is dropped');
is(error_of($node, 'postgres', q{SELECT seal.export_ring() IS NULL}), '', 'and the ring stays in order');

$node->safe_psql('elsewhere', 'DROP ROLE lab_app');
is(states('lab_app'), "note|unbound", 'dropped in another database: unbound');
is(answer($app), $denied, 'its members have no right any more');
is($node->safe_psql('postgres', 'SELECT seal.rebind_grants()'), '0', 'rebinding finds no role of that name');
$node->safe_psql('postgres', 'CREATE ROLE lab_app LOGIN; GRANT ALL ON patient TO lab_app');
is(states('lab_app'), "note|unbound", 'made again with the same name: still unbound');
is(error_of($node, 'lab_app', $read), $denied, 'and without rights');
$offset = -s $node->logfile;
is($node->safe_psql('postgres', 'SELECT seal.rebind_grants()'), '1', 'until somebody vouches for it');
like(log_since($node, $offset), qr/LOG:  pgseal: admin rebind_grants rebound=1 login=postgres/, 'which is told in the log');
is(states('lab_app'), "note|valid", 'then valid');
is(as_role($node, 'lab_app', $read), 'asthma', 'and it opens');

# A grant on top of an unbound one starts anew: what the dropped role had is not given to the next.
$node->safe_psql('postgres', 'REVOKE ALL ON patient FROM lab_app');
$node->safe_psql('elsewhere', 'DROP ROLE lab_app');
$node->safe_psql('postgres', q{CREATE ROLE lab_app LOGIN; GRANT ALL ON patient TO lab_app; SELECT seal.grant_key('note', 'lab_app', '{seal}')});
is($node->safe_psql('postgres', q{SELECT verbs, state FROM seal.grants WHERE key = 'note'}), '{seal}|valid', 'granted again: the verbs given now');
is(error_of($node, 'lab_app', $read), $denied, 'and no others');

$app->quit;

# Without a root key nothing can be told or kept in step, and nothing is in the way.
$node->append_conf('postgresql.conf', "seal.root_key_file = ''");
$node->restart;
is(error_of($node, 'postgres', 'ALTER ROLE lab_app RENAME TO lab_later'), '', 'a rename without a root key');
$node->append_conf('postgresql.conf', "seal.root_key_file = '" . root_key_file($node) . "'");
$node->restart;
is(states('lab_app'), "note|unbound", 'leaves the grants unbound');

$node->stop;
done_testing();
