"""What went to the trash comes back: by number or by name, under a free name, with every byte."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from facewright import cli
from facewright.core.files import NOTE, move_to_trash
from facewright.core.workspace import Workspace
from facewright.faces.record import load_record


def run(workspace: Workspace, *words: str) -> int:
    return cli.main([words[0], "--workspace", str(workspace.root), "--yes", *words[1:]])


def digests(folder: Path) -> list[str]:
    return sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("[!.]*"))


@pytest.fixture
def faces(workspace: Workspace, save_drawn_face: Callable[..., Path]) -> Workspace:
    for number in range(8):
        path = workspace.src.aligned_dir / f"顔 {number:05d}_0.png"
        save_drawn_face(path, seed=number, frame=f"{number // 3:05d}.png", yaw=number * 9.0)
    return workspace


def test_rejected_faces_come_back_under_free_names(faces: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    folder = faces.src.aligned_dir
    before = digests(folder)
    assert run(faces, "sort", "--by", "final", "--keep", "5") == 0
    assert run(faces, "sort", "--by", "final", "--keep", "2") == 0
    assert [path.name for path in faces.src.aligned()] == ["00000.png", "00001.png"]
    capsys.readouterr()
    assert run(faces, "restore", "--list") == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [re.sub(r"\S+_\S+", "DATE", line).split() for line in lines] == [
        ["1", "DATE", "3", "faces", "sort", "--by", "final"],
        ["2", "DATE", "3", "faces", "sort", "--by", "final"],
    ]
    assert run(faces, "restore") == 0
    assert [path.name for path in faces.src.aligned()] == [f"{number:05d}.png" for number in range(5)]
    assert run(faces, "restore") == 0
    assert digests(folder) == before
    assert {path.name for path in faces.src.aligned()} >= {"00004.png", "顔 00001_0.png"}
    assert not any(faces.trash.iterdir()), "an emptied folder of the trash goes"
    assert run(faces, "restore") == 1
    assert "no faces of data_src" in capsys.readouterr().err


def test_faces_of_the_other_side_are_named(faces: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(faces, "sort", "--by", "final", "--keep", "5") == 0
    assert "--side src" in capsys.readouterr().out
    assert run(faces, "restore", "--side", "dst") == 1
    told = capsys.readouterr().err
    assert "no faces of data_dst" in told and "3 faces of data_src" in told and "--side src" in told


def test_taken_names_get_the_next_number(faces: Workspace, save_drawn_face: Callable[..., Path]) -> None:
    lost = faces.src.aligned_dir / "00001.png"
    save_drawn_face(lost, seed=50, frame="lost.png")
    move_to_trash([lost], faces.trash, by="keep --person 2")
    save_drawn_face(lost, seed=51, frame="new.png")
    assert run(faces, "restore") == 0
    assert load_record(lost).frame == "new.png"
    assert load_record(faces.src.aligned_dir / "00002.png").frame == "lost.png"


def test_which_one(faces: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    files = faces.src.aligned()
    places = [move_to_trash([path], faces.trash) for path in files[:3]]
    assert run(faces, "restore", "--which", "4") == 1
    assert "from 1 (the newest) to 3" in capsys.readouterr().err
    assert run(faces, "restore", "--which", "2") == 0
    assert files[1].exists() and not files[0].exists() and not files[2].exists()
    assert run(faces, "restore", "--which", str(places[0].name)) == 0
    assert files[0].exists() and not files[2].exists()
    assert run(faces, "restore", "--side", "dst") == 1


def test_asked_on_a_console(faces: Workspace, typed: Callable[..., list[str]]) -> None:
    files = faces.src.aligned()
    for path in files[:2]:
        move_to_trash([path], faces.trash)
    shown = typed("faces", "src", "2")
    assert cli.main(["restore", "--workspace", str(faces.root)]) == 0
    assert files[0].exists() and not files[1].exists()
    assert len(shown) == 3


def test_trash_of_an_earlier_version_has_no_note(faces: Workspace) -> None:
    place = move_to_trash(faces.src.aligned()[:2], faces.trash)
    assert place is not None
    (place / NOTE).unlink()
    (place / "no face.png").write_bytes(b"x")
    assert run(faces, "restore") == 0
    assert len(faces.src.aligned()) == 8
    assert [path.name for path in place.iterdir()] == ["no face.png"]


def test_faces_inside_a_moved_folder(faces: Workspace) -> None:
    before = digests(faces.src.aligned_dir)
    assert run(faces, "clear") == 0
    assert faces.src.aligned() == []
    assert run(faces, "restore") == 0
    assert digests(faces.src.aligned_dir) == before


def test_all_files_go_back_and_none_is_overwritten(faces: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    (faces.src.frames_dir / "00001.png").write_bytes(b"frame")
    (faces.src.frames_dir / "frames.json").write_bytes(b"old times")
    (faces.root / "result.mp4").write_bytes(b"video")
    faces.model_dir.mkdir()
    (faces.model_dir / "weights").write_bytes(b"w")
    before = digests(faces.src.aligned_dir)
    assert run(faces, "clear") == 0
    (faces.src.frames_dir / "frames.json").write_bytes(b"new times")
    capsys.readouterr()
    assert run(faces, "restore", "--what", "all") == 0
    told = capsys.readouterr().out
    assert "11 of 12 files" in told and "data_src/frames.json" in told
    assert digests(faces.src.aligned_dir) == before
    assert (faces.src.frames_dir / "00001.png").read_bytes() == b"frame"
    assert (faces.src.frames_dir / "frames.json").read_bytes() == b"new times"
    assert (faces.root / "result.mp4").exists() and (faces.model_dir / "weights").exists()
    (left,) = [path for path in faces.trash.rglob("frames.json")]
    assert left.read_bytes() == b"old times"
    left.unlink()


def test_a_file_where_a_folder_was(faces: Workspace) -> None:
    move_to_trash([faces.src.frames_dir], faces.trash)
    faces.src.frames_dir.write_bytes(b"in the way")
    assert run(faces, "restore", "--what", "all") == 0
    assert len(list(faces.trash.rglob("*.png"))) == 8


def test_nothing_goes_back_through_a_link_without_a_yes(workspace: Workspace, tmp_path: Path) -> None:
    """A stranger's trash and a link in a stranger's workspace must not put a file into a folder of the user."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (workspace.root / "link").symlink_to(mine, target_is_directory=True)
    batch = workspace.trash / "2026-01-01_00-00-00"
    batch.mkdir(parents=True)
    for name in ("a", "b"):
        (batch / name).write_bytes(b"do as I say")
    (batch / NOTE).write_text('{"by": "clear", "files": {"a": "link/autostart/a", "b": "link/b"}}')
    assert run(workspace, "restore", "--what", "all") == 1
    assert not list(mine.iterdir()) and (batch / "a").exists()
    assert run(workspace, "restore", "--what", "all", "--follow-links") == 0
    assert (mine / "autostart" / "a").exists() and (mine / "b").exists(), "it is the user's own link"


def test_files_of_unknown_places_are_told_from_those_whose_place_is_taken(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = workspace.trash / "2026-01-01_00-00-00"
    batch.mkdir(parents=True)
    for name in ("a", "b", "c"):
        (batch / name).write_bytes(b"")
    (batch / NOTE).write_text('{"by": "clear", "files": {"a": "../out", "b": "taken", "c": "free"}}')
    (workspace.root / "taken").write_bytes(b"mine")
    assert run(workspace, "restore", "--what", "all") == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "left in" in line]
    assert len(lines) == 2 and lines[0].endswith("b.") and lines[1].endswith("a.")


def test_another_run_has_the_folder(faces: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    move_to_trash(faces.src.aligned()[:1], faces.trash)
    with faces.lock("data_src"):
        assert run(faces, "restore") == 1
    assert "in use by another facewright" in capsys.readouterr().err


def test_what_comes_back_is_said_and_asked(
    faces: Workspace, typed: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    face = faces.src.aligned()[0]
    move_to_trash([face], faces.trash, by="a step")
    questions = typed("n")
    assert cli.main(["restore", "--workspace", str(faces.root), "--what", "all"]) == 0
    assert questions and "a step" in capsys.readouterr().out and not face.exists()
    typed("y")
    assert cli.main(["restore", "--workspace", str(faces.root), "--what", "all"]) == 0 and face.exists()


def test_without_a_terminal_what_comes_back_is_said(faces: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    for step in ("first", "second"):
        move_to_trash([faces.src.aligned()[0]], faces.trash, by=step)
    assert run(faces, "restore", "--what", "all") == 0
    said = capsys.readouterr().out
    assert "second" in said and "first" not in said


def test_a_folder_that_a_killed_run_had_emptied_goes(
    workspace: Workspace, save_drawn_face: Callable[..., Path]
) -> None:
    path = save_drawn_face(workspace.src.aligned_dir / "00001_0.png")
    emptied = move_to_trash([path], workspace.trash, by="sort")
    assert emptied is not None
    (emptied / path.name).rename(path)  # the kill came before the note was removed
    assert run(workspace, "restore", "--what", "all") == 1
    assert not emptied.exists() and path.exists()
