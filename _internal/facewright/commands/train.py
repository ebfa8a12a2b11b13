"""Train a network on the faces of data_src and data_dst.

Reads data_src/aligned and data_dst/aligned, writes model/ and the picture model/preview.png. The model is saved
every few minutes, on the key s, and when the training ends: with Enter, Ctrl-C or at the target iteration.
The next run goes on from there. Keys, in the preview window or the terminal: Enter saves and leaves, s saves,
b backs up, p draws a new preview, space shows other faces, l changes the range of the chart. --serve shows the same
on a page in a browser, which has a button for each key.
"""

import dataclasses
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facewright.core import console
from facewright.core.command import Command, MoreOptions
from facewright.core.errors import UserError
from facewright.core.images import single_threaded_opencv, write_image
from facewright.core.options import PromptPlan, declared
from facewright.core.workspace import SIDES, Workspace
from facewright.faces.faceset import count_own_masks
from facewright.nn import checkpoint, devices, saved_models
from facewright.train import faces as training_faces
from facewright.train import model_prompt, samplers, setup, signals
from facewright.train.options import MODELS, Options
from facewright.train.summary import closing_words, model_rows, say_box
from facewright.ui.page import check_port

if TYPE_CHECKING:  # these import keras
    from facewright.data.sampler import Sampler
    from facewright.train.loop import Outcome
    from facewright.train.session import Session

DEBUG_SHEET = "samples.png"


def plan_prompts(workspace: Workspace, flags: Mapping[str, Any]) -> PromptPlan:
    """Settle which model is meant, and offer the answers of its last run."""
    kinds = next(spec for spec in declared(Options) if spec.name == "model")
    return model_prompt.open_training(workspace, flags, kinds)


def more_options(workspace: Workspace, options: Options) -> type | None:
    """Return the chosen model's options; those of a model that is there already are not asked again."""
    devices.prepare()
    from facewright.models.base import model_class

    settings = model_class(options.model).Options
    if not declared(settings):
        return None
    try:
        found = checkpoint.newest(workspace.model_dir / (options.name or options.model), need=())
    except UserError:
        found = None  # said when it is loaded
    return settings if found is None else setup.fixed(settings, found.generation.state.get("options") or {})


def known_answers(workspace: Workspace) -> dict[str, Any]:
    """Return what the workspace itself answers: the network that was trained last in it."""
    trained = [model.kind for model in saved_models.shelf(workspace.model_dir) if model.kind in MODELS]
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
    options = dataclasses.replace(options, name=options.name or options.model)
    console.heading(f"Training {options.name}")
    with workspace.lock("model"):
        if options.pretrain:
            faces = training_faces.load_for_pretraining(Path(options.pretrain).expanduser())
        else:
            faces = training_faces.load_pair(workspace)
        found = setup.find(workspace, options.name, options.model, pretrain=bool(options.pretrain))
        notes, kept = training_faces.notes_of(faces), found.generation.state if found else {}
        if kept.get("iteration") and not kept.get("pretrain"):
            training_faces.refuse_exchange(kept.get("faces"), notes, options.name)
        if _reached(found, options):
            return
        if options.serve:
            check_port(options.port)
        device, precision, trial = setup.start_device(options, found)
        session = setup.open_session(workspace, options, more, found)
        pair = samplers.make_samplers(workspace, session, faces, options)
        batch, why = setup.choose_batch(session, options.batch_size, device)
        _say_changes(kept, notes, session.iteration)
        session.notes = _notes(options, batch, precision, trial, notes, kept)
        words = f"{precision} ({trial['words']})" if trial.get("words") else precision
        rows = [
            *model_rows(session),
            (
                "faces",
                f"{len(faces[0])} src, {len(faces[1])} dst" + (f"; {options.pretrain}" if options.pretrain else ""),
            ),
            *mask_rows(faces, options),
            ("batch", f"{batch} src and {batch} dst faces per iteration ({why})"),
            ("device", device.describe()),
            ("precision", words),
            (
                "target",
                f"iteration {options.target_iter}" if options.target_iter else "none: it trains until you stop it",
            ),
        ]
        say_box("pretraining" if options.pretrain else "training", rows)
        if options.debug:
            _show_samples(workspace, pair, options)
            return
        if session.saved_iteration < 0:
            setup.first_state(workspace, session, found)
        outcome = _train(session, pair, options, batch)
        closing_words(session, outcome, preview=options.preview, pretrain=bool(options.pretrain))
    if options.target_iter and outcome.reason in signals.NAMES:
        # All is saved, but not all that was asked for is done: what comes after this step must not begin.
        raise SystemExit(128 + getattr(signal, outcome.reason))


def mask_rows(faces: training_faces.Pair, options: Options) -> list[tuple[str, str]]:
    """Return the row of the box that says how many faces have a mask of their own; none where those are not used."""
    if options.mask != "record":
        return []
    counts = [f"{count_own_masks(side)} of {len(side)} {name}" for name, side in zip(SIDES, faces, strict=True)]
    return [("masks", f"{' and '.join(counts)} faces have a mask of their own; the hull for the others")]


def _reached(found: checkpoint.Found | None, options: Options) -> bool:
    """Whether the target was reached by an earlier run; says so."""
    if not options.target_iter or options.debug or found is None or found.damaged:
        return False
    state = found.generation.state
    iteration = int(state.get("iteration", 0))
    if iteration < options.target_iter or bool(state.get("pretrain")) != bool(options.pretrain):
        return False
    console.say(
        f"The model {options.name} is at iteration {iteration} already; the target was {options.target_iter}: nothing "
        "to do. Next: 7_convert, or train on with a larger --target-iter."
    )
    return True


def _say_changes(kept: Mapping[str, Any], notes: Mapping[str, Any], iteration: int) -> None:
    changed = training_faces.changes(kept.get("faces"), notes)
    if changed and iteration:
        console.warn(f"The faces are not those of the last run ({'; '.join(changed)}). The model goes on with them.")


def _notes(
    options: Options, batch: int, precision: str, trial: Mapping[str, Any], faces: Any, kept: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the saved states remember beside the network."""
    return {
        "batch": batch,
        "precision": precision,
        "trial": {name: value for name, value in trial.items() if name != "words"},
        "faces": faces,
        "settings": {name: getattr(options, name) for name in model_prompt.saved_with_model()},
        "pretrain": bool(options.pretrain),
        "started_from": options.start_from or kept.get("started_from", ""),
    }


def _train(session: "Session", samplers: "tuple[Sampler, Sampler]", options: Options, batch: int) -> "Outcome":
    from facewright.train.loop import Loop, Plan
    from facewright.train.prefetch import fitting_batch, out_of_memory
    from facewright.train.watch import watching

    plan = Plan(
        batch,
        options.target_iter,
        options.save_interval_min * 60,
        options.autobackup_hours * 3600,
        linger=console.interactive(),
    )
    # OpenCV's own threads would take the processor from the network in the middle of its step.
    with single_threaded_opencv(), watching(session, samplers, options) as watch:
        try:
            watch.outcome = Loop(session, samplers, plan, watch.keys, watch.view, watch.listeners, watch.board).run()
        except Exception as error:
            if out_of_memory(error):
                console.say("The memory is full. Looking for the largest batch that it holds …")
                raise _too_large(batch, fitting_batch(session.model.train_on, *samplers, batch)) from error
            raise
    return watch.outcome


def _too_large(batch: int, fits: int) -> UserError:
    if not fits:
        return UserError(
            f"The memory does not hold a batch of {batch} + {batch} faces, and not even 1 + 1.",
            "a device with more memory, or a smaller model; the model is as it was last saved.",
            "choose a smaller network, or a light version, for a new model.",
        )
    return UserError(
        f"The memory does not hold a batch of {batch} + {batch} faces.",
        f"a batch of {fits} or less, as a trial has shown; the model is as it was last saved.",
        f"run the step again with --batch-size {fits}",
    )


def _show_samples(workspace: Workspace, samplers: "tuple[Sampler, Sampler]", options: Options) -> None:
    from facewright.train.preview import draw_samples
    from facewright.train.window import open_window

    rng = np.random.default_rng(options.seed)
    window = open_window() if options.window else None
    path = workspace.model_dir / DEBUG_SHEET
    picture = draw_samples(samplers, rng)
    write_image(path, picture)
    console.say(f"Samples as the network gets them are in {path}. Nothing was trained.")
    if window:
        window.browse(lambda: draw_samples(samplers, rng), picture)
        window.close()


COMMAND = Command(
    __doc__, Options, run, MoreOptions("model", more_options), plan=plan_prompts, known_answers=known_answers
)
