"""The preview window, where there is a screen."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import cv2

from facewright.core.images import Image
from facewright.training.keys import Command, commands

TITLE = "Training preview"
Result = TypeVar("Result")


def screen_there() -> bool:
    """Whether a window can be opened.

    OpenCV aborts the whole process when it cannot reach the screen, and no exception tells: so the first
    window is opened by another process.
    """
    if sys.platform not in ("win32", "darwin") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    attempt = "import cv2; cv2.namedWindow('?', cv2.WINDOW_NORMAL); cv2.waitKey(1)"
    try:
        done = subprocess.run([sys.executable, "-c", attempt], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


class Window:
    """The preview window; all calls come from the main thread, as window systems demand."""

    def __init__(self) -> None:
        self._shown = False
        self._pressed: list[Command] = []
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="facewright-step")

    def show(self, picture: Image) -> None:
        """Show a (h, w, 3) uint8 BGR picture."""
        cv2.imshow(TITLE, picture)
        self._shown = True
        self._listen(1)

    def run(self, work: Callable[[], Result]) -> Result:
        """Run a step in another thread while the window stays alive; return its result."""
        future = self._pool.submit(work)
        while not future.done():
            self._listen(15)
        return future.result()

    def poll(self) -> list[Command]:
        """Return what was pressed in the window since the last call; closing it means to leave."""
        self._listen(1)
        pressed, self._pressed = self._pressed, []
        return pressed

    def browse(self, draw: Callable[[], Image], first: Image) -> None:
        """Show pictures until Enter or the window is closed; p and space draw the next one."""
        self.show(first)
        while True:
            self._listen(50)
            pressed, self._pressed = self._pressed, []
            if Command.LEAVE in pressed:
                return
            if pressed:
                self.show(draw())

    def close(self) -> None:
        """Close the window."""
        self._pool.shutdown()
        if self._shown:
            cv2.destroyAllWindows()
            cv2.waitKey(1)

    def _listen(self, milliseconds: int) -> None:
        key = cv2.waitKey(milliseconds)
        if key >= 0:
            self._pressed += commands(chr(key & 0xFF))
        if self._shown and cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1:
            self._shown = False
            self._pressed.append(Command.LEAVE)
