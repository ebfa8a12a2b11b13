"""What the session shows: the frame with its faces. Draws and decides nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.annotate.face import SMALL, Face, FaceSquare
from facewright.annotate.state import State
from facewright.annotate.storage import OpenFrame
from facewright.annotate.viewport import Viewport
from facewright.core.images import Image
from facewright.extract.log import LoggedSettings
from facewright.faces.align import FaceType, align_matrix, invert, transform_points
from facewright.faces.landmarks import IBUG68
from facewright.ui.text import draw_text, text_width

SHIFT = 4  # OpenCV draws to 1/16 pixel
GROUND, INK, DIM = (28, 28, 28), (235, 235, 235), (150, 150, 150)
# As in the debug images: box blue, landmarks green, aligned square red; cyan for what lies, as ever in this window.
BOX, SQUARE, DOWN, GRABBED, SHADOW = (255, 120, 40), (70, 70, 255), (255, 230, 60), (90, 255, 90), (0, 0, 0)
CLOSED_GROUPS = ("right eye", "left eye", "outer lips", "inner lips")
LINES = tuple((points, name in CLOSED_GROUPS) for name, points in IBUG68.groups.items())


@dataclass(frozen=True)
class Scene:
    """What is to be drawn.

    Attributes:
        view: What is shown of the frame, (h, w, 3) uint8 BGR; it is drawn on.
        port: Which part that is.
        frame: The frame itself.
        state: Its faces.
        settings: Face type and size, for the aligned square.
    """

    view: Image
    port: Viewport
    frame: OpenFrame
    state: State
    settings: LoggedSettings


def draw_scene(scene: Scene) -> Image:
    """Draw the faces into the view and return it."""
    for index, face in enumerate(scene.state.faces):
        grabbed = index == scene.state.grabbed
        _draw_face(scene.view, face, scene, GRABBED if grabbed else DOWN)
        if grabbed and face.square.half <= SMALL * scene.port.pixel:  # small as it is shown
            _magnify(scene.view, face, scene)
    return scene.view


def _draw_face(canvas: Image, face: Face, scene: Scene, ink: tuple[int, int, int]) -> None:
    def fit(points: NDArray[np.floating]) -> NDArray[np.float64]:
        return transform_points(points, scene.port.matrix)

    line = 1 if scene.view.shape[0] < 900 else 2
    square = _aligned_square(face, scene.settings)
    if square is not None:
        polyline(canvas, fit(square), True, SQUARE, line)
    polyline(canvas, fit(_box(face)), True, BOX, line)
    _draw_points(canvas, fit(face.points), ink, line)


def _draw_points(canvas: Image, points: NDArray[np.float64], ink: tuple[int, int, int], line: int) -> None:
    """Draw lines and points over a thin shadow, so that they are seen on any ground."""
    for shade, extra in ((SHADOW, 2), (ink, 0)):
        for indices, closed in LINES:
            polyline(canvas, points[list(indices)], closed, shade, line + extra)
    large = float(np.ptp(points, axis=0).max()) > 90
    for x, y in points:
        if large and abs(x) < 1e5 and abs(y) < 1e5:
            place = round(x * 2**SHIFT), round(y * 2**SHIFT)
            cv2.circle(canvas, place, 3 << SHIFT, SHADOW, -1, cv2.LINE_AA, SHIFT)
            cv2.circle(canvas, place, 2 << SHIFT, ink, -1, cv2.LINE_AA, SHIFT)


def _box(face: Face) -> NDArray[np.float64]:
    """Return the corners of a face's rectangle; the grabbed one's square is drawn as it is turned."""
    left, top, right, bottom = face.rect
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    if face.rect != face.square.rect:
        return corners
    turn = np.radians(face.square.roll)
    c, s = np.cos(turn), np.sin(turn)
    middle = (face.square.x, face.square.y)
    return (corners - middle) @ np.array([[c, s], [-s, c]]) + middle


def _aligned_square(face: Face, settings: LoggedSettings) -> NDArray[np.float64] | None:
    face_type = FaceType(str(settings["face_type"]))
    if face_type is FaceType.MARK_ONLY:
        return None
    matrix = align_matrix(face.points, face_type, 256, level_eyes=bool(settings.get("align_eyes", False)))
    return transform_points(np.array([(0, 0), (256, 0), (256, 256), (0, 256)]) - 0.5, invert(matrix))


def polyline(
    canvas: Image, points: NDArray[np.float64], closed: bool, ink: tuple[int, int, int], thickness: int
) -> None:
    """Draw lines between (n, 2) points of the canvas, however far outside they lie."""
    whole = np.clip(points * 2**SHIFT, -1e8, 1e8).round().astype(np.int32)
    cv2.polylines(canvas, [whole], closed, ink, thickness, cv2.LINE_AA, SHIFT)


def _magnify(canvas: Image, face: Face, scene: Scene) -> None:
    """Show a small grabbed face enlarged, in the corner that is farthest from it."""
    height, width = canvas.shape[:2]
    side = min(320, height // 2, width // 2)
    picture = scene.frame.picture
    if side < 64 or picture is None:
        return
    square: FaceSquare = face.square
    scale = side / (3.4 * square.half)
    matrix = np.array([[scale, 0, side / 2 - scale * square.x], [0, scale, side / 2 - scale * square.y]])
    inset = np.asarray(cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_CUBIC), np.uint8)
    polyline(inset, transform_points(_box(face), matrix), True, BOX, 1)
    _draw_points(inset, transform_points(face.points, matrix), GRABBED, 1)
    cv2.rectangle(inset, (0, 0), (side - 1, side - 1), DIM, 1)
    there = transform_points(np.array([[square.x, square.y]]), scene.port.matrix)[0, 0]
    left = 8 if there > width / 2 else width - side - 8
    canvas[height - side - 8 : height - 8, left : left + side] = inset


def notice(text: str, size: tuple[int, int]) -> Image:
    """Return an empty image with a sentence.

    Args:
        text: What is to be said.
        size: (h, w) of the image.
    """
    return _board([text], size)


def farewell(size: tuple[int, int], lines: Sequence[str]) -> Image:
    """Return the last image: what was done.

    Args:
        size: (h, w) of the image.
        lines: What was done.
    """
    return _board([*lines, "This window or page can be closed."], size)


def _board(lines: Sequence[str], size: tuple[int, int]) -> Image:
    board = np.full((*size, 3), GROUND, np.uint8)
    scale = min(0.7, *((size[1] - 20) / max(text_width(line, 1), 1) for line in lines))
    for number, line in enumerate(lines):
        x = (size[1] - text_width(line, scale)) // 2
        y = size[0] // 2 + round((number - (len(lines) - 1) / 2) * 60 * scale)
        draw_text(board, line, x, y, color=INK, scale=scale)
    return board
