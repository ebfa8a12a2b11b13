"""Colour transfers: give an image the colours of another one, by the methods that users of DeepFaceLab know.

Images are (h, w, 3) float32, BGR, 0..1; masks (h, w), 0..1, measured where they are over 0.5. Each function returns an
image of the shape of its first one, 0..1, and changes all of it, also what was not measured.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.faces.color import FEWEST_PIXELS, Picture, matching_curve
from facewright.faces.mask import Mask

Pixels = NDArray[np.float64]  # (n, 3)

SEED = 20101  # of the rotations: the same image gives the same result
IDT_ROTATIONS = 20
SOT_STEPS, SOT_DIRECTIONS = 10, 30
MOST_SAMPLES = 4096  # pixels that a distribution is measured on
TINY = 1e-10
# Lab on the scale of an image, with all of its colours at one lightness.
LAB_SHIFT, LAB_SCALE, FIXED_LIGHTNESS = (0.0, 128.0, 128.0), 256.0, 70.0


class ColorTransfer(StrEnum):
    """How the predicted face gets the colours of the frame's face; those that end with -m measure inside the masks."""

    NONE = "none"
    RCT = "rct"
    LCT = "lct"
    MKL = "mkl"
    MKL_M = "mkl-m"
    IDT = "idt"
    IDT_M = "idt-m"
    SOT_M = "sot-m"
    MIX_M = "mix-m"


def transfer(kind: ColorTransfer, image: Picture, like: Picture, mask: Mask, like_mask: Mask) -> Picture:
    """Give an image the colours of another one.

    Args:
        kind: By which method.
        image: Is changed.
        like: Has the colours.
        mask: Where the image is measured by the methods that look inside a mask.
        like_mask: The same for the other one.

    Returns:
        The changed image; the image itself where a mask leaves fewer than 16 pixels.
    """
    if kind not in MASKED:
        mask, like_mask = np.ones_like(mask), np.ones_like(like_mask)
    return transfer_inside(kind, image, like, mask, like_mask)


def transfer_inside(kind: ColorTransfer, image: Picture, like: Picture, mask: Mask, like_mask: Mask) -> Picture:
    """Do as `transfer`, but measure inside the masks, whatever the method."""
    if kind is ColorTransfer.NONE:
        return image
    if not (is_measurable(mask) and is_measurable(like_mask)):
        return image
    done = METHODS[kind](image.astype(np.float32), like.astype(np.float32), mask, like_mask)
    return np.clip(done, 0, 1).astype(np.float32)


def is_measurable(mask: Mask) -> bool:
    """Whether a mask leaves enough of an image to measure its colours."""
    return int(np.count_nonzero(mask > 0.5)) >= FEWEST_PIXELS


@dataclass(frozen=True)
class Measured:
    """What a linear method knows of an image.

    Attributes:
        mean: (3,) of its colours.
        spread: (3, 3) symmetric: by how much they differ from that, and how they do so together.
    """

    mean: Pixels
    spread: Pixels


@dataclass(frozen=True)
class LinearMethod:
    """A method that moves each colour by one linear map.

    Attributes:
        lab: Whether it works in Lab, else in BGR.
        spread: Pixels (n, 3) -> what `Measured` keeps of them.
        step: Spread of the image, spread of the other one -> (3, 3), what the differences from the mean are multiplied
            by.
    """

    lab: bool
    spread: Callable[[Pixels], Pixels]
    step: Callable[[Pixels, Pixels], Pixels]

    def measure(self, image: Picture, mask: Mask) -> Measured:
        """Measure an image inside a mask."""
        pixels = _inside(_lab(image) if self.lab else image, mask)
        return Measured(pixels.mean(0), self.spread(pixels))

    def between(self, mine: Measured, theirs: Measured) -> Pixels:
        """Return the map of the one's colours to the other's: (3, 4), in front of a colour and a 1."""
        step = self.step(mine.spread, theirs.spread)
        return np.column_stack((step, theirs.mean - step @ mine.mean))

    def __call__(self, image: Picture, like: Picture, mask: Mask, like_mask: Mask) -> Picture:
        """Move the colours of an image."""
        change = self.between(self.measure(image, mask), self.measure(like, like_mask))
        moved = _pixels(_lab(image) if self.lab else image) @ change[:, :3].T + change[:, 3]
        done = np.asarray(moved.reshape(image.shape), np.float32)
        return _bgr(done) if self.lab else done


def iterative_distribution(image: Picture, like: Picture, mask: Mask, like_mask: Mask) -> Picture:
    """The whole distribution, by matching marginals along random axes again and again.

    Pitié, Kokaram, Dahyot, "N-dimensional probability density function transfer and its application to colour
    transfer", ICCV 2005.
    """
    random = np.random.default_rng(SEED)
    moved, theirs = _pixels(image), _samples(_inside(like, like_mask))
    chosen = (mask > 0.5).ravel()
    for _ in range(IDT_ROTATIONS):
        axes = np.linalg.qr(random.normal(size=(3, 3)))[0]
        turned, wanted = moved @ axes, theirs @ axes
        measured = _samples(turned[chosen])
        curves = [matching_curve(measured[:, c], wanted[:, c]) for c in range(3)]
        moved = np.stack([curve(turned[:, c]) for c, curve in enumerate(curves)], axis=1) @ axes.T
    return moved.reshape(image.shape).astype(np.float32)


def sliced_transport(image: Picture, like: Picture, mask: Mask, like_mask: Mask) -> Picture:
    """The whole distribution, by small steps along many directions; the change is then smoothed along the edges.

    Rabin, Peyré, Delon, Bernot, "Wasserstein barycenter and its application to texture mixing", SSVM 2011; the
    regularisation of the change after Rabin, Delon, Gousseau, "Regularization of transportation maps for color and
    contrast transfer", ICIP 2010.
    """
    random = np.random.default_rng(SEED)
    moved, theirs = _pixels(image), _samples(_inside(like, like_mask))
    chosen = (mask > 0.5).ravel()
    for _ in range(SOT_STEPS):
        directions = random.normal(size=(SOT_DIRECTIONS, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        measured = _samples(moved[chosen])
        advance = np.zeros_like(moved)
        for direction in directions:
            along = moved @ direction
            curve = matching_curve(measured @ direction, theirs @ direction)
            advance += (curve(along) - along)[:, None] * direction
        # Of 3 independent axes each gets its whole step; 30 directions together hold 10 such triples.
        moved = moved + advance * (3 / SOT_DIRECTIONS)
    change = moved.reshape(image.shape).astype(np.float32) - image
    return image + np.asarray(cv2.bilateralFilter(change, 5, 0.06, 16), np.float32)


def mixed(image: Picture, like: Picture, mask: Mask, like_mask: Mask) -> Picture:
    """Lightness by the linear map, the two colour channels by sliced transport at one fixed lightness."""
    light = _lab(LINEAR(image, like, mask, like_mask).clip(0, 1))[..., :1]
    colour, like_colour = (
        (np.dstack((np.full(one.shape[:2], FIXED_LIGHTNESS), _lab(one)[..., 1:])) + LAB_SHIFT) / LAB_SCALE
        for one in (image, like)
    )
    moved = sliced_transport(colour.astype(np.float32), like_colour.astype(np.float32), mask, like_mask)
    return _bgr(np.dstack((light, (moved * LAB_SCALE - np.array(LAB_SHIFT))[..., 1:])))


def _lab(image: Picture) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image, np.float32), cv2.COLOR_BGR2Lab))


def _bgr(lab: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(lab, np.float32), cv2.COLOR_Lab2BGR))


def _pixels(image: Picture) -> Pixels:
    return np.asarray(image, np.float64).reshape(-1, 3)


def _inside(image: Picture, mask: Mask) -> Pixels:
    return _pixels(image)[(mask > 0.5).ravel()]


def _samples(pixels: Pixels) -> Pixels:
    return pixels[:: max(len(pixels) // MOST_SAMPLES, 1)]


def _deviations(pixels: Pixels) -> Pixels:
    return np.diag(pixels.std(0))


def _covariance(pixels: Pixels) -> Pixels:
    # A little of every direction: a grey image has no inverse else.
    return np.cov(pixels, rowvar=False) + 1e-6 * np.eye(3)


def _covariance_root(pixels: Pixels) -> Pixels:
    return _root(_covariance(pixels))


def _root(matrix: Pixels) -> Pixels:
    """Return the symmetric square root of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)


def _deviations_changed(mine: Pixels, theirs: Pixels) -> Pixels:
    return theirs / np.maximum(np.diag(mine), TINY)


def _roots_changed(mine: Pixels, theirs: Pixels) -> Pixels:
    return np.asarray(theirs @ np.linalg.inv(mine))


def _moved_least(mine: Pixels, theirs: Pixels) -> Pixels:
    back = np.linalg.inv(mine)
    return np.asarray(back @ _root(mine @ theirs @ theirs @ mine) @ back)


# Mean and deviation of each channel in Lab.
# Reinhard, Ashikhmin, Gooch, Shirley, "Color transfer between images", IEEE CG&A 21, 2001.
REINHARD = LinearMethod(lab=True, spread=_deviations, step=_deviations_changed)
# Mean and covariance by the roots of both covariances: `sqrt(Ct) sqrt(Cs)^-1`.
# Hertzmann, "Algorithms for rendering in artistic styles", thesis, 2001, appendix B (PCA form).
LINEAR = LinearMethod(lab=False, spread=_covariance_root, step=_roots_changed)
# Mean and covariance by the linear map that moves the pixels least.
# Pitié, Kokaram, "The linear Monge-Kantorovitch linear colour mapping for example-based colour transfer", CVMP 2007.
MONGE_KANTOROVICH = LinearMethod(lab=False, spread=_covariance_root, step=_moved_least)

METHODS: Mapping[ColorTransfer, Callable[[Picture, Picture, Mask, Mask], NDArray[np.floating]]] = MappingProxyType(
    {
        ColorTransfer.RCT: REINHARD,
        ColorTransfer.LCT: LINEAR,
        ColorTransfer.MKL: MONGE_KANTOROVICH,
        ColorTransfer.MKL_M: MONGE_KANTOROVICH,
        ColorTransfer.IDT: iterative_distribution,
        ColorTransfer.IDT_M: iterative_distribution,
        ColorTransfer.SOT_M: sliced_transport,
        ColorTransfer.MIX_M: mixed,
    }
)
MASKED = frozenset(
    {ColorTransfer.RCT, ColorTransfer.MKL_M, ColorTransfer.IDT_M, ColorTransfer.SOT_M, ColorTransfer.MIX_M}
)
