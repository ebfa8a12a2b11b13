"""A recogniser of the user's own: layout and size come from the file, and a file that is something else is refused."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from convert.drawn_faces import landmarks
from evaluate.small_results import Observers, fill
from facewright.core.errors import UserError
from facewright.core.workspace import Workspace
from facewright.evaluate.observe import Observers as RealObservers
from facewright.evaluate.options import EvaluateOptions
from facewright.evaluate.recognizer import TEMPLATE, OnnxJudge, five_points
from facewright.evaluate.session import evaluate
from facewright.faces.align import similarity, transform_points


def network(path: Path, shape=("n", 3, 112, 112), *, numbers=16, kind=TensorProto.FLOAT, more=(), last=True) -> Path:
    """Mean colours, each repeated: 16 numbers, of which number 3 k + c is the mean of channel c."""
    first = shape[1] == 3
    weights = np.zeros((numbers, 3, 1, 1), np.float32)
    weights[np.arange(numbers), np.arange(numbers) % 3] = 1
    nodes = [] if first else [helper.make_node("Transpose", ["faces"], ["turned"], perm=[0, 3, 1, 2])]
    nodes += [
        helper.make_node("Conv", ["faces" if first else "turned", "w"], ["c"]),
        helper.make_node("GlobalAveragePool", ["c"], ["p"]),
        helper.make_node("Flatten", ["p"], ["found"]),
    ]
    graph = helper.make_graph(
        nodes if last else nodes[:-2],
        "small",
        [helper.make_tensor_value_info("faces", kind, shape), *more],
        [helper.make_tensor_value_info("found" if last else "c", kind, None)],
        [numpy_helper.from_array(weights, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7), str(path))
    return path


@pytest.mark.parametrize("shape", [("n", 3, 112, 112), (1, 3, 112, 112), ("n", 64, 64, 3), ("n", 3, "h", "w")])
def test_size_and_layout_are_read_from_the_file(tmp_path, shape):
    judge = OnnxJudge(network(tmp_path / "net.onnx", shape))
    image = np.full((240, 240, 3), (0, 64, 255), np.uint8)  # BGR
    chip = judge.chip(image, landmarks((120, 120), 90))
    assert chip.shape == ((64, 64, 3) if 64 in shape else (112, 112, 3))
    one, two = judge.embed([chip, 255 - chip])
    assert np.linalg.norm(one) == pytest.approx(1)
    green, blue = one[1:3] / one[0]  # of -1..1: red is 1, blue is -1
    assert (green, blue) == (pytest.approx((64 - 127.5) / 127.5, abs=0.01), pytest.approx(-1, abs=0.01))
    assert one @ two == pytest.approx(-1, abs=0.01)


def test_ranges_are_what_they_say(tmp_path):
    path = network(tmp_path / "net.onnx")
    chip = np.full((112, 112, 3), (0, 128, 255), np.uint8)
    shares, levels = (OnnxJudge(path, name).embed([chip])[0] for name in ("0..1", "0..255"))
    assert shares == pytest.approx(levels, abs=1e-5)
    assert shares[2] == 0 and shares[1] / shares[0] == pytest.approx(128 / 255, abs=1e-4)
    assert OnnxJudge(path, "0..1").name != OnnxJudge(path).name


def test_faces_lie_on_the_published_template():
    points = landmarks((300, 200), 150, turn=25)
    placed = transform_points(five_points(points), similarity(five_points(points), TEMPLATE))
    assert np.abs(placed - TEMPLATE).max() < 4  # the mean face is not quite theirs
    assert placed[0, 0] < placed[1, 0] and placed[:2, 1].mean() < placed[2, 1] < placed[3:, 1].mean()


@pytest.mark.parametrize(
    "broken",
    [
        lambda path: network(path, ("n", 3, 7, 7)),
        lambda path: network(path, ("n", 3, 4096, 4096)),
        lambda path: network(path, ("n", 3, 112, 96)),
        lambda path: network(path, (8, 3, 112, 112)),
        lambda path: network(path, ("n", 3, 112)),
        lambda path: network(path, numbers=4),
        lambda path: network(path, last=False),
        lambda path: network(path, kind=TensorProto.DOUBLE),
        lambda path: network(path, more=[helper.make_tensor_value_info("more", TensorProto.FLOAT, (1,))]),
        lambda path: path.write_bytes(b"no network at all"),
        lambda path: path.write_bytes(b""),
        lambda path: path.mkdir(),
        lambda path: None,
    ],
)
def test_other_files_are_refused_in_a_sentence(tmp_path, broken):
    broken(tmp_path / "net.onnx")
    with pytest.raises(UserError):
        OnnxJudge(tmp_path / "net.onnx")


def test_an_evaluation_by_the_users_own_network(tmp_path):
    fill(workspace := Workspace(tmp_path / "w"), frames=10)
    observers = RealObservers(OnnxJudge(network(tmp_path / "net.onnx")))
    observers.landmarker = observers.detector = Observers()
    found = evaluate(workspace, EvaluateOptions(noise_floor=False), observers)
    assert found.result.values["nearer_src"].value == 1 and "net.onnx" in found.judge


def test_faces_described_by_different_counts_are_refused(tmp_path):
    """A network may give more numbers for two faces than for one: nothing could be compared."""
    path = network(tmp_path / "net.onnx", ("n", 3, 112, 112))
    model = onnx.load(path)
    graph = model.graph
    # (faces, 16) -> (faces, 16 * faces), in a way that no check of shapes can follow.
    graph.node.append(helper.make_node("Shape", ["found"], ["size"]))
    graph.node.append(helper.make_node("Gather", ["size", "zero"], ["count"]))
    graph.node.append(helper.make_node("Concat", ["one", "count"], ["times"], axis=0))
    graph.node.append(helper.make_node("Tile", ["found", "times"], ["wide"]))
    numbers = (("zero", 0), ("one", 1))
    graph.initializer.extend([numpy_helper.from_array(np.array([value]), name) for name, value in numbers])
    graph.output[0].CopyFrom(helper.make_tensor_value_info("wide", TensorProto.FLOAT, (16, 16)))  # a lie
    onnx.save(model, str(path))
    judge = OnnxJudge(path)
    chip = np.full((112, 112, 3), 90, np.uint8)
    judge.embed([chip])
    with pytest.raises(UserError) as caught:
        judge.embed([chip, chip])
    assert "16" in caught.value.happened and "32" in caught.value.happened
