"""Frames of 16 bits a channel: they come through a conversion as such, untouched but for the face, and into a video."""

import cv2
import numpy as np
import pytest

from commands.convert_runs import FRAMES, StubModels, fill, run
from facewright.convert.parameters import ConvertOptions
from facewright.core.files import list_files
from facewright.core.images import read_image
from facewright.core.workspace import Workspace
from facewright.marking.origin import read_origin


def raw(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


@pytest.fixture
def workspace(tmp_path):
    """Six frames of noise that 8 bits cannot hold, over the scene of the other tests; the third without a face."""
    workspace, random = Workspace(tmp_path), np.random.default_rng(0)
    fill(workspace)
    for path in workspace.dst.frames():
        deep = raw(path).astype(np.uint16) * 257
        deep += random.integers(0, 200, deep.shape, np.uint16)
        cv2.imwrite(str(path), deep)
    return workspace


@pytest.mark.parametrize("mode", ["light", "seamless", "hist-match", "overlay", "multiband", "raw-predict", "original"])
def test_they_stay_and_what_is_not_replaced_is_exact(workspace, mode):
    report = run(workspace, StubModels(), ConvertOptions(mode=mode))
    assert report.written == FRAMES
    for path in list_files(workspace.dst.merged_dir):
        frame, made = raw(workspace.dst.frames_dir / path.name), raw(path)
        assert made.dtype == np.uint16 and made.shape == frame.shape
        untouched = (made == frame).all(axis=2)
        if mode == "raw-predict":
            assert made.max() > 255
        elif mode == "original" or path.name == "00003.png":
            assert untouched.all()
        else:
            assert untouched[50:].all() and untouched[:, 60:].all() and not untouched[25:35, 35:45].all()


@pytest.mark.parametrize("mode", ["light", "seamless", "overlay"])
def test_the_new_face_is_that_of_8_bits_and_finer(workspace, mode):
    options = ConvertOptions(mode=mode)
    run(workspace, StubModels(), options)
    deep = {path.name: raw(path) for path in list_files(workspace.dst.merged_dir)}
    for path in workspace.dst.frames():
        cv2.imwrite(str(path), read_image(path))
    run(workspace, StubModels(), options)
    finer = 0
    for name, image in deep.items():
        plain = raw(workspace.dst.merged_dir / name)
        assert plain.dtype == np.uint8
        assert np.abs(image / 257 - plain)[20:40, 30:50].mean() < 1
        finer = max(finer, np.count_nonzero(image[25:35, 35:45] % 257))
    assert finer > 50  # numbers between those of bytes


def test_alpha_masks_and_jpeg(workspace):
    run(workspace, StubModels(), ConvertOptions(mode="overlay", alpha=True))
    made = raw(workspace.dst.merged_dir / "00001.png")
    assert made.dtype == np.uint16 and made.shape[2] == 4 and made[30, 40, 3] == 65535 and made[-1, -1, 3] == 0
    assert read_origin(workspace.dst.merged_dir / "00001.png").made_with_network
    run(workspace, StubModels(), ConvertOptions(mode="overlay", format="jpg"))
    assert raw(workspace.dst.merged_dir / "00001.jpg").dtype == np.uint8
