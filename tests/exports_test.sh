#!/bin/sh
# SPDX-License-Identifier: MIT
#
# usage: tests/exports_test.sh LIBRARY.SO
#
# The functions that the header declares are those that the shared library exports, that its map
# names, and that have a manual page: no function less, no symbol more.
set -eu
root=$(dirname "$0")/..
lists=$(mktemp -d)
trap 'rm -rf "$lists"' EXIT
status=0

# Comments name functions too. A declaration begins at the start of a line.
sed 's,/\*.*\*/,,; /\/\*/,/\*\//d' "$root/include/bellwire.h" |
	sed -n '/^typedef/d; s/^[a-z].*[ *]\(bw_[a-z0-9_]*\)(.*/\1/p' | sort >"$lists/header"
nm -D --defined-only "$1" | awk '$2 != "A" { print $NF }' | sed 's/@.*//' | sort >"$lists/library"
sed -n 's/^\t\(bw_[a-z0-9_]*\);$/\1/p' "$root/lib/bellwire.map" | sort >"$lists/map"
# NAME is a list of functions, " - ", and what they do.
for page in "$root"/man/bw_*.3.scd; do
	sed -n '/^# NAME$/,/^# SYNOPSIS$/p' "$page" | sed 's/ - .*//' |
		grep -o 'bw_[a-z0-9_]*' || echo "no name in $page"
done | sort >"$lists/man"

cd "$lists"
for list in library map man; do
	diff -u header $list || status=1
done
exit $status
