"""Two facesets made one."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from commands.faceset_runs import add_face, names, run
from facewright.core.images import read_image
from facewright.core.workspace import Workspace
from facewright.faces.record import load_face, load_record, update_record


def other_workspace(tmp_path: Path, name: str, numbers: tuple[int, ...], shift: int = 0) -> Workspace:
    other = Workspace(tmp_path / name)
    other.root.mkdir()
    for number in numbers:
        add_face(other.src, number + shift)
        if shift:
            os.replace(other.src.frames_dir / f"{number + shift:05d}.png", other.src.frames_dir / f"{number:05d}.png")
            old = other.src.aligned_dir / f"{number + shift:05d}_0.png"
            update_record(old, replace(load_record(old), frame=f"{number:05d}.png", person=1))
            os.replace(old, other.src.aligned_dir / f"{number:05d}_0.png")
    return other


def test_merge_of_another_video_gets_a_prefix(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 2):
        add_face(workspace.src, number)
    other = other_workspace(tmp_path, "Zweites Set!", (2, 3), shift=40)
    theirs = read_image(other.src.aligned_dir / "00002_0.png")
    for _ in range(2):
        assert run(workspace, "merge", "--source", str(other.root)) == 0
        frames = [load_record(path).frame for path in workspace.src.aligned()]
        assert sorted(frames) == ["00001.png", "00002.png", "Zweites-Set_00002.png", "Zweites-Set_00003.png"]
    assert "2 were there already" in capsys.readouterr().out
    image, record = load_face(workspace.src.aligned_dir / "Zweites-Set_00002_0.png")
    np.testing.assert_array_equal(image, theirs)
    assert record.person is None, "their number 1 is another person than ours"


def test_merge_without_a_clash_keeps_the_names(workspace: Workspace, tmp_path: Path) -> None:
    other = other_workspace(tmp_path, "b", (7, 8))
    assert run(workspace, "merge", "--source", str(other.src.aligned_dir)) == 0
    assert names(workspace.src) == ["00007_0.png", "00008_0.png"]
    (workspace.src.aligned_dir / "00008_0.png").unlink()
    add_face(workspace.src, 1)
    assert run(workspace, "merge", "--source", str(other.src.frames_dir)) == 0
    assert names(workspace.src) == ["00001_0.png", "00007_0.png", "00008_0.png"]


def test_a_merge_that_was_stopped_goes_on_with_the_numbers_of_people(workspace: Workspace, tmp_path: Path) -> None:
    other = other_workspace(tmp_path, "b", (7, 8, 9), shift=40)  # all are person 1
    assert run(workspace, "merge", "--source", str(other.root)) == 0
    faces = workspace.src.aligned()
    for path in faces[1:]:
        path.unlink()
    assert run(workspace, "merge", "--source", str(other.root)) == 0
    assert [load_record(path).person for path in workspace.src.aligned()] == [1, 1, 1]
    faces[1].unlink()
    update_record(faces[0], replace(load_record(faces[0]), person=2))  # numbered anew meanwhile
    assert run(workspace, "merge", "--source", str(other.root)) == 0
    assert [load_record(path).person for path in faces] == [2, None, 1]


def test_merge_twice_from_folders_of_one_name(workspace: Workspace, tmp_path: Path) -> None:
    add_face(workspace.src, 1)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for place, shift in (("a", 40), ("b", 80)):
        other = other_workspace(tmp_path / place, "set", (1,), shift=shift)
        for _ in range(2):
            assert run(workspace, "merge", "--source", str(other.root)) == 0
    frames = sorted(load_record(path).frame for path in workspace.src.aligned())
    assert frames == ["00001.png", "set2_00001.png", "set_00001.png"]


@pytest.mark.parametrize("smoothed", ["here", "there"])
def test_faces_that_were_smoothed_since_are_known(workspace: Workspace, tmp_path: Path, smoothed: str) -> None:
    other = other_workspace(tmp_path, "b", (7, 8))
    assert run(workspace, "merge", "--source", str(other.root)) == 0
    for path in (workspace if smoothed == "here" else other).src.aligned():
        record = load_record(path)
        moved = record.frame_landmarks + np.float32(0.5)
        update_record(path, replace(record, raw_landmarks=record.frame_landmarks, frame_landmarks=moved))
    assert run(workspace, "merge", "--source", str(other.root)) == 0
    assert names(workspace.src) == ["00007_0.png", "00008_0.png"]


def test_merge_mistakes(workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_face(workspace.src, 1)
    for flags, word in (
        (("--source", str(workspace.root)), "this very set"),
        (("--source", str(tmp_path)), "no faces of facewright"),
        ((), "--source DIR"),
        (("--side", "dst", "--source", str(tmp_path)), "dst cannot be merged"),
    ):
        assert run(workspace, "merge", *flags) == 1
        error = capsys.readouterr().err
        assert (word in error or word in error.replace("data_", "")) and "Expected" in error
