"""Faces that come into a set from elsewhere: which are here already, what their frames are called, their files' names.

Frames of different videos have the same names (00001.png). A face of another video must not pass for one of a frame
here, so where names clash, all incoming frames get a prefix: `other_00001.png`. There is no such file here, which is
right: the frame stayed where it was.
"""

import re
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import list_files, make_folder, write_bytes
from facewright.core.images import Image, read_image
from facewright.core.machine import cores
from facewright.core.names import MAX_FRAME_NAME, is_longer
from facewright.core.workers import ordered_map
from facewright.core.workspace import Side
from facewright.faces.align import FaceType
from facewright.faces.faceset import FaceFile
from facewright.faces.likeness import shows
from facewright.faces.record import FaceRecord
from facewright.facesets.face_names import FaceNames, usable_stem
from facewright.interop.foreign_face import NotImportable
from facewright.ui.contact_sheet import evenly

COMMON_NAMES = ("aligned", "data_src", "data_dst", "workspace", "")
MAX_PREFIX = 32
COMPARED_FACES = 8  # faces that are compared with the frames here

# What tells a face: its frame and where its points lie in it.
FaceKey = tuple[str, bytes]


@dataclass(frozen=True)
class Incoming:
    """One face that is to come in.

    Attributes:
        name: Where it comes from, for messages.
        frame: Bare name of its frame.
        points: (68, 2), (x, y) in the frame, as they were found: smoothing moves them later.
        load: Returns image and record; raises NotImportable or UserError.
        pack: Returns the bytes of the PNG to be written, given the image and the record that belongs into it.
    """

    name: str
    frame: str
    points: NDArray[np.floating]
    load: Callable[[], tuple[Image, FaceRecord]]
    pack: Callable[[Image, FaceRecord], bytes]

    def key(self, prefix: str) -> FaceKey:
        """Return what tells it, when its frames get a prefix."""
        return landmarks_key(prefix + self.frame, self.points)


@dataclass
class Taken:
    """What became of the incoming faces."""

    written: int = 0
    known: int = 0
    prefix: str = ""
    problems: list[tuple[str, str]] = field(default_factory=list)


def landmarks_key(frame: str, points: NDArray[np.floating]) -> FaceKey:
    """Return what tells a face; points count as a record keeps them."""
    kept = np.asarray(points, np.float32).astype(np.float64).round(3).astype(np.float32)
    return frame, kept.tobytes()


def prefix_from(path: Path) -> str:
    """Return a prefix for frames after the folder that the faces come from."""
    names = [part for part in reversed(path.absolute().parts) if part not in COMMON_NAMES]
    name = names[0].removesuffix(".pak") if names else ""
    words = re.sub(r"\W+", "-", name).strip("-")[:MAX_PREFIX]
    return words or "other"


def choose_prefix(incoming: Sequence[Incoming], own: Sequence[FaceFile], foreign: frozenset[str], word: str) -> str:
    """Return what goes before the frames' names: "" where no frame here has such a name, `<word>_`, `<word>2_` ...

    Faces that came in before do not count as a clash, so that a second run chooses the same prefix.

    Args:
        incoming: The faces.
        own: Those that are here.
        foreign: Names of frames that are here and are known to be others.
        word: From `prefix_from`.
    """
    number = 0
    while True:
        prefix = "" if number == 0 else f"{word}_" if number == 1 else f"{word}{number}_"
        mine = {face.key(prefix) for face in incoming}
        others = {f.record.frame for f in own if landmarks_key(f.record.frame, f.record.found_landmarks) not in mine}
        if not {prefix + face.frame for face in incoming} & (others | foreign):
            return prefix
        number += 1


def take_in(
    side: Side, incoming: Sequence[Incoming], own: Sequence[FaceFile], prefix: str, executor: Executor
) -> Taken:
    """Write all faces that are not here yet; a run that was stopped goes on.

    Args:
        side: Where they go.
        incoming: The faces.
        own: Those that are here.
        prefix: From `choose_prefix`.
        executor: Threads that read and encode.
    """
    make_folder(side.aligned_dir)
    seen = {landmarks_key(face.record.frame, face.record.found_landmarks) for face in own}
    taken = Taken(prefix=prefix)
    todo = []
    for face in incoming:
        if face.key(prefix) in seen:
            taken.known += 1
        else:
            seen.add(face.key(prefix))
            todo.append(face)
    names = FaceNames(path.name for path in list_files(side.aligned_dir))
    made = ordered_map(lambda face: _make(face, prefix), todo, executor, ahead=2 * cores())
    for face, data in zip(todo, console.progress(made, total=len(todo), title="Faces", unit="faces"), strict=True):
        if isinstance(data, str):
            taken.problems.append((face.name, data))
            continue
        stem = usable_stem(prefix + face.frame) or "face"
        write_bytes(side.aligned_dir / names.take(stem), data)
        taken.written += 1
    return taken


def _make(face: Incoming, prefix: str) -> bytes | str:
    """Return the bytes of the file, or what is wrong with the face."""
    try:
        image, record = face.load()
        if prefix:
            record = _renamed(record, prefix)
        return face.pack(image, record)
    except Exception as error:
        return reason(error)


def reason(error: Exception) -> str:
    """Say why a face is left out. Whatever is wrong with a file of a stranger, the others come in."""
    if isinstance(error, NotImportable):
        return str(error)
    if isinstance(error, UserError):
        return error.happened.rstrip(".")
    if isinstance(error, OSError):
        return f"it cannot be read ({error.strerror})"
    console.note("".join(traceback.format_exception(error)).rstrip())
    return f"there is something in it that nobody thought of ({type(error).__name__}; the log file says more)"


def _renamed(record: FaceRecord, prefix: str) -> FaceRecord:
    name = prefix + record.frame
    if is_longer(name, MAX_FRAME_NAME):
        raise NotImportable("the name of its frame is too long")
    return replace(record, frame=name)


def frames_belong(side: Side, incoming: Sequence[Incoming]) -> bool | None:
    """Say whether the frames here are those that the incoming faces were cut from; None where none has such a name.

    Some faces are cut again from the frames here and compared with their images.
    """
    frames = {path.name: path for path in side.frames()}
    found = [face for face in incoming if face.frame in frames]
    there = []
    for index in evenly(len(found), COMPARED_FACES):
        try:
            image, record = found[index].load()
            frame = read_image(frames[record.frame])
        except Exception:  # said when the face is taken in
            continue
        there.append(shows(frame, image, None if record.face_type is FaceType.MARK_ONLY else record.matrix))
    return 2 * sum(there) > len(there) if there else None


def report(side: Side, taken: Taken) -> None:
    """Say what came in."""
    console.say(f"{console.counted(taken.written, 'face')} came into {side.aligned_dir}.")
    if taken.known:
        console.say(f"{taken.known} were there already.")
    if taken.prefix and taken.written:
        console.say(f"Frames here have the same names, so theirs are called {taken.prefix}... in the records.")
    for reason, names in _by_reason(taken.problems).items():
        console.warn(f"{len(names)} left out ({console.listed(names, 3)}): {reason}.")


def _by_reason(problems: list[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, reason in problems:
        groups.setdefault(reason, []).append(name)
    return groups
