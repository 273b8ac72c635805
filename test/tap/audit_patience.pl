# audit_patience.pl: who demands a checkpoint waits as long as the log goes on, and no longer.
#
# Not a pg_regress test: it waits more than a minute.
use strict;
use warnings;
use Pgseal;
use Test::More;
use Time::HiRes qw(sleep time);

my $patience = 60;
my $node = new_node('audit_patience', conf => "seal.ingest_interval = '1h'\nseal.audit_sync = off\n");
my @databases = qw(slow stuck);
my (%holder, %waiter, %begun);

sub session { return $node->background_psql($_[0], on_error_stop => 0); }

# hold DATABASE: no batch is taken in there from now on; one that waits for it already comes first.
sub hold { return $holder{ $_[0] }->query_safe('BEGIN; LOCK TABLE seal.audit_entry IN SHARE MODE'); }

sub release { return $holder{ $_[0] }->query_safe('COMMIT'); }

# demand DATABASE: seal.checkpoint(), not waited for.
sub demand
{
	my ($database) = @_;
	$begun{$database} = time;
	return $waiter{$database}->query_until(qr/sent/, "\\echo sent\nSELECT 'checkpoint of ' || split_part(seal.checkpoint(), E'\\n', 2);\n");
}

# answer DATABASE: what came of it.
sub answer
{
	my ($database) = @_;
	my $said = $waiter{$database}->query_until(qr/answered/, "\\echo answered\n");
	return $said . $waiter{$database}->{stderr};
}

foreach my $database (@databases)
{
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, q{CREATE EXTENSION pgseal; SELECT seal.create_key('k')});
	$node->safe_psql($database, 'SELECT seal.checkpoint()');
	$holder{$database} = session($database);
	$waiter{$database} = session($database);
	$node->safe_psql($database, q{SELECT count(seal.audit_reading('audit_log')) FROM generate_series(1, 20000)});
	hold($database);
}
my $size = $node->safe_psql('slow', 'SELECT size FROM seal.audit_state');
demand($_) foreach @databases;

# A batch after half a minute and more, and then the rest.
sleep $patience * 0.6;
release('slow');
hold('slow');
my $taken = $node->safe_psql('slow', 'SELECT size FROM seal.audit_state') - $size;
is($taken, 5000, 'a batch was taken in');
sleep $patience * 0.6;
release('slow');
like(answer('slow'), qr/checkpoint of (\d{5,})/, 'a checkpoint is waited for while the log goes on');
cmp_ok(time - $begun{slow}, '>', $patience, 'however long it takes');

like(answer('stuck'), qr/no checkpoint could be made: the log took nothing in for 60 seconds/, 'not when it does not');
release('stuck');
is($node->safe_psql('stuck', 'SELECT count(seal.checkpoint())'), '1', 'and the next demand is served');

$_->quit foreach values %holder, values %waiter;
$node->stop;
done_testing();
