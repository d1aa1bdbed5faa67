#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# usage: tests/conform_test.py BELLWIRE ACCEL
#
# The conformance suite on one subject, and a short differential run: each case is one here, in TAP.
# A known defect of the kernel is a skip.
import sys

sys.dont_write_bytecode = True  # beside the sources
from tap import case, comment, end, run_json

OPERATIONS = "20000"
accel = sys.argv[2]


def conform(*args):
    done, document = run_json("conform", "--accel", accel, *args)
    comment(done.stderr)
    return done.returncode, document.get("cases", []), done.stderr


def report(*args):
    status, rows, _ = conform(*args)
    for row in rows:
        result, why = row["result"], row["why"]
        skip = {"skip": why, "known": f"known: {why}"}.get(result)
        case(row["case"], result != "fail", f"{why}\n{row.get('script', '')}", skip)
    failed = any(row["result"] == "fail" for row in rows)
    case(f"exit status of {' '.join(args) or 'the suite'}", rows and status == failed)


status, rows, error = conform("--case", "every_length_is_assigned")
if "cannot be used" in error:
    case(accel, status == 1 and not rows, skip=error.strip())
else:
    report()
    report("--random", OPERATIONS)
end()
