#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# usage: tests/bench_library_test.py BELLWIRE
#
# bellwire bench dispatch and bench regions as their user meets them, in TAP: what is measured, what
# is wrong with a command line, and that every row is there. Few rounds: nothing depends on speed.
import json
import os
import signal
import subprocess
import sys
import time

bellwire = os.path.realpath(sys.argv[1])
cases = failures = 0
few = ("--max", "1000", "--rounds", "2", "--accesses", "50")


def case(name, good, skip=None):
    global cases, failures
    cases += 1
    failures += not good
    print(f"{'ok' if good else 'not ok'} {cases} - {name}" + (f" # SKIP {skip}" if skip else ""))


def bench(*args, prefix=()):
    return subprocess.run(
        [*prefix, bellwire, "bench", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


def refused(word, *args):
    """A usage error in one line that says word."""
    done = bench(*args)
    good = (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    if not good:
        print(f"# {done.returncode}, {done.stderr!r}")
    case(f"refuses: bench {' '.join(args)}", good and word in done.stderr)


def document(*args, prefix=()):
    done = bench(*args, "--json", prefix=prefix)
    return done.returncode, json.loads(done.stdout), done.stderr


def without(path):
    """A prefix that runs a command in a namespace where path is empty, None if that is not ours."""
    prefix = ("unshare", "-m", "sh", "-c", f'mount --bind /dev/null {path} && exec "$@"', "sh")
    done = subprocess.run([*prefix, "true"], capture_output=True, check=False)
    return prefix if done.returncode == 0 else None


def two_cpus():
    return len(os.sched_getaffinity(0)) > 1


def expected_hits():
    """(case, entries, threads) of every row that counts accesses, in order."""
    rows = []
    for name, sizes in (("hit", (1, 10, 1000)), ("hit-own", (10, 1000))):
        rows += [(name, n, t) for n in sizes for t in (1, 2) if t <= n]
    rows += [("value-first", 1000, 1), ("value-last", 1000, 1)]
    return rows + [("region", 1, 1), ("region", 100, 1), ("region", 100, 2)]


def test_dispatch():
    status, d, err = document("dispatch", *few)
    hits = [r for r in d["results"] if r["per_second"] is None]
    calls = [r for r in d["results"] if r["per_second"] is not None]
    case("dispatch succeeds and says nothing else", status == 0 and not err)
    case("it has neither a guest nor an offload, and loses nothing",
         (d["schema"], d["guest"], d["offload"], d["lost"], d["interrupted"]) ==
         ("bellwire.bench-dispatch/1", False, False, 0, False))
    case("every case has its row, in order",
         [(r["case"], r["entries"], r["threads"]) for r in hits] == expected_hits())
    case("every access has a cost and its interval",
         all(0 < r["ci_low"] <= r["ns_per_access"] <= r["ci_high"] if r["available"] else r["why"]
             for r in hits))
    # A sanitizer's malloc() does not say what it gives.
    case("every case has its memory, and a limit by it",
         all((r["limit_ns"] or 0) > 0 and r["bytes_each"] >= 32 for r in hits if r["available"]) or
         all(r["limit_ns"] is r["bytes_each"] is None for r in hits))
    case("two threads are compared with one, the last value with the first",
         all((r["to_one_thread"] is not None) == (r["threads"] == 2 and r["available"]) and
             (r["to_first_value"] is not None) == (r["case"] == "value-last") for r in hits))
    case("what cannot be measured is what needs a second CPU",
         all(r["available"] == (two_cpus() or r["threads"] == 1) for r in d["results"]))
    case("control calls are counted by the second, alone and in one commit",
         [r["case"] for r in calls] == ["assign", "deassign", "assign-batch", "deassign-batch"] and
         all(abs(r["per_second"] * r["ns_per_access"] / 1e9 - 1) < 1e-3 and
             0 < r["ci_low"] <= r["ns_per_access"] <= r["ci_high"] for r in calls))


def test_dispatch_on_one_cpu():
    cpu = min(os.sched_getaffinity(0))
    status, d, _ = document("dispatch", *few, prefix=("taskset", "-c", str(cpu)))
    pairs = [r for r in d["results"] if r["threads"] == 2]
    case("on one CPU two threads are a row that says why",
         status == 0 and pairs and
         all(not r["available"] and "two CPUs" in r["why"] and r["ns_per_access"] is None
             for r in pairs))


def test_dispatch_table():
    done = bench("dispatch", *few)
    case("the table has the cases, what they are compared with, and how huge pages are set",
         done.returncode == 0 and not done.stderr and "\nhit " in done.stdout and
         "\nregion " in done.stdout and "limit ns" in done.stdout and
         "no guest, no offload" in done.stdout and "Huge pages: " in done.stdout and
         "\n0 accesses were lost" in done.stdout)
    done = bench("dispatch", "--max", "9", "--rounds", "1", "--accesses", "1", "--json")
    rows = json.loads(done.stdout)["results"]
    case("--max leaves out what has more",
         [(r["case"], r["entries"]) for r in rows] == [("hit", 1), ("region", 1)])


def test_dispatch_is_interrupted():
    run = subprocess.Popen(
        [bellwire, "bench", "dispatch", "--max", "1", "--accesses", "5000000", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while len(os.listdir(f"/proc/{run.pid}/task")) < 2:
        time.sleep(0.01)
    time.sleep(0.5)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=60)
    case("Ctrl-C shows the rounds that were finished",
         run.returncode == 130 and "interrupted" in err and json.loads(out)["interrupted"])


def test_regions():
    status, d, err = document("regions", "--doorbells", "7", "--rounds", "2")
    rows = d["results"]
    case("regions has a row for each operation, without a vCPU and with one",
         d["schema"] == "bellwire.bench-regions/1" and
         [(r["operation"], r["vcpus"], r["doorbells"]) for r in rows] ==
         [(o, v, 7) for v in (0, 1) for o in ("map", "move", "unmap")])
    if not rows[0]["available"]:
        case("where there is no KVM it says why", status == 1 and rows[0]["why"] and
             "nothing could be measured" in err)
        case("both ways are measured", True, skip=rows[0]["why"])
        return
    case("both ways are measured", status == 0 and not err and
         all(min(r["by_hand_ns"], r["bellwire_ns"], r["library_ns"]) > 0 and
             r["ratio_low"] <= r["ratio"] <= r["ratio_high"] and r["aa_ratio"] > 0 and
             abs(r["kernel_ns"] + r["library_ns"] - r["bellwire_ns"]) < 1e-5 * r["bellwire_ns"]
             for r in rows))
    done = bench("regions", "--doorbells", "7", "--rounds", "1")
    case("the table has a line for each", done.returncode == 0 and
         done.stdout.count("\nmap ") == done.stdout.count("\nunmap ") == 2)


def test_regions_without_kvm():
    name = "without /dev/kvm each row says why, and nothing measured is a failure"
    prefix = without("/dev/kvm") if os.path.exists("/dev/kvm") else ()
    if prefix is None:
        case(name, True, skip="/dev/kvm cannot be hidden here")
        return
    status, d, err = document("regions", prefix=prefix)
    case(name, status == 1 and "nothing could be measured" in err and
         all(not r["available"] and "/dev/kvm" in r["why"] and r["ratio"] is None
             for r in d["results"]))


refused("'extra'", "dispatch", "extra")
refused("'extra'", "regions", "extra")
refused("'dispatch'", "--json", "dispatch")
refused("'--rings'", "dispatch", "--rings", "1")
refused("not '0'", "dispatch", "--max", "0")
refused("not '1000001'", "dispatch", "--max", "1000001")
refused("not '-1'", "dispatch", "--accesses", "-1")
refused("not '1001'", "dispatch", "--rounds", "1001")
refused("--rounds is given twice", "dispatch", "--rounds", "1", "--rounds", "1")
refused("takes no argument", "dispatch", "--json=1")
refused("not '0'", "regions", "--doorbells", "0")
refused("not '1k'", "regions", "--doorbells", "1k")
refused("needs an argument", "regions", "--rounds")
for part in ("dispatch", "regions"):
    asked = bench(part, "--rounds", "2", "--help")
    other = subprocess.run([bellwire, "help", "bench", part], capture_output=True, text=True,
                           check=False)
    case(f"--help and help explain bench {part}", asked.returncode == other.returncode == 0 and
         asked.stdout == other.stdout and
         asked.stdout.startswith(f"usage: bellwire bench {part} "))
test_dispatch()
test_dispatch_on_one_cpu()
test_dispatch_table()
test_dispatch_is_interrupted()
test_regions()
test_regions_without_kvm()
print(f"1..{cases}")
sys.exit(failures > 0)
