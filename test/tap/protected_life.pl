# protected_life.pl: what happens to a protected table and to its subjects in years of
# use: maintenance, renames, other keys and roots, altered rows of seal.subject.
#
# Not a pg_regress test: it restarts the server with another root key file, prepares
# transactions, and asks in sessions of several logins.
use strict;
use warnings;
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;
use Pgseal;

my $node = new_node('life', conf => "seal.checkpoint_interval = 0\nmax_prepared_transactions = 4\n");

sub sql { return $node->safe_psql('postgres', $_[0]); }

sql(<<'SQL');
CREATE EXTENSION pgseal;
CREATE ROLE lab_app LOGIN;
CREATE ROLE doctor LOGIN;
CREATE ROLE stranger LOGIN;
SELECT seal.create_key('clinical', searchable => true), seal.create_key('note');
SELECT seal.grant_key(k, 'lab_app', '{seal,search,reveal}'), seal.grant_key(k, 'postgres', '{seal}'),
  seal.grant_key(k, 'doctor', '{search,reveal}', 'admitted') FROM unnest('{clinical,note}'::text[]) k;
CREATE TABLE patient (id bigint PRIMARY KEY, name sealed_text(clinical), note sealed_text(note));
CREATE TABLE result (id bigint PRIMARY KEY, patient_id bigint NOT NULL, value sealed_text(clinical));
SELECT seal.protect('patient', 'id', 'patient'), seal.protect('result', 'patient_id', 'patient');
SELECT seal.create_revealing_view('patient'), seal.create_revealing_view('result');
GRANT ALL ON patient, patient_revealed, result, result_revealed TO lab_app, doctor, stranger;
SQL
as_role($node, 'lab_app', <<'SQL');
INSERT INTO patient SELECT i, 'name ' || i, 'note ' || i FROM generate_series(1, 6) i;
INSERT INTO result SELECT i, i, 'value ' || i FROM generate_series(1, 6) i;
SQL
sql(q{SELECT seal.admit('patient', '2', 'doctor', 'TREAT', 'infinity')});

my $names = q{SELECT string_agg(concat_ws('/', name, note), ',' ORDER BY name) FROM patient_revealed};
my $everybody = join ',', map { "name $_/note $_" } 1 .. 6;

# whole_ok NAME, TABLE: every value opens for who may, and stands where it belongs.
sub whole_ok
{
	my ($name, $table) = @_;
	is(as_role($node, 'lab_app', $names), $everybody, "$name: opens");
	is(as_role($node, 'doctor', $names), 'name 2/note 2', "$name: who is admitted sees her patient");
	is(as_role($node, 'stranger', $names), '', "$name: who has no right sees nobody");
	is(sql("SELECT * FROM seal.verify_places('$table')"), '', "$name: every value is in its place");
	return;
}

whole_ok('at first', 'patient');

# Maintenance and definitions ---------------------------------------------------------------------

my $table = 'patient';
foreach my $step (
	'VACUUM FULL patient', 'CLUSTER patient USING patient_pkey', 'CREATE INDEX ON patient (name)', 'REINDEX TABLE patient', 'ANALYZE patient',
	'VACUUM FULL seal.subject',
	q{ALTER TABLE patient ADD COLUMN extra text DEFAULT 'x'}, 'ALTER TABLE patient DROP COLUMN extra',
	'ALTER TABLE patient RENAME COLUMN note TO remark', 'ALTER TABLE patient RENAME COLUMN id TO number',
	'ALTER TABLE patient RENAME TO person', 'CREATE SCHEMA lab; ALTER TABLE person SET SCHEMA lab; GRANT USAGE ON SCHEMA lab TO PUBLIC',
	'ALTER SCHEMA lab RENAME TO office', 'ALTER TABLE office.person SET SCHEMA public; ALTER TABLE person RENAME TO patient',
	'ALTER TABLE patient RENAME COLUMN number TO id; ALTER TABLE patient RENAME COLUMN remark TO note')
{
	is(error_of($node, 'postgres', $step), '', $step);
	$table = sql(q{SELECT relation FROM seal.protection WHERE relation_name <> 'public.result'});
	whole_ok($step, $table);
	as_role($node, 'lab_app', "UPDATE $table SET name = 'name 4' WHERE name = 'name 4'");
}
is(sql('SELECT relation_name, subject_column, columns FROM seal.protection ORDER BY 1'),
	"public.patient|id|{name,note}\npublic.result|patient_id|{value}", 'protections follow the names');

# Two-phase commit ------------------------------------------------------------------------------------

as_role($node, 'lab_app', q{BEGIN; INSERT INTO patient VALUES (7, 'name 7'); PREPARE TRANSACTION 'kept'});
as_role($node, 'lab_app', q{BEGIN; INSERT INTO patient VALUES (8, 'name 8'); PREPARE TRANSACTION 'lost'});
$node->restart('immediate');
as_role($node, 'lab_app', q{COMMIT PREPARED 'kept'});
as_role($node, 'lab_app', q{ROLLBACK PREPARED 'lost'});
is(as_role($node, 'lab_app', q{SELECT name FROM patient_revealed WHERE id >= 7}), 'name 7', 'a subject made in a prepared transaction lives when that is committed');
is(sql(q{SELECT * FROM seal.verify_places('patient')}), '', 'in its place');
is(sql('SELECT count(*) FROM seal.subject'), '7', 'and is not there when it is rolled back');
as_role($node, 'lab_app', 'DELETE FROM patient WHERE id = 7');

# Keys and roots ----------------------------------------------------------------------------------------

is(error_of($node, 'postgres', q{SELECT seal.drop_key('subject')}), '42939: key "subject" is built in', 'the key of subjects stays');
is(sql(q{SELECT seal.rotate_key('subject')}), '2', 'the key of subjects is rotated');
whole_ok('after rotate_key(subject)', 'patient');
as_role($node, 'lab_app', q{INSERT INTO patient VALUES (9, 'name 9')});
is(sql(q{SELECT key_version, count(*) FROM seal.subject GROUP BY 1 ORDER BY 1}), "1|7\n2|1", 'new subjects hang on the new version');
is(as_role($node, 'lab_app', q{INSERT INTO result VALUES (9, 9, 'value 9'), (10, 1, 'value 10'); SELECT string_agg(value, ',' ORDER BY id) FROM result_revealed WHERE id >= 9}),
	'value 9,value 10', 'and old ones are found by their id');
is(sql('SELECT count(*) FROM seal.subject'), '8', 'not made again');
as_role($node, 'lab_app', 'DELETE FROM patient WHERE id = 9; DELETE FROM result WHERE id >= 9');

sql(q{SELECT seal.rotate_key('note')});
my $envelopes = q{SELECT md5(string_agg(to_jsonb(note) #>> '{}', ',' ORDER BY id)) FROM patient};
my $before = sql($envelopes);
whole_ok('after rotate_key(note)', 'patient');
as_role($node, 'lab_app', 'UPDATE patient_revealed SET note = note');
is(sql($envelopes), $before, 'an UPDATE that changes no value through the revealing view keeps the envelopes');
as_role($node, 'lab_app', q{UPDATE patient_revealed SET note = note || ''});
isnt(sql($envelopes), $before, 'one that computes it seals again under the new version');
whole_ok('sealed again', 'patient');

my $root = slurp_file(root_key_file($node));
open my $file, '>', root_key_file($node) or die "could not write the root key: $!";
print $file 'f0' x 32 . "\n$root";
close $file;
$node->restart;
my $subjects = sql('SELECT md5(string_agg(s::text, chr(10) ORDER BY number)) FROM seal.subject s');
is(error_of($node, 'postgres', 'SELECT seal.rotate_root()'), '', 'rotate_root');
is(sql('SELECT md5(string_agg(s::text, chr(10) ORDER BY number)) FROM seal.subject s'), $subjects, 'rewrites no subject');
whole_ok('under another root', 'patient');
open $file, '>', root_key_file($node) or die "could not write the root key: $!";
print $file 'f0' x 32 . "\n";
close $file;
$node->restart;
whole_ok('without the old root', 'patient');

# Transfer -----------------------------------------------------------------------------------------------

my ($one, $two) = map { sql("SELECT seal.subject_number('patient', '$_')") } 1, 2;
as_role($node, 'lab_app', 'UPDATE result SET patient_id = 2 WHERE id = 1');
is(as_role($node, 'doctor', q{SELECT string_agg(value, ',' ORDER BY id) FROM result_revealed}), 'value 1,value 2', 'a result goes to another patient, and opens there');
is(sql(q{SELECT * FROM seal.verify_places('result')}), '', 'in its place');
sql('SELECT seal.checkpoint()');
my $transfer = sql(q{SELECT count(*), min(subject), min(detail) FROM seal.audit_entry WHERE action = 'protect' AND what = 'transfer'});
like($transfer, qr/^1\|(?:$one|$two)\|/, 'the log has one record of it, with a subject') or diag("subjects $one and $two");
like($transfer, qr/$_/, "which names $_") foreach $one, $two;
as_role($node, 'lab_app', 'UPDATE result SET patient_id = 1 WHERE id = 1');

# Altered rows of seal.subject -------------------------------------------------------------------------------

my $session = $node->background_psql('postgres', on_error_stop => 0, extra_params => [ '--username' => 'lab_app' ]);
$session->query_safe('SELECT count(name) FROM patient_revealed');
my $mine = "number = $one";
my $flip = sub { return "UPDATE seal.subject SET $_[0] = set_byte($_[0], $_[1], get_byte($_[0], $_[1]) # 1) WHERE $mine" };
my $swap = sub { return "UPDATE seal.subject SET $_[0] = o.$_[0] FROM seal.subject o WHERE seal.subject.number = $one AND o.number = $two" };
my %alter = (
	'number' => "UPDATE seal.subject SET number = number # 1 WHERE $mine",
	'type' => "UPDATE seal.subject SET type = 'person' WHERE $mine",
	'lookup' => $flip->('lookup', 3),
	'external, nonce' => $flip->('external', 0),
	'external, tag' => $flip->('external', 50),
	'secret' => $flip->('secret', 30),
	'secret cut' => "UPDATE seal.subject SET secret = substr(secret, 1, 20) WHERE $mine",
	'secret gone' => "UPDATE seal.subject SET secret = NULL WHERE $mine",
	'key version' => "UPDATE seal.subject SET key_version = 2 WHERE $mine",
	'key version unknown' => "UPDATE seal.subject SET key_version = 99 WHERE $mine",
	'generation' => "UPDATE seal.subject SET generation = generation + 1 WHERE $mine",
	'changed_at' => "UPDATE seal.subject SET changed_at = changed_at + interval '1 s' WHERE $mine",
	'external of another' => $swap->('external'),
	'secret of another' => $swap->('secret'),
	'deleted' => "DELETE FROM seal.subject WHERE $mine");
my $closed = qr/^55000: subject $one is closed: its row in seal\.subject is missing or was altered$/;
my $closed_any = qr/^55000: subject \d+ is closed/;
sql('CREATE TABLE kept AS SELECT * FROM seal.subject');
foreach my $name (sort keys %alter)
{
	sql($alter{$name});
	like(error_of($node, 'lab_app', 'SELECT name FROM patient_revealed WHERE id = 1'), $closed, "$name altered: the subject is closed");
	like(error_of($node, 'lab_app', 'SELECT seal.reveal(note) FROM patient WHERE id = 1'), $closed, "$name altered: however it is asked");
	$session->{stderr} = '';
	$session->query('SELECT name FROM patient_revealed WHERE id = 1');
	like($session->{stderr}, qr/subject $one is closed/, "$name altered: in sessions that had read it");
	is(as_role($node, 'lab_app', 'SELECT name FROM patient_revealed WHERE id = 2'), 'name 2', "$name altered: others open");
	is(sql(q{SELECT string_agg(concat_ws('/', row_key, column_name), ',' ORDER BY column_name) FROM seal.verify_places('patient')}),
		'1/name,1/note', "$name altered: verify_places names its values");
	# A row that is not found by its id is no row: another subject is made, and the old values stay closed.
	like(error_of($node, 'lab_app', q{INSERT INTO result VALUES (11, 1, 'x')}), $name =~ /^(?:deleted|lookup)$/ ? qr/^$/ : $closed_any,
		"$name altered: nothing is sealed for it, unless as another subject");
	as_role($node, 'lab_app', 'DELETE FROM result WHERE id = 11');
	sql("BEGIN; DELETE FROM seal.subject WHERE number NOT IN (SELECT number FROM kept); DELETE FROM seal.subject WHERE $mine; INSERT INTO seal.subject SELECT * FROM kept WHERE $mine; COMMIT");
	is(as_role($node, 'lab_app', 'SELECT name FROM patient_revealed WHERE id = 1'), 'name 1', "$name put back: opens again");
}
$session->quit;
whole_ok('in the end', 'patient');

$node->stop;
done_testing();
