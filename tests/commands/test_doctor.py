"""The doctor: each wrong thing with its fix, exit code 1."""

import shutil
from pathlib import Path

import pytest

from facewright import cli, doctor_checks
from facewright.commands import doctor
from facewright.core.workspace import Workspace
from facewright.doctor_checks import INTERNAL, CheckResult


def run(workspace: Workspace) -> int:
    return cli.main(["doctor", "--workspace", str(workspace.root), "--yes"])


def test_all_well(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "all_checks", lambda workspace: [CheckResult("Python", True, "3.12.1")])
    assert run(workspace) == 0
    assert "ok    Python" in capsys.readouterr().out


def test_wrong_things_have_their_fix(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [CheckResult("card", False, "lies idle", "update its driver."), CheckResult("disk", True, "9 GB")]
    monkeypatch.setattr(doctor, "all_checks", lambda workspace: found)
    assert run(workspace) == 1
    told = capsys.readouterr()
    assert "WRONG card" in told.out and "To fix it: update its driver." in told.out
    assert "Not all is well: card." in told.err


def test_this_environment_has_the_pinned_packages_and_weights() -> None:
    for check in (
        doctor_checks.system,
        doctor_checks.packages,
        doctor_checks.weights,
        doctor_checks.networks,
        doctor_checks.ffmpeg,
        doctor_checks.windows,
    ):
        for finding in check():
            assert finding.right, finding


@pytest.mark.parametrize(("screen", "tk"), [(True, True), (True, False), (False, True), (False, False)])
def test_windows_and_tk_are_no_need_but_told(screen: bool, tk: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_checks, "has_screen", lambda: screen)
    monkeypatch.setattr(doctor_checks.importlib.util, "find_spec", lambda name: object() if tk else None)
    windows, found = doctor_checks.windows()
    assert windows.right and found.right and found.what == "Tk"
    assert ("--serve" in found.text) == (not tk)
    assert ("python3-tk" in found.advice) == (screen and not tk)
    assert screen or "--serve" in windows.advice


def test_other_versions_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_checks, "pinned", lambda: {"numpy": "0.1", "nothing-such": "1.0"})
    (finding,) = doctor_checks.packages()
    assert not finding.right and finding.advice
    assert "should be 0.1" in finding.text and "nothing-such missing" in finding.text


def test_missing_weights_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_checks, "WEIGHTS", (("mtcnn", "**/nonet*", 1), ("no_package", "x.dat", 1)))
    (finding,) = doctor_checks.weights()
    assert not finding.right
    assert "mtcnn/nonet*" in finding.text and "no_package/x.dat" in finding.text


def test_missing_and_damaged_networks_are_named(tmp_path: Path) -> None:
    (finding,) = doctor_checks.networks(tmp_path / "nowhere")
    assert not finding.right and "face_landmark.tflite" in finding.text and "hand_landmark_lite.tflite" in finding.text
    assert finding.advice.endswith("--weights")
    shutil.copytree(INTERNAL / "env" / "mediapipe", tmp_path / "networks")
    (tmp_path / "networks" / "face_detection_back.tflite").write_bytes(b"half")
    (finding,) = doctor_checks.networks(tmp_path / "networks")
    assert not finding.right and "face_detection_back" in finding.text and "face_landmark" not in finding.text


def test_full_disk_is_wrong(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 1e8

    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage)
    (disk,) = [finding for finding in doctor_checks.disk_space(workspace) if finding.what == "disk"]
    assert not disk.right and "0.1 GB" in disk.text


def test_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert all(finding.right for finding in doctor_checks.disk_space(Workspace(tmp_path / "a" / "b")))


def test_broken_check_is_a_finding_too(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ImportError("libsomething.so: cannot open shared object file")

    for name in ("system", "packages", "weights", "ffmpeg", "windows", "device"):
        monkeypatch.setattr(doctor_checks, name, broken)
    wrong = [finding for finding in doctor_checks.all_checks(workspace) if not finding.right]
    assert {"system", "packages", "weights", "ffmpeg", "windows", "device"} == {finding.what for finding in wrong}
    assert all(finding.advice and "libsomething" in finding.text for finding in wrong)


@pytest.mark.slow
def test_convolution_proves_the_device() -> None:
    from facewright.nn.device_check import run_self_test

    result = run_self_test(0.05)
    assert result.right and result.gflops > 0.1
