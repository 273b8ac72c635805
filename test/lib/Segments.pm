# Segments.pm: reads audit segments from outside, as doc/storage_format.md describes them.
#
# A second implementation on purpose: it shares nothing with src/audit.
package Segments;

use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Utils qw(slurp_file);

our @EXPORT = qw(segment_files segment_records segment_frames dressed dressed_head records start_of short);

my @actions = qw(none insert update delete truncate open progress close refuse search export key grant
  protect admit break_glass limit erase purge setting admin);
my @texts = (2, 4 .. 10, 13 .. 17);
my @names = qw(none action outcome at login_role session_role role actor purpose address application xid
  statement relation row_key key what detail subject values_opened subjects_opened rows_returned repeated digest);
my %is_text = map { $_ => 1 } @texts;

# Whoever makes a record only to have the others written.
my $settler = 'settler';

my @crc_table = map {
	my $crc = $_;
	$crc = $crc & 1 ? ($crc >> 1) ^ 0x82F63B78 : $crc >> 1 foreach 1 .. 8;
	$crc
} 0 .. 255;

# crc32c BYTES: Castagnoli's, reflected.
sub crc32c
{
	my $crc = 0xFFFFFFFF;
	$crc = $crc_table[ ($crc ^ $_) & 0xFF ] ^ ($crc >> 8) foreach unpack 'C*', $_[0];
	return $crc ^ 0xFFFFFFFF;
}

# segment_files NODE: paths of all segments, in the order of their names; one that is being made is none.
sub segment_files
{
	my ($node, $folder) = @_;
	$folder //= $node->data_dir . '/pg_seal';
	return grep { !/\.new$/ } sort glob "$folder/*/*";
}

# body FIELDS: a record's fields; dies on what the format does not allow.
sub body
{
	my ($bytes) = @_;
	my ($version, @rest) = unpack 'C (C n/a)*', $bytes;
	my %record;
	my $last = 0;

	die "version $version" if $version != 1;
	while (my ($tag, $value) = splice @rest, 0, 2)
	{
		die "tag $tag after $last" if $tag <= $last || $tag > $#names;
		$last = $tag;
		$record{ $names[$tag] } =
		    $tag == 1  ? $actions[ unpack 'C', $value ]
		  : $tag == 23 ? unpack('H*', $value)
		  : $is_text{$tag} ? $value
		  :              unpack('q>', $value);
	}
	return \%record;
}

# segment_records PATH: the records of one segment; dies when its head is none.
sub segment_records
{
	my ($path) = @_;
	my $bytes = slurp_file($path);
	my @records;
	my $at = 64;

	die "$path: no head" if length $bytes < 64 || substr($bytes, 0, 8) ne 'pgsealA1' || unpack('N', substr $bytes, 60) != crc32c(substr $bytes, 0, 60);
	my $name = sprintf '%s.%08x', unpack('H32 N', substr $bytes, 12);
	die "$path: is $name" if $path !~ /\/\Q$name\E$/;
	while ($at + 36 <= length $bytes)
	{
		my ($len, $crc, $serial, $key_version, $zero, $mac) = unpack 'N N Q> n n H32', substr $bytes, $at;
		last if $len == 0 || $at + 36 + $len > length $bytes;
		last if $crc != crc32c(substr($bytes, $at, 4) . substr($bytes, $at + 8, 28 + $len));
		push @records, { %{ body(substr $bytes, $at + 36, $len) }, serial => $serial, key_version => $key_version, mac => $mac, path => $path };
		$at += 36 + $len;
	}
	return @records;
}

# segment_frames BYTES: where the records of a segment stand, [begin, length] each.
sub segment_frames
{
	my ($bytes) = @_;
	my @frames;
	my $at = 64;

	while ($at + 36 <= length $bytes)
	{
		my $len = 36 + unpack 'N', substr $bytes, $at, 4;
		last if $len == 36 || $at + $len > length $bytes;
		push @frames, [ $at, $len ];
		$at += $len;
	}
	return @frames;
}

# dressed FRAME: a record's bytes with the checksum that fits them, as who forges one would write it.
sub dressed
{
	my ($frame) = @_;
	return substr($frame, 0, 4) . pack('N', crc32c(substr($frame, 0, 4) . substr($frame, 8))) . substr($frame, 8);
}

# dressed_head HEAD: the same for the head of a segment.
sub dressed_head
{
	my ($head) = @_;
	return substr($head, 0, 60) . pack('N', crc32c(substr $head, 0, 60));
}

# start_of PATH: which start of a server wrote it.
sub start_of
{
	my ($path) = @_;
	return $path =~ /([0-9a-f]{32})\.[0-9a-f]{8}$/ ? $1 : die "$path: no segment";
}

# settle NODE: has its records written, those too that nobody waits for.  A record that is waited for takes them along.
sub settle
{
	my ($node) = @_;
	$node->psql('postgres', "SELECT seal.audit_reading('audit_log')", connstr => $node->connstr('postgres') . " application_name=$settler") if defined $node->{_pid};
	return;
}

# records NODE, FIELD => VALUE...: of all segments, as they were numbered, each serial number of a start once.
#	unsettled	1: as they stand on the disk now
sub records
{
	my ($node, %wanted) = @_;
	my $folder = delete $wanted{folder};
	settle($node) if !delete $wanted{unsettled};
	my %seen;
	my @all = grep { ($_->{application} // '') ne $settler && !$seen{ start_of($_->{path}) . $_->{serial} }++ } map { segment_records($_) } segment_files($node, $folder);
	return grep { my $record = $_; !grep { ($record->{$_} // '') ne $wanted{$_} } keys %wanted } @all;
}

# short RECORD...: action, outcome unless ok, values; for comparisons.
sub short
{
	return join ' ', map {
		$_->{action} . ($_->{outcome} ne 'ok' ? "!$_->{outcome}" : '') . (defined $_->{values_opened} ? "=$_->{values_opened}" : '')
	} @_;
}

1;
