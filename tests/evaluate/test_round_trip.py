"""There and back again: what a model loses of a face is measured, and it is said which faces were sent."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from evaluate.small_results import BLUE, Observers, fill
from facewright.core.errors import UserError
from facewright.core.workspace import Workspace
from facewright.evaluate.options import EvaluateOptions
from facewright.evaluate.page import evaluation_page
from facewright.evaluate.report import as_json, trip_table
from facewright.evaluate.session import evaluate
from facewright.faces.align import FaceType

SRC = np.float32(BLUE) / 255


class Models:
    """A network that paints src's colour, and takes `lost` of the colour away on each way back to dst."""

    def __init__(self, lost=0.0, portrait=False):
        self.lost = lost
        back = SimpleNamespace(predict=self.back)
        self.model = SimpleNamespace(
            name="quick",
            resolution=48,
            face_type=FaceType.HALF,
            portrait=portrait,
            predict=self.swap,
            reversed=lambda: back,
        )

    def swap(self, faces):
        self.before = faces
        return np.broadcast_to(SRC, faces.shape).copy(), np.ones((*faces.shape[:3], 1), np.float32)

    def back(self, faces):
        """As dst: what was there before, less a share; the way over src loses three times as much."""
        swapped = bool(np.allclose(faces, SRC))
        return (self.before * (1 - self.lost * (3 if swapped else 1)) if self.lost else faces), None

    def newest(self, model_dir, name):
        return None

    def load(self, model_dir, name):
        return self.model


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("trip")
    fill(Workspace(root), frames=12)
    return root


def trip(root, models, **options):
    given = EvaluateOptions(noise_floor=False, round_trip=True, **options)
    return evaluate(Workspace(root), given, Observers(), models)


def test_what_is_lost_on_the_way_is_measured(root):
    found = trip(root, Models(lost=0.1))
    there, direct = ({name: v.value for name, v in values.items()} for values in (found.trip.values, found.trip.direct))
    assert there["trip_colour"] > 2 * direct["trip_colour"] > 4
    assert there["trip_identity"] > 2 * direct["trip_identity"] > 0
    assert there["trip_ssim"] < direct["trip_ssim"] < 1 and there["trip_landmarks"] == 0
    assert as_json(found)["round_trip"]["faces"] == 12
    assert len(list(trip_table(found.trip))) == 6 and "Round trip" in evaluation_page(found)


def test_a_network_that_gives_back_what_it_got_shows_src(root):
    """Decoding as dst changes nothing: the way over src ends with src's face, the direct way with the face itself."""
    found = trip(root, Models())
    assert found.trip.direct["trip_colour"].value < 1.5 < 40 < found.trip.values["trip_colour"].value


def test_it_is_said_which_faces_were_sent(root, tmp_path):
    assert "flatters" in trip(root, Models()).limits[-1]
    held_out = tmp_path / "held out"
    other = Workspace(tmp_path / "other")
    fill(other, frames=14)
    held_out.mkdir()
    for name in ("00013_0.png", "00014_0.png"):
        shutil.copy(other.dst.aligned_dir / name, held_out)
    found = trip(root, Models(), round_trip_faces=str(held_out))
    assert found.trip.faces == 2 and "none of them" in found.limits[-1]
    shutil.copy(other.dst.aligned_dir / "00001_0.png", held_out)
    assert "1 of 3" in trip(root, Models(), round_trip_faces=str(held_out)).limits[-1]


def test_faces_that_the_training_held_out_are_taken(tmp_path):
    workspace = Workspace(tmp_path)
    fill(workspace, frames=12)
    saved = workspace.model_dir / "quick" / "generation_000001"
    saved.mkdir(parents=True)
    out = {"runs": {"src": [["00001", "00004"]], "dst": [["00003", "00005"], ["00009", "00010"]]}}
    (saved / "state.json").write_text(json.dumps({"model": "quick", "hold_out": out}))
    found = trip(tmp_path, Models())
    assert found.trip.faces == 5 and "never saw" in found.limits[-1] and "flatters" not in found.limits[-1]


def test_what_cannot_go_there_and_back_is_said(root, tmp_path):
    with pytest.raises(UserError, match="portraits"):
        trip(root, Models(portrait=True))
    with pytest.raises(UserError, match="no aligned faces"):
        trip(root, Models(), round_trip_faces=str(tmp_path))
    with pytest.raises(UserError, match="no trained model"):
        trip(root, None)
