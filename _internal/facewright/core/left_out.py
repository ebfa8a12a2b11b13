"""What lies in a side's folders and no step reads: named, so that nothing is missed in silence."""

from pathlib import Path

from facewright.core import console
from facewright.core.console import listed
from facewright.core.errors import UserError
from facewright.core.files import IMAGE_EXTENSIONS, PHONE_EXTENSIONS, list_files
from facewright.core.workspace import Side

FACE_EXTENSIONS = (".png",)
# Lists, notes and what file managers leave: nobody takes them for images.
NO_IMAGES = (".json", ".jsonl", ".txt", ".md", ".html", ".ini", ".db", ".tmp", ".lock")


def warn_of_left_out_images(
    folder: Path, own: tuple[Path, ...] = (), *, extensions: tuple[str, ...] = IMAGE_EXTENSIONS
) -> None:
    """Name the files in a folder of images that cannot be read as such, and the images in its subfolders.

    Args:
        folder: The folder; an absent one has nothing in it.
        own: Subfolders that belong there.
        extensions: Of the images that are read.
    """
    warn_of_left_out(folder, extensions, "they are of no format that is read here", own)


def warn_of_left_out_frames(side: Side) -> None:
    """Do so for the frames of a side."""
    warn_of_left_out_images(side.frames_dir, side.own_folders)


def warn_of_left_out_faces(side: Side) -> None:
    """Name the files among a side's faces that are no PNG, and images in subfolders."""
    warn_of_left_out(side.aligned_dir, FACE_EXTENSIONS, "a face is a PNG file")


def warn_of_left_out(folder: Path, extensions: tuple[str, ...], reason: str, own: tuple[Path, ...] = ()) -> None:
    """Name the files in a folder that are not read, and the images in its subfolders.

    Args:
        folder: The folder; an absent one has nothing in it.
        extensions: Of the files that are read.
        reason: Why the others are not.
        own: Subfolders that belong there.
    """
    if not folder.is_dir():
        return
    files = list_files(folder)
    taken = {path.stem for path in files if path.suffix.lower() in extensions}
    others = [
        path.name
        for path in files
        if path.suffix.lower() not in (*extensions, *NO_IMAGES)
        and not (path.suffix.lower() in PHONE_EXTENSIONS and path.stem in taken)
    ]
    if others:
        console.warn(f"Left out of {folder}, because {reason}: {listed(others)}.")
    if named := _images_below(folder, extensions, own):
        console.warn(f"Left out: the images in subfolders of {folder}: {listed(named)}. To use them, move them up.")


def no_faces(side: Side, expected: str, *, more: str = "") -> UserError:
    """Return the error of a side without faces, with what helps: the faces may lie where no step looks.

    Args:
        side: Whose.
        expected: Which faces are wanted.
        more: Another line that helps, behind the text that says what it does.
    """
    below = _images_below(side.aligned_dir, FACE_EXTENSIONS)
    if below:
        fix = f"move up those in its subfolders: {listed(below)}"
    elif side.extract_journal.exists():
        fix = (
            f"those that were found are gone, or there were none; search all frames again:{side.hint('extract --redo')}"
        )
    else:
        fix = f"extract them first:{side.hint('extract')}"
    return UserError(f"There are no faces in {side.aligned_dir}.", expected, fix + more)


def _images_below(folder: Path, extensions: tuple[str, ...], own: tuple[Path, ...] = ()) -> list[str]:
    """Return the subfolders that hold images, each with their number."""
    if not folder.is_dir():
        return []
    below = [path for path in sorted(folder.iterdir()) if path.is_dir() and path not in own and path.name[0] != "."]
    return [f"{path.name} ({count})" for path in below if (count := _count(path, extensions))]


def _count(folder: Path, extensions: tuple[str, ...]) -> int:
    try:
        return len(list_files(folder, extensions))
    except UserError:  # one that may not be looked into is none of this step's
        return 0
