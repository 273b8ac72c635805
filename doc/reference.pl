# reference.pl: prints doc/reference.md; doc/make_reference says when.
#
# What exists ten times, once for each sealed type, is printed once: objects that
# differ in types only are one entry, and the words in which their comments
# differ are an ellipsis.
use strict;
use warnings;
use open ':std', ':encoding(UTF-8)';
use JSON::PP;

my $ellipsis = "\x{2026}";
my $arrow    = "\x{2192}";

# Every member of the extension, with its comment.
my $members = <<'END';
member AS (
  SELECT classid, objid, obj_description(objid, classid::regclass::name) AS comment
  FROM pg_depend
  WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
    AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pgseal'))
END

# The names that one writes.
my %short = (
	'timestamp with time zone'    => 'timestamptz',
	'timestamp without time zone' => 'timestamp',
	'character varying'           => 'varchar',
	'character'                   => 'char');
my $long = join '|', map { quotemeta } sort { length $b <=> length $a } keys %short;

# ask SQL: its rows, as hashes.  SQL reads from the members.
sub ask
{
	my ($sql) = @_;
	open my $psql, '-|:raw', 'psql', '--no-psqlrc', '--quiet', '--no-align', '--tuples-only', '--set=ON_ERROR_STOP=1',
	  '--command', "SET search_path = pg_catalog; SET client_encoding = 'UTF8';"
	  . " WITH $members SELECT coalesce(json_agg(answer), '[]') FROM ($sql) AS answer"
	  or die "could not run psql: $!\n";
	my $rows = do { local $/; <$psql> };
	close $psql or die "psql failed\n";
	$rows =~ s{"($long)((?:\[\])?)"}{"$short{$1}$2"}g;
	return @{ decode_json($rows) };
}

# --- words ---------------------------------------------------------------------------------------

# group_by CODE, ITEM...: lists of items for which CODE gives the same, in the order of that.
sub group_by
{
	my ($key_of, @items) = @_;
	my %groups;
	push @{ $groups{ $key_of->($_) } }, $_ for @items;
	return map { $groups{$_} } sort keys %groups;
}

sub uniq
{
	my %seen;
	return grep { !$seen{$_}++ } @_;
}

my $sealed_types = join '|', map { $_->{name} } ask(
	"SELECT typname AS name FROM member JOIN pg_type t ON classid = 'pg_type'::regclass AND t.oid = objid WHERE typelem = 0");

# any_type TEXT: with sealed_* for the name of a sealed type, also inside another name.
sub any_type
{
	my ($text) = @_;
	$text =~ s/\b(?:$sealed_types)(?![a-z0-9])/sealed_*/g;
	return $text;
}

# common TEXT...: what the texts have in common; the words between are an ellipsis.
sub common
{
	my @texts = uniq(@_);
	return $texts[0] if @texts == 1;
	@texts = uniq(map { any_type($_) } @texts);
	return $texts[0] if @texts == 1;

	my @head = common_head(@texts);
	my @tail = reverse split //, join '', common_head(map { scalar reverse $_ } map { substr $_, @head } @texts);
	return join '', whole_words(\@head, $ellipsis, \@tail);
}

# common_head TEXT...: characters with which all begin.
sub common_head
{
	my ($first, @others) = @_;
	my @head;
	for my $n (0 .. length($first) - 1)
	{
		my $character = substr $first, $n, 1;
		last if grep { length($_) <= $n || substr($_, $n, 1) ne $character } @others;
		push @head, $character;
	}
	return @head;
}

# No half words beside the ellipsis; parts of a name count as words.
sub whole_words
{
	my ($head, $middle, $tail) = @_;
	pop @$head while @$head && $head->[-1] =~ /[a-z0-9]/i;
	shift @$tail while @$tail && $tail->[0] =~ /[a-z0-9]/i;
	return (@$head, $middle, @$tail);
}

sub code { return map { "`$_`" } @_ }

# cell TEXT: for a table.
sub cell
{
	my ($text) = @_;
	$text =~ s/\|/\\|/g;
	return $text;
}

sub print_table
{
	my ($head, @rows) = @_;
	print "\n";
	print '| ', join(' | ', map { cell($_) } @$_), " |\n" for $head, [ ('---') x @$head ], @rows;
}

# --- types, casts, operators ---------------------------------------------------------------------

sub print_types
{
	my @types = ask(<<'END');
  SELECT typname AS name, comment,
    (SELECT format_type(prorettype, NULL) FROM pg_proc
     WHERE pronamespace = 'seal'::regnamespace AND proname = 'reveal' AND proargtypes = ARRAY[t.oid]::oidvector) AS plain
  FROM member JOIN pg_type t ON classid = 'pg_type'::regclass AND t.oid = objid
  WHERE typtype = 'b' AND typelem = 0
END
	my @casts = ask(<<'END');
  SELECT format_type(castsource, NULL) AS source, format_type(casttarget, NULL) AS target, castcontext AS context, comment
  FROM member JOIN pg_cast c ON classid = 'pg_cast'::regclass AND c.oid = objid
END
	my @operators = ask(<<'END');
  SELECT format_type(oprright, NULL) AS other, format_type(oprleft, NULL) AS sealed
  FROM member JOIN pg_operator o ON classid = 'pg_operator'::regclass AND o.oid = objid
  WHERE oprname = '=' AND oprleft IN (SELECT objid FROM member WHERE classid = 'pg_type'::regclass)
END
	my $listed = sub { return join ', ', code(sort @_) };

	print "\n## Types\n\n", common(map { $_->{comment} } @types), ".\n";
	print_table(
		[ 'type', 'of', 'assigned from', 'cast to', 'compared with' ],
		map {
			my $name = $_->{name};
			[
				code($name, $_->{plain}),
				$listed->(map { $_->{source} } grep { $_->{target} eq $name && $_->{context} eq 'a' } @casts),
				$listed->(map { $_->{target} } grep { $_->{source} eq $name && $_->{context} eq 'e' } @casts),
				$listed->(map { $_->{other} } grep { $_->{sealed} eq $name && $_->{other} ne $name } @operators)
			]
		} sort { $a->{name} cmp $b->{name} } @types);
	print_casts(@casts);
}

sub print_casts
{
	my (@casts) = @_;
	my %context = (a => 'on assignment', e => 'explicit', i => 'implicit');
	print "\nCasts:\n\n";
	for my $group (group_by(sub { $_[0]{context} }, @casts))
	{
		print "- $context{ $group->[0]{context} }, ",
		  common(map { "`$_->{source}` to `$_->{target}`" } @$group), ': ', common(map { $_->{comment} } @$group), "\n";
	}
}

sub print_operators
{
	my @operators = ask(<<'END');
  SELECT CASE oprnamespace WHEN 'pg_catalog'::regnamespace THEN '' ELSE oprnamespace::regnamespace || '.' END || oprname AS name,
    format_type(oprleft, NULL) AS "left", format_type(oprright, NULL) AS "right", comment
  FROM member JOIN pg_operator o ON classid = 'pg_operator'::regclass AND o.oid = objid
END
	my $shape = sub {
		my ($left, $right) = map { any_type($_) } @{ $_[0] }{qw(left right)};
		return "$left, $right" if $left eq $right;
		return $left eq 'sealed_*' ? 'sealed_*, plain' : 'plain, sealed_*';
	};
	print "\n## Operators\n";
	print_table(
		[ 'operator', 'between', 'result' ],
		map { [ join(', ', code(uniq(sort map { $_->{name} } @$_))), join('; ', uniq(sort map { $shape->($_) } @$_)), $_->[0]{comment} ] }
		  group_by(sub { $_[0]{comment} }, @operators));
}

sub print_classes
{
	my @classes = ask(<<'END');
  SELECT 'class ' || opcnamespace::regnamespace || '.' || opcname || ' USING ' || amname AS name, comment
  FROM member JOIN pg_opclass c ON classid = 'pg_opclass'::regclass AND c.oid = objid JOIN pg_am a ON a.oid = opcmethod
  UNION ALL
  SELECT 'family ' || opfnamespace::regnamespace || '.' || opfname || ' USING ' || amname, comment
  FROM member JOIN pg_opfamily f ON classid = 'pg_opfamily'::regclass AND f.oid = objid JOIN pg_am a ON a.oid = opfmethod
END
	print_table(
		[ 'operator class or family', 'use' ],
		map { [ common(code(map { $_->{name} } @$_)), common(map { $_->{comment} } @$_) ] }
		  group_by(sub { any_type($_[0]{name}) }, @classes));
}

# --- functions -----------------------------------------------------------------------------------

# Those behind types, operators and triggers, and casts named after types, nobody calls by name.
sub ask_functions
{
	return ask(<<'END');
  SELECT pronamespace::regnamespace || '.' || proname AS name, prosrc AS source, pg_get_function_result(p.oid) AS result, comment,
    ARRAY(SELECT pg_get_function_arg_default(p.oid, n::integer) FROM generate_series(1, pronargs) AS n) AS defaults,
    coalesce(proargnames, '{}') AS names,
    ARRAY(SELECT format_type(type, NULL) FROM unnest(proargtypes) WITH ORDINALITY AS a(type, n) ORDER BY n) AS types,
    EXISTS (SELECT FROM pg_type WHERE p.oid IN (typinput, typoutput, typreceive, typsend, typmodin, typmodout, typanalyze))
      OR EXISTS (SELECT FROM pg_operator WHERE oprcode = p.oid)
      OR EXISTS (SELECT FROM pg_amproc WHERE amproc = p.oid)
      OR EXISTS (SELECT FROM pg_trigger t JOIN member m ON m.objid = t.tgrelid AND m.classid = 'pg_class'::regclass WHERE tgfoid = p.oid)
      OR EXISTS (SELECT FROM pg_cast JOIN pg_type t ON t.oid IN (castsource, casttarget)
                 WHERE castfunc = p.oid AND strpos(proname, typname) > 0) AS hidden
  FROM member JOIN pg_proc p ON classid = 'pg_proc'::regclass AND p.oid = objid
END
}

# signature FUNCTION...: of overloads with as many arguments; types that differ are an ellipsis.
# A procedure has no result.
sub signature
{
	my (@functions) = @_;
	my $one = $functions[0];
	my @arguments = map { argument($_, @functions) } 0 .. $#{ $one->{types} };
	my $call = common(map { $_->{name} } @functions) . '(' . join(', ', @arguments) . ')';
	return defined $one->{result} ? "$call $arrow " . common_type(map { $_->{result} } @functions) : "CALL $call";
}

sub argument
{
	my ($n, @functions) = @_;
	my $one     = $functions[0];
	my $default = $one->{defaults}[$n];
	my @words   = ($one->{names}[$n] // (), common_type(map { $_->{types}[$n] } @functions));
	$default =~ s/::\w+(?: \w+)*(?:\[\])?$// if defined $default;
	return join ' ', @words, defined $default ? "DEFAULT $default" : ();
}

# common_type TYPE...: where each type comes with its array, the arrays are left out.
sub common_type
{
	my (@types) = uniq(@_);
	my %given = map { $_ => 1 } @types;
	my @elements = grep { $given{"${_}[]"} } @types;
	return common(@elements * 2 == @types ? @elements : @types);
}

# variants FUNCTION...: for each overload the types that tell it from the others.
sub variants
{
	my (@functions) = @_;
	my @differing = grep {
		my $n = $_;
		uniq(map { $_->{types}[$n] } @functions) > 1
	} 0 .. $#{ $functions[0]{types} };
	my %result_of = map { join(', ', @{ $_->{types} }[@differing]) => $_->{result} } @functions;
	my @arrays = grep { defined $result_of{"${_}[]"} } keys %result_of;
	delete @result_of{ map { "${_}[]" } @arrays };
	my $results = uniq(values %result_of);
	return join(', ', map { "`$_`" . ($results > 1 ? " $arrow `$result_of{$_}`" : '') } sort keys %result_of)
	  . (@arrays ? '; arrays of these likewise' : '');
}

sub print_functions
{
	my (@functions) = @_;
	print "\n## Functions\n\nFive characters like 42501 are the SQLSTATE of an error.\n";
	for my $group (group_by(sub { join ' ', $_[0]{name}, scalar @{ $_[0]{types} } }, @functions))
	{
		print "\n`", signature(@$group), "`  \n", common(map { $_->{comment} } @$group);
		print "  \nFor ", variants(@$group), '.' if @$group > 1;
		print "\n";
	}
}

sub print_hidden_functions
{
	my (@functions) = @_;
	print "\n## Behind types, casts, operators and triggers\n\nNobody calls these by name.\n";
	print_table(
		[ 'function', 'what it does' ],
		sort { $a->[0] cmp $b->[0] }
		map { [ code(signature(@$_)), common(map { $_->{comment} } @$_) ] }
		  group_by(sub { join ' ', $_[0]{source}, scalar @{ $_[0]{types} } }, @functions));
}

# --- views, tables, settings ---------------------------------------------------------------------

sub print_relations
{
	my ($title, @relkinds) = @_;
	my $relkinds = join ', ', map { "'$_'" } @relkinds;
	my @relations = ask(<<END);
  SELECT oid::regclass::text AS name, comment,
    ARRAY(SELECT attname || ' ' || format_type(atttypid, atttypmod) || coalesce(': ' || col_description(attrelid, attnum), '')
          FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum) AS columns
  FROM member JOIN pg_class c ON classid = 'pg_class'::regclass AND c.oid = objid
  WHERE relkind IN ($relkinds)
END
	print "\n## $title\n";
	for my $relation (sort { $a->{name} cmp $b->{name} } @relations)
	{
		print "\n`$relation->{name}`  \n$relation->{comment}.  \nColumns: ", join(', ', code(@{ $relation->{columns} })), ".\n";
	}
}

sub print_settings
{
	my @settings = ask(<<'END');
  SELECT name, boot_val AS "default", unit, context, short_desc, extra_desc FROM pg_settings WHERE name LIKE 'seal.%'
END
	my %when = (
		postmaster          => 'at a start of the server',
		sighup              => 'at a reload',
		'superuser-backend' => 'at a connection, by superusers',
		backend             => 'at a connection',
		superuser           => 'at any time, by superusers',
		user                => 'at any time');
	print "\n## Settings\n";
	for my $setting (sort { $a->{name} cmp $b->{name} } @settings)
	{
		my $default = $setting->{default} // '';
		$default = $default eq '' ? 'empty' : "`$default`" . ($setting->{unit} // '');
		print "\n`$setting->{name}`  \n", join(' ', grep { defined } @{$setting}{qw(short_desc extra_desc)}),
		  "  \nDefault: $default. Changes: ", $when{ $setting->{context} } // $setting->{context}, ".\n";
	}
}

# What the sections above do not know; a schema, say.
sub print_others
{
	my @others = ask(<<'END');
  SELECT (pg_identify_object(classid, objid, 0)).type || ' ' || (pg_identify_object(classid, objid, 0)).identity AS name, comment
  FROM member
  WHERE classid NOT IN ('pg_type'::regclass, 'pg_cast'::regclass, 'pg_operator'::regclass, 'pg_opclass'::regclass,
      'pg_opfamily'::regclass, 'pg_proc'::regclass)
    AND NOT (classid = 'pg_class'::regclass AND objid IN (SELECT oid FROM pg_class WHERE relkind IN ('v', 'r', 'p', 'S')))
  UNION ALL
  SELECT 'trigger ' || tgname || ' on ' || tgrelid::regclass, obj_description(t.oid, 'pg_trigger')
  FROM pg_trigger t JOIN member ON classid = 'pg_class'::regclass AND objid = tgrelid
  WHERE NOT tgisinternal
END
	print "\n## Others\n";
	print_table([ 'object', 'use' ], map { [ code($_->{name}), $_->{comment} ] } sort { $a->{name} cmp $b->{name} } @others);
}

print "# Reference\n\nGenerated by `make reference` from the comments in the database; change those, not this file.\n";
my @functions = ask_functions();
print_types();
print_functions(grep { !$_->{hidden} } @functions);
print_relations('Views', 'v');
print_settings();
print_operators();
print_classes();
print_relations('Tables of the ring', 'r', 'p');
print_hidden_functions(grep { $_->{hidden} } @functions);
print_others();
