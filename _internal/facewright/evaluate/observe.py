"""What is seen of dst's faces in the frames of dst or of a result: landmarks, embedding, pixels.

Frames are read and looked at in threads; embeddings and detections are made in batches; every face that is done is
noted in a journal, so that a killed run goes on where it was. A face is measured again when its frame, the frame of
dst, its landmarks, the judge or `VERSION` has changed.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.images import Image, read_image
from facewright.core.journal import Journal
from facewright.core.json_data import BadJson, dict_of, either, fields, nothing, number, text
from facewright.core.machine import cores
from facewright.core.workers import ordered_map
from facewright.evaluate import pixels
from facewright.evaluate.judge import MAX_EMBEDDING, Judge
from facewright.evaluate.sources import Loaded, ResultSource
from facewright.evaluate.subject import EvaluatedFace, Subject
from facewright.extract.detectors.base import (
    FACE_SQUARE,
    Box,
    Detector,
    default_detector,
    make_detector,
    square_of_landmarks,
)
from facewright.extract.landmarkers.base import Landmarker, make_landmarker
from facewright.faces.align import MEAN_FACE, Points, resample, similarity
from facewright.faces.record import INNER

VERSION = 1  # goes up when the same frames give other numbers
BATCH = 16  # faces that are embedded and searched at once
CROP_PX, CROP_FACE = 160, 0.5  # of the crop in which the face is searched: side, and the mean face's share of it
SAME_PLACE = 0.4  # intersection over union from which a detected face is the one that was looked for

Observations = dict[tuple[int, int], "Observation"]  # by index of the frame and number of the face
OBSERVED = {"key": text, "points": text, "embedding": text, "values": dict_of(either(number, nothing))}


@dataclass(frozen=True, eq=False)
class Observation:
    """What was seen of a face.

    Attributes:
        points: (68, 2) landmarks as they were found in this frame.
        embedding: (d,) of the judge.
        values: Name -> number; NaN where there was nothing to measure. Of dst itself: `found`, `face_detail`,
            `eyes_detail`; of a result also `step`, `shade`, `flicker`, `flicker_dst`, and for the first face of
            each frame `changed`, `squared_error`, `ssim`.
    """

    points: NDArray[np.float32]
    embedding: NDArray[np.float32]
    values: Mapping[str, float]


class Observers:
    """What looks at faces; each is loaded at its first use.

    Attributes:
        judge: Judges identity.
    """

    def __init__(self, judge: Judge) -> None:
        self.judge = judge

    @cached_property
    def landmarker(self) -> Landmarker:
        """Finds the landmarks."""
        return make_landmarker()

    @cached_property
    def detector(self) -> Detector:
        """Says whether there is a face."""
        return make_detector(default_detector())


@dataclass(eq=False)
class _Seen:
    """What was seen of a face, before it is judged."""

    points: NDArray[np.float32]
    chip: Image
    crop: Image
    values: dict[str, float]


@dataclass(frozen=True, eq=False)
class _Look:
    """A look at a face; `seen` is None where only its still image was wanted, for the flicker of the next frame."""

    face: EvaluatedFace
    still: pixels.Still | None
    seen: _Seen | None


@dataclass(eq=False)
class Watch:
    """All that looking at dst and at results needs.

    Attributes:
        subject: Dst.
        dst_keys: What is in each frame of dst, see `ResultSource.keys`.
        observers: What looks at faces.
        entries: What earlier runs have noted, by "id".
        journal: Where more is noted.
        executor: Threads.
        reused: How many faces were known.
    """

    subject: Subject
    dst_keys: Mapping[int, str]
    observers: Observers
    entries: Mapping[str, Mapping[str, Any]]
    journal: Journal
    executor: Executor
    reused: int = 0

    @cached_property
    def before(self) -> dict[tuple[int, int], EvaluatedFace]:
        """(frame, number) of a face -> the face of the same track in the frame before."""
        at = {(face.track, face.frame): face for face in self.subject.faces}
        pairs = ((face, at.get((face.track, face.frame - 1))) for face in self.subject.faces)
        return {(face.frame, face.number): before for face, before in pairs if before is not None}

    def observe(self, source: ResultSource | None) -> Observations:
        """Look at every face of dst in the frames of a source.

        Args:
            source: Of the frames; None looks at dst itself.

        Returns:
            What was seen; faces of frames that the source lacks are missing.

        Raises:
            UserError: A frame cannot be read, or has another size than dst's.
        """
        there = self.dst_keys if source is None else source.keys()
        label = "dst" if source is None else _hashed(source.name)
        keys = {
            f"{label}/{face.frame}/{face.number}": self._key(face, there, compared=source is not None)
            for face in self.subject.faces
            if face.frame in there
        }
        found: Observations = {}
        todo: dict[int, list[EvaluatedFace]] = {}
        for face in self.subject.faces:
            key = keys.get(name := f"{label}/{face.frame}/{face.number}")
            entry = self.entries.get(name, {})
            if key is not None:
                known = _known(entry) if entry.get("key") == key else None
                if known is None:
                    todo.setdefault(face.frame, []).append(face)
                else:
                    found[face.frame, face.number] = known
        self.reused += len(found)
        if todo:
            looks = self._looks(source, todo, there)
            title, total = "dst" if source is None else source.name, sum(map(len, todo.values()))
            shown = console.progress(looks, total=total, title=title, unit="faces")
            for face, one in _judged(shown, self.observers):
                found[face.frame, face.number] = one
                name = f"{label}/{face.frame}/{face.number}"
                self.journal.add({"id": name, "key": keys[name], **_written(one)})
        return found

    def _key(self, face: EvaluatedFace, there: Mapping[int, str], *, compared: bool) -> str:
        """Return what the observation of a face depends on; a compared one depends on the frame before, too."""
        faces = [face, self.before.get((face.frame, face.number))] if compared else [face]

        def place(one: EvaluatedFace) -> list[list[float]]:
            return list(np.asarray(one.points, float).round(2).tolist())

        parts = [[self.dst_keys[f.frame], there.get(f.frame), place(f)] for f in faces if f is not None]
        together = self.subject.of_frame[face.frame]
        # The first face of a frame also holds what was changed outside of all of them.
        outside = [place(one) for one in together] if compared and face is together[0] else None
        return _hashed([VERSION, self.observers.judge.name, parts, outside])

    def _looks(
        self, source: ResultSource | None, todo: Mapping[int, Sequence[EvaluatedFace]], there: Mapping[int, str]
    ) -> Iterator[_Look]:
        """Yield a look at each face to do, in order of the frames, with its flicker."""
        wanted = set(todo)
        if source is not None:  # the change from the frame before is measured, which may be done already
            faces = (face for group in todo.values() for face in group)
            wanted |= {past.frame for f in faces if (past := self.before.get((f.frame, f.number)))} & there.keys()
        order, of_frame = sorted(wanted), self.subject.of_frame
        observers = self.observers

        def look(loaded: Loaded) -> list[_Look]:
            faces = of_frame[loaded[0]]
            return _look_at(self.subject, loaded, todo.get(loaded[0], ()), faces, observers, source is not None)

        paths = self.subject.frames
        items = iter((i, partial(read_image, paths[i])) for i in order) if source is None else source.read(order)
        stills: dict[tuple[int, int], pixels.Still] = {}
        for looks in ordered_map(look, items, self.executor, ahead=2 * cores()):
            now = {(one.face.frame, one.face.number): one.still for one in looks if one.still is not None}
            for one in looks:
                if one.seen is not None:
                    if one.still is not None:
                        past = self.before.get((one.face.frame, one.face.number))
                        still = stills.get((past.frame, past.number)) if past else None
                        changes = pixels.flicker(still, one.still) if still else (np.nan, np.nan)
                        one.seen.values["flicker"], one.seen.values["flicker_dst"] = changes
                    yield one
            stills = now


def _look_at(
    subject: Subject,
    loaded: Loaded,
    todo: Sequence[EvaluatedFace],
    faces: Sequence[EvaluatedFace],
    observers: Observers,
    compared: bool,
) -> list[_Look]:
    """Look at the faces of a frame."""
    index, load = loaded
    image = load()
    dst = read_image(subject.frames[index]) if compared else image
    image = _fitted(image, dst, subject.frames[index].name)
    regions = {face.number: pixels.face_region(face.points, dst.shape[:2]) for face in faces}
    done = []
    for face in faces:
        still = pixels.still(dst, image, face.points) if compared else None
        seen = None
        if any(face is other for other in todo):
            seen = _see(image, dst, face, regions[face.number], observers, compared)
            if compared and face is faces[0]:
                seen.values.update(vars(pixels.outside(image, dst, list(regions.values()))))
        done.append(_Look(face, still, seen))
    return done


def _see(
    image: Image, dst: Image, face: EvaluatedFace, region: pixels.FaceRegion, observers: Observers, compared: bool
) -> _Seen:
    points = observers.landmarker.find(image, square_of_landmarks(face.points))
    lab = pixels.lab_of(image, region)
    detail = pixels.detail(lab, region)
    values = {"face_detail": detail.face, "eyes_detail": detail.eyes}
    if compared:
        wanted = pixels.lab_of(dst, region)
        values["step"] = pixels.border_step(lab, wanted, region)
        values["shade"] = pixels.shade_difference(lab, wanted, region)
    crop = np.asarray(resample(image, _crop_matrix(face.points), CROP_PX, cv2.INTER_LINEAR), np.uint8)
    return _Seen(points, observers.judge.chip(image, points), crop, values)


def _fitted(image: Image, dst: Image, name: str) -> Image:
    """Return the image at dst's size: encoders add a row or a column to odd ones."""
    (height, width), (tall, wide) = dst.shape[:2], image.shape[:2]
    if not (0 <= tall - height <= 1 and 0 <= wide - width <= 1):
        raise UserError(
            f"The frame {name} of the result has {wide} x {tall} pixels, that of dst {width} x {height}.",
            "frames of dst's size.",
            "give the result as it was converted, before it was scaled or cropped.",
        )
    return image[:height, :width]


def _crop_matrix(points: Points) -> NDArray[np.float64]:
    """Return frame -> the upright crop in which a detector looks for the face."""
    matrix = similarity(np.asarray(points, np.float64)[INNER:], MEAN_FACE) * CROP_PX * CROP_FACE
    matrix[:, 2] += CROP_PX * (1 - CROP_FACE) / 2
    return matrix


def _judged(looks: Iterable[_Look], observers: Observers) -> Iterator[tuple[EvaluatedFace, Observation]]:
    """Yield what was seen of each face; it is embedded and searched in batches."""
    waiting = iter(looks)
    while batch := list(islice(waiting, BATCH)):
        seen = [look.seen for look in batch if look.seen is not None]
        embeddings = observers.judge.embed([one.chip for one in seen])
        found = observers.detector.detect([one.crop for one in seen], smallest=CROP_PX * CROP_FACE / 2)
        for look, one, embedding, boxes in zip(batch, seen, embeddings, found, strict=True):
            one.values["found"] = float(any(_is_there(observers.detector.face_square(box)) for box in boxes))
            yield look.face, Observation(one.points, embedding, one.values)


def _is_there(box: Box) -> bool:
    """Whether a square of the crop is the face that was looked for."""
    low, high = (CROP_PX * (0.5 + CROP_FACE * (edge - 0.5)) for edge in FACE_SQUARE)
    spans = ((box.left, box.right), (box.top, box.bottom))
    across, down = (max(0.0, min(end, high) - max(start, low)) for start, end in spans)
    return across * down > SAME_PLACE * (box.width * box.height + (high - low) ** 2 - across * down)


def _hashed(parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


def _written(one: Observation) -> dict[str, Any]:
    values = {name: round(v, 6) if np.isfinite(v) else None for name, v in one.values.items()}
    return {"points": _packed(one.points), "embedding": _packed(one.embedding), "values": values}


def _packed(numbers: NDArray[np.float32]) -> str:
    return base64.b64encode(np.ascontiguousarray(numbers, "<f4").tobytes()).decode()


def _known(entry: Mapping[str, Any]) -> Observation | None:
    """Return what an entry of the journal says; None where it does not fit."""
    try:
        fields(OBSERVED)(entry)
        points, embedding = (np.frombuffer(base64.b64decode(entry[k]), "<f4") for k in ("points", "embedding"))
    except (BadJson, ValueError):
        return None
    if points.size != 2 * 68 or not 0 < embedding.size <= MAX_EMBEDDING:
        return None
    if not (np.isfinite(points).all() and np.isfinite(embedding).all()):
        return None
    values = {name: float("nan") if v is None else float(v) for name, v in entry["values"].items()}
    return Observation(points.reshape(68, 2), embedding, values)
