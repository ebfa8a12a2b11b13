"""A killed training always goes on, and loses no more than what came after the last saving."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from facewright.models import trained
from facewright.nn import backups, checkpoint
from train import tiny

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_thirty_kills_at_random_moments(workspace, monkeypatch):
    tiny.fill(workspace)
    paths = os.pathsep.join(map(str, (REPOSITORY / "_internal", REPOSITORY / "tests")))
    done = subprocess.run(
        [sys.executable, "-m", "train.kill_in_a_loop", str(workspace.root), "30", "7"],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    kills = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(kills) == 30
    for before, kill in zip([{"loaded": 0}, *kills], kills, strict=False):
        assert kill["loaded"] >= max(kill["said"], before["loaded"])
        assert kill["loaded"] <= max(kill["reached"], before["loaded"])
    assert sum(kill["reached"] == 0 for kill in kills) >= 3  # killed before the first step
    assert backups.backups(workspace.model_dir / "h64")
    assert kills[-1]["loaded"] > 30
    assert any(kill["loaded"] > before["loaded"] for before, kill in itertools.pairwise(kills))
    tiny.use_tiny(monkeypatch.setattr)
    assert trained.load_trained(workspace.model_dir).iteration == kills[-1]["loaded"]
    losses = checkpoint.newest(workspace.model_dir / "h64").generation.arrays("history").as_dict()["losses"]
    assert len(losses) == kills[-1]["loaded"]
    assert len(list((workspace.model_dir / "h64").glob(".saving*"))) <= 1
