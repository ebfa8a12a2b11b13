"""The 68 landmarks of a face, by dlib's predictor (Kazemi and Sullivan 2014, iBUG 300-W points).

The predictor reads single pixels relative to a box, knows upright faces only and answers in whole pixels. So it runs
several times and its results are averaged: once in the face square; then, in a crop in which that first result made
the face upright and of a fixed size, four times, each with the box moved a little, two of them in the mirror image.
The second pass (`accurate`) adds two predictions in each of two crops that are rotated a little.

A prediction in a crop that is already there costs half a millisecond. Compared with two predictions, the points come
out the same to 0.21 instead of 0.28 % of the eyes' distance when the face lies otherwise in its frame, with the second
pass to 0.16 %; from frame to frame they jitter by 0.80 instead of 0.88 %, true motion included (medians of five clips;
`main.py benchmark --name steadiness` measures the sample).
"""

import threading
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image
from facewright.extract.detectors.base import FACE_SQUARE, Box
from facewright.extract.dlib_files import load_dlib, model_file
from facewright.extract.landmarkers.base import LandmarkerSpec
from facewright.extract.licences import Licence
from facewright.faces.align import MEAN_FACE, Matrix, between, invert, resample, similarity, transform_points
from facewright.faces.mask import mirror_landmarks
from facewright.faces.record import INNER

ROUGH_SIDE_PX = 160  # of the mean face's square in the first prediction
FINE_SIDE_PX = 320  # and in the others
MAX_REFINEMENTS = 3  # one is enough as a rule
MAX_SETTLED_STEP = 0.06  # of the mean face's side, and of its scale: a smaller step needs no further refinement
CROP_MARGIN = 0.3  # around the mean face's square, in the crop that the predictor gets
SQUARE_SIDE = FACE_SQUARE[1] - FACE_SQUARE[0]  # in sides of the mean face's square
# Where the box lies for a prediction: shift to the right and down in units of the square, size, and whether the crop
# is mirrored.
BoxPlacement = tuple[float, float, float, bool]
UNTURNED_PLACEMENTS: tuple[BoxPlacement, ...] = (
    (0.02, 0.02, 1.0, False),
    (-0.02, -0.02, 1.0, False),
    (0.02, -0.02, 1.0, True),
    (-0.02, 0.02, 1.0, True),
)
# Of the second pass; twice as many gain a tenth.
TURNED_PLACEMENTS: tuple[BoxPlacement, ...] = ((0.02, 0.02, 1.04, False), (-0.02, -0.02, 1.04, True))
SECOND_PASS_ANGLES = (-6.0, 6.0)  # degrees


class DlibLandmarker:
    """See `facewright.extract.landmarkers.base.Landmarker`; the predictor itself works for one thread at a time."""

    name = "dlib"

    def __init__(self) -> None:
        """Load the predictor (100 MB, half a second).

        Raises:
            UserError: dlib or the predictor's file is missing.
        """
        dlib = load_dlib()
        self._predictor = dlib.shape_predictor(str(model_file("shape_predictor_68_face_landmarks.dat")))
        self._rectangle = dlib.rectangle
        # The predictor gets slower, not faster, in several threads at once.
        self._lock = threading.Lock()

    def find(self, frame: Image, box: Box, *, accurate: bool = False) -> NDArray[np.float32]:
        """Return the 68 landmarks (x, y) in the frame's pixels, (68, 2) float32.

        Args:
            frame: (h, w, 3) uint8 BGR.
            box: The face square, see `Detector.face_square`. Its roll matters where the head is tilted by more than
                30 degrees.
            accurate: Add the second pass: steadier points for twice the time.
        """
        middle = np.array([box.left + box.right, box.top + box.bottom]) / 2
        scale = SQUARE_SIDE / max(box.width, 1.0)
        c, s = scale * np.cos(np.radians(box.roll)), scale * np.sin(np.radians(box.roll))
        upright = np.array([[c, s], [-s, c]])
        grey = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)
        first = np.column_stack([upright, 0.5 - upright @ middle])
        points = self._predictions(grey, first, ROUGH_SIDE_PX, ((0.0, 0.0, 1.0, False),))[0]
        predictions: list[NDArray[np.float64]] = []
        for _ in range(MAX_REFINEMENTS):
            to_mean = similarity(points[INNER:], MEAN_FACE)
            predictions = self._predictions(grey, to_mean, FINE_SIDE_PX, UNTURNED_PLACEMENTS)
            points = np.mean(predictions, axis=0)
            if _settled(to_mean, similarity(points[INNER:], MEAN_FACE)):
                break
        if accurate:
            to_mean = similarity(points[INNER:], MEAN_FACE)
            for turn in SECOND_PASS_ANGLES:
                predictions += self._predictions(grey, _turned(to_mean, turn), FINE_SIDE_PX, TURNED_PLACEMENTS)
            points = np.mean(predictions, axis=0)
        return points.astype(np.float32)

    def _predictions(
        self, grey: NDArray[np.uint8], to_mean: Matrix, side: int, placements: Sequence[BoxPlacement]
    ) -> list[NDArray[np.float64]]:
        """Return the points of each prediction, in the frame.

        Args:
            grey: (h, w) uint8, the frame.
            to_mean: 2x3, frame -> mean face.
            side: Pixels of the mean face's square in the crop.
            placements: Where the box lies for each prediction.
        """
        matrix = to_mean * side
        matrix[:, 2] += side * CROP_MARGIN
        length = round(side * (1 + 2 * CROP_MARGIN))
        crop = np.asarray(resample(grey, matrix, length, cv2.INTER_LINEAR), np.uint8)
        mirror = np.ascontiguousarray(crop[:, ::-1]) if any(placement[3] for placement in placements) else crop
        back = invert(matrix)
        found = []
        with self._lock:
            for right, down, size, mirrored in placements:
                box = self._box(side, right, down, size)
                shape = self._predictor(mirror if mirrored else crop, box)
                points = np.array([(part.x, part.y) for part in shape.parts()], np.float64)
                found.append(mirror_landmarks(points, length) if mirrored else points)
        return [transform_points(points, back) for points in found]

    def _box(self, side: int, right: float, down: float, size: float) -> Any:
        centre = 0.5 + CROP_MARGIN
        half = SQUARE_SIDE / 2 * size
        edges = (centre + right - half, centre + down - half, centre + right + half, centre + down + half)
        return self._rectangle(*(round(edge * side) for edge in edges))


def _turned(to_mean: Matrix, degrees: float) -> Matrix:
    """Turn what a matrix frame -> mean face shows about the middle of the square."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[c, s], [-s, c]])
    return np.column_stack([turn @ to_mean[:, :2], turn @ (to_mean[:, 2] - 0.5) + 0.5])


def _settled(before: Matrix, after: Matrix) -> bool:
    """Say whether the face lay as it should in the last image; a detector's odd box needs another look."""
    step = between(before, after)
    return float(np.abs(step - np.eye(2, 3)).max()) < MAX_SETTLED_STEP


LICENCE = Licence(
    part="dlib's 68 landmarks",
    terms="its data's owners say that it cannot be used in a commercial product",
    trained_on="iBUG 300-W",
    commercial=False,
)
SUMMARY = "68 points, an ensemble of regression trees: steadier below 25 px"
LANDMARKERS = (LandmarkerSpec("dlib", SUMMARY, DlibLandmarker, LICENCE),)
