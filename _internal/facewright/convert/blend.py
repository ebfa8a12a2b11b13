"""Blending: colour matching, warping into the frame, mixing.

Images are (h, w, 3) float32, BGR, 0..1, unless a name says bytes (uint8); masks (h, w) float32, 0..1.
"""

import math
from enum import StrEnum
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.convert.light import INSIDE
from facewright.core.images import Image
from facewright.faces.align import Matrix, invert, transform_points
from facewright.faces.color import (
    FEWEST_PIXELS,
    Picture,
    apply_curves,
    grey,
    match_histogram,
    matching_curves,
)
from facewright.faces.mask import Mask

# A prediction whose pixels are smaller than the frame's by more than this factor is reduced before it is warped.
MAX_MINIFICATION = 1.25
# A region with so many times as many pixels as the prediction is warped from an enlarged one.
ENLARGED_FROM = 2.0
FINER = 4
LANCZOS_REACH = 5  # px of the aligned image: Lanczos-4 takes four neighbours on each side


class Mode(StrEnum):
    """How the face is blended; the first four in the order of the 2018 prompt, the raw ones as in DeepFaceLab 2.0."""

    HIST_MATCH = "hist-match"
    HIST_MATCH_BW = "hist-match-bw"
    SEAMLESS = "seamless"
    SEAMLESS_HIST_MATCH = "seamless-hist-match"
    OVERLAY = "overlay"
    LIGHT = "light"
    MULTIBAND = "multiband"
    RAW_RGB = "raw-rgb"
    RAW_PREDICT = "raw-predict"
    ORIGINAL = "original"

    @property
    def blends(self) -> bool:
        """Whether the face gets an edge and colours at all."""
        return self not in (Mode.RAW_RGB, Mode.RAW_PREDICT, Mode.ORIGINAL)

    @property
    def clones(self) -> bool:
        """Whether the gradients of the face are cloned into the frame."""
        return self in (Mode.SEAMLESS, Mode.SEAMLESS_HIST_MATCH)

    @property
    def matches_first(self) -> bool:
        """Whether the predicted face gets the colours of the frame's face before it is pasted."""
        return self in (Mode.HIST_MATCH, Mode.HIST_MATCH_BW)

    @property
    def matches(self) -> bool:
        """Whether histograms are matched, before or after."""
        return self.matches_first or self is Mode.SEAMLESS_HIST_MATCH

    @property
    def shows_colours(self) -> bool:
        """Whether the colours of the aligned prediction are those that are seen: light and clones take dst's."""
        return self.blends and not self.clones and self is not Mode.LIGHT

    @property
    def within(self) -> bool:
        """Whether the face ends just inside the cheek's outline, whatever the model."""
        return self in (Mode.LIGHT, Mode.MULTIBAND)


def recolour(image: Picture, face: Picture, measured: Mask, mode: Mode, threshold: int = 255) -> Picture:
    """Give the predicted face the colours of the face it replaces, where the mode says so.

    Args:
        image: (S, S, 3), the prediction.
        face: (S, S, 3), the frame's face.
        measured: (S, S), where both are measured (over 0.5).
        mode: Only hist-match and hist-match-bw change anything.
        threshold: 0..255, see `facewright.faces.color.matching_curve`.
    """
    if not mode.matches_first:
        return image
    source = grey(image) if mode is Mode.HIST_MATCH_BW else image
    return match_histogram(source, face, measured, measured, share=threshold / 255)


def average_moved(image: Picture, face: Picture, measured: Mask, percent: int) -> Picture:
    """Move the mean of each channel towards that of the face it replaces; arguments as `recolour`.

    Args:
        percent: 100 gives it dst's mean; 0 changes nothing.
    """
    inside = measured > INSIDE
    if percent == 0 or np.count_nonzero(inside) < FEWEST_PIXELS:
        return image
    shift = face[inside].mean(axis=0, dtype=np.float64) - image[inside].mean(axis=0, dtype=np.float64)
    return np.clip(image + np.float32(shift * percent / 100), 0, 1)


def visible_mask(matrix: Matrix, side: int, frame: tuple[int, int]) -> Mask:
    """Return where an aligned image shows the frame: 0 where it shows the black beyond the frame's border.

    Args:
        matrix: 2x3, frame -> aligned image.
        side: Side of the aligned image.
        frame: (h, w).
    """
    steps = np.arange(side, dtype=np.float64)
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    places = transform_points(grid, invert(matrix))
    inside = ((places >= 0) & (places <= (frame[1] - 1, frame[0] - 1))).all(axis=1)
    return inside.reshape(side, side).astype(np.float32)


def warp_back(image: Picture, matrix: Matrix, size: tuple[int, int], *, extend: bool = False) -> Picture:
    """Warp an aligned image into a region of the frame, with Lanczos-4.

    Args:
        image: (S, S) or (S, S, c).
        matrix: 2x3, region -> aligned image.
        size: (h, w) of the region.
        extend: Go on with the edge's pixels outside the square instead of 0, so that nothing dark bleeds in.
    """
    side = image.shape[0]
    zoom = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if zoom > MAX_MINIFICATION:
        small = max(round(side / zoom), 1)
        image = np.asarray(cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA), np.float32)
        # Pixel centres lie at halves: (x + 0.5) is what scales.
        share = small / side
        matrix = matrix * share
        matrix[:, 2] += (share - 1) / 2
    border = cv2.BORDER_REPLICATE if extend else cv2.BORDER_CONSTANT
    if math.prod(size) > ENLARGED_FROM * side * side:
        image, matrix = _enlarged(image, matrix, border)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    else:
        flags = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, matrix, size[::-1], flags=flags, borderMode=border), np.float32)


def _enlarged(image: Picture, matrix: Matrix, border: int) -> tuple[Picture, Matrix]:
    """Return an image `FINER` times as large by Lanczos-4, and its matrix.

    A straight line between its pixels is then as good as OpenCV's Lanczos warp, whose steps are 1/32 px, and ten
    times as fast: along rows and columns 16 pixels are weighed, not 64.
    """
    padded = cv2.copyMakeBorder(image, *(LANCZOS_REACH,) * 4, borderType=border)
    side = FINER * padded.shape[0]
    matrix = FINER * matrix
    matrix[:, 2] += FINER * LANCZOS_REACH + (FINER - 1) / 2  # pixel centres lie at halves
    return np.asarray(cv2.resize(padded, (side, side), interpolation=cv2.INTER_LANCZOS4), np.float32), matrix


def to_bytes(image: Picture) -> Image:
    """Round a 0..1 image to uint8."""
    return to_depth(image, np.dtype(np.uint8))


def to_depth(image: Picture, depth: np.dtype[Any]) -> Image:
    """Round a 0..1 image to the integers of a type: uint8 or uint16."""
    return np.rint(np.clip(image, 0, 1) * np.float32(np.iinfo(depth).max)).astype(depth)


def from_depth(image: NDArray[Any]) -> Picture:
    """Return an image of uint8 or uint16 as float32, 0..1."""
    return np.asarray(image, np.float32) / np.float32(np.iinfo(image.dtype).max)


def mix(under: Picture, over: Picture, mask: Mask) -> Picture:
    """Return under where the mask is 0, over where it is 1."""
    return under + (over - under) * cv2.merge((mask, mask, mask))  # numpy would go through triples


def rematch(blended: Picture, blended_face: Picture, face: Picture, measured: Mask, threshold: int = 255) -> Picture:
    """Give a blended region the colours that the face had before (the second half of seamless-hist-match).

    Args:
        blended: (h, w, 3), the region to change.
        blended_face: (S, S, 3), the blended face, cut out again.
        face: (S, S, 3), the frame's face before.
        measured: (S, S), where both faces are measured (over 0.5).
        threshold: As for `recolour`.
    """
    curves = matching_curves(blended_face, face, measured, measured, share=threshold / 255)
    return blended if curves is None else apply_curves(blended, curves)
