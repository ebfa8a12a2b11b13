"""What a detector is, and which ones there are.

A detector is one file `<anything>_detector.py` in this folder with a tuple `OFFERS`; dropping the file in
makes its detectors appear in questions, help and tests. Such a file imports its library only inside `make`,
so that the list of names costs nothing.
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from facewright.core.errors import UserError
from facewright.core.images import Image

# What mends a library or weights that are missing inside a package: the quick check at every start sees whole packages.
REMAKE = "rename or delete the folder _internal/env and start any numbered script: it makes the environment anew"
FIRST = "mtcnn"  # the default stands first in every list
MANUAL = "manual"  # the detector's name in the record of a face that a person placed or moved
# A detector that is none: it stands among the others where one is chosen.
BY_HAND = {MANUAL: "you: each frame in a window or, with --serve, on a page; for what no other one finds"}


@dataclass(frozen=True)
class Box:
    """A face's rectangle.

    Attributes:
        left, top, right, bottom: In pixels; may reach over the picture's border.
        score: The detector's confidence, on its own scale.
        roll: How far the head is tilted clockwise in the picture, in degrees; 0 where the detector can't tell.
        square: The box's landmark square where the detector itself cannot tell it any more, because the face was
            found in a turned picture; None elsewhere.
    """

    left: float
    top: float
    right: float
    bottom: float
    score: float
    roll: float = 0.0
    square: "Box | None" = None

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.bottom - self.top

    @property
    def longer(self) -> float:
        """The longer side in pixels: the size of a face, as it hardly changes while a head turns."""
        return max(self.width, self.height)

    @property
    def rect(self) -> tuple[float, float, float, float]:
        """(left, top, right, bottom)."""
        return self.left, self.top, self.right, self.bottom

    def scaled(self, factor: float) -> "Box":
        """Return the box in a picture that is `factor` times as large."""
        left, top, right, bottom = (value * factor for value in self.rect)
        square = self.square and self.square.scaled(factor)
        return replace(self, left=left, top=top, right=right, bottom=bottom, square=square)


class Detector(Protocol):
    """Finds faces in batches of frames.

    Attributes:
        name: As in the list of offers.
        longest: Frames with a longer side (in pixels) are to be shrunk to it before they are searched: it
            bounds memory and time.
        sure: The score from which on a face is one that stands upright in its frame; minus infinity where what is
            found at all does.
    """

    name: str
    longest: int
    sure: float

    def batch(self, height: int, width: int) -> int:
        """Return how many frames of this size are best searched at once, at least 1."""
        ...

    def detect(self, frames: Sequence[Image], *, smallest: float = 0.0) -> list[list[Box]]:
        """Return the boxes of each frame, largest first.

        Args:
            frames: (h, w, 3) uint8 BGR, all of one size, at least 1x1.
            smallest: Boxes whose longer side is shorter than this, in pixels, may be left out where that saves time.
        """
        ...

    def landmark_square(self, box: Box) -> Box:
        """Return the square that dlib's frontal detector would draw around this face, roughly.

        The landmark predictor was trained on such squares.
        """
        ...


@dataclass(frozen=True)
class Offer:
    """One detector that can be chosen.

    Attributes:
        name: What the user types.
        summary: One line for the list of choices.
        make: Loads it; `make(True)` gives a more sensitive one, with more false faces.
    """

    name: str
    summary: str
    make: Callable[[bool], Detector]


def offers() -> list[Offer]:
    """Return all detectors, the default first, the others by name."""
    found: list[Offer] = []
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem in ("__init__", "base"):
            continue
        found.extend(importlib.import_module(f"facewright.extract.detectors.{path.stem}").OFFERS)
    return sorted(found, key=lambda offer: (offer.name != FIRST, offer.name))


def make_detector(name: str, *, sensitive: bool = False) -> Detector:
    """Load a detector.

    Raises:
        UserError: No such name, or its library or weights are missing.
    """
    for offer in offers():
        if offer.name == name:
            return offer.make(sensitive)
    raise UserError(
        f"There is no detector {name!r}.",
        f"one of {', '.join(offer.name for offer in offers())}.",
        f"use --detector {FIRST}.",
    )


def largest_first(boxes: Sequence[Box]) -> list[Box]:
    """Sort boxes by area, then from left to right, then from top to bottom: the same order on every run."""
    return sorted(boxes, key=lambda box: (-box.width * box.height, box.left, box.top))
