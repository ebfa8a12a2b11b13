import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewright.data.sampling_order import (
    BINS,
    Shuffled,
    YawBalanced,
    identity_pairs,
    nearest_bin,
    pose_matched,
    yaw_balanced,
    yaw_bins,
)

YAWS = st.lists(st.floats(-90, 90), min_size=1, max_size=40)


def take(order, count, seed=0):
    rng = np.random.default_rng(seed)
    return [order.next(rng) for _ in range(count)]


def test_bins_are_two_degrees_wide_and_open_outside():
    assert yaw_bins([-90, -64, -62.1, -0.1, 0, 1.9, 2, 63.9, 90]) == [0, 0, 0, 31, 32, 32, 33, 63, 63]


@pytest.mark.parametrize(
    ("wanted", "there", "taken"),
    [
        (40, [40, 23], 40),
        (40, [23, 39], 23),
        (40, [39, 22, 41], 39),
        (40, [22, 41, 24], 22),
        (40, [41, 24], 41),
        (0, [63], 63),
    ],
)
def test_the_search_goes_outwards_own_side_before_the_mirror(wanted, there, taken):
    assert nearest_bin(wanted, [number in there for number in range(BINS)]) == taken


@given(YAWS, YAWS)
def test_every_bin_of_dst_counts_alike(src, dst):
    order = pose_matched(src, dst)
    wanted = sorted(set(yaw_bins(dst)))
    drawn = take(order, 3 * len(wanted))
    # What src looks like after mirroring lies in the same half as what dst wants, in every round.
    for round_ in range(3):
        part = drawn[round_ * len(wanted) : (round_ + 1) * len(wanted)]
        halves = Counter((yaw_bins([src[index]])[0] < BINS // 2) != mirrored for index, mirrored in part)
        assert halves[True] == sum(number < BINS // 2 for number in wanted)


def test_where_src_has_the_yaws_of_dst_it_gets_exactly_these():
    src, dst = [-50, -20, -18.5, 0.5, 20, 40], [-20, 50.1, 50.2, 50.3]
    drawn = take(pose_matched(src, dst), 400)
    assert Counter(drawn) == {(1, False): 100, (2, False): 100, (0, True): 200}


def test_rare_directions_come_as_often_as_common_ones():
    yaws = [0.5] * 90 + [30.5] * 9 + [-60.5]
    counts = Counter(yaw_bins([yaws[index]])[0] for index, _ in take(yaw_balanced(yaws), 300))
    assert set(counts.values()) == {100}


@pytest.mark.parametrize(
    "make",
    [
        lambda: Shuffled(7),
        lambda: yaw_balanced([1, 2, 3, 30, 31, 60]),
        lambda: pose_matched([1, 9, 9], [0, 5, 50]),
        lambda: identity_pairs("aabbbc", [1, 2, 3, 30, 31, 60], 0, 5),
    ],
)
def test_goes_on_where_the_state_was_taken(make):
    one, two = make(), make()
    rng = np.random.default_rng(0)
    for _ in range(5):
        one.next(rng)
    two.set_state(json.loads(json.dumps(one.state())))
    other = np.random.default_rng(0)
    other.bit_generator.state = rng.bit_generator.state
    assert [one.next(rng) for _ in range(20)] == [two.next(other) for _ in range(20)]


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=30), st.integers(0, 99))
def test_a_pair_is_two_people_and_everybody_comes_as_often(people, seed):
    yaws = np.linspace(-60, 60, len(people))
    count = len(set(people))
    src, dst = (take(identity_pairs(people, yaws, side, seed), 6 * count, side) for side in (0, 1))
    whose = [[people[index] for index, _ in drawn] for drawn in (src, dst)]
    assert all(one != other for one, other in zip(*whose, strict=True)) == (count > 1)
    for drawn in whose:
        assert set(Counter(drawn).values()) == {6}
    assert not any(mirrored for drawn in (src, dst) for _, mirrored in drawn)


def test_of_a_person_every_direction_comes_alike():
    people, yaws = "a" * 8 + "b" * 2, [0.5] * 7 + [40] + [10, -10]
    counts = Counter(index for index, _ in take(identity_pairs(people, yaws, 0, 1), 280))
    assert counts[7] == 70 and counts[8] == counts[9] == 70
    assert sum(counts[index] for index in range(7)) == 70


def test_pairs_of_other_people_begin_anew():
    one, other = identity_pairs("aab", [0, 1, 2], 0, 3), identity_pairs("abc", [0, 1, 2], 0, 3)
    take(one, 5)
    for state in (one.state(), {"drawn": -1, "people": [{}] * 3}, {"drawn": "x", "people": [1, 2]}, {}):
        other.set_state(state)
        assert take(other, 6) == take(identity_pairs("abc", [0, 1, 2], 0, 3), 6)
        other.set_state({})


def test_a_state_of_another_order_begins_anew():
    rng = np.random.default_rng(0)
    by_yaw, shuffled = yaw_balanced([1, 2, 40, -40]), Shuffled(4)
    by_yaw.next(rng)
    shuffled.next(rng)
    states = by_yaw.state(), shuffled.state()
    by_yaw.set_state(states[1])
    shuffled.set_state(states[0])
    assert sorted(take(shuffled, 4)) == [(n, False) for n in range(4)]
    assert len(set(take(by_yaw, 3))) == 3


@pytest.mark.parametrize("order", [[9], [3], [-1], ["x"], [1.0], "text", None])
def test_a_damaged_state_begins_anew(order):
    shuffled = Shuffled(3)
    shuffled.set_state({"faces": 3, "order": order})
    assert sorted(take(shuffled, 3)) == [(0, False), (1, False), (2, False)]


def test_a_round_that_was_taken_up_goes_on():
    shuffled = Shuffled(3)
    shuffled.set_state({"faces": 3, "order": [2, 0]})
    assert take(shuffled, 2) == [(0, False), (2, False)]
    shuffled.set_state({"faces": 4, "order": [2, 0]})
    assert sorted(take(shuffled, 3)) == [(0, False), (1, False), (2, False)]


def test_no_faces_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="no group has a face"):
        YawBalanced([[], []])
