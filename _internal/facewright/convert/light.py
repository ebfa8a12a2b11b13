"""Light: the prediction keeps its features and takes the frame's light, contrast and grain.

A face is split by a wide Gaussian, inside the mask only, into shade (light and colour that change slowly over the
face) and detail (eyes, mouth, skin). The result is the shade of dst with the detail of the prediction, whose contrast
is led towards that of dst. Nothing is measured outside of the mask, so no colour of the background or of the hair
comes in at the edge. All sizes follow the size of the face.

Images are (h, w, 3) float32, BGR, 0..1; masks (h, w) float32, 0..1.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.faces.color import FEWEST_PIXELS, Picture
from facewright.faces.mask import Mask

INSIDE = 0.5  # mask values: what lies above is measured
SHADE_SIGMA = 0.14  # share of the root of the face's area: about a seventh of its width
SMALL_SIGMA = 4.0  # px: the shade is computed at a scale at which its Gaussian is no wider
# Not to the very ends: what the darkest and the lightest of the pixels are changes from frame to frame, and the
# sharpness with it, by chance.
QUANTILES = np.linspace(0.01, 0.99, 65)
MEASURED_PIXELS = 8192  # more say nothing new about a distribution
LEAST_CONTRAST = 1e-3  # of L: below it a prediction has no detail
CONTRAST_SHARE = 0.85  # of dst's contrast of detail; the rest is the prediction's own
GRAIN_SIGMA = 1.0  # px: what is finer is grain
GRAIN_REACH = 3.0  # standard deviations: what is stronger is a feature of the face, not grain
MAD_TO_DEVIATION = 1.4826  # of a normal distribution


def relight(over: Picture, under: Picture, mask: Mask) -> Picture:
    """Give a prediction the light of the frame.

    Args:
        over: The prediction in the frame.
        under: The frame.
        mask: Where the face is.

    Returns:
        As `over`; right where the mask is over 0.5, elsewhere not to be used. `over` itself where the face has fewer
        than 16 px.
    """
    inside = mask > INSIDE
    area = np.count_nonzero(inside)
    if area < FEWEST_PIXELS:
        return over
    sigma = SHADE_SIGMA * math.sqrt(area)
    weights = inside.astype(np.float32)
    predicted, frame = (np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2Lab), np.float32) for image in (over, under))
    frame_shade = shade(frame, weights, sigma)
    detail = predicted - shade(predicted, weights, sigma)
    detail[..., 0] = _with_contrast(detail[..., 0], (frame - frame_shade)[..., 0], inside)
    lit = np.asarray(cv2.cvtColor(frame_shade + detail, cv2.COLOR_Lab2BGR), np.float32)
    return np.clip(_with_grain(lit, under, inside), 0, 1)


def shade(image: Picture, weights: Mask, sigma: float) -> Picture:
    """Return the weighted Gaussian mean around each pixel: `G(image * weights) / G(weights)`.

    Args:
        image: (h, w, c) float32 of any range.
        weights: 0..1, how much a pixel counts.
        sigma: In pixels.

    Returns:
        As image; 0 where no weight is within reach.
    """
    height, width = weights.shape
    factor = max(sigma / SMALL_SIGMA, 1.0)
    small = (max(round(width / factor), 1), max(round(height / factor), 1))
    stacked = cv2.merge([*(channel * weights for channel in cv2.split(image)), weights])
    reduced = cv2.resize(stacked, small, interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(reduced, (0, 0), sigma / factor, borderType=cv2.BORDER_CONSTANT)
    mean = blurred[..., :-1] / np.maximum(blurred[..., -1:], np.float32(1e-6))
    return np.asarray(cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _with_contrast(detail: NDArray[np.float32], wanted: NDArray[np.float32], inside: NDArray[np.bool_]) -> Picture:
    """Lead the distribution of a detail (h, w) towards the wanted one; beyond the measured ends by the mean contrast.

    Of this frame alone: measured over the whole shot it would not follow dst where dst itself grows soft for a frame.
    """
    at, to = (np.quantile(_some(values, inside), QUANTILES) for values in (detail, wanted))
    span = to[-1] - to[0]
    beyond = (detail - np.clip(detail, at[0], at[-1])) * (span / max(at[-1] - at[0], LEAST_CONTRAST))
    matched = (np.interp(detail, at, to) + np.clip(beyond, -span, span)).astype(np.float32)
    return CONTRAST_SHARE * matched + (1 - CONTRAST_SHARE) * detail


def _some(values: Picture, inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the values (h, w) or (h, w, c) of evenly spread pixels inside."""
    places = np.flatnonzero(inside)[:: max(np.count_nonzero(inside) // MEASURED_PIXELS, 1)]
    return values.reshape(inside.size, -1)[places]


def _with_grain(face: Picture, frame: Picture, inside: NDArray[np.bool_]) -> Picture:
    """Add as much of the frame's own grain (noise, compression) as the face lacks.

    It is the frame's, pixel by pixel: it moves and clumps as beside the face.
    """
    fine = frame - np.asarray(cv2.GaussianBlur(frame, (0, 0), GRAIN_SIGMA), np.float32)
    own = face - np.asarray(cv2.GaussianBlur(face, (0, 0), GRAIN_SIGMA), np.float32)
    there, has = (_deviation(_some(residue, inside)) for residue in (fine, own))
    lack = math.sqrt(max(there**2 - has**2, 0.0)) / max(there, 1e-9)
    reach = GRAIN_REACH * there
    # What rises above the grain fades out: the outline of dst's lids and lips must not come through.
    size = np.abs(np.clip(fine, -2 * reach, 2 * reach, dtype=np.float32))
    return face + np.float32(lack) * np.copysign(np.minimum(size, np.float32(2 * reach) - size), fine)


def _deviation(values: NDArray[np.float32]) -> float:
    """Return a standard deviation that a few strong edges do not change."""
    return MAD_TO_DEVIATION * float(np.median(np.abs(values)))
