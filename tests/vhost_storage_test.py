#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# usage: tests/vhost_storage_test.py BELLWIRE ACCEL
#
# bellwire bench with a block device that QEMU's storage daemon serves, in TAP: every byte is read
# and compared, and what becomes of the daemon is told.
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # beside the sources
import tap
from tap import backend, end, is_listening, run, skip_all, start, wait_until

accel = sys.argv[2]
DAEMON = shutil.which("qemu-storage-daemon")
KICKS = ["userspace-pio", "userspace-mmio", "ioeventfd-pio", "ioeventfd-mmio", "ioeventfd-mmio-any"]


def case(name, good, done=None):
    tap.case(name, good, f"{done.returncode}, {done.stderr!r}" if done else "")


class Daemon:
    """Serves an image at self.socket."""

    def __init__(self, directory, image):
        self.socket = os.path.join(tempfile.mkdtemp(dir=directory), "socket")
        self.process = subprocess.Popen(
            [DAEMON]
            + ["--blockdev", f"driver=file,filename={image},node-name=disk,read-only=on"]
            + ["--export", "type=vhost-user-blk,id=export,addr.type=unix,writable=off,"
               f"node-name=disk,addr.path={self.socket}"],
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # it is stopped for good in one case
        )

    def __enter__(self):
        wait_until(lambda: is_listening(self.process, self.socket) or self.process.poll() is not None)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def command(socket, *args):
    return ["bench", "--endpoint", f"vhost-user:{socket}", "--accel", accel, *args]


def bench(socket, *args):
    return run(*command(socket, *args), timeout=100)


def few(socket, *args):
    return bench(socket, "--json", "--rounds", "2", "--rings", "64", *args)


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)
    return path


def lines(size):
    return b"".join(b"%015d\n" % i for i in range(size // 16))


def check_rows(done):
    document = json.loads(done.stdout)
    rows = {row["path"]: row for row in document["results"]}
    case("exit status", done.returncode == 0, done)
    case("every way of the kick", sorted(rows) == sorted(KICKS))
    for path, row in rows.items():
        case(
            path,
            row["wrong_bytes"] == 0
            and row["requests"] == 3 * 2 * 64
            and 0 < row["p50_ns"] <= row["p99_ns"] <= row["p999_ns"]
            and 0 < row["iops_low"] <= row["iops"] <= row["iops_high"]
            and (row["speedup"] is not None) == path.startswith("ioeventfd"),
        )
    device = document["devices"][0]
    case("the whole device was read", device["device_bytes_read"] == device["device_bytes"])
    case("the call eventfd was written", device["calls"] > 0)


def check_bytes(directory, image):
    content = bytearray(lines(1 << 20))
    content[777777] ^= 0x80
    spoiled = write(os.path.join(directory, "spoiled"), content)
    with Daemon(directory, spoiled) as daemon:
        done = few(daemon.socket)
        case("one wrong byte", done.returncode == 1 and "byte 777777 of" in done.stderr, done)
        done = few(daemon.socket, "--image", spoiled)
        case("an image of anything", done.returncode == 0, done)
        done = few(daemon.socket, "--image", image)
        case("another image", done.returncode == 1 and "byte 777777 of" in done.stderr, done)
        short = write(os.path.join(directory, "short"), content[:4096])
        done = few(daemon.socket, "--image", short)
        case("a short image", done.returncode == 1 and "shorter than the dev" in done.stderr, done)


def check_end_of_device(directory):
    image = write(os.path.join(directory, "odd"), lines(5 * 4096 + 512))
    with Daemon(directory, image) as daemon:
        done = few(daemon.socket)
        case("a device that ends within a block", done.returncode == 0, done)


def check_table(daemon):
    done = bench(daemon.socket, "--rounds", "1", "--rings", "1", "--path", "ioeventfd-pio")
    case("a table", done.returncode == 0 and "ioeventfd-pio" in done.stdout, done)


def check_nobody(directory, image):
    for name, socket, says in (
        ("nobody listens", os.path.join(directory, "nothing"), "No such file"),
        ("no socket", image, "nobody listens there"),
    ):
        done = few(socket)
        case(name, done.returncode == 1 and says in done.stderr, done)


def measure_until(daemon, act):
    """What becomes of a long run when act() is called in it."""
    running = start(*command(daemon.socket, "--json", "--rounds", "1000", "--rings", "256"))
    time.sleep(1)
    act(running)
    out, err = running.communicate(timeout=60)
    return subprocess.CompletedProcess([], running.returncode, out, err)


def check_ends(directory, image):
    with Daemon(directory, image) as daemon:
        done = measure_until(daemon, lambda running: running.send_signal(signal.SIGINT))
        rounds = json.loads(done.stdout)["devices"][0]["rounds"]
        case("interrupted", done.returncode == 130 and rounds < 1000, done)
        case("and the daemon serves the next", few(daemon.socket).returncode == 0)
        done = measure_until(daemon, lambda _: daemon.process.kill())
        case("killed", done.returncode == 1 and "closed the connection" in done.stderr, done)
    with Daemon(directory, image) as daemon:
        daemon.process.send_signal(signal.SIGSTOP)
        done = few(daemon.socket)
        case("stopped", done.returncode == 1 and "does not answer GET_FEATURES" in done.stderr)


if not DAEMON:
    skip_all("no qemu-storage-daemon (Debian: qemu-system-common)")
info = backend(accel)
if not info["available"]:
    skip_all(info["why"])
with tempfile.TemporaryDirectory() as directory:
    image = write(os.path.join(directory, "image"), lines(1 << 20))
    with Daemon(directory, image) as daemon:
        check_rows(few(daemon.socket))
        check_table(daemon)
    check_bytes(directory, image)
    check_end_of_device(directory)
    check_nobody(directory, image)
    check_ends(directory, image)
end()
