#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# usage: tests/peer_test.py BELLWIRE ACCEL
#
# bellwire bench --peer qemu: every ring in QEMU is accounted for, and a QEMU that is missing,
# breaks or hangs is said in one line and leaves nothing behind. TAP; without QEMU or the back end
# what needs them is a skip.
import json
import os
import shutil
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # beside the sources
import tap
from tap import backend, case, children, comment, end, skip, wait_until

accel = sys.argv[2]
QEMU = "qemu-system-x86_64"
FEW = ["--accel", accel, "--rounds", "2", "--rings", "100", "--json"]


def start(*args, path=None):
    env = dict(os.environ, PATH=path or os.environ["PATH"])
    return tap.start("bench", *FEW, "--peer", "qemu", *args, env=env)


def finish(bench):
    out, err = bench.communicate(timeout=200)
    comment(f"status {bench.returncode} {err}")
    rows = json.loads(out)["results"] if out else []
    return bench.returncode, {row["path"]: row for row in rows}, err


def exists(pid):
    return os.path.exists(f"/proc/{pid}")


def fake_qemu(directory, script):
    path = os.path.join(directory, QEMU)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\n[ \"$1\" = --version ] && exit\n{script}\n")
    os.chmod(path, 0o755)
    return directory + ":" + os.environ["PATH"]


def unavailable(rows, word):
    """QEMU's rows say why they are empty, and ours are measured all the same."""
    qemu = [row for path, row in rows.items() if path.startswith("qemu-")]
    return (
        len(qemu) == 6
        and all(not row["available"] and word in row["why"] for row in qemu)
        and rows["unheard-pio"]["available"]
    )


def test_rings():
    status, rows, _ = finish(start())
    qemu = {path: row for path, row in rows.items() if path.startswith("qemu-")}
    if not any(row["available"] for row in qemu.values()):
        return skip("QEMU measures", next(iter(qemu.values()))["why"])
    case("exit status", status == 0)
    for path, row in qemu.items():
        # Two rounds and one to warm up. Behind an eventfd nobody counts.
        counted = (row["signals"], row["lost"])
        want = (300, 0) if "-none-" in path else (None, None)
        case(f"{path}: each ring once", row["rings"] == 300 and counted == want)
        case(f"{path}: a time", 0 < row["ci_low"] <= row["ns_per_ring"] <= row["ci_high"])
        case(f"{path}: CPU time", row["vcpu_cpu_ns"] > 0)
    ours = {"counted-pio": "none", "counted-mmio": "none", "unheard-pio": "any", "unheard-mmio": "any"}
    for path, test in ours.items():
        row = rows[path]
        case(f"{path}: each ring once", row["rings"] == row["signals"] == 300)
        case(
            f"{path}: beside QEMU's",
            row["peer_path"].startswith(f"qemu-{test}-")
            and row["peer_ratio_low"] <= row["peer_ratio"] <= row["peer_ratio_high"],
        )
    status, rows, _ = finish(start("--cpl", "0", "--path", "qemu-none-pio,null-pio"))
    case("at CPL 0 too", status == 0 and rows["qemu-none-pio"]["lost"] == 0)


def test_killed():
    bench = tap.start("bench", "--accel", accel, "--peer", "qemu", "--path", "qemu-none-pio",
                      "--rounds", "1000", "--json")
    wait_until(lambda: bench.poll() is not None or children(bench))
    time.sleep(1)  # on soft it measures then, on a slow KVM it boots
    for pid in children(bench):
        os.kill(pid, signal.SIGKILL)
    status, rows, err = finish(bench)
    good = "QEMU was killed by signal 9" in (err + (rows["qemu-none-pio"]["why"] or ""))
    case("a QEMU that is killed is a failure that says so", status == 1 and good)


def test_fakes(directory):
    _, rows, _ = finish(start("--path", "unheard-pio,qemu-*", path=directory))
    case("without QEMU the rows say that it is missing", unavailable(rows, QEMU))
    path = fake_qemu(directory, "echo 'no such machine' >&2; exit 1")
    _, rows, _ = finish(start("--path", "unheard-pio,qemu-*", path=path))
    case("a QEMU that gives up is quoted", unavailable(rows, "no such machine"))
    path = fake_qemu(directory, "exec sleep 1000")
    bench = start("--path", "unheard-pio,qemu-*", path=path)
    wait_until(lambda: bench.poll() is not None or children(bench))
    pids = children(bench)
    time.sleep(0.5)
    bench.send_signal(signal.SIGINT)
    status, _, _ = finish(bench)
    case("Ctrl-C while QEMU starts ends both", status == 130 and not any(map(exists, pids)))


info = backend(accel)
if not info["available"]:
    skip(f"beside QEMU on {accel}", info["why"])
else:
    with tempfile.TemporaryDirectory() as directory:
        test_fakes(directory)
    if shutil.which(QEMU):
        test_rings()
        test_killed()
    else:
        skip("beside QEMU", f"{QEMU} is not here")
end()
