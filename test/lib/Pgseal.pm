# Pgseal.pm: nodes with pgseal, and questions asked of them, for TAP tests.
#
# The library comes from PGSEAL_INSTALL, where `make test` puts it, or from the
# PostgreSQL installation itself (make installcheck).
package Pgseal;

use strict;
use warnings;
use Exporter 'import';
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils qw(slurp_file append_to_file);

our @EXPORT = qw(new_node root_key_file as_role error_of log_since comes_back);

# The same superuser whoever runs the tests.
$ENV{PGUSER} = 'postgres';

my $test_root = slurp_file(dirname(__FILE__) . '/root.hex');

# new_node NAME, OPTION => VALUE...: a started node with pgseal preloaded.
#	root	content of the root key file; undef: no root; default: the test root
#	conf	lines for postgresql.conf
#	start	0: do not start it
#	others	go to PostgreSQL::Test::Cluster->init
sub new_node
{
	my ($name, %option) = @_;
	my $root  = exists $option{root} ? delete $option{root} : $test_root;
	my $conf  = delete $option{conf} // '';
	my $start = delete $option{start} // 1;
	my @extra = @{ delete $option{extra} // [] };

	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(%option,
		extra => [ '--username=postgres', '--locale=C.UTF-8', '--encoding=UTF8', @extra ]);
	$node->append_conf('postgresql.conf', base_settings());
	write_root($node, $root) if defined $root;
	$node->append_conf('postgresql.conf', $conf);
	$node->start if $start;
	return $node;
}

# Cluster->init sets log_statement = all: a test for leaks would find its own
# statements in the log.
sub base_settings
{
	my $settings = "shared_preload_libraries = 'pgseal'\nlog_statement = none\ntimezone = 'UTC'\n";
	if (my $install = $ENV{PGSEAL_INSTALL})
	{
		chomp(my $pkglibdir = `$ENV{PG_CONFIG} --pkglibdir`);
		$settings .= "extension_destdir = '$install'\n"
		  . "dynamic_library_path = '$install$pkglibdir:\$libdir'\n";
	}
	return $settings;
}

# root_key_file NODE: its path, outside the data directory, as the root must be.
sub root_key_file
{
	my ($node) = @_;
	return $node->basedir . '/secret/root.key';
}

sub write_root
{
	my ($node, $root) = @_;
	my $file = root_key_file($node);

	mkdir dirname($file), 0700 or die "could not make the folder of $file: $!";
	append_to_file($file, $root);
	chmod 0600, $file or die "could not change the mode of $file: $!";
	$node->append_conf('postgresql.conf', "seal.root_key_file = '$file'\n");
	return;
}

# as_role NODE, ROLE, SQL [, database => NAME]: output of SQL, run in a session
# of its own that ROLE opened; dies when it fails.
sub as_role
{
	my ($node, $role, $sql, %option) = @_;
	return $node->safe_psql($option{database} // 'postgres',
		$sql, extra_params => [ '--username' => $role ]);
}

# error_of NODE, ROLE, SQL [, database => NAME]: "SQLSTATE: message" of the first
# error, or '' when SQL succeeds.
sub error_of
{
	my ($node, $role, $sql, %option) = @_;
	my ($status, $out, $err) = $node->psql($option{database} // 'postgres',
		$sql, extra_params => [ '--username' => $role, '--set' => 'VERBOSITY=verbose' ]);
	return '' if $status == 0;
	return $err =~ /^(?:psql:\S+ )?(?:ERROR|FATAL|PANIC):  (\w{5}: .*)$/m ? $1 : $err;
}

# log_since NODE, OFFSET: what the server has logged since -s NODE->logfile was OFFSET.
sub log_since
{
	my ($node, $offset) = @_;
	return slurp_file($node->logfile, $offset);
}

# comes_back NODE, OFFSET: waits for a server that crashed when its log was so long; dies after half a minute.
sub comes_back
{
	my ($node, $offset) = @_;
	foreach (1 .. 300)
	{
		last if log_since($node, $offset) =~ /database system is ready to accept connections/;
		select undef, undef, undef, 0.1;
	}
	return $node->poll_query_until('postgres', 'SELECT true') || die 'the server did not come back';
}

1;
