"""Which pixels of a face a hand covers.

Two things tell. The 21 points of a hand are drawn as capsules (fingers) and a polygon (palm): right where the hand is
sharp, wrong or missing where it moves, which it does when it comes to a face. And the person's own face, as it looks
in other frames of the same clip: what differs there, near a hand, is the hand, blurred or not. What goes on from there
as skin that is lighter than the face is a hand too, which was not found: a fist in the other hand. All of it is the
seed of a segmentation by colour (Rother, Kolmogorov, Blake: "GrabCut", SIGGRAPH 2004), which finds the edge.

On 20 frames of three clips with masks drawn manually, IoU inside the hull: the networks' points alone 0.41, with the
difference 0.62; of 1,696 frames without a hand none gets a mask of 2 % of the hull. The limits below were chosen on
these clips: no others were kept aside.

Work images are (SIDE, SIDE): faces as `FaceType.FULL` shows them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image
from facewright.faces.align import Points
from facewright.faces.mask import Mask, hull_mask
from facewright.faces.record import INNER

Part = tuple[slice, slice]  # rows and columns of an image
SIDE = 128  # px
HAND_POINTS = 21
BONES = (
    *((0, 1), (1, 2), (2, 3), (3, 4), (0, 5), (5, 6), (6, 7), (7, 8), (9, 10), (10, 11), (11, 12)),
    *((13, 14), (14, 15), (15, 16), (0, 17), (17, 18), (18, 19), (19, 20), (5, 9), (9, 13), (13, 17)),
)
PALM = (0, 1, 5, 9, 13, 17)
FINGER_WIDTH = 0.3  # of the palm's
SHIFT = 4  # coordinates are handed to OpenCV in 1/16 px
CHANNEL_WEIGHTS = np.array([0.7, 1.5, 1.5], np.float32)  # of L, a, b: light changes more easily than colour
SHAKE_PX = 2  # by which landmarks may be off
# In the weighted Lab units of `difference`: a hand differs by 6 to 12, an uncovered face by 1 to 2.
WEAK, STRONG, CONFIRMED = 5.0, 8.0, 3.0  # of each pixel, of one at least; on average where a hand was seen
FAINT = 3.5  # of each pixel of what goes on from a hand
# Of L and a, more than the face has: what goes on from a hand is skin. Its shadow is darker, a wall less red.
LIGHTER, REDDER = 0.0, -4.0
FINGER_PX = 5  # half of a finger's width
LIGHT_STEP = 2  # px: light is measured at every second pixel
BLUR = 1.5  # px
UNSTEADY = 0.5  # how much of what the references differ among each other does not count
MIN_AREA_PX = 20
REACH_PX = 6  # so far around the hull a hand is looked for
CONTEXT_PX = 10  # so far around the seed colours are compared
UNSURE_IN_PX, UNSURE_OUT_PX = 3, 3  # the edge is looked for so far inside and outside of the seed


@dataclass(frozen=True)
class Reference:
    """An uncovered face of the same person.

    Attributes:
        lab: (SIDE, SIDE, 3) float32, from `to_lab`.
        landmarks: (68, 2), in it.
    """

    lab: NDArray[np.float32]
    landmarks: NDArray[np.float32]


def hand_shape(points: Points, size: tuple[int, int], finger_width: float = FINGER_WIDTH) -> Mask:
    """Draw a hand.

    Args:
        points: (21, 2) in pixels of the image, in MediaPipe's order: wrist, thumb, four fingers from their roots on.
        size: (h, w) of the image.
        finger_width: In widths of the palm.

    Returns:
        (h, w), 0..1.
    """
    points = np.clip(np.asarray(points, np.float64), -1e4, 1e4)
    fixed = np.rint(points * (1 << SHIFT)).astype(np.int32)
    width = max(1, round(finger_width * palm_width(points)))
    canvas = np.zeros(size, np.uint8)
    for start, end in BONES:
        cv2.line(canvas, tuple(fixed[start]), tuple(fixed[end]), 255, min(width, 255), cv2.LINE_AA, SHIFT)
    cv2.fillPoly(canvas, [fixed[list(PALM)]], 255, cv2.LINE_AA, SHIFT)
    return canvas.astype(np.float32) / np.float32(255)


def palm_width(points: Points) -> float:
    """Return the width of a palm in pixels; its length tells where it is seen from the side."""
    across, along = points[5] - points[17], points[0] - points[9]
    return float(max(np.linalg.norm(across), np.linalg.norm(along) / 2))


def to_lab(image: Image) -> NDArray[np.float32]:
    """Return a work image, (SIDE, SIDE, 3) uint8 BGR, as float Lab, slightly blurred against noise."""
    lab = cv2.cvtColor(image.astype(np.float32) / np.float32(255), cv2.COLOR_BGR2Lab)
    return np.asarray(cv2.GaussianBlur(lab, (0, 0), 1), np.float32)


def difference(
    lab: NDArray[np.float32], inside: NDArray[np.bool_], references: Sequence[Reference], part: Part
) -> tuple[Mask, NDArray[np.float32]]:
    """Return how much a part of a face differs from references that look like it, in weighted Lab units.

    Each reference first gets the face's light; what they differ among each other counts less.

    Args:
        lab: The face, (SIDE, SIDE, 3).
        inside: Its hull, by which the light is measured.
        references: At least one.
        part: Rows and columns.

    Returns:
        Of the part's size; and what it has more of L, a and b there, (h, w, 3).
    """
    coarse = inside[::LIGHT_STEP, ::LIGHT_STEP]
    apart = (lab - one.lab for one in references)
    lights = [np.median(one[::LIGHT_STEP, ::LIGHT_STEP][coarse], axis=0) for one in apart]
    lit = np.stack([one.lab[part] + light for one, light in zip(references, lights, strict=True)])
    usual = np.median(lit, axis=0)
    unsteady = np.median(np.linalg.norm((lit - usual) * CHANNEL_WEIGHTS, axis=3), axis=0).astype(np.float32)
    here = lab[part]
    least = np.full(here.shape[:2], np.inf, np.float32)
    around = cv2.copyMakeBorder(usual.astype(np.float32), *(SHAKE_PX,) * 4, cv2.BORDER_REPLICATE)
    height, width = here.shape[:2]
    for down in range(0, 2 * SHAKE_PX + 1, SHAKE_PX):
        for right in range(0, 2 * SHAKE_PX + 1, SHAKE_PX):
            step = (here - around[down : down + height, right : right + width]) * CHANNEL_WEIGHTS
            least = np.minimum(least, np.einsum("yxc,yxc->yx", step, step))
    differs = np.maximum(np.sqrt(least) - UNSTEADY * cv2.GaussianBlur(unsteady, (0, 0), BLUR), 0)
    more = cv2.GaussianBlur((here - usual).astype(np.float32), (0, 0), BLUR)
    return cv2.GaussianBlur(differs.astype(np.float32), (0, 0), BLUR), more


def most_like(landmarks: Points, references: Sequence[Reference], count: int) -> list[Reference]:
    """Return the references whose features lie most as those of a face, (68, 2) landmarks."""
    inner = _inner(landmarks)
    ordered = sorted(references, key=lambda one: float(np.abs(_inner(one.landmarks) - inner).sum()))
    return ordered[:count]


def _inner(landmarks: Points) -> NDArray[np.floating]:
    return landmarks[INNER:] - landmarks[INNER:].mean(0)


def around_hull(landmarks: Points) -> NDArray[np.bool_]:
    """Return where in a work image hands are looked for, (SIDE, SIDE): (68, 2) landmarks, their hull and around it."""
    hull = hull_mask(landmarks, (SIDE, SIDE)) > 0.5
    return np.asarray(cv2.dilate(hull.astype(np.uint8), _disc(REACH_PX)) > 0)


def hand_cover(
    image: Image, landmarks: Points, area: Mask, reach: Mask, shape: Mask, references: Sequence[Reference]
) -> NDArray[np.uint8]:
    """Return which pixels of a face hands cover.

    Args:
        image: (SIDE, SIDE, 3) uint8 BGR.
        landmarks: (68, 2), in it.
        area: (SIDE, SIDE), over 0.5 where a hand can be.
        reach: (SIDE, SIDE), over 0.5 where what goes on from a hand is a hand too: no network finds the fist that the
            other hand holds.
        shape: (SIDE, SIDE), 0..1: the hands that are surely seen, see `hand_shape`.
        references: Uncovered faces that look like this one; none where there are none.

    Returns:
        (SIDE, SIDE) uint8, 0 or 1.
    """
    hull = hull_mask(landmarks, (SIDE, SIDE)) > 0.5
    near = around_hull(landmarks)
    drawn = (shape > 0.5) & near
    allowed = near & (area > 0.5) | drawn
    seed = drawn.astype(np.uint8)
    if references and allowed.any() and hull.any():
        beyond = hull & (reach > 0.5)
        part = _part_around((allowed | beyond).astype(np.uint8), SHAKE_PX)
        differs, more = difference(to_lab(image), hull, references, part)
        if drawn.any() and differs[drawn[part]].mean() < CONFIRMED:
            seed[...] = 0  # the face itself was taken for a hand
        seed[part] |= _strong_parts(differs, allowed[part])
        skin = (more[..., 0] > LIGHTER) & (more[..., 1] > REDDER)
        seed[part] |= _going_on(seed[part], differs, beyond[part], skin)
    if np.count_nonzero(seed) < MIN_AREA_PX:
        return np.zeros_like(seed)
    closed = np.asarray(cv2.morphologyEx(seed, cv2.MORPH_CLOSE, _disc(2)), np.uint8)
    return _to_edges(image, _filled(closed))


def _part_around(mask: NDArray[np.uint8], margin: int) -> Part:
    """Return the rows and columns of what is not 0, and a margin in pixels."""
    left, top, width, height = cv2.boundingRect(mask)
    return (
        slice(max(0, top - margin), top + height + margin),
        slice(max(0, left - margin), left + width + margin),
    )


def _going_on(
    seed: NDArray[np.uint8], differs: Mask, allowed: NDArray[np.bool_], skin: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Return the connected parts of skin beside a seed that differ faintly everywhere and strongly somewhere.

    And what lies between them and the seed: the shaded side of a finger hardly differs from a cheek.
    """
    parts = _strong_parts(differs, allowed & skin, FAINT)
    labels = np.asarray(cv2.connectedComponents(parts)[1])
    beside = np.setdiff1d(labels[cv2.dilate(seed, _square(1)) > 0], 0)
    found = np.isin(labels, beside).astype(np.uint8)
    between = cv2.morphologyEx(seed | found, cv2.MORPH_CLOSE, _disc(FINGER_PX)) > 0
    near = cv2.dilate(found, _disc(FINGER_PX)) > 0
    return found | (between & near & allowed).astype(np.uint8)


def _strong_parts(differs: Mask, allowed: NDArray[np.bool_], weak: float = WEAK) -> NDArray[np.uint8]:
    """Return the connected parts that differ weakly everywhere and strongly somewhere."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(((differs > weak) & allowed).astype(np.uint8))
    highest = np.zeros(count, np.float32)
    np.maximum.at(highest, np.asarray(labels, np.intp).ravel(), differs.ravel())
    kept = (highest > STRONG) & (stats[:, cv2.CC_STAT_AREA] >= MIN_AREA_PX)
    kept[0] = False  # the background
    return kept[labels].astype(np.uint8)


def _filled(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(np.zeros_like(mask), outlines, -1, 1, cv2.FILLED), np.uint8)


def _to_edges(image: Image, seed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Move the outline of a mask to the edges of the image, by GrabCut around it."""
    made = np.zeros_like(seed)
    part = _part_around(seed, CONTEXT_PX)
    seed, colours = seed[part], np.ascontiguousarray(image[part])
    kinds = np.full(seed.shape, cv2.GC_BGD, np.uint8)
    kinds[cv2.dilate(seed, _square(UNSURE_OUT_PX)) > 0] = cv2.GC_PR_BGD
    kinds[seed > 0] = cv2.GC_PR_FGD
    kinds[cv2.erode(seed, _square(UNSURE_IN_PX)) > 0] = cv2.GC_FGD
    hand, face = np.zeros((1, 65)), np.zeros((1, 65))  # its models of the colours
    cv2.setRNGSeed(0)  # its clusters begin at random; the same face gets the same mask
    cv2.grabCut(colours, kinds, (0, 0, 1, 1), face, hand, 1, cv2.GC_INIT_WITH_MASK)
    made[part] = np.isin(kinds, (cv2.GC_FGD, cv2.GC_PR_FGD))
    return made


def _disc(radius: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8)


def _square(radius: int) -> NDArray[np.uint8]:
    return np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
