"""How sharp a face is: one number that means the same whatever the size of the face in its frame.

Method: the variance of the Laplacian (Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy: a
comparative study", ICPR 2000), inside the hull of the landmarks, on the full face at a fixed size.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.faces.align import FaceType, Points, align_matrix, cut, transform_points
from facewright.faces.mask import hull_mask

SIDE = 128  # of the full face, in pixels: what the models see of a face is about that fine
# What the number means, in words: below each limit. Medians that `view` prints of clips of real people: hands' language
# by a soft camera 9 and 19 (faces of 72 and 59 px), a laptop's webcam 34 and 45 (110 to 120 px), a camera in a booth
# 170 and 180 (130 px); the rendered sample 280.
WORDS = (
    (12.0, "far softer than a poor webcam"),
    (25.0, "softer than a poor webcam"),
    (100.0, "like a webcam"),
    (np.inf, "like a good camera"),
)
SOFT = WORDS[1][0]  # below this, a set is worth another video
RIM = 3  # pixels inside the hull that are left out: the edge of the cheek against the background is no detail


def sharpness(frame: NDArray[np.uint8], landmarks: Points) -> float:
    """Return the variance of the Laplacian inside the face, in grey levels squared; 0 where nothing of it is seen.

    A face that is smaller than the fixed size is enlarged, and rightly counts as less sharp.

    Args:
        frame: (h, w, 3) uint8 BGR.
        landmarks: (68, 2) points in the frame.
    """
    matrix = align_matrix(landmarks, FaceType.FULL, SIDE)
    grey = cut(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), matrix, SIDE)
    inside = (hull_mask(transform_points(landmarks, matrix), (SIDE, SIDE)) > 0.5).astype(np.uint8)
    # Black outside the frame, whose edge is no detail either.
    height, width = frame.shape[:2]
    corners = np.array([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)], float)
    seen = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillConvexPoly(seen, np.rint(transform_points(corners, matrix)).astype(np.int32), 1)
    ring = np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)
    wanted = cv2.erode(inside & seen, ring, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
    if not wanted.any():
        return 0.0
    return float(cv2.Laplacian(grey, cv2.CV_64F)[wanted].var())


def sharpness_words(value: float) -> str:
    """Return what a sharpness means, beside cameras that everybody knows."""
    return next(words for limit, words in WORDS if value < limit or limit == np.inf)
