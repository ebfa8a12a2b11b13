"""The faces that a training draws from: loading, checks, samplers, and whether they changed since the last run."""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.workspace import Side, Workspace
from facewright.faces.align import FaceType
from facewright.faces.faceset import FaceFile, load_faceset

if TYPE_CHECKING:  # these import keras
    from facewright.samples.sampler import Sampler
    from facewright.training.session import Session

NAMED = 5  # files named in a message
FEW = 20  # faces below which a warning is due
SIDES = ("src", "dst")

Pair = tuple[list[FaceFile], list[FaceFile]]


def load_pair(workspace: Workspace) -> Pair:
    """Return the faces of data_src and data_dst.

    Raises:
        UserError: A side has none, some cannot be read, or both sides hold the same faces.
    """
    pair = _faces(workspace.src), _faces(workspace.dst)
    prints = [fingerprint(faces) for faces in pair]
    if prints[0] == prints[1]:
        raise UserError(
            f"{workspace.src.aligned_dir} and {workspace.dst.aligned_dir} hold the same faces.",
            "faces of two people: who is put in, and who is replaced.",
            "see which folder is wrong with 4.1_src_view_faces and 5.1_dst_view_faces, then extract its faces again.",
        )
    for side, faces in zip((workspace.src, workspace.dst), pair, strict=True):
        if len(faces) < FEW:
            console.warn(
                f"{side.name} has {len(faces)} face{'s' if len(faces) != 1 else ''} only. Training works, but some "
                "hundred faces of all directions and expressions are what a good swap needs."
            )
    return pair


def load_for_pretraining(folder: Path) -> Pair:
    """Return all faces below a folder, for both sides.

    Raises:
        UserError: There is no such folder, or it has too few faces.
    """
    faceset = load_faceset(sorted(path for path in folder.rglob("*.png") if not path.name.startswith(".")))
    if faceset.bad:
        names = [str(path.relative_to(folder)) for path, _ in faceset.bad]
        console.warn(
            f"{len(names)} pictures in {folder} are no aligned faces and are left out: {console.listed(names)}"
        )
    if len(faceset.faces) < 2:
        raise UserError(
            f"{folder} holds {len(faceset.faces)} aligned faces.",
            "a folder with faces of many people, as step 4 or 5 wrote them; subfolders are searched too.",
            "name another folder with --pretrain FOLDER.",
        )
    return faceset.faces, faceset.faces


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


def fingerprint(faces: Iterable[FaceFile]) -> str:
    """Return 16 hex digits that another set of faces does not have; names and order of the files play no role."""
    rows = sorted(f"{f.path.stat().st_size} {f.record.frame} {f.record.rect}" for f in faces)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]


def notes_of(pair: Pair) -> dict[str, Any]:
    """Return what a saved state remembers of the faces."""
    return {side: {"count": len(f), "print": fingerprint(f)} for side, f in zip(SIDES, pair, strict=True)}


def changes(before: Any, now: Mapping[str, Any]) -> list[str]:
    """Say which side's faces are others than at the last run."""
    said = []
    for side in SIDES:
        old = before.get(side) if isinstance(before, dict) else None
        if isinstance(old, dict) and old.get("print") != now[side]["print"]:
            said.append(f"data_{side}: {old.get('count')} faces then, {now[side]['count']} now")
    return said


def make_samplers(session: "Session", faces: Pair, seed: int, *, pretrain: bool = False) -> "tuple[Sampler, Sampler]":
    """Return the samplers of src and dst, standing where the session left them.

    Args:
        session: The model.
        faces: Of both sides.
        seed: Starts the random numbers.
        pretrain: Draw as pretraining does: without warp, and mirrored faces too.

    Raises:
        UserError: Faces show less than the model needs.
    """
    from facewright.samples.sampler import Sampler

    model, made = session.model, []
    for number, (side, files) in enumerate(zip(SIDES, faces, strict=True)):
        samples = model.samples(side)
        _check_types([f for f in files], max((s.face_type for s in samples), key=list(FaceType).index), side, session)
        if pretrain:
            samples = tuple(dataclasses.replace(sample, warp=False) for sample in samples)
        rng = np.random.default_rng([seed, number, session.iteration])
        flip = model.flip or pretrain
        sampler = Sampler([f.path for f in files], samples, rng, flip=flip, jitter=model.jitter)
        if side in session.samplers:
            sampler.set_state(session.samplers[side])
        made.append(sampler)
    return made[0], made[1]


def _check_types(files: Sequence[FaceFile], needed: FaceType, side: str, session: "Session") -> None:
    small = [f for f in files if not f.record.face_type.contains(needed)]
    if small:
        kinds = ", ".join(sorted({str(f.record.face_type) for f in small}))
        extractor = {"src": "4_src_extract_faces", "dst": "5_dst_extract_faces"}[side]
        raise UserError(
            f"{len(small)} face(s) of data_{side} show less than the model {session.name} needs: "
            f"{console.listed([f.path.name for f in small], NAMED)} ({kinds}).",
            f"faces extracted as {needed} or a larger type.",
            f"extract again: {extractor} --face-type {needed} --redo; or choose a model for {kinds} faces.",
        )
