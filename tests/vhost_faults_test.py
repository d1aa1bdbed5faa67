#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# usage: tests/vhost_faults_test.py BELLWIRE ACCEL
#
# bellwire bench with a vhost-user back end that does one thing wrong while the guest runs, in TAP:
# exit status 1, and a sentence that says what. (What it can say wrong before is vhost_user_test.c.)
import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # beside the sources
from vhost_backend import Backend

FAULTS = (
    ("closes", "closed the connection"),
    ("unasked", "sends what nobody asked for"),
    ("hangs", "requests were answered within 10 s"),
    ("one bit", "byte 20580 of the device is read as 0x31, not as 0x30"),
    ("no status", "ends with status 255"),
    ("error", "ends with status 1"),
    ("writes less", "and 4096 bytes written"),
    ("another id", "descriptor 1, which it does not have"),
    ("an id beyond", "descriptor 4294967295, which it does not have"),
    ("far ahead", "which it does not have"),
    ("takes one more", "it has taken requests up to"),
    ("never calls", "it has never written its call eventfd"),
)

bellwire, accel = os.path.realpath(sys.argv[1]), sys.argv[2]
cases = failures = 0


def case(name, good):
    global cases, failures
    cases += 1
    failures += not good
    print(f"{'ok' if good else 'not ok'} {cases} - {name}", flush=True)


def bench(directory, *args, **options):
    """Exit status, document, standard error, back end."""
    path = os.path.join(directory, f"socket{cases}")
    backend = Backend(path, **options)
    backend.start()
    done = subprocess.run(
        [bellwire, "bench", "--endpoint", f"vhost-user:{path}", "--accel", accel, "--json"]
        + ["--path", "userspace-mmio,ioeventfd-mmio", "--rounds", "2", "--rings", "40", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    backend.join()
    print("".join(f"# {line}\n" for line in done.stderr.splitlines()), end="")
    if backend.error:
        print(f"# the back end: {backend.error!r}")
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr, backend


def right(status, document, read):
    """Everything was read, and rightly."""
    rows = document["results"]
    return (
        status == 0
        and len(rows) == 2
        and all(row["wrong_bytes"] == 0 and row["requests"] == 240 for row in rows)
        and document["devices"][0]["device_bytes_read"] == read
    )


def check_good(directory):
    status, document, _, backend = bench(directory, sectors=64)
    case("a plain back end", right(status, document, 64 * 512))
    case("each request is taken once", backend.next == 2 * 240 and not backend.error)
    status, document, _, _ = bench(directory, sectors=64, acks=False)
    case("without acknowledgements", right(status, document, 64 * 512))
    status, document, _, _ = bench(directory, fault="rewrites the request")
    case("what it writes over requests is not believed", right(status, document, 64 * 512))
    status, document, _, _ = bench(directory, sectors=27)
    case("a device that ends within a block", right(status, document, 27 * 512))
    status, document, _, _ = bench(directory, sectors=1)
    case("a device of one sector", right(status, document, 512))


def check_sizes(directory):
    for sectors in (0, 2**64 - 1):
        status, _, error, _ = bench(directory, sectors=sectors)
        case(f"{sectors} sectors", status == 1 and f"the device has {sectors} sectors" in error)


with tempfile.TemporaryDirectory() as directory:
    backends = json.loads(subprocess.run([bellwire, "info", "--json"], stdout=subprocess.PIPE,
                                         check=False).stdout)["backends"]
    info = {backend["name"]: backend for backend in backends}[accel]
    if not info["available"]:
        print(f"1..0 # SKIP {info['why']}")
        sys.exit(0)
    check_good(directory)
    check_sizes(directory)
    for fault, says in FAULTS:
        status, document, error, _ = bench(directory, sectors=4096, fault=fault)
        case(fault, status == 1 and says in error)
print(f"1..{cases}")
sys.exit(failures > 0)
