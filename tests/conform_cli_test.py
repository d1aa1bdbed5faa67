#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# usage: tests/conform_cli_test.py BELLWIRE [--write]
#
# bellwire conform as its user meets it, in TAP: options, scripts, what is wrong with them, and that
# docs/conformance.md lists the cases. With --write that list is made anew, and nothing is tested.
import fnmatch
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True  # beside the sources
import tap
from tap import case, end, skip, without_kvm

DOC = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../docs/conformance.md")
BEGIN, END = "<!-- cases -->\n", "<!-- end of cases -->\n"


def conform(*args, **more):
    return tap.run("conform", *args, **more)


def rows(done):
    return json.loads(done.stdout)["cases"]


def refused(name, word, *args, status=2):
    tap.refused(name, conform(*args), word, status=status)


def table():
    lines, group = [], None
    for row in rows(conform("--list", "--json")):
        if row["group"] != group:
            group = row["group"]
            lines += [f"\n### {group}\n\n", "| case | |\n", "|---|---|\n"]
        lines.append(f"| `{row['case']}` | {row['says']} |\n")
    return "".join(lines) + "\n"


def doc_parts():
    with open(DOC, encoding="utf-8") as file:
        before, rest = file.read().split(BEGIN)
    return before, *rest.split(END)


def write_doc():
    before, _, after = doc_parts()
    with open(DOC, "w", encoding="utf-8") as file:
        file.write(before + BEGIN + table() + END + after)


def check_lists():
    listed = rows(conform("--list", "--json"))
    names = [row["case"] for row in listed]
    case("at least 70 cases", len(names) >= 70)
    case("no name twice", len(set(names)) == len(names))
    case("each has a sentence", all(row["says"].endswith(".") for row in listed))
    text = conform("--list").stdout
    case("--list without --json has them too", all(f"\n  {name}\n" in text for name in names))
    case("docs/conformance.md lists them", doc_parts()[1] == table())


def check_options():
    done = conform("--accel", "soft", "--case", "deassign_*")
    names = [row["case"] for row in rows(conform("--list", "--json"))]
    wanted = f"{len(fnmatch.filter(names, 'deassign_*'))} passed, 0 failed"
    case("--case takes a pattern", done.returncode == 0 and wanted in done.stdout)
    case("the last line counts", done.stdout.splitlines()[-1].endswith(" skipped"))
    done = conform("--accel", "soft", "--case", "a_full_*", "--json")
    good = json.loads(done.stdout)["schema"] == "bellwire.conform/1"
    case("--json", good and [row["result"] for row in rows(done)] == ["pass", "pass"])
    refused("an unknown accel", "xen", "--accel", "xen")
    refused("a pattern of no case", "nothing_*", "--case", "nothing_*")
    refused("no operations", "--random", "--random", "0")
    refused("--seed alone", "--random", "--seed", "1")
    refused("--random with --case", "--case", "--random", "5", "--case", "deassign_*")
    refused("--random with --replay", "exclude", "--random", "5", "--replay", "/dev/null")
    refused("an argument", "no argument", "soft")


def check_random():
    one, two = (conform("--accel", "soft", "--random", "3000", "--seed", "9") for _ in range(2))
    case("a random run", one.returncode == 0 and "1 passed, 0 failed" in one.stdout)
    case("the same seed is the same run", one.stdout == two.stdout and "seed 9" in one.stdout)


def replay(text, *args):
    with open("script", "w", encoding="utf-8") as file:
        file.write(text)
    return conform("--accel", "soft", "--replay", "script", *args)


def malformed(name, line, word):
    done = replay(f"# a comment\n\nassign pio 0x510 4 any 1\n{line}\n")
    tap.refused(f"a script with {name}", done, "line 4: ", word)


GOOD = """
assign pio 0x510 4 0x7 1     # rings
write pio 0x510 4 7
assign pio 0x510 0 any 2     # EEXIST
deassign pio 0x510 4 7 1d
write pio 0x510 4 7          # exits
assign mmio 0xd0000000 3 any 0
assign mmio 0xd0000000 4 any closed
assign mmio 0xd0000000 4 any pipe
write mmio 0xd0000ffd 8 0x123456789
"""


def check_scripts():
    done = replay(GOOD)
    case("a script", done.returncode == 0 and "9 operations agree" in done.stdout)
    case("a script in JSON", rows(replay(GOOD, "--json"))[0]["result"] == "pass")
    malformed("an unknown operation", "move pio 1 1 any 1", "'move'")
    malformed("an unknown space", "assign memory 1 1 any 1", "'memory'")
    malformed("a word too few", "assign pio 1 1 any", "6 words, not 5")
    malformed("a word too many", "write pio 0x510 1 1 1", "5 words, not 6")
    malformed("no address", "assign pio x 1 any 1", "address")
    malformed("a negative length", "assign pio 1 -1 any 1", "length")
    malformed("a number with a tail", "assign pio 0x510z 1 any 1", "0x510z")
    malformed("a value above 64 bits", "assign pio 1 8 0x10000000000000000 1", "value")
    malformed("an eventfd too many", "assign pio 1 1 any 8", "fd")
    malformed("an fd of two digits", "assign pio 1 1 any 10", "fd")
    malformed("a write of 3 bytes", "write mmio 0xd0000000 3 1", "3 bytes")
    malformed("a write of 8 bytes to a port", "write pio 0x510 8 1", "8 bytes")
    malformed("a write without a value", "write pio 0x510 1 any", "value")
    malformed("a write to RAM", "write mmio 0x200000 4 1", "MMIO")
    malformed("a write beyond the ports", "write pio 0xffff 2 1", "port")
    malformed("a write to the interrupt controller", "write pio 0x1f 2 1", "interrupt")
    malformed("a write to the guest's own port", "write pio 0xb310 4 1", "guest's own")
    refused("an empty script", "no operation", "--replay", "/dev/null")
    refused("a missing script", "No such file", "--replay", "missing", status=1)
    refused("a directory for a script", "directory", "--replay", ".", status=1)


def check_without_kvm():
    prefix = without_kvm()
    if prefix is None:
        return skip("without KVM", "/dev/kvm cannot be hidden here")
    for accel in "kernel", "kvm":
        done = conform("--accel", accel, prefix=prefix)
        case(f"{accel} without KVM fails", done.returncode == 1 and "/dev/kvm" in done.stderr)
    done = conform("--case", "deassign_*", "--json", prefix=prefix)
    results = {(row["accel"], row["result"]) for row in rows(done)}
    good = done.returncode == 0 and all(row["why"] for row in rows(done) if row["accel"] != "soft")
    case("all skips them", good and results == {("kernel", "skip"), ("kvm", "skip"), ("soft", "pass")})
    done = conform("--random", "500", prefix=prefix)
    case("the model is there", done.returncode == 0 and "1 passed, 0 failed, 2" in done.stdout)


if sys.argv[2:] == ["--write"]:
    write_doc()
    sys.exit(0)
with tempfile.TemporaryDirectory() as directory:
    os.chdir(directory)
    check_lists()
    check_options()
    check_random()
    check_scripts()
    check_without_kvm()
end()
