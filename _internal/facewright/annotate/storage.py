"""The faces of frames on disk: reading them for the annotation, saving what a person accepted.

A frame's faces are saved as soon as it is accepted: new images first, each whole or absent, with what they replace
copied to the trash before; then removed ones move there; then the journal says that the frame was finished manually.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facewright.annotate.face import Face, square_of
from facewright.core.errors import UserError
from facewright.core.files import copy_to_trash, make_folder, move_to_trash
from facewright.core.images import Image, decode, write_image
from facewright.core.png import is_whole
from facewright.core.safe_files import read_regular
from facewright.extract.detection import FrameFile
from facewright.extract.log import FINISHED_MANUALLY, LoggedSettings, finished_manually
from facewright.extract.overlay import debug_file, draw_detections
from facewright.extract.pipeline import ExtractedFrame
from facewright.extract.side_run import SideRun
from facewright.faces.align import FaceType
from facewright.faces.faceset import FaceFile
from facewright.faces.record import MANUAL_DETECTOR, FaceRecord, save_face
from facewright.faces.shots import tiny_copy

BY = "manual annotation"  # who put a file into the trash


@dataclass(frozen=True)
class OpenFrame:
    """A frame that is being annotated.

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
    """Read a frame; one that is gone or not an image says so and nothing is raised."""
    try:
        status = path.stat()
        data = read_regular(path, links=True)
        picture = decode(data, path.name)
    except OSError as error:
        return OpenFrame(path, problem=f"{path.name} cannot be read: {error.strerror}.")
    except UserError as error:
        return OpenFrame(path, problem=error.happened)
    checksum, look = zlib.crc32(data), tiny_copy(picture)
    file = FrameFile(path.name, len(data), status.st_mtime_ns, checksum, shape=picture.shape[:2], look=look)
    return OpenFrame(path, file, picture)


class FaceStorage:
    """Knows the faces of every frame of a side and saves them.

    Attributes:
        settings: Of the extraction whose faces these are: face type and size of the images.
    """

    def __init__(self, run: SideRun, settings: LoggedSettings) -> None:
        """Group the faces of a side by frame; its log and its faces are kept up to date."""
        self.settings = settings
        self._run = run
        self._side = run.side
        self._trash = run.workspace.trash
        self._faces = run.faces.by_frame()

    def faces(self, frame: Path) -> list[FaceFile]:
        """Return the saved faces of a frame, by name."""
        return list(self._faces.get(frame.stem, []))

    def usual_half(self) -> float:
        """Return half the side of the square around a face of this side, in frame pixels; 0 without faces."""
        records = [file.record for files in self._faces.values() for file in files[:1]]
        halves = [square_of(record.frame_landmarks).half for record in records[:: len(records) // 100 + 1]]
        return float(np.median(halves)) if halves else 0.0

    def finished(self, frame: Path) -> bool:
        """Whether a person accepted this frame."""
        return finished_manually(self._run.log.entries.get(frame.name, {}))

    def save(self, frame: OpenFrame, faces: Sequence[Face]) -> list[str]:
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
        removed = [file.path for file in before if file.path not in staying]
        move_to_trash(removed, self._trash, by=BY)
        self._run.faces.discard(removed)
        for file in kept:
            self._run.faces.put(file)
        self._note(frame, [file.path.name for file in kept])
        self._faces[frame.path.stem] = kept
        if self._side.debug_dir.is_dir():
            records = [file.record for file in kept]
            write_image(debug_file(self._side.debug_dir, frame.path), draw_detections(frame.picture, records))
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
        if face.file and not face.changed and path.exists() and is_whole(path):
            return face.file
        record = self._record(frame.name, face)
        if path.exists():
            copy_to_trash(path, self._trash, by=BY)
        save_face(path, record.cut(picture), record)
        return FaceFile(path, record)

    def _record(self, frame: str, face: Face) -> FaceRecord:
        face_type, size = FaceType(str(self.settings["face_type"])), int(self.settings["size"])
        if face.file and not face.changed:  # its file was deleted meanwhile
            return face.file.record
        record = FaceRecord.from_landmarks(
            face.points,
            face_type,
            size,
            level_eyes=bool(self.settings.get("align_eyes", False)),
            frame=frame,
            detector=MANUAL_DETECTOR,
            score=1.0,
            rect=face.rect,
        )
        record = replace(record, landmarker=self._run.models.landmarker_name)
        return replace(record, polygons=face.file.record.polygons) if face.file else record

    def _note(self, frame: OpenFrame, names: list[str]) -> None:
        log = self._run.log
        tried = str(log.entries.get(frame.path.name, {}).get("tried", ""))
        with log.writing():
            if log.settings is None:
                log.begin(self.settings)
            result = ExtractedFrame(frame.path, frame.file, names)
            log.note(result, self.settings, by=FINISHED_MANUALLY, **({"tried": tried} if tried else {}))
