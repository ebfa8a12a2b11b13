"""What `view` knows of a faceset, in the few lines with which an extraction ends."""

from concurrent.futures import Executor

import numpy as np

from facewright.core import console
from facewright.core.workspace import Side
from facewright.faces.faceset import FaceIndex
from facewright.faces.like_poses import POSE_FACES
from facewright.faces.occlusion import covered_faces
from facewright.faces.sharpness import sharpness_words
from facewright.facesets.looks import Looks, expression_words, lacking_poses, looks_of
from facewright.facesets.statistics import MIN_BOX_PX, box_side, measure_faces
from facewright.ui.contact_sheet import evenly

MAX_LOOKED_AT = 300  # faces whose images are read: enough for a share


def at_a_glance(side: Side, faces: FaceIndex, other: FaceIndex, executor: Executor) -> list[str]:
    """Say how many faces are small or soft, and whether the poses of both sides meet.

    Args:
        side: Whose faces.
        faces: Its faces.
        other: The faces of the other side, empty where there are none yet.
        executor: Threads that read images.

    Returns:
        Two lines, one where faces are covered, and one for each expression that dst shows and src does not; none
        without faces.
    """
    every = faces.faces
    if not every:
        return []
    small = sum(box_side(face.record) < MIN_BOX_PX for face in every)
    looked_at = FaceIndex([every[index] for index in evenly(len(every), MAX_LOOKED_AT)])
    stats, _ = measure_faces(side, looked_at, executor)
    soft = stats.blurred / max(len(stats.faces), 1)
    first = f"Of {console.counted(len(every), 'face')}"
    sizes = f"{small} are small (under {MIN_BOX_PX:.0f} px in the frame)" if small else "none is small"
    blur = f"about {soft:.0%} are soft beside the others" if soft >= 0.005 else "none is soft beside the others"
    lines = [f"{first} {sizes}, {blur}."]
    if len(stats.faces):
        sharp = float(np.median(stats.sharpness))
        lines[0] += f" Sharpness {sharp:.0f}: {sharpness_words(sharp)}."
    lines += _covered_line(side, faces)
    return [*lines, *_looks(side, looks_of(every), looks_of(other.faces))]


def _covered_line(side: Side, faces: FaceIndex) -> list[str]:
    """Say how many faces are covered, and what to do about them."""
    covered = len(covered_faces(faces.faces))
    if not covered:
        return []
    found = f"{console.counted(covered, 'face')} {'looks' if covered == 1 else 'look'} covered by a hand"
    if side.short == "dst":
        return [f"{found}: the hand stays as it is in the conversion, the training learns nothing of it."]
    return [
        f"{found}: the training leaves the hand out, final sorts them last. "
        f"To move them to the trash:{side.hint('sort --by uncovered')}"
    ]


def _looks(side: Side, own: Looks, other: Looks) -> list[str]:
    """Hold poses and expressions of both sides against each other; without the other one say where the faces look."""
    if not other:
        low, high = np.percentile(own.poses, 2, axis=0), np.percentile(own.poses, 98, axis=0)
        return [
            f"They look from {low[0]:+z.0f} to {high[0]:+z.0f} degrees (yaw) "
            f"and {low[1]:+z.0f} to {high[1]:+z.0f} (pitch)."
        ]
    src, dst = (own, other) if side.short == "src" else (other, own)
    if len(src) < POSE_FACES:
        return []
    alone = lacking_poses(src, dst)
    poses = (
        f"Poses that do not meet: for {alone} of {console.counted(len(dst), 'face')} of dst src has hardly one of "
        "like yaw and pitch."
    )
    return [poses if alone else "Src has every pose that dst shows.", *expression_words(src, dst)]
