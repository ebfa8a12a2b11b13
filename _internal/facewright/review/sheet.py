"""The worst frames on one image, each before and after, with its reasons; for a machine without a screen."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.errors import UserError
from facewright.core.images import Image, read_image
from facewright.faces.align import Points
from facewright.review.clip import Clip
from facewright.review.ranking import FrameScore
from facewright.ui.contact_sheet import GAP, GROUND, fit
from facewright.ui.text import draw_text, wrap

CELL, TEXT_WIDTH, COLUMNS = 220, 300, 2  # px of an image, px of the words beside, entries in a row
CLOSE_UP = 1.8  # side of what is shown, in sides of the box around the landmarks
LINE, LETTERS = 19, 0.44  # px between two lines, size of the letters in OpenCV's unit
MARGIN = 8


@dataclass(frozen=True, eq=False)
class BeforeAfter:
    """A frame and its result, (h, w, 3) uint8 BGR; black where there is none."""

    before: Image
    after: Image


def look_at(clip: Clip, index: int, *, close_up: int = 0) -> BeforeAfter:
    """Return a frame before and after.

    Args:
        clip: The frames.
        index: Which one.
        close_up: Side of a square around its face, or where the nearest frame has one, in pixels; 0: the whole frame.
    """
    frame = clip.frames[index]
    before, after = _readable(frame.path), _readable(frame.result)
    points = face_near(clip, index) if close_up else None
    if points is None:
        return BeforeAfter(before, after)
    matrix = close_up_matrix(points, close_up)
    return BeforeAfter(*(_cut(image, matrix, close_up) for image in (before, after)))


def face_near(clip: Clip, index: int) -> Points | None:
    """Return the landmarks of the largest face of a frame, or of the nearest frame with one; None without any."""
    with_face = [at for at, frame in enumerate(clip.frames) if frame.faces]
    if not with_face:
        return None
    nearest = clip.frames[min(with_face, key=lambda at: abs(at - index))]
    return max((face.landmarks for face in nearest.faces), key=lambda points: float(np.ptp(points, axis=0).prod()))


def close_up_matrix(points: Points, side: int) -> NDArray[np.float64]:
    """Return the 2x3 matrix frame -> square around a face.

    Args:
        points: (68, 2) in the frame.
        side: Of the square, pixels.
    """
    low, high = points.min(0), points.max(0)
    scale = side / max(CLOSE_UP * float((high - low).max()), 1.0)
    shift = side / 2 - scale * (low + high) / 2
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])


def _cut(image: Image, matrix: NDArray[np.float64], side: int) -> Image:
    method = cv2.INTER_AREA if matrix[0, 0] < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.warpAffine(image, matrix, (side, side), flags=method), np.uint8)


def _readable(path: Path | None) -> Image:
    with suppress(UserError):
        if path is not None:
            return read_image(path)
    return np.zeros((1, 1, 3), np.uint8)


def review_sheet(clip: Clip, shown: Sequence[FrameScore]) -> Image:
    """Draw frames before and after, each with its score and reasons.

    Args:
        clip: The frames.
        shown: At least one.

    Returns:
        (h, w, 3) uint8 BGR.
    """
    entries = [_entry(clip, number, one) for number, one in enumerate(shown, 1)]
    entries += [np.full_like(entries[0], GROUND)] * (-len(entries) % COLUMNS)
    rows = [np.hstack(entries[start : start + COLUMNS]) for start in range(0, len(entries), COLUMNS)]
    return np.vstack(rows)


def _entry(clip: Clip, number: int, one: FrameScore) -> Image:
    pair = look_at(clip, one.index, close_up=CELL)
    entry = np.full((CELL + 2 * GAP, 2 * (CELL + GAP) + TEXT_WIDTH, 3), GROUND, np.uint8)
    for column, image in enumerate((pair.before, pair.after)):
        left = GAP + column * (CELL + GAP)
        entry[GAP : GAP + CELL, left : left + CELL] = fit(image, (CELL, CELL))
    left, top = 2 * (CELL + GAP) + GAP + MARGIN, GAP + LINE
    draw_text(entry, f"{number}. {one.name}", left, top, scale=0.55)
    lines = [line for reason in one.reasons for line in wrap(reason, TEXT_WIDTH - 2 * MARGIN, LETTERS)]
    for at, line in enumerate(lines[: CELL // LINE - 2], 2):
        draw_text(entry, line, left, top + at * LINE - LINE // 2, scale=LETTERS)
    return entry
