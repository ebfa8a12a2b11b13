"""The preview window, where there is a screen: previews go to it, keys come back."""

import time
from collections.abc import Callable

from facewright.core import console
from facewright.core.images import Image
from facewright.train.keys import TrainingCommand, commands_of
from facewright.ui import window
from facewright.ui.window import CLOSED, GONE

TITLE = "Training preview"
OPENCV = "facewright.ui.window_cv"
TYPED = {"Enter": "\n", "Space": " "}


def open_preview_window() -> "PreviewWindow | None":
    """Open the window; None where there is no screen, or OpenCV has no windows."""
    opened = window.open_window(TITLE, OPENCV)
    return PreviewWindow(opened) if opened else None


class PreviewWindow:
    """Images go to the window's process, keys come back.

    Args:
        shown: The window itself, open.
    """

    def __init__(self, shown: window.Window) -> None:
        self._shown = shown
        self._closed = False

    @property
    def open(self) -> bool:
        """Whether the window is still there."""
        return self._shown.open

    def show(self, image: Image) -> None:
        """Show a (h, w, 3) uint8 BGR image; does not wait for the window."""
        self._shown.show(image, TITLE)

    def poll(self) -> list[TrainingCommand]:
        """Return what was pressed in the window since the last call; closing it means to leave."""
        pressed: list[TrainingCommand] = []
        for word in self._shown.words_so_far():
            kind, _, name = word.partition(" ")
            if kind == "key":
                pressed += commands_of(TYPED.get(name, name))
            elif word == CLOSED:
                self._closed = True
                pressed.append(TrainingCommand.LEAVE)
            elif word == GONE and not self._closed:
                console.warn("The preview window is gone. Training continues; the preview is in model/preview.png.")
        return pressed

    def browse(self, draw: Callable[[], Image], first: Image) -> None:
        """Show images until Enter or the window is closed; p and space draw the next one."""
        self.show(first)
        while self.open:
            pressed = self.poll()
            if TrainingCommand.LEAVE in pressed:
                return
            if pressed:
                self.show(draw())
            time.sleep(0.05)

    def close(self) -> None:
        """Close the window."""
        self._closed = True
        self._shown.close()
