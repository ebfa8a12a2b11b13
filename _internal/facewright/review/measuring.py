"""What is measured on one face of a converted frame: the result against dst, in pixels, landmarks and who is seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewright.convert.masks import DstFace, cover_of
from facewright.core.images import Image
from facewright.core.json_data import BadJson, either, fields, list_of, nothing, number, text
from facewright.evaluate.measures import landmark_error
from facewright.evaluate.pixels import border_step, detail, face_region, lab_of
from facewright.faces.align import FaceType, Points, align_matrix, cut, transform_points
from facewright.faces.mask import hull_mask
from facewright.faces.record import embedding_text, read_embedding

VERSION = 2  # goes up when the same images give other numbers
BLOCKS, BLOCK_PX = 10, 8  # of the half face: blocks in a row, side of one
INSIDE = 0.9  # share of a block that lies in the hull, for it to count
COVERED = 0.05  # and of what lies before the face, for it not to: the conversion leaves that as it is
LEAST_DETAIL = 1e-3
DECIMALS = 4

Numbers = NDArray[np.float64]
Vector = NDArray[np.float32]

_known = either(number, nothing)
SCHEMA = fields(
    {
        "colour": list_of(_known, 3),
        "step": _known,
        "sharpness": _known,
        "shape": _known,
        "change": list_of(_known, BLOCKS * BLOCKS),
        "embedding": either(text, nothing),
    }
)


@dataclass(frozen=True, eq=False)
class FaceMeasures:
    """One face in the result, against dst. NaN where there is nothing to measure.

    Attributes:
        colour: (3,) mean Lab inside the hull, result less dst.
        step: See `facewright.evaluate.pixels.border_step`, dE.
        sharpness: Natural logarithm of the result's fine detail over dst's.
        shape: See `facewright.evaluate.measures.landmark_error`, of the landmarks that are found in the result.
        change: (100,) mean difference of result and dst in each block of the half face, levels of 255.
        embedding: (128,) who is seen in the result; None where that was not asked for.
    """

    colour: Numbers
    step: float
    sharpness: float
    shape: float
    change: Numbers
    embedding: Vector | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "colour": [_plain(value) for value in self.colour],
            "step": _plain(self.step),
            "sharpness": _plain(self.sharpness),
            "shape": _plain(self.shape),
            "change": [_plain(value) for value in self.change],
            "embedding": None if self.embedding is None else embedding_text(self.embedding),
        }


def read_measures(value: Mapping[str, Any]) -> FaceMeasures:
    """Read what `FaceMeasures.to_json` wrote.

    Raises:
        BadJson: It is something else.
    """
    known = SCHEMA(value)
    step, sharpness, shape = _numbers([known[name] for name in ("step", "sharpness", "shape")]).tolist()
    seen = None if known["embedding"] is None else _vector(known["embedding"])
    return FaceMeasures(_numbers(known["colour"]), step, sharpness, shape, _numbers(known["change"]), seen)


def _plain(value: float) -> float | None:
    return round(float(value), DECIMALS) if np.isfinite(value) else None


def _numbers(values: list[float | None]) -> Numbers:
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _vector(coded: str) -> Vector:
    try:
        return read_embedding(coded)
    except ValueError as error:
        raise BadJson(str(error)) from error


def measure_converted(
    result: Image, dst: Image, face: DstFace, found: Points | None, seen: Vector | None
) -> FaceMeasures:
    """Measure one face.

    Args:
        result, dst: (h, w, 3) uint8 BGR of one size: the converted frame, and the frame itself.
        face: As it lies in dst.
        found: (68, 2) as a landmarker finds them in the result; None without.
        seen: (128,) embedding of the face in the result; None without.
    """
    region = face_region(face.landmarks, (dst.shape[0], dst.shape[1]))
    after, before = lab_of(result, region), lab_of(dst, region)
    if not region.mask.any():
        colour, sharpness = np.full(3, np.nan), float("nan")
    else:
        colour = (after[region.mask].astype(np.float64) - before[region.mask]).mean(0)
        amounts = [max(detail(lab, region).face, LEAST_DETAIL) for lab in (after, before)]
        sharpness = float(np.log(amounts[0] / amounts[1]))
    return FaceMeasures(
        colour,
        border_step(after, before, region),
        sharpness,
        float("nan") if found is None else landmark_error(found, face.landmarks),
        block_changes(result, dst, face),
        seen,
    )


def block_changes(result: Image, dst: Image, face: DstFace) -> Numbers:
    """Return the mean difference in each block of the half face, (100,), levels of 255.

    NaN outside of the hull, and where the face's record says that something lies before it.

    Args:
        result, dst, face: As in `measure_converted`.
    """
    side = BLOCKS * BLOCK_PX
    matrix = align_matrix(face.landmarks, FaceType.HALF, side)
    faces = [np.asarray(cut(frame, matrix, side), np.float64) for frame in (result, dst)]
    hull = hull_mask(transform_points(face.landmarks, matrix), (side, side))
    changes = _block_means(np.abs(faces[0] - faces[1]).mean(axis=2))
    counted = _block_means(hull) >= INSIDE
    cover = cover_of(face, matrix, side)
    if cover is not None:
        counted &= _block_means(cover) < COVERED
    return np.where(counted, changes, np.nan).ravel()


def _block_means(image: NDArray[np.floating]) -> Numbers:
    parts = np.asarray(image, np.float64).reshape(BLOCKS, BLOCK_PX, BLOCKS, BLOCK_PX)
    return np.asarray(parts.mean(axis=(1, 3)))
