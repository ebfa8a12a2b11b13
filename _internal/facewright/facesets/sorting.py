"""Sorting a folder of faces: measure, order, show the new order, rename.

The methods are functions in the files `sort_*.py` beside this one; see `sort_base.py`.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import list_files, write_bytes
from facewright.core.images import Image, encode, read_image
from facewright.core.left_out import warn_of_left_out_faces
from facewright.core.machine import cores
from facewright.core.workers import ordered_map
from facewright.core.workspace import Side
from facewright.faces.faceset import FaceFile, load_faceset
from facewright.facesets.common import no_faces, warn_of_bad_files
from facewright.facesets.rename import Finished, plan_names, rename_all
from facewright.facesets.sort_base import FaceToSort, Method
from facewright.ui.contact_sheet import contact_sheet, evenly

COLUMNS, CELL, MAX_ROWS = 12, 112, 20  # of the contact sheet: faces per row, pixels, rows
MANY_FACES = 3000  # from here on the comparison takes so long that the user is told
FADED = 40  # grey value added to a face that goes to the trash
FATE = "keeps its name"  # of a file that is not a usable face


@dataclass(frozen=True)
class SortPlan:
    """What sorting is going to do.

    Attributes:
        moves: (name, name between, final name) of the faces in their new order.
        rejected: Names of the faces for the trash.
        unreadable: Number of files that are not usable faces.
    """

    moves: list[tuple[str, str, str]]
    rejected: list[str]
    unreadable: int

    @property
    def changed(self) -> int:
        """Number of names that change."""
        return sum(old != final for old, _, final in self.moves)


def plan_sort(side: Side, method: Method, settings: Any, executor: Executor) -> SortPlan:
    """Measure and order the faces of a side; nothing on the disk changes.

    Args:
        side: Whose faces.
        method: How to order them.
        settings: An instance of the method's options; None takes the defaults.
        executor: Threads that measure.

    Raises:
        UserError: There are no faces, or the method sorts the other side only.
    """
    others = _held_against(side, method)
    warn_of_left_out_faces(side)
    faceset = load_faceset(side.aligned_dir)
    if not faceset.faces:
        raise no_faces(side, faceset.bad)
    warn_of_bad_files(faceset.bad, FATE)
    kept, rejected = order_faces(faceset.faces, method, settings, executor, others)
    known = {*kept, *rejected}
    taken = [path.name for path in list_files(side.aligned_dir) if path.name not in known]
    paths = [path for path, _ in faceset.bad] + [file.path for file in faceset.faces]
    unreadable = sum(path.name not in known and path.exists() for path in paths)
    return SortPlan(plan_names(kept, taken), rejected, unreadable)


def _held_against(side: Side, method: Method) -> list[FaceFile]:
    """Return the faces of the other side for a method that needs them."""
    if not method.against:
        return []
    other = side.other
    if side.short == method.against:
        raise UserError(
            f"{method.name} sorts the other side, by the faces of {side.name}.",
            f"the faces of {other.name}.",
            f"sort those, or choose another method:{other.hint(f'sort --by {method.name}')}",
        )
    faceset = load_faceset(other.aligned_dir)
    if not faceset.faces:
        raise no_faces(other, faceset.bad)
    return faceset.faces


def order_faces(
    faces: Sequence[FaceFile], method: Method, settings: Any, executor: Executor, others: Sequence[FaceFile] = ()
) -> tuple[list[str], list[str]]:
    """Measure the faces, a few at a time, and order them; `others` are those of the side `method.against`.

    Returns:
        The names of the files in their new order, and those of the rejected ones. Files whose image is damaged or
        that vanished meanwhile are in neither.
    """
    measured: list[str] = []
    measures: list[Any] = []
    damaged: list[tuple[Path, UserError]] = []
    results = ordered_map(lambda file: _measure(file, method), faces, executor, ahead=4 * cores())
    shown = console.progress(results, total=len(faces), title=f"Sorting by {method.name}", unit="faces")
    for file, measure in zip(faces, shown, strict=True):
        if isinstance(measure, UserError):
            damaged.append((file.path, measure))
        else:
            measured.append(file.path.name)
            measures.append(measure)
    warn_of_bad_files(damaged, FATE)
    if len(measures) >= MANY_FACES:
        console.say(f"Comparing {console.counted(len(measures), 'face')}; this takes up to a minute.")
    result = method.arrange(np.array(measures), settings, others)
    return [measured[index] for index in result.order], [measured[index] for index in result.rejected]


def _measure(file: FaceFile, method: Method) -> Any:
    # The face is made inside the measuring thread and dropped with it: memory stays flat.
    try:
        return method.measure(FaceToSort(file))
    except UserError as problem:
        return problem


def write_order_sheet(path: Path, side: Side, plan: SortPlan) -> int:
    """Write a contact sheet of the planned order, with the rejected faces faded at its end.

    Args:
        path: Where it is written; nothing is where no face can be read.
        side: Whose faces.
        plan: From `plan_sort`.

    Returns:
        How many faces it shows.
    """
    shown = list(_cells(side, plan))
    if shown:
        write_bytes(path, encode(contact_sheet(shown, min(COLUMNS, len(shown)), CELL)))
    return len(shown)


def _cells(side: Side, plan: SortPlan) -> Iterator[tuple[str, Image]]:
    """Yield (new name, image) of an even choice in the new order, then of the rejected ones, which are faded."""
    rows = [(old, Path(final).stem, False) for old, _, final in plan.moves]
    rows += [(name, "trash", True) for name in plan.rejected]
    for index in evenly(len(rows), COLUMNS * MAX_ROWS):
        name, label, rejected = rows[index]
        try:
            image = read_image(side.aligned_dir / name)
        except UserError as problem:
            console.warn(problem.happened)
            continue
        yield label, np.asarray(image // 3 + FADED, np.uint8) if rejected else image


def apply_plan(side: Side, plan: SortPlan, trash: Path, by: str) -> Finished | None:
    """Rename the faces and move the rejected ones to the trash; return None where nothing changes.

    Args:
        side: Whose faces.
        plan: From `plan_sort`.
        trash: The workspace's trash folder.
        by: What did that, for the trash's note.
    """
    if not plan.changed and not plan.rejected:
        return None
    return rename_all(side.aligned_dir, plan.moves, trash, plan.rejected, by=by)
