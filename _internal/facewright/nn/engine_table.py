"""Which engine is the quickest on a card: the time of a training step with each one, kept in the user's settings.

An engine is a keras backend. A time counts for one card, driver, version of the engine and model: where one of them
has changed, it is as if nothing had been measured.
"""

import contextlib
import importlib.metadata
import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from facewright.core import machine
from facewright.core.errors import UserError
from facewright.core.files import make_folder, read_json, write_json
from facewright.core.json_data import choice, fields, list_of, number, text
from facewright.core.user_defaults import defaults_file

FILE = "engine_times.json"
MOST_ROWS = 200  # the oldest go first
ENGINES = ("tensorflow", "jax", "torch")
SCHEMA = list_of(
    fields(
        {name: text for name in ("card", "driver", "engine", "version", "model", "problem")}
        | {"kind": choice("gpu", "cpu", ""), "milliseconds": number}
    )
)


@dataclass(frozen=True)
class Engine:
    """An engine as it is installed."""

    name: str
    version: str


@dataclass(frozen=True)
class Place:
    """What it runs on: the card's name, or the processor's where there is none, and the version of its driver."""

    card: str
    driver: str


@dataclass(frozen=True)
class EngineTime:
    """What a trial found.

    Attributes:
        card, driver: See `Place`.
        engine, version: See `Engine`.
        model: Whose step was timed.
        kind: "gpu" or "cpu", where the engine really ran; "" where it did not run.
        milliseconds: Of a step; 0 where it did not run.
        problem: Why it did not run; "" where it did.
    """

    card: str
    driver: str
    engine: str
    version: str
    model: str
    kind: str
    milliseconds: float
    problem: str = ""

    def describe(self) -> str:
        """Say it in a line."""
        what = f"{self.engine} {self.version}: "
        if self.problem:
            return f"{what}does not run {self.model} on {self.card} ({self.problem})"
        where = self.card if self.kind == "gpu" else "the processor"
        return f"{what}{self.milliseconds:.0f} ms a training step of {self.model} on {where}"


def installed_engines() -> tuple[Engine, ...]:
    """Return the engines that this environment holds."""
    return tuple(Engine(name, _version(name)) for name in ENGINES if importlib.util.find_spec(name) is not None)


def find_place(cards: Sequence[str], processor: str) -> Place:
    """Return what the networks would run on.

    Args:
        cards: Names of the graphics cards, the first one is used.
        processor: The processor's name.
    """
    drivers = machine.nvidia_smi("driver_version") if cards else []
    return Place(cards[0] if cards else processor, drivers[0].strip() if drivers else "")


def read_times() -> tuple[EngineTime, ...]:
    """Return all that was measured, the oldest first; nothing of a damaged file, which is measured anew."""
    with contextlib.suppress(UserError):
        return tuple(EngineTime(**row) for row in read_json(_path(), [], schema=SCHEMA))
    return ()


def note_times(found: Iterable[EngineTime]) -> bool:
    """Keep what was measured in place of earlier times of the same; return whether that could be written."""
    rows = _newest([*read_times(), *found])
    with contextlib.suppress(UserError, OSError):
        make_folder(_path().parent)
        write_json(_path(), [asdict(row) for row in rows[-MOST_ROWS:]])
        return True
    return False


def times_of(place: Place, engines: Sequence[Engine], model: str = "") -> tuple[EngineTime, ...]:
    """Return what was measured of each engine, as `ranked` orders it; none where one of them is missing.

    Args:
        place: Where.
        engines: Which, as they are installed now.
        model: Of which model; "" for the one that was measured last.
    """
    wanted = {(engine.name, engine.version) for engine in engines}
    rows = [row for row in _newest(read_times()) if (row.card, row.driver) == (place.card, place.driver)]
    rows = [row for row in rows if (row.engine, row.version) in wanted and model in ("", row.model)]
    rows = [row for row in rows if row.model == rows[-1].model]
    if len(rows) < len(wanted):
        return ()
    return ranked(rows)


def ranked(rows: Iterable[EngineTime]) -> tuple[EngineTime, ...]:
    """Return times, the quickest first; after those on the card what ran elsewhere, then what did not run at all."""
    return tuple(sorted(rows, key=lambda row: (bool(row.problem), row.kind != "gpu", row.milliseconds)))


def quickest(times: Sequence[EngineTime]) -> str | None:
    """Return the engine to take by what `times_of` gave; None where that does not tell."""
    return times[0].engine if times and not times[0].problem else None


def _newest(rows: Iterable[EngineTime]) -> list[EngineTime]:
    """Return the last row of each key, in the order of the last ones; a file may have one twice."""
    kept: dict[tuple[str, ...], EngineTime] = {}
    for row in rows:
        kept.pop(_key(row), None)
        kept[_key(row)] = row
    return list(kept.values())


def _key(row: EngineTime) -> tuple[str, ...]:
    return row.card, row.driver, row.engine, row.version, row.model


def _path() -> Path:
    return defaults_file().with_name(FILE)


def _version(engine: str) -> str:
    for package in (f"{engine}-cpu", engine):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(package)
    return ""
