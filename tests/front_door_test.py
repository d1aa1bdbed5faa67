#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# usage: tests/front_door_test.py BELLWIRE ACCEL
#
# What "make doorbell" does, with few rings on one back end: each path is a case, in TAP. A path
# that this host cannot run is a skip that says why.
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

bellwire, accel = sys.argv[1:]
cases = failures = 0


def case(name, good, why=None):
    global cases, failures
    cases += 1
    failures += not good
    print(f"{'ok' if good else 'not ok'} {cases} - {name}" + (f" # SKIP {why}" if why else ""))


def run(*args):
    done = subprocess.run([bellwire, *args], stdout=subprocess.PIPE, check=False)
    return done.returncode, json.loads(done.stdout or "{}")


def measured(row):
    return (
        row["lost"] == (None if row["path"].startswith("null-") else 0)
        and row["rings"] >= 1000
        and 0 < row["ci_low"] <= row["ns_per_ring"] <= row["ci_high"]
    )


def bench(svg):
    return run(
        "bench", "--accel", accel, "--rings", "1000", "--rounds", "2", "--json", "--svg", svg
    )


def chart(svg):
    try:
        return xml.etree.ElementTree.parse(svg).getroot().tag.endswith("svg")
    except (OSError, xml.etree.ElementTree.ParseError) as error:
        print(f"# {svg}: {error}")
        return False


info = {backend["name"]: backend for backend in run("info", "--json")[1]["backends"]}[accel]
with tempfile.TemporaryDirectory() as directory:
    svg = os.path.join(directory, "doorbell.svg")
    status, document = bench(svg)
    rows = document.get("results", [])
    for row in rows:
        if row["available"]:
            case(row["path"], measured(row))
        else:
            case(row["path"], bool(row["why"]), row["why"])
    if info["available"]:
        case("something was measured", any(row["available"] for row in rows))
        case("exit status", status == 0)
        case("chart", chart(svg))
    else:
        case(f"nothing is measured without {accel}", not any(row["available"] for row in rows))
        case("exit status", status == 1)
print(f"1..{cases}")
sys.exit(failures > 0)
