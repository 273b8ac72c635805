# battery.pl: a sealed table answers as a plain one.  Invented queries are asked of plain
# tables, of sealed copies and of the copies' revealing views; the answers must be equal.
# Not a pg_regress test: nobody reads a thousand expected answers.
#
# BATTERY_SEED repeats a run, BATTERY_QUERIES makes it longer.  The counts are in the
# test's log.  What is asked is in test/lib/Battery/Grammar.pm.

use strict;
use warnings;
use Pgseal;
use DBI;
use Battery::Types;
use Battery::Copies;
use Battery::Grammar;
use Test::More;

my $seed    = $ENV{BATTERY_SEED} // 20210214;
my $queries = $ENV{BATTERY_QUERIES} // ($ENV{PGSEAL_LONG} ? 20000 : 1500);

my $node = new_node('battery', conf => "fsync = off\n");
$node->safe_psql('postgres', 'CREATE EXTENSION pgseal; CREATE ROLE lab_owner LOGIN; CREATE ROLE lab_app LOGIN; GRANT CREATE ON DATABASE postgres TO lab_owner');
srand($seed);					# a new node draws, too
make_copies(connect_as('postgres'), connect_as('lab_owner'), 'lab_app');
my $db = connect_as('lab_app');

sub connect_as
{
	my ($role) = @_;
	my $connection = DBI->connect('dbi:Pg:dbname=postgres;host=' . $node->host . ';port=' . $node->port, $role, '',
		{ AutoCommit => 1, RaiseError => 1, PrintError => 0, PrintWarn => 0, pg_enable_utf8 => 0, pg_expand_array => 0 });
	$connection->do("SET TimeZone = 'Europe/Paris'; SET client_min_messages = warning; SET jit = off");
	return $connection;
}

# ----------
# One query, three times
# ----------

# Settings that lead to other plans.
my $parallel = $db->{pg_server_version} >= 160000 ? 'debug_parallel_query' : 'force_parallel_mode';
my @plans = (
	[],
	['enable_seqscan = off'],
	[ map { "enable_$_ = off" } qw(indexscan bitmapscan indexonlyscan) ],
	[ map { "enable_$_ = off" } qw(hashjoin mergejoin) ],
	[ map { "enable_$_ = off" } qw(hashjoin nestloop hashagg) ],
	[ 'work_mem = 64', map { "enable_$_ = off" } qw(nestloop sort) ],
	[ 'enable_partitionwise_join = on', 'enable_partitionwise_aggregate = on', 'enable_memoize = off' ],
	[ "$parallel = on", map { "$_ = 0" } qw(parallel_setup_cost parallel_tuple_cost min_parallel_table_scan_size min_parallel_index_scan_size) ]);

# draw_plan QUERY: how it is planned, and with which of its parameters it is executed.
sub draw_plan
{
	my ($query) = @_;
	my $cached = qw(auto force_custom_plan force_generic_plan) [ rand 3 ];

	$query->{settings} = [ @{ $plans[ rand @plans ] }, rand() < 0.2 ? "TimeZone = 'America/Caracas'" : (), @{ $query->{params} } ? "plan_cache_mode = $cached" : () ];
	$query->{executions} = $query->{writes} ? [1] : $cached eq 'auto' && rand() < 0.2 ? [ 2, (1) x 6 ] : [ 2, 1 ];
	return;
}

# statements PATH, QUERY: those that set up, and those whose rows are the answer.
sub statements
{
	my ($path, $query) = @_;
	my @params = @{ $query->{params} };
	my $sql = render($path, $query->{sql});

	return ([], [$sql]) unless @params;
	my $types = join ', ', map { $_->[0] } @params;
	my @executes = map { my $n = $_; 'EXECUTE battery(' . join(', ', map { literal($_->[$n]) } @params) . ')' } @{ $query->{executions} };
	return ([ "PREPARE battery($types) AS $sql" ], \@executes);
}

# contents PATH, TABLE: all of it.
sub contents
{
	my ($path, $table) = @_;
	my @values = map { $_->[1] eq $_->[2] ? $_->[0] : "<<val $_->[0]>>" } columns();
	return render($path, 'SELECT ' . join(', ', @values) . " FROM <<rel $table>>");
}

sub rows_of
{
	my ($sql, $ordered) = @_;
	my $statement = $db->prepare($sql, { pg_direct => 1 });

	$statement->execute;
	my @rows = map { join ' | ', map { $_ // '\\N' } @$_ } @{ $statement->fetchall_arrayref };
	return $ordered ? @rows : sort @rows;
}

# answer PATH, QUERY: its rows, and those of the table it wrote, or its error; nothing
# stays changed.
sub answer
{
	my ($path, $query) = @_;
	my ($before, $asked) = statements($path, $query);
	my ($returned, @rows) = (0);

	$db->begin_work;
	my $done = eval {
		$db->do("SET LOCAL $_") for @{ $query->{settings} };
		$db->do($_, { pg_direct => 1 }) for @$before;
		for (@$asked)
		{
			my @these = rows_of($_, $query->{ordered});
			push @rows, @these, @these . ' rows';
			$returned += @these;
		}
		push @rows, rows_of(contents($path, $query->{writes})) if $query->{writes};
		1;
	};
	my $error = $done ? '' : error_text();
	$db->rollback;
	$db->do('DEALLOCATE ALL') if @$before;
	return { rows => \@rows, returned => $returned, error => $error, asked => [ @$before, @$asked ] };
}

# error_text: "SQLSTATE: message", of the server or of our own.
sub error_text
{
	return $@ unless $db->err;
	my ($message) = $db->errstr =~ /^ERROR:  (.*)$/m;
	return $db->state . ': ' . ($message // $db->errstr);
}

# ----------
# The judgement
# ----------

my (%asked, %wrong);
my ($made, $empty, $runs, $refusals) = (0, 0, 0, 0);

sub printable { return $_[0] =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger }

# difference PLAIN, OTHER: the first rows that only one of them has.
sub difference
{
	my ($plain, $other) = @_;
	return "ended in $other->{error}" if $other->{error};
	my %count;
	$count{$_}++ for @{ $plain->{rows} };
	$count{$_}-- for @{ $other->{rows} };
	my @missing = grep { $count{$_} > 0 } sort keys %count;
	my @extra   = grep { $count{$_} < 0 } sort keys %count;
	return 'rows in another order' unless @missing || @extra;
	return sprintf '%d rows missing, as (%s); %d rows too many, as (%s)', map { scalar @$_, printable($_->[0] // '') } \@missing, \@extra;
}

# is_moved: a protected table takes no envelope of another column; its revealing view takes the value.
sub is_moved
{
	my ($path, $query, $other) = @_;
	return $path eq 'table' && ($query->{writes} // '') eq 'exam' && $other->{error} =~ /^22023: sealed value belongs to another subject, row or column$/;
}

sub judge
{
	my ($path, $query, $plain, $other) = @_;
	my $refusal = $path eq 'table' ? $query->{refused} : undef;

	$runs++;
	if ($refusal ? $other->{error} =~ $refusal : is_moved($path, $query, $other))
	{
		$refusals++;
		return;
	}
	return if !$refusal && $other->{error} eq '' && "@{ $plain->{rows} }" eq "@{ $other->{rows} }";
	push @{ $wrong{ $query->{shape} } }, join "\n", "$path: " . ($refusal ? "not refused: $other->{error}" : difference($plain, $other)),
	  (map { "SET $_;" } @{ $query->{settings} }), (map { "$_;" } @{ $other->{asked} }), "as plain: $plain->{asked}[-1];";
	return;
}

# may_be_empty: few answers are, but some.
sub may_be_empty { return $empty + 1 < 0.1 * ($made + 1) }

# ask SHAPE: a query of that shape, and what the three copies say.
sub ask
{
	my ($shape) = @_;
	my ($query, $plain);

	for my $try (1 .. 30)
	{
		$query = new_query($shape);
		draw_plan($query);
		$plain = answer('plain', $query);
		last if $plain->{error} || $plain->{returned} > 0 || may_be_empty();
	}
	$made++;
	$runs++;
	$asked{$shape}++;
	$empty++ if $plain->{returned} == 0;
	note_use($query);
	return push @{ $wrong{$shape} }, "plain: $plain->{error}\n" . join "\n", @{ $plain->{asked} } if $plain->{error};
	judge($_, $query, $plain, answer($_, $query)) for qw(table view);
	return;
}

my $started = time;
my @turns = (@shapes, qw(refused computed computed));
ask($turns[ $_ % @turns ]) for 0 .. $queries - 1;

for my $shape (@shapes)
{
	my @wrong = @{ $wrong{$shape} // [] };
	is(scalar @wrong, 0, "$shape: $asked{$shape} queries have one answer");
	diag("$shape:\n$_") for @wrong[ 0 .. ($#wrong > 2 ? 2 : $#wrong) ];
}

# ----------
# What the battery itself must be
# ----------

my ($by_type, $by_form) = count_of();
my %pairs = pair_count();
my ($rarest) = sort { $pairs{$a} <=> $pairs{$b} } sort keys %pairs;
my @rare = grep { $_->[1] < 10 } map { my $counts = $_; map { [ $_, $counts->{$_} // 0 ] } sort keys %$counts } $by_type, $by_form;
my $share = sub { sprintf '%.1f %%', 100 * $_[0] / $_[1] };

note("seed $seed, $queries queries, $runs answers in " . (time - $started) . ' s');
note("$_: $by_type->{$_}") for @types;
note("$_: $by_form->{$_}") for sort keys %$by_form;
cmp_ok($queries, '>=', 500, "seed $seed: $queries queries, $runs answers");
cmp_ok($made - $empty, '>=', 0.8 * $made, $share->($made - $empty, $made) . ' of the queries return rows');
cmp_ok($refusals, '<=', 0.15 * $runs, $share->($refusals, $runs) . ' of the answers are a documented refusal');
is_deeply(\@rare, [], 'each type and each form of a comparison occurs 10 times');
cmp_ok($pairs{$rarest}, '>=', 10, "and each form of each type ($rarest $pairs{$rarest} times)");

$db->disconnect;
done_testing;
