"""The arithmetic of a review: what is a fault and what is not, in rows of made-up numbers."""

import numpy as np
import pytest

from convert.drawn_faces import landmarks
from facewright.core.json_data import BadJson
from facewright.faces.like_poses import distance_to_poses
from facewright.faces.tracks import Sighting
from facewright.review.chains import MAX_MISSING, find_chains
from facewright.review.findings import Finding, FindingKind
from facewright.review.measuring import BLOCKS, FaceMeasures, read_measures
from facewright.review.ranking import frame_scores, places, worst_first
from facewright.review.scores import apart, deviations, holes, jumps

RANDOM = np.random.default_rng(3)


def noise(count, size=0.1):
    return np.random.default_rng(count).normal(0, size, count)


def test_a_dip_is_a_fault_and_a_drift_is_none():
    drift = np.linspace(0, 20, 100) + noise(100)
    assert np.abs(deviations(drift, 0.1)).max() < 1
    dip = drift.copy()
    dip[40] -= 8
    dip[70:73] += 8
    found = deviations(dip, 0.1)
    assert np.flatnonzero(np.abs(found) >= 1).tolist() == [40, 70, 71, 72]
    assert found[40] < 0 < found[70]


def test_a_fault_that_lasts_is_one_too():
    values = noise(200)
    values[90:140] += 5
    assert np.flatnonzero(deviations(values, 0.1) >= 1).tolist() == list(range(90, 140))


@pytest.mark.parametrize("values", [[], [1.0, 9.0], [np.nan] * 20])
def test_too_few_are_held_against_nothing(values):
    assert not deviations(np.array(values, float), 0.1).any()


def test_what_was_not_measured_is_no_fault_and_hides_none():
    values = noise(60)
    values[10:40:3] = np.nan
    values[21] = 6
    assert np.flatnonzero(np.abs(deviations(values, 0.1)) >= 1).tolist() == [21]


def test_landmarks_that_jump():
    times = np.array([at for at in range(40) if at not in (12, 13)])
    points = np.array([landmarks((50 + 3 * at, 80 - at), 60, at) for at in times])
    still = jumps(points, times)
    assert still.max() < 0.02  # an even motion is none, at the ends and beside a gap too
    points[[0, 20, 25, 26]] += (9, 0)
    found = jumps(points, times)
    assert set(np.flatnonzero(found > 0.08)) == {0, 20, 25, 26}


def test_holes_are_where_blocks_usually_change():
    changes = np.full((50, 40), 12.0)
    changes[:, 30:] = 0.2  # where src and dst are alike
    changes[:, 0] = np.nan
    changes[7, 5:11] = 0.1
    found = holes(changes)
    assert found[7] == pytest.approx(6 / 29) and not np.delete(found, 7).any()


def test_somebody_else_is_apart():
    someone, other = RANDOM.normal(0, 1, (2, 128)) / 12
    embeddings = someone + RANDOM.normal(0, 0.005, (40, 128))
    embeddings[9] = other
    embeddings[20] = np.nan
    found = apart(embeddings)
    assert np.nanargmax(found) == 9 and found[9] > 5 * np.nanmedian(found) and np.isnan(found[20])


def test_poses_that_src_lacks():
    src = np.array([(yaw, 0.0) for yaw in range(-30, 31)])
    found = distance_to_poses(np.array([(0.0, 0.0), (29.0, 0.0), (60.0, 0.0), (0.0, 25.0)]), src)
    assert found[0] <= 1 and found[1] <= 2 and found[2] == 32 and found[3] == pytest.approx(25.02, abs=0.1)
    assert not distance_to_poses(np.array([(60.0, 0.0)]), src[:2]).any()  # of so little nothing can be said


def sightings(times, centre=(100, 100), person=None):
    return [Sighting(time, landmarks((centre[0] + time, centre[1]), 50), person) for time in times]


def test_a_face_that_jumped_belongs_to_its_chain():
    faces = [*sightings([*range(20), *range(21, 40)]), Sighting(20, landmarks((220, 100), 50))]
    (chain,) = find_chains(faces)
    assert len(chain.faces) == 40 and chain.jumped == {39} and not chain.missing


def test_faces_that_are_missing_between_faces():
    (one,) = find_chains(sightings([*range(10), *range(12, 20)]))
    assert one.missing == [10, 11]
    (one,) = find_chains(sightings([*range(30), *range(40, 60)]))
    assert one.missing == list(range(30, 40))
    first, second = find_chains(sightings([*range(30), *range(46, 60)]))
    assert first.missing == list(range(30, 46)) and not second.missing


def test_who_left_is_not_missing():
    away = [*range(30), *range(30 + MAX_MISSING + 1, 100)]
    assert not any(chain.missing for chain in find_chains(sightings(away)))
    elsewhere = sightings(range(30)) + sightings(range(34, 60), (400, 300))  # a cut
    assert not any(chain.missing for chain in find_chains(elsewhere))


def test_two_people_are_two_chains():
    both = sightings(range(30), person=1) + sightings(range(30), (300, 100), person=2)
    chains = find_chains(both)
    assert [len(chain.faces) for chain in chains] == [30, 30] and not any(chain.missing for chain in chains)


def finding(severity, kind=FindingKind.COLOUR):
    return Finding(kind, severity, f"{kind} {severity}")


def test_each_place_once_the_worst_first():
    found = {at: [finding(1 + at / 100)] for at in range(10, 20)}
    found |= {40: [finding(9.0, FindingKind.HOLE), finding(2.0)], 41: [finding(0.7)], 60: [finding(5.0), finding(6.0)]}
    scores = frame_scores([f"{at:05d}.png" for at in range(80)], found)
    order = [one.index for one in worst_first(scores)]
    assert order[:3] == [40, 60, 19]  # one frame stands for ten with the same fault
    assert order[3:12] == list(range(18, 9, -1)) and order[12] == 41 and len(order) == 13
    assert [len(place) for place in places(scores)] == [10, 1, 1]
    assert scores[40].reasons == ("hole 9.0", "colour 2.0") and scores[60].reasons == ("colour 6.0",)
    assert not scores[41].needs_a_look and scores[41].reasons == ("colour 0.7",) and scores[0].reasons == ()


def measures(**more):
    change = np.full(BLOCKS * BLOCKS, np.nan)
    change[50] = 7.5
    known = {"colour": np.array([1.5, -2, 0]), "step": 2.0, "sharpness": -0.5, "shape": float("nan"), "change": change}
    return FaceMeasures(**{**known, **more})


def test_measures_are_kept_as_json():
    vector = np.float32(RANDOM.normal(0, 0.1, 128))
    kept = read_measures(measures(embedding=vector).to_json())
    assert kept.step == 2.0 and kept.sharpness == -0.5 and np.isnan(kept.shape) and kept.change[50] == 7.5
    assert np.isnan(kept.change[:50]).all() and kept.embedding == pytest.approx(vector, abs=1e-3)
    assert read_measures(measures().to_json()).embedding is None


@pytest.mark.parametrize(
    "wrong",
    [{"colour": [1, 2]}, {"step": "x"}, {"change": []}, {"embedding": "?"}, {"embedding": "AAAA"}, {"shape": [1]}],
)
def test_what_is_no_measure_is_refused(wrong):
    with pytest.raises(BadJson):
        read_measures({**measures().to_json(), **wrong})
