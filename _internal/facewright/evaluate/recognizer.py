"""A face recognition network of the user's own, an ONNX file, as the judge of identity.

The size, and whether colours come first or last, are read from the file. Faces are placed by five points as ArcFace
and what came after it wants them (Deng et al., "ArcFace: additive angular margin loss for deep face recognition",
CVPR 2019; the template is that of its authors, for 112 x 112 pixels). The file is a stranger's: it is looked through
as data before it runs (`facewright.nn.onnx_check`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.errors import UserError
from facewright.core.images import Image
from facewright.evaluate.judge import MAX_EMBEDDING
from facewright.evaluate.measures import unit_vectors
from facewright.faces.align import Points, resample, similarity
from facewright.faces.record import FaceRecord

USUAL_PX, TEMPLATE_PX = 112, 112
SMALLEST_PX, LARGEST_PX = 32, 512
FEWEST_NUMBERS = 16  # of an embedding
LARGEST_FILE = 1 << 30  # bytes
CHECKED_BATCH = 16
# Right eye, left eye, nose tip, corners of the mouth, as the image shows them from left to right.
TEMPLATE = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
# What the network wants colours to be: offset, and factor of 0..255.
RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"-1..1": (-127.5, 1 / 127.5), "0..1": (0.0, 1 / 255), "0..255": (0.0, 1.0)}
)
RANGE_HELP = {
    "-1..1": "as ArcFace and most others (default)",
    "0..1": "shares",
    "0..255": "the levels of the image",
}


class OnnxJudge:
    """See `facewright.evaluate.judge.Judge`.

    Args:
        path: The file.
        value_range: A key of `RANGES`.

    Raises:
        UserError: It is no such network, or does not run.
    """

    def __init__(self, path: Path, value_range: str = "-1..1") -> None:
        content, shape, self._batched = _checked(path)
        # Half a second, which an evaluation by dlib need not wait for.
        from facewright.nn.onnx_file import OnnxFile

        try:
            self._file = OnnxFile(content)
        except ValueError as error:
            raise _unfit(path, f"onnxruntime does not take it ({error})") from error
        self._path = path
        self._colours_first = shape[1] == 3
        self._side = shape[2]  # both layouts have it there
        self._offset, self._factor = RANGES[value_range]
        self._count = 0  # of numbers for a face; what the file says of it may be open
        self.name = f"{hashlib.sha256(content).hexdigest()[:16]} {value_range}"
        self.about = (
            f"{path.name}, a recogniser of the user's own ({self._side} px, {value_range}), by the distance of "
            "directions: 0 for the same, 1.41 for what has nothing in common."
        )

    def chip(self, image: Image, landmarks: Points) -> Image:
        """See `Judge`: upright, (side, side, 3) uint8 BGR."""
        matrix = similarity(five_points(landmarks), TEMPLATE) * (self._side / TEMPLATE_PX)
        return np.asarray(resample(image, matrix, self._side, cv2.INTER_LINEAR), np.uint8)

    def embed(self, chips: Sequence[Image]) -> NDArray[np.float32]:
        """See `Judge`: rows of length 1."""
        colours = (np.stack(chips)[..., ::-1].astype(np.float32) + self._offset) * self._factor
        batch = np.ascontiguousarray(colours.transpose(0, 3, 1, 2) if self._colours_first else colours, np.float32)
        parts = [batch] if self._batched else [batch[index : index + 1] for index in range(len(batch))]
        try:
            found = np.concatenate([self._file.run(part)[0].reshape(len(part), -1) for part in parts])
        except ValueError as error:
            raise _unfit(self._path, f"it does not run ({error})") from error
        self._count = self._count or found.shape[1]
        if found.shape[1] != self._count:
            raise _unfit(
                self._path, f"it answers with {self._count} numbers for one face, {found.shape[1]} for another"
            )
        if not np.isfinite(found).all():
            raise _unfit(self._path, "it answers with numbers that are none")
        return unit_vectors(found).astype(np.float32)

    def known(self, record: FaceRecord) -> NDArray[np.float32] | None:
        """See `Judge`: faces carry dlib's embeddings alone."""
        return None


def five_points(landmarks: Points) -> NDArray[np.float64]:
    """Return both eyes, the tip of the nose and the corners of the mouth, (5, 2), of (68, 2) landmarks."""
    p = np.asarray(landmarks, np.float64)
    return np.array([p[36:42].mean(0), p[42:48].mean(0), p[30], p[48], p[54]])


def _checked(path: Path) -> tuple[bytes, tuple[int, int, int, int], bool]:
    """Return the file's content, the shape that it takes, and whether it takes several faces at once."""
    # onnx takes a fifth of a second to import.
    from facewright.nn.onnx_check import BadOnnx, check_memory, read_facts

    try:
        facts, proto = read_facts(path, longest=LARGEST_FILE)
        if len(facts.inputs) != 1:
            raise BadOnnx(f"it takes {len(facts.inputs)} inputs")
        ((name, axes),) = facts.inputs.items()
        shape = _shape(axes)
        batched = axes[0] is None
        content: bytes = proto.SerializeToString()
        outputs = check_memory(proto, {name: shape})
        numbers = _numbers(next(iter(outputs.values())), shape[0])
    except BadOnnx as problem:
        raise _unfit(path, str(problem)) from problem
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.", "an ONNX file.", "check the path.") from error
    if numbers is None:
        raise _unfit(path, "its first output is not one row of numbers for each face")
    return content, shape, batched


def _shape(axes: Sequence[int | None]) -> tuple[int, int, int, int]:
    """Return the shape to give: (faces, 3, side, side) or (faces, side, side, 3)."""
    # It is only there while the file is checked.
    from facewright.nn.onnx_check import BadOnnx

    if len(axes) != 4 or axes[0] not in (None, 1) or 3 not in axes[1:]:
        raise BadOnnx(f"its input has the shape {_shown(axes)}")
    first = axes[1] == 3
    sides = {side or USUAL_PX for side in (axes[2:] if first else axes[1:3])}
    side = sides.pop()
    if sides or not SMALLEST_PX <= side <= LARGEST_PX:
        raise BadOnnx(f"its input has the shape {_shown(axes)}")
    faces = axes[0] or CHECKED_BATCH
    return (faces, 3, side, side) if first else (faces, side, side, 3)


def _numbers(axes: Sequence[int | None], faces: int) -> int | None:
    """Return how many numbers describe a face; None where the output is something else."""
    sizes = [size or 1 for size in axes]
    count = int(np.prod(sizes[1:]))
    fits = len(sizes) >= 2 and sizes[0] == faces and FEWEST_NUMBERS <= count <= MAX_EMBEDDING
    return count if fits and max(sizes[1:]) == count else None


def _shown(axes: Sequence[int | None]) -> str:
    return "(" + ", ".join("any" if axis is None else str(axis) for axis in axes) + ")"


def _unfit(path: Path, why: str) -> UserError:
    return UserError(
        f"{path.name} cannot judge faces: {why}.",
        f"an ONNX file that takes upright faces, (faces, 3, side, side) or (faces, side, side, 3) with a side of "
        f"{SMALLEST_PX} to {LARGEST_PX} pixels, {USUAL_PX} as a rule, and gives {FEWEST_NUMBERS} to {MAX_EMBEDDING} "
        "numbers for each.",
        "give another file, or leave --recognizer out: dlib's network judges then.",
    )
