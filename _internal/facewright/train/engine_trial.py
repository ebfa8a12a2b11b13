"""Times a training step of a model with each engine that is installed, each in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from facewright.core import console
from facewright.core.json_data import BadJson, choice, fields, number, parse_json
from facewright.core.names import printable
from facewright.models import registry
from facewright.nn import devices, engine_table
from facewright.nn.engine_table import Engine, EngineTime, Place
from facewright.train.trial import KIND, PACKAGES, PATIENCE_S

ANSWER = fields({"kind": choice("gpu", "cpu"), "milliseconds": number})
MOST_LETTERS = 160  # of what an engine says that does not run


def measure_engines(model: str = "") -> tuple[EngineTime, ...]:
    """Time each engine that may be taken, and keep the times; return them, the quickest first.

    Args:
        model: Whose step; "" for the smallest one's.

    Raises:
        UserError: There is no such model.
    """
    registry.trainable_class(model or KIND)
    model, place, engines = model or KIND, devices.place(), devices.usable_engines()
    names = ", ".join(engine.name for engine in engines)
    console.say(f"Timing a training step of {model} on {place.card} with {names}, once …")
    found = [_timed(model, place, engine) for engine in engines]
    engine_table.note_times(found)
    return engine_table.ranked(found)


def choose_engine(model: str = "") -> None:
    """Let the engine be used that is the quickest; measures where nobody has, and there is a choice.

    What KERAS_BACKEND names, or runs already, stays. Where the times cannot be kept nothing is measured: it would be at
    every start.

    Args:
        model: For which model; "" for whichever was measured last.
    """
    if devices.is_chosen():
        return
    engines = devices.usable_engines()
    if len(engines) < 2:
        return
    times = engine_table.times_of(devices.place(), engines, model)
    if not times and engine_table.note_times(()):
        times = measure_engines(model)
    found = engine_table.quickest(times)
    if found:
        os.environ["KERAS_BACKEND"] = found
        console.say(f"The quickest engine here is taken: {times[0].describe()}")


def _timed(model: str, place: Place, engine: Engine) -> EngineTime:
    line = [sys.executable, "-m", "facewright.train.trial", model]
    problem, found = "", dict[str, Any](kind="", milliseconds=0.0)
    try:
        done = subprocess.run(
            line,
            cwd=PACKAGES,
            env={**os.environ, "KERAS_BACKEND": engine.name},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE_S,
        )
        if done.returncode == 0:
            found = parse_json(done.stdout.splitlines()[-1], ANSWER)
        else:
            problem = _last_line(done.stderr.splitlines()) or f"exit code {done.returncode}"
    except subprocess.TimeoutExpired:
        problem = f"not ready after {PATIENCE_S:.0f} s"
    except (OSError, IndexError, BadJson) as error:
        problem = type(error).__name__
    return EngineTime(place.card, place.driver, engine.name, engine.version, model, problem=problem, **found)


def _last_line(lines: Sequence[str]) -> str:
    return printable(next((line for line in reversed(lines) if line.strip()), ""))[:MOST_LETTERS]
