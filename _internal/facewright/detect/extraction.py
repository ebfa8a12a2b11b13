"""From frames on disk to saved faces: read, search, find landmarks, cut, save, draw.

Three things run at once: threads read frames ahead, the calling thread searches them in batches, threads cut
and save. Pictures in flight are bounded, whatever the number of frames.
"""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from facewright.core import workers
from facewright.core.errors import UserError
from facewright.core.files import make_folder, move_to_trash
from facewright.core.images import Image, read_image, write_image
from facewright.detect.annotate import LeftOut
from facewright.detect.annotate import annotate as annotate
from facewright.detect.annotate import debug_file as debug_file
from facewright.detect.base import Box, Detector
from facewright.detect.landmarks import Landmarker
from facewright.detect.search import ONCE, READ_AHEAD, Frame, Look, search
from facewright.detect.search import FrameFile as FrameFile
from facewright.detect.search import Seen as Seen
from facewright.faces.align import FaceType, align_matrix, cut, transform_points
from facewright.faces.pose import head_pose
from facewright.faces.record import FaceRecord, load_record, save_face

WRITE_AHEAD = 6


@dataclass(frozen=True)
class Dropped:
    """Why a face is not saved among the others.

    Attributes:
        why: In a few words, for the report and the debug picture: "smaller than 40 px".
        folder: Where it is saved instead; None for nowhere.
        no_face: It is something else that was taken for a face, so its frame may still hide a true one.
    """

    why: str
    folder: Path | None = None
    no_face: bool = False


# The frame and what was found in it -> the record to be saved (with more in it, perhaps), or why it is left out.
Check = Callable[[Image, FaceRecord], FaceRecord | Dropped | None]
UNTOLD = Dropped("left out")  # what None stands for


@dataclass(frozen=True)
class Outcome:
    """What became of a frame.

    Attributes:
        path: The frame.
        file: None when it could not be read.
        faces: The names of the saved files.
        problem: Why it could not be read.
        dropped: The faces that were left out.
    """

    path: Path
    file: FrameFile | None
    faces: list[str]
    problem: UserError | None
    dropped: list[Dropped] = field(default_factory=list)

    @property
    def gone(self) -> bool:
        """Whether the frame was taken away before it could be read."""
        return self.problem is not None and not self.path.exists()


@dataclass(frozen=True)
class FaceWriter:
    """Cuts and saves the faces of one frame after the other; may be called from several threads.

    Attributes:
        aligned_dir: Where faces go, as `<frame stem>_<k>.png`, k from 0 for the largest face.
        trash: Where a file goes that is in the way and belongs to another frame.
        detector: Its name goes into the record, its boxes are mapped for the landmarks.
        landmarker: Finds the 68 points.
        face_type: What the picture shows.
        size: Its side in pixels (mark_only: the whole frame is saved as it is).
        debug_dir: Where annotated frames go, None for none.
        checks: Asked one after the other about each face, in several threads at once.
        smallest: Boxes whose longer side is shorter, in pixels of the frame, are left out.
        most: So many faces of a frame are kept, the largest that pass the checks; 0 keeps all.
        level_eyes: Turn the picture so that the eyes are level.
        second_pass: Look at the landmarks a second time.
        one_huge_frame: Held while a frame is in memory that was too large to be kept.
    """

    aligned_dir: Path
    trash: Path
    detector: Detector
    landmarker: Landmarker
    face_type: FaceType
    size: int
    debug_dir: Path | None = None
    checks: tuple[Check, ...] = ()
    smallest: float = 0.0
    most: int = 0
    level_eyes: bool = False
    second_pass: bool = False
    one_huge_frame: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def write(self, seen: Seen) -> Outcome:
        """Save all faces of a frame; a frame that could not be read passes through."""
        if seen.problem is not None:
            return Outcome(seen.path, seen.file, [], seen.problem)
        if seen.picture is not None:
            return self._write(seen, seen.picture)
        if not seen.boxes and not self.debug_dir:
            return Outcome(seen.path, seen.file, [], None)
        with self.one_huge_frame:
            try:
                picture = read_image(seen.path)
            except UserError as error:  # it was taken away meanwhile
                return Outcome(seen.path, None, [], error)
            return self._write(seen, picture)

    def _write(self, seen: Seen, picture: Image) -> Outcome:
        names: list[str] = []
        records: list[FaceRecord] = []
        left_out: list[LeftOut] = []
        dropped: list[Dropped] = []
        number = 0  # goes on over all folders, so that a face can be put back among the others
        for box in seen.boxes:
            record, why_not = self._judged(picture, seen.path.name, box, number)
            if why_not is not None:
                dropped.append(why_not)
                left_out.append((box.rect, None if record is None else record.frame_landmarks, why_not.why))
            folder = self.aligned_dir if why_not is None else why_not.folder
            if record is None or folder is None:
                continue
            name = f"{seen.path.stem}_{number}.png"
            self._save(make_folder(folder) / name, picture, record)
            number += 1
            if why_not is None:
                names.append(name)
                records.append(record)
        if self.debug_dir:
            write_image(debug_file(self.debug_dir, seen.path), annotate(picture, records, left_out))
        return Outcome(seen.path, seen.file, names, None, dropped)

    def _judged(self, picture: Image, frame: str, box: Box, number: int) -> tuple[FaceRecord | None, Dropped | None]:
        """Return the face's record where its landmarks were looked for, and why it is left out, if it is."""
        if box.longer < self.smallest:
            return None, Dropped(f"smaller than {self.smallest:g} px")
        if self.most and number >= self.most:
            return None, Dropped(f"beyond the {self.most} largest" if self.most > 1 else "not the largest")
        record = self._record(picture, frame, box)
        for check in self.checks:
            passed = check(picture, record)
            if passed is None or isinstance(passed, Dropped):
                return record, passed or UNTOLD
            record = passed
        return record, None

    def _save(self, path: Path, picture: Image, record: FaceRecord) -> None:
        face = picture if self.face_type is FaceType.MARK_ONLY else cut(picture, record.matrix, self.size)
        self._make_way(path, record.frame)
        save_face(path, np.asarray(face, np.uint8), record)

    def _record(self, picture: Image, frame: str, box: Box) -> FaceRecord:
        square = box.square or self.detector.landmark_square(box)
        points = self.landmarker.find(picture, square, accurate=self.second_pass)
        matrix = align_matrix(points, self.face_type, self.size, level_eyes=self.level_eyes)
        return FaceRecord(
            face_type=self.face_type,
            size=0 if self.face_type is FaceType.MARK_ONLY else self.size,
            landmarks=transform_points(points, matrix).astype(np.float32),
            frame_landmarks=points,
            frame=frame,
            detector=self.detector.name,
            score=box.score,
            rect=box.rect,
            matrix=matrix,
            pose=head_pose(points),
        )

    def _make_way(self, path: Path, frame: str) -> None:
        """A file of that name may be another frame's face that the user renamed."""
        if not path.exists():
            return
        try:
            if load_record(path).frame == frame:
                return
        except UserError:
            pass
        move_to_trash([path], self.trash, by="extract")


def extract(
    frames: Iterable[Frame], detector: Detector, writer: FaceWriter, look: Look = ONCE, *, ahead: int = READ_AHEAD
) -> Iterator[Outcome]:
    """Search frames and save their faces; outcomes come in the order of the frames, when all is on disk."""
    threads = max(2, workers.cores())
    with _single_threaded_opencv(), workers.threads(threads) as readers, workers.threads(threads) as writers:
        seen = search(frames, detector, readers, look, ahead=ahead)
        yield from workers.ordered_map(writer.write, seen, writers, ahead=WRITE_AHEAD)


@contextlib.contextmanager
def _single_threaded_opencv() -> Iterator[None]:
    """Frames go side by side here; OpenCV's own threads on top of that would only get in each other's way."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
