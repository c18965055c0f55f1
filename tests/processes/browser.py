"""Headless Chromium over a pipe (Chrome DevTools Protocol): what a page logs, asks for, measures, looks like."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--remote-debugging-pipe", "--force-color-profile=srgb",
    # A page opens in the process of the one before: a new one for each costs a third more.
    "--disable-site-isolation-trials",
    "--disable-features=site-per-process,IsolateOrigins,RenderDocument,ProactivelySwapBrowsingInstance,BackForwardCache",
)  # fmt: skip


def find() -> str | None:
    """A browser's path, if this machine has one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """One tab. `console`: errors and warnings told so far; `requests`: addresses asked for so far."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read, self._waiting, self._number = write, read, b"", 0
        self.console: list[str] = []
        self.requests: list[str] = []
        self._loaded = False
        self._session: str | None = None
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def open(self, place: Path | str, width: int, dark: bool = False) -> None:
        """Load a file, or an address, in a window `width` pixels wide."""
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        self.darken(dark)
        self.console.clear()
        self.requests.clear()
        self._loaded = False
        self._call("Page.navigate", url=place if isinstance(place, str) else place.resolve().as_uri())
        while not self._loaded:
            self._take()

    def darken(self, dark: bool) -> None:
        """Show the page as who prefers dark pages, or light ones, sees it."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])

    def allow_scripts(self, allowed: bool) -> None:
        """Whether pages may run scripts of their own; `evaluate` always may."""
        self._call("Emulation.setScriptExecutionDisabled", value=not allowed)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited."""
        done = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def faults(self, axe: str, options: str = "{}") -> list[str]:
        """What axe-core, by its source, finds at fault: each rule, and where."""
        found: list[str] = self.evaluate(
            f"{axe}; axe.run({{resultTypes: ['violations'], ...{options}}}).then(r => r.violations"
            ".map(v => v.id + ': ' + v.nodes.map(n => n.target.join(' ')).slice(0, 3).join(', ')))"
        )
        return found

    def press(self, key: str) -> None:
        """One key, as a person presses it: Tab, Enter, or a character."""
        code = {"Tab": 9, "Enter": 13}.get(key, 0)
        text = {"Enter": "\r", "Tab": ""}.get(key, key)
        held = {"key": key, "windowsVirtualKeyCode": code, "text": text}
        self._call("Input.dispatchKeyEvent", type="keyDown", **held)
        self._call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def choose(self, field: str, file: Path) -> None:
        """Choose a file in the field that a CSS selector names."""
        found = self._call("Runtime.evaluate", expression=f"document.querySelector({field!r})")["result"]["objectId"]
        self._call("DOM.setFileInputFiles", files=[str(file.resolve())], objectId=found)

    def await_load(self, work: Callable[[], None]) -> None:
        """Do `work`, which leads to another page, and wait for that."""
        self._loaded = False
        work()
        while not self._loaded:
            self._take()

    def picture(self, file: Path, top: int = 0, height: int | None = None) -> None:
        """A PNG of the page from `top` on, to its end or `height` pixels."""
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {
            "x": 0,
            "y": top,
            "width": size["width"],
            "height": min(height or size["height"], size["height"] - top),
            "scale": 1,
        }
        shot = self._call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        os.write(
            self._write, json.dumps(message | ({"sessionId": self._session} if self._session else {})).encode() + b"\0"
        )
        while True:
            answer = self._take()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result

    def _take(self) -> dict[str, Any]:
        """The next message; what it says of the page is noted."""
        while b"\0" not in self._waiting:
            more = os.read(self._read, 1 << 16)
            assert more, "the browser ended"
            self._waiting += more
        one, _, self._waiting = self._waiting.partition(b"\0")
        message: dict[str, Any] = json.loads(one)
        params = message.get("params", {})
        match message.get("method"):
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                self.console.append(str(params["args"]))
            case "Runtime.exceptionThrown":
                self.console.append(str(params["exceptionDetails"]))
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                self.console.append(params["entry"]["text"])
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Page.loadEventFired":
                self._loaded = True
        return message


@contextlib.contextmanager
def browser(path: str) -> Iterator[Page]:
    """A browser with one tab, ended with the block."""
    their_read, write = os.pipe()
    read, their_write = os.pipe()
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        command = " ".join(
            [
                f"exec '{path}'",
                *FLAGS,
                f"--user-data-dir='{profile}'",
                "about:blank",
                f"3<&{their_read}",
                f"4>&{their_write}",
            ]
        )
        process = subprocess.Popen(
            ["bash", "-c", command],
            pass_fds=(their_read, their_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(their_read)
        os.close(their_write)
        try:
            yield Page(write, read)
        finally:
            process.kill()
            process.wait()
            os.close(write)
            os.close(read)
