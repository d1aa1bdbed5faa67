#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# usage: tests/endpoint_cli_test.py BELLWIRE
#
# bellwire endpoint and bench --endpoint, two programs that share an eventfd. TAP.
import json
import os
import random
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # beside the sources
import tap
from tap import PATIENCE, backend, case, children, end, is_listening, refuses, skip, start, wait_until

KILLS = 100


def run(*args):
    return tap.run(*args, timeout=PATIENCE)


def start_endpoint(path):
    endpoint = start("endpoint", "--listen", path, stdout=subprocess.DEVNULL)
    wait_until(lambda: is_listening(endpoint, path) or endpoint.poll() is not None)
    return endpoint


def end_endpoint(endpoint, number=signal.SIGTERM):
    endpoint.send_signal(number)
    endpoint.stderr.close()
    return endpoint.wait(timeout=PATIENCE)


def bench(*args, endpoint):
    return ["bench", "--accel", "soft", "--endpoint", endpoint, "--json", *args]


def sums_agree(text):
    rows = [row for row in json.loads(text)["results"] if row["available"] and row["signals"] is not None]
    return rows and all(row["lost"] == 0 and row["signals"] == row["rings"] for row in rows)


def listens_for_its_user_alone(path):
    endpoint = start_endpoint(path)
    case("the socket has mode 0600", stat.S_IMODE(os.stat(path).st_mode) == 0o600)
    done = run("endpoint", "--listen", path)
    case("a socket that is in use is left alone", done.returncode == 1 and path in done.stderr, done.stderr)
    status = end_endpoint(endpoint)
    case("SIGTERM ends it, and removes the socket", status == 0 and not os.path.exists(path), status)

    endpoint = start_endpoint(path)
    status = end_endpoint(endpoint, signal.SIGINT)
    case("SIGINT too", status == 0 and not os.path.exists(path), status)

    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)
        listener = os.fork()
        if listener == 0:
            left.listen()
            os._exit(0)
        os.waitpid(listener, 0)
        endpoint = start_endpoint(path)
        status = end_endpoint(endpoint)
    case("a socket whose listener has ended is taken, though somebody has it open", status == 0, status)

    with open(path, "w", encoding="utf-8") as file:
        file.write("kept")
    done = run("endpoint", "--listen", path)
    case("a file that is no socket is left alone", done.returncode == 1 and os.path.getsize(path) == 4)
    os.unlink(path)


def counts_every_ring(path):
    endpoint = start_endpoint(path)
    done = run(*bench("--rounds", "2", "--rings", "500", endpoint=path))
    case("bench --endpoint SOCKET: 0 lost", done.returncode == 0 and sums_agree(done.stdout), done.stderr)
    case("and it says who was rung", json.loads(done.stdout)["options"]["endpoint"] == path)
    done = run(*bench("--rounds", "2", "--rings", "500", endpoint="process"))
    case("bench --endpoint process: 0 lost", done.returncode == 0 and sums_agree(done.stdout), done.stderr)
    end_endpoint(endpoint)


def answers_in_guest_memory(path):
    name = "bench rtt: another process answers in the guest's memory"
    if os.cpu_count() == 1:
        return skip(name, "one CPU")
    endpoint = start_endpoint(path)
    for where in (path, "process"):
        done = run("bench", "rtt", "--accel", "soft", "--path", "ioeventfd-pio", "--rings", "300",
                   "--endpoint", where, "--json")
        rows = json.loads(done.stdout)["results"] if done.returncode == 0 else []
        trips = [row["trips"] for row in rows if row["available"]]
        case(f"{name}, {'a socket' if where == path else where}", trips and set(trips) == {300}, done.stderr)
    end_endpoint(endpoint)


def killed_it_loses_nothing(path):
    """The bench rings on; whoever listens is killed, and another one started."""
    endpoint, kills = start_endpoint(path), 0
    with tempfile.TemporaryFile("w+") as out:
        args = bench("--path", "ioeventfd-pio", "--rounds", "600", "--rings", "5000", endpoint=path)
        ringer = start(*args, stdout=out)
        while kills < KILLS and ringer.poll() is None:
            wait_until(lambda: children(endpoint) or ringer.poll() is not None)
            time.sleep(random.uniform(0, 0.02))
            end_endpoint(endpoint, signal.SIGKILL)
            os.unlink(path) if kills % 2 else None  # it is found, or made anew
            endpoint = start_endpoint(path)
            kills += 1
        _, errors = ringer.communicate(timeout=3 * PATIENCE)
        out.seek(0)
        text = out.read()
    case(f"killed {KILLS} times while it is rung", kills == KILLS, f"{kills}")
    case("not one ring is lost or counted twice",
           ringer.returncode == 0 and sums_agree(text), errors or ringer.returncode)
    end_endpoint(endpoint)


def main():
    refuses("--listen SOCKET is missing", "endpoint")
    refuses("needs an argument", "endpoint", "--listen")
    refuses("'extra'", "endpoint", "extra")
    refuses("'proces' is no endpoint", "bench", "--endpoint", "proces")
    refuses("'' is no endpoint", "bench", "--endpoint", "")
    if not os.path.exists("/dev/doorbell"):
        done = run("bench", "--endpoint", "module", "--path", "ioeventfd-pio")
        case("a module that is not loaded is named", done.returncode == 1 and "doorbell.ko" in done.stderr)
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "socket")
        listens_for_its_user_alone(path)
        if backend("soft")["available"]:
            done = run(*bench("--rings", "1", endpoint=path))
            case("nobody listens", done.returncode == 1 and path in done.stderr, done.stderr)
            counts_every_ring(path)
            answers_in_guest_memory(path)
            killed_it_loses_nothing(path)
        else:
            skip("what needs the soft back end", "it is not there")
    end()


main()
