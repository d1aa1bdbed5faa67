#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# usage: tests/device_cli_test.py BELLWIRE
#
# bellwire device, and a client of vfio-user that is written from the specification alone: its
# numbers are here, and none of our code. TAP.
import array
import json
import mmap
import os
import signal
import socket
import stat
import struct
import sys
import tempfile

sys.dont_write_bytecode = True  # beside the sources
from tap import PATIENCE, case, end, is_socket, refuses, run, start, wait_until

VERSION, DMA_MAP, DMA_UNMAP, GET_INFO, GET_REGION_INFO, GET_REGION_IO_FDS = range(1, 7)
GET_IRQ_INFO, SET_IRQS, REGION_READ, REGION_WRITE, DMA_READ, DMA_WRITE, RESET = range(7, 14)
REPLY, NO_REPLY, ERROR = 1, 1 << 4, 1 << 5
HEADER = "=HHIII"

RINGS, COMPLETION, BELL = 0x00, 0x08, 0x20
GUEST, GUEST_LEN = 0x200000, 0x4000


def is_served(path):
    try:
        Client(path).socket.close()
        return True
    except (FileNotFoundError, ConnectionRefusedError):
        return False


class Refused(Exception):
    pass


class Client:
    def __init__(self, path):
        self.id = 0x1000
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(path)

    def send(self, command, payload=b"", fds=(), flags=0, size=None):
        self.id += 1
        header = struct.pack(HEADER, self.id, command, size or 16 + len(payload), flags, 0)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.socket.sendmsg([header + payload], rights)

    def receive(self, length):
        data = b""
        while len(data) < length:
            more, fds, _, _ = socket.recv_fds(self.socket, length - len(data), 16)
            if not more:
                raise ConnectionResetError
            self.fds += fds
            data += more
        return data

    def reply(self, command):
        self.fds = []
        number, replied, size, flags, error = struct.unpack(HEADER, self.receive(16))
        assert (number, replied) == (self.id, command) and flags & 0xF == REPLY
        payload = self.receive(size - 16)
        if flags & ERROR:
            assert not payload
            raise Refused(os.strerror(error))
        return payload

    def call(self, command, payload=b"", fds=()):
        self.send(command, payload, fds)
        return self.reply(command)

    def agree(self):
        caps = {"capabilities": {"max_msg_fds": 8, "max_data_xfer_size": 4096}}
        text = json.dumps(caps).encode() + b"\0"
        data = self.call(VERSION, struct.pack("=HH", 0, 1) + text)
        assert data[-1:] == b"\0"
        return struct.unpack("=HH", data[:4]), json.loads(data[4:-1])

    def region(self, index):
        data = self.call(GET_REGION_INFO, struct.pack("=IIIIQQ", 32, 0, index, 0, 0, 0))
        return struct.unpack("=IIIIQQ", data)

    def read(self, index, offset, count):
        asked = struct.pack("=QII", offset, index, count)
        data = self.call(REGION_READ, asked)
        assert data[:16] == asked and len(data) == 16 + count
        return data[16:]

    def write(self, index, offset, data):
        asked = struct.pack("=QII", offset, index, len(data))
        assert self.call(REGION_WRITE, asked + data) == asked

    def rings(self):
        return struct.unpack("=Q", self.read(0, RINGS, 8))[0]

    def is_hung_up_on(self):
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


class Device:
    def __init__(self, path):
        self.path = path
        self.process = start("device", "--listen", path)
        wait_until(lambda: is_served(path) or self.process.poll() is not None)

    def client(self):
        client = Client(self.path)
        client.agree()
        return client

    def end(self, number):
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err


def check_client(device):
    client = Client(device.path)
    version, caps = client.agree()
    case("the version is 0.1", version == (0, 1), version)
    case("it says what it can take", caps["capabilities"]["max_data_xfer_size"] > 0, caps)

    info = struct.unpack("=IIII", client.call(GET_INFO, struct.pack("=IIII", 16, 0, 0, 0)))
    case("it is a PCI device that can be reset, of 9 regions", info == (16, 3, 9, 0), info)
    sizes = [client.region(i)[4] for i in range(9)]
    case("the sizes of its regions", sizes == [4096, 64, 0, 0, 0, 0, 0, 256, 0], sizes)
    case("its vendor and device", client.read(7, 0, 4) == b"\x34\x12\x77\xbe")

    client.write(0, BELL, b"ring")
    client.write(1, BELL + 4, b"ri")
    case("a message rings", client.rings() == 2)
    client.send(REGION_WRITE, struct.pack("=QII", BELL, 0, 4) + b"ring", flags=NO_REPLY)
    case("one that wants no reply too", client.rings() == 3)
    return client


def check_doorbells(client):
    data = client.call(GET_REGION_IO_FDS, struct.pack("=IIII", 16, 0, 0, 0))
    argsz, _, _, count = struct.unpack("=IIII", data)
    case("without room it says how much", (argsz, count, client.fds) == (176, 4, []), data)
    data = client.call(GET_REGION_IO_FDS, struct.pack("=IIII", argsz, 0, 0, 0))
    fds = client.fds
    subs = [struct.unpack_from("=QQIIIIQ", data, 16 + 40 * i) for i in range(4)]
    case(
        "four doorbells of 4 bytes",
        subs == [(BELL + 4 * i, 4, i, 0, 0, 0, 0) for i in range(4)] and len(fds) == 4,
        subs,
    )
    before = client.rings()
    for fd in fds:
        os.write(fd, struct.pack("=Q", 10))
        os.close(fd)
    case("an ioeventfd rings", client.rings() == before + 40)


def check_memory(client):
    fd = os.memfd_create("guest")
    os.ftruncate(fd, GUEST_LEN)
    guest = mmap.mmap(fd, GUEST_LEN)
    command = struct.pack("=IIQQQ", 32, 3, 0, GUEST, GUEST_LEN)
    case("guest memory is mapped", client.call(DMA_MAP, command, [fd]) == b"")
    try:
        client.call(DMA_MAP, command, [fd])
        case("twice is refused", False)
    except Refused as error:
        case("twice is refused", str(error) == "File exists", error)
    os.close(fd)
    client.write(0, COMPLETION, struct.pack("=Q", GUEST + 0x100))
    client.write(0, BELL, b"ring")
    stored = struct.unpack("=Q", guest[0x100:0x108])[0]
    case("the count is stored there", stored == client.rings(), stored)
    unmap = struct.pack("=IIQQ", 24, 0, GUEST, GUEST_LEN)
    case("it is unmapped", client.call(DMA_UNMAP, unmap) == unmap)
    client.write(0, BELL, b"ring")
    case("and left alone", struct.unpack("=Q", guest[0x100:0x108])[0] == stored)
    case("a reset", client.call(RESET) == b"" and client.rings() == 0)


def check_refusals(client):
    access = struct.pack("=QII", 4094, 0, 4)
    for name, command, payload in (
        ("a read across the end", REGION_READ, access),
        ("a write across the end", REGION_WRITE, access + b"ring"),
        ("a region that is not there", GET_REGION_INFO, struct.pack("=IIIIQQ", 32, 0, 9, 0, 0, 0)),
        ("interrupts", GET_IRQ_INFO, struct.pack("=IIII", 16, 0, 0, 0)),
        ("a command that is none", 99, b""),
        ("memory without an fd", DMA_MAP, struct.pack("=IIQQQ", 32, 3, 0, 0, 4096)),
    ):
        try:
            client.call(command, payload)
            case(f"refuses {name}", False)
        except Refused as error:
            case(f"refuses {name}", True, error)


def check_bad_clients(device):
    def before_the_version(client):
        client.send(GET_INFO, struct.pack("=IIII", 16, 0, 0, 0))

    def absurd_size(client):
        client.send(VERSION, struct.pack("=HH", 0, 1), size=0xFFFFFFFF)

    def less_than_a_header(client):
        client.send(VERSION, size=8)

    def half_a_message(client):
        client.send(VERSION, size=64)
        client.socket.shutdown(socket.SHUT_WR)

    def garbage(client):
        client.socket.sendall(b"GET / HTTP/1.0\r\n\r\n")

    for bad in (before_the_version, absurd_size, less_than_a_header, half_a_message, garbage):
        client = Client(device.path)
        bad(client)
        case(f"hangs up: {bad.__name__.replace('_', ' ')}", client.is_hung_up_on())
        client.socket.close()
    other = Client(device.path)
    try:
        other.call(VERSION, struct.pack("=HH", 1, 0))
        case("refuses major 1", False)
    except Refused:
        case("refuses major 1", other.is_hung_up_on())
    other.socket.close()
    case("and serves the next", device.client().rings() >= 0)


refuses("--listen SOCKET is missing", "device")
refuses("'extra'", "device", "extra")
with tempfile.TemporaryDirectory() as directory:
    path = os.path.join(directory, "socket")
    device = Device(path)
    case("its mode is 0600", stat.S_IMODE(os.stat(path).st_mode) == 0o600)
    second = run("device", "--listen", path, timeout=PATIENCE)
    case("what exists is left alone", second.returncode == 1 and "exists" in second.stderr,
           second.stderr)
    first = check_client(device)
    check_doorbells(first)
    check_memory(first)
    check_refusals(first)
    first.write(0, BELL, b"ring")
    first.socket.close()
    check_bad_clients(device)
    case("its state outlives a client", device.client().rings() == 1)
    status, out, err = device.end(signal.SIGTERM)
    case("SIGTERM ends it, and it says what it counted", (status, out) == (0, "1 rings\n"), out)
    case("its socket is removed", not os.path.exists(path))
    case("why clients were turned away", len(err.splitlines()) == 6, err)

    device = Device(path)
    device.process.kill()
    device.process.wait(PATIENCE)
    case("killed, it leaves its socket", is_socket(path))
    device = Device(path)
    client = device.client()
    status, _, _ = device.end(signal.SIGINT)
    case("SIGINT ends it while it serves", status == 0 and client.is_hung_up_on())
    case("its socket is removed then too", not os.path.exists(path))
end()
