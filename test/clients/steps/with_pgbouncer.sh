#!/usr/bin/env bash
# with_pgbouncer.sh: psycopg2 through a pgbouncer of its own in transaction mode: two
# connections of client_app take turns on its one server connection.  Through TCP,
# with a password.
set -euo pipefail

here=$(dirname "$0")
folder=$CLIENTS_WORK/pgbouncer
port=$(perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport')

write_settings()
{
	cat >"$folder/userlist.txt" <<-END
		"client_app" "app"
		"client_intern" "intern"
	END
	cat >"$folder/pgbouncer.ini" <<-END
		[databases]
		$PGDATABASE = host=127.0.0.1 port=$PGPORT dbname=$PGDATABASE
		[pgbouncer]
		listen_addr = 127.0.0.1
		listen_port = $port
		unix_socket_dir =
		auth_type = scram-sha-256
		auth_file = $folder/userlist.txt
		pool_mode = transaction
		default_pool_size = 1
		ignore_startup_parameters = extra_float_digits
		logfile = $CLIENTS_LOG/pgbouncer.log
	END
}

stop()
{
	kill "$pgbouncer"
	wait "$pgbouncer" || true
}

is_up()
{
	psql --no-psqlrc --quiet --output=/dev/null --command='SELECT' "host=127.0.0.1 port=$port" 2>/dev/null
}

mkdir "$folder"
write_settings
pgbouncer --quiet "$folder/pgbouncer.ini" &
pgbouncer=$!
trap stop EXIT
for _ in {1..100}; do
	! is_up || break
	sleep 0.1
done

version=$(pgbouncer --version | sed -n '1s/PgBouncer //p')
PGHOST=127.0.0.1 PGPORT=$port CLIENTS_CONNECTIONS=2 CLIENTS_THROUGH="pgbouncer $version, transaction mode, under " \
	/usr/bin/python3 -B "$here/with_psycopg2.py"
