"""Renaming a whole folder so that a kill in between loses no name and hides no face.

The plan is written first. Pass nothing puts the rejected faces into the trash, pass one gives every file a name that
nobody else has, pass two the final one. Each face that stays is a visible PNG at every moment, so the other steps see
all of them even after a kill.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facewright.core.errors import UserError
from facewright.core.files import FreeNames, disk_errors, fsync_folder, move_to_trash, read_json, write_json
from facewright.core.json_data import BadJson, bare_name, choice, fields, list_of, text

PLAN = ".sorting.json"


@dataclass(frozen=True)
class Finished:
    """What was in a plan.

    Attributes:
        renamed: Number of files to be renamed.
        rejected: Number of files for the trash.
        trash: The folder where those went that were still to be moved.
    """

    renamed: int
    rejected: int = 0
    trash: Path | None = None


def plan_names(names: Sequence[str], taken: Sequence[str]) -> list[tuple[str, str, str]]:
    """Plan new names: numbers of five digits from 00000 on.

    Args:
        names: The files in their new order.
        taken: Other names in the folder, which are not touched and not overwritten.

    Returns:
        (name, name between, final name) of each file.
    """
    # Windows and macOS take A.png and a.png for the same file.
    foreign = {name.lower() for name in taken}
    occupied = foreign | {name.lower() for name in names}
    digits = max(5, len(str(len(names) + len(taken))))
    prefix = "s"
    while any(name.startswith(prefix) for name in occupied):
        prefix += "s"
    moves = []
    number = 0
    for name in names:
        while f"{number:0{digits}d}{Path(name).suffix}".lower() in foreign:
            number += 1
        final = f"{number:0{digits}d}{Path(name).suffix}"
        moves.append((name, f"{prefix}{final}", final))
        number += 1
    return moves


def rename_all(
    folder: Path,
    moves: Sequence[tuple[str, str, str]],
    trash: Path,
    rejected: Sequence[str] = (),
    *,
    by: str = "",
) -> Finished | None:
    """Rename files as planned by `plan_names`, after the rejected ones went to the trash.

    Args:
        folder: Of the files.
        moves: The plan.
        trash: The workspace's trash folder.
        rejected: Names of files for the trash.
        by: What did that, for the trash's note.
    """
    plan = {"pass": 0, "by": by, "rejected": list(rejected), "moves": [list(move) for move in moves]}
    write_json(folder / PLAN, plan)
    return finish(folder, trash)


def finish(folder: Path, trash: Path) -> Finished | None:
    """Go on with a renaming that was interrupted; return None when there was none.

    Raises:
        UserError: The plan is damaged, or the folder cannot be written.
    """
    plan = _read(folder / PLAN)
    if plan is None:
        return None
    moves, rejected = plan["moves"], plan.get("rejected", [])
    place = None
    if plan["pass"] == 0:
        place = move_to_trash([folder / name for name in rejected], trash, by=plan.get("by", ""))
        plan = {**plan, "pass": 1}
        write_json(folder / PLAN, plan)
    if plan["pass"] == 1:
        _move(folder, [(old, between) for old, between, _ in moves])
        write_json(folder / PLAN, {**plan, "pass": 2})
    _move(folder, [(between, final) for _, between, final in moves])
    (folder / PLAN).unlink()
    return Finished(len(moves), len(rejected), place)


def _move(folder: Path, pairs: Sequence[tuple[str, str]]) -> None:
    """Rename what is still there; a missing file was renamed before the kill, or deleted by the user."""
    for old, new in pairs:
        with disk_errors(folder / new):
            if not os.path.lexists(folder / old):
                continue
            # A name was free when the plan was made; a file that came since is not overwritten.
            target = FreeNames(folder).find(new) if os.path.lexists(folder / new) else folder / new
            try:
                os.replace(folder / old, target)
            except FileNotFoundError:
                continue  # it vanished just now
    fsync_folder(folder)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        plan: dict[str, Any] | None = read_json(path, schema=PLAN_SCHEMA)
    except UserError as error:
        error.expected = "the plan of an interrupted renaming, as sort wrote it."
        error.fix = "delete that file and sort again; the faces keep their frame inside, whatever their names."
        raise
    return plan


def _visible_name(value: Any) -> Any:
    name = bare_name(value)
    if name.startswith("."):
        raise BadJson(f"{name[:60]!r} would hide a file")
    return name


PLAN_SCHEMA = fields(
    {"pass": choice(0, 1, 2), "moves": list_of(list_of(_visible_name, 3))},
    {"by": text, "rejected": list_of(_visible_name)},
)
