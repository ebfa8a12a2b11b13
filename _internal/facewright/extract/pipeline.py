"""From frames on disk to saved faces: read, search, find landmarks, cut, save, draw.

Three things run at once: threads read frames ahead, the calling thread searches them in batches, threads cut
and save. Pictures in flight are bounded, whatever the number of frames.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facewright.core import workers
from facewright.core.errors import UserError
from facewright.core.files import make_folder, move_to_trash
from facewright.core.images import Image, read_image, single_threaded_opencv, write_image
from facewright.extract.detection import ONCE, READ_AHEAD, Frame, Look, search
from facewright.extract.detection import FrameFile as FrameFile
from facewright.extract.detection import Seen as Seen
from facewright.extract.detectors.base import Box, Detector
from facewright.extract.filters import Check, Dropped, Judged, judge
from facewright.extract.landmarks import Landmarker
from facewright.extract.overlay import LeftOut
from facewright.extract.overlay import annotate as annotate
from facewright.extract.overlay import debug_file as debug_file
from facewright.faces.align import FaceType, align_matrix, cut, transform_points
from facewright.faces.pose import head_pose
from facewright.faces.record import FaceRecord, load_record, save_face

# Frames that are written together.
FRAMES_AT_ONCE = 6
PIXELS_AT_ONCE = 6_000_000


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
        return self.write_all([seen])[0]

    def write_all(self, group: Sequence[Seen]) -> list[Outcome]:
        """Save all faces of several frames; checks are asked about all of them together."""
        pictures = [self._judged(seen, seen.picture) for seen in group if seen.picture is not None]
        judge(pictures, self.checks, smallest=self.smallest, most=self.most)
        judged = iter(pictures)
        return [self._huge(seen) if seen.picture is None else self._write(seen, next(judged)) for seen in group]

    def _huge(self, seen: Seen) -> Outcome:
        """Write a frame whose picture was not kept."""
        if seen.problem is not None or (not seen.boxes and not self.debug_dir):
            return Outcome(seen.path, seen.file, [], seen.problem)
        with self.one_huge_frame:
            try:
                picture = read_image(seen.path)
            except UserError as error:  # it was taken away meanwhile
                return Outcome(seen.path, None, [], error)
            judged = self._judged(seen, picture)
            judge([judged], self.checks, smallest=self.smallest, most=self.most)
            return self._write(seen, judged)

    def _judged(self, seen: Seen, picture: Image) -> Judged:
        return Judged(picture, seen.boxes, lambda box: self._record(picture, seen.path.name, box))

    def _write(self, seen: Seen, judged: Judged) -> Outcome:
        names: list[str] = []
        number = 0  # goes on over all folders, so that a face can be put back among the others
        for verdict in judged.verdicts:
            if verdict.record is None or not verdict.saved:
                continue
            folder = verdict.why_not.folder if verdict.why_not else self.aligned_dir
            name = f"{seen.path.stem}_{number}.png"
            self._save(make_folder(folder or self.aligned_dir) / name, judged.picture, verdict.record)
            number += 1
            if verdict.why_not is None:
                names.append(name)
        if self.debug_dir:
            write_image(debug_file(self.debug_dir, seen.path), _annotated(judged))
        dropped = [verdict.why_not for verdict in judged.verdicts if verdict.why_not]
        return Outcome(seen.path, seen.file, names, None, dropped)

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
    with single_threaded_opencv(), workers.threads(threads) as readers, workers.threads(threads) as writers:
        groups = _groups(search(frames, detector, readers, look, ahead=ahead))
        for outcomes in workers.ordered_map(writer.write_all, groups, writers, ahead=threads + 1):
            yield from outcomes


def _groups(all_seen: Iterable[Seen]) -> Iterator[list[Seen]]:
    """Yield a few frames at a time, so that checks may look at many faces at once; huge frames go alone."""
    group: list[Seen] = []
    pixels = 0
    for seen in all_seen:
        size = PIXELS_AT_ONCE if seen.picture is None else seen.picture.shape[0] * seen.picture.shape[1]
        if group and pixels + size > PIXELS_AT_ONCE:
            yield group
            group, pixels = [], 0
        group.append(seen)
        pixels += size
        if len(group) == FRAMES_AT_ONCE:
            yield group
            group, pixels = [], 0
    if group:
        yield group


def _annotated(judged: Judged) -> Image:
    records: list[FaceRecord] = []
    left_out: list[LeftOut] = []
    for verdict in judged.verdicts:
        box, record = verdict.box, verdict.record
        if verdict.why_not:
            left_out.append((box.rect, None if record is None else record.frame_landmarks, verdict.why_not.why))
        elif record is not None:
            records.append(record)
    return annotate(judged.picture, records, left_out)
