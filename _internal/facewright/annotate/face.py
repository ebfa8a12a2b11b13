"""A face that is being annotated: its square, its 68 landmarks, and how both are moved, sized and turned.

All in the frame's pixels. Faces never change; every function returns a new one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facewright.extract.detectors.base import FACE_SQUARE
from facewright.faces.align import MEAN_FACE, Matrix, invert, similarity, transform_points
from facewright.faces.faceset import FaceFile
from facewright.faces.landmarks import IBUG68
from facewright.faces.record import MANUAL_DETECTOR

Place = tuple[float, float]
Marks = NDArray[np.float32]

SMALLEST, SMALL, START = (
    5.0,
    40.0,
    100.0,
)  # half sizes: the least, up to which the wheel goes by single pixels, the first
NOSE, CHIN = 30, 8

# The jaw of the mean face, our own: the mean over 150 frontal views of seven people, made even on both sides.
# fmt: off
MEAN_JAW = (
    (-0.107, 0.286), (-0.098, 0.439), (-0.078, 0.591), (-0.051, 0.743), (-0.006, 0.890), (0.072, 1.019),
    (0.186, 1.118), (0.328, 1.186), (0.490, 1.206), (0.653, 1.186), (0.794, 1.118), (0.908, 1.019),
    (0.986, 0.890), (1.031, 0.743), (1.059, 0.591), (1.079, 0.439), (1.087, 0.286),
)
# fmt: on


@dataclass(frozen=True)
class FaceSquare:
    """The square in which landmarks are looked for: middle, half of its side, clockwise turn in degrees."""

    x: float
    y: float
    half: float
    roll: float = 0.0

    @property
    def rect(self) -> tuple[float, float, float, float]:
        """(left, top, right, bottom) of the square before it is turned."""
        return self.x - self.half, self.y - self.half, self.x + self.half, self.y + self.half


Find = Callable[[FaceSquare], Marks]


@dataclass(frozen=True)
class Face:
    """One face of the frame.

    Attributes:
        points: (68, 2) float32 landmarks.
        rect: (left, top, right, bottom), as it is shown and saved.
        square: The square around it.
        placed: Whether a person set the points: then they move as they are and are not looked for again.
        file: The aligned image on disk that this face was read from; None for a new one.
        changed: Whether it differs from that file.
    """

    points: Marks
    rect: tuple[float, float, float, float]
    square: FaceSquare
    placed: bool = False
    file: FaceFile | None = None
    changed: bool = True

    def holds(self, at: Place) -> bool:
        """Whether a place lies in the rectangle."""
        left, top, right, bottom = self.rect
        return left <= at[0] <= right and top <= at[1] <= bottom


def mean_points() -> NDArray[np.float64]:
    """Return the 68 points of the mean face in its unit square."""
    return np.vstack([np.array(MEAN_JAW), MEAN_FACE])


def found(square: FaceSquare, find: Find) -> Face:
    """Return a new face with the landmarks that are seen in the square."""
    return Face(find(square), square.rect, square)


def open_face(file: FaceFile, find: Find) -> Face:
    """Return a saved face; points that a person has set are known by not being where the search would put them."""
    record = file.record
    square, placed = square_of(record.frame_landmarks), False
    if record.detector == MANUAL_DETECTOR:
        left, top, right, bottom = record.rect
        square = FaceSquare((left + right) / 2, (top + bottom) / 2, max((right - left) / 2, SMALLEST))
        placed = float(np.abs(find(square) - record.frame_landmarks).max()) > 0.02 * square.half
        if placed:
            square = square_of(record.frame_landmarks)
    return Face(record.frame_landmarks, record.rect, square, placed, file, changed=False)


def square_of(points: Marks) -> FaceSquare:
    """Return the square that belongs to landmarks, such as dlib's own detector would draw it."""
    back = invert(similarity(points[IBUG68.inner :], MEAN_FACE))
    middle = transform_points(np.array([[0.5, 0.5]]), back)[0]
    half = scale_of(back) * (FACE_SQUARE[1] - FACE_SQUARE[0]) / 2
    return FaceSquare(float(middle[0]), float(middle[1]), half, float(np.degrees(np.arctan2(back[1, 0], back[0, 0]))))


def scale_of(matrix: Matrix) -> float:
    """Return the scale of a similarity."""
    return float(np.hypot(matrix[0, 0], matrix[1, 0]))


def moved(face: Face, square: FaceSquare, find: Find) -> Face:
    """Return the face in another square: looked for anew, or carried along where a person has set the points."""
    if not face.placed:
        return replace(face, points=find(square), rect=square.rect, square=square, changed=True)
    old = face.square
    turn = np.radians(square.roll - old.roll)
    c, s = np.cos(turn) * square.half / old.half, np.sin(turn) * square.half / old.half
    points = (face.points - (old.x, old.y)) @ np.array([[c, s], [-s, c]]) + (square.x, square.y)
    return replace(face, points=points.astype(np.float32), rect=square.rect, square=square, changed=True)


def with_point(face: Face, index: int, at: Place) -> Face:
    """Return the face with one landmark elsewhere; a move that would leave no face is not made."""
    points = face.points.copy()
    points[index] = at
    if not np.ptp(points[IBUG68.inner :], axis=0).any():
        return face
    return replace(face, points=points, placed=True, changed=True)


def mean_face_between(nose: Place, chin: Place, like: Face | None) -> Face:
    """Return the mean face between two places, which differ; `like` is the face whose file it takes over."""
    mean = mean_points()
    matrix = similarity(mean[[NOSE, CHIN]], np.array([nose, chin], float))
    points = transform_points(mean, matrix).astype(np.float32)
    square = square_of(points)
    file = like.file if like else None
    return Face(points, square.rect, square, placed=True, file=file)


def resize_by_wheel(half: float, steps: int, coarse: float) -> float:
    """Return the half size after so many notches of the wheel: 1 px up to 40 px, then a tenth, `coarse` px at most."""
    for _ in range(min(abs(steps), 200)):
        step = 1.0 if half <= SMALL else min(max(round(half / 10), 1), coarse)
        half += step if steps > 0 else -step
    return max(half, SMALLEST)
