"""Merge the src faces of another workspace or folder into this one."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import typed_path
from facewright.core.images import Image
from facewright.core.left_out import FACE_EXTENSIONS, warn_of_left_out
from facewright.core.options import option
from facewright.core.png import set_text
from facewright.core.safe_files import read_regular
from facewright.core.workspace import Side, Workspace
from facewright.faces.faceset import FaceFile, FaceIndex, load_faceset
from facewright.faces.landmarkers import warn_of_mixed_landmarkers
from facewright.faces.record import KEYWORD, FaceRecord, load_face
from facewright.facesets.common import load_side_faces
from facewright.facesets.incoming import (
    Incoming,
    choose_prefix,
    frames_belong,
    landmarks_key,
    prefix_from,
    report,
    take_in,
)


@dataclass(frozen=True)
class MergeOptions:
    """What comes in."""

    source: str = option(
        "",
        "Another workspace, or a folder with aligned faces. It is only read.",
        ask="Folder of the other workspace or of its faces",
        remember=False,
    )


def merge(workspace: Workspace, side_name: str, options: MergeOptions, executor: Executor) -> None:
    """Copy the faces of another set into this one; a second run adds nothing.

    Raises:
        UserError: dst was asked for, or there is no such folder or no faces in it.
    """
    if side_name == "dst":
        raise UserError(
            "Faces of data_dst cannot be merged: each is put back into its own frame.",
            "faces of data_src, which only show what a person looks like.",
            "use --side src, or extract the faces of the other video in a workspace of its own.",
        )
    side = workspace.side(side_name)
    own = load_side_faces(workspace, side, needed=False)
    folder, other = _other(side, options.source)
    for path, problem in other.bad:
        console.warn(f"{path.name} is left out: {problem.happened}")
    numbered = any(face.record.person is not None for face in own.faces)
    incoming = [_incoming(face, drop_person=True) for face in other.faces]
    foreign = frozenset() if frames_belong(side, incoming) else frozenset(path.name for path in side.frames())
    prefix = choose_prefix(incoming, own.faces, foreign, prefix_from(folder))
    keeping = _are_numbered_alike(own.faces, incoming, other.faces, prefix)
    if keeping:
        incoming = [_incoming(face, drop_person=False) for face in other.faces]
    taken = take_in(side, incoming, own.faces, prefix, executor)
    report(side, taken)
    warn_of_mixed_landmarkers(
        str(side.aligned_dir),
        (face.record for face in (*own.faces, *other.faces)),
        "To have one, extract both sets with the same --landmarker.",
    )
    if taken.written and not keeping and (numbered or any(face.record.person is not None for face in other.faces)):
        console.say(
            "The new faces have no person's number, for the numbers of two sets do not agree. To number all anew:"
            f"{side.hint('people --renumber')}"
        )
    console.say(f"Next, look at them and sort them:{side.hint('view')}{side.hint('sort')}")


def _are_numbered_alike(
    own: Sequence[FaceFile], incoming: Sequence[Incoming], theirs: Sequence[FaceFile], prefix: str
) -> bool:
    """Whether all faces here came from there, with the numbers of their people: a merge that was stopped goes on."""
    people = {face.key(prefix): file.record.person for face, file in zip(incoming, theirs, strict=True)}
    return all(
        (key := landmarks_key(file.record.frame, file.record.found_landmarks)) in people
        and people[key] == file.record.person
        for file in own
    )


def _other(side: Side, source: str) -> tuple[Path, FaceIndex]:
    if not source:
        raise UserError(
            "No folder was named.", "another workspace, or a folder with aligned faces.", "name it with --source DIR."
        )
    root = typed_path(source).absolute()
    for folder in (root / side.name / "aligned", root / "aligned", root):
        found = load_faceset(folder)
        if found.faces:
            if folder.resolve() == side.aligned_dir.resolve():
                raise UserError(f"{root} is this very set.", "another one.", "name another folder with --source DIR.")
            warn_of_left_out(folder, FACE_EXTENSIONS, "a face is a PNG file")
            return root, found
    raise UserError(
        f"There are no faces of facewright in {root}.",
        f"a workspace with {side.name}/aligned, or a folder with aligned PNG files.",
        "check the name; faces of DeepFaceLab and FaceSwap come in with the action import.",
    )


def _incoming(face: FaceFile, *, drop_person: bool) -> Incoming:
    def load() -> tuple[Image, FaceRecord]:
        image, record = load_face(face.path)
        return image, replace(record, person=None) if drop_person else record

    return Incoming(face.path.name, face.record.frame, face.record.found_landmarks, load, partial(_pack, face.path))


def _pack(path: Path, image: Image, record: FaceRecord) -> bytes:
    # The pixels stay the very same bytes.
    return set_text(read_regular(path, links=True), KEYWORD, record.to_json())
