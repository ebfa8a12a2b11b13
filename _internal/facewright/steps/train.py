"""Train a network on the faces of data_src and data_dst.

Reads data_src/aligned and data_dst/aligned, writes model/ and the picture model/preview.png. The model is saved
every few minutes, on the key s, and when the training ends: with Enter, Ctrl-C or at the target iteration.
The next run goes on from there. Keys, in the preview window or the terminal: Enter saves and leaves, s saves,
p draws a new preview, space shows other faces.
"""

import dataclasses
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import make_folder, move_to_trash
from facewright.core.images import write_image
from facewright.core.options import declared, option, show
from facewright.core.workspace import Side, Workspace
from facewright.faces.align import FaceType
from facewright.faces.faceset import FaceFile, load_faceset
from facewright.models.catalogue import model_titles
from facewright.nn import checkpoint, devices

if TYPE_CHECKING:  # these import keras
    from facewright.models.base import FaceModel
    from facewright.samples.sampler import Sampler
    from facewright.training.loop import Outcome
    from facewright.training.session import Session

COMMAND = "train"
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
NAMED = 5  # files named in a message
DEBUG_SHEET = "samples.png"
MODELS = model_titles()


@dataclass(frozen=True)
class Options:
    """What the user decides at every run; a model's own options are fixed when it is created."""

    model: str = option(
        "quick" if "quick" in MODELS else next(iter(MODELS)), "Which network.", choices=MODELS, ask="Model"
    )
    target_iter: int = option(
        0, "Iteration at which to stop; 0 trains until you stop it.", low=0, ask="Target iteration", remember=False
    )
    batch_size: int = option(0, "Faces per side and iteration; 0 takes the model's own number.", low=0, high=4096)
    save_interval_min: float = option(10.0, "Minutes between two automatic savings.", low=0.01, high=10_000)
    precision: str = option("auto", "Number format of the network's sums.", choices=devices.POLICIES)
    seed: int = option(0, "Starts the random numbers of a new model.", low=0, high=2**31 - 1)
    window: bool = option(True, "Open a preview window where there is a screen; model/preview.png is written anyway.")
    preview: bool = option(True, "Draw previews.")
    write_preview_history: bool = option(False, "Keep a JPEG of the same faces every 10 iterations.")
    debug: bool = option(False, "Show what the network gets, and train nothing.")


def more_options(workspace: Workspace, options: Options) -> type | None:
    """Return the chosen model's options; those of a model that is there already are not asked again."""
    devices.prepare()
    from facewright.models.base import model_class

    settings = model_class(options.model).Options
    if not declared(settings):
        return None
    try:
        found = checkpoint.newest(workspace.model_dir / options.model, need=())
    except UserError:
        found = None  # said when it is loaded
    return settings if found is None else _fixed(settings, found.generation.state.get("options") or {})


def known_answers(workspace: Workspace) -> dict[str, Any]:
    """Return what the workspace itself answers: the model that was trained last in it."""
    trained = [name for name in checkpoint.trained_models(workspace.model_dir) if name in MODELS]
    return {"model": trained[0]} if trained else {}


def run(workspace: Workspace, options: Options, more: Any = None) -> None:
    """Train until the target or until the user stops it.

    Args:
        workspace: The project.
        options: The user's settings.
        more: The model's own options, or None when it has none.

    Raises:
        UserError: No faces, unreadable ones, a model folder that cannot be used, a full disk.
    """
    console.heading(f"Training {options.model}")
    with workspace.lock("model"):
        faces = [_faces(workspace.src), _faces(workspace.dst)]
        if _reached(workspace, options):
            return
        device, precision = devices.start(options.precision)
        session = _session(workspace, options, more)
        samplers = _samplers(session.model, faces, options.seed, session)
        batch = options.batch_size or session.model.default_batch
        session.notes = {"batch": batch, "precision": precision}
        _summary(session, faces, batch, f"{device.describe()}, {precision}")
        if options.debug:
            _show_samples(workspace, samplers, options)
            return
        if session.saved_iteration < 0:
            session.save()
        outcome = _train(session, samplers, options, batch)
        _closing_words(session, outcome, options)
    if options.target_iter and outcome.reason in SIGNALS:
        # All is saved, but not all that was asked for is done: what comes after this step must not begin.
        raise SystemExit(128 + getattr(signal, outcome.reason))


def _faces(side: Side) -> list[FaceFile]:
    faceset = load_faceset(side.aligned_dir)
    extractor = side.extractor
    if faceset.bad:
        raise _unusable(side, [(path, error.happened) for path, error in faceset.bad], extractor)
    if not faceset.faces:
        raise UserError(
            f"There are no faces in {side.aligned_dir}.",
            f"aligned faces of {side.name}.",
            f"run {extractor} first.",
        )
    return faceset.faces


def _unusable(side: Side, problems: list[tuple[Path, str]], extractor: str) -> UserError:
    listed = "; ".join(reason for _, reason in problems[:NAMED])
    more = f"; and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
    return UserError(
        f"{len(problems)} file(s) in {side.aligned_dir} cannot be trained on: {listed}{more}",
        f"only faces that {extractor} wrote.",
        f"move these files out of that folder, or run {extractor} again.",
    )


def _reached(workspace: Workspace, options: Options) -> bool:
    """Whether the target was reached by an earlier run; says so."""
    if not options.target_iter or options.debug:
        return False
    found = checkpoint.newest(workspace.model_dir / options.model)
    iteration = int(found.generation.state.get("iteration", 0)) if found else 0
    if found is None or found.damaged or iteration < options.target_iter:
        return False
    console.say(
        f"The model {options.model} is at iteration {iteration} already; the target was {options.target_iter}: nothing "
        "to do. Next: 7_convert, or train on with a larger --target-iter."
    )
    return True


def _fixed(settings: type, saved: Mapping[str, Any]) -> type:
    """Return settings whose defaults are the saved ones and which nobody is asked for."""
    fields: list[Any] = []
    for spec in declared(settings):
        value = spec.parse(show(saved[spec.name])) if spec.name in saved else spec.default
        field = option(value, spec.help, choices=spec.choices, low=spec.low, high=spec.high, remember=False)
        fields.append((spec.name, spec.kind, field))
    made = dataclasses.make_dataclass(settings.__name__, fields, frozen=True)
    made.__module__ = settings.__module__
    return made


def _session(workspace: Workspace, options: Options, more: Any) -> "Session":
    """Build the model as it was created, or anew, and read its newest whole generation."""
    from facewright.models.base import model_class
    from facewright.models.trained import build_options, find_generation
    from facewright.training.session import Session

    make_folder(workspace.model_dir)
    found = find_generation(workspace.model_dir, options.model)
    wanted = {} if more is None else dataclasses.asdict(more)
    if found is None:
        model = model_class(options.model)(build_options(options.model, wanted), seed=options.seed)
        move_to_trash([workspace.model_dir / options.model / "history"], workspace.trash)
        return Session(options.model, model, workspace.model_dir)
    generation = found.generation
    saved = build_options(options.model, generation.state.get("options") or {})
    _refuse_changes(options.model, dataclasses.asdict(saved), wanted, generation.folder.parent)
    for path, reason in found.damaged.items():
        aside = checkpoint.set_aside(path)
        console.warn(
            f"{path.name} is damaged ({reason}); it is now called {aside.name}. {generation.folder.name}, the newest "
            "whole one, is used."
        )
    session = Session(options.model, model_class(options.model)(saved, seed=options.seed), workspace.model_dir)
    session.resume(generation)
    return session


def _refuse_changes(name: str, saved: Mapping[str, Any], wanted: Mapping[str, Any], folder: Path) -> None:
    for key, value in wanted.items():
        if key in saved and saved[key] != value:
            raise UserError(
                f"The model {name} in {folder} was created with {key} = {show(saved[key])}, not {show(value)}.",
                "the options it was created with: they are fixed for good.",
                f"leave out that flag; or, for a new model, move {folder} away first. Nothing was changed.",
            )


def _samplers(
    model: "FaceModel", faces: list[list[FaceFile]], seed: int, session: "Session"
) -> "tuple[Sampler, Sampler]":
    from facewright.samples.sampler import Sampler

    made = []
    for number, (side, files) in enumerate(zip(("src", "dst"), faces, strict=True)):
        samples = model.samples(side)
        needed = max((s.face_type for s in samples), key=list(FaceType).index)
        small = [f.path for f in files if not f.record.face_type.contains(needed)]
        if small:
            names = ", ".join(path.name for path in small[:NAMED])
            raise UserError(
                f"{len(small)} face(s) of data_{side} show less than the model {session.name} needs: {names}.",
                f"faces extracted as {needed} or a larger type.",
                f"extract again with --face-type {needed} --redo.",
            )
        rng = np.random.default_rng([seed, number, session.iteration])
        sampler = Sampler([f.path for f in files], samples, rng, flip=model.flip, jitter=model.jitter)
        if side in session.samplers:
            sampler.set_state(session.samplers[side])
        made.append(sampler)
    return made[0], made[1]


def _summary(session: "Session", faces: list[list[FaceFile]], batch: int, device: str) -> None:
    model = session.model
    parts = model.count_params()
    sizes = ", ".join(f"{name} {count / 1e6:.1f}" for name, count in parts.items())
    options = ", ".join(f"{k} = {show(v)}" for k, v in dataclasses.asdict(model.options).items())
    began = f"goes on from iteration {session.iteration}" if session.iteration else "new"
    console.say(f"  model       {session.name}: {model.title}")
    console.say(f"              {began}{'; ' + options if options else ''}")
    console.say(f"  parameters  {sum(parts.values()):,} ({sizes} million)")
    console.say(f"  faces       {len(faces[0])} src, {len(faces[1])} dst; {model.face_type} at {model.resolution} px")
    console.say(f"  batch       {batch} src and {batch} dst faces per iteration")
    console.say(f"  device      {device}")


def _train(session: "Session", samplers: "tuple[Sampler, Sampler]", options: Options, batch: int) -> "Outcome":
    from facewright.training.keys import HELP, terminal_keys
    from facewright.training.loop import Loop, Plan
    from facewright.training.view import View
    from facewright.training.window import open_window

    window = open_window() if options.preview and options.window else None
    view = None
    if options.preview:
        view = View(session, samplers, window, write_history=options.write_preview_history)
    plan = Plan(batch, options.target_iter, options.save_interval_min * 60)
    # OpenCV's own threads would take the processor from the network in the middle of its step.
    cv2.setNumThreads(1)
    try:
        with terminal_keys() as keys:
            console.say(f"  keys        {HELP}")
            return Loop(session, samplers, plan, [keys, *([window] if window else [])], view).run()
    except Exception as error:
        if _out_of_memory(error):
            raise UserError(
                f"The memory does not hold a batch of {batch} + {batch} faces.",
                "a batch that fits; the model is as it was last saved.",
                f"give a smaller one: --batch-size {max(1, batch // 2)}",
            ) from error
        raise
    finally:
        if window:
            window.close()


def _out_of_memory(error: Exception) -> bool:
    name = type(error).__name__
    return isinstance(error, MemoryError) or name in ("ResourceExhaustedError", "OutOfMemoryError")


def _show_samples(workspace: Workspace, samplers: "tuple[Sampler, Sampler]", options: Options) -> None:
    from facewright.training.samples_sheet import draw_samples
    from facewright.training.window import open_window

    rng = np.random.default_rng(options.seed)
    window = open_window() if options.window else None
    path = workspace.model_dir / DEBUG_SHEET
    picture = draw_samples(samplers, rng)
    write_image(path, picture)
    console.say(f"Samples as the network gets them are in {path}. Nothing was trained.")
    if window:
        window.browse(lambda: draw_samples(samplers, rng), picture)
        window.close()


def _closing_words(session: "Session", outcome: "Outcome", options: Options) -> None:
    why = {"target": "The target is reached.", "key": "Stopped with a key."}.get(outcome.reason, "Stopped.")
    console.say(
        f"{why} All is saved: iteration {session.iteration}, {outcome.steps} of them in this run, "
        f"{outcome.milliseconds:.0f} ms each, {outcome.waiting:.1%} of it waiting for data."
    )
    console.say(f"The model is in {session.folder}.")
    if options.preview:
        console.say(f"The preview is {session.model_dir / 'preview.png'}.")
    console.say("Next: 7_convert. Or run 6_train again: it goes on from here.")
