"""Older saved states of a model, and the way back to one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import read_json
from facewright.core.hints import hint
from facewright.nn import backups, checkpoint
from facewright.nn.saved_models import MASK_MODEL
from facewright.restore.choice import RestoreReport, RestoreRequest, Row


@dataclass(frozen=True)
class Saved:
    """A saved state that can be made the newest.

    Attributes:
        folder: Where it lies.
        name: "model/generation" or "model/backups/generation".
        iteration: Of the training.
        when: When it was saved, as its state tells.
    """

    folder: Path
    name: str
    iteration: int
    when: str


def saved_states(model_dir: Path) -> list[Saved]:
    """Return all states but the newest of each model, which is in use anyway; the last saved first."""
    found = []
    for model in checkpoint.trained_models(model_dir):
        folder = model_dir / model
        for path in [*checkpoint.generations(folder)[1:], *backups.backups(folder)]:
            state = _state(path)
            name = path.relative_to(model_dir).as_posix()
            found.append(Saved(path, name, state.get("iteration", 0), state.get("saved", "")))
    return sorted(found, key=lambda saved: saved.when, reverse=True)


def _state(path: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = read_json(path / checkpoint.STATE, {}, schema=checkpoint.STATE_SCHEMA)
    except UserError:
        return {}
    return state


def restore_model(request: RestoreRequest) -> RestoreReport:
    """Make an older state the one that is trained on and converted with; newer ones go to the trash.

    Raises:
        UserError: There is none, or none is named so.
    """
    workspace = request.workspace
    there = saved_states(workspace.model_dir)
    rows = [Row(s.name, f"iteration {s.iteration:>7}  {s.when[:16].replace('T', ' ')}") for s in there]
    nothing = UserError(
        f"There is no older saved state of a model in {workspace.model_dir}.",
        "a state before the newest one, or a backup.",
        "nothing was changed; a training keeps more states with --keep N, and makes backups with --autobackup-hours H.",
    )
    index = request.choose(rows, nothing)
    listed = tuple(row.name for row in rows)
    if index is None:
        return RestoreReport(listed)
    chosen = there[index]
    with workspace.lock("model"):
        generation = backups.restore_generation(chosen.folder, workspace.trash)
    name = generation.folder.parent.name
    is_mask = name == MASK_MODEL
    lines = (
        hint("mask --side dst --action train") + hint("mask --side dst --action apply")
        if is_mask
        else hint("train --name", name) + hint("convert")
    )
    console.say(
        f"The model {name} is back at iteration {generation.state.get('iteration')} ({chosen.name}). Newer states are "
        f"in {workspace.trash}. Next, train on from here, or {'apply' if is_mask else 'convert with'} it:{lines}"
    )
    return RestoreReport(listed, chosen.name, 1)
