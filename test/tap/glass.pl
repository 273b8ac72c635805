# glass.pl: admissions and broken glasses between sessions, in alarms, in the log and in
# a dump; and what the log says of subjects.
#
# Not a pg_regress test: it needs sessions of several logins, the server log, and the
# worker of the log.
use strict;
use warnings;
use IPC::Run;
use Pgseal;
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;

my $node = new_node('glass', conf => "seal.ingest_interval = '1h'\nseal.checkpoint_interval = 0\nseal.admin_role = 'lab_admin'\nseal.break_glass_max = '30min'\n");

sub sql { return $node->safe_psql('postgres', $_[0]); }

sql(<<'SQL');
CREATE EXTENSION pgseal;
CREATE ROLE lab_admin;
CREATE ROLE lab_officer LOGIN IN ROLE lab_admin;
CREATE ROLE lab_app LOGIN;
CREATE ROLE doctor LOGIN;
CREATE ROLE other_doctor LOGIN;
CREATE ROLE auditor LOGIN;
SELECT seal.create_key('clinical', searchable => true);
SELECT seal.grant_key('clinical', 'lab_app', '{seal,search,reveal}');
SELECT seal.grant_key('clinical', r::regrole, '{search,reveal}', 'admitted') FROM unnest('{doctor,other_doctor}'::text[]) r;
SELECT seal.grant_key('audit', 'auditor', '{reveal}');
GRANT SELECT ON seal.break_glass_review TO auditor;
GRANT EXECUTE ON FUNCTION seal.access_report(text, text) TO auditor;
CREATE TABLE patient (id text PRIMARY KEY, note sealed_text(clinical));
SELECT seal.protect('patient', 'id', 'patient');
SELECT seal.create_revealing_view('patient');
GRANT ALL ON patient, patient_revealed TO PUBLIC;
SQL
as_role($node, 'lab_app', q{INSERT INTO patient SELECT 'CANARYid' || i, 'note ' || i FROM generate_series(1, 1300) i});

# session ROLE: a psql that stays connected.
sub session
{
	my ($role) = @_;
	my %session = (in => '', out => '', err => '');
	$session{run} = IPC::Run::start([ 'psql', '-X', '-q', '-A', '-t', '-d', $node->connstr('postgres') . " user=$role" ],
		'<', \$session{in}, '>', \$session{out}, '2>', \$session{err}, IPC::Run::timeout(60));
	return \%session;
}

# ask SESSION, SQL: what it gets, or the message of the error.
sub ask
{
	my ($session, $sql) = @_;
	$session->{out} = $session->{err} = '';
	$session->{in} .= "$sql\n\\echo DONE\n";
	IPC::Run::pump($session->{run}) until $session->{out} =~ /DONE\n/;
	(my $out = $session->{out}) =~ s/DONE\n//;
	return $session->{err} =~ /ERROR:  (.*)/ ? $1 : $out =~ s/\n\z//r;
}

# last_entry: number of the newest entry.
sub last_entry
{
	sql('SELECT seal.checkpoint()');
	return sql('SELECT coalesce(max(entry), -1) FROM seal.audit_entry');
}

# entries WHAT, CONDITION: of the log, everything taken in.
sub entries
{
	my ($what, $condition) = @_;
	sql('SELECT seal.checkpoint()');
	return sql("SELECT $what FROM seal.audit_entry WHERE $condition ORDER BY entry");
}

# Between sessions: at the next statement, in open transactions too ----------------------------------------------

my $doctor = session('doctor');
my $alarm = session('lab_officer');
ask($alarm, 'LISTEN seal_alert;');
ask($doctor, q{PREPARE seen AS SELECT note FROM patient_revealed ORDER BY id; PREPARE found AS SELECT id FROM patient WHERE note = 'note 7';});
ask($doctor, 'SET plan_cache_mode = force_generic_plan;');
is(ask($doctor, 'EXECUTE seen;'), '', 'admitted to nobody, nobody is seen');
as_role($node, 'lab_officer', q{SELECT seal.admit('patient', 'CANARYid7', 'doctor', 'TREAT', 'infinity')});
is(ask($doctor, 'EXECUTE seen;'), 'note 7', 'an admission counts at the next statement of a session that is open');
is(ask($doctor, 'EXECUTE found;'), 'CANARYid7', 'for searching too');
is(ask($doctor, 'BEGIN; EXECUTE seen;'), 'note 7', 'in a transaction');
as_role($node, 'lab_officer', q{SELECT seal.dismiss('patient', 'CANARYid7', 'doctor')});
is(ask($doctor, 'EXECUTE seen;'), '', 'and a dismissal in it');
as_role($node, 'lab_officer', q{SELECT seal.admit('patient', 'CANARYid8', 'doctor', 'TREAT', 'infinity')});
is(ask($doctor, 'EXECUTE seen;'), 'note 8', 'as an admission');
ask($doctor, 'ROLLBACK;');
is(ask($doctor, 'BEGIN ISOLATION LEVEL REPEATABLE READ; EXECUTE seen;'), 'note 8', 'in REPEATABLE READ');
as_role($node, 'lab_officer', q{SELECT seal.dismiss('patient', 'CANARYid8', 'doctor')});
is(ask($doctor, 'EXECUTE seen;'), '', 'a dismissal needs no new snapshot');
ask($doctor, 'ROLLBACK;');
$node->safe_psql('postgres', q{BEGIN; SELECT seal.admit('patient', 'CANARYid9', 'doctor', 'TREAT', 'infinity'); ROLLBACK});
is(ask($doctor, 'EXECUTE seen;'), '', 'an admission that is taken back gives nothing');

# The index leaves out what was dismissed; who uses none still does not see it.
my $slow = session("doctor options='-c ignore_system_indexes=on'");
as_role($node, 'lab_officer', q{SELECT seal.admit('patient', 'CANARYid10', 'doctor', 'TREAT', 'infinity')});
is(ask($slow, 'SELECT note FROM patient_revealed;'), 'note 10', 'without an index of the system an admission counts, and none that was dismissed');
as_role($node, 'lab_officer', q{SELECT seal.dismiss('patient', 'CANARYid10', 'doctor')});
$slow->{in} .= "\\q\n";
$slow->{run}->finish;

# An admission ends by the clock, within a statement too.
sql(q{SELECT seal.admit('patient', 'CANARYid9', 'doctor', 'TREAT', clock_timestamp() + '2 seconds')});
is(ask($doctor, 'SELECT note FROM patient_revealed, pg_sleep(0.1);'), 'note 9', 'before its end a value opens');
like(ask($doctor, q{SELECT (SELECT count(*) FROM patient_revealed) || ' ' || pg_sleep(2.5)::text || (SELECT seal.reveal(note) FROM patient);}),
	qr/^permission denied for key "clinical" and this subject/, 'after it no value does, also of a row that was seen before');

# Breaking the glass ------------------------------------------------------------------------------------------

my $from = last_entry();
my $log = -s $node->logfile;
is(ask($doctor, q{BEGIN; SELECT seal.break_glass('patient', 'CANARYid5', 'CANARYreason', '10 minutes') > now();}), 't', 'a doctor breaks the glass');
like(log_since($node, $log), qr/^.*LOG:  pgseal: break_glass break_glass subject=\d+ type=patient until=.* login=doctor session=doctor role=doctor$/m,
	'which is in the server log before anything else');
is(sql('SELECT count(*) FROM seal.break_glass_review'), 0, 'and not yet in the list');
is(ask($doctor, 'EXECUTE seen;'), '', 'nor does it count yet');
ask($doctor, 'COMMIT;');
is(ask($doctor, 'EXECUTE seen;'), 'note 5', 'from its commit on it does');
like(ask($alarm, 'SELECT;'), qr/Asynchronous notification "seal_alert" with payload "\{.*\}" received/, 'who LISTENs is told');
my ($payload) = $alarm->{out} =~ /with payload "(\{.*\})" received/;
is(sql("SELECT string_agg(key, ' ' ORDER BY key) FROM jsonb_object_keys('$payload') AS key"), 'admission alert database login_role role subject subject_type until', 'in JSON');
is(sql("SELECT j ->> 'login_role' || (j ->> 'subject' = subject::text) || (j ->> 'admission' = admission::text) FROM (SELECT '$payload'::jsonb) AS a (j), seal.break_glass_review"),
	'doctortruetrue', 'with the numbers of the list');
like(error_of($node, 'doctor', q{SELECT seal.break_glass('patient', 'CANARYid5', 'r', '31 minutes')}), qr/^22023: duration must not exceed 30 minutes/, 'no longer than the setting says');
like(error_of($node, 'doctor', q{BEGIN READ ONLY; SELECT seal.break_glass('patient', 'CANARYid5', 'r', '1 minute')}), qr/^25006: /, 'not in a transaction that reads only');
like(error_of($node, 'lab_app', q{SELECT seal.break_glass('patient', 'CANARYid5', 'r', '1 minute')}), qr/^42501: permission denied to break the glass/, 'nor by who has no use for it');
ask($doctor, q{BEGIN; SELECT seal.break_glass('patient', 'CANARYid6', 'r', '10 minutes');});
is(ask($doctor, 'EXECUTE seen; ROLLBACK;'), 'note 5', 'one that is rolled back opens nothing');
is(entries(q{concat_ws(' ', action, what, outcome, login_role, subject IS NOT NULL)}, "entry > $from AND action IN ('break_glass', 'refuse')"),
	"break_glass break_glass ok doctor t\nrefuse seal.break_glass 42501 lab_app f\nbreak_glass break_glass ok doctor t\nbreak_glass break_glass aborted doctor t", 'the log has all of them');

# Looking at it afterwards.
my $id = sql('SELECT admission FROM seal.break_glass_review');
like(error_of($node, 'doctor', "SELECT seal.sign_off($id)"), qr/^42501: permission denied for function seal.sign_off/, 'who broke it may not sign it off');
like(error_of($node, 'lab_app', "SELECT seal.sign_off($id)"), qr/^42501: /, 'nor any other');
is(as_role($node, 'auditor', 'SELECT seal.reveal(reason::sealed_text) FROM seal.break_glass_review'), 'CANARYreason', 'an auditor reads the reason');
as_role($node, 'auditor', "SELECT seal.sign_off($id, 'CANARYnote')");
is(as_role($node, 'auditor', q{SELECT signed_off_by || ' ' || seal.reveal(note::sealed_text) FROM seal.break_glass_review}), 'auditor CANARYnote', 'and signs it off');
like(error_of($node, 'lab_officer', "SELECT seal.sign_off($id)"), qr/^42704: /, 'once');
ask($doctor, q{SELECT seal.break_glass('patient', 'CANARYid6', 'r', '10 minutes');});
$id = sql('SELECT admission FROM seal.break_glass_review WHERE signed_off_by IS NULL');
as_role($node, 'lab_officer', "SELECT seal.sign_off($id)");
is(sql("SELECT signed_off_by FROM seal.break_glass_review WHERE admission = $id"), 'lab_officer', 'an administrator may, too');
sql('GRANT lab_admin TO doctor');
ask($doctor, q{SELECT seal.break_glass('patient', 'CANARYid4', 'r', '10 minutes');});
$id = sql('SELECT admission FROM seal.break_glass_review WHERE signed_off_by IS NULL');
like(error_of($node, 'doctor', "SELECT seal.sign_off($id)"), qr/^42501: who broke the glass cannot sign it off/, 'but nobody his own');
sql('REVOKE lab_admin FROM doctor');

# A role that is renamed behind the database's back has another name than its admissions.
$node->safe_psql('template1', 'ALTER ROLE doctor RENAME TO medic');
is(ask($doctor, 'EXECUTE seen;'), '', 'who was renamed elsewhere is admitted to nobody');
is(sql(q{SELECT string_agg(DISTINCT state, ' ') FROM seal.admissions WHERE until > now() AND dismissed_at IS NULL}), 'unbound', 'as the list says');
$node->safe_psql('template1', 'ALTER ROLE medic RENAME TO doctor');
is(ask($doctor, 'EXECUTE seen;'), "note 4\nnote 5\nnote 6", 'until the names are one again');

# What the log says of subjects --------------------------------------------------------------------------------------

my %number = map { $_ => sql("SELECT seal.subject_number('patient', 'CANARYid$_')") } 1 .. 9;
like(error_of($node, 'lab_app', q{SELECT seal.subject_number('patient', 'CANARYid1')}), qr/^42501: /, 'whose number is whose is no question for everybody');
$from = last_entry();
as_role($node, 'lab_app', q{SELECT seal.reveal(note) FROM patient WHERE id = 'CANARYid1'});
is(entries(q{concat_ws(' ', action, subject, subjects_opened, subjects)}, "entry > $from AND action IN ('open', 'close')"),
	"open $number{1}\nclose $number{1} 1", 'a statement about one patient names him');
$from = last_entry();
as_role($node, 'lab_app', q{SELECT seal.reveal(note) FROM patient WHERE id IN ('CANARYid1', 'CANARYid2', 'CANARYid3') ORDER BY id});
is(entries(q{concat_ws(' ', action, subject, subjects_opened, subjects)}, "entry > $from AND action IN ('open', 'close')"),
	"open $number{1}\nclose 3 {$number{1},$number{2},$number{3}}", 'one about three names all at its end');
$from = last_entry();
as_role($node, 'lab_app', 'SELECT count(seal.reveal(note)), count(seal.show(note)) FROM patient');
is(entries(q{concat_ws(' ', action, subjects_opened, cardinality(subjects))}, "entry > $from AND subjects IS NOT NULL AND action = 'progress'"),
	"progress 256 256\nprogress 512 256\nprogress 768 256", 'one about more names them as it goes');
is(sql("SELECT count(*) || ' ' || count(DISTINCT s) FROM seal.audit_entry, unnest(subjects) s WHERE entry > $from"), '1000 1000', 'a thousand of them, each once');
cmp_ok(abs(sql("SELECT subjects_opened FROM seal.audit_entry WHERE entry > $from AND action = 'close'") - 1300), '<', 130, 'and says how many there were, within 10 %');
$from = last_entry();
error_of($node, 'lab_app', q{SELECT 1 / (length(seal.reveal(note)) - 6) FROM patient WHERE id = 'CANARYid1'});
is(entries(q{concat_ws(' ', action, outcome, subject)}, "entry > $from AND action IN ('open', 'close')"),
	"open ok $number{1}\nclose 22012 $number{1}", 'one that fails too');
$from = last_entry();
sql('ALTER TABLE patient DISABLE ROW LEVEL SECURITY');
like(error_of($node, 'other_doctor', q{SELECT seal.reveal(note) FROM patient WHERE id = 'CANARYid1'}), qr/^42501: permission denied for key "clinical" and this subject/, 'without row security the gate asks');
sql('ALTER TABLE patient ENABLE ROW LEVEL SECURITY');
is(entries(q{concat_ws(' ', action, subject)}, "entry > $from AND action = 'refuse'"), "refuse $number{1}", 'and the refusal names the patient');

# The report of a patient.
is(as_role($node, 'auditor', q{SELECT string_agg(concat_ws(' ', action, outcome, login_role, categories), ', ' ORDER BY at) FROM seal.access_report('patient', 'CANARYid5')}),
	'break_glass ok doctor, open ok doctor {clinical}, open ok doctor {clinical}, break_glass ok auditor, open ok doctor {clinical}, open ok lab_app {clinical}',
	'who saw a patient, when and why, from single reads and from scans');
like(error_of($node, 'doctor', q{SELECT * FROM seal.access_report('patient', 'CANARYid5')}), qr/^42501: permission denied for function access_report/, 'is for whom may execute it');
sql('CREATE SCHEMA trap AUTHORIZATION auditor');
as_role($node, 'auditor', qq{CREATE FUNCTION trap.run(text, text) RETURNS boolean LANGUAGE plpgsql AS \$\$ BEGIN RAISE EXCEPTION 'run as %', current_user; END \$\$;}
	. join '', map { "CREATE OPERATOR trap.$_ (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.run);" } '=', '<>', '<', '>', '||', '~~');
is(as_role($node, 'auditor', q{SET search_path = trap, pg_catalog; SELECT count(*) > 0 FROM seal.access_report('patient', 'CANARYid5')}), 't',
	'no operator of the caller runs with the rights of the owner of the log');
sql('SELECT seal.checkpoint()');
cmp_ok(sql("SELECT count(*) FROM seal.audit_entry WHERE what = 'access_report' AND login_role = 'auditor' AND subject = $number{5}"), '>', 0, 'and asking is recorded');

# Neither an id nor a reason is anywhere in the clear; a plain control value is -----------------------------------------

sql(q{CREATE TABLE control (t text); INSERT INTO control VALUES ('CONTROLvalue'); CHECKPOINT});
my $admissions = $node->data_dir . '/' . sql(q{SELECT pg_relation_filepath('seal.admission')});
my $segments = join '', map { slurp_file($_) } glob($node->data_dir . '/pg_seal/*/*');
like(slurp_file($node->data_dir . '/' . sql(q{SELECT pg_relation_filepath('control')})), qr/CONTROLvalue/, 'the search finds what is there');
unlike(slurp_file($admissions), qr/CANARY/, 'neither the id nor the reason stands in seal.admission');
unlike($segments . sql('SELECT * FROM seal.audit_entry'), qr/CANARY/, 'nor in the log');
unlike($payload, qr/CANARY/, 'nor in the alarm');
unlike(slurp_file($node->logfile), qr/pgseal: .*CANARY/, 'nor in the lines of the server log');

# A dump and another cluster: admissions bind to no role by themselves -------------------------------------------------

my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'admissions are dumped');
my $copy = new_node('glass_copy');
$copy->safe_psql('postgres', 'CREATE ROLE padding; CREATE ROLE lab_admin; CREATE ROLE lab_app LOGIN; CREATE ROLE other_doctor LOGIN; CREATE ROLE doctor LOGIN; CREATE ROLE auditor LOGIN; CREATE ROLE lab_officer LOGIN');
$copy->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $copy->connstr('postgres') ], 'and restored');
is($copy->safe_psql('postgres', q{SELECT string_agg(DISTINCT state, ' ') FROM seal.admissions WHERE until > now() AND dismissed_at IS NULL}), 'unbound', 'to roles of other numbers, which they give nothing');
cmp_ok($copy->safe_psql('postgres', 'SELECT seal.rebind_grants()'), '>', 3, 'until an administrator binds them');
is(as_role($copy, 'doctor', 'SELECT string_agg(note, \' \' ORDER BY note) FROM patient_revealed'), 'note 4 note 5 note 6', 'then they count');

$_->{run}->finish foreach map { $_->{in} .= "\\q\n"; $_ } ($doctor, $alarm);
done_testing();
