"""An ONNX file that enlarges images: what it does not say is found out, and what is none is refused."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from commands.convert_runs import fill
from facewright import cli
from facewright.core.errors import UserError
from facewright.core.images import read_image
from facewright.models.super_resolution import SuperResolution
from models.small_dfm import fail_with_black_and_white, write_dfm

FLOAT = TensorProto.FLOAT


def enlarger(path, *, factor=2, span=1.0, side=None, last=False, gain=1.0, channels=3):
    """Write a network that repeats each pixel."""
    kernel = np.full((3, 1, factor, factor), gain, np.float32)
    # Bias and clip show for which range it was made.
    arrays = {"kernel": kernel, "bias": np.float32([0.02 * span] * 3), "low": np.float32(0), "high": np.float32(span)}
    first = "first" if last else "in"
    nodes = [
        *([helper.make_node("Transpose", ["in"], ["first"], perm=(0, 3, 1, 2))] if last else []),
        helper.make_node("ConvTranspose", [first, "kernel", "bias"], ["large"], group=3, strides=[factor] * 2),
        helper.make_node("Clip", ["large", "low", "high"], ["clipped" if last else "out"]),
        *([helper.make_node("Transpose", ["clipped"], ["out"], perm=(0, 2, 3, 1))] if last else []),
    ]
    given = [1, side or "h", side or "w", channels] if last else [1, channels, side or "h", side or "w"]
    made = [1, "H", "W", 3] if last else [1, 3, "H", "W"]
    values = [helper.make_tensor_value_info(n, FLOAT, shape) for n, shape in (("in", given), ("out", made))]
    weights = [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "larger", values[:1], values[1:], weights)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7)
    path.write_bytes(proto.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("how", "side"),
    [({}, 64), ({"span": 255.0}, 64), ({"factor": 4, "last": True}, 128), ({"side": 48, "span": 255.0}, 96)],
)
def test_factor_range_and_layout_are_found_out(tmp_path, how, side):
    larger = SuperResolution(enlarger(tmp_path / "x.onnx", **how), 32, "cpu")
    assert larger.side == side
    images = np.zeros((2, 32, 32, 3), np.float32) + np.float32([0.1, 0.4, 0.8])
    images[1, :16] = 0
    made = larger.enlarge(images)
    assert made.shape == (2, side, side, 3)
    np.testing.assert_allclose(made[0, 20, 20], np.float32([0.12, 0.42, 0.82]), atol=1e-3)
    np.testing.assert_allclose(made[1, side // 4, 20], np.float32([0.02] * 3), atol=1e-2)


@pytest.mark.parametrize("how", [{"gain": 0.3}, {"factor": 1}, {"channels": 1}, {"factor": 128}])
def test_what_does_something_else_is_refused(tmp_path, how):
    with pytest.raises(UserError, match=r"x\.onnx is not used"):
        SuperResolution(enlarger(tmp_path / "x.onnx", **how), 32, "cpu")
    with pytest.raises(UserError, match="no such file"):
        SuperResolution(tmp_path / "y.onnx", 32, "cpu")


def test_one_that_fails_on_faces_is_refused_in_a_sentence(tmp_path):
    path = enlarger(tmp_path / "x.onnx")
    proto = onnx.load(path)
    fail_with_black_and_white(proto.graph, "large", "summed")
    proto.graph.node[-1].input[0], proto.graph.node[-1].output[0] = "summed", "out"
    path.write_bytes(proto.SerializeToString())
    larger = SuperResolution(path, 32, "cpu")
    assert larger.enlarge(np.full((1, 32, 32, 3), 0.5, np.float32)).shape == (1, 64, 64, 3)
    faces = np.full((1, 32, 32, 3), 0.5, np.float32)
    faces[0, :16] = 0
    with pytest.raises(UserError, match=r"x\.onnx"):
        larger.enlarge(faces)


def test_a_conversion_uses_it(workspace, tmp_path):
    fill(workspace, 2)
    dfm = str(write_dfm(tmp_path / "hero.dfm", side=32, colour=(0.5, 0.5, 0.5), tags={"face_type": "full"}))
    words = ["convert", "--workspace", str(workspace.root), "--dfm", dfm, "--mode", "overlay", "--yes"]

    def brightness():
        return read_image(workspace.dst.merged_dir / "00001.png")[24:36, 34:46].mean()

    assert cli.main(words) == 0
    plain = brightness()
    file = enlarger(tmp_path / "x.onnx", gain=0.8)
    assert cli.main([*words, "--super-resolution", str(file)]) == 0
    assert abs(brightness() - 0.8 * plain - 0.02 * 255) < 3
    made = workspace.dst.merged_dir / "00001.png"
    before = made.stat().st_mtime_ns
    assert cli.main([*words, "--super-resolution", str(file)]) == 0
    assert made.stat().st_mtime_ns == before, "nothing is left to do"
    enlarger(file, gain=0.9)
    assert cli.main([*words, "--super-resolution", str(file)]) == 0
    assert made.stat().st_mtime_ns != before, "another content is another key"
