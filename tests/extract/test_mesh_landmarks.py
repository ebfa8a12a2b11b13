"""MediaPipe's mesh as a landmarker: its table, its points on the sample, and what the record keeps of it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from facewright.core.images import Image, write_image
from facewright.core.workers import threads
from facewright.extract.detectors.base import Box, Detector
from facewright.extract.landmarkers.base import Landmarker, MeshFinder, make_landmarker
from facewright.extract.pipeline import ExtractionConfig, FaceExtractor, extract_faces
from facewright.faces.align import FaceType, align_matrix, transform_points
from facewright.faces.landmarks import IBUG68
from facewright.faces.mesh import IBUG_PAIRS, MIRROR, ibug_points
from facewright.faces.record import load_record
from needs import needs_networks
from sample import sample_frames

pytestmark = needs_networks


@pytest.fixture(scope="module")
def mesh() -> MeshFinder:
    made = make_landmarker("mesh")
    assert isinstance(made, MeshFinder) and made.name == "mesh"
    return made


def square_of(detectors: dict[str, Detector], frame: Image, name: str = "blazeface") -> Box:
    detector = detectors[name]
    return detector.face_square(detector.detect([frame])[0][0])


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Mean distance of the inner points in per cent of the eyes' distance."""
    eyes = np.linalg.norm(a[36] - a[45])
    return float(np.linalg.norm(a - b, axis=1)[17:].mean() / eyes * 100)


def test_the_table_agrees_with_the_mirror() -> None:
    """Left and right of the 68 points are left and right of the mesh."""
    assert np.array_equal(MIRROR[MIRROR], np.arange(468)) and (np.arange(468) == MIRROR).sum() == 28
    mirrored = np.sort(MIRROR[IBUG_PAIRS], axis=1)
    assert np.array_equal(mirrored, np.sort(IBUG_PAIRS, axis=1)[IBUG68.mirror])
    # The corners of the eyes and of the mouth, the chin.
    assert [IBUG_PAIRS[place][0] for place in (36, 45, 48, 54, 8)] == [33, 263, 61, 291, 152]
    points = np.arange(468 * 3).reshape(468, 3)
    assert ibug_points(points)[38].tolist() == points[158, :2].tolist()
    assert ibug_points(points)[17].tolist() == ((points[70, :2] + points[46, :2]) / 2).tolist()


def test_points_of_the_sample(detectors: dict[str, Detector], mesh: MeshFinder) -> None:
    """Stored values; other processors differ by a fraction of a pixel."""
    frame = sample_frames("dst", [60])[0]
    found = mesh.find_mesh(frame, square_of(detectors, frame))
    assert found.mesh.shape == (468, 3) and found.score > 0.95
    assert np.abs(found.points - ibug_points(found.mesh)).max() < 1e-3
    stored = {33: STORED[0], 263: STORED[1], 4: STORED[2], 152: STORED[3], 10: STORED[4]}
    for place, point in stored.items():
        assert np.abs(found.mesh[place] - point).max() < 1.0, (place, found.mesh[place])
    assert found.mesh[4, 2] < found.mesh[33, 2] < found.mesh[127, 2]  # nose, eye, ear: smaller is nearer
    assert np.allclose(mesh.find(frame, square_of(detectors, frame)), found.points, atol=1e-3)


# x, y and z of the outer corners of the eyes, the nose's tip, the chin and the hair line.
STORED = (
    *((318.2, 215.9, -20.1), (432.3, 215.4, 29.0), (403.2, 273.7, -45.3), (376.8, 385.6, 30.5)),
    (389.8, 145.7, -31.3),
)


@pytest.mark.parametrize("name", ["mtcnn", "dlib-hog"])
def test_other_detectors_and_dlib_lead_to_the_same_face(
    detectors: dict[str, Detector], landmarker: Landmarker, mesh: MeshFinder, name: str
) -> None:
    for frame in sample_frames("src", [30, 120]):
        found = mesh.find(frame, square_of(detectors, frame))
        assert apart(found, mesh.find(frame, square_of(detectors, frame, name))) < 1.0
        theirs = landmarker.find(frame, square_of(detectors, frame, name))
        assert apart(theirs, found) < 5
        side = 256
        ours, dlibs = (align_matrix(points, FaceType.FULL, side) for points in (found, theirs))
        corners = np.array([(0, 0), (side, 0), (side, side), (0, side)])
        placed = transform_points(transform_points(corners, cv2.invertAffineTransform(ours)), dlibs)
        assert np.abs(placed - corners).max() < 0.04 * side


@pytest.mark.parametrize("angle", [-90, -40, 20, 60])
def test_a_tilted_head(detectors: dict[str, Detector], mesh: MeshFinder, angle: float) -> None:
    frame = sample_frames("dst", [0])[0]
    upright = mesh.find(frame, square_of(detectors, frame))
    turn = cv2.getRotationMatrix2D((300, 240), angle, 1.0)
    tilted = np.asarray(cv2.warpAffine(frame, turn, (640, 480)), np.uint8)
    assert apart(transform_points(upright, turn), mesh.find(tilted, square_of(detectors, tilted))) < 2


def test_points_depend_little_on_how_the_face_lies(detectors: dict[str, Detector], mesh: MeshFinder) -> None:
    random = np.random.default_rng(3)
    moved: dict[bool, list[float]] = {False: [], True: []}
    for frame in sample_frames("dst", [0, 120]):
        box = square_of(detectors, frame)
        straight = {accurate: mesh.find(frame, box, accurate=accurate) for accurate in moved}
        for _ in range(3):
            middle = np.array([box.left + box.right, box.top + box.bottom]) / 2
            turn = cv2.getRotationMatrix2D(middle, random.uniform(-12, 12), random.uniform(0.85, 1.1))
            other = np.asarray(cv2.warpAffine(frame, turn, (640, 480), flags=cv2.INTER_CUBIC), np.uint8)
            x, y = transform_points(middle[None], turn)[0] + random.normal(0, 3, 2)
            half = box.width / 2
            for accurate, values in moved.items():
                again = mesh.find(other, Box(x - half, y - half, x + half, y + half, 1), accurate=accurate)
                values.append(apart(transform_points(straight[accurate], turn), again))
    assert np.median(moved[False]) < 0.45 and np.median(moved[True]) < np.median(moved[False])


def test_boxes_over_the_border_and_without_area(mesh: MeshFinder) -> None:
    frame = sample_frames("src", [0])[0]
    for box in (Box(-200, -200, 50, 50, 1), Box(600, 400, 900, 700, 1), Box(5, 5, 5, 5, 1), Box(0, 0, 9000, 9000, 1)):
        found = mesh.find_mesh(frame, box)
        assert np.isfinite(found.mesh).all() and 0 <= found.score <= 1
    assert mesh.find_mesh(np.zeros((1, 1, 3), np.uint8), Box(0, 0, 1, 1, 1)).score < 0.5


def test_the_record_keeps_mesh_and_name(
    tmp_path: Path, detectors: dict[str, Detector], mesh: MeshFinder, landmarker: Landmarker
) -> None:
    frame = sample_frames("src", [30])[0]
    write_image(tmp_path / "00001.png", frame)
    for finder in (mesh, landmarker):
        config = ExtractionConfig(tmp_path / finder.name, tmp_path / "trash")
        with threads(2) as executor:
            extractor = FaceExtractor(config, detectors["blazeface"], finder)
            (result,) = extract_faces([tmp_path / "00001.png"], extractor, executor)
        record = load_record(tmp_path / finder.name / result.faces[0])
        assert (record.landmarker, record.detector) == (finder.name, "blazeface")
        if finder is landmarker:
            assert record.mesh is None and record.mesh_score is None
        else:
            assert record.mesh is not None and record.mesh_score == pytest.approx(1, abs=0.05)
            assert np.abs(ibug_points(record.mesh) - record.frame_landmarks).max() < 0.3


def test_a_face_as_large_as_the_frame_has_the_same_points(detectors: dict[str, Detector], mesh: MeshFinder) -> None:
    """What is shrunk before the looks lies where it lay, also when the frame cuts it."""
    frame = sample_frames("dst", [60])[0]
    square = square_of(detectors, frame)
    left, top, size = round(square.left) - 10, round(square.top) - 10, round(square.width) + 40
    part = np.ascontiguousarray(frame[top : top + size, left : left + size])
    moved = Box(square.left - left, square.top - top, square.right - left, square.bottom - top, 1.0, square.roll)
    small = mesh.find_mesh(part, moved)
    large = mesh.find_mesh(np.asarray(cv2.resize(part, None, fx=5, fy=5), np.uint8), moved.scaled(5))
    assert apart(small.points, (large.points + 0.5) / 5 - 0.5) < 1.0
    assert np.abs(small.mesh[:, 2] - large.mesh[:, 2] / 5).mean() < 1.0
