"""Frames of the synthetic sample clips, and the real clips where they are."""

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from facewright.core.images import Image

REPOSITORY = Path(__file__).resolve().parents[1]
SAMPLE = REPOSITORY / "_internal" / "sample"
# A folder of clips of real people, which are no part of the repository.
REAL = Path(os.environ.get("FACEWRIGHT_REAL_CLIPS", REPOSITORY.parent / "shared" / "data" / "real"))

needs_real_faces = pytest.mark.skipif(not REAL.is_dir(), reason="FACEWRIGHT_REAL_CLIPS names no folder of clips")


def clip_frames(path: Path, numbers: Sequence[int], *, size: tuple[int, int] | None = None) -> list[Image]:
    """Return frames of a video by number, each (h, w, 3) uint8 BGR, resized to size = (h, w) if given."""
    found = []
    clip = cv2.VideoCapture(str(path))
    for number in range(max(numbers) + 1):
        done, frame = clip.read()
        assert done, f"{path.name} has no frame {number}"
        if number in numbers:
            if size is not None:
                frame = cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA)
            found.append(np.asarray(frame, np.uint8))
    clip.release()
    return found


def sample_frames(side: str, numbers: Sequence[int], *, size: tuple[int, int] | None = None) -> list[Image]:
    """Return frames of data_src.mp4 or data_dst.mp4 (640x480, one face in each)."""
    return clip_frames(SAMPLE / f"data_{side}.mp4", numbers, size=size)
