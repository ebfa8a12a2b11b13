"""Methods that choose: the most different poses and lights first, and those that dst needs first."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facewright.faces.align import zoom_of
from facewright.faces.faceset import FaceFile
from facewright.faces.like_poses import POSE_DEGREES, on_this_head
from facewright.facesets.distances import CityBlock
from facewright.facesets.looks import looks_of
from facewright.facesets.sort_base import FaceToSort, ascending, descending, sort_method
from facewright.facesets.sort_images import face_pixels

LEVELS = 25.0  # grey levels of light that count as much as POSE_DEGREES of pose
BLOCK = 1 << 20  # pairs of faces that are held against each other at once
WIDTH = POSE_DEGREES / 2  # degrees: deviation of the weight that a face of src has for a pose of dst
LEAST = float(np.exp(-((POSE_DEGREES / WIDTH) ** 2) / 2))  # weight of one face at the edge of what covers a pose


def farthest_first(measures: NDArray[np.float32]) -> list[int]:
    """Order so that each face is the one farthest from all before it; the first is in the middle of all.

    Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985: the first k of the order leave no face
    more than twice as far away as the best k would.

    Args:
        measures: (n, d).
    """
    points = np.asarray(measures, np.float64)
    space = CityBlock(np.asarray(measures, np.float32))
    at = int(np.abs(points - np.median(points, axis=0)).sum(axis=1).argmin())
    order, away = [at], np.full(len(points), np.inf, np.float32)
    for _ in range(len(points) - 1):
        np.minimum(away, space.to(at), out=away)
        away[at] = -1.0  # it stays below all distances, and is not chosen again
        at = int(away.argmax())
        order.append(at)
    return order


@sort_method("coverage", "every pose and light as early as can be: the first so many cover the most", farthest_first)
def coverage(face: FaceToSort) -> NDArray[np.float32]:
    """Yaw and pitch, and the brightness of each quarter of the face, in units that count alike."""
    lit, inside = face.image.max(axis=2).astype(np.float64), face_pixels(face)
    rows, columns = np.nonzero(inside)
    low, left = rows > rows.mean(), columns > columns.mean()
    values = lit[inside]
    quarters = [(low == down) & (left == right) for down in (False, True) for right in (False, True)]
    light = [values[quarter].mean() if quarter.any() else values.mean() for quarter in quarters]
    yaw, pitch, _ = face.record.pose
    # Four brightnesses that rise together count once.
    return np.array([yaw / POSE_DEGREES, pitch / POSE_DEGREES, *(np.array(light) / LEVELS / 2)], np.float32)


@sort_method("upscale-factor", "least enlarged first: faces blown up from few pixels gather at the end", ascending)
def upscale_factor(face: FaceToSort) -> float:
    """Pixels of the aligned image per pixel of the frame; above 1 it was enlarged."""
    return zoom_of(face.record.matrix)


def needed_first(measures: NDArray[np.float32], dst: Sequence[FaceFile]) -> list[int]:
    """Order src by how much of dst's poses depends on each face; equal ones keep their order.

    Each face of dst shares one vote among the faces of src, by a normal weight of their distance in degrees: a face
    that alone has a pose that dst often shows gets many votes, one of many of a kind, or of a pose that dst never
    shows, few.

    Args:
        measures: (n, 2) yaw and pitch of src.
        dst: The faces of dst.
    """
    src, votes = np.asarray(measures, np.float64), np.zeros(len(measures))
    poses = on_this_head(looks_of(dst).poses, src)
    step = max(1, BLOCK // len(src))
    for start in range(0, len(poses), step):
        squares = ((poses[start : start + step, None] - src[None]) ** 2).sum(axis=2)
        weights = np.exp(-squares / (2 * WIDTH**2))
        votes += (weights / np.maximum(weights.sum(axis=1, keepdims=True), LEAST)).sum(axis=0)
    return descending(np.round(votes, 6))


@sort_method(
    "match-dst",
    "src by how much dst's poses need each face: those that dst never shows last",
    needed_first,
    against="dst",
)
def match_dst(face: FaceToSort) -> NDArray[np.float32]:
    """Yaw and pitch in degrees."""
    return np.array(face.record.pose[:2], np.float32)
