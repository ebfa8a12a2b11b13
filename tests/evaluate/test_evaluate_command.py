"""The command itself, with dlib and MTCNN, on the stored workspace of four frames."""

import json
import shutil
from pathlib import Path

import pytest

from facewright import Workspace, run_command

STORED = Path(__file__).resolve().parents[1] / "stored" / "workspace"


@pytest.mark.slow
def test_the_command_measures_a_workspace_as_it_is(tmp_path):
    shutil.copytree(STORED, tmp_path / "w")
    report = run_command("evaluate", Workspace(tmp_path / "w"))
    figures = {one["name"]: one for one in json.loads(report.report.read_text())["figures"]}
    assert report.faces == 4 and report.page.stat().st_size > 50_000
    # Dst encoded once is dst: the judge, the landmarker and the detector see the same face in it.
    floor = {name: one["floor_value"] for name, one in figures.items()}
    assert floor["nearer_src"] == floor["missed"] == 0 and floor["landmark_error"] < 0.02 and floor["margin"] < -0.1
    assert figures["margin"]["value"] > floor["margin"] + 0.05
    # The frames of this workspace are JPEG, so that nothing is untouched to the bit.
    assert figures["psnr"]["value"] > 30 and figures["untouched"]["value"] == 0
