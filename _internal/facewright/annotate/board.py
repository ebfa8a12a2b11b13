"""What every session of this package has in common for the window and the page that show it."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from facewright.annotate.viewport import Eye
from facewright.core.errors import UserError
from facewright.core.images import Image
from facewright.ui.events import Event

THUMB_PX = 112  # width of a thumbnail; as high at most
KEPT_THUMBS = 300


@dataclass(frozen=True)
class Button:
    """A button beside the image.

    Attributes:
        label: What it says.
        key: The key that it stands for.
        switch: Whether it turns something on and off.
    """

    label: str
    key: str
    switch: bool = False


ZOOM_BUTTONS = (Button("Zoom in", "z"), Button("Zoom out", "x"), Button("Whole", "0"))


def key_name(key: str) -> str:
    """Return what stands on a key."""
    return {"Space": "space", "Escape": "Esc", "Delete": "Del"}.get(key, str(key))


@dataclass(frozen=True)
class Facts:
    """What is to be said about what is shown.

    Attributes:
        name: Of the frame or face.
        at, count: Its place among all, from 0, and how many there are.
        progress: How far the work is.
        reasons: Why it is shown.
        words: Further facts.
        pressed: Keys of the buttons that are on.
        done: Whether the session has ended.
    """

    name: str
    at: int
    count: int
    progress: str = ""
    reasons: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    pressed: frozenset[str] = frozenset()
    done: bool = False


class Session(Protocol):
    """What window and page work on.

    Attributes:
        done: Whether it has ended.
        heading: What the work is, in a few words.
        buttons: In groups.
        help: What the user does, what happens.
        marks: Places among all that are to be looked at, in order.
        eye: Zooms and moves what is shown.
    """

    heading: str
    buttons: Sequence[Sequence[Button]]
    help: Sequence[tuple[str, str]]
    eye: Eye

    @property
    def done(self) -> bool: ...  # noqa: D102
    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def marks(self) -> Sequence[int]: ...  # noqa: D102

    def handle(self, event: Event) -> None:
        """Do what an event asks for.

        Raises:
            UserError: Something could not be saved; all before it is on the disk.
        """

    def picture(self) -> Image:
        """Return what is to be shown, (h, w, 3) uint8 BGR."""
        ...

    def facts(self) -> Facts:
        """Return what is to be said about it."""
        ...

    def small(self, at: int) -> Image:
        """Return the frame or face at a place among all; may be called from several threads.

        Raises:
            UserError: It cannot be read.
        """
        ...

    def end(self) -> None:
        """End."""


def thumbnail(image: Image) -> Image:
    """Return an image `THUMB_PX` wide and as high at most."""
    height, width = image.shape[:2]
    scale = min(THUMB_PX / width, THUMB_PX / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


class Thumbnails:
    """Small images, read by a thread of their own when they are asked for; the last asked for come first."""

    def __init__(self, read: Callable[[int], Image]) -> None:
        """Begin with none.

        Args:
            read: Returns an image, or raises UserError.
        """
        self._read = read
        self._known: OrderedDict[int, Image | None] = OrderedDict()
        self._wanted: list[int] = []
        self._changed = threading.Condition()
        threading.Thread(target=self._work, name="facewright-thumbnails", daemon=True).start()

    def want(self, places: Sequence[int]) -> dict[int, Image]:
        """Return those that are there; the others are read now, what was wanted before no longer."""
        with self._changed:
            self._wanted = [at for at in places if at not in self._known]
            self._changed.notify()
            return {at: image for at in places if (image := self._known.get(at)) is not None}

    @property
    def waiting(self) -> bool:
        """Whether some are still to come."""
        return bool(self._wanted)

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._wanted = [-1]
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted)
                at = self._wanted[0]
            if at < 0:
                return
            try:
                image: Image | None = thumbnail(self._read(at))
            except UserError:
                image = None
            with self._changed:
                self._known[at] = image
                while len(self._known) > KEPT_THUMBS:
                    self._known.popitem(last=False)
                self._wanted = [one for one in self._wanted if one != at]
