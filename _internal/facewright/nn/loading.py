"""Saved arrays into variables: all of them, or those that fit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewright.core.errors import UserError
from facewright.nn.checkpoint import ArrayReader


def load_variables(what: str, variables: Mapping[str, Any], reader: ArrayReader) -> None:
    """Assign saved arrays to variables of the same names and shapes.

    Args:
        what: What is loaded, for the message ("weights").
        variables: name -> keras variable.
        reader: The saved arrays.

    Raises:
        UserError: Names or shapes differ: the file belongs to another network.
        DamagedArrays: The file is not of the layout of `nn.safetensors_file`.
    """
    for name, array in read_fitting(what, variables, reader):
        variables[name].assign(array)


def read_fitting(what: str, wanted: Mapping[str, Any], reader: ArrayReader) -> Iterator[tuple[str, NDArray[Any]]]:
    """Read saved arrays one after another, and check that they are those that are wanted.

    Args:
        what: What is loaded, for the message ("weights").
        wanted: name -> anything with the shape and the dtype that the array must have.
        reader: The saved arrays.

    Yields:
        Name and array.

    Raises:
        UserError: Names, shapes or kinds of number differ: the file belongs to another network.
        DamagedArrays: The file is not of the layout of `nn.safetensors_file`.
    """
    missing = set(wanted)
    for name, array in reader:
        if name not in wanted or _layout(wanted[name]) != _layout(array):
            raise _other_network(what, reader.path, f"{name} {array.shape} {array.dtype}")
        yield name, np.asarray(array, dtype=array.dtype.newbyteorder("="))
        missing.discard(name)
    if missing:
        raise _other_network(what, reader.path, f"{min(missing)} is missing")


def load_groups(variables: Mapping[str, Any], reader: ArrayReader) -> tuple[str, ...]:
    """Assign saved arrays group by group; one in which an array has another shape now stays as it was made.

    What is saved and no longer wanted is passed over, and so is what is wanted and was not saved.

    Args:
        variables: "<group>/<name>" -> keras variable; a name alone is of the group "".
        reader: The saved arrays.

    Returns:
        Names of the groups that stay as they were made.

    Raises:
        DamagedArrays: The file is not of the layout of `nn.safetensors_file`.
    """

    def group(name: str) -> str:
        return name.rpartition("/")[0]

    known = {name: kind for name, kind in reader.layouts().items() if name in variables}
    other = {group(name) for name, kind in known.items() if kind != _layout(variables[name])}
    for name, array in reader:
        if name in known and group(name) not in other:
            variables[name].assign(np.asarray(array, dtype=array.dtype.newbyteorder("=")))
    return tuple(sorted(other))


def _layout(array: Any) -> tuple[tuple[int, ...], bool]:
    """Return the shape, and whether the numbers are fractions."""
    return tuple(array.shape), "float" in str(array.dtype)


def _other_network(what: str, path: Path, detail: str) -> UserError:
    return UserError(
        f"The {what} in {path} belong to another network ({detail}).",
        "weights that this version of the model saved.",
        "use the version of facewright that trained it, or move its folder away and train anew; nothing was changed.",
    )


@dataclass(frozen=True)
class Fit:
    """What of a network could be loaded from another one.

    Attributes:
        loaded: Names of the variables that were read.
        left: Names of the variables that stay as they were: the other network has none of that name and shape.
    """

    loaded: tuple[str, ...]
    left: tuple[str, ...]


def load_fitting(variables: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Fit:
    """Assign those arrays whose name and shape fit a variable; the others are passed over.

    Args:
        variables: name -> keras variable.
        arrays: name -> array of another network.
    """
    loaded = [n for n, v in variables.items() if n in arrays and tuple(v.shape) == arrays[n].shape]
    for name in loaded:
        variables[name].assign(np.asarray(arrays[name], dtype=arrays[name].dtype.newbyteorder("=")))
    return Fit(tuple(loaded), tuple(n for n in variables if n not in set(loaded)))
