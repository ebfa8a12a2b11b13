"""A .dfm file of three nodes, written without keras: the face in the colour that is asked for, and plain masks."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

BLUE = (0.9, 0.2, 0.1)


def small_dfm(side=32, *, colour=BLUE, morphs=False, tags=None, nodes=(), outputs=None, inputs=None, arrays=(), **more):
    """Return the ModelProto; `nodes` and `arrays` come on top, `inputs` and `outputs` in place of the usual ones.

    The image is a tenth of the face and nine tenths of the colour; with a morph value, so much of that.
    """
    face = helper.make_tensor_value_info("in_face:0", TensorProto.FLOAT, ["batch", side, side, 3])
    share = helper.make_tensor_value_info("morph_value:0", TensorProto.FLOAT, [1])
    shapes = {"out_face_mask:0": 1, "out_celeb_face:0": 3, "out_celeb_face_mask:0": 1}
    usual = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", side, side, c]) for n, c in shapes.items()]
    numbers = {"colour": np.float32(colour), "tenth": np.float32(0.1), "nine": np.float32(0.9), "zero": np.float32(0)}
    numbers |= {"first": np.int64([0]), "second": np.int64([1]), "axis": np.int64([3]), "one": np.float32(1)}
    given = [numpy_helper.from_array(np.asarray(value), name) for name, value in numbers.items()]
    body = [
        helper.make_node("Mul", ["in_face:0", "tenth"], ["dark"]),
        helper.make_node("Mul", ["colour", "morph_value:0" if morphs else "nine"], ["light"]),
        helper.make_node("Add", ["dark", "light"], ["out_celeb_face:0"]),
        helper.make_node("Slice", ["in_face:0", "first", "second", "axis"], ["channel"]),
        helper.make_node("Mul", ["channel", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "one"], ["out_celeb_face_mask:0"]),
        helper.make_node("Identity", ["out_celeb_face_mask:0"], ["out_face_mask:0"]),
    ]
    usual_inputs = [face, share] if morphs else [face]
    wanted = [usual_inputs if inputs is None else inputs, usual if outputs is None else outputs]
    graph = helper.make_graph([*body, *nodes], "small", *wanted, [*given, *arrays], **more)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7)
    helper.set_model_props(proto, tags or {})
    return proto


def write_dfm(path, **more):
    """Write such a file; return its path."""
    path.write_bytes(small_dfm(**more).SerializeToString())
    return path


def fail_with_black_and_white(graph, tensor, result):
    """Put nodes before a graph's last one that hand a tensor on, and ask for a row that is not there where the input
    holds 0 and more than 0."""
    last = graph.node.pop()
    given = graph.input[0].name
    graph.initializer.extend(
        [numpy_helper.from_array(np.float32(100), "much"), numpy_helper.from_array(np.float32([0]), "one row")]
    )
    graph.node.extend(
        [
            helper.make_node("ReduceMax", [given], ["brightest"], keepdims=0),
            helper.make_node("ReduceMin", [given], ["darkest"], keepdims=0),
            helper.make_node("Mul", ["darkest", "much"], ["bound"]),
            helper.make_node("Greater", ["brightest", "bound"], ["both"]),
            helper.make_node("Cast", ["both"], ["row"], to=TensorProto.INT64),
            helper.make_node("Gather", ["one row", "row"], ["no row"]),
            helper.make_node("Add", [tensor, "no row"], [result]),
            last,
        ]
    )
