"""The mesh as a judge of what is no face, for dlib's landmarks and its own."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facewright.core.images import Image
from facewright.extract.detectors.base import square_of_landmarks
from facewright.extract.filters import FilterInput, FilterResult, Rejection
from facewright.extract.mesh_judge import MeshJudge
from facewright.faces.align import MEAN_FACE, FaceType
from facewright.faces.record import FaceRecord
from needs import needs_networks
from sample import sample_frames

pytestmark = needs_networks
FACE = (318.0, 150.0, 150.0)  # left, top and side of the mean face's square in frame 60 of dst


@pytest.fixture(scope="module")
def judge() -> MeshJudge:
    return MeshJudge()


def record_at(left: float, top: float, side: float, **more: object) -> FaceRecord:
    inner = MEAN_FACE * side + (left, top)
    jaw = np.stack([np.linspace(left, left + side, 17), np.full(17, top + 1.1 * side)], axis=1)
    points = np.vstack([jaw, inner]).astype(np.float32)
    record = FaceRecord.from_landmarks(
        points, FaceType.FULL, 64, frame="1.png", detector="mtcnn", score=0.9, rect=(left, top, left + side, top + side)
    )
    return replace(record, landmarker="dlib", **more)


def decided(judge: MeshJudge, image: Image, record: FaceRecord) -> FilterResult:
    (result,) = judge.apply([FilterInput(image, record)])
    return result


def test_a_face_is_kept_with_the_confidence(judge: MeshJudge) -> None:
    result = decided(judge, sample_frames("dst", [60])[0], record_at(*FACE))
    assert isinstance(result, FaceRecord) and result.mesh_score is not None and result.mesh_score > 0.9


def test_what_nobody_takes_for_a_face_is_left_out(judge: MeshJudge) -> None:
    frame = sample_frames("dst", [60])[0]
    wall = record_at(20.0, 40.0, 90.0)
    result = decided(judge, frame, wall)
    assert isinstance(result, Rejection) and result.not_a_face and result.folder is None
    own = replace(wall, landmarker="mesh", mesh_score=0.2)
    assert isinstance(decided(judge, frame, own), Rejection)
    sure = replace(own, mesh_score=0.8)
    assert decided(judge, frame, sure) is sure


def test_a_doubt_alone_is_kept(judge: MeshJudge) -> None:
    """As with a profile, which BlazeFace knows and the mesh does not."""
    frame = sample_frames("dst", [60])[0]
    result = decided(judge, frame, record_at(*FACE, mesh_score=0.0))
    assert isinstance(result, FaceRecord) and result.mesh_score == 0.0
    theirs = replace(record_at(20.0, 40.0, 90.0, mesh_score=0.1), detector="blazeface")
    assert decided(judge, frame, theirs) is theirs


def test_it_does_not_judge_points_of_others(judge: MeshJudge) -> None:
    record = replace(record_at(20.0, 20.0, 60.0), landmarker="mean-face")
    assert decided(judge, np.zeros((120, 120, 3), np.uint8), record) is record and record.mesh_score is None


def test_of_a_small_face_only_a_doubt_is_kept_that_sees_it_turned_otherwise(judge: MeshJudge) -> None:
    large = sample_frames("dst", [60])[0]
    small = cv2.resize(large, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA)
    right = record_at(*(value / 8 for value in FACE))
    assert decided(judge, small, right) is right
    wall = record_at(2.5, 5.0, 11.0)
    turned = replace(wall, pose=(60.0, 0.0, 0.0))
    result = decided(judge, small, turned)
    assert isinstance(result, FaceRecord) and result.mesh_score is not None and result.mesh_score <= 0.5


def test_the_square_of_landmarks_is_the_detectors() -> None:
    record = record_at(100.0, 50.0, 100.0)
    square = square_of_landmarks(record.frame_landmarks)
    assert np.allclose(square.rect, (88, 38, 212, 162), atol=0.1) and square.roll == pytest.approx(0, abs=0.01)
