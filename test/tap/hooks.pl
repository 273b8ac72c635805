# hooks.pl: other extensions on the same hooks, loaded before and after pgseal.
# Not a pg_regress test: it needs servers with other preloaded libraries.

use strict;
use warnings;
use Pgseal;
use Test::More;

chomp(my $library = `$ENV{PG_CONFIG} --pkglibdir`);
plan skip_all => 'pgaudit is not installed' unless -e "$library/pgaudit.so";

# audited_ok NODE, LIBRARIES: neither pgaudit's log nor ours misses what the other one has.
sub audited_ok
{
	my ($node, $libraries) = @_;
	my $mark = -s $node->logfile;
	as_role($node, 'lab_app', "SET application_name = 'both'; SELECT seal.reveal(nir) FROM patient WHERE id <= 3;
		UPDATE patient_revealed SET nir = 'both' WHERE id = 9; DELETE FROM patient WHERE id = 10");
	error_of($node, 'lab_other', "SET application_name = 'both'; SELECT seal.reveal(nir) FROM patient");
	$node->safe_psql('postgres', q{SET application_name = 'both'; SELECT seal.grant_key('nir', 'lab_other', '{seal}')});
	$node->safe_psql('postgres', 'SELECT seal.checkpoint()');
	is($node->safe_psql('postgres', q{SELECT string_agg(concat_ws(':', action, row_key, values_opened), ' ' ORDER BY action, row_key) FROM seal.audit_entry WHERE application = 'both' AND action <> 'search'}),
		'close:3 delete:10 grant open refuse update:9', "$libraries: all of it is in the log");
	my $log = log_since($node, $mark);
	like($log, qr/AUDIT: SESSION,\d+,\d+,$_,/, "$libraries: and as $_ in that of pgaudit") foreach 'READ,SELECT', 'WRITE,UPDATE', 'WRITE,DELETE';
	unlike($log, qr/pgaudit stack/, "$libraries: which is not confused");
	return;
}

# works_ok LIBRARIES: the ring, the binder, the guard and the log all do their work.
sub works_ok
{
	my ($libraries) = @_;
	my $node = new_node('n' . ($libraries =~ tr/a-z//cdr), conf => <<"CONF");
shared_preload_libraries = '$libraries'
pgaudit.log = 'all'
auto_explain.log_min_duration = -1
pg_stat_statements.track = all
CONF

	$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pgseal;
CREATE EXTENSION pg_stat_statements;
CREATE EXTENSION pgaudit;
CREATE ROLE lab_app LOGIN;
SELECT seal.create_key('nir', searchable => true);
SELECT seal.grant_key('nir', 'lab_app', '{seal,search,reveal}');
CREATE TABLE patient (id integer PRIMARY KEY, nir sealed_text(nir) UNIQUE);
SELECT seal.create_revealing_view('patient');
SELECT seal.watch('patient');
CREATE ROLE lab_other LOGIN;
GRANT ALL ON patient, patient_revealed TO lab_app, lab_other;
SQL
	as_role($node, 'lab_app', q{INSERT INTO patient SELECT g, 'n' || g FROM generate_series(1, 2000) g});
	is(as_role($node, 'lab_app', q{SELECT seal.reveal(nir) FROM patient WHERE nir = 'n7'}), 'n7', "$libraries: a search is bound");
	like(as_role($node, 'lab_app', q{EXPLAIN SELECT 1 FROM patient WHERE nir = 'n7'}), qr/patient_nir_key/, "$libraries: and uses the index");
	is(as_role($node, 'lab_app', q{UPDATE patient_revealed SET nir = nir || '!' WHERE id = 8 RETURNING nir}), 'n8!', "$libraries: a write through a view is aimed");
	is($node->safe_psql('postgres', q{SELECT calls, query FROM pg_stat_statements WHERE query LIKE 'UPDATE%'}),
		'1|UPDATE patient_revealed SET nir = nir || $1 WHERE id = $2 RETURNING nir', "$libraries: and counted as it was written");
	like(error_of($node, 'lab_app', q{SELECT id FROM patient ORDER BY nir}), qr/^0A000: sealed values have no order/, "$libraries: token order is refused");
	like(error_of($node, 'postgres', q{CREATE TABLE x (y sealed_text)}), qr/^42P16: /, "$libraries: a column without a key is refused");
	like(error_of($node, 'postgres', q{DROP ROLE lab_app}), qr/^2BP01: /, "$libraries: a role with rights is kept");

	audited_ok($node, $libraries);
	my $mark = -s $node->logfile;
	like(error_of($node, 'lab_app', q{DO $$ BEGIN INSERT INTO patient VALUES (1, 'CANARY'); END $$}), qr/^23505: /, "$libraries: a duplicate fails");
	my $log = log_since($node, $mark);
	unlike($log, qr/STATEMENT:|CONTEXT:/, "$libraries: without statement and context in the log");
	like($log, qr/ERROR:  duplicate key/, "$libraries: while the error is");
	like($log, qr/AUDIT: /, "$libraries: pgaudit writes its own");
	is($node->safe_psql('postgres', q{SELECT count(*) > 0 FROM pg_stat_statements WHERE query LIKE 'SELECT seal.reveal%'}), 't', "$libraries: statements are counted");
	$node->stop;
	return;
}

works_ok('pgaudit,pg_stat_statements,auto_explain,pgseal');
works_ok('pgseal,auto_explain,pg_stat_statements,pgaudit');

done_testing;
