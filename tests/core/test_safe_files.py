"""The one door to files that may come from a stranger: links, pipes, names that lead out of a folder."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from facewright.core.errors import UserError
from facewright.core.files import natural, read_json, write_bytes, write_json
from facewright.core.images import read_image
from facewright.core.journal import read_journal
from facewright.core.links import check_links
from facewright.core.safe_files import (
    NotRegular,
    files_below,
    is_bare,
    open_append,
    open_regular,
    path_inside,
    read_regular,
    remove_leftovers,
    remove_tree,
    replacing,
)
from facewright.nn import checkpoint
from facewright.video.probe import open_video, read_video_tags
from strangers import needs_pipes

INTERNAL = Path(__file__).resolve().parents[2] / "_internal"


def test_reading_a_file_and_a_link_to_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "file") == b"content"
    assert read_regular(tmp_path / "link", links=True) == b"content"
    with pytest.raises(NotRegular, match="a link"):
        read_regular(tmp_path / "link")
    for links in (False, True):
        with pytest.raises(FileNotFoundError):
            open_regular(tmp_path / "absent", links=links)
        with pytest.raises(NotRegular, match="a folder"):
            open_regular(tmp_path, links=links)


@needs_pipes
def test_pipes_and_devices_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to pipe").symlink_to("pipe")
    (tmp_path / "to device").symlink_to("/dev/zero")
    for name, what in (("pipe", "a pipe"), ("to pipe", "a pipe"), ("to device", "a device")):
        with pytest.raises(NotRegular, match=what):
            read_regular(tmp_path / name, links=True)
    with pytest.raises(NotRegular, match="a pipe"):
        open_append(tmp_path / "pipe")


@needs_pipes
def test_no_reader_waits_for_a_pipe(tmp_path: Path) -> None:
    for name in ("state.json", "a.png", "data_dst.mp4", checkpoint.MANIFEST):
        os.mkfifo(tmp_path / name)
    for read, name in ((read_json, "state.json"), (read_image, "a.png"), (open_video, "data_dst.mp4")):
        with pytest.raises(UserError, match="a pipe"):
            read(tmp_path / name)
    with pytest.raises(UserError, match="a pipe"):
        read_video_tags(tmp_path / "data_dst.mp4")
    with pytest.raises(checkpoint.DamagedGeneration, match="a pipe"):
        checkpoint.check(tmp_path)


def test_files_with_holes_do_not_fill_the_memory(tmp_path: Path) -> None:
    for name in ("state.json", "done.jsonl", "a.png"):
        with open(tmp_path / name, "wb") as file:
            file.truncate(100 << 30)
    for read, name in ((read_json, "state.json"), (read_image, "a.png"), (read_done, "done.jsonl")):
        with pytest.raises(UserError, match="MiB"):
            read(tmp_path / name)


def test_folders_may_be_nested_deeper_than_python_calls_itself(tmp_path: Path) -> None:
    top = tmp_path / "deep"
    folder = make_deep(top, 1200)
    (folder / "file").write_bytes(b"x")
    assert [path.name for path in files_below(top)] == ["file"]
    assert list(files_below(top, deepest=5)) == []
    remove_leftovers(top, below=True)
    check_links([top])
    with suppress(OSError):  # some Pythons can
        remove_tree(top, completely=True)
    subprocess.run(["rm", "-r", str(top)], check=False)


def make_deep(top: Path, levels: int) -> Path:
    top.mkdir()
    folder = top
    for _ in range(levels):
        folder = folder / "d"
        folder.mkdir()
    return folder


def read_done(path: Path) -> dict[str, dict[str, object]]:
    return read_journal(path, "frame")


def test_files_below_a_folder_in_order(tmp_path: Path) -> None:
    for name in ("b/2", "b/10", "a", "b/c/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "b")
    assert [str(path.relative_to(tmp_path)) for path in files_below(tmp_path)] == ["a", "link", "b/10", "b/2", "b/c/x"]
    assert [path.name for path in files_below(tmp_path / "b", order=natural, deepest=0)] == ["2", "10"]
    assert list(files_below(tmp_path / "absent")) == []


def test_writing_replaces_a_link_and_never_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    for write in (write_bytes, lambda path, data: write_json(path, 5)):
        path = tmp_path / "written"
        path.unlink(missing_ok=True)
        path.symlink_to("mine")
        write(path, b"new")
        assert not path.is_symlink() and (tmp_path / "mine").read_bytes() == b"mine"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a") as temporary:
        temporary.write_bytes((tmp_path / "absent").read_bytes())
    assert os.listdir(tmp_path) == ["a"] and (tmp_path / "a").read_bytes() == b"old"


def test_a_name_of_any_length_can_be_written(tmp_path: Path) -> None:
    """The temporary name is not made of the name, which may be as long as the system allows."""
    path = tmp_path / ("n" * 251 + ".png")
    write_bytes(path, b"x", durable=True)
    assert path.read_bytes() == b"x"


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from facewright.core.safe_files import replacing
with replacing(Path(sys.argv[2]) / "a"):
    os._exit(9)
"""


def test_what_a_killed_run_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    for folder in (tmp_path, tmp_path / "below"):
        subprocess.run([sys.executable, "-c", KILLED, str(INTERNAL), str(folder)], check=False)
        assert len(list(folder.glob(".*.tmp"))) == 1
    (tmp_path / ".mine.tmp").write_bytes(b"")
    with replacing(tmp_path / "a") as living:
        remove_leftovers(tmp_path)
        assert sorted(os.listdir(tmp_path)) == sorted([living.name, ".mine.tmp", "below"])
        assert os.listdir(tmp_path / "below")
        remove_leftovers(tmp_path, below=True)
        assert not os.listdir(tmp_path / "below")
    remove_leftovers(tmp_path / "absent")


def test_removing_a_folder_goes_through_no_link(tmp_path: Path) -> None:
    mine, folder = tmp_path / "mine", tmp_path / "folder"
    mine.mkdir()
    (mine / "picture").write_bytes(b"x")
    folder.mkdir()
    (folder / "link").symlink_to(mine)
    remove_tree(folder, completely=True)
    assert not folder.exists()
    folder.symlink_to(mine)
    remove_tree(folder, completely=True)
    assert not folder.is_symlink() and (mine / "picture").exists()
    remove_tree(folder)
    with pytest.raises(FileNotFoundError):
        remove_tree(folder, completely=True)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "/", "//", "/a", "//a", "a/", "a/../b", "./a", "a\\b", "C:", "C:a", "a\0", None, 5, ["a"], "a//b"],
)
def test_names_that_lead_elsewhere(tmp_path: Path, name: object) -> None:
    assert not is_bare(name) and path_inside(tmp_path, name) is None


def test_names_and_places_that_stay(tmp_path: Path) -> None:
    for name in ("a", ".hidden", "größe 1.png", "..a", "12:30.png"):
        assert is_bare(name) and path_inside(tmp_path, name) == tmp_path / name
    assert not is_bare("a/b") and path_inside(tmp_path, "a/b") == tmp_path / "a" / "b"
