"""What another program wrote about a face, and the checks of its parts that all programs share."""

from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewright.faces.align import FaceType
from facewright.faces.landmarks import IBUG68
from facewright.faces.polygons import Polygon
from facewright.faces.record import LARGEST, MIN_SPAN

Rect = tuple[float, float, float, float]


class NotImportable(ValueError):
    """A file that holds no face of another program, or one that cannot be used; the text says why."""


@dataclass(frozen=True)
class ForeignFace:
    """What another program wrote about a face.

    Attributes:
        program: Its name: "DeepFaceLab" or "FaceSwap".
        frame: Bare name of the frame.
        frame_landmarks: (68, 2) float64, (x, y) in pixels of the frame.
        landmarks: (68, 2) float64, (x, y) in pixels of the image; None where the program does not say.
        rect: (left, top, right, bottom) of the detector's box in pixels of the frame.
        largest: The largest face type of ours that the image can be.
        mask: A mask as the bytes of an encoded image, or None.
        polygons: What a person drew around the face, in pixels of the image.
        lost: What the file holds that a face record has no place for, in words.
    """

    program: str
    frame: str
    frame_landmarks: NDArray[np.float64]
    landmarks: NDArray[np.float64] | None
    rect: Rect
    largest: FaceType
    mask: bytes | None = None
    polygons: tuple[Polygon, ...] = ()
    lost: tuple[str, ...] = ()


def frame_name(value: Any) -> str:
    """Return the bare name of a frame, whose folders are dropped.

    Raises:
        NotImportable: It is no file name.
    """
    name = PureWindowsPath(value).name if isinstance(value, str) else ""
    if not name or len(name) > 255:
        raise NotImportable("it does not name its frame")
    return name


def landmarks(value: Any, what: str) -> NDArray[np.float64]:
    """Return (68, 2) landmarks.

    Args:
        value: As the program wrote them.
        what: What they are, for the message.

    Raises:
        NotImportable: They are not 68 finite points at different places.
    """
    try:
        points = np.asarray(value)
        right = points.shape == (68, 2) and points.dtype.kind in "iuf"
    except (ValueError, OverflowError):
        right = False
    if not right:
        raise NotImportable(f"its {what} are not 68 points")
    points = points.astype(np.float64)
    if (
        not np.isfinite(points).all()
        or np.abs(points).max() > LARGEST
        or np.ptp(points[IBUG68.inner :], axis=0).max() < MIN_SPAN
    ):
        raise NotImportable(f"its {what} are not finite, out of range or all at one place")
    return points


def box_number(value: Any) -> float:
    """Return a number of a box.

    Raises:
        NotImportable: It is none, or out of range.
    """
    right = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
    if not right:
        raise NotImportable("its box is not four numbers")
    return float(value)
