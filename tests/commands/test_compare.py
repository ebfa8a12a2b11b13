"""Trainings side by side: the table, the page, the same faces drawn by each."""

import re

import cv2
import pytest

from commands.train_runs import run as train
from facewright.commands import compare
from facewright.core.errors import UserError
from facewright.core.options import several
from facewright.core.workspace import Workspace
from facewright.marking.origin import read_origin
from train.tiny import Tiny, save_faces


def run(workspace, **given):
    return compare.run(workspace, compare.Options(**given))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two models of different batch size, of which one was trained in two runs."""
    from facewright.models import registry

    workspace = Workspace(tmp_path_factory.mktemp("compared"))
    for number, side in enumerate((workspace.src, workspace.dst)):
        save_faces(side.aligned_dir, 48, seed=50 * number)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "model_class", lambda name: Tiny)
        patch.setattr(registry, "trainable_class", lambda name: Tiny)
        train(workspace, name="one", target_iter=2, batch_size=2, preview=False)
        train(workspace, name="one", target_iter=4, batch_size=2, preview=False)
        train(workspace, name="two", target_iter=3, batch_size=3, preview=False)
        (workspace.model_dir / "two").rename(workspace.model_dir / "<two>&")  # as no command calls one
        yield workspace


def test_models_stand_side_by_side(trained, capsys):
    report = run(trained, faces=2)
    said = capsys.readouterr().out
    assert report.runs == ("<two>&", "one")
    table = {line.split()[1]: line.split() for line in said.splitlines() if re.match(r"[AB] \S+ +\d", line)}
    assert (table["one"][2], table["<two>&"][2]) == ("4", "3")
    assert table["one"][-1] == table["<two>&"][-1] == "1", "the same faceset"
    assert all(0 < float(row[-6]) < 50 for row in table.values()), "errors on faces held out"
    assert "batch size: A 3, B 2" in said
    page = report.page.read_text(encoding="utf-8")
    assert "&lt;two&gt;&amp;" in page and "<two>" not in page and page.count("<svg") == 4
    assert "None was trained on by any" in page and "<script" not in page
    sheet = cv2.imread(str(report.sheet))
    assert sheet.shape[1] > 3 * 160 and read_origin(report.sheet), "the faces themselves and two runs, marked"


def test_saved_states_of_a_model_stand_side_by_side(trained, capsys):
    report = run(trained, model="one", generations=True, faces=1)
    assert report.runs == ("one at 2", "one at 4")
    state = next((trained.model_dir / "one").glob("generation_*"))
    assert run(trained, model=f"one\n{state}").runs == ("one", "one")
    assert several("one\ntwo") == ["one", "two"]


def test_what_is_not_there_is_said(trained, tmp_path):
    with pytest.raises(UserError, match="nowhere"):
        run(trained, model="nowhere")
    with pytest.raises(UserError, match="no trained model"):
        run(Workspace(tmp_path))
