"""File names from strangers: those that no step can use are passed over with a word, and shown escaped."""

import os
from pathlib import Path

import numpy as np
import pytest

from facewright import cli
from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import list_files, write_bytes
from facewright.core.images import write_image
from facewright.core.names import MAX_FRAME_NAME, MAX_NAME, printable
from facewright.core.workspace import Workspace
from facewright.facesets.face_names import FaceNames, usable_stem


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("name", [b"caf\xe9.png", b"\x1b[2Jcleared.png", b"two\nlines.png", b"\xe2\x80\xaegnp.exe.png"])
def test_a_file_of_an_odd_name_is_passed_over_with_a_word(
    tmp_path: Path, name: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    for other in (b"b.png", b"a.png", name):
        (tmp_path / os.fsdecode(other)).write_bytes(b"")
    for _ in range(2):
        assert [path.name for path in list_files(tmp_path)] == ["a.png", "b.png"]
    said = capsys.readouterr().out
    assert said.count("is passed over") == 1 and said.count("\n") == 1
    assert "\x1b[2J" not in said and "\u202e" not in said
    said.encode("utf-8")


@pytest.mark.skipif(os.name == "nt", reason="there it is the number of letters that counts")
def test_a_name_that_leaves_no_room_is_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    usable, long, letters = "n" * (MAX_NAME - 4) + ".png", "n" * (MAX_NAME - 3) + ".png", "花" * 83 + ".png"
    for name in (usable, long, letters):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in list_files(tmp_path, (".png",))] == [usable]
    assert capsys.readouterr().out.count("is passed over") == 2


@pytest.mark.skipif(os.name == "nt", reason="there it is the number of letters that counts")
def test_the_faces_of_every_frame_that_is_taken_find_their_place(workspace: Workspace) -> None:
    workspace.src.aligned_dir.mkdir(parents=True)
    for length in (MAX_FRAME_NAME, MAX_FRAME_NAME + 1):
        write_image(workspace.src.frames_dir / ("n" * (length - 4) + ".png"), np.zeros((8, 8, 3), np.uint8))
    (frame,) = workspace.src.frames()
    stem = usable_stem(frame.name)
    assert stem is not None
    names = FaceNames(())
    for name in [names.take(stem) for _ in range(1001)][::1000]:
        write_bytes(workspace.src.aligned_dir / name, b"x")
        assert workspace.src.aligned_dir / name in workspace.src.aligned()


def test_what_is_printed_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    for say in (console.say, console.warn, console.heading):
        say("a\x1b]0;title\x07b\tc\nd\x9b2J\udcff")
    console.error(UserError("a\x1b[2J", "b", "c"))
    out, error = capsys.readouterr()
    assert out == "a\\x1b]0;title\\x07b\tc\nd\\x9b2J\\xff\n" * 3
    assert error.splitlines()[0] == "a\\x1b[2J"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such paths")
def test_a_path_that_is_no_text_is_refused_with_a_sentence(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    assert cli.main(["view", "--workspace", str(folder), "--yes"]) == 1
    here = ["--workspace", str(workspace.root), "--yes"]
    for path in (folder, tmp_path / "two\x1b[2Jlines"):
        assert cli.main(["faceset", "--action", "import", "--source", str(path), *here]) == 1
    said = capsys.readouterr().err
    assert said.count("not UTF-8 or holds control characters") == 3 and "\x1b" not in said
    assert "caf\\xe9" in said and "Traceback" not in said


def test_letters_are_shown_as_they_are() -> None:
    assert printable("Ünï 花 😀 é.png") == "Ünï 花 😀 é.png"
    assert printable("a\nb\u202ec\udce9") == "a\\x0ab\\u202ec\\xe9"


@pytest.mark.parametrize("words", [["view"], ["clear", "--yes"], ["quickstart", "--yes"]])
def test_a_workspace_whose_name_is_too_long(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for folder in (f"/tmp/{'ä' * 200}/b", "/tmp/" + "a/" * 3000):
        assert cli.main([*words, "--workspace", folder]) == 1
        said = capsys.readouterr().err
        assert "too long" in said and "Traceback" not in said


@pytest.mark.parametrize(
    "words",
    [
        ["inspect"],
        ["faceset", "--action", "import", "--source"],
        ["faceset", "--action", "merge", "--source"],
        ["train", "--pretrain"],
        ["train", "--name"],
        ["extract", "--person"],
        ["export", "--out"],
        ["doctor", "--report", "--out"],
    ],
)
def test_an_option_whose_path_is_too_long(
    workspace: Workspace, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--workspace", str(workspace.root), "--yes"]
    assert cli.main([words[0], *place, *words[1:], "n" * 256]) == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said and len(said) < 1500
