#!/bin/sh
# SPDX-License-Identifier: MIT
#
# usage: tests/exports_test.sh LIBRARY.SO
#
# The shared library exports what the header declares: no function less, no symbol more.
set -eu
header=$(dirname "$0")/../include/bellwire.h
declared=$(mktemp)
trap 'rm -f "$declared"' EXIT

# Comments name functions too. A declaration begins at the start of a line.
sed 's,/\*.*\*/,,; /\/\*/,/\*\//d' "$header" |
	sed -n '/^typedef/d; s/^[a-z].*[ *]\(bw_[a-z0-9_]*\)(.*/\1/p' | sort >"$declared"
nm -D --defined-only "$1" | awk '{ print $NF }' | sort | diff -u "$declared" -
