# DBD::Pg: parameters without a type, unless bound with one.
use strict;
use warnings;
use utf8;
use open ':std', ':encoding(UTF-8)';
use DBD::Pg ':pg_types';
use DBI;
use FindBin;
use JSON::PP;

my $json = JSON::PP->new->canonical->allow_nonref;
my $app  = connect_as('client_app', 'app');

sub lines_of
{
	my ($path) = @_;
	open my $file, '<', "$FindBin::Bin/$path" or die "could not read $path: $!";
	chomp(my @lines = <$file>);
	return @lines;
}

my ($heading, @patients) = map { [ split /\t/ ] } lines_of('patients.tsv');
my @names = lines_of('../names.txt');
my $marks = join ', ', ('?') x @$heading;

sub connect_as
{
	my ($role, $password) = @_;
	return DBI->connect('dbi:Pg:', $role, $password, { RaiseError => 1, PrintError => 0, AutoCommit => 1 });
}

# Sub and how a client's step is done; what it dies of is the answer, a wrong one.
sub step
{
	my ($name, $how, $run) = @_;
	my $answer = eval { $run->() } // "Error: $@";
	print join("\t", $name, $how, $json->encode($answer)), "\n";
}

sub rows
{
	my ($sql, @params) = @_;
	return $app->selectall_arrayref($sql, undef, @params);
}

sub ids
{
	my ($sql, @params) = @_;
	return [ map { $_ + 0 } @{ $app->selectcol_arrayref($sql, undef, @params) } ];
}

# A row whose first field is a number, and whose times are those of steps.tsv.
sub with_id
{
	my ($id, @fields) = @{ $_[0] };
	return [ $id + 0, map { s/^(\S{10}) (\S{8})\+00$/$1T$2Z/r } @fields ];
}

sub state_of
{
	my ($handle, $sql, @params) = @_;
	eval { $handle->selectall_arrayref($sql, undef, @params); 1 } and return undef;
	return $handle->state;
}

print "client\tDBD::Pg $DBD::Pg::VERSION, DBI $DBI::VERSION\n";
step('create', 'do() of CREATE TABLE', sub {
	$app->do($_) for join("\n", lines_of('table.sql')), lines_of('view.sql');
	return ids('SELECT id FROM patient_revealed');
});
step('type', 'column_info(), and {TYPE} and {pg_type} of a statement', sub {
	my $column = $app->column_info(undef, undef, 'patient', 'nir')->fetchrow_hashref;
	my $select = $app->prepare('SELECT nir FROM patient');
	$select->execute;
	return { TYPE_NAME => $column->{TYPE_NAME}, DATA_TYPE => $column->{DATA_TYPE}, TYPE => $select->{TYPE}[0], pg_type => $select->{pg_type}[0] };
});
step('insert', 'execute_for_fetch()', sub {
	my $insert = $app->prepare('INSERT INTO patient (' . join(', ', @$heading) . ") VALUES ($marks)");
	$insert->execute_for_fetch(do { my @rows = @patients; sub { shift @rows } });
	return with_id(rows('SELECT * FROM patient_revealed WHERE id = 1')->[0]);
});
step('null', 'undef', sub {
	$app->do("INSERT INTO patient VALUES ($marks)", undef, 5, '555', (undef) x 5);
	return rows('SELECT name, born, seen, dose, note FROM patient_revealed WHERE id = 5')->[0];
});
step('update', 'bind_param() with pg_type PG_DATE', sub {
	my $update = $app->prepare('UPDATE patient SET born = ?, dose = ?, note = ? WHERE id = 2');
	$update->bind_param(1, '1990-01-16', { pg_type => PG_DATE });
	$update->bind_param(2, '12.50', { pg_type => PG_NUMERIC });
	$update->bind_param(3, 'négatif');
	$update->execute;
	return rows('SELECT born, dose, note FROM patient_revealed WHERE id = 2')->[0];
});
step('upsert', 'ON CONFLICT (nir) DO UPDATE', sub {
	my $upsert = $app->prepare('INSERT INTO patient (id, nir, name) VALUES (?, ?, ?) ON CONFLICT (nir) DO UPDATE SET name = excluded.name');
	$upsert->execute(@$_) for [ 33, $patients[2][1], 'Noël' ], [ 6, '666', 'Nadia' ];
	return [ map { with_id($_) } @{ rows('SELECT id, name FROM patient_revealed WHERE id IN (3, 6) ORDER BY id') } ];
});
step('equality', 'on the view', sub { ids('SELECT id FROM patient_revealed WHERE nir = ?', $patients[0][1]) });
step('equality', 'on the table', sub { ids('SELECT id FROM patient WHERE nir = ?', $patients[0][1]) });
step('like', 'LIKE', sub { ids('SELECT id FROM patient_revealed WHERE name LIKE ? ORDER BY id', 'N%') });
step('range', 'two strings', sub {
	ids('SELECT id FROM patient_revealed WHERE born >= ? AND born < ? ORDER BY id', '1990-01-01', '1991-01-01');
});
step('page', 'ORDER BY, LIMIT, OFFSET', sub { ids('SELECT id FROM patient_revealed ORDER BY name LIMIT ? OFFSET ?', 2, 2) });
step('native', 'as all the others', sub {
	[ map { with_id($_) }
		  @{ rows('SELECT id, name, dose FROM patient_revealed WHERE nir = ? AND born > ?', $patients[1][1], '1990-01-01') } ];
});
step('names', 'one by one', sub {
	my $insert = $app->prepare('INSERT INTO patient (id, nir, name) VALUES (?, ?, ?)');
	$insert->execute(10 + $_, 10 + $_, $names[$_]) for 0 .. $#names;
	return [ map { rows('SELECT name FROM patient_revealed WHERE name = ? AND id >= 10', $_)->[0][0] } @names ];
});
step('refused', '$dbh->state', sub {
	my $intern = connect_as('client_intern', 'intern');
	return [ state_of($intern, 'SELECT seal.reveal(nir) FROM patient WHERE id = ?', 1),
		state_of($intern, 'INSERT INTO patient (id, nir) VALUES (?, ?)', 99, 'x') ];
});
step('view_insert', 'INSERT', sub {
	$app->do('INSERT INTO patient_revealed (id, nir, name, born, note) VALUES (?, ?, ?, ?, ?)',
		undef, 7, '777', 'Vue', '2001-02-03', 'à relire');
	return with_id(rows('SELECT id, name, born, note FROM patient_revealed WHERE id = 7')->[0]);
});
step('view_update', 'UPDATE', sub {
	$app->do('UPDATE patient_revealed SET note = ? WHERE id = 7', undef, 'relu');
	return rows('SELECT note FROM patient_revealed WHERE id = 7')->[0];
});
