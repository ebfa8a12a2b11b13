"""Make an empty workspace: all that the steps made moves to its trash/; your videos are never touched.

Nothing is deleted unless --empty-trash asks for it.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from facewright.core import console
from facewright.core.command import Command
from facewright.core.files import disk_errors, list_files, make_folder, move_to_trash
from facewright.core.hints import hint
from facewright.core.options import option
from facewright.core.safe_files import files_below, is_regular, remove_tree
from facewright.core.workspace import Workspace

VIDEO_STEMS = ("data_src", "data_dst")
# Files beside the folders that the steps write, by the beginning of their names.
SHEETS = tuple(f"{stem}_{kind}." for stem in VIDEO_STEMS for kind in ("faces", "people", "sorted"))
REPORTS = ("merged_sheet.", "review.json", "review_sheet.", "evaluation.", "pairs.json")
REPORT_FOLDERS = ("pairs", ".evaluate")
MADE_FILES = ("result.", "result_", *REPORTS, *SHEETS, "answers.json")


@dataclass(frozen=True)
class Options:
    """What to clear."""

    empty_trash: bool = option(False, "Also delete for good what is in trash/ (asks again).", remember=False)


@dataclass(frozen=True)
class ClearReport:
    """What was cleared.

    Attributes:
        moved: Folder of the trash that holds what was moved; None where nothing was.
        emptied: Whether the trash was deleted.
    """

    moved: Path | None
    emptied: bool


def run(workspace: Workspace, options: Options) -> ClearReport:
    """Move what the steps made to the trash and make the empty folders.

    Raises:
        UserError: There is nobody to ask and no --yes, or a step is running in this workspace.
    """
    make_folder(workspace.root)
    with ExitStack() as locks:
        for name in (*VIDEO_STEMS, "model", "result"):
            locks.enter_context(workspace.lock(name))
        moved = _clear(workspace)
        emptied = options.empty_trash and _empty_trash(workspace)
        make_empty_folders(workspace)
    say_report(workspace, moved, emptied)
    return ClearReport(moved, emptied)


def made_by_steps(workspace: Workspace) -> list[Path]:
    """Return what clearing moves: folders with something in them, and the result files."""
    sides = [workspace.src.frames_dir, workspace.dst.frames_dir]
    folders = [*sides, workspace.model_dir, *(workspace.root / name for name in REPORT_FOLDERS)]
    full = [f for f in folders if f.is_dir() and any(p.is_file() for p in files_below(f))]
    return full + [path for path in list_files(workspace.root) if path.name.startswith(MADE_FILES)]


def make_empty_folders(workspace: Workspace) -> None:
    """Make the folders of the workspace convention."""
    for side in (workspace.src, workspace.dst):
        make_folder(side.aligned_dir)
    make_folder(workspace.dst.merged_dir)
    make_folder(workspace.model_dir)


def _clear(workspace: Workspace) -> Path | None:
    paths = made_by_steps(workspace)
    if not paths:
        return None
    console.say(f"In {workspace.root}:")
    for path in paths:
        count, size = _size_of(path)
        console.say(
            f"  {path.name:<24}{console.counted(count, 'file') if path.is_dir() else '':<14}{_readable(size):>10}"
        )
    if not console.ask_permission(f"Move all this to {workspace.trash.name}/?", default=False):
        return None
    return move_to_trash(paths, workspace.trash, by=COMMAND.name)


def _empty_trash(workspace: Workspace) -> bool:
    if not workspace.trash.is_dir() or not any(workspace.trash.iterdir()):
        return False
    count, size = _size_of(workspace.trash)
    what = f"{console.counted(count, 'file')} ({_readable(size)})"
    if not console.ask_permission(f"Delete {what} in {workspace.trash} for good?", default=False):
        return False
    with disk_errors(workspace.trash):
        for path in workspace.trash.iterdir():  # one by one: the trash may be a link to another disk
            remove_tree(path, completely=True) if path.is_dir() else path.unlink()
        remove_tree(workspace.trash, completely=True)
    return True


def say_report(workspace: Workspace, moved: Path | None, emptied: bool) -> None:
    """Print what was moved and what comes next."""
    if moved:
        console.say(f"Moved to {moved}. To have the room on the disk:{hint('clear --empty-trash')}")
    elif left := made_by_steps(workspace):
        console.say(f"Nothing was moved: {', '.join(path.name for path in left)} stay in {workspace.root}.")
    else:
        console.say(f"{workspace.root} is empty and ready.")
    if emptied:
        console.say("The trash was deleted.")
    for side in (workspace.src, workspace.dst):
        found = [path.name for path in side.videos()]
        console.say(f"  {side.name}: {', '.join(found) if found else 'copy your video here, with its own ending'}")
    console.say(f"Next, the frames of data_src:{hint('extract-frames --side src')}")


def _size_of(path: Path) -> tuple[int, int]:
    """Return the number of files and their bytes."""
    files = [path] if path.is_file() else [p for p in files_below(path) if is_regular(p)]
    return len(files), sum(p.stat().st_size for p in files)


def _readable(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


COMMAND = Command(__doc__, Options, run, makes_workspace=True)
