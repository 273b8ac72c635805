# audit_who.pl: who may change the log, and who may read it.
#
# Not a pg_regress test: it needs sessions of several roles, and a setting of the server.
use strict;
use warnings;
use Pgseal;
use Test::More;

my $node = new_node('audit_who', conf => "seal.ingest_interval = '1h'\nseal.checkpoint_interval = 0\nseal.admin_role = 'lab_admin'\n");

sub sql { return $node->safe_psql('postgres', $_[0]); }

sql(<<'SQL');
CREATE EXTENSION pgseal;
CREATE ROLE lab_admin;
CREATE ROLE lab_officer LOGIN IN ROLE lab_admin;
CREATE ROLE lab_app LOGIN;
CREATE ROLE auditor LOGIN;
CREATE ROLE owner_of_all LOGIN;
SELECT seal.create_key('note');
SELECT seal.grant_key('note', 'lab_app', '{seal,reveal}');
CREATE TABLE patient (id int PRIMARY KEY, ward text, note sealed_text(note));
SELECT seal.watch('patient');
GRANT ALL ON patient TO lab_app, auditor;
SQL
as_role($node, 'lab_app', q{INSERT INTO patient VALUES (1, 'north', 'asthma'); SELECT seal.reveal(note) FROM patient});
error_of($node, 'auditor', 'SELECT seal.reveal(note) FROM patient');
sql('SELECT seal.checkpoint()');
as_role($node, 'lab_app', q{UPDATE patient SET ward = 'south'});	# waits in seal.audit_change

my @tables = qw(audit_entry audit_change audit_node audit_state);
my %first = map { $_ => sql("SELECT attname FROM pg_attribute WHERE attrelid = 'seal.$_'::regclass AND attnum = 1") } @tables;

# ways TABLE: statements that change, remove or add rows, or make that possible.
sub ways
{
	my ($table) = @_;
	my $column = $first{$table};
	my $t = "seal.$table";
	return (
		"UPDATE $t SET $column = $column", "UPDATE $t SET $column = $column WHERE false", "DELETE FROM $t", "TRUNCATE $t", "TRUNCATE $t CASCADE",
		"WITH d AS (DELETE FROM $t RETURNING 1) SELECT count(*) FROM d",
		"MERGE INTO $t USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
		"MERGE INTO $t m USING (SELECT 1) s ON true WHEN MATCHED THEN UPDATE SET $column = m.$column",
		"SET session_replication_role = replica; DELETE FROM $t",
		"DO \$\$ BEGIN DELETE FROM $t; END \$\$");
}

# rewrites TABLE: statements that only an owner may give.
sub rewrites
{
	my ($table) = @_;
	my $t = "seal.$table";
	return (
		"ALTER TABLE $t DISABLE TRIGGER ALL", "ALTER TABLE $t DROP COLUMN $first{$table}", "ALTER TABLE $t ALTER COLUMN $first{$table} TYPE text",
		"DROP TABLE $t", "DROP TRIGGER audit_refuse ON $t", "CREATE RULE r AS ON INSERT TO $t DO INSTEAD NOTHING",
		"ALTER TABLE $t RENAME TO other", "ALTER TABLE $t SET SCHEMA public", "ALTER TABLE $t ENABLE ROW LEVEL SECURITY");
}

sub inserts
{
	my ($table) = @_;
	return "INSERT INTO seal.$table SELECT * FROM seal.$table LIMIT 1", "COPY seal.$table FROM PROGRAM 'true'", "INSERT INTO seal.$table DEFAULT VALUES";
}

# Roles that own nothing: refused, all of it -------------------------------------------------------

foreach my $role (qw(lab_officer lab_app auditor))
{
	my @passed = grep { error_of($node, $role, $_) !~ /^42501: / } map { (ways($_), rewrites($_), inserts($_), "SELECT * FROM seal.$_", "BEGIN; LOCK TABLE seal.$_", "COPY seal.$_ TO STDOUT") } @tables;
	is(join('; ', @passed), '', "$role can neither change the log nor read its tables");
}

# One with every privilege on the tables, who does not own them: cannot change what is there ------------

sql("GRANT ALL ON seal.$_ TO owner_of_all") foreach @tables;
my @passed = grep { error_of($node, 'owner_of_all', $_) !~ /^42501: / } map { (ways($_), rewrites($_)) } @tables;
is(join('; ', @passed), '', 'every privilege on the tables changes nothing');
sql("REVOKE ALL ON seal.$_ FROM owner_of_all") foreach @tables;

# The owner: a superuser.  Plain statements are refused; breaking in is found ----------------------------

@passed = grep { error_of($node, 'postgres', $_) !~ /^42501: / } map { ways($_) } @tables;
is(join('; ', @passed), '', 'the superuser who made the extension is refused too');
like(error_of($node, 'postgres', "DROP TABLE seal.$_"), qr/^2BP01: /, "seal.$_ is not dropped") foreach @tables;

my $last = sql('SELECT seal.checkpoint()');
my $size = sql('SELECT size FROM seal.audit_state');
# broken NAME, SQL, ANSWER: after breaking in, in a transaction that is taken back.
sub broken
{
	my ($name, $sql, $answer) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "BEGIN; $sql; SELECT intact, first_bad FROM seal.verify_audit('$last'); ROLLBACK");
	$out = $1 if $status != 0 && $err =~ /ERROR:  (.*)/;
	like($out, $answer, $name);
	return;
}
broken('a row inserted is found', "INSERT INTO seal.audit_entry (entry, leaf) VALUES ($size, sha256('x'))", qr/^f\|$size$/);
broken('a row copied in is found', "COPY seal.audit_entry (entry, leaf) FROM PROGRAM 'printf ''$size\\t\\\\\\\\x00\\n'''", qr/^f\|$size$/);
broken('rows removed with triggers off are found', 'ALTER TABLE seal.audit_entry DISABLE TRIGGER ALL; DELETE FROM seal.audit_entry WHERE entry = 3', qr/^f\|3$/);
broken('all of them too', 'ALTER TABLE seal.audit_entry DISABLE TRIGGER ALL; DELETE FROM seal.audit_entry', qr/^f\|0$/);
broken('also when the state goes with them', join('; ', map { "ALTER TABLE seal.$_ DISABLE TRIGGER ALL; DELETE FROM seal.$_" } @tables), qr/^f\|0$/);
broken('a rule in the place of a delete does not help', 'CREATE RULE r AS ON INSERT TO seal.audit_state DO INSTEAD DELETE FROM seal.audit_entry; INSERT INTO seal.audit_state SELECT * FROM seal.audit_state', qr/cannot be changed or removed/);
broken('row security hides nothing from it', 'ALTER TABLE seal.audit_entry ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', qr/^t\|$/);

# The log goes on after a rule, a trigger or a policy was put on its tables.
sql('CREATE TRIGGER t BEFORE INSERT ON seal.audit_entry FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger(); CREATE RULE r AS ON INSERT TO seal.audit_entry DO INSTEAD NOTHING; ALTER TABLE seal.audit_entry ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY');
as_role($node, 'lab_app', 'SELECT seal.reveal(note) FROM patient');
$last = sql('SELECT seal.checkpoint()');
cmp_ok(sql('SELECT size FROM seal.audit_state'), '>', $size, 'none keeps entries out');
sql('DROP TRIGGER t ON seal.audit_entry; DROP RULE r ON seal.audit_entry; ALTER TABLE seal.audit_entry DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY');
is(sql("SELECT intact FROM seal.verify_audit('$last')"), 't', 'and it verifies');

# An auditor ----------------------------------------------------------------------------------------

my @views = qw(audit_log refusals bulk_reads key_events audit_status);
my @functions = ('seal.verify_audit()', 'seal.export_audit()', 'seal.checkpoint()');
foreach my $view (@views)
{
	like(error_of($node, 'auditor', "SELECT * FROM seal.$view"), qr/^42501: permission denied for view/, "nobody reads seal.$view before a GRANT");
}
sql('GRANT SELECT ON ' . join(', ', map { "seal.$_" } @views) . ' TO auditor');
foreach my $view (@views)
{
	is(error_of($node, 'auditor', "SELECT * FROM seal.$view"), '', "with it seal.$view is read");
}
like(error_of($node, 'auditor', "SELECT * FROM $_"), qr/^42501: permission denied for function/, "$_ needs EXECUTE") foreach @functions;
like(error_of($node, 'auditor', q{SELECT seal.purge_audit('1 year')}), qr/^42501: /, 'a purge more than that');
like(error_of($node, 'auditor', q{SELECT seal.ingest_segments('/')}), qr/^42501: /, 'as do fed segments');
sql('GRANT EXECUTE ON FUNCTION seal.verify_audit(text), seal.export_audit(bigint, bigint), seal.checkpoint() TO auditor');
is(error_of($node, 'auditor', "SELECT * FROM $_"), '', "which is all that $_ needs") foreach @functions;
is(as_role($node, 'auditor', "SELECT intact FROM seal.verify_audit('$last')"), 't', 'an auditor verifies');
is(as_role($node, 'auditor', q{SELECT DISTINCT login_role FROM seal.refusals WHERE keys = '{note}'}), 'auditor', 'and reads of refusals, his own with them');
like(error_of($node, 'auditor', 'SELECT seal.reveal(new) FROM seal.audit_log'), qr/^42\w{3}: /, 'but opens nothing');
like(error_of($node, 'auditor', 'UPDATE seal.audit_log SET actor = NULL'), qr/^42501: /, 'and changes nothing');
my $before = sql(q{SELECT seal.checkpoint(); SELECT count(*) FROM seal.audit_entry WHERE login_role = 'auditor' AND action = 'open' AND relation = 'seal.audit_log'}) =~ s/.*\n//sr;
as_role($node, 'auditor', 'BEGIN; SELECT count(*) FROM seal.audit_log; ROLLBACK');
as_role($node, 'auditor', 'SELECT count(*) FROM seal.audit_log WHERE false');
as_role($node, 'auditor', 'COPY (SELECT * FROM seal.audit_log) TO STDOUT');
sql('SELECT seal.checkpoint()');
is(sql(q{SELECT count(*) FROM seal.audit_entry WHERE login_role = 'auditor' AND action = 'open' AND relation = 'seal.audit_log'}) - $before, 2, 'each reading of the log is in it, also one that was rolled back');
is(sql(q{SELECT count(*) > 0 FROM seal.audit_entry WHERE login_role = 'auditor' AND action = 'export'}), 't', 'and the export');
is(sql(q{SELECT string_agg(DISTINCT relation, ' ' ORDER BY relation) FROM seal.audit_entry WHERE login_role = 'auditor' AND relation ~ '^seal.'}),
	'seal.audit_entry seal.audit_log seal.bulk_reads seal.key_events seal.refusals', 'of every view that shows entries');

# A view of one's own does not hide who reads.
sql('GRANT CREATE ON SCHEMA public TO auditor');
as_role($node, 'auditor', 'CREATE VIEW mine AS SELECT * FROM seal.audit_log; GRANT SELECT ON mine TO lab_app');
my ($status, $out, $err) = $node->psql('postgres', 'SELECT count(*) FROM mine', extra_params => [ '--username' => 'lab_app' ]);
sql('SELECT seal.checkpoint()');
is($status == 0 ? sql(q{SELECT count(*) FROM seal.audit_entry WHERE login_role = 'lab_app' AND relation = 'seal.audit_log'}) : 1, '1', 'reading through a view of an auditor is refused or recorded');
is(sql('SELECT intact FROM seal.verify_audit()'), 't', 'the log verifies');

$node->stop;
done_testing();
