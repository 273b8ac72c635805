#!/usr/bin/env bash
# no_paths.sh: lists lines that hold a path of one person's machine.
set -euo pipefail

"$(dirname "$0")/search_text" '(^|[^A-Za-z0-9_.])/(home|root|work|Users)/[A-Za-z]|/tmp/[a-z]+[.]?[A-Za-z0-9]*/'
