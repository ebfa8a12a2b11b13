"""The calls of layers of which a functional keras model consists."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras


@dataclass(frozen=True)
class LayerCall:
    """One call of a layer inside of a model.

    Attributes:
        layer: The layer.
        arguments, named: What it was called with: KerasTensors of the model, and all else.
        outputs: The KerasTensors that it gave.
    """

    layer: Any
    arguments: tuple[Any, ...]
    named: Mapping[str, Any]
    outputs: list[Any]

    @property
    def sources(self) -> list[Any]:
        """The KerasTensors that it takes."""
        given = keras.tree.flatten((self.arguments, dict(self.named)))
        return [one for one in given if isinstance(one, keras.KerasTensor)]


def trace_calls(network: Any) -> tuple[Any, list[LayerCall]]:
    """Return a copy of a model that shares every layer, and its calls in an order in which they can be made.

    keras tells each call while it makes the copy: the tensors of the calls are those of the copy.
    """
    calls: list[LayerCall] = []

    def record(layer: Any, *arguments: Any, **named: Any) -> Any:
        result = layer(*arguments, **named)
        calls.append(LayerCall(layer, arguments, named, keras.tree.flatten(result)))
        return result

    return keras.models.clone_model(network, clone_function=lambda layer: layer, call_function=record), calls
