"""A stored track smoothed as by version 0.1: rest, a blink, a nod, a mouth that opens, two gaps, two frames fixed."""

from pathlib import Path

import numpy as np
import pytest

from facewright.faces.smoothing import STRENGTHS, compare_tracks, smooth_track
from facewright.faces.tracks import Sighting


@pytest.fixture(scope="module")
def stored():
    with np.load(Path(__file__).parent / "smoothed_track.npz") as file:
        return dict(file)


def smoothed(stored, strength):
    faces = zip(stored["times"].tolist(), stored["points"], strict=True)
    fixed = set(stored["fixed"].tolist())
    return smooth_track([Sighting(t, p, fixed=i in fixed) for i, (t, p) in enumerate(faces)], STRENGTHS[strength])


@pytest.mark.parametrize("strength", STRENGTHS)
def test_every_strength_gives_what_it_gave(stored, strength):
    found = smoothed(stored, strength)[:, stored["kept"]]
    np.testing.assert_allclose(found, stored[strength], atol=2e-3)


FIGURES = {
    "low": ((0.61553, 0.05622), (1.07475, 0.26877), 0.043910, -0.000153),
    "medium": ((0.61553, 0.02157), (1.07475, 0.11682), 0.146697, 0.005178),
    "high": ((0.61553, 0.01349), (1.07475, 0.07733), 0.177908, 0.004155),
}


@pytest.mark.parametrize("strength", STRENGTHS)
def test_the_figures_of_a_smoothed_track_are_what_they_were(stored, strength):
    figures = compare_tracks(stored["points"], smoothed(stored, strength))
    square, points, deviation, lag = FIGURES[strength]
    assert (figures.frames, figures.at_rest) == (69, 27)
    assert figures.square == pytest.approx(square, rel=0.02) and figures.points == pytest.approx(points, rel=0.02)
    assert figures.speed == pytest.approx(4.3130, rel=1e-3)
    assert figures.deviation == pytest.approx(deviation, rel=0.01) and figures.lag == pytest.approx(lag, abs=2e-4)
    assert figures.gain == pytest.approx(100 * (1 - square[1] / square[0]), abs=0.2)
