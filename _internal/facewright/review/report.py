"""What a review found, as a file: other programs of the project mark these frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import move_to_trash, read_json, write_json
from facewright.core.json_data import bare_name, choice, dict_of, fields, list_of, number, text, whole
from facewright.core.workspace import Workspace
from facewright.review.ranking import FrameScore, worst_first

FILE_NAME = "review.json"
TRASH_NAME = "review"
FORMAT, VERSION = "facewright review", 1
DECIMALS = 3
SCHEMA = fields(
    {
        "format": choice(FORMAT),
        "version": whole(1, VERSION),
        "frames": list_of(
            fields({"name": bare_name, "score": number, "kinds": list_of(text), "reasons": list_of(text)})
        ),
        "fine": dict_of(text),
    }
)


@dataclass(frozen=True)
class ReviewFile:
    """What the last review found.

    Attributes:
        frames: Those that need a look, the worst first: `name`, `score`, `kinds`, `reasons`.
        fine: Name of a frame that somebody found right -> what it was like then.
    """

    frames: Sequence[Mapping[str, Any]] = ()
    fine: Mapping[str, str] = field(default_factory=dict)


def review_file(workspace: Workspace) -> Path:
    """Return where it lies."""
    return workspace.root / FILE_NAME


def read_review(workspace: Workspace) -> ReviewFile:
    """Return what the last review found; nothing where there was none, or its file is damaged."""
    try:
        known = read_json(review_file(workspace), schema=SCHEMA)
    except UserError:
        return ReviewFile()
    return ReviewFile(known["frames"], known["fine"]) if known else ReviewFile()


def write_review(workspace: Workspace, scores: Sequence[FrameScore], fine: Mapping[str, str]) -> Path:
    """Write what was found; return the file.

    Args:
        workspace: The project.
        scores: Of all frames, in the order of the frames.
        fine: See `ReviewFile`.

    Raises:
        UserError: It cannot be written.
    """
    frames = [
        {
            "name": one.name,
            "score": round(one.score, DECIMALS),
            "kinds": [str(kind) for kind in one.kinds],
            "reasons": list(one.reasons),
        }
        for one in worst_first(scores)
        if one.needs_a_look
    ]
    path = review_file(workspace)
    _set_aside(path, workspace)
    write_json(path, {"format": FORMAT, "version": VERSION, "frames": frames, "fine": dict(fine)})
    return path


def _set_aside(path: Path, workspace: Workspace) -> None:
    """Move a file away that is damaged, or of a newer version: what was found right may be read from it later."""
    try:
        read_json(path, schema=SCHEMA)
    except UserError as problem:
        moved = move_to_trash([path], workspace.trash, by=TRASH_NAME)
        console.warn(f"{problem.happened} It was moved to {moved}.")
