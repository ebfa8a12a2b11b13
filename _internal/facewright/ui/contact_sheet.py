"""A contact sheet: many images on one, each with its name."""

from collections.abc import Sequence

import cv2
import numpy as np

from facewright.core.images import Image
from facewright.ui.text import draw_text, text_width

CAPTION = 24  # px under each image
GAP = 4
GROUND = 32  # grey value of the background
SCALE = 0.45  # of the labels, in OpenCV's unit


def contact_sheet(images: Sequence[tuple[str, Image]], columns: int, cell_width: int) -> Image:
    """Lay images out in rows, each with its label below.

    Args:
        images: (label, (h, w, 3) uint8 BGR) in reading order; sizes may differ. Of long labels the end is shown.
        columns: Images per row.
        cell_width: Width of an image in pixels; its height follows the first image's shape.

    Returns:
        (h, w, 3) uint8 BGR.

    Raises:
        ValueError: No images.
    """
    if not images:
        raise ValueError("a contact sheet needs images")
    height, width = images[0][1].shape[:2]
    cell_height = min(max(round(cell_width * height / width), 1), 4 * cell_width)
    rows = -(-len(images) // columns)
    step_y, step_x = cell_height + CAPTION + GAP, cell_width + GAP
    sheet = np.full((rows * step_y + GAP, columns * step_x + GAP, 3), GROUND, np.uint8)
    for index, (label, image) in enumerate(images):
        top, left = GAP + index // columns * step_y, GAP + index % columns * step_x
        sheet[top : top + cell_height, left : left + cell_width] = fit(image, (cell_height, cell_width))
        draw_text(sheet, _shortened(label, cell_width - 2), left + 2, top + cell_height + CAPTION - 8, scale=SCALE)
    return sheet


def _shortened(text: str, width: int) -> str:
    """Return as much of a label's end as fits into so many pixels, behind two dots: names differ at their ends."""
    for start in range(len(text) + 1):
        shown = text if start == 0 else f"..{text[start:]}"
        if text_width(shown, SCALE) <= width:
            return shown
    return ""


def fit(image: Image, size: tuple[int, int]) -> Image:
    """Scale an image into (h, w) with its proportions kept, the rest filled with the background's grey.

    Args:
        image: (h, w, 3) uint8.
        size: (h, w) of the result.
    """
    scale = min(size[0] / image.shape[0], size[1] / image.shape[1])
    height = min(max(round(image.shape[0] * scale), 1), size[0])
    width = min(max(round(image.shape[1] * scale), 1), size[1])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    cell = np.full((*size, 3), GROUND, np.uint8)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    cell[top : top + height, left : left + width] = cv2.resize(image, (width, height), interpolation=method)
    return cell


def evenly(count: int, wanted: int) -> list[int]:
    """Return up to `wanted` indices spread evenly over range(count), the middle of each share."""
    wanted = min(count, wanted)
    return [int((index + 0.5) * count / wanted) for index in range(wanted)]
