"""Two results side by side: the difference of each figure, with its interval.

Where both show the same faces in the same frames, they are drawn together (a paired difference): what makes a frame
hard for both does not count, and small differences are seen. Else each is drawn for itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from facewright.evaluate.figures import FIGURES, Figure, FigureValue, Table
from facewright.evaluate.intervals import SEED, Interval, Rows, block_draws, central, intervals

MAX_APART = 0.25  # of the eyes' distance: two rows of one name are of one face when they lie no farther apart
MIN_COMMON = 0.5  # share of the smaller result's faces that must be in both


@dataclass(frozen=True)
class Difference:
    """How two results differ in a figure: the second less the first.

    Attributes:
        value: NaN where one of both is not known.
        interval: The central 95 %; None where there is none.
    """

    value: float
    interval: Interval | None

    @property
    def certain(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.interval is not None and (self.interval[0] > 0 or self.interval[1] < 0)


@dataclass(frozen=True)
class Comparison:
    """Two results side by side.

    Attributes:
        name: Of the other result.
        values: Its own figures, over all of its faces.
        paired: Faces that are in both; 0 where they are other faces, and each was drawn for itself.
        differences: By name of the figure: this result less the other.
    """

    name: str
    values: Mapping[str, FigureValue]
    paired: int
    differences: Mapping[str, Difference]

    def verdict(self, figure: Figure, value: FigureValue) -> str:
        """Return how this result's value stands to the other's: "better", "worse"; "" where it may be chance."""
        apart = self.differences[figure.name]
        if not apart.certain:
            return ""
        return "better" if figure.is_better(value.value, value.value - apart.value) else "worse"


def compare_results(this: Table, other: Table, name: str, values: Mapping[str, FigureValue]) -> Comparison:
    """Hold a result against another one.

    Args:
        this: Its faces.
        other: Those of the other one.
        name: Of the other one.
        values: Its figures.
    """
    rows = _common(this, other)
    if rows is None:
        return Comparison(name, values, 0, _apart(this, other))
    one, two = rows
    return Comparison(name, values, len(one), _paired(_chosen(this, one), _chosen(other, two)))


def _common(this: Table, other: Table) -> tuple[Rows, Rows] | None:
    """Return the rows of both that are one and the same face; None where too few are."""
    at = {key: row for row, key in enumerate(zip(other.frames, other.numbers, strict=True))}
    keys = list(zip(this.frames, this.numbers, strict=True))
    pairs = [(row, at[key]) for row, key in enumerate(keys) if key in at]
    pairs = [(row, there) for row, there in pairs if _near(this, row, other, there)]
    if not pairs or len(pairs) < MIN_COMMON * min(len(this), len(other)):
        return None
    one, two = np.array(pairs).T
    return one, two


def _near(this: Table, row: int, other: Table, there: int) -> bool:
    away = np.hypot(*(this.columns[axis][row] - other.columns[axis][there] for axis in ("x", "y")))
    return bool(away <= MAX_APART * this.columns["eye_distance"][row])


def _chosen(table: Table, rows: Rows) -> Table:
    columns = {name: column[rows] for name, column in table.columns.items()}
    return Table([table.frames[row] for row in rows], [table.numbers[row] for row in rows], columns)


def _paired(this: Table, other: Table) -> dict[str, Difference]:
    """Draw the same rows of both, which show the same faces in the same order."""

    def apart(figure: Figure, rows: Rows | None = None) -> float:
        return figure.value(this, rows) - figure.value(other, rows)

    known = intervals({figure.name: partial(apart, figure) for figure in FIGURES}, len(this))
    return {figure.name: Difference(apart(figure), known[figure.name]) for figure in FIGURES}


def _apart(this: Table, other: Table) -> dict[str, Difference]:
    """Draw each for itself."""
    draws = [block_draws(len(table), seed=SEED + number) for number, table in enumerate((this, other))]
    found = [
        [figure.value(this, one) - figure.value(other, two) for figure in FIGURES]
        for one, two in zip(*draws, strict=True)
    ]
    fewer = min(len(this), len(other))
    return {
        figure.name: Difference(figure.value(this) - figure.value(other), central(column, fewer))
        for figure, column in zip(FIGURES, np.array(found).T, strict=True)
    }
