"""From frames on disk to saved faces: read, search, find landmarks, cut, save, draw.

Three things run at once: threads read frames ahead, the calling thread searches them in batches, threads cut
and save. Pictures in flight are bounded, whatever the number of frames.
"""

import contextlib
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core import workers
from facewright.core.errors import UserError
from facewright.core.files import move_to_trash
from facewright.core.images import Image, decode, read_image, write_image
from facewright.detect.base import Box, Detector, largest_first
from facewright.detect.landmarks import Landmarker
from facewright.faces.align import FaceType, align_matrix, cut, invert, transform_points
from facewright.faces.pose import head_pose
from facewright.faces.record import FaceRecord, load_record, save_face

READ_AHEAD = 8  # frames, on top of one batch
WRITE_AHEAD = 6
KEPT_PIXELS = 9_000_000  # a larger frame is read a second time rather than kept while it waits
BLUE, GREEN, RED = (255, 0, 0), (0, 255, 0), (0, 0, 255)


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
class FrameFile:
    """What tells whether a frame is still the one that was searched."""

    name: str
    size: int
    mtime: int
    crc: int


@dataclass(frozen=True)
class Seen:
    """A frame after the search.

    Attributes:
        path: The frame.
        file: None when it could not be read.
        picture: (h, w, 3) uint8 BGR; None when it is too large to be kept, or unreadable.
        boxes: In the frame's pixels, largest first.
        problem: Why it could not be read.
    """

    path: Path
    file: FrameFile | None = None
    picture: Image | None = None
    boxes: list[Box] = field(default_factory=list)
    problem: UserError | None = None


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
        dropped: list[Dropped] = []
        for box in seen.boxes:
            record = self._checked(picture, self._record(picture, seen.path.name, box))
            if isinstance(record, Dropped):
                dropped.append(record)
                continue
            face = picture if self.face_type is FaceType.MARK_ONLY else cut(picture, record.matrix, self.size)
            name = f"{seen.path.stem}_{len(names)}.png"
            self._make_way(self.aligned_dir / name, seen.path.name)
            save_face(self.aligned_dir / name, np.asarray(face, np.uint8), record)
            names.append(name)
            records.append(record)
        if self.debug_dir:
            write_image(debug_file(self.debug_dir, seen.path), annotate(picture, records))
        return Outcome(seen.path, seen.file, names, None, dropped)

    def _record(self, picture: Image, frame: str, box: Box) -> FaceRecord:
        points = self.landmarker.find(picture, self.detector.landmark_square(box))
        matrix = align_matrix(points, self.face_type, self.size)
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

    def _checked(self, picture: Image, record: FaceRecord) -> FaceRecord | Dropped:
        for check in self.checks:
            passed = check(picture, record)
            if passed is None or isinstance(passed, Dropped):
                return passed or UNTOLD
            record = passed
        return record

    def _make_way(self, path: Path, frame: str) -> None:
        """A file of that name may be another frame's face that the user renamed."""
        if not path.exists():
            return
        try:
            if load_record(path).frame == frame:
                return
        except UserError:
            pass
        move_to_trash([path], self.trash)


def extract(paths: Sequence[Path], detector: Detector, writer: FaceWriter, *, zoom: float = 1.0) -> Iterator[Outcome]:
    """Search frames and save their faces; outcomes come in the order of the frames, when all is on disk."""
    threads = max(2, workers.cores())
    with _single_threaded_opencv(), workers.threads(threads) as readers, workers.threads(threads) as writers:
        seen = search(paths, detector, readers, zoom=zoom)
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


def search(paths: Iterable[Path], detector: Detector, readers: Executor, *, zoom: float = 1.0) -> Iterator[Seen]:
    """Yield each frame with its boxes, in order.

    Args:
        paths: The frames.
        detector: Searches them, in the calling thread.
        readers: Reads frames ahead.
        zoom: Enlarge the frames by this factor for the search, to find small faces.
    """

    def load(path: Path) -> _Loaded:
        return _load(path, detector.longest, zoom)

    batch: list[_Loaded] = []
    for loaded in workers.ordered_map(load, paths, readers, ahead=READ_AHEAD * 2):
        full = batch and (
            loaded.view is None
            or loaded.view.shape != _shape(batch[0])
            or len(batch) >= detector.batch(*_shape(batch[0])[:2])
        )
        if full:
            yield from _searched(batch, detector)
            batch = []
        if loaded.view is None:
            yield loaded.seen
        else:
            batch.append(loaded)
    if batch:
        yield from _searched(batch, detector)


@dataclass(frozen=True)
class _Loaded:
    """A frame on its way to the detector; `view` is the picture that is searched, `factor` times the frame."""

    seen: Seen
    view: Image | None = None
    factor: float = 1.0


def _shape(loaded: _Loaded) -> tuple[int, ...]:
    assert loaded.view is not None
    return loaded.view.shape


def _load(path: Path, longest: int, zoom: float) -> _Loaded:
    try:
        status = path.stat()
        data = path.read_bytes()
        picture = decode(data, path.name)
    except OSError as error:
        problem = UserError(f"{path.name} cannot be read: {error.strerror}.", "a frame.", "extract the frames again.")
        return _Loaded(Seen(path, problem=problem))
    except UserError as error:
        return _Loaded(Seen(path, problem=error))
    file = FrameFile(path.name, len(data), status.st_mtime_ns, zlib.crc32(data))
    factor = min(zoom, longest * zoom / max(picture.shape[:2]))
    view = picture
    if factor != 1.0:
        height, width = (max(1, round(side * factor)) for side in picture.shape[:2])
        way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        view = np.asarray(cv2.resize(picture, (width, height), interpolation=way), np.uint8)
    kept = picture if picture.shape[0] * picture.shape[1] <= KEPT_PIXELS else None
    return _Loaded(Seen(path, file, kept), view, factor)


def _searched(batch: list[_Loaded], detector: Detector) -> Iterator[Seen]:
    views = [loaded.view for loaded in batch if loaded.view is not None]
    for loaded, boxes in zip(batch, detector.detect(views), strict=True):
        back = largest_first([box.scaled(1 / loaded.factor) for box in boxes])
        yield Seen(loaded.seen.path, loaded.seen.file, loaded.seen.picture, back)


def debug_file(folder: Path, frame: Path) -> Path:
    """Return the path of a frame's annotated copy."""
    return folder / f"{frame.stem}_debug.jpg"


def annotate(frame: Image, records: Sequence[FaceRecord]) -> Image:
    """Return a copy of the frame with each face's box (blue), landmarks (green) and aligned square (red)."""
    picture = frame.copy()
    line = max(1, round(max(frame.shape[:2]) / 640))
    for record in records:
        left, top, right, bottom = (round(value) for value in record.rect)
        cv2.rectangle(picture, (left, top), (right, bottom), BLUE, line)
        if record.face_type is not FaceType.MARK_ONLY:
            square = np.array([(0, 0), (record.size, 0), (record.size, record.size), (0, record.size)], float)
            cv2.polylines(picture, [_whole(transform_points(square - 0.5, invert(record.matrix)))], True, RED, line)
        for point in _whole(record.frame_landmarks):
            cv2.circle(picture, (int(point[0]), int(point[1])), line, GREEN, -1)
    return picture


def _whole(points: NDArray[np.floating]) -> NDArray[np.int32]:
    return np.asarray(points, np.float64).round().astype(np.int32)
