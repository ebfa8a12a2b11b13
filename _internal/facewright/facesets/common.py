"""What the faceset tools share: a trash folder for replaced files, names of faces, reports."""

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import NOTE, copy_to_trash, disk_errors, write_json
from facewright.core.workspace import Side, Workspace
from facewright.faces.faceset import Faceset, load_faceset
from facewright.facesets.rename import finish

LONGEST_NAME = 240  # bytes: most file systems end at 255, and temporary names are longer
NEVER = set('<>:"/\\|?*')  # in no file name of Windows


class OldVersions:
    """Keeps what is about to be replaced, all of one run in one dated folder of the trash.

    A link or a copy, so that the file stays at its place until the new one takes it.
    """

    def __init__(self, workspace: Workspace, paths: Iterable[Path], by: str) -> None:
        """Note what may come.

        Args:
            workspace: Whose trash it is.
            paths: All files that may be replaced.
            by: The step that does it, for the list of `restore`.
        """
        self._workspace = workspace
        self._by = by
        self._origins = {path.name: path.relative_to(workspace.root).as_posix() for path in paths}
        self.folder: Path | None = None

    def keep(self, path: Path) -> None:
        """Put a second copy of a file into the trash."""
        if self.folder is None:
            self.folder = copy_to_trash(path, self._workspace.trash, by=self._by)
            write_json(self.folder / NOTE, {"by": self._by, "files": self._origins})
            return
        with disk_errors(self.folder):
            try:
                os.link(path, self.folder / path.name)
            except OSError:  # another disk, or a file system without links
                shutil.copy2(path, self.folder / path.name)

    def say(self) -> None:
        """Name the folder."""
        if self.folder:
            console.say(f"The old files are in {self.folder}.")


def load_own(workspace: Workspace, side: Side, *, needed: bool = True) -> Faceset:
    """Load the faces of a side, after finishing a renaming that was interrupted; bad files are named.

    Raises:
        UserError: There are no faces, and some are needed.
    """
    if done := finish(side.aligned_dir, workspace.trash):
        console.say(f"An earlier renaming was interrupted: its {done.renamed} files have their new names now.")
    faceset = load_faceset(side.aligned_dir)
    if needed and not faceset.faces:
        raise no_faces(side, faceset.bad)
    name_bad(faceset.bad, "is left as it is")
    return faceset


def usable_stem(frame: str) -> str | None:
    """Return the part of a face's file name that names its frame; None where no file can be called that."""
    stem = Path(frame).stem
    bad = stem.startswith(".") or stem != stem.strip() or any(c in NEVER or ord(c) < 32 for c in stem)
    return None if bad or not stem or len(os.fsencode(stem)) > LONGEST_NAME else stem


class FreeNames:
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


NAMED = 5

Bad = Sequence[tuple[Path, UserError]]


def name_bad(bad: Bad, fate: str) -> None:
    """Name the first few files that are no usable faces, with the reason, and count the rest.

    Args:
        bad: Files and what is wrong with them.
        fate: What becomes of each: "keeps its name".
    """
    for path, problem in bad[:NAMED]:
        if path.exists():
            console.warn(f"{problem.happened} It {fate}.")
        else:
            console.warn(f"{path.name} vanished meanwhile.")
    if len(bad) > NAMED:
        console.warn(f"So it is with {len(bad) - NAMED} more files.")


def no_faces(side: Side, bad: Bad = ()) -> UserError:
    """Say that a side has no faces, and what to do where only their data is gone."""
    if not bad:
        return UserError(
            f"There are no faces in {side.aligned_dir}.",
            "aligned PNG files, as the extraction writes them.",
            f"run {side.extractor} first.",
        )
    return UserError(
        f"None of the {len(bad)} PNG files in {side.aligned_dir} is a face that can be used.",
        "aligned PNG files with the data of their face inside, as the extraction writes them.",
        f"put the data back where another program lost it: main.py faceset --action restore-metadata --side "
        f"{side.name.removeprefix('data_')}. Or move them away and run {side.extractor}.",
    )
