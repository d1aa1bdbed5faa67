#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# usage: tests/report_test.py BELLWIRE
#
# bellwire bench --report without a browser, in TAP: the page is well-formed, complete and needs
# nothing else, and a file is there whole or not at all. How it looks is for
# tests/report_browser_test.py.
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

sys.dont_write_bytecode = True  # beside the sources
import tap
from tap import case, end, interrupt, run, run_json, skip, skip_all, start, wait_until, without_kvm

FEW = ("bench", "--accel", "soft", "--rounds", "6", "--rings", "50")
HTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"


def refused(name, report, word, **more):
    """Before anything is measured."""
    tap.refused(name, run(*FEW, "--report", report, **more), word, status=1)


def check_structure(page):
    tree = xml.parse(page).getroot()
    parents = {child: parent for parent in tree.iter() for child in parent}
    ids = [e.get("id") for e in tree.iter() if e.get("id")]
    case("no id is there twice", len(ids) == len(set(ids)))
    missing = {ref for e in tree.iter() for ref in (e.get("aria-labelledby") or "").split()}
    missing |= {e.get("href")[1:] for e in tree.iter(HTML + "a")}
    case("what is pointed at is there", missing and missing <= set(ids), missing - set(ids))
    heads = list(tree.iter(HTML + "th"))
    case("every heading of a table says of what", heads and all(
        e.get("scope") in ("row", "col") for e in heads))
    tables = list(tree.iter(HTML + "table"))
    case("every table has a caption", tables and all(
        table[0].tag == HTML + "caption" and table[0].text for table in tables))
    charts = list(tree.iter(SVG + "svg"))
    case("every chart is an image with title and description", charts and all(
        chart.get("role") == "img" and chart[0].tag == SVG + "title" and chart[0].text
        and chart[1].tag == SVG + "desc" and chart[1].text for chart in charts))
    levels = [int(e.tag[-1]) for e in tree.iter() if e.tag in (HTML + "h1", HTML + "h2", HTML + "h3")]
    case("headings leave no level out", levels[0] == 1 and all(
        b - a <= 1 for a, b in zip(levels, levels[1:])), levels)
    rows = [row for row in tree.iter(HTML + "tr") if parents[row].tag == HTML + "tbody"]
    case("every row has a name", rows and all(row[0].tag == HTML + "th" for row in rows))
    case("no row is wider than its table", all(width(row) == width(head_of(row, parents))
                                               for row in rows))
    return tree


def width(row):
    return sum(int(cell.get("colspan", "1")) for cell in row)


def head_of(row, parents):
    return parents[parents[row]].find(f"{HTML}thead/{HTML}tr")


def check_bars(tree):
    figure = next(e for e in tree.iter(HTML + "figure") if e.get("id") == "stall-soft")
    table = next(e for e in tree.iter(HTML + "table") if e[0].get("id") == "stalls-soft-caption")
    rows = [row for row in table.iter(HTML + "tr") if row[0].get("scope") == "row"]
    wanted = {cell.text for row in rows if not row[1].get("colspan") for cell in row[:2]}
    for chart in figure.iter(SVG + "svg"):
        words = {"".join(text.itertext()).strip() for text in chart.iter(SVG + "text")}
        case(f"every bar of the {chart.get('class')} chart has its name and its figure",
             wanted and wanted <= words, wanted - words)


PATTERNS = ("100/s", "64 every ms", "50000/s", "flat out", "idle")
POLICIES = ("adaptive", "fixed-hot", "fixed-cold")


def check_crossover(tree):
    if os.cpu_count() == 1:
        return
    table = next(e for e in tree.iter(HTML + "table") if e[0].get("id") == "pages-caption")
    rows = [[cell.text for cell in row] for row in table.iter(HTML + "tr")][1:]
    case("a row for each pattern under each policy", [row[:4] for row in rows] == [
        [pattern, policy, "soft", "slot"] for pattern in PATTERNS for policy in POLICIES], rows)
    case("every row has its figures, and an idle one no ring", all(
        (row[4] == "-") == (row[0] == "idle") and row[6].endswith(" %") for row in rows), rows)
    figure = next(e for e in tree.iter(HTML + "figure") if e.get("id") == "crossover-soft-slot")
    text = " ".join(said(tree, "crossover"))
    # A host may be so disturbed that cold is cheaper: then there is none, and the page says so.
    marked = "Hot is cheaper from " in text
    case("there is a crossover, or it says that there is none",
         marked != ("there is no crossover" in text))
    wanted = {"cold", "hot, spinning", "hot, napping", *(f"{p}, measured" for p in POLICIES)}
    for chart in figure.iter(SVG + "svg"):
        words = {"".join(text.itertext()).strip() for text in chart.iter(SVG + "text")}
        case(f"lines and points of the {chart.get('class')} chart have their names",
             wanted <= words, wanted - words)
        marks = {word.split(":")[0] for word in words if word.startswith("crossover, ")}
        case(f"the crossovers are marked in the {chart.get('class')} chart",
             len(marks) == 2 * marked, words)


PARTS = ["stall", "round-trips", "crossover", "scaling", "host", "limits"]


def parts(tree):
    return [e.get("id") for e in tree.iter(HTML + "section")]


def figures(tree):
    return [e.get("id") for e in tree.iter(HTML + "figure")]


def said(tree, part):
    """The paragraphs of one part of the page."""
    section = next(e for e in tree.iter(HTML + "section") if e.get("id") == part)
    return ["".join(e.itertext()) for e in section.iter(HTML + "p")]


def says_what_to_run(tree, part, *words):
    """There is one sentence instead, with a command in it."""
    text = said(tree, part)
    return len(text) == 1 and all(word in text[0] for word in (": bellwire bench", *words))


def check_content(tree, text):
    case("every part is there", parts(tree) == PARTS, parts(tree))
    words = "".join(tree.itertext())
    kernel = f"{os.uname().sysname} {os.uname().release}"
    case("it says where and by whom", kernel in words and "by bellwire " in words)
    case("a path that cannot be run says why", "only a kernel serves ports by itself" in words)
    outside = [e.get(name) for e in tree.iter() for name in ("src", "href")
               if e.get(name) and not e.get(name).startswith("#")]
    case("it needs nothing else", not outside and "url(http" not in text and "@import" not in text)
    case("it runs nothing", "<script" not in text.lower() and " on" + "load=" not in text.lower())
    case("no colour of a chart is fixed", "rgb(" not in "".join(
        value for chart in tree.iter(SVG + "g") for value in chart.attrib.values()))


def check_page():
    paths = "null-*,raw-ioeventfd-pio,ioeventfd-pio,elided-pio,remote-fd-pio,unheard-pio"
    done = run(*FEW, "--path", paths, "--report", "page.html")
    case("a page, and the table as ever", done.returncode == 0 and "ioeventfd-pio" in done.stdout,
         done.stderr)
    case("gnuplot has nothing to complain of", not done.stderr, done.stderr)
    case("what was written is one file", os.listdir(".") == ["page.html"], os.listdir("."))
    mask = os.umask(0)
    os.umask(mask)
    case("with the usual permissions", stat.S_IMODE(os.stat("page.html").st_mode) == 0o666 & ~mask)
    try:
        tree = check_structure("page.html")
    except xml.ParseError as error:
        case("it is well-formed", False, error)
        return
    check_bars(tree)
    check_crossover(tree)
    with open("page.html", encoding="utf-8") as file:
        check_content(tree, file.read())


def check_no_page():
    """Without a usable /dev/kvm."""
    name = "why no page can be hot is said"
    hide = without_kvm()
    if os.cpu_count() == 1:
        return skip(name, "one CPU")
    if hide is None:
        return skip(name, "/dev/kvm cannot be hidden here")
    done = run("bench", "--rounds", "6", "--rings", "50", "--path", "null-pio", "--report",
               "page.html", prefix=hide)
    case("a page without kvm", done.returncode == 0, done.stderr)
    tree = xml.parse("page.html").getroot()
    text = said(tree, "crossover")
    whys = [line for line in text if line.startswith("No page can be hot on kvm by ")]
    case(name, len(whys) == 2 and all("/dev/kvm" in line for line in whys), text)
    case("and the others are there", figures(tree) == ["crossover-soft-slot", "scaling-dispatch"],
         figures(tree))
    case("where nobody answers it says who does",
         says_what_to_run(tree, "round-trips", "bench rtt"), said(tree, "round-trips"))


ALONE = ("null-pio", "exitless-mmio")


def check_a_path_alone():
    """Of each kind of chart one that has a single bar; on one CPU, which takes less time."""
    cpu = str(min(os.sched_getaffinity(0)))
    for path in ALONE:
        done = run(*FEW, "--path", path, "--report", "page.html", prefix=("taskset", "-c", cpu))
        case(f"{path} alone does not make gnuplot complain", (done.returncode, done.stderr) == (0, ""),
             f"exit status {done.returncode}, {done.stderr!r}")
    tree = xml.parse("page.html").getroot()
    case("every part is there all the same", parts(tree) == PARTS, parts(tree))
    case("one bar is no chart", figures(tree) == ["scaling-dispatch"] and any(
        "nothing to compare one path with: bellwire bench --report" in line
        for line in said(tree, "stall")), figures(tree))
    case("what takes two CPUs says so", all(says_what_to_run(tree, part, "two CPUs", "--cpus")
                                            for part in ("round-trips", "crossover")))


def check_replaced():
    with open("page.html", "w", encoding="utf-8") as file:
        file.write("old")
    before = os.stat("page.html").st_ino
    done = run(*FEW, "--path", "null-pio", "--report", "page.html", "--json")
    new = os.stat("page.html")
    case("an old page is replaced as a whole", done.returncode == 0 and new.st_size > 1000
         and new.st_ino != before, done.stderr)


def check_interrupted():
    with open("page.html", "w", encoding="utf-8") as file:
        file.write("old")
    bench = start("bench", "--accel", "soft", "--path", "null-pio", "--rounds", "2", "--rings",
                  "1000000000", "--report", "page.html", stdout=subprocess.DEVNULL,
                  stderr=subprocess.DEVNULL)
    interrupt(bench)
    status = bench.wait(timeout=60)
    with open("page.html", encoding="utf-8") as file:
        old = file.read()
    case("interrupted before the first round, the old page stays",
         status == 130 and old == "old" and os.listdir(".") == ["page.html"],
         f"{status} {os.listdir('.')}")


def check_interrupted_late():
    """When the bars are drawn, pages are being measured."""
    if os.cpu_count() == 1:
        return skip("an interrupted page", "one CPU")
    bench = start(*FEW, "--path", "null-pio", "--svg", "bars.svg", "--report", "page.html",
                  stdout=subprocess.DEVNULL)
    wait_until(lambda: os.path.exists("bars.svg") and os.path.getsize("bars.svg") > 0)
    interrupt(bench)
    _, err = bench.communicate(timeout=60)
    os.unlink("bars.svg")
    case("an interrupted page", bench.returncode == 130 and "warning" not in err, err)
    tree = xml.parse("page.html").getroot()
    case("has all its parts", parts(tree) == PARTS, parts(tree))
    case("and says what it does not have", says_what_to_run(tree, "scaling", "dispatch"),
         said(tree, "scaling"))


def check_refusals():
    refused("no such directory", "missing/page.html", "missing/page.html: cannot be made: No such")
    os.mkdir("directory")
    refused("a directory", "directory", "directory: is no regular file")
    refused("a device", "/dev/null", "/dev/null: is no regular file")
    case("the device is still one", stat.S_ISCHR(os.stat("/dev/null").st_mode))
    refused("a directory where nothing can be made", "/proc/page.html", "/proc/page.html: cannot")
    refused("no gnuplot", "page.html", "needs gnuplot", env={"PATH": "/nowhere"})
    os.rmdir("directory")
    done = run("bench", "--accel", "soft", "--path", "null-kernel-pio", "--report", "none.html")
    case("nothing measured is no page", done.returncode == 1 and not os.path.exists("none.html"))


if not shutil.which("gnuplot"):
    skip_all("no gnuplot here")
if run(*FEW, "--path", "null-pio").returncode:
    skip_all("the soft back end is not there")
with tempfile.TemporaryDirectory() as name:
    os.chdir(name)
    check_page()
    check_no_page()
    check_a_path_alone()
    check_replaced()
    check_interrupted()
    check_interrupted_late()
    check_refusals()
    os.chdir("/")
end()
