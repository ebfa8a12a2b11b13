"""Look at the faces of data_src or data_dst: how many, from which sides, how sharp; what the manual advises.

The folder opens in the system's own viewer. Without a screen (or with --gallery) an HTML page with all faces is
written beside it. Either way the console says what the set lacks, and a PNG shows plots and a contact sheet. A page
that is served filters the faces and puts those that do not belong into the trash.
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
from facewright.core.options import option, port_option
from facewright.core.workers import threads
from facewright.core.workspace import FACES_OF_SIDES, Side, Workspace
from facewright.extract.verdict import say_verdict
from facewright.faces.faceset import FaceIndex, load_faceset
from facewright.facesets.common import no_faces, warn_of_bad_files
from facewright.facesets.gallery import CELL, SeenFaces, gallery_page, gallery_sheet
from facewright.facesets.gallery_page import GalleryPage
from facewright.facesets.gallery_work import Gallery, odd_faces_of
from facewright.facesets.looks import Looks, looks_of
from facewright.facesets.rename import finish
from facewright.facesets.statistics import advise, faceset_plots, faceset_summary, measure_faces
from facewright.ui.contact_sheet import evenly
from facewright.ui.file_viewer import open_in_viewer
from facewright.ui.page import check_port


@dataclass(frozen=True)
class Options:
    """Whose faces, and how to show them."""

    side: str = option("src", "Whose faces.", choices=FACES_OF_SIDES)
    gallery: bool = option(False, "Write the page with all faces even where there is a screen.")
    serve: bool = option(
        False,
        "Work with the faces on a page in a browser: filter, enlarge, put away; from another machine through ssh -L.",
        remember=False,
    )
    port: int = port_option()
    largest: int = option(240, "Most faces on the contact sheet; of more, an even choice.", low=1, high=5000)


@dataclass(frozen=True)
class ViewReport:
    """What was seen.

    Attributes:
        faces: Faces that could be read.
        sheet: Plots and a contact sheet.
        page: The page with all faces; None where the folder was opened or the page was served instead.
    """

    faces: int
    sheet: Path
    page: Path | None


def run(workspace: Workspace, options: Options) -> ViewReport:
    """Open the folder, write a page or serve one; count, advise, draw.

    Raises:
        UserError: There are no faces, the workspace cannot be written, or the port cannot be used.
    """
    side = workspace.side(options.side)
    if options.serve:
        check_port(options.port)
        with workspace.lock(side.name):
            finish(side.aligned_dir, workspace.trash)
            report = _view(workspace, options, side)
    else:
        report = _view(workspace, options, side)
        console.say("Delete the files that do not belong; on a page in a browser:" + side.hint("view", "--serve"))
    console.say(f"Next, sort them:{side.hint('sort')}")
    return report


def _view(workspace: Workspace, options: Options, side: Side) -> ViewReport:
    warn_of_left_out_faces(side)
    faceset = load_faceset(side.aligned_dir)
    if not faceset.faces:
        raise no_faces(side, faceset.bad)
    console.heading(f"{console.counted(len(faceset.faces), 'face')} of {side.name} in {side.aligned_dir}")
    warn_of_bad_files(faceset.bad, "is left out")
    opened = not (options.gallery or options.serve) and open_in_viewer(side.aligned_dir)
    if opened:
        console.say("Opened in the system's viewer.")
    with threads(cores()) as executor:
        other = looks_of(load_faceset(side.other.aligned_dir).faces)
        seen, sheet = _describe(workspace, options, side, faceset, executor, other)
        if options.serve:
            reasons = odd_faces_of(side, faceset, seen.by_name)
            gallery = Gallery(workspace, side, faceset.faces, seen.by_name, reasons, other, executor)
            GalleryPage(gallery, seen).serve(options.port)
            _report(side, gallery)
            faceset.refresh()
    say_verdict(side, faceset)
    if opened or options.serve:
        return ViewReport(len(seen.by_name), sheet, None)
    page = workspace.root / f"{side.name}_faces.html"
    write_bytes(page, gallery_page(side, seen, faceset.faces).encode("utf-8"))
    console.say(f"Page with all of them: {page}")
    return ViewReport(len(seen.by_name), sheet, page)


def _describe(
    workspace: Workspace, options: Options, side: Side, faceset: FaceIndex, executor: Executor, other: Looks
) -> tuple[SeenFaces, Path]:
    """Measure the faces; print advice, write the sheet; return what was seen, and where the sheet is."""
    chosen = {faceset.faces[index].path.name for index in evenly(len(faceset.faces), options.largest)}
    stats, images = measure_faces(side, faceset, executor, chosen, CELL)
    advice = advise(stats, options.side, other)
    console.say(f"  {faceset_summary(stats)}")
    for line in advice:
        (console.say if line.fine else console.warn)(f"  {'+' if line.fine else '!'} {line.text}")
    drawn = faceset_plots(stats, other.poses, side.other.name) if stats.faces else []
    title = f"{side.name}: {console.counted(len(faceset.faces), 'face')}"
    by_name = {face.name: face for face in stats.faces}
    seen = SeenFaces(title, faceset_summary(stats), tuple(advice), tuple(drawn), by_name)
    sheet = workspace.root / f"{side.name}_faces.png"
    write_bytes(sheet, encode(gallery_sheet(seen, images)))
    console.say(f"Plots and a contact sheet with {console.counted(len(images), 'face')}: {sheet}")
    return seen, sheet


def _report(side: Side, gallery: Gallery) -> None:
    if not gallery.trashed:
        console.say("Nothing was put away.")
        return
    went = console.counted(gallery.trashed, "face")
    console.say(f"{went} went to the trash. To bring back what went last:{side.hint('restore')}")
    if side.short == "dst":
        console.warn("A face of data_dst that is in the trash is not converted: its frame stays as it is.")


COMMAND = Command(__doc__, Options, run)
