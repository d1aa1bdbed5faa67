#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# scripts/nested must not take for a pass what never ran, or ended badly: its reading of results,
# with made-up ones. TAP.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/tap.sh
. tests/tap.sh

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

# ended NAME STATUS FILE TEXT
ended() {
	printf '%s\n' "$2" >"$results/$1.status"
	printf '%s\n' "$4" >"$results/$1.$3"
}

why() {
	printf '%s\n' "$counts"
}

# expect WHAT NAME COUNTS
expect() {
	counts=$(scripts/tally <(scripts/nested.d/testlog <(echo "$2 60 command") "$results") 2>&1)
	[ "${counts##*$'\n'}" = "$3" ]
	result "$1: $3"
}

rows='{"case": "a", "accel": "kvm", "result": "pass", "why": ""},
	{"case": "b", "accel": "kvm", "result": "known", "why": "it is"}'
fail='{"case": "c", "accel": "kvm", "result": "fail", "why": "no ring"}'
caps='{"name": "KVM_CAP_HYPERV_EVENTFD", "value": 1}'

# bench_row PATH SIGNALS LOST
bench_row() {
	echo "{\"path\": \"$1\", \"signals\": $2, \"lost\": $3, \"why\": null}"
}

bench() {
	echo "{\"schema\": \"bellwire.bench/1\", \"options\": {\"cpl\": 0}, \"results\": [$1]}"
}

info() {
	echo "{\"schema\": \"bellwire.info/1\", \"backends\": [{\"name\": \"kvm\", \"available\": $1}],
		\"kvm\": {\"capabilities\": [${2-}]}}"
}

ended tap 0 tap $'1..2\nok 1 - a\nok 2 # SKIP b'
expect "TAP is counted by the case" tap "1 0 1"
ended short 0 tap $'1..2\nok 1 - a'
expect "a case that is missing" short "1 1 0"
ended killed 137 tap $'1..2\nok 1 - a'
expect "a test that was killed" killed "1 1 0"
expect "what never ran" absent "0 1 0"

ended conform 0 json "{\"schema\": \"bellwire.conform/1\", \"cases\": [$rows]}"
expect "conformance is counted by the case, a known defect as a skip" conform "1 0 1"
ended differs 1 json "{\"schema\": \"bellwire.conform/1\", \"cases\": [$rows, $fail]}"
expect "a case that fails" differs "1 1 1"
ended status 1 json "{\"schema\": \"bellwire.conform/1\", \"cases\": [$rows]}"
expect "an exit status that no case explains" status "1 1 1"
ended cut 0 json '{"schema": "bellwire.conform/1", "cases": ['
expect "half a document" cut "0 1 0"

ended bench 0 json "$(bench "$(bench_row null-pio null null), $(bench_row ioeventfd-hc 800 0)")"
expect "a benchmark is counted by the path" bench "3 0 0"
ended lost 1 json "$(bench "$(bench_row ioeventfd-hc 799 1)")"
expect "a lost ring" lost "1 1 0"
ended no-hc 0 json "$(bench "$(bench_row null-pio null null)")"
expect "no hypercall" no-hc "1 1 0"

ended info 0 json "$(info true "$caps")"
expect "KVM and its hypercalls" info "2 0 0"
ended no-kvm 0 json "$(info false)"
expect "no KVM" no-kvm "0 2 0"

end
