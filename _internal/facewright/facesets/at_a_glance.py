"""What `view` knows of a faceset, in the two lines with which an extraction ends."""

from concurrent.futures import Executor

import numpy as np

from facewright.core import console
from facewright.core.workspace import Side
from facewright.faces.faceset import FaceIndex
from facewright.facesets.statistics import MIN_BOX_PX, box_side, lacking_faces, measure_faces, poses_of
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
        Two lines; none without faces.
    """
    every = faces.faces
    if not every:
        return []
    small = sum(box_side(face.record) < MIN_BOX_PX for face in every)
    looked_at = FaceIndex([every[index] for index in evenly(len(every), MAX_LOOKED_AT)])
    stats, _ = measure_faces(side, looked_at, executor)
    soft = stats.blurred / max(len(stats.faces), 1)
    first = f"Of {len(every)} face{'s' * (len(every) != 1)}"
    sizes = f"{small} are small (under {MIN_BOX_PX:.0f} px in the frame)" if small else "none is small"
    blur = f"about {soft:.0%} are soft beside the others" if soft >= 0.005 else "none is soft"
    return [f"{first} {sizes}, {blur}.", _poses(side, faces, other)]


def _poses(side: Side, faces: FaceIndex, other: FaceIndex) -> str:
    own = poses_of(faces.faces)
    if not other.faces:
        low, high = np.percentile(own, 2, axis=0), np.percentile(own, 98, axis=0)
        return (
            f"They look from {low[0]:+z.0f} to {high[0]:+z.0f} degrees (yaw) "
            f"and {low[1]:+z.0f} to {high[1]:+z.0f} (pitch)."
        )
    src, dst = (own, poses_of(other.faces)) if side.short == "src" else (poses_of(other.faces), own)
    alone = lacking_faces(src, dst)
    if not alone:
        return "Src has every pose that dst shows."
    return (
        f"Poses that do not meet: for {alone} of {console.counted(len(dst), 'face')} of dst src has hardly "
        "one of like yaw and pitch."
    )
