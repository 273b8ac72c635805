# exhibits.sh: what the demo shows, one function each.  Sourced by demo/run.
# shellcheck shell=bash
#
# Each prints what the database answers, and fails when that is not what the title claims.

# headline NUMBER TEXT
headline()
{
	printf '\n%s. %s\n\n' "$1" "$2"
}

# --- 1 -------------------------------------------------------------------------------------------

show_two_readings()
{
	headline 1 "The same five rows: what the application reads, and what the table holds"
	sql lab_app --no-align --tuples-only --field-separator=$'\x1f' <<-'END' | print_two_readings
		SELECT seal.reveal(p.nir), seal.reveal(p.family) || ' ' || seal.reveal(p.given), seal.reveal(p.born),
		       translate(seal.reveal(r.text), E'\n', ' '), p.nir, r.text
		FROM lab.patient p
		JOIN LATERAL (SELECT r.text FROM lab.sample s JOIN lab.report r ON r.sample_id = s.id
		              WHERE s.patient_id = p.id ORDER BY r.id LIMIT 1) r ON true
		ORDER BY p.id LIMIT 5
	END
}

# print_two_readings: rows of four opened and two sealed values, cut to fit; fails unless the
# latter are envelopes.
print_two_readings()
{
	perl -CS -e '
		use strict;
		use warnings;

		sub cut
		{
			my ($text, $width) = @_;
			return length $text > $width ? substr($text, 0, $width - 1) . "\x{2026}" : $text;
		}

		my $form = "   %-15s %-18s %-10s %-18s | %-14s %-14s\n";
		printf $form, "lab_app reads", "", "", "", "the table holds", "";
		printf $form, "nir", "family, given", "born", "report", "nir", "report";
		printf $form, map { "-" x $_ } 15, 18, 10, 18, 14, 14;
		my $rows = 0;
		while (<STDIN>)
		{
			chomp;
			my ($nir, $name, $born, $report, @sealed) = split /\x1f/;
			die "not sealed\n" if @sealed != 2 || grep { !/^seal1:[\w-]{40,}$/ } @sealed;
			printf $form, $nir, cut($name, 18), $born, cut($report, 18),
			  map { "seal1:\x{2026}" . substr($_, -7) } @sealed;
			$rows++;
		}
		die "$rows rows, not 5\n" if $rows != 5;'
}

# --- 2 -------------------------------------------------------------------------------------------

show_thief()
{
	headline 2 "What a thief finds who has the disk, the log and a dump"
	make_control
	make_failures
	search_as_thief || fail "the thief found something, or the search does not find what is there"
}

# 20 values that nobody can have written before, in a table that is not sealed
make_control()
{
	od -An -v -tx1 -w8 -N160 /dev/urandom | tr -d ' ' | sed 's/^/control-/' >"$place/private/control"
	awk '{ printf "%d,%s,", NR, $1; for (i = 0; i < 120; i++) printf "%s ", $1; print "" }' "$place/private/control" |
		sql postgres --command="COPY lab.control_plain FROM STDIN (FORMAT csv)"
	sql postgres --command="ANALYZE lab.control_plain"
}

# Twenty patients and the control entered a second time, in the same words: the server log,
# with its stock settings, names the value that is there already.
make_failures()
{
	local id
	for id in {1..20}; do
		echo "INSERT INTO lab.control_plain (id, value) SELECT -id, value FROM lab.control_plain WHERE id = $id;"
		echo "INSERT INTO lab.patient (id, nir) SELECT -id, nir FROM lab.patient WHERE id = $id;"
	done | sql postgres --set=ON_ERROR_STOP=0 2>"$place/private/failures" || true
	# The same by the application, with the patients' values spelled out in the statements.
	sql lab_app --set=ON_ERROR_STOP=0 2>>"$place/private/failures" <<-'END' || true
		SELECT format('INSERT INTO lab.patient (id, nir, family) VALUES (%s, %L, %L)',
			-id, seal.reveal(nir), seal.reveal(family))
		FROM lab.patient WHERE nir IS NOT NULL ORDER BY id LIMIT 20 \gexec
	END
	[ "$(grep -c 'duplicate key .*"patient_nir_key"' "$place/private/failures")" -eq 40 ] ||
		fail "a national number could be entered twice"
}

search_as_thief()
{
	local private=$place/private

	sql postgres --command="CHECKPOINT"
	[ -e "$private/dump.sql" ] || dump >"$private/dump.sql"
	answer postgres "COPY (SELECT * FROM pg_stats) TO STDOUT" >"$private/statistics"
	sealed_columns >"$private/columns"
	answer postgres "SELECT CASE WHEN n.nspname = 'pg_toast' THEN 'TOAST of the tables'
				WHEN c.relkind = 'i' THEN 'indexes' ELSE 'tables' END || E'\t' || pg_relation_filepath(c.oid)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		LEFT JOIN pg_index i ON i.indexrelid = c.oid
		WHERE c.relkind IN ('r', 'i', 't')
		  AND (n.nspname = 'lab' OR EXISTS (SELECT FROM pg_class o WHERE o.relnamespace = 'lab'::regnamespace
			  AND o.reltoastrelid IN (c.oid, i.indrelid)))
		ORDER BY n.nspname, c.relkind DESC" >"$private/relations"

	"$top/demo/thief" --csv "$private" --columns "$private/columns" --control "$private/control" \
		--data "$place/data" --relations "$private/relations" \
		--template "base/$(answer postgres "SELECT oid FROM pg_database WHERE datname = 'template0'")" \
		--file "server log, stock settings=$place/log/data.log" \
		--file "statistics (pg_stats as text)=$private/statistics" \
		--file "pg_dump=$private/dump.sql"
}

dump()
{
	"$bin/pg_dump" --host="$place/socket" --port="$port" --username=postgres "$database"
}

# --- 3 -------------------------------------------------------------------------------------------

show_index_search()
{
	local found

	headline 3 "A search by national number, on the ciphertext, through the index"
	found=$(sql lab_app --pset=footer=off --file=- <<-'END'
		SELECT id AS somebody, seal.reveal(nir) AS nir FROM lab.patient
		WHERE nir IS NOT NULL ORDER BY id OFFSET (SELECT count(nir) / 2 FROM lab.patient) LIMIT 1 \gset
		PREPARE find(text) AS
		  SELECT id, seal.reveal(family) AS family, seal.reveal(given) AS given FROM lab.patient WHERE nir = $1;
		SET plan_cache_mode = force_generic_plan;
		\echo PREPARE find(text) AS SELECT ... FROM lab.patient WHERE nir = $1;
		EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) EXECUTE find(:'nir');
		EXECUTE find(:'nir') \gset found_
		EXECUTE find(:'nir');
		SELECT :somebody = :found_id AS expected \gset
		\if :expected
		\else
		  \echo found another patient
		\endif
	END
	)
	echo "${found//$'\n'/$'\n   '}" | sed '1s/^/   /'
	grep -q 'Index Scan using patient_nir_key.*rows=1 ' <<<"$found" || fail "the search does not use the index"
	! grep -q 'found another' <<<"$found" || fail "the search finds another patient"
}

# --- 4 -------------------------------------------------------------------------------------------

show_refusals()
{
	local read_names='SELECT seal.reveal(family) FROM lab.patient'

	headline 4 "Refused: whoever holds no right, the superuser included"
	local denied='42501: permission denied for key'
	expect_refusal "$denied \"identity\"" lab_intern "$read_names"
	expect_refusal "$denied \"nir\"" lab_intern "SELECT id FROM lab.patient WHERE nir = '184127645108946'"
	expect_refusal "$denied \"identity\"" postgres "$read_names"
	expect_refusal "$denied \"identity\"" postgres "SET ROLE lab_app" "$read_names"
}

# expect_refusal ERROR ROLE SQL...: the statements as ROLE, the last of which must fail with ERROR,
# "SQLSTATE: message", given by its beginning
expect_refusal()
{
	local expected=$1 role=$2 statement answer options=()
	shift 2

	for statement; do
		options+=(--command="$statement")
	done
	if answer=$(sql "$role" --set=VERBOSITY=verbose "${options[@]}" 2>&1); then
		fail "$role may: $*"
	fi
	answer=$(sed -n 's/^\(psql:.*: \)\{0,1\}ERROR:  //p' <<<"$answer" | head -n 1)
	printf '   %-10s %s\n   %-10s ERROR: %s\n' "$role" "$(join '; ' "$@")" '' "$answer"
	[[ $answer = "$expected"* ]] || fail "expected $expected"
}

# join SEPARATOR TEXT...
join()
{
	local separator=$1 joined=$2
	shift 2
	printf '%s' "$joined" "${@/#/$separator}"
}

# --- 5 -------------------------------------------------------------------------------------------

show_work_without_key()
{
	headline 5 "What runs without any key: turnaround, asked by lab_intern"
	sql lab_intern --pset=footer=off <<-'END' | sed 's/^/   /'
		SELECT r.code, count(*) AS results,
		       percentile_disc(0.5) WITHIN GROUP (ORDER BY r.released - s.collected) AS median_turnaround,
		       percentile_disc(0.95) WITHIN GROUP (ORDER BY r.released - s.collected) AS slowest_5_percent
		FROM lab.result r JOIN lab.sample s ON s.id = r.sample_id
		WHERE r.released IS NOT NULL
		GROUP BY r.code ORDER BY count(*) DESC, r.code LIMIT 5;
	END
}

# --- 6 -------------------------------------------------------------------------------------------

show_restore()
{
	headline 6 "The dump restored: beside the root key, and elsewhere without it"
	restore_beside
	restore_elsewhere
}

# Another database of the same cluster: the ring came along, the roles are the same.
restore_beside()
{
	local table

	make_database restored
	database=restored sql postgres --file="$place/private/dump.sql" >>"$place/build.log"

	print_comparison lab. rows "envelopes, SHA-256" "... restored" "opened by lab_app" "... restored"
	for table in "${tables[@]}"; do
		compare_table "$table"
	done
}

print_comparison()
{
	printf '   %-10s %9s   %-18s %-18s %-18s %s\n' "$@"
}

# compare_table TABLE: rows and checksums of the original and of the restored table
compare_table()
{
	local rows here there here_opened there_opened
	local envelopes="COPY (SELECT * FROM lab.$1 ORDER BY id) TO STDOUT"

	rows=$(answer postgres "SELECT count(*) FROM lab.$1")
	here=$(sql postgres --command="$envelopes" | checksum)
	there=$(database=restored sql postgres --command="$envelopes" | checksum)
	here_opened=$(print_revealed "$1" | checksum)
	there_opened=$(database=restored print_revealed "$1" | checksum)

	print_comparison "$1" "$rows" "${here::16}" "${there::16}" "${here_opened::16}" "${there_opened::16}"
	[ "$here" = "$there" ] || fail "lab.$1 is not the same after the restore"
	[ "$here_opened" = "$there_opened" ] || fail "lab_app does not read the same after the restore"
}

checksum()
{
	sha256sum | cut -d ' ' -f 1
}

# The thief's own server: the dump loads and can be maintained, nothing opens.
restore_elsewhere()
{
	local port=$((port + 1)) database=postgres

	make_private_folder elsewhere
	make_cluster "$place/elsewhere" "$port" </dev/null
	start_server "$place/elsewhere"
	sql postgres --command="CREATE ROLE lab_app LOGIN; CREATE ROLE lab_intern LOGIN"
	sql postgres --file="$place/private/dump.sql" >>"$place/build.log"
	sql postgres --command="ANALYZE" --command="REINDEX TABLE lab.patient"

	printf '\n   On another server, without the root key: loaded, analysed, reindexed; %s patients, and\n' \
		"$(answer postgres "SELECT count(*) FROM lab.patient")"
	expect_refusal "55000: " postgres "SELECT seal.reveal(family) FROM lab.patient"
	expect_refusal "55000: " lab_app "SELECT seal.reveal(family) FROM lab.patient"
	stop_server "$place/elsewhere"
	rm -rf "$place/elsewhere"
}

# --- 7 -------------------------------------------------------------------------------------------

# All of the above has left its traces by now, two more databases among them.
show_thief_again()
{
	headline 7 "The thief comes back: the same search after all that"
	search_as_thief >"$place/private/second_search" ||
		{ cat "$place/private/second_search"; fail "the thief found something"; }
	grep -E '^   (where|---|write-ahead|server log|everything)' "$place/private/second_search"
}

say_goodbye()
{
	echo
	say "all as it should be; the server runs until \`make clean-demo\`.  To look around:"
	cat <<-END

		   $bin/psql -h $place/socket -p $port -U lab_app $database
		   SELECT seal.reveal(family), seal.reveal(born), nir FROM lab.patient LIMIT 3;

	END
}
