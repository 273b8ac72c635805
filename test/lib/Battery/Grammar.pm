# Grammar.pm: invents queries.  What is least used so far comes first, so that every
# shape of a query, and every form of a comparison of every type, has its turn.
#
# A query is a hash:
#	shape		name of the function that made it
#	sql			template for Battery::Copies::render()
#	params		[type, value, other value] of $1, $2...; none: it is not prepared
#	used		[type, form] of each comparison in it
#	ordered		1: the order of its rows is part of the answer
#	writes		table that it changes
#	refused		what the sealed table must say; the other two answer
package Battery::Grammar;

use strict;
use warnings;
use Exporter 'import';
use Battery::Types;

our @EXPORT = qw(@shapes new_query note_use count_of pair_count);

my $query;						# the one that is being made
my (%used_pair, %used_form, %used_type, %used_refusal);

sub one_of { return $_[ rand @_ ] }
sub chance { return rand() < $_[0] }

# some_of COUNT, LIST: so many, each once.
sub some_of
{
	my ($count, @list) = @_;
	return map { splice @list, rand @list, 1 } 1 .. $count;
}

# mark TYPE, FORM: stands in a template where the comparison stands, until it is done.
sub mark { return "/*$_[0]:$_[1]*/" }

# ----------
# Values
# ----------

sub value { return one_of(@{ $type{ $_[0] }{values} }) }

# parameter SQLTYPE, DRAW: of a prepared statement, with two values that DRAW gives.
sub parameter
{
	my ($type, $draw) = @_;
	push @{ $query->{params} }, [ $type, $draw->(), $draw->() ];
	return '$' . @{ $query->{params} };
}

sub typed
{
	my ($name) = @_;
	return literal(value($name)) . "::$type{$name}{native}";
}

# near_typed TYPE [, LIST]: of another plain type.
sub near_typed
{
	my ($name, $list) = @_;
	my $near  = $type{$name}{ $list // 'near' };
	my $other = one_of(sort keys %$near);
	return literal(one_of(@{ $near->{$other} })) . "::$other";
}

# constant TYPE: in any of the ways it can be written.
sub constant
{
	my ($name) = @_;
	my $draw = sub { value($name) };

	return one_of(
		sub { literal(value($name)) },
		sub { typed($name) },
		sub { parameter('unknown', $draw) },
		sub { parameter($type{$name}{native}, $draw) },
		sub { $type{$name}{near} ? near_typed($name) : typed($name) })->();
}

# list TYPE: constants for IN.
sub list
{
	my ($name) = @_;
	my $make = one_of(
		sub { literal(value($name)) },
		sub { typed($name) },
		sub { chance(0.5) ? typed($name) : parameter($type{$name}{native}, sub { value($name) }) });
	return map { $make->() } 1 .. 1 + int(rand(4));
}

sub values_of
{
	my ($name) = @_;
	my @values = map { value($name) } 1 .. 1 + int(rand(4));
	push @values, undef if chance(0.2);
	return @values;
}

# ----------
# Forms of a comparison.  $c->{a}, {b}, {p}: columns of one row of type $t; a and b are sealed.
# ----------

my %form = (
	equal_literal => sub { my ($c, $t) = @_; "$c->{a} = " . literal(value($t)) },
	equal_typed   => sub { my ($c, $t) = @_; "$c->{a} = " . typed($t) },
	equal_turned  => sub { my ($c, $t) = @_; constant($t) . " = $c->{a}" },
	equal_near    => sub { my ($c, $t) = @_; "$c->{a} = " . near_typed($t) },
	equal_untyped_parameter => sub { my ($c, $t) = @_; "$c->{a} = " . parameter('unknown', sub { value($t) }) },
	equal_typed_parameter   => sub { my ($c, $t) = @_; "$c->{a} = " . parameter($type{$t}{native}, sub { value($t) }) },
	differs       => sub { my ($c, $t) = @_; "$c->{a} <> " . constant($t) },
	differs_turned => sub { my ($c, $t) = @_; constant($t) . " <> $c->{a}" },
	in_list       => sub { my ($c, $t) = @_; "$c->{a} IN (" . join(', ', list($t)) . ')' },
	not_in_list   => sub { my ($c, $t) = @_; "$c->{a} NOT IN (" . join(', ', list($t)) . ')' },
	in_list_null  => sub { my ($c, $t) = @_; "$c->{a} IN (" . join(', ', list($t), 'NULL') . ')' },
	not_in_list_null => sub { my ($c, $t) = @_; "NOT ($c->{a} NOT IN (" . join(', ', 'NULL', list($t)) . '))' },
	any_literal   => sub { my ($c, $t) = @_; "$c->{a} = ANY (" . array_literal(values_of($t)) . ')' },
	any_typed     => sub { my ($c, $t) = @_; "$c->{a} = ANY (" . array_literal(values_of($t)) . "::$type{$t}{native}\[])" },
	any_constructed => sub { my ($c, $t) = @_; "$c->{a} = ANY (ARRAY[" . join(', ', typed($t), "$c->{p}", 'NULL') . '])' },
	any_parameter => sub { my ($c, $t) = @_; "$c->{a} = ANY (" . parameter(one_of('unknown', "$type{$t}{native}\[]"), sub { array_text(values_of($t)) }) . ')' },
	all_array     => sub { my ($c, $t) = @_; "$c->{a} <> ALL (" . array_literal(map { value($t) } 1 .. one_of(1, 2, 4)) . one_of('', "::$type{$t}{native}\[]") . ')' },
	any_of_columns => sub { my ($c, $t) = @_; typed($t) . " = ANY (ARRAY[$c->{a}, $c->{b}])" },
	is_null       => sub { my ($c) = @_; "$c->{a} IS " . one_of('', 'NOT ') . 'NULL' },
	distinct      => sub { my ($c, $t) = @_; "$c->{a} IS DISTINCT FROM " . one_of(constant($t), 'NULL') },
	not_distinct  => sub { my ($c, $t) = @_; "$c->{a} IS NOT DISTINCT FROM " . one_of(constant($t), 'NULL', "NULL::$type{$t}{native}") },
	two_columns   => sub { my ($c) = @_; "$c->{a} " . one_of('=', '<>', 'IS DISTINCT FROM', 'IS NOT DISTINCT FROM') . " $c->{b}" },
	plain_column  => sub { my ($c) = @_; "$c->{a} " . one_of('=', '<>', 'IS DISTINCT FROM') . " $c->{p}" },
	rows_equal    => sub { my ($c, $t) = @_; "($c->{a}, $c->{grp}) = (" . constant($t) . ', ' . int(rand(5)) . ')' },
	rows_differ   => sub { my ($c, $t) = @_; "($c->{a}, $c->{b}) <> (" . typed($t) . ', ' . typed($t) . ')' },
	rows_in       => sub { my ($c, $t) = @_; "($c->{b}, $c->{a}) IN (" . join(', ', map { '(' . typed($t) . ', ' . typed($t) . ')' } 1 .. 4) . ", ($c->{p}, " . typed($t) . '))' },
	rows_distinct => sub { my ($c, $t) = @_; "($c->{a}, $c->{grp}) IS DISTINCT FROM (" . constant($t) . ', ' . int(rand(5)) . ')' },
	arrays_equal  => sub { my ($c) = @_; "ARRAY[$c->{a}, $c->{b}] " . one_of('=', '<>', '@>', '&&') . " ARRAY[$c->{b}, $c->{b}]" },
	in_values     => sub { my ($c, $t) = @_; "$c->{a} IN (VALUES " . join(', ', map { '(' . typed($t) . ')' } 1 .. 3) . ')' },
	simple_case   => sub { my ($c, $t) = @_; "CASE $c->{a} WHEN " . typed($t) . " THEN $c->{grp} < 4 WHEN $c->{b} THEN true ELSE $c->{grp} = 1 END" },
	searched_case => sub { my ($c, $t) = @_; "CASE WHEN $c->{a} = " . constant($t) . " THEN 1 WHEN $c->{b} IN (" . join(', ', list($t)) . ') THEN 2 END = ' . one_of(1, 2) },
	case_value    => sub { my ($c, $t) = @_; "CASE WHEN $c->{grp} > 2 THEN $c->{a} ELSE $c->{b} END = " . constant($t) },
	coalesced     => sub { my ($c, $t) = @_; "coalesce($c->{a}, $c->{b}) = " . constant($t) },
	nullified     => sub { my ($c, $t) = @_; "nullif($c->{a}, " . typed($t) . ') IS NULL' },
	scalar_subquery => sub { my ($c, $t) = @_; "$c->{a} = (SELECT " . one_of("s.${t}_p", "s.${t}_b") . ' FROM <<rel visit>> s WHERE s.id = ' . (1 + int(rand(100))) . ')' },
	pulled_list   => sub { my ($c, $t) = @_; "$c->{a} <> " . typed($t) . " AND $c->{a} <> " . constant($t) . " AND $c->{grp} <> " . int(rand(5)) },
	revealed_near => sub { my ($c, $t) = @_; "<<val $c->{a}>> " . one_of('=', '=', '<>', 'IS NOT DISTINCT FROM') . ' ' . near_typed($t, one_of(grep { $type{$t}{$_} } qw(near far))) },
	revealed_collated => sub { my ($c, $t) = @_; "<<val $c->{a}>> " . one_of('=', '=', '<>', 'IS NOT DISTINCT FROM') . ' ' . typed($t) . ' COLLATE plain.caseless' },
	revealed_less => sub { my ($c, $t) = @_; "<<val $c->{a}>> " . one_of('<', '<=', '>=') . ' ' . typed($t) },
	revealed_between => sub { my ($c, $t) = @_; "<<cast $t $c->{a}>> BETWEEN " . typed($t) . ' AND ' . typed($t) },
	revealed_like => sub { my ($c, $t) = @_; "<<val $c->{a}>>::text " . one_of("LIKE '%a%'", "NOT LIKE '%0%'", "ILIKE 'A%'", "LIKE '%1'", "~ '[1t]'") });

our @forms = sort keys %form;

# has_form TYPE, FORM
sub has_form
{
	my ($type, $form) = @_;
	return $form =~ /_near$/ ? $type{$type}{near} : $form !~ /_collated$/ || $type eq 'text';
}

# least_used COUNTS, LIST: one of those with the lowest count.
sub least_used
{
	my ($counts, @list) = @_;
	my ($lowest) = sort { $a <=> $b } map { $counts->{$_} // 0 } @list;
	return one_of(grep { ($counts->{$_} // 0) == $lowest } @list);
}

# atom ALIAS [, TYPE]: one comparison of a column of that table.
sub atom
{
	my ($alias, $type) = @_;
	my @pairs = grep { has_form(split /:/) } map { my $t = $_; map { "$t:$_" } @forms } $type // @types;
	my ($t, $form) = split /:/, least_used(\%used_pair, @pairs);
	my %column = (a => "$alias.${t}_a", b => "$alias.${t}_b", p => "$alias.${t}_p", grp => "$alias.grp");

	@column{qw(a b)} = @column{qw(b a)} if chance(0.3);
	return mark($t, $form) . '(' . $form{$form}->(\%column, $t) . ')';
}

# condition ALIAS: one to four comparisons with AND, OR, NOT and tests of what they give.
sub condition
{
	my ($alias, $depth) = (@_, 0);
	my $draw = rand();

	return atom($alias) if $depth > 1 || $draw < 0.3;
	my $one = condition($alias, $depth + 1);
	return "NOT $one" if $draw < 0.36;
	return "($one) " . one_of('IS NOT TRUE', 'IS TRUE', 'IS NOT FALSE', 'IS NOT UNKNOWN') if $draw < 0.42;
	my $other = chance(0.3) ? "$alias.grp <> " . int(rand(5)) : condition($alias, $depth + 1);
	return '(' . join($draw < 0.8 ? ' AND ' : ' OR ', some_of(2, $one, $other)) . ')';
}

# ----------
# Parts of queries
# ----------

sub any_type { return least_used(\%used_type, @types) }

# table: a relation to read.
sub table { return '<<rel ' . one_of(qw(exam exam visit shelf ward over barrier)) . '>>' }

# shown ALIAS: one to three columns, revealed.
sub shown
{
	my ($alias) = @_;
	return join ', ', map { chance(0.7) ? "<<val $alias.${_}_b>>" : "<<cast $_ $alias.${_}_a>>" } some_of(1 + int(rand(3)), @types);
}

# joining A, B, TYPE: a condition that a hash or a merge can join by.
sub joining
{
	my ($one, $other, $type) = @_;
	my $sealed = one_of("$one.${type}_a = $other.${type}_a", "$one.${type}_b = $other.${type}_a", "$other.${type}_a = $one.${type}_p", "$other.${type}_p = $one.${type}_b");
	return mark($type, 'joined') . "$sealed AND $one.grp = $other.grp";
}

# ----------
# Shapes of queries
# ----------

my %shape = (
	filter => sub { 'SELECT a.id, ' . shown('a') . ' FROM ' . table() . ' a WHERE ' . condition('a') },
	computed => sub { 'SELECT a.id, ' . join(', ', map { atom('a') } 1 .. 16) . ' FROM ' . table() . ' a WHERE a.id % 4 = ' . int(rand(4)) },
	pruned => sub {
		my ($rel, $type) = @{ one_of([ 'shelf', 'text' ], [ 'ward', 'int' ]) };
		"SELECT a.id FROM <<rel $rel>> a WHERE " . atom('a', $type) . one_of(' AND ', ' OR ') . atom('a', $type);
	},
	sorted => sub {
		my ($one, $two) = some_of(2, @types);
		my $where = condition('a');
		$query->{ordered} = 1;
		"SELECT a.id, <<same $one a.${one}_a>> FROM " . table() . " a WHERE $where ORDER BY <<val a.${one}_a>> " . one_of('', 'DESC', 'NULLS FIRST')
			. ", <<cast $two a.${two}_b>>, a.id LIMIT " . (1 + int(rand(40))) . one_of('', ' OFFSET 2');
	},
	grouped => sub {
		my ($one, $two) = some_of(2, @types);
		my $group = mark($one, 'grouped')
			. one_of("a.${one}_a", "a.${one}_a, a.${two}_b", "ROLLUP (a.${one}_a, a.grp)", "CUBE (a.${two}_b, a.${one}_a)", "GROUPING SETS ((a.${one}_a), (a.${two}_b), ())", "a.${one}_a, a.${one}_b = a.${one}_a");
		my $equal = "a.${one}_a = " . typed($one);
		"SELECT count(*), min(a.id), sum(a.id), <<same $one a.${one}_a>>, $equal FROM " . table() . " a WHERE " . condition('a') . " GROUP BY $group"
			. one_of('', ' HAVING count(*) > 1', " HAVING ($equal) IS NOT TRUE", " HAVING bool_or(" . atom('a') . ')');
	},
	distinct_rows => sub {
		my ($one, $two) = some_of(2, @types);
		mark($one, 'distinct_rows')
			. "SELECT <<same $one s.one>>, <<same $two s.two>> FROM (SELECT DISTINCT a.${one}_a AS one, a.${two}_b AS two FROM " . table()
			. ' a WHERE ' . condition('a') . ') s';
	},
	aggregated => sub {
		my ($one, $two) = some_of(2, grep { $type{$_}{ordered} } @types);
		mark($one, 'count_distinct') . "SELECT a.grp, count(*), count(*) FILTER (WHERE " . atom('a') . "), count(DISTINCT a.${one}_a), bool_and("
			. atom('a') . "), min(<<same $one a.${one}_a>>), max(<<same $two a.${two}_b>>) FROM " . table() . ' a WHERE ' . condition('a')
			. ' GROUP BY a.grp';
	},
	inner_join => sub {
		my $type = any_type();
		'SELECT a.id, b.id, ' . shown('b') . ' FROM ' . table() . ' a JOIN ' . table() . ' b ON ' . joining('a', 'b', $type) . ' WHERE ' . condition(one_of('a', 'b'));
	},
	using_join => sub {
		my $type = any_type();
		mark($type, 'using') . "SELECT count(*), sum(a.id), min(b.id), <<same $type ${type}_a>> FROM " . table() . ' a ' . one_of('', 'LEFT', 'FULL')
			. ' JOIN ' . table() . " b USING (${type}_a, grp) GROUP BY ${type}_a";
	},
	outer_join => sub {
		my $type = any_type();
		my $kind = one_of('LEFT', 'RIGHT', 'FULL');
		my $on   = joining('a', 'b', $type) . ($kind ne 'FULL' && chance(0.6) ? ' AND ' . atom($kind eq 'LEFT' ? 'b' : 'a') : '');
		my $where = one_of('b.id IS NULL', 'a.id IS NULL OR b.id < 30', "b.${type}_a IS NULL", '(a.id + b.id) % 7 = 1 OR ' . atom('b'));
		"SELECT a.id, b.id, " . shown('a') . ' FROM ' . table() . " a $kind JOIN " . table() . " b ON $on WHERE $where";
	},
	semi_join => sub {
		my $type = any_type();
		my $inner = table() . ' b WHERE ' . condition('b');
		mark($type, 'semi_join') . 'SELECT a.id FROM ' . table() . ' a WHERE ' . one_of(
			"EXISTS (SELECT FROM $inner AND b.${type}_a = a.${type}_a)",
			"EXISTS (SELECT FROM $inner AND b.${type}_p = a.${type}_b)",
			"a.${type}_a IN (SELECT b.${type}_b FROM $inner)",
			"a.${type}_a = ANY (SELECT b.${type}_p FROM $inner)",
			"a.${type}_p IN (SELECT b.${type}_a FROM $inner)",
			"(a.${type}_a, a.grp) IN (SELECT b.${type}_a, b.grp FROM $inner)",
			"a.${type}_a IN (SELECT b.${type}_a FROM $inner AND b.grp = a.grp)") . ' AND ' . atom('a');
	},
	anti_join => sub {
		my $type = any_type();
		my $inner = table() . ' b WHERE ' . condition('b');
		mark($type, 'anti_join') . 'SELECT a.id FROM ' . table() . ' a WHERE ' . one_of(
			"NOT EXISTS (SELECT FROM $inner AND b.${type}_a = a.${type}_a)",
			"NOT EXISTS (SELECT FROM $inner AND b.${type}_p = a.${type}_a AND b.grp = a.grp)",
			"a.${type}_a NOT IN (SELECT b.${type}_b FROM $inner AND b.${type}_b IS NOT NULL)",
			"a.${type}_a NOT IN (SELECT b.${type}_b FROM $inner)",
			"a.${type}_a <> ALL (SELECT b.${type}_p FROM $inner AND b.id < 10 AND b.${type}_p IS NOT NULL)",
			"(a.${type}_a IN (SELECT b.${type}_a FROM $inner)) IS NOT TRUE");
	},
	correlated => sub {
		my $type = any_type();
		my $inner = 'FROM ' . table() . " b WHERE b.${type}_a = a." . one_of("${type}_a", "${type}_p") . ' AND ' . atom('b');
		mark($type, 'correlated') . 'SELECT a.id, '
			. one_of("(SELECT count(*) $inner)", "ARRAY(SELECT b.id $inner ORDER BY b.id)", "(SELECT <<same $type b.${type}_b>> $inner ORDER BY b.id LIMIT 1)")
			. ' FROM ' . table() . ' a WHERE ' . atom('a');
	},
	with_query => sub {
		my $inner = condition('a');
		my $type = any_type();
		my $cte = 'WITH c AS ' . one_of('', 'MATERIALIZED ', 'NOT MATERIALIZED ') . '(SELECT a.* FROM ' . table() . " a WHERE $inner) ";
		$cte . one_of(
			'SELECT c.id, ' . shown('c') . ' FROM c WHERE ' . condition('c'),
			'SELECT c.id, d.id FROM c JOIN c AS d ON ' . joining('c', 'd', $type) . ' WHERE ' . atom('d'),
			"SELECT d.id FROM <<rel visit>> d WHERE d.${type}_a IN (SELECT c.${type}_a FROM c)");
	},
	recursive => sub {
		my $type = any_type();
		mark($type, 'recursive') . "WITH RECURSIVE c(id, one, two, depth) AS (SELECT a.id, a.${type}_a, a.${type}_b, 1 FROM <<rel visit>> a WHERE a.grp = " . int(rand(5)) . ' AND ' . atom('a')
			. " UNION SELECT b.id, b.${type}_a, b.${type}_b, c.depth + 1 FROM <<rel visit>> b JOIN c ON b.${type}_a = c.two AND b.id > c.id WHERE c.depth < 4) SELECT c.id, c.depth, <<same $type c.two>> FROM c";
	},
	derived => sub {
		my $inner = condition('a');
		my $from = table();
		my $subquery = one_of(
			"SELECT a.* FROM $from a WHERE $inner OFFSET 0",
			"SELECT a.* FROM $from a WHERE $inner ORDER BY a.id LIMIT 60",
			"SELECT a.* FROM <<rel exam>> a WHERE $inner FOR UPDATE",
			"SELECT * FROM (SELECT * FROM $from) a WHERE $inner",
			"SELECT DISTINCT ON (a.grp, a.id) a.* FROM $from a WHERE $inner ORDER BY a.grp, a.id",
			"SELECT a.* FROM (VALUES (0), (2), (3)) AS v(g) JOIN $from a ON a.grp = v.g WHERE $inner");
		'SELECT s.id, ' . shown('s') . one_of('', ', s IS NULL') . " FROM ($subquery) s WHERE " . condition('s');
	},
	over_views => sub { 'SELECT a.id, ' . shown('a') . ' FROM <<rel ' . one_of(qw(over barrier joined)) . '>> a WHERE ' . condition('a') . one_of('', ' AND ' . atom('a')) },
	whole_rows => sub { 'SELECT s.id, ' . shown('(s.r)') . ', s.r IS NULL, s.n FROM (SELECT a.id, a AS r, count(a) OVER () AS n FROM ' . table()
		. ' a WHERE ' . condition('a') . ') s WHERE ' . atom('(s.r)') },
	inlined_function => sub { 'SELECT f.id, ' . shown('f') . ' FROM <<rel found>>('
		. one_of(literal(value('text')), parameter('text', sub { value('text') })) . ', ' . literal(value('int')) . ') f WHERE ' . condition('f') },
	appended => sub {
		my ($one, $two) = (table(), table());
		'SELECT u.id, ' . shown('u') . " FROM (SELECT a.* FROM $one a WHERE " . atom('a') . " UNION ALL SELECT b.* FROM $two b WHERE b.grp < 3) u WHERE " . condition('u');
	},
	set_operation => sub {
		my ($type, $other) = some_of(2, @types);
		mark($type, 'set_operation') . "SELECT <<same $type u.one>>, <<same $other u.two>> FROM (SELECT a.${type}_a AS one, a.${other}_a AS two FROM "
			. table() . ' a WHERE ' . condition('a') . one_of(' UNION ', ' EXCEPT ', ' EXCEPT ALL ', ' INTERSECT ', ' INTERSECT ALL ', ' UNION ALL ')
			. "SELECT b.${type}_b, b.${other}_b FROM " . table() . ' b WHERE ' . condition('b') . ') u';
	},
	windowed => sub {
		my ($one, $two) = some_of(2, @types);
		mark($one, 'partitioned_window')
			. "SELECT w.id, w.rank, w.n, <<val w.before>> FROM (SELECT a.id, a.grp, row_number() OVER (PARTITION BY a.${one}_a ORDER BY a.id) AS rank, count(*) OVER (PARTITION BY a.${two}_b, a.grp) AS n, lag(a.${two}_a) OVER (ORDER BY a.id) AS before, a.${one}_a, a.${one}_b, a.${one}_p FROM "
			. table() . ' a WHERE ' . condition('a') . ') w WHERE ' . one_of('w.rank < 4', atom('w', $one));
	},
	lateral => sub {
		my $type = any_type();
		mark($type, 'lateral') . "SELECT a.id, s.id, <<val s.${type}_b>> FROM " . table() . ' a ' . one_of('JOIN', 'LEFT JOIN')
			. ' LATERAL (SELECT b.* FROM ' . table() . " b WHERE b.${type}_a = a.${type}_a AND " . atom('b')
			. " ORDER BY b.id LIMIT 2) s ON true WHERE " . atom('a');
	},
	lateral_values => sub {
		my $type = any_type();
		mark($type, 'lateral_values') . 'SELECT a.id, v.n FROM ' . table()
			. " a, LATERAL (VALUES (a.${type}_a, 1), (a.${type}_b, 2)) AS v(x, n) WHERE v.x " . one_of('=', '<>', 'IS DISTINCT FROM') . ' '
			. constant($type) . ' AND ' . atom('a');
	},
	listed_values => sub {
		my $type = any_type();
		my $values = join ', ', map { '(' . typed($type) . ", $_)" } 1 .. 5;
		mark($type, 'values_join') . 'SELECT a.id, v.n FROM ' . table() . ' a ' . one_of('', 'LEFT ') . "JOIN (VALUES $values) AS v(x, n) ON a.${type}_a = v.x WHERE " . condition('a');
	});

# ----------
# Statements that write, and what they return
# ----------

# assigned ALIAS, TYPE: a value for a column.
sub assigned
{
	my ($alias, $type) = @_;
	return one_of(
		literal(value($type)), typed($type), 'NULL', "$alias.${type}_a", "$alias.${type}_p",
		parameter($type{$type}{native}, sub { value($type) }),
		"coalesce($alias.${type}_b, " . literal(value($type)) . ')',
		"(SELECT s.${type}_a FROM <<rel visit>> s WHERE s.id = $alias.id)");
}

my %writing = (
	update => sub {
		my ($one, $two) = some_of(2, @types);
		my $rel = one_of(qw(exam visit shelf ward));
		$query->{writes} = $rel;
		"UPDATE <<rel $rel>> AS a SET ${one}_b = " . assigned('a', $one) . ", ${two}_a = " . assigned('a', $two) . ' WHERE ' . condition('a')
			. " RETURNING a.id, <<val a.${one}_b>>, <<val a.${two}_a>>, " . atom('a');
	},
	update_from => sub {
		my $type = any_type();
		$query->{writes} = 'exam';
		mark($type, 'update_from') . "UPDATE <<rel exam>> AS a SET ${type}_b = b.${type}_b FROM " . one_of('<<rel visit>>', '<<rel barrier>>')
			. " b WHERE a.id % 60 = b.id % 60 AND a.${type}_a = b.${type}_a AND b.id < 60 AND " . atom('a')
			. " RETURNING a.id, b.id, <<val a.${type}_b>>";
	},
	delete => sub {
		my $rel = one_of(qw(exam visit shelf ward));
		$query->{writes} = $rel;
		"DELETE FROM <<rel $rel>> AS a WHERE " . condition('a') . ' RETURNING a.id, ' . shown('a');
	},
	delete_using => sub {
		my $type = any_type();
		$query->{writes} = 'exam';
		mark($type, 'delete_using') . "DELETE FROM <<rel exam>> AS a USING <<rel visit>> b WHERE a.id = b.id AND a."
			. one_of("${type}_a <> b.${type}_a", "${type}_a = b.${type}_b", "${type}_b = b.${type}_p") . ' AND ' . condition('b') . ' RETURNING a.id, '
			. shown('b');
	},
	insert_select => sub {
		my ($one, $two) = some_of(2, @types);
		$query->{writes} = 'exam';
		"INSERT INTO <<rel exam>> AS a (id, grp, ${one}_a, ${two}_b) SELECT b.id + 1000, b.grp, b.${one}_b, " . one_of("b.${two}_p", "b.${two}_b")
			. ' FROM <<rel visit>> b WHERE ' . condition('b') . ' RETURNING a.id, ' . shown('a');
	},
	upsert => sub {
		my ($one, $two) = some_of(2, @types);
		my $rows = join ', ', map { "($_, " . literal(value($one)) . ', ' . typed($two) . ')' } some_of(3, 1 .. 30), 5000;
		$query->{writes} = 'visit';
		mark($one, 'upsert')
			. "INSERT INTO <<rel visit>> AS a (id, ${one}_a, ${two}_b) VALUES $rows ON CONFLICT (id) DO UPDATE SET ${one}_a = excluded.${one}_a, ${two}_a = a.${two}_b WHERE a.${one}_a IS DISTINCT FROM excluded.${one}_a RETURNING a.id, <<val a.${one}_a>>, <<val a.${two}_a>>";
	},
	writing_with => sub {
		my $type = any_type();
		$query->{writes} = 'ward';
		'WITH d AS (DELETE FROM <<rel ward>> a WHERE ' . atom('a') . ' RETURNING *), k AS (UPDATE <<rel visit>> b SET grp = 9 WHERE ' . atom('b')
			. " RETURNING b.id) SELECT d.id, <<val d.${type}_a>> FROM d WHERE " . atom('d', $type);
	});

# ----------
# What a sealed table refuses, and a plain one and a revealing view do not
# ----------

my $no_order  = qr/^0A000: sealed values have no order$/;
my $no_search = qr/^0A000: key "hidden" is not searchable$/;
my $two_keys  = qr/^0A000: sealed values of different keys cannot be compared$/;
my $no_key    = qr/^0A000: key of a sealed value is not known when the statement is planned$/;
my $inexact   = qr/^0A000: comparison of sealed_(int|numeric) with this double precision value would not be exact$/;

my %refusal = (
	order_by => sub { my ($t) = @_; $query->{ordered} = 1; ($no_order, "SELECT a.id FROM <<rel exam>> a WHERE " . atom('a') . " ORDER BY a.${t}_a, a.id LIMIT 10") },
	window_order => sub { my ($t) = @_; ($no_order, "SELECT a.id, rank() OVER (ORDER BY a.${t}_a) FROM <<rel exam>> a WHERE a.grp = 1") },
	greatest => sub { my ($t) = @_; ($no_order, "SELECT a.id, <<same $t greatest(a.${t}_a, a.${t}_b)>> FROM <<rel visit>> a") },
	ordered_aggregate => sub { my ($t) = @_; ($no_order, "SELECT array_agg(a.id ORDER BY a.${t}_a, a.id) FROM <<rel visit>> a") },
	two_keys => sub { ($two_keys, 'SELECT a.id FROM <<rel ' . one_of('exam', 'over') . '>> a WHERE a.text_a = a.other') },
	two_keys_joined => sub { ($two_keys, 'SELECT a.id, b.id FROM <<rel exam>> a JOIN <<rel visit>> b ON a.text_a = b.other AND a.grp = b.grp') },
	two_keys_united => sub { ($two_keys, 'SELECT count(*) FROM (SELECT a.text_a FROM <<rel exam>> a UNION SELECT b.other FROM <<rel exam>> b) u') },
	hidden_equal => sub { ($no_search, 'SELECT a.id FROM <<rel exam>> a WHERE a.hidden ' . one_of('= ', '<> ', 'IS DISTINCT FROM ') . constant('text')) },
	hidden_listed => sub { ($no_search, 'SELECT a.id FROM <<rel visit>> a WHERE a.hidden IN (' . join(', ', list('text')) . ')') },
	hidden_grouped => sub { ($no_search, 'SELECT count(*), min(a.id) FROM <<rel exam>> a GROUP BY a.hidden') },
	hidden_joined => sub { ($no_search, 'SELECT a.id, b.id FROM <<rel exam>> a JOIN <<rel visit>> b ON a.hidden = b.hidden AND a.grp = b.grp') },
	key_unknown => sub { my ($t) = @_; ($no_key, "SELECT a.id FROM <<rel exam>> a WHERE coalesce(a.${t}_a, " . literal(value($t)) . ') = ' . literal(value($t))) },
	case_of_literal => sub { my ($t) = @_; ($no_key, "SELECT a.id FROM <<rel ward>> a WHERE CASE WHEN a.grp = 1 THEN a.${t}_a ELSE " . literal(value($t)) . ' END = ' . typed($t)) },
	value_before => sub { my ($t) = @_; ($no_key, "SELECT w.id FROM (SELECT a.id, lag(a.${t}_a) OVER (ORDER BY a.id) AS before FROM <<rel shelf>> a) w WHERE w.before = " . typed($t)) },
	unnested => sub { my ($t) = @_; ($no_key, "SELECT a.id FROM <<rel visit>> a, unnest(ARRAY[a.${t}_a, a.${t}_b]) AS u WHERE u = " . typed($t)) },
	inexact => sub { my ($t) = one_of('int', 'numeric'); ($inexact, "SELECT a.id FROM <<rel exam>> a WHERE a.${t}_a <> '1e300'::float8") });

# Written like this, the same questions have answers: the rows of hidden columns, revealed.
$shape{revealed} = sub {
	'SELECT a.id, <<val a.hidden>>, <<val a.other>> FROM ' . table() . ' a WHERE '
		. one_of('<<val a.text_a>> = <<val a.other>>', "a.other = a.text_p", "<<val a.hidden>> = "
		. typed('text'), "<<val a.hidden>> IS DISTINCT FROM <<val a.text_b>>", "a.other IN (" . join(', ', list('text')) . ')') . ' AND ' . atom('a');
};

my @reading = sort keys %shape;
our @shapes = (@reading, (sort keys %writing), 'refused');

# keep_used_parameters: an alternative that was not taken may have left some.
sub keep_used_parameters
{
	my @all = @{ $query->{params} };
	my %number;

	$query->{params} = [];
	$query->{sql} =~ s{\$(\d+)}{
		$number{$1} //= push @{ $query->{params} }, $all[ $1 - 1 ];
		'$' . $number{$1}
	}ge;
	return;
}

# new_query SHAPE
sub new_query
{
	my ($shape) = @_;
	$query = { shape => $shape, params => [], used => [] };
	if ($shape eq 'refused')
	{
		$query->{refusal} = least_used(\%used_refusal, sort keys %refusal);
		@$query{qw(refused sql)} = $refusal{ $query->{refusal} }->(any_type());
	}
	else
	{
		$query->{sql} = ($shape{$shape} // $writing{$shape})->();
	}
	keep_used_parameters();
	push @{ $query->{used} }, [ $1, $2 ] while $query->{sql} =~ s{/\*(\w+):(\w+)\*/}{};
	return $query;
}

# note_use QUERY: it is made.
sub note_use
{
	my ($made) = @_;
	$used_refusal{ $made->{refusal} }++ if $made->{refusal};
	for my $use (@{ $made->{used} })
	{
		my ($type, $form) = @$use;
		$used_pair{"$type:$form"}++;
		$used_type{$type}++;
		$used_form{$form}++;
	}
	return;
}

sub count_of { return (\%used_type, \%used_form) }

# pair_count: how often each comparison of each type was made, as "TYPE:FORM" => COUNT.
sub pair_count
{
	return map { $_ => $used_pair{$_} // 0 } grep { has_form(split /:/) } map { my $t = $_; map { "$t:$_" } @forms } @types;
}

1;
