"""Hold trainings side by side: settings, faces, time, curves of the faces held out, the same faces drawn by each.

Reads model/ and the aligned faces of both sides; writes compare.html and compare.png. Nothing is trained or changed.
All models of the workspace are compared, or those that are named, which may be folders of other workspaces.
"""

from dataclasses import dataclass
from pathlib import Path

from facewright.core import console
from facewright.core.command import Command
from facewright.core.files import write_bytes
from facewright.core.options import option, several
from facewright.core.workspace import Workspace
from facewright.marking.provenance import write_marked
from facewright.train import runs_page
from facewright.train.runs import draw_runs, read_runs


@dataclass(frozen=True)
class Options:
    """What is compared."""

    model: str = option(
        "",
        "Model to compare, or the folder of one, of a saved state or backup; may be given several times.",
        many=True,
    )
    generations: bool = option(False, "Every saved state and backup of each model, not only the newest.")
    faces: int = option(4, "Faces of each side that are drawn.", low=1, high=32)


@dataclass(frozen=True)
class CompareReport:
    """What was compared.

    Attributes:
        page: compare.html.
        sheet: compare.png; None where nothing could be drawn.
        runs: Names of the runs.
    """

    page: Path
    sheet: Path | None
    runs: tuple[str, ...]


def run(workspace: Workspace, options: Options) -> CompareReport:
    """Compare, print the table, write page and sheet.

    Raises:
        UserError: There is no trained model, or one that is named is not there.
    """
    runs = read_runs(workspace, several(options.model), generations=options.generations)
    drawn = draw_runs(workspace, runs, options.faces)
    for line in runs_page.console_lines(runs, drawn):
        console.say(line)
    page, sheet = workspace.root / runs_page.PAGE, runs_page.draw_sheet(runs, drawn)
    if sheet is not None:
        write_marked(workspace.root / runs_page.SHEET, sheet)
    write_bytes(page, runs_page.runs_page(runs, drawn).encode("utf-8"))
    console.say(f"Curves, settings and faces side by side: {page}")
    return CompareReport(
        page, workspace.root / runs_page.SHEET if sheet is not None else None, tuple(one.name for one in runs)
    )


COMMAND = Command(__doc__, Options, run)
