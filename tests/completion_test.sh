#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# usage: tests/completion_test.sh BELLWIRE
#
# What bash offers for a command line.
set -u
PATH=$(dirname "$(realpath "$1")"):$PATH
# shellcheck source=completion/bellwire
. "$(dirname "$0")/../completion/bellwire"
status=0

# offers WANT WORD...: the last word is being typed. WANT has all that is offered.
offers() {
	local want=$1 got
	shift
	COMP_WORDS=(bellwire "$@") COMP_CWORD=$# COMPREPLY=()
	_bellwire
	got=$(printf '%s\n' "${COMPREPLY[@]}" | sort | paste -s -d ' ')
	[ "$got" = "$want" ] && return
	echo "bellwire $*: offers \"$got\", want \"$want\""
	status=1
}

offers "bench" be
offers "compare conform" help c
offers "dispatch" bench d
offers "--case" conform --ca
offers "--peer" bench --json --p --pe
offers "all kvm soft" bench --accel ""
offers "soft" bench --accel so
offers "0 3" bench --cpl ""
offers "qemu" bench --peer ""
offers "--max" bench dispatch --m
offers "--help --json" info ""
offers "" bench nonsense
cd "$(dirname "$0")" && offers "completion_test.sh" bench --svg completion_t
exit $status
