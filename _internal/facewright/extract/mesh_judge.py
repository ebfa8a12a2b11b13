"""Is this a face at all? MediaPipe's mesh says how sure it is, whichever landmarker found the points.

Of 445 finds of MTCNN over 25 px in real clips and photographs the mesh gave 435 more than 0.9. Nine had less than 0.5:
an arm, a person whole, a dark nothing, two half-lit faces and four profiles, of which the mesh knows as little as of a
wall. Their landmarks do not tell profiles from other finds, for they are wrong there. So where the mesh doubts,
BlazeFace is asked as well: it gave the profiles and half-lit faces 0.5 to 0.9, the arm and the nothing 0. What neither
of them takes for a face is left out; a doubt of the mesh alone is kept in the record, for the frames that need a look.

Below `SMALL_FACE_PX` its confidence says less, and dlib's landmarks are a guess. In a clip of faces of 14 to 22 px the
mesh doubted 19 of 60; where it also saw the face turned otherwise, by 20 to 54 degrees, in four, dlib's points were
wrong (a head that is lowered); by 8 degrees at most where they were right. Only such a doubt is kept there.
"""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from facewright.core.images import Image
from facewright.extract.detectors.base import square_of_landmarks
from facewright.extract.detectors.blazeface import BlazeFaceDetector
from facewright.extract.filters import FilterInput, FilterResult, Rejection
from facewright.extract.landmarkers.mesh import MeshLandmarker
from facewright.faces.landmarkers import SMALL_FACE_PX
from facewright.faces.pose import head_pose
from facewright.faces.record import FaceRecord

NO_FACE = 0.5  # confidence of the mesh
TURNED = 15.0  # degrees of yaw or roll between the mesh and the landmarks of a small face
UNSEEN = 0.45  # score of BlazeFace, in a crop in which it has the size that this network is used to
CROP = 1.6  # sides of the box, from its middle to the crop's edge
NETWORKS = ("face_landmark.tflite", "face_detection_back.tflite")
JUDGED = ("dlib", "mesh")  # whose points lead to a square in which the mesh can look


class MeshJudge:
    """See `facewright.extract.filters.FaceFilter`: notes the mesh's confidence, leaves out what is no face.

    Faces below `SMALL_FACE_PX` are kept, since the mesh is no judge of what they are; so are BlazeFace's own finds.
    """

    def __init__(self) -> None:
        """Load the mesh.

        Raises:
            UserError: TensorFlow or a network's file is missing.
        """
        self._mesh = MeshLandmarker()
        self._blazeface = BlazeFaceDetector(min_score=UNSEEN)

    def apply(self, faces: Sequence[FilterInput]) -> list[FilterResult]:
        """Return the records with the confidence in them, or why there is none."""
        return [self._judge(face.image, face.record) for face in faces]

    def _judge(self, image: Image, record: FaceRecord) -> FilterResult:
        left, top, right, bottom = record.rect
        side = max(right - left, bottom - top)
        if record.landmarker not in JUDGED:
            return record
        if side < SMALL_FACE_PX:
            return self._judge_small(image, record)
        if record.mesh_score is None:
            score = self._mesh.score(image, square_of_landmarks(record.frame_landmarks))
            record = replace(record, mesh_score=score)
        doubted = record.mesh_score is not None and record.mesh_score < NO_FACE
        if doubted and record.detector != BlazeFaceDetector.name and not self._seen(image, record.rect):
            return Rejection("not a face: neither the mesh nor BlazeFace sees one", not_a_face=True)
        return record

    def _judge_small(self, image: Image, record: FaceRecord) -> FaceRecord:
        """Note the confidence in a small face only where the mesh doubts it and sees it turned otherwise."""
        square = square_of_landmarks(record.frame_landmarks)
        if record.mesh_score is not None or self._mesh.score(image, square) >= NO_FACE:
            return record
        found = self._mesh.find_mesh(image, square)
        yaw, _, roll = np.abs(np.subtract(head_pose(found.points), record.pose))
        turned = max(yaw, min(roll, 360 - roll)) > TURNED
        return replace(record, mesh_score=min(found.score, NO_FACE)) if turned else record

    def _seen(self, image: Image, rect: tuple[float, float, float, float]) -> bool:
        """Whether BlazeFace finds a face with its middle inside a box."""
        left, top, right, bottom = rect
        half = max(round(CROP * max(right - left, bottom - top)), 1)
        x, y = (left + right) / 2, (top + bottom) / 2
        moved = np.array([[1.0, 0.0, half - x], [0.0, 1.0, half - y]])
        crop = np.asarray(cv2.warpAffine(image, moved, (2 * half, 2 * half)), np.uint8)
        return any(
            abs((box.left + box.right) / 2 - half) < (right - left) / 2
            and abs((box.top + box.bottom) / 2 - half) < (bottom - top) / 2
            for box in self._blazeface.detect([crop])[0]
        )
