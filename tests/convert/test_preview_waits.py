"""Who looks at one frame does not wait for what is done with another."""

import threading

import numpy as np

from commands.convert_runs import BLUE, fill
from convert.drawn_faces import as_prediction, constant, landmarks
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
    model = PreviewModel(predict, ModelInput(32, FaceType.HALF), ConverterDefaults(erode=10, blur=10))
    face = DstFace(landmarks((40, 30), 24).astype(np.float32))
    frames = [PreviewFrame(path, (("fake", (face,)),)) for path in workspace.dst.frames()]
    preview = ConversionPreview(frames, {"fake": model})
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
