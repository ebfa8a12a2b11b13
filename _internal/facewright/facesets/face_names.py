"""The names of face files: <frame>_<k>.png, k per frame; and how all faces of a side get them back."""

from collections.abc import Iterable
from pathlib import Path

from facewright.core import console
from facewright.core.files import list_files, natural
from facewright.core.names import MAX_FRAME_NAME, is_longer, is_plain
from facewright.core.workspace import Workspace
from facewright.facesets.common import load_side_faces
from facewright.facesets.rename import rename_all
from facewright.facesets.statistics import box_side

FORBIDDEN = set('<>:"/\\|?*')  # in no file name of Windows


def usable_stem(frame: str) -> str | None:
    """Return the part of a face's file name that names its frame; None where no file can be called that."""
    stem = Path(frame).stem
    bad = stem.startswith(".") or stem != stem.strip() or any(c in FORBIDDEN or ord(c) < 32 for c in stem)
    return None if bad or not stem or not is_plain(stem) or is_longer(stem, MAX_FRAME_NAME) else stem


class FaceNames:
    """Hands out `<frame stem>_<k>.png`, k from 0, passing over names that are taken (A and a are the same)."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = {name.lower() for name in taken}
        self._next: dict[str, int] = {}

    def take(self, stem: str) -> str:
        """Return the next free name of a frame's stem."""
        number = self._next.get(stem.lower(), 0)
        while f"{stem}_{number}.png".lower() in self._taken:
            number += 1
        self._next[stem.lower()] = number + 1
        name = f"{stem}_{number}.png"
        self._taken.add(name.lower())
        return name


def recover_names(workspace: Workspace, side_name: str) -> None:
    """Rename all faces of a side after the frames that their records name, the largest face of a frame first.

    Raises:
        UserError: There are no faces.
    """
    side = workspace.side(side_name)
    faces = load_side_faces(workspace, side).faces
    mine = {face.path.name for face in faces}
    others = [path.name for path in list_files(side.aligned_dir) if path.name not in mine]
    named = [face for face in faces if usable_stem(face.record.frame)]
    left = [face.path.name for face in faces if not usable_stem(face.record.frame)]
    named.sort(key=lambda face: (natural(face.stem.lower()), -box_side(face.record), natural(face.path.name)))
    moves = plan_renames([(face.path.name, face.stem) for face in named], [*others, *left])
    changed = sum(old != final for old, _, final in moves)
    if changed:
        rename_all(side.aligned_dir, moves, workspace.trash, by="recover-names")
    console.say(f"{changed} of {console.counted(len(faces), 'face')} renamed after their frames in {side.aligned_dir}.")
    if left:
        console.say(f"Left as they are, because no file can be called after their frame: {console.listed(left)}.")


def plan_renames(files: list[tuple[str, str]], taken: list[str]) -> list[tuple[str, str, str]]:
    """Plan the renaming in two passes.

    Args:
        files: (name, stem of its frame), in the order in which numbers are given.
        taken: Other names in the folder.

    Returns:
        (name, name between, final name) of each file.
    """
    names = FaceNames(taken)
    finals = [names.take(stem) for _, stem in files]
    occupied = {name.lower() for name in [*taken, *(name for name, _ in files), *finals]}
    prefix = "n"
    while any(name.startswith(prefix) for name in occupied):
        prefix += "n"
    return [
        (name, f"{prefix}{number:06d}.png", final)
        for number, ((name, _), final) in enumerate(zip(files, finals, strict=True))
    ]
