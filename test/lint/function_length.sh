#!/usr/bin/env bash
# function_length.sh: lists C functions of more than 80 lines; one of more than
# 100 fails.
set -euo pipefail

find src -name '*.c' | sort | xargs --no-run-if-empty awk '
FNR == 1 { start = 0 }
/^\{/ { start = FNR }
/^\}[ \t]*$/ {
	len = FNR - start - 1
	too_long = len > 100
	if (start && len > 80)
		print FILENAME ":" start ": " name " has " len " lines" (too_long ? "; 100 is the limit" : "")
	if (start && too_long)
		bad = 1
	start = 0
}
/^[A-Za-z_][A-Za-z0-9_]*\(/ { name = $0; sub(/\(.*/, "", name) }
END { exit bad }
'
