"""The faces of a side through its frames: who follows whom, where shots begin, and in which frames a face is missing.

Made anew from records and journal whenever it is asked for: deleted faces, new ones and faces that were moved by
hand are then where they belong, and nothing is out of date. That takes a tenth of a second for a thousand faces.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from facewright.core.files import natural
from facewright.core.workspace import Side
from facewright.extract.log import ExtractionLog
from facewright.faces.align import Points
from facewright.faces.faceset import FaceFile, FaceIndex
from facewright.faces.record import MANUAL_DETECTOR
from facewright.faces.shots import from_text, shot_starts
from facewright.faces.tracks import Sighting, join_tracks, square

Rect = tuple[float, float, float, float]
FEWEST, MOSTLY = 5, 0.5  # faces of a track in which one can be missing, and their share of its frames


@dataclass(frozen=True)
class Gap:
    """A face that is missing within its track.

    Attributes:
        before, after: Indices of the faces that stand at its ends.
        times: Of the frames without it.
    """

    before: int
    after: int
    times: range


@dataclass(frozen=True)
class FollowedFaces:
    """All faces of a side in time.

    Attributes:
        files: The faces.
        names: Names of all frames, also of those that are gone, in order; the place of a name is its time.
        sightings: What is known of each of `files`.
        cuts: Times at which a shot begins, as far as the frames themselves showed it.
    """

    files: Sequence[FaceFile]
    names: Sequence[str]
    sightings: Sequence[Sighting]
    cuts: Sequence[int]

    @cached_property
    def tracks(self) -> list[list[int]]:
        """The tracks by their first frame, each as indices of `files` in order of time."""
        first = {index: (face.time, natural(self.files[index].path.name)) for index, face in enumerate(self.sightings)}
        return sorted(join_tracks(self.sightings, self.cuts), key=lambda track: first[track[0]])

    @cached_property
    def gaps(self) -> list[Gap]:
        """Where a face is missing between others of its track; at the ends of a track nothing is missing.

        What is seen now and then only is no face that is missing in between.
        """
        dense = [track for track in self.tracks if len(track) >= max(FEWEST, MOSTLY * self._length(track))]
        pairs = [pair for track in dense for pair in pairwise(track)]
        ends = [(one, other, self.sightings[one].time, self.sightings[other].time) for one, other in pairs]
        return [Gap(one, other, range(first + 1, last)) for one, other, first, last in ends if last - first > 1]

    def _length(self, track: Sequence[int]) -> int:
        return self.sightings[track[-1]].time - self.sightings[track[0]].time + 1

    def expected_box(self, gap: Gap, time: int) -> Rect:
        """Return (left, top, right, bottom) of where the missing face must be: on the line between the two ends."""
        one, other = self.sightings[gap.before], self.sightings[gap.after]
        share = (time - one.time) / (other.time - one.time)
        boxes = [np.array(_box(face)) for face in (one, other)]
        left, top, right, bottom = (boxes[0] + share * (boxes[1] - boxes[0])).tolist()
        return left, top, right, bottom

    @cached_property
    def _by_time(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for index, face in enumerate(self.sightings):
            found.setdefault(face.time, []).append(index)
        return found

    def at(self, time: int) -> list[int]:
        """Return the faces of a frame."""
        return self._by_time.get(time, [])

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
    return FollowedFaces(files, names, sightings, shot_starts(looks))


def _box(face: Sighting) -> Rect:
    """Return the face's square, which no detector has a say in: boxes of two detectors differ."""
    return extent(square(face.points))


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
