"""The map of `make explore` in headless Chromium, without a GPU: what a frame costs while it is moved and scaled.

    python -m benchmarks.page.map_frames               # 50,000 and 100,000 made points of 60 clusters, 1440 pixels wide

The page and its scripts are the real ones, the points made up, behind a server that answers nothing else. A frame is
asked for after each step: 60 by dragging, 60 by the wheel, in and out. Of each: milliseconds in the script by the clock
(median, 95 %, least), and CPU milliseconds of all of the browser's processes, its own drawing and composing included.
Names find new places where the map comes to rest, which is measured apart.

Bound: a frame takes less than 33 ms of the browser's CPU.
"""

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader

from benchmarks import ROOT, options, print_table, result
from explore.pages.forms import with_query
from pipeline.running.utf8 import entry
from tests.explore.made_map import DRAWN, made
from tests.processes import browser

SIZES, CLUSTERS, STEPS = (50_000, 100_000), 60, 60
HOME = ROOT / "explore"
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
MOVES = {
    "drag": "at('pointermove', 400 + 3 * (k % 30 < 15 ? k % 15 : 15 - k % 15), 300 + k % 7)",
    "wheel": "c.dispatchEvent(new WheelEvent('wheel', {deltaY: k % 60 < 30 ? -30 : 30, cancelable: true, ...where}))",
}
RUN = """(async () => {
    const c = document.getElementById('map'), b = c.getBoundingClientRect(), spent = [];
    const where = {clientX: b.left + 500, clientY: b.top + 300};
    c.setPointerCapture = () => {};
    const at = (kind, x, y) => c.dispatchEvent(
        new PointerEvent(kind, {clientX: b.left + x, clientY: b.top + y, pointerId: 1}));
    at('pointerdown', 400, 300);
    for (let k = 0; k < STEPS; k++) {
        STEP;
        await new Promise(r => requestAnimationFrame(() => setTimeout(r)));
        spent.push(Number(c.dataset.milliseconds));
    }
    at('pointercancel', 400, 300);
    return spent;
})()"""
REST = """(async () => {
    await new Promise(r => setTimeout(r, 600));
    const told = document.getElementById('map').dataset;
    return [Number(told.milliseconds), Number(told.names)];
})()"""


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--picture", type=Path, help="a file for what the last map looks like")
    picture, path = parser.parse_args().picture, browser.find()
    if path is None:
        sys.exit("map_frames needs Chromium.")
    rows = []
    for count in SIZES:
        with serving(made(count, CLUSTERS, 0, (6_000, 60_000), 3_000)) as port, browser.browser(path) as tab:
            tab.open(f"http://127.0.0.1:{port}/map", 1440)
            tab.evaluate(DRAWN)
            for name, step in MOVES.items():
                before = spent_by_browser()
                frames = tab.evaluate(RUN.replace("STEPS", str(STEPS)).replace("STEP;", step + ";"))
                whole = spent_by_browser() - before
                rest, names = tab.evaluate(REST)
                rows.append(
                    {"points": count, "by": name, "script ms": round(float(np.median(frames)), 1),
                     "95 %": round(float(np.quantile(frames, 0.95)), 1), "least": min(frames),
                     "browser's CPU ms": round(1000 * whole / STEPS, 1), "at rest ms": rest, "names": names}
                )  # fmt: skip
            if picture:
                tab.picture(picture)
    print_table(rows)
    result({"rows": rows}, {"frame": all(row["browser's CPU ms"] < 33 for row in rows)})


class serving:
    """A server of the page, its scripts and these points."""

    def __init__(self, points: dict[str, Any]) -> None:
        pages = Environment(loader=FileSystemLoader(HOME / "templates"), autoescape=True)
        pages.filters |= {"count": str, "plural": lambda n, word: f"{n} {word}s", "clip": lambda text, _: text}
        pages.globals |= {"with_query": with_query}
        clusters = [{"number": n["cluster"], "href": "#", "name": n["name"], "users": 1} for n in points["names"]]
        page = pages.get_template("map.html").render(
            kind="user",
            held=len(points["x"]),
            points=len(points["x"]),
            clusters=clusters,
            page="map",
            path="/map",
            query={},
        )
        answers = {"/map": ("text/html; charset=utf-8", page), "/map.json": ("application/json", json.dumps(points))}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                kind, text = answers.get(path, ("", ""))
                if "rows=" in query:
                    text = '{"things": []}'
                file = HOME / "static" / Path(path).name
                if file.name == "report.css":
                    file = ROOT / "pipeline/report/style.css"
                if path.startswith("/static/") and file.exists():
                    kind, text = TYPES[file.suffix], file.read_text()
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", kind or "text/plain")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> int:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return int(self.server.server_address[1])

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()


def spent_by_browser() -> float:
    """CPU seconds of all processes that this one has begun."""
    tick, parents, spent = os.sysconf("SC_CLK_TCK"), {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            told = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(folder.name)] = int(told[1])
        spent[int(folder.name)] = (int(told[11]) + int(told[12])) / tick
    own, grown = {os.getpid()}, True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in own} - own
        own, grown = own | more, bool(more)
    return sum(spent[pid] for pid in own - {os.getpid()})


if __name__ == "__main__":
    entry(main)
