"""Chromium without a screen, driven through chromedriver's WebDriver protocol (https://www.w3.org/TR/webdriver2/)."""

import base64
import contextlib
import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from typing import Any

from needs import program

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Enter": "\ue007", "Delete": "\ue017", "Escape": "\ue00c"}


class Browser:
    """One page."""

    def __init__(self, base: str) -> None:
        self._base = base
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1000,800"]
        wish = {"goog:chromeOptions": {"args": flags, "binary": program("chromium")}}
        self._session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wish}})["sessionId"]

    def open(self, address: str) -> None:
        """Go to an address."""
        self._do("url", {"url": address})

    def close(self) -> None:
        """End the session."""
        self._call("DELETE", f"/session/{self._session}")

    def script(self, text: str, *arguments: Any) -> Any:
        """Run a script in the page and return what it returns."""
        return self._do("execute/sync", {"script": text, "args": list(arguments)})

    def mouse(self, *actions: dict[str, Any]) -> None:
        """Do things with the mouse: see `to`, `down`, `up`."""
        self._act({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": list(actions)})

    def touch(self, paths: list[list[dict[str, Any]]]) -> None:
        """Lay a finger down on the first place of each path, move all of them along, lift them; places are of `to`."""
        fingers = []
        for number, (first, *rest) in enumerate(paths):
            steps = [{**first, "duration": 0}, down(), *({**place, "duration": 120} for place in rest), up()]
            kind = {"pointerType": "touch"}
            fingers.append({"type": "pointer", "id": f"finger{number}", "parameters": kind, "actions": steps})
        self._do("actions", {"actions": fingers})

    def wheel(self, x: int, y: int, delta: int) -> None:
        """Turn the wheel at a place of the window; negative is away from the hand."""
        turn = {"type": "scroll", "x": x, "y": y, "deltaX": 0, "deltaY": delta}
        self._act({"type": "wheel", "id": "wheel", "actions": [turn]})

    def key(self, name: str) -> None:
        """Press a key."""
        value = KEYS.get(name, name)
        steps = [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        self._act({"type": "key", "id": "keys", "actions": steps})

    def tap(self, selector: str) -> None:
        """Click an element with the mouse, where a person would."""
        (found,) = self._do("element", {"using": "css selector", "value": selector}).values()
        self._do(f"element/{found}/click", {})

    def look(self, width: int, height: int, scheme: str) -> None:
        """Turn into a device of that size in CSS pixels whose user likes "light" or "dark"."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._devtools("Emulation.setDeviceMetricsOverride", size)
        wish = {"name": "prefers-color-scheme", "value": scheme}
        self._devtools("Emulation.setEmulatedMedia", {"features": [wish]})

    def errors(self) -> list[str]:
        """Return what the console has complained of since the last call; a page without an icon is no error."""
        said = self._do("se/log", {"type": "browser"})
        return [entry["message"] for entry in said if "favicon" not in entry["message"]]

    def screenshot(self) -> bytes:
        """Return the page as a PNG."""
        return base64.b64decode(self._call("GET", f"/session/{self._session}/screenshot"))

    def _devtools(self, command: str, parameters: dict[str, Any]) -> None:
        self._do("goog/cdp/execute", {"cmd": command, "params": parameters})

    def _act(self, source: dict[str, Any]) -> None:
        self._do("actions", {"actions": [source]})

    def _do(self, command: str, body: dict[str, Any]) -> Any:
        return self._call("POST", f"/session/{self._session}/{command}", body)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]


def to(x: float, y: float) -> dict[str, Any]:
    """Move the mouse to a place of the window."""
    return {"type": "pointerMove", "duration": 30, "x": round(x), "y": round(y)}


def down(button: int = 0) -> dict[str, Any]:
    """Press a button: 0 left, 2 right."""
    return {"type": "pointerDown", "button": button}


def up(button: int = 0) -> dict[str, Any]:
    """Let it go."""
    return {"type": "pointerUp", "button": button}


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Start chromedriver on a free port and open a session."""
    driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert driver.stdout is not None
        port = next(found[1] for line in driver.stdout if (found := re.search(r"successfully on port (\d+)", line)))
        opened = Browser(f"http://127.0.0.1:{port}")
        try:
            yield opened
        finally:
            opened.close()  # chromedriver alone would leave the browser behind
    finally:
        driver.terminate()
        driver.wait()
