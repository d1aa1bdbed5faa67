#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# usage: tests/front_door_test.py BELLWIRE ACCEL
#
# What "make doorbell" does, with few rings on one back end: each path is a case, in TAP. A path
# that this host cannot run is a skip that says why.
import os
import sys
import tempfile
import xml.etree.ElementTree

sys.dont_write_bytecode = True  # beside the sources
from tap import backend, case, comment, end, run_json

accel = sys.argv[2]


def measured(row):
    return (
        row["lost"] == (None if row["path"].startswith("null-") else 0)
        and row["rings"] >= 1000
        and 0 < row["ci_low"] <= row["ns_per_ring"] <= row["ci_high"]
    )


def chart(svg):
    try:
        return xml.etree.ElementTree.parse(svg).getroot().tag.endswith("svg")
    except (OSError, xml.etree.ElementTree.ParseError) as error:
        comment(f"{svg}: {error}")
        return False


with tempfile.TemporaryDirectory() as directory:
    svg = os.path.join(directory, "doorbell.svg")
    done, document = run_json("bench", "--accel", accel, "--rings", "1000", "--rounds", "2",
                              "--svg", svg)
    comment(done.stderr)
    rows = document.get("results", [])
    for row in rows:
        if row["available"]:
            case(row["path"], measured(row))
        else:
            case(row["path"], bool(row["why"]), skip=row["why"])
    if backend(accel)["available"]:
        case("something was measured", any(row["available"] for row in rows))
        case("exit status", done.returncode == 0)
        case("chart", chart(svg))
    else:
        case(f"nothing is measured without {accel}", not any(row["available"] for row in rows))
        case("exit status", done.returncode == 1)
end()
