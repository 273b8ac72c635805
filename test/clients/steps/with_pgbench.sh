#!/usr/bin/env bash
# with_pgbench.sh: pgbench -M prepared: every variable is a text parameter of a
# prepared statement.  pgbench prints no rows: what a query finds comes back by
# \gset and is put into table answer, which psql prints.
set -euo pipefail

here=$(dirname "$0")
script=$CLIENTS_WORK/pgbench.sql

# pgbench_script TURNS [VARIABLE=VALUE...]: runs the SQL of standard input; what fails is printed.
pgbench_script()
{
	local turns=$1
	shift
	cat >"$script"
	pgbench --no-vacuum --protocol=prepared --transactions="$turns" --file="$script" "${@/#/--define=}" 2>&1 >/dev/null |
		sed '/^pgbench (/d'
}

sql()
{
	psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --command="$1"
}

# step NAME HOW TURNS [VARIABLE=VALUE...]: its answer is what each turn has put into the variable found.
step()
{
	local name=$1 how=$2 said answer
	shift 2
	said=$(pgbench_script "$@" < <(cat && echo 'INSERT INTO answer VALUES (:found);'))
	answer=$(sql 'SELECT DISTINCT found FROM answer')
	sql 'TRUNCATE answer'
	printf '%s\t%s\t%s\n' "$name" "$how" "${said:+Error: ${said//$'\n'/ } }${answer//$'\n'/ }"
}

# pgbench shows no SQLSTATE: that of its only "permission denied for key".
state_as_intern()
{
	local said
	said=$(PGUSER=client_intern PGPASSWORD=intern pgbench_script 1 <<<"$1")
	if [[ $said = *'permission denied for key "nir"'* ]]; then
		echo 42501
	else
		echo "${said//$'\n'/ }"
	fi
}

sql 'CREATE TABLE answer (found text)'
printf 'client\tpgbench %s -M prepared\n' "$(pgbench --version | cut -d ' ' -f 3)"
{
	cat "$here/table.sql" "$here/view.sql"
	echo "SELECT coalesce(json_agg(id), '[]') AS found FROM patient_revealed \gset"
} | step create 'CREATE TABLE' 1
step type 'pgbench looks at no types; the catalog, through it' 1 <<'END'
SELECT to_json(format_type(atttypid, atttypmod)) AS found FROM pg_attribute WHERE attrelid = 'patient'::regclass AND attname = 'nir' \gset
END

while IFS=$'\t' read -r id nir name born seen dose note; do
	pgbench_script 1 id="$id" nir="$nir" name="$name" born="$born" seen="$seen" dose="$dose" note="$note" \
		<<<'INSERT INTO patient VALUES (:id, :nir, :name, :born, :seen, :dose, :note);'
done < <(tail -n +2 "$here/patients.tsv")
step insert 'text parameters without a type' 1 <<'END'
SELECT json_build_array(id, nir, name, born, to_char(seen, 'YYYY-MM-DD"T"HH24":"MI":"SS"Z"'), dose::text, note) AS found
FROM patient_revealed WHERE id = 1 \gset
END
step null 'NULL; a variable is none' 1 id=5 nir=555 <<'END'
INSERT INTO patient VALUES (:id, :nir, NULL, NULL, NULL, NULL, NULL);
SELECT json_build_array(name, born, seen, dose, note) AS found FROM patient_revealed WHERE id = :id \gset
END
step update 'ten times, past the point where a prepared plan becomes generic' 10 born=1990-01-16 dose=12.50 note=négatif <<'END'
UPDATE patient SET born = :born, dose = :dose, note = :note WHERE id = 2;
SELECT json_build_array(born, dose::text, note) AS found FROM patient_revealed WHERE id = 2 \gset
END
step upsert 'ON CONFLICT (nir) DO UPDATE, ten times' 10 nir=175063312345612 name=Noël new=666 newname=Nadia <<'END'
INSERT INTO patient (id, nir, name) VALUES (33, :nir, :name), (6, :new, :newname)
ON CONFLICT (nir) DO UPDATE SET name = excluded.name;
SELECT json_agg(json_build_array(id, name) ORDER BY id) AS found FROM patient_revealed WHERE id IN (3, 6) \gset
END
step equality 'on the view, ten times' 10 nir=184127645108946 <<'END'
SELECT json_agg(id) AS found FROM patient_revealed WHERE nir = :nir \gset
END
step equality 'on the table, ten times' 10 nir=184127645108946 <<'END'
SELECT json_agg(id) AS found FROM patient WHERE nir = :nir \gset
END
step like 'LIKE, ten times' 10 pattern=N% <<'END'
SELECT json_agg(id ORDER BY id) AS found FROM patient_revealed WHERE name LIKE :pattern \gset
END
step range 'two parameters, ten times' 10 first=1990-01-01 last=1991-01-01 <<'END'
SELECT json_agg(id ORDER BY id) AS found FROM patient_revealed WHERE born >= :first AND born < :last \gset
END
step page 'ORDER BY, LIMIT, OFFSET, ten times' 10 rows=2 <<'END'
SELECT json_agg(id) AS found FROM (SELECT id FROM patient_revealed ORDER BY name LIMIT :rows OFFSET :rows) AS page \gset
END
step native 'as all the others, ten times' 10 nir=290017512345678 born=1990-01-01 <<'END'
SELECT json_agg(json_build_array(id, name, dose::text)) AS found FROM patient_revealed WHERE nir = :nir AND born > :born \gset
END

id=10
while read -r name; do
	pgbench_script 1 id="$id" nir="$id" name="$name" <<<'INSERT INTO patient (id, nir, name) VALUES (:id, :nir, :name);'
	id=$((id + 1))
done <"$here/../names.txt"
step names 'one run each' 1 names="$(cat "$here/../names.txt")" <<'END'
SELECT json_agg(patient.name ORDER BY place) AS found
FROM string_to_table(:names, E'\n') WITH ORDINALITY AS list (name, place) JOIN patient_revealed AS patient USING (name)
WHERE id >= 10 \gset
END
printf 'refused\tthe message, there is no SQLSTATE in what pgbench prints\t["%s", "%s"]\n' \
	"$(state_as_intern 'SELECT seal.reveal(nir) FROM patient WHERE id = 1;')" \
	"$(state_as_intern "INSERT INTO patient (id, nir) VALUES (99, 'x');")"
step view_insert 'INSERT' 1 nir=777 name=Vue born=2001-02-03 note='à relire' <<'END'
INSERT INTO patient_revealed (id, nir, name, born, note) VALUES (7, :nir, :name, :born, :note);
SELECT json_build_array(id, name, born, note) AS found FROM patient_revealed WHERE id = 7 \gset
END
step view_update 'UPDATE, ten times' 10 note=relu <<'END'
UPDATE patient_revealed SET note = :note WHERE id = 7;
SELECT json_agg(note) AS found FROM patient_revealed WHERE id = 7 \gset
END
