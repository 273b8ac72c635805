# attacker.pl: what somebody tries who is not to have the keys.  Not a pg_regress
# test: it reads the server log, and needs a database without the extension.

use strict;
use warnings;
use Pgseal;
use Test::More;

my $node = new_node('attacker');
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pgseal;
CREATE ROLE lab_app LOGIN;
CREATE ROLE outsider LOGIN CREATEROLE;
CREATE DATABASE elsewhere OWNER outsider;
SELECT seal.create_key('nir');
SELECT seal.grant_key('nir', 'lab_app', '{seal,reveal}');
SQL

# A schema that only looks like ours is not read: its columns are not what they seem.
as_role($node, 'outsider', <<'SQL', database => 'elsewhere');
CREATE SCHEMA seal;
CREATE TABLE seal.ring_head (a int, b int, c int, d int, e int, f int);
CREATE TABLE seal.key_version (a int, b int, c int, d int, e int, f int, g int, h int);
CREATE TABLE seal.grant (a int, b int, c int, d int, e int, f int, g int, h int, i int, j int, k int);
CREATE TABLE seal.key (a int, b int, c int, d int, e int, f int, g int, h int, i int, j int, k int, l int, m int, n int);
INSERT INTO seal.key VALUES (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14);
CREATE ROLE victim;
SELECT count(*) FROM seal.key;
SQL
is(error_of($node, 'outsider', 'ALTER ROLE victim RENAME TO another', database => 'elsewhere'), '', 'a role is renamed beside a false schema');
is(error_of($node, 'outsider', 'DROP ROLE another', database => 'elsewhere'), '', 'a role is dropped beside a false schema');
like(error_of($node, 'postgres', 'CREATE EXTENSION pgseal', database => 'elsewhere'), qr/^42P06: /, 'the extension does not move into a false schema');
is($node->safe_psql('postgres', 'SELECT 1'), '1', 'the server lives');

# A ring whose own tables were changed is closed, not read as it stands.
$node->safe_psql('postgres', 'CREATE DATABASE changed TEMPLATE postgres');
$node->safe_psql('changed', 'ALTER TABLE seal.key ALTER name DROP NOT NULL; UPDATE seal.key SET name = NULL');
like(error_of($node, 'lab_app', "SELECT seal.seal('x', 'nir')", database => 'changed'), qr/^55000: key ring was altered/, 'a row without a name closes the ring');

# A superuser cannot give a right, or a membership that carries one, in silence.
my $mark = -s $node->logfile;
$node->safe_psql('postgres', <<'SQL');
SET log_min_messages = panic;
SELECT seal.grant_key('nir', 'postgres', '{reveal}');
SELECT seal.revoke_key('nir', 'postgres');
SQL
my $log = log_since($node, $mark);
like($log, qr/pgseal: grant grant key=nir to=postgres verbs=reveal scope=all login=postgres/, 'a right given with the log turned down is noted');
like($log, qr/pgseal: grant revoke key=nir from=postgres/, 'and taken away');

$mark = -s $node->logfile;
$node->safe_psql('postgres', 'SET log_min_messages = panic; GRANT lab_app TO postgres');
$node->safe_psql('template1', 'SET log_min_messages = panic; REVOKE lab_app FROM postgres');
$log = log_since($node, $mark);
like($log, qr/pgseal: grant membership roles=lab_app to=postgres login=postgres/, 'a membership given is noted');
like($log, qr/pgseal: grant membership roles=lab_app from=postgres login=postgres/, 'taken away too, and in a database without the extension');

# Whatever statement does it.
for my $case (
	[ 'ALTER GROUP lab_app ADD USER outsider', 'roles=lab_app to=outsider' ],
	[ 'ALTER GROUP lab_app DROP USER outsider', 'roles=lab_app from=outsider' ],
	[ 'CREATE ROLE in_role IN ROLE lab_app', 'roles=lab_app to=in_role' ],
	[ 'CREATE ROLE with_members ROLE lab_app ADMIN outsider', 'roles=with_members to=lab_app roles=with_members to=outsider' ],
	[ 'GRANT lab_app, with_members TO in_role, outsider', 'roles=lab_app,with_members to=in_role,outsider' ])
{
	my ($sql, $told) = @$case;
	$mark = -s $node->logfile;
	$node->safe_psql('postgres', "SET log_min_messages = panic; $sql");
	like(log_since($node, $mark), qr/pgseal: grant membership \Q$told\E login=postgres/, "$sql is noted");
}
$mark = -s $node->logfile;
$node->safe_psql('postgres', 'CREATE ROLE alone; ALTER ROLE alone NOINHERIT');
unlike(log_since($node, $mark), qr/membership/, 'a role without members is no membership');

done_testing;
