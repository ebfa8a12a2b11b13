"""Which frames need a look, and why, the worst first: asked by the fix step, the verdict of steps, the review.

All is told from records and journal: no image is decoded. A face is odd by itself (the limits were measured on ten
clips, MTCNN, 1744 frames, and 26 photographs: of 18 frames that are named nine do hold a false face, which is all that
do; nine show heads that are turned far away, and the smallest faces of a class room), or it does not fit its track
(`facewright.faces.odd`), or it is missing where its track goes on.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facewright.core.png import DamagedPng, is_whole, read_size
from facewright.core.workspace import Side
from facewright.extract.follow import SAME_PLACE, FollowedFaces, Gap, follow_faces, is_video, noted_boxes, overlap
from facewright.extract.log import Entry, ExtractionLog, finished_manually
from facewright.faces.align import MEAN_FACE, PADDING, FaceType, invert, similarity, transform_points
from facewright.faces.faceset import FaceFile, FaceIndex
from facewright.faces.landmarkers import SMALL_FACE_PX
from facewright.faces.occlusion import covered_share
from facewright.faces.odd import odd_faces
from facewright.faces.record import INNER, MANUAL_DETECTOR, FaceRecord

# A detector's score below which a face is doubtful: false finds of MTCNN lay at 0.72 to 0.89, true faces over 0.95 as a
# rule, turned far away over 0.80. For a detector that is not named here the score says nothing.
LOW_SCORE: Mapping[str, float] = {"mtcnn": 0.85, "dlib-hog": 0.1, "dlib-cnn": 0.2}
WORST_FIT = 0.1  # sides of the mean face, root of the mean square: true faces reach 0.09
FARTHEST = 0.33  # sides of the box, from its middle to the landmarks' square: true faces reach 0.24
LARGEST_SQUARE = 3.0  # area of the full-face square over that of the box: true faces reach 2.1
NO_FACE = 0.5  # the mesh's own confidence, below which all that it looked at was no face
PROFILE = 45.0  # degrees: there the mesh says nothing
HIDDEN_SHARE = 0.5  # of its hull covered: where the landmarks of such a face lie is a guess
SHORT = 3  # faces of a track that comes and goes
LOW = "low score"
TURNED = "small, and its landmarks may look the wrong way"
HIDDEN = "mostly covered by a hand"
UNUSABLE = "a face whose file cannot be used"
MISSING, DOUBTED = 3.0, 1.0  # severity


@dataclass(frozen=True)
class OpenFrame:
    """A frame that needs a look.

    Attributes:
        name: Its file's.
        reasons: Why, the worst first.
        severity: How much, from 1.
        faces: The reasons that lie in a face of it, by the name of the face's file.
    """

    name: str
    reasons: tuple[str, ...]
    severity: float
    faces: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def doubts(record: FaceRecord, size: tuple[int, int] | None) -> list[str]:
    """Return what is odd about one face; nothing about one that a person placed.

    Args:
        record: The face.
        size: (h, w) of its frame; None where it is not known.
    """
    if record.detector == MANUAL_DETECTOR or record.origin == "filled":
        return []
    points = np.asarray(record.frame_landmarks, np.float64)
    found = []
    if record.score < LOW_SCORE.get(record.detector, -np.inf):
        found.append(LOW)
    matrix = similarity(points[INNER:], MEAN_FACE)
    apart = transform_points(points[INNER:], matrix) - MEAN_FACE
    left, top, right, bottom = record.rect
    side = max((max(right - left, 0.0) * max(bottom - top, 0.0)) ** 0.5, 1.0)
    middle = transform_points(np.array([[0.5, 0.5]]), invert(matrix))[0]
    away = np.hypot(middle[0] - (left + right) / 2, middle[1] - (top + bottom) / 2)
    if (apart**2).sum(1).mean() ** 0.5 > WORST_FIT or away > FARTHEST * side:
        found.append("odd landmarks")
    aligned_side = 1 / np.hypot(matrix[0, 0], matrix[1, 0]) / (1 - 2 * PADDING[FaceType.FULL])
    if (aligned_side / side) ** 2 > LARGEST_SQUARE:
        found.append("much larger than its box")
    if _mesh_doubts(record):
        if not _is_small(record):
            found.append("perhaps no face")
        elif _may_be_turned(record):  # see `mesh_judge`: of small ones only such a doubt is in the record
            found.append(TURNED)
    if covered_share(record) >= HIDDEN_SHARE:
        found.append(HIDDEN)
    height, width = size or (np.inf, np.inf)
    if (points[INNER:] < -1).any() or (points[INNER:] > (width, height)).any():
        found.append("over the frame's edge")
    return found


def _is_small(record: FaceRecord) -> bool:
    left, top, right, bottom = record.rect
    return max(right - left, bottom - top) < SMALL_FACE_PX


def _mesh_doubts(record: FaceRecord) -> bool:
    """Whether the mesh takes for no face what does not look far aside."""
    return record.mesh_score is not None and record.mesh_score <= NO_FACE and abs(record.pose[0]) < PROFILE


def open_frames(side: Side, log: ExtractionLog, faces: FaceIndex) -> list[OpenFrame]:
    """Return the frames that need a look, the worst first; none that a person finished.

    Args:
        side: Its frames.
        log: What the search noted of them.
        faces: All faces of the side.
    """
    followed = follow_faces(side, log, faces)

    def size_of(name: str) -> tuple[int, int] | None:
        shape = log.entries.get(name, {}).get("shape")
        return tuple(shape) if isinstance(shape, list) and len(shape) == 2 else _size(side.frames_dir / name)

    found: dict[str, list[tuple[float, str, str]]] = {}
    for face, severity, reason in _odd(followed, size_of, video=is_video(side, log)):
        found.setdefault(face.record.frame, []).append((severity, reason, face.path.name))
    for name, severity, reason in (*_missing(followed, side, log), *_unusable(log, faces)):
        found.setdefault(name, []).append((severity, reason, ""))
    for face in faces.faces:
        if _is_cut_off(face.path):
            found.setdefault(face.record.frame, []).append((MISSING, UNUSABLE, face.path.name))
    done = {name for name, entry in log.entries.items() if finished_manually(entry)}
    told = [_open_frame(name, reasons) for name, reasons in found.items() if name not in done]
    order = {name: index for index, name in enumerate(followed.names)}
    return sorted(told, key=lambda one: (-one.severity, order[one.name]))


def _open_frame(name: str, found: list[tuple[float, str, str]]) -> OpenFrame:
    """Put together the (severity, reason, name of the face's file) of a frame."""
    ordered = sorted(found, key=lambda one: -one[0])
    faces: dict[str, tuple[str, ...]] = {}
    for _, reason, face in ordered:
        if face and reason not in faces.get(face, ()):
            faces[face] = (*faces.get(face, ()), reason)
    return OpenFrame(name, tuple(dict.fromkeys(reason for _, reason, _ in ordered)), ordered[0][0], faces)


def _odd(
    followed: FollowedFaces, size_of: Callable[[str], tuple[int, int] | None], *, video: bool
) -> Iterator[tuple[FaceFile, float, str]]:
    """Yield (face, severity, reason) of faces that are odd by themselves or, in a video, beside their neighbours."""
    certain = _in_certain_tracks(followed) if video else set()
    turned = _turned(followed) if video else set()
    for index, file in enumerate(followed.files):
        for doubt in doubts(file.record, size_of(file.record.frame)):
            if not (doubt == LOW and index in certain) and not (doubt == TURNED and video):
                yield file, DOUBTED, doubt
        if index in turned:
            yield file, DOUBTED, TURNED
    if not video:
        return
    for odd in odd_faces(followed.sightings, followed.tracks):
        for words in odd.words:
            yield followed.files[odd.index], odd.severity, words
    for index in _fleeting(followed):
        yield followed.files[index], MISSING, "a face that comes and goes"


def _in_certain_tracks(followed: FollowedFaces) -> set[int]:
    """Return the faces of tracks whose faces the detector was mostly sure of: one that fits them is no false one."""
    records = [file.record for file in followed.files]
    low = [record.score < LOW_SCORE.get(record.detector, -np.inf) for record in records]
    certain = (
        track
        for track, span in zip(followed.tracks, followed.spans, strict=True)
        if span.length > SHORT and 2 * sum(low[i] for i in track) < span.length
    )
    return {index for track in certain for index in track}


def _turned(followed: FollowedFaces) -> set[int]:
    """Return the small faces that the mesh sees turned otherwise than dlib.

    No head turns for one frame only: a doubt alone is none, and a face between doubted ones is as wrong as they are.
    """
    found = set()
    for track in followed.tracks:
        times = np.array([followed.sightings[index].time for index in track])
        doubted = [place for place, index in enumerate(track) if _mesh_doubts(followed.files[index].record)]
        for run in np.split(np.array(doubted, int), np.flatnonzero(np.diff(times[doubted]) > SHORT) + 1):
            alone = len(run) == 1 and (np.abs(times - times[run[0]]) <= SHORT).sum() > 1
            if len(run) and not alone:
                found |= {
                    index for index in track[run[0] : run[-1] + 1] if _may_be_turned(followed.files[index].record)
                }
    return found


def _may_be_turned(record: FaceRecord) -> bool:
    """Whether a face is small, and its landmarks are dlib's guess."""
    guessed = record.detector != MANUAL_DETECTOR and record.origin != "filled"
    return guessed and record.landmarker == "dlib" and _is_small(record)


def _fleeting(followed: FollowedFaces) -> Iterator[int]:
    """Yield the faces of tracks of a few frames where another face is followed for longer.

    Where a shot begins or ends somebody may come or go: there, only what stands beside another face and is nobody who
    is followed elsewhere.
    """
    times = np.array([(span.first, span.last) for span in followed.spans]).reshape(-1, 2)
    edges = np.array([0, *followed.cuts, len(followed.names)])
    for track, span in zip(followed.tracks, followed.spans, strict=True):
        first, last = span.first, span.last
        if span.length > SHORT:
            continue
        if ((first - SHORT < edges) & (edges <= last + SHORT)).any():
            named = _is_stranger(followed, track)
        else:
            around = (times[:, 0] <= first + SHORT) & (last <= times[:, 1] + SHORT)
            named = bool((around & (times[:, 1] - times[:, 0] > last - first + SHORT)).any())
        if named:
            yield from (index for index in track if not followed.sightings[index].fixed)


def _is_stranger(followed: FollowedFaces, track: Sequence[int]) -> bool:
    """Whether a track stands beside a longer one, and its person has no longer one in other frames.

    Nobody stands beside himself: a face that got the number of its neighbour is not this person either.
    """
    longer = {i for own, span in zip(followed.tracks, followed.spans, strict=True) if span.length > SHORT for i in own}
    beside = {i for index in track for i in followed.at(followed.sightings[index].time)} & longer
    person = followed.files[track[0]].record.person

    def persons(faces: Iterable[int]) -> set[int | None]:
        return {followed.files[index].record.person for index in faces}

    return bool(beside) and person is not None and person not in persons(longer) - persons(beside)


def _missing(followed: FollowedFaces, side: Side, log: ExtractionLog) -> Iterator[tuple[str, float, str]]:
    """Yield the frames in which a face is missing that the search did not find."""
    if is_video(side, log):
        for gap in followed.gaps:
            for time in unfound(followed, gap, log):
                yield followed.names[time], MISSING, "a face is missing" if followed.at(time) else "no face"


def _unusable(log: ExtractionLog, faces: FaceIndex) -> Iterator[tuple[str, float, str]]:
    """Yield the frames whose face was saved in a file that is no face now: damaged, or edited without its record."""
    bad = {path.name for path, _ in faces.bad}
    for name, entry in log.entries.items() if bad else ():
        if bad & set(entry.get("faces") or ()):
            yield name, MISSING, UNUSABLE


def _is_cut_off(face: Path) -> bool:
    """Whether the record of a face is whole, but not its pixels."""
    try:
        return not is_whole(face)
    except OSError:  # deleted meanwhile
        return False


def unfound(followed: FollowedFaces, gap: Gap, log: ExtractionLog) -> list[int]:
    """Return the times of a gap at which the search found nothing where the face must be.

    A face that was found there is gone because somebody deleted it, or is that of another person in front of it:
    neither is to be filled in. Nor are frames that were never searched, or that a person finished.
    """
    return [time for time in gap.times if _not_found(followed, gap, time, log.entries.get(followed.names[time]))]


def _not_found(followed: FollowedFaces, gap: Gap, time: int, entry: Entry | None) -> bool:
    if entry is None or finished_manually(entry):
        return False
    wanted = gap.expected_box(time)
    there = followed.at(time)
    noted = noted_boxes(entry)
    seen = [*(followed.sightings[index].box for index in there), *(noted or ())]
    if noted is None and (entry.get("dropped") or len(entry.get("faces") or ()) > len(there)):
        return False  # a journal of an older version: it does not say where
    return not any(box is not None and overlap(wanted, box) > SAME_PLACE for box in seen)


def _size(frame: Path) -> tuple[int, int] | None:
    """Return (h, w) of a frame; None where it is no PNG or gone."""
    try:
        return read_size(frame)
    except (OSError, DamagedPng):
        return None
