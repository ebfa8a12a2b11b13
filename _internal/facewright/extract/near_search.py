"""A search near where a face must be: enlarged, at the detectors' lowest thresholds, only what lies there counts."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from facewright.core.images import Image
from facewright.extract.detectors.base import Box
from facewright.extract.filters import reject_false_face
from facewright.extract.follow import extent, overlap
from facewright.extract.pipeline import FaceExtractor
from facewright.faces.align import Points
from facewright.faces.expression import eye_distance
from facewright.faces.flow import LEAST_EYES_PX
from facewright.faces.record import FaceRecord

VIEW_PX = 192  # side of what the detector sees: one size for all, since some get ready anew for each
AROUND = 2.2  # sides of the face that the view shows
SAME_PLACE = 0.4  # of the area of the expected and the found square, that both share
# Landmarks that lie farther from where the flow carried them are those of something else; in distances of the eyes.
MAX_APART = 0.2


def search_near(extractors: Sequence[FaceExtractor], image: Image, frame: str, points: Points) -> FaceRecord | None:
    """Return the face near expected landmarks, by the first detector that finds one; None where none does.

    Args:
        extractors: With the detectors to be asked, in this order.
        image: The frame, (h, w, 3) uint8 BGR.
        frame: Its name.
        points: (68, 2), where the landmarks must be.
    """
    middle, side = (points.max(axis=0) + points.min(axis=0)) / 2, float(np.ptp(points, axis=0).max())
    corner, scale = middle - AROUND / 2 * side, VIEW_PX / (AROUND * side)
    matrix = np.array([[scale, 0.0, -corner[0] * scale], [0.0, scale, -corner[1] * scale]])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    view = np.asarray(cv2.warpAffine(image, matrix, (VIEW_PX, VIEW_PX), flags=way), np.uint8)
    for extractor in extractors:
        for box in extractor.detector.detect([view], smallest=VIEW_PX / AROUND / 2)[0]:
            record = extractor.record(image, frame, _in_frame(box, extractor, corner, scale))
            if isinstance(reject_false_face(image, record), FaceRecord) and _is_there(record, points):
                return record
    return None


def _in_frame(box: Box, extractor: FaceExtractor, corner: Points, scale: float) -> Box:
    """Return a box of the view in the frame, with its face square, which the detector tells in the view."""
    square = (box.square or extractor.detector.face_square(box)).scaled(1 / scale)
    whole = box.scaled(1 / scale)
    return replace(_moved(whole, corner), square=_moved(square, corner))


def _moved(box: Box, corner: Points) -> Box:
    x, y = (float(value) for value in corner)
    return replace(box, left=box.left + x, top=box.top + y, right=box.right + x, bottom=box.bottom + y)


def _is_there(record: FaceRecord, points: Points) -> bool:
    found = record.frame_landmarks
    apart = float(np.linalg.norm(found - points, axis=1).mean()) / eye_distance(points, LEAST_EYES_PX)
    return overlap(extent(found), extent(points)) > SAME_PLACE and apart < MAX_APART
