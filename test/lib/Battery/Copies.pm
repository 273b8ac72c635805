# Copies.pm: the same rows three times: in plain tables, in sealed ones, one of which is
# protected, and the sealed ones seen through their revealing views.
package Battery::Copies;

use strict;
use warnings;
use Exporter 'import';
use Battery::Types;

our @EXPORT = qw(@paths render columns make_copies);

our @paths = qw(plain table view);

# Name, rows and partitioning; all tables have the same columns.
our @tables = (
	[ exam  => 240, '' ],
	[ visit => 120, '' ],
	[ shelf => 150, 'PARTITION BY HASH (text_a)' ],
	[ ward  => 100, 'PARTITION BY LIST (int_a)' ]);

# relation PATH, NAME
sub relation
{
	my ($path, $name) = @_;
	return $path eq 'plain' ? "plain.$name" : $path eq 'table' ? "sealed.$name" : "sealed.${name}_revealed";
}

# revealed PATH, EXPRESSION [, TYPE]: its plain value, where need be by a cast to TYPE.
sub revealed
{
	my ($path, $expression, $as) = @_;
	return $expression if $path ne 'table';
	return $as ? "($expression)::$type{$as}{native}" : "seal.reveal($expression)";
}

# comparable PATH, TYPE, EXPRESSION: its plain value; of equal ones that print
# differently always the same.
sub comparable
{
	my ($path, $type, $expression) = @_;
	my $value = revealed($path, $expression);
	return "trim_scale($value)" if $type eq 'numeric';
	return "$value + 0.0::float8" if $type eq 'float8';
	return "regexp_replace($value\::text, '-?(\\d+)\\.0+', '\\1', 'g')" if $type eq 'jsonb';
	return $value;
}

# render PATH, TEMPLATE: its SQL.  <<rel NAME>> is a table or view, <<val EXPR>> and
# <<cast TYPE EXPR>> reveal, <<same TYPE EXPR>> is comparable().
sub render
{
	my ($path, $template) = @_;
	for ($template)
	{
		s/<<rel (\w+)>>/relation($path, $1)/ge;
		s/<<val ([^>]+)>>/revealed($path, $1)/ge;
		s/<<cast (\w+) ([^>]+)>>/revealed($path, $2, $1)/ge;
		s/<<same (\w+) ([^>]+)>>/comparable($path, $1, $2)/ge;
	}
	return $template;
}

# columns: what one table has, as [name, plain type, sealed type].  _a and _b are sealed
# under one key, _p is plain in every copy.
sub columns
{
	my @columns = ([ 'id', 'integer', 'integer' ], [ 'grp', 'integer', 'integer' ]);
	for my $name (@types)
	{
		my ($native, $key) = @{ $type{$name} }{qw(native key)};
		push @columns, map { [ "${name}_$_", $native, "sealed_$name($key)" ] } 'a', 'b';
		push @columns, [ "${name}_p", $native, $native ];
	}
	return (@columns, [ 'other', 'text', 'sealed_text(other)' ], [ 'hidden', 'text', 'sealed_text(hidden)' ]);
}

sub create_table
{
	my ($db, $path, $name, $partitioning) = @_;
	my $kind    = $path eq 'plain' ? 1 : 2;
	my $table   = relation($path, $name);
	my $columns = join ', ', map { "$_->[0] $_->[$kind]" } columns();

	$db->do("CREATE TABLE $table ($columns) $partitioning");
	if ($name eq 'shelf')
	{
		$db->do("CREATE TABLE ${table}_$_ PARTITION OF $table FOR VALUES WITH (MODULUS 3, REMAINDER $_)") for 0 .. 2;
	}
	elsif ($name eq 'ward')
	{
		$db->do("CREATE TABLE ${table}_one PARTITION OF $table FOR VALUES IN ('1')");
		$db->do("CREATE TABLE ${table}_seven PARTITION OF $table FOR VALUES IN ('7', '-7')");
		$db->do("CREATE TABLE ${table}_rest PARTITION OF $table DEFAULT");
	}
	else
	{
		$db->do("ALTER TABLE $table ADD PRIMARY KEY (id)");
	}
	return;
}

# create_indexes: on some columns only, so that there are plans with and without.
sub create_indexes
{
	my ($db, $path, $name) = @_;
	my $table = relation($path, $name);

	$db->do("CREATE INDEX ON $table ($_)") for qw(text_a int_a date_a numeric_b uuid_b), '(float8_a), grp';
	$db->do("CREATE INDEX ON $table USING hash ($_)") for qw(jsonb_a timestamptz_a);
	return;
}

# random_value COLUMN: one in ten is NULL.
sub random_value
{
	my ($column) = @_;
	my ($name) = $column =~ /^(\w+)_[abp]$/;
	return undef if rand() < 0.1;
	my $values = $type{ $name // 'text' }{values};
	return $values->[ rand @$values ];
}

# fill: the same rows; the sealed ones come as literals and as values of the plain types.
sub fill
{
	my ($db, $name, $rows) = @_;
	my @names = map { $_->[0] } columns();
	my @literals;

	for my $id (1 .. $rows)
	{
		my @values = ($id, int(rand(5)), map { literal(random_value($_)) } @names[ 2 .. $#names ]);
		push @literals, '(' . join(', ', @values) . ')';
	}
	my $half = join ', ', @literals[ 0 .. $rows / 2 ];
	$db->do('INSERT INTO ' . relation('plain', $name) . ' VALUES ' . join(', ', @literals));
	$db->do('INSERT INTO ' . relation('table', $name) . " VALUES $half");
	$db->do('INSERT INTO ' . relation('table', $name) . ' SELECT * FROM ' . relation('plain', $name) . ' WHERE id > ' . ($rows / 2 + 1));
	return;
}

# create_views: views over the tables and over the revealing views, and a function that
# the planner inlines.
sub create_views
{
	my ($db, $path) = @_;
	my $columns = join ', ', map { "e.$_->[0]" } grep { $_->[0] ne 'id' } columns();

	$db->do(render($path, $_)) for
		"CREATE VIEW <<rel over>> WITH (security_invoker) AS SELECT e.* FROM <<rel exam>> e WHERE e.grp <> 4 AND e.text_a IS DISTINCT FROM 'A'",
		"CREATE VIEW <<rel barrier>> WITH (security_invoker, security_barrier) AS SELECT * FROM <<rel visit>> WHERE grp > 0",
		"CREATE VIEW <<rel joined>> WITH (security_invoker) AS SELECT e.id * 1000 + v.id AS id, $columns FROM <<rel over>> e JOIN <<rel barrier>> v ON e.uuid_a = v.uuid_a AND e.grp = v.grp",
		"CREATE FUNCTION <<rel found>>(wanted text, number bigint) RETURNS SETOF <<rel exam>> LANGUAGE sql STABLE AS 'SELECT e.* FROM <<rel exam>> e WHERE e.text_a = wanted OR e.int_b IN (number, 7)'";
	return;
}

# make_copies ADMIN, OWNER, READER: connections of a superuser and of the role that
# will own the copies, and the name of the role that will query them.
sub make_copies
{
	my ($admin, $owner, $reader) = @_;

	$admin->do("SELECT seal.create_key(k, searchable => k <> 'hidden') FROM unnest('{words,numbers,days,other,hidden}'::text[]) k");
	$admin->do("SELECT seal.grant_key(k, r::regrole, '{seal,search,reveal}') FROM unnest('{words,numbers,days,other,hidden}'::text[]) k, unnest(ARRAY[?, ?]) r", undef, $owner->selectrow_array('SELECT current_user'), $reader);
	$owner->do("CREATE SCHEMA $_") for qw(plain sealed);
	$owner->do("CREATE COLLATION plain.caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false)");
	for my $table (@tables)
	{
		my ($name, $rows, $partitioning) = @$table;
		create_table($owner, $_, $name, $partitioning) for qw(plain table);
		fill($owner, $name, $rows);
		create_indexes($owner, $_, $name) for qw(plain table);
		$owner->do("SELECT seal.protect('sealed.exam', 'id', 'exam')") if $name eq 'exam';
		$owner->do("SELECT seal.create_revealing_view('" . relation('table', $name) . "')");
	}
	create_views($owner, $_) for @paths;
	$owner->do("GRANT USAGE ON SCHEMA $_ TO $reader; GRANT ALL ON ALL TABLES IN SCHEMA $_ TO $reader; ") for qw(plain sealed);
	$owner->do('ANALYZE');
	return;
}

1;
