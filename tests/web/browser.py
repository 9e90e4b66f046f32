"""Chromium without a window, driven by its DevTools protocol."""

import base64
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0"),
)
WITHIN = 20.0
LONGEST_ANSWER = 1 << 25
KEYS = {"Enter": (13, "\r"), "Tab": (9, ""), "Escape": (27, "")}


class Browser:
    """A running Chromium with a folder of its own; it ends with the block."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        self._log = profile.with_suffix(".log")
        with self._log.open("wb") as log:
            command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        port_file = profile / "DevToolsActivePort"
        until(
            lambda: port_file.exists() and port_file.read_text(encoding="ascii").count("\n") == 1, "Chromium is ready"
        )
        port, path = port_file.read_text(encoding="ascii").split()
        self._open = ExitStack()
        self._socket: ClientConnection = self._open.enter_context(
            connect(f"ws://127.0.0.1:{port}{path}", max_size=LONGEST_ANSWER, proxy=None)
        )
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []
        """What pages said to the console, and what they failed to load or to run."""
        self._contexts: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.ask("Browser.close")
        self._open.close()
        try:
            self._process.wait(WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ask(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; raises AssertionError with what is wrong."""
        number = next(self._numbers)
        request = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        self._socket.send(json.dumps(request))
        while True:
            told = json.loads(self._socket.recv(WITHIN))
            if told.get("id") == number:
                assert "error" not in told, f"{method}: {told['error']}"
                result: dict[str, Any] = told["result"]
                return result
            self._note(told)

    def _note(self, told: dict[str, Any]) -> None:
        match told.get("method"), told.get("params"):
            case "Runtime.consoleAPICalled", {"args": said}:
                self.complaints.append(" ".join(str(each.get("value")) for each in said))
            case "Runtime.exceptionThrown", {"exceptionDetails": thrown}:
                self.complaints.append(json.dumps(thrown.get("exception", thrown)))
            case "Log.entryAdded", {"entry": entry} if entry["level"] == "error":
                self.complaints.append(f"{entry['text']} {entry.get('url', '')}")

    def close_pages(self) -> None:
        """Close all pages: each costs time of a processor as long as it is drawn."""
        while self._contexts:
            self.ask("Target.disposeBrowserContext", browserContextId=self._contexts.pop())

    def open(self, address: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> "Page":
        """Open a page in a context of its own, which shares no storage with others."""
        context = self.ask("Target.createBrowserContext")["browserContextId"]
        self._contexts.append(context)
        target = self.ask("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Runtime", "Log"):
            page.ask(f"{domain}.enable")
        page.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.ask("Emulation.setEmulatedMedia", features=[scheme])
        page.ask("Page.navigate", url=address)
        return page


class Page:
    """One page."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol on this page."""
        return self._browser.ask(method, self._session, **parameters)

    def run(self, script: str) -> Any:
        """Give what a JavaScript expression is, awaited if it is a promise."""
        done = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def until(self, script: str) -> Any:
        """Wait until an expression is true; give what it is. One that fails is false: the page may not be there yet."""
        found: list[Any] = []
        tried = (
            f"(() => {{ try {{ const it = {script}; return it instanceof Node || it }} catch {{ return false }} }})()"
        )

        def holds() -> bool:
            found[:] = [self.run(tried)]
            return bool(found[0])

        until(holds, script)
        return found[0]

    def centre(self, selector: str) -> tuple[float, float]:
        """Give the middle of an element in the window, into which it is scrolled if need be."""
        box = f"document.querySelector({json.dumps(selector)})"
        self.run(f"{box}.scrollIntoView({{block: 'nearest'}})")
        x, y = self.run(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({box}.getBoundingClientRect())")
        return x, y

    def mouse(self, kind: str, x: float, y: float) -> None:
        """Press, move or release the mouse."""
        buttons = 0 if kind == "mouseReleased" else 1
        self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=buttons, clickCount=1)

    def click(self, selector: str) -> None:
        """Click an element."""
        at = self.centre(selector)
        self.mouse("mousePressed", *at)
        self.mouse("mouseReleased", *at)

    def press(self, key: str) -> None:
        """Press a key."""
        code, text = KEYS[key]
        pressed = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.ask("Input.dispatchKeyEvent", type="keyDown", **pressed, **({"text": text} if text else {}))
        self.ask("Input.dispatchKeyEvent", type="keyUp", **pressed)

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """Write what the page looks like, as PNG."""
        taken = self.ask("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(taken["data"]))


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds; raises AssertionError."""
    deadline = time.monotonic() + WITHIN
    while not holds():
        assert time.monotonic() < deadline, f"not within {WITHIN} s: {what}"
        time.sleep(0.02)
