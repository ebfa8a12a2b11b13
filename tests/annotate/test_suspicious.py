"""Which faces are named as suspicious, from their records alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facewright.annotate.face import mean_points
from facewright.annotate.suspicious import doubts, suspicious
from facewright.core.images import write_image
from facewright.faces.align import FaceType, align_matrix
from facewright.faces.faceset import FaceFile
from facewright.faces.record import FaceRecord

SIZE = (400, 600)


def record(x: float = 300, y: float = 200, side: float = 100, **more: object) -> FaceRecord:
    points = ((mean_points() - 0.5) * side + (x, y)).astype(np.float32)
    half = 0.62 * side
    given = FaceRecord(
        face_type=FaceType.FULL,
        size=64,
        landmarks=points,
        frame_landmarks=points,
        frame="00001.png",
        detector="mtcnn",
        score=0.99,
        rect=(x - half, y - half, x + half, y + half),
        matrix=align_matrix(points, FaceType.FULL, 64),
        pose=(0.0, 0.0, 0.0),
    )
    return replace(given, **more)


def test_a_good_face_is_not_named() -> None:
    assert doubts(record(), SIZE) == [] == doubts(record(), None)


def test_a_low_score_is_judged_by_the_detectors_own_scale() -> None:
    assert doubts(record(score=0.8), SIZE) == ["low score"]
    assert doubts(record(score=0.8, detector="dlib-hog"), SIZE) == []
    assert doubts(record(score=-0.1, detector="dlib-hog"), SIZE) == ["low score"]
    assert doubts(record(score=-9.0, detector="another"), SIZE) == []


def test_what_a_person_placed_is_never_named() -> None:
    assert doubts(record(x=-50, score=0.0, detector="manual"), SIZE) == []


def test_landmarks_that_fit_no_face() -> None:
    random = np.random.default_rng(3)
    points = random.uniform(240, 360, (68, 2)).astype(np.float32)
    assert "odd landmarks" in doubts(record(frame_landmarks=points), SIZE)


def test_landmarks_beside_the_box() -> None:
    assert doubts(record(rect=(300.0, 138.0, 424.0, 262.0)), SIZE) == ["odd landmarks"]


def test_landmarks_much_larger_than_the_box() -> None:
    assert doubts(record(rect=(270.0, 170.0, 330.0, 230.0)), SIZE) == ["much larger than its box"]


@pytest.mark.parametrize(("x", "y"), [(30, 200), (300, 20), (580, 200), (300, 390)])
def test_faces_over_the_edge(x: float, y: float) -> None:
    assert doubts(record(x, y), SIZE) == ["over the frame's edge"]


def walk(places: list[tuple[float, float, float] | None]) -> tuple[list[Path], dict[str, list[FaceFile]]]:
    frames = [Path(f"{number:05d}.png") for number in range(len(places))]
    faces = {
        path.stem: [FaceFile(path, record(*place))]
        for path, place in zip(frames, places, strict=True)
        if place is not None
    }
    return frames, faces


def test_a_face_that_jumps_is_named_in_a_video_only() -> None:
    places: list = [(200 + 8 * n, 200, 100) for n in range(12)]
    places[5] = (420, 120, 100)
    places[9] = (270, 200, 40)
    frames, faces = walk(places)
    assert [path.stem for path in suspicious(frames, faces, video=True)] == ["00005", "00009"]
    assert suspicious(frames, faces, video=False) == {}


def test_motion_gaps_and_a_cut_are_no_jump() -> None:
    moving: list = [(150 + 25 * n, 200, 100 + 3 * n) for n in range(10)]
    moving[3] = None
    frames, faces = walk(moving + [(450, 150, 60)] * 10)
    assert suspicious(frames, faces, video=True) == {}


def test_two_people_are_no_jump() -> None:
    frames, faces = walk([(150, 200, 80)] * 8)
    for path in frames[::2]:
        faces[path.stem].append(FaceFile(path, record(450, 200, 80)))
    assert suspicious(frames, faces, video=True) == {}
    assert suspicious([], {}, video=True) == {}


def test_a_frame_that_is_gone_or_no_png_has_no_edge(tmp_path: Path) -> None:
    gone, short = tmp_path / "00001.png", tmp_path / "00002.png"
    short.write_bytes(b"short")
    faces = {path.stem: [FaceFile(path, record(580, 200))] for path in (gone, short)}
    assert suspicious([gone, short], faces, video=False) == {}


def test_the_edge_is_that_of_the_frame(tmp_path: Path) -> None:
    path = tmp_path / "00001.png"
    write_image(path, np.zeros((*SIZE, 3), np.uint8))
    faces = {"00001": [FaceFile(path, record(580, 200))]}
    assert suspicious([path], faces, video=False) == {path: ["over the frame's edge"]}
