#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# usage: tests/conform_test.py BELLWIRE ACCEL
#
# The conformance suite on one subject, and a short differential run: each case is one here, in TAP.
# A known defect of the kernel is a skip.
import json
import subprocess
import sys

OPERATIONS = "20000"

bellwire, accel = sys.argv[1:]
cases = failures = 0


def case(name, good, skip=None):
    global cases, failures
    cases += 1
    failures += not good
    print(f"{'ok' if good else 'not ok'} {cases} - {name}" + (f" # SKIP {skip}" if skip else ""))


def conform(*args):
    done = subprocess.run(
        [bellwire, "conform", "--accel", accel, "--json", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    sys.stdout.write("".join(f"# {line}\n" for line in done.stderr.splitlines()))
    return done.returncode, json.loads(done.stdout or '{"cases": []}')["cases"], done.stderr


def report(*args):
    status, rows, _ = conform(*args)
    for row in rows:
        result, why = row["result"], row["why"]
        if result == "fail":
            script = "".join(f"# {line}\n" for line in row.get("script", "").splitlines())
            print(f"# {why}\n{script}", end="")
        skip = {"skip": why, "known": f"known: {why}"}.get(result)
        case(row["case"], result != "fail", skip)
    failed = any(row["result"] == "fail" for row in rows)
    case(f"exit status of {' '.join(args) or 'the suite'}", rows and status == failed)


status, rows, error = conform("--case", "every_length_is_assigned")
if "cannot be used" in error:
    case(accel, status == 1 and not rows, error.strip())
else:
    report()
    report("--random", OPERATIONS)
print(f"1..{cases}")
sys.exit(failures > 0)
