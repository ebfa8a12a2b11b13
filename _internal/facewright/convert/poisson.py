"""Poisson cloning (Perez et al., "Poisson Image Editing", 2003): gradients of one image, colours around of another.

What is added to the frame is 0 along the rim of a box, and its Laplacian is given. On a box the sine transform makes
the Laplacian diagonal (as in OpenCV's seamlessClone, whose results these are, but for its bytes), so the solution
takes one transform, a division and a transform back. The box is that of the region, a little larger where a side
has an awkward length: a prime takes the transform six times as long.

Images are (h, w, 3) float32, BGR, 0..1.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from facewright.convert.edge import MIN_REGION_PX, Region, region_of
from facewright.faces.color import Picture

RIM_PX = 3  # along the edge of the region the gradients stay the frame's, as OpenCV has it


def clone(source: Picture, under: Picture, inside: NDArray[np.bool_]) -> Picture:
    """Clone the gradients of `source` into `under`.

    Where the region touches the border of the image, both are continued by reflection: the frame's colours are
    then not forced upon the face along that border, and the region keeps its place.

    Args:
        source: What is cloned.
        under: The frame.
        inside: (h, w), the region to clone.

    Returns:
        As `under`; that itself where the region is under 4 px.
    """
    box = region_of(inside)
    if box is None or min(box.size) < MIN_REGION_PX:
        return under
    height, width = inside.shape
    pad = max(min(box.size) // 4, 8)
    edges = (box.top < 2, box.bottom > height - 2, box.left < 2, box.right > width - 2)
    top, bottom, left, right = (pad if touches else 0 for touches in edges)
    if any(edges):
        source, under, continued = (
            np.asarray(cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_REFLECT_101), np.float32)
            for image in (source, under, inside.astype(np.float32))
        )
        inside = continued > 0
    region = np.zeros(inside.shape, np.uint8)
    region[1:-1, 1:-1] = inside[1:-1, 1:-1]  # the outermost pixels hold colours that are forced upon the face
    box = _grown(region_of(region) or box, inside.shape)
    result = under.copy()
    place = np.asarray(box.crop(result))
    place[1:-1, 1:-1] += _added(np.asarray(box.crop(source)) - place, np.asarray(box.crop(region)))
    return np.clip(result[top : top + height, left : left + width], 0, 1)


def _grown(box: Region, limit: tuple[int, int]) -> Region:
    """Return the box with sides that the transform is fast for, where an image (h, w) has room for them."""
    rows, columns = (_side(*ends) for ends in ((box.top, box.bottom, limit[0]), (box.left, box.right, limit[1])))
    return Region(columns[0], rows[0], columns[1], rows[1])


def _side(first: int, last: int, limit: int) -> tuple[int, int]:
    length = fft.next_fast_len(last - first - 1) + 1
    if length > limit:
        return first, last
    start = min(max(first - (length - last + first) // 2, 0), limit - length)
    return start, start + length


def _added(difference: Picture, region: NDArray[np.uint8]) -> Picture:
    """Return what is added inside a box (h, w): (h - 2, w - 2, 3).

    Its gradients are those of `difference`, source less frame, in the region (less its rim), and 0 around.
    """
    core = cv2.erode(region, np.ones((2 * RIM_PX + 1,) * 2, np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    weights = core.astype(np.float32)[..., None]
    across = np.diff(difference, axis=1) * weights[:, :-1]
    down = np.diff(difference, axis=0) * weights[:-1]
    laplacian = np.diff(across[1:-1], axis=1) + np.diff(down[:, 1:-1], axis=0)
    rows, columns = (
        (2 * np.cos(np.pi * np.arange(1, n - 1) / (n - 1)) - 2).astype(np.float32) for n in difference.shape[:2]
    )
    spectrum = fft.dstn(laplacian, type=1, axes=(0, 1)) / (rows[:, None, None] + columns[:, None])
    return np.asarray(fft.idstn(spectrum, type=1, axes=(0, 1)), np.float32)
