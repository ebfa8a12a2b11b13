"""The file for a bug report: all logs, nothing of the user."""

import zipfile
from pathlib import Path

import pytest

from facewright import cli
from facewright.commands import doctor
from facewright.core import console
from facewright.core.bug_report import pack_logs, shortened
from facewright.core.errors import UserError
from facewright.core.hints import REPOSITORY
from facewright.core.log_file import log_file
from facewright.core.workspace import Workspace

ROOT = Path("/home/jane/my swaps/ws")


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        (f"Wrote {ROOT}/data_src/00001.png", "Wrote <workspace>/data_src/00001.png"),
        (f"File {REPOSITORY}/main.py, line 3", "File <facewright>/main.py, line 3"),
        ("There is no /media/jane/holiday.mp4.", "There is no …/holiday.mp4."),
        ("in /media/jane, at 3/4 of a/b", "in …, at 3/4 of a/b"),
        ("source='/media/jane doe/x y' There is no /media/jane doe/x y.", "source='…' There is no …."),
        (r"C:\Users\jane\clips\a.mp4 and 'D:\\my clips\\b.mp4'", "…/a.mp4 and '…/b.mp4'"),
        ("http://127.0.0.1:8080/abc-_123/frame?x=1", "http://127.0.0.1:8080/…"),
        ("key 0123456789abcdef0123456789abcdef!", "key …!"),
        ("~/clips/x.mp4, ./7_convert.sh --yes", "~/clips/x.mp4, ./7_convert.sh --yes"),
        ("Faces saved: 6, 25 fps/s, 3 -> 4", "Faces saved: 6, 25 fps/s, 3 -> 4"),
    ],
)
def test_lines_are_shortened(line: str, becomes: str) -> None:
    assert shortened(line, ROOT) == becomes


def test_logs_are_packed_and_nothing_else(workspace: Workspace, tmp_path: Path) -> None:
    with log_file(workspace.root, "sort", ["the command line"]):
        console.say(f"Sorted {workspace.src.aligned_dir}")
    logs = workspace.root / "logs"
    (logs / "face.png").write_bytes(b"picture")
    (tmp_path / "secret.log").write_text("secret")
    (logs / "2026-01-01_00-00-00_train.log").symlink_to(tmp_path / "secret.log")
    with zipfile.ZipFile(pack_logs(workspace.root)) as packed:
        (name,) = packed.namelist()
        text = packed.read(name).decode()
    assert "the command line" in text and "Sorted <workspace>/data_src/aligned" in text
    assert str(workspace.root) not in text


def test_without_logs_it_says_so(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="no log files"):
        pack_logs(workspace.root)


def test_the_doctor_packs_its_own_log_too(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "all_checks", lambda workspace: [doctor.CheckResult("disk", True, "9 GB")])
    assert cli.main(["doctor", "--report", "--workspace", str(workspace.root)]) == 0
    (target,) = workspace.root.glob("report_*.zip")
    assert str(target) in capsys.readouterr().out
    with zipfile.ZipFile(target) as packed:
        assert any("9 GB" in packed.read(name).decode() for name in packed.namelist())
