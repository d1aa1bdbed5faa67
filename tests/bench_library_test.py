#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# usage: tests/bench_library_test.py BELLWIRE
#
# bellwire bench dispatch and bench regions as their user meets them, in TAP: what is measured, what
# is wrong with a command line, and that every row is there. Few rounds: nothing depends on speed.
import json
import os
import sys

sys.dont_write_bytecode = True  # beside the sources
from tap import case, end, interrupt, refuses, run, run_json, skip, start, without_kvm

few = ("--max", "1000", "--rounds", "2", "--accesses", "50")


def document(*args, **more):
    done, d = run_json("bench", *args, **more)
    return done.returncode, d, done.stderr


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
    done = run("bench", "dispatch", *few)
    case("the table has the cases, what they are compared with, and how huge pages are set",
         done.returncode == 0 and not done.stderr and "\nhit " in done.stdout and
         "\nregion " in done.stdout and "limit ns" in done.stdout and
         "no guest, no offload" in done.stdout and "Huge pages: " in done.stdout and
         "\n0 accesses were lost" in done.stdout)
    done = run("bench", "dispatch", "--max", "9", "--rounds", "1", "--accesses", "1", "--json")
    rows = json.loads(done.stdout)["results"]
    case("--max leaves out what has more",
         [(r["case"], r["entries"]) for r in rows] == [("hit", 1), ("region", 1)])


def test_dispatch_is_interrupted():
    bench = start("bench", "dispatch", "--max", "1", "--accesses", "5000000", "--json")
    interrupt(bench)
    out, err = bench.communicate(timeout=60)
    case("Ctrl-C shows the rounds that were finished",
         bench.returncode == 130 and "interrupted" in err and json.loads(out)["interrupted"])


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
        skip("both ways are measured", rows[0]["why"])
        return
    case("both ways are measured", status == 0 and not err and
         all(min(r["by_hand_ns"], r["bellwire_ns"], r["library_ns"]) > 0 and
             r["ratio_low"] <= r["ratio"] <= r["ratio_high"] and r["aa_ratio"] > 0 and
             abs(r["kernel_ns"] + r["library_ns"] - r["bellwire_ns"]) < 1e-5 * r["bellwire_ns"]
             for r in rows))
    done = run("bench", "regions", "--doorbells", "7", "--rounds", "1")
    case("the table has a line for each", done.returncode == 0 and
         done.stdout.count("\nmap ") == done.stdout.count("\nunmap ") == 2)


def test_regions_without_kvm():
    name = "without /dev/kvm each row says why, and nothing measured is a failure"
    prefix = without_kvm()
    if prefix is None:
        return skip(name, "/dev/kvm cannot be hidden here")
    status, d, err = document("regions", prefix=prefix)
    case(name, status == 1 and "nothing could be measured" in err and
         all(not r["available"] and "/dev/kvm" in r["why"] and r["ratio"] is None
             for r in d["results"]))


refuses("'extra'", "bench", "dispatch", "extra")
refuses("'extra'", "bench", "regions", "extra")
refuses("'dispatch'", "bench", "--json", "dispatch")
refuses("'--rings'", "bench", "dispatch", "--rings", "1")
refuses("not '0'", "bench", "dispatch", "--max", "0")
refuses("not '1000001'", "bench", "dispatch", "--max", "1000001")
refuses("not '-1'", "bench", "dispatch", "--accesses", "-1")
refuses("not '1001'", "bench", "dispatch", "--rounds", "1001")
refuses("--rounds is given twice", "bench", "dispatch", "--rounds", "1", "--rounds", "1")
refuses("takes no argument", "bench", "dispatch", "--json=1")
refuses("not '0'", "bench", "regions", "--doorbells", "0")
refuses("not '1k'", "bench", "regions", "--doorbells", "1k")
refuses("needs an argument", "bench", "regions", "--rounds")
for part in ("dispatch", "regions"):
    asked = run("bench", part, "--rounds", "2", "--help")
    other = run("help", "bench", part)
    case(f"--help and help explain bench {part}", asked.returncode == other.returncode == 0 and
         asked.stdout == other.stdout and
         asked.stdout.startswith(f"usage: bellwire bench {part} "))
test_dispatch()
test_dispatch_on_one_cpu()
test_dispatch_table()
test_dispatch_is_interrupted()
test_regions()
test_regions_without_kvm()
end()
