"""MediaPipe's face mesh (Kartynnik et al. 2019): 468 points, of which 68 become the landmarks.

The network looks at a square of 192 px in which the face stands upright. It looks once where the detector found the
face, again where the face lies otherwise there than it should, and four times with the square moved, turned and
mirrored, and these are averaged: one look alone trembles from frame to frame by twice as much.

It is not the default. In two clips of people at rest its points tremble less than dlib's (0.48 and 0.32 against 0.71
and 0.41 % of the eyes' distance), but the aligned square, on which a swap depends, more (0.69 and 0.41 against 0.57
and 0.33 %), and slower, so that the smoothing takes less of it away: 14 and 26 % at medium strength, of dlib's 60 and
68 % (`main.py benchmark --name steadiness`).

Unlike dlib's, its points know depth, come with a confidence, and may be used for pay. It was made for faces of 100 px
and more: below `SMALL_FACE_PX` dlib's points are steadier.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image
from facewright.extract.detectors.base import Box
from facewright.extract.landmarkers.base import FoundMesh, LandmarkerSpec
from facewright.extract.licences import of_google
from facewright.extract.tflite import TfliteModel
from facewright.faces.align import Matrix, invert, resample
from facewright.faces.mesh import LEFT_EYE, MIRROR, POINTS, RIGHT_EYE, ibug_points

SIDE = 192
# The square of the first look, in sides of the face square: there the points come out within 0.8 % of the eyes'
# distance of the averaged ones, as they do in a second look; with 1.45 it is 1.3 %, with 1.27 it is 3.5 % (36 faces).
FIRST_SIDE, FIRST_DOWN = 1.6, -0.02
MAX_FIRST_LOOKS = 3  # one is enough as a rule; a roll that is wrong by 30 degrees takes all three
MAX_SETTLED_STEP, MAX_SETTLED_TURN = 0.06, 6.0  # of the square's side; degrees: a smaller step needs no further look
MESH_SIDE = 1.5  # of the others: so many times the extent of the points
MAX_SIDE_PX = 100_000.0
AROUND = 1.25  # half the side of what is seen of a large face, in sides of the first look
# Of the averaged looks: shift to the right and down in sides of the square, size, turn in degrees, mirrored.
Placement = tuple[float, float, float, float, bool]
STRAIGHT: Placement = (0.0, 0.0, 1.0, 0.0, False)
PLACEMENTS: tuple[Placement, ...] = (
    (0.015, 0.015, 1.0, 3.0, False),
    (-0.015, -0.015, 1.0, -3.0, False),
    (0.015, -0.015, 1.0, 3.0, True),
    (-0.015, 0.015, 1.0, -3.0, True),
)
MORE_PLACEMENTS: tuple[Placement, ...] = (
    (0.015, 0.0, 1.04, -6.0, False),
    (-0.015, 0.0, 0.96, 6.0, False),
    (0.0, 0.015, 1.04, 6.0, True),
    (0.0, -0.015, 0.96, -6.0, True),
)
Square = tuple[float, float, float, float]  # middle x, middle y, side, roll in degrees; the frame's pixel edges


class MeshLandmarker:
    """See `facewright.extract.landmarkers.base.MeshFinder`."""

    name = "mesh"

    def __init__(self) -> None:
        """Load the network.

        Raises:
            UserError: TensorFlow or the network's file is missing.
        """
        self._model = TfliteModel("face_landmark.tflite")

    def find(self, frame: Image, box: Box, *, accurate: bool = False) -> NDArray[np.float32]:
        """Return the 68 landmarks (x, y) in the frame's pixels, (68, 2) float32; arguments as for `find_mesh`."""
        return self.find_mesh(frame, box, accurate=accurate).points

    def find_mesh(self, frame: Image, box: Box, *, accurate: bool = False) -> FoundMesh:
        """Return landmarks, mesh and confidence.

        Args:
            frame: (h, w, 3) uint8 BGR.
            box: The face square. Its roll must be right to about 45 degrees.
            accurate: Average eight looks instead of four.
        """
        frame, box, back = _nearby(frame, box)
        square, _ = self._settle(frame, box)
        placements = (*PLACEMENTS, *MORE_PLACEMENTS) if accurate else PLACEMENTS
        looks = [self._look(frame, square, placement) for placement in placements]
        mesh = np.mean([points for points, _ in looks], axis=0)
        mesh = np.column_stack([mesh[:, :2] @ back[:, :2].T + back[:, 2] - 0.5, mesh[:, 2] * back[0, 0]])
        score = float(np.mean([score for _, score in looks]))
        return FoundMesh(ibug_points(mesh).astype(np.float32), mesh.astype(np.float32), score)

    def score(self, frame: Image, box: Box) -> float:
        """Return the confidence alone that this is a face, 0..1, in one look as a rule.

        Args:
            frame: (h, w, 3) uint8 BGR.
            box: The face square with its roll.
        """
        frame, box, _ = _nearby(frame, box)
        return self._settle(frame, box)[1]

    def _settle(self, frame: Image, box: Box) -> tuple[Square, float]:
        """Return the square in which the face stands upright, and the confidence of the last look."""
        side = max(box.width, 1.0)
        down = FIRST_DOWN * side
        turn = math.radians(box.roll)
        x = (box.left + box.right) / 2 - down * math.sin(turn)
        y = (box.top + box.bottom) / 2 + down * math.cos(turn)
        square: Square = (x + 0.5, y + 0.5, FIRST_SIDE * side, box.roll)
        score = 0.0
        for _ in range(MAX_FIRST_LOOKS):
            mesh, score = self._look(frame, square, STRAIGHT)
            before, square = square, _square_of(mesh)
            if _settled(before, square):
                break
        return square, score

    def _look(self, frame: Image, square: Square, placement: Placement) -> tuple[NDArray[np.float64], float]:
        """Return the mesh, (468, 3), in the frame's pixel edges, and the confidence, as seen in one square."""
        right, down, size, degrees, mirrored = placement
        x, y, side, roll = square
        turn = math.radians(roll + degrees)
        c, s = math.cos(turn), math.sin(turn)
        x, y, side = x + side * (right * c - down * s), y + side * (right * s + down * c), side * size
        scale = SIDE / side
        linear = scale * np.array([[c, s], [-s, c]])
        if mirrored:
            linear = np.array([[-1.0, 0.0], [0.0, 1.0]]) @ linear
        to_crop = np.column_stack([linear, SIDE / 2 - linear @ (x, y)])
        crop = resample(frame, _between_centres(to_crop), SIDE, cv2.INTER_LINEAR)
        rgb = np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2RGB), np.float32) / np.float32(255)
        raw, flag = self._model.run(rgb)
        points = raw.reshape(POINTS, 3).astype(np.float64)
        if mirrored:
            points = points[MIRROR]
        back = invert(to_crop)
        mesh = np.column_stack([points[:, :2] @ back[:, :2].T + back[:, 2], points[:, 2] / scale])
        return mesh, 1 / (1 + math.exp(-float(np.clip(flag.ravel()[0], -50, 50))))


def _nearby(frame: Image, box: Box) -> tuple[Image, Box, Matrix]:
    """Return what lies around a large face, shrunk as far as the looks will shrink it.

    Each look would average the same pixels of the frame anew: six times on a face of half a frame.

    Returns:
        The image, the box in it, and 2x3, image -> frame; all as they were where nothing is to be shrunk. Pixel edges
        count in the matrix, pixels' middles in the boxes.
    """
    side = FIRST_SIDE * max(box.width, 1.0)
    times = int(side / SIDE)
    if times < 2:
        return frame, box, np.eye(2, 3)
    middle, half = np.array([box.left + box.right, box.top + box.bottom]) / 2, AROUND * side
    size = np.array(frame.shape[1::-1])
    left, top = np.clip(np.floor(middle - half), 0, size).astype(int).tolist()
    width, height = ((np.clip(np.ceil(middle + half), 0, size).astype(int) - (left, top)) // times).tolist()
    if width < 1 or height < 1:
        return frame, box, np.eye(2, 3)
    part = frame[top : top + height * times, left : left + width * times]
    image = np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    right, down = ((0.5 - start) / times - 0.5 for start in (left, top))
    box = box.scaled(1 / times)
    moved = Box(box.left + right, box.top + down, box.right + right, box.bottom + down, box.score, box.roll)
    return image, moved, np.array([[times, 0.0, left], [0.0, times, top]])


def _between_centres(matrix: Matrix) -> Matrix:
    """Return a matrix between pixel edges as one between the pixels' middles, as OpenCV counts."""
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    return moved


def _square_of(mesh: NDArray[np.float64]) -> Square:
    """Return the square in which the next look finds this mesh upright."""
    across = mesh[LEFT_EYE, :2] - mesh[RIGHT_EYE, :2]
    turn = math.atan2(across[1], across[0])
    c, s = math.cos(turn), math.sin(turn)
    upright = mesh[:, :2] @ np.array([[c, -s], [s, c]])
    low, high = upright.min(axis=0), upright.max(axis=0)
    x, y = np.array([[c, -s], [s, c]]) @ ((low + high) / 2)
    side = min(max(MESH_SIDE * float((high - low).max()), 1.0), MAX_SIDE_PX)
    return float(x), float(y), side, math.degrees(turn)


def _settled(before: Square, after: Square) -> bool:
    """Say whether the face lay in a look as it should; a detector's odd box needs another one."""
    step = max(abs(after[0] - before[0]), abs(after[1] - before[1]), abs(after[2] - before[2])) / after[2]
    turn = abs((after[3] - before[3] + 180) % 360 - 180)
    return step < MAX_SETTLED_STEP and turn < MAX_SETTLED_TURN


LICENCE = of_google("MediaPipe's face mesh")
SUMMARY = "a network's mesh of 468 points: turned, covered and dark faces, may be used for pay"
LANDMARKERS = (LandmarkerSpec("mesh", SUMMARY, MeshLandmarker, LICENCE),)
