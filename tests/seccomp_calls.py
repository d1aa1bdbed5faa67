#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# usage: tests/seccomp_calls.py SECCOMP.MD OUTPUT
#
# The table of docs/seccomp.md as a list for tests/seccomp_test.c.
import pathlib
import re
import sys

source, output = map(pathlib.Path, sys.argv[1:])
table = source.read_text(encoding="utf-8")
rows = re.findall(r"^\| `(\w+)` \| (always|sometimes) \|", table, flags=re.MULTILINE)
lines = "".join(f" \\\n\t{needed.upper()}({call})" for call, needed in rows)
output.write_text(f"#define SECCOMP_CALLS(ALWAYS, SOMETIMES){lines}\n", encoding="utf-8")
