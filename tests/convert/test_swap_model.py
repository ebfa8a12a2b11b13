"""--swap-model: dst's face over the faces that are given."""

from dataclasses import replace

import numpy as np
import pytest

from facewright.convert.engines import EngineModels
from facewright.convert.parameters import ConvertOptions
from facewright.core.errors import UserError
from facewright.core.workspace import Workspace
from facewright.nn import checkpoint

BACKWARDS = ConvertOptions(swap_model=True)


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path)
    for name, kind in (("hero", "quick"), ("film", "avatar")):
        state = {"model": kind, "iteration": 8}
        checkpoint.save(workspace.model_dir / name, state, {"weights": {"w": np.ones(3, np.float32)}})
    return workspace


def newest(workspace, options, name):
    return EngineModels(workspace, options).newest(workspace.model_dir, name)


def test_the_frames_are_made_again_in_the_other_direction(workspace):
    there, back = newest(workspace, ConvertOptions(), "hero"), newest(workspace, BACKWARDS, "hero")
    assert there != back and there == replace(back, fingerprint=there.fingerprint)


def test_a_model_that_cannot_draw_dst_is_refused(workspace):
    with pytest.raises(UserError, match="portraits of src alone"):
        newest(workspace, BACKWARDS, "film")
    assert newest(workspace, ConvertOptions(), "film").portrait


def test_what_runs_one_way_alone_is_refused(workspace):
    with pytest.raises(UserError, match="one direction") as caught:
        EngineModels(workspace, replace(BACKWARDS, dfm="x.dfm"))
    assert "--no-swap-model" in caught.value.fix


def test_a_dfm_file_named_like_a_model_is_refused_too(workspace):
    (workspace.model_dir / "x.dfm").write_bytes(b"anything")
    with pytest.raises(UserError, match="one direction"):
        newest(workspace, BACKWARDS, "x.dfm")
