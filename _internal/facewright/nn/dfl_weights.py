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
MEAN = "ms"
# How an optimiser's file calls what is kept of a weight: RMSprop one thing, AdaBelief two.
KEPT: Mapping[int, Mapping[str, str]] = {1: {"square": "acc"}, 2: {"mean": MEAN, "square": "vs"}}
OWN_NAMES = {"kernel": "weight", "scale": "weight", "bias": "bias", "eps": "eps", "tau": "tau"}


class OtherNetwork(ValueError):
    """The arrays are not those of the network; the text says which differs."""


def variables_of(network: Any) -> dict[str, Any]:
    """Return the variables of a network by the names that a file gives them."""
    return {
        f"{layer.name.replace('-', '/')}/{OWN_NAMES[variable.name]}:0": variable
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
        variable.assign(_ordered(name, arrays[name], flattened, unflattened))


def load_optimizer(
    optimizer: Any,
    networks: Mapping[str, Any],
    arrays: Arrays,
    *,
    longer: float,
    flattened: Map | None = None,
    unflattened: Map | None = None,
) -> None:
    """Assign what an optimiser's file keeps of the weights; of a network of which it keeps nothing, nothing changes.

    There the gradients of the faces of a batch are added, here their mean is taken.

    Args:
        optimizer: `nn.optimizers.AdaBelief` or `DroppedRMSprop`, built.
        networks: Name as in the file -> keras.Model, see `load_file`.
        arrays: Name -> array: "ms_encoder/down1/conv1/weight_0:0" is of the weight "down1/conv1/weight:0" of encoder.
        longer: How many times as long the gradients are there: the faces per step, as a rule.
        flattened, unflattened: See `load_file`.

    Raises:
        OtherNetwork: It is that of another kind of optimiser or of other networks; nothing was assigned.
    """
    taken: dict[str, tuple[Any, NDArray[np.float32]]] = {}
    for root, network in networks.items():
        slots: dict[str, Any] = {}
        names: dict[str, str] = {}
        for name, variable in variables_of(network).items():
            own = optimizer.slots(variable)
            for kind, kept in KEPT[len(own)].items():
                key = f"{kept}_{root}/{name.replace(':', '_')}:0"
                slots[key], names[key] = own[kind], name
        there = {key: arrays[key] for key in slots if key in arrays}
        if there:
            check_names(slots, there)
        for key, array in there.items():
            square = not key.startswith(MEAN)
            if square and (array < 0).any():
                raise OtherNetwork(f"{key} holds squares below zero")
            scaled = array / (longer**2 if square else longer)
            taken[key] = slots[key], _ordered(names[key], scaled, flattened, unflattened)
    if not taken:
        raise OtherNetwork("it is that of another kind of optimiser, or of other networks")
    for slot, array in taken.values():
        slot.assign(array)


def _ordered(name: str, array: NDArray[Any], flattened: Map | None, unflattened: Map | None) -> NDArray[np.float32]:
    """Return an array in the order of our networks."""
    array = np.asarray(array, np.float32)
    if name == FLATTENED and flattened:
        return rows_last(array, flattened)
    return columns_last(array, unflattened) if name in UNFLATTENED and unflattened else array


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
