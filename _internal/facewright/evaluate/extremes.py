"""Which faces of a result are the best and the worst, and what is wrong with the worst."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facewright.evaluate.figures import Table

MIN_APART = 12  # rows between two that are shown: neighbouring frames look alike


@dataclass(frozen=True)
class Extreme:
    """A face that stands out.

    Attributes:
        row: Of the table.
        reason: What it stands out by: "border step 4.1 dE".
    """

    row: int
    reason: str


@dataclass(frozen=True)
class Fault:
    """What may be wrong with a face.

    Attributes:
        values: (n,) one per face, more is worse; NaN where it is not known.
        step: A difference that matters, in their unit.
        form: How a value is written.
    """

    values: NDArray[np.float64]
    step: float
    form: str


def faults(table: Table) -> dict[str, Fault]:
    """Return what may be wrong with each face: what it is -> how much of it each face has.

    Identity counts by its margin, the openings by their difference to dst's, sharpness by its ratio to dst's either
    way, all else by itself.
    """
    c = table.columns
    with np.errstate(divide="ignore", invalid="ignore"):
        sharp = np.abs(np.log2(c["face_detail"] / c["face_detail_dst"]))
    return {
        "margin": Fault(-c["margin"], 0.05, "{:.2f}"),
        "landmark error": Fault(c["landmark_error"], 0.01, "{:.3f}"),
        "pose error": Fault(c["pose_error"], 1.0, "{:.1f}°"),
        "eyes off by": Fault(np.abs(c["eyes"] - c["eyes_dst"]), 0.04, "{:.2f}"),
        "mouth off by": Fault(np.abs(c["mouth"] - c["mouth_dst"]), 0.04, "{:.2f}"),
        "border step": Fault(c["step"], 1.0, "{:.1f} dE"),
        "light and colour": Fault(c["shade"], 1.0, "{:.1f} dE"),
        "sharpness off by": Fault(sharp, 0.25, "{:.1f} octaves"),
    }


def extremes(table: Table, count: int) -> tuple[list[Extreme], list[Extreme]]:
    """Return the best and the worst faces, the best and the worst first.

    A face is as bad as the sum of its faults, each as far as it lies above the median of all faces, in steps that
    matter, or in the usual spread of the faces where that is larger.

    Args:
        table: Of the result.
        count: How many of each at most.
    """
    known = faults(table)
    above = np.array([_above_usual(fault) for fault in known.values()])
    order = np.argsort(
        np.maximum(above, 0).sum(0) + above.sum(0) / 10, kind="stable"
    )  # the second part orders the best

    def named(row: int) -> Extreme:
        name, fault = list(known.items())[int(above[:, row].argmax())]
        value = -fault.values[row] if name == "margin" else fault.values[row]
        return Extreme(row, f"{name} {fault.form.format(value)}" if np.isfinite(value) else "")

    best, worst = _apart(order, count), _apart(order[::-1], count)
    return [Extreme(row, f"margin {table.columns['margin'][row]:.2f}") for row in best], [named(row) for row in worst]


def _above_usual(fault: Fault) -> NDArray[np.float64]:
    """Return how far each face lies above the median, in steps; 0 where that is not known."""
    known = np.isfinite(fault.values)
    above = np.zeros(len(fault.values))
    if known.any():
        low, middle, high = np.percentile(fault.values[known], (16, 50, 84))
        above[known] = (fault.values[known] - middle) / max((high - low) / 2, fault.step)
    return above


def _apart(order: NDArray[np.int64], count: int) -> list[int]:
    chosen: list[int] = []
    for row in order.tolist():
        if len(chosen) < count and all(abs(row - other) >= MIN_APART for other in chosen):
            chosen.append(row)
    return chosen
