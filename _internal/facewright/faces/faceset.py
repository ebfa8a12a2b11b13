"""A folder of aligned faces: its records, grouped by the frame they came from."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from facewright.core.errors import UserError
from facewright.core.files import list_files
from facewright.faces.mask import decode_mask
from facewright.faces.record import FaceRecord, load_record


@dataclass(frozen=True)
class FaceFile:
    """One aligned PNG.

    Attributes:
        path: The file; its name plays no role, users rename and sort.
        record: What is written inside it.
    """

    path: Path
    record: FaceRecord

    @property
    def stem(self) -> str:
        """Name of the frame it came from, without the ending."""
        return Path(self.record.frame).stem


@dataclass(frozen=True)
class Faceset:
    """All faces of a folder.

    Attributes:
        faces: In the order of the file names.
        bad: Files that are no faces, each with what is wrong.
    """

    faces: list[FaceFile]
    bad: list[tuple[Path, UserError]]

    def by_frame(self) -> dict[str, list[FaceFile]]:
        """Group the faces by the stem of their frame; both levels sorted by name."""
        groups: dict[str, list[FaceFile]] = {}
        for face in sorted(self.faces, key=lambda face: (face.stem, face.path.name)):
            groups.setdefault(face.stem, []).append(face)
        return groups


def load_faceset(source: Path | Iterable[Path]) -> Faceset:
    """Read the records of all aligned PNGs; pictures are not decoded.

    Args:
        source: A folder (an absent one is empty), or the files.
    """
    paths = list_files(source, (".png",)) if isinstance(source, Path) else list(source)
    faces: list[FaceFile] = []
    bad: list[tuple[Path, UserError]] = []
    for path in paths:
        try:
            faces.append(FaceFile(path, load_record(path)))
        except UserError as error:
            bad.append((path, error))
    return Faceset(faces, bad)


def count_own_masks(faces: Iterable[FaceFile]) -> int:
    """Return how many faces carry a readable mask of their own."""
    return sum(face.record.mask is not None and decode_mask(face.record.mask) is not None for face in faces)
