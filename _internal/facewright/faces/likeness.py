"""Whether two images show the same, however they were graded, blurred, scaled or painted on."""

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image
from facewright.faces.align import Matrix, cut

# Measured on a clip: 0.92 and more where frames were graded, blurred, noisy or scaled (0.86 with faces of 25 px), 0.84
# and less half a second later, 0.47 and less a tenth of the face's size beside, below 0.4 in other videos.
ALIKE = 0.85
COMPARED_SIDE, BLOCKS = 64, 4  # px; blocks in a row
PLAIN = 2.0  # standard deviation of the grey values: a block below has nothing to correlate
SAME_GREY = 8.0  # by which plain images may differ


def shows(frame: Image, aligned: Image, matrix: Matrix | None) -> bool:
    """Whether a frame shows at a face's place what the face's aligned image shows.

    Args:
        frame: (h, w, 3) uint8 BGR.
        aligned: (side, side, 3) uint8 BGR.
        matrix: 2x3, frame -> aligned image; None where the aligned image is the whole frame.
    """
    return likeness_at(frame, aligned, matrix) >= ALIKE


def likeness_at(frame: Image, aligned: Image, matrix: Matrix | None) -> float:
    """Return how much a frame shows at a face's place what the face's aligned image shows, as `likeness` does."""
    return likeness(aligned, frame if matrix is None else np.asarray(cut(frame, matrix, aligned.shape[0]), np.uint8))


def alike(one: Image, other: Image) -> bool:
    """Whether two images show the same, see `likeness`."""
    return likeness(one, other) >= ALIKE


def is_plain(image: Image) -> bool:
    """Whether an image, (h, w, 3) uint8 BGR, shows nothing by which a place could be known again."""
    return not (_blocks(image).std(axis=1) > PLAIN).any()


def likeness(one: Image, other: Image) -> float:
    """Compare two images as small grey ones, in blocks: the median of the blocks' correlations, -1..1.

    Neither another brightness counts then, nor what was painted over less than half of the image. Images without
    anything to be seen are alike, 1, where they are of one grey; else they are not, 0.

    Args:
        one, other: (h, w, 3) uint8 BGR, of any sizes: the same place in two frames.
    """
    a, b = _blocks(one), _blocks(other)
    drawn = a.std(axis=1) > PLAIN
    if not drawn.any():
        return float(np.abs(a - b).mean() < SAME_GREY)
    a, b = (blocks[drawn] - blocks[drawn].mean(axis=1, keepdims=True) for blocks in (a, b))
    product = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    return float(np.median((a * b).sum(axis=1) / np.maximum(product, 1e-6)))


def _blocks(image: Image) -> NDArray[np.float32]:
    """Return the grey values of a small copy, (blocks, pixels)."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = np.asarray(cv2.resize(grey, (COMPARED_SIDE,) * 2, interpolation=cv2.INTER_AREA), np.float32)
    side = COMPARED_SIDE // BLOCKS
    return small.reshape(BLOCKS, side, BLOCKS, side).swapaxes(1, 2).reshape(BLOCKS * BLOCKS, -1)
