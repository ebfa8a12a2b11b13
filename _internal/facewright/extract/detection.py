"""Frames -> frames with boxes, in order: threads read ahead, the calling thread detects in batches of one size."""

import math
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from facewright.core import workers
from facewright.core.errors import UserError
from facewright.core.images import Image, decode
from facewright.core.safe_files import read_regular
from facewright.extract.detectors.base import Box, Detector, sort_largest_first
from facewright.extract.rotation import Rotation
from facewright.faces.shots import tiny_copy

READ_AHEAD = 16  # frames, one batch among them
MAX_KEPT_PIXELS = 9_000_000  # a larger frame is read a second time rather than kept while it waits


@dataclass(frozen=True)
class FrameFile:
    """What tells whether a frame is still the one that was searched.

    Attributes:
        name: Its file name.
        size: In bytes.
        mtime: Time of its last change in nanoseconds.
        crc: CRC-32 of its bytes.
        video: What tells the video that it came straight from; empty for a file, 0 stands in size, mtime and crc else.
        shape: (h, w) in pixels; zeros where nobody noted it.
        look: See `facewright.faces.shots.tiny_copy`; empty where nobody noted it.
    """

    name: str
    size: int
    mtime: int
    crc: int
    video: str = ""
    shape: tuple[int, int] = (0, 0)
    look: bytes = b""


@dataclass(frozen=True)
class DecodedFrame:
    """A frame that comes with its image, straight from a video.

    Attributes:
        path: Where the frame would be as a file.
        image: (h, w, 3) uint8 BGR.
        video: What tells the video from another.
    """

    path: Path
    image: Image
    video: str


FrameInput = Path | DecodedFrame


@dataclass(frozen=True)
class Detections:
    """A frame and the faces that were detected in it.

    Attributes:
        path: The frame.
        file: None when it could not be read.
        image: (h, w, 3) uint8 BGR; None when it is too large to be kept, or unreadable.
        boxes: In the frame's pixels, largest first.
        problem: Why it could not be read.
    """

    path: Path
    file: FrameFile | None = None
    image: Image | None = None
    boxes: list[Box] = field(default_factory=list)
    problem: UserError | None = None


@dataclass(frozen=True)
class DetectionOptions:
    """How faces are detected.

    Attributes:
        zoom: Enlarge frames by this factor, to find small faces.
        rotations: Where no face is certain, rotate the frame by each of these angles too (degrees, clockwise), and
            keep what is found at the best of them.
        min_face_px: Faces whose box has no side of so many of the frame's pixels need not be found.
    """

    zoom: float = 1.0
    rotations: tuple[float, ...] = ()
    min_face_px: float = 0.0


UNROTATED = DetectionOptions()
# Rotated frames are shrunk until the smallest face that is looked for has so many pixels: MTCNN is as certain there.
MIN_ROTATED_FACE_PX = 64
MIN_REPLACEMENT_RATIO = 0.7  # side of a certain face over that of the uncertain one whose place it takes
NO_FACE_SCORE = -math.inf


def detect_frames(
    frames: Iterable[FrameInput],
    detector: Detector,
    executor: Executor,
    options: DetectionOptions = UNROTATED,
    *,
    ahead: int = READ_AHEAD,
) -> Iterator[Detections]:
    """Yield each frame with its boxes, in order.

    Args:
        frames: Files, or decoded frames of a video.
        detector: Called in the calling thread.
        executor: Reads frames ahead.
        options: How faces are detected.
        ahead: How many frames may be in memory before the detection.
    """

    def load(frame: FrameInput) -> _LoadedFrame:
        return _load(frame, detector.max_side, options.zoom)

    batch: list[_LoadedFrame] = []
    for loaded in workers.ordered_map(load, frames, executor, ahead=ahead):
        full = batch and (
            loaded.view is None
            or loaded.view.shape != _shape(batch[0])
            or len(batch) >= detector.batch_size(*_shape(batch[0])[:2])
        )
        if full:
            yield from _detect_batch(batch, detector, options)
            batch = []
        if loaded.view is None:
            yield loaded.frame
        else:
            batch.append(loaded)
    if batch:
        yield from _detect_batch(batch, detector, options)


@dataclass(frozen=True)
class _LoadedFrame:
    """A frame on its way to the detector; `view` is the image that it gets, `factor` times the frame."""

    frame: Detections
    view: Image | None = None
    factor: float = 1.0


def _shape(loaded: _LoadedFrame) -> tuple[int, ...]:
    assert loaded.view is not None
    return loaded.view.shape


def _load(frame: FrameInput, max_side: int, zoom: float) -> _LoadedFrame:
    if isinstance(frame, DecodedFrame):
        file = FrameFile(frame.path.name, 0, 0, 0, frame.video, frame.image.shape[:2], tiny_copy(frame.image))
        return _LoadedFrame(Detections(frame.path, file, frame.image), *_view(frame.image, max_side, zoom))
    try:
        status = frame.stat()
        data = read_regular(frame, links=True)
        image = decode(data, frame.name)
    except OSError as error:
        problem = UserError(f"{frame.name} cannot be read: {error.strerror}.", "a frame.", "extract the frames again.")
        return _LoadedFrame(Detections(frame, problem=problem))
    except UserError as error:
        return _LoadedFrame(Detections(frame, problem=error))
    checksum, look = zlib.crc32(data), tiny_copy(image)
    file = FrameFile(frame.name, len(data), status.st_mtime_ns, checksum, shape=image.shape[:2], look=look)
    kept = image if image.shape[0] * image.shape[1] <= MAX_KEPT_PIXELS else None
    return _LoadedFrame(Detections(frame, file, kept), *_view(image, max_side, zoom))


def _view(image: Image, max_side: int, zoom: float) -> tuple[Image, float]:
    """Return the image that the detector gets, and how many times the frame it is."""
    factor = min(zoom, max_side * zoom / max(image.shape[:2]))
    if factor == 1.0:
        return image, factor
    height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (width, height), interpolation=interpolation), np.uint8), factor


def _detect_batch(batch: list[_LoadedFrame], detector: Detector, options: DetectionOptions) -> Iterator[Detections]:
    views = [loaded.view for loaded in batch if loaded.view is not None]
    smallest = options.min_face_px * min(loaded.factor for loaded in batch)
    found = _detected(detector, views, smallest)
    if options.rotations:
        found = _detect_rotated(detector, views, found, options.rotations, smallest)
    for loaded, boxes in zip(batch, found, strict=True):
        yield replace(loaded.frame, boxes=sort_largest_first([box.scaled(1 / loaded.factor) for box in boxes]))


def _detect_rotated(
    detector: Detector, views: list[Image], found: list[list[Box]], angles: tuple[float, ...], smallest: float
) -> list[list[Box]]:
    """Return what is found, rotated views included, in the views' own pixels: at the angle with the highest score.

    The first angle at which something is found would not do, 0 degrees included: detectors also find things in the
    place of faces that lie on a side or are upside down, with lower scores, and the landmarks there are wrong.
    """
    best = list(found)
    for waiting, least, fine in _uncertain(found, detector.upright_score, smallest):
        part = max(1, int(fine // MIN_ROTATED_FACE_PX))
        shrunk = [_shrunk(views[place], part) for place in waiting]
        for rotation, detected in _at_angles(detector, shrunk, angles, fine / part):
            for place, boxes in zip(waiting, detected, strict=True):
                large = [box for box in boxes if box.longer * part >= smallest]
                if _best_score(large) > max(least, _best_score(best[place], smallest)):
                    pairs = [(rotation.back(box), rotation.back(detector.face_square(box))) for box in large]
                    best[place] = [replace(box, square=square).scaled(part) for box, square in pairs]
    return best


def _uncertain(
    found: list[list[Box]], upright_score: float, smallest: float
) -> Iterator[tuple[list[int], float, float]]:
    """Yield which views are to be rotated, the least score that counts there, and the smallest face to look for.

    Where nothing was found, whatever is found will do. Uncertain faces give way to a certain one only, which must not
    be much smaller: a lying face shows as something of about its size, and detecting small faces takes nearly all of
    the time.
    """
    scores = [_best_score(boxes, smallest) for boxes in found]
    nothing = [place for place, score in enumerate(scores) if score == NO_FACE_SCORE]
    if nothing:
        yield nothing, NO_FACE_SCORE, smallest
    uncertain = [place for place, score in enumerate(scores) if NO_FACE_SCORE < score < upright_score]
    if uncertain:
        largest = min(max(box.longer for box in found[place]) for place in uncertain)
        yield uncertain, upright_score, max(smallest, MIN_REPLACEMENT_RATIO * largest)


def _best_score(boxes: list[Box], smallest: float = 0.0) -> float:
    return max((box.score for box in boxes if box.longer >= smallest), default=NO_FACE_SCORE)


def _shrunk(view: Image, part: int) -> Image:
    """Return the view at 1/part of its size; up to part - 1 pixels at the right and below are left out."""
    if part == 1:
        return view
    height, width = (side // part for side in view.shape[:2])
    whole = view[: height * part, : width * part]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _at_angles(
    detector: Detector, views: list[Image], angles: tuple[float, ...], smallest: float
) -> Iterator[tuple[Rotation, list[list[Box]]]]:
    """Yield each rotation with what is found in every view there; views of one size go through the detector together.

    Where only large faces are looked for, a call costs more than the pixels: there all get a border up to one size.
    """
    height, width = views[0].shape[:2]
    rotations = [Rotation(degrees, (height, width)) for degrees in angles]
    largest = tuple(max(sides) for sides in zip(*(rotation.rotated_size for rotation in rotations), strict=True))
    by_size: dict[tuple[int, ...], list[Rotation]] = {}
    for rotation in rotations:
        size = largest if smallest >= MIN_ROTATED_FACE_PX else rotation.rotated_size
        by_size.setdefault(size, []).append(rotation)
    for size, group in by_size.items():
        images = [_bordered(rotation.apply(view), *size) for rotation in group for view in views]
        most = detector.batch_size(*size)
        parts = [images[start : start + most] for start in range(0, len(images), most)]
        found = [boxes for part in parts for boxes in _detected(detector, part, smallest)]
        for number, rotation in enumerate(group):
            yield rotation, found[number * len(views) : (number + 1) * len(views)]


def _bordered(view: Image, height: int, width: int) -> Image:
    """Add black at the right and below."""
    down, right = height - view.shape[0], width - view.shape[1]
    if not down and not right:
        return view
    return np.asarray(cv2.copyMakeBorder(view, 0, down, 0, right, cv2.BORDER_CONSTANT), np.uint8)


def _detected(detector: Detector, views: list[Image], smallest: float) -> list[list[Box]]:
    return detector.detect(views, smallest=smallest) if smallest else detector.detect(views)


def detect_in_file(path: Path, detector: Detector) -> Detections:
    """Return one image file with its boxes; nothing runs beside."""
    loaded = _load(path, detector.max_side, UNROTATED.zoom)
    if loaded.view is None:
        return loaded.frame
    (detections,) = _detect_batch([loaded], detector, UNROTATED)
    return detections
