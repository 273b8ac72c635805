# DBD::Pg: parameters without a type, unless bound with one; server-side prepare.
use strict;
use warnings;
use utf8;
use DBD::Pg ':pg_types';
use DBI;
use Encode qw(decode);
use File::Basename qw(dirname);
use Test::More;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output todo_output);

sub slurp
{
	my ($path) = @_;
	open my $file, '<:encoding(UTF-8)', $path or die "could not read $path: $!";
	local $/;
	return <$file>;
}

# An empty name too: it is a value, NULL is none.
my @names = ('', split /\n/, slurp($ENV{CLIENTS_NAMES}));
my %row = (
	nir => '184127645108946', name => 'Léger', born => '1984-12-03',
	token => 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', alive => 1, visits => 7, weight => 71.5,
	dose => '0.30', seen => '2021-02-23 09:15:30+00', record => '{"hiv": ["positive", null]}');
my @columns = sort keys %row;

my $app = connect_as('client_app', 'app');

sub connect_as
{
	my ($role, $password) = @_;
	return DBI->connect('dbi:Pg:', $role, $password, { RaiseError => 1, PrintError => 0, AutoCommit => 1 });
}

sub column
{
	my ($sql, @params) = @_;
	return $app->selectcol_arrayref($sql, undef, @params);
}

sub state_of
{
	my ($handle, $sql, @params) = @_;
	eval { $handle->selectall_arrayref($sql, undef, @params); 1 } and return '';
	return $handle->state;
}

sub test_write
{
	$app->do(slurp(dirname(__FILE__) . '/patient.sql'));
	$app->do('INSERT INTO patient (id, ' . join(', ', @columns) . ') VALUES (?' . ', ?' x @columns . ')',
		undef, 1, @row{@columns});
	is_deeply(column("SELECT seal.reveal($_) FROM patient"), [ $row{$_} ], "insert and reveal: $_") for @columns;

	my $update = $app->prepare('UPDATE patient SET scan = ?, born = ? WHERE id = 1');
	$update->bind_param(1, "\x00\xff\\", { pg_type => PG_BYTEA });
	$update->bind_param(2, '1984-12-04', { pg_type => PG_DATE });
	$update->execute;
	is_deeply(column('SELECT seal.reveal(scan) FROM patient'), ["\x00\xff\\"], 'update: bytea');
	is_deeply(column('SELECT seal.reveal(born) FROM patient'), ['1984-12-04'], 'update: date');
	$app->do('UPDATE patient SET dose = ?, seen = ? WHERE id = 1', undef, undef, undef);
	is_deeply(column('SELECT dose IS NULL AND seen IS NULL FROM patient'), [1], 'update: undef');

	my $insert = $app->prepare('INSERT INTO patient (id, nir) VALUES (?, ?)');
	$insert->execute_array({}, [ 2, 3 ], [ 'second', 'third' ]);
	is_deeply(column('SELECT seal.reveal(nir) FROM patient WHERE id IN (2, 3) ORDER BY id'), [ 'second', 'third' ],
		'execute_array');
	is_deeply(
		column('INSERT INTO patient (id, nir, name) VALUES (?, ?, ?) ON CONFLICT (nir)'
			  . q{ DO UPDATE SET name = excluded.name RETURNING id || ' ' || seal.reveal(name)}, 99, 'second', 'upserted'),
		['2 upserted'], 'upsert');
}

sub test_search
{
	is_deeply(column('SELECT id FROM patient WHERE nir = ?', 'third'), [3], 'search: text');
	is_deeply(column('SELECT id FROM patient WHERE born = ?', '1984-12-04'), [1], 'search: date');
	is_deeply(column('SELECT id FROM patient WHERE nir = ANY(?) ORDER BY id', [ 'second', 'third', 'nobody' ]),
		[ 2, 3 ], 'search: = ANY of an array');
	is_deeply(column('SELECT id FROM patient WHERE nir IN (?, ?) ORDER BY id', 'second', 'third'), [ 2, 3 ], 'search: IN');
	is(state_of($app, 'SELECT id FROM patient WHERE visits = ?', 7), '0A000', 'search: 0A000 when not searchable');
	$app->do('SET enable_seqscan = off');
	like(join("\n", @{ column('EXPLAIN SELECT id FROM patient WHERE nir = ?', 'third') }),
		qr/Index Scan using patient_nir_key/, 'search uses the index');
}

sub test_envelopes
{
	my ($envelope) = @{ column('SELECT nir FROM patient WHERE id = 3') };
	like($envelope, qr/^seal1:/, 'a sealed column reads as an envelope');
	$app->do('UPDATE patient SET nir = ? WHERE id = 3', undef, $envelope);
	is_deeply(column('SELECT nir FROM patient WHERE id = 3'), [$envelope], 'and can be written back');

	my $insert = $app->prepare('INSERT INTO patient (id, name) VALUES (?, ?)', { pg_switch_prepared => 1 });
	$insert->execute($_, 'three times') for 10 .. 12;
	my %ciphertexts = map { $_ => 1 } @{ column('SELECT name FROM patient WHERE id BETWEEN 10 AND 12') };
	is(keys %ciphertexts, 3, 'prepared, executed three times: three ciphertexts');

	my $find = $app->prepare('SELECT id FROM patient WHERE nir = ?', { pg_switch_prepared => 1 });
	my @found = map { $app->selectrow_array($find, undef, 'third') } 1 .. 7;
	is_deeply(\@found, [ (3) x 7 ], 'a prepared search goes on finding after its plan became generic');
}

sub test_names
{
	my $insert = $app->prepare('INSERT INTO patient (id, nir, name) VALUES (?, ?, ?)');
	my $id = 1000;
	$insert->execute($id++, $_, $_) for @names;
	is_deeply(column('SELECT seal.reveal(name) FROM patient WHERE id >= 1000 ORDER BY id'), \@names,
		@names . ' names of all scripts are written and read');
	is_deeply(column('SELECT id FROM patient WHERE nir = ANY(?) ORDER BY id', \@names), [ 1000 .. $id - 1 ], 'and found');
}

sub test_copy
{
	$app->do('COPY patient (id, nir) FROM STDIN');
	$app->pg_putcopydata("20\tcopié\n");
	$app->pg_putcopyend;
	is_deeply(column('SELECT seal.reveal(nir) FROM patient WHERE id = 20'), ['copié'], 'COPY in: plain values are sealed');

	my $before = column('SELECT to_jsonb(patient)::text FROM patient ORDER BY id');
	my ($rows, $line) = ('');
	$app->do('COPY patient TO STDOUT');
	$rows .= $line while $app->pg_getcopydata($line) >= 0;
	unlike($rows, qr/copié/, 'COPY out: no plain value');
	$app->do('TRUNCATE patient');
	$app->do('COPY patient FROM STDIN');
	$app->pg_putcopydata($rows);
	$app->pg_putcopyend;
	is_deeply(column('SELECT to_jsonb(patient)::text FROM patient ORDER BY id'), $before,
		'COPY in of what COPY out gave: the same envelopes');
}

sub test_without_right
{
	my $intern = connect_as('client_intern', 'intern');
	is(state_of($intern, 'SELECT seal.reveal(nir) FROM patient'), '42501', 'without a right: reveal');
	is(state_of($intern, 'INSERT INTO patient (id, nir) VALUES (?, ?)', 30, 'x'), '42501', 'without a right: insert');
	is(state_of($intern, 'SELECT id FROM patient WHERE nir = ?', 'third'), '42501', 'without a right: search');
}

test_write();
test_search();
test_envelopes();
test_names();
test_copy();
test_without_right();
done_testing();
