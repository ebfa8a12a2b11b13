"""Links to folders in a workspace: told, asked about, followed only when the user says so."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from facewright.commands import clear
from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.links import FLAG, check_links, following
from facewright.core.workspace import Workspace


@pytest.fixture
def other(tmp_path: Path) -> Path:
    folder = tmp_path / "other disk"
    (folder / "below").mkdir(parents=True)
    return folder


@pytest.mark.parametrize("place", ["data_dst", "data_dst/merged", "data_dst/a/b", "trash"])
def test_a_lock_is_not_given_where_a_link_leads_elsewhere(workspace: Workspace, other: Path, place: str) -> None:
    link = workspace.root / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(other)
    with pytest.raises(UserError, match="link to other folders") as caught, workspace.lock("data_dst"):
        pass
    assert str(other) in caught.value.happened and FLAG in caught.value.fix
    with following(), workspace.lock("data_dst"):
        pass
    with pytest.raises(UserError), workspace.lock("data_dst"):
        pass


def test_a_person_may_allow_it_for_good(workspace: Workspace, other: Path, typed: Callable[..., list[str]]) -> None:
    workspace.dst.frames_dir.mkdir()
    workspace.dst.merged_dir.symlink_to(other)
    shown = typed("", "y")
    with pytest.raises(UserError), workspace.lock("data_dst"):
        pass
    for _ in range(2):
        with workspace.lock("data_dst"):
            pass
    assert len(shown) == 2
    with console.answered_by(console.Answers.YES), workspace.lock("data_dst"):
        pass
    workspace.dst.merged_dir.unlink()
    workspace.dst.merged_dir.symlink_to(other / "below")
    with console.answered_by(console.Answers.YES), pytest.raises(UserError, match="below"), workspace.lock("data_dst"):
        pass


def test_what_lies_behind_a_followed_link_is_asked_too(
    workspace: Workspace, other: Path, tmp_path: Path, typed: Callable[..., list[str]], capsys: pytest.CaptureFixture
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (other / "merged").symlink_to(pictures)
    (other / "round").symlink_to(other)
    workspace.dst.frames_dir.symlink_to(other)
    typed("y", "n")
    with pytest.raises(UserError, match="pictures"), workspace.lock("data_dst"):
        pass


def test_links_that_move_no_folder(workspace: Workspace, other: Path, tmp_path: Path) -> None:
    """A video or a frame may be a link to a file, and the whole workspace one to a folder."""
    (other / "file.png").write_bytes(b"x")
    workspace.dst.frames_dir.mkdir()
    (workspace.dst.frames_dir / "00001.png").symlink_to(other / "file.png")
    (workspace.dst.frames_dir / "broken").symlink_to(tmp_path / "absent")
    (workspace.root / "data_dst.mp4").symlink_to(other / "file.png")
    (workspace.root / "my own folder").symlink_to(other)
    root = tmp_path / "link to the workspace"
    root.symlink_to(workspace.root)
    for place in (workspace, Workspace(root)):
        with place.lock("data_dst"), place.lock("data_src"), place.lock("model"), place.lock("result"):
            pass


def test_a_link_that_was_moved_to_the_trash_is_in_nobodys_way(workspace: Workspace, other: Path) -> None:
    workspace.src.frames_dir.symlink_to(other)
    (other / "below" / "frame.png").write_bytes(b"x")
    with following(), console.answered_by(console.Answers.YES):
        clear.run(workspace, clear.Options())
    with workspace.lock("data_src"), workspace.lock("data_dst"):
        pass
    assert (other / "below" / "frame.png").exists() and not workspace.src.frames_dir.is_symlink()
    assert [path.name for path in workspace.trash.glob("*/*") if path.is_symlink()] == ["data_src"]


def test_absent_places_and_many_links(tmp_path: Path, other: Path) -> None:
    check_links([tmp_path / "absent"])
    for number in range(20):
        os.symlink(other, tmp_path / f"link {number:02}")
    with pytest.raises(UserError, match=r"20 links to other folders.*and 15 more"):
        check_links([tmp_path])
