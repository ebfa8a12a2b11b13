"""The debug picture of a frame: what was found in it, what was left out, and why."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image
from facewright.faces.align import FaceType, invert, transform_points
from facewright.faces.record import FaceRecord

BLUE, GREEN, RED, ORANGE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 165, 255), (0, 0, 0)
LEGIBLE = 0.00075  # height of the letters, in OpenCV's unit, per pixel of the frame's longer side

# What was left out: its box, its landmarks where they were looked for, and why.
LeftOut = tuple[tuple[float, float, float, float], NDArray[np.float32] | None, str]


def debug_file(folder: Path, frame: Path) -> Path:
    """Return the path of a frame's annotated copy."""
    return folder / f"{frame.stem}_debug.jpg"


def annotate(frame: Image, records: Sequence[FaceRecord], left_out: Sequence[LeftOut] = ()) -> Image:
    """Return a copy of the frame with each face's box (blue), landmarks (green) and aligned square (red).

    What was left out has an orange box with the reason below it, and orange landmarks.
    """
    picture = frame.copy()
    line = max(1, round(max(frame.shape[:2]) / 640))
    for record in records:
        _box(picture, record.rect, BLUE, line)
        if record.face_type is not FaceType.MARK_ONLY:
            square = np.array([(0, 0), (record.size, 0), (record.size, record.size), (0, record.size)], float)
            cv2.polylines(picture, [_whole(transform_points(square - 0.5, invert(record.matrix)))], True, RED, line)
        _points(picture, record.frame_landmarks, GREEN, line)
    for rect, points, why in left_out:
        _box(picture, rect, ORANGE, line)
        if points is not None:
            _points(picture, points, ORANGE, line)
        _words(picture, why, rect, line)
    return picture


def _box(picture: Image, rect: Sequence[float], colour: tuple[int, int, int], line: int) -> None:
    left, top, right, bottom = (round(value) for value in rect)
    cv2.rectangle(picture, (left, top), (right, bottom), colour, line)


def _points(picture: Image, points: NDArray[np.floating], colour: tuple[int, int, int], line: int) -> None:
    for point in _whole(points):
        cv2.circle(picture, (int(point[0]), int(point[1])), line, colour, -1)


def _words(picture: Image, text: str, rect: Sequence[float], line: int) -> None:
    """Write below a box, or inside the picture where it reaches the edge."""
    height, width = picture.shape[:2]
    scale = max(0.35, LEGIBLE * max(height, width))
    (long, tall), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, line)
    x = round(min(max(rect[0], 0), max(width - long, 0)))
    y = round(min(max(rect[3] + tall + 2 * line, tall), max(height - below, 0)))
    for colour, thick in ((BLACK, 3 * line), (ORANGE, line)):
        cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thick, cv2.LINE_AA)


def _whole(points: NDArray[np.floating]) -> NDArray[np.int32]:
    return np.asarray(points, np.float64).round().astype(np.int32)
