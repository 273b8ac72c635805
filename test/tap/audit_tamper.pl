# audit_tamper.pl: whoever changes a table of the log is found, column by column.
#
# Not a pg_regress test: it puts back an old copy of the data directory.  The columns come
# from the catalog: one that is new is asked about too.
use strict;
use warnings;
use Pgseal;
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;

my $node = new_node('audit_tamper', conf => "seal.ingest_interval = '1h'\nseal.checkpoint_interval = 0\n");

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub records { return sql("SELECT count(seal.audit_reading('audit_log')) FROM generate_series(1, $_[0])"); }

sql(<<'SQL');
CREATE EXTENSION pgseal;
CREATE ROLE lab_app LOGIN;
SELECT seal.create_key('note');
SELECT seal.grant_key('note', 'lab_app', '{seal,reveal}');
CREATE TABLE patient (id int PRIMARY KEY, ward text, note sealed_text(note));
SELECT seal.watch('patient');
GRANT ALL ON patient TO lab_app;
SQL
records(300);
as_role($node, 'lab_app', q{INSERT INTO patient VALUES (1, 'north', 'asthma'); UPDATE patient SET ward = 'south', note = 'angina'; SELECT seal.reveal(note) FROM patient});
sql('SELECT seal.checkpoint()');
records(400);
my $note = sql('SELECT seal.checkpoint()');
my $size = sql('SELECT size FROM seal.audit_state');
is(sql("SELECT intact, entries FROM seal.verify_audit('$note')"), "t|$size", 'untouched, it verifies');

# Changes, each tried in a transaction that is taken back -------------------------------------------

my (@changes, @expected);

# change NAME, SQL, FIRST_BAD [, CHECKPOINT]
sub change
{
	my ($name, $sql, $first_bad, $checkpoint) = @_;
	$checkpoint = defined $checkpoint ? "'$checkpoint'" : 'NULL';
	push @changes, <<"END";
BEGIN;
SET LOCAL session_replication_role = replica;
ALTER TABLE seal.audit_entry DISABLE TRIGGER ALL;
ALTER TABLE seal.audit_node DISABLE TRIGGER ALL;
ALTER TABLE seal.audit_state DISABLE TRIGGER ALL;
$sql;
SELECT intact, first_bad, problem IS NOT NULL FROM seal.verify_audit($checkpoint);
ROLLBACK;
END
	push @expected, [ $name, $first_bad ];
	return;
}

sub judge
{
	my ($title) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "\\set ON_ERROR_STOP 1\n" . join '', @changes);
	my @got = split /\n/, $out;
	my @wrong = map { ($got[$_] // 'nothing') eq "f|$expected[$_][1]|t" ? () : "$expected[$_][0]: " . ($got[$_] // 'nothing') . ", not f|$expected[$_][1]|t" } 0 .. $#expected;
	is($err, '', "$title: nothing fails");
	is(join("\n", @wrong[ 0 .. ($#wrong > 19 ? 19 : $#wrong) ]), '', "$title: " . @expected . ' changes');
	@changes = @expected = ();
	return;
}

# step COLUMN, TYPE: the smallest change of a value, and what stands in the place of none.
sub step
{
	my ($column, $type) = @_;
	my %step = (
		'text'     => [ "overlay($column placing chr(ascii($column) # 1) from 1 for 1)", "''" ],
		'text[]'   => [ "array_append($column, '')", "'{}'" ],
		'bigint[]' => [ "array_append($column, 0)", "'{}'" ],
		'jsonb'    => [ "jsonb_set($column, ARRAY[(SELECT min(k) FROM jsonb_object_keys($column) k)], '0')", "'null'" ],
		'bytea'    => [ "set_bit($column, 8 * length($column) - 8, 1 - get_bit($column, 8 * length($column) - 8))", q{'\x00'} ],
		'uuid'     => [ "overlay($column\::text placing CASE left($column\::text, 1) WHEN '0' THEN '1' ELSE '0' END from 1 for 1)::uuid", "'00000000-0000-0000-0000-000000000000'" ],
		'xid8'     => [ "(($column\::text)::numeric + 1)::text::xid8", "'0'" ],
		'boolean'  => [ "NOT $column", 'false' ],
		'timestamp with time zone' => [ "$column + interval '1 microsecond'", "'epoch'" ],
		map { ($_ => [ "$column + 1", '0' ]) } qw(smallint integer bigint));
	return $step{$type} // die "a step of type $type";
}

# columns TABLE: name, type, whether it may be null.
sub columns
{
	my ($table) = @_;
	return map { [ split /\|/ ] } split /\n/,
	  sql("SELECT attname, atttypid::regtype, NOT attnotnull FROM pg_attribute WHERE attrelid = 'seal.$table'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum");
}

# The entries of a write, of a read, and of one in the second block of the tree.
my @rows = (
	sql(q{SELECT entry FROM seal.audit_entry WHERE action = 'update'}),
	sql(q{SELECT entry FROM seal.audit_entry WHERE action = 'close' AND login_role = 'lab_app'}),
	sql(q{SELECT entry FROM seal.audit_entry WHERE action = 'open' AND login_role = 'lab_app'}), 600);
foreach my $row (@rows)
{
	foreach my $column (columns('audit_entry'))
	{
		my ($name, $type, $nullable) = @$column;
		my ($next, $new) = @{ step($name, $type) };
		my $here = "seal.audit_entry SET $name";
		next if $name eq 'entry';
		$next = 'serial + 1000000' if $name eq 'serial';	# a number that nobody has
		my $is_null = sql("SELECT $name IS NULL FROM seal.audit_entry WHERE entry = $row") eq 't';
		change("entry $row: $name " . ($is_null ? 'made up' : 'one step on'), "UPDATE $here = " . ($is_null ? $new : $next) . " WHERE entry = $row", $row);
		change("entry $row: $name emptied", "UPDATE $here = NULL WHERE entry = $row", $row) if !$is_null && $nullable eq 't';
	}
	change("entry $row: its number", "UPDATE seal.audit_entry SET entry = 1000000 WHERE entry = $row", $row);
	change("entry $row: an empty text for none", "UPDATE seal.audit_entry SET actor = '', purpose = NULL WHERE entry = $row", $row);
	change("entry $row: actor and purpose exchanged", "UPDATE seal.audit_entry SET actor = login_role, login_role = session_role, session_role = NULL WHERE entry = $row", $row);
	change("entry $row: deleted", "DELETE FROM seal.audit_entry WHERE entry = $row", $row);
	change("entry $row: exchanged with the next", "UPDATE seal.audit_entry SET entry = -1 WHERE entry = $row; UPDATE seal.audit_entry SET entry = $row WHERE entry = $row + 1;
		UPDATE seal.audit_entry SET entry = $row + 1 WHERE entry = -1", $row);
	change("entry $row: one put before it", "UPDATE seal.audit_entry SET entry = -entry WHERE entry >= $row; UPDATE seal.audit_entry SET entry = 1 - entry WHERE entry < 0;
		INSERT INTO seal.audit_entry SELECT (jsonb_populate_record(e, '{\"entry\": $row, \"start\": null, \"serial\": null}')).* FROM seal.audit_entry e WHERE entry = 5;
		UPDATE seal.audit_state SET size = size + 1", $row);
	change("entry $row: its leaf", "UPDATE seal.audit_entry SET leaf = set_bit(leaf, $_, 1 - get_bit(leaf, $_)) WHERE entry = $row", $row) foreach 0, 100, 255;
}
judge('an entry');

change("node $_->[0], $_->[1]: $_->[2]", "UPDATE seal.audit_node SET $_->[2] = $_->[3] WHERE level = $_->[0] AND index = $_->[1]", $_->[1] << $_->[0])
  foreach map { my $node = $_; map { [ @$node, $_->[0], step($_->[0], $_->[1])->[0] =~ s/^(\w+) \+ 1$/$1 + 40/r ] } columns('audit_node') } ([ 8, 0 ], [ 8, 1 ], [ 9, 0 ]);
change("bit $_ of a node", "UPDATE seal.audit_node SET hash = set_bit(hash, $_, 1 - get_bit(hash, $_)) WHERE level = 8 AND index = 1", 256) foreach 0 .. 255;
judge('a node');

# What the state says of times, and of a delivery that was, is for people and for the worker; no entry depends on it.
my %for_people = map { $_ => 1 } qw(ingested_at checkpoint_at delivered_at);
foreach my $column (columns('audit_state'))
{
	my ($name, $type) = @$column;
	next if $for_people{$name} || $name eq 'singleton';
	change("state: $name", "UPDATE seal.audit_state SET $name = " . step($name, $type)->[0], $name eq 'size' ? $size : '');
}
change('state: gone', 'DELETE FROM seal.audit_state', 0);
change('state: put back by one', 'UPDATE seal.audit_state SET size = size - 1', $size - 1);
my $signed = sql('SELECT length(checkpoint) FROM seal.audit_state');
change("state: character $_ of the checkpoint", "UPDATE seal.audit_state SET checkpoint = overlay(checkpoint placing CASE substr(checkpoint, $_, 1) WHEN 'A' THEN 'B' ELSE 'A' END from $_ for 1)", '')
  foreach grep { sql("SELECT substr(checkpoint, $_, 1) FROM seal.audit_state") ne 'A' } 1 .. $signed;
change('state: no checkpoint', 'UPDATE seal.audit_state SET checkpoint = NULL', '');
judge('the state');

# Another key, another log -------------------------------------------------------------------------

my $forger = new_node('audit_forger', root => '7' x 64 . "\n", conf => "seal.ingest_interval = '1h'\nseal.checkpoint_interval = 0\n");
$forger->safe_psql('postgres', "CREATE EXTENSION pgseal; SELECT seal.create_key('note'); SELECT count(seal.audit_reading('audit_log')) FROM generate_series(1, 800)");
my $forged = $forger->safe_psql('postgres', 'SELECT seal.checkpoint()');
is($forger->safe_psql('postgres', "SELECT intact, first_bad, problem FROM seal.verify_audit('$note')"), 'f||the given checkpoint is not signed by this log', 'a log made anew under another root does not meet the checkpoint that was kept');
my ($ours, $theirs) = map { /^(.*)\n/ } $note, $forged;
change('a checkpoint of another log', 'SELECT', '', $forged);
change('the last checkpoint is of another log', "UPDATE seal.audit_state SET checkpoint = '$forged'", '');
change('signed by another key under the name of this log', "UPDATE seal.audit_state SET checkpoint = '" . ($forged =~ s/\Q$theirs\E/$ours/gr) . "'", '');
judge('a forgery');
$forger->stop;

# An old copy put back -----------------------------------------------------------------------------

$node->stop;
my $old = $node->basedir . '/old';
system('cp', '-a', $node->data_dir, $old) == 0 or die;
$node->start;
records(50);
my $later = sql('SELECT seal.checkpoint()');
$node->stop;
system('rm', '-rf', $node->data_dir) == 0 && rename($old, $node->data_dir) or die;
$node->start;
is(sql("SELECT intact FROM seal.verify_audit('$note')"), 't', 'an old copy verifies by itself');
is(sql("SELECT intact, first_bad FROM seal.verify_audit('$later')"), "f|$size", 'and is found by a later checkpoint');
records(100);
sql('SELECT seal.checkpoint()');
is(sql("SELECT intact FROM seal.verify_audit('$later')"), 'f', 'also when it went on differently');
$node->stop;
done_testing();
