"""Say what an image or a video tells of its origin: whether a trained network made it, and which face it holds.

Reads PNG, JPEG, MP4 and AVI. It changes nothing, and it knows only what the file says of itself: another program may
have removed a mark.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from facewright.core import console
from facewright.core.command import Command
from facewright.core.errors import UserError
from facewright.core.files import typed_path
from facewright.core.hints import hint
from facewright.core.options import option
from facewright.core.workspace import Workspace
from facewright.faces.record import FaceRecord, load_record
from facewright.marking.origin import Origin, read_origin


@dataclass(frozen=True)
class Options:
    """Which file."""

    file: str = option("", "The image or video to look into.", ask="File", remember=False, positional=True)


@dataclass(frozen=True)
class InspectReport:
    """What the file tells.

    Attributes:
        file: The file.
        origin: What it says of its origin; None for nothing.
        face: The record of the aligned face that it is; None where it is none.
    """

    file: Path
    origin: Origin | None
    face: FaceRecord | None


def run(workspace: Workspace, options: Options) -> InspectReport:
    """Read the file and say what was found.

    Raises:
        UserError: No file is named, or it is no image or video that can be read.
    """
    if not options.file:
        raise UserError(
            "No file is named.",
            "an image or a video.",
            f"name one:{hint('inspect', str(workspace.result))}",
        )
    path = typed_path(options.file)
    origin, face = read_origin(path), _face_of(path)
    for line in (str(path), *_lines(origin, face)):
        console.say(line, needed=True)  # it is what the command is for
    return InspectReport(path, origin, face)


def _lines(origin: Origin | None, face: FaceRecord | None) -> Iterator[str]:
    if origin is None:
        yield "It says nothing of its origin."
    else:
        yield f"Made {'with' if origin.made_with_network else 'without'} a trained network, as it says."
        if origin.source_type:
            yield f"  IPTC digital source type: {origin.source_type}"
        if origin.comment:
            yield f"  Comment: {origin.comment}"
    if face is not None:
        person = f", person {face.person}" if face.person else ""
        yield f"An aligned face ({face.face_type}, {face.size} px) from the frame {face.frame}{person}."
        yield f"  Found by {face.detector}; yaw, pitch, roll: {', '.join(f'{v:.0f}' for v in face.pose)} degrees."


def _face_of(path: Path) -> FaceRecord | None:
    try:
        return load_record(path)
    except UserError:  # no aligned face
        return None


COMMAND = Command(__doc__, Options, run)
