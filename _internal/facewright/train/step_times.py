"""How long iterations took on this machine, per kind of model: noted when a training ends, for the next estimate.

A kind that was not trained here yet is estimated from one that was, by the processor time that both take.
"""

import contextlib
from dataclasses import dataclass
from typing import Any

from facewright.core.errors import UserError
from facewright.core.files import make_folder, read_json, write_json
from facewright.core.json_data import dict_of, fields, number, text, whole
from facewright.core.options import declared
from facewright.core.user_defaults import defaults_file
from facewright.models.registry import model_classes
from facewright.train.console_line import time_text

FILE = "step_times.json"
MIN_STEPS = 20  # fewer say little
SCHEMA = dict_of(fields({"milliseconds": number, "batch": whole(1, 4096), "device": text}))


@dataclass(frozen=True)
class StepTime:
    """How long an iteration takes.

    Attributes:
        milliseconds: Per iteration.
        measured: Whether this very kind was trained here; else it is an estimate.
    """

    milliseconds: float
    measured: bool

    def describe(self, iterations: int) -> str:
        """Say how long some iterations take."""
        how = "by its last training here" if self.measured else "a rough estimate by another model's training here"
        return f"about {time_text(self.milliseconds * iterations / 1000)}, {how}"


def of_usual_size(options: Any) -> bool:
    """Whether a network is as large as its kind is without a word; times are known by kind alone.

    Args:
        options: Those of the model.
    """
    return all(spec.per_run or getattr(options, spec.name) == spec.default for spec in declared(type(options)))


def note_step_time(kind: str, batch: int, device: str, milliseconds: float, steps: int) -> None:
    """Keep how long the iterations of a training took; where that cannot be written nothing is lost."""
    if steps < MIN_STEPS or kind not in model_classes():
        return
    path = defaults_file().with_name(FILE)
    with contextlib.suppress(UserError, OSError):
        make_folder(path.parent)
        write_json(path, {**_noted(), kind: {"milliseconds": milliseconds, "batch": batch, "device": device}})


def step_times() -> dict[str, StepTime]:
    """Return the time of an iteration by kind of model, each with the batch that it has by default.

    Empty where nothing was trained on this machine yet.
    """
    kinds, noted = model_classes(), {kind: entry for kind, entry in _noted().items() if kind in model_classes()}
    known = {kind: StepTime(float(entry["milliseconds"]), measured=True) for kind, entry in noted.items()}
    for kind, model in kinds.items():
        near = min(noted, key=lambda k: abs(kinds[k].seconds - model.seconds), default=None)
        if kind not in known and near:
            share = model.seconds * model.default_batch / (kinds[near].seconds * noted[near]["batch"])
            known[kind] = StepTime(float(noted[near]["milliseconds"]) * share, measured=False)
    return known


def _noted() -> dict[str, dict[str, float]]:
    try:
        return dict(read_json(defaults_file().with_name(FILE), {}, schema=SCHEMA))
    except UserError:
        return {}
