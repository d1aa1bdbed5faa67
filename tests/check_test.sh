#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# scripts/check must count what cannot be trusted to count itself. It is run on a toy project,
# tests/toy, whose tests pass, fail, crash, hang and leak. TAP.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/tap.sh
. tests/tap.sh

toy=$(mktemp -d)
trap 'rm -rf "$toy"' EXIT
cp -R tests/toy/. scripts "$toy"

why() {
	printf '%s\n' "$output"
}

# toy_check SUITE ENDINGS: runs the suite anew; sets status, last and output.
toy_check() {
	rm -rf "$toy"/build-*
	sed "s/\['well'\]/[$2]/" tests/toy/meson_options.txt >"$toy/meson_options.txt"
	status=0
	output=$("$toy/scripts/check" "$1" 2>&1) || status=$?
	last=${output##*$'\n'}
}

# expect NAME STATUS LAST-LINE
expect() {
	[ "$status" = "$2" ] && [ "$last" = "$3" ]
	result "$1: $3"
}

# named LINE: the output has it.
named() {
	grep -qxF "$1" <<<"$output"
	result "it says \"$1\""
}

# ends_with LINE...: they stand before the last one, and no other failure does.
ends_with() {
	local wanted
	wanted=$(printf '%s\n' "" "$@" "$last")
	[[ $output == *$'\n'"$wanted" ]]
	result "it ends with what failed: $*"
}

toy_check gcc "'well', 'skip'"
expect "a skip is no failure" 0 "5 passed, 0 failed, 1 skipped"
named "skipped: skip: second (no such hardware)"

toy_check gcc "'wrong'"
expect "a failed assertion" 1 "2 passed, 1 failed, 0 skipped"
named "failed: wrong: second"
ends_with "failed: gcc: wrong: second"

toy_check gcc "'segfault', 'abort', 'leave-early', 'hang'"
expect "a crash, an early exit and a hang" 1 "5 passed, 4 failed, 0 skipped"

toy_check asan "'leak', 'use-after-free', 'overflow'"
expect "what a sanitizer finds, also at exit" 1 "5 passed, 3 failed, 0 skipped"

echo '#error' >>"$toy/cases.c"
toy_check gcc "'well'"
expect "a build that fails" 1 "0 passed, 1 failed, 0 skipped"
ends_with "failed: build-gcc does not build"

end
