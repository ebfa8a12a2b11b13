"""Sort the faces of data_src or data_dst by renaming them, so that what to delete lies together.

The frame of each face is written inside its PNG: renaming changes nothing for the later steps. Some methods put faces
into the trash; "restore" brings them back.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facewright.core import console
from facewright.core.command import Command, MoreOptions
from facewright.core.machine import cores
from facewright.core.options import option
from facewright.core.workers import threads
from facewright.core.workspace import FACES_OF_SIDES, Side, Workspace
from facewright.facesets.common import no_faces
from facewright.facesets.rename import PLAN, Finished, finish
from facewright.facesets.sort_base import Method, methods
from facewright.facesets.sorting import SortPlan, apply_plan, plan_sort, write_order_sheet


@dataclass(frozen=True)
class Options:
    """What is sorted, and how."""

    side: str = option("src", "Whose faces.", choices=FACES_OF_SIDES)
    by: str = option(
        "hist",
        "What decides the order.",
        choices={method.name: method.help for method in methods().values()},
        ask="Sort by",
        unasked=lambda answers: {method.name for method in methods().values() if method.against == answers.get("side")},
    )
    dry_run: bool = option(False, "Print old and new names; rename and move nothing.", remember=False)
    contact_sheet: bool = option(
        False, "Write an image of the new order before anything moves; on a console, ask then.", remember=False
    )


def more_options(workspace: Workspace, options: Options) -> type | None:
    """The method's own options."""
    return methods()[options.by].options


@dataclass(frozen=True)
class SortReport:
    """What was sorted.

    Attributes:
        aligned_dir: Folder of the aligned faces.
        faces: Faces that were put in order.
        renamed: Files that got another name.
        rejected: Faces that went to the trash.
        trash: Where they are.
    """

    aligned_dir: Path
    faces: int
    renamed: int
    rejected: int
    trash: Path | None


def run(workspace: Workspace, options: Options, settings: Any = None) -> SortReport:
    """Measure every face, order them, rename the files.

    Raises:
        UserError: There are no faces.
    """
    side = workspace.side(options.side)
    method = methods()[options.by]
    if not side.aligned_dir.is_dir():
        raise no_faces(side)
    with threads(cores()) as executor:
        if options.dry_run:
            return _dry_run(workspace, side, method, options, plan_sort(side, method, settings, executor))
        with workspace.lock(side.name):
            if done := finish(side.aligned_dir, workspace.trash):
                console.say(
                    f"An earlier sort was interrupted: its renaming of {console.counted(done.renamed, 'file')} "
                    "is finished now."
                )
            plan = plan_sort(side, method, settings, executor)
            if options.contact_sheet:
                _write_sheet(workspace, side, plan)
                away = f", {len(plan.rejected)} go to the trash" if plan.rejected else ""
                renamed = f"Another name for {plan.changed} of {console.counted(len(plan.moves), 'file')}{away}."
                if not console.confirm(f"{renamed} Go on?", default=True):
                    console.say("Nothing was renamed.")
                    return SortReport(side.aligned_dir, len(plan.moves), 0, 0, None)
            done = apply_plan(side, plan, workspace.trash, f"sort --by {options.by}")
    _report(side, method, plan, done)
    trash = done.trash if done else None
    return SortReport(side.aligned_dir, len(plan.moves), plan.changed, len(plan.rejected), trash)


def _dry_run(workspace: Workspace, side: Side, method: Method, options: Options, plan: SortPlan) -> SortReport:
    """Print the plan, a line per face. It takes no lock, so that it also works where nothing can be written."""
    if (side.aligned_dir / PLAN).exists():
        console.warn("An earlier sort was interrupted; the next one finishes its renaming first.")
    console.say(f"{side.aligned_dir}:")
    width = max((len(old) for old, _, _ in plan.moves), default=0)
    for old, _, final in plan.moves:
        console.say(f"  {old:<{width}}  ->  {final}")
    for name in plan.rejected:
        console.say(f"  {name:<{width}}  ->  trash")
    if options.contact_sheet:
        _write_sheet(workspace, side, plan)
    console.say(f"Nothing was renamed. To do it:{side.hint('sort --by', method.name)}")
    return SortReport(side.aligned_dir, len(plan.moves), 0, 0, None)


def _write_sheet(workspace: Workspace, side: Side, plan: SortPlan) -> None:
    path = workspace.root / f"{side.name}_sorted.png"
    if shown := write_order_sheet(path, side, plan):
        console.say(
            f"The new order, {shown} of {console.counted(len(plan.moves) + len(plan.rejected), 'face')}: {path}"
        )


def _report(side: Side, method: Method, plan: SortPlan, done: Finished | None) -> None:
    count = len(plan.moves)
    faces, renamed = console.counted(count, "face"), console.counted(plan.changed, "file")
    console.say(f"{faces} of {side.name} sorted by {method.name}, {renamed} renamed in {side.aligned_dir}.")
    if done and done.trash:
        rejected = console.counted(len(plan.rejected), "face")
        console.say(f"{rejected} went to {done.trash}. To bring back what went:{side.hint('restore')}")
        if side.name == "data_dst":
            console.warn("A face of data_dst that is in the trash is not converted: its frame stays as it is.")
    if plan.unreadable:
        console.say(f"Left as it is, for it is no usable face: {console.counted(plan.unreadable, 'file')}.")
    console.say(f"Next, look at them and delete what does not belong:{side.hint('view')}")


COMMAND = Command(__doc__, Options, run, MoreOptions("by", more_options))
