"""The examples of CONTRIBUTING.md work as they are written: each is put into a copy of the program and used there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from train.tiny import save_faces

REPOSITORY = Path(__file__).resolve().parents[1]
EXAMPLES = {
    path: code
    for code in re.findall(r"(?ms)^```python\n(.*?)^```", (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    for path in re.findall(r"\A# (\S+\.py)\n", code)
}
TRAIN = """
from pathlib import Path
import sys
import numpy as np
from facewright.data.sampler import Sampler
from facewright.models.registry import model_class

kind = model_class("small")
model = kind(kind.Options())
assert sum(model.count_params().values()) == kind.parameters["full"], model.count_params()
faces = sorted(Path(sys.argv[1]).glob("*.png"))
rng = np.random.default_rng(0)
batches = {side: Sampler(faces, model.samples(side), rng, flip=True).batch(2) for side in ("src", "dst")}
print(model.train_on(batches))
"""
LANDMARKS = """
import numpy as np
from facewright.extract.detectors.base import Box
from facewright.extract.landmarkers.base import make_landmarker

points = make_landmarker("mean-face").find(np.zeros((100, 100, 3), np.uint8), Box(20, 20, 80, 80, 1.0))
assert points.shape == (68, 2) and points.dtype == np.float32
assert (points[17:] > 20).all() and (points[17:] < 80).all()
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A copy of the program with the examples in their places."""
    root = tmp_path_factory.mktemp("program")
    skipped = shutil.ignore_patterns("env*", "__pycache__", "sample")
    shutil.copytree(REPOSITORY / "_internal", root / "_internal", ignore=skipped)
    for name in ("main.py", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, root)
    for path, code in EXAMPLES.items():
        assert not (root / path).exists()
        (root / path).write_text(code, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace with drawn faces of src."""
    root = tmp_path_factory.mktemp("workspace")
    save_faces(root / "data_src" / "aligned", 3)
    return root


def output_of(program, *arguments):
    """Run the copy's Python; return what it printed."""
    done = subprocess.run([sys.executable, *map(str, arguments)], cwd=program, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_there_is_an_example_of_each_kind():
    assert [Path(path).parent.name for path in EXAMPLES] == ["models", "facesets", "landmarkers", "commands"]


def test_the_examples_keep_the_rules(program):
    subprocess.run([sys.executable, "-m", "ruff", "check", *EXAMPLES], cwd=program, check=True)
    subprocess.run([sys.executable, "-m", "ruff", "format", "--check", *EXAMPLES], cwd=program, check=True)


def test_the_model_is_offered_and_trains(program, workspace):
    assert "small" in output_of(program, "main.py", "train", "--help")
    script = program / "_internal" / "use_it.py"
    script.write_text(TRAIN, encoding="utf-8")
    assert "'src'" in output_of(program, script, workspace / "data_src" / "aligned")


def test_the_sort_sorts(program, workspace):
    dry_run = ["--by", "mouth", "--dry-run", "--yes", "--workspace", workspace]
    assert "00000.png" in output_of(program, "main.py", "sort", *dry_run)


def test_the_landmarker_places_the_mean_face(program):
    script = program / "_internal" / "use_it.py"
    script.write_text(LANDMARKS, encoding="utf-8")
    output_of(program, script)


def test_the_command_counts(program, workspace):
    (workspace / "data_src" / "aligned" / "stranger.png").write_bytes(b"no face")
    said = output_of(program, "main.py", "count-faces", "--side", "src", "--yes", "--workspace", workspace)
    assert "3 faces" in said and "stranger.png" in said
    assert "Count the faces" in output_of(program, "main.py", "--help")
