"""Colours of a training sample: those of another face, a random shift of hue, saturation and value, another light."""

from collections.abc import Mapping
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image
from facewright.faces.color import Picture
from facewright.faces.color_transfer import METHODS, ColorTransfer, LinearMethod, transfer_inside

# As DeepFaceLab calls them. It measured the whole image; here only the faces themselves are, because what lies behind
# a face says nothing of its light.
TRANSFERS: Mapping[str, ColorTransfer] = MappingProxyType(
    {
        "none": ColorTransfer.NONE,
        "rct": ColorTransfer.RCT,
        "lct": ColorTransfer.LCT,
        "mkl": ColorTransfer.MKL,
        "idt": ColorTransfer.IDT,
        "sot": ColorTransfer.SOT_M,
    }
)
# What each one is, for whom it is asked.
TRANSFER_CHOICES: Mapping[str, str] = MappingProxyType(
    {
        "none": "src keeps its own colours",
        "rct": "mean and spread of lightness and of two colour axes",
        "lct": "mean and covariance",
        "mkl": "the same by the smallest change",
        "idt": "the whole distribution; slow",
        "sot": "the whole distribution, smoothed; the slowest",
    }
)

# Those that move each colour by one linear map.
LINEAR_TRANSFERS: Mapping[str, LinearMethod] = MappingProxyType(
    {name: method for name, kind in TRANSFERS.items() if isinstance(method := METHODS.get(kind), LinearMethod)}
)

MAX_GAIN = 0.3  # natural logarithm of the strongest gain of all channels, and of one over the weakest
MAX_CAST = 0.1  # the same of the gains that each channel has besides


def as_fractions(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return an image or a mask in 0..1."""
    return np.asarray(image, np.float32) / np.float32(255)


def with_colours_of(
    name: str, image: Image, like: Image, mask: NDArray[np.uint8], like_mask: NDArray[np.uint8]
) -> Image:
    """Give a face the colours of another one.

    Args:
        name: One of `TRANSFERS`.
        image, like: (side, side, 3) uint8 BGR; the first one is changed, the second one has the colours.
        mask, like_mask: (side, side) uint8, over 127 where each is measured.

    Returns:
        (side, side, 3) uint8 BGR.
    """
    mine, theirs, inside, like_inside = map(as_fractions, (image, like, mask, like_mask))
    moved = transfer_inside(TRANSFERS[name], mine, theirs, inside, like_inside)
    return np.asarray(np.rint(moved * 255), np.uint8)


def shifted(image: Picture, power: float, shift: tuple[float, float, float]) -> Picture:
    """Shift hue, saturation and value of a whole image.

    Args:
        image: (h, w, 3) float32 BGR in 0..1.
        power: The widest shift is half of this: of the circle of hues, and of the range of the others.
        shift: Shares of that, each -1..1.
    """
    hue, saturation, value = (power / 2 * share for share in shift)
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    hsv[..., 0] = (hsv[..., 0] + 360 * hue) % 360
    hsv[..., 1:] = np.clip(hsv[..., 1:] + (saturation, value), 0, 1)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR), np.float32)


def lit(image: Picture, strength: float, light: tuple[float, float, float, float]) -> Picture:
    """Put a whole image into another light: a gain, and a cast of colour. What gets too bright is cut off.

    Args:
        image: (h, w, 3) float32 BGR in 0..1.
        strength: 1 for gains up to `MAX_GAIN` and casts up to `MAX_CAST`, 0 for none.
        light: Shares of that, each -1..1: the gain of all channels, then those of blue, green and red alone.
    """
    factors = np.exp(strength * light_exponents(light))
    return np.minimum(image * factors, np.float32(1))


def light_exponents(light: tuple[float, float, float, float]) -> NDArray[np.float32]:
    """Return the natural logarithms of what blue, green and red are multiplied by at a strength of 1; see `lit`."""
    gain, *casts = light
    return np.asarray(MAX_GAIN * gain + MAX_CAST * np.asarray(casts), np.float32)
