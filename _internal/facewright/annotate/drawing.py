"""What the session shows: frame, faces, help and a line of facts. Draws and decides nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.annotate.face import SMALL, Face, FaceSquare
from facewright.annotate.state import State
from facewright.annotate.storage import OpenFrame
from facewright.core.images import Image
from facewright.extract.log import LoggedSettings
from facewright.faces.align import FaceType, align_matrix, invert, transform_points
from facewright.faces.landmarks import IBUG68
from facewright.ui.events import HELP
from facewright.ui.text import draw_text, text_width

BAR = 30  # px of the line below the frame
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
        view: The frame as it is shown, (h, w, 3) uint8 BGR.
        pixel: Frame pixels per pixel of the view.
        frame: The frame itself.
        state: Its faces.
        settings: Face type and size, for the aligned square.
        status: The line below.
    """

    view: Image
    pixel: float
    frame: OpenFrame
    state: State
    settings: LoggedSettings
    status: str


def draw_scene(scene: Scene, *, help_shown: bool) -> Image:
    """Return the whole image: (h + BAR, w, 3) uint8 BGR."""
    height, width = scene.view.shape[:2]
    picture = np.empty((height + BAR, width, 3), np.uint8)
    canvas = picture[:height]
    canvas[:] = scene.view
    for index, face in enumerate(scene.state.faces):
        grabbed = index == scene.state.grabbed
        _draw_face(canvas, face, scene, GRABBED if grabbed else DOWN)
        if grabbed and face.square.half <= SMALL * scene.pixel:  # small as it is shown
            _magnify(canvas, face, scene)
    if help_shown:
        _draw_help(canvas)
    _draw_bar(picture[height:], scene.status)
    return picture


def _draw_face(canvas: Image, face: Face, scene: Scene, ink: tuple[int, int, int]) -> None:
    def fit(points: NDArray[np.floating]) -> NDArray[np.float64]:
        return (np.asarray(points, np.float64) + 0.5) / scene.pixel - 0.5

    line = 1 if scene.view.shape[0] < 900 else 2
    square = _aligned_square(face, scene.settings)
    if square is not None:
        _polyline(canvas, fit(square), True, SQUARE, line)
    _polyline(canvas, fit(_box(face)), True, BOX, line)
    _draw_points(canvas, fit(face.points), ink, line)


def _draw_points(canvas: Image, points: NDArray[np.float64], ink: tuple[int, int, int], line: int) -> None:
    """Draw lines and points over a thin shadow, so that they are seen on any ground."""
    for shade, extra in ((SHADOW, 2), (ink, 0)):
        for indices, closed in LINES:
            _polyline(canvas, points[list(indices)], closed, shade, line + extra)
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


def _polyline(
    canvas: Image, points: NDArray[np.float64], closed: bool, ink: tuple[int, int, int], thickness: int
) -> None:
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
    _polyline(inset, transform_points(_box(face), matrix), True, BOX, 1)
    _draw_points(inset, transform_points(face.points, matrix), GRABBED, 1)
    cv2.rectangle(inset, (0, 0), (side - 1, side - 1), DIM, 1)
    left = 8 if square.x / scene.pixel > width / 2 else width - side - 8
    canvas[height - side - 8 : height - 8, left : left + side] = inset


def _draw_help(canvas: Image) -> None:
    """Lay the list of inputs over the top left corner, as large as the frame allows."""
    height, width = canvas.shape[:2]
    rows, line = HELP, 21
    first = max(text_width(shown, 1) for shown, _ in rows)
    second = max(text_width(text, 1) for _, text in rows)
    scale = min(0.5, (width - 60) / (first + second), 0.5 * (height - 16) / (line * len(rows) + 16))
    if scale < 0.12:
        return
    line = max(6, round(line * scale / 0.5))
    right = min(width, round((first + second) * scale) + 46)
    bottom = min(height, line * len(rows) + 16)
    canvas[:bottom, :right] = (canvas[:bottom, :right] * 0.28).astype(np.uint8)
    for number, (shown, text) in enumerate(rows):
        y = 8 + line * (number + 1) - line // 3
        draw_text(canvas, shown, 12, y, color=DOWN, scale=scale)
        draw_text(canvas, text, round(first * scale) + 28, y, color=INK, scale=scale)


def _draw_bar(bar: Image, status: str) -> None:
    bar[:] = GROUND
    scale = min(0.5, (bar.shape[1] - 20) / max(text_width(status, 1), 1))
    draw_text(bar, status, 10, BAR - 10, color=INK, scale=scale)


def notice(text: str, size: tuple[int, int]) -> Image:
    """Return an empty image with a sentence.

    Args:
        text: What is to be said.
        size: (h, w) of the image.
    """
    return _board([text], size)


def farewell(size: tuple[int, int], accepted: Sequence[str], left: int) -> Image:
    """Return the last image.

    Args:
        size: (h, w) of the image.
        accepted: The frames that were accepted.
        left: How many were not shown any more.
    """
    lines = [f"Frames accepted: {len(accepted)}."]
    if left:
        lines.append(f"Frames not looked at: {left}. The next run offers them again.")
    return _board([*lines, "This window or page can be closed."], (size[0] + BAR, size[1]))


def _board(lines: Sequence[str], size: tuple[int, int]) -> Image:
    board = np.full((*size, 3), GROUND, np.uint8)
    scale = min(0.7, *((size[1] - 20) / max(text_width(line, 1), 1) for line in lines))
    for number, line in enumerate(lines):
        x = (size[1] - text_width(line, scale)) // 2
        y = size[0] // 2 + round((number - (len(lines) - 1) / 2) * 60 * scale)
        draw_text(board, line, x, y, color=INK, scale=scale)
    return board
