"""What the mask editor shows: an aligned image, its mask, and the polygons over it. Draws and decides nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.annotate.drawing import SHADOW, polyline
from facewright.annotate.mask_state import MaskState
from facewright.annotate.viewport import Viewport
from facewright.core.images import Image
from facewright.faces.align import Matrix, transform_points
from facewright.faces.mask import Mask, with_polygons

INKS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {"include": (110, 235, 90), "exclude": (80, 80, 255), "outline": (255, 220, 60)}
)
SEEN, MISSING = 1.0, 0.38  # brightness inside of the mask and outside
CORNER = 4  # px, half the side of a corner's square


@dataclass(frozen=True)
class MaskScene:
    """What is to be drawn.

    Attributes:
        view: What is shown of the aligned image, (h, w, 3) uint8 BGR; it is drawn on.
        port: Which part that is.
        automatic: The face's mask without polygons, as large as the aligned image.
        matrix: 2x3, frame -> aligned image.
        state: The polygons.
        overlay: Whether the mask is shown: what is outside of it is dark.
    """

    view: Image
    port: Viewport
    automatic: Mask
    matrix: Matrix
    state: MaskState
    overlay: bool


def draw_mask_scene(scene: MaskScene) -> Image:
    """Draw mask and polygons into the view and return it."""
    if scene.overlay:
        mask = with_polygons(scene.automatic, scene.state.polygons, scene.matrix)
        shown = scene.port.cut(mask)
        scene.view[:] = scene.view * (MISSING + (SEEN - MISSING) * np.clip(shown, 0, 1)[..., None])
    for polygon in scene.state.polygons:
        _draw(scene, _fit(scene, polygon.points), INKS[polygon.kind], closed=True)
    if scene.state.corners:
        corners = _fit(scene, np.array([*scene.state.corners, scene.state.mouse]))
        _draw(scene, corners, INKS[scene.state.kind], closed=False)
        cv2.circle(scene.view, _pixel(corners[0]), 2 * CORNER, INKS[scene.state.kind], 1, cv2.LINE_AA)
    return scene.view


def _fit(scene: MaskScene, points: NDArray[np.floating]) -> NDArray[np.float64]:
    return transform_points(transform_points(points, scene.matrix), scene.port.matrix)


def _draw(scene: MaskScene, points: NDArray[np.float64], ink: tuple[int, int, int], *, closed: bool) -> None:
    for shade, extra in ((SHADOW, 2), (ink, 0)):
        polyline(scene.view, points, closed, shade, 1 + extra)
    for x, y in (_pixel(point) for point in points):
        for shade, half in ((SHADOW, CORNER), (ink, CORNER - 1)):
            cv2.rectangle(scene.view, (x - half, y - half), (x + half, y + half), shade, -1)


def _pixel(point: NDArray[np.float64]) -> tuple[int, int]:
    x, y = np.clip(point, -1e5, 1e5)
    return round(float(x)), round(float(y))
