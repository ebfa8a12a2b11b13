"""tests/benchmarks/gpu.py measures, trains on the sample's faces, and writes what it has also when something fails."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from facewright.core.images import read_image

GPU = Path(__file__).parent / "benchmarks" / "gpu.py"


def run(folder, *flags):
    settings = ["--backends", "tensorflow", "--batches", "1", "--precisions", "float32", "--seconds", "0.1"]
    length = ["--limit", "240", "--budget", "900"]
    subprocess.run([sys.executable, str(GPU), "--out", str(folder), *settings, *length, *flags], check=True)
    return json.loads((folder / "gpu.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_a_run_on_a_processor(tmp_path):
    flags = ["--models", "quick", "nothing", "--scale", "0.1", "--demo", "2", "--demos", "quick"]
    result = run(tmp_path, *flags)
    on_device, on_host, *unknown = result["rows"]
    assert (on_device["sampling"], on_host["sampling"]) == ("device", "host")
    for row in (on_device, on_host):
        assert row["ms"] > 0 and 0 <= row["data_wait"] <= 1
        assert row["tflop_per_iteration"] > 0 and result["peaks_tflops"]["tensorflow"] > 0
    assert len(unknown) == 2 and all("nothing" in row["error"] for row in unknown)
    assert result["demos"]["quick"]["iterations"] >= 1
    assert read_image(tmp_path / "preview_quick.png").shape[2] == 3
    assert (tmp_path / "gpu.md").read_text(encoding="utf-8").count("| quick |") == 2
    # What was measured is not measured again.
    again = run(tmp_path / "b", "--models", "quick", "--demo", "0", "--done", str(tmp_path / "gpu.json"))
    assert again["rows"] == [on_device, on_host] and again["demos"] == result["demos"]
