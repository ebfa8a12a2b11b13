"""Save the records of all faces beside them, and put them back after an edit in another program."""

import stat
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import (
    IMAGE_EXTENSIONS,
    list_files,
    move_to_trash,
    natural,
    read_json,
    typed_path,
    write_json,
)
from facewright.core.images import Image, read_image
from facewright.core.json_data import bare_name, choice, fields, list_of, parse_json, whole
from facewright.core.left_out import warn_of_left_out_images
from facewright.core.machine import cores
from facewright.core.options import option
from facewright.core.workers import ordered_map
from facewright.core.workspace import Side, Workspace
from facewright.faces.record import BadRecord, FaceRecord, load_record, read_record, save_face, update_record
from facewright.facesets.common import OldVersions, load_side_faces

VERSION = 1
MAX_FILE_BYTES = 1 << 30
MAX_SIDE = 100_000  # px
BY = "faceset --action restore-metadata"
METADATA_SCHEMA = fields(
    {
        "version": choice(VERSION),
        "faces": list_of(fields({"file": bare_name, "size": list_of(whole(1, MAX_SIDE), 2), "record": fields({})})),
    }
)
MAX_RATIO_ERROR = 0.02  # by what share two proportions may differ and be the same


@dataclass(frozen=True)
class RestoreOptions:
    """Where the edited images are."""

    edited: str = option(
        "",
        "Folder with the edited images, of any format and with the old names; empty: they were edited in place.",
        ask="Folder with the edited images (Enter: edited in place)",
        remember=False,
    )


@dataclass(frozen=True)
class SavedFace:
    """A face as it was: its file's name, its image's (h, w) and its record."""

    file: str
    size: tuple[int, int]
    record: FaceRecord


def metadata_file(side: Side) -> Path:
    """Return where the records of a side are saved."""
    return side.frames_dir / "aligned_metadata.json"


def save_metadata(workspace: Workspace, side_name: str, executor: Executor) -> None:
    """Write the records of all faces to one JSON file; an older one goes to the trash.

    Raises:
        UserError: There are no faces, or the folder cannot be written.
    """
    side = workspace.side(side_name)
    faces = load_side_faces(workspace, side).faces
    entries = []
    sizes = ordered_map(lambda face: _size(face.path), faces, executor, ahead=4 * cores())
    shown = console.progress(sizes, total=len(faces), title="Saving", unit="faces")
    for face, size in zip(faces, shown, strict=True):
        if size is None:
            console.warn(f"{face.path.name} is left out: its image is damaged.")
            continue
        entries.append({"file": face.path.name, "size": size, "record": parse_json(face.record.to_json())})
    target = metadata_file(side)
    if target.exists():
        move_to_trash([target], workspace.trash, by="faceset --action save-metadata")
    write_json(target, {"version": VERSION, "faces": entries})
    console.say(f"The data of {console.counted(len(entries), 'face')} is saved in {target}.")
    console.say("Edit the images in any program, keep their names; then run faceset with restore-metadata.")


def _size(path: Path) -> list[int] | None:
    try:
        return list(read_image(path).shape[:2])
    except UserError:
        return None


def read_metadata(path: Path) -> dict[str, SavedFace]:
    """Read what `save_metadata` wrote: name without ending, in small letters -> what was saved.

    Raises:
        UserError: Absent, damaged, or not such a file.
    """
    expected = "the file that faceset with save-metadata wrote."
    if not path.exists():
        raise UserError(f"There is no {path}.", expected, "run faceset with save-metadata before the edit.")
    if not stat.S_ISREG(path.stat().st_mode) or path.stat().st_size > MAX_FILE_BYTES:
        raise UserError(f"{path} is too large or no file.", expected, "restore it from a copy of the workspace.")
    faces = read_json(path, schema=METADATA_SCHEMA)["faces"]
    try:
        return dict(_entry(entry) for entry in faces)
    except BadRecord as error:
        raise UserError(f"{path} is damaged: {error}.", expected, "restore it from a copy of the workspace.") from error


def _entry(entry: dict[str, Any]) -> tuple[str, SavedFace]:
    name, (height, width) = entry["file"], entry["size"]
    return _key(name), SavedFace(name, (height, width), read_record(entry["record"]))


def _key(name: str) -> str:
    return Path(name).stem.lower()


@dataclass(frozen=True)
class Restored:
    """The result for one image."""

    resized: bool = False
    untouched: bool = False
    problem: str = ""


def restore_metadata(workspace: Workspace, side_name: str, options: RestoreOptions) -> None:
    """Put the saved records into the edited images; each becomes an aligned PNG of its old size.

    Raises:
        UserError: Nothing was saved, the folder is not there, or no name fits.
    """
    side = workspace.side(side_name)
    saved = read_metadata(metadata_file(side))
    folder = typed_path(options.edited).absolute() if options.edited else side.aligned_dir
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.", "the folder with the edited images.", "check its name.")
    warn_of_left_out_images(folder)
    chosen, unknown, ambiguous = match(list_files(folder, IMAGE_EXTENSIONS), saved)
    if not chosen:
        raise UserError(
            f"No image in {folder} has the name of a saved face.",
            f"names as in {metadata_file(side).name}, such as {next(iter(saved), '00001_0')}; the ending may differ.",
            "name the folder with --edited, or give the images their old names.",
        )
    targets = [side.aligned_dir / face.file for face in saved.values()]
    old = OldVersions(workspace, targets, BY)
    results: dict[str, Restored] = {}
    for key in console.progress(sorted(chosen, key=natural), total=len(chosen), title="Restoring", unit="faces"):
        results[chosen[key].name] = _restore(side, chosen[key], saved[key], old)
    in_place = folder == side.aligned_dir
    done = [chosen[key] for key in chosen if not results[chosen[key].name].problem]
    if in_place:
        move_to_trash([path for path in done if path.suffix.lower() != ".png"], workspace.trash, by=BY)
    _report(side, results, unknown, ambiguous, sorted(set(saved) - set(chosen), key=natural))
    old.report()


def match(files: list[Path], saved: dict[str, SavedFace]) -> tuple[dict[str, Path], list[str], list[str]]:
    """Match images and saved faces by name.

    Where a face's old PNG lies beside its edited copy of another format, the edited one counts.

    Returns:
        Name -> image; names of images that nothing was saved for; names of images of which several fit.
    """
    groups: dict[str, list[Path]] = {}
    for path in files:
        groups.setdefault(_key(path.name), []).append(path)
    chosen: dict[str, Path] = {}
    ambiguous: list[str] = []
    for key, paths in groups.items():
        edited = [path for path in paths if not _has_record(path)] if len(paths) > 1 else paths
        if key in saved and len(edited) == 1:
            chosen[key] = edited[0]
        elif key in saved:
            ambiguous += [path.name for path in paths]
    unknown = [path.name for key, paths in groups.items() if key not in saved for path in paths]
    return chosen, unknown, ambiguous


def _has_record(path: Path) -> bool:
    try:
        load_record(path, any_size=True)
    except UserError:
        return False
    return True


def _restore(side: Side, path: Path, face: SavedFace, old: OldVersions) -> Restored:
    own = _own_record(path)
    if own is not None and own.frame != face.record.frame:
        return Restored(problem=f"it is a face of {own.frame} now, not of {face.record.frame}: it was renamed")
    target = side.aligned_dir / face.file
    try:
        image = read_image(path)
        if path == target and image.shape[:2] == face.size:
            if own is None:
                update_record(path, face.record)
            return Restored(untouched=own is not None)
    except UserError as problem:
        return Restored(problem=problem.happened.rstrip("."))
    if _cropped(image, face.size):
        was, now = (f"{size[1]} x {size[0]}" for size in (face.size, image.shape[:2]))
        return Restored(problem=f"it has another shape ({now} px, not {was}), so its landmarks would not fit")
    fitted = resize_face(image, face.size)
    if target.exists():
        old.keep(target)
    save_face(target, fitted, face.record)
    return Restored(resized=fitted is not image)


def _own_record(path: Path) -> FaceRecord | None:
    try:
        return load_record(path, any_size=True)
    except UserError:
        return None


def _cropped(image: Image, size: tuple[int, int]) -> bool:
    """Whether an image has other proportions than before, by more than a resizing rounds."""
    height, width = image.shape[:2]
    return abs(height * size[1] - width * size[0]) > MAX_RATIO_ERROR * width * size[0]


def resize_face(image: Image, size: tuple[int, int]) -> Image:
    """Bring an (h, w, 3) image to (h, w) = size; the landmarks of its record fit that size only."""
    if image.shape[:2] == size:
        return image
    smaller = image.shape[0] * image.shape[1] > size[0] * size[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_LANCZOS4
    return np.asarray(cv2.resize(image, size[::-1], interpolation=way), np.uint8)


def _report(
    side: Side, results: dict[str, Restored], unknown: list[str], ambiguous: list[str], missing: list[str]
) -> None:
    done = [name for name, result in results.items() if not result.problem]
    sized = [name for name in done if results[name].resized]
    untouched = sum(results[name].untouched for name in done)
    console.say(f"The data is back in {console.counted(len(done) - untouched, 'image')} in {side.aligned_dir}.")
    if untouched:
        console.say(f"{untouched} had it still.")
    if sized:
        console.say(f"{len(sized)} had another size and were brought back to the old one: {console.listed(sized)}.")
    for name, result in results.items():
        if result.problem:
            console.warn(f"{name} is left as it is: {result.problem}.")
    if unknown:
        console.warn(f"Images for which nothing was saved: {len(unknown)} ({console.listed(unknown)}).")
    if ambiguous:
        console.warn(f"Several images of one name, none was taken: {console.listed(ambiguous)}.")
    if missing:
        console.say(f"Saved faces without an image: {len(missing)} ({console.listed(missing)}).")
