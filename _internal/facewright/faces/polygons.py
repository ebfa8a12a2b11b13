"""Polygons that a person drew around a face's skin, or around what covers it. They lie in the frame, in its pixels.

Faces are smoothed, cut again at other sizes and moved; what was drawn stays where it was drawn.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.faces.align import Matrix, Points, transform_points

Kind = Literal["include", "exclude", "outline"]
KINDS: tuple[str, ...] = get_args(Kind)
MAX_POLYGONS = 50  # of one face
MAX_POINTS = 500  # of one polygon
MAX_ALL_POINTS = 5000  # of one face: the record in a PNG has room for no more
FARTHEST = 1e6  # pixels: no image is larger
FINE, SHIFT = 4, 4  # drawn at so many times the size and averaged; coordinates are handed to OpenCV in 1/16 px
FAR_DRAWN = 2e6  # fine pixels: points farther outside an image are drawn at this distance


@dataclass(frozen=True, eq=False)
class Polygon:
    """An area that belongs to the mask of a face, or does not.

    Attributes:
        kind: "include" adds to the automatic mask, "exclude" takes away from both; outlines stand in the place of the
            automatic mask.
        points: (n, 2) float32, (x, y) in the frame, 3 to `MAX_POINTS`; the last is joined to the first.
    """

    kind: Kind
    points: NDArray[np.float32]

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data; coordinates keep 1/100 px."""
        return {"kind": self.kind, "points": np.asarray(self.points, float).round(2).tolist()}


def polygons_of(value: Any) -> tuple[Polygon, ...]:
    """Read a list of what `Polygon.to_data` returns.

    Raises:
        ValueError: It is something else, or beyond the limits; the text says what.
    """
    if not isinstance(value, list) or len(value) > MAX_POLYGONS:
        raise ValueError(f"they are not a list of at most {MAX_POLYGONS}")
    polygons = tuple(_polygon(part) for part in value)
    if sum(len(polygon.points) for polygon in polygons) > MAX_ALL_POINTS:
        raise ValueError(f"they have more than {MAX_ALL_POINTS} points")
    return polygons


def _polygon(value: Any) -> Polygon:
    if not isinstance(value, dict) or value.get("kind") not in KINDS:
        raise ValueError(f"the kind of one is none of {', '.join(KINDS)}")
    return Polygon(value["kind"], polygon_points(value.get("points")))


def polygon_points(value: Any) -> NDArray[np.float32]:
    """Check the points of a polygon, (n, 2).

    Raises:
        ValueError: They are not 3 to `MAX_POINTS` pairs of finite numbers in range.
    """
    if not isinstance(value, list | tuple | np.ndarray) or not 3 <= len(value) <= MAX_POINTS:
        raise ValueError(f"one has not 3 to {MAX_POINTS} points")
    try:
        points = np.asarray(value)
        right = points.shape == (len(value), 2) and points.dtype.kind in "iuf"
    except (ValueError, OverflowError):
        right = False
    if not right or not np.isfinite(points).all() or np.abs(points.astype(np.float64)).max() > FARTHEST:
        raise ValueError("one has points that are not two finite numbers in range")
    return points.astype(np.float32)


def draw_polygons(
    polygons: Sequence[Polygon], kind: Kind, matrix: Matrix, size: tuple[int, int]
) -> NDArray[np.float32]:
    """Return where the polygons of a kind lie, (h, w), 0..1 with an anti-aliased edge.

    Args:
        polygons: Those of a face, of all kinds.
        kind: Which of them.
        matrix: 2x3, frame -> the image.
        size: (h, w) of the image.
    """
    chosen = [transform_points(polygon.points, matrix) for polygon in polygons if polygon.kind == kind]
    return draw_areas(chosen, size, _fill)


def draw_areas(
    areas: Sequence[Points], size: tuple[int, int], fill: Callable[[NDArray[np.uint8], Points], None]
) -> NDArray[np.float32]:
    """Return where areas lie, (h, w), 0..1 with an anti-aliased edge.

    They are drawn at `FINE` times the size and averaged: OpenCV's own smooth edges would be half a pixel too wide.

    Args:
        areas: (n, 2) points (x, y) of each; they may lie outside the image.
        size: (h, w) of the image.
        fill: Draws 255 into a canvas where an area lies, whose points are given in pixels of the canvas.
    """
    drawn = np.zeros(size, np.float32)
    if not areas:
        return drawn
    points = np.vstack(areas)
    left, top = (int(v) for v in np.clip(np.floor(points.min(0)) - 1, 0, (size[1], size[0])))
    right, bottom = (int(v) for v in np.clip(np.ceil(points.max(0)) + 2, 0, (size[1], size[0])))
    if right <= left or bottom <= top:
        return drawn
    canvas = np.zeros(((bottom - top) * FINE, (right - left) * FINE), np.uint8)
    for corners in areas:  # one by one: together OpenCV would leave out where two overlap
        fill(canvas, (corners - (left, top) + 0.5) * FINE - 0.5)
    small = cv2.resize(canvas, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    drawn[top:bottom, left:right] = small.astype(np.float32) / np.float32(255)
    return drawn


def _fill(canvas: NDArray[np.uint8], corners: Points) -> None:
    fixed = np.rint(np.clip(corners, -FAR_DRAWN, FAR_DRAWN) * (1 << SHIFT)).astype(np.int32)
    cv2.fillPoly(canvas, [fixed], 255, lineType=cv2.LINE_8, shift=SHIFT)
