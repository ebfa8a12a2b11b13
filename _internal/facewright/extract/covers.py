"""Find the hands in front of the faces of a side, and write into each record what they cover.

Not every frame is looked at: one of eight of a track; where a hand is near every second one, and those between where
that hand may touch the face. On two clips of sign language that takes two thirds of the time of looking at all of
them, and 20 masks drawn manually are met as well. To follow a hand from frame to frame by its points, without the
palm detector, as MediaPipe does, spared nothing more: hands that cover a face move and are lost, and where they were
followed their masks fit less well (0.62 for 0.64).

What was done says so (`occlusion` is there, `NOTHING` where nothing covers the face); faces between two that saw
nothing need no look. A track that a kill left half done is looked at anew, so that it ends as without the kill; faces
that are there already are looked at without a new search, and a side that is done costs nothing.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.images import Image, read_image, single_threaded_opencv
from facewright.core.machine import cores
from facewright.core.workers import ordered_map
from facewright.extract.cover_masks import Cover, Job, Looked, cover_masks
from facewright.extract.follow import is_video
from facewright.extract.hands import Hand, HandFinder, meet
from facewright.extract.options import CoverOptions
from facewright.extract.side_run import SideRun
from facewright.faces.align import FaceType, align_matrix, between, is_flat
from facewright.faces.faceset import FaceFile
from facewright.faces.hand_mask import SIDE
from facewright.faces.likeness import COMPARED_SIDE, shows
from facewright.faces.mask import Mask
from facewright.faces.occlusion import NOTHING, occlusion_text
from facewright.faces.record import MANUAL_DETECTOR, FaceRecord
from facewright.faces.visible import sized_matrix

STEP = 8  # frames, of which one is looked at
MIN_FACE_PX = 40  # the larger extent of its landmarks: of smaller ones no finger is seen
FINE_STEP = 2  # frames, of which one is looked at where a hand is near
# Sides of a face: a hand that is no nearer, one frame before and after, does not touch it in between. With 0.25 the
# masks of three clips are the same.
TOUCHING = 0.15
PAUSE = 3  # faces: a hand that is found again so soon is the same passage
BATCH = 600  # faces that are worked on at once: this bounds memory, and what a kill loses

Track = list[Looked]  # in order of time


def find_covers(run: SideRun, options: CoverOptions) -> None:
    """Look for hands in front of all faces of a side that were not looked at, and write what they cover."""
    if options.occlusion == "off":
        return
    new = [file.record for file in run.faces.faces if file.record.occlusion is None and _is_large(file.record)]
    there = run.frames.names(run.log)
    if lacking := sum(record.frame not in there for record in new):
        faces = console.counted(lacking, "face")
        console.say(f"Hands are looked for in the frames; those of {faces} are not in {run.side.frames_dir}.")
    tracks = [_begun_anew(track) for track in _tracks(run, there) if any(_sampled(track))]
    if not tracks:
        return
    try:
        finder = run.models.hands
    except UserError as problem:
        console.warn(f"Hands in front of faces are not looked for. {problem.happened} {problem.fix}")
        return
    found = 0
    count = sum(map(len, tracks))
    with single_threaded_opencv(), console.progress_bar(count, title="Hands", unit="faces") as bar:
        done = 0
        for batch in _batches(tracks):
            found += _look_through(run, finder, batch, bar.update)
            done += sum(map(len, batch))
            bar.update(done - bar.n)  # those that needed no look
    if found:
        console.say(f"Hands found in front of {console.counted(found, 'face')}; the faces carry masks of them.")


def _tracks(run: SideRun, there: Container[str]) -> Iterator[Track]:
    """Yield the faces whose frames are there by track, a limited number at once; each photo is one of its own.

    In an aligned image alone a cheek looks like a palm: of 9 faces that came straight from a video 4 got masks so,
    while of 25 hands at a chin 8 were found. What comes without its frame is left as it is.
    """
    followed = run.followed()
    tracks = followed.tracks if is_video(run.side, run.log) else [[index] for index in range(len(followed.files))]
    for track in tracks:
        faces = [
            Looked(followed.files[index], followed.sightings[index].time)
            for index in track
            if followed.files[index].record.frame in there
        ]
        for start in range(0, len(faces), BATCH):
            yield faces[start : start + BATCH]


def _batches(tracks: Sequence[Track]) -> Iterator[list[Track]]:
    batch: list[Track] = []
    for track in tracks:
        if batch and sum(map(len, batch)) + len(track) > BATCH:
            yield batch
            batch = []
        batch.append(track)
    if batch:
        yield batch


def _sampled(track: Sequence[Looked]) -> list[bool]:
    """Return which faces are to be looked at in any case: of the grid, and placed ones."""
    return [
        one.file.record.occlusion is None and _is_large(one.file.record) and (wanted or _came_later(one.file.record))
        for one, wanted in zip(track, _on_grid(track), strict=True)
    ]


def _on_grid(track: Sequence[Looked]) -> list[bool]:
    """Return which faces are the first of each `STEP` frames, or the last."""
    steps = [one.time // STEP for one in track]
    first = [place == 0 or steps[place - 1] != own for place, own in enumerate(steps)]
    first[-1] = True
    return first


def _begun_anew(track: Track) -> Track:
    """Return a track without what a run that was killed has written: its masks depend on all hands of the track."""
    grid = zip(track, _sampled(track), strict=True)
    if not any(wanted and not _came_later(one.file.record) for one, wanted in grid):
        return track
    return [replace(one, file=FaceFile(one.file.path, replace(one.file.record, occlusion=None))) for one in track]


def _is_large(record: FaceRecord) -> bool:
    return float(np.ptp(record.frame_landmarks, axis=0).max()) >= MIN_FACE_PX


def _came_later(record: FaceRecord) -> bool:
    """Whether a face may have been placed when those around it had been looked at already."""
    return record.detector == MANUAL_DETECTOR or record.origin == "filled"


def _look_through(run: SideRun, finder: HandFinder, tracks: list[Track], looked: Callable[[], object]) -> int:
    """Look at the faces of some tracks, write what was found; return how many faces have something before them.

    `looked` is called after each face.
    """
    samples = [(track, place) for track in tracks for place, wanted in enumerate(_sampled(track)) if wanted]
    _look(run, finder, samples, looked)
    inner = [(track, place) for track in tracks for place in _between(track)]
    _look(run, finder, [(track, place) for track, place in inner if track[place].time % FINE_STEP == 0], looked)
    _look(run, finder, [(track, place) for track, place in inner if _may_be_touched(track, place)], looked)
    for track, place in inner:
        if track[place].hands is None:
            track[place] = replace(track[place], hands=())
    for track in tracks:
        _drop_doubtful(track)

    def in_threads(work: Callable[[Job], Cover], jobs: Iterable[Job]) -> Iterator[Cover]:
        return ordered_map(work, jobs, run.executor, ahead=4 * cores())

    masks = {id(track): cover_masks(track, in_threads) for track in tracks}
    # The samples last: what lies between two that are written is done, also after a kill.
    written = [_with_cover(track[place].file, masks[id(track)].get(place)) for track, place in (*inner, *samples)]
    for _ in ordered_map(run.faces.write, written, run.executor, ahead=4 * cores()):
        pass
    return sum(bool(file.record.occlusion) for file in written)


def _look(run: SideRun, finder: HandFinder, places: Sequence[tuple[Track, int]], looked: Callable[[], object]) -> None:
    """Find the hands near some faces, and put them into their tracks."""
    of_frame: dict[str, list[tuple[Track, int]]] = {}
    for track, place in places:
        track[place] = replace(track[place], hands=())  # those whose frame was taken away stay so
        of_frame.setdefault(track[place].file.record.frame, []).append((track, place))

    def hands_of(frame: tuple[Path, Image]) -> list[tuple[Track, int, Sequence[Hand]]]:
        path, image = frame
        return [(track, place, _hands(finder, image, track[place].file)) for track, place in of_frame[path.name]]

    for found in ordered_map(hands_of, run.frames.images(of_frame), run.executor, ahead=2 * cores()):
        for track, place, hands in found:
            track[place] = replace(track[place], hands=hands)
            looked()


def _hands(finder: HandFinder, frame: Image, file: FaceFile) -> Sequence[Hand]:
    """Return the hands near a face; none where its frame shows something else now."""
    if not _is_in(frame, read_image(file.path), file.record):
        return []
    return finder.find(frame, file.record.frame_landmarks)


def _is_in(frame: Image, aligned: Image, record: FaceRecord) -> bool:
    """Whether a frame shows the face: one that came from elsewhere may name a frame that is another one here."""
    if not record.size or is_flat(record.matrix):
        return True
    small = np.asarray(cv2.resize(aligned, (COMPARED_SIDE,) * 2, interpolation=cv2.INTER_AREA), np.uint8)
    return shows(frame, small, sized_matrix(record, COMPARED_SIDE))


def _between(track: Sequence[Looked]) -> Iterator[int]:
    """Yield the faces not looked at, of which the next one looked at, before or after, has a hand near."""
    looked = [
        place for place, one in enumerate(track) if one.hands is not None or one.file.record.occlusion is not None
    ]
    for before, after in pairwise(looked):
        if _has_hand(track[before]) or _has_hand(track[after]):
            yield from (place for place in range(before + 1, after) if _is_large(track[place].file.record))


def _may_be_touched(track: Sequence[Looked], place: int) -> bool:
    """Whether a hand may touch a face that was not looked at, as far as those just before and after tell."""
    here = track[place]
    if here.hands is not None:
        return False
    points = here.file.record.frame_landmarks
    low, high = points.min(axis=0), points.max(axis=0)
    margin = TOUCHING * float((high - low).max())
    for other in (place - 1, place + 1):
        beside = track[other] if 0 <= other < len(track) else None
        if beside is None or beside.hands is None or abs(beside.time - here.time) != 1:
            return True
        if any(meet(hand.outline, low - margin, high + margin) for hand in beside.hands):
            return True
    return False


def _drop_doubtful(track: Track) -> None:
    """Take away the hands of a passage in which none was ever seen clearly: an ear that turns into view is no hand.

    Hands that come to a face are blurred, but not all the time; the presence of that ear, in the
    sample clip, was 0.26 at most.
    """
    near = [place for place, one in enumerate(track) if _has_hand(one)]
    for passage in np.split(np.array(near, int), np.flatnonzero(np.diff(near) > PAUSE) + 1):
        if not any(_is_sure(track[place]) for place in passage):
            for place in passage:
                track[place] = replace(track[place], hands=())


def _has_hand(one: Looked) -> bool:
    """Whether a hand is near a face, or was when it was looked at before."""
    return bool(one.hands or one.file.record.occlusion)


def _is_sure(one: Looked) -> bool:
    """Whether a hand near a face is seen clearly; one that is in the record was."""
    return bool(one.file.record.occlusion) or any(hand.is_sure for hand in one.hands or ())


def _with_cover(file: FaceFile, mask: Mask | None) -> FaceFile:
    """Return a face with the mask of its work image (see `cover_masks`) in pixels of its aligned image."""
    record = file.record
    if mask is None or is_flat(record.matrix):
        return FaceFile(file.path, replace(record, occlusion=NOTHING))
    step = between(align_matrix(record.frame_landmarks, FaceType.FULL, SIDE), record.matrix)
    height, width = (record.size, record.size) if record.size else read_image(file.path).shape[:2]
    moved = np.asarray(cv2.warpAffine(mask, step, (width, height), flags=cv2.INTER_LINEAR), np.float32)
    return FaceFile(file.path, replace(record, occlusion=occlusion_text(moved)))
