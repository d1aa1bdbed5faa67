#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# usage: tests/vhost_faults_test.py BELLWIRE ACCEL
#
# bellwire bench with a vhost-user back end that does one thing wrong while the guest runs, in TAP:
# exit status 1, and a sentence that says what. (What it can say wrong before is vhost_user_test.c.)
import os
import sys
import tempfile

sys.dont_write_bytecode = True  # beside the sources
from tap import PATIENCE, backend, case, comment, end, run_json, skip_all
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

accel = sys.argv[2]


def bench(directory, *args, **options):
    """Exit status, document, standard error, back end."""
    path = os.path.join(tempfile.mkdtemp(dir=directory), "socket")
    server = Backend(path, **options)
    server.start()
    done, document = run_json(
        "bench", "--endpoint", f"vhost-user:{path}", "--accel", accel, "--path",
        "userspace-mmio,ioeventfd-mmio", "--rounds", "2", "--rings", "40", *args, timeout=PATIENCE
    )
    server.join()
    comment(done.stderr)
    if server.error:
        comment(f"the back end: {server.error!r}")
    return done.returncode, document, done.stderr, server


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
    status, document, _, server = bench(directory, sectors=64)
    case("a plain back end", right(status, document, 64 * 512))
    case("each request is taken once", server.next == 2 * 240 and not server.error)
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


info = backend(accel)
if not info["available"]:
    skip_all(info["why"])
with tempfile.TemporaryDirectory() as directory:
    check_good(directory)
    check_sizes(directory)
    for fault, says in FAULTS:
        status, document, error, _ = bench(directory, sectors=4096, fault=fault)
        case(fault, status == 1 and says in error)
end()
