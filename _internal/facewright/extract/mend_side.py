"""Bad landmarks repaired and missing faces filled in, between good faces of the same track; never over a cut.

A missing face is first searched again near where it must be; only where nothing is found there, it is filled in. What
somebody deleted stays deleted, and nothing is made up at the ends of a track, behind another face, or where what is
seen there is not the face any more: the points are carried by optical flow from either end, and where the two ways do
not meet, or the frame shows something else, the frame is left for the verdict.

Each frame is tried once; its journal says so (`tried`). The whole is one round: what was done depends on all that was
there before, so a round that was stopped is taken back and done anew (`extract/unmend.py`). For that the journal says
first what will be written: the names of new faces, the records of those that are repaired.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count, pairwise
from pathlib import Path

import numpy as np

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.images import Image
from facewright.extract.follow import FollowedFaces, Rect, is_video
from facewright.extract.near_search import search_near
from facewright.extract.open_frames import unfound
from facewright.extract.pipeline import FaceExtractor
from facewright.extract.side_run import SideRun
from facewright.extract.smooth_side import with_landmarks
from facewright.extract.sources import SearchSource
from facewright.faces.align import FaceType, Points, align_matrix, cut
from facewright.faces.expression import eye_distance
from facewright.faces.faceset import FaceFile
from facewright.faces.flow import LEAST_EYES_PX, carry_points
from facewright.faces.likeness import COMPARED_SIDE, likeness
from facewright.faces.odd import odd_faces
from facewright.faces.record import FaceRecord, save_face

TRIED = "near"  # stands under "tried" in the journal of a frame that was looked at here
FILLED_DETECTOR = "filled"  # stands for the detector of a face that none found
# How much the flow may lose from one end to the other, in distances of the eyes: in gaps made in seven clips, 0.05.
MAX_LOST, SMALL_PX = 0.1, 20.0  # of smaller distances the landmarks tremble more
LIKE = 0.6  # of the faces at the ends, at least: a hand before the face, a turned head are less like them
INSIDE = 0.8  # of the face's extent, that lies in the frame
KEPT_BYTES = 200 << 20  # of decoded frames: 33 of 1080p


@dataclass(frozen=True)
class Stretch:
    """Frames of a track between two good faces.

    Attributes:
        before, after: Indices of the good faces.
        bad: Time -> index of a face whose landmarks are wrong.
        missing: Times at which the face is missing and was not found.
    """

    before: int
    after: int
    bad: dict[int, int]
    missing: list[int]


@dataclass
class Mended:
    """What was done: names of frames."""

    found: list[str] = field(default_factory=list)
    filled: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)

    @property
    def any(self) -> bool:
        """Whether anything was done."""
        return bool(self.found or self.filled or self.repaired)

    def say(self) -> None:
        """Say it."""
        for names, words in (
            (self.found, "Faces found by a search near where they must be"),
            (self.filled, "Faces filled in from the frames around"),
            (self.repaired, "Landmarks repaired from the frames around"),
        ):
            if names:
                console.say(f"{words}: {len(names)} ({console.listed(names)}).")


def stretches(followed: FollowedFaces, run: SideRun, longest: int) -> list[Stretch]:
    """Return what there is to be mended.

    Args:
        followed: The faces of the side.
        run: Its journal says what was found where.
        longest: Frames of a stretch at most.
    """
    bad = {odd.index for odd in odd_faces(followed.sightings, followed.tracks) if odd.misplaced}
    missing: dict[int, list[int]] = {}
    for gap in followed.gaps:
        missing.setdefault(gap.before, []).extend(unfound(followed, gap, run.log))
    found = []
    for track in followed.tracks:
        good = [index for index in track if index not in bad]
        place = {index: at for at, index in enumerate(track)}
        for before, after in pairwise(good):
            within = track[place[before] : place[after]]  # from the good face to the last bad one
            spoilt = {followed.sightings[index].time: index for index in within[1:]}
            lacking = [time for index in within for time in missing.get(index, ())]
            length = followed.sightings[after].time - followed.sightings[before].time - 1
            if (spoilt or lacking) and length <= longest:
                found.append(Stretch(before, after, spoilt, lacking))
    return found


def mend_side(run: SideRun, longest: int, extractors: Callable[[], Sequence[FaceExtractor]]) -> Mended:
    """Repair and fill in what was not tried yet.

    Args:
        run: The side, a video; else nothing is done.
        longest: Frames of a stretch at most; 0 does nothing.
        extractors: Loads what searches for the missing faces again, see `search_near`.
    """
    done = Mended()
    if longest < 1 or not run.faces.faces or not is_video(run.side, run.log):
        return done
    followed = run.followed()
    fill = run.side.short == "dst"
    todo = [one for one in stretches(followed, run, longest) if _untried(followed, run, one, fill=fill)]
    if not todo:
        return done
    asked = extractors() if any(one.missing for one in todo) and fill else []
    with run.log.writing():
        run.log.begin_round()
        for one in console.progress(todo, total=len(todo), title="Mending", unit="gaps"):
            _mend(run, followed, one, asked, done, fill=fill)
        run.log.end_round()
    return done


def _untried(followed: FollowedFaces, run: SideRun, one: Stretch, *, fill: bool) -> bool:
    times = [*one.bad, *(one.missing if fill else ())]
    return any(TRIED not in run.log.tried(followed.names[time]) for time in times)


def _mend(
    run: SideRun,
    followed: FollowedFaces,
    one: Stretch,
    extractors: Sequence[FaceExtractor],
    done: Mended,
    *,
    fill: bool,
) -> None:
    """Carry the points through a stretch and write what can be vouched for."""
    first, last = followed.sightings[one.before].time, followed.sightings[one.after].time
    ends = followed.files[one.before].record, followed.files[one.after].record
    names, frames = followed.names[first : last + 1], _Frames(run.frames)
    try:
        carried = carry_points(frames.of_one_size(names), *(end.frame_landmarks for end in ends))
        looks = [
            _look(frames.read(name), end.frame_landmarks) for name, end in zip((names[0], names[-1]), ends, strict=True)
        ]
    except UserError:  # a frame is gone or damaged, or has another size
        return
    for at, points in enumerate(carried.points, 1):
        time, name = first + at, names[at]
        if time not in one.bad and not (time in one.missing and fill):
            continue
        image = frames.read(name)
        like = max(likeness(_look(image, points), look) for look in looks)
        sure = (
            carried.lost < MAX_LOST * max(1.0, SMALL_PX / eye_distance(points, LEAST_EYES_PX))
            and like >= LIKE
            and _inside(points, image)
        )
        if time in one.bad:
            if sure:
                _repair(run, followed.files[one.bad[time]], image, points)
                done.repaired.append(name)
        else:
            seen = search_near(extractors, image, name, points)
            made = seen or (_filled(run, ends, at / (len(names) - 1), name, points) if sure else None)
            if made is not None:
                _add(run, ends[0], image, made)
                (done.found if seen else done.filled).append(name)
        run.log.note_more(name, tried=",".join(dict.fromkeys([*run.log.tried(name), TRIED])))


class _Frames:
    """The frames of a stretch, which are looked at twice: each is decoded once, as long as all fit into memory."""

    def __init__(self, source: SearchSource) -> None:
        self._source = source
        self._kept: dict[str, Image] = {}

    def read(self, name: str) -> Image:
        """Return a frame.

        Raises:
            UserError: It cannot be read.
        """
        return self._kept[name] if name in self._kept else next(self.of_one_size([name]))

    def of_one_size(self, names: Sequence[str]) -> Iterator[Image]:
        """Yield frames.

        Raises:
            UserError: One cannot be read, or has another size than the first.
        """
        found = self._source.images(names)
        shape: tuple[int, ...] | None = None
        for name in names:
            path, image = next(found, (None, None))
            if image is None or path is None or path.name != name:
                raise UserError(f"{name} cannot be read.", "an image.", "extract the frames again.")
            shape = shape or image.shape
            if image.shape != shape:
                raise UserError(f"{name} has another size.", "frames of one size.", "extract the frames again.")
            if image.nbytes * (len(self._kept) + 1) <= KEPT_BYTES:
                self._kept[name] = image
            yield image


def _look(image: Image, points: Points) -> Image:
    """Return the upright face at these landmarks, small."""
    return np.asarray(cut(image, align_matrix(points, FaceType.FULL, COMPARED_SIDE), COMPARED_SIDE), np.uint8)


def _inside(points: Points, image: Image) -> bool:
    """Whether most of a face lies in its frame."""
    height, width = image.shape[:2]
    low, high = points.min(axis=0), points.max(axis=0)
    seen = np.clip(np.minimum(high, (width, height)) - np.maximum(low, 0.0), 0.0, None)
    return bool(seen.prod() >= INSIDE * (high - low).prod())


def _repair(run: SideRun, face: FaceFile, image: Image, points: Points) -> None:
    """Give a face other landmarks; its image is cut anew, unless a mask was drawn into it."""
    record = face.record
    known = run.log.entries[record.frame].get("repaired") or []
    run.log.note_more(record.frame, round=run.log.round, repaired=[*known, record.to_json()])
    drawn_on = record.mask is not None or bool(record.polygons)
    if drawn_on:
        placed = with_landmarks(record, points) or record
    else:
        placed = _placed(run, record, points, frame=record.frame, rect=record.rect)
        placed = replace(placed, detector=record.detector, score=record.score, landmarker=record.landmarker)
    mended = FaceFile(
        face.path, replace(placed, raw_landmarks=record.found_landmarks, origin="repaired", embedding=None)
    )
    if drawn_on:
        run.faces.write(mended)
    else:
        save_face(face.path, mended.record.cut(image), mended.record)
        run.faces.put(mended)


def _filled(run: SideRun, ends: Sequence[FaceRecord], share: float, name: str, points: Points) -> FaceRecord:
    """Return a face that nobody found."""
    one, other = (np.array(end.rect) for end in ends)
    left, top, right, bottom = (one + share * (other - one)).tolist()
    record = _placed(run, ends[0], points, frame=name, rect=(left, top, right, bottom))
    return replace(record, origin="filled", landmarker=ends[0].landmarker)


def _placed(run: SideRun, like: FaceRecord, points: Points, *, frame: str, rect: Rect) -> FaceRecord:
    """Return a record of these landmarks, of the same track and person, type and size as another."""
    record = FaceRecord.from_landmarks(
        np.asarray(points, np.float32),
        like.face_type,
        like.size,
        level_eyes=bool((run.log.settings or {}).get("align_eyes", False)),
        frame=frame,
        detector=FILLED_DETECTOR,
        score=0.0,
        rect=rect,
    )
    return replace(record, person=like.person, track=like.track)


def _add(run: SideRun, like: FaceRecord, image: Image, record: FaceRecord) -> None:
    """Save a new face; the journal names it and where it is, so that one which is deleted is not made again."""
    stem = Path(record.frame).stem
    free = (run.side.aligned_dir / f"{stem}_{number}.png" for number in count())
    path = next(path for path in free if not path.exists())
    record = replace(record, person=like.person, track=like.track)
    entry = run.log.entries[record.frame]
    made = [*(entry.get("made") or [] if entry.get("round") == run.log.round else []), path.name]
    run.log.note_more(record.frame, round=run.log.round, made=made)
    save_face(path, record.cut(image), record)
    run.faces.put(FaceFile(path, record))
    names, boxes = [*entry.get("faces", []), path.name], list(entry.get("boxes") or [])
    boxes.insert(len(names) - 1, [round(side) for side in record.rect])  # first those of the faces, then the others
    run.log.note_more(record.frame, faces=names, boxes=boxes)
