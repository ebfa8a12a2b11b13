"""A training from the options to the saved model: faces, model, device, samplers, loop."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from facewright.core import console, machine
from facewright.core.files import typed_path
from facewright.core.hints import hint
from facewright.core.images import single_threaded_opencv, write_image
from facewright.core.options import declared, show
from facewright.core.workers import threads
from facewright.core.workspace import SIDES, Workspace
from facewright.data.sampler import Sampler
from facewright.faces.faceset import count_own_masks
from facewright.faces.hold_out import HoldOut
from facewright.faces.visible import has_predicted_mask
from facewright.models.base import FaceModel
from facewright.nn.checkpoint import ModelFolder
from facewright.nn.devices import Device
from facewright.nn.gpus import environment_restored
from facewright.nn.saved_models import check_swaps
from facewright.train.batch_size import BatchSize, choose_batch_size, gpu_count
from facewright.train.device_sampling import Sampling, start_sampling
from facewright.train.faces import (
    FaceStreams,
    describe_changes,
    describe_faces,
    load_face_pair,
    load_pretraining_faces,
    refuse_swapped_sides,
)
from facewright.train.goal import Goal
from facewright.train.hold_out import choose_hold_out
from facewright.train.loop import READ_EVERY, LoopSettings, TrainingResult
from facewright.train.measure import HeldOutFaces
from facewright.train.model_prompt import ask_for_changes, saved_with_model
from facewright.train.options import TrainOptions
from facewright.train.people import load_people
from facewright.train.preview import draw_samples
from facewright.train.recipe_names import KEPT, NONE, STATE
from facewright.train.rounds import Rounds
from facewright.train.samplers import held_out_samplers, make_samplers, sampler_workers
from facewright.train.session import TrainingSession
from facewright.train.setup import ChosenDevice, find_saved_state, open_session, save_first_state, start_device
from facewright.train.stages import Stages, check_parts, choose_stages
from facewright.train.step_times import note_step_time, of_usual_size, step_times
from facewright.train.summary import model_rows, print_box, print_ending
from facewright.train.watch import open_watchers
from facewright.train.window import open_preview_window
from facewright.ui.page import check_port

SAMPLE_SHEET = "samples.png"


@dataclasses.dataclass(frozen=True)
class TrainingReport:
    """What a training did.

    Attributes:
        folder: Folder of the model.
        iteration: Of the model's newest saved state.
        result: How the training ended; None where nothing was trained: the target was reached before, or --debug.
    """

    folder: Path
    iteration: int
    result: TrainingResult | None = None


def train(workspace: Workspace, options: TrainOptions, model_options: Any = None) -> TrainingReport:
    """Train until the target or until the user stops it.

    Args:
        workspace: The project.
        options: The user's settings.
        model_options: The model's own options; None for their defaults.

    Raises:
        UserError: No faces, unreadable ones, a model folder that cannot be used, a full disk.
    """
    options = dataclasses.replace(options, name=options.name or options.model)
    goal = options.goal  # read once: a time of day that passes meanwhile would be tomorrow's
    check_swaps(options.name)
    console.heading(f"Training {options.name}")
    with workspace.lock("model"), environment_restored():
        faces = _load_faces(workspace, options)
        found = find_saved_state(workspace, options.name, options.model, pretrain=bool(options.pretrain))
        saved = found.generation.state if found else {}
        described = describe_faces(faces)
        if saved.get("iteration") and not saved.get("pretrain"):
            refuse_swapped_sides(saved.get("faces"), described, options.name)
        if _target_reached(found, options):
            return TrainingReport(workspace.model_dir / options.name, int(saved["iteration"]))
        if options.serve:
            check_port(options.port)
        device = start_device(options, found)
        stages = _stages(options, saved)
        of_run, of_model = stages.values if stages else ({}, {})
        _tell_overruled([(options, of_run), (model_options, of_model)])
        options = dataclasses.replace(options, **of_run)
        session = open_session(workspace, options, model_options, found, of_model)
        if stages:
            check_parts(stages.recipe, session.model)
        session.hold_out = _hold_out(session, faces, options, saved)
        workers = sampler_workers(machine.cores(), machine.memory().total / machine.GIB)
        with threads(2 * workers) as executor:
            make = partial(make_samplers, workspace, session, faces, executor=executor, workers=workers)
            samplers = make(options)
            batch = choose_batch_size(session.model, options.batch_size, device.device)
            _warn_about_changes(saved, described, session.iteration)
            session.notes = _notes(options, batch, device, described, saved, stages)
            start = partial(
                start_sampling, session, asked="host" if options.debug else options.sampling, device=device.device
            )
            sampling = start(samplers)
            _print_summary(session, options, faces, batch, device, sampling, goal, stages)
            if options.debug:
                _show_samples(workspace, samplers, options)
                return TrainingReport(session.folder, session.iteration)
            if session.saved_iteration < 0:
                save_first_state(workspace, session, found)
            session.save_growth()
            settings = _loop_settings(options, batch, goal, device.device)
            held = partial(held_out_samplers, workspace, session, faces) if session.hold_out else None
            rounds = Rounds(
                session, samplers, sampling, settings, options, make, start, stages, gpu_count(device.device), held
            )
            result = _run_loop(rounds, options)
            if _is_usual(session):
                size = session.notes["batch"]
                note_step_time(session.kind, size, device.device.describe(), result.milliseconds, result.steps)
        print_ending(session, result, preview=options.preview, pretrain=bool(options.pretrain))
    return TrainingReport(session.folder, session.iteration, result)


def _load_faces(workspace: Workspace, options: TrainOptions) -> FaceStreams:
    if options.pretrain:
        return load_pretraining_faces(typed_path(options.pretrain))
    return {**load_face_pair(workspace), **load_people(options.more_src)}


def _target_reached(found: ModelFolder | None, options: TrainOptions) -> bool:
    """Whether an earlier run reached the target; prints it."""
    if not options.target_iter or options.debug or found is None or found.damaged:
        return False
    state = found.generation.state
    iteration = int(state.get("iteration", 0))
    if iteration < options.target_iter or bool(state.get("pretrain")) != bool(options.pretrain):
        return False
    console.say(
        f"The model {options.name} is at iteration {iteration} already; the target was {options.target_iter}: nothing "
        f"to do. Train on with a larger --target-iter, or convert next:{hint('convert')}"
    )
    return True


def _warn_about_changes(saved: Mapping[str, Any], described: Mapping[str, Any], iteration: int) -> None:
    changed = describe_changes(saved.get("faces"), described)
    if changed and iteration:
        console.warn(f"The faces are not those of the last run ({'; '.join(changed)}). The model continues with them.")


def _stages(options: TrainOptions, saved: Mapping[str, Any]) -> Stages | None:
    """Return the recipe that is followed, in its stage; the user may change one that is newly chosen."""
    begins_anew = bool(saved.get("pretrain")) and not options.pretrain
    stages = choose_stages(options.recipe, options.model, {} if begins_anew else saved)
    if stages and options.recipe != KEPT:
        stages.recipe = ask_for_changes(stages.recipe)
    return stages


def _tell_overruled(switched: Sequence[tuple[Any, Mapping[str, Any]]]) -> None:
    """Name what was asked for and is otherwise in this stage of the recipe."""
    for options, values in switched:
        for spec in declared(type(options)) if options else ():
            asked = getattr(options, spec.name)
            if spec.name in values and asked not in (spec.default, values[spec.name]):
                console.say(
                    f"{spec.flag} is {show(values[spec.name]) or 'none'} in this stage of the recipe, not "
                    f"{show(asked) or 'none'}. Without a recipe: --recipe {NONE}"
                )


def _hold_out(session: TrainingSession, faces: FaceStreams, options: TrainOptions, saved: Mapping[str, Any]) -> HoldOut:
    """Return which faces are held out: none in pretraining, nor of a model that swaps no face back."""
    if options.pretrain or session.model.portrait or not isinstance(session.model, FaceModel):
        return HoldOut(why_not="pretraining takes all faces" if options.pretrain else "this model makes portraits")
    return choose_hold_out(
        {side: faces[side] for side in SIDES},
        options.hold_out,
        saved,
        iteration=session.iteration,
        seed=options.seed,
        started_from=session.started_from,
    )


def _notes(
    options: TrainOptions,
    batch: BatchSize,
    device: ChosenDevice,
    described: Mapping[str, Any],
    saved: Mapping[str, Any],
    stages: Stages | None,
) -> dict[str, Any]:
    """Return what saved states hold besides the network."""
    return {
        **({STATE: stages.to_data()} if stages else {}),
        "batch": batch.size,
        "precision": device.precision,
        "trial": dict(device.benchmark),
        "faces": dict(described),
        "settings": {name: getattr(options, name) for name in saved_with_model()},
        "pretrain": bool(options.pretrain),
        "started_from": options.start_from or saved.get("started_from", ""),
    }


def _print_summary(
    session: TrainingSession,
    options: TrainOptions,
    faces: FaceStreams,
    batch: BatchSize,
    device: ChosenDevice,
    sampling: Sampling,
    goal: Goal,
    stages: Stages | None,
) -> None:
    counts = ", ".join(f"{len(files)} {name}" for name, files in faces.items())
    if options.pretrain:
        counts += f"; {options.pretrain}"
    rows = [
        *model_rows(session),
        ("faces", counts),
        ("held out", session.hold_out.describe(faces)),
        *_mask_rows(faces, options),
        ("batch", f"{console.counted(batch.size, 'face')} each of {', '.join(faces)} per iteration ({batch.reason})"),
        ("device", device.device.describe()),
        ("precision", device.describe_precision()),
        ("samples", sampling.reason),
        ("target", goal.describe()),
        *_recipe_rows(stages),
        *_time_rows(session, options),
    ]
    print_box("pretraining" if options.pretrain else "training", rows)


def _recipe_rows(stages: Stages | None) -> list[tuple[str, str]]:
    """Return the stages of the recipe, and in which it is."""
    if stages is None:
        return []
    return [("recipe", f"{stages.recipe.title} (in {stages.now()})"), *(("", line) for line in stages.recipe.lines())]


def _time_rows(session: TrainingSession, options: TrainOptions) -> list[tuple[str, str]]:
    """Return how long it takes, where that is known."""
    known = step_times().get(session.kind) if _is_usual(session) else None
    if known is None or not options.target_iter:
        return []
    return [("time", known.describe(max(0, options.target_iter - session.iteration)))]


def _is_usual(session: TrainingSession) -> bool:
    """Whether an iteration takes as long as one of its kind does, by which times are known."""
    return of_usual_size(session.options) and not session.model.people


def _mask_rows(faces: FaceStreams, options: TrainOptions) -> list[tuple[str, str]]:
    """Return how many faces have a mask of their own; nothing where those are not used."""
    if options.mask not in ("record", "model"):
        return []
    predicted = options.mask == "model"
    chosen = {name: [f for f in side if has_predicted_mask(f.record) or not predicted] for name, side in faces.items()}
    counts = [f"{count_own_masks(chosen[name])} of {len(side)} {name}" for name, side in faces.items()]
    what = "a mask of a mask model" if predicted else "a mask of their own"
    return [("masks", f"{' and '.join(counts)} faces have {what}; the hull for the others")]


def _loop_settings(options: TrainOptions, batch: BatchSize, goal: Goal, device: Device) -> LoopSettings:
    return LoopSettings(
        batch.size,
        goal,
        options.save_interval_min * 60,
        options.autobackup_hours * 3600,
        wait_for_close=console.interactive(),
        read_every=READ_EVERY if device.kind == "gpu" else 1,  # a processor gains nothing
    )


def _run_loop(rounds: Rounds, options: TrainOptions) -> TrainingResult:
    measured = HeldOutFaces(rounds.samplers, rounds.held) if rounds.held else None
    # OpenCV's own threads would take the processor from the network in the middle of its step.
    with single_threaded_opencv(), open_watchers(rounds.session, rounds.samplers, options, measured) as watchers:
        watchers.result = rounds.train(watchers)
    return watchers.result


def _show_samples(workspace: Workspace, samplers: Mapping[str, Sampler], options: TrainOptions) -> None:
    """Draw samples as the network gets them, into a file and where there is a screen into a window."""
    rng = np.random.default_rng(options.seed)
    window = open_preview_window() if options.window else None
    path = workspace.model_dir / SAMPLE_SHEET
    sheet = draw_samples(samplers, rng)
    write_image(path, sheet)
    console.say(f"Samples as the network gets them are in {path}. Nothing was trained.")
    if window:
        window.browse(lambda: draw_samples(samplers, rng), sheet)
        window.close()
