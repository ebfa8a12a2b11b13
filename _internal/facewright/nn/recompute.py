"""Gradient checkpointing: a network keeps few of its maps for the gradients, and makes the others again when it is
their turn. So a training step takes less memory, and more time.

Source: Chen et al., "Training Deep Nets with Sublinear Memory Cost", arXiv 1604.06174.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from facewright.nn import backends
from facewright.nn.layer_calls import LayerCall, trace_calls

WORTH = 3  # numbers that are made again for each that is kept


@dataclass(frozen=True)
class Stretch:
    """Some calls of layers, of which the outputs of the last ones are kept.

    Attributes:
        calls: In their order.
        given, made: Ids of the KerasTensors that it takes, and of those that later ones take or the model gives.
    """

    calls: Sequence[LayerCall]
    given: Sequence[int]
    made: Sequence[int]


class Recomputed:
    """Runs a functional keras.Model as the model itself would, in stretches whose inner maps are made twice.

    A network whose layers draw random numbers, or change variables of theirs, must not be run so. What it is given is a
    tensor of the backend.

    Args:
        network: keras.Model of one input.
    """

    def __init__(self, network: Any) -> None:
        copy, calls = trace_calls(network)
        self._input, self._outputs = id(copy.inputs[0]), [id(tensor) for tensor in copy.outputs]
        self._copy = copy  # the ids are those of its tensors
        self._stretches = _stretches(calls, [self._input], self._outputs)

    def __call__(self, given: Any) -> Any:
        """Return what the model gives of (b, …): a tensor, or a list where it has several outputs."""
        values = {self._input: given}
        for stretch in self._stretches:
            layers = {id(call.layer): call.layer for call in stretch.calls}.values()
            variables = [variable for layer in layers for variable in layer.variables]
            # As arguments, not by the way: so every engine knows that they have gradients, and torch, which makes maps
            # again when the scope of one of several devices is left, finds that device's weights.
            weights = [keras.ops.convert_to_tensor(variable) for variable in variables]
            run = keras.remat(_Run(stretch, variables))
            made = run(*(values[tensor] for tensor in stretch.given), *weights)
            values |= zip(stretch.made, made, strict=True)
        found = [values[tensor] for tensor in self._outputs]
        return found[0] if len(found) == 1 else found


class _Run:
    """A stretch as a function of its tensors and its weights."""

    def __init__(self, stretch: Stretch, variables: Sequence[Any]) -> None:
        self._stretch, self._variables = stretch, variables
        self.__name__ = "stretch"  # TensorFlow asks for it

    def __call__(self, *given: Any) -> list[Any]:
        stretch, count = self._stretch, len(self._stretch.given)
        values = dict(zip(stretch.given, given[:count], strict=True))

        def value(one: Any) -> Any:
            return values[id(one)] if isinstance(one, keras.KerasTensor) else one

        weights = list(zip(self._variables, given[count:], strict=True))
        with backends.current().beside(given[0]), keras.StatelessScope(state_mapping=weights):
            for call in stretch.calls:
                arguments, named = keras.tree.map_structure(value, (call.arguments, dict(call.named)))
                result = keras.tree.flatten(call.layer(*arguments, **named))
                values |= zip(map(id, call.outputs), result, strict=True)
        return [values[tensor] for tensor in stretch.made]


def _stretches(calls: Sequence[LayerCall], inputs: Sequence[int], outputs: Sequence[int]) -> list[Stretch]:
    """Cut wherever what must be kept is a third of what was made since the cut before, or less."""
    last = {id(source): number for number, call in enumerate(calls) for source in call.sources}
    last |= dict.fromkeys(outputs, len(calls))
    found, start, alive = [], 0, dict.fromkeys(inputs, 0)
    for number, call in enumerate(calls):
        alive |= {id(tensor): math.prod(tensor.shape[1:]) for tensor in call.outputs}
        alive = {tensor: size for tensor, size in alive.items() if last.get(tensor, -1) > number}
        stretch = calls[start : number + 1]
        made = {id(tensor): math.prod(tensor.shape[1:]) for one in stretch for tensor in one.outputs}
        if sum(made.values()) < WORTH * sum(alive.values()) and number + 1 < len(calls):
            continue
        given = dict.fromkeys(id(source) for one in stretch for source in one.sources)
        kept = [tensor for tensor in made if tensor in alive]
        found.append(Stretch(stretch, [tensor for tensor in given if tensor not in made], kept))
        start = number + 1
    return found
