# audit_flood.pl: refusals by the thousand neither fill the disk nor hide others.
#
# Not a pg_regress test: it reads segment files and the server log, and waits a minute.
use strict;
use warnings;
use Pgseal;
use Segments;
use Test::More;

my $node = new_node('audit_flood');
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pgseal;
CREATE ROLE lab_app LOGIN;
CREATE ROLE lab_other LOGIN;
CREATE ROLE lab_third LOGIN;
SELECT seal.create_key('nir'), seal.create_key('note');
SELECT seal.grant_key('note', 'lab_app', '{seal,reveal}');
CREATE TABLE patient (id integer PRIMARY KEY, note sealed_text(note), nir sealed_text(nir));
GRANT ALL ON patient TO lab_app, lab_other, lab_third;
SQL
as_role($node, 'lab_app', q{INSERT INTO patient SELECT g, 'asthma' FROM generate_series(1, 3) g});

my $reveal = 'SELECT seal.reveal(note) FROM patient';
my $log_start = -s $node->logfile;
$node->psql('postgres', "\\set ON_ERROR_STOP 0\n" . "$reveal;\n" x 2000, extra_params => [ '--username' => 'lab_other' ]);
as_role($node, 'lab_other', 'SELECT seal.show(note) FROM patient');
is(short(records($node, action => 'refuse')), 'refuse!42501', 'the first refusal is recorded at once, and only the first');
my @lines = log_since($node, $log_start) =~ /LOG:  pgseal: refuse/g;
is(scalar @lines, 1, 'as in the server log');

error_of($node, 'lab_third', $reveal);
error_of($node, 'lab_other', q{INSERT INTO patient (id, nir) VALUES (7, 'x')});
error_of($node, 'lab_other', q{SELECT seal.create_key('mine')});
is(join(' ', map { $_->{login_role} . ':' . ($_->{key} // $_->{what}) } records($node, action => 'refuse')),
	'lab_other:note lab_third:note lab_other:nir lab_other:seal.create_key', 'another login, key or reason is not hidden');

$node->safe_psql('postgres', <<'SQL');
CREATE ROLE lab_definer;
GRANT SELECT ON patient TO lab_definer;
CREATE FUNCTION shown() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RETURN (SELECT seal.show(note) FROM patient WHERE id = 1); END $$;
ALTER FUNCTION shown OWNER TO lab_definer;
CREATE ROLE lab_caller LOGIN;
GRANT SELECT ON patient TO lab_caller;
SQL
as_role($node, 'lab_caller', 'SELECT seal.show(note), shown() FROM patient WHERE id = 1');
is(join(' ', sort { $a cmp $b } map { $_->{role} } records($node, action => 'refuse', login_role => 'lab_caller')), 'lab_caller lab_definer', 'nor another role of one statement');

# More reasons than there are places: 300 keys, and 40 logins on top.
$node->safe_psql('postgres', q{SELECT seal.create_key('k' || g) FROM generate_series(1, 300) g;
DO $$ BEGIN FOR i IN 1 .. 40 LOOP EXECUTE format('CREATE ROLE lab_many_%s LOGIN', i); END LOOP; END $$; CREATE ROLE lab_flood LOGIN});
my $flood = join '', map { "SELECT seal.seal('x', 'k$_');\n" } 1 .. 300;
my @before = records($node, action => 'refuse');
$node->psql('postgres', "\\set ON_ERROR_STOP 0\n$flood", extra_params => [ '--username' => 'lab_flood' ]);
my $written = () = records($node, action => 'refuse', login_role => 'lab_flood');
cmp_ok($written, '>', 200, 'many reasons are recorded each');
cmp_ok($written, '<', 256, 'but not more than there are places');
$node->psql('postgres', "\\set ON_ERROR_STOP 0\n$flood", extra_params => [ '--username' => 'lab_flood' ]);
is(scalar(records($node, action => 'refuse', login_role => 'lab_flood')), $written, 'nor when they come again');
error_of($node, "lab_many_$_", q{SELECT seal.seal('x', 'k1')}) foreach 1 .. 40;
is(scalar(records($node, action => 'refuse', login_role => 'lab_many_1')), 1, 'another login is not hidden');
my @flood = records($node, action => 'refuse');
cmp_ok(@flood - @before, '<=', 256, 'many logins have no more places');
cmp_ok(@flood - @before, '<', $written + 40, 'and some of them share one');

# A count is written when its minute is over, by whoever comes next, in whatever database.
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', q{CREATE EXTENSION pgseal; SELECT seal.create_key('note')});
$node->safe_psql('postgres', 'SELECT pg_sleep(61)');
$node->safe_psql('other', 'SELECT count(*) FROM seal.audit_log');
my @others = records($node, action => 'refuse', detail => 'others of this login within a minute');
is(join(' ', map { "$_->{login_role}:$_->{repeated}" } @others), 'lab_flood:' . (300 + 300 - $written - ($written - 1)), 'the others of a login are one record');
my ($all) = records($node, action => 'refuse', detail => 'others of all logins and databases within a minute');
is($all->{repeated}, 40 - (@flood - @before - $written), 'those of all logins are one');
is($all->{login_role}, '', 'that names nobody');
my @counts = records($node, action => 'refuse', login_role => 'lab_other', detail => 'repeated within a minute');
is(join(' ', map { "$_->{login_role}:$_->{key}:$_->{outcome}:$_->{repeated}" } @counts), 'lab_other:note:42501:2000', 'the others are one record with their number');
error_of($node, 'lab_other', $reveal);
is(scalar(records($node, action => 'refuse', login_role => 'lab_other', key => 'note', outcome => '42501')), 3, 'and the next is recorded again');
$node->safe_psql('postgres', 'SELECT seal.checkpoint()');
is($node->safe_psql('postgres', q{SELECT count(*) FROM seal.audit_entry WHERE what = 'altered_record'}), '0', 'which is no false alarm, though that database has another key');

# A server that stops loses no count.
as_role($node, 'lab_other', 'SELECT seal.show(note) FROM patient') foreach 1 .. 5;
error_of($node, 'lab_third', $reveal);
$node->restart;
@counts = records($node, action => 'refuse', detail => 'repeated within a minute', login_role => 'lab_other');
is(join(' ', map { "$_->{key}:$_->{what}:$_->{repeated}" } @counts), 'note:reveal:2000 note:reveal:5', 'a count is written when the server stops before its minute is over');
is(scalar(records($node, action => 'refuse', login_role => 'lab_third', detail => 'repeated within a minute')), 0, 'and none where nothing was repeated');
$node->safe_psql('postgres', 'SELECT seal.checkpoint()');
is($node->safe_psql('postgres', q{SELECT string_agg(repeated::text, ' ' ORDER BY repeated) FROM seal.refusals WHERE login_role = 'lab_other' AND repeated > 0}), '5 2000', 'both come to the log');
is($node->safe_psql('postgres', q{SELECT count(*) FROM seal.audit_entry WHERE what = 'altered_record'}), '0', 'where they are no false alarm');
$node->stop;
done_testing();
