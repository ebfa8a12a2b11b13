"""The faces of a side through its frames: who follows whom, where shots begin, and in which frames a face is missing.

Made anew from records and journal whenever it is asked for: new faces and those that were moved by hand are then where
they belong, and nothing is out of date. That takes a tenth of a second for a thousand faces. A face that somebody
deleted still leads from the one before to the one after, by the box that the journal noted: what is thinned out or
cleared of other people is no more torn to pieces than it was.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from facewright.core.files import natural
from facewright.core.workspace import Side
from facewright.extract.detectors.base import FACE_SQUARE
from facewright.extract.log import Entry, ExtractionLog, finished_manually
from facewright.faces.align import MEAN_FACE, Points
from facewright.faces.faceset import FaceFile, FaceIndex
from facewright.faces.record import INNER, MANUAL_DETECTOR
from facewright.faces.shots import from_text, shot_starts
from facewright.faces.tracks import Sighting, join_tracks, square

Rect = tuple[float, float, float, float]
FEWEST, MOSTLY = 5, 0.5  # faces of a track in which one can be missing, and their share of its frames
SAME_PLACE = 0.2  # share of the area of two boxes, from which on they are one face's


@dataclass(frozen=True)
class Gap:
    """A face that is missing within its track.

    Attributes:
        before, after: Indices of the faces that stand at its ends.
        ends: What is known just before and after it: those faces, or one that was deleted since.
        times: Of the frames without it.
    """

    before: int
    after: int
    ends: tuple[Sighting, Sighting]
    times: range

    def expected_box(self, time: int) -> Rect:
        """Return (left, top, right, bottom) of where the missing face must be: on the line between the two ends."""
        one, other = self.ends
        share = (time - one.time) / (other.time - one.time)
        boxes = [np.array(extent(square(face.points))) for face in self.ends]  # boxes of two detectors differ
        left, top, right, bottom = (boxes[0] + share * (boxes[1] - boxes[0])).tolist()
        return left, top, right, bottom


@dataclass(frozen=True)
class Span:
    """How far a track goes, deleted faces counted.

    Attributes:
        first, last: Its first and last time.
        length: How many faces it had.
    """

    first: int
    last: int
    length: int


@dataclass(frozen=True)
class FollowedFaces:
    """All faces of a side in time.

    Attributes:
        files: The faces.
        names: Names of all frames, also of those that are gone, in order; the place of a name is its time.
        sightings: What is known of each of `files`.
        cuts: Times at which a shot begins, as far as the frames themselves showed it.
        deleted: What is known of faces that were saved and are gone.
    """

    files: Sequence[FaceFile]
    names: Sequence[str]
    sightings: Sequence[Sighting]
    cuts: Sequence[int]
    deleted: Sequence[Sighting] = ()

    @cached_property
    def _all(self) -> list[Sighting]:
        return [*self.sightings, *self.deleted]

    @cached_property
    def _joined(self) -> list[tuple[list[int], list[int]]]:
        """Each track of which a face is left: its indices of `_all`, and those of the faces that are there."""
        joined = [
            (track, [one for one in track if one < len(self.files)]) for track in join_tracks(self._all, self.cuts)
        ]
        return sorted(((track, there) for track, there in joined if there), key=lambda pair: self._order(pair[1][0]))

    def _order(self, index: int) -> tuple[int, object]:
        return self.sightings[index].time, natural(self.files[index].path.name)

    @cached_property
    def tracks(self) -> list[list[int]]:
        """The tracks by their first frame, each as indices of `files` in order of time."""
        return [there for _, there in self._joined]

    @cached_property
    def spans(self) -> list[Span]:
        """From when to when each of `tracks` goes."""
        return [Span(self._all[track[0]].time, self._all[track[-1]].time, len(track)) for track, _ in self._joined]

    @cached_property
    def gaps(self) -> list[Gap]:
        """Where a face is missing between others of its track; at the ends of a track nothing is missing.

        What is seen now and then only is no face that is missing in between, nor is one whose neighbours somebody
        deleted on either side.
        """
        dense = [
            (track, there)
            for (track, there), span in zip(self._joined, self.spans, strict=True)
            if span.length >= max(FEWEST, MOSTLY * (span.last - span.first + 1))
        ]
        return [gap for track, there in dense for gap in self._gaps_in(track, there)]

    def _gaps_in(self, track: Sequence[int], there: Sequence[int]) -> Iterator[Gap]:
        for one, other in pairwise(track):
            ends = self._all[one], self._all[other]
            times = range(ends[0].time + 1, ends[1].time)
            if times and min(one, other) < len(self.files):
                before = [index for index in there if self.sightings[index].time < times.start]
                after = [index for index in there if self.sightings[index].time >= times.stop]
                if before and after:
                    yield Gap(before[-1], after[0], ends, times)

    @cached_property
    def _by_time(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for index, face in enumerate(self.sightings):
            found.setdefault(face.time, []).append(index)
        return found

    def at(self, time: int) -> list[int]:
        """Return the faces of a frame."""
        return self._by_time.get(time, [])

    def borrow_tracks(self, other: "FollowedFaces") -> None:
        """Take over the tracks of another state of the same faces, where nothing has changed that they depend on."""
        if _grounds(self) == _grounds(other):
            self.__dict__["_joined"] = other._joined

    def track_numbers(self) -> list[int]:
        """Return the number of the track of each of `files`, from 1."""
        numbers = {index: number for number, track in enumerate(self.tracks, 1) for index in track}
        return [numbers[index] for index in range(len(self.files))]


def is_video(side: Side, log: ExtractionLog) -> bool:
    """Whether frames that follow each other in the list follow each other in time."""
    return side.timing_file.exists() or bool(log.header.get("video"))


def follow_faces(side: Side, log: ExtractionLog, faces: FaceIndex) -> FollowedFaces:
    """Follow the faces of a side, frame by frame in the order of the names.

    Args:
        side: Its frames count whether they have a face or not.
        log: What the search noted of them.
        faces: All of them.
    """
    files = faces.faces
    known = {path.name for path in side.frames()} | set(log.entries) | {file.record.frame for file in files}
    names = sorted(known, key=natural)
    time = {name: index for index, name in enumerate(names)}
    sightings = [_sighting(file, time[file.record.frame]) for file in files]
    looks = [from_text(log.entries.get(name, {}).get("look")) for name in names]
    followed = FollowedFaces(files, names, sightings, shot_starts(looks))
    return replace(followed, deleted=list(_deleted(followed, log)))


def _grounds(followed: FollowedFaces) -> list[object]:
    """Return what the tracks depend on, arrays by their identity: who compares must keep both."""
    told = [(f.time, id(f.points), f.fixed, f.box, f.detector, id(f.embedding)) for f in followed.sightings]
    return [
        [file.path for file in followed.files],
        list(followed.cuts),
        told,
        [(f.time, f.box) for f in followed.deleted],
    ]


def noted_boxes(entry: Entry) -> list[Rect] | None:
    """Return where the search of a frame found faces, first those that it saved; None where it did not say so."""
    boxes = entry.get("boxes")
    return [tuple(box) for box in boxes if len(box) == 4] if isinstance(boxes, list) else None


def _deleted(followed: FollowedFaces, log: ExtractionLog) -> Iterator[Sighting]:
    """Yield what the journal tells of faces that were saved and are no longer there."""
    detector = str((log.settings or {}).get("detector", ""))
    for time, name in enumerate(followed.names):
        entry = log.entries.get(name, {})
        there = [followed.sightings[index].box for index in followed.at(time)]
        saved = (noted_boxes(entry) or [])[: len(entry.get("faces") or ())]
        if len(saved) <= len(there) or finished_manually(entry):
            continue
        for box in saved:
            if not any(known is not None and overlap(box, known) > SAME_PLACE for known in there):
                yield Sighting(time, _points_in(box), made=True, box=box, detector=detector)


def _points_in(box: Rect) -> Points:
    """Return the mean face where a detector's box holds it, (68, 2); the jaw, which places nothing, at its corner."""
    left, top, right, bottom = box
    low, high = FACE_SQUARE
    side = max((right - left) * (bottom - top), 1.0) ** 0.5 / (high - low)
    middle = np.array([left + right, top + bottom]) / 2
    inner = (MEAN_FACE - (low + high) / 2) * side + middle
    return np.vstack([np.repeat(inner[:1], INNER, axis=0), inner])


def extent(points: Points) -> Rect:
    """Return (left, top, right, bottom) of points, (n, 2)."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def overlap(one: Rect, other: Rect) -> float:
    """Return the area that two rectangles share, over that of both, 0..1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    both = sum((right - left) * (bottom - top) for left, top, right, bottom in (one, other)) - shared
    return shared / both if both > 0 else 0.0


def _sighting(file: FaceFile, time: int) -> Sighting:
    record = file.record
    made = record.origin != "found"
    return Sighting(
        time,
        record.frame_landmarks if made else record.found_landmarks,
        fixed=record.detector == MANUAL_DETECTOR,
        made=made,
        box=record.rect,
        detector=record.detector,
        embedding=record.embedding,
    )
