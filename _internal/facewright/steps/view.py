"""Look at the faces of data_src or data_dst: in the system's own viewer, or as a page and a picture.

Without a screen (or with --gallery) a contact sheet PNG and an HTML page are written beside the folder.
"""

import html
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import write_bytes
from facewright.core.images import Image, encode, read_image
from facewright.core.options import option
from facewright.core.sheet import contact_sheet, evenly
from facewright.core.workspace import Side, Workspace
from facewright.faces.faceset import Faceset, load_faceset

COMMAND = "view"
COLUMNS, CELL = 12, 112  # of the contact sheet: faces per row, pixels
PAGE = """<!DOCTYPE html>
<meta charset="utf-8"><title>{title}</title>
<style>
body {{ background: #202020; color: #ddd; font: 13px sans-serif; margin: 16px }}
figure {{ display: inline-block; margin: 4px; width: 160px; vertical-align: top }}
img {{ width: 160px; display: block }}
figcaption {{ overflow: hidden; text-overflow: ellipsis; white-space: nowrap }}
</style>
<h1>{title}</h1>
<p>To leave a face out, delete its file in {folder}.</p>
{figures}
"""


@dataclass(frozen=True)
class Options:
    """Whose faces, and how to show them."""

    side: str = option("src", "Whose faces.", choices={"src": "faces of data_src", "dst": "faces of data_dst"})
    gallery: bool = option(False, "Write the page and the contact sheet even where there is a screen.")
    largest: int = option(240, "Most faces on the contact sheet; of more, an even choice.", low=1, high=5000)


def run(workspace: Workspace, options: Options) -> None:
    """Open the folder, or write page and sheet.

    Raises:
        UserError: There are no faces.
    """
    side = workspace.side(options.side)
    faceset = load_faceset(side.aligned_dir)
    if not faceset.faces:
        step = "4_src_extract_faces" if options.side == "src" else "5_dst_extract_faces"
        raise UserError(
            f"There are no faces in {side.aligned_dir}.", "aligned PNG files of the extraction.", f"run {step} first."
        )
    console.say(f"{len(faceset.faces)} faces of {side.name} in {side.aligned_dir}")
    for path, problem in faceset.bad:
        console.warn(f"{path.name}: {problem.happened}")
    opener = None if options.gallery else system_viewer(side.aligned_dir)
    if opener:
        open_folder(opener)
        console.say("Opened in the system's viewer.")
    else:
        _write_gallery(workspace, side, faceset, options.largest)
    console.say(
        f"Delete the files that do not belong. Next: {'4.2_src' if options.side == 'src' else '5.2_dst'}_sort_faces"
    )


def system_viewer(folder: Path) -> list[str] | None:
    """Return the command that shows a folder on the screen; None without a screen or such a program."""
    if sys.platform == "win32":
        return ["explorer", str(folder)]
    if sys.platform == "darwin":
        return ["open", str(folder)]
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    program = shutil.which("xdg-open")
    return [program, str(folder)] if screen and program else None


def open_folder(command: list[str]) -> None:
    """Start the viewer and let it go on by itself."""
    subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _write_gallery(workspace: Workspace, side: Side, faceset: Faceset, largest: int) -> None:
    page = workspace.root / f"{side.name}_faces.html"
    write_bytes(page, gallery(side, faceset).encode("utf-8"))
    sheet = workspace.root / f"{side.name}_faces.png"
    chosen = list(pictures(faceset, largest))
    if chosen:
        write_bytes(sheet, encode(contact_sheet(chosen, min(COLUMNS, len(chosen)), CELL)))
        console.say(f"Contact sheet with {len(chosen)} of them: {sheet}")
    console.say(f"Page with all of them: {page}")


def pictures(faceset: Faceset, largest: int) -> Iterator[tuple[str, Image]]:
    """Yield (name, picture) of an even choice of the faces; damaged pictures are named and left out."""
    for index in evenly(len(faceset.faces), largest):
        path = faceset.faces[index].path
        try:
            yield path.stem, read_image(path)
        except UserError as problem:
            console.warn(problem.happened)


def gallery(side: Side, faceset: Faceset) -> str:
    """Return an HTML page of all faces; it works from the workspace folder, on any machine."""
    figures = []
    for face in faceset.faces:
        address = quote(f"{side.name}/{side.aligned_dir.name}/{face.path.name}")
        yaw, pitch, _ = face.record.pose
        facts = f"{face.record.frame}, yaw {yaw:.0f}, pitch {pitch:.0f}, {face.record.detector} {face.record.score:.2f}"
        caption = f"{html.escape(face.path.name)}<br>{html.escape(facts)}"
        figures.append(f'<figure><img loading="lazy" src="{address}"><figcaption>{caption}</figcaption></figure>')
    title = html.escape(f"{side.name}: {len(faceset.faces)} faces")
    folder = html.escape(f"{side.name}/{side.aligned_dir.name}")
    return PAGE.format(title=title, folder=folder, figures="\n".join(figures))
