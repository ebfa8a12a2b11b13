"""Smoothing over time: what trembles comes to rest, what moves moves as before."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faces.test_tracks import points
from facewright.faces.align import MEAN_FACE, similarity
from facewright.faces.smoothing import MAX_JITTER, STRENGTHS, smooth_faces, smooth_track
from facewright.faces.tracks import Sighting, square

MEDIUM = STRENGTHS["medium"]
SIDE = 100.0
NOISE = 0.002 * SIDE


def sightings(track: np.ndarray, fixed: frozenset[int] = frozenset(), times: np.ndarray | None = None) -> list:
    when = np.arange(len(track)) if times is None else times
    return [Sighting(int(t), p, fixed=i in fixed) for i, (t, p) in enumerate(zip(when, track, strict=True))]


def smooth(track: np.ndarray, strength: str = "medium", times: np.ndarray | None = None) -> np.ndarray:
    return smooth_track(sightings(track, times=times), STRENGTHS[strength])


def resting(frames: int, noise: float = NOISE, seed: int = 0) -> np.ndarray:
    """A face at rest whose points tremble, (n, 68, 2); all of a frame together and each for itself."""
    random = np.random.default_rng(seed)
    together = random.normal(0, 0.6 * noise, (frames, 1, 2))
    return points(200) + together + random.normal(0, noise, (frames, 68, 2))


def trembling(track: np.ndarray) -> float:
    """Root mean square of the second difference of the square's corners."""
    squares = np.array([square(p) for p in track])
    return float(np.sqrt((np.diff(squares, 2, axis=0) ** 2).mean()))


@pytest.mark.parametrize("strength", STRENGTHS)
def test_a_face_at_rest_stays(strength: str) -> None:
    track = np.repeat(points(200)[None].astype(float), 30, axis=0)
    assert np.abs(smooth(track, strength) - track).max() < 1e-6


@pytest.mark.parametrize("strength", STRENGTHS)
def test_even_motion_growth_and_turning_stay(strength: str) -> None:
    """Linear in what is smoothed: place, logarithm of the size, roll (over half a turn too)."""
    track = np.array([points(100 + 3 * t, 90 - 2 * t, 80 * 1.01**t, 170 + 2 * t) for t in range(40)], float)
    assert np.abs(smooth(track, strength) - track).max() < 1e-3


def test_trembling_falls_far_at_rest() -> None:
    track = resting(200)
    assert trembling(smooth(track)) < 0.15 * trembling(track)
    assert trembling(smooth(track, "low")) < 0.45 * trembling(track)


def test_the_deviation_falls_as_the_number_of_frames_tells() -> None:
    """Tricube over 12 frames on each side has shares whose squares sum to 0.079 (that is: 12.6 equal frames)."""
    track = resting(600, seed=4)
    centre = smooth(track)[30:-30, 17:].mean(1)
    share = np.clip(1 - np.abs(np.arange(-12, 13) / 13) ** 3, 0, None) ** 3
    expected = np.sqrt((share**2).sum()) / share.sum()
    raw = track[30:-30, 17:].mean(1)
    assert centre.std(0).mean() / raw.std(0).mean() == pytest.approx(expected, rel=0.35)


def test_the_shape_is_smoothed_less_than_the_place() -> None:
    track = resting(200)

    def shape(points: np.ndarray) -> np.ndarray:
        corners = similarity(points[17:], MEAN_FACE)
        return points @ corners[:, :2].T + corners[:, 2]

    raw, calm = (np.array([shape(p) for p in one]) for one in (track, smooth(track)))
    assert np.diff(calm, 2, axis=0).std() < 0.15 * np.diff(raw, 2, axis=0).std()
    # What is left of the slow wandering: much of the shape's, little of the place's.
    assert calm.std(0).mean() > 0.4 * raw.std(0).mean()
    centres = [one[20:-20, 17:].mean(1) for one in (track, smooth(track))]
    assert centres[1].std(0).mean() < 0.4 * centres[0].std(0).mean()


@pytest.mark.parametrize("strength", ["low", "medium"])
def test_a_quick_turn_of_the_head_does_not_lag_and_is_not_cut_off(strength: str) -> None:
    """A shake of the head: 30 px within 6 frames and back, in a trembling track."""
    time = np.arange(120)
    true = 200 + 30 * np.exp(-(((time - 60) / 4.0) ** 2))
    track = resting(120, seed=2)
    track[:, :, 0] += (true - 200)[:, None]
    x = smooth(track, strength)[:, 17:, 0].mean(1)
    raw = track[:, 17:, 0].mean(1)
    speed = np.gradient(true)
    fast = np.abs(speed) > 2
    lag = ((x - raw)[fast] * speed[fast]).sum() / (speed[fast] ** 2).sum()
    assert abs(lag) < 0.05
    assert x.max() - np.median(x) > 0.97 * (raw.max() - np.median(raw))
    assert np.abs(x - raw)[fast].max() < 4 * NOISE


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_blinks_and_an_opening_mouth_are_kept(frames: int) -> None:
    """Lids fall by 6 % of the side, the lower lip by 15 %, for so many frames."""
    track, still = resting(150, 0.3 * NOISE, seed=5), resting(150, 0.3 * NOISE, seed=5)
    for begin in (40, 90):
        track[begin : begin + frames, [37, 38, 43, 44], 1] += 0.06 * SIDE
        track[begin + 20 : begin + 20 + frames, [55, 56, 57, 58, 59, 65, 66, 67], 1] += 0.15 * SIDE
    calm = smooth(track)
    for index, begin in ((37, 40), (37, 90), (57, 60), (57, 110)):
        moved = (track - still)[begin : begin + frames, index, 1].mean()
        rest = np.median(calm[:, index, 1])
        assert (calm[begin : begin + frames, index, 1].mean() - rest) / moved == pytest.approx(1, abs=0.05)
    # What else the face shows does not dip with them.
    assert np.abs(calm - track)[40 : 40 + frames, 27:36].max() < 4 * NOISE


def test_time_reversed_gives_the_same_reversed() -> None:
    track = resting(80, seed=6) + 15 * np.sin(np.arange(80) / 6)[:, None, None]
    assert np.allclose(smooth(track[::-1])[::-1], smooth(track), atol=1e-6)


@settings(max_examples=25)
@given(st.floats(0.5, 3), st.floats(-180, 180), st.floats(-500, 500), st.integers(0, 5))
def test_a_turned_scaled_and_shifted_video_gives_the_same_turned_scaled_and_shifted(
    scale: float, angle: float, shift: float, seed: int
) -> None:
    track = resting(40, seed=seed) + 10 * np.sin(np.arange(40) / 4)[:, None, None]
    c, s = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
    turn = np.array([[c, s], [-s, c]])
    assert np.allclose(smooth(track @ turn + shift), smooth(track) @ turn + shift, atol=1e-4 * scale)


def test_a_cut_is_not_smeared() -> None:
    track = resting(80, seed=7)
    track[40:] += 12.0
    found = np.array(smooth_faces(sightings(track), MEDIUM))
    alone = [np.array(smooth_faces(sightings(part), MEDIUM)) for part in (track[:40], track[40:])]
    assert np.array_equal(found, np.concatenate(alone))
    assert not np.array_equal(found, track.astype(np.float32))


def test_single_and_few_frames_are_left_as_they_are() -> None:
    for count in (1, 3, 7):
        track = resting(count)
        assert np.array_equal(smooth_faces(sightings(track), MEDIUM), track.astype(np.float32))
    assert smooth_faces([], MEDIUM) == []


def test_eight_frames_are_enough() -> None:
    track = resting(8)
    assert trembling(np.array(smooth_faces(sightings(track), MEDIUM))) < 0.5 * trembling(track)


def test_missing_frames_are_bridged() -> None:
    whole = resting(60, seed=8) + (2.0 * np.arange(60))[:, None, None]
    times = np.delete(np.arange(60), [20, 21, 40])
    calm = smooth(whole[times], times=times)
    assert trembling(calm[:19]) < 0.2 * trembling(whole[:19])
    even = points(200)[17:].mean(0) + 2.0 * times[:, None]
    assert np.abs(calm[:, 17:].mean(1) - even)[12:45].max() < NOISE  # no bend at the gaps


def test_a_face_placed_by_hand_stays_and_draws_its_neighbours() -> None:
    track = resting(60, seed=9)
    track[30] += 0.2  # beside where the others lie
    found = np.array(smooth_faces(sightings(track, frozenset({30})), MEDIUM))
    assert np.array_equal(found[30], track[30].astype(np.float32))
    other = np.array(smooth_faces(sightings(track), MEDIUM))
    assert (found[28:33, 17:].mean((0, 1)) > other[28:33, 17:].mean((0, 1))).all()


def test_uneven_motion_is_never_taken_for_trembling() -> None:
    """Frames far apart in time: each step is another, none may be smoothed away."""
    random = np.random.default_rng(11)
    track = points(200) + random.normal(0, 10 * MAX_JITTER * SIDE, (60, 1, 2))
    assert np.abs(smooth(track) - track).max() < 6 * MAX_JITTER * SIDE


def test_uneven_motion_of_every_point_is_none_either() -> None:
    """Shape and place both change much from frame to frame: the bound on the trembling holds for the place too."""
    random = np.random.default_rng(15)
    step = 10 * MAX_JITTER * SIDE
    track = points(200) + random.normal(0, step, (60, 1, 2)) + random.normal(0, step, (60, 68, 2))
    moved = (smooth(track) - track)[:, 17:].mean(1)
    assert np.abs(moved).max() < 3 * MAX_JITTER * SIDE


def test_a_face_upside_down_is_smoothed_as_one_upright() -> None:
    """Its roll jumps between -180 and 180 degrees from frame to frame."""
    upright = resting(60, seed=3)
    turned = 400 - upright
    assert np.allclose(400 - smooth(turned), smooth(upright), atol=1e-6)


def test_a_shaking_camera_is_no_trembling_of_the_landmarks() -> None:
    """The face goes with its frame: the shape, which does not shake, tells what landmarks do by themselves."""
    track = resting(100, 0.2 * NOISE, seed=13)
    shaken = track + np.random.default_rng(14).normal(0, 2 * NOISE, (100, 1, 2))
    assert np.abs(smooth(shaken) - shaken)[:, 17:].mean(1).max() < NOISE
    assert trembling(smooth(shaken)) > 0.9 * trembling(shaken)


@pytest.mark.parametrize(("shaken", "most"), [("middle", 0.8), ("size", 2.5), ("roll", 1.4)])
def test_how_much_of_a_shaking_place_is_taken_for_trembling(shaken: str, most: float) -> None:
    """Up to so many times the shape's trembling the place is smoothed; far above, it is the video's own motion."""

    def corners(track: np.ndarray) -> np.ndarray:
        return np.array([square(p) for p in track]) @ [1, 1j]

    def place(track: np.ndarray) -> np.ndarray:
        across = corners(track)[:, 1] - corners(track)[:, 0]
        values = {"middle": corners(track).mean(1), "size": np.log(np.abs(across)), "roll": np.angle(across)}
        return np.diff(values[shaken], 2)

    for times, least, largest in ((1.0, 0.0, 0.2), (2.5, 0.8, 1.0)):
        amount = np.random.default_rng(66).normal(0, times * most * NOISE / SIDE, (150, 2)) @ [1, 1j]
        face = (resting(150, seed=16) - 200) @ [1, 1j]
        face -= face[:, 17:].mean(1, keepdims=True)
        linear = {"middle": 0j, "size": amount.real, "roll": 1j * amount.real}[shaken] * np.ones(150)
        face = face * np.exp(linear)[:, None] + (SIDE * amount[:, None] if shaken == "middle" else 0)
        track = np.stack([face.real, face.imag], axis=-1) + 200
        left = np.linalg.norm(place(smooth(track))) / np.linalg.norm(place(track))
        assert least <= left <= largest


def test_the_alignment_is_the_smoothed_place() -> None:
    """The mouth opens for good: the square follows, and no point is drawn away from it."""
    track = resting(100, seed=12)
    track[50:, [55, 56, 57, 58, 59, 65, 66, 67], 1] += 0.15 * SIDE
    calm = smooth(track)
    step = [np.array([square(p) for p in one]).mean(1)[55:].mean(0) for one in (track, calm)]
    assert np.abs(step[0] - step[1]).max() < NOISE
    assert np.abs(calm - track)[46:54, 36:48].max() < 5 * NOISE
