#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# usage: tests/compare_test.py BELLWIRE
#
# bellwire compare, in TAP: on documents that the program has just written, on those documents
# changed by hand in one place each, and on files that are none. Nothing depends on how fast this
# machine is: what is to be slower is made so.
import copy
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True  # beside the sources
import tap
from tap import case, end, run, skip, start


def write(name, content):
    """A document, or text as it is."""
    with open(name, "w", encoding="utf-8") as file:
        file.write(content if isinstance(content, str) else json.dumps(content))
    return name


def compare(a, b, *args):
    return run("compare", write("a.json", a), write("b.json", b), *args)


def changed(document, change):
    document = copy.deepcopy(document)
    change(document)
    return document


def check(name, done, status, *words):
    good = done.returncode == status and not done.stderr and all(w in done.stdout for w in words)
    case(name, good, f"exit {done.returncode}, {done.stderr!r}, {done.stdout[-600:]!r}")


def refused(name, done, *words):
    tap.refused(f"refuses {name}", done, *words)


def verdicts(a, b, *args):
    done = compare(a, b, "--json", *args)
    document = json.loads(done.stdout)
    found = {(row["name"], row["metric"]): row["verdict"] for row in document["rows"]}
    return done.returncode, document, found


def scale(row, fields, factor):
    for field in fields:
        row[field] *= factor


# ---- documents ----

STALL = ("ns_per_ring", "ci_low", "ci_high")
SMALL = ("--accel", "soft", "--rounds", "6")


def stall(*args):
    paths = "null-pio,raw-ioeventfd-pio,ioeventfd-pio"
    return run("bench", *SMALL, "--rings", "200", "--path", paths, "--json", *args)


def steady(document):
    """Without this machine's noise: intervals of 1 %, and an A/A pair of 2 %."""

    def calm(d):
        for row in d["results"]:
            row.update(ci_low=row["ns_per_ring"] * 0.995, ci_high=row["ns_per_ring"] * 1.005)
            if row["raw_ratio"]:
                row.update(raw_ratio=1.0, raw_ratio_low=0.99, raw_ratio_high=1.01)
        d["aa"][0].update(ratio=1.0, ci_low=0.985, ci_high=1.02)

    return changed(document, calm)


def check_itself(name, done):
    """A document that the program wrote, compared with itself."""
    if done.returncode != 0:
        return case(name, False, done.stderr)
    document = json.loads(done.stdout)
    again = compare(document, document)
    good = again.returncode == 0 and "SLOWER" not in again.stdout and "same" in again.stdout
    case(name, good and "the same." in again.stdout)


def check_own_documents():
    check_itself("bench", stall())
    conform = ("conform", "--accel", "soft", "--case", "deassign_*", "--json")
    check_itself("conform", run(*conform))
    check_itself("bench dispatch", run("bench", "dispatch", "--max", "1000", "--rounds", "6",
                                       "--accesses", "500", "--json"))
    if os.cpu_count() == 1:
        skip("bench rtt", "one CPU")
    else:
        check_itself("bench rtt", run("bench", "rtt", "--path", "ioeventfd-pio", "--rings", "6000",
                                      "--json"))
    if os.cpu_count() == 1:
        skip("bench adaptive", "one CPU")
    else:
        check_itself("bench adaptive", run("bench", "adaptive", "--accel", "soft", "--rounds", "6",
                                           "--policy", "fixed-hot", "--seconds", "1", "--json"))
    regions = run("bench", "regions", "--doorbells", "8", "--rounds", "6", "--json")
    if regions.returncode == 0:
        check_itself("bench regions", regions)
    else:
        skip("bench regions", "it needs /dev/kvm")


# ---- figures ----

FD = "soft ioeventfd-pio"
RAW = "soft raw-ioeventfd-pio"


def row_of(document, path):
    return next(row for row in document["results"] if row["path"] == path)


def slowed(document, factor, path="ioeventfd-pio"):
    return changed(document, lambda d: scale(row_of(d, path), STALL, factor))


def check_figures(a):
    status, document, found = verdicts(a, slowed(a, 1.5))
    good = status == 1 and document["worse"] and document["counts"]["slower"] == 1
    case("slower by half is slower", good and found[FD, "ns_per_ring"] == "slower")
    status, document, found = verdicts(a, slowed(a, 0.5))
    case("twice as fast is no failure", status == 0 and found[FD, "ns_per_ring"] == "faster")
    status, _, found = verdicts(a, slowed(a, 1.05))
    case("what lies within interval and noise is nothing", status == 0 and
         found[FD, "ns_per_ring"] == "same")
    # The intervals leave 1.09 to 1.11: beyond the A/A pair's 1.02, within a tolerance of 10 %.
    status, _, _ = verdicts(a, slowed(a, 1.1))
    case("beyond the tolerance is slower", status == 1)
    status, _, _ = verdicts(a, slowed(a, 1.1), "--tolerance", "10")
    case("--tolerance allows for more", status == 0)
    noisy = changed(slowed(a, 1.1), lambda d: d["aa"][0].update(ci_low=0.8))
    status, document, _ = verdicts(a, noisy)
    noise = max(row["noise"] for row in document["rows"])
    case("the A/A pair of either document counts", status == 0 and abs(noise - 1.25) < 1e-6)
    case("and none is said to be missing", "no such pair" not in compare(a, noisy).stdout)
    other = changed(noisy, lambda d: d["aa"][0].update(accel="kvm"))
    case("but not that of another back end", verdicts(a, other)[0] == 1)
    wide = changed(slowed(a, 1.3), lambda d: row_of(d, "ioeventfd-pio").update(ci_low=1e-3))
    case("a wide interval decides nothing", verdicts(a, wide)[0] == 0)
    ratio = ("raw_ratio", "raw_ratio_low", "raw_ratio_high")
    worse = changed(a, lambda d: scale(row_of(d, "ioeventfd-pio"), ratio, 1.3))
    status, _, found = verdicts(a, worse)
    case("a ratio to raw that grew is slower", status == 1 and found[FD, "raw_ratio"] == "slower")


def check_rows(a):
    few = changed(slowed(a, 9), lambda d: row_of(d, "ioeventfd-pio").update(ci_coverage=0.9))
    status, _, found = verdicts(a, few)
    case("too few rounds decide nothing", status == 0 and
         found[FD, "ns_per_ring"] == "too_few_rounds")
    null = {field: None for field in STALL}
    gone = changed(a, lambda d: row_of(d, "ioeventfd-pio").update(null, why="no such bus"))
    check("a path that B could not run is told with the reason", compare(a, gone), 0,
          f"only in A: {FD}: no such bus")
    check("and one that A could not", compare(gone, a), 0, f"only in B: {FD}: no such bus")
    cut = changed(a, lambda d: d["results"].pop(0))
    check("a path that B does not have", compare(a, cut), 0, "only in A: soft null-pio\n")
    loses = changed(a, lambda d: row_of(d, "raw-ioeventfd-pio").update(lost=-1))
    check("rings that were lost", compare(a, loses), 1, f"LOSES RINGS: {RAW}: -1 lost")
    case("are not lost again", compare(loses, loses).returncode == 0)


def check_host(a):
    def other(d):
        d["version"] = "9.9"
        d["host"].update(kernel="Linux \x1b[31mred", mitigations={"sunburn": "Vulnerable"})
        d["options"].update(cpl=0, seed=12345)
        d["host"]["new"] = {"deep": [1]}

    done = compare(a, changed(a, other))
    check("what differs besides", done, 0, "differs: version: ", " -> 9.9", "options cpl: 3 -> 0",
          "host mitigations sunburn: null -> Vulnerable", 'host new: null -> {"deep": [1]}')
    case("but not the seed", "seed" not in done.stdout)
    case("foreign text does not reach the terminal as it is",
         "\x1b" not in done.stdout and "Linux ?[31mred" in done.stdout)
    calm = changed(a, lambda d: [r.update(vcpu_cpu_ns=r["ns_per_ring"]) for r in d["results"]])
    sleeps = dict(calm["results"][0], path="remote-pio", vcpu_cpu_ns=1)
    busy = changed(a, lambda d: [r.update(vcpu_cpu_ns=r["ns_per_ring"] / 2) for r in d["results"]])
    check("a run that was disturbed", compare(calm, busy), 0,
          "B is not to be trusted: the vCPU's thread had its CPU for only 50 % of the time.")
    case("and one that was not", "not to be trusted" not in compare(calm, calm).stdout)
    waits = changed(calm, lambda d: d["results"].append(sleeps))
    case("a vCPU that waits for an answer is not disturbed",
         "not to be trusted" not in compare(waits, waits).stdout)
    stopped = changed(a, lambda d: d.update(interrupted=True))
    check("an interrupted run", compare(a, stopped), 0, "differs: interrupted: false -> true")


def check_vhost():
    def document(trip=50000, rate=20000, wrong=0):
        row = {"accel": "kvm", "path": "ioeventfd-pio", "ci_coverage": 0.97, "p50_ns": trip,
               "p50_low": trip * 0.99, "p50_high": trip * 1.01, "iops": rate,
               "iops_low": rate * 0.99, "iops_high": rate * 1.01, "wrong_bytes": wrong}
        return {"schema": "bellwire.bench-vhost/1", "unit": "ns", "results": [row]}

    fd = "kvm ioeventfd-pio"
    status, _, found = verdicts(document(), document(trip=60000))
    case("a device's round trip that takes longer is slower", status == 1 and
         found == {(fd, "p50_ns"): "slower", (fd, "iops"): "same"})
    status, _, found = verdicts(document(), document(rate=10000))
    case("fewer requests a second are slower", status == 1 and found[fd, "iops"] == "slower")
    status, _, found = verdicts(document(), document(rate=40000))
    case("more requests a second are faster", status == 0 and found[fd, "iops"] == "faster")
    check("wrong bytes", compare(document(), document(wrong=3)), 1, f"WRONG BYTES: {fd}: 3 wrong")
    case("are not wrong again", compare(document(wrong=3), document(wrong=3)).returncode == 0)


def check_adaptive():
    def document(policy="adaptive", stall=200, p99=9000, lost=0):
        row = {"accel": "kvm", "pattern": "100/s", "policy": policy, "mechanism": "slot",
               "ci_coverage": 0.97, "stall_ns_per_ring": stall, "ci_low": stall * 0.99,
               "ci_high": stall * 1.01, "p99_latency_ns": p99, "p99_low": p99 * 0.99,
               "p99_high": p99 * 1.01, "lost": lost}
        return {"schema": "bellwire.bench-adaptive/1", "results": [row]}

    name = "kvm 100/s adaptive slot"
    status, _, found = verdicts(document(), document(stall=300))
    case("a page that stalls the guest longer is slower", status == 1 and
         found == {(name, "stall_ns_per_ring"): "slower", (name, "p99_latency_ns"): "same"})
    status, _, found = verdicts(document(), document(p99=5000))
    case("one that is heard sooner is faster", status == 0 and
         found[name, "p99_latency_ns"] == "faster")
    check("rings of a page that were lost", compare(document(), document(lost=2)), 1,
          f"LOSES RINGS: {name}: 2 lost")
    refused("two policies", compare(document(), document(policy="fixed-hot")), "no row in common")
    check("that there is no A/A pair is said", compare(document(), document()), 0,
          "no such pair here")


def check_round_trips():
    def document(endpoint="thread", p50=5000, **more):
        rows = [{"accel": "kvm", "path": "ioeventfd-pio", "consumer": "block", "answer": answer,
                 "ci_coverage": 0.97, "p50_ns": p50, "p50_low": p50 * 0.99, "p50_high": p50 * 1.01,
                 "p99_ns": None} for answer in ("word", "interrupt")]
        return {"schema": "bellwire.bench/1", "kind": "rtt", "results": rows,
                "options": {"endpoint": endpoint}, **more}

    def slow(d):
        scale(d["results"][1], ("p50_ns", "p50_low", "p50_high"), 1.5)

    status, _, found = verdicts(document(), changed(document(), slow))
    name = "kvm ioeventfd-pio block"
    case("ways to answer are told apart", status == 1 and
         found == {(f"{name} word", "p50_ns"): "same",
                   (f"{name} interrupt", "p50_ns"): "slower"})
    refused("two kinds of endpoint", compare(document(), document("process")), "kind of endpoint")
    case("where a socket is does not matter",
         compare(document("./a"), document("/run/b")).returncode == 0)
    check("another QEMU", compare(document(peer="QEMU 7"), document(peer="QEMU 8")), 0,
          "differs: peer: QEMU 7 -> QEMU 8")


# ---- cases ----


def check_conform():
    def document(**results):
        rows = [{"case": name, "accel": "kvm", "result": result, "why": f"{result} it is"}
                for name, result in results.items()]
        return {"schema": "bellwire.conform/1", "cases": rows}

    def ends(name, a, b, status, word):
        check(name, compare(document(steady="pass", it=a), document(steady="pass", it=b)), status,
              word)

    ends("a case that fails now", "pass", "fail", 1, "BROKEN: kvm it: pass -> fail: fail it is")
    ends("a defect that shows now", "pass", "known", 1, "BROKEN: kvm it: pass -> known")
    ends("a known defect that got worse", "known", "fail", 1, "BROKEN")
    ends("a case that passes now", "fail", "pass", 0, "mended: kvm it: fail -> pass: fail it is")
    ends("a case that failed before too", "fail", "fail", 0, "2 same")
    ends("a case that B could not run", "pass", "skip", 0, "only in A: kvm it: pass -> skip")
    ends("a case that A could not run", "skip", "fail", 0, "only in B: kvm it: skip -> fail")
    check("a new case", compare(document(old="pass"), document(old="pass", new="fail")), 0,
          "only in B: kvm new")
    refused("a result that is none", compare(document(it="pass"), document(it="perhaps")),
            "b.json: cases[0]: 'result'")


# ---- refusals ----


def check_files(a):
    text = json.dumps(a, indent=1)
    refused("a file that is not there", run("compare", "missing", "a.json"), "missing: No such")
    refused("a directory", run("compare", ".", "a.json"), ".: Is a directory")
    refused("an empty file", compare(a, ""), "b.json: truncated")
    refused("a truncated one", compare(text[: len(text) // 2], a), "a.json: truncated: it ends in")
    cut = text.index("null") + 3
    refused("one that ends in a word", compare(text[:cut], a), "a.json: truncated: it ends in")
    refused("a tail", compare(a, text + "x"), "b.json: no JSON: line")
    refused("what is no JSON", compare("host  Linux\n", a), "a.json: no JSON: line 1")
    refused("a key twice", compare('{"schema": "x", "schema": "y"}', a), "a.json: no JSON")
    refused("another program's", compare({"schema": "fio/3"}, a), "no document of bellwire's")
    refused("an array", compare([], a), "no document of bellwire's")
    refused("a schema that is no text", compare({"schema": 1}, a), "no document of bellwire's")
    refused("a newer schema", compare(a, changed(a, lambda d: d.update(schema="bellwire.bench/2"))),
            "b.json: schema bellwire.bench/2 is newer", "bellwire.bench/1")
    refused("a schema without a version", compare(a, {"schema": "bellwire.bench/x"}), "no version")
    refused("what has nothing to compare", run("compare", write("i.json", run(
        "info", "--json").stdout), "a.json"), "bellwire.info/1 has nothing")
    refused("a newer kind", compare(a, changed(a, lambda d: d.update(kind="nap"))), "kind that is")
    refused("two kinds", compare(a, {"schema": "bellwire.conform/1", "cases": []}),
            "these cannot be compared")
    rtt = {"schema": "bellwire.bench/1", "kind": "rtt", "results": []}
    refused("round trips beside stalls", compare(rtt, a), "rtt", "stall", "cannot be compared")
    refused("two units", compare(a, changed(a, lambda d: d.update(unit="cycles"))), "same unit")
    refused("nothing in common", compare(a, changed(a, lambda d: d.update(results=[]))), "common")
    refused("a file too many", run("compare", "a", "b", "c"), "'c' is one too many")
    refused("one file", run("compare", "a.json"), "two files")
    refused("a tolerance below 0", run("compare", "a", "b", "--tolerance", "-1"), "not '-1'")
    refused("an option that is none", run("compare", "--fast", "a", "b"), "'--fast'")


def check_fields(a):
    def broken(name, change, *words):
        refused(name, compare(a, changed(a, change)), "b.json: ", *words)

    def first(**fields):
        return lambda d: d["results"][0].update(fields)

    broken("no rows", lambda d: d.pop("results"), "no array 'results'")
    broken("rows that are none", lambda d: d.update(results=[1]), "results[0] is no object")
    broken("a row without a name", lambda d: d["results"][1].pop("path"), "results[1]: 'path'")
    broken("a name of another type", first(accel=None), "results[0]: 'accel' is missing")
    broken("a name without an end", first(path="x" * 300), "results[0]: 'path' is too long")
    broken("a row twice", lambda d: d["results"].append(d["results"][0]), "'soft null-pio' twice")
    broken("a row without its figure", lambda d: d["results"][0].pop("ns_per_ring"),
           "results[0]: 'ns_per_ring' is missing")
    broken("a figure that is text", first(ns_per_ring="5"), "'ns_per_ring' is no number")
    broken("a figure below zero", first(ns_per_ring=-5.0), "'ns_per_ring' is out of range")
    broken("a figure of a million years", first(ns_per_ring=1e300), "out of range")
    broken("an interval upside down", first(ci_low=9.0, ci_high=1.0), "'ci_high' is below")
    broken("an A/A pair of zero", lambda d: d["aa"][0].update(ci_low=0), "aa[0]: 'ci_low'")


def check_streams(a):
    write("a.json", a)
    write("b.json", slowed(a, 1.5))
    with open("/dev/full", "w", encoding="utf-8") as full:
        full_disk = start("compare", "a.json", "a.json", stdout=full)
        full_disk.communicate()
    case("a result that cannot be written is a failure", full_disk.returncode == 1)
    with open("b.json", encoding="utf-8") as piped:
        done = run("compare", "--json", "a.json", "/dev/stdin", stdin=piped)
    case("a pipe is a file too", done.returncode == 1 and json.loads(done.stdout)["worse"])


with tempfile.TemporaryDirectory() as directory:
    os.chdir(directory)
    check_conform()
    check_vhost()
    check_adaptive()
    check_round_trips()
    first_run = stall()
    if first_run.returncode == 0:
        real = steady(json.loads(first_run.stdout))
        check_own_documents()
        for part in check_figures, check_rows, check_host, check_files, check_fields, check_streams:
            part(real)
    else:
        skip("what needs figures of this machine", "the soft back end is not there")
end()
