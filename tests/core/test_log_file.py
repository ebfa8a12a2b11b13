"""Every run leaves a log file; where none can be written, the run goes on."""

import os
import re
from pathlib import Path

import pytest

from facewright.cli import main
from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.log_file import KEPT, log_file
from facewright.core.workspace import Workspace


def logs(workspace: Workspace) -> list[Path]:
    return sorted((workspace.root / "logs").glob("*.log"))


def test_a_run_tells_what_it_was_and_what_it_said(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clear", "--workspace", str(workspace.root), "--yes"]) == 0
    (log,) = logs(workspace)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_clear\.log", log.name)
    text = log.read_text(encoding="utf-8")
    assert "main.py clear --workspace" in text and "--yes" in text
    assert re.search(r"Python 3\.\d+", text) and "numpy " in text
    assert "empty_trash=False" in text
    for line in capsys.readouterr().out.splitlines():
        assert line in text


def test_an_error_names_the_log_and_the_log_holds_it(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sort", "--workspace", str(workspace.root), "--yes"]) == 1
    (log,) = logs(workspace)
    said = capsys.readouterr().err
    assert str(log) in said.splitlines()[-1]
    assert "Traceback" not in said
    assert "Traceback" in log.read_text() and said.splitlines()[0] in log.read_text()


def test_a_bug_names_the_log(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as caught, log_file(tmp_path, "train", []) as log:
        raise ZeroDivisionError
    assert log is not None and str(log) in "".join(caught.value.__notes__)
    assert "ZeroDivisionError" in log.read_text()


def test_warnings_notes_and_answers_are_in_it(tmp_path: Path, typed) -> None:
    typed("blue")
    with log_file(tmp_path, "train", ["the first line"]) as log:
        console.warn("mind the gap")
        console.note("not printed")
        console.ask("Colour: ")
    console.say("after the run")
    assert log is not None
    text = log.read_text()
    for part in ("the first line", "WARNING  mind the gap", "not printed", "Colour: blue"):
        assert part in text
    assert "after the run" not in text


def test_the_newest_are_kept_and_files_of_others_too(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "my notes.log").write_text("mine")
    made = []
    for number in range(KEPT + 3):
        with log_file(tmp_path, "train", []) as log:
            assert log is not None
            made.append(log.name)
        os.utime(log, (number, number))  # all within one second
    left = {path.name for path in (tmp_path / "logs").iterdir()}
    assert left == {"my notes.log", *made[-KEPT:]}


def test_a_missing_workspace_needs_no_log(tmp_path: Path) -> None:
    with log_file(tmp_path / "nowhere", "doctor", []) as log:
        console.say("goes on")
    assert log is None and not (tmp_path / "nowhere").exists()


def test_a_workspace_that_cannot_be_written_needs_no_log(workspace: Workspace) -> None:
    (workspace.root / "logs").write_text("a file where the folder would be")
    assert main(["doctor", "--help"]) == 0
    with log_file(workspace.root, "doctor", []) as log:
        console.say("goes on")
    assert log is None


def test_a_log_folder_that_leads_elsewhere_is_not_used(workspace: Workspace, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    theirs = [elsewhere / f"2020-01-01_00-00-{second:02d}_train.log" for second in range(KEPT + 1)]
    for path in theirs:
        path.write_text("theirs")
    (workspace.root / "logs").symlink_to(elsewhere)
    with log_file(workspace.root, "doctor", []) as log:
        console.say("goes on")
    assert log is None and sorted(elsewhere.iterdir()) == theirs


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_workspace_needs_no_log(workspace: Workspace) -> None:
    workspace.root.chmod(0o555)
    try:
        with log_file(workspace.root, "doctor", []) as log:
            console.say("goes on")
    finally:
        workspace.root.chmod(0o755)
    assert log is None


def test_user_errors_survive_their_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError) as caught, log_file(tmp_path, "fix", []):
        raise UserError("It broke.", "a whole one.", "mend it.")
    assert str(caught.value).count("\n") == 2
    console.error(caught.value)
    assert len(capsys.readouterr().err.splitlines()) == 4
