"""The faces of a training: loaded, checked, and compared with those of the last run."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import natural
from facewright.core.left_out import no_faces, warn_of_left_out_faces
from facewright.core.safe_files import files_below
from facewright.core.workspace import SIDES, Side, Workspace
from facewright.faces.faceset import FaceFile, load_faceset
from facewright.faces.landmarkers import warn_of_mixed_landmarkers

MAX_LISTED = 5  # files named in a message
MIN_FACES = 20  # of a side; fewer are trained on with a warning

FaceStreams = Mapping[str, list[FaceFile]]  # "src" and "dst" -> faces


def load_face_pair(workspace: Workspace) -> FaceStreams:
    """Return the faces of data_src and data_dst.

    Raises:
        UserError: A side has none, some cannot be read, or both sides hold the same faces.
    """
    src, dst = _load_side(workspace.src), _load_side(workspace.dst)
    if fingerprint(src) == fingerprint(dst):
        raise UserError(
            f"{workspace.src.aligned_dir} and {workspace.dst.aligned_dir} hold the same faces.",
            "faces of two people: who is put in, and who is replaced.",
            "see which folder is wrong, then extract its faces again:"
            f"{workspace.src.hint('view')}{workspace.dst.hint('view')}",
        )
    common = len(set(map(_row, src)) & set(map(_row, dst)))
    if common:
        console.warn(
            f"{common} face{'s are' if common != 1 else ' is'} in both data_src and data_dst. Training works, but they "
            "should show two people: who is put in, and who is replaced."
        )
    warn_of_mixed_landmarkers(
        "data_src and data_dst",
        (face.record for face in (*src, *dst)),
        f"One of them for all faces:{workspace.src.hint('extract --redo')}{workspace.dst.hint('extract --redo')}",
    )
    for side, faces in ((workspace.src, src), (workspace.dst, dst)):
        if len(faces) < MIN_FACES:
            console.warn(
                f"{side.name} has {len(faces)} face{'s' if len(faces) != 1 else ''} only. Training works, but some "
                "hundred faces of all directions and expressions are what a good swap needs."
            )
    return {"src": src, "dst": dst}


def load_pretraining_faces(folder: Path) -> FaceStreams:
    """Return all faces below a folder, for both sides.

    Raises:
        UserError: There is no such folder, or it has too few faces.
    """
    found = (path for path in files_below(folder) if path.suffix == ".png" and not path.name.startswith("."))
    faceset = load_faceset(sorted(found, key=lambda path: natural(str(path))))
    if faceset.bad:
        names = [str(path.relative_to(folder)) for path, _ in faceset.bad]
        console.warn(
            f"Left out of {folder}, for it is no aligned face: {console.counted(len(names), 'image')} "
            f"({console.listed(names)})"
        )
    if len(faceset.faces) < 2:
        raise UserError(
            f"{folder} holds {console.counted(len(faceset.faces), 'aligned face')}.",
            "a folder with faces of many people, as step 4 or 5 wrote them; subfolders are searched too.",
            "name another folder with --pretrain FOLDER.",
        )
    return dict.fromkeys(SIDES, faceset.faces)


def _load_side(side: Side) -> list[FaceFile]:
    warn_of_left_out_faces(side)
    faceset = load_faceset(side.aligned_dir)
    if faceset.bad:
        raise _unusable(side, [(path, error.happened) for path, error in faceset.bad])
    if not faceset.faces:
        raise no_faces(side, f"aligned faces of {side.name}.")
    return faceset.faces


def _unusable(side: Side, problems: list[tuple[Path, str]]) -> UserError:
    listed = "; ".join(reason for _, reason in problems[:MAX_LISTED])
    more = f"; and {len(problems) - MAX_LISTED} more" if len(problems) > MAX_LISTED else ""
    return UserError(
        f"{console.counted(len(problems), 'file')} in {side.aligned_dir} cannot be trained on: {listed}{more}",
        "only faces that the extraction wrote.",
        f"move these files out of that folder, or extract the faces again:{side.hint('extract --redo')}",
    )


def fingerprint(faces: Iterable[FaceFile]) -> str:
    """Return 16 hex digits that identify a set of faces; names and order of the files do not matter."""
    rows = sorted(_row(face) for face in faces)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]


def _row(face: FaceFile) -> str:
    return f"{face.path.stat().st_size} {face.record.frame} {face.record.rect}"


def describe_faces(faces: FaceStreams) -> dict[str, Any]:
    """Return what a saved state remembers of the faces."""
    return {name: {"count": len(files), "print": fingerprint(files)} for name, files in faces.items()}


def describe_changes(before: Any, now: Mapping[str, Any]) -> list[str]:
    """Return a text for each side whose faces have changed since the last run."""
    said = []
    for side in now:
        old = before.get(side) if isinstance(before, dict) else None
        if isinstance(old, dict) and old.get("print") != now[side]["print"]:
            whose = f"data_{side}" if side in SIDES else side
            said.append(f"{whose}: {console.counted(old.get('count', 0), 'face')} then, {now[side]['count']} now")
    return said


def refuse_swapped_sides(before: Any, now: Mapping[str, Any], name: str) -> None:
    """Check that src and dst were not swapped since the last run: each decoder would forget its person.

    Args:
        before: What the saved state remembers of the faces.
        now: The same of the faces that are there.
        name: Of the model.

    Raises:
        UserError: Each side holds the faces that the other one had.
    """
    src, dst = ((before.get(side) if isinstance(before, dict) else None) for side in SIDES)
    if not isinstance(src, dict) or not isinstance(dst, dict) or src.get("print") == dst.get("print"):
        return
    if (src.get("print"), dst.get("print")) == (now["dst"]["print"], now["src"]["print"]):
        raise UserError(
            f"data_src and data_dst have changed places since {name} was trained: each holds the other one's faces.",
            "the person who is put in in data_src, the one who is replaced in data_dst, as before.",
            "swap the two folders back; or, to replace the other way round, train a new model: --name NEW "
            f"--start-from {name}. Nothing was changed.",
        )
