# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Running the tests of a build, and counting them. To be sourced.

# meson_test BUILD ARGUMENT...: runs "meson test" there and sets tally=(PASSED FAILED SKIPPED); what
# did not pass is told, and stays in BUILD/not-passed. $wrapper is a command that runs another. A
# run that ends badly, or cannot be counted, has failed, whatever else it says.
meson_test() {
	local build=$1 log=$1/meson-logs/testlog.json status=0
	shift
	rm -f "$log" && : >"$build/not-passed"
	${wrapper:-} meson test -C "$build" --print-errorlogs "$@" || status=$?
	tally=()
	[ -f "$log" ] && read -ra tally < <(scripts/tally "$log" 2>"$build/not-passed")
	if [ ${#tally[@]} != 3 ] || { [ "$status" != 0 ] && [ "${tally[1]}" = 0 ]; }; then
		tally=("${tally[0]:-0}" 1 "${tally[2]:-0}")
		echo "failed: meson test ends with exit status $status" >>"$build/not-passed"
	fi
	cat "$build/not-passed" >&2
}
