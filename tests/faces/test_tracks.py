"""Tracks: which faces of successive frames are the same."""

import numpy as np
import pytest

from facewright.faces.align import MEAN_FACE
from facewright.faces.tracks import MAX_GAP, Sighting, join_tracks, square

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


@pytest.mark.parametrize(("missing", "tracks"), [(MAX_GAP, 1), (MAX_GAP + 1, 2)])
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


def test_a_face_that_appears_beside_another_begins_a_track_of_its_own() -> None:
    """Each track takes one face of a frame, though both are near enough."""
    first = [Sighting(time, points(100 + 2 * time)) for time in range(12)]
    second = [Sighting(time, points(130 + 2 * time)) for time in range(4, 12)]
    assert sorted(join_tracks([*first, *second])) == [list(range(12)), list(range(12, 20))]


@pytest.mark.parametrize("change", [{"x": 160.0}, {"side": 140.0}, {"roll": 40.0}])
def test_a_face_far_off_or_much_larger_or_tilted_is_another(change: dict[str, float]) -> None:
    assert len(join_tracks([Sighting(0, points(100)), Sighting(1, points(**{"x": 100.0, **change}))])) == 2


@pytest.mark.parametrize(
    ("change", "frames", "tracks"),
    [
        ({"x": 149.0}, 1, 1), ({"x": 151.0}, 1, 2), ({"x": 199.0}, 2, 1), ({"x": 201.0}, 2, 2),
        ({"side": 124.0}, 1, 1), ({"side": 126.0}, 1, 2), ({"side": 152.0}, 2, 1), ({"side": 158.0}, 2, 2),
        ({"side": 81.0}, 1, 1), ({"side": 79.0}, 1, 2),
        ({"roll": 24.0}, 1, 1), ({"roll": 26.0}, 1, 2), ({"roll": -49.0}, 2, 1), ({"roll": -51.0}, 2, 2),
    ],
)  # fmt: skip
def test_how_far_a_head_moves_grows_and_tilts_in_a_frame(change: dict[str, float], frames: int, tracks: int) -> None:
    faces = [Sighting(7, points(100)), Sighting(7 + frames, points(**{"x": 100.0, **change}))]
    assert len(join_tracks(faces)) == tracks


def test_the_distance_counts_in_sides_of_both_faces() -> None:
    """45 px are less than half of the mean side of 100 and 90 px, geometrically 94.9, and 48 px are more."""
    for away, tracks in ((45.0, 1), (48.5, 2)):
        assert len(join_tracks([Sighting(0, points(100)), Sighting(1, points(100 + away, side=90.0))])) == tracks


def lengths(steps: list[float]) -> list[int]:
    places = 100 + np.cumsum([0.0, *steps])
    return [len(track) for track in join_tracks(seen(*enumerate(places)))]


def test_a_cut_is_four_times_the_steps_of_the_three_frames_around() -> None:
    walk = [5.0] * 5
    assert lengths([*walk, 19.0, *walk]) == [12]
    assert lengths([*walk, 21.0, *walk]) == [6, 6]
    # Farther away than three frames, steps may be as large as they like.
    assert lengths([10.0, 10.0, 1.0, 1.0, 1.0, 8.0, 1.0, 1.0, 1.0, 10.0, 10.0]) == [6, 6]
    assert lengths([10.0, 10.0, 1.0, 1.0, 8.0, 1.0, 1.0, 1.0, 10.0, 10.0]) == [11]
    assert lengths([10.0, 10.0, 1.0, 1.0, 1.0, 8.0, 1.0, 1.0, 10.0, 10.0]) == [11]


def test_a_jump_of_less_than_a_twentieth_of_the_side_is_no_cut() -> None:
    rest = [0.0] * 4
    assert lengths([*rest, 4.9, *rest]) == [10]
    assert lengths([*rest, 5.1, *rest]) == [5, 5]


def test_a_jaw_that_jumps_is_no_cut() -> None:
    """The square, which the jaw has no part in, decides."""
    faces = seen(*((time, 100.0) for time in range(12)))
    for face in faces[6:]:
        face.points[:17] += 20
    assert len(join_tracks(faces)) == 1


def test_a_track_of_two_faces_has_no_cut() -> None:
    assert lengths([40.0]) == [2] and lengths([40.0, 0.0]) == [1, 2]


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
