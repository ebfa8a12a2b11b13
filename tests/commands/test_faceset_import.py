"""Facesets of other programs are taken in, and nothing of them is run."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bombs import png
from commands.faceset_runs import names, run
from facewright import cli
from facewright.core.images import encode, write_image
from facewright.core.png import set_text
from facewright.core.workspace import Workspace
from facewright.faces.align import FaceType
from facewright.faces.record import load_record
from facewright.facesets.recut import is_cut_as
from interop import foreign_files as others


def dfl_folder(tmp_path: Path, make: Callable[..., bytes], suffix: str, count: int = 3) -> Path:
    folder = tmp_path / f"dfl {suffix}"
    folder.mkdir()
    for number in range(count):
        points = others.landmarks(turn=7.0 * number)
        (folder / f"{number:05d}{suffix}").write_bytes(make(points, others.frame(number), f"{number:05d}.png"))
    return folder


@pytest.mark.parametrize(("make", "suffix"), [(others.dfl_2018, ".png"), (others.dfl_jpeg, ".jpg")])
def test_import_of_deepfacelab(
    workspace: Workspace, tmp_path: Path, make: Callable[..., bytes], suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = dfl_folder(tmp_path, make, suffix)
    (folder / "stray.png").write_bytes(encode(others.frame(9)))
    (folder / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    for _ in range(2):
        assert run(workspace, "import", "--source", str(folder)) == 0
        assert names(workspace.src) == ["00000_0.png", "00001_0.png", "00002_0.png"]
    told = capsys.readouterr().out
    assert "3 were there already" in told and "stray.png" in told and "cut.jpg" in told
    record = load_record(workspace.src.aligned_dir / "00001_0.png")
    assert (record.face_type, record.detector) == (FaceType.FULL, "deepfacelab")
    for number in range(3):
        write_image(workspace.src.frames_dir / f"{number:05d}.png", others.frame(number))
    assert run(workspace, "remake", "--face-type", "head", "--size", "200") == 0
    assert all(is_cut_as(load_record(path), FaceType.HEAD, 200) for path in workspace.src.aligned())


def test_import_of_a_pack(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    folder.mkdir()
    others.pack(
        folder / "faceset.pak", [others.dfl_jpeg(others.landmarks(), others.frame(k), f"{k}.png") for k in range(3)]
    )
    assert run(workspace, "import", "--source", str(folder)) == 0
    assert names(workspace.src) == ["0_0.png", "1_0.png", "2_0.png"]
    assert run(workspace, "import", "--source", str(folder / "faceset.pak"), "--side", "dst") == 0
    (folder / "faceset.pak").write_bytes(b"x" * 100)
    assert run(workspace, "import", "--source", str(folder)) == 1


def test_import_says_whether_the_frames_are_the_right_ones(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = dfl_folder(tmp_path, others.dfl_jpeg, ".jpg")
    flags = ("--source", str(folder), "--side", "dst")
    assert run(workspace, "import", *flags) == 0
    assert "None of their frames is in" in capsys.readouterr().out
    for shift, warned in ((0, False), (20, True)):
        for number in range(3):
            write_image(workspace.dst.frames_dir / f"{number:05d}.png", others.frame(number + shift))
        assert run(workspace, "import", *flags) == 0
        assert ("are not those" in capsys.readouterr().out) == warned
    workspace.src.frames_dir.mkdir()
    for number in range(3):
        write_image(workspace.src.frames_dir / f"{number:05d}.png", others.frame(number + 20))
    assert run(workspace, "import", "--source", str(folder)) == 0
    assert {load_record(path).frame for path in workspace.src.aligned()} == {f"dfl-jpg_{k:05d}.png" for k in range(3)}


class Evil:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> object:
        return os.system, (self.command,)


def test_import_of_evil_faces_runs_nothing(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    proof = tmp_path / "it ran"
    body = pickle.dumps({"face_type": Evil(f"touch '{proof}'")}, 3)
    folder = tmp_path / "evil"
    folder.mkdir()
    (folder / "1.png").write_bytes(others.with_chunk(encode(others.frame(1)), body))
    (folder / "2.jpg").write_bytes(others.with_segment(encode(others.frame(1), ".jpg"), body))
    others.pack(folder / "faceset.pak", [(folder / "2.jpg").read_bytes()])
    assert run(workspace, "import", "--source", str(folder / "faceset.pak")) == 1
    (folder / "faceset.pak").unlink()
    assert run(workspace, "import", "--source", str(folder)) == 1
    error = capsys.readouterr().err
    assert "nothing of it was run" in error and "system" in error
    assert not proof.exists() and names(workspace.src) == []


def test_one_odd_file_aborts_no_import(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = dfl_folder(tmp_path, others.dfl_2018, ".png", 1)
    points, picture = others.landmarks(), others.frame()
    for name in ("\x1b[2J.png", "..", "two\nlines.png"):
        (folder / f"name {len(name)}.png").write_bytes(others.dfl_2018(points, picture, name))
    odd = {
        "box": {"source_rect": np.array(3)},
        "tiny": {"source_landmarks": (points * 1e-300).tolist()},
        "deep": {"landmarks": [[[[[[[[[[[[[[1]]]]]]]]]]]]]]},
        "long": {"source_rect": [10**400] * 4},
    }
    good = {"landmarks": points.tolist(), "source_landmarks": points.tolist(), "source_filename": "a.png"}
    for name, changed in odd.items():
        body = pickle.dumps({**good, "face_type": "full_face", "source_rect": [1, 2, 3, 4], **changed}, 2)
        (folder / f"{name}.png").write_bytes(others.with_chunk(encode(picture), body))
    (folder / "text.png").write_bytes(set_text(encode(picture), "faceswap", "9" * 1_000_000))
    half = repr({"alignments": {"landmarks_xy": points.tolist(), **dict.fromkeys("xywh", 1)}, "source": {}})
    half = half.replace("'source': {}", r"'source': {'source_filename': '\ud800.png'}")
    (folder / "half a pair.png").write_bytes(set_text(encode(picture[:256, :256].copy()), "faceswap", half))
    (folder / "bomb.png").write_bytes(png(60_000, 60_000))
    assert run(workspace, "import", "--source", str(folder)) == 0
    assert names(workspace.src) == ["00000_0.png"]
    told = capsys.readouterr().out
    for path in folder.iterdir():
        assert path.name in told or path.name == "00000.png"
    assert "\x1b" not in told


def test_import_asks_for_the_folder(workspace: Workspace, tmp_path: Path, typed: Callable[..., list[str]]) -> None:
    folder = dfl_folder(tmp_path, others.dfl_2018, ".png", 1)
    shown = typed("1", "2", str(folder))
    assert cli.main(["faceset", "--workspace", str(workspace.root)]) == 0
    assert len(shown) == 3 and names(workspace.dst) == ["00000_0.png"]
