"""A window's process and its parent: pictures come in on stdin, words go out on stdout."""

import sys
import threading

import numpy as np

from facewright.core.images import Image
from facewright.core.window import HEADER


class Inbox:
    """The newest picture with its title, read by a thread.

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


def say(word: str) -> None:
    """Report something; a parent that is gone ends this process soon by itself."""
    try:
        print(word, flush=True)
    except OSError:
        sys.exit()
