"""Smooth the landmarks of a side over time, over all its faces.

Each record keeps the landmarks as they were found (`raw_landmarks`), and every run begins with those: so the strength
can be changed, or smoothing taken back, without a new search, and a second run changes nothing. A run that was
stopped is finished by the next.

The aligned image and its matrix stay. The record is right all the same: its landmarks lie in the image where the
smoothed ones lie in the frame. Training aligns by them again, conversion cuts the face from the frame by them, so
both see the smoothed place; faces need no second cut, and a mask that was drawn into an image stays where it was.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facewright.core import console
from facewright.core.machine import cores
from facewright.core.workers import ordered_map
from facewright.core.workspace import Side, Workspace
from facewright.extract.follow import FollowedFaces
from facewright.extract.side_run import SideRun
from facewright.faces.align import transform_points
from facewright.faces.faceset import FaceFile
from facewright.faces.pose import head_pose
from facewright.faces.record import FaceRecord
from facewright.faces.smoothing import STRENGTHS, Steadiness, compare_tracks, smooth_faces

ANSWER_KEY = "smooth"  # under this name the strength of each side is kept among the answers
DEFAULT_LEVEL = {"data_src": "off", "data_dst": "medium"}
MAX_EQUAL_PX = 0.002  # a record keeps thousandths
MIN_FRAMES_AT_REST = 10  # from which on it is said what smoothing gained


def smooth_side(run: SideRun, chosen: str = "auto") -> None:
    """Bring all faces of a side to the wanted strength.

    Args:
        run: Whose faces; the workspace remembers the strength.
        chosen: What the user chose: "auto", "off" or one of `STRENGTHS`.
    """
    level = _level(run.workspace, run.side, chosen)
    files = run.faces.faces
    if level == "off" and all(file.record.raw_landmarks is None for file in files):
        return
    followed = run.followed()
    raw = [np.asarray(face.points, np.float32) for face in followed.sightings]
    wanted = raw if level == "off" else smooth_faces(followed.sightings, STRENGTHS[level], followed.tracks)
    todo = [
        FaceFile(file.path, replaced)
        for file, points in zip(files, wanted, strict=True)
        if (replaced := with_landmarks(file.record, points)) is not None
    ]
    if not todo:
        return
    done = ordered_map(run.faces.write, todo, run.executor, ahead=4 * cores())
    for _ in console.progress(done, total=len(todo), title="Smoothing", unit="faces"):
        pass
    if level == "off":
        console.say(f"Landmarks as they were found again: {console.counted(len(todo), 'face')}.")
    else:
        console.say(
            f"Landmarks smoothed over time ({level}): {console.counted(len(todo), 'face')}.{_gain(followed, wanted)}"
        )


def with_landmarks(record: FaceRecord, points: NDArray[np.floating]) -> FaceRecord | None:
    """Return the record with these landmarks in the frame, and all that depends on them; None where it has them.

    Args:
        record: What is known of the face.
        points: (68, 2) in the frame. The ones that were found stay in the record.
    """
    found = record.found_landmarks
    as_found = float(np.abs(points - found).max()) < MAX_EQUAL_PX
    if (
        as_found == (record.raw_landmarks is None)
        and float(np.abs(points - record.frame_landmarks).max()) < MAX_EQUAL_PX
    ):
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
    known = workspace.answers(ANSWER_KEY)
    if chosen == "auto":
        level = str(known.get(side.name, ""))
        return level if level in ("off", *STRENGTHS) else DEFAULT_LEVEL[side.name]
    workspace.remember(ANSWER_KEY, {**known, side.name: chosen})
    return chosen


def _gain(followed: FollowedFaces, wanted: Sequence[NDArray[np.floating]]) -> str:
    """Say by how much the jitter of the faces at rest fell, where there are enough of them."""
    found: list[Steadiness] = []
    faces = followed.sightings
    for track in followed.tracks:
        gaps = np.flatnonzero(np.diff([faces[index].time for index in track]) > 1) + 1
        for run in np.split(np.array(track), gaps):
            figures = compare_tracks(np.array([faces[i].points for i in run]), np.array([wanted[i] for i in run]))
            if figures is not None and figures.at_rest:
                found.append(figures)
    frames = np.array([one.at_rest for one in found])
    if frames.sum() < MIN_FRAMES_AT_REST:
        return ""
    before, after = (float(np.average([one.square[k] for one in found], weights=frames)) for k in (0, 1))
    if before <= after:
        return ""
    return f" Where they rest, they jitter {min(100 * (1 - after / before), 99):.0f} % less."
