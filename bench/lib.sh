# lib.sh: what bench/measure and bench/measure_audit share.  To be sourced, in the private
# copy that bench/run made.
samples=$PGSEAL_WORK/log/samples.tsv

say()
{
	printf '[%3d s] %s\n' "$SECONDS" "$*"
}

# sql DATABASE [ARG...]
sql()
{
	local database=$1
	shift
	psql --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --dbname="$database" "$@"
}

# build TREE INSTALL: compiles pgseal in a folder, and the functions of the measurements, for a server to load.
build()
{
	make --silent --directory="$1" --jobs="$(nproc)" DESTDIR="$2" install >/dev/null
	gcc -O2 -fPIC -shared -Wall -I"$("$PG_CONFIG" --includedir-server)" \
		-o "$2$("$PG_CONFIG" --pkglibdir)/pgseal_bench.so" bench/bench.c -lsodium
}

# settle [LINE...]: nothing but the measured session uses the processor, and no page is read
# from a disk; with lines for postgresql.conf.
settle()
{
	local data
	data=$(data_directory)
	printf '%s\n' "$@" >>"$data/postgresql.conf"
	sql postgres <<-END
		ALTER SYSTEM SET autovacuum = off;
		ALTER SYSTEM SET max_parallel_workers_per_gather = 0;
		ALTER SYSTEM SET jit = off;
		ALTER SYSTEM SET shared_buffers = '1GB';
		ALTER SYSTEM SET max_wal_size = '16GB';
		ALTER SYSTEM SET checkpoint_timeout = '1h';
	END
	pg_ctl --pgdata="$data" --log="$PGSEAL_WORK/log/bench.server.log" --silent --wait restart >/dev/null
}

data_directory()
{
	sql postgres --command='SHOW data_directory'
}

# describe PREFIX: the server, the machine.
describe()
{
	echo "# $1processor	$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores"
	echo "# $1server	$(sql postgres --command='SHOW server_version')"
	echo "# $1libsodium	$(dpkg-query --show --showformat='${Version}' libsodium23)"
}

# know_postmaster: its process, and how many children it has when no session is open and no
# log worker runs; some of them are in no view.
know_postmaster()
{
	postmaster=$(head -n 1 "$(data_directory)/postmaster.pid")
	sleep 2
	background_processes=$(wc -w <"/proc/$postmaster/task/$postmaster/children")
}

# ticks_of_children: processor time, in clock ticks, of children that have ended.
ticks_of_children()
{
	local fields
	read -ra fields <"/proc/$postmaster/stat"
	echo $((fields[15] + fields[16]))
}

# wait_for_backends: until the postmaster has noticed the end of the last one; then it
# knows what that one used.
wait_for_backends()
{
	while [ "$(wc -w <"/proc/$postmaster/task/$postmaster/children")" -gt "$background_processes" ]; do
		sleep 0.01
	done
}
