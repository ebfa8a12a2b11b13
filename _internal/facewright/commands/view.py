"""Look at the faces of data_src or data_dst: how many, from which sides, how sharp; what the manual advises.

The folder opens in the system's own viewer. Without a screen (or with --gallery) an HTML page with all faces is
written beside it. Either way the console says what the set lacks, and a PNG shows plots and a contact sheet.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facewright.core import console
from facewright.core.command import Command
from facewright.core.errors import UserError
from facewright.core.files import write_bytes
from facewright.core.images import Image, encode, read_image
from facewright.core.options import option
from facewright.core.workers import cores, ordered_map, threads
from facewright.core.workspace import Side, Workspace
from facewright.faces.faceset import FaceFile, Faceset, load_faceset
from facewright.facesets.common import name_bad, no_faces
from facewright.facesets.gallery import CELL, page, sheet
from facewright.facesets.statistics import Measured, Statistics, advise, measure, plots, summary
from facewright.ui.contact_sheet import evenly, fit


@dataclass(frozen=True)
class Options:
    """Whose faces, and how to show them."""

    side: str = option("src", "Whose faces.", choices={"src": "faces of data_src", "dst": "faces of data_dst"})
    gallery: bool = option(False, "Write the page with all faces even where there is a screen.")
    largest: int = option(240, "Most faces on the contact sheet; of more, an even choice.", low=1, high=5000)


def run(workspace: Workspace, options: Options) -> None:
    """Open the folder or write a page; count, advise, draw.

    Raises:
        UserError: There are no faces, or the workspace cannot be written.
    """
    side = workspace.side(options.side)
    faceset = load_faceset(side.aligned_dir)
    if not faceset.faces:
        raise no_faces(side, faceset.bad)
    console.heading(f"{len(faceset.faces)} faces of {side.name} in {side.aligned_dir}")
    name_bad(faceset.bad, "is left out")
    opener = None if options.gallery else system_viewer(side.aligned_dir)
    if opener:
        open_folder(opener)
        console.say("Opened in the system's viewer.")
    _look(workspace, options, side, faceset, with_page=opener is None)
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


def _look(workspace: Workspace, options: Options, side: Side, faceset: Faceset, *, with_page: bool) -> None:
    """Count, say, draw and write."""
    chosen = {faceset.faces[index].path.name for index in evenly(len(faceset.faces), options.largest)}
    stats, pictures = measured(side, faceset, chosen)
    other_side = workspace.side("dst" if options.side == "src" else "src")
    other = poses(other_side)
    advice = advise(stats, options.side, other)
    console.say(f"  {summary(stats)}")
    for line in advice:
        (console.say if line.fine else console.warn)(f"  {'+' if line.fine else '!'} {line.text}")
    drawn = plots(stats, other, other_side.name) if stats.faces else []
    title = f"{side.name}: {len(faceset.faces)} faces"
    target = workspace.root / f"{side.name}_faces.png"
    write_bytes(target, encode(sheet(title, summary(stats), advice, drawn, pictures)))
    console.say(f"Plots and a contact sheet with {len(pictures)} faces: {target}")
    if with_page:
        target = workspace.root / f"{side.name}_faces.html"
        by_name = {face.name: face for face in stats.faces}
        text = page(side, title, summary(stats), advice, drawn, faceset.faces, by_name)
        write_bytes(target, text.encode("utf-8"))
        console.say(f"Page with all of them: {target}")


def measured(side: Side, faceset: Faceset, chosen: set[str]) -> tuple[Statistics, list[tuple[str, Image]]]:
    """Measure all faces in threads, a few at a time; damaged pictures are named and left out.

    Args:
        side: Whose faces.
        faceset: The faces.
        chosen: Names of those whose picture is wanted.

    Returns:
        The numbers; (label, small picture) of the chosen ones.
    """

    def look(file: FaceFile) -> tuple[Measured, Image | None] | UserError:
        try:
            image = read_image(file.path)
        except UserError as problem:
            return problem
        return measure(file, image), fit(image, (CELL, CELL)) if file.path.name in chosen else None

    faces: list[Measured] = []
    pictures: list[tuple[str, Image]] = []
    with threads(cores()) as pool:
        results = ordered_map(look, faceset.faces, pool, ahead=4 * cores())
        for result in console.progress(results, total=len(faceset.faces), title="Looking", unit="faces"):
            if isinstance(result, UserError):
                console.warn(result.happened)
                continue
            faces.append(result[0])
            if result[1] is not None:
                pictures.append((Path(result[0].name).stem, result[1]))
    damaged = len(faceset.bad) + len(faceset.faces) - len(faces)
    return Statistics(tuple(faces), damaged, frozenset(path.name for path in side.frames())), pictures


def poses(side: Side) -> NDArray[np.float64]:
    """Return (n, 2) yaw and pitch in degrees of all faces of a side, from their records."""
    found: Sequence[FaceFile] = load_faceset(side.aligned_dir).faces
    return np.array([face.record.pose[:2] for face in found], np.float64).reshape(-1, 2)


COMMAND = Command(__doc__, Options, run)
