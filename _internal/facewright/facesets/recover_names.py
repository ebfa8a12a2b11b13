"""Recover the original names: <frame>_<k>.png, k per frame, the largest face first, as the extraction gives them."""

from facewright.core import console
from facewright.core.files import list_files
from facewright.core.workspace import Workspace
from facewright.faces.faceset import FaceFile
from facewright.facesets.common import FreeNames, load_own, usable_stem
from facewright.facesets.rename import rename_all


def recover_names(workspace: Workspace, side_name: str) -> None:
    """Rename all faces of a side after the frames that their records name.

    Raises:
        UserError: There are no faces.
    """
    side = workspace.side(side_name)
    faces = load_own(workspace, side).faces
    mine = {face.path.name for face in faces}
    others = [path.name for path in list_files(side.aligned_dir) if path.name not in mine]
    named = [face for face in faces if usable_stem(face.record.frame)]
    left = [face.path.name for face in faces if not usable_stem(face.record.frame)]
    moves = plan([(face.path.name, face.stem) for face in sorted(named, key=_order)], [*others, *left])
    changed = sum(old != final for old, _, final in moves)
    if changed:
        rename_all(side.aligned_dir, moves, workspace.trash, by="recover-names")
    console.say(f"{changed} of {len(faces)} faces renamed after their frames in {side.aligned_dir}.")
    if left:
        console.say(f"Left as they are, because no file can be called after their frame: {console.listed(left)}.")


def _order(face: FaceFile) -> tuple[str, float, str]:
    left, top, right, bottom = face.record.rect
    return face.stem.lower(), -abs((right - left) * (bottom - top)), face.path.name


def plan(files: list[tuple[str, str]], taken: list[str]) -> list[tuple[str, str, str]]:
    """Plan the renaming in two passes.

    Args:
        files: (name, stem of its frame), in the order in which numbers are given.
        taken: Other names in the folder.

    Returns:
        (name, name between, final name) of each file.
    """
    names = FreeNames(taken)
    finals = [names.take(stem) for _, stem in files]
    occupied = {name.lower() for name in [*taken, *(name for name, _ in files), *finals]}
    prefix = "n"
    while any(name.startswith(prefix) for name in occupied):
        prefix += "n"
    return [
        (name, f"{prefix}{number:06d}.png", final)
        for number, ((name, _), final) in enumerate(zip(files, finals, strict=True))
    ]
