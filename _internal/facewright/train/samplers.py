"""The samplers of a training: the face caches, and how the faces of each side are drawn."""

import dataclasses
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from types import MappingProxyType

import numpy as np

from facewright.core import console, machine
from facewright.core.errors import UserError
from facewright.core.hints import hint
from facewright.core.workspace import SIDES, Workspace
from facewright.data.cache import NoCache, build_cache, cache_path, face_key, open_cache
from facewright.data.sample import Sample, with_predicted_masks, with_record_masks, without_covers
from facewright.data.sampler import Sampler
from facewright.data.sampling_order import SamplingStrategy, identity_pairs, pose_matched, yaw_balanced
from facewright.data.store import ChosenFaces, DecodedFaces, FaceStore
from facewright.faces.align import FaceType
from facewright.faces.dfl_crop import needed_type
from facewright.faces.faceset import FaceFile
from facewright.train.faces import MAX_LISTED, FaceStreams
from facewright.train.options import TrainOptions
from facewright.train.session import TrainingSession

MASKS = MappingProxyType(
    {"record": with_record_masks, "model": with_predicted_masks, "occlusion": without_covers}  # the hull needs none
)
MAX_WORKERS = 8  # per side; Python's lock lets no more of them work at once
WORKERS_PER_GIB = 4  # a worker that decodes holds an image of up to 1024 px and its copies
MEMORY_DIVISOR = 8  # this part of the memory may hold faces of a side where there is no cache


def make_samplers(
    workspace: Workspace,
    session: TrainingSession,
    faces: FaceStreams,
    options: TrainOptions,
    executor: Executor,
    workers: int,
) -> dict[str, Sampler]:
    """Return the sampler of each stream, continuing where the session left it.

    Args:
        workspace: The project; the caches are among its hidden files.
        session: The model.
        faces: Stream name -> its faces.
        options: The user's settings. Pretraining draws two people at random, without warp, mirrored faces too.
        executor: Threads that prepare faces and make samples.
        workers: How many of them work on a batch of a side.

    Raises:
        UserError: Faces cannot be read or show less than the model needs.
    """
    model, pretrain = session.model, bool(options.pretrain)
    matching = model.matching == "yaw" and not pretrain
    max_bytes = 2 * machine.memory().total // (MEMORY_DIVISOR * len(faces))  # more people hold no more than src and dst
    chosen, _ = session.hold_out.split(faces)
    samples: dict[str, tuple[Sample, ...]] = {}
    stores: dict[str, FaceStore] = {}
    for side, files in faces.items():
        samples[side] = _samples_of(session, side, options)
        needed = max((needed_type(s.face_type) for s in samples[side]), key=list(FaceType).index)
        _check_types(files, needed, side, session, options)
        place = (workspace.root, "pretrain") if pretrain else _place_of_cache(workspace, side)
        opened = _open_faces(*place, files, samples[side], executor, max_bytes)
        stores[side] = ChosenFaces(opened, chosen[side])
    samplers: dict[str, Sampler] = {}
    trained = {side: [files[index] for index in chosen[side]] for side, files in faces.items()}
    for number, (side, files) in enumerate(faces.items()):
        samplers[side] = Sampler(
            stores[side],
            samples[side],
            np.random.default_rng([options.seed, number, session.iteration]),
            # Faces mirrored at random would again look where dst never looks.
            flip=(model.flips(side) or pretrain) and not matching,
            jitter=model.jitter,
            strategy=_identity_pairs(number, files, options)
            if pretrain
            else _strategy(side, trained, matching=matching, yaw_balancing=options.uniform_yaw),
            like=stores.get("dst"),
            executor=executor,
            workers=workers,
        )
        if side in session.samplers:
            samplers[side].set_state(session.samplers[side])
    return samplers


def held_out_samplers(
    workspace: Workspace, session: TrainingSession, faces: FaceStreams, options: TrainOptions
) -> dict[str, Sampler]:
    """Return samplers of the faces that the session holds out, for measuring; made after those of the training."""
    samplers: dict[str, Sampler] = {}
    _, chosen = session.hold_out.split(faces)
    for side in SIDES:
        files = faces[side]
        samples = _samples_of(session, side, options)
        held = [files[index] for index in chosen[side]]
        path = cache_path(*_place_of_cache(workspace, side), samples)
        store = open_cache(path, [face_key(file) for file in held], samples)
        rng = np.random.default_rng(options.seed)  # nothing is drawn with it
        samplers[side] = Sampler(store or DecodedFaces([file.path for file in held], samples), samples, rng, flip=False)
    return samplers


def _place_of_cache(workspace: Workspace, side: str) -> tuple[Path, str]:
    """Return the folder and the label of a stream's cache: more people's faces may lie where nothing can be written."""
    return (workspace.side(side).frames_dir, side) if side in SIDES else (workspace.root, f"more_{side}")


def _samples_of(session: TrainingSession, side: str, options: TrainOptions) -> tuple[Sample, ...]:
    """Return the outputs that the model asks for, with the masks that the user wants."""
    samples = session.model.samples(side)
    if options.mask in MASKS:
        samples = MASKS[options.mask](samples)
    if options.pretrain:
        samples = tuple(dataclasses.replace(sample, warp=False) for sample in samples)
    return samples


def sampler_workers(cores: int, memory: float) -> int:
    """Return how many threads make samples of one side: half of the cores, as far as the memory allows.

    Args:
        cores: Of this computer.
        memory: In GiB.
    """
    return max(1, min(cores // 2, MAX_WORKERS, int(memory * WORKERS_PER_GIB)))


def _strategy(side: str, faces: FaceStreams, *, matching: bool, yaw_balancing: bool) -> SamplingStrategy | None:
    yaws = {name: [file.record.pose[0] for file in files] for name, files in faces.items()}
    if matching and side == "src":
        return pose_matched(yaws["src"], yaws["dst"])
    return yaw_balanced(yaws[side]) if yaw_balancing else None


def _identity_pairs(number: int, files: Sequence[FaceFile], options: TrainOptions) -> SamplingStrategy:
    """Return the strategy of pretraining; a person is a number that the faces of a set were given, or a folder."""
    people = [f"{file.path.parent} {file.record.person}" for file in files]
    return identity_pairs(people, [file.record.pose[0] for file in files], number, options.seed)


def _open_faces(
    folder: Path,
    label: str,
    files: Sequence[FaceFile],
    samples: Sequence[Sample],
    executor: Executor,
    max_bytes: int,
) -> FaceStore:
    """Return the prepared faces: from the cache, from a new one, or decoded every time where there can be none."""
    path = cache_path(folder, label, samples)
    keys = [face_key(file) for file in files]
    found = open_cache(path, keys, samples)
    if found:
        return found
    unique = {key: file.path for key, file in zip(keys, files, strict=True)}
    try:
        with console.progress_bar(len(unique), title=f"Preparing faces of {label}", unit="faces") as bar:
            made = build_cache(path, unique, samples, executor, each=bar.update)
        made.choose(keys)
    except NoCache as problem:
        console.warn(
            f"The prepared faces of {label} are not kept in a file: {problem}. Training continues; "
            "faces that the memory does not hold are decoded each time they are drawn."
        )
        return DecodedFaces([file.path for file in files], samples, max_bytes)
    return made


def _check_types(
    files: Sequence[FaceFile], needed: FaceType, side: str, session: TrainingSession, options: TrainOptions
) -> None:
    small = [f for f in files if not f.record.face_type.contains(needed)]
    if small:
        kinds = ", ".join(sorted({str(f.record.face_type) for f in small}))
        place, fix = f"data_{side}", f"extract them again:{hint(f'extract --side {side} --face-type {needed} --redo')}"
        if options.pretrain or side not in SIDES:
            place = options.pretrain or f"the folder of {side}"
            fix = f"take them out of that folder, or extract again where they come from, with --face-type {needed}."
        raise UserError(
            f"{console.counted(len(small), 'face')} of {place} with less of the head than the model "
            f"{session.name} needs: "
            f"{console.listed([f.path.name for f in small], MAX_LISTED)} ({kinds}).",
            f"faces extracted as {needed} or a larger type.",
            f"choose a model for {kinds} faces, or {fix}",
        )
