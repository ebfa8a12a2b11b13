"""Tracks of people whose true ways are known: who crosses, who leaves and comes back, whose landmarks flip."""

import numpy as np
import pytest

from faces.test_tracks import points
from facewright.faces.tracks import MAX_GAP, Sighting, join_tracks

RANDOM = np.random.default_rng(7)
PEOPLE = RANDOM.normal(size=(3, 128))
PEOPLE *= 0.45 / np.linalg.norm(PEOPLE, axis=1, keepdims=True)  # 0.6 from each other


def seen(time: int, x: float, who: int, *, roll: float = 0.0, turned: float = 0.0, y: float = 200.0) -> Sighting:
    """Person `who` at (x, y); landmarks `roll` degrees off while the box stays; `turned`: how unlike themselves."""
    own = RANDOM.normal(size=128) * 0.1 / np.sqrt(128)
    own[0] += turned
    box = (x - 70.0, y - 80.0, x + 70.0, y + 80.0)
    return Sighting(time, points(x, y, roll=roll), box=box, detector="mtcnn", embedding=PEOPLE[who] + own)


def whose(faces: list[tuple[Sighting, int]], **more: object) -> list[tuple[set[int], int]]:
    """Return of each track whose faces are in it, and how many."""
    order = RANDOM.permutation(len(faces))
    tracks = join_tracks([faces[index][0] for index in order], **more)
    return sorted((({faces[order[i]][1] for i in track}, len(track)) for track in tracks), key=str)


def test_people_who_cross_keep_their_tracks() -> None:
    faces = []
    for time in range(40):
        faces += [(seen(time, 100 + 10 * time, 0), 0), (seen(time, 490 - 10 * time, 1, y=205), 1)]
    assert whose(faces) == [({0}, 40), ({1}, 40)]


def test_who_is_covered_while_others_cross_comes_back_to_their_own_track() -> None:
    ways = {0: [(time, 100 + 10.0 * time) for time in range(40)], 1: [(time, 490 - 10.0 * time) for time in range(40)]}
    faces = [(seen(time, x, who), who) for who, way in ways.items() for time, x in way]
    hidden = range(16, 24)  # the first is before the second there
    faces = [(face, who) for face, who in faces if not (who == 1 and face.time in hidden)]
    assert whose(faces) == [({0}, 40), ({1}, 32)]


@pytest.mark.parametrize(("away", "tracks"), [(MAX_GAP, [({0}, 20)]), (MAX_GAP + 1, [({0}, 10), ({0}, 10)])])
def test_a_face_that_leaves_and_comes_back(away: int, tracks: list) -> None:
    times = [*range(10), *range(10 + away, 20 + away)]
    assert whose([(seen(time, 300, 0), 0) for time in times]) == tracks


def test_somebody_else_at_the_same_place_is_another_track() -> None:
    for gap in (0, 4):
        first = [(seen(time, 300, 0), 0) for time in range(10)]
        second = [(seen(time + gap, 300, 1, turned=0.6), 1) for time in range(10, 20)]
        assert whose(first + second) == [({0}, 10), ({1}, 10)]


def test_a_cut_ends_the_track_of_a_face_that_lies_alike() -> None:
    faces = [(seen(time, 300, 0), 0) for time in range(20)]
    assert whose(faces, cuts=[8]) == [({0}, 12), ({0}, 8)]
    assert whose([one for one in faces if not 6 <= one[0].time < 10], cuts=[8]) == [({0}, 10), ({0}, 6)]


def test_landmarks_that_flip_do_not_end_a_track() -> None:
    """The profile of the held-out clip: roll -15, -15, -45, -43, -11."""
    rolls = [-16.0, -15.0, -15.0, -45.0, -43.0, -11.0, -12.0, -13.0]
    assert whose([(seen(time, 300, 0, roll=roll), 0) for time, roll in enumerate(rolls)]) == [({0}, 8)]


def test_a_hand_on_the_mouth_does_not_end_a_track() -> None:
    faces = [(seen(time, 300 + time, 0, turned=0.5 * (8 <= time < 20)), 0) for time in range(30)]
    assert whose(faces) == [({0}, 30)]


@pytest.mark.parametrize("rolls", [[-15.0] * 12 + [-45.0], [-45.0] + [-15.0] * 12])
def test_landmarks_that_flip_at_the_end_of_a_track_are_no_cut(rolls: list[float]) -> None:
    assert whose([(seen(time, 300, 0, roll=roll), 0) for time, roll in enumerate(rolls)]) == [({0}, 13)]


def test_boxes_of_two_detectors_are_not_compared() -> None:
    one, other = seen(0, 300, 0), seen(1, 300, 0, roll=40)
    assert len(join_tracks([one, other])) == 1
    assert len(join_tracks([one, Sighting(1, other.points, box=other.box, detector="dlib-hog")])) == 2
