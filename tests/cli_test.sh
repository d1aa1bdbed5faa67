#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# usage: tests/cli_test.sh BELLWIRE
#
# The program as a user meets it: exit status, what goes to which stream, and what it says of
# command lines that are wrong. TAP. The rings are few: nothing here depends on their speed.
set -u
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/tap.sh"
bellwire=$(realpath "$1")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
few=(--accel soft --rounds 2 --rings 50)

# run ARG...: sets status, and leaves the streams in the files out and err.
run() {
	status=0
	"$bellwire" "$@" >out 2>err || status=$?
}

why() {
	echo "status $status, $(wc -l <out) lines of output, error: $(head -c 300 err)"
}

# refuses WORD ARG...: a usage error in one line that has WORD in it.
refuses() {
	local word=$1
	shift
	run "$@"
	[ $status = 2 ] && [ ! -s out ] && [ "$(wc -l <err)" = 1 ] && grep -qF -- "$word" err
	result "refuses: ${*:-no command}"
}

# json EXPRESSION: of the document d in out.
json() {
	python3 -c "import json, sys; d = json.load(open('out')); sys.exit(not ($1))"
}

refuses "a command is missing"
refuses "'ring'" ring
refuses "''" ""
refuses "'extra'" help bench extra
refuses "'ring'" help ring
refuses "'extra'" --version extra
refuses "'--colour'" bench --colour
refuses "'-j'" bench -j
refuses "'extra'" bench extra
refuses "'extra'" bench -- extra
refuses "'extra'" info extra
refuses "--rings needs an argument" bench --rings
refuses "takes no argument" bench --json=1
refuses "--rounds is given twice" bench --rounds 2 --rounds 2
refuses "there are kvm, soft and all" bench --accel xen
refuses "'nosuch' is no path; there are null-kernel-pio, null-pio" bench --path null-pio,nosuch
refuses "'' is no path" bench --path null-pio,
refuses "'hc-*' is no path" bench --path 'hc-*'
refuses "'null-pio' is given twice" bench --path null-pio,null-pio
refuses "'null-pio' is given twice" bench --path 'null-*,null-pio'
refuses "'host' is no endpoint" bench --endpoint host
refuses "names no socket" bench --endpoint vhost-user:
refuses "only an eventfd" bench --endpoint vhost-user:socket --path 'elided-*,ioeventfd-hc'
refuses "1 to 256" bench --endpoint vhost-user:socket --rings 257
refuses "no chart" bench --endpoint vhost-user:socket --svg out.svg
refuses "no page" bench --endpoint vhost-user:socket --report out.html
refuses "rtt takes no vhost-user" bench rtt --endpoint vhost-user:socket
refuses "--image needs" bench --image disk.img
refuses "not '0'" bench --rings 0
refuses "not '-1'" bench --rings -1
refuses "not ' 1'" bench --rings ' 1'
refuses "not '1k'" bench --rings 1k
refuses "not ''" bench --rings ''
refuses "not '18446744073709551617'" bench --rings 18446744073709551617
refuses "1 to 1000, not '1001'" bench --rounds 1001
refuses "0 or 3, not '1'" bench --cpl 1
refuses "0 or 3, not '03'" bench --cpl 03
refuses "there is qemu" bench --peer bochs
refuses "vcpu=1023" bench --cpus vcpu=1023
refuses "not '99999999999'" bench --cpus endpoint=99999999999
refuses "vcpu is given twice" bench --cpus vcpu=0,vcpu=0
refuses "not 'guest=0'" bench --cpus guest=0
refuses "not 'vcpu'" bench --cpus vcpu
refuses "not ''" bench --cpus vcpu=0,
refuses "'--rounds'" bench rtt --rounds 2
refuses "'--path'" bench adaptive --path null-pio
refuses "'hot' is no policy" bench adaptive --policy hot
refuses "'adaptive' is given twice" bench adaptive --policy adaptive,fixed-hot,adaptive
refuses "'' is no policy" bench adaptive --policy fixed-cold,
refuses "1 to 3600, not '0'" bench adaptive --seconds 0
refuses "1 to 1000000, not '1000001'" bench rtt --rings 1000001
refuses "'rtt'" bench --json rtt
refuses "--report needs an argument" bench --report

run --version
[ $status = 0 ] && grep -qE '^bellwire [0-9]+\.[0-9]+' out
result "says its version"

run help
[ $status = 0 ] && grep -q '^  bench ' out && grep -q '^  info ' out
result "help lists the commands"

run bench --rounds 5 --help
[ $status = 0 ] && grep -q '^usage: bellwire bench' out
result "--help explains the command it stands in"

run info
[ $status = 0 ] && grep -qE '^  kvm +(yes|no: .)' out && grep -qE '^  soft +(yes|no: .)' out
result "info names each back end, and why one cannot be used"

run info --json
[ $status = 0 ] && [ ! -s err ] &&
	json "d['schema'] == 'bellwire.info/1' and len(d['backends']) == 2 and
		all(b['available'] or b['why'] for b in d['backends'])"
result "info --json is one document"

if ! "$bellwire" info --json | python3 -c "
import json, sys
sys.exit(not [b for b in json.load(sys.stdin)['backends'] if b['name'] == 'soft'][0]['available'])"; then
	skip "what needs the soft back end" "it is not there"
	end
fi

run bench "${few[@]}"
[ $status = 0 ] && [ ! -s err ] && grep -q '^null-kernel-pio .*only a kernel' out &&
	grep -q '^ioeventfd-pio ' out && grep -q '^elided-mmio ' out && grep -q ' 0 lost' out
result "bench prints a row for each path"

# Two rounds and one to warm up; the A/A pair rings twice in each.
run bench "${few[@]}" --json
[ $status = 0 ] && [ ! -s err ] && json "
	d['schema'] == 'bellwire.bench/1' and d['host']['kernel'].startswith('Linux') and
	len(d['results']) == 22 and len(d['aa']) == 1 and all(
		not r['available'] and r['why'] and r['ns_per_ring'] is None or
		r['available'] and not r['why'] and r['ci_low'] <= r['ns_per_ring'] <= r['ci_high'] and
		len(r['rounds_ns']) == 2 and
		(r['signals'] is None if r['path'].startswith('null') else
			r['lost'] == 0 and r['iops'] is None and r['signals'] is None and
			1 <= r['deliveries'] <= r['rings'] == 150 and r['coalesced'] >= 1
			if r['path'] == 'exitless-mmio' else r['lost'] == 0 and
			r['signals'] == r['rings'] == (300 if r['path'] == d['aa'][0]['path'] else 150))
		for r in d['results'])"
result "bench --json has every ring counted once"

run bench "${few[@]}" --path 'elided-*,userspace-pio' --json
[ $status = 0 ] && json "
	[r['path'] for r in d['results']] == ['userspace-pio', 'elided-pio', 'elided-mmio']"
result "--path takes names and patterns"

if [ "$(nproc)" = 1 ]; then
	skip "bench rtt" "one CPU"
else
	run bench rtt --accel soft --rings 1500 --json
	[ $status = 0 ] && [ ! -s err ] && json "
		[sum(r['consumer'] == c for r in d['results']) for c in ('block', 'epoll', 'uring-read',
			'uring-poll', 'spin', 'exitless')] == [8, 6, 6, 6, 8, 1] and all(
			r['why'] if r['consumer'].startswith('uring') and not r['available'] else
			r['trips'] == 1500 and r['answer'] == 'word' and
			0 < r['p50_ns'] <= r['p99_ns'] <= r['p999_ns'] and
			(r['oneway_p50_ns'] is None or
				-r['oneway_error_ns'] <= r['oneway_p50_ns'] <= r['p50_ns'] + r['oneway_error_ns'])
			for r in d['results'])"
	result "bench rtt times every round trip, and the way there is a part of it"

	run bench rtt --accel soft --path 'exitless-*' --rings 500 --json
	[ $status = 0 ] && json "
		[(r['consumer'], r['answer'], r['trips']) for r in d['results']] ==
			[('exitless', 'word', 500)]"
	result "bench rtt: a poller that looks at a hot page answers each store"

	run bench adaptive --accel soft --rounds 1 --seconds 1 --json
	[ $status = 0 ] && [ ! -s err ] && json "
		d['schema'] == 'bellwire.bench-adaptive/1' and d['options']['touched_bytes'] >= 1 << 28 and
		len(d['results']) == 15 and {(r['pattern'], r['policy']) for r in d['results']} ==
			{(p, q) for p in ('100/s', '64 every ms', '50000/s', 'flat out', 'idle')
			for q in ('adaptive', 'fixed-hot', 'fixed-cold')} and all(
			r['mechanism'] == 'slot' and r['lost'] == 0 and r['poller_cpu'] >= 0 and
			r['switches'] * (r['policy'] != 'adaptive') == 0 and
			(r['rings'] == 0 and r['stall_ns_per_ring'] is None if r['pattern'] == 'idle' else
				r['rings'] > 0 and r['stall_ns_per_ring'] >= 0 and
				(r['p99_latency_ns'] is None or r['p50_latency_ns'] <= r['p99_latency_ns']))
			for r in d['results'])"
	result "bench adaptive has each pattern under each policy, and loses nothing"

	run bench adaptive --accel soft --rounds 1 --seconds 1 --policy fixed-cold
	[ $status = 0 ] && [ "$(grep -c '^soft .*fixed-cold' out)" = 5 ] &&
		! grep -q '^soft .* \(fixed-hot\|adaptive\) ' out
	result "bench adaptive --policy runs that one"

	name="bench rtt: the answer comes as an interrupt"
	run bench rtt --accel kvm --path ioeventfd-pio --rings 50 --json
	if ! grep -q '"trips": 50' out; then
		skip "$name" "KVM cannot be used"
	elif ! json "any(r['answer'] == 'interrupt' and r['available'] for r in d['results'])"; then
		skip "$name" "$(grep -m 1 'no interrupt\|KVM_IRQFD\|routes' out)"
	else
		[ $status = 0 ] && json "[r['consumer'] for r in d['results'] if
			r['answer'] == 'interrupt' and r['trips'] == 50] == ['block', 'spin']"
		result "$name"
	fi

	run bench rtt --accel soft --path null-pio,unheard-pio --rings 10
	[ $status = 1 ] && [ "$(grep -c 'nobody is rung' out)" -ge 4 ]
	result "bench rtt needs somebody who answers"

	run bench rtt --accel soft --cpus vcpu=0,endpoint=0
	[ $status = 1 ] && [ ! -s out ] && grep -q 'two CPUs' err
	result "bench rtt needs a CPU for each side"
fi

run bench "${few[@]}" --path null-kernel-pio
[ $status = 1 ] && grep -q 'only a kernel' out && grep -q 'nothing could be measured' err
result "a path that cannot be run says why, and nothing measured is a failure"

run bench "${few[@]}" --path ioeventfd-pio --cpus vcpu=0,endpoint=0
if grep -q 'no such CPU' err; then
	skip "one CPU is enough" "CPU 0 is not ours"
else
	[ $status = 0 ]
	result "one CPU is enough"
fi

status=0
"$bellwire" bench "${few[@]}" --path null-pio >/dev/full 2>err || status=$?
[ $status = 1 ] && grep -q 'standard output' err
result "a result that cannot be written is a failure"

mkdir gone
run bench "${few[@]}" --path null-pio --svg gone/x/chart.svg
[ $status = 1 ] && [ ! -s out ] && grep -q 'gone/x/chart.svg' err
result "a chart that cannot be written is refused before anything is measured"

echo old >chart.svg
status=0
PATH=gone "$bellwire" bench "${few[@]}" --path null-pio --svg chart.svg >out 2>err || status=$?
[ $status = 1 ] && grep -q '^null-pio ' out && grep -q gnuplot err && [ "$(cat chart.svg)" = old ]
result "without gnuplot the table is printed and the old chart stays"

if type gnuplot >/dev/null 2>&1; then
	run bench "${few[@]}" --svg chart.svg
	[ $status = 0 ] && python3 - <<-'END'
		import xml.etree.ElementTree as xml
		text = "".join(xml.parse("chart.svg").getroot().itertext())
		assert "elided-mmio" in text and "ioeventfd-pio" in text and "old" not in text.split()
	END
	result "the chart is an SVG with a bar for each path"

	run bench "${few[@]}" --path null-pio --svg /dev/full
	[ $status = 1 ] && grep -q '^null-pio ' out && grep -q '/dev/full: No space left' err
	result "a chart that the disk has no room for is a failure"
else
	skip "the chart is an SVG with a bar for each path" "no gnuplot"
	skip "a chart that the disk has no room for is a failure" "no gnuplot"
fi

# A shell's background job would ignore SIGINT.
status=0
python3 - "$bellwire" >out 2>err <<-'END' || status=$?
	import os, signal, subprocess, sys, time
	bench = subprocess.Popen([sys.argv[1], "bench", "--accel", "soft", "--path", "null-pio",
				  "--rounds", "2", "--rings", "1000000000"])
	while len(os.listdir(f"/proc/{bench.pid}/task")) < 2:
	    time.sleep(0.01)
	time.sleep(0.5)
	bench.send_signal(signal.SIGINT)
	sys.exit(bench.wait(timeout=30))
END
[ $status = 130 ] && grep -q interrupted err
result "Ctrl-C stops the guest in the middle of a sample"

nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
if [ -e /dev/kvm ] && "${nobody[@]}" "$bellwire" --version >/dev/null 2>&1 &&
	! "${nobody[@]}" test -w /dev/kvm; then
	status=0
	"${nobody[@]}" "$bellwire" bench --rounds 1 --rings 10 --path null-pio >out 2>err || status=$?
	[ $status = 0 ] && grep -q '^kvm cannot be measured: .*permission' out
	result "/dev/kvm without permission is a reason, not an error"
else
	skip "/dev/kvm without permission is a reason, not an error" \
		"no /dev/kvm, or nobody has permission, or we cannot become nobody"
fi

end
