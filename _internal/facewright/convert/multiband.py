"""Multiband blending: each band of detail is blended over a width of its own size.

Burt and Adelson, "A multiresolution spline with application to image mosaics", ACM Transactions on Graphics 1983.
Coarse bands (light and shade) meet over a wide zone, fine ones (pores, hair) over a narrow one, so that neither a step
nor a ghost shows.

Images are (h, w, 3) float32; masks (h, w) float32, 0..1.
"""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.faces.color import Picture
from facewright.faces.mask import Mask

COARSEST = 16  # pixels of the coarsest band over the face: fewer would let the frame's light flood it
MOST_LEVELS = 6


def band_count(length: float) -> int:
    """Return the number of bands below the coarsest, for a face of that length in pixels."""
    return min(max(round(math.log2(max(length, 1) / COARSEST)), 1), MOST_LEVELS)


def spline(under: Picture, over: Picture, mask: Mask, bands: int) -> Picture:
    """Blend two images band by band.

    Args:
        under: Seen where the mask is 0.
        over: Seen where it is 1.
        mask: Between, each band is mixed by the mask, blurred as far as the band is.
        bands: From `band_count`.

    Returns:
        As `over`, not clipped; around the mask's edge it differs from both.
    """
    differences, weights = [over - under], [mask]
    for _ in range(bands):
        differences.append(_picture(cv2.pyrDown(differences[-1])))
        weights.append(_picture(cv2.pyrDown(weights[-1])))
    mixed = differences[-1] * weights[-1][..., None]
    for finer, weight in zip(differences[-2::-1], weights[-2::-1], strict=True):
        size = weight.shape[1::-1]
        band = finer - cv2.pyrUp(differences.pop(), dstsize=size)
        mixed = _picture(cv2.pyrUp(mixed, dstsize=size)) + band * weight[..., None]
    return np.asarray(under + mixed, np.float32)


def _picture(image: NDArray[Any]) -> Picture:
    return np.asarray(image, np.float32)
