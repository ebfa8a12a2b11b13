"""One frame: cut its faces, predict, blend the predictions in. Pure: arrays in, arrays out.

The order of operations is that of DeepFaceLab 2018. All work is done on the face's own region of the frame; what lies
outside it is never touched. What differs, and why:

* every face is cut from the untouched frame, so that a network never sees half of an earlier result;
  the results are laid over each other, larger faces first
* the pasted face goes on beyond its square by repeating its edge, so that no dark border bleeds in
* kernels are odd, results are rounded (not cut off) to 8 bits
* a face nearer than 1384 px keeps the widest erosion instead of going back to none
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.convert import detail, edge
from facewright.convert.blend import (
    LANCZOS_REACH,
    Mode,
    average_moved,
    from_depth,
    mix,
    recolour,
    rematch,
    to_bytes,
    to_depth,
    visible_mask,
    warp_back,
)
from facewright.convert.edge import Region
from facewright.convert.light import relight
from facewright.convert.masks import DstFace, LearnedMask, allowed_mask, combined, cover_of, kept_mask
from facewright.convert.motion import in_pixels
from facewright.convert.multiband import band_count, spline
from facewright.convert.parameters import Parameters
from facewright.convert.poisson import clone
from facewright.core.errors import UserError
from facewright.core.images import Image
from facewright.faces.align import Matrix, Points, cut, invert, transform_points
from facewright.faces.color import Picture
from facewright.faces.color_transfer import ColorTransfer, transfer
from facewright.faces.dfl_crop import FaceKind, face_matrix
from facewright.faces.mask import Mask

MIN_MASK = 0.001  # a predicted mask below it is 0
ROOM_PX = 8  # around a region that is cloned, for a box of a length that suits the transform
# How colours are moved, see `facewright.faces.color_transfer.transfer`, which is one.
Transfer = Callable[[ColorTransfer, Picture, Picture, Mask, Mask], Picture]


@dataclass(frozen=True)
class Prediction:
    """What a model makes of n aligned faces.

    Attributes:
        image: (n, S, S, 3) float32 BGR, 0..1; a model of portraits may give another side.
        mask: (n, S, S, 1) float32, 0..1: where src's decoder sees the face that it draws.
        dst_mask: (n, S, S, 1) float32, 0..1: where dst's decoder sees dst's own; None where nobody asked for it and
            where a model has none.
    """

    image: NDArray[np.float32]
    mask: NDArray[np.float32]
    dst_mask: NDArray[np.float32] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in (self.image, self.mask, self.dst_mask) if array is not None)

    def __getitem__(self, rows: slice) -> "Prediction":
        """Return some of the faces."""
        return Prediction(self.image[rows], self.mask[rows], None if self.dst_mask is None else self.dst_mask[rows])

    def learned_mask(self, kind: LearnedMask) -> NDArray[np.float32]:
        """Return what the network says is face: (n, S, S, 1), 0..1.

        Args:
            kind: Whose mask counts. Where dst's is missing, that of src stands for it.
        """
        return combined(kind, np.clip(self.mask, 0, 1), None if self.dst_mask is None else np.clip(self.dst_mask, 0, 1))

    def check_finite(self) -> None:
        """Check that all numbers are finite.

        Raises:
            UserError: They are not.
        """
        if not all(np.isfinite(array).all() for array in (self.image, self.mask, self.dst_mask) if array is not None):
            raise UserError(
                "The model's prediction holds numbers that are not finite: its training has diverged.",
                "faces with values from 0 to 1.",
                "go back to an older state of the model (model/ keeps some), or train it anew.",
            )


class Predict(Protocol):
    """A trained model."""

    def __call__(self, faces: NDArray[np.float32], *, dst_mask: bool = False) -> Prediction:
        """Predict faces.

        Args:
            faces: (n, S, S, 3) float32 BGR, 0..1; n is at least 1.
            dst_mask: Whether dst's own mask is wanted, which costs more. See `Parameters.needs_dst_mask`.
        """


@dataclass(frozen=True)
class ModelInput:
    """What the model takes.

    Attributes:
        side: Side S of its images in pixels.
        face_type: What they show.
    """

    side: int
    face_type: FaceKind

    def matrix(self, landmarks: Points) -> Matrix:
        """Return the 2x3 matrix frame -> aligned image of a face with these (68, 2) landmarks in the frame."""
        return face_matrix(landmarks, self.face_type, self.side)


@dataclass(frozen=True)
class FrameFaces:
    """The faces of a frame, larger ones first.

    Attributes:
        matrices: One 2x3 matrix frame -> aligned image per face.
        images: (n, S, S, 3) float32, BGR, 0..1.
        allowed: Where each face may be replaced, (S, S) float32, 0..1.
        kept: What stays of it all the same, likewise.
        motions: How far each moves in a frame's time, (x, y) in pixels of the frame.
        covers: What lies before it and stays, likewise; it is not measured either. None where nothing does.
    """

    matrices: tuple[Matrix, ...]
    images: NDArray[np.float32]
    allowed: tuple[Mask, ...]
    kept: tuple[Mask, ...]
    motions: tuple[tuple[float, float], ...]
    covers: tuple[Mask | None, ...]


def cut_faces(frame: Image, faces: Sequence[DstFace], wanted: ModelInput, parameters: Parameters) -> FrameFaces:
    """Cut the faces of a frame as the model wants them.

    Args:
        frame: (h, w, 3) uint8 or uint16 BGR.
        faces: Without any, nothing is cut.
        wanted: Side and face type.
        parameters: Of the frame; here they choose the masks of dst.
    """
    found = [(wanted.matrix(face.landmarks), face) for face in faces]
    # The determinant is small where a frame pixel is small in the aligned image: at a large face.
    found.sort(key=lambda pair: float(np.linalg.det(pair[0][:, :2])))
    images = np.empty((len(found), wanted.side, wanted.side, 3), np.float32)
    for place, (matrix, _) in zip(images, found, strict=True):
        place[...] = _cut(frame, matrix, wanted.side)
    allowed = tuple(allowed_mask(face, matrix, wanted.side, parameters.masks) for matrix, face in found)
    kept = tuple(
        kept_mask(face, matrix, image, parameters.keep) for (matrix, face), image in zip(found, images, strict=True)
    )
    motions = tuple(in_pixels(face.motion, face.landmarks) for _, face in found)
    covers = tuple(cover_of(face, matrix, wanted.side) if parameters.uses_covers else None for matrix, face in found)
    return FrameFaces(tuple(matrix for matrix, _ in found), images, allowed, kept, motions, covers)


def blend_faces(
    frame: Image,
    faces: FrameFaces,
    prediction: Prediction,
    parameters: Parameters,
    coverage: Mask | None = None,
    *,
    transfer: Transfer = transfer,
) -> tuple[Image, int]:
    """Blend predicted faces into a copy of their frame.

    Args:
        frame: (h, w, 3) uint8 or uint16 BGR.
        faces: What was cut from it.
        prediction: Of those n faces.
        parameters: How.
        coverage: (h, w), 0..1: which share of each pixel was replaced so far; what is replaced now is laid over it in
            place. None where nobody asks.
        transfer: How colours are moved; a preview brings one that remembers, because some kinds take long.

    Returns:
        The new frame, and the number of faces that were replaced: a face is left as it is when the model sees none
        in it (its mask nowhere reaches 0.9) or when it is smaller than 4 px.

    Raises:
        UserError: The prediction holds numbers that are not finite.
    """
    prediction.check_finite()
    if parameters.mode is Mode.ORIGINAL or not len(faces.images):
        return frame.copy(), 0
    if parameters.mode is Mode.RAW_PREDICT:
        if coverage is not None:
            coverage[...] = 1
        return raw_predict(frame, prediction), len(faces.images)
    result = frame.copy()
    done = 0
    of_dst = zip(faces.matrices, faces.images, faces.allowed, faces.kept, faces.motions, faces.covers, strict=True)
    learned = prediction.learned_mask(parameters.learned)
    for (matrix, face, allowed, kept, motion, cover), image, mask in zip(
        of_dst, prediction.image, learned, strict=True
    ):
        image = detail.less_enlarged(image, parameters.enlarged_from, parameters.super_resolution_power)
        image, mask = (
            detail.moved_inside(one, parameters.face_scale, parameters.offset) for one in (np.clip(image, 0, 1), mask)
        )
        mask = _clean(mask, allowed)
        if parameters.mode.within:
            mask = edge.lifted(mask, parameters.erode)
        mask = edge.drawn_in(mask, parameters.erode_sides)
        predicted = _PredictedFace(matrix, face, image, mask, kept, motion, cover)
        plan = _plan(predicted, frame.shape[:2], parameters)
        if plan is None:
            continue
        soft = _blend_region(result, predicted, plan, parameters, transfer)
        if coverage is not None:
            covered = np.asarray(plan.region.crop(coverage), np.float32)
            plan.region.crop(coverage)[...] = 1 - (1 - covered) * (1 - soft)
        done += 1
    return result, done


@dataclass(frozen=True)
class _PredictedFace:
    """A face with its prediction: matrix frame -> aligned, (S, S, 3) twice, (S, S) twice, (x, y) px of the frame.

    Last what covers it, (S, S) or None.
    """

    matrix: Matrix
    face: Picture
    image: Picture
    mask: Mask
    kept: Mask
    motion: tuple[float, float]
    cover: Mask | None

    @property
    def measured(self) -> Mask:
        """(S, S): where colours are compared, which is not what covers the face."""
        return self.mask if self.cover is None else self.mask * (1 - self.cover)


@dataclass(frozen=True)
class _Plan:
    """Where to work and how wide the edge is, in pixels of the frame; `length` is the shorter side of the face.

    `mask` is the predicted one in the region, where the model is certain enough.
    """

    region: Region
    mask: Mask
    erode: int
    blur: int
    length: int


def _clean(mask: NDArray[np.float32], allowed: Mask) -> Mask:
    mask = mask.reshape(mask.shape[:2]) * allowed
    return np.where(mask < MIN_MASK, np.float32(0), mask)


def _shifted(matrix: Matrix, region: Region) -> Matrix:
    """The matrix for pixel coordinates that begin at the region's corner."""
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ (region.left, region.top)
    return moved


def square_region(matrix: Matrix, side: int, frame: tuple[int, int]) -> Region | None:
    """Return the box around the aligned square (with the filter's reach) inside a frame of (h, w); None if outside."""
    low, high = -LANCZOS_REACH, side - 1 + LANCZOS_REACH
    corners = transform_points(np.array([(low, low), (high, low), (high, high), (low, high)]), invert(matrix))
    # A frame is never that large; the bounds keep wild numbers out of the integers.
    first = np.clip(corners.min(0), 0, 1 << 20).astype(int)
    last = np.clip(np.ceil(corners.max(0)) + 1, -1, 1 << 20).astype(int)
    box = Region(int(first[0]), int(first[1]), int(last[0]), int(last[1])).grown(0, frame)
    return box if min(box.size) > 0 else None


def _cut(frame: Image, matrix: Matrix, side: int) -> Picture:
    box = square_region(matrix, side, frame.shape[:2])
    if box is None:
        return np.zeros((side, side, 3), np.float32)
    # In float: averages of bytes would be rounded up, which brightens the face.
    piece = cut(from_depth(box.crop(frame)), _shifted(matrix, box), side)
    return np.clip(np.asarray(piece, np.float32), 0, 1)


def _certain_mask(mask: Mask, matrix: Matrix, region: Region) -> Mask:
    """The predicted mask in a region of the frame, set to 0 where the model is not certain enough."""
    warped = np.clip(warp_back(mask, _shifted(matrix, region), region.size), 0, 1)
    return np.where(warped <= edge.MIN_CERTAINTY, np.float32(0), warped)


def _plan(predicted: _PredictedFace, frame: tuple[int, int], parameters: Parameters) -> _Plan | None:
    """Decide region and edge; None when the face is to be left as it is."""
    square = square_region(predicted.matrix, len(predicted.mask), frame)
    if square is None:
        return None
    mask = _certain_mask(predicted.mask, predicted.matrix, square)
    certain = edge.region_of(mask > edge.CLONE_CERTAINTY)
    if certain is None or min(certain.size) < edge.MIN_REGION_PX:
        return None
    length = min(certain.size)
    erode, blur = edge.erode_size(length, parameters.erode), edge.blur_size(length, parameters.blur)
    # seamless-hist-match measures the whole square again.
    whole = Region(0, 0, square.size[1], square.size[0])
    inner = whole if parameters.mode is Mode.SEAMLESS_HIST_MATCH else edge.region_of(mask) or certain
    reach = max(-erode, 0) // 2 + max(blur, 0) // 2 + (ROOM_PX if parameters.mode.clones else 3)
    outer = Region(
        inner.left + square.left, inner.top + square.top, inner.right + square.left, inner.bottom + square.top
    ).grown(reach, frame)
    return _Plan(outer, _moved(mask, square, outer), erode, blur, length)


def _moved(mask: Mask, here: Region, there: Region) -> Mask:
    """Return what is known of a mask in another region of the frame; 0 elsewhere."""
    result = np.zeros(there.size, np.float32)
    both = here.overlap(there)
    both.within(there).crop(result)[...] = both.within(here).crop(mask)
    return result


def _blend_region(
    result: Image, predicted: _PredictedFace, plan: _Plan, parameters: Parameters, transfer: Transfer
) -> Mask:
    """Blend one prediction into the plan's region of `result`, (h, w, 3), in place; return by how much."""
    region, side = plan.region, len(predicted.mask)
    matrix = _shifted(predicted.matrix, region)
    under = from_depth(region.crop(result))
    mask = plan.mask
    uncovered = np.ones_like(mask)
    if predicted.cover is not None:
        uncovered -= np.clip(warp_back(predicted.cover, matrix, region.size, extend=True), 0, 1)
    eroded = edge.erode(mask, plan.erode)
    visible = visible_mask(predicted.matrix, side, result.shape[:2])
    recoloured = _recoloured(predicted, visible, parameters, transfer)
    over = np.clip(warp_back(recoloured, matrix, region.size, extend=True), 0, 1)
    if parameters.mode is Mode.LIGHT:
        over = relight(over, under, mask * uncovered)
    if parameters.mode.clones:
        # The clone takes its colours from the frame along its own edge. Where src's face is wider than dst's that
        # edge lay on the background, whose grey bled into the cheeks: so it is drawn in as far as the soft mask.
        inside = (eroded if plan.erode > 0 else mask) > edge.CLONE_CERTAINTY
        over = clone(mix(under, over, mask), under, inside)
    over = _with_detail(over, under, mask, predicted.motion, parameters)

    soft = np.clip(edge.soften(eroded, plan.blur), 0, 1)
    free = uncovered
    if parameters.border > 0:
        bordered = np.clip(warp_back(edge.border_mask(side, parameters.border), matrix, region.size), 0, 1)
        over = mix(under, over, bordered)
        free = free * bordered
    if parameters.keep:
        free = free * (1 - np.clip(warp_back(predicted.kept, matrix, region.size), 0, 1))
    soft = soft * free
    if parameters.mode is Mode.MULTIBAND:
        # The wide bands reach beyond the edge: what is no face stays the frame's all the same.
        over = np.clip(spline(under, over, soft, band_count(plan.length)), 0, 1)
        soft = np.maximum(soft, mask * free)
    soft = soft * np.float32(parameters.opacity / 100)
    blended = mix(under, over, soft)
    if parameters.mode is Mode.SEAMLESS_HIST_MATCH:
        again = np.clip(np.asarray(cut(blended, matrix, side), np.float32), 0, 1)
        blended = mix(under, rematch(blended, again, predicted.face, visible, parameters.hist_threshold), soft)
    region.crop(result)[...] = to_depth(blended, result.dtype)
    return soft


def _with_detail(
    over: Picture, under: Picture, mask: Mask, motion: tuple[float, float], parameters: Parameters
) -> Picture:
    """Return the face with the sharpness, movement, resolution and colours that the parameters ask for."""
    share = parameters.motion_blur / 100
    if share or parameters.denoise or parameters.bicubic_degrade:
        over = mix(under, over, mask)  # these reach further: around the face lies the frame
        over = detail.motion_blurred(over, (share * motion[0], share * motion[1]))
    size = math.sqrt(np.count_nonzero(mask > edge.CLONE_CERTAINTY))
    over = detail.sharpened(over, parameters.sharpen, size, parameters.sharpen_kind)
    over = detail.median_blurred(over, parameters.denoise / 100)
    over = detail.coarser(over, parameters.bicubic_degrade)
    return detail.fewer_colours(over, parameters.color_degrade)


def _recoloured(predicted: _PredictedFace, visible: Mask, parameters: Parameters, transfer: Transfer) -> Picture:
    """The aligned prediction with the colours that the parameters ask for; `visible` is where the square shows dst."""
    inside = visible * predicted.measured
    image = transfer(parameters.color_transfer, predicted.image, predicted.face, inside, inside)
    measured = inside if parameters.masked_hist_match else visible
    image = recolour(image, predicted.face, measured, parameters.mode, parameters.hist_threshold)
    return average_moved(image, predicted.face, inside, parameters.average_color)


def raw_predict(frame: Image, prediction: Prediction) -> Image:
    """Return what the model predicts, side by side in the middle of a black image of the frame's size.

    Pixels stay as the model gives them; only what does not fit into the frame is reduced.
    """
    row = np.hstack(tuple(np.clip(prediction.image, 0, 1)))
    height, width = frame.shape[:2]
    scale = min(width / row.shape[1], height / row.shape[0], 1.0)
    if scale < 1:
        small = (max(int(row.shape[1] * scale), 1), max(int(row.shape[0] * scale), 1))
        row = np.asarray(cv2.resize(row, small, interpolation=cv2.INTER_AREA), np.float32)
    result = np.zeros_like(frame)
    top, left = (height - row.shape[0]) // 2, (width - row.shape[1]) // 2
    result[top : top + row.shape[0], left : left + row.shape[1]] = to_depth(row, frame.dtype)
    return result


def portrait(prediction: Prediction) -> Image:
    """Return the one prediction of a frame as an image.

    Args:
        prediction: Of one face; its mask is only checked.

    Returns:
        (P, P, 3) uint8 BGR.

    Raises:
        UserError: The prediction holds numbers that are not finite.
    """
    prediction.check_finite()
    return to_bytes(np.clip(prediction.image[0], 0, 1))
