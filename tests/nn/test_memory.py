import subprocess

import pytest

from facewright.nn import memory
from facewright.nn.devices import Device


def device(kind):
    return Device("tensorflow", kind, "drawn", 1, False)


def test_the_computer_has_some_memory_and_the_control_group_bounds_it(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "CONTROL_GROUP", tmp_path / "absent")
    whole = memory.computer_memory()
    assert 0.5 < whole < 1e5
    for text, expected in (("max\n", whole), (f"{1 << 28}\n", 0.25), (f"{1 << 60}\n", whole)):
        (tmp_path / "limit").write_text(text)
        monkeypatch.setattr(memory, "CONTROL_GROUP", tmp_path / "limit")
        assert memory.computer_memory() == pytest.approx(expected)
    assert memory.device_memory(device("cpu")) == pytest.approx(whole)


@pytest.mark.parametrize(
    ("output", "expected"), [(b"24564\n8192\n", 8.0), (b"", 0.0), (b"[N/A]\n", 0.0), (b"No devices were found\n", 0.0)]
)
def test_the_smallest_card_counts(monkeypatch, output, expected):
    monkeypatch.setattr(memory.shutil, "which", lambda name: "/bin/nvidia-smi")
    done = subprocess.CompletedProcess([], 0, output, b"")
    monkeypatch.setattr(memory.subprocess, "run", lambda *given, **more: done)
    assert memory.card_memory() == expected
    computer = memory.computer_memory()
    assert memory.device_memory(device("gpu")) == pytest.approx(expected or computer)
