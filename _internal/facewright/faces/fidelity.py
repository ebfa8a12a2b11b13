"""How near an image of a face comes to the original: what is wrong with it in all, at the eyes, at the mouth, and how
much of the fine detail is there.

The error is the structural dissimilarity (1 - SSIM) / 2 of the lightness in percent: 0 for the same image, 50 for
nothing in common. SSIM: Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE
TIP 2004. Detail is measured as by Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy: a comparative
study", ICPR 2000 (whose measure is its square).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.faces.align import Points
from facewright.faces.mask import eyes_mask, hull_mask, mouth_mask

SSIM_SIGMA, SSIM_K1, SSIM_K2 = 1.5, 0.01, 0.03  # of the paper
DETAIL_SIGMA = 1.0  # px: finer is noise of camera and codec
INSET = 0.05  # of the side: how far inside the hull detail is measured
GROWTH = 0.02  # of the side: how much of the skin around eyes and mouth counts with them

Grey = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class FaceParts:
    """Where the parts of an aligned face are, each (S, S).

    Attributes:
        face: The hull of the landmarks.
        inner: The face without its edge.
        eyes, mouth: With some skin around them.
    """

    face: Flags
    inner: Flags
    eyes: Flags
    mouth: Flags


@dataclass(frozen=True)
class Fidelity:
    """What is wrong with an image of a face; percent, not a number where a part is not in the image.

    Attributes:
        face, eyes, mouth: Structural dissimilarity, 0..100.
        detail: Fine detail over that of the original; 1 is as sharp.
    """

    face: float
    eyes: float
    mouth: float
    detail: float


def face_parts(landmarks: Points, side: int) -> FaceParts:
    """Return the parts of a face.

    Args:
        landmarks: (68, 2) in the image.
        side: Of the image, in pixels.
    """
    shape = (side, side)
    face = hull_mask(landmarks, shape) > 0.5
    inner = cv2.erode(face.astype(np.uint8), _disc(INSET * side), borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
    eyes, mouth = (
        cv2.dilate((mask(landmarks, shape) > 0.5).astype(np.uint8), _disc(GROWTH * side)) > 0
        for mask in (eyes_mask, mouth_mask)
    )
    return FaceParts(face, inner, eyes & face, mouth & face)


def fidelity(made: NDArray[np.float32], original: NDArray[np.float32], parts: FaceParts) -> Fidelity:
    """Hold an image of a face against the original.

    Args:
        made, original: (S, S, 3) float32 BGR in 0..1.
        parts: Of the original.
    """
    one, other = (grey(image) for image in (made, original))
    wrong = 50 * (1 - ssim_map(one, other))
    was = _spread(fine_detail(other), parts.inner)
    detail = _spread(fine_detail(one), parts.inner) / was if was else float("nan")
    return Fidelity(_mean(wrong, parts.face), _mean(wrong, parts.eyes), _mean(wrong, parts.mouth), detail)


def grey(image: NDArray[np.float32]) -> Grey:
    """Return the lightness of a (h, w, 3) float32 BGR image in 0..1: (h, w), 0..255."""
    return np.asarray(cv2.cvtColor(np.clip(image, 0, 1), cv2.COLOR_BGR2GRAY) * np.float32(255), np.float32)


def ssim_map(one: Grey, other: Grey) -> Grey:
    """Return the structural similarity around each pixel, (h, w), -1..1.

    Args:
        one, other: (h, w) float32, 0..255.
    """

    def mean(values: Grey) -> Grey:
        return np.asarray(cv2.GaussianBlur(values, (11, 11), SSIM_SIGMA, borderType=cv2.BORDER_REFLECT), np.float32)

    a, b = mean(one), mean(other)
    var_a, var_b, both = mean(one * one) - a * a, mean(other * other) - b * b, mean(one * other) - a * b
    c1, c2 = np.float32((SSIM_K1 * 255) ** 2), np.float32((SSIM_K2 * 255) ** 2)
    similar = ((2 * a * b + c1) * (2 * both + c2)) / ((a * a + b * b + c1) * (var_a + var_b + c2))
    return np.asarray(similar, np.float32)


def fine_detail(lightness: Grey) -> Grey:
    """Return the Laplacian of a (h, w) lightness after a Gaussian of 1 px, which leaves out noise."""
    return np.asarray(cv2.Laplacian(cv2.GaussianBlur(lightness, (0, 0), DETAIL_SIGMA), cv2.CV_32F), np.float32)


def _disc(radius: float) -> NDArray[np.uint8]:
    side = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def _mean(values: Grey, part: Flags) -> float:
    return float(values[part].mean()) if part.any() else float("nan")


def _spread(values: Grey, part: Flags) -> float:
    return float(values[part].std()) if part.any() else 0.0
