"""tests/benchmarks/gpu.py measures, trains on the sample's faces, and writes what it has also when something fails."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from facewright.core.images import read_image

GPU = Path(__file__).parent / "benchmarks" / "gpu.py"


@pytest.mark.slow
def test_a_run_on_a_processor(tmp_path):
    settings = ["--backends", "tensorflow", "--models", "quick", "nothing", "--batches", "1", "--scale", "0.1"]
    length = ["--precisions", "float32", "--seconds", "0.1", "--demo", "2", "--limit", "240", "--budget", "600"]
    subprocess.run([sys.executable, str(GPU), "--out", str(tmp_path), *settings, *length], check=True)
    result = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    quick, unknown = result["rows"]
    assert quick["ms"] > 0 and 0 <= quick["data_wait"] <= 1
    assert quick["tflop_per_iteration"] > 0 and result["peaks_tflops"]["tensorflow"] > 0
    assert "nothing" in unknown["error"]
    assert result["demo"]["iterations"] >= 1
    assert read_image(tmp_path / "preview.png").shape[2] == 3
    assert (tmp_path / "gpu.md").read_text(encoding="utf-8").count("| quick |") == 1
