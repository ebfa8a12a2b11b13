"""The preview picture: lines of text, the chart of the losses, four rows of faces. Arrays in, picture out."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image
from facewright.training.history import LossHistory, draw_chart, hue

ROWS = 4
COLUMNS = ("src", "src rebuilt", "dst", "dst rebuilt", "dst as src")
LINE = 15  # pixels per line of text
CHART = 100
SMALLEST_TILE = 128
HIGHEST = 800  # taller pages of faces are shrunk to this


@dataclass(frozen=True)
class PreviewFaces:
    """Rows of faces, each (n, S, S, 3) float32 BGR in 0..1.

    Attributes:
        src: Targets of src, not warped.
        src_rebuilt: What the network makes of them.
        dst: Targets of dst, not warped.
        dst_rebuilt: What the network makes of them.
        swapped: dst through the src path: what conversion will put in.
    """

    src: NDArray[np.float32]
    src_rebuilt: NDArray[np.float32]
    dst: NDArray[np.float32]
    dst_rebuilt: NDArray[np.float32]
    swapped: NDArray[np.float32]

    def columns(self) -> tuple[NDArray[np.float32], ...]:
        """Return the columns from left to right."""
        return self.src, self.src_rebuilt, self.dst, self.dst_rebuilt, self.swapped


def draw_preview(lines: Sequence[str], history: LossHistory, faces: PreviewFaces) -> Image:
    """Draw the whole picture.

    Args:
        lines: Text above the chart, three lines or fewer.
        history: The losses so far.
        faces: The faces to show.

    Returns:
        (h, w, 3) uint8 BGR.
    """
    page = draw_faces(faces)
    width = page.shape[1]
    chart = draw_chart(history.values, width, CHART)
    for index, name in enumerate(history.names):
        write_text(chart, name, (6 + 60 * index, CHART - 6), hue(index, len(history.names)))
    return np.vstack([draw_text(lines, width), chart, page])


def draw_faces(faces: PreviewFaces) -> Image:
    """Draw rows of faces below their titles; at most `HIGHEST` pixels tall."""
    side = max(SMALLEST_TILE, faces.src.shape[1])
    page = np.vstack([np.hstack(row) for row in zip(*(tiles(c, side) for c in faces.columns()), strict=True)])
    if page.shape[0] > HIGHEST:
        scale = HIGHEST / page.shape[0]
        page = np.asarray(cv2.resize(page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    titles = np.zeros((LINE + 3, page.shape[1], 3), np.uint8)
    for index, title in enumerate(COLUMNS):
        write_text(titles, title, (index * page.shape[1] // len(COLUMNS) + 4, LINE - 2))
    return np.vstack([titles, page])


def tiles(pictures: NDArray[np.float32], side: int) -> list[Image]:
    """Turn (n, S, S, 3) float32 in 0..1 into n uint8 tiles of that side; what is not finite becomes black."""
    clean = np.nan_to_num(np.asarray(pictures, np.float32), nan=0.0, posinf=1.0, neginf=0.0)
    result = []
    for picture in (clean.clip(0, 1) * 255 + 0.5).astype(np.uint8):
        if picture.shape[0] != side:
            picture = cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC)
        result.append(np.asarray(picture, np.uint8))
    return result


def draw_text(lines: Sequence[str], width: int) -> Image:
    """Draw lines of text on black, `LINE` pixels each."""
    picture: Image = np.zeros((LINE * len(lines) + 4, width, 3), np.uint8)
    for index, line in enumerate(lines):
        write_text(picture, line, (4, LINE * (index + 1) - 3))
    return picture


def write_text(picture: Image, text: str, at: tuple[int, int], colour: tuple[int, int, int] = (220, 220, 220)) -> None:
    """Write ASCII text into a picture; other letters become '?'."""
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(picture, plain, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)
