"""evaluation.json and the table on the console (docs/formats.md has the fields)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from facewright import __version__
from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import read_json, write_json
from facewright.core.json_data import (
    choice,
    dict_of,
    either,
    fields,
    list_of,
    nothing,
    number,
    text,
    whole,
)
from facewright.evaluate.figures import FIGURES, Figure, Table, values_of
from facewright.evaluate.found import Evaluation, MeasuredResult
from facewright.evaluate.round_trip import FIGURES as TRIP_FIGURES
from facewright.evaluate.round_trip import GROUP, RoundTrip

NAME = "evaluation.json"
VERSION = 1
MAX_ROWS = 1_000_000
WIDTHS = (9, 20, 13, 20, 9)  # of the columns behind the title
NUMBERS = list_of(either(number, nothing))
SCHEMA = fields(
    {
        "version": choice(VERSION),
        "result": text,
        "judge": text,
        "faces": fields({"frame": list_of(text), "number": list_of(whole(0, MAX_ROWS)), "columns": dict_of(NUMBERS)}),
    }
)


def as_json(found: Evaluation) -> dict[str, Any]:
    """Return an evaluation as it is written."""
    result, against = found.result, found.against
    return {
        "version": VERSION,
        "program": f"facewright {__version__}",
        "workspace": found.workspace.name,
        "result": result.name,
        "judge": found.judge,
        "frames": len(found.subject.frames),
        "figures": [_figure(figure, found) for figure in FIGURES],
        "expected": {name: _number(value) for name, value in found.expected.items()},
        **({"against": {"result": against.name, "paired": against.paired}} if against else {}),
        **({"round_trip": _trip(found.trip)} if found.trip else {}),
        "limits": list(found.limits),
        "faces": {
            "frame": list(result.table.frames),
            "number": list(result.table.numbers),
            "columns": {name: list(map(_number, column)) for name, column in sorted(result.table.columns.items())},
        },
    }


def _figure(figure: Figure, found: Evaluation) -> dict[str, Any]:
    values = {"": found.result.values, "floor_": found.floor.values if found.floor else None}
    entry: dict[str, Any] = {
        "name": figure.name,
        "title": figure.title,
        "unit": figure.unit,
        "ideal": figure.ideal,
        "better": figure.better,
    }
    for prefix, measured in values.items():
        if measured is not None:
            entry |= _interval(f"{prefix}value", prefix, measured[figure.name])
    if against := found.against:
        entry |= _interval("other_value", "other_", against.values[figure.name])
        entry |= _interval("difference", "difference_", against.differences[figure.name])
    return entry


def _trip(trip: RoundTrip) -> dict[str, Any]:
    figures = []
    for figure in TRIP_FIGURES:
        entry: dict[str, Any] = {"name": figure.name, "title": figure.title, "unit": figure.unit, "ideal": figure.ideal}
        entry |= _interval("value", "", trip.values[figure.name])
        figures.append(entry | _interval("direct_value", "direct_", trip.direct[figure.name]))
    return {"faces": trip.faces, "figures": figures}


def _interval(name: str, prefix: str, found: Any) -> dict[str, Any]:
    low, high = found.interval or (float("nan"), float("nan"))
    return {name: _number(found.value), f"{prefix}low": _number(low), f"{prefix}high": _number(high)}


def _number(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


def write_report(path: Path, found: Evaluation) -> None:
    """Write evaluation.json."""
    write_json(path, as_json(found))


def read_report(path: Path) -> MeasuredResult:
    """Read the result of an earlier evaluation; its figures are computed anew from what is known of each face.

    Raises:
        UserError: It is missing, damaged, or no evaluation.
    """
    data = read_json(path, schema=SCHEMA)
    problem = "" if data is not None else "it is missing"
    if data is not None:
        faces = data["faces"]
        count = len(faces["frame"])
        columns = {
            name: np.array([np.nan if v is None else v for v in c], float) for name, c in faces["columns"].items()
        }
        lacking = {name for figure in FIGURES for name in figure.columns} | {"x", "y", "eye_distance"}
        if not 0 < count <= MAX_ROWS or len(faces["number"]) != count or {len(c) for c in columns.values()} != {count}:
            problem = "its columns are not of one length"
        elif lacking - columns.keys():
            problem = f"it lacks {', '.join(sorted(lacking - columns.keys()))[:200]}"
    if problem:
        raise UserError(
            f"{path} cannot be compared with: {problem}.",
            f"an {NAME} that this program wrote.",
            "evaluate that workspace again, then name its folder.",
        )
    table = Table(faces["frame"], faces["number"], columns)
    return MeasuredResult(data["result"], table, values_of(table), judge=data["judge"])


def console_table(found: Evaluation) -> Iterator[str]:
    """Yield the lines of the table."""
    against, floor = found.against, found.floor
    heads = ["95 % interval", "dst encoded", "ideal"] if against is None else ["other", "difference", "95 % interval"]
    yield _line("", ["result", *heads])
    group = ""
    for figure in FIGURES:
        if figure.group != group:
            group = figure.group
            yield group
        value = found.result.values[figure.name]
        if against is None:
            of_floor = figure.show(floor.values[figure.name].value) if floor else ""
            cells = [show_interval(figure, value.interval), of_floor, show_ideal(figure, found.expected)]
        else:
            apart = against.differences[figure.name]
            cells = [figure.show(against.values[figure.name].value), figure.show(apart.value)]
            cells += [show_interval(figure, apart.interval), against.verdict(figure, value)]
        yield _line(f"  {figure.heading}", [figure.show(value.value), *cells])


def trip_table(trip: RoundTrip) -> Iterator[str]:
    """Yield the lines of the table of a round trip."""
    yield _line(f"{GROUP} ({console.counted(trip.faces, 'face')})", [])
    yield _line("", ["result", "95 % interval", "dst as dst", "ideal"])
    for figure in TRIP_FIGURES:
        value, direct = trip.values[figure.name], trip.direct[figure.name]
        cells = [figure.show(value.value), show_interval(figure, value.interval), figure.show(direct.value)]
        yield _line(f"  {figure.heading}", [*cells, show_ideal(figure, {})])


def _line(title: str, cells: list[str]) -> str:
    parts = [f"{title:<30}", *(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=False))]
    return "".join(parts).rstrip()


def show_interval(figure: Figure, known: tuple[float, float] | None) -> str:
    """Write an interval; "" for none."""
    return "" if known is None else " to ".join(map(figure.show, known))


def show_ideal(figure: Figure, expected: Mapping[str, float]) -> str:
    """Write what a perfect result has; where nothing is perfect, what src has, or which way is good."""
    if figure.ideal is not None:
        return figure.show(figure.ideal)
    name = {"to_src": "src_to_src", "to_dst": "dst_to_src"}.get(figure.name, "")
    value = expected.get(name, float("nan"))
    return f"src: {figure.show(value)}" if np.isfinite(value) else figure.better
