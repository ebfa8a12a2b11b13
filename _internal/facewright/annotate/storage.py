"""The faces of frames on disk: reading them for the table, saving what a person accepted.

A frame's faces are saved as soon as it is accepted: new pictures first, each whole or absent, with what they replace
copied to the trash before; then removed ones move there; then the journal says that the frame was finished by hand.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facewright.annotate.face import Face, spot_of
from facewright.core.errors import UserError
from facewright.core.files import copy_to_trash, make_folder, move_to_trash
from facewright.core.images import Image, decode, write_image
from facewright.core.journal import Journal
from facewright.core.workspace import Side
from facewright.extract.detectors.base import MANUAL
from facewright.extract.log import Settings, begin, by_hand, note, read_searched
from facewright.extract.pipeline import FrameFile, Outcome, annotate, debug_file
from facewright.faces.align import FaceType, align_matrix, cut, transform_points
from facewright.faces.faceset import FaceFile, load_faceset
from facewright.faces.pose import head_pose
from facewright.faces.record import FaceRecord, save_face


@dataclass(frozen=True)
class OpenFrame:
    """A frame on the table.

    Attributes:
        path: The frame.
        file: What tells later whether it changed.
        picture: (h, w, 3) uint8 BGR; None when it could not be read.
        problem: Why not.
    """

    path: Path
    file: FrameFile | None = None
    picture: Image | None = None
    problem: str = ""


def open_frame(path: Path) -> OpenFrame:
    """Read a frame; one that is gone or no picture says so and nothing is raised."""
    try:
        status = path.stat()
        data = path.read_bytes()
        picture = decode(data, path.name)
    except OSError as error:
        return OpenFrame(path, problem=f"{path.name} cannot be read: {error.strerror}.")
    except UserError as error:
        return OpenFrame(path, problem=error.happened)
    return OpenFrame(path, FrameFile(path.name, len(data), status.st_mtime_ns, zlib.crc32(data)), picture)


class Keeper:
    """Knows the faces of every frame of a side and saves them.

    Attributes:
        settings: Of the extraction whose faces these are: face type and size of the pictures.
    """

    def __init__(self, side: Side, trash: Path, settings: Settings) -> None:
        """Read the records of all faces; pictures are not decoded."""
        self.settings = settings
        self._side = side
        self._trash = trash
        self._faces = load_faceset(side.aligned()).by_frame()
        searched = read_searched(side)
        self._begun = searched.settings is not None
        self._tried = {name: str(entry.get("tried", "")) for name, entry in searched.entries.items()}
        self._finished = {name for name, entry in searched.entries.items() if by_hand(entry)}

    def faces(self, frame: Path) -> list[FaceFile]:
        """Return the saved faces of a frame, by name."""
        return list(self._faces.get(frame.stem, []))

    def usual_half(self) -> float:
        """Return half the side of the square around a face of this side, in frame pixels; 0 without faces."""
        records = [file.record for files in self._faces.values() for file in files[:1]]
        halves = [spot_of(record.frame_landmarks).half for record in records[:: len(records) // 100 + 1]]
        return float(np.median(halves)) if halves else 0.0

    def finished(self, frame: Path) -> bool:
        """Whether a person accepted this frame."""
        return frame.name in self._finished

    def keep(self, frame: OpenFrame, faces: Sequence[Face]) -> list[str]:
        """Save the faces of a frame and note that a person accepted them; return the names of their files.

        Faces that are as they were are not touched. One that was changed keeps its file's name, what it replaces
        is in the trash; so is one that is not among `faces` any more.

        Raises:
            UserError: The disk is full, or a folder cannot be written.
        """
        assert frame.picture is not None
        make_folder(self._side.aligned_dir)
        before = self.faces(frame.path)
        kept = [self._save(frame.path, frame.picture, face) for face in self._named(frame.path, faces)]
        staying = {file.path for file in kept}
        move_to_trash([file.path for file in before if file.path not in staying], self._trash, by="faces by hand")
        self._note(frame, [file.path.name for file in kept])
        self._faces[frame.path.stem] = kept
        if self._side.debug_dir.is_dir():
            records = [file.record for file in kept]
            write_image(debug_file(self._side.debug_dir, frame.path), annotate(frame.picture, records))
        return [file.path.name for file in kept]

    def _named(self, frame: Path, faces: Sequence[Face]) -> list[tuple[Path, Face]]:
        """Give each face its file: its own, or the first name of the frame that nothing has."""
        named: list[tuple[Path, Face]] = []
        number = 0
        for face in faces:
            path = face.file.path if face.file else self._path(frame, number)
            while face.file is None and (path.exists() or path in [taken for taken, _ in named]):
                number += 1
                path = self._path(frame, number)
            named.append((path, face))
        return named

    def _path(self, frame: Path, number: int) -> Path:
        return self._side.aligned_dir / f"{frame.stem}_{number}.png"

    def _save(self, frame: Path, picture: Image, named: tuple[Path, Face]) -> FaceFile:
        path, face = named
        if face.file and not face.changed and path.exists():
            return face.file
        record = self._record(frame.name, face)
        if path.exists():
            copy_to_trash(path, self._trash)
        whole = record.face_type is FaceType.MARK_ONLY
        save_face(path, picture if whole else np.asarray(cut(picture, record.matrix, record.size), np.uint8), record)
        return FaceFile(path, record)

    def _record(self, frame: str, face: Face) -> FaceRecord:
        face_type, size = FaceType(str(self.settings["face_type"])), int(self.settings["size"])
        if face.file and not face.changed:  # its file was deleted meanwhile
            return face.file.record
        matrix = align_matrix(face.points, face_type, size, level_eyes=bool(self.settings.get("align_eyes", False)))
        return FaceRecord(
            face_type=face_type,
            size=0 if face_type is FaceType.MARK_ONLY else size,
            landmarks=transform_points(face.points, matrix).astype(np.float32),
            frame_landmarks=face.points,
            frame=frame,
            detector=MANUAL,
            score=1.0,
            rect=face.rect,
            matrix=matrix,
            pose=head_pose(face.points),
        )

    def _note(self, frame: OpenFrame, names: list[str]) -> None:
        with Journal(self._side.extract_journal) as journal:
            if not self._begun:
                begin(journal, self.settings)
                self._begun = True
            tried = self._tried.get(frame.path.name, "")
            outcome = Outcome(frame.path, frame.file, names, None)
            note(journal, outcome, self.settings, by="hand", **({"tried": tried} if tried else {}))
        self._finished.add(frame.path.name)
