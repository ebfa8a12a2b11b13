"""tests/benchmarks/gpu.py measures, trains on the sample's faces, and writes what it has also when something fails."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from facewright.core.images import read_image

GPU = Path(__file__).parent / "benchmarks" / "gpu.py"
INTERNAL = Path(__file__).resolve().parents[1] / "_internal"


def run(folder, *flags):
    settings = ["--backends", "tensorflow", "--batches", "1", "--precisions", "float32", "--seconds", "0.1"]
    length = ["--limit", "240", "--budget", "900"]
    subprocess.run([sys.executable, str(GPU), "--out", str(folder), *settings, *length, *flags], check=True)
    return json.loads((folder / "gpu.json").read_text(encoding="utf-8"))


def test_what_travels_to_the_machine_with_the_gpu_is_all_that_it_imports():
    """The packages of the set-up that the benchmark does not bring are as if they were not there."""
    named = re.findall(r"(?m)^([a-z][\w-]+)==", (INTERNAL / "requirements.txt").read_text(encoding="utf-8"))
    others = {"scikit-learn": "sklearn", "dlib-bin": "dlib", "imageio-ffmpeg": "imageio_ffmpeg"}
    kept = {*re.findall(r'(?m)^    "(\w+)": "', GPU.read_text(encoding="utf-8")), "numpy", "keras", "cv2"}
    missing = {others.get(name, name.replace("-", "_")) for name in named} - kept
    modules = ["nn.devices", "data.sampler", "train.device_sampling", "train.loop", "train.session"]
    modules += ["train.preview_writer", "models.registry"]
    program = f"import sys; sys.path.insert(0, {str(INTERNAL)!r})\n"
    program += f"sys.modules.update(dict.fromkeys({sorted(missing)!r}))\n"
    program += f"import {', '.join(f'facewright.{name}' for name in modules)}"
    assert {"sklearn", "filelock", "tensorboardX"} <= missing
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


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
