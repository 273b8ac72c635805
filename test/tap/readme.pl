# readme.pl: the ten-minute tour of README.md does what it says.
#
# Not a pg_regress test: it takes its statements and their output from README.md,
# and the tour connects as other roles.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;
use Pgseal;

# tour TEXT: the sql blocks of the tour, in order, as {sql, output, line}; output is
# the untagged block that follows, or undef.
sub tour
{
	my ($text) = @_;
	my ($tour) = $text =~ /^## Ten-minute tour\n(.*?)(?=^## )/ms
	  or die "README.md has no section \"Ten-minute tour\"";
	my @blocks;

	while ($tour =~ /^```(\w*)\n(.*?)^```$/msg)
	{
		my ($tag, $body) = ($1, $2);
		if ($tag eq 'sql')
		{
			push @blocks, { sql => $body };
		}
		elsif ($tag eq '' && @blocks && !defined $blocks[-1]{output})
		{
			$blocks[-1]{output} = $body;
		}
	}
	return @blocks;
}

# run_blocks NODE, BLOCK...: what psql prints for each, errors among the rest, as a
# reader sees it who types the blocks into one session.
sub run_blocks
{
	my ($node, @blocks) = @_;
	my $mark   = "-- end of block --";
	my $script = join '', map { "$_->{sql}\\echo $mark\n" } @blocks;
	my $seen   = '';

	IPC::Run::run [ 'psql', '-X', '-q', '-d', $node->connstr('tour') ], '<', \$script, '>&', \$seen;
	return split /^\Q$mark\E\n/m, $seen;
}

# The blank line after the last table is not worth a line in README.md.
sub trimmed
{
	my ($text) = @_;
	$text =~ s/\n+\z//;
	return $text;
}

my @blocks = tour(slurp_file('README.md'));
cmp_ok(scalar(@blocks), '>', 5, 'the tour has blocks');
cmp_ok(scalar(grep { defined $_->{output} } @blocks), '>', 3, 'and says what some of them print');

my $node = new_node('readme');
$node->safe_psql('postgres', 'CREATE DATABASE tour');
my @seen = run_blocks($node, @blocks);
is(scalar(@seen), scalar(@blocks), 'all of it ran');

foreach my $number (0 .. $#blocks)
{
	my $first = (split /\n/, $blocks[$number]{sql})[0];
	my $seen  = $seen[$number] // '';
	if (defined $blocks[$number]{output})
	{
		is(trimmed($seen), trimmed($blocks[$number]{output}), "output of: $first");
	}
	else
	{
		unlike($seen, qr/^(ERROR|FATAL|WARNING|NOTICE)|\bf$/m, "no complaint from: $first");
	}
}

$node->stop;
done_testing();
