"""Portraits: the model's picture is the whole result, and dst only moves it; nothing is blended into a frame."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facewright.convert.blend import to_bytes
from facewright.convert.job import Job
from facewright.convert.pipeline import refuse_broken
from facewright.core.images import Image


def portrait_jobs(jobs: Sequence[Job]) -> list[Job]:
    """Give every frame one face: the largest of its own, or that of the frame before, at the start of the next.

    A portrait video has one picture per frame of dst, or it would not fit its sound.

    Args:
        jobs: One per frame, in order; the faces of a frame in any order. At least one has a face.

    Returns:
        One per frame, each with one face; `shown` names the frame where that is not the frame's own.

    Raises:
        ValueError: No frame has a face.
    """
    with_face = [job for job in jobs if job.landmarks]
    if not with_face:
        raise ValueError("a portrait video needs a face in at least one frame")
    current = with_face[0]
    result = []
    for job in jobs:
        current = job if job.landmarks else current
        largest = max(current.landmarks, key=lambda points: float(np.ptp(points, axis=0).prod()))
        result.append(replace(job, landmarks=(largest,), shown=None if current is job else current.frame))
    return result


def portrait(pictures: NDArray[np.float32], masks: NDArray[np.float32]) -> Image:
    """Return the one prediction of a frame as a picture.

    Args:
        pictures: (1, P, P, 3) float32.
        masks: (1, P, P, 1) float32; only checked.

    Returns:
        (P, P, 3) uint8 BGR.

    Raises:
        UserError: The prediction holds numbers that are not finite.
    """
    refuse_broken(pictures, masks)
    return to_bytes(np.clip(pictures[0], 0, 1))
