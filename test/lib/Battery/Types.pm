# Types.pm: the sealed types, and values of them that are easily taken for one another.
package Battery::Types;

use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw(@types %type literal array_text array_literal);

# native	the plain type
# key		the key that columns of the type are sealed under
# values	what the columns hold and what is looked for
# near		other plain types that can be compared with the column, and values of them
# far		such ones that PostgreSQL compares after rounding, or beyond the type's range:
#			only revealed values agree
# unique	equal values print alike, so one of a group can be shown
# ordered	min() and max() exist
our %type = (
	text => {
		native => 'text', key => 'words', unique => 1, ordered => 1,
		values => [ '', 'a', 'a ', ' a', 'A', "\xc3\xa9t\xc3\xa9", "e\xcc\x81te\xcc\x81", "d'Orient", 'back\\slash', 'NULL', '{a,b}', 'x"y' ],
		near => { varchar => [ 'a', 'a ', '', 'A' ], 'varchar(2)' => [ 'a', 'a ' ], 'char(4)' => [ 'a', 'A', 'a ', '' ], name => [ 'a', 'A', 'NULL' ] } },
	bytea => {
		native => 'bytea', key => 'words', unique => 1,
		values => [ '\x', '\x00', '\x0000', '\x61', '\x6100', '\xdeadbeef00ff', '\x53454c31' ] },
	bool => {
		native => 'boolean', key => 'numbers', unique => 1,
		values => [ 't', 'f' ] },
	int => {
		native => 'bigint', key => 'numbers', unique => 1, ordered => 1,
		values => [ '0', '1', '7', '-7', '100', '9007199254740993', '9223372036854775807', '-9223372036854775808' ],
		near => { smallint => [ '0', '7', '-7' ], integer => [ '1', '7', '100' ], numeric => [ '7.00', '7.5', '-7', '9223372036854775807', '1e30', 'NaN' ], float8 => [ '7', '7.5', '-7', 'NaN' ] },
		far => { float8 => [ '9007199254740992', '9223372036854775807' ], real => [ '9223372036854775807', '7' ] } },
	float8 => {
		native => 'float8', key => 'numbers', ordered => 1,
		values => [ '0', '-0', '1.5', '7', '0.1', '0.30000000000000004', 'NaN', 'Infinity', '-Infinity', '1e300', '9007199254740992' ],
		near => { smallint => [ '0', '7' ], integer => [ '7', '0' ], bigint => [ '7', '9007199254740993' ], numeric => [ '1.50', '0.1', '7.0', '0.0', '9007199254740993' ], float4 => [ '1.5', '0.1', 'NaN', '-0' ] } },
	numeric => {
		native => 'numeric', key => 'numbers', ordered => 1,
		values => [ '1', '1.0', '1.00', '0', '-0.000', '1.50', '-7', 'NaN', 'Infinity', '-Infinity', '12300000000000000000000', '1.00000000000000000001', '9007199254740993' ],
		near => { smallint => [ '1', '-7' ], integer => [ '0', '-7', '1' ], bigint => [ '1', '-7', '9007199254740992', '9007199254740993' ] },
		far => { float8 => [ '1', '9007199254740992', '12300000000000000000000', 'NaN' ], real => [ '1.5', '-Infinity' ] } },
	date => {
		native => 'date', key => 'days', unique => 1, ordered => 1,
		values => [ '1984-12-03', '2021-02-14', '2000-02-29', '0044-03-15 BC', '0044-03-15', 'infinity', '-infinity' ],
		near => { timestamp => [ '1984-12-03 00:00', '2021-02-14 08:30', '2000-02-29', 'infinity' ], timestamptz => [ '2021-02-14 00:00+01', '2021-02-14 00:00Z', '1984-12-03 00:00+01', '-infinity' ] } },
	timestamptz => {
		native => 'timestamptz', key => 'days', unique => 1, ordered => 1,
		values => [ '2021-02-14 08:30:00+01', '2021-02-14 07:30:00.000001Z', '2021-02-14 00:00:00+01', '2000-02-29 00:00:00+01', '0044-03-15 12:00:00Z BC', 'infinity', '-infinity' ],
		near => { date => [ '2021-02-14', '2000-02-29', 'infinity' ], timestamp => [ '2021-02-14 08:30', '2021-02-14 00:00', '-infinity' ] },
		far => { date => [ '5874897-12-31', '2021-02-14' ] } },
	uuid => {
		native => 'uuid', key => 'words', unique => 1,
		values => [ '6ba7b810-9dad-11d1-80b4-00c04fd430c8', '6ba7b810-9dad-11d1-80b4-00c04fd430c9', '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '{6BA7B811-9DAD-11D1-80B4-00C04FD430C8}' ] },
	jsonb => {
		native => 'jsonb', key => 'days',
		values => [ '{"a": 1, "bb": [true, null]}', '{"bb":[true,null],"a":1}', '{"a": 1.0, "bb": [true, null]}', '{}', '[]', 'null', '"1"', '1', '[1]', '[[1], 2]', '[[1, 2]]', '{"a": {"b": -0.0}}' ] });

our @types = qw(text bytea bool int float8 numeric date timestamptz uuid jsonb);

# literal VALUE: as a constant without a type; undef is NULL.
sub literal
{
	my ($value) = @_;
	return 'NULL' unless defined $value;
	$value =~ s/'/''/g;
	return "'$value'";
}

# array_text VALUE...: as an array is written.
sub array_text
{
	my @elements = @_;
	for (@elements)
	{
		if (defined) { s/([\\"])/\\$1/g; $_ = qq("$_"); }
		else         { $_ = 'NULL'; }
	}
	return '{' . join(',', @elements) . '}';
}

# array_literal VALUE...: all of them as one constant.
sub array_literal { return literal(array_text(@_)) }

1;
