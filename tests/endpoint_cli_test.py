#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# usage: tests/endpoint_cli_test.py BELLWIRE
#
# bellwire endpoint and bench --endpoint, two programs that share an eventfd. TAP.
import glob
import json
import os
import random
import signal
import stat
import subprocess
import sys
import tempfile
import time

BELLWIRE = os.path.realpath(sys.argv[1])
KILLS = 100
PATIENCE = 60
cases = failed = 0


def result(name, good, why=""):
    global cases, failed
    cases += 1
    failed += not good
    if not good and why:
        print("# " + " ".join(str(why).split()))
    print(f"{'ok' if good else 'not ok'} {cases} - {name}", flush=True)


def skip(name, why):
    global cases
    cases += 1
    print(f"ok {cases} - {name} # SKIP {why}", flush=True)


def run(*args):
    return subprocess.run([BELLWIRE, *args], capture_output=True, text=True, timeout=PATIENCE)


def refuses(word, *args):
    done = run(*args)
    good = done.returncode == 2 and not done.stdout and len(done.stderr.splitlines()) == 1
    result(f"refuses: {' '.join(args)}", good and word in done.stderr, done.stderr)


def is_socket(path):
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


def wait_until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.002)


def start_endpoint(path):
    endpoint = subprocess.Popen([BELLWIRE, "endpoint", "--listen", path], stderr=subprocess.PIPE)
    wait_until(lambda: is_socket(path) or endpoint.poll() is not None)
    return endpoint


def counts_for_somebody(endpoint):
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, encoding="utf-8") as file:
                parent = file.read().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if parent == str(endpoint.pid):
            return True
    return False


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
    result("the socket has mode 0600", stat.S_IMODE(os.stat(path).st_mode) == 0o600)
    done = run("endpoint", "--listen", path)
    result("a socket that is in use is left alone", done.returncode == 1 and path in done.stderr, done.stderr)
    status = end_endpoint(endpoint)
    result("SIGTERM ends it, and removes the socket", status == 0 and not os.path.exists(path), status)

    endpoint = start_endpoint(path)
    status = end_endpoint(endpoint, signal.SIGINT)
    result("SIGINT too", status == 0 and not os.path.exists(path), status)

    with open(path, "w", encoding="utf-8") as file:
        file.write("kept")
    done = run("endpoint", "--listen", path)
    result("a file that is no socket is left alone", done.returncode == 1 and os.path.getsize(path) == 4)
    os.unlink(path)


def counts_every_ring(path):
    endpoint = start_endpoint(path)
    done = run(*bench("--rounds", "2", "--rings", "500", endpoint=path))
    result("bench --endpoint SOCKET: 0 lost", done.returncode == 0 and sums_agree(done.stdout), done.stderr)
    result("and it says who was rung", json.loads(done.stdout)["options"]["endpoint"] == path)
    done = run(*bench("--rounds", "2", "--rings", "500", endpoint="process"))
    result("bench --endpoint process: 0 lost", done.returncode == 0 and sums_agree(done.stdout), done.stderr)
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
        result(f"{name}, {'a socket' if where == path else where}", trips and set(trips) == {300}, done.stderr)
    end_endpoint(endpoint)


def killed_it_loses_nothing(path):
    """The bench rings on; whoever listens is killed, and another one started."""
    endpoint, kills = start_endpoint(path), 0
    with tempfile.TemporaryFile("w+") as out:
        args = bench("--path", "ioeventfd-pio", "--rounds", "600", "--rings", "5000", endpoint=path)
        ringer = subprocess.Popen([BELLWIRE, *args], stdout=out, stderr=subprocess.PIPE, text=True)
        while kills < KILLS and ringer.poll() is None:
            wait_until(lambda: counts_for_somebody(endpoint) or ringer.poll() is not None)
            time.sleep(random.uniform(0, 0.02))
            end_endpoint(endpoint, signal.SIGKILL)
            os.unlink(path) if kills % 2 else None  # it is found, or made anew
            endpoint = start_endpoint(path)
            kills += 1
        _, errors = ringer.communicate(timeout=3 * PATIENCE)
        out.seek(0)
        text = out.read()
    result(f"killed {KILLS} times while it is rung", kills == KILLS, f"{kills}")
    result("not one ring is lost or counted twice",
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
        result("a module that is not loaded is named", done.returncode == 1 and "doorbell.ko" in done.stderr)
    backends = json.loads(run("info", "--json").stdout)["backends"]
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "socket")
        listens_for_its_user_alone(path)
        if any(backend["name"] == "soft" and backend["available"] for backend in backends):
            done = run(*bench("--rings", "1", endpoint=path))
            result("nobody listens", done.returncode == 1 and path in done.stderr, done.stderr)
            counts_every_ring(path)
            answers_in_guest_memory(path)
            killed_it_loses_nothing(path)
        else:
            skip("what needs the soft back end", "it is not there")
    print(f"1..{cases}")
    return failed > 0


sys.exit(main())
