"""The hull of a face with a mesh: wider on the far side of a turned head, carried along with smoothed landmarks."""

from dataclasses import replace

import numpy as np
import pytest

from facewright.convert.masks import DstFace, MaskKind, allowed_mask
from facewright.convert.matching import scaled
from facewright.data.sample import SAMPLE_KINDS
from facewright.extract.smooth_side import with_landmarks
from facewright.faces.align import FaceType
from facewright.faces.mask import automatic_mask, hull_mask, outline_of
from facewright.faces.mesh import IBUG_PAIRS, MIRROR, OUTLINE, ibug_points
from facewright.faces.record import FaceRecord, parse_record

SIDE = 256


def head(yaw: float) -> np.ndarray:
    """Return a mesh, (468, 3): the 68 points of a face on a sphere, all other points where the chin is."""
    mesh = np.zeros((468, 3))
    x = np.linspace(-1, 1, 17)
    placed = {k: (x[k] * 0.98, 0.9 - 1.2 * x[k] ** 2) for k in range(17)}
    placed |= {17 + k: (-0.7 + 1.4 * k / 9, -0.5) for k in range(10)} | {
        27 + k: (0.0, -0.3 + 0.15 * k) for k in range(4)
    }
    placed |= {31 + k: (-0.2 + 0.1 * k, 0.25) for k in range(5)}
    placed |= {36 + k: (-0.5 + 0.1 * (k % 3), -0.25) for k in range(6)} | {
        42 + k: (0.3 + 0.1 * (k % 3), -0.25) for k in range(6)
    }
    placed |= {48 + k: (-0.3 + 0.6 * (k % 7) / 6, 0.5 + 0.1 * (k > 6)) for k in range(20)}
    mesh[:, :2] = 0, 0.5
    mesh[OUTLINE, :2] = [(0.99 * np.sin(a), 0.2 * np.cos(5 * a)) for a in np.linspace(-1.2, 1.2, len(OUTLINE))]
    for number, place in placed.items():
        mesh[IBUG_PAIRS[number], :2] = place
    mesh[:, 2] = -np.sqrt(np.clip(1 - mesh[:, 0] ** 2, 0, None))
    c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    return mesh @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) * 60 + (128, 128, 0)


def record_of(mesh: np.ndarray, **more: object) -> FaceRecord:
    points = ibug_points(mesh).astype(np.float32)
    record = FaceRecord.from_landmarks(
        points, FaceType.FULL, SIDE, frame="1.png", detector="test", score=1.0, rect=(60, 60, 200, 200)
    )
    return replace(record, mesh=mesh.astype(np.float32), mesh_score=0.9, landmarker="mesh", **more)


def test_the_outline_has_a_left_and_a_right() -> None:
    assert set(MIRROR[OUTLINE]) == set(OUTLINE) and {152, 234, 454} < set(OUTLINE)


@pytest.mark.parametrize("yaw", [-45, 45])
def test_a_turned_head_is_covered_to_its_edge(yaw: float) -> None:
    """The jaw points turn away with the skin; the edge that is seen lies beyond them. Training and conversion agree."""
    mesh = head(yaw)
    record, size = record_of(mesh), (SIDE, SIDE)
    plain = hull_mask(record.frame_landmarks, size)
    whole = hull_mask(record.frame_landmarks, size, outline_of(record))
    assert (whole >= plain).all() and whole.sum() > 1.03 * plain.sum()
    edge = mesh[OUTLINE][np.argmax(mesh[OUTLINE, 0] * np.sign(-yaw))]
    x, y = int(edge[0] + np.sign(yaw) * 2), int(edge[1])
    assert whole[y, x] == 1
    there = np.eye(2, 3)
    assert np.array_equal(automatic_mask(record, there, SIDE), whole)
    face = DstFace(record.frame_landmarks, outline=outline_of(record))
    converted = allowed_mask(face, there, SIDE, (MaskKind.HULL,))
    assert converted is not None and (converted >= whole - 1e-6).all()
    draw = SAMPLE_KINDS["mask"].draw_mask
    assert draw is not None
    trained = draw(record, record.landmarks, SIDE)
    assert np.abs(trained - automatic_mask(record, record.matrix, SIDE)).max() < 0.1
    assert trained.sum() > 1.03 * draw(replace(record, mesh=None), record.landmarks, SIDE).sum()


def test_it_goes_with_smoothed_landmarks_and_a_scaled_frame() -> None:
    """What is kept is relative to the points as they were found; through a file and back."""
    record = record_of(head(30))
    moved = with_landmarks(record, record.frame_landmarks * 1.02 + np.array([3.0, -2.0]))
    assert moved is not None
    again = parse_record(moved.to_json())
    assert again.mesh is not None and np.abs(again.mesh - record.mesh).max() < 0.2, "as it was found"
    expected = outline_of(record) * 1.02 + (3.0, -2.0)
    assert np.abs(outline_of(again) - expected).max() < 0.3
    back = with_landmarks(again, again.found_landmarks)
    assert back is not None and np.abs(outline_of(back) - outline_of(record)).max() < 0.2
    face = scaled(DstFace(record.frame_landmarks, outline=outline_of(record)), 2.0)
    assert face.outline is not None and np.allclose(face.outline, outline_of(record) * 2 + 0.5)
    assert outline_of(replace(record, mesh=None)) is None
