"""Files that are whole or absent: atomic writes, a trash folder instead of deletion."""

import errno
import itertools
import json
import os
import re
import shutil
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.json_data import BadJson, Schema, anything, dict_of, either, fields, nothing, parse_json, text
from facewright.core.names import MAX_NAME, printable, problem_of
from facewright.core.safe_files import (
    NotRegular,
    files_below,
    is_link,
    open_regular,
    path_inside,
    read_regular,
    replacing,
)
from facewright.core.safe_files import fsync_folder as fsync_folder

JPEG_EXTENSIONS = (".jpg", ".jpeg", ".jpe", ".jfif")
STILL_EXTENSIONS = (
    *(".png", *JPEG_EXTENSIONS, ".tif", ".tiff", ".bmp", ".dib", ".webp", ".avif", ".jp2"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
)
PHONE_EXTENSIONS = (".heic", ".heif", ".hif", ".jxl")  # the extraction makes a PNG of each, which steps then read
IMAGE_EXTENSIONS = (*STILL_EXTENSIONS, ".gif")  # a GIF may be a video too; as an image it is its first frame
PHOTO_EXTENSIONS = (*IMAGE_EXTENSIONS, *PHONE_EXTENSIONS)  # of photos that show who is to be found
TAIL = 64 << 10
LONGEST_JSON = 256 << 20  # bytes
NOTE = ".origin.json"  # in a folder of the trash: who put what there, and from where
NOTE_SCHEMA = fields({}, {"by": text, "files": dict_of(either(nothing, text))})


def natural(name: str) -> tuple[list[str | int], str]:
    """Return a key that sorts names as people count: 2.png before 10.png, 99999.png before 100000.png.

    Wherever frames or faces are put in order, it is by this key.
    """
    parts: list[str | int] = list(re.split("([0-9]+)", name))
    parts[1::2] = map(int, parts[1::2])
    return parts, name


def typed_path(text: str) -> Path:
    """Return the path that somebody has typed: ~ is the home folder; that of a user who is not known stays as it is."""
    return Path(os.path.expanduser(text))


def list_files(folder: Path, extensions: tuple[str, ...] = (), *, longest: int = MAX_NAME) -> list[Path]:
    """Return the visible files of a folder, in natural order (see `natural`); unusable names get a warning.

    Args:
        folder: A folder; an absent one has no files.
        extensions: Lower-case suffixes with the dot; empty takes every file.
        longest: Most bytes of a name.

    Raises:
        UserError: This user may not look into the folder.
    """
    if not folder.is_dir():
        return []
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if not e.name.startswith(".") and e.is_file()]
    except PermissionError as error:
        raise UserError(
            f"{folder} cannot be read: {error.strerror}.", "a folder that this user may read.", "change its rights."
        ) from error
    wanted = [name for name in sorted(names, key=natural) if not extensions or Path(name).suffix.lower() in extensions]
    return [folder / name for name in wanted if not _passed_over(folder, name, longest)]


def _passed_over(folder: Path, name: str, longest: int) -> bool:
    problem = problem_of(name, longest)
    if problem:
        console.warn_once(f"{printable(name)[:100]} in {folder} is passed over, for its name is {problem}: rename it.")
    return bool(problem)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a full disk, a read-only folder and a missing right into a UserError that names the path."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT if hasattr(errno, "EDQUOT") else errno.ENOSPC):
            raise UserError(
                f"The disk is full: {path} could not be written.",
                "some free space on the disk that holds the workspace.",
                "free some space and run the same step again: it goes on where it was.",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise UserError(
                f"{path} could not be written: {error.strerror}.",
                "a folder that this user may write to.",
                "change the folder's rights, or name another one with --workspace DIR.",
            ) from error
        if error.errno == errno.EFBIG:
            raise UserError(
                f"{path} could not be written: it is longer than the disk's file system allows.",
                "a disk that takes files of any length: FAT32, the usual format of memory sticks, ends at 4 GB.",
                "move the workspace to another disk and run the same step again: it goes on where it was.",
            ) from error
        if error.errno == errno.ENAMETOOLONG:
            raise UserError(
                f"{path}: {error.strerror}.",
                "names and folders that the system can hold.",
                "shorten its name, or move it out of the workspace by hand.",
            ) from error
        if isinstance(error, NotRegular) or error.errno in (errno.EISDIR, errno.ELOOP):
            raise UserError(
                f"{path} could not be written: {error.strerror}.",
                "a file, or nothing, at that place.",
                "move away what lies there and run the step again.",
            ) from error
        raise


def write_bytes(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write a file so that a reader sees the old one or the whole new one.

    Args:
        path: Target; its folder must exist.
        data: The content.
        durable: Also fsync, so that the file survives a power cut. Costs milliseconds: on for
            states and weights, off for each of thousands of images (a step makes those again).

    Raises:
        UserError: The disk is full or the folder is read-only.
    """
    with disk_errors(path), replacing(path, durable=durable) as temporary:
        temporary.write_bytes(data)


def png_fingerprint(path: Path) -> list[int]:
    """Return what tells a changed PNG without reading all of it: its length and the checksum of its last 64 KiB.

    A PNG ends with a checksum of all its pixels. Files of other formats do not: see `facewright.core.contents`.
    """
    with open_regular(path, links=True) as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(max(0, length - TAIL))
        return [length, zlib.crc32(file.read())]


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically and durably."""
    write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8"), durable=True)


def read_json(path: Path, default: Any = None, *, schema: Schema = anything) -> Any:
    """Read a JSON file; `default` when it is absent.

    Args:
        path: The file.
        default: What stands for an absent one.
        schema: What its content must fit.

    Raises:
        UserError: The file is not JSON, does not fit, or cannot be read.
    """
    try:
        return parse_json(read_regular(path, longest=LONGEST_JSON), schema)
    except (FileNotFoundError, NotADirectoryError):
        return default
    except BadJson as error:
        raise UserError(
            f"{path} is damaged: {error}.",
            "a JSON file written by facewright.",
            "delete or rename that file and run the step again.",
        ) from error
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror}.", "a file that this user may read.", "check the file's rights."
        ) from error


def make_folder(path: Path) -> Path:
    """Create a folder with its parents; return it.

    Raises:
        UserError: It cannot be written, or a file of that name is in the way.
    """
    try:
        with disk_errors(path):
            path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        blocker = next((folder for folder in (path, *path.parents) if folder.exists() and not folder.is_dir()), path)
        raise UserError(
            f"{blocker} is needed as a folder, but a file of that name is there.",
            "a folder, or nothing at that place.",
            "move that file away and run the step again.",
        ) from error
    return path


def move_to_trash(paths: list[Path], trash: Path, *, by: str = "") -> Path | None:
    """Move files or folders into a new dated folder below `trash`; nothing is deleted.

    A note inside it (`NOTE`) says where each came from; the restore step brings them back.

    Args:
        paths: What to move; what is absent or vanishes meanwhile is passed over.
        trash: The workspace's trash folder; origins are kept relative to the folder it lies in.
        by: The step that moves them, for the list of `restore`: "sort --by final", say.

    Returns:
        The dated folder, or None when there was nothing to move.
    """
    present = [p for p in paths if os.path.lexists(p)]
    if not present:
        return None
    target = _dated_folder(trash)
    moves = dict(zip(_different_names(present), present, strict=True))
    # The note comes first: whenever a kill comes, what lies in the folder is named in it.
    origins = {name: _origin(path, trash.parent) for name, path in moves.items()}
    write_json(target / NOTE, {"by": by, "files": origins})
    for name, path in moves.items():
        move(path, target / name)
    return target


def copy_to_trash(path: Path, trash: Path, *, by: str = "") -> Path:
    """Copy a file that is about to be replaced into a new dated folder below `trash`; return that folder.

    A copy, so that a file is at its place at every moment: the old one, then the new one.
    """
    target = _dated_folder(trash)
    write_json(target / NOTE, {"by": by, "files": {path.name: _origin(path, trash.parent)}})
    with disk_errors(target):
        shutil.copy2(path, target / path.name)
    return target


def move(path: Path, target: Path) -> bool:
    """Move a file or folder, also to another disk; return False when it is no longer there."""
    with disk_errors(path):
        try:
            os.replace(path, target)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            shutil.move(path, target)  # a folder of the workspace may be a link to another disk
    return True


def _dated_folder(trash: Path) -> Path:
    make_folder(trash)
    # Never older than what lies there: the clock may have been set back, and the newest folder is the last one filled.
    newest, last = max((_age(path) for path in trash.iterdir() if STAMP.fullmatch(path.name)), default=("", 0))
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    stamp, first = (newest, last + 1) if newest >= stamp else (stamp, 1)
    for count in itertools.count(first):
        target = trash / (stamp if count == 1 else f"{stamp}_{count}")
        try:
            with disk_errors(target):
                target.mkdir()  # two threads of a step may put things away in the same second
        except FileExistsError:
            continue
        break
    return target


def _different_names(paths: list[Path]) -> list[str]:
    """Return a name for each path; files of one name from two folders, or A.png and a.png, get different ones."""
    names: list[str] = []
    taken: set[str] = set()
    for path in paths:
        tries = itertools.chain([path.name], (f"{path.stem}_{count}{path.suffix}" for count in itertools.count(2)))
        name = next(name for name in tries if name.lower() not in taken)
        taken.add(name.lower())
        names.append(name)
    return names


def _origin(path: Path, root: Path) -> str | None:
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return None  # from outside the workspace: nobody puts it back but the user


STAMP = re.compile(r"(\d{4}-\d\d-\d\d)_(\d\d)-(\d\d)-(\d\d)(?:_(\d+))?")


@dataclass(frozen=True)
class TrashedFile:
    """A file in the trash.

    Attributes:
        path: Where it lies now.
        origin: Where it was; None when nobody noted it.
    """

    path: Path
    origin: Path | None


@dataclass(frozen=True)
class TrashBatch:
    """One dated folder of the trash.

    Attributes:
        folder: The folder.
        when: Date and time, to be read by people.
        by: The step that filled it; empty when unknown.
        items: Its files, those in sub-folders too, sorted by where they lie.
    """

    folder: Path
    when: str
    by: str
    items: tuple[TrashedFile, ...]


def batches(trash: Path) -> list[TrashBatch]:
    """Return all batches with something in them, the newest first; origins lie in the folder that holds `trash`."""
    return [batch for batch in _all_batches(trash) if batch.items]


def tidy_trash(trash: Path) -> None:
    """Remove the dated folders that hold nothing but a note: a run was killed that had emptied one.

    Only while no step can be about to fill one.
    """
    for batch in _all_batches(trash):
        tidy(batch)


def _all_batches(trash: Path) -> list[TrashBatch]:
    if not trash.is_dir():
        return []
    folders = [path for path in trash.iterdir() if STAMP.fullmatch(path.name) and path.is_dir() and not is_link(path)]
    return [_read(folder, trash.parent) for folder in sorted(folders, key=_age, reverse=True)]


def _age(folder: Path) -> tuple[str, int]:
    match = STAMP.fullmatch(folder.name)
    assert match is not None
    return folder.name[:19], int(match[5] or 1)


def _read(folder: Path, root: Path) -> TrashBatch:
    match = STAMP.fullmatch(folder.name)
    assert match is not None
    try:
        note = read_json(folder / NOTE, {}, schema=NOTE_SCHEMA)
    except UserError:
        note = {}
    files = note.get("files", {})
    items = []
    for path in _files_below(folder):
        first, *rest = path.relative_to(folder).parts
        start = path_inside(root, files.get(first))
        items.append(TrashedFile(path, None if start is None else start.joinpath(*rest)))
    when = f"{match[1]} {match[2]}:{match[3]}:{match[4]}"
    return TrashBatch(folder, when, note.get("by", ""), tuple(items))


def _files_below(folder: Path) -> Iterator[Path]:
    return (path for path in files_below(folder, order=natural) if path != folder / NOTE)


class FreeNames:
    """Finds free names in a folder: the same name with a higher number at its end.

    00012.png -> 00013.png, 00012_0.png -> 00012_1.png, b.png -> b_1.png. What it has given counts as taken.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Windows and macOS take A.png and a.png for the same file.
        self._taken = {name.lower() for name in os.listdir(folder)}
        self._last: dict[tuple[str, int, str], int] = {}

    def find(self, name: str) -> Path:
        """Return the path of that name where it is free, else with the next free number."""
        if name.lower() in self._taken:
            name = self._numbered(Path(name))
        self._taken.add(name.lower())
        return self._folder / name

    def _numbered(self, old: Path) -> str:
        match = re.fullmatch(r"(.*?)([0-9]*)", old.stem, re.DOTALL)
        assert match is not None
        start, digits = (match[1], match[2]) if match[2] else (f"{match[1]}_", "0")
        kind = (start, len(digits), old.suffix)
        number = max(int(digits), self._last.get(kind, 0)) + 1
        while (name := f"{start}{number:0{len(digits)}d}{old.suffix}").lower() in self._taken:
            number += 1
        self._last[kind] = number
        return name


def tidy(batch: TrashBatch) -> None:
    """Remove the folder of a batch that has been emptied, with its note."""
    if any(_files_below(batch.folder)):
        return
    with suppress(OSError, RecursionError):  # somebody put something there meanwhile, or it is nested too deep
        for place, _, _ in os.walk(batch.folder, topdown=False):
            if Path(place) == batch.folder:
                (batch.folder / NOTE).unlink(missing_ok=True)
            os.rmdir(place)
