#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# usage: tests/docs_test.py PROGRAM LIBRARY COMPILER...
#
# What the documents say is true of the tree: TAP. PROGRAM is '' where it is not built.
#
#   ```c         statements: compiled inside a function
#   ```c file    declarations and functions: compiled as a file
#   ```c run     a whole program: compiled, linked with LIBRARY, and run
#   ```sh run    commands: run by bash -e in a copy of the tree, where build/ has the program
#   <!-- given   before a block of C: what its reader has already, up to -->
#
# Everywhere else, indented blocks too, only names are looked at: commands and their options, paths,
# links, bw_*. So no C may stand in an indented block.
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # beside the sources
import tap

program, library, *compiler = sys.argv[1:]
root = pathlib.Path(__file__).resolve().parent.parent
documents = {
    path: path.read_text(encoding="utf-8")
    for path in sorted([*root.glob("*.md"), *root.glob("docs/*.md"), root / "module/README.md"])
}

INCLUDES = """#define _GNU_SOURCE
#include <bellwire.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>
"""
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wno-unused", "-std=gnu17"]
BLOCK = re.compile(
    r"(?:<!-- given\n(?P<given>.*?)-->\n+)?^```(?P<kind>[^\n]*)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


def case(name, wrong, skip=None):
    """wrong: what is, '' if nothing."""
    tap.case(name, not wrong, wrong, skip)


def call(command, **more):
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **more
    )
    return done.returncode, done.stdout


# ---- code ----


def source_of(kind, text, given):
    if kind == "c run":
        return text
    if kind == "c file":
        return f"{INCLUDES}{given}{text}"
    included = "".join(re.findall(r"^#include.*\n", text, flags=re.MULTILINE))
    body = re.sub(r"^#include.*\n", "", text, flags=re.MULTILINE)
    opening = "int excerpt(void);\nint excerpt(void)\n{\n"
    return f"{INCLUDES}{included}{given}{opening}{body}return 0;\n}}\n"


def compile_block(kind, text, given, directory):
    file = pathlib.Path(directory) / "block.c"
    file.write_text(source_of(kind, text, given), encoding="utf-8")
    command = [*compiler, *WARNINGS, f"-I{root}/include", f"-I{root}", str(file)]
    if kind != "c run":
        return (*call([*command, "-fsyntax-only"]), None)
    status, out = call([*command, "-o", f"{directory}/block", library, "-lurcu-bp", "-pthread"])
    if status:
        return status, out, None
    status, out = call([f"{directory}/block"], timeout=60)
    return (0, "", out.strip()) if status == 77 else (status, out, None)


def run_block(text, directory):
    if not program:
        return 0, "", "the program is not built here"
    for path in root.iterdir():
        if not path.name.startswith((".", "build")):
            os.symlink(path, f"{directory}/{path.name}")
    os.symlink(os.path.dirname(os.path.realpath(program)), f"{directory}/build")
    return (*call(["bash", "-ec", text], cwd=directory, timeout=110), None)


def check_blocks(name, document):
    for block in BLOCK.finditer(document):
        kind, text, given = block["kind"], block["text"], block["given"] or ""
        where = f"{name}:{document.count(chr(10), 0, block.start('text'))}: {kind}"
        with tempfile.TemporaryDirectory() as directory:
            if kind in ("c", "c file", "c run"):
                status, out, skip = compile_block(kind, text, given, directory)
            elif kind == "sh run":
                status, out, skip = run_block(text, directory)
            else:
                if kind not in ("sh", "text", "json"):
                    case(where, f"no such kind of block as '{kind}'")
                continue
        case(where, out or "it failed" if status else "", skip)


# ---- names ----


def code_in(document):
    """Lines of blocks, and spans."""
    blocks = "\n".join(block["text"] for block in BLOCK.finditer(document))
    prose = re.sub(r"<!--.*?-->", "", BLOCK.sub("", document), flags=re.DOTALL)
    indented = re.findall(r"^ {4,}.*$", prose, flags=re.MULTILINE)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    return [*blocks.splitlines(), *indented, *spans], prose, indented


def anchors(document):
    titles = re.findall(r"^#+ (.*)$", BLOCK.sub("", document), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def wrong_links(path, prose):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        if not linked.exists():
            yield f"there is no {target}"
        elif anchor and anchor not in anchors(linked.read_text(encoding="utf-8")):
            yield f"{target} leads to no heading"


helps = {}


def help_of(words):
    """The text of the command that the words begin with, and how many they are."""
    for count in range(min(len(words), 2), 0, -1):
        known = tuple(words[:count])
        if known not in helps:
            status, text = call([program, "help", *known])
            helps[known] = "" if status else text
        if helps[known]:
            return helps[known]
    return None


def options_of(text):
    return set(re.findall(r"--[a-z][a-z-]*", text))


def wrong_commands(code):
    for line in code:
        for words in re.findall(r"(?:^|[\s/])bellwire ([^|;&#]+)", re.sub("'[^']*'", "X", line)):
            words = words.split()
            if words[0] in ("help", "--help", "--version") or not re.match(r"[a-z]+$", words[0]):
                continue
            usage = help_of(words)
            if not usage:
                yield f"no such command: bellwire {' '.join(words)}"
                continue
            for option in options_of(" ".join(words)) - options_of(usage) - {"--help"}:
                yield f"bellwire {words[0]} has no {option}"


makefile = (root / "Makefile").read_text(encoding="utf-8")
header = (root / "include/bellwire.h").read_text(encoding="utf-8")
targets = set(re.search(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)[1].split())
directories = "|".join(
    path.name for path in root.iterdir() if path.is_dir() and "build" not in path.name
)
inside = "".join(path.read_text(encoding="utf-8") for path in root.glob("lib/*.[ch]"))


def wrong_names(code, given):
    for text in code:
        for target in re.findall(r"(?:^|\s)make ([a-z][a-z-]*)\b(?! =)", text):
            if target not in targets:
                yield f"make {target}: there is no such target"
        for path in re.findall(rf"(?:^|\s)((?:{directories})/[\w./-]+\w)", text):
            if not path.endswith(".ko") and not list(root.glob(f"{path}*")):
                yield f"there is no {path}"
        for name in re.findall(r"\bbw_[a-z_0-9]+\b(?!\*)", text):
            if not re.search(rf"\b{name}\b", header + inside + given):
                yield f"there is no {name}"


def check_names(path, document):
    code, prose, indented = code_in(document)
    given = "".join(block["given"] or "" for block in BLOCK.finditer(document))
    wrong = [*wrong_links(path, prose), *wrong_names(code, given)]
    if program:
        wrong += wrong_commands(code)
    wrong += [
        f"C in an indented block: {line.strip()}"
        for line in indented
        if re.match(r" +(bw_\w+\(|struct |#include)", line)
    ]
    case(f"{path.relative_to(root)}: names", "\n".join(wrong))


# ---- architecture ----


def check_architecture():
    text = documents[root / "docs/architecture.md"]
    table = set(re.findall(r"\b([a-z_]+\.[ch])\b", text))
    files = {path.name for path in root.glob("lib/*.[ch]")}
    # a header goes without a line where a .c has one
    silent = {f for f in files - table if f.endswith(".c") or f[:-1] + "c" not in files}
    wrong = [f"no line for lib/{file}" for file in sorted(silent)]
    status, tracked = call(["git", "-C", root, "ls-files"])
    for name in sorted(set(re.findall(r"^(\w+)/", "" if status else tracked, flags=re.MULTILINE))):
        if not re.search(rf"^    {name}/", text, flags=re.MULTILINE):
            wrong.append(f"no line for {name}/")
    case("docs/architecture.md has each file of lib/ and each directory", "\n".join(wrong))


def check_versions():
    """Of Meson, of Debian's changelog and, once it is released, of CHANGELOG.md."""
    meson = (root / "meson.build").read_text(encoding="utf-8")
    version = re.search(r"^  version: '([^']+)'", meson, flags=re.MULTILINE)[1]
    changes = documents[root / "CHANGELOG.md"]
    wrong = []
    if not version.endswith("-dev") and f"\n## [{version}] - " not in changes:
        wrong.append(f"CHANGELOG.md has no {version}")
    debian = root / "packaging/debian/changelog"  # not in a source package
    package = version.replace("-", "~")
    if debian.exists() and f"bellwire ({package}-" not in debian.read_text().splitlines()[0]:
        wrong.append(f"{debian.relative_to(root)} does not begin with {package}")
    case("one version", "\n".join(wrong))


def check_system_calls():
    table = documents[root / "docs/seccomp.md"]
    listed = re.search(r"\* System calls after .*?\*/", header, flags=re.DOTALL)[0]
    rows = re.findall(r"^\| `(\w+)` \| (?:always|sometimes) \|", table, flags=re.MULTILINE)
    wrong = [name for name in rows if not re.search(rf"\b{name}\b", listed)]
    case("bellwire.h has the system calls of docs/seccomp.md", "\n".join(wrong))
    case("docs/seccomp.md has a table", "" if rows else "it has no rows")


def wrong_on_arm64(table, known):
    """known: the system calls of the kernel's generic list, which is arm64's."""
    missing = set()
    for name, use in re.findall(r"^\| `(\w+)` \| \w+ \|(.*)\|$", table, flags=re.MULTILINE):
        other = re.search(r"`(\w+)` on arm64", use)
        if other:
            missing.add(name)
            name = other[1]
        if name not in known:
            yield f"arm64 has no {name}"
    yield from (f"arm64 has {name}" for name in sorted(missing & known))
    said = set(re.findall(r"`(\w+)`", re.search(r"\*\*arm64\*\* has no ([^;]*);", table)[1]))
    yield from (f"{name} is in one place only" for name in sorted(said ^ missing))


def check_arm64():
    name = "docs/seccomp.md has the names of arm64"
    source = "#define __ARCH_WANT_NEW_STAT\n#include <asm-generic/unistd.h>\n"
    status, macros = call([*compiler, "-E", "-dM", "-x", "c", "-"], input=source)
    if status:
        return case(name, "", "no asm-generic/unistd.h here")
    known = set(re.findall(r"^#define __NR_(\w+)", macros, flags=re.MULTILINE))
    case(name, "\n".join(wrong_on_arm64(documents[root / "docs/seccomp.md"], known)))


for path, document in documents.items():
    check_names(path, document)
    check_blocks(path.relative_to(root), document)
check_architecture()
check_system_calls()
check_arm64()
check_versions()
tap.end()
