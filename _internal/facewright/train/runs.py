"""Trainings side by side: what each was trained with, how far it came on faces held out, and what it draws."""

import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.hints import hint
from facewright.core.names import printable
from facewright.core.options import show
from facewright.core.workspace import SIDES, Workspace
from facewright.data.sampler import Sampler
from facewright.faces.faceset import FaceFile, load_faceset
from facewright.faces.hold_out import HoldOut, hold_out_of
from facewright.models.trained import build_model, load_generation
from facewright.nn import backups, checkpoint, devices
from facewright.nn.checkpoint import Generation
from facewright.nn.saved_models import list_saved_models
from facewright.train.coach import Advice, advise
from facewright.train.history import MEASURES, LossHistory, saved_measures
from facewright.train.transfer import find_source
from facewright.ui.contact_sheet import evenly

MOST_RUNS = len(string.ascii_uppercase)
MAX_VALUE = 60  # characters of a setting that is shown
HISTORY = ("history",)

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Run:
    """A saved state of a training.

    Attributes:
        letter: A, B, …: what it is called beside the others.
        name: Of the model, with its generation where several are compared.
        generation: On the disk.
        curve: What was measured on faces held out.
        settings: What it was trained with: name -> value as shown.
        faces: Side -> fingerprint of its faceset.
        hold_out: Its faces held out.
    """

    letter: str
    name: str
    generation: Generation
    curve: LossHistory
    settings: Mapping[str, str]
    faces: Mapping[str, str]
    hold_out: HoldOut

    @property
    def state(self) -> Mapping[str, Any]:
        """What was saved with it."""
        return self.generation.state

    @property
    def kind(self) -> str:
        """Which network it is."""
        return str(self.state.get("model"))[:40]

    @property
    def iteration(self) -> int:
        """Steps trained."""
        return int(self.state.get("iteration", 0))

    @property
    def seconds(self) -> float:
        """Time that its steps took; 0 where an older version did not count it."""
        return float(self.state.get("seconds", 0))

    @property
    def advice(self) -> Advice:
        """What its curve says."""
        return advise(self.curve)


@dataclass(frozen=True, eq=False)
class Drawn:
    """The same faces, drawn by each run.

    Attributes:
        faces: What is drawn: side -> the faces.
        unseen: Whether no run was trained on them.
        own: Side -> the faces themselves, (n, S, S, 3) float32 BGR in 0..1.
        by_run: Letter -> side -> what it makes of them: src rebuilt, dst as src.
        problems: Letter -> why nothing could be drawn.
    """

    faces: Mapping[str, Sequence[FaceFile]]
    unseen: bool
    own: dict[str, Array] = field(default_factory=dict)
    by_run: dict[str, dict[str, Array]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


def read_runs(workspace: Workspace, wanted: Sequence[str], *, generations: bool = False) -> list[Run]:
    """Return the runs to compare.

    Args:
        workspace: The project.
        wanted: Models of the workspace, or folders of models, generations and backups; none takes all models.
        generations: Every saved state and backup of each, not only the newest.

    Raises:
        UserError: There is none, or more than can be told apart.
    """
    names = list(wanted) or [model.name for model in list_saved_models(workspace.model_dir)]
    found = [one for name in names for one in _states(workspace.model_dir, name, all_of_them=generations)]
    if not found:
        raise UserError(
            f"There is no trained model in {workspace.model_dir}.",
            "one model at least; two or more to compare.",
            f"train one first:{hint('train')}",
        )
    if len(found) > MOST_RUNS:
        raise UserError(
            f"There are {len(found)} saved states to compare.",
            f"{MOST_RUNS} at most.",
            "name some of them with --model, or leave out --generations.",
        )
    return [_run(letter, *one) for letter, one in zip(string.ascii_uppercase, found, strict=False)]


def _states(model_dir: Path, name: str, *, all_of_them: bool) -> Iterator[tuple[str, Generation]]:
    newest = find_source(model_dir, name)
    folder = newest.folder.parent
    if folder.name == checkpoint.BACKUPS:
        folder = folder.parent
    if not all_of_them:
        yield folder.name, newest
        return
    there = {path.name: path for path in (*backups.backups(folder), *checkpoint.generations(folder))}
    for path in sorted(there.values(), key=checkpoint.number_of):
        try:
            state = checkpoint.check(path, HISTORY)
        except checkpoint.DamagedGeneration as problem:
            console.warn(f"Left out, for it is damaged ({problem}): {path}")
            continue
        yield f"{folder.name} at {int(state.state.get('iteration', 0)):,}", state


def _run(letter: str, name: str, generation: Generation) -> Run:
    state = generation.state
    kept = generation.arrays("history").as_dict() if generation.has("history") else {}
    measures = saved_measures(state.get("measures", MEASURES), kept.get("measures"))
    out = hold_out_of(state)
    settings = {**(state.get("settings") or {}), **(state.get("options") or {})}
    settings |= {key: state[key] for key in ("precision", "started_from") if state.get(key)}
    settings["batch_size"] = state.get("batch", "")
    shown = {printable(key)[:MAX_VALUE]: printable(_shown(value))[:MAX_VALUE] for key, value in settings.items()}
    faces = {side: str(known.get("print", "")) for side, known in (state.get("faces") or {}).items()}
    return Run(letter, printable(name), generation, measures.since(out.since), shown, faces, out)


def _shown(value: Any) -> str:
    return show(value) if isinstance(value, bool | int | float | str) else str(value)


def differences(runs: Sequence[Run]) -> dict[str, list[str]]:
    """Return the settings in which the runs differ: name -> the value of each, "" where it has none."""
    names = dict.fromkeys(name for run in runs for name in run.settings)
    rows = {"model": [run.kind for run in runs]}
    rows |= {name.replace("_", " "): [run.settings.get(name, "") for run in runs] for name in names}
    return {name: values for name, values in rows.items() if len(set(values)) > 1}


def facesets(runs: Sequence[Run]) -> list[str]:
    """Return for each run a number that says which faceset it was trained on: the same number, the same faces."""
    known: dict[tuple[str, ...], int] = {}
    said = []
    for run in runs:
        prints = tuple(run.faces.get(side, "") for side in SIDES)
        said.append(str(known.setdefault(prints, len(known) + 1)) if all(prints) else "?")
    return said


def draw_runs(workspace: Workspace, runs: Sequence[Run], count: int) -> Drawn:
    """Let every run draw the same faces: src rebuilt, and dst as src.

    Args:
        workspace: The project.
        runs: The runs.
        count: Faces of a side. Those that every run held out come first.
    """
    faces = {side: load_faceset(workspace.side(side).aligned_dir).faces for side in SIDES}
    chosen: dict[str, list[FaceFile]] = {}
    unseen = True
    for side, files in faces.items():
        common = [file for file in files if all(run.hold_out.holds(side, file) for run in runs)]
        unseen &= bool(common)
        pool = common or files
        chosen[side] = [pool[index] for index in evenly(len(pool), count)]
    drawn = Drawn(chosen, unseen)
    if not all(chosen.values()):
        return drawn
    devices.precision("float32")
    for run in console.progress(runs, total=len(runs), title="Drawing", unit="models"):
        try:
            _draw(run, drawn)
        except UserError as problem:
            drawn.problems[run.letter] = problem.happened
    return drawn


def _draw(run: Run, drawn: Drawn) -> None:
    model = build_model(run.state)
    load_generation(model, run.generation, optimizer=False)
    batches = {}
    for side, files in drawn.faces.items():
        sampler = Sampler([file.path for file in files], model.samples(side), np.random.default_rng(0), flip=False)
        batches[side] = sampler.untouched(list(range(min(map(len, drawn.faces.values())))))
    columns = model.preview(batches)
    swap = next((name for name in ("dst as src", "moved by dst") if name in columns), list(columns)[-1])
    made = {"src": columns["src rebuilt"], "dst": columns[swap]}
    drawn.by_run[run.letter] = made
    for side in SIDES:  # the sharpest of the runs shows the face itself
        own = columns[side]
        if side not in drawn.own or own.shape[1] > drawn.own[side].shape[1]:
            drawn.own[side] = own
