"""Who looks at one frame does not wait for what is done with another."""

import threading

import numpy as np

from commands.convert_runs import BLUE, fill
from convert.drawn_faces import as_prediction, constant, landmarks
from facewright.convert.look_ahead import LookAhead
from facewright.convert.masks import DstFace
from facewright.convert.parameters import ConvertOptions
from facewright.convert.pipeline import ModelInput
from facewright.convert.preview import ConversionPreview, PreviewFrame, PreviewModel
from facewright.faces.align import FaceType
from facewright.models.spec import ConverterDefaults


def test_a_frame_that_is_kept_does_not_wait_for_the_prediction_of_another(workspace):
    fill(workspace)
    begun, go_on = threading.Event(), threading.Event()

    def predict(faces, **_):
        if started:
            begun.set()
            assert go_on.wait(60)
        started.append(1)
        return as_prediction(constant(BLUE))(faces)

    started: list[int] = []
    preview = preview_of(workspace, predict)
    preview.render(0, ConvertOptions(mode="overlay"))
    other = threading.Thread(target=preview.render, args=(1, ConvertOptions(mode="overlay")))
    other.start()
    assert begun.wait(60)
    shown = threading.Thread(target=preview.render, args=(0, ConvertOptions(mode="overlay", erode=20)))
    shown.start()
    shown.join(20)
    waited = shown.is_alive()
    go_on.set()
    other.join()
    assert not waited


def test_what_cannot_be_made_beforehand_stops_nothing():
    ahead, done = LookAhead(), threading.Event()
    ahead.want([lambda: 1 // 0])
    ahead.want([lambda: 1 // 0, done.set])
    assert done.wait(60)


def test_nothing_is_made_beforehand_after_the_end():
    ahead, begun, go_on, made = LookAhead(), threading.Event(), threading.Event(), []

    def first():
        begun.set()
        assert go_on.wait(60)
        made.append("first")

    ahead.want([first, lambda: made.append("second")])
    assert begun.wait(60)
    threading.Timer(0.1, go_on.set).start()
    ahead.close()
    ahead.want([lambda: made.append("third")])
    ahead.close()
    assert made == ["first"]


def test_the_frames_beside_do_not_push_out_the_one_that_is_shown(workspace, monkeypatch):
    """However large they are."""
    monkeypatch.setattr("facewright.convert.preview.KEPT_BYTES", 1)
    fill(workspace)
    predicted = []

    def predict(faces, **_):
        predicted.append(len(faces))
        return as_prediction(constant(BLUE))(faces)

    preview = preview_of(workspace, predict)
    for at in (1, 2, 0):
        preview.render(at, ConvertOptions(mode="overlay"))
    known = len(predicted)
    preview.render(1, ConvertOptions(mode="overlay", erode=20))
    assert len(predicted) == known


def preview_of(workspace, predict):
    model = PreviewModel(predict, ModelInput(32, FaceType.HALF), ConverterDefaults(erode=10, blur=10))
    face = DstFace(landmarks((40, 30), 24).astype(np.float32))
    return ConversionPreview(
        [PreviewFrame(path, (("fake", (face,)),)) for path in workspace.dst.frames()], {"fake": model}
    )
