"""Faces that are never trained on: by them one sees what a model has understood, and what it knows by heart.

Neighbouring frames of a video are nearly the same, so whole runs of them are held out, spread over the set. A run is
kept as the names of its first and last frame: files may be renamed, sorted, mended or found again, and the same faces
stay out; so does one that turns up between them later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from facewright.core.console import counted
from facewright.core.files import natural
from facewright.core.names import MAX_NAME
from facewright.core.workspace import SIDES
from facewright.faces.faceset import FaceFile

Runs = tuple[tuple[str, str], ...]  # first and last frame of each, without the ending
Span = tuple[tuple[list[str | int], str], tuple[list[str | int], str]]  # the same as keys of `natural`
FaceStreams = Mapping[str, Sequence[FaceFile]]  # "src" and "dst" -> faces


@dataclass(frozen=True)
class HoldOut:
    """Which faces are held out.

    Attributes:
        runs: Side -> the runs; empty where none are.
        why_not: Why nothing is measured on them; "" where it is.
        print: What the held-out faces are known by, to see whether they changed.
        since: Iteration since which these very faces are measured.
    """

    runs: Mapping[str, Runs] = field(default_factory=dict)
    why_not: str = ""
    print: str = ""
    since: int = 0

    def __bool__(self) -> bool:
        return not self.why_not and bool(self.runs)

    def to_data(self) -> dict[str, Any]:
        """Return what a saved state holds of it."""
        runs = {side: [list(run) for run in runs] for side, runs in self.runs.items()}
        return {"runs": runs, "print": self.print, "since": self.since}

    def split(self, faces: FaceStreams) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        """Return the indices of the faces that are trained on, and of those that are held out, by side."""
        trained: dict[str, list[int]] = {}
        held: dict[str, list[int]] = {}
        for side, files in faces.items():
            out = [self.holds(side, file) for file in files]
            trained[side] = [index for index, is_out in enumerate(out) if not is_out]
            held[side] = [index for index, is_out in enumerate(out) if is_out]
        return trained, held

    def holds(self, side: str, face: FaceFile) -> bool:
        """Whether a face of "src" or "dst" is held out."""
        spans = self._spans.get(side)
        if not spans:
            return False
        key = natural(face.stem)
        return any(first <= key <= last for first, last in spans)

    @cached_property
    def _spans(self) -> dict[str, list[Span]]:
        """The runs as they are compared: large sets are split several times."""
        return {side: [(natural(first), natural(last)) for first, last in runs] for side, runs in self.runs.items()}

    def describe(self, faces: FaceStreams) -> str:
        """Say it in a line."""
        if not self:
            return f"none: {self.why_not}" if self.why_not else "none"
        _, held = self.split(faces)
        of = [
            f"{len(held[side])} of {counted(len(faces[side]), f'{side} face')}" for side in self.runs if side in faces
        ]
        return f"{' and '.join(of)}, in runs of neighbouring frames: never trained on, they show what it has understood"


def hold_out_of(saved: Mapping[str, Any]) -> HoldOut:
    """Return the faces that a saved state holds out."""
    known = saved.get("hold_out") or {}
    written = known.get("runs", {})
    runs = {
        side: tuple((run[0], run[1]) for run in written.get(side, ()) if all(len(name) <= MAX_NAME for name in run))
        for side in SIDES
    }
    return HoldOut(
        {side: found for side, found in runs.items() if found}, "", known.get("print", ""), known.get("since", 0)
    )
