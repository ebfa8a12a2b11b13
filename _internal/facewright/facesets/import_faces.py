"""Import the faces of DeepFaceLab (2018 and later, also packed) and FaceSwap."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import JPEG_EXTENSIONS, list_files, typed_path
from facewright.core.images import Image, encode
from facewright.core.left_out import warn_of_left_out
from facewright.core.machine import cores
from facewright.core.options import option
from facewright.core.png import set_text
from facewright.core.safe_files import read_regular
from facewright.core.workers import ordered_map
from facewright.core.workspace import Side, Workspace
from facewright.extract.detectors.base import Box
from facewright.extract.landmarkers.base import make_landmarker
from facewright.faces.record import KEYWORD, FaceRecord
from facewright.facesets.common import load_side_faces
from facewright.facesets.incoming import (
    Incoming,
    Taken,
    choose_prefix,
    frames_belong,
    prefix_from,
    reason,
    report,
    take_in,
)
from facewright.interop.faceset_pak import NAME, BadPack, members, read_member
from facewright.interop.faceswap_faces import PROGRAM as FACESWAP
from facewright.interop.foreign_face import ForeignFace, NotImportable
from facewright.interop.other_programs import MAX_FILE_BYTES, LandmarkFinder, read_face, to_record

EXTENSIONS = (".png", *JPEG_EXTENSIONS)
FACE_MIDDLE = (0.5, 0.6)  # where the face is in a head-centred image of FaceSwap, roughly, in shares of the side
FACE_SIDE = 0.45  # and the box around it


@dataclass(frozen=True)
class ImportOptions:
    """What comes in."""

    source: str = option(
        "",
        f"A folder with faces of DeepFaceLab or FaceSwap, or a {NAME}. It is only read.",
        ask="Folder with the faces of DeepFaceLab or FaceSwap",
        remember=False,
    )


@dataclass(frozen=True)
class SourceFile:
    """One file, in a folder or in a pack."""

    name: str
    read: Callable[[], bytes]


FoundFaces = list[tuple[SourceFile, ForeignFace]]


def import_faces(workspace: Workspace, side_name: str, options: ImportOptions, executor: Executor) -> None:
    """Make aligned faces from those of another program; a second run adds nothing.

    Raises:
        UserError: There is no such folder, or nothing in it can be used.
    """
    side = workspace.side(side_name)
    own = load_side_faces(workspace, side, needed=False)
    source, files = _source_files(options.source)
    found, problems = _read_all(files, executor)
    if not found:
        first = f" The first file, {problems[0][0]}: {problems[0][1]}." if problems else ""
        raise UserError(
            f"No face of DeepFaceLab or FaceSwap could be read in {source}.{first}",
            f"PNG or JPEG faces with the data that those programs write into them, or a {NAME}.",
            "name the folder of the aligned faces with --source; faces of other programs are extracted anew.",
        )
    incoming = _incoming(found)
    here = frames_belong(side, incoming)
    prefix = ""
    if side_name == "src":
        foreign = frozenset() if here is not False else frozenset(path.name for path in side.frames())
        prefix = choose_prefix(incoming, own.faces, foreign, prefix_from(source))
    taken = take_in(side, incoming, own.faces, prefix, executor)
    taken.problems = [*problems, *taken.problems]
    _report(side, side_name, found, taken, here)


def _source_files(source: str) -> tuple[Path, list[SourceFile]]:
    """Return the files of a folder, or of a packed faceset in it."""
    if not source:
        raise UserError("No folder was named.", "a folder with faces.", "name it with --source DIR.")
    path = typed_path(source).absolute()
    pack = path / NAME if path.is_dir() else path
    if path.is_dir() and not pack.is_file():
        warn_of_left_out(path, EXTENSIONS, "data of faces are in PNG and JPEG files only")
        return path, [SourceFile(file.name, partial(_read, file)) for file in list_files(path, EXTENSIONS)]
    if not pack.is_file():
        raise UserError(f"There is no {path}.", "a folder with faces.", "check the name behind --source.")
    try:
        found = members(pack)
    except (BadPack, OSError) as error:
        raise UserError(f"{pack} cannot be read: {error}.", f"a {NAME} of DeepFaceLab.", "unpack it there.") from error
    return path, [SourceFile(f"{pack.name}:{k}", partial(read_member, pack, member)) for k, member in enumerate(found)]


def _read(path: Path) -> bytes:
    if path.stat().st_size > MAX_FILE_BYTES:
        raise NotImportable(f"it has more than {MAX_FILE_BYTES >> 20} MiB")
    return read_regular(path, links=True)


def _read_all(files: list[SourceFile], executor: Executor) -> tuple[FoundFaces, list[tuple[str, str]]]:
    """Read what the files say about their faces; images are not decoded."""

    def read(file: SourceFile) -> ForeignFace | str:
        try:
            return read_face(file.read())
        except Exception as error:
            return reason(error)

    found, problems = [], []
    results: Iterator[ForeignFace | str] = ordered_map(read, files, executor, ahead=4 * cores())
    shown = console.progress(results, total=len(files), title="Reading", unit="files")
    for file, result in zip(files, shown, strict=True):
        if isinstance(result, str):
            problems.append((file.name, result))
        else:
            found.append((file, result))
    return found, problems


def _incoming(found: FoundFaces) -> list[Incoming]:
    find_landmarks = landmark_finder() if any(foreign.landmarks is None for _, foreign in found) else None

    def load(file: SourceFile, foreign: ForeignFace) -> tuple[Image, FaceRecord]:
        return to_record(foreign, file.read(), find_landmarks)

    return [
        Incoming(file.name, foreign.frame, foreign.frame_landmarks, partial(load, file, foreign), _pack)
        for file, foreign in found
    ]


def _pack(image: Image, record: FaceRecord) -> bytes:
    return set_text(encode(image), KEYWORD, record.to_json())


def landmark_finder() -> LandmarkFinder:
    """Load the landmark predictor, to find the face in the middle of an image."""
    landmarker = make_landmarker()

    def find(image: Image) -> NDArray[np.float32]:
        height, width = image.shape[:2]
        x, y, half = width * FACE_MIDDLE[0], height * FACE_MIDDLE[1], width * FACE_SIDE / 2
        return landmarker.find(image, Box(x - half, y - half, x + half, y + half, 1.0))

    return find


def _report(side: Side, side_name: str, found: FoundFaces, taken: Taken, here: bool | None) -> None:
    programs = sorted({foreign.program for _, foreign in found})
    console.say(f"{len(found)} {'face' if len(found) == 1 else 'faces'} of {' and '.join(programs)} read.")
    report(side, taken)
    for what in sorted({lost for _, foreign in found for lost in foreign.lost}):
        console.say(f"Their {what} have no place in a face record and were left out.")
    if any(foreign.program == FACESWAP for _, foreign in found):
        console.say("Where FaceSwap's images are in their frames was measured; remake cuts them again from the frames.")
    if side_name == "dst" and here is None:
        console.warn(f"None of their frames is in {side.frames_dir}: put those there before you convert.")
    if side_name == "dst" and here is False:
        console.warn(f"The frames in {side.frames_dir} are not those that these faces were cut from.")
        console.warn("  Conversion would put faces where there are none: extract the faces anew instead.")
    console.say(f"Next, look at them:{side.hint('view')}")
