"""What dst shows and src does not: poses in degrees, expressions by eyes and mouth."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facesets.test_statistics import face, spread, texts
from facewright.faces.align import MEAN_FACE, FaceType
from facewright.faces.expression import IN_MESH, openings
from facewright.faces.faceset import FaceFile
from facewright.faces.like_poses import POSE_DEGREES, SHAPE_DEGREES, distance_to_poses
from facewright.faces.record import FaceRecord
from facewright.facesets.looks import Looks, expression_words, lacking_poses, looks_of, pose_words
from facewright.facesets.statistics import Statistics, advise


def looks(poses: np.ndarray, eyes: float | np.ndarray = 0.3, mouth: float | np.ndarray = 0.02) -> Looks:
    count = len(poses)
    return Looks(np.asarray(poses, float), np.full(count, eyes, float), np.full(count, mouth, float))


def around(yaw: float, pitch: float, count: int = 75, spread: float = 2.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal((yaw, pitch), spread, (count, 2))


@pytest.mark.parametrize(("src", "dst"), [((-0.5, 6.7), (3.0, -0.8)), ((7.4, -7.4), (7.6, 7.6)), ((0, 0), (0, 15.0))])
def test_two_people_who_look_into_the_camera_meet(src: tuple[float, float], dst: tuple[float, float]) -> None:
    """Cells of 15 degrees had a border between them, and 75 of 75 faces were without their like."""
    assert lacking_poses(looks(around(*src)), looks(around(*dst, seed=1))) == 0


def test_src_is_held_against_dst() -> None:
    dst = looks(np.column_stack([np.linspace(-80, 80, 201), np.zeros(201)]))
    stats = Statistics(spread(1200))  # from -60 to 60
    told = texts(advise(stats, "src", dst))
    third = np.abs(stats.poses[2, 0])
    beyond = int((np.abs(dst.poses[:, 0]) > third + POSE_DEGREES).sum())
    assert f"For {beyond} faces of dst" in told and "20 degrees away" in told
    assert f"to the left of the image ({beyond // 2}) or to the right of the image ({beyond // 2})" in told
    near = Looks(dst.poses[50:150], dst.eyes[50:150], dst.mouth[50:150])
    assert "Src has every pose that dst shows." in [line.text for line in advise(stats, "src", near)]
    turned = Statistics(tuple(face(k, yaw=yaw) for k, (yaw, _) in enumerate(dst.poses)))
    assert f"For {beyond} faces of dst" in texts(advise(turned, "dst", stats.looks))


def test_yaw_and_pitch_together() -> None:
    """Src looks up only while it looks left; dst looks up to the right."""
    src = np.array([(40.0, 40.0), (-40.0, 0.0)] * 600)
    dst = np.array([(-40.0, 40.0)] * 50 + [(40.0, 40.0)] * 50)
    assert "For 50 faces of dst (50%)" in pose_words(looks(src), looks(dst))


def test_a_single_odd_face_of_src_covers_nothing_and_one_of_dst_is_no_word() -> None:
    src, dst = around(0, 0, 300), around(60, 0, 10)
    assert lacking_poses(looks(np.vstack([src, [(60, 0)]])), looks(dst)) == 10
    assert lacking_poses(looks(src), looks(np.vstack([src, dst[:2]]))) == 0
    assert lacking_poses(looks(src[:2]), looks(dst)) == 0, "of two faces nothing can be said"
    assert distance_to_poses(np.array([(np.nan, 0.0), (0.0, 99.0)]), src)[0] == 0


def test_of_the_pitch_only_so_much_is_the_shape_of_a_head() -> None:
    src, dst = np.zeros((10, 2)), np.tile((0.0, 30.0), (10, 1))
    assert distance_to_poses(dst, src) == pytest.approx([30 - SHAPE_DEGREES] * 10)


def opened(eyes: float, mouth: float, yaw: float = 0.0, mesh: bool = False) -> FaceFile:
    """A mean face whose lids and lips are moved apart."""
    square = np.vstack([np.zeros((17, 2)), MEAN_FACE]) * 200
    for first in (36, 42):
        corner, other = square[first], square[first + 3]
        along, width = other - corner, np.linalg.norm(other - corner)
        for place, share, side in ((1, 1 / 3, -1), (2, 2 / 3, -1), (4, 2 / 3, 1), (5, 1 / 3, 1)):
            square[first + place] = corner + share * along + (0, side * eyes * width / 2)
    apart = mouth * np.linalg.norm(square[36] - square[45])
    for upper, lower in ((61, 67), (62, 66), (63, 65)):
        square[lower] = square[upper] + (0, apart)
    depth = None
    if mesh:
        depth = np.zeros((468, 3), np.float32)
        depth[list(IN_MESH.values()), :2] = square[list(IN_MESH)]
        turn = np.radians(yaw)
        depth = depth @ np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])
    square = square * (np.cos(np.radians(yaw)), 1)
    points = square.astype(np.float32)
    record = FaceRecord(FaceType.FULL, 64, points, points, "1.png", "d", 1, (0, 0, 9, 9), np.eye(2, 3), (yaw, 0, 0))
    return FaceFile(Path("1.png"), replace(record, mesh=None if depth is None else np.float32(depth)))


@pytest.mark.parametrize("mesh", [False, True])
@pytest.mark.parametrize("yaw", [0.0, 45.0])
def test_openings_do_not_depend_on_the_yaw(yaw: float, mesh: bool) -> None:
    assert openings(opened(0.3, 0.2, yaw, mesh).record) == pytest.approx((0.3, 0.2), rel=0.02)


def test_what_dst_does_and_src_never() -> None:
    awake = looks_of([opened(0.3, 0.02 + 0.001 * k) for k in range(50)])
    blinking = looks_of([opened(0.3 if k < 60 else 0.1, 0.02) for k in range(98)])
    assert expression_words(awake, awake) == [] and expression_words(blinking, awake) == []
    (line,) = expression_words(awake, blinking)
    assert "shuts its eyes in 38 faces" in line
    (line,) = expression_words(awake, looks_of([opened(0.3, 0.02 if k else 0.3) for k in range(9)] * 3))
    assert "opens its mouth in 3 faces" in line
    few = looks_of([opened(0.3 if k else 0.1, 0.02) for k in range(50)])
    assert expression_words(awake, few) == [], "one blink may be a bad find"


def test_eyes_are_measured_by_the_persons_own() -> None:
    narrow, wide = (
        looks_of([opened(awake if k % 5 else shut, 0.0) for k in range(50)])
        for awake, shut in ((0.22, 0.09), (0.4, 0.16))
    )
    assert expression_words(narrow, wide) == [] == expression_words(wide, narrow)
