# lib.sh: the demo's private cluster and how to talk to it.  Sourced by demo/run and demo/clean.
# shellcheck shell=bash
#
# Everything lies below build/demo: the private installation, the cluster (data), its root key
# (key), its socket and its log.  Where the server's user cannot get there, or the path is too
# long for a socket, build/demo is a link to a folder that mktemp made.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PG_CONFIG=${PG_CONFIG:-/usr/lib/postgresql/15/bin/pg_config}
port=54329				# names the socket only: the server listens on no address
database=laboratory
bin=						# the server's programs, known once the packages are there

# The caller's settings could lead to another cluster, another format or another make.
clear_environment()
{
	local name
	for name in "${!PG@}"; do
		[ "$name" = PG_CONFIG ] || unset "$name"
	done
	unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL
	export LC_ALL=C.UTF-8 PGTZ=UTC PGDATESTYLE=ISO PGCLIENTENCODING=UTF8
	umask 022
}

fail()
{
	echo "demo: $*" >&2
	exit 1
}

# say TEXT...: a line of progress with the seconds since the start.
say()
{
	printf '[%3d s] %s\n' "$SECONDS" "$*"
}

# as_server_user COMMAND...: root cannot run a server, so root becomes postgres.
as_server_user()
{
	if [ "$(id -u)" -eq 0 ]; then
		(cd / && setpriv --reuid=postgres --regid=postgres --init-groups -- "$@")
	else
		(cd / && "$@")
	fi
}

# --- the place -----------------------------------------------------------------------------------

can_hold_cluster()
{
	local socket_path=$1/socket/.s.PGSQL.$port
	[[ $1 =~ ^[A-Za-z0-9/._+-]+$ ]] && [ ${#socket_path} -lt 107 ] && as_server_user test -x "$1"
}

make_place()
{
	mkdir -p "$top/build"
	place=$top/build/demo
	mkdir "$place"
	if ! can_hold_cluster "$place"; then
		rmdir "$place"
		place=$(mktemp -d /tmp/pgseal-demo.XXXXXX)
		chmod 755 "$place"
		ln -s "$place" "$top/build/demo"
	fi
	touch "$place/made-by-demo"
	make_private_folder data key socket log
}

# make_private_folder NAME...: for the server's user alone.  Whoever reaches the socket is
# trusted, so nobody else may reach it.
make_private_folder()
{
	local name
	for name; do
		mkdir -m 700 "$place/$name"
		[ "$(id -u)" -ne 0 ] || chown postgres:postgres "$place/$name"
	done
}

# Stops the demo's servers and removes all it left.
remove_place()
{
	local folder
	[ -e "$top/build/demo" ] || [ -L "$top/build/demo" ] || return 0
	folder=$(readlink -f "$top/build/demo")
	if [ -e "$folder" ]; then
		[ -e "$folder/made-by-demo" ] || fail "build/demo was not made by the demo: not removed"
		stop_server "$folder/data"
		stop_server "$folder/elsewhere"
		rm -rf "$folder"
	fi
	rm -f "$top/build/demo"
}

# --- servers -------------------------------------------------------------------------------------

# make_cluster FOLDER PORT: a cluster below the place, with PostgreSQL's stock settings for all
# that the demo looks at, the log above all.  Further settings come from standard input.
make_cluster()
{
	as_server_user "$bin/initdb" --pgdata="$1" --username=postgres --auth=trust \
		--locale=C.UTF-8 --encoding=UTF8 --no-instructions >>"$place/build.log"
	cat >>"$1/postgresql.conf"
	cat >>"$1/postgresql.conf" <<-END
		listen_addresses = ''
		port = $2
		unix_socket_directories = '$place/socket'
		extension_destdir = '$place/install'
		dynamic_library_path = '$place/install$("$PG_CONFIG" --pkglibdir):\$libdir'
		shared_preload_libraries = 'pgseal'
	END
}

start_server()
{
	as_server_user "$bin/pg_ctl" start --pgdata="$1" --log="$place/log/$(basename "$1").log" --silent --wait ||
		{ tail -n 20 "$place/log/$(basename "$1").log" >&2; fail "the server did not start"; }
}

stop_server()
{
	[ -e "$1/postmaster.pid" ] || return 0
	as_server_user "$bin/pg_ctl" stop --pgdata="$1" --mode=fast --silent --wait ||
		! as_server_user "$bin/pg_ctl" status --pgdata="$1" >/dev/null ||
		fail "the server in $1 does not stop"
}

# Outside the data directory: a copy of the disk, a dump or a backup has no root key.
write_root_key()
{
	od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n' |
		as_server_user sh -c "umask 077 && cat >'$place/key/root.key'"
}

# sql ROLE [OPTION...]: psql as ROLE, on $database and $port unless the caller set others.
sql()
{
	local role=$1
	shift
	"$bin/psql" --no-psqlrc --quiet --set=ON_ERROR_STOP=1 \
		--host="$place/socket" --port="$port" --username="$role" --dbname="$database" "$@"
}

# answer ROLE SQL: the bare values that it returns.
answer()
{
	sql "$1" --no-align --tuples-only --command="$2"
}

make_database()
{
	"$bin/createdb" --host="$place/socket" --port="$port" --username=postgres "$1"
}
