"""A network as ONNX: every layer of a keras model becomes one or two nodes, its weights become the file's arrays.

Written by hand, because the usual converter (tf2onnx 1.17) takes more than 20 GB of memory for DF; this one takes two
or three times the weights themselves, asks nothing of the backend, and knows the layers of the models here.

Between the layers images travel as ONNX wants them, (b, c, h, w); they are turned where the outer world or a
layer of plain numbers needs (b, h, w, c). Operators: https://onnx.ai/onnx/operators (opset 12).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from facewright.nn.blocks import LEAST_SQUARE
from facewright.nn.layer_calls import LayerCall, trace_calls

OPSET = 12
IR_VERSION = 7  # of that opset: older programs refuse a newer one
BATCH = "batch"
CHANNELS_FIRST, CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


@dataclass(frozen=True)
class Tensor:
    """What flows between two nodes.

    Attributes:
        name: Its name in the file.
        shape: As keras has it, channels last; None for the batch.
        first: Whether its channels come first in the file. Only images, of four dimensions, may be so.
    """

    name: str
    shape: tuple[int | None, ...]
    first: bool = False


class Graph:
    """Collects nodes and arrays; each method returns the name of what its node gives."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.arrays: list[Any] = []
        self._known: dict[Any, str] = {}

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node with one output; the same node of the same inputs is written once."""

        def add() -> str:
            name = output or f"{kind.lower()}_{len(self.nodes)}"
            self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
            return name

        return self.once((kind, inputs, output, repr(attributes)), add)

    def array(self, values: NDArray[Any]) -> str:
        """Add an array."""
        name = f"array_{len(self.arrays)}"
        self.arrays.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def integers(self, *values: int) -> str:
        """Add a list of whole numbers."""
        return self.once(values, lambda: self.array(np.array(values, np.int64)))

    def weight(self, variable: Any, order: Sequence[int] = ()) -> str:
        """Add a weight in float32, its axes in another order where one is given; a shared one is written once."""

        def add() -> str:
            values = np.asarray(variable.numpy(), np.float32)
            return self.array(values.transpose(order) if order else values)

        return self.once(id(variable), add)

    def once(self, key: Any, add: Callable[[], str]) -> str:
        """Return what was added under this key before, or add it."""
        if key not in self._known:
            self._known[key] = add()
        return self._known[key]

    def placed(self, value: Tensor, *, first: bool) -> str:
        """Return a value's name with its channels where they are wanted."""
        if value.first == first:
            return value.name
        return self.node("Transpose", value.name, perm=CHANNELS_FIRST if first else CHANNELS_LAST)


def build_onnx(
    network: Any,
    *,
    input_names: Sequence[str],
    output_names: Sequence[str],
    constants: Mapping[str, NDArray[np.float32]],
) -> Any:
    """Return a keras model as an onnx.ModelProto; images come and go as (b, h, w, c), numbers (b) are one for all, (1).

    Args:
        network: keras.Model (b, h, w, c), and numbers -> the outputs that are no constants, in their order.
        input_names: Names of the inputs in the file; the first one is that of the images.
        output_names: Names of all outputs, in their order.
        constants: Outputs that are the same for every picture: name -> (h, w, c).

    Raises:
        NotImplementedError: It holds a layer that this file does not know.
    """
    graph = Graph()
    given = [Tensor(name, tuple(i.shape)) for name, i in zip(input_names, network.inputs, strict=True)]
    walk = _Walk(graph, network, given)
    learned = [name for name in output_names if name not in constants]
    shapes = []
    for name in output_names:
        if name in constants:
            _repeat(graph, constants[name], input_names[0], name)
            shapes.append(constants[name].shape)
        else:
            value = walk.output(learned.index(name))
            graph.node("Identity", graph.placed(value, first=False), output=name)
            shapes.append(tuple(value.shape[1:]))
    outputs = [_described(name, shape) for name, shape in zip(output_names, shapes, strict=True)]
    inputs = [_described(tensor.name, tensor.shape[1:]) for tensor in given]
    whole = helper.make_graph(graph.nodes, "facewright", inputs, outputs, graph.arrays)
    opset = [helper.make_opsetid("", OPSET)]
    return helper.make_model(whole, opset_imports=opset, ir_version=IR_VERSION, producer_name="facewright")


def set_tags(proto: Any, tags: Mapping[str, str], *, version: str) -> None:
    """Let a file say of itself: key -> text; who wrote it, and in which version."""
    helper.set_model_props(proto, dict(tags))
    proto.producer_version = version


def _described(name: str, shape: Sequence[int | None]) -> Any:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [BATCH, *shape] if shape else [1])


def _repeat(graph: Graph, picture: NDArray[np.float32], like: str, name: str) -> None:
    """Give the same image once for every image of a batch."""
    count = graph.node("Slice", graph.node("Shape", like), graph.integers(0), graph.integers(1))
    shape = graph.node("Concat", count, graph.integers(*picture.shape), axis=0)
    graph.node("Expand", graph.array(picture[None]), shape, output=name)


class _Walk:
    """The way through a keras model, from an output back to the inputs: only what an output needs is written."""

    def __init__(self, graph: Graph, network: Any, inputs: Sequence[Tensor]) -> None:
        self._graph = graph
        self._copy, calls = trace_calls(network)
        # How a tensor is made: by which call, and which of its outputs it is.
        self._made = {id(tensor): (call, place) for call in calls for place, tensor in enumerate(call.outputs)}
        self._known = {id(tensor): value for tensor, value in zip(self._copy.inputs, inputs, strict=True)}
        self._inner: dict[int, _Walk] = {}

    def output(self, place: int) -> Tensor:
        """Write all that leads to an output; return it."""
        return self._value(self._copy.outputs[place])

    def _value(self, tensor: Any) -> Tensor:
        if id(tensor) not in self._known:
            self._known[id(tensor)] = self._written(*self._made[id(tensor)])
        return self._known[id(tensor)]

    def _written(self, made: LayerCall, place: int) -> Tensor:
        given = [self._value(source) for source in made.sources]
        if hasattr(made.layer, "operations"):  # a model inside the model
            call = id(made.outputs[0])
            inner = self._inner.setdefault(call, _Walk(self._graph, made.layer, given))
            return inner.output(place)
        kind = type(made.layer).__name__
        if kind not in LAYERS:
            raise NotImplementedError(f"nn/onnx_graph.py does not know the layer {kind} ({made.layer.name})")
        shape = tuple(made.outputs[place].shape)
        return LAYERS[kind](self._graph, made.layer, given, Call(shape, made.arguments, place))


@dataclass(frozen=True)
class Call:
    """How a layer was called.

    Attributes:
        shape: Of its output, channels last; None for the batch.
        arguments: Its positional arguments.
        place: Which of its outputs is meant.
    """

    shape: tuple[int | None, ...]
    arguments: tuple[Any, ...]
    place: int


def _conv(graph: Graph, layer: Any, given: list[Tensor], call: Call) -> Tensor:
    same = layer.padding == "same" or tuple(layer.kernel_size) == (1, 1)  # which needs none
    _need(same, layer, "other than a plain convolution with padding")
    return _convolved(graph, layer, given[0], call, _same_pads(given[0], layer.kernel_size, layer.strides))


def _even_conv(graph: Graph, layer: Any, given: list[Tensor], call: Call) -> Tensor:
    return _convolved(graph, layer, given[0], call, [size // 2 for size in layer.kernel_size] * 2)


def _convolved(graph: Graph, layer: Any, source: Tensor, call: Call, pads: list[int]) -> Tensor:
    plain = layer.groups == 1 and tuple(layer.dilation_rate) == (1, 1)
    _need(plain and layer.use_bias, layer, "other than a plain convolution with bias")
    made = graph.node(
        "Conv",
        graph.placed(source, first=True),
        graph.weight(layer.kernel, (3, 2, 0, 1)),
        graph.weight(layer.bias),
        kernel_shape=list(layer.kernel_size),
        strides=list(layer.strides),
        pads=pads,
    )
    return _activated(graph, layer, Tensor(made, call.shape, first=True))


def _same_pads(source: Tensor, kernels: Sequence[int], strides: Sequence[int]) -> list[int]:
    """Return the padding that keras calls "same": where it cannot be even, the end gets one more."""
    before, after = [], []
    for side, kernel, stride in zip(source.shape[1:3], kernels, strides, strict=True):
        total = max((-(-int(side or 0) // stride) - 1) * stride + kernel - int(side or 0), 0)
        before.append(total // 2)
        after.append(total - total // 2)
    return before + after


def _max_pool(graph: Graph, layer: Any, given: list[Tensor], call: Call) -> Tensor:
    _need(layer.padding == "same", layer, "without padding")
    made = graph.node(
        "MaxPool",
        graph.placed(given[0], first=True),
        kernel_shape=list(layer.pool_size),
        strides=list(layer.strides),
        pads=_same_pads(given[0], layer.pool_size, layer.strides),
    )
    return Tensor(made, call.shape, first=True)


def _average_pool(graph: Graph, layer: Any, given: list[Tensor], call: Call) -> Tensor:
    _need(tuple(layer.pool_size) == tuple(layer.strides), layer, "whose windows overlap")
    source, size = graph.placed(given[0], first=True), list(layer.pool_size)
    return Tensor(graph.node("AveragePool", source, kernel_shape=size, strides=size), call.shape, first=True)


def _dense(graph: Graph, layer: Any, given: list[Tensor], call: Call) -> Tensor:
    _need(layer.use_bias, layer, "without bias")
    kernel, bias = graph.weight(layer.kernel), graph.weight(layer.bias)
    if len(call.shape) == 2:
        made = graph.node("Gemm", given[0].name, kernel, bias)
    else:
        made = graph.node("Add", graph.node("MatMul", graph.placed(given[0], first=False), kernel), bias)
    return _activated(graph, layer, Tensor(made, call.shape))


def _as_it_is(graph: Graph, layer: Any, given: list[Tensor], call: Call) -> Tensor:
    """What does something in training only."""
    return given[0]


def _ones(graph: Graph, layer: Any, given: list[Tensor], call: Call) -> Tensor:
    shape = graph.node("Shape", given[0].name)
    made = graph.node("ConstantOfShape", shape, value=numpy_helper.from_array(np.ones(1, np.float32), "one"))
    return Tensor(made, call.shape, given[0].first)


def _activation(graph: Graph, layer: Any, given: list[Tensor], call: Call) -> Tensor:
    return _activated(graph, layer, given[0])


def _activated(graph: Graph, layer: Any, value: Tensor) -> Tensor:
    name = layer.activation.__name__
    _need(name in ("linear", "sigmoid"), layer, f"with the activation {name}")
    return value if name == "linear" else Tensor(graph.node("Sigmoid", value.name), value.shape, value.first)


def _leaky(graph: Graph, layer: Any, given: list[Tensor], call: Call) -> Tensor:
    made = graph.node("LeakyRelu", given[0].name, alpha=float(layer.negative_slope))
    return Tensor(made, call.shape, given[0].first)


def _cosine_gate(graph: Graph, layer: Any, given: list[Tensor], call: Call) -> Tensor:
    made = graph.node("Mul", given[0].name, graph.node("Cos", given[0].name))
    return Tensor(made, call.shape, given[0].first)


def _morph(graph: Graph, layer: Any, given: list[Tensor], call: Call) -> Tensor:
    channels, first = int(call.shape[-1] or 0), given[0].first
    numbers = np.arange(channels, dtype=np.float32)
    count = graph.node("Floor", graph.node("Mul", given[2].name, graph.array(np.array([channels], np.float32))))
    of_src = graph.node("Less", graph.array(numbers[:, None, None] if first else numbers), count)
    made = graph.node("Where", of_src, *(graph.placed(value, first=first) for value in given[:2]))
    return Tensor(made, call.shape, first)


def _flatten(graph: Graph, layer: Any, given: list[Tensor], call: Call) -> Tensor:
    return _reshape(graph, layer, given, call)


def _reshape(graph: Graph, layer: Any, given: list[Tensor], call: Call) -> Tensor:
    shape = graph.integers(-1, *(int(side or 0) for side in call.shape[1:]))
    return Tensor(graph.node("Reshape", graph.placed(given[0], first=False), shape), call.shape)


def _shuffle(graph: Graph, layer: Any, given: list[Tensor], call: Call) -> Tensor:
    made = graph.node("DepthToSpace", graph.placed(given[0], first=True), blocksize=2, mode="DCR")
    return Tensor(made, call.shape, first=True)


def _pixel_norm(graph: Graph, layer: Any, given: list[Tensor], call: Call) -> Tensor:
    _need(len(call.shape) == 2, layer, "of images")
    code = given[0].name
    mean = graph.node("ReduceMean", graph.node("Mul", code, code), axes=[-1], keepdims=1)
    size = graph.node("Sqrt", graph.node("Add", mean, graph.array(np.array([LEAST_SQUARE], np.float32))))
    return Tensor(graph.node("Div", code, size), call.shape)


def _add(graph: Graph, layer: Any, given: list[Tensor], call: Call) -> Tensor:
    first = given[0].first
    total, *others = (graph.placed(value, first=first) for value in given)
    for other in others:
        total = graph.node("Add", total, other)
    return Tensor(total, call.shape, first)


def _concatenate(graph: Graph, layer: Any, given: list[Tensor], call: Call) -> Tensor:
    _need(layer.axis in (-1, len(call.shape) - 1), layer, "on another axis than the channels")
    first = len(call.shape) == 4
    names = [graph.placed(value, first=first) for value in given]
    return Tensor(graph.node("Concat", *names, axis=1), call.shape, first)


def _enlarge(graph: Graph, layer: Any, given: list[Tensor], call: Call) -> Tensor:
    _need(layer.interpolation == "bilinear", layer, f"with the interpolation {layer.interpolation}")
    scales = graph.array(np.array([1, 1, *layer.size], np.float32))
    nothing = graph.array(np.empty(0, np.float32))  # a region that this mode does not ask for
    source = graph.placed(given[0], first=True)
    # Half pixels: the middle of the first pixel lies half a pixel from the border, before and after.
    made = graph.node("Resize", source, nothing, scales, mode="linear", coordinate_transformation_mode="half_pixel")
    return Tensor(made, call.shape, first=True)


def _channels(graph: Graph, layer: Any, given: list[Tensor], call: Call) -> Tensor:
    """A run of channels: x[..., a:b]."""
    key = call.arguments[1]
    run = key[1] if isinstance(key, tuple) and len(key) == 2 and key[0] is Ellipsis else None
    _need(isinstance(run, slice), layer, "other than a run of channels")
    assert isinstance(run, slice)
    start, stop, step = run.indices(int(given[0].shape[-1] or 0))
    _need(step == 1, layer, "that leaves channels out")
    return _run(graph, given[0], call, start, stop)


def _split(graph: Graph, layer: Any, given: list[Tensor], call: Call) -> Tensor:
    """One of several runs of channels: split(x, starts, axis=-1)."""
    starts = layer.indices_or_sections
    _need(layer.axis == -1 and not isinstance(starts, int), layer, "other than into runs of channels")
    bounds = [0, *starts, int(given[0].shape[-1] or 0)]
    return _run(graph, given[0], call, *bounds[call.place : call.place + 2])


def _run(graph: Graph, source: Tensor, call: Call, start: int, stop: int) -> Tensor:
    bounds = [graph.integers(number) for number in (start, stop, 1 if source.first else len(call.shape) - 1)]
    return Tensor(graph.node("Slice", source.name, *bounds), call.shape, source.first)


def _need(known: bool, layer: Any, what: str) -> None:
    if not known:
        raise NotImplementedError(f"nn/onnx_graph.py does not know a {type(layer).__name__} {what} ({layer.name})")


# Name of a keras layer or operation -> (graph, layer, what goes in, how it was called) -> what comes out.
LAYERS: Mapping[str, Callable[[Graph, Any, list[Tensor], Call], Tensor]] = {
    "Activation": _activation,
    "Add": _add,
    "AveragePooling2D": _average_pool,
    "ChannelMix": _as_it_is,
    "Concatenate": _concatenate,
    "Conv2D": _conv,
    "CosineGate": _cosine_gate,
    "Dense": _dense,
    "Dropout": _as_it_is,
    "EvenConv2D": _even_conv,
    "Flatten": _flatten,
    "GetItem": _channels,
    "LeakyReLU": _leaky,
    "MaxPooling2D": _max_pool,
    "Morph": _morph,
    "OnesLike": _ones,
    "PixelNorm": _pixel_norm,
    "PixelShuffle": _shuffle,
    "Reshape": _reshape,
    "Split": _split,
    "UpSampling2D": _enlarge,
}
