#!/usr/bin/env bash
# no_hosts.sh: lists lines that name the host of a package registry.  Packages
# are installed by name, from wherever a machine is set up to get them.
set -euo pipefail

"$(dirname "$0")/search_text" '\b(registry|deb|security|ftp|mirrors?|proxy|repo[0-9]*|packages|files|static|npm)[.][a-z0-9-]+[.](org|com|net|io|dev)\b|\b(pypi|rubygems|npmjs)[.](org|com)\b|\bcrates[.]io\b'
