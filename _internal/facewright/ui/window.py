"""A window in a process of its own: images go in, lines of text with the events of mouse and keyboard come out.

A process of its own, so that a screen that is lost, or cannot be reached, ends the window and not the work. There are
two such programs. `window_tk` shows images with Tk (part of Python's own library) and reports the mouse too: on Linux
OpenCV's window zooms with every turn of the wheel, which no setting turns off (opencv/opencv issue 11500). `window_cv`
shows them with OpenCV, which needs no Tk: some Linux systems have Python without it (the package is named python3-tk).
"""

import math
import os
import queue
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

import facewright
from facewright.core.images import Image

HEADER = struct.Struct("<iii")  # height, width, bytes of the title; then the title, then the pixels
TK = "facewright.ui.window_tk"
READY = "ready"
CLOSED = "closed"
GONE = "gone"
START_SECONDS = 30.0


def has_screen() -> bool:
    """Whether there is a screen on which a window could be opened."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_window(title: str, process: str = TK) -> "Window | None":
    """Open a window; None where there is no screen, or no library to show it with.

    Args:
        title: Its title at first.
        process: The module that shows it, which is run as a program.
    """
    if not has_screen():
        return None
    window = Window(title, process)
    if window.wait_until_open(START_SECONDS):
        return window
    window.close()
    return None


class Window:
    """A window. Its events are listed in `window_tk`; the last one is `gone`, without `closed` before it where the
    screen was lost.

    Attributes:
        screen: (w, h) of the screen in pixels, once the window is open.
    """

    def __init__(self, title: str, process: str = TK) -> None:
        root = str(Path(facewright.__file__).parents[1])
        paths = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH", "")) if p)
        self.screen = (0, 0)
        self._process = subprocess.Popen(
            [sys.executable, "-m", process, title],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8"},
        )
        self._words: queue.Queue[str] = queue.Queue()
        self._newest: tuple[Image, str] | None = None
        self._waiting = threading.Condition()
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
            word, *numbers = self._words.get(timeout=seconds).split()
        except queue.Empty:
            return False
        if word != READY:
            return False
        self.screen = (int(numbers[0]), int(numbers[1]))
        return True

    def show(self, picture: Image, title: str) -> None:
        """Show a (h, w, 3) uint8 BGR image; does not wait, and of images that pile up the newest is shown."""
        with self._waiting:
            self._newest = (picture, title)
            self._waiting.notify()

    def words(self, seconds: float = math.inf) -> list[str]:
        """Wait for something to happen, so long at most; return all that has happened since the last call."""
        words: list[str] = []
        end = time.monotonic() + seconds
        while not words and time.monotonic() < end:  # in short waits, so that Ctrl-C is heard on every system
            with suppress(queue.Empty):
                words.append(self._words.get(timeout=0.2))
        return words + self.words_so_far()

    def words_so_far(self) -> list[str]:
        """Return all that has happened since the last call, without waiting."""
        words: list[str] = []
        with suppress(queue.Empty):
            while True:
                words.append(self._words.get_nowait())
        return words

    def close(self) -> None:
        """Close the window."""
        with self._waiting:
            self._open = False
            self._waiting.notify()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if word := line.decode("utf-8", errors="replace").strip():
                self._words.put(word)
        self._words.put(GONE)

    def _write(self) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        with suppress(OSError):  # the process has ended
            while (message := self._next()) is not None:
                picture, title = message
                name = title.encode("utf-8")
                pipe.write(HEADER.pack(*picture.shape[:2], len(name)) + name + picture.tobytes())
                pipe.flush()
        with suppress(OSError):
            pipe.close()

    def _next(self) -> tuple[Image, str] | None:
        with self._waiting:
            self._waiting.wait_for(lambda: self._newest is not None or not self._open)
            message, self._newest = self._newest, None
            return message if self._open else None


class Inbox:
    """The newest image with its title, read by a thread.

    Attributes:
        newest: What is to be shown next, or None.
        closed: Whether the parent has ended.
    """

    def __init__(self) -> None:
        self.newest: tuple[Image, str] | None = None
        self.closed = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        pipe = sys.stdin.buffer
        while len(head := pipe.read(HEADER.size)) == HEADER.size:
            height, width, length = HEADER.unpack(head)
            title = pipe.read(length).decode("utf-8", errors="replace")
            data = pipe.read(height * width * 3)
            if len(data) < height * width * 3:
                break
            self.newest = np.frombuffer(data, np.uint8).reshape(height, width, 3), title
        self.closed = True


def send(word: str) -> None:
    """Print an event for the parent; where that has ended, end too."""
    try:
        print(word, flush=True)
    except OSError:
        sys.exit()
