"""The training of the mask model: faces of both sides, in the loop in which networks that swap faces are trained."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facewright.core import console, machine
from facewright.core.errors import UserError
from facewright.core.hints import hint
from facewright.core.images import single_threaded_opencv
from facewright.core.workers import threads
from facewright.core.workspace import SIDES, Workspace
from facewright.data.mask_sampler import MaskSampler
from facewright.faces.align import FaceType
from facewright.faces.carried import carry_polygons, with_carried
from facewright.faces.faceset import FaceFile, load_faceset
from facewright.faces.visible import JUDGED_SIDE, reaches_out, sized_landmarks
from facewright.masks.doubt import DoubtCovered
from facewright.masks.options import MaskTrainOptions
from facewright.models.mask import FaceMask
from facewright.nn.checkpoint import ModelFolder
from facewright.nn.gpus import environment_restored
from facewright.nn.saved_models import MASK_MODEL, read_model_info
from facewright.train.batch_size import BatchSize, choose_batch_size, gpu_count
from facewright.train.device_sampling import by_processor
from facewright.train.loop import LoopSettings, TrainingResult
from facewright.train.options import TrainOptions
from facewright.train.rounds import Rounds
from facewright.train.samplers import MEMORY_DIVISOR, sampler_workers
from facewright.train.session import TrainingSession
from facewright.train.setup import ChosenDevice, find_saved_state, open_session, save_first_state, start_device
from facewright.train.summary import model_rows, print_box, print_result
from facewright.train.watch import open_watchers
from facewright.ui.page import check_port

MIN_FACES = 20  # fewer are trained on with a warning
OUTSIDE = "outside"  # of a saved state: whether labels reach out of the hull, so that predictions may


@dataclass(frozen=True)
class TrainingFaces:
    """What a mask model learns from.

    Attributes:
        faces: Those of both sides; labels of key frames were carried to the frames around them.
        labelled: How many of them a person or another program labelled.
        labels: The face on which a label was drawn, of each that got its label from there.
    """

    faces: list[FaceFile]
    labelled: int
    labels: dict[Path, Path]

    @property
    def outside(self) -> bool:
        """Whether a label reaches out of the hull."""
        return any(_reaches_out(face) for face in self.faces)


def load_training_faces(workspace: Workspace) -> TrainingFaces:
    """Return the faces of both sides; files that are none are named.

    Raises:
        UserError: There are none.
    """
    found: list[FaceFile] = []
    labels: dict[Path, Path] = {}
    labelled = 0
    for name in SIDES:
        side = workspace.side(name)
        index = load_faceset(side.aligned_dir)
        if index.bad:
            names = console.listed([path.name for path, _ in index.bad])
            console.warn(f"Left out of {side.aligned_dir}, for they are no faces that can be used: {names}")
        faces = [face for face in index.faces if face.record.face_type is not FaceType.MARK_ONLY]
        carried = carry_polygons(faces)
        labelled += sum(bool(face.record.polygons) for face in faces)
        labels.update((path, one.label) for path, one in carried.items())
        found += with_carried(faces, carried)
    if not found:
        raise UserError(
            f"There are no faces in {workspace.src.aligned_dir} and {workspace.dst.aligned_dir}.",
            "aligned faces of at least one of the two, on which the masks are learned.",
            f"extract them first:{workspace.dst.hint('extract')}",
        )
    return TrainingFaces(found, labelled, labels)


def train_masks(workspace: Workspace, options: MaskTrainOptions) -> tuple[int, TrainingResult | None]:
    """Train until the target or until the user stops it.

    Returns:
        The iteration of the newest saved state, and how the training ended; None where it was at its target already.

    Raises:
        UserError: No faces, a model folder that cannot be used, a full disk.
    """
    settings = _as_training(options)
    with workspace.lock("model"), environment_restored():
        _check_folder(workspace)
        faces = load_training_faces(workspace)
        found = find_saved_state(workspace, MASK_MODEL, MASK_MODEL)
        iteration = int(found.generation.state.get("iteration", 0)) if found else 0
        if options.target_iter and found and not found.damaged and iteration >= options.target_iter:
            console.say(
                f"The mask model is at iteration {iteration} already; the target was {options.target_iter}: nothing "
                "to do. Train on with a larger --target-iter, or apply it next."
            )
            return iteration, None
        if options.serve:
            check_port(options.port)
        device = start_device(settings, found)
        session = open_session(workspace, settings, None, found)
        result = _train(workspace, session, settings, faces, device, found)
    return session.iteration, result


def _as_training(options: MaskTrainOptions) -> TrainOptions:
    """Return the options as the training loop takes them; a time-lapse of masks is nobody's wish."""
    given = {name: getattr(options, name) for name in options.__dataclass_fields__}
    return TrainOptions(model=MASK_MODEL, name=MASK_MODEL, write_preview_history=False, **given)


def _check_folder(workspace: Workspace) -> None:
    kind = read_model_info(workspace.model_dir, MASK_MODEL).kind
    if kind not in ("", MASK_MODEL):
        raise UserError(
            f"The folder {workspace.model_dir / MASK_MODEL} holds a model of the kind {kind!r}.",
            "the mask model, whose folder has this name.",
            "rename that folder. Nothing was changed.",
        )


def _train(
    workspace: Workspace,
    session: TrainingSession,
    settings: TrainOptions,
    faces: TrainingFaces,
    device: ChosenDevice,
    found: ModelFolder | None,
) -> TrainingResult:
    model, memory = session.model, machine.memory().total
    assert isinstance(model, FaceMask)  # see MASK_MODEL
    workers = sampler_workers(machine.cores(), memory / machine.GIB)
    with threads(workers) as executor:
        sampler = MaskSampler(
            faces.faces,
            model.samples(),
            np.random.default_rng([settings.seed, session.iteration]),
            labels=faces.labels,
            executor=executor if workers > 1 else None,
            max_bytes=memory // MEMORY_DIVISOR,
        )
        stream = model.streams[0]
        samplers: dict[str, Any] = {stream: sampler}

        def at_saved_state(_: TrainOptions = settings) -> dict[str, Any]:
            if stream in session.samplers:
                sampler.set_state(session.samplers[stream])
            return samplers

        at_saved_state()
        batch = choose_batch_size(model, settings.batch_size, device.device)
        session.notes = _notes(batch, device, faces, sampler)
        _print_summary(session, settings, faces, sampler, device, batch)
        if session.saved_iteration < 0:
            save_first_state(workspace, session, found)
        loop = LoopSettings(
            batch.size,
            settings.goal,
            settings.save_interval_min * 60,
            wait_for_close=console.interactive(),
        )
        rounds = Rounds(
            session,
            samplers,
            by_processor(samplers),
            loop,
            settings,
            at_saved_state,
            by_processor,
            multiple=gpu_count(device.device),
        )
        with single_threaded_opencv(), open_watchers(session, samplers, settings) as watchers:
            watchers.callbacks.append(DoubtCovered(sampler))
            watchers.result = rounds.train(watchers)
    print_result(session, watchers.result, preview=settings.preview)
    return watchers.result


def _notes(batch: BatchSize, device: ChosenDevice, faces: TrainingFaces, sampler: MaskSampler) -> dict[str, Any]:
    return {
        "batch": batch.size,
        "precision": device.precision,
        "trial": dict(device.benchmark),
        "labelled": len(sampler.groups.labelled),
        OUTSIDE: faces.outside,
    }


def _print_summary(
    session: TrainingSession,
    settings: TrainOptions,
    faces: TrainingFaces,
    sampler: MaskSampler,
    device: ChosenDevice,
    batch: BatchSize,
) -> None:
    groups = sampler.groups
    if len(faces.faces) < MIN_FACES:
        console.warn(
            f"There {'is' if len(faces.faces) == 1 else 'are'} {console.counted(len(faces.faces), 'face')} only. "
            "Training works, but some hundred of both sides are what good masks need."
        )
    if not groups.plain:
        console.warn(
            "No face is uncovered as far as is known, so things are drawn in front of covered ones. Faces without "
            "anything before them teach more: add some to data_src or data_dst."
        )
    carried = f", {len(faces.labels)} of them carried over" if faces.labels else ""
    labelled = f"{len(groups.labelled)} labelled{carried}"
    rows = [
        *model_rows(session),
        ("faces", f"{len(groups)}: {labelled}; {len(groups.covered)} covered, {len(groups.plain)} uncovered"),
        ("labels", _labels_text(len(groups.labelled))),
        ("batch", f"{console.counted(batch.size, 'face')} per iteration ({batch.reason})"),
        ("device", device.device.describe()),
        ("precision", device.describe_precision()),
        ("target", settings.goal.describe()),
    ]
    print_box("training of the mask model", rows)


def _labels_text(labelled: int) -> str:
    if labelled:
        return "a third of each batch labelled faces, or more; others behind drawn hands, hair and things"
    line = hint("mask --side dst --action edit").strip()
    return f"none; faces behind drawn hands, hair and things. To label some: {line}"


def _reaches_out(face: FaceFile) -> bool:
    return reaches_out(face.record, sized_landmarks(face.record, JUDGED_SIDE), JUDGED_SIDE)
