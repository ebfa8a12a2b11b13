"""A file of prepared faces, memory-mapped: no PNG is decoded twice, and the memory holds only what is in use.

Layout: the images and masks of all faces one after another; then the index (below); then 24 bytes: position and
length of the index (little-endian, 8 bytes each), its CRC-32 (4) and "FWF1". The index is a line of JSON with the
numbers of faces and sizes and the kinds of masks, and these arrays, little-endian: key (n, 16) uint8, position (n,)
int64, sides (n, sizes) int32, largest first, 0 where a face has fewer; landmarks (n, 68, 2) float32 in the largest
size.

A face's key comes from what is in its file, never from its name or its times: a faceset that was sorted, renamed,
thinned out or copied still fits. The file appears whole by one rename and is never changed afterwards.
"""

import contextlib
import hashlib
import json
import math
import mmap
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from facewright.core.files import png_fingerprint
from facewright.core.json_data import fields, list_of, parse_json, text, whole
from facewright.core.safe_files import open_regular, remove_leftovers, replacing
from facewright.core.workers import ordered_map
from facewright.data.sample import PreparedFace, Sample, masks_needed, shrunk_landmarks
from facewright.data.store import bytes_of, decode_face
from facewright.faces.faceset import FaceFile
from facewright.faces.record import are_landmarks

PREPARED = 3  # counts up when `prepare_face` makes something else of a face
MAGIC = b"FWF1"
TRAILER = 24
MIN_FREE_BYTES = 1 << 30  # bytes that stay free on the disk: saving the model matters more
MAX_FILES = 2  # files per side: those of the two networks trained last
ABANDONED_AFTER_S = 600.0  # seconds without a write, after which an unfinished file is nobody's
MAX_SIDE = 1 << 15  # px
HEAD_SCHEMA = fields({"faces": whole(0, 10**8), "sizes": whole(1, 64), "masks": list_of(text)})
FACES_AHEAD = 16  # faces in the works at once: this bounds the memory


class NoCache(Exception):
    """The file could not be made; the text says why. Training goes without."""


class DamagedCache(ValueError):
    """The file is not of this layout, or cut off."""


@dataclass
class _Index:
    keys: list[bytes] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    sides: list[list[int]] = field(default_factory=list)
    landmarks: list[NDArray[np.float32]] = field(default_factory=list)


class CachedFaces:
    """Faces of a cache file, in an order of one's own.

    Args:
        path: The file.
        samples: What the faces are prepared for.

    Raises:
        DamagedCache: It is incomplete or damaged, or its faces were prepared for something else.
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path, samples: Sequence[Sample]) -> None:
        with open_regular(path) as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if os.fstat(file.fileno()).st_size else b""
        head, arrays = _read_index(self._map)
        self._masks: list[str] = head["masks"]
        if self._masks != list(masks_needed(samples)):
            raise DamagedCache("other masks than its name says")
        self._positions, self._sides, self._landmarks = arrays[1:]
        self._rows = {key.tobytes(): row for row, key in enumerate(arrays[0])}
        self._chosen: list[int] = list(range(len(arrays[0])))

    def choose(self, keys: Sequence[bytes]) -> None:
        """Number the faces as the given keys are ordered.

        Raises:
            KeyError: A face is not in the file.
        """
        self._chosen = [self._rows[key] for key in keys]

    def row(self, key: bytes) -> PreparedFace | None:
        """Return the face of a key, None when the file does not hold it."""
        row = self._rows.get(key)
        return None if row is None else self._face(row)

    def face(self, index: int) -> PreparedFace:
        """Return a prepared face; its arrays are views of the file and read-only."""
        return self._face(self._chosen[index])

    def close(self) -> None:
        """Close the file as soon as no face of it is in use."""
        self._map = b""

    def __len__(self) -> int:
        return len(self._chosen)

    def _face(self, row: int) -> PreparedFace:
        position, landmarks = int(self._positions[row]), self._landmarks[row]
        sizes: list[PreparedFace] = []
        sides = self._sides[row].tolist()
        for side in sides:
            if side:
                area = side * side
                pixels = np.frombuffer(self._map, np.uint8, area * (3 + len(self._masks)), position)
                image = pixels[: area * 3].reshape(side, side, 3)
                planes = pixels[area * 3 :].reshape(-1, side, side)
                masks = dict(zip(self._masks, planes, strict=True))
                points = landmarks if not sizes else shrunk_landmarks(landmarks, side / sides[0])
                sizes.append(PreparedFace(image, masks, points))
                position += pixels.size
        return PreparedFace(sizes[0].image, sizes[0].masks, sizes[0].landmarks, tuple(sizes[1:]))


def face_key(face: FaceFile) -> bytes:
    """Return 16 bytes that another face, or the same one with other landmarks or another mask, does not have."""
    record = face.record
    points = np.asarray(record.landmarks, "<f4").tobytes()
    said = f"{png_fingerprint(face.path)} {record.face_type} {record.size} ".encode()
    # The fingerprint does not cover the record, which is at the head of the file.
    mesh = b"" if record.mesh is None else record.mesh.tobytes()  # the hull follows it
    drawn = json.dumps([polygon.to_data() for polygon in record.polygons]) if record.polygons else ""
    masks = f"{record.mask or ''}{drawn}{record.occlusion or ''}"
    return hashlib.blake2b(said + points + masks.encode() + mesh, digest_size=16).digest()


def cache_path(folder: Path, label: str, samples: Sequence[Sample]) -> Path:
    """Return the file for the faces of a side, prepared for these outputs.

    Args:
        folder: Of hidden files.
        label: "src", "dst" or the like.
        samples: The wanted outputs; those that need the same sizes and masks share a file.
    """
    needs = sorted({(s.face_type.value, s.size) for s in samples})
    text = json.dumps([PREPARED, needs, masks_needed(samples)])
    return folder / f".faces_{label}_{hashlib.sha256(text.encode()).hexdigest()[:8]}.cache"


def open_cache(path: Path, keys: Sequence[bytes], samples: Sequence[Sample]) -> CachedFaces | None:
    """Return the cache when it is complete and holds the faces of all keys; None otherwise."""
    try:
        found = CachedFaces(path, samples)
        found.choose(keys)
    except (OSError, DamagedCache, KeyError):
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # see _tidy
    return found


def build_cache(
    path: Path,
    faces: Mapping[bytes, Path],
    samples: Sequence[Sample],
    executor: Executor,
    *,
    each: Callable[[], object] = lambda: None,
) -> CachedFaces:
    """Write the faces into a new cache and open it. What the old file of that name holds is taken from there.

    Args:
        path: From `cache_path`; its folder must exist.
        faces: All faces of the side: key -> aligned PNG.
        samples: The wanted outputs.
        executor: Threads that decode.
        each: Called after each face.

    Raises:
        NoCache: The disk is full, the folder cannot be written, another run was in the way.
        UserError: A face cannot be read, or shows less than an output needs.
    """
    try:
        _tidy(path)
        _replace(path, faces, samples, executor, each)
        result = CachedFaces(path, samples)
        result.choose(list(faces))
    except OSError as error:
        raise NoCache(error.strerror or str(error)) from error
    except (DamagedCache, KeyError) as error:
        raise NoCache("its file was changed by another run") from error
    return result


def _replace(
    path: Path,
    faces: Mapping[bytes, Path],
    samples: Sequence[Sample],
    executor: Executor,
    each: Callable[[], object],
) -> None:
    old = _old(path, samples)
    made = ordered_map(lambda item: _prepared(*item, old, samples), faces.items(), executor, ahead=FACES_AHEAD)
    try:
        with replacing(path, durable=True) as temporary:
            with open(temporary, "wb") as file:
                _write(file, zip(faces, made, strict=True), len(faces), masks_needed(samples), each)
            if old:
                old.close()  # Windows replaces no file that is mapped
    except PermissionError:
        if not path.exists():
            raise  # else another run has it open, on Windows, and it is the same


def _old(path: Path, samples: Sequence[Sample]) -> CachedFaces | None:
    try:
        return CachedFaces(path, samples)
    except (OSError, DamagedCache):
        return None


def _prepared(key: bytes, path: Path, old: CachedFaces | None, samples: Sequence[Sample]) -> PreparedFace:
    found = old.row(key) if old else None
    return found or decode_face(path, samples)


def _write(
    file: IO[bytes],
    faces: Iterable[tuple[bytes, PreparedFace]],
    count: int,
    masks: Sequence[str],
    each: Callable[[], object],
) -> None:
    index, position = _Index(), 0
    for number, (key, face) in enumerate(faces):
        if number == 0 and shutil.disk_usage(os.path.dirname(file.name)).free < count * bytes_of(face) + MIN_FREE_BYTES:
            raise NoCache(f"it would take {count * bytes_of(face) / (1 << 20):.0f} MB, and the disk is nearly full")
        index.keys.append(key)
        index.positions.append(position)
        index.sides.append([size.side for size in _sizes(face)])
        index.landmarks.append(face.landmarks)
        for size in _sizes(face):
            for pixels in (size.image, *(size.masks[name] for name in masks)):
                file.write(np.ascontiguousarray(pixels).data)
                position += pixels.nbytes
        each()
    text = _packed(index, masks)
    file.write(text)
    file.write(position.to_bytes(8, "little") + len(text).to_bytes(8, "little"))
    file.write(zlib.crc32(text).to_bytes(4, "little") + MAGIC)


def _sizes(face: PreparedFace) -> Iterator[PreparedFace]:
    yield face
    yield from face.smaller


def _packed(index: _Index, masks: Sequence[str]) -> bytes:
    sizes = max(len(sides) for sides in index.sides)
    sides = [row + [0] * (sizes - len(row)) for row in index.sides]
    head = json.dumps({"faces": len(index.keys), "sizes": sizes, "masks": list(masks)}).encode()
    arrays = (
        np.frombuffer(b"".join(index.keys), np.uint8),
        np.asarray(index.positions, "<i8"),
        np.asarray(sides, "<i4"),
        np.asarray(index.landmarks, "<f4"),
    )
    return b"\n".join([head, b"".join(array.tobytes() for array in arrays)])


def _read_index(data: Any) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """Return the header and the arrays keys, positions, sides, landmarks."""
    trailer = bytes(data[-TRAILER:])
    if len(trailer) < TRAILER or trailer[-4:] != MAGIC:
        raise DamagedCache("no face cache")
    start, length = int.from_bytes(trailer[:8], "little"), int.from_bytes(trailer[8:16], "little")
    index = bytes(data[start : start + length])
    if start + length + TRAILER != len(data) or zlib.crc32(index) != int.from_bytes(trailer[16:20], "little"):
        raise DamagedCache("damaged index")
    line, _, packed = index.partition(b"\n")
    try:
        head = parse_json(line, HEAD_SCHEMA)
        n, sizes = head["faces"], head["sizes"]
        kinds = (("u1", (n, 16)), ("<i8", (n,)), ("<i4", (n, sizes)), ("<f4", (n, 68, 2)))
        arrays, position = [], 0
        for kind, shape in kinds:
            arrays.append(np.frombuffer(packed, kind, math.prod(shape), position).reshape(shape))
            position += arrays[-1].nbytes
    except ValueError as error:  # BadJson too
        raise DamagedCache("damaged index") from error
    _check_places(arrays[1], arrays[2], 3 + len(head["masks"]), start)
    if not are_landmarks(arrays[3]).all():
        raise DamagedCache("landmarks that no face has")
    return head, arrays


def _check_places(positions: NDArray[Any], sides: NDArray[Any], planes: int, end: int) -> None:
    """Check that all pixels lie before the index, so that a face's views never leave the file."""
    if not ((sides >= 0) & (sides <= MAX_SIDE)).all() or not (sides[:, :1] > 0).all():
        raise DamagedCache("sizes that no face has")
    areas = (sides.astype(np.int64) ** 2).sum(axis=1) * planes
    if not ((positions >= 0) & (positions <= end) & (positions + areas <= end)).all():
        raise DamagedCache("faces that lie outside of it")


def _tidy(path: Path) -> None:
    """Remove what killed runs left, and this side's oldest files; they are made again when they are needed."""
    label = path.name.rsplit("_", 1)[0]
    remove_leftovers(path.parent)
    now = time.time()
    for left in path.parent.glob(f"{label}_*.tmp"):  # of earlier versions
        with contextlib.suppress(OSError):
            if now - left.stat().st_mtime > ABANDONED_AFTER_S:
                left.unlink()
    others = [other for other in path.parent.glob(f"{label}_*.cache") if other != path]
    with contextlib.suppress(OSError):
        for other in sorted(others, key=lambda other: other.stat().st_mtime, reverse=True)[MAX_FILES - 1 :]:
            other.unlink()
