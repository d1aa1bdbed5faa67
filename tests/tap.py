# SPDX-License-Identifier: MIT
#
# What the tests in Python share: cases in TAP, and the program that they test, BELLWIRE, which is
# the first argument of each.
import glob
import json
import os
import signal
import stat
import subprocess
import sys
import time

PATIENCE = 60
bellwire = os.path.realpath(sys.argv[1])
cases = failures = 0


def comment(text):
    for line in str(text).splitlines():
        print(f"# {line}", flush=True)


def case(name, good, why="", skip=None):
    """why: what is known where it is not good."""
    global cases, failures
    cases += 1
    failures += not good
    if not good:
        comment(why)
    reason = f" # SKIP {skip}" if skip else ""
    print(f"{'ok' if good else 'not ok'} {cases} - {name}{reason}", flush=True)


def skip(name, why):
    case(name, True, skip=why)


def end():
    print(f"1..{cases}")
    sys.exit(failures > 0)


def skip_all(why):
    print(f"1..0 # SKIP {why}")
    sys.exit(0)


# ---- the program ----


def run(*args, prefix=(), **more):
    """prefix: a command that runs another."""
    command = [*prefix, bellwire, *args]
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


def run_json(*args, **more):
    """The same with --json, and the document; {} where there is none."""
    done = run(*args, "--json", **more)
    return done, json.loads(done.stdout or "{}")


def start(*args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more):
    return subprocess.Popen([bellwire, *args], stdout=stdout, stderr=stderr, text=True, **more)


def backend(name):
    """What bellwire info says of it: whether it is available, and why not."""
    return next(b for b in run_json("info")[1]["backends"] if b["name"] == name)


def refused(name, done, *words, status=2):
    """One line on standard error, with these words, and nothing on standard output."""
    good = (done.returncode, done.stdout, done.stderr.count("\n")) == (status, "", 1)
    good = good and all(word in done.stderr for word in words)
    case(name, good, f"exit status {done.returncode}, {done.stderr!r}, {done.stdout[:200]!r}")


def refuses(word, *args):
    """The command line is wrong, and it says why."""
    refused(f"refuses: {' '.join(args)}", run(*args, timeout=PATIENCE), word)


def without_kvm():
    """A prefix that runs a command with no /dev/kvm that can be used; None if that is not ours."""
    if not os.path.exists("/dev/kvm"):
        return ()
    hide = 'mount --bind /dev/null /dev/kvm && exec "$@"'
    prefix = ("unshare", "--mount", "--map-root-user", "sh", "-c", hide, "sh")
    done = subprocess.run([*prefix, "true"], capture_output=True, check=False)
    return prefix if done.returncode == 0 else None


# ---- while it runs ----


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.002)


def open_files(process):
    names = []
    for path in glob.glob(f"/proc/{process.pid}/fd/*"):
        try:
            names.append(os.readlink(path))
        except OSError:
            continue
    return names


def is_socket(path):
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


def is_listening(process, path):
    """A socket is there before anybody listens: it is bound first. One that was there before may be
    open for a moment more, in a child of who listened."""
    with open("/proc/net/unix", encoding="utf-8") as file:
        here = [line.split() for line in file if line.endswith(f" {path}\n")]
    listening = {f"socket:[{fields[6]}]" for fields in here if fields[3] == "00010000"}
    return not listening.isdisjoint(open_files(process))


def children(process):
    """The processes that it has started."""
    pids = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, encoding="utf-8") as file:
                pid, rest = file.read().split(" ", 1)
        except OSError:
            continue
        if rest.rpartition(")")[2].split()[1] == str(process.pid):
            pids.append(int(pid))
    return pids


def interrupt(process):
    """Ctrl-C, some time after it has started a thread: it measures."""
    wait_until(lambda: len(os.listdir(f"/proc/{process.pid}/task")) > 1)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
