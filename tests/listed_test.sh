#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A source that no meson.build names is not built, and a test that none names passes for ever.
set -eu
cd "$(dirname "$0")/.."
status=0

for file in */*.c; do
	name=$(basename "$file")
	grep -q -e "'$name'" -e "'${name%_test.c}'" "$(dirname "$file")/meson.build" || {
		echo "$file is not in $(dirname "$file")/meson.build"
		status=1
	}
done
exit $status
