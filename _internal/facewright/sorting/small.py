"""Methods that compare small copies of the pictures: pixel by pixel, or by structure."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.options import option
from facewright.sorting.base import Face, sort_method
from facewright.sorting.orders import chain, chain_of
from facewright.sorting.spaces import CityBlock, Similarity

COLOUR_SIDE = 32  # px of the copies for absdiff
GREY_SIDE, WINDOW = 32, 8  # px of the copies for ssim, and of its windows


@dataclass(frozen=True)
class Follow:
    """Options of absdiff."""

    follow: str = option(
        "nearest",
        "Which face comes next.",
        choices={
            "nearest": "the one most like the last: similar ones lie together",
            "farthest": "the one least like the last: as much variety as can be from the first file on",
        },
        ask="Which face comes next",
    )


def by_difference(measures: NDArray[Any], settings: Follow) -> list[int]:
    """Chain by the sum of absolute differences; measures are (n, d) uint8."""
    return chain_of(measures, CityBlock, farthest=settings.follow == "farthest")[0]


@sort_method("absdiff", "like next to like, pixel by pixel (or unlike next to unlike)", by_difference, options=Follow)
def absdiff(face: Face) -> NDArray[np.uint8]:
    """(3072,): the picture in 32 x 32 pixels of three colours."""
    return _shrunk(face.image, COLOUR_SIDE).ravel()


@sort_method("ssim", "like next to like by structure more than by light: poses and expressions", chain(Similarity))
def ssim(face: Face) -> NDArray[np.uint8]:
    """(16, 64): the picture in 32 x 32 grey pixels, in windows of 8 x 8."""
    grey = _shrunk(np.asarray(cv2.cvtColor(face.image, cv2.COLOR_BGR2GRAY), np.uint8), GREY_SIDE)
    number = GREY_SIDE // WINDOW
    windows = grey.reshape(number, WINDOW, number, WINDOW).swapaxes(1, 2)
    return windows.reshape(number * number, WINDOW * WINDOW)


def _shrunk(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    method = cv2.INTER_AREA if min(picture.shape[:2]) >= side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (side, side), interpolation=method), np.uint8)
