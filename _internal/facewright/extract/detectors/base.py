"""What a detector is, and which ones there are.

A detector is one file in this folder with a tuple `DETECTORS`; dropping the file in makes its detectors appear in
questions, help and tests. Such a file imports its library only inside `make`, so that the list of names costs nothing.
"""

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from facewright.core.images import Image
from facewright.extract.licences import NOT_STATED, Licence, commercial_only, usable_part
from facewright.faces.align import MEAN_FACE, Points, invert, similarity
from facewright.faces.record import INNER, MANUAL_DETECTOR

DEFAULT_DETECTOR = "mtcnn"  # stands first in every list
COMMERCIAL_DETECTOR = "blazeface"
# Manual annotation stands among the detectors where one is chosen.
MANUAL_CHOICE = {
    MANUAL_DETECTOR: "you: each frame in a window or, with --serve, on a page; for what no other one finds"
}
# Where the face square begins and ends, in sides of the mean face's square, whose middle is its own: as dlib's frontal
# face detector draws its boxes (median of 137 faces).
FACE_SQUARE = (-0.12, 1.12)


@dataclass(frozen=True)
class Box:
    """A face's rectangle.

    Attributes:
        left, top, right, bottom: In pixels; may reach over the image's border.
        score: The detector's confidence, on its own scale.
        roll: How far the head is tilted clockwise in the image, in degrees; 0 where the detector can't tell.
        square: The face square where the detector itself cannot tell it any more, because the face was found in a
            rotated image; None elsewhere.
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
        """Return the box in an image that is `factor` times as large."""
        left, top, right, bottom = (value * factor for value in self.rect)
        square = self.square and self.square.scaled(factor)
        return replace(self, left=left, top=top, right=right, bottom=bottom, square=square)


class Detector(Protocol):
    """Finds faces in batches of frames.

    Attributes:
        name: As in the list of detectors.
        max_side: Frames with a longer side (in pixels) are to be shrunk to it before they are searched: it
            bounds memory and time.
        upright_score: The score from which on a face certainly stands upright in its frame; minus infinity where
            every face that is found does.
    """

    name: str
    max_side: int
    upright_score: float

    def batch_size(self, height: int, width: int) -> int:
        """Return how many frames of this size are best searched at once, at least 1."""
        ...

    def detect(self, frames: Sequence[Image], *, smallest: float = 0.0) -> list[list[Box]]:
        """Return the boxes of each frame, largest first.

        Args:
            frames: (h, w, 3) uint8 BGR, all of one size, at least 1x1.
            smallest: Boxes whose longer side is shorter than this, in pixels, may be left out where that saves time.
        """
        ...

    def face_square(self, box: Box) -> Box:
        """Return where the face lies, whatever this detector takes for its box.

        It is a square around the middle of the mean face's square, 1.24 times its side (`FACE_SQUARE`), about what
        dlib's frontal detector draws. Landmarkers derive from it what they need.
        """
        ...


@dataclass(frozen=True)
class DetectorSpec:
    """One detector that can be chosen.

    Attributes:
        name: What the user types.
        summary: One line for the list of choices.
        make: Loads it; `make(True)` gives a more sensitive one, with more false faces.
        licence: Of its weights.
    """

    name: str
    summary: str
    make: Callable[[bool], Detector]
    licence: Licence = NOT_STATED


def detector_specs() -> list[DetectorSpec]:
    """Return all detectors, the default first, the others by name."""
    package = importlib.import_module(__package__)
    names = [info.name for info in pkgutil.iter_modules(package.__path__) if info.name != "base"]
    modules = [importlib.import_module(f"{__package__}.{name}") for name in names]
    found = (spec for module in modules for spec in module.DETECTORS)
    return sorted(found, key=lambda spec: (spec.name != DEFAULT_DETECTOR, spec.name))


def default_detector() -> str:
    """Return the detector that is used where none is chosen; in a commercial workspace it may be used for pay."""
    return COMMERCIAL_DETECTOR if commercial_only() else DEFAULT_DETECTOR


def detector_spec(name: str) -> DetectorSpec:
    """Return a detector that may be used here, not loaded yet.

    Raises:
        UserError: No such name, or the workspace is for commercial work and the detector is not.
    """
    return usable_part(detector_specs(), name, "detector", DEFAULT_DETECTOR)


def make_detector(name: str, *, sensitive: bool = False) -> Detector:
    """Load a detector.

    Raises:
        UserError: As `detector_spec`, or its library or weights are missing.
    """
    return detector_spec(name).make(sensitive)


def square_of_landmarks(points: Points) -> Box:
    """Return where a landmarker is to look for a face whose landmarks are known, as `Detector.face_square` would.

    Args:
        points: (68, 2) in the frame.
    """
    placed = invert(similarity(np.asarray(points, np.float64)[INNER:], MEAN_FACE))
    middle = placed[:, :2] @ (0.5, 0.5) + placed[:, 2]
    half = float(np.hypot(placed[0, 0], placed[1, 0])) * (FACE_SQUARE[1] - FACE_SQUARE[0]) / 2
    roll = float(np.degrees(np.arctan2(placed[1, 0], placed[0, 0])))
    return Box(middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half, 1.0, roll)


def sort_largest_first(boxes: Sequence[Box]) -> list[Box]:
    """Sort boxes by area, then from left to right, then from top to bottom: the same order on every run."""
    return sorted(boxes, key=lambda box: (-box.width * box.height, box.left, box.top))
