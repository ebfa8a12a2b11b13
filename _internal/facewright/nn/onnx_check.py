"""What an ONNX file of a stranger holds, and whether it may be run: asked before onnxruntime sees it.

The file is parsed as plain data. It may name other files of this machine as the place of its weights, ask for memory
without end, loop for ever or need code of its own: such a file is refused.
"""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from onnx import AttributeProto, TensorProto, shape_inference

from facewright.core.safe_files import LONGEST, open_regular

STANDARD = ("", "ai.onnx")
MAX_NODES = 20_000
MAX_VALUES = 1 << 28  # of one array between two nodes: 1 GiB
SMALL = 1024  # bytes of an array that may name a shape
TensorShape = tuple[int | None, ...]  # None: an axis of any length


class BadOnnx(ValueError):
    """A file that is not run; the text says why, and goes on from "it ..."."""


@dataclass(frozen=True)
class OnnxFacts:
    """What a file says of itself.

    Attributes:
        inputs, outputs: Name -> shape, in the order of the file.
        tags: Key -> text.
    """

    inputs: Mapping[str, TensorShape]
    outputs: Mapping[str, TensorShape]
    tags: Mapping[str, str]


def read_facts(path: Path, *, longest: int = LONGEST) -> tuple[OnnxFacts, Any]:
    """Read a file as data, check that it can be run by itself, and return what it says and its parsed content.

    Args:
        path: The file.
        longest: Most bytes.

    Raises:
        BadOnnx: It is no ONNX file, or one that is not run.
        OSError: It cannot be read.
    """
    with open_regular(path, links=True) as file:
        if os.fstat(file.fileno()).st_size > longest:
            raise BadOnnx(f"it has more than {longest >> 20} MiB")
        proto = onnx.ModelProto()
        try:
            proto.ParseFromString(file.read())
        except Exception as error:  # protobuf's own type derives from Exception alone
            raise BadOnnx("it is no ONNX file, or not all of one") from error
    if not proto.graph.node or not proto.graph.output:
        raise BadOnnx("it is no ONNX file, or holds no network")
    _check_nodes(proto)
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in _tensors(proto.graph)):
        raise BadOnnx("it keeps its weights in another file")
    return _facts(proto), proto


def _facts(proto: Any) -> OnnxFacts:
    weights = {array.name for array in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in weights]
    for value in (*inputs, *proto.graph.output):
        if value.type.tensor_type.elem_type != TensorProto.FLOAT:
            raise BadOnnx(f"{value.name[:60]} is not of 32-bit floating point")
    return OnnxFacts(
        {value.name: _shape(value) for value in inputs},
        {value.name: _shape(value) for value in proto.graph.output},
        {entry.key: entry.value for entry in proto.metadata_props},
    )


def _shape(value: Any) -> TensorShape:
    axes = value.type.tensor_type.shape.dim
    return tuple(axis.dim_value if axis.HasField("dim_value") and axis.dim_value > 0 else None for axis in axes)


def _check_nodes(proto: Any) -> None:
    if proto.functions or len(proto.graph.node) > MAX_NODES:
        raise BadOnnx(f"it holds functions of its own, or more than {MAX_NODES} nodes")
    if proto.graph.sparse_initializer:
        raise BadOnnx("it holds sparse arrays")
    for node in proto.graph.node:
        if node.domain not in STANDARD:
            raise BadOnnx(f"it needs the operator {node.op_type[:40]} of {node.domain[:40]}, which is not part of ONNX")
        if any(attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for attribute in node.attribute):
            raise BadOnnx(f"it holds a loop or a branch ({node.op_type[:40]})")
        if any(attribute.HasField("sparse_tensor") or attribute.sparse_tensors for attribute in node.attribute):
            raise BadOnnx("it holds sparse arrays")


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def check_memory(proto: Any, inputs: Mapping[str, Sequence[int]]) -> dict[str, TensorShape]:
    """Follow the shapes through a network without running it; return those of its outputs.

    Args:
        proto: From `read_facts`; its weights are emptied.
        inputs: Name -> the shape that will be given.

    Raises:
        BadOnnx: An array between its nodes would be larger than 1 GiB, or the shapes do not fit.
    """
    for tensor in _tensors(proto.graph):
        if len(tensor.raw_data) > SMALL:
            tensor.ClearField("raw_data")
    for value in proto.graph.input:
        if value.name in inputs:
            axes = value.type.tensor_type.shape.dim
            for axis, length in zip(axes, inputs[value.name], strict=True):
                axis.dim_value = length
    del proto.graph.value_info[:]  # what the file claims; here it is found out
    try:
        found = shape_inference.infer_shapes(proto, strict_mode=True, data_prop=True).graph
    except Exception as error:  # the library's own types derive from Exception alone
        raise BadOnnx("the shapes in it do not fit") from error
    arrays = [*found.value_info, *found.output, *found.initializer]
    for array in arrays:
        dims = array.dims if isinstance(array, TensorProto) else [length or 1 for length in _shape(array)]
        if math.prod(dims) > MAX_VALUES:
            raise BadOnnx(f"it asks for an array of {math.prod(dims)} numbers")
    return {value.name: _shape(value) for value in found.output}
