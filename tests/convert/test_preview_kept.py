"""What the preview keeps is bounded by its bytes; frames of 16 bits are converted in all of them and shown in 8."""

import numpy as np

from commands.convert_runs import BLUE, StubModels, fill
from convert.drawn_faces import as_prediction, constant, landmarks
from facewright.convert.kept import Kept
from facewright.convert.masks import DstFace
from facewright.convert.parameters import ConvertOptions
from facewright.convert.pipeline import ModelInput
from facewright.convert.preview import ConversionPreview, PreviewFrame, PreviewModel, View
from facewright.convert.session import convert
from facewright.core.images import in_bytes, read_image, write_image
from facewright.faces.align import FaceType
from facewright.models.spec import ConverterDefaults


def test_a_deep_frame_is_converted_in_16_bits_and_shown_in_8(workspace):
    fill(workspace)
    for path in workspace.dst.frames():
        deep = read_image(path).astype(np.uint16) * 257
        write_image(path, deep + np.random.default_rng(0).integers(0, 200, deep.shape, np.uint16))
    face = DstFace(landmarks((40, 30), 24).astype(np.float32))
    model = PreviewModel(
        as_prediction(constant(BLUE)), ModelInput(32, FaceType.HALF), ConverterDefaults(erode=10, blur=10)
    )
    shares = (("fake", (face,)),)
    frames = [PreviewFrame(path, () if path.stem == "00003" else shares) for path in workspace.dst.frames()]
    preview, options = ConversionPreview(frames, {"fake": model}), ConvertOptions(mode="overlay", color_transfer="rct")
    convert(workspace, options, StubModels())
    for at, path in enumerate(workspace.dst.frames()):
        made = read_image(workspace.dst.merged_dir / path.name, deep=True)
        assert made.dtype == np.uint16
        for view, wanted in ((View.AFTER, made), (View.BEFORE, read_image(path, deep=True))):
            shown = preview.render(at, options, view)
            assert shown.dtype == np.uint8
            np.testing.assert_array_equal(shown, in_bytes(wanted))
        assert preview.render(at, options, View.MASK, close_up=True).dtype == np.uint8


def test_what_is_kept_is_bounded_by_its_bytes():
    kept = Kept(len, most=100, fewest=2)
    for key in range(5):
        kept.put(key, bytes(30))
    assert [key for key in range(5) if kept.get(key)] == [2, 3, 4]
    kept.get(2)
    kept.put(5, bytes(30))
    assert kept.get(3) is None and kept.get(2) and len(kept) == 3
    for key in range(6, 9):  # frames of 8K, say
        kept.put(key, bytes(1000))
    assert len(kept) == 2 and kept.get(7) and kept.get(8)
    kept.put(8, bytes(10))
    assert len(kept) == 2 and len(kept.get(8)) == 10
    for key in range(10, 15):
        kept.put(key, bytes(10))
    assert len(kept) == 6 and kept.get(7) is None
