#!/bin/sh
# SPDX-License-Identifier: MIT
#
# usage: tests/probes_test.sh LIBRARY.SO with|without COMPILER...
#
# The library has the probes that docs/probes.md lists, with as many arguments each; and none where
# they are compiled out.
set -eu
library=$1 built=$2
shift 2
root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# probes ELF: "NAME ARGUMENTS" of each, once: a probe in an inlined function is there several times.
# An argument is SIZE@OPERAND; some architectures' operands have blanks.
probes() {
	LC_ALL=C readelf -n "$1" | awk '$1 == "Name:" { name = $2 }
		$1 == "Arguments:" { print name, gsub(/ -?[0-9]+@/, "") }' | sort -u
}

"$@" -c -O2 -Wall -Wextra -Werror -DBELLWIRE_NO_PROBES -I"$root/include" "$root/lib/bus.c" \
	-o "$scratch/bus.o"
[ -z "$(probes "$scratch/bus.o")" ] || {
	echo "BELLWIRE_NO_PROBES leaves probes"
	exit 1
}

[ "$built" = with ] || {
	echo "this library is built without probes"
	exit 77
}
# A row of the table: | `name` | when | `first`, `second`, ... |
awk -F'|' '/^\| `/ { gsub(/[ `]/, "", $2); print $2, split($4, words, ",") }' \
	"$root/docs/probes.md" | sort >"$scratch/documented"
probes "$library" | diff -u "$scratch/documented" -
