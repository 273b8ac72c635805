#!/usr/bin/env bash
# spdx.sh: lists files in src/ that do not name their licence.
set -euo pipefail

mapfile -t files < <("$(dirname "$0")/../lib/project_files" | grep '^src/')
unnamed=$(grep -LE 'SPDX-License-Identifier: PostgreSQL( |$)' -- "${files[@]}" || true)
echo "$unnamed"
[ -z "$unnamed" ]
