"""A picture as coloured half blocks: for a terminal that is far from any screen."""

import os
import shutil
import sys

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image

BLOCK = "\u2580"  # the upper half of a cell in the letter's colour, the lower in the background's
RESET = "\x1b[0m"
RICH = ("truecolor", "24bit")  # what COLORTERM says of terminals with all colours; the others have 256
LEVELS = (0, 95, 135, 175, 215, 255)  # of each colour in the cube of 6 x 6 x 6 that starts at number 16


def draw_in_terminal(picture: Image) -> str:
    """Return lines that draw a picture as wide as the terminal; "" where output is no terminal or lacks the letter.

    Args:
        picture: (h, w, 3) uint8 BGR.
    """
    if sys.stdout is None or not sys.stdout.isatty():
        return ""
    try:
        BLOCK.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ""
    rich = os.environ.get("COLORTERM", "").lower() in RICH
    return half_blocks(picture, shutil.get_terminal_size().columns - 1, rich=rich)


def half_blocks(picture: Image, columns: int, *, rich: bool) -> str:
    """Return the lines: one letter for two pixels, one above the other.

    Args:
        picture: (h, w, 3) uint8 BGR; shrunk to `columns` pixels where it is wider.
        columns: Letters per line at most, 1 or more.
        rich: Whether the terminal has all colours, and not 256 only.
    """
    height, width = picture.shape[:2]
    columns = max(1, min(columns, width))
    rows = max(1, round(height * columns / width / 2))
    small = np.asarray(cv2.resize(picture, (columns, 2 * rows), interpolation=cv2.INTER_AREA), np.uint8)
    colours = _rich(small) if rich else _numbered(small)
    lines = []
    for above, below in zip(colours[0::2], colours[1::2], strict=True):
        cells = [f"\x1b[38;{a};48;{b}m{BLOCK}" for a, b in zip(above, below, strict=True)]
        lines.append("".join(cells) + RESET)
    return "\n".join(lines)


def _rich(small: Image) -> list[list[str]]:
    return [[f"2;{red};{green};{blue}" for blue, green, red in row] for row in small.tolist()]


def _numbered(small: Image) -> list[list[str]]:
    """Take the nearest colour of the cube."""
    distance = np.abs(small[..., None].astype(np.int16) - np.array(LEVELS, np.int16))
    blue, green, red = np.moveaxis(distance.argmin(axis=-1), -1, 0)
    numbers: NDArray[np.int64] = 16 + 36 * red + 6 * green + blue
    return [[f"5;{number}" for number in row] for row in numbers.tolist()]
