# Csv.pm: reads and writes CSV exactly as PostgreSQL's COPY does, so that a file and what the
# database gives back can be compared byte by byte.  An unquoted empty field is NULL (undef).
package Csv;
use strict;
use warnings;
use Exporter 'import';
our @EXPORT = qw(read_csv open_csv write_row);

# read_csv(PATH, CODE, SEPARATOR, NAMES...): calls CODE with a hash of each row, keyed by NAMES or
# else by the header.  The separator is a comma unless given; .gz files are unpacked on the way.
sub read_csv
{
	my ($path, $each_row, $separator, @names) = @_;
	$separator //= ',';

	open(my $in, '-|', $path =~ /\.gz$/ ? ('gzip', '-dc', $path) : ('cat', $path))
	  or die "could not read $path: $!\n";
	@names = map { $_ // '' } read_row($in, $separator) unless @names;
	while (my @fields = read_row($in, $separator))
	{
		die "$path: a row of " . @fields . " fields, expected " . @names . "\n"
		  if @fields != @names;
		my %row;
		@row{@names} = @fields;
		$each_row->(\%row);
	}
	close($in) or die "could not read $path\n";
}

# read_row: the fields of the next row, or nothing at the end; quoted fields may span lines.
sub read_row
{
	my ($in, $separator) = @_;

	my $line = <$in>;
	return unless defined $line;
	while (($line =~ tr/"//) % 2)
	{
		my $more = <$in>;
		die "a quoted field does not end\n" unless defined $more;
		$line .= $more;
	}
	$line =~ s/\r?\n\z//;

	my @fields;
	while ($line =~ /\G(?:"((?:[^"]|"")*)"|([^$separator]*))($separator|\z)/g)
	{
		my ($quoted, $bare, $end) = ($1, $2, $3);
		push @fields, defined $quoted ? $quoted =~ s/""/"/gr : $bare eq '' ? undef : $bare;
		last if $end eq '';
	}
	return @fields;
}

# open_csv(PATH, NAMES...): a new file, readable by its owner only, with its header.
sub open_csv
{
	my ($path, @names) = @_;
	umask 077;
	open(my $out, '>', $path) or die "could not write $path: $!\n";
	write_row($out, @names);
	return $out;
}

sub write_row
{
	my ($out, @fields) = @_;
	print $out join(',', map { quote($_) } @fields), "\n" or die "could not write: $!\n";
}

# quote: quotes only where COPY would.
sub quote
{
	my ($field) = @_;
	return '' unless defined $field;
	return $field unless $field eq '' || $field =~ /[",\r\n]/;
	return '"' . $field =~ s/"/""/gr . '"';
}

1;
