"""The model of a training: found, made, started from another one; its device and its batch."""

import dataclasses
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import make_folder, move_to_trash
from facewright.core.options import declared, option, show
from facewright.core.workspace import Workspace
from facewright.nn import backups, checkpoint, devices, gpus, saved_models
from facewright.nn.checkpoint import Found, Generation
from facewright.train.options import Options

if TYPE_CHECKING:  # these import keras
    from facewright.nn.devices import Device
    from facewright.train.session import Session

HISTORY = "history"  # folder of the previews that --write-preview-history keeps


def fixed(settings: type, saved: Mapping[str, Any]) -> type:
    """Return settings whose defaults are the saved ones and which nobody is asked for."""
    fields: list[Any] = []
    for spec in declared(settings):
        value = spec.parse(show(saved[spec.name])) if spec.name in saved else spec.default
        field = option(value, spec.help, choices=spec.choices, low=spec.low, high=spec.high, remember=False)
        fields.append((spec.name, spec.kind, field))
    made = dataclasses.make_dataclass(settings.__name__, fields, frozen=True)
    made.__module__ = settings.__module__
    return made


def find(workspace: Workspace, name: str, kind: str, *, pretrain: bool = False) -> Found | None:
    """Return the newest whole state of a model; None when it is a new one.

    Args:
        workspace: The project.
        name: What the model is called.
        kind: The network it is made of.
        pretrain: Whether it is to learn faces in general.

    Raises:
        UserError: None is whole, it is made of another network than `kind`, or it is to be pretrained and has
            learnt two people already.
    """
    found = checkpoint.newest(workspace.model_dir / name)
    saved = str(found.generation.state.get("model")) if found else kind
    if saved != kind:
        raise UserError(
            f"The folder {workspace.model_dir / name} holds the model {saved[:40]!r}.",
            f"the model {kind!r}.",
            f"give --model {saved[:40]}; or another --name for a new model. Nothing was changed.",
        )
    if found is None:
        saved_models.check_name(name)
    elif pretrain and not found.generation.state.get("pretrain"):
        _refuse_pretraining(name, found.generation)
    return found


def _refuse_pretraining(name: str, generation: Generation) -> None:
    """Pretraining would go on with the two people's weights and unlearn them."""
    iteration = int(generation.state.get("iteration", 0))
    if iteration:
        raise UserError(
            f"The model {name} was trained on two people (iteration {iteration}); --pretrain would unlearn them.",
            "a new model, or one that was only pretrained so far.",
            f"give --name NEW with --pretrain, and --start-from {name} to take over its weights; or leave out "
            f"--pretrain to train {name} on. Nothing was changed.",
        )


def start_device(options: Options, found: Found | None) -> "tuple[Device, str, dict[str, Any]]":
    """Choose the cards and the precision; says which and why.

    Returns:
        The device, the precision, and what the model remembers of the timed trial.

    Raises:
        UserError: A card is asked for that is not there or cannot be used.
    """
    wish = gpus.Wish(
        options.force_gpu_idxs or options.gpus, options.force_best_gpu_idx, options.choose_worst_gpu, options.multi_gpu
    )
    there = gpus.cards()
    chosen = gpus.choose(there, wish)
    gpus.use(chosen, os.environ.get("KERAS_BACKEND", "tensorflow"))
    device = devices.find()
    if device.warning():
        if wish != gpus.Wish():
            raise UserError(device.warning(), "a backend that can use the card.", "leave out the flag to train anyway.")
        console.warn(device.warning())
    if len(chosen) > 1:
        devices.spread()
    if options.precision != "auto" or not device.bfloat16:
        return device, devices.precision(options.precision, device), {}
    kept = found.generation.state.get("trial") if found else None
    if isinstance(kept, dict) and kept.get("device") == device.name and kept.get("precision") in devices.POLICIES:
        return device, devices.precision(kept["precision"], device), kept
    from facewright.nn.precision_benchmark import trial

    result = trial()
    notes = {"device": device.name, "precision": result.precision, "ratio": round(result.ratio, 2)}
    return device, result.precision, {**notes, "words": result.describe()}


def open_session(workspace: Workspace, options: Options, more: Any, found: Found | None) -> "Session":
    """Build the model as it was created, or anew, and read its newest whole generation.

    Raises:
        UserError: Options that are fixed were given otherwise; there is nothing to start from.
    """
    from facewright.models.base import model_class
    from facewright.models.trained import build_options
    from facewright.train.session import Session

    make_folder(workspace.model_dir)
    wanted = {} if more is None else dataclasses.asdict(more)
    if found is None:
        return _new(workspace, options, wanted)
    generation = found.generation
    saved = build_options(options.model, generation.state.get("options") or {})
    _refuse_changes(options.name, dataclasses.asdict(saved), wanted, generation.folder.parent)
    _refuse_start(options, generation.state)
    for path, reason in found.damaged.items():
        aside = checkpoint.set_aside(path)
        console.warn(
            f"{path.name} is damaged ({reason}); it is now called {aside.name}. {generation.folder.name}, the newest "
            "whole one, is used."
        )
    model = model_class(options.model)(saved, seed=options.seed)
    session = Session(options.name, model, workspace.model_dir, options.model, keep=options.keep)
    if generation.state.get("pretrain") and not options.pretrain:
        from facewright.train.transfer import leave_pretraining

        anew = leave_pretraining(session, generation)
        parts = f", and so do the parts {', '.join(anew)}" if anew else ""
        console.say(f"Pretraining is over: the weights are kept; iteration, losses and optimiser begin anew{parts}.")
        return session
    session.resume(generation)
    return session


def first_state(workspace: Workspace, session: "Session", found: Found | None) -> None:
    """Save a model that begins: a new one, or a pretrained one whose pretrained state is backed up first.

    Previews kept of an earlier training of that name move to the trash: a time-lapse would mix the two.

    Raises:
        UserError: The disk is full or the folder is read-only; the pretrained state is then the newest as before.
    """
    if found is not None:
        kept = backups.back_up(found.generation.folder)
        console.say(f"The pretrained state is kept in {kept}; main.py restore --what model goes back to it.")
    moved = move_to_trash([session.folder / HISTORY], workspace.trash, by="train")
    if moved:
        console.say(f"The previews kept of the earlier training are in {moved / HISTORY}.")
    session.save()


def _new(workspace: Workspace, options: Options, wanted: Mapping[str, Any]) -> "Session":
    from facewright.models.base import model_class
    from facewright.models.trained import build_options
    from facewright.train.session import Session
    from facewright.train.transfer import begin_from, find_source

    source = find_source(workspace.model_dir, options.start_from) if options.start_from else None
    if options.new_src and source is None:
        raise UserError(
            "--new-src says which parts a model takes over, but there is no model to start from.",
            "--start-from with it.",
            "for example: --name NEW --start-from OLD --new-src",
        )
    model = model_class(options.model)(build_options(options.model, wanted), seed=options.seed)
    if source is not None:
        console.say(begin_from(model, source, new_src=options.new_src).describe())
    return Session(options.name, model, workspace.model_dir, options.model, keep=options.keep)


def _refuse_start(options: Options, state: Mapping[str, Any]) -> None:
    if options.start_from and state.get("started_from") != options.start_from:
        raise UserError(
            f"The model {options.name} is there already; --start-from is for a new one.",
            "another name, or no --start-from.",
            f"give --name NEW --start-from {options.start_from}; or leave it out to train {options.name} on.",
        )


def _refuse_changes(name: str, saved: Mapping[str, Any], wanted: Mapping[str, Any], folder: Any) -> None:
    for key, value in wanted.items():
        if key in saved and saved[key] != value:
            raise UserError(
                f"The model {name} in {folder} was created with {key} = {show(saved[key])}, not {show(value)}.",
                "the options it was created with: they are fixed for good.",
                "leave out that flag; or give a new model another name with --name. Nothing was changed.",
            )


def choose_batch(session: "Session", asked: int, device: "Device") -> tuple[int, str]:
    """Return the faces per side and iteration, and why so many.

    Args:
        session: The model.
        asked: What the user wants; 0 leaves it to the program.
        device: Where it trains.

    Raises:
        UserError: The device's memory is too small for the model.
    """
    from facewright.nn.gpus import device_memory

    model, cards_ = session.model, device.count if device.kind == "gpu" else 1
    if asked:
        batch, why = asked, "as asked"
    else:
        memory = device_memory(device)
        batch, why = model.batch_for(memory), f"for {memory:.1f} GiB"
        if device.kind == "cpu" and batch > model.default_batch:
            batch, why = model.default_batch, "a processor gains nothing from more"
    if cards_ > 1 and batch % cards_:
        batch, why = max(cards_, batch - batch % cards_), f"{why}; a multiple of {cards_} cards"
    return batch, why
