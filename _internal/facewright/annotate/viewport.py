"""Which part of an image is shown, and how large: zoom and move, by the same events in every session."""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image
from facewright.ui.events import Do, Event

MAX_VIEW_PX = 4096  # a larger image helps nobody and is slow to show
MAX_ZOOM = 32.0
NOTCH = 1.2  # how much nearer a notch of the wheel is
KEY_NOTCHES = {"z": 3, "x": -3, "0": -100}
ARROWS = {"ArrowLeft": (-1, 0), "ArrowRight": (1, 0), "ArrowUp": (0, -1), "ArrowDown": (0, 1)}
ARROW_SHARE = 0.15  # of what is shown
MIDDLE = "middle"


@dataclass(frozen=True)
class Viewport:
    """A part of an image, as it is shown.

    Attributes:
        shown: (h, w) of what is shown, in pixels.
        fit: Shown pixels per pixel of the image where all of it is shown.
        zoom: How many times as large it is now, from 1.
        left, top: Where the shown part begins, in pixels of the image, from its corner.
    """

    shown: tuple[int, int]
    fit: float = 1.0
    zoom: float = 1.0
    left: float = 0.0
    top: float = 0.0

    @property
    def pixel(self) -> float:
        """Pixels of the image per shown pixel."""
        return 1 / (self.fit * self.zoom)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """2x3, image -> what is shown; pixels are named by their middle."""
        s = self.fit * self.zoom
        return np.array([[s, 0.0, (0.5 - self.left) * s - 0.5], [0.0, s, (0.5 - self.top) * s - 0.5]])

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return the place in the image of a place on the view, given as shares of its sides."""
        height, width = self.shown
        return (
            self.left + min(max(x, 0.0), 1.0) * width * self.pixel - 0.5,
            self.top + min(max(y, 0.0), 1.0) * height * self.pixel - 0.5,
        )

    def nearer(self, notches: int, x: float, y: float) -> "Viewport":
        """Zoom, so that what is shown at a place (shares of the sides) stays there."""
        zoom = min(max(self.zoom * NOTCH ** min(max(notches, -100), 100), 1.0), MAX_ZOOM)
        zoom = 1.0 if zoom < NOTCH**0.5 else zoom
        new = replace(self, zoom=zoom)
        moved = (self.pixel - new.pixel) * x * self.shown[1], (self.pixel - new.pixel) * y * self.shown[0]
        return new.moved(*moved)

    def moved(self, right: float, down: float) -> "Viewport":
        """Show what lies so many pixels of the image further; never beyond its edges."""
        room = [side * (1 / self.fit - self.pixel) for side in self.shown]
        left, top = min(max(self.left + right, 0.0), room[1]), min(max(self.top + down, 0.0), room[0])
        return replace(self, left=left, top=top)

    def cut(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return what is shown of an image, (h, w) or (h, w, c) of the same type."""
        size = self.shown[1], self.shown[0]
        if self.zoom == 1:
            way = cv2.INTER_AREA if self.fit < 1 else cv2.INTER_CUBIC
            return image if self.fit == 1 else cv2.resize(image, size, interpolation=way)
        way = cv2.INTER_LINEAR if self.pixel > 1 else cv2.INTER_CUBIC
        return cv2.warpAffine(image, self.matrix, size, flags=way, borderMode=cv2.BORDER_REPLICATE)


def whole(size: tuple[int, int], longest: int, room: tuple[int, int] | None = None) -> Viewport:
    """Return the view of a whole image.

    Args:
        size: (h, w) of the image.
        longest: Its longest side as it is shown, in pixels; 0 for the image's own.
        room: (w, h) in pixels that it must fit in; None for no bound.
    """
    height, width = size
    scale = min(longest or max(size), MAX_VIEW_PX) / max(size)
    if room:
        scale = min(scale, room[0] / width, room[1] / height)
    return Viewport((max(1, round(height * scale)), max(1, round(width * scale))), scale)


class Eye:
    """Looks at an image on behalf of a session: zooms and moves, and keeps what is shown.

    Attributes:
        port: What is shown.
        aim: How much farther than a mouse on this very image a person aims: more with a finger, or where the image is
            shown smaller than it is.
    """

    def __init__(self, longest: int, room: tuple[int, int] | None = None) -> None:
        """See `whole` for both."""
        self._longest, self._room = longest, room
        self._size: tuple[int, int] | None = None
        self._image: Image | None = None
        self._view: tuple[Viewport, Image] | None = None
        self._held: tuple[float, float] | None = None  # where the middle button holds the image
        self._mouse = 0.5, 0.5
        self.port = Viewport((360, 640))
        self.aim = 1.0

    def open(self, image: Image) -> None:
        """Look at another image; the part that is shown stays, where it is of the same size."""
        self._image, self._view, self._held = image, None, None
        size = image.shape[0], image.shape[1]
        if size != self._size:
            self._size, self.port = size, whole(size, self._longest, self._room)

    def close(self) -> None:
        """Look at nothing."""
        self._image = self._view = self._held = None

    @property
    def reach(self) -> float:
        """What a person can aim at, in pixels of the image per pixel of the screen."""
        return self.port.pixel * self.aim

    def view(self) -> Image:
        """Return what is shown, (h, w, 3) uint8 BGR, to be drawn on."""
        assert self._image is not None
        if self._view is None or self._view[0] != self.port:
            self._view = self.port, self.port.cut(self._image)
        return self._view[1].copy()

    def handle(self, event: Event) -> bool:
        """Zoom or move, where an event means that; return whether it did."""
        before, self._mouse = self._mouse, self._mouse if event.do is Do.KEY else (event.x, event.y)
        if self._image is None:
            return False
        match event.do:
            case Do.ZOOM:
                self.port = self.port.nearer(event.steps, event.x, event.y)
            case Do.DOWN if event.what == MIDDLE:
                self._held = event.x, event.y
            case Do.UP if event.what == MIDDLE:
                self._held = None
            case Do.MOVE if self._held is not None:
                self._move(before[0] - event.x, before[1] - event.y)
            case Do.KEY if event.what in ARROWS:
                self._move(*(ARROW_SHARE * way for way in ARROWS[event.what]))
            case Do.KEY if event.what.lower() in KEY_NOTCHES:
                self.port = self.port.nearer(KEY_NOTCHES[event.what.lower()] * max(1, event.steps), *self._mouse)
            case _:
                return False
        return True

    def _move(self, right: float, down: float) -> None:
        """Move by shares of what is shown."""
        height, width = self.port.shown
        self.port = self.port.moved(right * width * self.port.pixel, down * height * self.port.pixel)
