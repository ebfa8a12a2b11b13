"""The losses of every iteration, and their chart."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image

Losses = NDArray[np.float32]
GRID_LINES = 6
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

    def __len__(self) -> int:
        return self._count


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


def hue_degrees(index: int, count: int) -> int:
    """Return the hue of a loss, 0..359: all losses lie evenly on the circle."""
    return round(360 * index / max(count, 1))


def loss_colour(index: int, count: int) -> tuple[int, int, int]:
    """Return the BGR colour of a loss."""
    pixel = np.array([[[hue_degrees(index, count) // 2, 200, 255]]], np.uint8)
    b, g, r = cv2.cvtColor(pixel, cv2.COLOR_HSV2BGR)[0, 0]
    return int(b), int(g), int(r)
