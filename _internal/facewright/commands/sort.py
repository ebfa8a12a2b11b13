"""Sort the faces of data_src or data_dst by renaming them, so that what to delete lies together.

The frame of each face is written inside its PNG: renaming changes nothing for the later steps. Some methods put faces
into the trash; "restore" brings them back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facewright.commands._restore import bring_back
from facewright.core import console
from facewright.core.command import Command, MoreOptions
from facewright.core.errors import UserError
from facewright.core.files import list_files, write_bytes
from facewright.core.images import Image, encode, read_image
from facewright.core.options import option
from facewright.core.workers import cores, ordered_map, threads
from facewright.core.workspace import Side, Workspace
from facewright.faces.faceset import FaceFile, load_faceset
from facewright.facesets.common import name_bad, no_faces
from facewright.facesets.rename import PLAN, Finished, finish, plan_names, rename_all
from facewright.facesets.sort_base import Face, Method, methods
from facewright.ui.contact_sheet import contact_sheet, evenly

COLUMNS, CELL, ROWS = 12, 112, 20  # of the contact sheet: faces per row, pixels, rows at most
MANY = 3000  # faces whose comparison takes longer than people wait without a word
FATE = "keeps its name"  # of a file that is no usable face
REJECTED = 40  # grey value over which a face that goes to the trash fades


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
    dry_run: bool = option(False, "Print old and new names; rename and move nothing.", remember=False)
    contact_sheet: bool = option(
        False, "Write a picture of the new order before anything moves; on a console, ask then.", remember=False
    )


def more_options(workspace: Workspace, options: Options) -> type | None:
    """The method's own options."""
    return methods()[options.by].options


@dataclass(frozen=True)
class Planned:
    """What the step is going to do.

    Attributes:
        moves: (name, name between, final name) of the faces in their new order.
        rejected: Names of the faces for the trash.
        unreadable: Number of faces whose picture is damaged.
    """

    moves: list[tuple[str, str, str]]
    rejected: list[str]
    unreadable: int

    @property
    def changed(self) -> int:
        """Number of names that change."""
        return sum(old != final for old, _, final in self.moves)


def run(workspace: Workspace, options: Options, settings: Any = None) -> None:
    """Measure every face, order them, rename the files.

    Raises:
        UserError: There are no faces.
    """
    side = workspace.side(options.side)
    method = methods()[options.by]
    if not side.aligned_dir.is_dir():
        raise no_faces(side)
    if options.dry_run:  # without the lock: a look must also work where nothing can be written
        if (side.aligned_dir / PLAN).exists():
            console.warn("An earlier sort was interrupted; the next one finishes its renaming first.")
        planned = _plan(side, method, settings)
        _show(side, planned)
        if options.contact_sheet:
            _write_sheet(workspace, side, planned)
        console.say(f"Nothing was renamed. Sort without --dry-run to do it: {options.by}.")
        return
    with workspace.lock(side.name):
        if done := finish(side.aligned_dir, workspace.trash):
            console.say(f"An earlier sort was interrupted: its renaming of {done.renamed} files is finished now.")
        planned = _plan(side, method, settings)
        if options.contact_sheet:
            _write_sheet(workspace, side, planned)
            if not console.confirm(f"{_intent(planned)} Go on?", default=True):
                console.say("Nothing was renamed.")
                return
        done = _carry_out(workspace, side, planned, f"sort --by {options.by}")
    _report(side, method, planned, done)


def _plan(side: Side, method: Method, settings: Any) -> Planned:
    """Measure and order; nothing on the disk changes.

    Raises:
        UserError: There are no faces.
    """
    faceset = load_faceset(side.aligned_dir)
    if not faceset.faces:
        raise no_faces(side, faceset.bad)
    name_bad(faceset.bad, FATE)
    good, rejected = measure_and_order(faceset.faces, method, settings)
    known = {*good, *rejected}
    taken = [path.name for path in list_files(side.aligned_dir) if path.name not in known]
    looked_at = [path for path, _ in faceset.bad] + [file.path for file in faceset.faces]
    unreadable = sum(path.name not in known and path.exists() for path in looked_at)
    return Planned(plan_names(good, taken), rejected, unreadable)


def measure_and_order(faces: Sequence[FaceFile], method: Method, settings: Any = None) -> tuple[list[str], list[str]]:
    """Measure the faces in threads, a few at a time.

    Returns:
        The names of the files in their new order, and those of the rejected ones. Files whose picture is damaged or
        that vanished meanwhile are in neither.
    """
    good: list[str] = []
    measures: list[Any] = []
    damaged: list[tuple[Path, UserError]] = []
    with threads(cores()) as pool:
        results = ordered_map(lambda file: _measure(file, method), faces, pool, ahead=4 * cores())
        shown = console.progress(results, total=len(faces), title=f"Sorting by {method.name}", unit="faces")
        for file, measure in zip(faces, shown, strict=True):
            if isinstance(measure, UserError):
                damaged.append((file.path, measure))
            else:
                good.append(file.path.name)
                measures.append(measure)
    name_bad(damaged, FATE)
    if len(measures) >= MANY:
        console.say(f"Comparing {len(measures)} faces; this takes up to a minute.")
    found = method.arrange(np.array(measures), settings)
    return [good[index] for index in found.order], [good[index] for index in found.rejected]


def _measure(file: FaceFile, method: Method) -> Any:
    # Face() is made inside the measuring thread and dropped with it: memory stays flat.
    try:
        return method.measure(Face(file))
    except UserError as problem:
        return problem


def _carry_out(workspace: Workspace, side: Side, planned: Planned, by: str) -> Finished | None:
    if not planned.changed and not planned.rejected:
        return None
    return rename_all(side.aligned_dir, planned.moves, workspace.trash, planned.rejected, by=by)


def _show(side: Side, planned: Planned) -> None:
    """Print the plan, a line per face."""
    console.say(f"{side.aligned_dir}:")
    width = max((len(old) for old, _, _ in planned.moves), default=0)
    for old, _, final in planned.moves:
        console.say(f"  {old:<{width}}  ->  {final}")
    for name in planned.rejected:
        console.say(f"  {name:<{width}}  ->  trash")


def _intent(planned: Planned) -> str:
    trash = f", {len(planned.rejected)} go to the trash" if planned.rejected else ""
    return f"{planned.changed} of {len(planned.moves)} files get another name{trash}."


def _write_sheet(workspace: Workspace, side: Side, planned: Planned) -> None:
    """Write the contact sheet of the planned order."""
    shown = list(_pictures(side, planned))
    if not shown:
        return
    path = workspace.root / f"{side.name}_sorted.png"
    write_bytes(path, encode(contact_sheet(shown, min(COLUMNS, len(shown)), CELL)))
    console.say(f"The new order, {len(shown)} of {len(planned.moves) + len(planned.rejected)} faces: {path}")


def _pictures(side: Side, planned: Planned) -> Iterator[tuple[str, Image]]:
    """Yield (new name, picture) of an even choice in the new order, then of the rejected ones, which are faded."""
    rows = [(old, Path(final).stem, False) for old, _, final in planned.moves]
    rows += [(name, "trash", True) for name in planned.rejected]
    for place in evenly(len(rows), COLUMNS * ROWS):
        name, label, rejected = rows[place]
        try:
            picture = read_image(side.aligned_dir / name)
        except UserError as problem:
            console.warn(problem.happened)
            continue
        yield label, np.asarray(picture // 3 + REJECTED, np.uint8) if rejected else picture


def _report(side: Side, method: Method, planned: Planned, done: Finished | None) -> None:
    count = len(planned.moves)
    console.say(
        f"{count} faces of {side.name} sorted by {method.name}, {planned.changed} files renamed in {side.aligned_dir}."
    )
    if done and done.trash:
        console.say(f"{len(planned.rejected)} faces went to {done.trash}. Bring them back: {bring_back(side)}.")
        if side.name == "data_dst":
            console.warn("A face of data_dst that lies in the trash is not converted: its frame stays as it is.")
    if planned.unreadable:
        console.say(f"{planned.unreadable} files that are no usable faces were left as they are.")
    console.say(f"Next: {'4.1_src' if side.name == 'data_src' else '5.1_dst'}_view_faces, delete what does not belong.")


COMMAND = Command(__doc__, Options, run, MoreOptions("by", more_options))
