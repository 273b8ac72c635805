# ring_tamper.pl: rows of the key ring changed by hand give nothing.
#
# Not a pg_regress test: the change comes from a superuser's own session while
# another one works, and the server log must tell of it.
use strict;
use warnings;
use PostgreSQL::Test::Utils qw(append_to_file slurp_file);
use Test::More;
use Pgseal;

my @tables = ('key', 'key_version', 'grant', 'ring_head');

my $node = new_node('ring_tamper');
$node->safe_psql('postgres', <<'END');
CREATE ROLE lab_app LOGIN;
CREATE ROLE lab_writer LOGIN;
CREATE ROLE mallory LOGIN;
CREATE EXTENSION pgseal;
SELECT seal.create_key('nir', searchable => true);
SELECT seal.create_key('note');
SELECT seal.create_key('old');
SELECT seal.grant_key(k, 'lab_app', '{seal,search,reveal}') FROM unnest('{nir,note,old}'::text[]) k;
SELECT seal.grant_key('note', 'lab_writer', '{seal}');
CREATE TABLE patient (id integer PRIMARY KEY, nir sealed_text(nir), note sealed_text(note));
GRANT ALL ON patient TO PUBLIC;
END
as_role($node, 'lab_app', q{INSERT INTO patient VALUES (1, '184127645108946', 'asthma')});
my $old_envelope = as_role($node, 'lab_app', q{SELECT seal.seal('asthma'::text, 'old')});
$node->safe_psql('postgres', q{SELECT seal.drop_key('old')});
$node->safe_psql('postgres', 'CREATE SCHEMA backup');
save_ring();

# Sessions that have used their keys before, and go on.
my %open_session;
foreach my $role ('lab_app', 'lab_writer', 'mallory')
{
	$open_session{$role} = $node->background_psql('postgres', on_error_stop => 0,
		extra_params => [ '--username' => $role, '--set' => 'VERBOSITY=verbose' ]);
	$open_session{$role}->query('PREPARE read_note AS SELECT seal.reveal(note) FROM patient');
	$open_session{$role}->query('PREPARE read_nir AS SELECT seal.reveal(nir) FROM patient');
	$open_session{$role}->query('PREPARE find AS SELECT id FROM patient WHERE nir = $$184127645108946$$');
	$open_session{$role}->query('EXECUTE read_note');
	$open_session{$role}{stderr} = '';
}

# in_session ROLE, SQL: what an open session gets: the output, or "SQLSTATE: message".
sub in_session
{
	my ($role, $sql) = @_;
	my $session = $open_session{$role};
	my $out = $session->query($sql);
	my $err = $session->{stderr};
	$session->{stderr} = '';
	return $err =~ /ERROR:  (\w{5}: .*)/ ? $1 : $out;
}

sub save_ring
{
	$node->safe_psql('postgres', "DROP TABLE IF EXISTS backup.$_; CREATE TABLE backup.$_ AS TABLE seal.$_") foreach @tables;
	return;
}

# put_back: the ring as it was saved, without a trace.
sub put_back
{
	$node->safe_psql('postgres', join ';', 'BEGIN', (map { "DELETE FROM seal.$_; INSERT INTO seal.$_ TABLE backup.$_" } @tables), 'COMMIT');
	return;
}

my $closed  = '55000: key ring was altered outside pgseal; every key is closed';
my $denied  = '42501: permission denied for key "note"';
my $key_of  = q{(SELECT id FROM seal.key WHERE name = 'note')};
my $nir_of  = q{(SELECT id FROM seal.key WHERE name = 'nir')};

# answers_ok NAME, EXPECT...: pairs of [role, statement] and the answer, in an open session and in a
# new one.
sub answers_ok
{
	my ($name, @expect) = @_;
	while (my ($question, $answer) = splice @expect, 0, 2)
	{
		my ($role, $statement) = @$question;
		my $spelled = $statement =~ s/EXECUTE read_(\w+)/SELECT seal.reveal($1) FROM patient/r
		  =~ s/EXECUTE find/SELECT id FROM patient WHERE nir = '184127645108946'/r;
		my $is_error = $answer =~ /^\w{5}: /;

		is(in_session($role, $statement), $answer, "$name: $role: $statement");
		is(error_of($node, $role, $spelled), $is_error ? $answer : '', "$name: $role in a new session");
	}
	return;
}

sub change_by_hand
{
	my ($name, $sql) = @_;
	my $offset = -s $node->logfile;

	$node->safe_psql('postgres', $sql);
	like(log_since($node, $offset), qr/LOG:  pgseal: admin ring_changed table=\w+ login=postgres session=postgres role=postgres$/m,
		"$name: told in the log");
	return;
}

# altered_ok NAME, SQL, EXPECT...: SQL alters a row whose MAC then does not fit; that row alone is
# worth nothing.
sub altered_ok
{
	my ($name, $sql, @expect) = @_;

	change_by_hand($name, $sql);
	answers_ok($name, @expect);
	put_back();
	is(in_session('lab_app', 'EXECUTE read_note'), 'asthma', "$name: put back, all is as before");
	return;
}

# closed_ok NAME, SQL, EXPECT...: after SQL every key is closed, and stays so until accept_ring();
# after that EXPECT holds.
sub closed_ok
{
	my ($name, $sql, @expect) = @_;

	change_by_hand($name, $sql);
	answers_ok($name,
		[ 'lab_app', 'EXECUTE read_note' ], $closed,
		[ 'mallory', 'EXECUTE read_note' ], $closed,
		[ 'lab_app', 'EXECUTE find' ], $closed,
		[ 'lab_app', 'SELECT seal.show(note) FROM patient' ], $closed,
		[ 'lab_app', q{SELECT seal.seal('x'::text, 'nir')} ], $closed);
	foreach my $call (q{grant_key('note', 'mallory', '{reveal}')}, q{create_key('new')}, 'rotate_root()', 'export_ring()')
	{
		is(error_of($node, 'postgres', "SELECT seal.$call"), $closed, "$name: $call does not vouch for it");
	}
	my $offset = -s $node->logfile;
	$node->safe_psql('postgres', 'SELECT seal.accept_ring()');
	like(log_since($node, $offset), qr/LOG:  pgseal: admin accept_ring login=postgres session=postgres role=postgres$/m,
		"$name: accepting is told in the log");
	answers_ok("$name, accepted", @expect);
	put_back();
	is(in_session('lab_app', 'EXECUTE read_note'), 'asthma', "$name: put back, all is as before");
	return;
}

is(in_session('lab_app', 'EXECUTE read_note'), 'asthma', 'at first: opens');
is(in_session('lab_writer', 'EXECUTE read_note'), $denied, 'at first: a writer opens nothing');
is(in_session('mallory', 'EXECUTE read_note'), $denied, 'at first: a stranger opens nothing');

# Rows added, deleted, put back: the ring as a whole is not what it was -----------------------

my @as_before = ([ 'lab_app', 'EXECUTE read_note' ], 'asthma', [ 'lab_app', 'EXECUTE find' ], '1', [ 'mallory', 'EXECUTE read_note' ], $denied);
my $for_mallory = q{key, 'mallory'::regrole, 'mallory'::regrole, 'mallory', '{seal,search,reveal}', scope, granted_by, generation, changed_at, root};
my $from_grant  = qq{FROM seal.grant WHERE key = $key_of AND role_name = 'lab_app'};
my $note_closed = '55000: key "note" is closed: a row of it in the key ring was altered';

closed_ok('a grant copied for another role', "INSERT INTO seal.grant SELECT $for_mallory, mac $from_grant", @as_before);
closed_ok('a grant with an invented MAC', qq{INSERT INTO seal.grant SELECT $for_mallory, '\\x00' $from_grant}, @as_before);
closed_ok('a MAC altered', "UPDATE seal.grant SET mac = sha256(mac) WHERE key = $key_of AND role_name = 'lab_app'",
	[ 'lab_app', 'EXECUTE read_note' ], $denied, [ 'lab_app', 'EXECUTE find' ], '1');
closed_ok('a grant deleted', "DELETE FROM seal.grant WHERE key = $key_of AND role_name = 'lab_writer'",
	@as_before, [ 'lab_writer', q{SELECT seal.seal('x'::text, 'note')} ], $denied);
closed_ok('all grants gone', 'TRUNCATE seal.grant', [ 'lab_app', 'EXECUTE read_note' ], $denied);
closed_ok('a key deleted', q{DELETE FROM seal.key WHERE name = 'note'},
	[ 'lab_app', 'EXECUTE find' ], '1', [ 'lab_app', q{SELECT seal.seal('x'::text, 'note')} ], '42704: key "note" does not exist');
closed_ok('a version deleted', "DELETE FROM seal.key_version WHERE key = $key_of",
	[ 'lab_app', 'EXECUTE read_note' ], $note_closed, [ 'lab_app', 'EXECUTE find' ], '1');
closed_ok('a version invented', "INSERT INTO seal.key_version SELECT key, 2::smallint, secret, created_at, generation, changed_at, root, mac FROM seal.key_version WHERE key = $key_of",
	[ 'lab_app', 'EXECUTE read_note' ], $note_closed, [ 'lab_app', 'EXECUTE find' ], '1');
closed_ok('a grant under a root that does not exist', "UPDATE seal.grant SET root = 'x', mac = '\\x'", [ 'lab_app', 'EXECUTE read_note' ], $denied);
closed_ok('the digest', q{UPDATE seal.ring_head SET digest = '\x00'}, @as_before);
closed_ok("the head's generation", 'UPDATE seal.ring_head SET generation = generation + 1', @as_before);

# Rows altered: what gives counts for nothing -----------------------------------------------------

altered_ok('a grant pointed at another role', qq{UPDATE seal.grant SET role = 'mallory'::regrole, role_oid = 'mallory'::regrole, role_name = 'mallory'
	WHERE key = $key_of AND role_name = 'lab_app'},
	[ 'mallory', 'EXECUTE read_note' ], $denied, [ 'lab_app', 'EXECUTE read_note' ], $denied, [ 'lab_app', 'EXECUTE find' ], '1');
altered_ok('a grant with the OID of another role', qq{UPDATE seal.grant SET role = 'mallory'::regrole, role_oid = 'mallory'::regrole
	WHERE key = $key_of AND role_name = 'lab_app'},
	[ 'mallory', 'EXECUTE read_note' ], $denied, [ 'lab_app', 'EXECUTE read_note' ], $denied);
altered_ok('the column role alone', qq{UPDATE seal.grant SET role = 'mallory'::regrole WHERE key = $key_of AND role_name = 'lab_app'},
	[ 'mallory', 'EXECUTE read_note' ], $denied, [ 'lab_app', 'EXECUTE read_note' ], $denied);
altered_ok('verbs added', qq{UPDATE seal.grant SET verbs = '{seal,search,reveal}' WHERE key = $key_of AND role_name = 'lab_writer'},
	[ 'lab_writer', 'EXECUTE read_note' ], $denied, [ 'lab_writer', q{SELECT seal.seal('x'::text, 'note')} ], $denied,
	[ 'lab_app', 'EXECUTE read_note' ], 'asthma');
altered_ok('the key of a grant', qq{UPDATE seal.grant SET key = $nir_of WHERE key = $key_of AND role_name = 'lab_writer'},
	[ 'lab_writer', q{SELECT seal.seal('x'::text, 'nir')} ], '42501: permission denied for key "nir"', [ 'lab_app', 'EXECUTE read_note' ], 'asthma');
change_by_hand('seal.grants', qq{UPDATE seal.grant SET verbs = '{reveal}' WHERE key = $key_of AND role_name = 'lab_writer'});
is($node->safe_psql('postgres', q{SELECT key, role, state FROM seal.grants ORDER BY state, key, role::text}),
	"note|lab_writer|not valid\nnir|lab_app|valid\nnote|lab_app|valid", 'seal.grants shows which');
like(error_of($node, 'postgres', q{SELECT seal.import_ring(seal.export_ring())}), qr/^22023: ring export is malformed or was altered/,
	'an export does not vouch for an altered row');
is($node->safe_psql('postgres', q{SELECT state FROM seal.grants WHERE role = 'lab_writer'::regrole}), 'not valid', 'which stays what it is');
$node->safe_psql('postgres', q{SELECT seal.grant_key('note', 'lab_writer', '{search}')});
is($node->safe_psql('postgres', q{SELECT verbs, state FROM seal.grants WHERE role = 'lab_writer'::regrole}), '{search}|valid',
	'a grant on top of it takes none of its verbs over');
put_back();

# Rows altered: what restricts closes its key, and no other ----------------------------------------

my @note_closes = ([ 'lab_app', 'EXECUTE read_note' ], $note_closed, [ 'lab_app', q{SELECT seal.seal('x'::text, 'note')} ], $note_closed,
	[ 'lab_app', 'SELECT seal.show(note) FROM patient' ], $note_closed, [ 'lab_app', 'EXECUTE find' ], '1');

altered_ok("a key's pad", q{UPDATE seal.key SET pad = 1 WHERE name = 'note'}, @note_closes);
altered_ok('a key made searchable', q{UPDATE seal.key SET searchable = true WHERE name = 'note'}, @note_closes);
altered_ok("another key's search secret", q{UPDATE seal.key SET searchable = true,
	search_secret = (SELECT search_secret FROM seal.key WHERE name = 'nir') WHERE name = 'note'}, @note_closes);
altered_ok("a key's active version", q{UPDATE seal.key SET active_version = 2 WHERE name = 'note'}, @note_closes);
altered_ok("a key's generation", q{UPDATE seal.key SET generation = generation + 1 WHERE name = 'note'}, @note_closes);
altered_ok("a key's comment", q{UPDATE seal.key SET comment = 'x' WHERE name = 'note'}, @note_closes);
altered_ok("another key's secret", qq{UPDATE seal.key_version SET secret = (SELECT secret FROM seal.key_version WHERE key = $nir_of)
	WHERE key = $key_of}, @note_closes);
altered_ok("a version's secret taken away", qq{UPDATE seal.key_version SET secret = NULL WHERE key = $key_of}, @note_closes);
altered_ok('a key dropped by hand', q{UPDATE seal.key SET dropped = true WHERE name = 'note'},
	[ 'lab_app', 'EXECUTE read_note' ], '42704: key "note" does not exist', [ 'lab_app', 'EXECUTE find' ], '1');
altered_ok('a tombstone lifted', q{UPDATE seal.key SET dropped = false WHERE name = 'old'},
	[ 'lab_app', "SELECT seal.reveal('$old_envelope'::sealed_text)" ], '55000: key "old" is closed: a row of it in the key ring was altered',
	[ 'lab_app', 'EXECUTE read_note' ], 'asthma');

# No head: not an empty ring, but one that is closed.
closed_ok('the head deleted', 'DELETE FROM seal.ring_head', @as_before);

# An older state, whole in itself --------------------------------------------------------------------

$node->safe_psql('postgres', q{SELECT seal.revoke_key('note', 'lab_app')});
is(in_session('lab_app', 'EXECUTE read_note'), $denied, 'revoked');
closed_ok('grants of before a revocation', 'BEGIN; DELETE FROM seal.grant; INSERT INTO seal.grant TABLE backup.grant; COMMIT',
	[ 'lab_app', 'EXECUTE read_note' ], 'asthma');

# Triggers do not matter: what is there is checked, not who wrote it -------------------------------

my $forge = "INSERT INTO seal.grant SELECT $for_mallory, mac $from_grant";
change_by_hand('session_replication_role = replica', "SET session_replication_role = replica; $forge");
answers_ok('session_replication_role = replica', [ 'mallory', 'EXECUTE read_note' ], $closed);
put_back();
$node->safe_psql('postgres', "ALTER TABLE seal.grant DISABLE TRIGGER ring_changed; $forge");
answers_ok('trigger disabled', [ 'mallory', 'EXECUTE read_note' ], $closed, [ 'lab_app', 'EXECUTE read_note' ], $closed);
put_back();
$node->safe_psql('postgres', "$forge");
is(error_of($node, 'mallory', 'SELECT seal.reveal(note) FROM patient'), $closed, 'trigger disabled before: closed in a new session');
$node->safe_psql('postgres', 'ALTER TABLE seal.grant ENABLE ALWAYS TRIGGER ring_changed');
put_back();

# A head that is gone or names another root is mended under the root that the rows are under, which need
# not be the first one loaded.
my $root_file = root_key_file($node);
my $root = slurp_file($root_file);
unlink $root_file;
append_to_file($root_file, 'a1' x 32 . "\n$root\n");
chmod 0600, $root_file or die "could not change the mode of $root_file: $!";
closed_ok('the head deleted, two roots loaded', 'DELETE FROM seal.ring_head', @as_before);
my $other = $node->safe_psql('postgres', 'BEGIN; SELECT seal.rotate_root(); ROLLBACK');
closed_ok('the head under another root', "UPDATE seal.ring_head SET root = '$other'", @as_before);

# Who may not write the tables at all.
foreach my $table (@tables)
{
	is(error_of($node, 'lab_app', "DELETE FROM seal.$table"), "42501: permission denied for table $table", "seal.$table is closed to applications");
}

is(in_session('lab_app', 'EXECUTE read_nir'), '184127645108946', 'in the end everything opens');
$_->quit foreach values %open_session;
$node->stop;
unlike(log_since($node, 0), qr/asthma|184127645108946/, 'no value in the log');
done_testing();
