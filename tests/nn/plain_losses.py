"""The losses written out in numpy, float64: what those in keras.ops are held against."""

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def ssim(a, b, side=11):
    """Return SSIM of every window that lies inside, (b, h - side + 1, w - side + 1, c), as Wang et al. wrote it."""
    offsets = np.arange(side) - (side - 1) / 2
    line = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    p, q = (
        sliding_window_view(v.astype(np.float64), (side, side), (1, 2)) for v in (a, b)
    )  # (b, h', w', c, side, side)
    means = [(v * window).sum((-2, -1)) for v in (p, q)]
    p, q = (v - mean[..., None, None] for v, mean in zip((p, q), means, strict=True))
    of_p, of_q, both = ((v * window).sum((-2, -1)) for v in (p**2, q**2, p * q))
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * means[0] * means[1] + c1) / (means[0] ** 2 + means[1] ** 2 + c1)
    return luminance * (2 * both + c2) / (of_p + of_q + c2)


def dssim(a, b, side=11):
    """Return (1 - SSIM) / 2, averaged over all."""
    return (1 - ssim(a, b, side).mean()) / 2


def mae(a, b):
    """Return the mean absolute error."""
    return np.abs(a.astype(np.float64) - b).mean()


def mse(a, b):
    """Return the mean squared error."""
    return ((a.astype(np.float64) - b) ** 2).mean()


def blur(mask, sigma, side=0):
    """Blur (b, h, w, 1) with a Gaussian of that many pixels, of three sigma each way without; outside all is 0."""
    side = side or 2 * int(np.ceil(3 * sigma)) + 1
    blurred = [cv2.GaussianBlur(m, (side, side), sigma, borderType=cv2.BORDER_CONSTANT) for m in mask[..., 0]]
    return np.stack(blurred)[..., None]
