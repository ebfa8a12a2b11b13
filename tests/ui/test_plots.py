"""Plots: what is counted is drawn, in the picture and on the page alike."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewright.ui.plots import BAR, SIZE, Bars, Grid, Lines, bgr, draw_plot, histogram, shapes, svg, ticks

BARS = Bars("a < b", np.linspace(0, 10, 6), np.array([0, 4, 8, 2, 0]), "pixels", (3.0, "limit"))
EDGES = np.arange(-90.0, 91.0, 45)
GRID = Grid(
    "poses", EDGES[::-1], EDGES[::-1], np.arange(16).reshape(4, 4), "yaw", "pitch", "x", np.eye(4, dtype=bool), "dst"
)


def test_bars_are_as_tall_as_their_counts() -> None:
    heights = [shape.h for shape in shapes(BARS) if shape.colour == BAR]
    assert heights[1] * 2 == pytest.approx(heights[2]) and heights[0] == heights[4] == 0
    image = draw_plot(BARS)
    assert image.shape == (*SIZE, 3)
    painted = (image == bgr(BAR)).all(axis=2).sum(axis=0)
    assert painted.max() == pytest.approx(max(heights), abs=1)


def test_cells_get_lighter_with_their_counts() -> None:
    cells = [shape for shape in shapes(GRID) if shape.kind == "box"][1:]
    assert len(cells) == 16 and len({cell.colour for cell in cells}) == 16
    assert cells[1].text == "yaw 0 to 45, pitch 45 to 90: 1", "yaw falls from left to right"
    assert sum(shape.kind == "frame" for shape in shapes(GRID)) == 4


@pytest.mark.parametrize("plot", [BARS, GRID, Bars("", np.array([0.0, 1.0]), np.array([0]))])
def test_svg_is_well_formed_and_everything_lies_inside(plot: Bars | Grid) -> None:
    root = ET.fromstring(svg(plot))
    assert len(root) == len(shapes(plot)) and draw_plot(plot).any()
    for shape in shapes(plot):
        assert 0 <= shape.x <= SIZE[1] and 0 <= shape.y <= SIZE[0]
        assert shape.x + shape.w <= SIZE[1] + 0.01 and shape.y + shape.h <= SIZE[0] + 0.01


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_few_round_and_inside(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert 1 <= len(found) <= 12 and all(low - span * 1e-6 <= value <= low + span * (1 + 1e-6) for value in found)
    assert ticks(1, 1) == [1] and ticks(0, 10) == [0, 2, 4, 6, 8, 10]


@given(st.lists(st.floats(-1e3, 1e3)))
def test_every_value_is_counted_once(values: list[float]) -> None:
    counts = histogram(values, [-10, 0, 10])
    assert counts.sum() == len(values)
    assert counts[0] == sum(value < 0 for value in values)


def test_lines_show_every_series_and_leave_gaps() -> None:
    values = np.sin(np.arange(1000) / 50)
    values[400:600] = np.nan
    plot = Lines("waves", (("dst", np.full(1000, 0.5)), ("result", values)), low=0)
    paths = [shape for shape in shapes(plot) if shape.kind == "path"]
    assert len(paths) == 3  # one whole line, one in two parts
    assert all(0 <= x <= SIZE[1] and 0 <= y <= SIZE[0] for path in paths for x, y in path.points)
    assert svg(plot).count("<polyline") == 3 and draw_plot(plot).shape == (*SIZE, 3)
    nothing = Lines("nothing", (("result", np.full(4, np.nan)),))
    assert not [shape for shape in shapes(nothing) if shape.kind == "path"]
