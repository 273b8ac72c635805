# upgrade.pl: pg_upgrade carries sealed tables and the ring over, without a root key.
#
# Not a pg_regress test: it runs pg_upgrade between two clusters.
use strict;
use warnings;
use Cwd qw(getcwd);
use File::Copy qw(move);
use IPC::Run;
use Test::More;
use Pgseal;

my $old = new_node('old', conf => "seal.checkpoint_interval = 0\n");
$old->safe_psql('postgres', <<'END');
CREATE ROLE lab_app LOGIN;
CREATE EXTENSION pgseal;
SELECT seal.create_key('nir', searchable => true);
SELECT seal.create_key('note');
SELECT seal.rotate_key('note');
SELECT seal.create_key('gone');
SELECT seal.drop_key('gone');
SELECT seal.grant_key(k, 'lab_app', '{seal,search,reveal}') FROM unnest('{nir,note}'::text[]) k;
SELECT seal.grant_key('nir', 'postgres', '{seal}');
CREATE TABLE patient (id integer, nir sealed_text(nir) UNIQUE, born sealed_date(note) DEFAULT '1984-12-03', dropped sealed_int(note));
ALTER TABLE patient DROP COLUMN dropped;
CREATE TABLE visit (nir sealed_text(nir) REFERENCES patient (nir));
CREATE TABLE listed (nir sealed_text(nir)) PARTITION BY LIST (nir);
CREATE TABLE listed_one PARTITION OF listed FOR VALUES IN ('one');
SELECT seal.create_revealing_view('patient');
CREATE VIEW found AS SELECT id FROM patient WHERE nir = 'one';
CREATE MATERIALIZED VIEW copied AS SELECT * FROM patient;
GRANT ALL ON ALL TABLES IN SCHEMA public TO lab_app;
END
as_role($old, 'lab_app', q{INSERT INTO patient VALUES (1, 'one'), (2, 'two'); INSERT INTO visit VALUES ('one'); INSERT INTO listed VALUES ('one')});
my $stored = q{SELECT string_agg(to_jsonb(p)::text, ',' ORDER BY id) FROM patient p};
my $before = $old->safe_psql('postgres', $stored);

# The log, and records that it has not when the old server stops.
my $taken = q{SELECT string_agg(application || n, ' ' ORDER BY application)
  FROM (SELECT application, count(*) AS n FROM seal.audit_entry WHERE action = 'open' AND application IN ('before', 'unread') GROUP BY 1) t};
sub reads { return as_role($old, 'lab_app', "SET application_name = '$_[0]';" . q{SELECT seal.reveal(born) FROM patient WHERE id = 1;} x $_[1]); }
reads('before', 2);
my $note = $old->safe_psql('postgres', 'SELECT seal.checkpoint()');
my $leaves = q{SELECT string_agg(leaf::text, ',' ORDER BY entry) FROM seal.audit_entry WHERE entry < } . (split /\n/, $note)[1];
my $old_leaves = $old->safe_psql('postgres', $leaves);
$old->append_conf('postgresql.conf', "seal.ingest_interval = '1h'");
$old->reload;
$old->safe_psql('postgres', 'SELECT seal.checkpoint()');
reads('unread', 3);
is($old->safe_psql('postgres', $taken), 'before2', 'before: the log lacks what stands in segments');

# Both root key files are moved away.
my $new = new_node('new', start => 0);
move(root_key_file($_), root_key_file($_) . '.away') or die "could not move the root key: $!" foreach $old, $new;
$old->restart;
my $open = q{SELECT id, seal.reveal(nir), seal.reveal(born) FROM patient WHERE nir = 'one'};
my $gone = 'F0000: root key cannot be used: could not find ';
is(error_of($old, 'lab_app', 'SELECT seal.reveal(nir) FROM patient'), $gone . '"' . root_key_file($old) . '"', 'before: a reveal fails');
$old->stop;

# pg_upgrade leaves its scripts in the current folder.
my $here = getcwd();
my ($out, $err) = ('', '');
chomp(my $bindir = `$ENV{PG_CONFIG} --bindir`);
chdir $new->basedir or die "could not change folder: $!";
my $done = IPC::Run::run [ 'pg_upgrade', '--username=postgres', '--old-bindir', $bindir, '--new-bindir', $bindir, '--old-datadir', $old->data_dir,
	'--new-datadir', $new->data_dir, '--old-port', $old->port, '--new-port', $new->port, '--socketdir', $new->host ], '>', \$out, '2>', \$err;
chdir $here or die "could not change folder: $!";
ok($done, 'pg_upgrade') or diag($out, $err);

$new->start;
is($new->safe_psql('postgres', $stored), $before, 'every envelope is the same');
is(error_of($new, 'lab_app', 'SELECT seal.reveal(nir) FROM patient'), $gone . '"' . root_key_file($new) . '"', 'after: a reveal still fails');
is(error_of($new, 'postgres', 'VACUUM FULL ANALYZE'), '', 'after: maintenance works');

move(root_key_file($new) . '.away', root_key_file($new)) or die "could not move the root key: $!";
is($new->safe_psql('postgres', q{SELECT DISTINCT state FROM seal.grants}), 'valid', 'grants are bound: roles keep their OIDs');
is(as_role($new, 'lab_app', $open), '1|one|1984-12-03', 'finds and opens');
is(as_role($new, 'lab_app', 'SELECT * FROM found'), '1', 'the view finds');
is(as_role($new, 'lab_app', q{INSERT INTO patient_revealed (id, nir) VALUES (3, 'view') RETURNING nir, born}), 'view|1984-12-03', 'the revealing view takes a row');
is(as_role($new, 'lab_app', q{SELECT tableoid::regclass FROM listed WHERE nir = 'one'}), 'listed_one', 'so does the partition');
is(error_of($new, 'lab_app', q{INSERT INTO visit VALUES ('three')}), '23503: insert or update on table "visit" violates foreign key constraint "visit_nir_fkey"',
	'the foreign key holds');
is(error_of($new, 'postgres', q{SELECT seal.create_key('gone')}), '42710: key "gone" was dropped, its name cannot be used again', 'tombstones came along');
is(error_of($new, 'postgres', q{SELECT seal.rotate_key('note')}), '', 'the ring is in use');

# The log came along, with its tree and its names.
is($new->safe_psql('postgres', $leaves), $old_leaves, 'the log came along');
is($new->safe_psql('postgres', 'SELECT intact FROM seal.verify_audit()'), 't', 'and verifies before anything is added');
like($new->safe_psql('postgres', q{SELECT seal.ingest_segments('} . $old->data_dir . q{/pg_seal')}), qr/^[1-9]/, 'the old segments are fed');
is($new->safe_psql('postgres', q{SELECT seal.ingest_segments('} . $old->data_dir . q{/pg_seal')}), '0', 'once');
is($new->safe_psql('postgres', $taken), 'before2 unread3', 'nothing is lost or doubled');
$new->safe_psql('postgres', 'SELECT seal.checkpoint()');
is($new->safe_psql('postgres', "SELECT intact, problem FROM seal.verify_audit('$note')"), 't|', 'the log verifies with a checkpoint of the old cluster');
is($new->safe_psql('postgres', q{SELECT count(*) FROM seal.audit_entry WHERE what = 'new_origin' AND detail = '} . (split /\n/, $note)[0] . q{ ' || entry}), '1',
	'and has a new name, with an entry that names the old one');

$new->stop;
done_testing();
