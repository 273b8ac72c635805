# at_rest.pl: no value of a sealed column in anything that the server writes.
#
# Not a pg_regress test: it reads every file of the data directory, of dumps and of a
# base backup.  Two tables are filled alike, one sealed, one plain; each search looks
# for the values of both, must find every plain one and no sealed one.
use strict;
use warnings;
use File::Find qw(find);
use IPC::Run;
use PostgreSQL::Test::Utils qw(append_to_file slurp_file);
use Test::More;
use Pgseal;

# Compression would hide a plain value from the search, and a leaked one.
my $node = new_node('at_rest', allows_streaming => 'logical', conf => "wal_compression = off\n");
my $folder = $node->basedir . '/files';
mkdir $folder or die "could not make $folder: $!";

# Values ----------------------------------------------------------------------------------------

my @ways  = ('literal', 'extended', 'prepared', 'text', 'csv', 'binary', 'update', 'conflict', 'plpgsql', 'select',
	'view', 'view_prepared', 'view_update');
my @kinds = ('sealed', 'plain');

# Values of a boolean or a date are too short to be searched for; they go the way of the others.
my %value = (
	sealed => {
		bytea => '\x' . unpack('H*', 'canary-sealed-bytea'), int => 6819231234567890123, float8 => 12345678901234.75, numeric => '48151623421087',
		timestamptz => '2184-12-03 13:17:19.654321+00', uuid => '5ea1ed00-c0de-4bad-8bad-c0ffee123456', jsonb => '{"canary-sealed-jsonb": true}',
		date => '2184-12-03', bool => 'true' },
	plain => {
		bytea => '\x' . unpack('H*', 'canary-plain-bytea'), int => 6819231234567890777, float8 => 76543210987654.25, numeric => '98317264509123',
		timestamptz => '2187-11-23 17:19:23.123457+00', uuid => '9e7b1a00-f00d-4bad-8bad-beefed654321', jsonb => '{"canary-plain-jsonb": true}',
		date => '2187-11-23', bool => 'true' });
my @types = sort keys %{ $value{sealed} };
my %plain_type = (int => 'bigint');

# The binary form of a value, as the plain type sends it and, turned round, stores it.
sub binary_form
{
	my ($type, $text) = @_;
	return pack('H*', substr($text, 2)) if $type eq 'bytea';
	return pack('H*', $text =~ s/-//gr) if $type eq 'uuid';
	return pack('q>', $text) if $type eq 'int';
	return pack('d>', $text) if $type eq 'float8';
	return pack('n*', map { scalar reverse $_ } reverse((scalar reverse $text) =~ /\d{1,4}/g)) if $type eq 'numeric';
	return pack('q>', $node->safe_psql('postgres',
			"SELECT (extract(epoch FROM timestamptz '$text' - timestamptz '2000-01-01 00:00:00+00') * 1000000)::bigint")) if $type eq 'timestamptz';
	return $text =~ s/^\{"|":.*//gr if $type eq 'jsonb';
	return;
}

# patterns KIND: what to look for: name => byte strings, of which one will do.
my %patterns_of;
sub patterns
{
	my ($kind) = @_;
	return $patterns_of{$kind} if $patterns_of{$kind};

	my %patterns = map { ("text by $_" => ["canary-$kind-$_-text"]) } @ways;
	foreach my $type (grep { !/^(bool|date)$/ } @types)
	{
		my $text = $value{$kind}{$type};
		my $binary = binary_form($type, $text);
		my $stored = $type eq 'numeric' ? pack('v*', unpack('n*', $binary)) : reverse $binary;
		$patterns{$type} = [ $text =~ s/^\\x//r =~ s/\+00$//r, $binary, $type =~ /bytea|uuid|jsonb/ ? () : $stored ];
	}
	# two of the many in each: the end of a page of the write-ahead log may lie within one
	$patterns{'8 kB and more'} = [ "large-$kind-kB-0000100", "large-$kind-kB-0000400" ];
	$patterns{'1 MB and more'} = [ "large-$kind-MB-0070000", "large-$kind-MB-0060000" ];
	return $patterns_of{$kind} = \%patterns;
}

sub large
{
	my ($kind, $unit, $count) = @_;
	return join ';', map { sprintf 'large-%s-%s-%07d', $kind, $unit, $_ } 1 .. $count;
}

# search_ok NAME, READER, LEFT_OUT...: READER calls back with every piece of the place.  All plain values
# but those that LEFT_OUT matches must be there, and no sealed one.
sub search_ok
{
	my ($name, $reader, @left_out) = @_;
	my %found = (sealed => {}, plain => {});

	$reader->(sub {
		my ($bytes, $where) = @_;
		foreach my $kind (@kinds)
		{
			my $patterns = patterns($kind);
			foreach my $what (keys %$patterns)
			{
				next if $found{$kind}{$what};
				$found{$kind}{$what} = $where if grep { index($bytes, $_) >= 0 } @{ $patterns->{$what} };
			}
		}
	});
	my @missing = grep { my $what = $_; !$found{plain}{$what} && !grep { $what =~ $_ } @left_out } sort keys %{ patterns('plain') };
	is(join(', ', @missing), '', "$name: the plain values are found");
	is(join(', ', map { "$_ in $found{sealed}{$_}" } sort keys %{ $found{sealed} }), '', "$name: no sealed value is");
	return;
}

# files FOLDER...: a reader of all files below.
sub files
{
	my (@folders) = @_;
	return sub {
		my ($see) = @_;
		find({ no_chdir => 1, wanted => sub { $see->(slurp_file($_), $_) if -f $_ } }, @folders);
	};
}

sub text
{
	my ($text) = @_;
	return sub { $_[0]->($text, 'it') };
}

# Tables ----------------------------------------------------------------------------------------

my $list = 'way, v_text, ' . join ', ', map { "v_$_" } @types;

$node->safe_psql('postgres', <<'END');
CREATE ROLE lab_app LOGIN;
CREATE EXTENSION pgseal;
SELECT seal.create_key('secret', searchable => true);
SELECT seal.grant_key('secret', 'lab_app', '{seal,search,reveal}');
END
foreach my $kind (@kinds)
{
	my $type = sub { $kind eq 'sealed' ? "sealed_$_[0](secret)" : $plain_type{ $_[0] } // $_[0] };
	my $external = $kind eq 'sealed' ? '' : 'ALTER TABLE in_plain ALTER large SET STORAGE external;';

	$node->safe_psql('postgres', "CREATE TABLE in_$kind (way text PRIMARY KEY, v_text @{[ $type->('text') ]}, "
		. join(', ', map { "v_$_ " . $type->($_) } @types) . ", large @{[ $type->('text') ]}); $external"
		. "ALTER TABLE in_$kind REPLICA IDENTITY FULL; GRANT ALL ON in_$kind TO lab_app");
	$node->safe_psql('postgres', $kind eq 'sealed' ? q{SELECT seal.create_revealing_view('in_sealed', 'through_sealed')} :
		'CREATE VIEW through_plain WITH (security_invoker) AS SELECT * FROM in_plain');
	$node->safe_psql('postgres', "GRANT ALL ON through_$kind TO lab_app");
	$node->safe_psql('postgres', join ';', map { "CREATE INDEX in_${kind}_$_ ON in_$kind (v_$_); CREATE INDEX ON in_$kind USING hash (v_$_)" } 'text', @types);
}
$node->safe_psql('postgres', q{SELECT pg_create_logical_replication_slot('decoded', 'test_decoding')});

# Ways in ---------------------------------------------------------------------------------------

sub run_app
{
	my ($sql) = @_;
	return as_role($node, 'lab_app', $sql);
}

# run_program INPUT, COMMAND...: a client program; what it prints.
sub run_program
{
	my ($input, @command) = @_;
	my ($out, $err) = ('', '');
	my @at = ('--host', $node->host, '--port', $node->port);
	IPC::Run::run [ @command, @at ], '<', \$input, '>', \$out, '2>', \$err or die "$command[0] failed: $err";
	return $out;
}

foreach my $kind (@kinds)
{
	my @plain  = map { $value{$kind}{$_} } @types;
	my %row    = map { ($_ => [ $_, "canary-$kind-$_-text", @plain ]) } @ways;
	my $quoted = sub { join ', ', map { "'$_'" } @{ $row{ $_[0] } } };
	my @set    = split /, /, $list;
	my $assign = sub { join ', ', map { "$set[$_] = '$row{$_[0]}[$_]'" } 1 .. $#set };

	run_app("INSERT INTO in_$kind ($list) VALUES (@{[ $quoted->('literal') ]})");
	foreach (['extended', 'extended', 'in'], ['prepared', 'prepared', 'in'], ['view_prepared', 'prepared', 'through'])
	{
		my ($way, $protocol, $into) = @$_;
		append_to_file("$folder/$kind.$way.sql", "INSERT INTO ${into}_$kind ($list) VALUES (" . join(', ', map { ":p_$_" } @set) . ");\n");
		run_program('', 'pgbench', '--no-vacuum', "--protocol=$protocol", '--transactions=1', '--username=lab_app', "--file=$folder/$kind.$way.sql",
			(map { "--define=p_$set[$_]=$row{$way}[$_]" } 0 .. $#set), 'postgres');
	}
	run_app("COPY in_$kind ($list) FROM STDIN;\n" . join("\t", map { s/\\/\\\\/r } @{ $row{text} }) . "\n\\.\n");
	run_app("COPY in_$kind ($list) FROM STDIN (FORMAT csv);\n" . join(',', map { '"' . s/"/""/gr . '"' } @{ $row{csv} }) . "\n\\.\n");

	# A binary COPY as a client writes it: signature, one row of length and bytes each, the end.
	my %binary = map { ("v_$_" => binary_form($_, $value{$kind}{$_})) } 'bytea', 'int', 'float8', 'timestamptz', 'uuid';
	my @sent = ('way', 'v_text', sort keys %binary);
	@binary{ 'way', 'v_text' } = @{ $row{binary} };
	append_to_file("$folder/$kind.copy", "PGCOPY\n\377\r\n\0" . pack('NN', 0, 0) . pack('n', scalar @sent)
		. join('', map { pack('N/a', $binary{$_}) } @sent) . pack('n', 0xFFFF));
	run_program("\\copy in_$kind (@{[ join ', ', @sent ]}) FROM '$folder/$kind.copy' (FORMAT binary)\n", 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '--username=lab_app', 'postgres');

	run_app("INSERT INTO in_$kind (way) VALUES ('update'); UPDATE in_$kind SET @{[ $assign->('update') ]} WHERE way = 'update'");
	run_app("INSERT INTO in_$kind (way) VALUES ('conflict'); INSERT INTO in_$kind ($list) VALUES (@{[ $quoted->('conflict') ]}) ON CONFLICT (way) DO UPDATE SET "
		. join ', ', map { "$_ = excluded.$_" } @set[ 1 .. $#set ]);
	run_app("DO \$\$ DECLARE t text := '$row{plpgsql}[1]'; BEGIN INSERT INTO in_$kind ($list) VALUES ('plpgsql', t, "
		. join(', ', map { "'$_'" } @plain) . '); END $$');
	run_app("INSERT INTO in_$kind ($list) SELECT 'select', '$row{select}[1]'::text, "
		. join ', ', map { "'$value{$kind}{$_}'::" . ($plain_type{$_} // $_) } @types);
	run_app("INSERT INTO through_$kind ($list) VALUES (@{[ $quoted->('view') ]})");
	run_app("INSERT INTO through_$kind (way) VALUES ('view_update'); UPDATE through_$kind SET @{[ $assign->('view_update') ]} WHERE way = 'view_update'");
	run_app("UPDATE in_$kind SET large = '" . large($kind, 'kB', 500) . "' WHERE way = 'literal'");
	run_app("INSERT INTO in_$kind (way, large) VALUES ('MB', '" . large($kind, 'MB', 80_000) . "')");
	unlink glob "$folder/$kind.*";
}
is(run_app(q{SELECT string_agg(way, ',' ORDER BY way) FROM in_sealed WHERE v_text = 'canary-sealed-' || way || '-text' AND seal.reveal(v_text) <> ''}),
	join(',', sort @ways), 'all values are there, and found');
is(run_app('SELECT DISTINCT v_int::text, v_uuid::text FROM in_sealed WHERE v_int IS NOT NULL'), "$value{sealed}{int}|$value{sealed}{uuid}", 'and open');

# Where to look ---------------------------------------------------------------------------------

$node->safe_psql('postgres', 'ANALYZE; CHECKPOINT');
search_ok('data directory', files($node->data_dir));
search_ok('write-ahead log', files($node->data_dir . '/pg_wal'));

# Those of the hash indexes hold no values in either table; large values are in none.
my @btrees = split /\n/, $node->safe_psql('postgres', q{SELECT pg_relation_filepath(i.oid) FROM pg_class i JOIN pg_index x ON x.indexrelid = i.oid
	WHERE x.indrelid IN ('in_sealed'::regclass, 'in_plain'::regclass) AND i.relam = (SELECT oid FROM pg_am WHERE amname = 'btree')});
search_ok('indexes', files(map { $node->data_dir . "/$_" } @btrees), qr/^\d/);

is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_statistic WHERE starelid = 'in_sealed'::regclass AND stawidth > 0}), 12, 'there are statistics');
search_ok('pg_statistic', text($node->safe_psql('postgres', q{SELECT s, stavalues1, stavalues2, stavalues3 FROM pg_statistic s
	WHERE starelid IN ('in_sealed'::regclass, 'in_plain'::regclass)})), qr/^\d|^text by/);
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stats WHERE tablename = 'in_sealed' AND attname <> 'way'
	AND (most_common_vals IS NOT NULL OR histogram_bounds IS NOT NULL)}), 0, 'and no values among those of sealed columns');

run_program('', 'pg_dump', '--format=plain', "--file=$folder/plain", 'postgres');
run_program('', 'pg_dump', '--format=plain', '--inserts', "--file=$folder/inserts", 'postgres');
run_program('', 'pg_dump', '--format=custom', '--compress=0', "--file=$folder/custom", 'postgres');
run_program('', 'pg_dump', '--format=directory', '--compress=0', "--file=$folder/directory", 'postgres');
search_ok("pg_dump $_", files("$folder/$_")) foreach 'plain', 'inserts', 'custom', 'directory';

run_program('', 'pg_basebackup', '--format=tar', '--checkpoint=fast', "--pgdata=$folder/base");
search_ok('pg_basebackup', files("$folder/base"));

search_ok('logical decoding', text($node->safe_psql('postgres', q{SELECT data FROM pg_logical_slot_get_changes('decoded', NULL, NULL)})));

foreach my $format ('text', 'csv', 'binary')
{
	run_app("COPY in_$_ TO STDOUT (FORMAT $format) \\g $folder/$_.$format") foreach @kinds;
	search_ok("COPY as $format", files(map { "$folder/$_.$format" } @kinds));
}

# Definitions: a default and a view keep the literals that are written in them, a sealed one sealed.
# A node tree spells bytes as decimal numbers.
foreach my $kind (@kinds)
{
	$node->safe_psql('postgres', "ALTER TABLE in_$kind ALTER v_text SET DEFAULT 'canary-$kind-literal-text';
		CREATE VIEW view_$kind AS SELECT way FROM in_$kind WHERE v_text = 'canary-$kind-literal-text';
		GRANT SELECT ON view_$kind TO lab_app");
}
my $trees = $node->safe_psql('postgres', q{SELECT adbin, pg_get_expr(adbin, adrelid) FROM pg_attrdef; SELECT ev_action, pg_get_viewdef(ev_class) FROM pg_rewrite
	WHERE ev_class::regclass::text LIKE 'view_%'});
my %decimal = map { my $kind = $_; ($kind => join ' ', map { ord } split //, "canary-$kind-literal-text") } @kinds;
like($trees, qr/\b$decimal{plain}\b/, 'catalogs: the plain literals are found, in their decimal form');
like($trees, qr/canary-plain-literal-text/, 'and as text');
unlike($trees, qr/\b$decimal{sealed}\b|canary-sealed/, 'catalogs: no sealed one is');
is(run_app('SELECT way FROM view_sealed'), 'literal', 'while the view finds its row');

$node->stop;
search_ok('data directory of a server that was stopped', files($node->data_dir));
unlike(slurp_file($node->logfile), qr/canary-sealed|$value{sealed}{int}|$value{sealed}{uuid}/, 'no sealed value in the server log');
done_testing();
