"""From frames to saved faces: detect, find landmarks, filter, cut and write.

    extract_frames                       this file
      detect_frames                      detection.py: a frame -> its boxes
      FaceExtractor.extract              this file, for a few frames at a time:
        landmarker.find                    landmarkers/: a box -> its landmarks
        FaceRecord.from_landmarks          faces/record.py, with faces/align.py: landmarks -> matrix, pose
        apply_filters                      filters.py: which of them are kept
        record.cut, save_face              faces/record.py: the aligned image and its file

Three things run at once: threads read frames ahead, the calling thread detects in batches, threads find landmarks,
filter, cut and save. Images in memory are bounded, whatever the number of frames.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path

from facewright.core import workers
from facewright.core.errors import UserError
from facewright.core.files import make_folder, move_to_trash
from facewright.core.images import Image, read_image, single_threaded_opencv, write_image
from facewright.core.machine import cores
from facewright.extract.detection import READ_AHEAD, DetectionOptions, Detections, FrameFile, FrameInput, detect_frames
from facewright.extract.detectors.base import DEFAULT_DETECTOR, Box, Detector, make_detector
from facewright.extract.filters import (
    Candidate,
    EachFace,
    FaceFilter,
    FrameCandidates,
    Rejection,
    apply_filters,
    reject_false_face,
)
from facewright.extract.landmarkers.base import DEFAULT_LANDMARKER, FoundMesh, Landmarker, MeshFinder, make_landmarker
from facewright.extract.overlay import debug_file, draw_detections
from facewright.faces.align import FaceType
from facewright.faces.record import FaceRecord, load_record, save_face

# Frames that are written together, so that filters may look at many faces at once.
MAX_GROUP_FRAMES = 6
MAX_GROUP_PIXELS = 6_000_000


@dataclass(frozen=True)
class ExtractionConfig:
    """How faces are found, cut and kept: plain values, which can be sent to another process.

    Attributes:
        aligned_dir: Where faces go, as `<frame stem>_<k>.png`, k from 0 for the largest face.
        trash: Where a file goes that is in the way and belongs to another frame.
        face_type: How much of the head an aligned image shows.
        size: Its side in pixels (mark_only: the whole frame is saved as it is).
        debug_dir: Where annotated frames go, None for none.
        min_face_px: Boxes whose longer side is shorter, in pixels of the frame, are left out.
        max_faces: So many faces of a frame are kept, the largest that pass the filters; 0 keeps all.
        level_eyes: Rotate the aligned image so that the eyes are level.
        second_pass: Run the landmarker's second pass.
        zoom: Enlarge frames by this factor for the detector.
        rotations: Angles (degrees, clockwise) at which frames without a certain face are searched too.
    """

    aligned_dir: Path
    trash: Path
    face_type: FaceType = FaceType.FULL
    size: int = 256
    debug_dir: Path | None = None
    min_face_px: float = 0.0
    max_faces: int = 0
    level_eyes: bool = False
    second_pass: bool = False
    zoom: float = 1.0
    rotations: tuple[float, ...] = ()

    @property
    def detection(self) -> DetectionOptions:
        """What the detection needs of it."""
        return DetectionOptions(self.zoom, self.rotations, self.min_face_px)


@dataclass(frozen=True)
class ExtractedFrame:
    """What became of a frame.

    Attributes:
        path: The frame.
        file: None when it could not be read.
        faces: The names of the saved files.
        problem: Why it could not be read.
        rejections: Of the faces that were left out.
        boxes: (left, top, right, bottom) of all faces: first of those in `faces`, then of those that were left out.
    """

    path: Path
    file: FrameFile | None
    faces: list[str]
    problem: UserError | None = None
    rejections: list[Rejection] = field(default_factory=list)
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)

    @property
    def gone(self) -> bool:
        """Whether the frame was taken away before it could be read."""
        return self.problem is not None and not self.path.exists()


@dataclass(frozen=True)
class FaceExtractor:
    """Turns boxes into saved faces; may be called from several threads.

    Attributes:
        config: How faces are cut and kept.
        detector: Its name goes into the record, its boxes are mapped to face squares.
        landmarker: Finds the landmarks.
        filters: Asked in turn about each face.
        one_huge_frame: Held while a frame is in memory that was too large to be kept.
    """

    config: ExtractionConfig
    detector: Detector
    landmarker: Landmarker
    filters: Sequence[FaceFilter] = ()
    one_huge_frame: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def extract(self, group: Sequence[Detections]) -> list[ExtractedFrame]:
        """Save the faces of a few frames; frames that could not be read pass through."""
        frames = [FrameCandidates(frame, frame.image) for frame in group if frame.image is not None]
        self._choose(frames)
        chosen = iter(frames)
        return [self._extract_huge(frame) if frame.image is None else self._write(next(chosen)) for frame in group]

    def _extract_huge(self, frame: Detections) -> ExtractedFrame:
        """Save the faces of a frame whose image was not kept."""
        if frame.problem is not None or (not frame.boxes and not self.config.debug_dir):
            return ExtractedFrame(frame.path, frame.file, [], frame.problem)
        with self.one_huge_frame:
            try:
                candidates = FrameCandidates(frame, read_image(frame.path))
            except UserError as error:  # it was taken away meanwhile
                return ExtractedFrame(frame.path, None, [], error)
            self._choose([candidates])
            return self._write(candidates)

    def _choose(self, frames: Sequence[FrameCandidates]) -> None:
        """Find landmarks and apply the filters, in rounds: no more landmarks are found than it takes."""
        config = self.config
        while True:
            faces: list[tuple[Image, Candidate]] = []
            for frame in frames:
                for candidate in frame.next_round(config.min_face_px, config.max_faces):
                    candidate.record = self.record(frame.image, frame.frame.path.name, candidate.box)
                    faces.append((frame.image, candidate))
            if not faces:
                return
            apply_filters(self.filters, faces)

    def record(self, image: Image, frame: str, box: Box) -> FaceRecord:
        """Find the landmarks of a box and align the face by them."""
        square = box.square or self.detector.face_square(box)
        found: FoundMesh | None = None
        if isinstance(self.landmarker, MeshFinder):
            found = self.landmarker.find_mesh(image, square, accurate=self.config.second_pass)
        points = found.points if found else self.landmarker.find(image, square, accurate=self.config.second_pass)
        record = FaceRecord.from_landmarks(
            points,
            self.config.face_type,
            self.config.size,
            level_eyes=self.config.level_eyes,
            frame=frame,
            detector=self.detector.name,
            score=box.score,
            rect=box.rect,
        )
        record = replace(record, landmarker=self.landmarker.name)
        return replace(record, mesh=found.mesh, mesh_score=found.score) if found else record

    def _write(self, frame: FrameCandidates) -> ExtractedFrame:
        """Cut and save what was chosen."""
        path = frame.frame.path
        names: list[str] = []
        number = 0  # goes on over all folders, so that a face can be put back among the others
        for candidate in frame.candidates:
            if candidate.record is None or not candidate.saved:
                continue
            folder = candidate.rejection.folder if candidate.rejection else None
            file = make_folder(folder or self.config.aligned_dir) / f"{path.stem}_{number}.png"
            self._make_way(file, path.name)
            save_face(file, candidate.record.cut(frame.image), candidate.record)
            number += 1
            if candidate.rejection is None:
                names.append(file.name)
        if self.config.debug_dir:
            write_image(debug_file(self.config.debug_dir, path), _debug_image(frame))
        rejections = [candidate.rejection for candidate in frame.candidates if candidate.rejection]
        boxes = [one.box.rect for one in frame.candidates if one.saved and not one.rejection]
        boxes += [one.box.rect for one in frame.candidates if one.rejection and not one.rejection.not_a_face]
        return ExtractedFrame(path, frame.frame.file, names, None, rejections, boxes)

    def _make_way(self, path: Path, frame: str) -> None:
        """A file of that name may be another frame's face that the user renamed."""
        if not path.exists():
            return
        try:
            if load_record(path).frame == frame:
                return
        except UserError:
            pass
        move_to_trash([path], self.config.trash, by="extract")


def extract_faces(
    frames: Iterable[FrameInput], extractor: FaceExtractor, executor: Executor, *, ahead: int = READ_AHEAD
) -> Iterator[ExtractedFrame]:
    """Find and save the faces of frames; results come in the order of the frames, when all is on disk.

    Args:
        frames: Files, or decoded frames of a video.
        extractor: What does it.
        executor: Threads that read frames and save faces, see `worker_count`.
        ahead: How many frames may be in memory before the detection.
    """
    detections = detect_frames(frames, extractor.detector, executor, extractor.config.detection, ahead=ahead)
    with single_threaded_opencv():
        groups = workers.ordered_map(
            extractor.extract, _grouped(detections), executor, ahead=pipeline_workers() // 2 + 1
        )
        for results in groups:
            yield from results


def pipeline_workers() -> int:
    """Return how many threads the pipeline can use: as many that read as there are that save."""
    return 2 * max(2, cores())


def extract_chunk(
    paths: Sequence[Path],
    config: ExtractionConfig,
    *,
    detector: str = DEFAULT_DETECTOR,
    landmarker: str = DEFAULT_LANDMARKER,
) -> list[ExtractedFrame]:
    """Extract frames with models of one's own: a unit of work for another process or machine.

    Arguments and results can be pickled. The journal stays with the caller, who notes the results.

    Raises:
        UserError: A model cannot be loaded, or a face cannot be saved.
    """
    filters = (EachFace(reject_false_face),)
    extractor = FaceExtractor(config, make_detector(detector), make_landmarker(landmarker), filters)
    with workers.threads(pipeline_workers()) as executor:
        return list(extract_faces(paths, extractor, executor))


def _grouped(frames: Iterable[Detections]) -> Iterator[list[Detections]]:
    """Yield a few frames at a time; huge frames go alone."""
    group: list[Detections] = []
    pixels = 0
    for frame in frames:
        size = MAX_GROUP_PIXELS if frame.image is None else frame.image.shape[0] * frame.image.shape[1]
        if group and pixels + size > MAX_GROUP_PIXELS:
            yield group
            group, pixels = [], 0
        group.append(frame)
        pixels += size
        if len(group) == MAX_GROUP_FRAMES:
            yield group
            group, pixels = [], 0
    if group:
        yield group


def _debug_image(frame: FrameCandidates) -> Image:
    records = [one.record for one in frame.candidates if one.record is not None and not one.rejection]
    rejected = [
        (one.box.rect, None if one.record is None else one.record.frame_landmarks, one.rejection.reason)
        for one in frame.candidates
        if one.rejection
    ]
    return draw_detections(frame.image, records, rejected)
