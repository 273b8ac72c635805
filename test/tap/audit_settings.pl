# audit_settings.pl: the log knows which settings were in force, who changed them, and
# whether the server ran without pgseal.
#
# Not a pg_regress test: it restarts servers, and changes their configuration files.
use strict;
use warnings;
use Pgseal;
use Segments;
use Test::More;

my $node = new_node('audit_settings', conf => "seal.audit_batch = 700\n");
sub sql { return $node->safe_psql('postgres', @_); }

sql(<<'END');
CREATE EXTENSION pgseal;
SELECT seal.create_key('note');
CREATE ROLE lab_app LOGIN;
CREATE ROLE operator LOGIN;
GRANT ALTER SYSTEM ON PARAMETER seal.audit_batch TO operator;
END

# entries SINCE, COLUMNS: of settings and starts from an entry on, one a line.
sub entries
{
	my ($since, $columns) = @_;
	sql('SELECT seal.checkpoint()');
	return sql("SELECT concat_ws(' ', $columns) FROM seal.audit_entry WHERE entry >= $since AND (action = 'setting' OR what = 'start') ORDER BY entry");
}

sub size { return sql('SELECT size FROM (SELECT seal.checkpoint()) c, LATERAL (SELECT size FROM seal.audit_state) s'); }

# changes SINCE: what was set, by whom.
sub changes { return entries($_[0], q{action, what, outcome, login_role, detail}); }

# What is in force when the server starts.
my $all = entries(0, 'what, detail');
like($all, qr/^start stopped=/, 'a start is recorded');
like($all, qr/^in_force seal.audit_batch=700$/m, 'with what is set');
like($all, qr/^in_force shared_preload_libraries=pgseal$/m, 'and what loads us');
like($all, qr/^in_force fsync=off$/m, 'and what a disk keeps');
unlike($all, qr/seal.audit_sync/, 'but no default');

# A file that is changed.
my $since = size();
$node->append_conf('postgresql.conf', "seal.audit_sync = off\nseal.audit_batch = 1000\nseal.checkpoint_command = 'true PASSWORD'\nwork_mem = '5MB'");
$node->reload;
select undef, undef, undef, 0.5;
is(changes($since), <<'END' =~ s/\n\z//r, 'what a reload changes is recorded, a command without its text');
setting in_force ok postgres seal.audit_batch=1000
setting in_force ok postgres seal.audit_sync=off
setting in_force ok postgres seal.checkpoint_command is set
END
$since = size();
$node->reload;
select undef, undef, undef, 0.5;
is(changes($since), '', 'and what it does not change is not');

# ALTER SYSTEM.
my ($status, $out, $error) = $node->psql('postgres', "ALTER SYSTEM SET seal.audit_sync = 'nonsense'");
isnt($status, 0, 'a value that is none');
sql("ALTER SYSTEM SET seal.checkpoint_command = 'echo PASSWORD'");
sql('ALTER SYSTEM RESET seal.checkpoint_command');
sql("ALTER SYSTEM SET work_mem = '6MB'");
as_role($node, 'operator', 'ALTER SYSTEM SET seal.audit_batch = 800');
like(error_of($node, 'lab_app', 'ALTER SYSTEM SET seal.audit_batch = 900'), qr/permission denied/, 'not everybody may');
like(error_of($node, 'lab_app', 'ALTER SYSTEM RESET ALL'), qr/permission denied/, 'nor reset');
sql('ALTER SYSTEM SET shared_preload_libraries = pgseal, auto_explain');
sql('ALTER SYSTEM RESET ALL');
is(changes($since), <<'END' =~ s/\n\z//r, 'ALTER SYSTEM is recorded with who did it');
setting alter_system ok postgres seal.audit_sync=nonsense
setting alter_system aborted postgres seal.audit_sync=nonsense
setting alter_system ok postgres seal.checkpoint_command is set
setting alter_system ok postgres reset seal.checkpoint_command
setting alter_system ok operator seal.audit_batch=800
setting alter_system ok postgres shared_preload_libraries=pgseal, auto_explain
setting alter_system ok postgres reset all
END
is(sql(q{SELECT count(*) FROM seal.audit_entry WHERE to_jsonb(audit_entry)::text LIKE '%PASSWORD%'}), '0', 'no password of a command is in the log');
is(sql(q{SELECT count(*) > 0 FROM seal.key_events WHERE action = 'setting'}), 't', 'an auditor finds settings in seal.key_events');

# began: what the latest start says.
sub began
{
	sql('SELECT seal.checkpoint()');
	return sql(q{SELECT regexp_replace(detail, '\d{4}-\d\d-\d\d [0-9:]+\+00', 'TIME') FROM seal.audit_entry WHERE what = 'start' ORDER BY entry DESC LIMIT 1});
}

$node->restart;
is(began(), 'stopped=TIME', 'a restart');
is(sql(q{SELECT split_part(detail, '=', 2)::timestamptz BETWEEN now() - interval '1 minute' AND now() FROM seal.audit_entry WHERE what = 'start' ORDER BY entry DESC LIMIT 1}), 't', 'says when the server stopped');
$node->stop('immediate');
$node->start;
is(began(), 'not stopped before', 'so does one after a crash');
$node->restart;
is(began(), 'stopped=TIME', 'and then all is well again');

# A server without pgseal.
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
sql('CREATE TABLE unseen ()');
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pgseal'");
$node->restart;
is(began(), 'stopped=TIME by a server without pgseal', 'a start after one that did not load pgseal tells it');
$node->restart;
is(began(), 'stopped=TIME', 'once');
is(sql('SELECT intact FROM seal.verify_audit()'), 't', 'and the log verifies');
$node->stop;
done_testing();
