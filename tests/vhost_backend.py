# SPDX-License-Identifier: MIT
#
# A vhost-user block device in a thread, which holds lines that number themselves. Told so, it does
# one thing wrong.
import mmap
import os
import select
import socket
import struct
import threading

VERSION_1, PROTOCOL_FEATURES = 1 << 32, 1 << 30
REPLY_ACK, CONFIG = 1 << 3, 1 << 9
SECTOR = 512
FAULTY_REQUEST = 5


def lines(offset, size):
    """What the device holds: whole lines of 16 bytes."""
    return b"".join(b"%015d\n" % (i // 16) for i in range(offset, offset + size, 16))


class Backend(threading.Thread):
    """Serves one front end, and ends with it."""

    def __init__(self, path, sectors=64, acks=True, fault=None):
        super().__init__()
        self.sectors, self.acks, self.fault = sectors, acks, fault
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.conn = self.memory = self.words = self.region = self.rings = None
        self.kick = self.call = -1
        self.num = self.next = 0
        self.requests = []
        self.error = None

    def run(self):
        try:
            self.listener.settimeout(30)
            self.conn, _ = self.listener.accept()
            while self.step():
                pass
        except Exception as error:  # the test tells it
            self.error = error
        finally:
            self.hang_up()

    def step(self):
        fds = [self.conn] + ([self.kick] if self.kick >= 0 else [])
        ready, _, _ = select.select(fds, [], [], 60)
        if not ready:
            return False
        if self.kick in ready:
            os.read(self.kick, 8)
            if not self.serve_queue():
                return False
        return self.conn not in ready or self.serve_message()

    def hang_up(self):
        for sock in (self.conn, self.listener):
            if sock:
                sock.close()
        for fd in (self.kick, self.call):
            if fd >= 0:
                os.close(fd)
        self.conn, self.kick, self.call = None, -1, -1

    # ---- messages ----

    def serve_message(self):
        head, fds, _, _ = socket.recv_fds(self.conn, 12, 8)
        if not head:
            return False
        request, flags, size = struct.unpack("<III", head)
        payload = self.conn.recv(size, socket.MSG_WAITALL) if size else b""
        self.requests.append(request)
        answer = self.obey(request, payload, fds)
        if answer is None and flags & 8:
            answer = struct.pack("<Q", 0)
        if answer is not None:
            self.conn.sendall(struct.pack("<III", request, 5, len(answer)) + answer)
        return True

    def obey(self, request, payload, fds):
        if request == 1:
            return struct.pack("<Q", VERSION_1 | PROTOCOL_FEATURES)
        if request == 15:
            return struct.pack("<Q", CONFIG | (REPLY_ACK if self.acks else 0))
        if request == 24:
            return payload[:12] + struct.pack("<Q", self.sectors) + payload[20:]
        if request == 11:
            taken = self.next + (self.fault == "takes one more")
            return payload[:4] + struct.pack("<I", taken & 0xFFFF)
        if request == 5:
            self.region = struct.unpack_from("<QQQQ", payload, 8)
            self.memory = mmap.mmap(fds[0], self.region[1])
            # The guest sees an index whole: pack_into() writes zeros first, then byte by byte.
            self.words = memoryview(self.memory).cast("H")
            os.close(fds[0])
        elif request == 8:
            self.num = struct.unpack_from("<I", payload, 4)[0]
        elif request == 9:
            addresses = struct.unpack_from("<QQQ", payload, 8)
            self.rings = [address - self.region[2] for address in addresses]
        elif request == 12:
            self.kick = fds[0]
        elif request == 13:
            self.call = fds[0]
        return None

    # ---- requests ----

    def read(self, layout, offset):
        return struct.unpack_from(layout, self.memory, offset)

    def chain(self, head):
        while True:
            address, size, flags, after = self.read("<QIHH", self.rings[0] + 16 * head)
            yield address - self.region[0], size
            if not flags & 1:
                return
            head = after

    def serve_queue(self):
        _, used, avail = self.rings
        while self.next != self.words[(avail + 2) // 2]:
            (head,) = self.read("<H", avail + 4 + 2 * (self.next % self.num))
            fault = self.fault if self.next == FAULTY_REQUEST else None
            if fault == "closes":
                return False
            if fault == "unasked":
                self.conn.sendall(struct.pack("<III", 2, 5, 0))
            if fault == "hangs":
                return True
            self.serve(used, head, fault)
        if self.fault != "never calls":
            os.write(self.call, struct.pack("<Q", 1))
        return True

    def serve(self, used, head, fault):
        (header, _), (data, size), (status, _) = self.chain(head)
        kind, _, sector = self.read("<IIQ", header)
        content = bytearray(lines(sector * SECTOR, size))
        if fault == "one bit":
            content[100] ^= 1
        self.memory[data : data + size] = bytes(content)
        if fault == "rewrites the request":
            struct.pack_into("<IQ", self.memory, header + 20, 1 << 30, 1 << 40)  # len, sector
        if fault != "no status":
            self.memory[status] = 1 if kind or fault == "error" else 0
        head = {"another id": head + 1, "an id beyond": 0xFFFFFFFF}.get(fault, head)
        written = size + (fault != "writes less")
        struct.pack_into("<II", self.memory, used + 4 + 8 * (self.next % self.num), head, written)
        self.next = (self.next + 1) & 0xFFFF
        ahead = 1000 if fault == "far ahead" else 0
        self.words[(used + 2) // 2] = (self.next + ahead) & 0xFFFF
