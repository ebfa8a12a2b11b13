import subprocess

import pytest

from facewright.nn import gpus
from facewright.nn.devices import Device


def device(kind):
    return Device("tensorflow", kind, "drawn", 1, False)


def test_the_computer_has_some_memory_and_the_control_group_bounds_it(tmp_path, monkeypatch):
    monkeypatch.setattr(gpus, "CONTROL_GROUP", tmp_path / "absent")
    whole = gpus.computer_memory()
    assert 0.5 < whole < 1e5
    for text, expected in (("max\n", whole), (f"{1 << 28}\n", 0.25), (f"{1 << 60}\n", whole)):
        (tmp_path / "limit").write_text(text)
        monkeypatch.setattr(gpus, "CONTROL_GROUP", tmp_path / "limit")
        assert gpus.computer_memory() == pytest.approx(expected)
    assert gpus.device_memory(device("cpu")) == pytest.approx(whole)


SMALL, LARGE = b"0, Small, 8192\n", b"1, Large, 24564\n"


@pytest.mark.parametrize(
    ("output", "visible", "expected"),
    [
        (LARGE + SMALL, None, 8.0),
        (SMALL + LARGE, "1", 24564 / 1024),  # the one that was chosen, not the smallest of the computer
        (SMALL + LARGE, "0,1", 8.0),
        (b"", None, 0.0),
        (b"0, Odd, [N/A]\n", None, 0.0),
        (b"No devices were found\n", None, 0.0),
    ],
)
def test_the_smallest_card_in_use_counts(monkeypatch, output, visible, expected):
    monkeypatch.setattr(gpus.shutil, "which", lambda name: "/bin/nvidia-smi")
    done = subprocess.CompletedProcess([], 0, output, b"")
    monkeypatch.setattr(gpus.subprocess, "run", lambda *given, **more: done)
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    if visible:
        monkeypatch.setenv(gpus.VISIBLE, visible)
    assert gpus.card_memory() == pytest.approx(expected)
    computer = gpus.computer_memory()
    assert gpus.device_memory(device("gpu")) == pytest.approx(expected or computer)
