"""Landmarks between two frames in which they are known: carried along by optical flow from either end.

The points of the first frame are carried forward and those of the last one backward, from frame to frame. What each
way lacks at its end is what it lost on it, evenly: it is taken back in proportion. Where both meet counts the nearer
end more. The flow is dense (Kroeger and others, "Fast Optical Flow using Dense Inverse Search", ECCV 2016, as OpenCV
has it). Measured on four clips, a tenth of the faces left out in runs of up to eight frames (`main.py benchmark --name
gaps`): off by 0.3 to 1.1 % of the distance of the eyes, a straight line by 0.8 to 2.9 %, sparse flow by 0.4 to 1.7 %.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image
from facewright.faces.align import Points
from facewright.faces.expression import eye_distance

FACE_PX = 160  # larger extent of the landmarks in the images that the flow sees
MAX_ENLARGED = 3.0
BORDER = 0.35  # of the landmarks' extent, around them
SMOOTH = 7  # px, over which the flow is averaged
LEAST_EYES_PX = 1.0  # a smaller distance of the eyes counts as so large

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class CarriedPoints:
    """Landmarks of the frames in between.

    Attributes:
        points: (n - 2, 68, 2) in the frames.
        lost: By how much the way from one end to the other missed it, both ways on the average, in distances of the
            eyes: large where something came in between, or the face turned away.
    """

    points: Numbers
    lost: float


def carry_points(frames: Iterable[Image], first: Points, last: Points) -> CarriedPoints:
    """Return the landmarks in the frames between the first and the last one.

    Args:
        frames: n of them, 3 or more, that follow each other, of one size, (h, w, 3) uint8 BGR; each is asked for
            once and not kept.
        first, last: (68, 2) landmarks in the first and in the last of them.
    """
    ends = np.asarray(first, np.float64), np.asarray(last, np.float64)
    corner, scale, size = _view(*ends)
    views = [_cut(frame, corner, scale, size) for frame in frames]
    start, end = ((points - corner) * scale for points in ends)
    forward, backward = _followed(views, start), _followed(views[::-1], end)[::-1]
    share = np.linspace(0, 1, len(views))[:, None, None]
    missed = forward[-1] - end, backward[0] - start
    met = (1 - share) * (forward - share * missed[0]) + share * (backward - (1 - share) * missed[1])
    lost = float(np.mean([np.linalg.norm(one, axis=1).mean() for one in missed])) / scale
    return CarriedPoints(met[1:-1] / scale + corner, lost / eye_distance(ends[0], LEAST_EYES_PX))


def _view(first: Numbers, last: Numbers) -> tuple[Numbers, float, tuple[int, int]]:
    """Return corner (x, y) in the frames, scale, and size (w, h) of the part that the flow sees."""
    extent = max(float(np.ptp(points, axis=0).max()) for points in (first, last))
    both = np.vstack([first, last])
    low, high = both.min(axis=0) - BORDER * extent, both.max(axis=0) + BORDER * extent
    scale = min(FACE_PX / max(extent, 1.0), MAX_ENLARGED)
    width, height = np.ceil((high - low) * scale).astype(int)
    return low, scale, (int(width), int(height))


def _cut(frame: Image, corner: Numbers, scale: float, size: tuple[int, int]) -> Image:
    matrix = np.array([[scale, 0.0, -corner[0] * scale], [0.0, scale, -corner[1] * scale]])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    part = cv2.warpAffine(frame, matrix, size, flags=way, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.cvtColor(part, cv2.COLOR_BGR2GRAY), np.uint8)


def _followed(views: Sequence[Image], points: Numbers) -> Numbers:
    """Return the points in every view, (n, 68, 2), carried from the first on."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    along = [points]
    for one, other in pairwise(views):
        found = flow.calc(one, other, None)  # type: ignore[call-overload]
        field = np.asarray(cv2.blur(found, (SMOOTH, SMOOTH)), np.float32)
        along.append(along[-1] + flow_at(field, along[-1]))
    return np.array(along)


def flow_at(field: NDArray[np.float32], points: Numbers) -> Numbers:
    """Return the flow at points (x, y), (n, 2); outside the image that of its border.

    Args:
        field: (h, w, 2).
        points: (n, 2).
    """
    x, y = (points[None, :, axis].astype(np.float32) for axis in (0, 1))
    found = cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float64).reshape(-1, 2)
