"""Sort the faces of data_src or data_dst by renaming them, so that what to delete lies together.

The frame of each face is written inside its PNG: renaming changes nothing for the later steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import list_files
from facewright.core.options import option
from facewright.core.workers import cores, ordered_map, threads
from facewright.core.workspace import Workspace
from facewright.faces.faceset import FaceFile, load_faceset
from facewright.sorting.base import Face, Method, methods
from facewright.sorting.rename import finish, plan_names, rename_all

COMMAND = "sort"


@dataclass(frozen=True)
class Options:
    """What is sorted, and how."""

    side: str = option("src", "Whose faces.", choices={"src": "faces of data_src", "dst": "faces of data_dst"})
    by: str = option(
        "hist",
        "What decides the order.",
        choices={method.name: method.help for method in methods().values()},
        ask="Sort by",
    )


def run(workspace: Workspace, options: Options) -> None:
    """Measure every face, order them, rename the files.

    Raises:
        UserError: There are no faces.
    """
    side = workspace.side(options.side)
    folder = side.aligned_dir
    if not folder.is_dir():
        raise no_faces(folder, options.side)
    with workspace.lock(side.name):
        if count := finish(folder):
            console.say(f"An earlier sort was interrupted: its renaming of {count} files is finished now.")
        faceset = load_faceset(folder)
        for path, problem in faceset.bad:
            console.warn(f"{path.name} keeps its name: {problem.happened}")
        if not faceset.faces:
            raise no_faces(folder, options.side)
        names, unreadable = measure_and_order(faceset.faces, methods()[options.by])
        renamed = rename_in_order(folder, names)
    console.say(f"{len(names)} faces of {side.name} sorted by {options.by}, {renamed} files renamed in {folder}.")
    if left := len(faceset.bad) + unreadable:
        console.say(f"{left} files that are no usable faces were left as they are.")
    console.say(f"Next: {'4.1_src' if options.side == 'src' else '5.1_dst'}_view_faces, delete what does not belong.")


def measure_and_order(faces: Sequence[FaceFile], method: Method) -> tuple[list[str], int]:
    """Measure the faces in threads, a few at a time.

    Returns:
        The names of the files in their new order, and the number of files whose picture is damaged.
    """
    good: list[str] = []
    measures: list[Any] = []
    with threads(cores()) as pool:
        results = ordered_map(lambda file: _measure(file, method), faces, pool, ahead=4 * cores())
        shown = console.progress(results, total=len(faces), title=f"Sorting by {method.name}", unit="faces")
        for file, measure in zip(faces, shown, strict=True):
            if isinstance(measure, UserError):
                console.warn(f"{file.path.name} keeps its name: {measure.happened}")
            else:
                good.append(file.path.name)
                measures.append(measure)
    order = method.order(np.array(measures)) if measures else []
    return [good[index] for index in order], len(faces) - len(good)


def _measure(file: FaceFile, method: Method) -> Any:
    # Face() is made inside the measuring thread and dropped with it: memory stays flat.
    try:
        return method.measure(Face(file))
    except UserError as problem:
        return problem


def rename_in_order(folder: Path, names: Sequence[str]) -> int:
    """Give the files numbers in the order of `names`; return how many names changed."""
    mine = set(names)
    moves = plan_names(names, [path.name for path in list_files(folder) if path.name not in mine])
    changed = sum(old != final for old, _, final in moves)
    if changed:
        rename_all(folder, moves)
    return changed


def no_faces(folder: Path, side: str) -> UserError:
    """Say that there is nothing to sort or view."""
    return UserError(
        f"There are no faces in {folder}.",
        "aligned PNG files, as the extraction writes them.",
        f"run {'4_src_extract_faces' if side == 'src' else '5_dst_extract_faces'} first.",
    )
