"""Conversion with a .dfm file: without TensorFlow, model folder or data_src; known by the file's content."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from commands.convert_runs import fill
from facewright import cli
from facewright.core.images import read_image
from facewright.faces.record import load_face, save_face
from models.small_dfm import write_dfm

INTERNAL = Path(__file__).resolve().parents[2] / "_internal"


def run(workspace, *words):
    return cli.main(["convert", "--workspace", str(workspace.root), "--mode", "overlay", "--yes", *words])


def middle(workspace, name="00001.png"):
    """The colour in the middle of the face, BGR in 0..1."""
    return read_image(workspace.dst.merged_dir / name)[26:34, 36:44].reshape(-1, 3).mean(0) / 255


@pytest.fixture
def dfm(workspace, tmp_path):
    fill(workspace)
    return str(write_dfm(tmp_path / "hero.dfm", colour=(0.9, 0.1, 0.1)))


def test_without_tensorflow_model_folder_and_src(workspace, dfm):
    words = ["convert", "--workspace", str(workspace.root), "--mode", "overlay", "--yes"]
    words += ["--dfm", dfm, "--face-type", "whole"]
    code = f"import sys; sys.path.insert(0, {str(INTERNAL)!r}); from facewright.cli import main; main({words!r}); "
    code += "print({'tensorflow', 'keras', 'jax', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip().endswith("set()"), done.stdout + done.stderr
    assert "CPUExecutionProvider" in done.stdout and "hero" in done.stdout
    blue, green, red = middle(workspace)
    assert blue > 0.75 and green < 0.3 and red < 0.3
    assert not workspace.model_dir.exists()
    before = read_image(workspace.dst.frames_dir / "00003.png")  # nobody is in it
    np.testing.assert_array_equal(read_image(workspace.dst.merged_dir / "00003.png"), before)


def test_another_content_converts_again_and_the_same_does_not(workspace, dfm, capsys):
    assert run(workspace, "--dfm", dfm, "--face-type", "full") == 0
    assert "5 faces in 5 frames" in capsys.readouterr().out
    assert run(workspace, "--dfm", dfm, "--face-type", "full") == 0
    said = capsys.readouterr().out
    assert "Done before, and as it should be: 6 frames" in said and "ms a face" not in said
    write_dfm(Path(dfm), colour=(0.1, 0.1, 0.9))
    assert run(workspace, "--dfm", dfm, "--face-type", "full") == 0
    assert middle(workspace)[2] > 0.75
    capsys.readouterr()
    assert run(workspace, "--dfm", dfm, "--face-type", "half") == 0, "another cut is another image"
    assert "5 faces in 5 frames" in capsys.readouterr().out


def test_the_morph_value_counts_where_it_is_taken(workspace, dfm, capsys):
    write_dfm(Path(dfm), colour=(1, 0, 0), morphs=True)
    for morph, blue in (("100", 1.0), ("30", 0.3)):
        assert run(workspace, "--dfm", dfm, "--face-type", "full", "--morph", morph) == 0
        assert abs(middle(workspace)[0] - blue) < 0.12
    write_dfm(Path(dfm), colour=(1, 0, 0))
    run(workspace, "--dfm", dfm, "--face-type", "full", "--morph", "30")
    capsys.readouterr()
    run(workspace, "--dfm", dfm, "--face-type", "full", "--morph", "60")
    assert "Done before, and as it should be: 6 frames" in capsys.readouterr().out


def test_what_the_faces_show_must_be_known(workspace, dfm, capsys):
    assert run(workspace, "--dfm", dfm) == 1
    assert "--face-type whole" in capsys.readouterr().err
    write_dfm(Path(dfm), tags={"face_type": "full"})
    assert run(workspace, "--dfm", dfm) == 0


def test_a_file_in_the_model_folder_is_a_model(workspace, dfm):
    workspace.model_dir.mkdir()
    write_dfm(workspace.model_dir / "green.dfm", colour=(0.1, 0.9, 0.1), tags={"face_type": "full"})
    assert run(workspace, "--model", "green.dfm") == 0
    assert middle(workspace)[1] > 0.75
    for index in (1, 2):
        for path in workspace.dst.aligned_dir.glob(f"{index:05d}_0.png"):
            image, record = load_face(path)
            save_face(path, image, dataclasses.replace(record, person=index))
    assert run(workspace, "--cast", "2=green.dfm") == 0
    assert middle(workspace, "00002.png")[1] > 0.75
    np.testing.assert_array_equal(
        read_image(workspace.dst.merged_dir / "00001.png"), read_image(workspace.dst.frames_dir / "00001.png")
    )


@pytest.mark.parametrize("words", [("--dfm", "nothing.dfm"), ("--dfm", "FILE", "--model", "quick")])
def test_what_does_not_go_together(workspace, dfm, capsys, words):
    words = [dfm if word == "FILE" else word for word in words]
    assert run(workspace, *words, "--face-type", "full") == 1
    assert "Traceback" not in capsys.readouterr().err and not workspace.dst.merged_dir.exists()
