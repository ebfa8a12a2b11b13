"""Named arrays in one flat file, in the layout of safetensors: no code in it, read array by array.

8 bytes: length of the header, little-endian. Header: JSON {name: {"dtype", "shape", "data_offsets"}}, padded
with spaces to a multiple of 8. Then the arrays, little-endian, one after another.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewright.core.json_data import choice, dict_of, fields, list_of, parse_json, whole
from facewright.core.safe_files import open_regular

LARGEST_HEADER = 64 << 20
MAX_DIMENSIONS = 16
MAX_BYTES = 1 << 48
DTYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint64": "U64",
    "uint32": "U32",
    "uint16": "U16",
    "uint8": "U8",
    "bool": "BOOL",
}
HEADER_SCHEMA = dict_of(
    fields({"dtype": choice(*DTYPES.values()), "shape": list_of(whole(0)), "data_offsets": list_of(whole(0), 2)})
)


class DamagedArrays(ValueError):
    """The file is not what it should be; the text says what is wrong with it."""


def header_of(arrays: Mapping[str, Any]) -> tuple[bytes, int]:
    """Return the file's first bytes and its whole size.

    Args:
        arrays: name -> anything with `shape` and `dtype` (an array, a keras variable).
    """
    entries: dict[str, Any] = {}
    end = 0
    for name, array in arrays.items():
        kind = _dtype_name(array)
        shape = [int(n) for n in array.shape]
        start, end = end, end + int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
        entries[name] = {"dtype": DTYPES[kind], "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    head = len(text).to_bytes(8, "little") + text
    return head, len(head) + end


def write_arrays(arrays: Mapping[str, Any], write: Callable[[Any], Any]) -> None:
    """Write arrays one at a time: at no moment is more than one of them copied.

    Args:
        arrays: name -> array or keras variable.
        write: Takes the next bytes.

    Raises:
        FloatingPointError: An array holds a number that is not finite; such weights must not replace good ones.
    """
    write(header_of(arrays)[0])
    for name, array in arrays.items():
        values = np.ascontiguousarray(np.asarray(array))
        if not _finite(values):
            raise FloatingPointError(f"{name} holds numbers that are not finite")
        if values.size:
            write(values.reshape(-1).view(np.uint8).data)


def _finite(values: NDArray[Any]) -> bool:
    if values.dtype.kind != "f":
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        total = values.sum()  # several times faster than a look at every number, and nearly always enough
    return bool(np.isfinite(total) or np.isfinite(values).all())


def read_header(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype[Any], int]]:
    """Return name -> (shape, dtype, position of its first byte in the file).

    Raises:
        DamagedArrays: The header is not of this layout or does not fit the file.
    """
    size = path.stat().st_size
    with open_regular(path) as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= min(LARGEST_HEADER, size):
            raise DamagedArrays(f"{path.name} has no header")
        text = file.read(length)
    try:
        entries = parse_json(text, HEADER_SCHEMA)
        found = {name: _entry(entry, 8 + length) for name, entry in entries.items()}
    except ValueError as error:
        raise DamagedArrays(f"{path.name} has a damaged header") from error
    if any(start + _bytes(shape, dtype) > size for shape, dtype, start in found.values()):
        raise DamagedArrays(f"{path.name} is cut off")
    return found


def read_arrays(path: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    """Read the arrays of a file one after another.

    Yields:
        Name and array, in the order they were written.

    Raises:
        DamagedArrays: The file is not of this layout or cut off.
    """
    entries = read_header(path)
    with open_regular(path) as file:
        for name, (shape, dtype, start) in entries.items():
            file.seek(start)
            values = np.fromfile(file, dtype, int(np.prod(shape, dtype=np.int64)))
            yield name, values.reshape(shape)


def _entry(entry: dict[str, Any], base: int) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    kinds = {short: name for name, short in DTYPES.items()}
    dtype = np.dtype(kinds[entry["dtype"]]).newbyteorder("<")
    shape = tuple(entry["shape"])
    start, end = entry["data_offsets"]
    # numpy also counts what the sides that are not 0 would hold.
    fits = len(shape) <= MAX_DIMENSIONS and _bytes(tuple(n or 1 for n in shape), dtype) <= MAX_BYTES
    if end - start != _bytes(shape, dtype) or not fits:
        raise ValueError("sizes that do not fit")
    return shape, dtype, base + start


def _bytes(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    total = dtype.itemsize
    for n in shape:
        total *= n
    return total


def _dtype_name(array: Any) -> str:
    name = str(array.dtype).rsplit(".", 1)[-1]
    if name not in DTYPES:
        raise TypeError(f"arrays of {name} are not saved; use one of {', '.join(DTYPES)}")
    return name
