"""Backups of a model: copies of generations that stay when the generations themselves are deleted.

    model/<name>/backups/generation_000012/   the generation's files, and the preview of that moment

They are there for a training that went wrong slowly, which the two newest generations cannot undo. The newest
`MOST` are kept. A backup is a copy and not a link, so that a damaged file harms one of the two only.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from facewright.core.errors import UserError
from facewright.core.files import disk_errors, fsync_folder, make_folder, move_to_trash
from facewright.core.safe_files import open_regular, remove_tree
from facewright.nn import checkpoint
from facewright.nn.checkpoint import BACKUPS, Generation

MOST = 24
PREVIEW = "preview.png"


def backups(folder: Path) -> list[Path]:
    """Return the backups of a model, the newest first.

    Args:
        folder: Folder of the model.
    """
    return checkpoint.generations(folder / BACKUPS)


def back_up(generation: Path, preview: Path | None = None) -> Path:
    """Copy a generation to the backups of its model and delete the oldest beyond `MOST`.

    Args:
        generation: Folder of a whole generation.
        preview: A PNG that shows what the model can do at this moment; copied too when it is there.

    Returns:
        The backup; one of the same number that is there already is not written again.

    Raises:
        UserError: The disk is full or the folder is read-only; no other backup is touched.
    """
    folder = make_folder(generation.parent / BACKUPS)
    target = folder / generation.name
    if not target.exists():
        _copy(generation, target, preview)
        for old in backups(generation.parent)[MOST:]:
            remove_tree(old)
    return target


def restore_generation(source: Path, trash: Path) -> Generation:
    """Make a generation or a backup the newest generation of its model.

    All generations that are newer, and one of the same number, move to the trash: nothing is lost. Whenever a kill
    comes, the newest generation is the one of before or the restored one.

    Args:
        source: Folder of a generation or of a backup.
        trash: The workspace's trash.

    Raises:
        UserError: It is damaged, or the disk is full; the model is then as it was.
    """
    try:
        wanted = checkpoint.check(source)
    except checkpoint.DamagedGeneration as problem:
        raise UserError(
            f"{source} is damaged: {problem}.", "a whole generation.", "choose another one; nothing was changed."
        ) from problem
    number = checkpoint.number_of(source)
    target = source if source.parent.name != BACKUPS else _copied_back(source, wanted)
    newer = [p for p in checkpoint.generations(target.parent) if checkpoint.number_of(p) >= number and p != target]
    move_to_trash(newer[::-1], trash, by="restore --what model")  # the newest at last: it counts until it is gone
    return checkpoint.check(target)


def _copied_back(backup: Path, wanted: Generation) -> Path:
    """Return a backup's copy among the generations of its model: under its own number, or as the newest of them."""
    folder = backup.parent.parent
    target = folder / backup.name
    if target.exists():
        with suppress(checkpoint.DamagedGeneration):
            if checkpoint.check(target).fingerprint == wanted.fingerprint:
                return target
        target = folder / f"{checkpoint.PREFIX}{checkpoint.next_number(folder):06d}"
    _copy(backup, target, None)
    return target


def _copy(source: Path, target: Path, preview: Path | None) -> None:
    """Copy a generation's files; the target appears by one rename, or is a name that nobody looks at."""
    temporary = checkpoint.scratch(target.parent)
    with disk_errors(target):
        try:
            temporary.mkdir()
            for file in sorted(p for p in source.iterdir() if p.is_file() and p.name != PREVIEW):
                _copy_file(file, temporary / file.name)
            if preview is not None and preview.is_file():
                _copy_file(preview, temporary / PREVIEW)
            fsync_folder(temporary)
            os.rename(temporary, target)
        except BaseException:
            remove_tree(temporary)
            raise
        fsync_folder(target.parent)


def _copy_file(source: Path, target: Path) -> None:
    with open_regular(source) as read, open(target, "xb") as write:
        shutil.copyfileobj(read, write, 1 << 20)
        write.flush()
        os.fsync(write.fileno())
