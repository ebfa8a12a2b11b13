"""Copies of the faces that somebody labelled, in a folder of their own: to be kept, or given to another project."""

from pathlib import Path

from facewright.core import console
from facewright.core.files import make_folder, write_bytes
from facewright.core.safe_files import read_regular
from facewright.core.workspace import Side, Workspace
from facewright.faces.visible import is_labelled
from facewright.facesets.common import load_side_faces


def fetch_labelled(workspace: Workspace, side: Side) -> tuple[int, Path | None]:
    """Copy the labelled faces of a side; files that are there already and the same stay as they are.

    Returns:
        How many labelled faces there are, and the folder; None where there are none.

    Raises:
        UserError: There are no faces, or the disk is full.
    """
    index = load_side_faces(workspace, side)
    labelled = [face for face in index.faces if is_labelled(face.record)]
    if not labelled:
        console.say(f"No face of {side.name} is labelled: none carries polygons, or a painted or imported mask.")
        return 0, None
    folder = make_folder(side.labelled_dir)
    for face in console.progress(labelled, title="Copying labelled faces", unit="faces"):
        data = read_regular(face.path, links=True)
        target = folder / face.path.name
        if not target.is_file() or read_regular(target) != data:
            write_bytes(target, data)
    console.say(f"{console.counted(len(labelled), 'labelled face')} of {side.name} copied to {folder}.")
    return len(labelled), folder
