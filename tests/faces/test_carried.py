"""Polygons of key frames, carried to the frames between them."""

from dataclasses import replace

import numpy as np
import pytest

from convert.drawn_faces import landmarks, scene
from facewright.faces.align import FaceType
from facewright.faces.carried import carry_polygons, with_carried
from facewright.faces.faceset import load_faceset
from facewright.faces.polygons import Polygon
from facewright.faces.record import FaceRecord, save_face
from masks.labelled import square_at

SIDE = 96
STEP = 2  # px a frame
FRAMES = 8


def write_clip(folder, *, shift=0.0, numbers=range(1, FRAMES + 1)):
    """Write a face before which a square moves; return its corners in each frame."""
    folder.mkdir(exist_ok=True)
    points = landmarks((48 + shift, 48), 60).astype(np.float32)
    corners = {}
    for number in numbers:
        image = scene(SIDE, SIDE, seed=3)
        corners[number] = square_at(image, 20 + STEP * number, 40)
        kept = {"frame": f"{number:05d}.png", "detector": "drawn", "score": 1.0, "rect": (0, 0, SIDE, SIDE)}
        record = FaceRecord.from_landmarks(points, FaceType.FULL, SIDE, **kept)
        record = replace(record, landmarks=points, matrix=np.eye(2, 3))
        save_face(folder / f"{number:05d}_0.png", image, record)
    return corners


def label(folder, number, points):
    index = load_faceset(folder)
    face = next(face for face in index.faces if face.path.name == f"{number:05d}_0.png")
    index.write(replace(face, record=replace(face.record, polygons=(Polygon("exclude", points),))))


def test_polygons_follow_what_they_were_drawn_around(tmp_path):
    corners = write_clip(tmp_path)
    label(tmp_path, 3, corners[3])
    found = carry_polygons(load_faceset(tmp_path).faces, reach=4)
    assert sorted(path.name[:5] for path in found) == ["00001", "00002", "00004", "00005", "00006", "00007"]
    for path, carried in found.items():
        (polygon,) = carried.polygons
        assert polygon.kind == "exclude"
        assert np.abs(polygon.points - corners[int(path.name[:5])]).max() < 1.5
        assert (carried.label.name, carried.apart) == ("00003_0.png", abs(int(path.name[:5]) - 3))


def test_the_nearest_key_frame_counts(tmp_path):
    corners = write_clip(tmp_path)
    label(tmp_path, 1, corners[1])
    label(tmp_path, 8, corners[8] + np.float32([0, 9]))  # another shape: it can be told by its place
    found = {
        path.name[:5]: carried.polygons[0].points
        for path, carried in carry_polygons(load_faceset(tmp_path).faces).items()
    }
    assert found["00003"][:, 1].mean() == pytest.approx(corners[3][:, 1].mean(), abs=1.5)
    assert found["00007"][:, 1].mean() > corners[7][:, 1].mean() + 4


def test_no_polygon_leaves_its_track_or_an_empty_set(tmp_path):
    corners = write_clip(tmp_path / "one", numbers=range(1, 4))
    label(tmp_path / "one", 3, corners[3])
    write_clip(tmp_path / "one", shift=40, numbers=range(4, 6))  # the face jumps: another shot
    faces = load_faceset(tmp_path / "one").faces
    carried = carry_polygons(faces)
    assert sorted(path.name[:5] for path in carried) == ["00001", "00002"]
    known = with_carried(faces, carried)
    assert [bool(face.record.polygons) for face in known] == [True, True, True, False, False]
    assert not load_faceset(faces[0].path.parent).faces[0].record.polygons  # nothing was written
    assert carry_polygons([]) == {}
