"""The faces of a side through its frames: who follows whom, where shots begin, and in which frames a face is missing.

Made anew from records and journal whenever it is asked for: deleted faces, new ones and faces that were moved by
hand are then where they belong, and nothing is out of date. That takes a tenth of a second for a thousand faces.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from facewright.core.files import natural
from facewright.core.workspace import Side
from facewright.extract.log import ExtractionLog
from facewright.faces.faceset import FaceFile, FaceIndex
from facewright.faces.record import MANUAL_DETECTOR
from facewright.faces.shots import from_text, shot_starts
from facewright.faces.tracks import Sighting, join_tracks


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


def _sighting(file: FaceFile, time: int) -> Sighting:
    record = file.record
    manual = record.detector == MANUAL_DETECTOR
    return Sighting(time, record.found_landmarks, None, manual, record.rect, record.detector, record.embedding)
