"""Frames -> frames with boxes, in order: threads read ahead, the calling thread searches in batches of one size."""

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
from facewright.extract.detectors.base import Box, Detector, largest_first
from facewright.extract.rotation import Turn

READ_AHEAD = 16  # frames, one batch among them
KEPT_PIXELS = 9_000_000  # a larger frame is read a second time rather than kept while it waits


@dataclass(frozen=True)
class FrameFile:
    """What tells whether a frame is still the one that was searched.

    Attributes:
        name: Its file name.
        size: In bytes.
        mtime: Time of its last change in nanoseconds.
        crc: CRC-32 of its bytes.
        video: What tells the video that it came straight from; empty for a file, 0 stands in the other fields else.
    """

    name: str
    size: int
    mtime: int
    crc: int
    video: str = ""


@dataclass(frozen=True)
class Decoded:
    """A frame that comes with its picture, straight from a video.

    Attributes:
        path: Where the frame would be as a file.
        picture: (h, w, 3) uint8 BGR.
        video: What tells the video from another.
    """

    path: Path
    picture: Image
    video: str


Frame = Path | Decoded


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
class Look:
    """How frames are looked at.

    Attributes:
        zoom: Enlarge them by this factor, to find small faces.
        turns: Where no face is sure, turn them by each of these angles too (degrees, clockwise), and keep what is
            found at the best of them.
        smallest: Faces whose box has no side of so many of the frame's pixels need not be found.
    """

    zoom: float = 1.0
    turns: tuple[float, ...] = ()
    smallest: float = 0.0


ONCE = Look()
ENOUGH = 64  # pixels of a face: so far turned views are shrunk where small faces are spared; MTCNN is as sure there
NEARLY = 0.7  # times the size of an unsure face: so large is the sure one that takes its place, at least
NOTHING = -math.inf  # the score of no face


def search(
    frames: Iterable[Frame], detector: Detector, readers: Executor, look: Look = ONCE, *, ahead: int = READ_AHEAD
) -> Iterator[Seen]:
    """Yield each frame with its boxes, in order.

    Args:
        frames: Files, or pictures of a video.
        detector: Searches them, in the calling thread.
        readers: Reads frames ahead.
        look: How.
        ahead: How many frames may be in memory before the search.
    """

    def load(frame: Frame) -> _Loaded:
        return _load(frame, detector.longest, look.zoom)

    batch: list[_Loaded] = []
    for loaded in workers.ordered_map(load, frames, readers, ahead=ahead):
        full = batch and (
            loaded.view is None
            or loaded.view.shape != _shape(batch[0])
            or len(batch) >= detector.batch(*_shape(batch[0])[:2])
        )
        if full:
            yield from _searched(batch, detector, look)
            batch = []
        if loaded.view is None:
            yield loaded.seen
        else:
            batch.append(loaded)
    if batch:
        yield from _searched(batch, detector, look)


@dataclass(frozen=True)
class _Loaded:
    """A frame on its way to the detector; `view` is the picture that is searched, `factor` times the frame."""

    seen: Seen
    view: Image | None = None
    factor: float = 1.0


def _shape(loaded: _Loaded) -> tuple[int, ...]:
    assert loaded.view is not None
    return loaded.view.shape


def _load(frame: Frame, longest: int, zoom: float) -> _Loaded:
    if isinstance(frame, Decoded):
        file = FrameFile(frame.path.name, 0, 0, 0, frame.video)
        return _Loaded(Seen(frame.path, file, frame.picture), *_view(frame.picture, longest, zoom))
    try:
        status = frame.stat()
        data = frame.read_bytes()
        picture = decode(data, frame.name)
    except OSError as error:
        problem = UserError(f"{frame.name} cannot be read: {error.strerror}.", "a frame.", "extract the frames again.")
        return _Loaded(Seen(frame, problem=problem))
    except UserError as error:
        return _Loaded(Seen(frame, problem=error))
    file = FrameFile(frame.name, len(data), status.st_mtime_ns, zlib.crc32(data))
    kept = picture if picture.shape[0] * picture.shape[1] <= KEPT_PIXELS else None
    return _Loaded(Seen(frame, file, kept), *_view(picture, longest, zoom))


def _view(picture: Image, longest: int, zoom: float) -> tuple[Image, float]:
    """Return the picture that is searched, and how many times the frame it is."""
    factor = min(zoom, longest * zoom / max(picture.shape[:2]))
    if factor == 1.0:
        return picture, factor
    height, width = (max(1, round(side * factor)) for side in picture.shape[:2])
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=way), np.uint8), factor


def _searched(batch: list[_Loaded], detector: Detector, look: Look) -> Iterator[Seen]:
    views = [loaded.view for loaded in batch if loaded.view is not None]
    smallest = look.smallest * min(loaded.factor for loaded in batch)
    found = _detected(detector, views, smallest)
    if look.turns:
        found = _turned(detector, views, found, look.turns, smallest)
    for loaded, boxes in zip(batch, found, strict=True):
        yield replace(loaded.seen, boxes=largest_first([box.scaled(1 / loaded.factor) for box in boxes]))


def _turned(
    detector: Detector, views: list[Image], found: list[list[Box]], turns: tuple[float, ...], smallest: float
) -> list[list[Box]]:
    """Return what is found, turned views included, in the views' own pixels: of all turns that with the surest face.

    The first that shows something would not do, the untouched view included: detectors also find things in the
    place of faces that lie on a side or stand on their head, less surely, and the landmarks there are wrong.
    """
    best = list(found)
    for waiting, least, fine in _unsure(found, detector.sure, smallest):
        part = max(1, int(fine // ENOUGH))
        shrunk = [_shrunk(views[place], part) for place in waiting]
        for turn, detected in _detected_turned(detector, shrunk, turns, fine / part):
            for place, boxes in zip(waiting, detected, strict=True):
                large = [box for box in boxes if box.longer * part >= smallest]
                if _surest(large) > max(least, _surest(best[place], smallest)):
                    pairs = [(turn.back(box), turn.back(detector.landmark_square(box))) for box in large]
                    best[place] = [replace(box, square=square).scaled(part) for box, square in pairs]
    return best


def _unsure(found: list[list[Box]], sure: float, smallest: float) -> Iterator[tuple[list[int], float, float]]:
    """Yield which views are to be turned, the score that counts there, and the smallest face that is looked for.

    Where nothing was found, whatever is found will do. Unsure faces give way to a sure one alone, which must not be
    much smaller: a lying face shows as something of about its size, and the search for small faces takes nearly all
    of the time.
    """
    scores = [_surest(boxes, smallest) for boxes in found]
    nothing = [place for place, score in enumerate(scores) if score == NOTHING]
    if nothing:
        yield nothing, NOTHING, smallest
    unsure = [place for place, score in enumerate(scores) if NOTHING < score < sure]
    if unsure:
        largest = min(max(box.longer for box in found[place]) for place in unsure)
        yield unsure, sure, max(smallest, NEARLY * largest)


def _surest(boxes: list[Box], smallest: float = 0.0) -> float:
    return max((box.score for box in boxes if box.longer >= smallest), default=NOTHING)


def _shrunk(view: Image, part: int) -> Image:
    """Return the view at 1/part of its size; up to part - 1 pixels at the right and below are left out."""
    if part == 1:
        return view
    height, width = (side // part for side in view.shape[:2])
    whole = view[: height * part, : width * part]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _detected_turned(
    detector: Detector, views: list[Image], turns: tuple[float, ...], smallest: float
) -> Iterator[tuple[Turn, list[list[Box]]]]:
    """Yield each turn with what is found in every view there; views of one size are searched together.

    Where only large faces are looked for, a call costs more than the pixels: there all get a border up to one size.
    """
    height, width = views[0].shape[:2]
    all_turns = [Turn(degrees, (height, width)) for degrees in turns]
    largest = tuple(max(sides) for sides in zip(*(turn.turned_size for turn in all_turns), strict=True))
    alike: dict[tuple[int, ...], list[Turn]] = {}
    for turn in all_turns:
        alike.setdefault(largest if smallest >= ENOUGH else turn.turned_size, []).append(turn)
    for size, group in alike.items():
        pictures = [_bordered(turn.picture(view), *size) for turn in group for view in views]
        most = detector.batch(*size)
        parts = [pictures[start : start + most] for start in range(0, len(pictures), most)]
        found = [boxes for part in parts for boxes in _detected(detector, part, smallest)]
        for number, turn in enumerate(group):
            yield turn, found[number * len(views) : (number + 1) * len(views)]


def _bordered(view: Image, height: int, width: int) -> Image:
    """Add black at the right and below."""
    down, right = height - view.shape[0], width - view.shape[1]
    if not down and not right:
        return view
    return np.asarray(cv2.copyMakeBorder(view, 0, down, 0, right, cv2.BORDER_CONSTANT), np.uint8)


def _detected(detector: Detector, views: list[Image], smallest: float) -> list[list[Box]]:
    return detector.detect(views, smallest=smallest) if smallest else detector.detect(views)
