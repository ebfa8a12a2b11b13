"""What is done on the gallery's page: faces go to the trash and come back; images are made on request."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facewright.core.console import counted
from facewright.core.errors import UserError
from facewright.core.files import NOTE, FreeNames, TrashBatch, make_folder, move, move_to_trash, read_json, tidy
from facewright.core.images import encode, read_image
from facewright.core.workspace import Side, Workspace
from facewright.extract.log import ExtractionLog
from facewright.extract.open_frames import doubts, open_frames
from facewright.faces.faceset import FaceFile, FaceIndex
from facewright.faces.occlusion import is_covered
from facewright.faces.record import load_record
from facewright.facesets.looks import Looks
from facewright.facesets.statistics import PITCHES, YAWS, MeasuredFace
from facewright.ui.contact_sheet import fit

THUMB_PX, THUMB_QUALITY = 144, 80
KEPT_BYTES = 64 << 20  # of small images in memory: those of about 12,000 faces
LARGE_PX, LARGE_QUALITY = 1024, 92
ORIGINS = {"repaired": "its landmarks were repaired", "filled": "it was filled in from the frames around it"}
BY = "view --serve"  # in the note of the trash


@dataclass(frozen=True)
class Trashed:
    """Faces that went to the trash together.

    Attributes:
        folder: Where they are.
        faces: Their numbers in the gallery, by the name that each has there.
    """

    folder: Path
    faces: dict[str, int]


def odd_faces_of(side: Side, faces: FaceIndex, measured: Mapping[str, MeasuredFace]) -> dict[str, str]:
    """Return why faces may be none, or lie badly, by the names of their files; faces that are fine are left out.

    Args:
        side: Whose.
        faces: All of the side.
        measured: Measurements by file name; a face without any is damaged.
    """
    log = ExtractionLog.read(side)
    searched = log.settings is not None
    told = [reasons for one in open_frames(side, log, faces) for reasons in one.faces.items()] if searched else []
    by_name = dict(told)
    found = {}
    for face in faces.faces:
        seen, record = measured.get(face.path.name), face.record
        reasons = [*by_name.get(face.path.name, ())] if searched else doubts(record, None)
        if seen is None:
            reasons.append("its image is damaged")
        elif seen.outside:
            reasons.append("landmarks lie outside of its image")
        if record.origin in ORIGINS:
            reasons.append(ORIGINS[record.origin])
        if reasons:
            found[face.path.name] = "; ".join(reasons)
    return found


class Gallery:
    """The faces of a side while the page is open; methods may be called in several threads at once.

    Args:
        workspace: The project, whose lock of the side is held meanwhile.
        side: Whose faces.
        faces: All of them.
        measured: Measurements by file name; a face without any is damaged.
        odd: Why faces are suspicious, by file name: see `odd_faces_of`.
        other: Looks of the other side's faces.
        executor: Threads that make small images.
    """

    def __init__(
        self,
        workspace: Workspace,
        side: Side,
        faces: Sequence[FaceFile],
        measured: Mapping[str, MeasuredFace],
        odd: Mapping[str, str],
        other: Looks,
        executor: Executor,
    ) -> None:
        self._workspace, self._side, self._executor = workspace, side, executor
        self._faces, self._other = list(faces), other
        self._odd = [odd.get(face.path.name, "") for face in faces]
        self._seen = [measured.get(face.path.name) for face in faces]
        self._lock = threading.Lock()
        self._gone: set[int] = set()
        self._undo: list[Trashed] = []
        self._thumbs: OrderedDict[int, bytes] = OrderedDict()
        self._thumb_bytes = 0
        self._keeping = threading.Lock()

    @property
    def trashed(self) -> int:
        """Number of faces that this page put into the trash, and that are still there."""
        return sum(len(batch.faces) for batch in self._undo)

    def columns(self) -> dict[str, Any]:
        """Return what the page knows of all faces, a list per measure; the number of a face is its place in them."""
        records = [face.record for face in self._faces]

        def measure(name: str) -> list[float]:
            return [round(float(getattr(seen, name)), 1) if seen else 0.0 for seen in self._seen]

        return {
            "names": [face.path.name for face in self._faces],
            "frames": [record.frame for record in records],
            "yaw": [round(float(record.pose[0]), 1) for record in records],
            "pitch": [round(float(record.pose[1]), 1) for record in records],
            "person": [record.person or 0 for record in records],
            "covered": [int(is_covered(record)) for record in records],
            "odd": self._odd,
            "side": measure("side"),
            "sharp": measure("sharpness"),
            "light": measure("brightness"),
            "yaws": YAWS.tolist(),
            "pitches": PITCHES.tolist(),
            "other": np.round(self._other.poses, 1).tolist(),
        }

    def state(self) -> dict[str, Any]:
        """Return what changes: numbers of the faces that are gone, and how many the next undo brings back."""
        with self._lock:
            return {"gone": sorted(self._gone), "undo": len(self._undo[-1].faces) if self._undo else 0}

    def trash(self, numbers: Sequence[int]) -> str:
        """Move faces to the trash; return what happened, in a sentence.

        Raises:
            UserError: They cannot be moved.
            ValueError: There is no such face.
        """
        with self._lock:
            wanted = [number for number in dict.fromkeys(map(self._checked, numbers)) if number not in self._gone]
            there = [number for number in wanted if self._is_there(number)]
            self._gone |= set(wanted)  # what vanished by itself is gone too
            before = {self._faces[number].path: number for number in there}
            try:
                folder = move_to_trash(list(before), self._workspace.trash, by=BY)
            except UserError:
                self._gone -= {number for number in there if self._faces[number].path.exists()}
                raise
            if folder is not None:
                self._undo.append(Trashed(folder, _names_there(folder, before)))
            lost = len(wanted) - len(there)
            told = f"{counted(len(there), 'face')} moved to the trash."
            return told + (f" {counted(lost, 'file')} had vanished, or shows another face now." if lost else "")

    def undo(self) -> str:
        """Bring the last faces back from the trash; return what happened, in a sentence.

        Raises:
            UserError: They cannot be moved.
        """
        with self._lock:
            if not self._undo:
                return "There is nothing to undo."
            batch = self._undo[-1]
            names = FreeNames(make_folder(self._side.aligned_dir))
            back = 0
            for name, number in batch.faces.items():
                target = names.find(self._faces[number].path.name)
                if move(batch.folder / name, target):
                    self._faces[number] = FaceFile(target, self._faces[number].record)
                    self._gone.discard(number)
                    back += 1
            self._undo.pop()
            tidy(TrashBatch(batch.folder, "", "", ()))
            lost = len(batch.faces) - back
            return f"{counted(back, 'face')} back." + (f" {lost} no longer in the trash." if lost else "")

    def thumbs(self, numbers: Sequence[int]) -> list[bytes]:
        """Return small JPEG images of faces; b"" for one that cannot be read, or shows another face now."""
        return list(self._executor.map(self._thumb, map(self._checked, numbers)))

    def large(self, number: int) -> bytes:
        """Return a face as a JPEG of full size.

        Raises:
            UserError: It cannot be read.
            ValueError: There is no such face.
        """
        image = read_image(self._faces[self._checked(number)].path)
        if max(image.shape) > LARGE_PX:
            image = fit(image, (LARGE_PX, LARGE_PX))
        return encode(image, ".jpg", quality=LARGE_QUALITY)

    def _checked(self, number: int) -> int:
        if not 0 <= number < len(self._faces):
            raise ValueError(f"there is no face {number}")
        return number

    def _is_there(self, number: int) -> bool:
        """Whether a file still holds the face that the page shows: a user may rename files meanwhile."""
        known = self._faces[number]
        try:
            found = load_record(known.path)
        except UserError:
            return known.path.exists() and self._seen[number] is None
        return found.frame == known.record.frame and found.rect == known.record.rect

    def _thumb(self, number: int) -> bytes:
        with self._keeping:
            if number in self._thumbs:
                self._thumbs.move_to_end(number)
                return self._thumbs[number]
        try:
            image = read_image(self._faces[number].path) if self._is_there(number) else None
        except UserError:
            image = None
        if image is None:
            return b""
        small = encode(fit(image, (THUMB_PX, THUMB_PX)), ".jpg", quality=THUMB_QUALITY)
        with self._keeping:
            self._thumb_bytes += len(small) - len(self._thumbs.get(number, b""))
            self._thumbs[number] = small
            while self._thumb_bytes > KEPT_BYTES:
                self._thumb_bytes -= len(self._thumbs.popitem(last=False)[1])
        return small


def _names_there(folder: Path, before: Mapping[Path, int]) -> dict[str, int]:
    """Return the numbers of faces by their names in the trash, where A.png and a.png cannot both keep theirs."""
    numbers = {path.name: number for path, number in before.items()}
    noted = read_json(folder / NOTE, {})["files"]
    return {name: numbers[origin.rpartition("/")[2]] for name, origin in noted.items()}
