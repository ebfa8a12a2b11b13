"""Calm the landmarks of a side from frame to frame, over all its faces.

Each record keeps the landmarks as they were found (`raw_landmarks`), and every run begins with those: so the strength
can be changed, or smoothing taken back, without a new search, and a second run changes nothing. A run that was
stopped is finished by the next.

The aligned picture and its matrix stay. The record is right all the same: its landmarks lie in the picture where the
smoothed ones lie in the frame. Training aligns by them again, conversion cuts the face from the frame by them, so
both see the smoothed place; faces need no second cut, and a mask that was drawn into a picture stays where it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facewright.core import console, workers
from facewright.core.errors import UserError
from facewright.core.options import option
from facewright.core.workspace import Side, Workspace
from facewright.extract.detectors.base import MANUAL
from facewright.extract.log import read_searched
from facewright.faces.align import transform_points
from facewright.faces.faceset import FaceFile, load_faceset
from facewright.faces.pose import head_pose
from facewright.faces.record import FaceRecord, update_record
from facewright.faces.smoothing import STRENGTHS, Steadiness, measure, smooth_faces
from facewright.faces.tracks import Sighting, join_tracks

REMEMBERED = "smooth"  # under this name the strength of each side is kept among the answers
AT_FIRST = {"data_src": "off", "data_dst": "medium"}
SAME = 0.002  # pixels: a record keeps thousandths
ENOUGH = 10  # frames at rest, from which it is said what smoothing gained


@dataclass(frozen=True)
class SmoothOptions:
    """Over all faces, once they are found."""

    smooth: str = option(
        "auto",
        "Calm the trembling of the landmarks from frame to frame. Faces at rest come to rest, nothing lags, blinks and "
        "speech stay. Can be changed at any time without a new search.",
        choices={
            "auto": "as the last time for this side; at first medium for dst, off for src",
            "off": "landmarks as they were found",
            "low": "over 9 frames at most",
            "medium": "over 25 frames at most, where the face is at rest",
            "high": "the same, and slow movements are evened out too",
        },
        remember=False,
    )


def smooth_side(workspace: Workspace, side: Side, options: SmoothOptions) -> None:
    """Bring all faces of a side to the wanted strength; the caller holds the side's lock.

    Args:
        workspace: Remembers the strength.
        side: Whose faces.
        options: What the user chose.
    """
    level = _level(workspace, side, options.smooth)
    files = load_faceset(side.aligned_dir).faces
    if level == "off" and all(file.record.raw_landmarks is None for file in files):
        return
    raw = [file.record.found_landmarks for file in files]
    faces = _sightings(side, files)
    wanted = raw if level == "off" else smooth_faces(faces, STRENGTHS[level])
    todo = [
        (file, replaced)
        for file, points in zip(files, wanted, strict=True)
        if (replaced := moved(file.record, points)) is not None
    ]
    if todo:
        _write(todo)
    if todo and level == "off":
        console.say(f"Landmarks as they were found again: {len(todo)} faces.")
    elif todo:
        console.say(f"Landmarks smoothed over time ({level}): {len(todo)} faces.{_gain(faces, wanted)}")


def moved(record: FaceRecord, points: NDArray[np.floating]) -> FaceRecord | None:
    """Return the record with these landmarks in the frame, and all that hangs on them; None where it has them.

    Args:
        record: What is known of the face.
        points: (68, 2) in the frame. The ones that were found stay in the record.
    """
    found = record.found_landmarks
    as_found = float(np.abs(points - found).max()) < SAME
    if as_found == (record.raw_landmarks is None) and float(np.abs(points - record.frame_landmarks).max()) < SAME:
        return None
    kept = found if as_found else np.asarray(points, np.float32)
    return replace(
        record,
        frame_landmarks=kept,
        raw_landmarks=None if as_found else found,
        landmarks=transform_points(kept, record.matrix).astype(np.float32),
        pose=head_pose(kept),
    )


def _level(workspace: Workspace, side: Side, chosen: str) -> str:
    """Return the strength; what was chosen holds for later runs of this side."""
    known = workspace.answers(REMEMBERED)
    if chosen == "auto":
        level = str(known.get(side.name, ""))
        return level if level in ("off", *STRENGTHS) else AT_FIRST[side.name]
    workspace.remember(REMEMBERED, {**known, side.name: chosen})
    return chosen


def _sightings(side: Side, files: Sequence[FaceFile]) -> list[Sighting]:
    """Number the frames, also those without a face and those that are gone, by their names."""
    names = {path.name for path in side.frames()} | set(read_searched(side).entries)
    names |= {file.record.frame for file in files}
    number = {name: index for index, name in enumerate(sorted(names))}
    return [
        Sighting(
            number[file.record.frame],
            file.record.found_landmarks,
            file.record.person,
            file.record.detector == MANUAL,
        )
        for file in files
    ]


def _write(todo: Sequence[tuple[FaceFile, FaceRecord]]) -> None:
    def update(one: tuple[FaceFile, FaceRecord]) -> None:
        file, record = one
        try:
            update_record(file.path, record)
        except UserError:
            if file.path.exists():  # a face that the user deletes meanwhile stays deleted
                raise

    with workers.threads(workers.cores()) as pool:
        done = workers.ordered_map(update, todo, pool, ahead=4 * workers.cores())
        for _ in console.progress(done, total=len(todo), title="Smoothing", unit="faces"):
            pass


def _gain(faces: Sequence[Sighting], wanted: Sequence[NDArray[np.floating]]) -> str:
    """Say by how much the faces at rest tremble less, where there are enough of them."""
    found: list[Steadiness] = []
    for track in join_tracks(faces):
        gaps = np.flatnonzero(np.diff([faces[index].time for index in track]) > 1) + 1
        for run in np.split(np.array(track), gaps):
            figures = measure(np.array([faces[i].points for i in run]), np.array([wanted[i] for i in run]))
            if figures is not None and figures.at_rest:
                found.append(figures)
    frames = np.array([one.at_rest for one in found])
    if frames.sum() < ENOUGH:
        return ""
    before, after = (float(np.average([one.square[k] for one in found], weights=frames)) for k in (0, 1))
    if before <= after:
        return ""
    return f" Where they rest, they tremble {min(100 * (1 - after / before), 99):.0f} % less."
