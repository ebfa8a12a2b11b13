"""The quick start: whose folder it takes, what it runs, how it ends."""

import shutil
from pathlib import Path

import pytest

from facewright import cli
from facewright.commands import quickstart
from facewright.core.errors import UserError
from facewright.core.workspace import Workspace
from facewright.launchers import LAUNCHERS


def test_every_row_is_that_of_the_numbered_script() -> None:
    for script, arguments in quickstart.steps(quickstart.Options()):
        assert " ".join(arguments).startswith(LAUNCHERS[script])


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


def test_runs_every_step_and_names_the_results(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(quickstart, "call_step", lambda arguments, script: called.append(arguments))
    workspace.result.touch()
    shutil.copy(quickstart.SAMPLE / "data_src.mp4", workspace.root)
    assert cli.main(["quickstart", "--workspace", str(workspace.root), "--target-iter", "7"]) == 0
    assert [arguments[0] for arguments in called] == [
        "extract-frames",
        "extract-frames",
        "extract",
        "extract",
        "train",
        "convert",
        "make-video",
    ]
    assert all(arguments[-3:] == ["--yes", "--workspace", str(workspace.root)] for arguments in called)
    assert called[4][1:5] == ["--model", "quick", "--target-iter", "7"]
    told = capsys.readouterr().out
    assert str(workspace.result) in told and "merged_sheet.png" not in told, "only what is there is named"


def test_failed_step_ends_the_quick_start(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="exit code 1"):
        quickstart.call_step(["sort", "--workspace", str(tmp_path), "--yes"], "4.2_src_sort_faces")
    assert "There are no faces" in capfd.readouterr().err
