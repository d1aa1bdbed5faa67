#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# usage: tests/watch_qemu_test.py BELLWIRE COMPILER...
#
# bellwire watch on a QEMU with a pci-testdev, whose guest (tests/watch_qemu.S) rings a port without
# an eventfd, one with, and one with a value. Prints TAP; what is missing here is a skip.
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # beside the sources
import tap
from tap import case, comment, end, run_json

compiler = sys.argv[2:]
source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "watch_qemu.S")
NAMES = (
    "the port without an eventfd goes to userspace, and would gain",
    "the ports with an eventfd are light",
    "what is read would not gain",
)


def skip(why):
    for name in NAMES:
        tap.skip(name, why)
    end()


def build(image):
    code = image + ".o"
    subprocess.run(compiler + ["-m32", "-c", source, "-o", code], check=True)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", code, image], check=True)


def start(image, errors):
    disk = f"file={image},format=raw,if=ide,snapshot=on"
    machine = ["-accel", "kvm", "-m", "16", "-nodefaults", "-display", "none"]
    device = ["-device", "pci-testdev,addr=4", "-drive", disk]
    return subprocess.Popen(["qemu-system-x86_64", *machine, *device], stderr=errors)


def watch(pid):
    done, document = run_json("watch", str(pid), "--seconds", "2")
    if "not permitted" in done.stderr or "this kernel has no" in done.stderr:
        skip(done.stderr.strip())
    return document if done.returncode == 0 else {"addresses": []}


def count(address, way):
    return address[way]["writes"] + address[way]["reads"]


# The first I/O BAR, as SeaBIOS sets it, is at 0xc000; the test's own ports lie behind its header.
def find_ports(document):
    device = [a for a in document["addresses"] if a["space"] == "pio"]
    ports = {int(a["address"], 16): a for a in device}
    base = min((port for port in ports if 0xC000 <= port < 0xD000), default=0)
    return {p - base: a for p, a in ports.items() if base and base <= p < base + 0x100}


# A whole turn was seen: the three ports, and the reads between them.
def is_ringing(ports):
    return 4 in ports and sum(1 for port in ports if port >= 0x80) >= 3


def wait_for_ports(qemu):
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and qemu.poll() is None:
        ports = find_ports(watch(qemu.pid))
        if is_ringing(ports):
            return ports
    return {}


def check(ports):
    rung = [ports[port] for port in sorted(ports) if port >= 0x80]
    yield len(rung) == 3 and rung[0]["would_gain"] and count(rung[0], "slow") > 0
    yield len(rung) == 3 and all(count(a, "light") > 0 == count(a, "slow") for a in rung[1:])
    yield 4 in ports and not ports[4]["would_gain"] and ports[4]["slow"]["reads"] > 0


def kvm_is_usable():
    KVM_GET_API_VERSION = 0xAE00
    try:
        with open("/dev/kvm", "r+b", buffering=0) as kvm:
            return fcntl.ioctl(kvm, KVM_GET_API_VERSION) == 12
    except OSError:
        return False


for tool in ("qemu-system-x86_64", "objcopy"):
    if not shutil.which(tool):
        skip(f"{tool} is not here")
if not kvm_is_usable():
    skip("/dev/kvm cannot be used")
with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile("w+") as errors:
    build(os.path.join(directory, "image"))
    qemu = start(os.path.join(directory, "image"), errors)
    try:
        ports = wait_for_ports(qemu)
    finally:
        qemu.kill()
        qemu.wait()
    errors.seek(0)
    if not ports:
        comment(errors.read())
for name, good in zip(NAMES, check(ports)):
    case(name, good)
end()
