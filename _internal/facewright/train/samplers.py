"""The samplers of a training: the face caches, and how each side's faces are drawn."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.workers import cores, threads
from facewright.core.workspace import SIDES, Workspace
from facewright.faces.align import FaceType
from facewright.faces.faceset import FaceFile
from facewright.train.faces import NAMED, Pair
from facewright.train.options import Options

if TYPE_CHECKING:  # these import keras
    from facewright.data.sample import Sample
    from facewright.data.sampler import Sampler
    from facewright.data.sampling_order import SamplingStrategy
    from facewright.data.store import FaceStore
    from facewright.train.session import Session

MOST_WORKERS = 8  # per side; the lock of Python lets no more of them work at once
WORKERS_PER_GIB = 4  # a worker that decodes holds a picture of up to 1024 px and its copies
SHARE = 8  # part of the memory that the faces of a side may fill where there is no cache


def make_samplers(workspace: Workspace, session: "Session", faces: Pair, options: Options) -> "tuple[Sampler, Sampler]":
    """Return the samplers of src and dst, standing where the session left them.

    Args:
        workspace: The project; the caches lie in its hidden files.
        session: The model.
        faces: Of both sides.
        options: The user's settings. Pretraining draws two people at random, without warp, mirrored faces too.

    Raises:
        UserError: Faces cannot be read or show less than the model needs.
    """
    from facewright.data.sample import with_record_masks
    from facewright.data.sampler import Sampler
    from facewright.nn.gpus import computer_memory

    model, pretrain, made = session.model, bool(options.pretrain), []
    memory = computer_memory()
    workers = worker_count(cores(), memory)
    matching = model.matching == "yaw" and not pretrain
    for number, (side, files) in enumerate(zip(SIDES, faces, strict=True)):
        samples = model.samples(side)
        _check_types(files, max((s.face_type for s in samples), key=list(FaceType).index), side, session, options)
        if options.mask == "record":
            samples = with_record_masks(samples)
        if pretrain:
            samples = tuple(dataclasses.replace(sample, warp=False) for sample in samples)
        place = (workspace.root, "pretrain") if pretrain else (workspace.side(side).frames_dir, side)
        sampler = Sampler(
            _store(*place, files, samples, workers, int(memory * (1 << 30)) // SHARE),
            samples,
            np.random.default_rng([options.seed, number, session.iteration]),
            # Faces mirrored at random would again look where dst never looks.
            flip=(model.flip or pretrain) and not matching,
            jitter=model.jitter,
            strategy=_pairs(number, files, options)
            if pretrain
            else _order(side, faces, matching=matching, uniform_yaw=options.uniform_yaw),
            workers=workers,
        )
        if side in session.samplers:
            sampler.set_state(session.samplers[side])
        made.append(sampler)
    return made[0], made[1]


def worker_count(cores_: int, memory: float) -> int:
    """Return the threads that make samples of one side: half of the cores, as far as the memory reaches.

    Args:
        cores_: Of this computer.
        memory: In GiB.
    """
    return max(1, min(cores_ // 2, MOST_WORKERS, int(memory * WORKERS_PER_GIB)))


def _order(side: str, faces: Pair, *, matching: bool, uniform_yaw: bool) -> "SamplingStrategy | None":
    from facewright.data.sampling_order import pose_matched, yaw_balanced

    src, dst = ([file.record.pose[0] for file in files] for files in faces)
    if matching and side == "src":
        return pose_matched(src, dst)
    if uniform_yaw:
        return yaw_balanced(src if side == "src" else dst)
    return None


def _pairs(number: int, files: Sequence[FaceFile], options: Options) -> "SamplingStrategy":
    """Return the order of pretraining; a person is a number that a set's faces were given, or else a folder."""
    from facewright.data.sampling_order import identity_pairs

    people = [f"{file.path.parent} {file.record.person}" for file in files]
    return identity_pairs(people, [file.record.pose[0] for file in files], number, options.seed)


def _store(
    folder: Path, label: str, files: Sequence[FaceFile], samples: "Sequence[Sample]", workers: int, room: int
) -> "FaceStore":
    """Return the prepared faces: from the cache, from a new one, or decoded anew where there can be none."""
    from facewright.data.cache import NoCache, build_cache, cache_path, face_key, open_cache
    from facewright.data.store import DecodedFaces

    path = cache_path(folder, label, samples)
    keys = [face_key(file) for file in files]
    found = open_cache(path, keys)
    if found:
        return found
    unique = {key: file.path for key, file in zip(keys, files, strict=True)}
    try:
        with (
            threads(2 * workers) as pool,
            console.progress_bar(len(unique), title=f"Preparing faces of {label}", unit="faces") as bar,
        ):
            made = build_cache(path, unique, samples, pool, each=bar.update)
        made.choose(keys)
    except NoCache as problem:
        console.warn(
            f"The prepared faces of {label} are not kept in a file: {problem}. Training goes on; "
            "faces that the memory does not hold are decoded each time they are drawn."
        )
        return DecodedFaces([file.path for file in files], samples, room)
    return made


def _check_types(files: Sequence[FaceFile], needed: FaceType, side: str, session: "Session", options: Options) -> None:
    small = [f for f in files if not f.record.face_type.contains(needed)]
    if small:
        kinds = ", ".join(sorted({str(f.record.face_type) for f in small}))
        extractor = {"src": "4_src_extract_faces", "dst": "5_dst_extract_faces"}[side]
        place, again = f"data_{side}", f"{extractor} --face-type {needed} --redo"
        if options.pretrain:
            place = options.pretrain
            again = f"--face-type {needed}, in the workspace that they come from; or take them out of that folder"
        raise UserError(
            f"{len(small)} face(s) of {place} show less than the model {session.name} needs: "
            f"{console.listed([f.path.name for f in small], NAMED)} ({kinds}).",
            f"faces extracted as {needed} or a larger type.",
            f"extract again: {again}; or choose a model for {kinds} faces.",
        )
