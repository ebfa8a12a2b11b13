"""Methods that look at the image: sharpness, brightness, hue, cut-off faces."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.options import option
from facewright.faces.align import invert, is_flat
from facewright.faces.mask import hull_mask
from facewright.facesets.distances import CityBlock, Similarity
from facewright.facesets.orders import chain, chain_of
from facewright.facesets.sort_base import FaceToSort, ascending, descending, sort_method

# Side of the Laplacian's aperture in pixels. The larger, the less it takes noise for detail.
SHARPNESS_APERTURE, MOTION_APERTURE = 7, 11
MIN_HULL_PIXELS = 64  # of a hull; below that it tells nothing and the whole image counts
HUE_STEP = 2 * np.pi / 180  # OpenCV's hue counts steps of 2 degrees: radians per step


def face_pixels(face: FaceToSort) -> NDArray[np.bool_]:
    """Return (h, w): the pixels of the face from brows to chin; all where its points lie outside the image."""
    mask = hull_mask(face.record.landmarks, face.image.shape[:2]) > 0.5
    return mask if np.count_nonzero(mask) >= MIN_HULL_PIXELS else np.ones_like(mask)


def _detail(face: FaceToSort, aperture: int) -> float:
    grey = cv2.cvtColor(face.image, cv2.COLOR_BGR2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F, ksize=aperture)[face_pixels(face)].var())


def face_detail(face: FaceToSort) -> float:
    """Variance of the Laplacian inside the face.

    Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy: a comparative study", ICPR 2000. The measure
    of DeepFaceLab's later versions, CPBD (Narvekar, Karam, IEEE TIP 2011), orders blurred copies of real faces far
    worse, and the 3 taps of 2018 take noise for detail: tests/benchmarks/sharpness.py compares them.
    """
    return _detail(face, SHARPNESS_APERTURE)


@sort_method("blur", "sharpest first: blurred faces gather at the end, to be deleted", descending)
def blur(face: FaceToSort) -> float:
    """Sharpness."""
    return face_detail(face)


@sort_method(
    "motion-blur", "as blur, with an eye for coarser smears: those of quick moves gather at the end", descending
)
def motion_blur(face: FaceToSort) -> float:
    """Variance of the Laplacian of 11 taps inside the face."""
    return _detail(face, MOTION_APERTURE)


@sort_method("brightness", "brightest first", descending)
def brightness(face: FaceToSort) -> float:
    """Mean of the largest channel (V of HSV) inside the face, 0..255; what is behind it says nothing of its light."""
    return float(face.image[face_pixels(face)].max(axis=1).mean())


@sort_method("hue", "by the colour of the light: from green and yellow over red to blue", descending)
def hue(face: FaceToSort) -> float:
    """Mean hue inside the face in degrees from red, -180..180.

    Hue is a circle with skin on both sides of its seam, where a plain mean lands anywhere: so the mean is that of
    directions, and grey pixels, whose hue is chance, count by their saturation.
    """
    colours = cv2.cvtColor(face.image, cv2.COLOR_BGR2HSV)[face_pixels(face)]
    angle, weight = colours[:, 0] * HUE_STEP, colours[:, 1].astype(np.float64)
    return float(np.degrees(np.arctan2((weight * np.sin(angle)).sum(), (weight * np.cos(angle)).sum())))


@sort_method("black", "whole faces first: those cut off by the frame's edge gather at the end", ascending)
def black(face: FaceToSort) -> float:
    """Share of the pixels that lie outside the frame, as far as the image tells: 0..1.

    What is beyond an edge is black along the whole of it. So all pixels count that lie, in the frame, to the left, to
    the right, above or below everything that is not black; a black hat or a night behind a face is not cut off.
    """
    lit = face.image.any(axis=2)
    if not lit.any():
        return 1.0
    matrix = face.record.matrix
    if is_flat(matrix):
        return float(1 - lit.mean())
    height, width = lit.shape
    rows, columns = np.mgrid[:height, :width]
    outside = np.zeros_like(lit)
    for across, down, _ in invert(matrix):  # x, then y in the frame; where it begins does not matter
        place = across * columns + down * rows
        inner = place[lit]
        outside |= (place < inner.min()) | (place > inner.max())
    return float(outside.mean())


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
def absdiff(face: FaceToSort) -> NDArray[np.uint8]:
    """(3072,): the image in 32 x 32 pixels of three colours."""
    return _shrunk(face.image, COLOUR_SIDE).ravel()


@sort_method("ssim", "like next to like by structure more than by light: poses and expressions", chain(Similarity))
def ssim(face: FaceToSort) -> NDArray[np.uint8]:
    """(16, 64): the image in 32 x 32 grey pixels, in windows of 8 x 8."""
    grey = _shrunk(np.asarray(cv2.cvtColor(face.image, cv2.COLOR_BGR2GRAY), np.uint8), GREY_SIDE)
    number = GREY_SIDE // WINDOW
    windows = grey.reshape(number, WINDOW, number, WINDOW).swapaxes(1, 2)
    return windows.reshape(number * number, WINDOW * WINDOW)


def _shrunk(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    method = cv2.INTER_AREA if min(image.shape[:2]) >= side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (side, side), interpolation=method), np.uint8)
