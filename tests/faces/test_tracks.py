"""Tracks: which faces of successive frames are the same."""

import numpy as np
import pytest

from facewright.faces.align import MEAN_FACE
from facewright.faces.tracks import GAP, Sighting, join_tracks, square

JAW = np.column_stack([np.linspace(0, 1, 17), 0.4 + 0.7 * np.sin(np.linspace(0, np.pi, 17))])


def points(x: float, y: float = 200.0, side: float = 100.0, roll: float = 0.0) -> np.ndarray:
    """68 landmarks of a mean face around (x, y)."""
    turn = np.exp(1j * np.radians(roll)) * side
    face = np.vstack([JAW, MEAN_FACE]) - 0.5
    placed = (face[:, 0] + 1j * face[:, 1]) * turn
    return np.column_stack([placed.real + x, placed.imag + y]).astype(np.float32)


def seen(*spots: tuple[int, float], **more: int) -> list[Sighting]:
    return [Sighting(time, points(x), **more) for time, x in spots]


def test_the_square_of_a_mean_face() -> None:
    assert np.allclose(square(points(150, 250)), [(100, 200), (200, 200), (200, 300), (100, 300)], atol=1e-3)


def test_one_face_through_all_frames_in_any_order() -> None:
    faces = seen(*((time, 100 + 3.0 * time) for time in range(20)))
    order = np.random.default_rng(0).permutation(20)
    (track,) = join_tracks([faces[index] for index in order])
    assert [faces[order[index]].time for index in track] == list(range(20))


@pytest.mark.parametrize(("missing", "tracks"), [(GAP, 1), (GAP + 1, 2)])
def test_a_short_gap_is_bridged_and_a_long_one_is_not(missing: int, tracks: int) -> None:
    times = [*range(10), *range(10 + missing, 20 + missing)]
    assert len(join_tracks(seen(*((time, 100.0 + time) for time in times)))) == tracks


def test_two_people_side_by_side_stay_apart() -> None:
    faces = [
        Sighting(time, points(x + 2 * time), person) for time in range(10) for person, x in ((1, 100.0), (2, 260.0))
    ]
    assert sorted(join_tracks(faces)) == [list(range(0, 20, 2)), list(range(1, 20, 2))]


def test_different_persons_are_never_joined_though_they_lie_alike() -> None:
    assert len(join_tracks([Sighting(0, points(100), 1), Sighting(1, points(101), 2)])) == 2
    assert len(join_tracks([Sighting(0, points(100), 1), Sighting(1, points(101))])) == 1


def test_the_nearer_of_two_faces_goes_on() -> None:
    faces = [Sighting(0, points(100)), Sighting(1, points(130)), Sighting(1, points(104))]
    assert sorted(join_tracks(faces)) == [[0, 2], [1]]


@pytest.mark.parametrize("change", [{"x": 160.0}, {"side": 140.0}, {"roll": 40.0}])
def test_a_face_far_off_or_much_larger_or_tilted_is_another(change: dict[str, float]) -> None:
    assert len(join_tracks([Sighting(0, points(100)), Sighting(1, points(**{"x": 100.0, **change}))])) == 2


def test_a_roll_over_half_a_turn_is_small() -> None:
    assert len(join_tracks([Sighting(0, points(100, roll=178)), Sighting(1, points(100, roll=-178))])) == 1


def test_a_small_jump_between_frames_at_rest_is_a_cut() -> None:
    x = np.where(np.arange(40) < 17, 100.0, 108.0) + np.random.default_rng(1).normal(0, 0.1, 40)
    assert [len(track) for track in join_tracks(seen(*enumerate(x)))] == [17, 23]


def test_a_head_that_begins_to_move_is_no_cut() -> None:
    x = 100 + np.cumsum(np.where(np.arange(40) < 20, 0.0, 15.0))
    assert len(join_tracks(seen(*enumerate(x)))) == 1


def test_frames_that_repeat_are_no_cuts() -> None:
    x = 100 + 12.0 * (np.arange(40) // 2)
    assert len(join_tracks(seen(*enumerate(x)))) == 1


def test_landmarks_at_one_place_stay_alone() -> None:
    flat = np.full((68, 2), 100.0, np.float32)
    assert sorted(join_tracks([Sighting(0, points(100)), Sighting(1, flat), Sighting(2, points(100))])) == [[0, 2], [1]]
    assert join_tracks([]) == []
