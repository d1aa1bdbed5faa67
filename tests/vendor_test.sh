#!/bin/sh
# SPDX-License-Identifier: MIT
#
# usage: tests/vendor_test.sh COMPILER...
#
# Who vendors the library says "cc -c lib/*.c" and nothing more.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT

cd "$objects"
"$@" -c -I"$root/include" "$root"/lib/*.c
