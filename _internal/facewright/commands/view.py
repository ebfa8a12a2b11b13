"""Look at the faces of data_src or data_dst: how many, from which sides, how sharp; what the manual advises.

The folder opens in the system's own viewer. Without a screen (or with --gallery) an HTML page with all faces is
written beside it. Either way the console says what the set lacks, and a PNG shows plots and a contact sheet.
"""

from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from facewright.core import console
from facewright.core.command import Command
from facewright.core.files import write_bytes
from facewright.core.images import encode
from facewright.core.left_out import warn_of_left_out_faces
from facewright.core.machine import cores
from facewright.core.options import option
from facewright.core.workers import threads
from facewright.core.workspace import FACES_OF_SIDES, Side, Workspace
from facewright.extract.verdict import say_verdict
from facewright.faces.faceset import FaceIndex, load_faceset
from facewright.facesets.common import no_faces, warn_of_bad_files
from facewright.facesets.gallery import CELL, gallery_page, gallery_sheet
from facewright.facesets.looks import looks_of
from facewright.facesets.statistics import advise, faceset_plots, faceset_summary, measure_faces
from facewright.ui.contact_sheet import evenly
from facewright.ui.file_viewer import open_in_viewer


@dataclass(frozen=True)
class Options:
    """Whose faces, and how to show them."""

    side: str = option("src", "Whose faces.", choices=FACES_OF_SIDES)
    gallery: bool = option(False, "Write the page with all faces even where there is a screen.")
    largest: int = option(240, "Most faces on the contact sheet; of more, an even choice.", low=1, high=5000)


@dataclass(frozen=True)
class ViewReport:
    """What was seen.

    Attributes:
        faces: Faces that could be read.
        sheet: Plots and a contact sheet.
        page: The page with all faces; None where the folder was opened instead.
    """

    faces: int
    sheet: Path
    page: Path | None


def run(workspace: Workspace, options: Options) -> ViewReport:
    """Open the folder or write a page; count, advise, draw.

    Raises:
        UserError: There are no faces, or the workspace cannot be written.
    """
    side = workspace.side(options.side)
    warn_of_left_out_faces(side)
    faceset = load_faceset(side.aligned_dir)
    if not faceset.faces:
        raise no_faces(side, faceset.bad)
    console.heading(f"{console.counted(len(faceset.faces), 'face')} of {side.name} in {side.aligned_dir}")
    warn_of_bad_files(faceset.bad, "is left out")
    opened = not options.gallery and open_in_viewer(side.aligned_dir)
    if opened:
        console.say("Opened in the system's viewer.")
    with threads(cores()) as executor:
        report = _describe(workspace, options, side, faceset, executor, with_page=not opened)
    say_verdict(side, faceset)
    console.say(f"Delete the files that do not belong. Next, sort them:{side.hint('sort')}")
    return report


def _describe(
    workspace: Workspace, options: Options, side: Side, faceset: FaceIndex, executor: Executor, *, with_page: bool
) -> ViewReport:
    """Measure the faces; print advice, write the sheet, and the page where it is wanted."""
    chosen = {faceset.faces[index].path.name for index in evenly(len(faceset.faces), options.largest)}
    stats, images = measure_faces(side, faceset, executor, chosen, CELL)
    other_side = workspace.side("dst" if options.side == "src" else "src")
    other = looks_of(load_faceset(other_side.aligned_dir).faces)
    advice = advise(stats, options.side, other)
    console.say(f"  {faceset_summary(stats)}")
    for line in advice:
        (console.say if line.fine else console.warn)(f"  {'+' if line.fine else '!'} {line.text}")
    drawn = faceset_plots(stats, other.poses, other_side.name) if stats.faces else []
    title = f"{side.name}: {console.counted(len(faceset.faces), 'face')}"
    sheet_path = workspace.root / f"{side.name}_faces.png"
    write_bytes(sheet_path, encode(gallery_sheet(title, faceset_summary(stats), advice, drawn, images)))
    console.say(f"Plots and a contact sheet with {console.counted(len(images), 'face')}: {sheet_path}")
    if not with_page:
        return ViewReport(len(stats.faces), sheet_path, None)
    page_path = workspace.root / f"{side.name}_faces.html"
    by_name = {face.name: face for face in stats.faces}
    text = gallery_page(side, title, faceset_summary(stats), advice, drawn, faceset.faces, by_name)
    write_bytes(page_path, text.encode("utf-8"))
    console.say(f"Page with all of them: {page_path}")
    return ViewReport(len(stats.faces), sheet_path, page_path)


COMMAND = Command(__doc__, Options, run)
