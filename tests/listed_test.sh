#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A source that no meson.build names is not built, and a test that none names passes for ever.
set -eu
cd "$(dirname "$0")/.."
status=0

for list in */meson.build; do
	dir=$(dirname "$list")
	for file in "$dir"/*.c; do
		name=$(basename "$file")
		grep -q -e "'$name'" -e "'${name%_test.c}'" "$list" || {
			echo "$file is not in $list"
			status=1
		}
	done
done
for file in tests/*_test.py tests/*_test.sh; do
	grep -q -F "$(basename "$file")" tests/meson.build scripts/check scripts/nightly || {
		echo "nobody runs $file"
		status=1
	}
done
exit $status
