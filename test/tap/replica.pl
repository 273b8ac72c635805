# replica.pl: sealed values on a streaming replica and through logical replication.
# Not a pg_regress test: it needs several servers.

use strict;
use warnings;
use Pgseal;
use PostgreSQL::Test::Utils qw(slurp_file);
use File::Find;
use Test::More;

my $primary = new_node('primary', allows_streaming => 'logical', conf => "max_worker_processes = 16\n");
$primary->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pgseal;
CREATE ROLE lab_app LOGIN;
SELECT seal.create_key('nir', searchable => true), seal.create_key('note');
SELECT seal.grant_key(k, 'lab_app', '{seal,search,reveal}') FROM unnest('{nir,note}'::text[]) k;
CREATE TABLE patient (id integer PRIMARY KEY, nir sealed_text(nir) UNIQUE, note sealed_text(note), plain text);
GRANT ALL ON patient TO lab_app;
SQL
as_role($primary, 'lab_app', q{INSERT INTO patient SELECT g, 'n' || g, 'CANARY-SEALED-' || g, 'CANARY-PLAIN-' || g FROM generate_series(1, 500) g});

# Streaming replica ------------------------------------------------------------------------------

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);

my $open = $standby->background_psql('postgres', on_error_stop => 0, extra_params => [ '--username' => 'lab_app', '--set' => 'VERBOSITY=verbose' ]);
is($open->query_safe(q{SELECT seal.reveal(note) FROM patient WHERE nir = 'n7'}), 'CANARY-SEALED-7', 'a standby finds and opens');
is(as_role($standby, 'lab_app', q{SELECT count(seal.reveal(note)) FROM patient}), '500', 'every row');
like(error_of($standby, 'postgres', q{SELECT seal.create_key('x')}), qr/^25006: cannot execute a change of the key ring/, 'and changes no ring');

$primary->safe_psql('postgres', q{SELECT seal.rotate_key('note'); SELECT seal.revoke_key('nir', 'lab_app')});
as_role($primary, 'lab_app', q{INSERT INTO patient (id, note) VALUES (501, 'new version')});
$primary->wait_for_catchup($standby);
is($open->query_safe(q{SELECT seal.reveal(note) FROM patient WHERE id = 501}), 'new version', 'a rotation reaches its open sessions');
$open->query(q{SELECT id FROM patient WHERE nir = 'n7'});
like($open->{stderr}, qr/42501: permission denied for key "nir"/, 'a revoke too');
$open->quit;

my ($sealed, $plain) = (0, 0);
find({ no_chdir => 1, wanted => sub {
	return unless -f $_;
	my $bytes = slurp_file($_);
	$sealed++ if $bytes =~ /CANARY-SEALED/;
	$plain++  if $bytes =~ /CANARY-PLAIN/;
} }, $standby->data_dir);
is($sealed, 0, 'no sealed value stands in a file of the standby');
cmp_ok($plain, '>', 0, 'while plain ones do');

$primary->safe_psql('postgres', q{SELECT seal.grant_key('nir', 'lab_app', '{seal,search}')});

# Logical replication, to a server without a root ------------------------------------------------------

my $subscriber = new_node('subscriber', root => undef, conf => "wal_level = logical\n");
$subscriber->safe_psql('postgres', <<'SQL');
CREATE ROLE lab_app LOGIN;
CREATE EXTENSION pgseal;
SET check_function_bodies = off;	-- as in a restore: the keys are not here
CREATE TABLE patient (id integer PRIMARY KEY, nir sealed_text(nir) UNIQUE, note sealed_text(note), plain text);
SQL
$primary->safe_psql('postgres', 'CREATE PUBLICATION all_patients FOR TABLE patient');
for my $binary ('false', 'true')
{
	my $name = "sub_$binary";
	$subscriber->safe_psql('postgres', 'TRUNCATE patient');
	$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION $name CONNECTION '" . $primary->connstr . " dbname=postgres user=postgres' PUBLICATION all_patients WITH (binary = $binary)");
	$subscriber->wait_for_subscription_sync($primary, $name);
	as_role($primary, 'lab_app', "INSERT INTO patient (id, nir) VALUES (600, 'n600$binary') ON CONFLICT (id) DO UPDATE SET nir = excluded.nir; UPDATE patient SET note = 'changed' WHERE id = 1; DELETE FROM patient WHERE id = 2");
	$primary->wait_for_catchup($name);
	my $query = 'SELECT md5(string_agg(p::text, E\'\n\' ORDER BY id)), count(*) FROM patient p';
	is($subscriber->safe_psql('postgres', $query), $primary->safe_psql('postgres', $query), "binary = $binary: the same envelopes arrive");
	like(error_of($subscriber, 'postgres', 'SELECT seal.reveal(note) FROM patient'), qr/^55000: no root key is loaded/, "binary = $binary: which do not open there");
	$subscriber->safe_psql('postgres', "DROP SUBSCRIPTION $name");
}

done_testing;
