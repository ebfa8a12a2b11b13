"""The 68 landmarks of a face, by dlib's predictor (Kazemi and Sullivan 2014, iBUG 300-W points).

The predictor reads single pixels relative to a box, knows upright faces only and answers in whole pixels. So it
looks three times: in the detector's box, then in a picture in which the first look made the face upright and
of a fixed size, and in that picture's mirror image. The mean of the last two is the result. Over one look,
that takes 2.7 ms more per face and a third (0.77 against 1.10 % of the eyes' distance) off the trembling of
the points from frame to frame, which a swapped face would show.
"""

import importlib
import importlib.util
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.errors import UserError
from facewright.core.images import Image
from facewright.detect.base import REMAKE, Box
from facewright.faces.align import MEAN_FACE, Matrix, between, invert, resample, similarity, transform_points
from facewright.faces.mirror import mirror_landmarks

ROUGH_SIDE = 220  # pixels of the mean face's square in the first look
SIDE = 320  # and in the others
# Where dlib's own face detector draws its box, in units of the mean face's square (median of 137 faces): in its middle.
EXPECTED = (-0.12, -0.12, 1.12, 1.12)
FINE_LOOKS = 3  # at most; one is enough as a rule
SETTLED = 0.06  # of the mean face's side, and of its scale
MARGIN = 0.3  # around the mean face's square, in the picture that the predictor gets


class Landmarker:
    """Finds landmarks; may be called from several threads, the predictor itself works for one at a time."""

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

    def find(self, frame: Image, box: Box) -> NDArray[np.float32]:
        """Return the 68 landmarks (x, y) in the frame's pixels, (68, 2) float32.

        Args:
            frame: (h, w, 3) uint8 BGR.
            box: The square that dlib's own detector would draw, roughly: see `Detector.landmark_square`.
                Its roll matters where the head is tilted by more than 30 degrees.
        """
        middle = np.array([box.left + box.right, box.top + box.bottom]) / 2
        scale = (EXPECTED[2] - EXPECTED[0]) / max(box.width, 1.0)
        c, s = scale * np.cos(np.radians(box.roll)), scale * np.sin(np.radians(box.roll))
        upright = np.array([[c, s], [-s, c]])
        first = np.column_stack([upright, 0.5 - upright @ middle])
        rough, back = self._picture(frame, first, ROUGH_SIDE)
        points = transform_points(self._predict(rough, ROUGH_SIDE), back)
        for _ in range(FINE_LOOKS):
            to_mean = similarity(points[17:], MEAN_FACE)
            fine, back = self._picture(frame, to_mean, SIDE)
            mirrored = self._predict(np.ascontiguousarray(fine[:, ::-1]), SIDE)
            seen = (self._predict(fine, SIDE) + mirror_landmarks(mirrored, fine.shape[1])) / 2
            points = transform_points(seen, back)
            if _settled(to_mean, similarity(points[17:], MEAN_FACE)):
                break
        return points.astype(np.float32)

    def _picture(self, frame: Image, to_mean: Matrix, side: int) -> tuple[NDArray[np.uint8], Matrix]:
        """Return the grey picture that a matrix frame -> mean face gives, and the matrix picture -> frame."""
        matrix = to_mean * side
        matrix[:, 2] += side * MARGIN
        picture = resample(frame, matrix, round(side * (1 + 2 * MARGIN)), cv2.INTER_LINEAR)
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8), invert(matrix)

    def _predict(self, picture: NDArray[np.uint8], side: int) -> NDArray[np.float64]:
        box = self._rectangle(*(round((edge + MARGIN) * side) for edge in EXPECTED))
        with self._lock:
            shape = self._predictor(picture, box)
        return np.array([(part.x, part.y) for part in shape.parts()], np.float64)


def _settled(before: Matrix, after: Matrix) -> bool:
    """Say whether the face lay as it should in the last picture; a detector's odd box needs another look."""
    step = between(before, after)
    return float(np.abs(step - np.eye(2, 3)).max()) < SETTLED


def load_dlib() -> Any:
    """Import dlib.

    Raises:
        UserError: It is not installed.
    """
    try:
        return importlib.import_module("dlib")
    except ImportError as error:
        raise UserError(
            f"dlib could not be loaded: {error}.",
            "the environment that quickstart makes.",
            f"{REMAKE}.",
        ) from error


def model_file(name: str) -> Path:
    """Return the path of one of dlib's model files; their package is not imported, it needs what is gone.

    Raises:
        UserError: The file is missing.
    """
    spec = importlib.util.find_spec("face_recognition_models")
    path = Path(spec.origin).parent / "models" / name if spec and spec.origin else Path(name)
    if not path.is_file():
        raise UserError(
            f"dlib's model {path} is missing.",
            "the environment that quickstart makes.",
            f"{REMAKE}.",
        )
    return path
