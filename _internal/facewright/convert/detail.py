"""Detail and size of the predicted face.

Images are (h, w, c) float32, 0..1, unless said otherwise.
"""

import cv2
import numpy as np

from facewright.faces.color import Picture

SHARPEN_SIGMA = 0.012  # share of the root of the face's area: the width of what is sharpened
MOST_SHARPENING = 2.0  # of the detail, at 100 %
WIDEST_BLUR = 0.03  # sigma at -100 %, share of the root of the face's area


def sharpened(image: Picture, percent: int, size: float) -> Picture:
    """Sharpen an image with an unsharp mask, or blur it with a Gaussian.

    Args:
        image: BGR.
        percent: 100 adds twice the detail again; -100 blurs by 3 % of the size; 0 changes nothing.
        size: Root of the face's area in pixels.
    """
    if percent == 0 or size <= 0:
        return image
    if percent < 0:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), max(WIDEST_BLUR * size * -percent / 100, 0.1)), np.float32)
    coarse = cv2.GaussianBlur(image, (0, 0), max(SHARPEN_SIGMA * size, 0.5))
    return np.clip(image + np.float32(MOST_SHARPENING * percent / 100) * (image - coarse), 0, 1)


def resized_inside(image: Picture, percent: int) -> Picture:
    """Make what a square image shows larger or smaller about its centre; the square stays.

    Args:
        image: (S, S, c), an image or a mask.
        percent: Growth; -50 shows it at half its size. 0 changes nothing.

    Returns:
        As image; what lies beyond its edge goes on with its outermost pixels.
    """
    if percent == 0:
        return image
    side, factor = image.shape[0], 1 + percent / 100
    middle = (side - 1) / 2
    matrix = np.array([[factor, 0, middle * (1 - factor)], [0, factor, middle * (1 - factor)]])
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    done = cv2.warpAffine(image, matrix, (side, side), flags=method, borderMode=cv2.BORDER_REPLICATE)
    return np.clip(done.reshape(image.shape), 0, 1).astype(np.float32)
