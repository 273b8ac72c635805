# root_file.pl: where root keys may come from, what is refused, and how they are rotated.
#
# Not a pg_regress test: it changes files, settings and their place, reloads and
# restarts the server, and reads its log.
use strict;
use warnings;
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;
use Pgseal;

my $first  = join('', map { sprintf '%02x', $_ } 0 .. 31);
my $second = 'a1' x 32;
my $third  = 'b2' x 32;

my $node = new_node('root_file', root => "$first\n");
my $file = root_key_file($node);
my $folder = $file =~ s{/[^/]*$}{}r;

sub write_file
{
	my ($path, $content, $mode) = @_;
	unlink $path;
	open my $handle, '>', $path or die "could not write $path: $!";
	print $handle $content;
	close $handle or die "could not write $path: $!";
	chmod $mode // 0600, $path or die "could not change the mode of $path: $!";
	return;
}

# set SETTING, VALUE: in postgresql.conf, and loaded.
sub set
{
	my ($setting, $value) = @_;
	$node->append_conf('postgresql.conf', "$setting = '$value'");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('$setting') = \$\$$value\$\$")
	  or die "$setting did not change";
	return;
}

my $write = q{INSERT INTO patient (note) VALUES ('asthma')};
my $read  = 'SELECT DISTINCT seal.reveal(note) FROM patient';

# refused_ok REASON, NAME: sealing in a new session is refused for this reason.
sub refused_ok
{
	my ($reason, $name) = @_;
	is(error_of($node, 'lab_app', $write), "F0000: root key cannot be used: $reason", $name);
	return;
}

sub works_ok
{
	my ($name) = @_;
	is(error_of($node, 'lab_app', $write), '', "$name: seals");
	is(as_role($node, 'lab_app', $read), 'asthma', "$name: opens");
	return;
}

$node->safe_psql('postgres', <<'END');
CREATE ROLE lab_app LOGIN;
CREATE EXTENSION pgseal;
SELECT seal.create_key('note');
SELECT seal.grant_key('note', 'lab_app', '{seal,reveal}');
CREATE TABLE patient (id serial PRIMARY KEY, note sealed_text(note));
GRANT ALL ON ALL TABLES IN SCHEMA public TO lab_app;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO lab_app;
END
my $fingerprint = $node->safe_psql('postgres', 'SELECT DISTINCT root FROM seal.keys');
works_ok('a file of mode 0600');

# Forms of a root ---------------------------------------------------------------

write_file($file, encode_base64(pack('H*', $first), ''));
works_ok('base64 without a line end');
write_file($file, encode_base64(pack('H*', $first)) =~ s/\n/\r\n/r);
works_ok('base64 with a line end of Windows');
write_file($file, uc $first);
works_ok('capital hex digits');
write_file($file, "# the root key of the laboratory\n\n   \n  # of 2024\n$first\n\n");
works_ok('comments and blank lines');
write_file($file, "$first\n", 0400);
works_ok('mode 0400');
write_file($file, join('', map { sprintf "%064x\n", $_ } 1 .. 15) . "$first\n");
works_ok('16 roots, the ring under the last');

# What is refused -----------------------------------------------------------------

foreach my $mode (0644, 0640, 0620, 0604, 0601)
{
	write_file($file, "$first\n", $mode);
	refused_ok(qq{file must have mode 0600 or less "$file"}, sprintf('mode %04o', $mode));
}
write_file($file, "$first\n");
foreach my $mode (0722, 0702, 0777)
{
	chmod $mode, $folder or die "could not change the mode of $folder: $!";
	refused_ok(qq{folder must not be writable by group or others: "$folder"}, sprintf('folder of mode %04o', $mode));
}
chmod 0700, $folder or die "could not change the mode of $folder: $!";

my %content = (
	'an empty file' => [ '', 'no root key in' ],
	'a file of comments' => [ "# nothing\n\n", 'no root key in' ],
	'63 hex digits' => [ substr($first, 1), 'a line is neither 64 hex digits nor base64 of 32 bytes in' ],
	'65 hex digits' => [ "${first}0", 'a line is neither 64 hex digits nor base64 of 32 bytes in' ],
	'base64 of 31 bytes' => [ encode_base64('x' x 31), 'a line is neither 64 hex digits nor base64 of 32 bytes in' ],
	'a word' => [ 'secret', 'a line is neither 64 hex digits nor base64 of 32 bytes in' ],
	'a word behind a good line' => [ "$first\nsecret\n", 'a line is neither 64 hex digits nor base64 of 32 bytes in' ],
	'two roots in one line' => [ "$first $second\n", 'a line is neither 64 hex digits nor base64 of 32 bytes in' ],
	'17 roots' => [ join('', map { sprintf "%064x\n", $_ } 1 .. 17), 'more than 16 root keys in' ],
	'a file of 4 kB' => [ $first . "\n" . '#' x 4096, 'could not read, or too long:' ]);
foreach my $name (sort keys %content)
{
	write_file($file, $content{$name}[0]);
	refused_ok(qq{$content{$name}[1] "$file"}, $name);
}

unlink $file;
refused_ok(qq{could not find "$file"}, 'no file');
my $offset = -s $node->logfile;
$node->restart;
my @warnings = log_since($node, $offset) =~ /^.*WARNING:.*$/mg;
is(scalar(@warnings), 1, 'the server starts without its file, with one warning');
like($warnings[0] // '', qr/WARNING:  root key cannot be used: could not find "\Q$file\E"$/, 'that says why');
refused_ok(qq{could not find "$file"}, 'no file at start');
write_file($file, "$first\n");
works_ok('the file put back, without a restart');
mkdir "$folder/root.d";
set('seal.root_key_file', "$folder/root.d");
refused_ok(qq{not a regular file "$folder/root.d"}, 'a folder');

# The place -----------------------------------------------------------------------

my $inside = $node->data_dir . '/root.key';
write_file($inside, "$first\n");
set('seal.root_key_file', $inside);
refused_ok(qq{file must not lie in the data directory "$inside"}, 'inside the data directory');
set('seal.root_key_file', 'root.key');
refused_ok(q{file must not lie in the data directory "root.key"}, 'a relative name is one of the data directory');
symlink $inside, "$folder/link" or die "could not link: $!";
set('seal.root_key_file', "$folder/link");
refused_ok(qq{file must not lie in the data directory "$folder/link"}, 'a link into the data directory');
symlink $file, "$folder/link2" or die "could not link: $!";
set('seal.root_key_file', "$folder/link2");
works_ok('a link to a file in its place');
unlink $inside;

# A command -------------------------------------------------------------------------

set('seal.root_key_command', "cat $file");
refused_ok('seal.root_key_file and seal.root_key_command are both set', 'file and command');
set('seal.root_key_file', '');
works_ok('a command that came with a reload');
$node->restart;
works_ok('a command at start');
unlink $file;
works_ok('what the command printed is kept');
$offset = -s $node->logfile;
set('seal.root_key_command', "cat $file 2>/dev/null");
like(log_since($node, $offset), qr/WARNING:  root key cannot be used: seal\.root_key_command failed/, 'a command that fails is told in the log');
refused_ok('seal.root_key_command gave none when the server started; see its log', 'a failing command');
$offset = -s $node->logfile;
$node->restart;
@warnings = log_since($node, $offset) =~ /^.*WARNING:.*$/mg;
is(scalar(@warnings), 1, 'a server with a failing command starts, with one warning');
refused_ok('seal.root_key_command gave none when the server started; see its log', 'a failing command at start');
set('seal.root_key_command', 'echo secret');
like(log_since($node, $offset), qr/a line is neither 64 hex digits nor base64 of 32 bytes in "the output of seal\.root_key_command"/,
	'a command that prints something else');
set('seal.root_key_command', 'yes');
like(log_since($node, $offset), qr/root key cannot be used: seal\.root_key_command (failed|printed too much)/, 'a command that prints for ever');
write_file("$folder/first", $first);
set('seal.root_key_command', "cat $folder/first");
works_ok('a command that works again, without a restart');
write_file("$folder/second", $second);
set('seal.root_key_command', "cat $folder/second");
is(error_of($node, 'lab_app', $write), "55000: root key $fingerprint, under which the key ring was written, is not loaded",
	'a command that prints another root');
set('seal.root_key_command', '');
like(error_of($node, 'lab_app', $write), qr/^55000: no root key is loaded/, 'neither file nor command');

# Another root ----------------------------------------------------------------------

write_file($file, "$second\n");
set('seal.root_key_file', $file);
is(error_of($node, 'lab_app', $read), "55000: root key $fingerprint, under which the key ring was written, is not loaded",
	'another root opens nothing, and the error names the one that is needed');
is(error_of($node, 'lab_app', $write), "55000: root key $fingerprint, under which the key ring was written, is not loaded", 'and seals nothing');
foreach my $call (q{create_key('other')}, q{rotate_key('note')}, q{grant_key('note', 'lab_app', '{seal}')}, 'rotate_root()', 'accept_ring()',
	'rebind_grants()', 'export_ring()')
{
	is(error_of($node, 'postgres', "SELECT seal.$call"), "55000: root key $fingerprint, under which the key ring was written, is not loaded",
		"another root: $call");
}

# Rotation while another session works --------------------------------------------------

write_file($file, "$first\n");
my $app = $node->background_psql('postgres', on_error_stop => 0, extra_params => [ '--username' => 'lab_app' ]);
$app->query_safe($write);
$app->query_safe("PREPARE r AS $read; PREPARE w AS $write");
write_file($file, "$second\n$first\n");
is($app->query_safe('EXECUTE r'), 'asthma', 'a new line in front: an open session goes on');
works_ok('a new line in front');
is($node->safe_psql('postgres', 'SELECT DISTINCT root FROM seal.keys'), $fingerprint, 'the ring is under the old root');
$app->query_safe('BEGIN');
$app->query_safe('EXECUTE w');
my $new_fingerprint = $node->safe_psql('postgres', 'SELECT seal.rotate_root()');
isnt($new_fingerprint, $fingerprint, 'rotate_root returns another fingerprint');
is($app->query_safe('EXECUTE r'), 'asthma', 'rotated: an open transaction opens');
$app->query_safe('EXECUTE w');
$app->query_safe('COMMIT');
is($node->safe_psql('postgres', 'SELECT DISTINCT root FROM seal.keys'), $new_fingerprint, 'seal.keys shows the new root');
is($node->safe_psql('postgres', 'SELECT count(*) FROM (SELECT root FROM seal.key UNION SELECT root FROM seal.key_version UNION SELECT root FROM seal.grant UNION SELECT root FROM seal.ring_head) r'),
	'1', 'in every row of the ring');
write_file($file, "$second\n");
works_ok('the old line taken away');
is($app->query_safe('EXECUTE r'), 'asthma', 'in the open session too');
$app->query_safe('EXECUTE w');
$node->safe_psql('postgres', q{SELECT seal.rotate_key('note')});
is($app->query_safe('EXECUTE r'), 'asthma', 'and after the next change of the ring');
write_file($file, "$first\n");
is(error_of($node, 'lab_app', $read), "55000: root key $new_fingerprint, under which the key ring was written, is not loaded",
	'the old root alone opens nothing any more');

# A rotation that is rolled back never was.
write_file($file, "$third\n$second\n");
$node->safe_psql('postgres', 'BEGIN; SELECT seal.rotate_root(); ROLLBACK');
is($node->safe_psql('postgres', 'SELECT DISTINCT root FROM seal.keys'), $new_fingerprint, 'a rotation rolled back');
write_file($file, "$second\n");
works_ok('after it');
$app->quit;

# The settings are the superuser's.
is(error_of($node, 'lab_app', 'SHOW seal.root_key_file'), '42501: must be superuser or have privileges of pg_read_all_settings to examine "seal.root_key_file"',
	'the path is not shown to applications');
like(error_of($node, 'postgres', q{SET seal.root_key_file = '/etc/passwd'}), qr/^55P02: /, 'no session sets it');

$node->stop;
unlike(slurp_file($node->logfile), qr/$first|$second|$third/i, 'no root key in the server log, which holds everything above');
done_testing();
