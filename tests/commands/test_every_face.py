"""--every-face: faces are searched for the conversion, whatever lies in aligned/."""

import numpy as np
import pytest

from commands.convert_runs import StubModels, run
from extract.squares import SquareModels
from facewright.commands import convert as step
from facewright.convert.parameters import ConvertOptions
from facewright.core.errors import UserError
from facewright.core.files import list_files
from facewright.core.images import read_image, write_image
from facewright.core.workspace import Workspace

EVERY = ConvertOptions(mode="overlay", every_face=True)
SHOWN = {1: [(40, 30)], 2: [(40, 30), (110, 60)], 3: []}  # middles of bright squares


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.dst.frames_dir.mkdir()
    for index, middles in SHOWN.items():
        frame = np.full((100, 160, 3), 60, np.uint8)
        for x, y in middles:
            frame[y - 15 : y + 15, x - 15 : x + 15] = 230
        write_image(workspace.dst.frames_dir / f"{index:05d}.png", frame)
    return workspace


def replaced(workspace, index):
    after = read_image(workspace.dst.merged_dir / f"{index:05d}.png")
    before = read_image(workspace.dst.frames_dir / f"{index:05d}.png")
    return [bool((after[y, x] != before[y, x]).any()) for x, y in SHOWN[2]]


def search(workspace, finders):
    """Run the command as far as it gets without a trained model."""
    with pytest.raises(UserError, match="no trained model"):
        step.run(workspace, EVERY, finders)


def test_every_face_of_every_frame_is_replaced_without_an_aligned_folder(workspace, capsys):
    finders = SquareModels()
    search(workspace, finders)
    assert not workspace.dst.aligned_dir.exists() and sum(finders.squares.batches) == 3
    models = StubModels()
    assert run(workspace, models, EVERY).replaced_faces == 3
    assert [replaced(workspace, index) for index in (1, 2, 3)] == [[True, False], [True, True], [False, False]]
    capsys.readouterr()
    search(workspace, finders)
    assert "Left out" not in "".join(capsys.readouterr())  # the folder of these faces is the program's own
    assert sum(finders.squares.batches) == 3 and run(workspace, models, EVERY).written == 0  # nothing is done twice
    write_image(workspace.dst.frames_dir / "00003.png", read_image(workspace.dst.frames_dir / "00001.png"))
    search(workspace, finders)
    assert run(workspace, models, EVERY).written == 1 and replaced(workspace, 3) == [True, False]


def test_the_faces_that_were_chosen_by_hand_stay_as_they_are(workspace):
    search(workspace, SquareModels())
    workspace.dst.aligned_dir.mkdir()
    for path in list_files(workspace.dst.frames_dir / "every_face", (".png",))[:1]:
        (workspace.dst.aligned_dir / path.name).write_bytes(path.read_bytes())
    models = StubModels()
    assert run(workspace, models, ConvertOptions(mode="overlay")).replaced_faces == 1
    assert run(workspace, models, EVERY).replaced_faces == 2 and len(list_files(workspace.dst.aligned_dir)) == 1
