"""The 68 landmarks of a face, by dlib's predictor (Kazemi and Sullivan 2014, iBUG 300-W points).

The predictor reads single pixels relative to a box, knows upright faces only and answers in whole pixels. So it
looks several times and its answers are averaged: once in the detector's box; then, in a picture in which that
look made the face upright and of a fixed size, four times, each with the box moved a little, two of them in the
mirror image. The second pass (`accurate`) adds two looks in each of two pictures that are turned a little.

A look in a picture that is already there costs half a millisecond. Over two looks, the points come out the same
to 0.21 instead of 0.28 % of the eyes' distance when the face lies otherwise in its frame, with the second pass to
0.16 %; from frame to frame they tremble by 0.80 instead of 0.88 %, true motion included (medians of five clips;
`main.py benchmark --name steadiness` measures the sample).
"""

import importlib
import importlib.util
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.errors import UserError
from facewright.core.images import Image
from facewright.extract.detectors.base import REMAKE, Box
from facewright.faces.align import MEAN_FACE, Matrix, between, invert, resample, similarity, transform_points
from facewright.faces.mask import mirror_landmarks
from facewright.faces.record import INNER

ROUGH_SIDE = 160  # pixels of the mean face's square in the first look
SIDE = 320  # and in the others
# Where dlib's own face detector draws its box, in units of the mean face's square (median of 137 faces): in its middle.
EXPECTED = (-0.12, -0.12, 1.12, 1.12)
FINE_LOOKS = 3  # at most; one is enough as a rule
SETTLED = 0.06  # of the mean face's side, and of its scale
MARGIN = 0.3  # around the mean face's square, in the picture that the predictor gets
# Where the box lies in a look: shift to the right and down in units of the square, size, whether in the mirror image.
Look = tuple[float, float, float, bool]
STRAIGHT: tuple[Look, ...] = (
    (0.02, 0.02, 1.0, False),
    (-0.02, -0.02, 1.0, False),
    (0.02, -0.02, 1.0, True),
    (-0.02, 0.02, 1.0, True),
)
TURNED: tuple[Look, ...] = ((0.02, 0.02, 1.04, False), (-0.02, -0.02, 1.04, True))  # twice as many gain a tenth
TURNS = (-6.0, 6.0)  # degrees, of the second pass


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

    def find(self, frame: Image, box: Box, *, accurate: bool = False) -> NDArray[np.float32]:
        """Return the 68 landmarks (x, y) in the frame's pixels, (68, 2) float32.

        Args:
            frame: (h, w, 3) uint8 BGR.
            box: The square that dlib's own detector would draw, roughly: see `Detector.landmark_square`.
                Its roll matters where the head is tilted by more than 30 degrees.
            accurate: Add the second pass: steadier points for twice the time.
        """
        middle = np.array([box.left + box.right, box.top + box.bottom]) / 2
        scale = (EXPECTED[2] - EXPECTED[0]) / max(box.width, 1.0)
        c, s = scale * np.cos(np.radians(box.roll)), scale * np.sin(np.radians(box.roll))
        upright = np.array([[c, s], [-s, c]])
        grey = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)
        first = np.column_stack([upright, 0.5 - upright @ middle])
        points = self._looks(grey, first, ROUGH_SIDE, ((0.0, 0.0, 1.0, False),))[0]
        seen: list[NDArray[np.float64]] = []
        for _ in range(FINE_LOOKS):
            to_mean = similarity(points[INNER:], MEAN_FACE)
            seen = self._looks(grey, to_mean, SIDE, STRAIGHT)
            points = np.mean(seen, axis=0)
            if _settled(to_mean, similarity(points[INNER:], MEAN_FACE)):
                break
        if accurate:
            to_mean = similarity(points[INNER:], MEAN_FACE)
            for turn in TURNS:
                seen += self._looks(grey, _turned(to_mean, turn), SIDE, TURNED)
            points = np.mean(seen, axis=0)
        return points.astype(np.float32)

    def _looks(
        self, grey: NDArray[np.uint8], to_mean: Matrix, side: int, looks: Sequence[Look]
    ) -> list[NDArray[np.float64]]:
        """Return the points of each look, in the frame.

        Args:
            grey: (h, w), the frame.
            to_mean: 2x3, frame -> mean face.
            side: Pixels of the mean face's square in the picture that is looked at.
            looks: Where the box lies in each.
        """
        matrix = to_mean * side
        matrix[:, 2] += side * MARGIN
        length = round(side * (1 + 2 * MARGIN))
        picture = np.asarray(resample(grey, matrix, length, cv2.INTER_LINEAR), np.uint8)
        mirror = np.ascontiguousarray(picture[:, ::-1]) if any(look[3] for look in looks) else picture
        back = invert(matrix)
        found = []
        with self._lock:
            for right, down, size, mirrored in looks:
                box = self._box(side, right, down, size)
                shape = self._predictor(mirror if mirrored else picture, box)
                points = np.array([(part.x, part.y) for part in shape.parts()], np.float64)
                found.append(mirror_landmarks(points, length) if mirrored else points)
        return [transform_points(points, back) for points in found]

    def _box(self, side: int, right: float, down: float, size: float) -> Any:
        centre = 0.5 + MARGIN
        half = (EXPECTED[2] - EXPECTED[0]) / 2 * size
        edges = (centre + right - half, centre + down - half, centre + right + half, centre + down + half)
        return self._rectangle(*(round(edge * side) for edge in edges))


def _turned(to_mean: Matrix, degrees: float) -> Matrix:
    """Turn what a matrix frame -> mean face shows about the middle of the square."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[c, s], [-s, c]])
    return np.column_stack([turn @ to_mean[:, :2], turn @ (to_mean[:, 2] - 0.5) + 0.5])


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
