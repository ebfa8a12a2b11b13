"""What compositors take: RGBA frames and masks, one for every frame of dst."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from commands.convert_runs import FRAMES, StubModels, add_face, fake_model, fill, run
from facewright.convert.parameters import ConvertOptions
from facewright.core.errors import UserError
from facewright.core.files import list_files
from facewright.core.images import read_image
from facewright.core.left_out import warn_of_left_out_frames
from facewright.core.workspace import Workspace
from facewright.marking.origin import read_origin

PLAIN = ConvertOptions(mode="overlay")


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path)
    fill(workspace)  # six frames, the third without a face
    add_face(workspace, 2, "00002_1.png", centre=(48, 34))  # it lies half over the other one
    return workspace


@pytest.fixture
def models():
    return StubModels()


def raw(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_every_frame_has_the_replaced_area_as_its_alpha(workspace, models):
    run(workspace, models, PLAIN)
    plain = {path.name: raw(path) for path in list_files(workspace.dst.merged_dir)}
    report = run(workspace, models, replace(PLAIN, alpha=True))
    assert report.written == FRAMES
    for path in list_files(workspace.dst.merged_dir):
        frame, found = read_image(workspace.dst.frames_dir / path.name), raw(path)
        assert found.shape == (60, 80, 4) and (found[..., :3] == plain[path.name]).all()
        different, alpha = (found[..., :3] != frame).any(axis=2), found[..., 3]
        assert (alpha[different] > 0).all()
        assert np.abs(found[alpha == 0][:, :3].astype(int) - frame[alpha == 0]).max(initial=0) <= 1
        assert bool(read_origin(path)) is (path.name != "00003.png") and different.any() == alpha.any()
    assert run(workspace, models, replace(PLAIN, alpha=True)).written == 0
    assert run(workspace, models, PLAIN).written == FRAMES


def test_the_alpha_is_the_share_with_which_the_face_covers_the_frame(workspace, models):
    """In overlay the new face is one colour: frame and face, mixed by the alpha, give the result back."""
    run(workspace, models, replace(PLAIN, alpha=True, opacity=60))
    frame, found = (
        read_image(workspace.dst.frames_dir / "00001.png").astype(float),
        raw(workspace.dst.merged_dir / "00001.png"),
    )
    alpha = found[..., 3:] / 255
    face = np.rint(np.array([0.9, 0.1, 0.1]) * 255)
    assert 0.59 < alpha.max() < 0.61
    assert np.abs(frame * (1 - alpha) + face * alpha - found[..., :3]).max() < 2


def test_faces_that_overlap_cover_together(workspace, models):
    run(workspace, models, replace(PLAIN, mask_only=True, opacity=50))
    one, both = raw(workspace.dst.masks_dir / "00001.png"), raw(workspace.dst.masks_dir / "00002.png")
    assert one.shape == both.shape == (60, 80)
    assert (one.max(), both.max()) == (128, 191)  # 1 - (1 - 0.5)^2 where both lie


def test_masks_lie_beside_the_converted_frames(workspace, models, capsys):
    run(workspace, models, PLAIN)
    sheet = (workspace.root / "merged_sheet.png").read_bytes()
    before = {path.name: path.read_bytes() for path in list_files(workspace.dst.merged_dir)}
    capsys.readouterr()
    report = run(workspace, models, replace(PLAIN, mask_only=True))
    said = capsys.readouterr().out
    assert report.merged_dir == workspace.dst.masks_dir and "merged_mask" in said and "--masks" in said
    names = [path.name for path in list_files(workspace.dst.masks_dir)]
    assert names == [f"{index:05d}.png" for index in range(1, FRAMES + 1)]
    assert not raw(workspace.dst.masks_dir / "00003.png").any() and raw(workspace.dst.masks_dir / "00001.png").any()
    assert {path.name: path.read_bytes() for path in list_files(workspace.dst.merged_dir)} == before
    assert (workspace.root / "merged_sheet.png").read_bytes() == sheet
    warn_of_left_out_frames(workspace.dst)
    assert not "".join(capsys.readouterr())  # the folder of the masks is the program's own
    assert run(workspace, models, replace(PLAIN, mask_only=True)).written == run(workspace, models, PLAIN).written == 0


def test_what_contradicts_itself_is_refused(workspace, models):
    for options, word in (
        (replace(PLAIN, alpha=True, mask_only=True), "one of the two"),
        (replace(PLAIN, alpha=True, format="jpg"), "png"),
        (replace(PLAIN, mask_only=True, format="jpg"), "png"),
    ):
        with pytest.raises(UserError) as caught:
            run(workspace, models, options)
        assert word in caught.value.expected
    models.model = fake_model(portrait=True)
    with pytest.raises(UserError, match="portraits"):
        run(workspace, models, replace(PLAIN, alpha=True))
    assert models.loads == 0
