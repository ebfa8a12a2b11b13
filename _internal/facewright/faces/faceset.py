"""A folder of aligned faces: its records, read once and kept up to date while a command changes them."""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path

from facewright.core.errors import UserError
from facewright.core.files import list_files, natural
from facewright.faces.mask import decode_mask
from facewright.faces.record import FaceRecord, load_record, update_record

# So many faces of src are enough where they show all that dst shows: the field's manual asks for a thousand that
# differ, and more of the same teach nothing new. Documents, advice and sorts say this one number.
ENOUGH_FACES = 1000


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


class FaceIndex:
    """The records of all faces of a folder; images are not decoded.

    A command reads it once and hands it on. Whatever writes a face says so here, and nothing is read twice.

    Attributes:
        bad: Files that are no faces, each with what is wrong.
    """

    def __init__(
        self, faces: Iterable[FaceFile], bad: Iterable[tuple[Path, UserError]] = (), *, folder: Path | None = None
    ) -> None:
        """See `load_faceset`, which reads one from the disk."""
        self.bad = list(bad)
        self._folder = folder
        self._faces = {face.path: face for face in faces}

    @property
    def faces(self) -> list[FaceFile]:
        """All faces; those of a folder in the order of the file names."""
        return list(self._faces.values())

    def by_frame(self) -> dict[str, list[FaceFile]]:
        """Group the faces by the stem of their frame; both levels in natural order of the names."""
        groups: dict[str, list[FaceFile]] = {}
        for face in sorted(self.faces, key=lambda face: (natural(face.stem), natural(face.path.name))):
            groups.setdefault(face.stem, []).append(face)
        return groups

    def put(self, face: FaceFile) -> None:
        """Add a face that was written, or that has another record now."""
        new = face.path not in self._faces
        self._faces[face.path] = face
        if new:
            self._faces = dict(sorted(self._faces.items(), key=lambda item: natural(item[0].name)))

    def discard(self, paths: Iterable[Path]) -> None:
        """Drop faces whose files are gone."""
        for path in paths:
            self._faces.pop(path, None)

    def write(self, face: FaceFile) -> None:
        """Put a record into its file, whose pixels stay; a face that was deleted meanwhile stays deleted.

        May be called from several threads at once, for different faces that are in the index.

        Raises:
            UserError: The file is there and cannot be written.
        """
        try:
            update_record(face.path, face.record)
        except UserError:
            if face.path.exists():
                raise
            return
        self._faces[face.path] = face

    def refresh(self, changed: Container[str] = ()) -> None:
        """List the folder again: read what is new, drop what is gone.

        Args:
            changed: Names of files that were written since, which are read again too.
        """
        if self._folder is None:
            return
        known = {path: face for path, face in self._faces.items() if path.name not in changed}
        paths = list_files(self._folder, (".png",))
        fresh = load_faceset(path for path in paths if path not in known)
        known |= fresh._faces
        self.bad = fresh.bad
        self._faces = {path: known[path] for path in paths if path in known}


def load_faceset(source: Path | Iterable[Path]) -> FaceIndex:
    """Read the records of all aligned PNGs.

    Args:
        source: A folder (an absent one is empty), or the files.
    """
    folder = source if isinstance(source, Path) else None
    paths = list_files(source, (".png",)) if isinstance(source, Path) else list(source)
    faces: list[FaceFile] = []
    bad: list[tuple[Path, UserError]] = []
    for path in paths:
        try:
            faces.append(FaceFile(path, load_record(path)))
        except UserError as error:
            bad.append((path, error))
    return FaceIndex(faces, bad, folder=folder)


def count_own_masks(faces: Iterable[FaceFile]) -> int:
    """Return how many faces carry a readable mask of their own, or polygons."""
    return sum(_has_mask(face.record) for face in faces)


def _has_mask(record: FaceRecord) -> bool:
    return bool(record.polygons) or (record.mask is not None and decode_mask(record.mask) is not None)
