"""The preview window, where there is a screen.

It lives in a process of its own: OpenCV ends the whole process when it cannot reach the screen or loses it, and
days of training must not hang on that.
"""

import os
import queue
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import facewright
from facewright.core import console
from facewright.core.images import Image
from facewright.training.keys import Command

TITLE = "Training preview"
HEADER = struct.Struct("<ii")  # height and width, then the pixels
READY = "ready"
START_SECONDS = 30.0


def open_window() -> "Window | None":
    """Open the window; None where there is no screen."""
    if sys.platform not in ("win32", "darwin") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return None
    window = Window()
    if window.wait_until_open(START_SECONDS):
        return window
    window.close()
    return None


class Window:
    """Pictures go to the window's process, keys come back."""

    def __init__(self) -> None:
        root = str(Path(facewright.__file__).parents[1])
        paths = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH", "")) if p)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "facewright.training.window_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths},
        )
        self._words: queue.Queue[str] = queue.Queue()
        self._pictures: queue.Queue[Image | None] = queue.Queue()
        self._open = True
        for work in (self._read, self._write):
            threading.Thread(target=work, name="facewright-window", daemon=True).start()

    @property
    def open(self) -> bool:
        """Whether the window is still there."""
        return self._process.poll() is None

    def wait_until_open(self, seconds: float) -> bool:
        """Return whether the window has opened in time."""
        try:
            return self._words.get(timeout=seconds) == READY
        except queue.Empty:
            return False

    def show(self, picture: Image) -> None:
        """Show a (h, w, 3) uint8 BGR picture; does not wait for the window."""
        if self._pictures.qsize() < 2:  # a window that hangs gets no more
            self._pictures.put(picture)

    def poll(self) -> list[Command]:
        """Return what was pressed in the window since the last call; closing it means to leave."""
        pressed: list[Command] = []
        while True:
            try:
                word = self._words.get_nowait()
            except queue.Empty:
                return pressed
            if word in list(Command):
                pressed.append(Command(word))
            elif not word and self._open and Command.LEAVE not in pressed:
                self._open = False
                console.warn("The preview window is gone. Training goes on; the preview is in model/preview.png.")

    def browse(self, draw: Callable[[], Image], first: Image) -> None:
        """Show pictures until Enter or the window is closed; p and space draw the next one."""
        self.show(first)
        while self._process.poll() is None:
            pressed = self.poll()
            if Command.LEAVE in pressed:
                return
            if pressed:
                self.show(draw())
            time.sleep(0.05)

    def close(self) -> None:
        """Close the window."""
        self._open = False
        self._pictures.put(None)
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._words.put(line.decode(errors="replace").strip() or "?")
        self._words.put("")  # the process has ended

    def _write(self) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        with suppress(OSError):  # the process has ended
            while (picture := self._pictures.get()) is not None:
                pipe.write(HEADER.pack(*picture.shape[:2]) + picture.tobytes())
                pipe.flush()
        with suppress(OSError):
            pipe.close()
