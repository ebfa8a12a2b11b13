"""The debug image of a frame: what was found in it, what was left out, and why."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image
from facewright.faces.align import FaceType, invert, transform_points
from facewright.faces.record import FaceRecord
from facewright.ui.text import draw_text, text_size

BLUE, GREEN, RED, ORANGE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 165, 255), (0, 0, 0)
TEXT_SCALE = 0.00075  # height of the letters, in OpenCV's unit, per pixel of the frame's longer side

# What was left out: its box, its landmarks where they were found, and why.
RejectedFace = tuple[tuple[float, float, float, float], NDArray[np.float32] | None, str]


def debug_file(folder: Path, frame: Path) -> Path:
    """Return the path of a frame's annotated copy."""
    return folder / f"{frame.stem}_debug.jpg"


def draw_detections(frame: Image, records: Sequence[FaceRecord], rejected: Sequence[RejectedFace] = ()) -> Image:
    """Return a copy of the frame with each face's box (blue), landmarks (green) and aligned square (red).

    What was left out has an orange box with the reason below it, and orange landmarks.
    """
    image = frame.copy()
    line = max(1, round(max(frame.shape[:2]) / 640))
    for record in records:
        _draw_box(image, record.rect, BLUE, line)
        if record.face_type is not FaceType.MARK_ONLY:
            square = np.array([(0, 0), (record.size, 0), (record.size, record.size), (0, record.size)], float)
            cv2.polylines(image, [_rounded(transform_points(square - 0.5, invert(record.matrix)))], True, RED, line)
        _draw_points(image, record.frame_landmarks, GREEN, line)
    for rect, points, reason in rejected:
        _draw_box(image, rect, ORANGE, line)
        if points is not None:
            _draw_points(image, points, ORANGE, line)
        _draw_text(image, reason, rect, line)
    return image


def _draw_box(image: Image, rect: Sequence[float], color: tuple[int, int, int], line: int) -> None:
    left, top, right, bottom = (round(value) for value in rect)
    cv2.rectangle(image, (left, top), (right, bottom), color, line)


def _draw_points(image: Image, points: NDArray[np.floating], color: tuple[int, int, int], line: int) -> None:
    for point in _rounded(points):
        cv2.circle(image, (int(point[0]), int(point[1])), line, color, -1)


def _draw_text(image: Image, text: str, rect: Sequence[float], line: int) -> None:
    """Write below a box, or inside the image where it reaches the edge."""
    height, width = image.shape[:2]
    scale = max(0.35, TEXT_SCALE * max(height, width))
    long, above, below = text_size(text, scale, line)
    x = min(max(rect[0], 0), max(width - long, 0))
    y = min(max(rect[3] + above + 2 * line, above), max(height - below, 0))
    for color, thickness in ((BLACK, 3 * line), (ORANGE, line)):
        draw_text(image, text, x, y, color=color, scale=scale, thickness=thickness)


def _rounded(points: NDArray[np.floating]) -> NDArray[np.int32]:
    return np.asarray(points, np.float64).round().astype(np.int32)
