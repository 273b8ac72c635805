#!/usr/bin/env bash
# with_psql.sh: psql: variables as quoted literals, COPY from standard input, \gexec.
set -euo pipefail

here=$(dirname "$0")

# ask [VARIABLE=VALUE...]: the SQL of standard input, its rows unaligned.
ask()
{
	psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 "${@/#/--set=}"
}

# step NAME HOW [VARIABLE=VALUE...]: its answer is the one row, of JSON, that the SQL gives.
step()
{
	local name=$1 how=$2 answer
	shift 2
	answer=$(ask "$@" 2>&1) || answer="Error: $answer"
	printf '%s\t%s\t%s\n' "$name" "$how" "${answer//$'\n'/ }"
}

state_as_intern()
{
	PGUSER=client_intern PGPASSWORD=intern psql --no-psqlrc --quiet --set=VERBOSITY=sqlstate --command="$1" 2>&1 |
		sed 's/^ERROR:  *//'
}

printf 'client\tpsql %s\n' "$(ask <<<'\echo :VERSION_NAME' | cut -d ' ' -f 1)"
step create '\i of CREATE TABLE' here="$here" <<'END'
\set table :here '/table.sql'
\set view :here '/view.sql'
\i :table
\i :view
SELECT coalesce(json_agg(id), '[]') FROM patient_revealed;
END
printf 'type\t\\d\t%s\n' "$(echo '\d patient' | psql --no-psqlrc --tuples-only --no-align | sed -n '/^nir|/s/.*/"&"/p')"
{
	echo 'COPY patient FROM STDIN;'
	tail -n +2 "$here/patients.tsv"
	printf '\\.\n'
	echo "SELECT json_build_array(id, nir, name, born, to_char(seen, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), dose::text, note)
		FROM patient_revealed WHERE id = 1;"
} | step insert 'COPY FROM STDIN'
step null 'NULL' nir=555 <<'END'
INSERT INTO patient VALUES (5, :'nir', NULL, NULL, NULL, NULL, NULL);
SELECT json_build_array(name, born, seen, dose, note) FROM patient_revealed WHERE id = 5;
END
step update "variables as :'name'" born=1990-01-16 dose=12.50 note=négatif <<'END'
UPDATE patient SET born = :'born', dose = :dose, note = :'note' WHERE id = 2;
SELECT json_build_array(born, dose::text, note) FROM patient_revealed WHERE id = 2;
END
step upsert 'ON CONFLICT (nir) DO UPDATE' nir=175063312345612 <<'END'
INSERT INTO patient (id, nir, name) VALUES (33, :'nir', 'Noël'), (6, '666', 'Nadia')
ON CONFLICT (nir) DO UPDATE SET name = excluded.name;
SELECT json_agg(json_build_array(id, name) ORDER BY id) FROM patient_revealed WHERE id IN (3, 6);
END
step equality 'on the view' nir=184127645108946 <<'END'
SELECT json_agg(id) FROM patient_revealed WHERE nir = :'nir';
END
step equality 'on the table' nir=184127645108946 <<'END'
SELECT json_agg(id) FROM patient WHERE nir = :'nir';
END
step equality 'on the table, by \gset of an envelope' <<'END'
SELECT nir FROM patient WHERE id = 1 \gset
SELECT json_agg(id) FROM patient WHERE nir = :'nir';
END
step like 'LIKE' pattern=N% <<'END'
SELECT json_agg(id ORDER BY id) FROM patient_revealed WHERE name LIKE :'pattern';
END
step range 'two literals' <<'END'
SELECT json_agg(id ORDER BY id) FROM patient_revealed WHERE born >= '1990-01-01' AND born < '1991-01-01';
END
step page 'ORDER BY, LIMIT, OFFSET' <<'END'
SELECT json_agg(id) FROM (SELECT id FROM patient_revealed ORDER BY name LIMIT 2 OFFSET 2) AS page;
END
step native 'as all the others' nir=290017512345678 <<'END'
SELECT json_agg(json_build_array(id, name, dose::text)) FROM patient_revealed WHERE nir = :'nir' AND born > '1990-01-01';
END
step names '\gexec writes them, one by one' names="$(cat "$here/../names.txt")" <<'END'
SELECT format('INSERT INTO patient (id, nir, name) VALUES (%s, %1$L, %L)', 9 + place, name)
FROM string_to_table(:'names', E'\n') WITH ORDINALITY AS list (name, place) \gexec
SELECT json_agg(patient.name ORDER BY place)
FROM string_to_table(:'names', E'\n') WITH ORDINALITY AS list (name, place) JOIN patient_revealed AS patient USING (name)
WHERE id >= 10;
END
printf 'refused\tVERBOSITY sqlstate\t["%s", "%s"]\n' \
	"$(state_as_intern 'SELECT seal.reveal(nir) FROM patient WHERE id = 1')" \
	"$(state_as_intern "INSERT INTO patient (id, nir) VALUES (99, 'x')")"
step view_insert 'INSERT' note='à relire' <<'END'
INSERT INTO patient_revealed (id, nir, name, born, note) VALUES (7, '777', 'Vue', '2001-02-03', :'note');
SELECT json_build_array(id, name, born, note) FROM patient_revealed WHERE id = 7;
END
step view_update 'UPDATE' note=relu <<'END'
UPDATE patient_revealed SET note = :'note' WHERE id = 7;
SELECT json_agg(note) FROM patient_revealed WHERE id = 7;
END
