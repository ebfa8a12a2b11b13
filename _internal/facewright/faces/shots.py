"""Where one shot ends and the next begins, from a tiny copy of each frame.

A cut is a change between two frames that is much larger than each change around it: so neither a fast movement nor a
flash is one. PySceneDetect's adaptive detector asks the same; it would decode the video once more for it, while here
each frame is in memory anyhow. A fade is no cut; a face that is not the same after it ends its track all the same.
"""

import base64
from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image

COLUMNS, ROWS = 8, 6  # of the tiny copy
# Measured: the ten cuts of three clips change it by 3.1 to 42 levels on the average, 7 to 90 times as much as the
# frames around; movements by up to 11.6, less than 3 times as much.
LEAST_CHANGE = 2.5  # levels
RATIO = 4.0
AROUND = 3  # frames on each side


def tiny_copy(image: Image) -> bytes:
    """Return what tells a cut: the frame, (h, w, 3) uint8 BGR, shrunk to `COLUMNS` x `ROWS` pixels."""
    height, width = image.shape[:2]
    step = max(1, min(width // (8 * COLUMNS), height // (8 * ROWS)))  # of a large frame a few pixels per block do
    small = cv2.resize(image[::step, ::step], (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8).tobytes()


def as_text(copy: bytes) -> str:
    """Return a tiny copy as it stands in a journal."""
    return base64.b64encode(copy).decode("ascii")


def from_text(text: object) -> bytes | None:
    """Read what `as_text` wrote; None for anything else."""
    try:
        copy = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except ValueError:
        return None
    return copy if len(copy) == 3 * COLUMNS * ROWS else None


def shot_starts(copies: Sequence[bytes | None]) -> list[int]:
    """Return the indices of the frames with which a new shot begins, rising; the first frame is none.

    Args:
        copies: `tiny_copy` of each frame, in order of time; None where it is not known.
    """
    changes = np.array([_change(one, other) for one, other in pairwise(copies)])
    starts = []
    for index in np.flatnonzero(changes > LEAST_CHANGE):
        around = np.r_[changes[max(0, index - AROUND) : index], changes[index + 1 : index + 1 + AROUND]]
        if changes[index] > RATIO * np.max(around, initial=0.0, where=~np.isnan(around)):
            starts.append(int(index) + 1)
    return starts


def _change(one: bytes | None, other: bytes | None) -> float:
    """Return the mean difference of two tiny copies, levels; NaN where one is not known."""
    if one is None or other is None:
        return float("nan")
    return float(np.abs(_levels(one) - _levels(other)).mean())


def _levels(copy: bytes) -> NDArray[np.int16]:
    return np.frombuffer(copy, np.uint8).astype(np.int16)
