"""The losses of every iteration, the measures on faces held out, and their charts."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image

Losses = NDArray[np.float32]
GRID_LINES = 6
# What is measured on faces that were held out, see `train.measure`: columns of a row per measurement. Errors and round
# trip in percent, less is better; "sharp" and "variety" against the faces themselves, 1 is as much.
MEASURES = (
    *("iteration", "seconds", "src", "dst", "src eyes", "dst eyes", "src mouth", "dst mouth"),
    *("src trained", "dst trained", "trip", "src sharp", "dst sharp", "variety", "like src"),
)
ERRORS = MappingProxyType({"src": 0, "dst": 180, "trip": 290})  # those that are drawn as curves, in which hue
ERROR_TITLES = MappingProxyType({"src": "src", "dst": "dst", "trip": "round trip"})
RANGES = (0, 5_000, 10_000, 50_000, 100_000)  # iterations that the chart can be limited to; 0 for all


class LossHistory:
    """Losses by name, one row per iteration; grows without copying at every step.

    Other threads may read it meanwhile: a row is whole before it counts.

    Args:
        names: Names of the losses, in the order of the columns.
        values: (iterations, losses) float32 to start from.
    """

    def __init__(self, names: Sequence[str], values: Losses | None = None) -> None:
        self.names = tuple(names)
        self._rows: Losses = np.zeros((1024, len(self.names)), np.float32)
        self._count = 0
        if values is not None and values.ndim == 2 and values.shape[1] == len(self.names):
            self._rows = np.array(values, np.float32)
            self._count = len(values)

    def append(self, losses: Mapping[str, float]) -> None:
        """Add the losses of an iteration; one that is not given counts as not a number."""
        if self._count == len(self._rows):
            more = np.zeros((max(1024, self._count), len(self.names)), np.float32)
            self._rows = np.concatenate([self._rows, more])
        self._rows[self._count] = [losses.get(name, np.nan) for name in self.names]
        self._count += 1

    @property
    def values(self) -> Losses:
        """All rows, (iterations, losses) float32."""
        return self._rows[: self._count]

    def mean(self, last: int) -> dict[str, float]:
        """Return the mean of the last iterations by name, passing over what is not finite; empty at the start."""
        rows = np.where(np.isfinite(self.values[-last:]), self.values[-last:], np.nan)
        if not len(rows):
            return {}
        known = np.isfinite(rows).sum(axis=0)
        sums = np.nansum(rows.astype(np.float64), axis=0)
        return {n: float(s / k) if k else float("nan") for n, s, k in zip(self.names, sums, known, strict=True)}

    def column(self, name: str) -> NDArray[np.float32]:
        """Return one column, (rows,); not a number everywhere where there is none of that name."""
        if name not in self.names:
            return np.full(self._count, np.nan, np.float32)
        return self.values[:, self.names.index(name)]

    def since(self, iteration: int) -> "LossHistory":
        """Return the rows from an iteration on, of a history that has a column "iteration"."""
        return LossHistory(self.names, self.values[self.column("iteration") >= iteration])

    def last(self) -> dict[str, float]:
        """Return the newest row by name; empty at the start."""
        return dict(zip(self.names, map(float, self.values[-1]), strict=True)) if self._count else {}

    def __len__(self) -> int:
        return self._count


def saved_measures(names: Sequence[str], values: Losses | None) -> LossHistory:
    """Return the measures that a saved state holds, in the columns of now; it may be older, or a stranger's.

    Args:
        names: Its columns; those that it lacks are not numbers.
        values: (measurements, columns), or None. A row without iteration or time is left out.
    """
    written = LossHistory(names, None if values is None else np.asarray(values, np.float32))
    rows = np.stack([written.column(name) for name in MEASURES], axis=1)
    known = np.isfinite(written.column("iteration")) & np.isfinite(written.column("seconds"))
    return LossHistory(MEASURES, rows[known])


def slices(values: Losses, width: int) -> tuple[Losses, Losses]:
    """Return minimum and maximum of the part of the history that each column of a chart stands for.

    Args:
        values: (iterations, losses) float32; numbers that are not finite are passed over.
        width: Columns of the chart.

    Returns:
        Two (width, losses) float32 arrays; not a number where a part holds none.
    """
    if not len(values):
        nothing = np.full((width, values.shape[1]), np.nan, np.float32)
        return nothing, nothing
    clean = np.where(np.isfinite(values), values, np.float32(np.nan))
    starts = np.arange(width) * len(values) // width
    return np.fmin.reduceat(clean, starts), np.fmax.reduceat(clean, starts)


def means(values: Losses, width: int) -> Losses:
    """Return the mean of the part of the history that each column of a chart stands for.

    Args:
        values: (iterations, losses) float32, one iteration or more; numbers that are not finite are passed over.
        width: Columns of the chart.

    Returns:
        (width, losses) float32; not a number where a part holds none.
    """
    known = np.isfinite(values)
    starts = np.arange(width) * len(values) // width
    sums = np.add.reduceat(np.where(known, values, np.float32(0)), starts, dtype=np.float64)
    counts = np.add.reduceat(known, starts, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray(sums / np.where(counts, counts, np.nan), np.float32)


def top_of(values: Losses) -> float:
    """Return the top of a chart's scale: twice the mean of the last four fifths; 0.0 without any number.

    So the first iterations do not flatten the rest.
    """
    recent = values[len(values) // 5 :]
    recent = recent[np.isfinite(recent)]
    return max(2 * float(np.abs(recent).mean()), 1e-9) if recent.size else 0.0


def draw_chart(values: Losses, width: int, height: int = 100) -> Image:
    """Draw the losses: a vertical bar from least to greatest per column, one hue per loss.

    Args:
        values: (iterations, losses) float32; numbers that are not finite are left out.
        width: Its width in pixels.
        height: Its height in pixels.

    Returns:
        (height, width, 3) uint8 BGR.
    """
    chart: Image = np.full((height, width, 3), 24, np.uint8)
    for line in range(GRID_LINES):
        chart[round(line * (height - 1) / (GRID_LINES - 1))] = 56
    top = top_of(values)
    if not top:
        return chart
    low, high = slices(values, width)
    for index in range(values.shape[1]):
        colour = loss_colour(index, values.shape[1])
        for x in np.flatnonzero(np.isfinite(high[:, index])):
            upper, lower = (
                round((height - 1) * (1 - min(max(float(v), 0.0), top) / top)) for v in (high[x, index], low[x, index])
            )
            cv2.line(chart, (int(x), upper), (int(x), lower), colour)
    return chart


def held_out_curves(measures: LossHistory, first: int, columns: int) -> tuple[Losses, dict[str, Losses]]:
    """Return what a chart of the faces held out shows.

    Args:
        measures: The measurements.
        first: Iteration at which the chart begins.
        columns: At most so many points; of more every nth is taken, and the newest.

    Returns:
        (n,) iterations, and name -> (n,) errors in percent.
    """
    rows = np.flatnonzero(measures.column("iteration") >= first)
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), columns)).round().astype(int))]
    return measures.column("iteration")[rows], {name: measures.column(name)[rows] for name in ERRORS}


def draw_held_out(measures: LossHistory, first: int, last: int, width: int, height: int = 70) -> Image:
    """Draw the errors on faces held out as lines over the iterations.

    Args:
        measures: The measurements.
        first, last: Iterations at the left and right edge.
        width: Its width in pixels.
        height: Its height in pixels.

    Returns:
        (height, width, 3) uint8 BGR.
    """
    chart: Image = np.full((height, width, 3), 24, np.uint8)
    chart[[0, height // 2, height - 1]] = 56
    at, curves = held_out_curves(measures, first, width)
    top = curve_top(curves)
    for name, values in curves.items():
        known = np.isfinite(values)
        x = (at[known] - first) / max(last - first, 1) * (width - 1)
        y = (height - 1) * (1 - values[known].clip(0, top) / top)
        cv2.polylines(chart, [np.stack([x, y], 1).round().astype(np.int32)], False, hue_colour(ERRORS[name]), 1)
    return chart


def curve_top(curves: Mapping[str, Losses]) -> float:
    """Return the top of the scale of `held_out_curves`: the highest value that is not of the first fifth."""
    known = [values[len(values) // 5 :] for values in curves.values()]
    known = [values[np.isfinite(values)] for values in known]
    return 1.1 * max((float(values.max()) for values in known if values.size), default=1.0) or 1.0


def hue_degrees(index: int, count: int) -> int:
    """Return the hue of a loss, 0..359: all losses lie evenly on the circle."""
    return round(360 * index / max(count, 1))


def loss_colour(index: int, count: int) -> tuple[int, int, int]:
    """Return the BGR colour of a loss."""
    return hue_colour(hue_degrees(index, count))


def hue_colour(degrees: int) -> tuple[int, int, int]:
    """Return the BGR colour of a hue."""
    pixel = np.array([[[degrees // 2, 200, 255]]], np.uint8)
    b, g, r = cv2.cvtColor(pixel, cv2.COLOR_HSV2BGR)[0, 0]
    return int(b), int(g), int(r)
