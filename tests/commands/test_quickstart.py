"""The quick start: whose folder it takes, what it runs, how it ends."""

import pytest

from facewright.commands import quickstart
from facewright.core.errors import UserError
from facewright.core.hints import SCRIPTS, hints_of
from facewright.core.workspace import Workspace
from facewright.train.pipeline import TrainingReport
from facewright.train.step_times import note_step_time


def test_every_row_is_that_of_the_numbered_script() -> None:
    for step in quickstart.steps(quickstart.Options()):
        assert step.line.startswith(SCRIPTS[step.script])


def test_empty_workspace_is_taken(workspace: Workspace) -> None:
    (workspace.root / ".gitkeep").touch()
    workspace.src.aligned_dir.mkdir(parents=True)
    assert quickstart.place_for_sample(workspace) == workspace
    assert {path.name for path in workspace.root.glob("data_*.mp4")} == set(quickstart.CLIPS)
    (workspace.root / "result.mp4").touch()
    assert quickstart.place_for_sample(workspace) == workspace, "the second start goes on in the same folder"


@pytest.mark.parametrize("mine", ["data_src.mp4", "data_dst.mkv", "holiday.mp4", "data_src/00001.png", "model/a/b"])
def test_folder_with_files_of_the_user_is_left_alone(
    workspace: Workspace, mine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace.root / mine).parent.mkdir(parents=True, exist_ok=True)
    (workspace.root / mine).write_text("mine")
    before = sorted(workspace.root.rglob("*"))
    other = quickstart.place_for_sample(workspace)
    assert other.root == workspace.root.with_name(workspace.root.name + "_sample")
    assert sorted(workspace.root.rglob("*")) == before
    assert str(other.root) in capsys.readouterr().out
    (other.root / "data_src.mp4").write_text("mine too")
    with pytest.raises(UserError):
        quickstart.place_for_sample(workspace)


def test_a_step_that_fails_is_named_with_the_way_on(workspace: Workspace) -> None:
    step = quickstart.Step("7_convert", "convert", {})
    with pytest.raises(UserError, match="7_convert: There are no frames") as caught:
        quickstart.run_step(workspace, step)
    assert "start quickstart again" in caught.value.fix


def test_values_that_do_not_fit_are_refused_and_nothing_runs(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="no such model"):
        quickstart.run_step(workspace, quickstart.Step("6_train", "train", {"model": "no such model"}))
    assert not workspace.model_dir.exists()


def test_it_says_how_long_it_takes(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEWRIGHT_DEFAULTS", str(tmp_path / "defaults.toml"))
    usual, whole = quickstart.Options(), quickstart.Options(for_="")
    assert "two processor cores" in quickstart.how_long(whole) and "6 min" not in quickstart.how_long(whole)
    assert "6 min" in quickstart.how_long(usual), "it ends before all iterations are done"
    note_step_time("quick", 8, "CPU", 60.0, steps=100)
    for options in (usual, whole):
        assert "4 min" in quickstart.how_long(options) and "cores" not in quickstart.how_long(options)
        assert "6 min" not in quickstart.how_long(options)


def test_a_training_that_ran_out_of_time_says_how_far_it_came_and_how_to_go_on(tmp_path):
    options = quickstart.Options(for_="90s")
    (training,) = (step for step in quickstart.steps(options) if step.command == "train")
    assert "--for 90s" in training.line and "--target-iter 4000" in training.line
    with hints_of(tmp_path, ("quickstart", "--for", "90s")):
        said = quickstart.too_short(TrainingReport(tmp_path, 812), options)
    assert "812 of 4000" in said and "quickstart.sh --for 90s" in said.replace(".bat", ".sh")
