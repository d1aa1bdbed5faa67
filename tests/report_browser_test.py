#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# usage: tests/report_browser_test.py BELLWIRE [PAGE-TO-KEEP SCREENSHOTS]
#
# The page of bellwire bench --report in a real browser, Chromium without a window, in TAP: narrow
# and wide, light and dark. Nothing may complain, every chart must be there, nothing may stick out.
# With two more arguments the page is not made but read, and pictures of it are kept.
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # beside the sources
from tap import case, end, run

WIDTHS = {380: 800, 1280: 900}
SCHEMES = ("light", "dark")
KINDS = ("stall-", "scaling-", "trips-", "crossover-") # the first two with one CPU too


class Browser:
    """Chromium's DevTools protocol over a pair of pipes: JSON with a NUL behind it."""

    def __init__(self, program, profile):
        to_browser, self.out = os.pipe()
        self.inp, from_browser = os.pipe()
        # The protocol is on fds 3 and 4.
        self.process = subprocess.Popen(
            ["sh", "-c", f'exec "$0" "$@" 3<&{to_browser} 4>&{from_browser}', program,
             "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", f"--user-data-dir={profile}", "--remote-debugging-pipe"],
            pass_fds=(to_browser, from_browser), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.buffer, self.last, self.session, self.events = b"", 0, None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in "Page", "Runtime", "Log", "Network", "Accessibility":
            self.call(f"{domain}.enable")

    def receive(self):
        while b"\0" not in self.buffer:
            data = os.read(self.inp, 1 << 16)
            if not data:
                raise EOFError("Chromium has ended")
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        self.last += 1
        message = {"id": self.last, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.last:
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method):
        while not any(event["method"] == method for event in self.events):
            self.events.append(self.receive())

    def show(self, url, width, height, scheme):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events = []
        self.call("Page.navigate", url=url)
        self.wait_for("Page.loadEventFired")

    def value(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise ValueError(result["exceptionDetails"]["exception"]["description"])
        return result["result"].get("value")

    def complaints(self):
        bad = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
        return [event for event in self.events if event["method"] in bad]

    def requests(self):
        return [event["params"]["request"]["url"] for event in self.events
                if event["method"] == "Network.requestWillBeSent"]

    def press_tab(self):
        for kind in "keyDown", "keyUp":
            self.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab",
                      windowsVirtualKeyCode=9)

    def picture(self, path):
        height = self.value("document.documentElement.scrollHeight")
        width = self.value("innerWidth")
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip={
            "x": 0, "y": 0, "width": width, "height": height, "scale": 1})["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def close(self):
        self.session = None
        self.call("Browser.close")
        self.process.wait(timeout=30)


# For each chart: its name, its box, and whether it is all drawn in the page's colours.
CHARTS = """[...document.querySelectorAll('figure')].map(figure => {
  const shown = [...figure.querySelectorAll('svg')].filter(svg => svg.getBoundingClientRect().width);
  const svg = shown[0], box = svg && svg.getBoundingClientRect();
  const labels = svg ? [...svg.querySelectorAll('text')] : [];
  const sizes = labels.map(t => t.getBoundingClientRect().height * box.width / svg.viewBox.baseVal.width);
  return {id: figure.id, shown: shown.length, width: box && box.width, height: box && box.height,
    viewBox: svg && svg.viewBox.baseVal.width, labels: labels.length,
    inside: labels.every(t => { const b = t.getBoundingClientRect();
      return b.left >= box.left - 1 && b.right <= box.right + 1 &&
             b.top >= box.top - 1 && b.bottom <= box.bottom + 1; }),
    shapes: svg ? svg.querySelectorAll('path, polygon, rect, use').length : 0,
    caption: figure.querySelector('figcaption').textContent.length}})"""

# What is wider than the page, unless something scrolls it.
STICKS_OUT = """[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll') &&
  !e.closest('svg') && !e.classList.contains('skip') &&
  e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + '.' + e.className)"""

# Contrast (WCAG 2) of text with the page behind it, the least.
CONTRAST = """(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const light = colour => {
    canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(v => v / 255)
      .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
      .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0); };
  const page = light(getComputedStyle(document.documentElement).backgroundColor);
  const to_page = colour => { const l = light(colour);
    return (Math.max(l, page) + .05) / (Math.min(l, page) + .05); };
  const text = [...document.querySelectorAll('h1,h2,h3,p,li,th,td,a,caption,figcaption')]
    .map(e => to_page(getComputedStyle(e).color));
  const label = [...document.querySelectorAll('svg text')].map(e => to_page(getComputedStyle(e).fill));
  const shape = [...document.querySelectorAll('svg polygon, svg use, svg rect')]
    .map(e => getComputedStyle(e)).map(s => [s.fill, s.color])
    .map(([fill, colour]) => fill != 'none' && fill != 'rgb(0, 0, 0)' ? fill : colour)
    .filter(c => c.startsWith('rgb(')).map(to_page);
  return {text: Math.min(...text), label: Math.min(...label), page: page}; })()"""


def accessible(browser):
    """Role and name of everything that is told to those who do not see the page."""
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    return [(node.get("role", {}).get("value"), node.get("name", {}).get("value", ""))
            for node in nodes if not node.get("ignored")]


def check_look(browser, url, width, scheme, charts, keep):
    look = f"{width} px, {scheme}"
    browser.show(url, width, WIDTHS[width], scheme)
    complaints = browser.complaints()
    case(f"{look}: nothing complains", not complaints, complaints)
    case(f"{look}: nothing is fetched", browser.requests() == [url], browser.requests())
    wide = browser.value("[document.documentElement.scrollWidth, innerWidth]")
    sticking = browser.value(STICKS_OUT)
    case(f"{look}: no sideways scroll", wide[0] <= wide[1] == width and not sticking,
         f"{wide} {sticking}")
    found = browser.value(CHARTS)
    case(f"{look}: every chart is there, once", [c["id"] for c in found] == charts and
         all(c["shown"] == 1 and c["shapes"] > 20 and c["labels"] > 5 and c["caption"]
             for c in found), found)
    case(f"{look}: charts are not shrunk", all(c["width"] > 0.95 * c["viewBox"] for c in found),
         found)
    case(f"{look}: no label is cut off", all(c["inside"] for c in found), found)
    contrast = browser.value(CONTRAST)
    case(f"{look}: text can be read", min(contrast["text"], contrast["label"]) >= 4.5, contrast)
    case(f"{look}: it is {scheme}", (contrast["page"] > 0.5) == (scheme == "light"), contrast)
    if keep:
        browser.picture(os.path.join(keep, f"report-{width}-{scheme}.png"))


def check_keyboard(browser):
    browser.press_tab()
    focus = "document.activeElement"
    first = browser.value(f"[{focus}.textContent, {focus}.getBoundingClientRect().left]")
    case("the first key press offers to skip to the figures", first[0].startswith("Skip to") and
         first[1] >= 0, first)
    seen = set()
    for _ in range(60):
        browser.press_tab()
        seen.add(browser.value(f"{focus}.getAttribute('href') || "
                               f"{focus}.getAttribute('aria-labelledby')"))
    wanted = browser.value("[...document.querySelectorAll('nav a')].map(a => a.getAttribute('href'))"
                           ".concat([...document.querySelectorAll('.scroll')]"
                           ".map(e => e.getAttribute('aria-labelledby')))")
    case("everything that scrolls or leads on is reached", set(wanted) <= seen,
         set(wanted) - seen)


def check_readers(browser, charts):
    told = accessible(browser)
    images = [name for role, name in told if role in ("image", "img")]
    case("each chart is told by name", len(images) == len(charts) and all(images), images)
    regions = [name for role, name in told if role == "region"]
    case("each table and section has a name", len(regions) > 5 and all(regions), regions)
    levels = browser.value("[...document.querySelectorAll('h1,h2,h3')].map(h => +h.tagName[1])")
    case("headings leave no level out", levels[0] == 1 and levels.count(1) == 1 and
         all(b - a <= 1 for a, b in zip(levels, levels[1:])), levels)
    ids = browser.value("[...document.querySelectorAll('[id]')].map(e => e.id)")
    case("no id is there twice", len(ids) == len(set(ids)))


def expected(page):
    """The ids of the figures, as the page's own text has them."""
    with open(page, encoding="utf-8") as file:
        return [part.split('"', 1)[0] for part in file.read().split('<figure id="')[1:]]


def check(program, page, keep):
    charts = expected(page)
    case("there are charts of every kind", all(any(c.startswith(kind) for c in charts)
         for kind in KINDS[:4 if os.cpu_count() > 1 else 2]), charts)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        url = "file://" + os.path.abspath(page)
        for width in WIDTHS:
            for scheme in SCHEMES:
                check_look(browser, url, width, scheme, charts, keep)
        check_keyboard(browser)
        check_readers(browser, charts)
        browser.close()


def make(page):
    done = run("bench", "--rounds", "6", "--rings", "200", "--report", page)
    case("a page is made", done.returncode == 0, f"exit status {done.returncode}: {done.stderr}")
    return done.returncode == 0


chromium = shutil.which("chromium")
if not chromium or not shutil.which("gnuplot"):
    print(f"no {'gnuplot' if chromium else 'chromium'} here")
    sys.exit(77)
if len(sys.argv) > 2:
    check(chromium, *sys.argv[2:])
else:
    with tempfile.TemporaryDirectory() as directory:
        name = os.path.join(directory, "report.html")
        if make(name):
            check(chromium, name, None)
end()
