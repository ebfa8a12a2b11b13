"""The model of a training: found, created, started from another one; and the device it is trained on."""

import dataclasses
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import make_folder, move_to_trash
from facewright.core.hints import hint
from facewright.core.options import declared, show
from facewright.core.workspace import Workspace
from facewright.models import registry
from facewright.models.people import parse_more_src, people_of
from facewright.models.spec import ModelOptions
from facewright.models.trained import build_options
from facewright.nn import backups, checkpoint, devices, gpus, saved_models
from facewright.nn.checkpoint import Generation, ModelFolder
from facewright.nn.devices import Device
from facewright.nn.precision_benchmark import compare_precisions
from facewright.train.engine_trial import choose_engine
from facewright.train.options import TrainOptions
from facewright.train.session import TrainingSession
from facewright.train.transfer import begin_from, find_source, leave_pretraining

HISTORY = "history"  # folder of the previews for the time-lapse


@dataclass(frozen=True)
class ChosenDevice:
    """Where a training runs, and how.

    Attributes:
        device: The device.
        precision: Compute precision, "float32" or "bfloat16".
        benchmark: What the model remembers of the precision benchmark; empty where none was needed.
        reason: Why this precision was chosen; "" where it was asked for or there is no choice.
    """

    device: Device
    precision: str
    benchmark: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    def describe_precision(self) -> str:
        """Say it in a line."""
        return f"{self.precision} ({self.reason})" if self.reason else self.precision


def find_saved_state(workspace: Workspace, name: str, kind: str, *, pretrain: bool = False) -> ModelFolder | None:
    """Return the newest whole state of a model; None when it is a new one.

    Args:
        workspace: The project.
        name: What the model is called.
        kind: The network it is made of.
        pretrain: Whether it is to be pretrained.

    Raises:
        UserError: None is whole, it is made of another network than `kind`, or it is to be pretrained and has
            been trained on two people already.
    """
    saved_models.check_chosen(name)
    found = checkpoint.newest(workspace.model_dir / name)
    saved = str(found.generation.state.get("model")) if found else kind
    if saved != kind:
        raise UserError(
            f"The folder {workspace.model_dir / name} holds the model {saved[:40]!r}.",
            f"the model {kind!r}.",
            f"give --model {saved[:40]}; or another --name for a new model. Nothing was changed.",
        )
    if found is None and kind != saved_models.MASK_MODEL:
        saved_models.check_name(name)
    elif found and pretrain and not found.generation.state.get("pretrain"):
        _refuse_pretraining(name, found.generation)
    return found


def _refuse_pretraining(name: str, generation: Generation) -> None:
    """Pretraining would overwrite what it learnt about the two people."""
    iteration = int(generation.state.get("iteration", 0))
    if iteration:
        raise UserError(
            f"The model {name} was trained on two people (iteration {iteration}); --pretrain would undo that.",
            "a new model, or one that was only pretrained so far.",
            f"give --name NEW with --pretrain, and --start-from {name} to take over its weights; or leave out "
            f"--pretrain to train {name} on. Nothing was changed.",
        )


def start_device(options: TrainOptions, found: ModelFolder | None) -> ChosenDevice:
    """Choose the GPUs and the compute precision.

    Args:
        options: The user's settings.
        found: The model's saved state, which remembers the precision benchmark; None for a new model.

    Raises:
        UserError: A GPU is asked for that is not there or cannot be used.
    """
    request = gpus.GpuRequest(
        options.force_gpu_idxs or options.gpus, options.force_best_gpu_idx, options.choose_worst_gpu, options.multi_gpu
    )
    chosen = gpus.choose(gpus.list_gpus(), request)
    gpus.use(chosen)  # first: another card may have another engine that is the quickest
    choose_engine(options.model)
    gpus.check_several(chosen, devices.backend_name())
    device = devices.find()
    if device.warning():
        if request != gpus.GpuRequest():
            raise UserError(device.warning(), "a backend that can use the GPU.", "leave out the flag to train anyway.")
        console.warn(device.warning())
    if len(chosen) > 1:
        devices.enable_data_parallel()
    if options.precision != "auto" or not device.bfloat16:
        return ChosenDevice(device, devices.precision(options.precision, device))
    kept = found.generation.state.get("trial") if found else None
    if isinstance(kept, dict) and kept.get("device") == device.name and kept.get("precision") in devices.POLICIES:
        return ChosenDevice(device, devices.precision(kept["precision"], device), kept)
    result = compare_precisions()
    benchmark = {"device": device.name, "precision": result.precision, "ratio": round(result.ratio, 2)}
    return ChosenDevice(device, result.precision, benchmark, result.describe())


def open_session(
    workspace: Workspace,
    options: TrainOptions,
    model_options: Any,
    found: ModelFolder | None,
    switched: Mapping[str, Any] | None = None,
) -> TrainingSession:
    """Build the model, as it was created or a new one, and read its newest whole generation.

    Args:
        workspace: The project.
        options: The user's settings.
        model_options: The model's own options; None for their defaults.
        found: Its saved state; None for a new model.
        switched: Those of the model's options that the stage of a recipe has switched.

    Raises:
        UserError: An option that is fixed was given another value; there is nothing to start from.
    """
    make_folder(workspace.model_dir)
    wanted = {**({} if model_options is None else dataclasses.asdict(model_options)), **(switched or {})}
    if found is None:
        return _create_session(workspace, options, wanted)
    generation = found.generation
    saved = build_options(options.model, generation.state.get("options") or {})
    per_run = {spec.name for spec in declared(type(saved)) if spec.per_run}
    growing = {spec.name for spec in declared(type(saved)) if spec.grows} & (switched or {}).keys()
    fixed = {name: value for name, value in wanted.items() if name not in per_run | growing}
    _refuse_changes(options.name, dataclasses.asdict(saved), fixed, generation.folder.parent)
    kind = registry.trainable_class(options.model)
    saved = kind.switched(saved, {name: wanted[name] for name in (per_run | growing) & wanted.keys()})
    _refuse_start(options, generation.state)
    people = people_of(generation.state)
    _refuse_other_people(options, people)
    for path, reason in found.damaged.items():
        aside = checkpoint.set_aside(path)
        console.warn(
            f"{path.name} is damaged ({reason}); it is now called {aside.name}. {generation.folder.name}, the newest "
            "whole one, is used."
        )
    session = _new_session(workspace, options, saved, people)
    if generation.state.get("pretrain") and not options.pretrain:
        anew = leave_pretraining(session, generation)
        parts = f", and so do the parts {', '.join(anew)}" if anew else ""
        console.say(f"Pretraining is over: the weights are kept; iteration, losses and optimiser start over{parts}.")
    else:
        session.resume(generation)
    session.set_rate(options.learning_rate)
    return session


def save_first_state(workspace: Workspace, session: TrainingSession, found: ModelFolder | None) -> None:
    """Save a model before its first step: a new one, or a pretrained one whose pretrained state is backed up first.

    Previews of an earlier training of that name move to the trash: a time-lapse would mix the two.

    Raises:
        UserError: The disk is full or the folder is read-only; the pretrained state is then the newest as before.
    """
    if found is not None:
        kept = backups.back_up(found.generation.folder)
        console.say(f"The pretrained state is kept in {kept}. To go back to it:{hint('restore --what model')}")
    moved = move_to_trash([session.folder / HISTORY], workspace.trash, by="train")
    if moved:
        console.say(f"The previews of the earlier training are in {moved / HISTORY}.")
    session.save()


def _create_session(workspace: Workspace, options: TrainOptions, wanted: Mapping[str, Any]) -> TrainingSession:
    source = find_source(workspace.model_dir, options.start_from) if options.start_from else None
    if options.new_src and source is None:
        raise UserError(
            "--new-src says which parts a model takes over, but there is no model to start from.",
            "--start-from with it.",
            "for example: --name NEW --start-from OLD --new-src",
        )
    people = parse_more_src(options.more_src)
    session = _new_session(workspace, options, build_options(options.model, wanted), people)
    if source is not None:
        console.say(begin_from(session.model, source, new_src=options.new_src).describe())
        session.started_from = source.state
    session.set_rate(options.learning_rate)
    return session


def _new_session(
    workspace: Workspace, options: TrainOptions, model_options: ModelOptions, people: Collection[str]
) -> TrainingSession:
    """Build the model; its people in the order in which it was created with them, in which some of it is saved."""
    kind, pretraining = registry.trainable_class(options.model), bool(options.pretrain)
    settled = kind.settle(model_options)
    wanted = kind.for_pretraining(settled) if pretraining else settled
    if pretraining and people:
        raise UserError(
            "--pretrain learns faces in general; --more-src names people.",
            "one of them.",
            "pretrain first; then start a new model from that with --start-from, and name the people.",
        )
    model = kind(wanted, people=people, seed=options.seed) if people else kind(wanted, seed=options.seed)
    model.hold(named_parts(options.frozen))
    session = TrainingSession(options.name, model, workspace.model_dir, options.model, keep=options.keep)
    session.options, session.pretraining = settled, pretraining
    return session


def named_parts(text: str) -> list[str]:
    """Return the names of the parts that `--frozen` lists."""
    return [name for name in (part.strip() for part in re.split(r"[,\n]", text)) if name]


def _refuse_start(options: TrainOptions, state: Mapping[str, Any]) -> None:
    if options.start_from and state.get("started_from") != options.start_from:
        raise UserError(
            f"The model {options.name} is there already; --start-from is for a new one.",
            "another name, or no --start-from.",
            f"give --name NEW --start-from {options.start_from}; or leave it out to train {options.name} on.",
        )


def _refuse_other_people(options: TrainOptions, known: Collection[str]) -> None:
    named = parse_more_src(options.more_src)
    if set(named) != set(known):
        was = ", ".join(f"{name}=FOLDER" for name in known)
        raise UserError(
            f"The model {options.name} was created with these people beside src: {', '.join(known) or 'nobody'}; "
            f"now they are {', '.join(named) or 'nobody'}.",
            "the same people: who they are is fixed for good.",
            (f'give --more-src "{was}"; or, ' if known else "leave out --more-src; or, ")
            + f"for others, a new model: --name NEW --start-from {options.name}. Nothing was changed.",
        )


def _refuse_changes(name: str, saved: Mapping[str, Any], wanted: Mapping[str, Any], folder: Path) -> None:
    for key, value in wanted.items():
        if key in saved and saved[key] != value:
            raise UserError(
                f"The model {name} in {folder} was created with {key} = {show(saved[key])}, not {show(value)}.",
                "the options it was created with: they are fixed for good.",
                "leave out that flag; or give a new model another name with --name. Nothing was changed.",
            )
