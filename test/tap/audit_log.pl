# audit_log.pl: the log takes in each record once, and every change of it is found.
#
# Not a pg_regress test: it kills workers and the server, copies segment files, and
# drops databases that a worker is in.
use strict;
use warnings;
use PostgreSQL::Test::Utils qw(append_to_file slurp_file slurp_dir);
use Test::More;
use Pgseal;

my $rounds = $ENV{PGSEAL_LONG} ? 200 : 20;
my $node = new_node('audit_log', conf => "restart_after_crash = on\nseal.ingest_interval = '20ms'\nseal.checkpoint_interval = 0\nseal.audit_sync = off\n");

sub sql { return $node->safe_psql('postgres', $_[0]); }

# records DATABASE, COUNT: so many records, appended one after the other.
sub records
{
	my ($database, $count) = @_;
	$node->safe_psql($database, "SELECT count(seal.audit_reading('audit_log')) FROM generate_series(1, $count)");
	return;
}

# taken: how many of those are in the log of database postgres.
sub taken { return sql(q{SELECT count(*) FROM seal.audit_entry WHERE what = 'audit_log' AND login_role = 'postgres'}); }

sql(<<'END');
CREATE EXTENSION pgseal;
SELECT seal.create_key('note');
CREATE ROLE lab_app LOGIN;
CREATE ROLE auditor LOGIN;
SELECT seal.grant_key('note', 'lab_app', '{seal,reveal}');
GRANT SELECT ON seal.audit_log, seal.refusals, seal.key_events, seal.bulk_reads, seal.audit_status TO auditor;
GRANT EXECUTE ON FUNCTION seal.checkpoint(), seal.verify_audit(text), seal.export_audit(bigint, bigint) TO auditor;
CREATE TABLE patient (id int PRIMARY KEY, note sealed_text(note));
GRANT ALL ON patient TO lab_app;
END
as_role($node, 'lab_app', q{INSERT INTO patient SELECT n, 'asthma' FROM generate_series(1, 10) n});

# What is read is in the log, once, and the log verifies.
as_role($node, 'lab_app', 'SELECT seal.reveal(note) FROM patient') foreach 1 .. 3;
my $note = as_role($node, 'auditor', 'SELECT seal.checkpoint()');
like($note, qr/^pgseal\/\d+\/\d+\/1\/[0-9a-f]{16}\n\d+\n/, 'a checkpoint names log and size');
is(as_role($node, 'auditor', q{SELECT count(*) FROM seal.audit_log WHERE action = 'close' AND login_role = 'lab_app' AND values_opened = 10}),
	'3', 'three reads, three entries');
is(as_role($node, 'auditor', q{SELECT intact FROM seal.verify_audit()}), 't', 'the log verifies');
as_role($node, 'auditor', 'SELECT seal.checkpoint()');
is(sql(q{SELECT count(*) > 0 FROM seal.audit_entry WHERE relation = 'seal.audit_log' AND login_role = 'auditor'}), 't',
	'that the log was read is in the log');
like(error_of($node, 'lab_app', 'SELECT * FROM seal.audit_log'), qr/permission denied/, 'not everybody reads the log');
like(error_of($node, 'lab_app', q{SELECT seal.audit_reading('audit_log')}), qr/permission denied/, 'nor writes that he does');
like(error_of($node, 'lab_app', 'SELECT seal.verify_audit()'), qr/permission denied/, 'nor verifies it');
like(error_of($node, 'lab_app', q{SELECT seal.ingest_segments('/tmp')}), qr/permission denied/, 'nor feeds it');

sql('SELECT seal.checkpoint()');
is(as_role($node, 'auditor', 'SELECT unread_segments, lag, entries = tree_size, last_error IS NULL FROM seal.audit_status'), '0|00:00:00|t|t',
	'an auditor sees how the log does');
like(error_of($node, 'lab_app', 'SELECT seal.audit_unread(), seal.audit_last_error()'), qr/permission denied/, 'others do not');

# Nobody changes it by SQL.
foreach my $table (qw(audit_entry audit_change audit_node audit_state))
{
	foreach my $change ("DELETE FROM seal.$table", "TRUNCATE seal.$table", "UPDATE seal.$table SET " . ($table eq 'audit_change' ? 'what' : $table eq 'audit_node' ? 'hash' : $table eq 'audit_state' ? 'origin' : 'leaf') . " = NULL")
	{
		my ($status, $out, $err) = $node->psql('postgres', "SET session_replication_role = replica; $change");
		like($err, qr/cannot be changed or removed/, "refused to a superuser: $change");
	}
}

# Proofs.
is(sql('SELECT array_length(seal.inclusion_proof(0, 8), 1)'), '3', 'an inclusion proof of 8 entries has 3 hashes');
is(sql('SELECT seal.consistency_proof(4, 8) = ARRAY[(seal.inclusion_proof(0, 8))[3]]'), 't', 'a consistency proof is of the same tree');
like(error_of($node, 'lab_app', 'SELECT seal.inclusion_proof(99999)'), qr/no such entry/, 'no proof of an entry that is not there');

# More than one node of the tree that is kept.
records('postgres', 700);
$note = sql('SELECT seal.checkpoint()');
is(sql('SELECT count(*) FROM seal.audit_node'), '3', 'two subtrees of 256 entries are kept, and the one over both');
is(taken(), '700', 'no record is lost, none is doubled');

# An export verifies outside, and not when a byte of it is another.
my $key = sql('SELECT seal.public_key()');
my $export = sql('SELECT seal.export_audit(5, 300)') . "\n";
my $file = $node->basedir . '/export';
# outside EXPORT: what the verifier ends with.
sub outside
{
	my ($text, @kept) = @_;
	open my $handle, '>', $file or die $!;
	print $handle $text;
	close $handle;
	my $said = `demo/verify_export '$key' '$file' @kept 2>&1`;
	return (split /\n/, $said)[-1];
}
like(outside($export), qr/^verified: 296 entries/, 'an export verifies outside of the database');
like(outside($export =~ s/^(entry\t100\t.*)(.)$/$1 . ($2 eq '0' ? '1' : '0')/emr), qr/NOT VERIFIED: entry 100 /, 'a changed entry does not');
like(outside($export =~ s/^entry\t100\t.*\n//mr), qr/NOT VERIFIED: leaf 100 /, 'a missing one neither');
like(outside($export =~ s/^(entry\t100\t\S+).*$/entry\t100\t${\('0' x 64)}\tpurged/mr), qr/NOT VERIFIED/, 'nor one that claims to be purged');
like(outside($export . "entry\t9999\t" . ('0' x 64) . "\tpurged\n"), qr/NOT VERIFIED/, 'nor one more');
like(outside($export =~ s/^note\t(\d+)$/"note\t" . ($1 - 1)/emr), qr/NOT VERIFIED: the signature/, 'nor another size');

# A kept checkpoint must be one that the log continues.
my $whole = sql('SELECT seal.export_audit()') . "\n";
my $kept = $node->basedir . '/kept';
my ($small, $large) = map { "$kept.$_" } 1, 2;
append_to_file($small, $note);
sql('SELECT count(*) FROM seal.refusals');
$note = sql('SELECT seal.checkpoint()');
append_to_file($large, $note);
like(outside(sql('SELECT seal.export_audit()') . "\n", $small, $large), qr/^verified: \d+ entries, checkpoint of \d+, which continues 2 kept/, 'an export continues checkpoints that were kept');
like(outside($whole, $large), qr/NOT VERIFIED: a kept checkpoint covers \d+ entries: the log was cut or put back/, 'one that was put back does not');

# tampered NAME, CHANGE, FIRST_BAD: done with triggers off and taken back, it is found.
my $size = sql('SELECT size FROM seal.audit_state');
sub tampered
{
	my ($name, $change, $first_bad, $checkpoint) = @_;
	$checkpoint = defined $checkpoint ? "'$checkpoint'" : 'NULL';
	my $found = sql(<<"END");
BEGIN;
ALTER TABLE seal.audit_entry DISABLE TRIGGER ALL;
ALTER TABLE seal.audit_node DISABLE TRIGGER ALL;
ALTER TABLE seal.audit_state DISABLE TRIGGER ALL;
$change;
SELECT intact, first_bad, problem IS NOT NULL FROM seal.verify_audit($checkpoint);
ROLLBACK;
END
	is($found, "f|$first_bad|t", $name);
	return;
}
is(sql("SELECT intact, entries FROM seal.verify_audit('$note')"), "t|$size", 'untouched, it verifies');
my $all = sql(q{SELECT string_agg(attname || ' ' || atttypid::regtype, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'seal.audit_entry'::regclass AND attnum > 1});
foreach my $column (split /,/, $all)
{
	my ($name, $type) = split / /, $column, 2;
	my $value = $type eq 'text' ? q{'forged'} : $type eq 'text[]' ? q{'{forged}'} : $type eq 'jsonb' ? q{'{"a": [1, "x", null]}'}
		: $type eq 'bytea' ? q{sha256('forged')} : $type eq 'uuid' ? 'gen_random_uuid()' : $type eq 'xid8' ? q{'77'} : $type eq 'bigint[]' ? q{'{77}'}
		: $type =~ /^timestamp/ ? 'now()' : '424242';
	tampered("column $name altered", "UPDATE seal.audit_entry SET $name = $value WHERE entry = 300", 300);
	tampered("column $name emptied", "UPDATE seal.audit_entry SET $name = NULL WHERE entry = 300", 300)
		if sql("SELECT $name IS NOT NULL FROM seal.audit_entry WHERE entry = 300") eq 't' && $name ne 'leaf';
}
tampered('the first altered of two', "UPDATE seal.audit_entry SET what = 'x' WHERE entry IN (200, 500)", 200);
tampered('an entry deleted', 'DELETE FROM seal.audit_entry WHERE entry = 123', 123);
tampered('an entry added at the end', "INSERT INTO seal.audit_entry (entry, action, leaf) VALUES ($size, 'open', sha256('x'))", $size);
tampered('an entry added before the first', "INSERT INTO seal.audit_entry (entry, action, leaf) VALUES (-1, 'open', sha256('x'))", -1);
tampered('two swapped', 'UPDATE seal.audit_entry SET entry = -1 WHERE entry = 20; UPDATE seal.audit_entry SET entry = 20 WHERE entry = 30; UPDATE seal.audit_entry SET entry = 30 WHERE entry = -1', 20);
tampered('emptied as if purged', 'UPDATE seal.audit_entry SET (' . join(', ', map { (split / /)[0] } grep { !/^(start|segment|position|serial|leaf) / } split(/,/, $all))
	. ') = ROW(' . join(', ', map { 'NULL' } grep { !/^(start|segment|position|serial|leaf) / } split(/,/, $all)) . ') WHERE entry = 40', 40);
tampered('a tail cut off', "DELETE FROM seal.audit_entry WHERE entry >= $size - 3", $size - 3);
tampered('a tail cut off, and the state with it, shown by the last checkpoint',
	"DELETE FROM seal.audit_entry WHERE entry >= $size - 3; UPDATE seal.audit_state SET size = $size - 3", $size - 3);
tampered('a tail cut off, and the state and its checkpoint with it, shown by one kept elsewhere',
	"DELETE FROM seal.audit_entry WHERE entry >= $size - 3; UPDATE seal.audit_state SET size = $size - 3, checkpoint = NULL, checkpoint_size = 0, delivered_size = 0",
	$size - 3, $note);
tampered('a node altered', "UPDATE seal.audit_node SET hash = sha256('x') WHERE index = 1", 256);
tampered('a node deleted', 'DELETE FROM seal.audit_node WHERE index = 0', 0);
tampered('a node added', "INSERT INTO seal.audit_node VALUES (9, 7, sha256('x'))", '');
tampered('the name of the log altered', "UPDATE seal.audit_state SET origin = 'another'", '');
tampered('the place altered', "UPDATE seal.audit_state SET place = 'another'", '');
tampered('the size of the checkpoint altered', 'UPDATE seal.audit_state SET checkpoint_size = 1', '');
tampered('what was delivered altered', 'UPDATE seal.audit_state SET delivered_size = delivered_size + 1000', '');
tampered('the last checkpoint altered', q{UPDATE seal.audit_state SET checkpoint = replace(checkpoint, E'\n\n', E'x\n\n')}, '');
tampered('a checkpoint that nobody signed', 'SELECT', '', $note =~ s/(.{20})\n?\z/'A' x 20 . "\n"/er);
is(sql("SELECT intact FROM seal.verify_audit('$note')"), 't', 'nothing of that is left');

# Workers killed at any moment: nothing lost, nothing doubled.
sql(q{CREATE TABLE written (id int PRIMARY KEY); SELECT seal.watch('written')});
my $expected = 700;
my $kills = 0;
foreach my $round (1 .. $rounds)
{
	my $pid = sql(<<"END");
INSERT INTO written SELECT $round * 100 + n FROM generate_series(0, 99) n;
SELECT count(seal.audit_reading('audit_log')) AS written FROM generate_series(1, 3000) \\gset
DO \$\$ BEGIN
  FOR n IN 1 .. 1000 LOOP
    PERFORM pg_stat_clear_snapshot();
    EXIT WHEN EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'pgseal log');
    PERFORM pg_sleep(0.001);
  END LOOP;
END \$\$;
SELECT pid FROM pg_stat_activity WHERE backend_type = 'pgseal log' LIMIT 1;
END
	$expected += 3000;
	select undef, undef, undef, rand 0.03;
	next if $pid eq '';
	$kills += kill 'KILL', $pid;
	select undef, undef, undef, 0.3;
	$node->poll_query_until('postgres', 'SELECT true') or die 'the server did not come back';
}
cmp_ok($kills, '>', $rounds / 4, "$kills workers were killed");
my $later = sql('SELECT seal.checkpoint()');
is(taken(), $expected, "$rounds rounds of kill -9: each record once");
is(sql(q{SELECT count(*), count(DISTINCT row_key) FROM seal.audit_entry WHERE action = 'insert'}), (100 * $rounds) . '|' . (100 * $rounds), 'and each write');
is(sql("SELECT intact FROM seal.verify_audit('$note')"), 't', 'the log verifies, with the checkpoint from before');
is(sql("SELECT intact FROM seal.verify_audit('$later')"), 't', 'and with that from after');

# A copy of the segments is fed late, and twice.
$node->append_conf('postgresql.conf', "seal.ingest_interval = '1h'");
$node->reload;
select undef, undef, undef, 0.5;
records('postgres', 100);
$node->stop('immediate');
my $oid_folder = (grep { /^\d+$/ } slurp_dir($node->data_dir . '/pg_seal'))[0];
my $copy = $node->basedir . '/copy';
system('cp', '-r', $node->data_dir . "/pg_seal/$oid_folder", $copy) == 0 or die;
$node->start;
sql("SELECT seal.ingest_segments('$copy')");
is(sql("SELECT seal.ingest_segments('$copy')"), '0', 'a copied folder fed twice adds nothing');
sql('SELECT seal.checkpoint()');
is(taken(), $expected + 100, 'nor do the segments themselves');
is(sql('SELECT intact FROM seal.verify_audit()'), 't', 'and the log verifies');

# DROP and CREATE ... TEMPLATE while a worker is busy.
$node->append_conf('postgresql.conf', "seal.ingest_interval = '10ms'");
$node->reload;
$node->safe_psql('postgres', 'CREATE DATABASE busy');
$node->safe_psql('busy', q{CREATE EXTENSION pgseal; SELECT count(seal.audit_reading('audit_log')) FROM generate_series(1, 50000)});
$node->safe_psql('postgres', 'CREATE DATABASE twin TEMPLATE busy');
is($node->safe_psql('twin', 'SELECT count(*) < 50000 FROM seal.audit_entry'), 't', 'a busy database was copied before all was taken in');
$node->safe_psql('twin', q{SELECT seal.create_key('k'); SELECT length(seal.checkpoint())});
is($node->safe_psql('twin', q{SELECT origin ~ ('/' || d.oid || '/') FROM seal.audit_state, pg_database d WHERE datname = 'twin'}), 't',
	'the copy has a name of its own');
is($node->safe_psql('twin', q{SELECT count(*) FROM seal.audit_entry WHERE what = 'new_origin'}), '1', 'and an entry tells the old one');
is($node->safe_psql('twin', q{SELECT intact FROM seal.verify_audit()}), 't', 'and verifies');
$node->safe_psql('busy', q{SELECT count(seal.audit_reading('audit_log')) FROM generate_series(1, 50000); DROP EXTENSION pgseal});
pass('DROP EXTENSION under a busy worker');
records('twin', 50000);
$node->safe_psql('postgres', 'DROP DATABASE twin');
pass('DROP DATABASE under a busy worker');
unlike(slurp_file($node->logfile), qr/deadlock detected/, 'no deadlock');

# A checkpoint counts as delivered when the command took it.
my $taken = $node->basedir . '/taken';
$node->append_conf('postgresql.conf', "seal.checkpoint_command = 'test -e $taken.ok && cp %p $taken'");
$node->reload;
records('postgres', 1);
$later = sql('SELECT seal.checkpoint()');
is(sql('SELECT last_error FROM seal.audit_status'), 'seal.checkpoint_command failed: child process exited with exit code 1', 'a failing command shows');
is(sql('SELECT delivered_size < checkpoint_size FROM seal.audit_state'), 't', 'and delivers nothing');
open my $ok, '>', "$taken.ok" or die $!;
records('postgres', 1);
$later = sql('SELECT seal.checkpoint()');
is(slurp_file($taken), $later, 'the command takes the note');
is(sql('SELECT delivered_size = checkpoint_size, last_error IS NULL FROM seal.audit_status'), 't|t', 'and then it is delivered');

# A purge leaves a log that verifies, and is in it.
like(error_of($node, 'auditor', q{SELECT seal.purge_audit('1 year')}), qr/permission denied/, 'an auditor purges nothing');
like(error_of($node, 'postgres', q{SELECT seal.purge_audit('5 months')}), qr/six months/, 'nobody purges what is younger than six months');
is(sql(q{SELECT seal.purge_audit('6 months')}), '0', 'nothing is that old');
$size = sql('SELECT checkpoint_size FROM seal.audit_state');
records('postgres', 5);
$node->poll_query_until('postgres', "SELECT size >= $size + 5 FROM seal.audit_state") or die 'not taken in before the purge';
is(sql(q{SELECT seal.purge_audit('0', below_minimum => true)}), $size, 'unless told; then what a delivered checkpoint covers');
is(sql("SELECT count(*) = 0 FROM seal.audit_entry WHERE entry < $size AND (login_role, what, salt) IS DISTINCT FROM (NULL, NULL, NULL)"), 't', 'nothing is left in it');
is(sql("SELECT intact FROM seal.verify_audit('$later')"), 't', 'the log verifies against the checkpoint from before');
is(sql("SELECT detail || ' ' || login_role FROM seal.audit_entry WHERE action = 'purge'"), "before=$size postgres", 'an entry tells who purged what');
tampered('more emptied than was purged', "UPDATE seal.audit_entry SET action = NULL, at = NULL, outcome = NULL, login_role = NULL, session_role = NULL, role = NULL, actor = NULL,
	purpose = NULL, address = NULL, application = NULL, xid = NULL, statement = NULL, relation = NULL, row_key = NULL, subject = NULL, keys = NULL, what = NULL, detail = NULL,
	values_opened = NULL, subjects_opened = NULL, rows_returned = NULL, repeated = NULL, statement_digest = NULL, salt = NULL WHERE entry = $size", $size);
sql('SELECT seal.checkpoint()');
$export = sql('SELECT seal.export_audit()') . "\n";
like(outside($export), qr/^verified: /, 'and verifies outside');

# What stands in seal.audit_change and is no write is told as forged, and speaks for no purge and no name.
sql(q{INSERT INTO seal.audit_change (at, action, outcome, what, detail) VALUES
	(now(), 'purge', 'ok', 'purge_audit', 'before=999999'), (now(), 'admin', 'ok', 'new_origin', 'pgseal/1/1/1/0000000000000000 5')});
$later = sql('SELECT seal.checkpoint()');
is(sql(q{SELECT string_agg(concat_ws(' ', action, outcome, detail), ', ' ORDER BY entry) FROM seal.audit_entry WHERE what = 'forged_change'}),
	'admin XX001 a change says that it is: purge, admin XX001 a change says that it is: admin', 'what is no write of a row is told as forged');
is(sql("SELECT intact FROM seal.verify_audit('$later')"), 't', 'the log verifies');
tampered('emptied after a forged purge', "UPDATE seal.audit_entry SET action = NULL, at = NULL, outcome = NULL, login_role = NULL, session_role = NULL, role = NULL, actor = NULL,
	purpose = NULL, address = NULL, application = NULL, xid = NULL, statement = NULL, relation = NULL, row_key = NULL, subject = NULL, keys = NULL, what = NULL, detail = NULL,
	values_opened = NULL, subjects_opened = NULL, rows_returned = NULL, repeated = NULL, statement_digest = NULL, salt = NULL WHERE entry = $size", $size);

done_testing();
