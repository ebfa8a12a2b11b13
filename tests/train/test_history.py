import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewright.train.history import MEASURES, LossHistory, draw_chart, saved_measures, slices


def history(count, names=("src", "dst")):
    made = LossHistory(names)
    for number in range(count):
        made.append({"src": number, "dst": -number})
    return made


@pytest.mark.parametrize("count", [0, 1, 1024, 3000])
def test_rows_come_back(count):
    values = history(count).values
    np.testing.assert_array_equal(values[:, 0], np.arange(count))
    again = LossHistory(("src", "dst"), values)
    again.append({"src": 5.0, "dst": 6.0})
    assert len(again) == count + 1 and again.values[-1].tolist() == [5, 6]


def test_mean_passes_over_what_is_not_finite():
    made = LossHistory(("src", "dst"))
    for src in (1.0, np.nan, 3.0, np.inf):
        made.append({"src": src})
    assert made.mean(10)["src"] == 2
    assert np.isnan(made.mean(10)["dst"])
    assert LossHistory(("src",)).mean(5) == {}


@settings(deadline=None)
@given(st.integers(0, 400), st.integers(1, 90), st.integers(0, 99))
def test_slices_cover_the_history(count, width, seed):
    values = np.random.default_rng(seed).normal(size=(count, 2)).astype(np.float32)
    low, high = slices(values, width)
    assert low.shape == high.shape == (width, 2)
    if count:
        assert (low <= high).all()
        if count >= width:
            assert low.min() == values.min() and high.max() == values.max()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_chart_survives_broken_numbers(bad):
    values = np.full((50, 2), 0.5, np.float32)
    values[10:20] = bad
    assert draw_chart(values, 80).shape == (100, 80, 3)
    assert draw_chart(np.full((5, 2), bad, np.float32), 80).shape == (100, 80, 3)
    assert draw_chart(np.zeros((0, 2), np.float32), 80).shape == (100, 80, 3)


def test_half_height_is_the_mean():
    chart = draw_chart(np.full((100, 1), 0.3, np.float32), 60)
    bright = np.argwhere(chart.max(axis=2) > 100)
    assert abs(bright[:, 0] - 99 / 2).max() <= 0.5 and len(bright) == 60


def test_measures_of_another_version_or_a_stranger_come_into_the_columns_of_now() -> None:
    rows = np.array([[10, 1, 5, 7], [20, 2, 4, 7], [np.nan, 3, 4, 7], [40, np.inf, 4, 7]], np.float32)
    found = saved_measures(["iteration", "seconds", "src", "of tomorrow"], rows)
    assert found.names == MEASURES and found.column("iteration").tolist() == [10, 20]
    assert found.column("src").tolist() == [5, 4] and np.isnan(found.column("dst sharp")).all()
    for names, values in ((["src"], rows[:, :1]), (["iteration"], rows), (MEASURES, None), ([], rows)):
        assert len(saved_measures(names, values)) == 0
    found.append({"iteration": 30, "seconds": 3})
    assert found.last()["iteration"] == 30
