"""The weights of DeepFaceLab's files and the variables of our networks: names, and the order of numbers.

A file holds one flat dictionary: path of the layer below its network, parts joined by "/", and the weight's own name
("down1/downs_0/conv1/weight:0"). Kernels have the axes of keras. Maps are made flat as (channel, row, column), whatever
made the file; here the channel comes last, so the rows of "dense1" and the columns of "dense2" change places.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
Map = tuple[int, int, int]  # (h, w, c) of a map that is made flat, or made of something flat
FLATTENED, UNFLATTENED = "dense1/weight:0", ("dense2/weight:0", "dense2/bias:0")
OWN_NAMES = {"kernel": "weight", "scale": "weight", "bias": "bias", "eps": "eps", "tau": "tau"}


class OtherNetwork(ValueError):
    """The arrays are not those of the network; the text says which differs."""


def variables_of(network: Any) -> dict[str, Any]:
    """Return the variables of a network by the names that a file gives them."""
    return {
        f"{layer.name.replace('.', '/')}/{OWN_NAMES[variable.name]}:0": variable
        for layer in network.layers
        for variable in layer.variables
    }


def load_file(network: Any, arrays: Arrays, *, flattened: Map | None = None, unflattened: Map | None = None) -> None:
    """Assign what a file holds to a network; every name must be there, and no other.

    Args:
        network: keras.Model with the layer names of `nn.saehd_networks` or `nn.xseg_network`.
        arrays: Name -> array of numbers.
        flattened: (h, w, c) of the map that "dense1" gets flat; None where it gets none.
        unflattened: (h, w, c) of the map that is made of what "dense2" gives.

    Raises:
        OtherNetwork: Names or shapes differ, or a number is not finite.
    """
    variables = variables_of(network)
    check_names(variables, arrays)
    for name, variable in variables.items():
        array = np.asarray(arrays[name], np.float32)
        if name == FLATTENED and flattened:
            array = rows_last(array, flattened)
        if name in UNFLATTENED and unflattened:
            array = columns_last(array, unflattened)
        variable.assign(array)


def check_names(wanted: Mapping[str, Any], arrays: Arrays) -> None:
    """Check names, shapes and numbers.

    Raises:
        OtherNetwork: See `load_file`.
    """
    for name in sorted({*wanted, *arrays}):
        if name not in arrays:
            raise OtherNetwork(f"{name} is missing")
        if name not in wanted:
            raise OtherNetwork(f"{name[:80]} is not part of it")
        if tuple(wanted[name].shape) != arrays[name].shape:
            raise OtherNetwork(f"{name} is {arrays[name].shape}, not {tuple(wanted[name].shape)}")
        if not np.isfinite(arrays[name]).all():
            raise OtherNetwork(f"{name} holds numbers that are not finite")


def rows_last(array: NDArray[Any], size: Map) -> NDArray[Any]:
    """Return a matrix (c h w, n) with the rows in the order (h, w, c)."""
    h, w, c = size
    return array.reshape(c, h, w, -1).transpose(1, 2, 0, 3).reshape(array.shape)


def columns_last(array: NDArray[Any], size: Map) -> NDArray[Any]:
    """Return a matrix (n, c h w) or a vector (c h w) with the last axis in the order (h, w, c)."""
    h, w, c = size
    return array.reshape(-1, c, h, w).transpose(0, 2, 3, 1).reshape(array.shape)
