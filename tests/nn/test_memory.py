"""The memory of the device that a training runs on."""

import pytest

from facewright.core import machine
from facewright.nn import gpus
from facewright.nn.devices import Device


def device(kind):
    return Device("tensorflow", kind, "drawn", 1, False)


COMPUTER = pytest.approx(machine.memory().total / machine.GIB)


def test_on_a_processor_the_computers_memory_counts():
    assert gpus.device_memory(device("cpu")) == COMPUTER


SMALL, LARGE = "0, Small, 8192", "1, Large, 24564"


@pytest.mark.parametrize(
    ("output", "visible", "expected"),
    [
        (f"{LARGE}\n{SMALL}", None, 8.0),
        (f"{SMALL}\n{LARGE}", "1", 24564 / 1024),  # the one that was chosen, not the smallest of the computer
        (f"{SMALL}\n{LARGE}", "0,1", 8.0),
        ("", None, COMPUTER),
        ("0, Odd, [N/A]", None, COMPUTER),
        ("No devices were found", None, COMPUTER),
    ],
)
def test_the_smallest_card_in_use_counts(monkeypatch, tmp_path, output, visible, expected):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\necho '{output}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    if visible:
        monkeypatch.setenv(gpus.VISIBLE, visible)
    assert gpus.device_memory(device("gpu")) == expected
