"""Networks on onnxruntime: one export per saved state, .dfm files of strangers, and the device that computes."""

import os

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from facewright.core.errors import UserError
from facewright.faces.align import FaceType
from facewright.faces.dfl_crop import DflFaceType, dfl_matrix
from facewright.faces.landmarks import IBUG68
from facewright.models import onnx_engine
from facewright.models.trained import load_trained
from facewright.nn.onnx_file import OnnxFile, choose_provider
from facewright.train.session import TrainingSession
from models.small_dfm import BLUE, fail_with_black_and_white, small_dfm, write_dfm
from train import tiny

FLOAT = TensorProto.FLOAT


def describe(name, kind, *shape):
    return helper.make_tensor_value_info(name, kind, list(shape))


class TestSavedStates:
    @pytest.fixture
    def saved(self, workspace, monkeypatch):
        tiny.use_tiny(monkeypatch.setattr)
        self.save(workspace, 1)
        return workspace

    @staticmethod
    def save(workspace, iteration):
        model = tiny.Tiny(tiny.Tiny.Options(), seed=iteration)
        TrainingSession("hero", model, workspace.model_dir, "h64", iteration).save()

    def test_a_state_is_written_once_and_answers_as_keras(self, saved, capsys):
        first = onnx_engine.load_saved(saved.model_dir, "hero", "cpu")
        assert "CPUExecutionProvider" in capsys.readouterr().out
        cache = saved.model_dir / "hero" / onnx_engine.Way().file
        before = cache.stat().st_mtime_ns
        second = onnx_engine.load_saved(saved.model_dir, "", "auto")
        assert cache.stat().st_mtime_ns == before
        faces = np.random.default_rng(1).random((3, 16, 16, 3), np.float32)
        wanted = load_trained(saved.model_dir, "hero")
        for model in (first, second):
            assert (model.name, model.iteration, model.fingerprint) == ("hero", 1, wanted.fingerprint)
            for made, right in zip(model.predict(faces), wanted.predict(faces), strict=True):
                np.testing.assert_allclose(made, right, atol=1e-4)

    def test_a_newer_state_is_written_again(self, saved):
        older = onnx_engine.load_saved(saved.model_dir, "hero", "cpu")
        self.save(saved, 2)
        newer = onnx_engine.load_saved(saved.model_dir, "hero", "cpu")
        faces = np.full((1, 16, 16, 3), 0.5, np.float32)
        assert newer.iteration == 2 and np.abs(newer.predict(faces)[0] - older.predict(faces)[0]).max() > 1e-3
        np.testing.assert_allclose(
            newer.predict(faces)[0], load_trained(saved.model_dir, "hero").predict(faces)[0], atol=1e-4
        )

    def test_a_damaged_file_is_written_anew(self, saved):
        onnx_engine.load_saved(saved.model_dir, "hero", "cpu")
        cache = saved.model_dir / "hero" / onnx_engine.Way().file
        whole = cache.read_bytes()
        cache.write_bytes(whole[: len(whole) // 2])
        model = onnx_engine.load_saved(saved.model_dir, "hero", "cpu")
        assert cache.read_bytes() == whole
        assert model.iteration == 1

    @pytest.mark.parametrize("backwards", [False, True])
    def test_both_directions_and_the_masks_of_both_decoders(self, saved, backwards):
        trained = load_trained(saved.model_dir, "hero")
        trained = trained.reversed() if backwards else trained
        model = onnx_engine.load_saved(saved.model_dir, "hero", "cpu", backwards=backwards)
        assert model.fingerprint == trained.fingerprint
        faces = np.random.default_rng(1).random((2, 16, 16, 3), np.float32)
        for made, right in zip(model.predict_with_own_mask(faces), trained.predict_with_own_mask(faces), strict=True):
            np.testing.assert_allclose(made, right, atol=1e-4)
        np.testing.assert_allclose(model.predict(faces)[0], trained.predict(faces)[0], atol=1e-4)


class TestDfm:
    def test_what_a_file_says(self, tmp_path):
        plain = onnx_engine.read_dfm(write_dfm(tmp_path / "a.dfm"))
        assert (plain.side, plain.face_type, plain.morphs, plain.one_by_one) == (32, None, False, False)
        tags = {"face_type": "full", "iteration": "1200"}
        ours = onnx_engine.read_dfm(write_dfm(tmp_path / "b.dfm", side=64, morphs=True, tags=tags))
        assert (ours.side, ours.face_type, ours.morphs, ours.iteration) == (64, FaceType.FULL, True, 1200)

    def test_it_predicts(self, tmp_path):
        dfm = onnx_engine.read_dfm(write_dfm(tmp_path / "a.dfm"))
        model = onnx_engine.open_dfm(dfm, DflFaceType.WHOLE, 1.0, "cpu", "f")
        faces = np.random.default_rng(2).random((3, 32, 32, 3), np.float32)
        image, mask = model.predict(faces)
        np.testing.assert_allclose(image, 0.1 * faces + 0.9 * np.float32(BLUE), atol=1e-6)
        assert mask.shape == (3, 32, 32, 1) and (mask == 1).all()
        assert model.predict_with_own_mask(faces)[2].shape == (3, 32, 32, 1)

    @pytest.mark.parametrize("morph", [0.0, 0.25])
    def test_the_morph_value_arrives(self, tmp_path, morph):
        dfm = onnx_engine.read_dfm(write_dfm(tmp_path / "a.dfm", morphs=True))
        model = onnx_engine.open_dfm(dfm, DflFaceType.FULL, morph, "cpu", "f")
        image, _ = model.predict(np.zeros((2, 32, 32, 3), np.float32))
        np.testing.assert_allclose(image[1, 5, 5], morph * np.float32(BLUE), atol=1e-6)

    def test_one_face_at_a_time(self, tmp_path):
        proto = small_dfm()
        for value in (*proto.graph.input, *proto.graph.output):
            value.type.tensor_type.shape.dim[0].dim_value = 1
        (tmp_path / "a.dfm").write_bytes(proto.SerializeToString())
        dfm = onnx_engine.read_dfm(tmp_path / "a.dfm")
        faces = np.random.default_rng(2).random((3, 32, 32, 3), np.float32)
        image, mask = onnx_engine.open_dfm(dfm, DflFaceType.FULL, 1.0, "cpu", "f").predict(faces)
        assert dfm.one_by_one and len(mask) == 3
        np.testing.assert_allclose(image, 0.1 * faces + 0.9 * np.float32(BLUE), atol=1e-6)

    def test_it_answers_otherwise_than_it_says(self, tmp_path):
        """An output whose shape cannot be known before it is run."""
        proto = small_dfm()
        proto.graph.node[2].output[0] = "almost"
        sides = helper.make_node("NonZero", ["axis"], ["where"])  # (1, how many)
        proto.graph.node.extend([sides, helper.make_node("Squeeze", ["where"], ["at"], axes=[0])])
        proto.graph.node.append(helper.make_node("Gather", ["almost", "at"], ["out_celeb_face:0"], axis=1))
        for axis in proto.graph.output[1].type.tensor_type.shape.dim:
            axis.dim_param = "any"
        (tmp_path / "a.dfm").write_bytes(proto.SerializeToString())
        dfm = onnx_engine.read_dfm(tmp_path / "a.dfm")
        with pytest.raises(UserError, match="not used"):
            onnx_engine.open_dfm(dfm, DflFaceType.FULL, 1.0, "cpu", "f")


def elsewhere(proto):
    array = proto.graph.initializer[0]
    array.ClearField("raw_data")
    array.data_location = TensorProto.EXTERNAL
    entry = array.external_data.add()
    entry.key, entry.value = "location", "../../secret"


def elsewhere_in_a_node(proto):
    tensor = numpy_helper.from_array(np.float32([1]), "x")
    node = helper.make_node("Constant", [], ["unused"], value=tensor)
    node.attribute[0].t.ClearField("raw_data")
    node.attribute[0].t.data_location = TensorProto.EXTERNAL
    proto.graph.node.append(node)


def own_code(proto):
    proto.graph.node.append(helper.make_node("Evil", ["one"], ["unused"], domain="com.evil"))


def loop(proto):
    body = helper.make_graph([], "body", [], [])
    proto.graph.node.append(helper.make_node("Loop", ["", ""], ["unused"], body=body))


def much_memory(proto):
    proto.graph.initializer.append(numpy_helper.from_array(np.int64([1 << 20, 1 << 20]), "much"))
    proto.graph.node.append(helper.make_node("ConstantOfShape", ["much"], ["bomb"]))


def sparse(proto):
    proto.graph.sparse_initializer.add().dims.extend([1 << 20, 1 << 20])


def functions(proto):
    proto.functions.add().name = "f"


def channels_first(proto):
    del proto.graph.input[:]
    proto.graph.input.append(describe("in_face:0", FLOAT, "batch", 3, 32, 32))


def enormous(proto):
    for axis in proto.graph.input[0].type.tensor_type.shape.dim[1:3]:
        axis.dim_value = 4096


def any_side(proto):
    for axis in proto.graph.input[0].type.tensor_type.shape.dim[1:3]:
        axis.dim_param = "side"


def bytes_in(proto):
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8


def another_input(proto):
    proto.graph.input.append(describe("style:0", FLOAT, 1))


def no_mask(proto):
    del proto.graph.output[2]


def image_in_grey(proto):
    proto.graph.output[1].CopyFrom(describe("out_celeb_face:0", FLOAT, "batch", 32, 32, 1))


HOSTILE = (
    *(elsewhere, elsewhere_in_a_node, own_code, loop, much_memory, sparse, functions),
    *(channels_first, enormous, any_side, bytes_in, another_input, no_mask, image_in_grey),
)


@pytest.mark.parametrize("change", HOSTILE)
def test_a_file_that_is_no_such_network_is_refused_before_it_is_run(tmp_path, change):
    proto = small_dfm()
    change(proto)
    (tmp_path / "a.dfm").write_bytes(proto.SerializeToString())
    with pytest.raises(UserError, match=r"a\.dfm is not used"):
        onnx_engine.read_dfm(tmp_path / "a.dfm")


def test_what_is_no_file_at_all(tmp_path):
    path = write_dfm(tmp_path / "a.dfm")
    for content in (b"", b"GIF89a", path.read_bytes()[:-60], b"\n" * 100):
        path.write_bytes(content)
        with pytest.raises(UserError, match="is not used"):
            onnx_engine.read_dfm(path)
    os.truncate(path, 5 << 30)  # with a hole
    with pytest.raises(UserError, match="MiB"):
        onnx_engine.read_dfm(path)
    for other in (tmp_path, tmp_path / "nothing.dfm"):
        with pytest.raises(UserError):
            onnx_engine.read_dfm(other)
    os.mkfifo(tmp_path / "pipe.dfm")
    with pytest.raises(UserError, match="is not used"):
        onnx_engine.read_dfm(tmp_path / "pipe.dfm")


def answering(path, change):
    """Write a file whose image goes through another node last."""
    proto = small_dfm(tags={"face_type": "full"})
    image = next(output.name for output in proto.graph.output if output.name.startswith("out_celeb_face:"))
    for node in proto.graph.node:
        node.output[:] = ["made" if name == image else name for name in node.output]
    change(proto.graph, image)
    path.write_bytes(proto.SerializeToString())
    return onnx_engine.read_dfm(path)


def test_one_that_mixes_its_faces_is_refused(tmp_path):
    def mixed(graph, image):
        graph.node.append(helper.make_node("ReduceMean", ["made"], [image], axes=[0], keepdims=1))

    with pytest.raises(UserError, match=r"a\.dfm"):
        onnx_engine.open_dfm(answering(tmp_path / "a.dfm", mixed), FaceType.FULL, 0.0, "cpu", "print")


def test_one_that_fails_on_faces_is_refused_in_a_sentence(tmp_path):
    def failing(graph, image):
        graph.node.append(helper.make_node("Identity", ["summed"], [image]))
        fail_with_black_and_white(graph, "made", "summed")

    model = onnx_engine.open_dfm(answering(tmp_path / "a.dfm", failing), FaceType.FULL, 0.0, "cpu", "print")
    faces = np.zeros((1, model.resolution, model.resolution, 3), np.float32)
    model.predict(faces)
    faces[0, 0] = 1
    with pytest.raises(UserError, match=r"a\.dfm"):
        model.predict(faces)


def test_a_device_that_is_not_there_is_named_and_never_replaced():
    assert choose_provider("auto") == "cpu"
    with pytest.raises(UserError, match="CUDAExecutionProvider") as caught:
        choose_provider("cuda")
    assert "onnxruntime-gpu" in caught.value.fix and "pip" in caught.value.fix and "--provider cpu" in caught.value.fix
    assert OnnxFile(small_dfm().SerializeToString(), "cpu").provider == "CPUExecutionProvider"


def test_a_card_that_lies_idle_is_named(tmp_path, monkeypatch, capsys):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho Great Card 9000\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert choose_provider("auto") == "cpu"
    said = capsys.readouterr()
    assert "Great Card 9000" in said.out + said.err and "onnxruntime-gpu" in said.out + said.err


def test_crops_of_deepfacelab():
    """Sides of the crops in sides of the mean face, and how much higher they lie; a head from the front."""
    points = np.zeros((68, 2))
    points[17:] = IBUG68.mean_face * 100 + (300, 200)
    points[[0, 1, 2], 0], points[[16, 15, 14], 0] = points[27:30, 0] - 45, points[27:30, 0] + 45
    for kind, side, up in zip(DflFaceType, (1.0, 1.191, 1.597, 2.131, 2.980), (0, 0, 0, 7, 50), strict=True):
        matrix = dfl_matrix(points, kind, 256)
        np.testing.assert_allclose(matrix[:, :2], np.eye(2) * 2.56 / side, atol=2e-3)
        np.testing.assert_allclose(matrix @ (350, 250 - up, 1), (128, 128), atol=1e-6)
    mouth_open = points.copy()
    mouth_open[55:68, 1] += 20
    np.testing.assert_allclose(dfl_matrix(mouth_open, DflFaceType.HEAD, 256), matrix)


def test_the_crop_of_a_head_goes_back_where_it_turns():
    """By yaw x |tanh(2 yaw)| / 2 of the mean face, yaw the difference of the distances of nose and edges."""
    points = np.zeros((68, 2))
    points[17:] = IBUG68.mean_face * 100 + (300, 200)
    # It looks to the left of the image.
    points[[0, 1, 2], 0], points[[16, 15, 14], 0] = points[27:30, 0] - 20, points[27:30, 0] + 70
    middle = np.linalg.inv(np.vstack([dfl_matrix(points, DflFaceType.HEAD, 298), [0, 0, 1]])) @ (149, 149, 1)
    np.testing.assert_allclose(middle[:2], (350 + 100 * 0.5 * np.tanh(1.0) / 2, 200), atol=0.5)
