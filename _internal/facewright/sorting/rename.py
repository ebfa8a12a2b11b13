"""Renaming a whole folder so that a kill in between loses no name and hides no face.

The plan is written first. Pass one gives every file a name that nobody else has; pass two the final one.
Each name is a visible PNG at every moment, so the other steps see all faces even after a kill.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facewright.core.errors import UserError
from facewright.core.files import disk_errors, fsync_folder, read_json, write_json

PLAN = ".sorting.json"


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


def rename_all(folder: Path, moves: Sequence[tuple[str, str, str]]) -> None:
    """Rename files as planned by `plan_names`."""
    write_json(folder / PLAN, {"pass": 1, "moves": [list(move) for move in moves]})
    finish(folder)


def finish(folder: Path) -> int:
    """Go on with a renaming that was interrupted.

    Returns:
        The number of files in the plan; 0 when there was none.
    """
    plan = _read(folder / PLAN)
    if plan is None:
        return 0
    if plan["pass"] == 1:
        _move(folder, [(old, between) for old, between, _ in plan["moves"]])
        write_json(folder / PLAN, {**plan, "pass": 2})
    _move(folder, [(between, final) for _, between, final in plan["moves"]])
    (folder / PLAN).unlink()
    return len(plan["moves"])


def _move(folder: Path, pairs: Sequence[tuple[str, str]]) -> None:
    """Rename what is still there; a missing file was renamed before the kill, or deleted by the user."""
    for old, new in pairs:
        with disk_errors(folder / new):
            if os.path.lexists(folder / old):
                os.replace(folder / old, folder / new)
    fsync_folder(folder)


def _read(path: Path) -> dict[str, Any] | None:
    plan = read_json(path)
    if plan is None:
        return None
    right = isinstance(plan, dict) and plan.get("pass") in (1, 2) and isinstance(plan.get("moves"), list)
    if not right or not all(_is_move(move) for move in plan["moves"]):
        raise UserError(
            f"{path} is damaged.",
            "the plan of an interrupted renaming, as sort wrote it.",
            "delete that file and sort again; the faces keep their frame inside, whatever their names.",
        )
    return plan


def _is_move(move: Any) -> bool:
    """Whether a move is three bare file names."""
    return isinstance(move, list) and len(move) == 3 and all(isinstance(name, str) and _is_bare(name) for name in move)


def _is_bare(name: str) -> bool:
    return bool(name) and not name.startswith(".") and "\0" not in name and Path(name).name == name
