"""A real browser: Debian's chromium without a screen, spoken to in its own DevTools protocol.

Half a page over a WebSocket in place of Selenium: that would bring a driver whose version has to
follow the browser's, and does not tell of console messages and of every request.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium")

QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-extensions", "--disable-default-apps", "--no-proxy-server", "--hide-scrollbars"),
    *("--disable-dev-shm-usage", "--remote-debugging-port=0", "--window-size=1280,900"),
)
"""Without a screen, and without whatever a browser asks of the world by itself."""

PATIENCE_SECONDS = 60.0
"""For a browser to start, or for a page to show something, on a busy machine."""


class Tab:
    """One tab, from its birth: whatever it asks for and complains of is noted.

    Attributes:
        requests: URLs that it asked for.
        complaints: errors and warnings of its console.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._sent = 0
        self.requests: list[str] = []
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log", "Accessibility", "DOM"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Runs a command of the protocol; notes events that come meanwhile."""
        self._sent += 1
        self._socket.send(json.dumps({"id": self._sent, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE_SECONDS))
            if message.get("id") == self._sent:
                assert "error" not in message, (method, message)
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def open(self, url: str) -> None:
        """Goes to an address."""
        self.ask("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of an expression on the page."""
        found = self.ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, (script, found)
        return found["result"].get("value")

    def until(self, script: str, why: str = "") -> None:
        """Returns when an expression is true; so is an element that is there."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not self.run(f"Boolean({script})"):
            assert time.monotonic() < end, why or script
            time.sleep(0.1)

    def text(self, selector: str) -> str:
        """What an element says."""
        return str(self.run(f"document.querySelector({json.dumps(selector)}).textContent"))

    def type(self, text: str) -> None:
        """Presses the keys of a text."""
        for character in text:
            self.ask("Input.dispatchKeyEvent", type="keyDown", text=character, key=character)
            self.ask("Input.dispatchKeyEvent", type="keyUp", key=character)

    def press(self, key: str, code: int) -> None:
        """Presses a key that is no character."""
        named = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.ask("Input.dispatchKeyEvent", type="rawKeyDown", **named)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **named)

    def look(self, width: int, height: int, *, dark: bool = False) -> None:
        """Has a screen of that size, of a person who likes it light or dark."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Writes what the screen shows as PNG, or the whole page."""
        shot = self.ask("Page.captureScreenshot", captureBeyondViewport=whole, format="png")
        path.write_bytes(base64.b64decode(shot["data"]))

    def controls(self) -> list[tuple[str, str]]:
        """Role and name of whatever assistive technology is told of."""
        nodes = self.ask("Accessibility.getFullAXTree")["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in nodes
            if not node.get("ignored")
        ]

    def _note(self, message: dict[str, Any]) -> None:
        method, told = message["method"], message["params"]
        if method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(told["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning"):
            self.complaints.append(json.dumps(told["args"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.complaints.append(json.dumps(told["entry"]))


@contextmanager
def browsing(folder: Path) -> Iterator[Callable[[], Tab]]:
    """A browser with a profile of its own in that folder; opens tabs."""
    assert CHROMIUM is not None
    process = subprocess.Popen(
        [CHROMIUM, *QUIET, f"--user-data-dir={folder}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        address = f"http://127.0.0.1:{_port(folder)}/json/new?about:blank"
        with ExitStack() as sockets:

            def tab() -> Tab:
                request = urllib.request.Request(address, method="PUT")
                with urllib.request.urlopen(request) as answer:
                    where = json.load(answer)["webSocketDebuggerUrl"]
                opened = connect(where, max_size=None, compression=None, ping_interval=None)
                return Tab(sockets.enter_context(opened))

            yield tab
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its children, too, that write to its profile
        process.wait()


def _port(folder: Path) -> int:
    """Where the browser listens, which it writes down once it does."""
    noted, end = folder / "DevToolsActivePort", time.monotonic() + PATIENCE_SECONDS
    while not (noted.exists() and noted.read_text(encoding="ascii").count("\n")):
        assert time.monotonic() < end, "the browser did not start"
        time.sleep(0.1)
    return int(noted.read_text(encoding="ascii").splitlines()[0])
