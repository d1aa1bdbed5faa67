#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# usage: tests/man_test.py [BELLWIRE]
#
# The manual's synopses say what the header declares, word for word, its references lead somewhere,
# and bellwire(1) has each of the program's commands.
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parent.parent
header = (root / "include/bellwire.h").read_text(encoding="utf-8")
pages = {path.stem: path.read_text(encoding="utf-8") for path in root.glob("man/*.scd")}
names = set()
wrong = []


def words(text):
    return " ".join(text.split())


synopses = [words(text.partition("# DESCRIPTION")[0]) for text in pages.values()]
code = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
for declaration in re.findall(r"^[a-z][^;{}#]*\bbw_\w+\([^;]*\);", code, flags=re.MULTILINE):
    if not declaration.startswith("typedef") and not any(
        words(declaration) in synopsis for synopsis in synopses
    ):
        wrong.append(f"no page has: {words(declaration)}")

for page, text in pages.items():
    listed = re.search(r"# NAME\n\n(.*?) - ", text)
    names |= {f"{name}.{page[-1]}" for name in listed[1].split(", ")}
for page, text in pages.items():
    for name, section in re.findall(r"\*(b\w+)\*\((\d)\)", text):
        if f"{name}.{section}" not in names:
            wrong.append(f"{page} refers to {name}({section}), which is no page")

if len(sys.argv) > 1:
    usage = subprocess.run([sys.argv[1], "help"], stdout=subprocess.PIPE, text=True, check=True)
    for command in re.findall(r"^  ([a-z-]+)  ", usage.stdout, flags=re.MULTILINE):
        if command != "help" and f"\n*{command}*\n" not in pages["bellwire.1"]:
            wrong.append(f"bellwire(1) does not have {command}")

print("\n".join(wrong))
sys.exit(bool(wrong))
