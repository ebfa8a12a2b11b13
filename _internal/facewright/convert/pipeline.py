"""One frame: cut its faces, predict, put the predictions back. Pure: arrays in, arrays out.

The order of operations is that of DeepFaceLab 2018. All work is done on the face's own region of the frame; what lies
outside it is never touched. What differs, and why:

* every face is cut from the untouched frame, so that a network never sees half of an earlier result;
  the results are laid over each other, larger faces first
* the pasted face goes on beyond its square by repeating its edge, so that no dark border bleeds in
* kernels are odd, results are rounded (not cut off) to 8 bits
* a face nearer than 1384 px keeps the widest erosion instead of going back to none
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facewright.convert import edge
from facewright.convert.blend import Mask, Mode, clone, mix, recolour, rematch, seen, to_bytes, warp_back
from facewright.convert.edge import Box
from facewright.core.errors import UserError
from facewright.core.images import Image
from facewright.faces.align import FaceType, Matrix, Points, align_matrix, cut, invert, transform_points
from facewright.faces.color import Picture
from facewright.faces.mask import hull_mask

# (n, S, S, 3) float32 BGR 0..1 -> the same and masks (n, S, S, 1) float32 0..1
Predict = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]]

NOTHING = 0.001  # a mask below it is no mask
HULL_MARGIN = 1 / 128
REACH = 5  # px of the aligned picture: Lanczos-4 takes four neighbours on each side


@dataclass(frozen=True)
class FaceShape:
    """What the model takes, and how far its mask is believed.

    Attributes:
        side: Side of its pictures in pixels.
        face_type: What they show.
        within_hull: Whether its mask counts inside the hull of the frame's own face only. Where src's face is
            the wider one, the rest lies on the background, whose colour would bleed into the cheeks.
    """

    side: int
    face_type: FaceType
    within_hull: bool = False


@dataclass(frozen=True)
class Parameters:
    """How faces are put back.

    Attributes:
        mode: Way of blending.
        erode: Erode modifier in percent, the model's base plus the user's number.
        blur: Blur modifier in percent, likewise.
        masked_hist_match: Whether histogram matching measures inside the mask only.
        border: Share of the aligned side that is faded out along its edges; 0 for none.
    """

    mode: Mode = Mode.SEAMLESS
    erode: int = 0
    blur: int = 0
    masked_hist_match: bool = True
    border: float = 0.0


@dataclass(frozen=True)
class FrameFaces:
    """The faces of a frame, larger ones first.

    Attributes:
        matrices: One 2x3 matrix frame -> aligned picture per face.
        pictures: (n, S, S, 3) float32, BGR, 0..1.
        allowed: Where each face may be replaced, (S, S) float32 in 0..1; None for everywhere.
    """

    matrices: tuple[Matrix, ...]
    pictures: NDArray[np.float32]
    allowed: tuple[Mask | None, ...]


def cut_faces(frame: Image, landmarks: Sequence[Points], shape: FaceShape) -> FrameFaces:
    """Cut the faces of a frame as the model wants them.

    Args:
        frame: (h, w, 3) uint8 BGR.
        landmarks: (68, 2) points in the frame for each face; without any, nothing is cut.
        shape: Side and face type.
    """
    found = [(align_matrix(points, shape.face_type, shape.side), points) for points in landmarks]
    # The determinant is small where a frame pixel is small in the aligned picture: at a large face.
    found.sort(key=lambda pair: abs(float(np.linalg.det(pair[0][:, :2]))))
    pictures = np.empty((len(found), shape.side, shape.side, 3), np.float32)
    for place, (matrix, _) in zip(pictures, found, strict=True):
        place[...] = _cut(frame, matrix, shape.side)
    allowed = tuple(_hull(points, matrix, shape.side) if shape.within_hull else None for matrix, points in found)
    return FrameFaces(tuple(matrix for matrix, _ in found), pictures, allowed)


def _hull(points: Points, matrix: Matrix, side: int) -> Mask:
    """The hull of the landmarks, grown by about 1 % of the side: they lie on the jaw's inner edge."""
    hull = hull_mask(transform_points(points, matrix), (side, side))
    return edge.erode(hull, -(2 * round(side * HULL_MARGIN) + 1))


def convert_frame(
    frame: Image, landmarks: Sequence[Points], predict: Predict, shape: FaceShape, parameters: Parameters
) -> Image:
    """Return the frame with all its faces replaced.

    Args:
        frame: (h, w, 3) uint8 BGR; not changed.
        landmarks: (68, 2) points in the frame for each face.
        predict: The model.
        shape: What the model takes.
        parameters: How faces are put back.
    """
    faces = cut_faces(frame, landmarks, shape)
    if not faces.matrices:
        return frame.copy()
    pictures, masks = predict(faces.pictures)
    return put_back(frame, faces, pictures, masks, parameters)[0]


def put_back(
    frame: Image,
    faces: FrameFaces,
    pictures: NDArray[np.float32],
    masks: NDArray[np.float32],
    parameters: Parameters,
) -> tuple[Image, int]:
    """Put predicted faces into a copy of their frame.

    Args:
        frame: (h, w, 3) uint8 BGR.
        faces: What was cut from it.
        pictures: (n, S, S, 3) float32, the predictions.
        masks: (n, S, S, 1) float32, the predicted masks.
        parameters: How.

    Returns:
        The new frame, and the number of faces that were put back: a face is left alone when the model sees none
        in it (its mask nowhere reaches 0.9) or when it is smaller than 4 px.

    Raises:
        UserError: The prediction holds numbers that are not finite.
    """
    refuse_broken(pictures, masks)
    result = frame.copy()
    done = 0
    parts = zip(faces.matrices, faces.pictures, pictures, masks, faces.allowed, strict=True)
    for matrix, face, picture, mask, allowed in parts:
        prediction = _Prediction(matrix, face, np.clip(picture, 0, 1), _clean(mask, allowed))
        plan = _plan(prediction, frame.shape[:2], parameters)
        if plan is None:
            continue
        blend_region(result, plan.region, prediction, plan, parameters)
        done += 1
    return result, done


def refuse_broken(pictures: NDArray[np.float32], masks: NDArray[np.float32]) -> None:
    """Raise a UserError when a prediction holds numbers that are not finite."""
    if not (np.isfinite(pictures).all() and np.isfinite(masks).all()):
        raise UserError(
            "The model's answer holds numbers that are not finite: its training has come apart.",
            "faces with values from 0 to 1.",
            "go back to an older state of the model (model/ keeps some), or train it anew.",
        )


@dataclass(frozen=True)
class _Prediction:
    """A face with its prediction: matrix frame -> aligned, (S, S, 3) twice, (S, S)."""

    matrix: Matrix
    face: Picture
    picture: Picture
    mask: Mask


@dataclass(frozen=True)
class _Plan:
    """Where to work and how wide the edge is, in pixels of the frame."""

    region: Box
    erode: int
    blur: int


def _clean(mask: NDArray[np.float32], allowed: Mask | None) -> Mask:
    mask = np.clip(mask.reshape(mask.shape[:2]), 0, 1)
    if allowed is not None:
        mask = mask * allowed
    return np.where(mask < NOTHING, np.float32(0), mask)


def _shifted(matrix: Matrix, region: Box) -> Matrix:
    """The matrix for pixel coordinates that begin at the region's corner."""
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ (region.left, region.top)
    return moved


def square_box(matrix: Matrix, side: int, frame: tuple[int, int]) -> Box | None:
    """Return the box around the aligned square (with the filter's reach) inside a frame of (h, w); None if outside."""
    low, high = -REACH, side - 1 + REACH
    corners = transform_points(np.array([(low, low), (high, low), (high, high), (low, high)]), invert(matrix))
    # A frame is never that large; the bounds keep wild numbers out of the integers.
    first = np.clip(np.floor(corners.min(0)), -1, 1 << 20).astype(int)
    last = np.clip(np.ceil(corners.max(0)) + 1, -1, 1 << 20).astype(int)
    box = Box(int(first[0]), int(first[1]), int(last[0]), int(last[1])).grown(0, frame)
    return box if min(box.size) > 0 else None


def _cut(frame: Image, matrix: Matrix, side: int) -> Picture:
    box = square_box(matrix, side, frame.shape[:2])
    if box is None:
        return np.zeros((side, side, 3), np.float32)
    # In float: averages of bytes would be rounded up, which brightens the face.
    piece = cut(box.of(frame).astype(np.float32), _shifted(matrix, box), side)
    return np.clip(np.asarray(piece, np.float32) / np.float32(255), 0, 1)


def _sure_mask(mask: Mask, matrix: Matrix, region: Box) -> Mask:
    """The predicted mask in a region of the frame, what is faint set to 0."""
    warped = np.clip(warp_back(mask, _shifted(matrix, region), region.size), 0, 1)
    return np.where(warped <= edge.FAINT, np.float32(0), warped)


def _plan(prediction: _Prediction, frame: tuple[int, int], parameters: Parameters) -> _Plan | None:
    """Decide region and edge; None when the face is to be left alone."""
    square = square_box(prediction.matrix, len(prediction.mask), frame)
    if square is None:
        return None
    mask = _sure_mask(prediction.mask, prediction.matrix, square)
    sure = edge.box_of(mask > edge.SURE)
    if sure is None or min(sure.size) < edge.SMALLEST:
        return None
    length = min(sure.size)
    erode, blur = edge.erode_size(length, parameters.erode), edge.blur_size(length, parameters.blur)
    # seamless-hist-match measures the whole square again.
    whole = Box(0, 0, square.size[1], square.size[0])
    inner = whole if parameters.mode is Mode.SEAMLESS_HIST_MATCH else edge.box_of(mask) or sure
    reach = max(-erode, 0) // 2 + max(blur, 0) // 2 + 3
    outer = Box(
        inner.left + square.left, inner.top + square.top, inner.right + square.left, inner.bottom + square.top
    ).grown(reach, frame)
    return _Plan(outer, erode, blur)


def blend_region(result: Image, region: Box, prediction: _Prediction, plan: _Plan, parameters: Parameters) -> None:
    """Blend one prediction into a region of `result`, in place.

    Args:
        result: (h, w, 3) uint8, the frame with the faces before.
        region: Where to work; any region that holds the plan's gives the same picture.
        prediction: The face and what the model made of it.
        plan: Widths of the edge.
        parameters: How.
    """
    side = len(prediction.mask)
    matrix = _shifted(prediction.matrix, region)
    under_bytes = np.ascontiguousarray(region.of(result), np.uint8)
    under = under_bytes.astype(np.float32) / np.float32(255)

    mask = _sure_mask(prediction.mask, prediction.matrix, region)
    soft = np.clip(edge.soften(edge.erode(mask, plan.erode), plan.blur), 0, 1)
    visible = seen(prediction.matrix, side, result.shape[:2])
    measured = visible * prediction.mask if parameters.masked_hist_match else visible
    picture = recolour(prediction.picture, prediction.face, measured, parameters.mode)
    over = np.clip(warp_back(picture, matrix, region.size, extend=True), 0, 1)
    if parameters.mode.clones:
        # The clone takes its colours from the frame along its own edge. Where src's face is wider than dst's that
        # edge lay on the background, whose grey bled into the cheeks: so it is drawn in as far as the soft mask.
        sure = edge.erode(mask, max(plan.erode, 0)) > edge.SURE
        cloned = clone(to_bytes(mix(under, over, mask)), under_bytes, sure)
        over = cloned.astype(np.float32) / np.float32(255)
    if parameters.border > 0:
        border = np.clip(warp_back(edge.border_mask(side, parameters.border), matrix, region.size), 0, 1)
        over = mix(under, over, border)
        soft = soft * border
    blended = mix(under, over, soft)
    if parameters.mode is Mode.SEAMLESS_HIST_MATCH:
        again = np.clip(np.asarray(cut(blended, matrix, side), np.float32), 0, 1)
        blended = mix(under, rematch(blended, again, prediction.face, visible), soft)
    region.of(result)[...] = to_bytes(blended)
