"""The process of the preview window: pictures from stdin, keys to stdout; ends with its parent."""

import signal
import sys
import threading

import cv2
import numpy as np

from facewright.core.images import Image
from facewright.training.keys import Command, commands
from facewright.training.window import HEADER, READY, TITLE


class Inbox:
    """The newest picture, read by a thread.

    Attributes:
        picture: What is to be shown next, or None.
        closed: Whether the parent has ended.
    """

    def __init__(self) -> None:
        self.picture: Image | None = None
        self.closed = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        pipe = sys.stdin.buffer
        while len(head := pipe.read(HEADER.size)) == HEADER.size:
            height, width = HEADER.unpack(head)
            data = pipe.read(height * width * 3)
            if len(data) < height * width * 3:
                break
            self.picture = np.frombuffer(data, np.uint8).reshape(height, width, 3)
        self.closed = True


def main() -> None:
    """Show pictures and report keys until the parent ends or the window is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    cv2.namedWindow(TITLE, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)
    cv2.waitKey(1)
    inbox = Inbox()
    print(READY, flush=True)
    while not inbox.closed:
        if inbox.picture is not None:
            cv2.imshow(TITLE, inbox.picture)
            inbox.picture = None
        key = cv2.waitKey(30)
        for command in commands(chr(key & 0xFF)) if key >= 0 else []:
            print(command, flush=True)
        if cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1:
            print(Command.LEAVE, flush=True)
            return


if __name__ == "__main__":
    main()
