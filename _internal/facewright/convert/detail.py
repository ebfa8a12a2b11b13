"""Detail of the new face in its frame: sharpness, movement, noise, resolution, colours; and its size and place.

Images are (h, w, c) float32, 0..1, unless said otherwise.
"""

import math
from enum import StrEnum

import cv2
import numpy as np

from facewright.convert.palette import in_few_colours
from facewright.faces.color import Picture

SHARPEN_SIGMA = 0.012  # share of the root of the face's area: the width of what is sharpened
MOST_SHARPENING = 2.0  # of the detail, at 100 %
WIDEST_BLUR = 0.03  # sigma at -100 %, share of the root of the face's area
BOX_OF_SIGMA = math.sqrt(12)  # a box so many sigmas wide has the Gaussian's variance
LEAST_EDGE = 0.02  # of an edge-keeping sharpening: what differs less from its surroundings is grain
MEDIAN_PX = 5
LONGEST_MOTION = 50.0  # px
SPLATS_PER_PX = 4


class SharpenKind(StrEnum):
    """What a face is sharpened against, or blurred with."""

    GAUSSIAN = "gaussian"
    BOX = "box"
    UNSHARP = "unsharp"


def sharpened(image: Picture, percent: int, size: float, kind: SharpenKind = SharpenKind.GAUSSIAN) -> Picture:
    """Sharpen an image by what differs from its blurred self, or blur it.

    Args:
        image: BGR.
        percent: 100 adds twice the detail again; -100 blurs by 3 % of the size; 0 changes nothing.
        size: Root of the face's area in pixels.
        kind: A Gaussian, a box as wide, or `UNSHARP`: a Gaussian that leaves differences under 2 %, and in the other
            direction medians over 5 px, which keep edges.
    """
    if percent == 0 or size <= 0:
        return image
    if percent < 0:
        if kind is SharpenKind.UNSHARP:
            return median_blurred(image, -percent / 100 * WIDEST_BLUR * size)
        return _blurred(image, max(WIDEST_BLUR * size * -percent / 100, 0.1), kind)
    difference = image - _blurred(image, max(SHARPEN_SIGMA * size, 0.5), kind)
    if kind is SharpenKind.UNSHARP:
        difference = np.sign(difference) * np.maximum(np.abs(difference) - np.float32(LEAST_EDGE), 0)
    return np.clip(image + np.float32(MOST_SHARPENING * percent / 100) * difference, 0, 1)


def _blurred(image: Picture, sigma: float, kind: SharpenKind) -> Picture:
    if kind is SharpenKind.BOX:
        side = round(sigma * BOX_OF_SIGMA) | 1
        return np.asarray(cv2.blur(image, (side, side)), np.float32)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)


def median_blurred(image: Picture, passes: float) -> Picture:
    """Take the median of 5 x 5 px, so many times; the last part of a pass is mixed in."""
    for number in range(math.ceil(passes)):
        done = np.asarray(cv2.medianBlur(image, MEDIAN_PX), np.float32)
        image = image + (done - image) * np.float32(min(passes - number, 1.0))
    return image


def motion_blurred(image: Picture, motion: tuple[float, float]) -> Picture:
    """Blur along a line.

    Args:
        image: Any number of channels.
        motion: (x, y) from one end of the line to the other, in pixels; 50 px at most, under half a pixel nothing.
    """
    length = math.hypot(*motion)
    if length < 0.5:
        return image
    x, y = (part * min(1.0, LONGEST_MOTION / length) for part in motion)
    return np.asarray(cv2.filter2D(image, -1, line_kernel(x, y), borderType=cv2.BORDER_REPLICATE), np.float32)


def line_kernel(x: float, y: float) -> Picture:
    """Return the kernel (k, k), k odd, of a line through its middle; its sum is 1.

    Points along the line are shared out to the four pixels around each, so that any direction and length is met.
    """
    reach = math.ceil(max(abs(x), abs(y)) / 2)
    steps = np.linspace(-0.5, 0.5, SPLATS_PER_PX * math.ceil(math.hypot(x, y)) + 1)
    kernel = np.zeros((2 * reach + 3, 2 * reach + 3))
    across, down = steps * x + reach + 1, steps * y + reach + 1
    left, top = np.floor(across).astype(int), np.floor(down).astype(int)
    for right, below in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = np.abs(1 - right - (across - left)) * np.abs(1 - below - (down - top))
        np.add.at(kernel, (top + below, left + right), share)
    return np.asarray(kernel / kernel.sum(), np.float32)


def coarser(image: Picture, percent: int) -> Picture:
    """Make an image smaller and as large again (bicubic), so that it is as soft as one that was enlarged.

    Args:
        image: BGR.
        percent: 50 takes half of its resolution away, 100 all but a hundredth; 0 changes nothing.
    """
    if percent == 0:
        return image
    height, width = image.shape[:2]
    share = 1 - percent / 101
    small = (max(int(width * share), 1), max(int(height * share), 1))
    reduced = cv2.resize(image, small, interpolation=cv2.INTER_CUBIC)
    return np.clip(cv2.resize(reduced, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1).astype(np.float32)


def less_enlarged(image: Picture, own_side: int, percent: int) -> Picture:
    """Take back a part of what a network has added that enlarged an image.

    Args:
        image: (S, S, 3).
        own_side: Side of the image before; 0: it was not enlarged.
        percent: How much stays; 0 leaves what a plain enlargement gives.
    """
    if percent == 100 or not own_side:
        return image
    reduced = cv2.resize(image, (own_side, own_side), interpolation=cv2.INTER_AREA)
    plain = np.asarray(cv2.resize(reduced, image.shape[1::-1], interpolation=cv2.INTER_CUBIC), np.float32)
    return plain + (image - plain) * np.float32(percent / 100)


def fewer_colours(image: Picture, percent: int) -> Picture:
    """Mix an image with itself in 256 colours of its own.

    Args:
        image: BGR.
        percent: How much of the 256 colours is seen.
    """
    if percent == 0:
        return image
    return image + (in_few_colours(image) - image) * np.float32(percent / 100)


def moved_inside(image: Picture, percent: int, shift: tuple[int, int] = (0, 0)) -> Picture:
    """Make what a square image shows larger or smaller about its centre, and move it; the square stays.

    Args:
        image: (S, S, c), an image or a mask.
        percent: Growth; -50 shows it at half its size. 0 changes nothing.
        shift: To the right and down, in percent of S.

    Returns:
        As image; what lies beyond its edge goes on with its outermost pixels.
    """
    if percent == 0 and shift == (0, 0):
        return image
    side, factor = image.shape[0], 1 + percent / 100
    middle = (side - 1) / 2
    place = [middle * (1 - factor) + side * part / 100 for part in shift]
    matrix = np.array([[factor, 0, place[0]], [0, factor, place[1]]])
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    done = cv2.warpAffine(image, matrix, (side, side), flags=method, borderMode=cv2.BORDER_REPLICATE)
    return np.clip(done.reshape(image.shape), 0, 1).astype(np.float32)
