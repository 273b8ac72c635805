#!/usr/bin/env bash
# floors.sh: lists includes that climb.  A room under src/ includes lower floors
# only, other rooms through their one public header (or base/compat.h), and the
# crypto room nothing of PostgreSQL's, so that its unit tests need no server.
set -euo pipefail

find src -name '*.[ch]' | sort | xargs --no-run-if-empty awk '
BEGIN {
	split("crypto 0 base 0 keys 1 audit 2 gate 3 types 4 plan 5 rows 5 guard 5 pgseal 6", list, " ")
	for (i = 1; i in list; i += 2)
		floor[list[i]] = list[i + 1]
}

function offend(reason) { printf "%s:%d: %s: %s\n", FILENAME, FNR, $0, reason; bad = 1 }

FNR == 1 {
	depth = split(FILENAME, path, "/")
	room = depth == 2 ? "pgseal" : path[2]
	if (!(room in floor))
		offend("is in no room that has a floor")
}

/^[ \t]*#[ \t]*include/ {
	header = $0
	sub(/^[^<"]*[<"]/, "", header)
	sub(/[>"].*$/, "", header)
	parts = split(header, part, "/")
	other = parts > 1 && part[1] in floor ? part[1] : ""
	own = other == room || (parts == 1 && system("test -f src/" room "/" header) == 0)

	if (header ~ /\.\./)
		offend("no way up by ..")
	else if (own)
		next
	else if (other != "" && floor[other] >= floor[room])
		offend(other " is not on a lower floor than " room)
	else if (other != "" && header != other "/" other ".h" && header != "base/compat.h")
		offend("is not the public header of " other)
	else if (room == "crypto" && ($0 !~ /</ || header ~ /^(postgres|pg_|c\.h|fmgr)/))
		offend("crypto is pure C")
}

END { exit bad }
'
