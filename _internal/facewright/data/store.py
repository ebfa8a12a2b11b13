"""Where prepared faces come from: decoded when needed, and kept in memory up to a limit."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from facewright.core.errors import UserError
from facewright.data.sample import PreparedFace, Sample, prepare_face
from facewright.faces.align import FaceType
from facewright.faces.dfl_crop import needed_type
from facewright.faces.record import FaceRecord, load_face

MAX_BYTES = 2 << 30  # of prepared faces in memory


class FaceStore(Protocol):
    """Faces by number, prepared for the outputs of one model."""

    def face(self, index: int) -> PreparedFace:
        """Return a prepared face; several threads may ask at once."""

    def __len__(self) -> int:
        """Return the number of faces."""


class DecodedFaces:
    """Decodes a PNG when its face is asked for, and keeps faces in memory up to a limit.

    Args:
        paths: Aligned PNGs.
        samples: The wanted outputs.
        max_bytes: Of prepared faces that are kept; what does not fit is decoded every time.
        decode: Makes a prepared face of a file, for whoever has other records than the files; see `decode_face`.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        samples: Sequence[Sample],
        max_bytes: int = MAX_BYTES,
        decode: Callable[[Path, Sequence[Sample]], PreparedFace] | None = None,
    ) -> None:
        self._paths = list(paths)
        self._samples = tuple(samples)
        self._decode = decode or decode_face
        self._bytes_left = max_bytes
        self._kept: dict[int, PreparedFace] = {}

    def face(self, index: int) -> PreparedFace:
        """Return a prepared face.

        Raises:
            UserError: It cannot be read, or shows less than an output needs.
        """
        found = self._kept.get(index)
        if found is None:
            found = self._decode(self._paths[index], self._samples)
            size = bytes_of(found)
            if size <= self._bytes_left:
                self._bytes_left -= size
                self._kept[index] = found
        return found

    def __len__(self) -> int:
        return len(self._paths)


class ChosenFaces:
    """Some faces of a store, in an order of one's own.

    Args:
        faces: The store.
        chosen: Numbers of its faces.
    """

    def __init__(self, faces: FaceStore, chosen: Sequence[int]) -> None:
        self._faces = faces
        self._chosen = list(chosen)

    def face(self, index: int) -> PreparedFace:
        """Return a prepared face; see the store."""
        return self._faces.face(self._chosen[index])

    def __len__(self) -> int:
        return len(self._chosen)


def decode_face(path: Path, samples: Sequence[Sample]) -> PreparedFace:
    """Read an aligned PNG and prepare its face.

    Raises:
        UserError: It cannot be read, or shows less than an output needs.
    """
    image, record = load_face(path)
    check_type(path, record, samples)
    return prepare_face(image, record, samples)


def bytes_of(face: PreparedFace) -> int:
    """Return the bytes of a prepared face, all its sizes together."""
    return (
        face.image.nbytes
        + sum(mask.nbytes for mask in face.masks.values())
        + sum(bytes_of(small) for small in face.smaller)
    )


def check_type(path: Path, record: FaceRecord, samples: Sequence[Sample]) -> None:
    """Refuse a face that shows less than an output needs.

    Raises:
        UserError: It does.
    """
    for sample in samples:
        needed = needed_type(sample.face_type)
        if record.face_type is FaceType.MARK_ONLY or not record.face_type.contains(needed):
            raise UserError(
                f"{path.name} is a {record.face_type} face, but the model needs {needed} faces.",
                f"faces extracted as {needed} or a larger type.",
                f"extract again with --face-type {needed} --redo.",
            )
