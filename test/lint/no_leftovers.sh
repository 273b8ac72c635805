#!/usr/bin/env bash
# no_leftovers.sh: lists marks of unfinished work.  What is left to do is an issue.
set -euo pipefail

"$(dirname "$0")/search_text" '\b(TO''DO|FIX''ME)\b'
