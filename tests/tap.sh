# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What the tests in shell share: cases in TAP. To be sourced.
cases=0 failed=0

# What is known where a case fails: a test may say it in its own way.
why() {
	:
}

# result NAME: by the status of the command before.
result() {
	local ok=$?
	cases=$((cases + 1))
	if [ $ok = 0 ]; then
		echo "ok $cases - $1"
	else
		why | sed 's/^/# /'
		echo "not ok $cases - $1"
		failed=1
	fi
}

skip() {
	cases=$((cases + 1))
	echo "ok $cases - $1 # SKIP $2"
}

end() {
	echo "1..$cases"
	exit $failed
}
