#!/usr/bin/env bash
# symbols.sh: lists what pgseal.so exports beyond the names of src/pgseal.map.
set -euo pipefail

exported=$(nm --dynamic --defined-only --format=posix pgseal.so | cut -d' ' -f1)
if ! grep -qx '_PG_init' <<<"$exported"; then
	echo "pgseal.so does not export _PG_init"
	exit 1
fi
! grep -vxE '_PG_init|Pg_magic_func|pg_finfo_pgseal_\w+|pgseal_\w+' <<<"$exported"
