"""Which faces a model holds out: chosen for a new one, kept for a further run, whatever comes and goes meanwhile."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from facewright.core.console import counted
from facewright.core.files import natural
from facewright.core.workspace import SIDES
from facewright.faces.faceset import FaceFile
from facewright.faces.hold_out import HoldOut, Runs, hold_out_of
from facewright.train.faces import FaceStreams, describe_faces, fingerprint

LEAST = 8  # faces of a side that say anything
LARGEST_SHARE = 1 / 6  # of a side that may be held out to get as many
SHORTEST_RUN, LONGEST_RUN = 4, 25  # frames


def choose_hold_out(
    faces: FaceStreams,
    percent: float,
    saved: Mapping[str, Any],
    *,
    iteration: int,
    seed: int,
    started_from: Mapping[str, Any] = MappingProxyType({}),
) -> HoldOut:
    """Return which faces a model leaves out: those that it always left out, or a new choice for a new model.

    Args:
        faces: "src" and "dst" -> faces.
        percent: Of the faces of each side; 0 holds out none.
        saved: What its last saved state holds.
        iteration: Of the model; one that was trained has seen all faces that it did not leave out.
        seed: Of the choice.
        started_from: What the saved state holds of the model from which a new one was started.
    """
    if not percent:
        return HoldOut(why_not="not wanted (--hold-out 0)")
    known = hold_out_of(saved)
    if known:
        return _kept(known, faces, iteration)
    if iteration:
        return HoldOut(why_not="this model has been trained on all faces; a new one can hold some out")
    runs = _inherited(started_from, faces)
    small = [side for side, files in faces.items() if side not in runs and len(files) * LARGEST_SHARE < LEAST]
    if small:
        sides = " and ".join(f"{side} has {counted(len(faces[side]), 'face')}" for side in small)
        return HoldOut(why_not=f"{sides}; under {round(LEAST / LARGEST_SHARE)} all are needed to learn from")
    rng = np.random.default_rng([seed, len(SIDES)])
    runs |= {side: _chosen(files, percent, rng) for side, files in faces.items() if side not in runs}
    return _kept(HoldOut(runs), faces, iteration)


def _inherited(saved: Mapping[str, Any], faces: FaceStreams) -> dict[str, Runs]:
    """Return what a model held out, by side, of the faces that are still the same: it has trained on all the others."""
    known = hold_out_of(saved)
    if not known:
        return {}
    before, now = saved.get("faces") or {}, describe_faces(faces)
    unchanged = known.print == _print(known, faces)
    same = [side for side in faces if unchanged or before.get(side, {}).get("print") == now[side]["print"]]
    return {side: known.runs[side] for side in same if side in known.runs}


def _print(choice: HoldOut, faces: FaceStreams) -> str:
    _, held = choice.split(faces)
    return fingerprint(files[index] for side, files in faces.items() for index in held[side])


def _kept(choice: HoldOut, faces: FaceStreams, iteration: int) -> HoldOut:
    """Return the choice as it is for the faces that are there; where too few are left they stay out unmeasured."""
    trained, held = choice.split(faces)
    if not all(trained.values()):
        return HoldOut(why_not="those that were held out are all that is left of a side")
    for those, what in ((held, "of those that were held out"), (trained, "faces beside those that were held out")):
        few = [side for side in faces if len(those[side]) < LEAST // 2]
        if few:
            return replace(choice, why_not=f"too few {what} are left in {' and '.join(few)}")
    now = _print(choice, faces)
    return HoldOut(choice.runs, "", now, choice.since if now == choice.print else iteration)


def _chosen(files: Sequence[FaceFile], percent: float, rng: np.random.Generator) -> Runs:
    """Return runs of neighbouring frames, one at a random place of each part of the set."""
    frames = sorted({file.stem for file in files}, key=natural)
    wanted = max(LEAST * len(frames) / len(files), len(frames) * percent / 100)
    length = min(max(int(wanted // LEAST), SHORTEST_RUN), LONGEST_RUN)
    count = max(1, round(wanted / length))
    runs = []
    for part in np.array_split(np.arange(len(frames)), count):
        taken = min(length, len(part))
        room = len(part) - taken
        start = int(part[0]) + int(rng.integers(room // 4, room - room // 4 + 1))  # away from the next part's run
        runs.append((frames[start], frames[start + taken - 1]))
    return tuple(runs)
