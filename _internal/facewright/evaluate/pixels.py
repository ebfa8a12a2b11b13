"""Measures on the pixels of one frame: what the border, the light, the sharpness and the rest of the image say.

Each compares the frame of the result with the same frame of dst, and names its ideal. Frames are (h, w, 3) uint8 BGR
of one size; only a `Region` around the face is looked at. Colour differences are dE: Euclidean in CIE Lab (CIE 1976);
1 is about what a trained eye sees.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.convert.light import shade
from facewright.core.images import Image
from facewright.faces.align import FaceType, Matrix, Points, align_matrix, cut, transform_points
from facewright.faces.fidelity import fine_detail, ssim_map
from facewright.faces.mask import Mask, eyes_mask, hull_mask

Lab = NDArray[np.float32]  # (h, w, 3), L 0..100
Flags = NDArray[np.bool_]

MARGIN = 0.35  # around the mask, in roots of its area
RING = 0.07  # width of a ring at the border, the same unit
SECTORS = 24  # parts of the border
SHADE_SIGMA = 0.14  # of the Gaussian that leaves light and shade, the same unit
INSET = 0.1  # how far inside the mask sharpness is measured, the same unit
EYE_GROWTH = 0.06  # around the lids, the same unit
BROW_GROWTH = 0.12  # around the line of the brows, the same unit
BROWS = (slice(17, 22), slice(22, 27))  # of the landmarks
ALIGNED_PX = 96  # side of the aligned face in which changes over time are seen
REACH = 0.3  # around the hull, where a conversion may change the frame, in roots of the hull's area
CHANGED = 0  # levels (of 255) that a pixel may differ and still count as untouched


@dataclass(frozen=True, eq=False)
class FaceRegion:
    """Where a face lies in its frame.

    Attributes:
        crop: Rows and columns of the frame.
        mask: (h, w) of the crop: what counts as the face.
        size: Root of the mask's area in pixels; 0 where the face lies outside of the frame.
        depth: (h, w) px: distance to the border, above 0 inside the mask, below 0 outside of it.
        eyes: (h, w): both eyes and a rim around them.
        points: (68, 2) landmarks in the crop.
    """

    crop: tuple[slice, slice]
    mask: Flags
    size: float
    depth: NDArray[np.float32]
    eyes: Flags
    points: NDArray[np.float64]


def face_region(landmarks: Points, shape: tuple[int, int], mask: Mask | None = None) -> FaceRegion:
    """Return the region of a face.

    Args:
        landmarks: (68, 2) in dst's frame.
        shape: (h, w) of the frame.
        mask: (h, w), over 0.5 where the face was replaced; None takes the hull of the landmarks.
    """
    points = np.asarray(landmarks, np.float64)
    whole = hull_mask(points, shape) if mask is None else mask
    ys, xs = np.nonzero(whole > 0.5)
    if not len(ys):
        nowhere = np.zeros((1, 1), bool)
        return FaceRegion(
            (slice(0, 1), slice(0, 1)), nowhere, 0.0, np.full((1, 1), -np.inf, np.float32), nowhere, points
        )
    size = float(np.sqrt(len(ys)))
    margin = int(np.ceil(MARGIN * size)) + 2
    top, left = max(int(ys.min()) - margin, 0), max(int(xs.min()) - margin, 0)
    crop = (slice(top, int(ys.max()) + margin + 1), slice(left, int(xs.max()) + margin + 1))
    inside = whole[crop] > 0.5
    moved = points - (left, top)
    eyes = _grown(eyes_mask(moved, inside.shape) > 0.5, EYE_GROWTH * size) & inside
    return FaceRegion(crop, inside, size, _depth(inside), eyes, moved)


def _depth(inside: Flags) -> NDArray[np.float32]:
    """Return the distance to the border, below 0 outside; the frame's own edge is no border."""
    here = inside.astype(np.uint8)
    within, beyond = (cv2.distanceTransform(flags, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for flags in (here, 1 - here))
    return np.asarray(np.where(inside, within, -beyond), np.float32)


def _grown(flags: Flags, by: float) -> Flags:
    away = cv2.distanceTransform((~flags).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(away <= by) if flags.any() else flags


def lab_of(frame: Image, region: FaceRegion) -> Lab:
    """Return the crop of a frame in Lab, (h, w, 3) float32, L 0..100."""
    crop = frame[region.crop].astype(np.float32) / np.float32(255)
    return np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2Lab), np.float32)


def border_step(result: Lab, dst: Lab, region: FaceRegion) -> float:
    """Return how much more the colour changes across the mask's border than in dst, dE; ideal 0.

    The border is cut into 24 sectors around the middle of the mask; each has a ring of 7 % of the face's size
    inside and one outside. Mean over the sectors of the distance between result and dst, of the difference of
    their mean colours. The brows, through which the hull of the landmarks runs, are left out: src's are a feature,
    not a seam. Ours; NaN where the face does not lie in the frame.

    Args:
        result, dst: See `lab_of`.
        region: Of the face.
    """
    apart = np.linalg.norm(_steps(result, region) - _steps(dst, region), axis=1)
    return float(apart.mean()) if len(apart) else float("nan")


def _steps(lab: Lab, region: FaceRegion) -> NDArray[np.float64]:
    """Return inner less outer mean colour for each sector that has both, (k, 3)."""
    width = max(RING * region.size, 1.5)
    near = (np.abs(region.depth) <= width) & ~_brows(region)
    inner, outer = near & region.mask, near & ~region.mask
    rows, columns = (np.asarray(index, np.float64) for index in np.indices(region.mask.shape))
    middle = (rows[region.mask].mean(), columns[region.mask].mean()) if region.mask.any() else (0.0, 0.0)
    angles = np.arctan2(rows - middle[0], columns - middle[1])
    sectors = ((angles / (2 * np.pi) + 0.5) * SECTORS).astype(int) % SECTORS
    one, other = (_sector_means(lab, sectors, ring) for ring in (inner, outer))
    steps = one - other
    return steps[np.isfinite(steps).all(1)]


def _brows(region: FaceRegion) -> Flags:
    """Return where the brows are, as dst has them and as another person may have them, (h, w) of the crop."""
    lines = np.zeros(region.mask.shape, np.uint8)
    for brow in BROWS:
        cv2.polylines(lines, [np.round(region.points[brow]).astype(np.int32)], False, 1)
    return _grown(lines > 0, BROW_GROWTH * region.size)


def _sector_means(lab: Lab, sectors: NDArray[np.int_], ring: Flags) -> NDArray[np.float64]:
    which, colours = sectors[ring], lab[ring].astype(np.float64)
    counts = np.bincount(which, minlength=SECTORS)
    sums = np.stack([np.bincount(which, colours[:, c], SECTORS) for c in range(3)], axis=1)
    return np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], np.nan)


def shade_difference(result: Lab, dst: Lab, region: FaceRegion) -> float:
    """Return how far light and colour of the face are from dst's, dE; ideal 0.

    Low frequencies only (a Gaussian of 14 % of the face's size, inside the mask), so that another nose does not count.
    Ours.

    Args:
        result, dst, region: As in `border_step`.
    """
    if not region.mask.any():
        return float("nan")
    weights, sigma = region.mask.astype(np.float32), SHADE_SIGMA * region.size
    apart = np.linalg.norm(shade(result, weights, sigma) - shade(dst, weights, sigma), axis=2)
    return float(apart[region.mask].mean())


def colour_difference(result: Lab, dst: Lab, region: FaceRegion) -> float:
    """Return the mean distance of the colours inside the mask, pixel by pixel, dE; ideal 0.

    Args:
        result, dst, region: As in `border_step`.
    """
    if not region.mask.any():
        return float("nan")
    return float(np.linalg.norm(result - dst, axis=2)[region.mask].mean())


@dataclass(frozen=True)
class Detail:
    """How much fine detail there is, in levels of L; the ratio of result and dst has the ideal 1.

    Attributes:
        face: Inside the mask, away from its border.
        eyes: Around the eyes.
    """

    face: float
    eyes: float


def detail(lab: Lab, region: FaceRegion) -> Detail:
    """Return the standard deviation of the Laplacian of the lightness, after a Gaussian of 1 px that leaves out noise.

    Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy: a comparative study", ICPR 2000 (whose measure
    is its square).

    Args:
        lab: See `lab_of`.
        region: Of the face.
    """
    if not region.mask.any():
        return Detail(float("nan"), float("nan"))
    edges = fine_detail(lab[..., 0])
    inside = region.depth > INSET * region.size
    face, eyes = (float(edges[part].std()) if part.any() else float("nan") for part in (inside, region.eyes))
    return Detail(face, eyes)


@dataclass(frozen=True, eq=False)
class Still:
    """A face without its motion: aligned by dst's landmarks, small.

    Attributes:
        dst, result: (96, 96, 3) Lab.
        mask: (96, 96).
    """

    dst: Lab
    result: Lab
    mask: Flags


def still(dst: Image, result: Image, landmarks: Points) -> Still:
    """Cut the face out of both frames at dst's landmarks, for `flicker`.

    Args:
        dst, result: The frames.
        landmarks: (68, 2) in dst.
    """
    matrix = align_matrix(landmarks, FaceType.HALF, ALIGNED_PX)
    mask = hull_mask(transform_points(landmarks, matrix), (ALIGNED_PX, ALIGNED_PX)) > 0.5
    return Still(_aligned_lab(dst, matrix), _aligned_lab(result, matrix), mask)


def _aligned_lab(frame: Image, matrix: Matrix) -> Lab:
    small = np.asarray(cut(frame, matrix, ALIGNED_PX), np.float32) / np.float32(255)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2Lab), np.float32)


def flicker(before: Still, now: Still) -> tuple[float, float]:
    """Return how much the face changes from a frame to the next one, (result, dst), dE each; their ratio's ideal is 1.

    The warping error of Lai et al., "Learning blind video temporal consistency", ECCV 2018, inside the mask: the frame
    before is carried onto this one along dst's motion (the alignment, then the optical flow of dst: Kroeger et al.,
    "Fast optical flow using dense inverse search", ECCV 2016) in dst and in the result alike.

    Args:
        before: The frame before.
        now: This one.
    """
    # Smoothed, so that the flow follows the face and not its noise.
    one, other = (np.clip(cv2.GaussianBlur(s.dst[..., 0], (0, 0), 1) * 2.55, 0, 255) for s in (now, before))
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = search.calc(one.astype(np.uint8), other.astype(np.uint8), np.zeros((ALIGNED_PX, ALIGNED_PX, 2), np.float32))
    ys, xs = np.indices(now.mask.shape, np.float32)
    seen = now.mask & before.mask
    if not seen.any():
        return float("nan"), float("nan")

    def change(past: Lab, here: Lab) -> float:
        carried = cv2.remap(
            past, xs + flow[..., 0], ys + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return float(np.linalg.norm(carried - here, axis=2)[seen].mean())

    return change(before.result, now.result), change(before.dst, now.dst)


@dataclass(frozen=True)
class Outside:
    """What was done to the frame where nothing should be done.

    Attributes:
        changed: Share of its pixels that differ at all, 0..1; ideal 0 (a coder changes nearly all of them a little).
        squared_error: Mean squared difference in levels of 255, all channels; ideal 0. See `psnr`.
        ssim: Structural similarity of the lightness, mean over these pixels; ideal 1.
    """

    changed: float
    squared_error: float
    ssim: float


def outside(result: Image, dst: Image, faces: list[FaceRegion]) -> Outside:
    """Compare two frames away from all faces: farther from a mask than 30 % of the root of its area.

    SSIM: Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE Transactions
    on Image Processing 13, 2004, with its window and constants.

    Args:
        result, dst: (h, w, 3).
        faces: All that may have been replaced.
    """
    free = np.ones(dst.shape[:2], bool)
    for region in faces:
        free[region.crop] &= -region.depth > REACH * region.size
    if not free.any():
        return Outside(float("nan"), float("nan"), float("nan"))
    apart = cv2.absdiff(result, dst)
    differs = apart.max(axis=2)[free] > CHANGED
    if not differs.any():
        return Outside(0.0, 0.0, 1.0)
    error = float((apart[free].astype(np.float32) ** 2).mean())
    grey = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY).astype(np.float32) for frame in (result, dst)]
    return Outside(float(differs.mean()), error, float(ssim_map(*grey)[free].mean()))


def inner_ssim(result: Image, dst: Image, region: FaceRegion) -> float:
    """Return the structural similarity of the lightness inside the mask; ideal 1. See `outside`.

    Args:
        result, dst: (h, w, 3).
        region: Of the face.
    """
    if not region.mask.any():
        return float("nan")
    one, other = (cv2.cvtColor(f[region.crop], cv2.COLOR_BGR2GRAY).astype(np.float32) for f in (result, dst))
    return float(ssim_map(one, other)[region.mask].mean())


def psnr(squared_error: float) -> float:
    """Return the peak signal-to-noise ratio of a mean squared error in levels of 255, dB; infinite for 0."""
    return float("inf") if squared_error == 0 else float(10 * np.log10(255**2 / squared_error))
