"""Clearing asks, moves to the trash, never touches videos."""

from collections.abc import Callable
from pathlib import Path

import pytest

from facewright import cli
from facewright.core.files import NOTE
from facewright.core.workspace import Workspace


@pytest.fixture
def full(workspace: Workspace) -> Workspace:
    for name in (
        "data_src.mp4",
        "data_dst.mov",
        "notes.txt",
        "other.mp4",
        "result.mp4",
        "merged_sheet.png",
        "review.json",
        "review_sheet.png",
        "evaluation.json",
        "evaluation.html",
        "pairs.json",
        "pairs/a/data_src.mp4",
        ".evaluate/observed.jsonl",
        "data_src/00001.png",
        "data_src/aligned/00001_0.png",
        "model/quick/weights.bin",
    ):
        path = workspace.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return workspace


def names(folder: Path) -> set[str]:
    """The files below a folder, but for the log that every run writes."""
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    return {name for name in found if not name.startswith("logs/")}


def clear(workspace: Workspace, *flags: str) -> int:
    return cli.main(["clear", "--workspace", str(workspace.root), *flags])


STAYS = {"data_src.mp4", "data_dst.mov", "notes.txt", "other.mp4"}


def test_everything_made_moves_to_the_trash(full: Workspace) -> None:
    before = names(full.root)
    assert clear(full, "--yes") == 0
    (stamp,) = full.trash.iterdir()
    assert names(stamp) - {NOTE} == before - STAYS
    assert names(full.root) - {f"trash/{stamp.name}/{name}" for name in names(stamp)} == STAYS
    for folder in (full.src.aligned_dir, full.dst.aligned_dir, full.dst.merged_dir, full.model_dir):
        assert folder.is_dir()
    assert clear(full, "--yes") == 0
    assert len(list(full.trash.iterdir())) == 1, "nothing to do the second time"


@pytest.mark.parametrize("answer", ["", "n", "no"])
def test_asks_first_and_no_is_the_default(full: Workspace, typed: Callable, answer: str) -> None:
    before = names(full.root)
    shown = typed(answer)
    assert clear(full) == 0
    assert len(shown) == 1 and "[y/N" in shown[0]
    assert names(full.root) == before


def test_yes_typed(full: Workspace, typed: Callable) -> None:
    typed("perhaps", "y")
    assert clear(full) == 0
    assert not (full.root / "result.mp4").exists()


def test_without_a_terminal_nothing_happens(full: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    before = names(full.root)
    assert clear(full) == 1
    assert "--yes" in capsys.readouterr().err
    assert names(full.root) == before


def test_trash_is_deleted_only_on_request(full: Workspace, typed: Callable) -> None:
    assert clear(full, "--yes") == 0
    typed("n")
    assert clear(full, "--empty-trash") == 0
    assert full.trash.is_dir()
    assert clear(full, "--empty-trash", "--yes") == 0
    assert not full.trash.exists()
    assert names(full.root) == STAYS


def test_makes_a_new_workspace(tmp_path: Path) -> None:
    new = Workspace(tmp_path / "brand new")
    assert clear(new) == 0
    assert new.dst.merged_dir.is_dir()


@pytest.mark.parametrize("what", ["data_src", "data_dst", "model", "result"])
def test_running_step_keeps_its_files(full: Workspace, capsys: pytest.CaptureFixture[str], what: str) -> None:
    before = names(full.root)
    with full.lock(what):
        assert clear(full, "--yes") == 1
    assert "in use" in capsys.readouterr().err
    assert names(full.root) == before
