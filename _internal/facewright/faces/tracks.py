"""Which faces of successive frames are one and the same face: from where they lie, how they move, and who they are.

A track is a face followed through a shot. Frames without it do not end its track, a longer gap does, and so does a
cut: one that is seen in the frames (`facewright.faces.shots`), or a face that jumps alone, its neighbours in time at
rest. A hand on the mouth, a turned head or landmarks that flip do not end it: the face is where it must be, and
nobody else is.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from facewright.faces.align import MEAN_FACE, Matrix, Points, invert, similarity, transform_points
from facewright.faces.record import INNER

MAX_GAP = 12  # frames without the face that do not end its track
# From one frame to the next, no head moves, grows or tilts faster than this.
MAX_SHIFT = 0.5  # of the side of the mean face's square
MAX_SIZE_CHANGE = 0.22  # of the logarithm of its size
MAX_TILT_CHANGE = 25.0  # degrees
MAX_FRAMES = 3  # over a longer gap, it need not be farther away than after so many frames
# Distance of embeddings: of one face in successive frames it was 0.05 to 0.5, of two people at least 0.44, as a rule
# 0.6 to 1. Whoever lies where the face must be is somebody else only beyond the first; after a gap, the second.
MAX_EMBEDDING_STEP, MAX_EMBEDDING_GAP = 0.75, 0.6
SHORT_GAP = 2  # frames
REMEMBERED = 8  # embeddings of a track that the next one is compared with
# A jump is a cut when it is this much larger than each step of the frames around it, and no smaller than that share
# of the side. Where every second frame repeats the one before, the steps around are as large.
CUT_RATIO = 4.0
MIN_CUT = 0.05
CUT_NEIGHBOURS = 3  # frames
CORNERS = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])


@dataclass(frozen=True)
class Sighting:
    """A face in a frame.

    Attributes:
        time: Number of the frame; successive frames have successive numbers.
        points: (68, 2) landmarks in the frame.
        person: Who it is, None where that is not known. Two persons are never one track.
        fixed: Whether a person placed it: it is right as it is.
        made: Whether its points come from the frames around it: they say nothing new.
        box: (left, top, right, bottom) in the frame, which stays where it is when landmarks flip; None: not known.
        detector: Whose box it is: those of two detectors are not compared.
        embedding: (128,) of dlib's ResNet; None where not known.
    """

    time: int
    points: NDArray[np.floating] = field(repr=False)
    person: int | None = None
    fixed: bool = False
    made: bool = False
    box: tuple[float, float, float, float] | None = None
    detector: str = ""
    embedding: NDArray[np.floating] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class _Place:
    """Where a face lies: middle (x, y), side in pixels, roll in degrees; of the mean face's square, or of a box."""

    middle: NDArray[np.float64]
    side: float
    roll: float = 0.0


def square(points: Points) -> NDArray[np.float64]:
    """Return the corners of the mean face's square in the frame, (4, 2): what decides where a face is put.

    Args:
        points: (68, 2) landmarks in the frame, not all at one place.
    """
    return transform_points(CORNERS, _from_mean(points))


def _from_mean(points: Points) -> Matrix:
    return invert(similarity(np.asarray(points, np.float64)[INNER:], MEAN_FACE))


def join_tracks(faces: Sequence[Sighting], cuts: Collection[int] = ()) -> list[list[int]]:
    """Return the tracks, each as the indices of its faces in order of time; every face is in one.

    Args:
        faces: In any order; several of one frame are different faces.
        cuts: Times at which a new shot begins.
    """
    following = _Following(faces)
    starts = np.array(sorted(cuts), int)
    shot = 0
    for time, here in _by_time(faces):
        own_shot = int(np.searchsorted(starts, time, side="right"))
        following.step(time, here, anew=own_shot != shot)
        shot = own_shot
    return [part for track in following.tracks for part in _shots(faces, track)]


class _Following:
    """The tracks so far, and what is known of each one's last faces."""

    def __init__(self, faces: Sequence[Sighting]) -> None:
        self._faces = faces
        self._places = [(_place(face.points), _box_place(face.box)) for face in faces]
        self.tracks: list[list[int]] = []
        self._live: list[list[int]] = []

    def step(self, time: int, here: Sequence[int], *, anew: bool) -> None:
        """Continue tracks with the faces of the next frame; none is continued where a shot begins `anew`."""
        faces = self._faces
        self._live = [] if anew else [one for one in self._live if time - faces[one[-1]].time <= MAX_GAP + 1]
        near = sorted(
            (apart, number, index)
            for number, track in enumerate(self._live)
            for index in here
            if (apart := self._apart(track, index)) is not None
        )
        grown: set[int] = set()
        placed: set[int] = set()
        for _, number, index in near:
            if number not in grown and index not in placed:
                self._live[number].append(index)
                grown.add(number)
                placed.add(index)
        fresh = [[index] for index in here if index not in placed]
        self.tracks += fresh
        self._live += fresh

    def _apart(self, track: Sequence[int], index: int) -> float | None:
        """Return how unlike the next face of a track a face is: distance in sides, and that of the embeddings added.

        None when it is another face.
        """
        last, face = self._faces[track[-1]], self._faces[index]
        if len({last.person, face.person} - {None}) > 1:
            return None
        frames = face.time - last.time
        ways = (0, 1) if last.detector == face.detector else (0,)
        near = [away for way in ways if (away := self._away(track, index, way, frames)) is not None]
        unlike = self._unlike(track, index)
        if not near or unlike > (MAX_EMBEDDING_STEP if frames <= SHORT_GAP + 1 else MAX_EMBEDDING_GAP):
            return None
        return min(near) + unlike

    def _away(self, track: Sequence[int], index: int, way: int, frames: int) -> float | None:
        """Return how far a face lies from where the track should go on, by landmarks (0) or boxes (1).

        None where no head moves, grows or tilts so fast.
        """
        one, two = self._places[track[-1]][way], self._places[index][way]
        if one is None or two is None:
            return None
        unit = np.sqrt(one.side * two.side)
        counted = min(frames, MAX_FRAMES)
        expected = one.middle + self._speed(track, way) * counted
        distances = [float(np.linalg.norm(start - two.middle)) / unit for start in (one.middle, expected)]
        growth = abs(np.log(two.side / one.side))
        tilt = abs((two.roll - one.roll + 180) % 360 - 180)
        same = (
            min(distances) < MAX_SHIFT * counted
            and growth < MAX_SIZE_CHANGE * counted
            and tilt < MAX_TILT_CHANGE * counted
        )
        return distances[1] if same else None

    def _speed(self, track: Sequence[int], way: int) -> NDArray[np.float64]:
        """Return how far the track moved per frame, at last."""
        if len(track) < 2:
            return np.zeros(2)
        before, last = track[-2:]
        one, two = self._places[before][way], self._places[last][way]
        if one is None or two is None:
            return np.zeros(2)
        return (two.middle - one.middle) / (self._faces[last].time - self._faces[before].time)

    def _unlike(self, track: Sequence[int], index: int) -> float:
        """Return the distance of a face to the likest of the track's last ones by embedding; 0 where not known."""
        own = self._faces[index].embedding
        known = [one for i in track[-REMEMBERED:] if (one := self._faces[i].embedding) is not None]
        if own is None or not known:
            return 0.0
        return float(np.linalg.norm(np.asarray(known) - own, axis=1).min())


def _by_time(faces: Sequence[Sighting]) -> Iterator[tuple[int, list[int]]]:
    groups: dict[int, list[int]] = {}
    for index, face in enumerate(faces):
        groups.setdefault(face.time, []).append(index)
    yield from sorted(groups.items())


def _place(points: NDArray[np.floating]) -> _Place | None:
    """None for landmarks that are all at one place."""
    try:
        matrix = _from_mean(points)
    except ValueError:
        return None
    side = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    roll = float(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
    return _Place(transform_points(np.array([[0.5, 0.5]]), matrix)[0], side, roll)


def _box_place(box: tuple[float, float, float, float] | None) -> _Place | None:
    """Return where a box lies, its side as that of a face's square would be; None for one without an area."""
    if box is None or box[2] <= box[0] or box[3] <= box[1]:
        return None
    left, top, right, bottom = box
    return _Place(np.array([left + right, top + bottom]) / 2, float(np.sqrt((right - left) * (bottom - top))))


def _shots(faces: Sequence[Sighting], track: list[int]) -> list[list[int]]:
    """Split a track at its cuts: where landmarks and box jump; landmarks that jump in a box at rest are wrong ones."""
    if len(track) < 3:
        return [track]
    frames = np.diff([faces[index].time for index in track])
    steps = _steps(np.array([square(faces[index].points) for index in track])) / frames
    boxes = [faces[index].box for index in track]
    if all(box is not None and box[2] > box[0] and box[3] > box[1] for box in boxes):
        corners = np.array(boxes)[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]
        known = np.array([faces[one].detector == faces[other].detector for one, other in pairwise(track)])
        steps = np.where(known, np.minimum(steps, _steps(corners) / frames), steps)
    cuts = []
    for number, step in enumerate(steps):
        others = np.concatenate(
            [steps[max(0, number - CUT_NEIGHBOURS) : number], steps[number + 1 : number + 1 + CUT_NEIGHBOURS]]
        )
        if step > MIN_CUT and step > CUT_RATIO * others.max():
            cuts.append(number + 1)
    return [track[start:end] for start, end in zip([0, *cuts], [*cuts, len(track)], strict=True)]


def _steps(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far squares, (n, 4, 2), move from one to the next, in their sides, (n - 1,)."""
    sides = np.linalg.norm(corners[:, 1] - corners[:, 0], axis=1)
    return np.asarray(np.linalg.norm(np.diff(corners, axis=0), axis=2).mean(1) / np.sqrt(sides[1:] * sides[:-1]))
