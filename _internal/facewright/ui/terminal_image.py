"""An image as coloured half blocks, for a terminal without a screen."""

import os
import shutil
import sys

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image

BLOCK = "\u2580"  # the upper half of a cell in the text's colour, the lower in the background's
RESET = "\x1b[0m"
TRUE_COLOR = ("truecolor", "24bit")  # what COLORTERM says of terminals with all colours; the others have 256
LEVELS = (0, 95, 135, 175, 215, 255)  # of each colour in the cube of 6 x 6 x 6 that starts at number 16


def draw_in_terminal(image: Image) -> str:
    """Return lines that draw an image as wide as the terminal; "" where output is no terminal or cannot show blocks.

    Args:
        image: (h, w, 3) uint8 BGR.
    """
    if sys.stdout is None or not sys.stdout.isatty():
        return ""
    try:
        BLOCK.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ""
    true_color = os.environ.get("COLORTERM", "").lower() in TRUE_COLOR
    return half_blocks(image, shutil.get_terminal_size().columns - 1, true_color=true_color)


def half_blocks(image: Image, columns: int, *, true_color: bool) -> str:
    """Return the lines: one character for two pixels, one above the other.

    Args:
        image: (h, w, 3) uint8 BGR; shrunk to `columns` pixels where it is wider.
        columns: Characters per line at most, 1 or more.
        true_color: Whether the terminal has all colours, and not 256 only.
    """
    height, width = image.shape[:2]
    columns = max(1, min(columns, width))
    rows = max(1, round(height * columns / width / 2))
    small = np.asarray(cv2.resize(image, (columns, 2 * rows), interpolation=cv2.INTER_AREA), np.uint8)
    colours = _in_true_color(small) if true_color else _in_256_colors(small)
    lines = []
    for above, below in zip(colours[0::2], colours[1::2], strict=True):
        cells = [f"\x1b[38;{a};48;{b}m{BLOCK}" for a, b in zip(above, below, strict=True)]
        lines.append("".join(cells) + RESET)
    return "\n".join(lines)


def _in_true_color(small: Image) -> list[list[str]]:
    return [[f"2;{red};{green};{blue}" for blue, green, red in row] for row in small.tolist()]


def _in_256_colors(small: Image) -> list[list[str]]:
    """Return the nearest colours of the terminal's cube of 6 x 6 x 6."""
    distance = np.abs(small[..., None].astype(np.int16) - np.array(LEVELS, np.int16))
    blue, green, red = np.moveaxis(distance.argmin(axis=-1), -1, 0)
    numbers: NDArray[np.int64] = 16 + 36 * red + 6 * green + blue
    return [[f"5;{number}" for number in row] for row in numbers.tolist()]
