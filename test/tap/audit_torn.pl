# audit_torn.pl: segments that are cut, damaged, forged, or no segments at all.
#
# Not a pg_regress test: it writes segment files.  Each case is a folder of its own that is
# fed in a transaction which is rolled back, so no case sees what another one left.
use strict;
use warnings;
use Fcntl qw(SEEK_SET);
use Pgseal;
use POSIX qw(mkfifo);
use PostgreSQL::Test::Utils qw(slurp_file);
use Segments;
use Test::More;

my $node = new_node('audit_torn', conf => "seal.ingest_interval = '1h'\nseal.checkpoint_interval = 0\nseal.audit_sync = off\n");
my $reading = q{SELECT count(seal.audit_reading('audit_log')) FROM generate_series};

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub write_file
{
	my ($path, $bytes) = @_;
	open my $file, '>:raw', $path or die "$path: $!";
	print $file $bytes;
	close $file or die "$path: $!";
	return $path;
}

$node->safe_psql('postgres', 'CREATE DATABASE other');
foreach my $database (qw(postgres other))
{
	$node->safe_psql($database, q{CREATE EXTENSION pgseal; SELECT seal.create_key('note'); SELECT seal.grant_key('note', 'postgres', '{seal,reveal}')});
}
my %oid = map { split /\|/ } split /\n/, sql('SELECT datname, oid FROM pg_database');
my $live = $node->data_dir . "/pg_seal/$oid{postgres}";

# segment DATABASE: path and bytes of the one segment that a stopped server left there; it is taken away.
sub segment
{
	my ($database) = @_;
	my @files = glob $node->data_dir . "/pg_seal/$oid{$database}/*.*";
	@files == 1 or die "$database: @files";
	my $bytes = slurp_file($files[0]);
	unlink $files[0];
	return ($files[0] =~ s{.*/}{}r, $bytes);
}

# Two starts of the server, two databases: 21 records each and some more.
sql('SELECT seal.checkpoint()');
$node->restart;
sql('SELECT seal.checkpoint()');
unlink glob $node->data_dir . "/pg_seal/*/*.*";
$node->restart;
$node->safe_psql($_, 'SELECT seal.checkpoint()') foreach qw(postgres other);	# what a start tells stands in front
sql("$reading(1, 19); SELECT seal.reveal(seal.seal('asthma'::text, 'note'))");
$node->safe_psql('other', "$reading(1, 21)");
$node->stop;
my ($name, $sound) = segment('postgres');
my ($foreign_name, $foreign) = segment('other');
$node->start;
sql('SELECT seal.checkpoint()');
sql("$reading(1, 21)");
$node->stop;
my ($later_name, $later) = segment('postgres');
$node->start;

# What a server that starts tells of itself stands before them, and is in the log already.
my $count  = 21;
my @frames = (segment_frames($sound))[ -$count .. -1 ];
is($frames[-1][0] + $frames[-1][1], length $sound, 'which ends with its last record');

# Cases ----------------------------------------------------------------------------------------

my @cases;

# spoilt NAME, RECORDS, FINDINGS, BYTES [, FILE]: one file that is no sound segment; how many of the sound
# one's records the log takes from it, and what it has to say.
sub spoilt
{
	my ($case, $records, $findings, $bytes, $file) = @_;
	push @cases, { name => $case, records => $records, findings => $findings, files => { $file // $name => $bytes } };
	return;
}

# flipped BYTES, AT, BIT
sub flipped
{
	my ($bytes, $at, $bit) = @_;
	substr($bytes, $at, 1) ^= chr(1 << $bit);
	return $bytes;
}

# with_record NUMBER, FRAME: the sound segment with another record in the place of one.
sub with_record
{
	my ($number, $frame) = @_;
	my $bytes = $sound;
	substr($bytes, $frames[$number][0], $frames[$number][1]) = $frame;
	return $bytes;
}

sub record
{
	my ($number) = @_;
	return substr $sound, $frames[$number][0], $frames[$number][1];
}

# head_of BYTES [, DATABASE [, START [, NUMBER]]]: a segment's head that says so.
sub head_of
{
	my ($bytes, $database, $start, $number) = @_;
	substr($bytes, 8, 4) = pack 'N', $database if defined $database;
	substr($bytes, 12, 16) = pack 'H32', $start if defined $start;
	substr($bytes, 28, 4) = pack 'N', $number if defined $number;
	return dressed_head(substr $bytes, 0, 64);
}

# in_folder FOLDER, FILES
sub in_folder
{
	my ($folder, $files) = @_;
	mkdir $folder or die "$folder: $!";
	write_file("$folder/$_", $files->{$_}) foreach keys %$files;
	return $folder;
}

my $start = join '-', unpack 'A8 A4 A4 A4 A12', $name;
my $said  = q{coalesce(string_agg(what, ' ' ORDER BY entry) FILTER (WHERE outcome = 'XX001' OR what ~ '^un'), '')};
my $held  = "count(*) FILTER (WHERE start = '$start' AND serial BETWEEN " . join(' AND ', map { unpack 'Q>', substr $sound, $_->[0] + 8, 8 } @frames[ 0, -1 ]) . ')';
my $sound_folder = in_folder($node->basedir . '/sound', { $name => $sound });
my $size = sql('SELECT size FROM seal.audit_state');
my $round = 0;

# judge_cases TITLE: feeds the cases so far, each twice, then the sound segment: what an unsound copy
# said must not keep a record of the sound one out.
sub judge_cases
{
	my ($title) = @_;
	my ($script, $tried, @wrong) = ('', scalar @cases);
	$round++;
	foreach my $i (0 .. $#cases)
	{
		my $folder = in_folder($node->basedir . "/case.$round.$i", $cases[$i]{files});
		$script .= <<"END";
BEGIN;
SELECT seal.ingest_segments('$folder') > -1 AS fed \\gset
SELECT $held || ' ' || $said AS first FROM seal.audit_entry WHERE entry >= $size \\gset
SELECT seal.ingest_segments('$folder') AS again \\gset
SELECT seal.ingest_segments('$sound_folder') > -1 AS fed \\gset
SELECT $held AS last, count(DISTINCT serial) AS serials FROM seal.audit_entry WHERE entry >= $size \\gset
SELECT intact FROM seal.verify_audit() \\gset
\\echo :first '|' :again '|' :last '|' :intact
ROLLBACK;
END
	}
	my ($status, $out, $err) = $node->psql('postgres', $script);
	is($err, '', "$title: nothing fails");
	my @got = split /\n/, $out;
	foreach my $i (0 .. $#cases)
	{
		my ($records, $findings) = @{ $cases[$i] }{qw(records findings)};
		my $got = $got[$i] // 'nothing';
		next if $got =~ /^$records $findings \| 0 \| $count \| t$/;
		push @wrong, "$cases[$i]{name}: $got, not $records $findings | 0 | $count | t";
	}
	is(join("\n", @wrong[ 0 .. ($#wrong > 9 ? 9 : $#wrong) ]), '', "$title: $tried cases");
	@cases = ();
	return;
}

# Cut and flipped --------------------------------------------------------------------------------

spoilt('sound', $count, '', $sound);
my ($last_at, $last_len) = @{ $frames[-1] };
foreach my $end ($last_at .. $last_at + $last_len - 1)
{
	# Zeros stand behind every last record: a tail of zeros is none.
	my $expected = substr($sound, $last_at, $end - $last_at) =~ /[^\0]/ ? 'torn_segment' : '';
	spoilt("cut at $end", $count - 1, $expected, substr $sound, 0, $end);
	spoilt("cut at $end, and zeros", $count - 1, $expected, substr($sound, 0, $end) . "\0" x 5000) if substr($sound, $end) =~ /[^\0]/;
}
judge_cases('a torn tail');

my $middle = int $count / 2;
my ($at, $len) = @{ $frames[$middle] };
foreach my $byte (0 .. $len - 1)
{
	spoilt("bit $_ of byte $byte", $middle, 'torn_segment', flipped($sound, $at + $byte, $_)) foreach $byte % 8;
}
spoilt('zeros in the middle', $middle, 'torn_segment', with_record($middle, "\0" x $len));
# Nothing counts the records of a segment: one that is taken out whole, or moved, before the log has it is not missed.
spoilt('a record taken out', $count - 1, '', substr($sound, 0, $at) . substr($sound, $at + $len));
spoilt('two records swapped', $count, '', substr($sound, 0, $at) . record($middle + 1) . record($middle) . substr($sound, $at + $len + $frames[ $middle + 1 ][1]));
spoilt('a length beyond the end', $middle, 'torn_segment', with_record($middle, pack('N', 8000) . substr record($middle), 4));
spoilt('a length of 4 GB', $middle, 'torn_segment', with_record($middle, pack('N', 0xFFFFFFFF) . substr record($middle), 4));
spoilt('garbage behind', $count, 'torn_segment', $sound . 'x' x 100);
judge_cases('a damaged record');

# Forged, with the checksum that fits ------------------------------------------------------------

foreach my $byte (grep { $_ < 4 || $_ > 7 } 0 .. $len - 1)
{
	my ($forged, $expected) = (dressed(flipped(record($middle), $byte, $byte % 8)), '(unreadable_record )?altered_record');
	$expected = 'torn_segment' if $byte < 4 || $byte == 18 || $byte == 19;
	spoilt("byte $byte forged", $expected eq 'torn_segment' ? $middle : $count - 1, $expected, with_record($middle, $forged));
}
sub with_field
{
	my ($frame, $offset, $bytes) = @_;
	substr($frame, $offset, length $bytes) = $bytes;
	return dressed($frame);
}
spoilt('the serial number of the one before', $count - 1, 'altered_record', with_record($middle, with_field(record($middle), 8, substr record($middle - 1), 8, 8)));
spoilt('another key version', $count - 1, 'altered_record', with_record($middle, with_field(record($middle), 16, pack 'n', 99)));
spoilt('no MAC', $count, 'unsigned_records', with_record($middle, with_field(record($middle), 16, "\0" x 20)));
spoilt('no MAC, for a value that was opened', $count - 1, 'altered_record', with_record($count - 2, with_field(record($count - 2), 16, "\0" x 20)));
spoilt('no MAC, for a value that was kept', $count - 1, 'altered_record', with_record($count - 2, with_field(with_field(record($count - 2), 16, "\0" x 20), 40, chr 10)));
spoilt('another one altered under its number', $count - 1, 'altered_record', $sound =~ s/(.{$at}).{$len}/$1 . with_field(record($middle - 1), 8, substr record($middle), 8, 8)/ser);
my ($later_at, $later_len) = @{ (segment_frames($later))[-9] };
my ($foreign_at, $foreign_len) = @{ (segment_frames($foreign))[-9] };
spoilt('a record of a later start', $count, 'altered_record', $sound . substr($later, $later_at, $later_len));
spoilt('a record of another database', $count, 'altered_record', $sound . substr($foreign, $foreign_at, $foreign_len));
judge_cases('a forged record');

# Heads and names --------------------------------------------------------------------------------

my $number = hex substr $name, -8;
my $next_name = sprintf '%s.%08x', substr($name, 0, 32), $number + 7;
spoilt("bit of byte $_ of the head", 0, 'unreadable_segment', flipped($sound, $_, $_ % 8)) foreach grep { $_ < 48 || $_ > 59 } 0 .. 63;
spoilt("cut at $_", 0, 'unreadable_segment', substr $sound, 0, $_) foreach 0, 1, 63;
spoilt('nothing but a head', 0, '', substr $sound, 0, 64);
spoilt('renamed', 0, 'unreadable_segment', $sound, $next_name);
spoilt('of another database', 0, 'unreadable_segment', $foreign, $foreign_name);
spoilt('of another database, with a head that fits', 0, '(altered_record ?)+', head_of($foreign, $oid{postgres}) . substr($foreign, 64), $foreign_name);
spoilt('of another start, with head and name that fit', 0, '(altered_record ?)+', head_of($later, undef, substr($name, 0, 32), $number + 7) . substr($later, 64), $next_name);
spoilt('the same once more, under another number', $count, '', head_of($sound, undef, undef, $number + 7) . substr($sound, 64), $next_name);
$cases[-1]{files}{$name} = $sound;
spoilt('beside one that cannot be read', $count, 'unreadable_segment', '', $next_name);
$cases[-1]{files}{$name} = $sound;
judge_cases('a head or a name');

# In the folder of a running server ---------------------------------------------------------------

# What has a segment's name and is none, in front of all others and behind them.
my @strange = map { sprintf '%s/%s.%08x', $live, $_ x 32, 1 } 0 .. 5;
mkfifo($strange[0], 0600) or die $!;
mkdir $strange[1] or die $!;
symlink $sound_folder . "/$name", $strange[2] or die $!;
symlink '/dev/zero', $strange[3] or die $!;
write_file($strange[4], '');
write_file($strange[5], $sound);
chmod 0, $strange[5] or die $!;
write_file("$live/$name", $sound);
truncate "$live/$name", 1 << 30 or die $!;
write_file("$live/$next_name", head_of($sound, undef, undef, $number + 7) . substr(flipped($sound, 70, 1), 64));
sql("$reading(1, 5)");

# Superusers of the operating system read a file of mode 000.
my $unreadable = $> == 0 ? 6 : 6;
my ($status, $out) = $node->psql('postgres', "SET statement_timeout = '60s'; SELECT length(seal.checkpoint()) > 0", timeout => 90);
is($out, 't', 'a pipe, a folder, links and unreadable files do not stop the log');
is(sql("SELECT $held FROM seal.audit_entry"), $count, 'a segment between them is taken in, though it is 1 GB');
is(sql(q{SELECT count(*) FROM seal.audit_entry WHERE start::text ~ '^(0{8}|1{8}|2{8}|3{8}|4{8}|5{8})-' AND what = 'unreadable_segment'}), $unreadable, 'each of the others is told');
is(sql(q{SELECT string_agg(detail, '; ' ORDER BY start) FROM seal.audit_entry WHERE start::text ~ '^[0-5]{8}-'}),
	'it is no regular file; it is no regular file; it is no regular file; it is no regular file; its head is damaged; Permission denied', 'with the reason');
is(sql("SELECT count(*) FROM seal.audit_entry WHERE what = 'torn_segment' AND start = '$start'"), '1', 'and the torn one');
cmp_ok(sql('SELECT unread_segments FROM seal.audit_status'), '>=', 6, 'the status counts them');
my $entries = sql('SELECT count(*) FROM seal.audit_entry');
sql('SELECT seal.checkpoint()');
is(sql(q{SELECT count(*) FROM seal.audit_entry WHERE what = 'unreadable_segment'}), '6', 'once');
chmod 0600, $strange[5];
unlink @strange[ 0, 2, 3, 4 ];
rmdir $strange[1];
sql("$reading(1, 3)");
sql('SELECT seal.checkpoint()');
ok(!-e "$live/$next_name" && !-e "$live/$name", 'what was told and is covered is removed');
is(sql("SELECT count(*) FROM seal.audit_entry WHERE what = 'audit_log' AND start::text !~ '^$start'"), '8', 'records of this server are all there');
is(sql('SELECT intact FROM seal.verify_audit()'), 't', 'the log verifies');

$node->stop;
done_testing();
