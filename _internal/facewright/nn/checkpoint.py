"""Generations of a trained model: each a folder that is whole or absent, the newest whole one is loaded.

    model/<name>/generation_000012/
        weights.safetensors     the networks' weights: "<part>/<number>.<weight>", float32
        critics.safetensors     networks that only training needs: "<network>/<number>.<weight>" (absent without any)
        optimizer.safetensors   the optimiser's state: "<number>", or "<phase>/<number>"
        extra.safetensors       what the model keeps beside (absent when it keeps nothing)
        history.safetensors     "losses": (iterations, losses) float32
        state.json              model, options, iteration, names of the losses, random generators
        manifest.json           format version, SHA-256 and size of every other file

A generation is written into a temporary folder beside it, every file is fsynced, the folder is renamed and its
parent fsynced: a kill or a power cut at any moment leaves the generations before it untouched. Arrays are
hashed while they are written, one at a time. The newest generations are kept, two unless the user wants more.
Nothing in here is pickled; arrays lie in the layout of safetensors.

    model/<name>/backups/generation_000012/
        the same files, copied; these stay when the generation itself is deleted (`nn.backups`)
"""

import errno
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from facewright.core.errors import UserError
from facewright.core.files import disk_errors, fsync_folder, make_folder
from facewright.core.hints import hint
from facewright.core.json_data import (
    BadJson,
    Schema,
    anything,
    dict_of,
    either,
    fields,
    flag,
    list_of,
    number,
    parse_json,
    text,
    whole,
)
from facewright.core.safe_files import open_regular, remove_tree
from facewright.nn.safetensors_file import DamagedArrays, header_of, read_arrays, read_header, write_arrays

FORMAT = 1
KEPT = 2
PREFIX = "generation_"
MANIFEST = "manifest.json"
STATE = "state.json"
BACKUPS = "backups"
LEFTOVER = ".saving_*"
SUFFIX = ".safetensors"
LARGEST_JSON = 64 << 20

MANIFEST_SCHEMA = fields({"format": whole(1), "files": dict_of(fields({"size": whole(0), "sha256": text}))})
# What is read of a state, by whomever; options and settings are checked by their declarations.
STATE_SCHEMA = fields(
    {},
    {
        "model": text,
        "options": dict_of(anything),
        "settings": dict_of(anything),
        "iteration": whole(0, 10**12),
        "losses": list_of(text),
        "samplers": dict_of(dict_of(anything)),
        "saved": text,
        "trial": dict_of(either(text, number)),
        "faces": dict_of(fields({}, {"count": whole(0), "print": text})),
        "pretrain": flag,
        "started_from": text,
        "people": list_of(text),
        "seconds": number,
        "measures": list_of(text),
        "hold_out": fields({}, {"runs": dict_of(list_of(list_of(text, 2))), "print": text, "since": whole(0, 10**12)}),
    },
)


class DamagedGeneration(ValueError):
    """A generation that is not whole; the text says what is wrong with it."""


@dataclass(frozen=True)
class Generation:
    """One whole, checked generation.

    Attributes:
        folder: Where it lies.
        number: Its number; the next one saved gets the next number.
        state: The content of state.json.
        fingerprint: 16 hex digits that no other generation has.
        files: Names of its files: nothing else that lies there was checked, nor is it read.
    """

    folder: Path
    number: int
    state: dict[str, Any]
    fingerprint: str
    files: frozenset[str]

    def has(self, name: str) -> bool:
        """Whether it holds arrays of that name ("weights")."""
        return name + SUFFIX in self.files

    def arrays(self, name: str) -> "ArrayReader":
        """Return the arrays of that name, read one after another."""
        return ArrayReader(self.folder / (name + SUFFIX))


@dataclass(frozen=True)
class ArrayReader:
    """Arrays of a file, read when they are asked for."""

    path: Path

    def __iter__(self) -> Any:
        return read_arrays(self.path)

    def layouts(self) -> dict[str, tuple[tuple[int, ...], bool]]:
        """Return name -> shape, and whether the numbers are fractions; nothing else is read."""
        return {name: (shape, dtype.kind == "f") for name, (shape, dtype, _) in read_header(self.path).items()}

    def as_dict(self) -> dict[str, NDArray[Any]]:
        """Read all of them."""
        return dict(read_arrays(self.path))


@dataclass(frozen=True)
class ModelFolder:
    """What a model folder holds.

    Attributes:
        generation: The newest whole one.
        damaged: Newer ones that are not whole, with what is wrong.
    """

    generation: Generation
    damaged: dict[Path, str] = field(default_factory=dict)


def trained_models(model_dir: Path) -> list[str]:
    """Return the names of the models that have been saved in a model folder, the last saved first."""
    if not model_dir.is_dir():
        return []
    newest = {p.name: generations(p)[0] for p in model_dir.iterdir() if p.is_dir() and generations(p)}
    return sorted(newest, key=lambda name: newest[name].stat().st_mtime, reverse=True)


def generations(folder: Path) -> list[Path]:
    """Return the generations of one model, the newest first, whole or not."""
    if not folder.is_dir():
        return []
    found = [p for p in folder.iterdir() if re.fullmatch(PREFIX + "[0-9]{1,12}", p.name)]
    return sorted((p for p in found if p.is_dir()), key=number_of, reverse=True)


def save(
    folder: Path, state: Mapping[str, Any], files: Mapping[str, Mapping[str, Any]], *, keep: int = KEPT
) -> Generation:
    """Write a new generation and delete all but the newest.

    Args:
        folder: Folder of the model; made when absent.
        state: JSON-able state.
        files: File name without suffix ("weights") -> name -> array or keras variable. Empty ones are left out.
        keep: How many whole generations stay, the new one included; 1 or more.

    Raises:
        UserError: The disk is full or the folder is read-only; the generations before are untouched.
        FloatingPointError: An array holds a number that is not finite; likewise.
    """
    make_folder(folder)
    number = next_number(folder)
    target = folder / f"{PREFIX}{number:06d}"
    temporary = scratch(folder)
    with disk_errors(target):
        try:
            generation = _write(temporary, target, number, state, {n: a for n, a in files.items() if a})
            os.rename(temporary, target)
        except BaseException:
            remove_tree(temporary)
            raise
        fsync_folder(folder)
    prune(folder, keep)
    return generation


def next_number(folder: Path) -> int:
    """Return the number of the next generation: no other, and no backup, has it or a larger one."""
    return max((number_of(p) for p in (*generations(folder), *generations(folder / BACKUPS))), default=0) + 1


def scratch(folder: Path) -> Path:
    """Return a new temporary name inside a folder; what a killed run left under such a name is removed."""
    for leftover in folder.glob(LEFTOVER):
        remove_tree(leftover)
    return folder / LEFTOVER.replace("*", uuid.uuid4().hex[:8])


def _write(
    temporary: Path, target: Path, number: int, state: Mapping[str, Any], files: Mapping[str, Mapping[str, Any]]
) -> Generation:
    needed = sum(header_of(arrays)[1] for arrays in files.values())
    if shutil.disk_usage(temporary.parent).free < needed + (1 << 20):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    temporary.mkdir()
    entries = {}
    for name, arrays in files.items():
        with _HashedFile(temporary / (name + SUFFIX)) as file:
            write_arrays(arrays, file.write)
        entries[name + SUFFIX] = file.entry()
    with _HashedFile(temporary / STATE) as file:
        file.write(_json_bytes(state))
    entries[STATE] = file.entry()
    manifest = {"format": FORMAT, "generation": number, "files": entries}
    with _HashedFile(temporary / MANIFEST) as file:
        file.write(_json_bytes(manifest))
    fsync_folder(temporary)
    return Generation(target, number, dict(state), _fingerprint(entries), frozenset(entries))


class _HashedFile:
    """A file that is hashed while it is written and fsynced when it is closed."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "xb", buffering=0)  # noqa: SIM115 - closed in __exit__
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, data: Any) -> None:
        view = memoryview(data)
        self._hash.update(view)
        self._size += len(view)
        while len(view):
            view = view[self._file.write(view) or 0 :]

    def entry(self) -> dict[str, Any]:
        return {"size": self._size, "sha256": self._hash.hexdigest()}

    def __enter__(self) -> "_HashedFile":
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        with self._file:
            if kind is None:
                os.fsync(self._file.fileno())


def newest(folder: Path, need: tuple[str, ...] | None = None) -> ModelFolder | None:
    """Return the newest whole generation of a model; None when nothing was ever saved.

    Args:
        folder: Folder of the model.
        need: Names of the arrays that must be whole; None checks every file.

    Raises:
        UserError: There are generations but none is whole, or they are of a newer program.
    """
    damaged: dict[Path, str] = {}
    for path in generations(folder):
        try:
            return ModelFolder(check(path, need), damaged)
        except DamagedGeneration as problem:
            damaged[path] = str(problem)
    if not damaged:
        return None
    listed = "; ".join(f"{path.name}: {reason}" for path, reason in damaged.items())
    raise UserError(
        f"No saved state of the model in {folder} is whole ({listed}).",
        f"a folder {PREFIX}… as the training step wrote it.",
        f"go back to a backup:{hint('restore --what model')}"
        if generations(folder / BACKUPS)
        else f"put {folder} back from a copy of your own, or move it away and train anew.",
    )


def check(path: Path, need: tuple[str, ...] | None = None) -> Generation:
    """Check sizes and SHA-256 of a generation's files.

    Args:
        path: Folder of the generation.
        need: As for `newest`.

    Raises:
        DamagedGeneration: It is not whole.
        UserError: It was written by a newer version of the program.
    """
    entries = _manifest(path)["files"]
    for name, entry in entries.items():
        wanted = need is None or name == STATE or name.removesuffix(SUFFIX) in need
        problem = _file_problem(path / name, entry) if wanted else ""
        if problem:
            raise DamagedGeneration(f"{name} {problem}")
        if wanted and name.endswith(SUFFIX):
            _check_arrays(path / name)
    for name in (STATE, "weights" + SUFFIX):
        if name not in entries:
            raise DamagedGeneration(f"its {MANIFEST} does not name {name}")
    state = _read_json(path / STATE, STATE_SCHEMA)
    return Generation(path, number_of(path), state, _fingerprint(entries), frozenset(entries))


def _check_arrays(path: Path) -> None:
    """Look at the head of a file whose checksum is right: whoever made the file made the checksum, too."""
    try:
        read_header(path)
    except DamagedArrays as error:
        raise DamagedGeneration(str(error)) from error


def set_aside(path: Path) -> Path:
    """Rename a damaged generation so that it is neither loaded nor removed; return its new place."""
    target = path.with_name(f"damaged_{path.name}")
    count = 1
    while target.exists():
        count += 1
        target = path.with_name(f"damaged_{path.name}_{count}")
    with disk_errors(target):
        os.rename(path, target)
    return target


def _manifest(path: Path) -> dict[str, Any]:
    manifest = _read_json(path / MANIFEST, MANIFEST_SCHEMA)
    version = manifest["format"]
    if version > FORMAT:
        raise UserError(
            f"{path} was saved by a newer facewright (format {version}).",
            f"format {FORMAT} or older.",
            "update facewright; nothing was changed.",
        )
    if not all(name == Path(name).name for name in manifest["files"]):
        raise DamagedGeneration(f"its {MANIFEST} names files elsewhere")
    return manifest


def _read_json(path: Path, schema: Schema) -> dict[str, Any]:
    try:
        with open_regular(path) as file:
            value: dict[str, Any] = parse_json(file.read(LARGEST_JSON), schema)
    except OSError as error:
        raise DamagedGeneration(f"{path.name} cannot be read ({error.strerror})") from error
    except BadJson as error:
        raise DamagedGeneration(f"{path.name}: {error}") from error
    return value


def _file_problem(path: Path, entry: Mapping[str, Any]) -> str:
    try:
        size = path.stat().st_size
        wanted = entry.get("size")
        if size != wanted:
            longer = isinstance(wanted, int) and size > wanted
            words = "is not the file that was saved" if longer else "is cut off"
            return f"{words} ({size} of {wanted} bytes)"
        with open_regular(path) as file:
            right = hashlib.file_digest(file, "sha256").hexdigest() == entry.get("sha256")
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return "" if right else "is not the file that was saved (its SHA-256 differs)"


def prune(folder: Path, keep: int) -> None:
    """Remove what is older than the kept generations; one that does not look whole is not counted as kept."""
    whole = 0
    for path in generations(folder):
        if whole >= max(1, keep):
            remove_tree(path)
            continue
        try:
            entries = _manifest(path)["files"]
            whole += all((path / n).stat().st_size == e.get("size") for n, e in entries.items())
        except (DamagedGeneration, UserError, OSError):
            continue


def _fingerprint(entries: Mapping[str, Any]) -> str:
    text = json.dumps({name: entry.get("sha256") for name, entry in sorted(entries.items())})
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def number_of(path: Path) -> int:
    """Return the number in a generation's name."""
    return int(path.name[len(PREFIX) :])


def _json_bytes(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8")
