"""What the work on facesets shares: copies of replaced files in the trash, loading a side's faces, messages."""

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from facewright.core import console, left_out
from facewright.core.errors import UserError
from facewright.core.files import NOTE, copy_to_trash, disk_errors, write_json
from facewright.core.left_out import warn_of_left_out_faces
from facewright.core.workspace import Side, Workspace
from facewright.faces.faceset import FaceIndex, load_faceset
from facewright.facesets.rename import finish

MAX_LISTED = 5  # bad files that are listed by name


class OldVersions:
    """Keeps files that are about to be replaced, all of one run in one dated folder of the trash.

    A link or a copy, so that the file stays at its place until the new one takes it.
    """

    def __init__(self, workspace: Workspace, paths: Iterable[Path], by: str) -> None:
        """Note which files may be replaced.

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
        """Put a copy of a file into the trash."""
        if self.folder is None:
            self.folder = copy_to_trash(path, self._workspace.trash, by=self._by)
            write_json(self.folder / NOTE, {"by": self._by, "files": self._origins})
            return
        with disk_errors(self.folder):
            try:
                os.link(path, self.folder / path.name)
            except OSError:  # another disk, or a file system without links
                shutil.copy2(path, self.folder / path.name)

    def report(self) -> None:
        """Say where they are."""
        if self.folder:
            console.say(f"The old files are in {self.folder}.")


def load_side_faces(workspace: Workspace, side: Side, *, needed: bool = True) -> FaceIndex:
    """Load the faces of a side, after finishing a renaming that was interrupted; bad files get a warning.

    Raises:
        UserError: There are no faces, and some are needed.
    """
    if done := finish(side.aligned_dir, workspace.trash):
        console.say(
            f"An earlier renaming was interrupted: its renaming of {console.counted(done.renamed, 'file')} is "
            "finished now."
        )
    warn_of_left_out_faces(side)
    faceset = load_faceset(side.aligned_dir)
    if needed and not faceset.faces:
        raise no_faces(side, faceset.bad)
    warn_of_bad_files(faceset.bad, "is left as it is")
    return faceset


Bad = Sequence[tuple[Path, UserError]]


def warn_of_bad_files(bad: Bad, fate: str) -> None:
    """Warn of files that are not usable faces: the first few with the reason, the others counted.

    Args:
        bad: Files and what is wrong with them.
        fate: What happens to each: "keeps its name".
    """
    for path, problem in bad[:MAX_LISTED]:
        if path.exists():
            console.warn(f"{problem.happened} It {fate}.")
        else:
            console.warn(f"{path.name} vanished meanwhile.")
    if len(bad) > MAX_LISTED:
        console.warn(f"The same problem: {console.counted(len(bad) - MAX_LISTED, 'more file')}.")


def no_faces(side: Side, bad: Bad = ()) -> UserError:
    """Return the error of a side without faces; it says what to do where only their records are gone."""
    if not bad:
        return left_out.no_faces(side, "aligned PNG files, as the extraction writes them.")
    return UserError(
        f"None of the {len(bad)} PNG files in {side.aligned_dir} is a face that can be used.",
        "aligned PNG files with the data of their face inside, as the extraction writes them.",
        "put the data back where another program lost it (first line), or move them away and extract anew (second):"
        f"{side.hint('faceset --action restore-metadata')}{side.hint('extract')}",
    )
