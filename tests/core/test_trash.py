"""The trash notes where each file came from; whatever its note says, nothing leaves the workspace."""

import json
import threading
from pathlib import Path

import pytest

from facewright.core.files import NOTE, FreeNames, batches, move_to_trash, tidy


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "data_src" / "aligned").mkdir(parents=True)
    return tmp_path


def put(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_origins_by_and_order(root: Path) -> None:
    for number in range(12):
        move_to_trash([put(root / "data_src" / "aligned" / f"лицо {number}.png")], root / "trash", by=f"step {number}")
    found = batches(root / "trash")
    assert [batch.by for batch in found] == [f"step {number}" for number in reversed(range(12))]
    assert [item.origin for item in found[0].items] == [root / "data_src" / "aligned" / "лицо 11.png"]
    assert len(found[0].when) == len("2026-01-31 23:59:59")


def test_a_clock_that_was_set_back_does_not_change_the_order(root: Path) -> None:
    for stamp in ("2199-01-01_00-00-00", "2199-01-01_00-00-00_3", "2020-01-01_00-00-00"):
        put(root / "trash" / stamp / "old.png")
    for number in range(3):
        move_to_trash([put(root / f"{number}.png")], root / "trash", by=f"step {number}")
    assert [batch.by for batch in batches(root / "trash")][:4] == ["step 2", "step 1", "step 0", ""]


def test_files_of_a_moved_folder_know_their_place(root: Path) -> None:
    put(root / "data_src" / "aligned" / "a.png")
    put(root / "data_src" / "b.png")
    move_to_trash([root / "data_src"], root / "trash")
    (batch,) = batches(root / "trash")
    assert [item.origin for item in batch.items] == [root / "data_src/b.png", root / "data_src/aligned/a.png"]


def test_files_of_one_name_are_all_kept(root: Path) -> None:
    paths = [
        put(root / folder / name, folder + name) for folder, name in [("a", "x.png"), ("b", "x.png"), ("c", "X.PNG")]
    ]
    place = move_to_trash(paths, root / "trash")
    assert place is not None
    assert sorted(path.read_text() for path in place.glob("[!.]*")) == ["ax.png", "bx.png", "cX.PNG"]
    (batch,) = batches(root / "trash")
    assert {item.origin: item.path.read_text() for item in batch.items} == {
        path: path.parent.name + path.name for path in paths
    }


def test_threads_do_not_share_a_folder(root: Path) -> None:
    files = [put(root / f"{number}.png") for number in range(20)]
    threads = [threading.Thread(target=move_to_trash, args=([path], root / "trash")) for path in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(item.origin for batch in batches(root / "trash") for item in batch.items) == sorted(files)


@pytest.mark.parametrize(
    "origin",
    ["../outside.png", "/etc/passwd", "a/../../b.png", "C:/x.png", "..\\x.png", "", 5, None, ["a"], "a\0b"],
)
def test_an_origin_outside_the_workspace_is_none(root: Path, origin: object) -> None:
    folder = root / "trash" / "2026-01-01_00-00-00"
    put(folder / "x.png")
    (folder / NOTE).write_text(json.dumps({"by": 7, "files": {"x.png": origin}}))
    (batch,) = batches(root / "trash")
    assert batch.items[0].origin is None and batch.by == ""


@pytest.mark.parametrize("note", ["{", "[]", '{"files": 3}', None])
def test_a_damaged_or_absent_note_knows_nothing(root: Path, note: str | None) -> None:
    folder = root / "trash" / "2026-01-01_00-00-00"
    put(folder / "x.png")
    if note is not None:
        (folder / NOTE).write_text(note)
    (batch,) = batches(root / "trash")
    assert [item.origin for item in batch.items] == [None]


def test_strange_folders_are_no_batches(root: Path) -> None:
    put(root / "trash" / "my own" / "x.png")
    put(root / "trash" / "file.png")
    (root / "trash" / "2026-01-01_00-00-00").mkdir()
    assert batches(root / "trash") == []
    assert batches(root / "absent") == []


def test_tidy_removes_only_what_is_empty(root: Path) -> None:
    place = move_to_trash([put(root / "x" / "a.png"), put(root / "b.png")], root / "trash")
    assert place is not None
    (batch,) = batches(root / "trash")
    tidy(batch)
    assert (place / NOTE).exists()
    for item in batch.items:
        item.path.unlink()
    tidy(batch)
    assert not place.exists()


def test_free_names(tmp_path: Path) -> None:
    for name in ("00012.png", "00013.PNG", "7_0.png", "ä.png", "99999.png"):
        put(tmp_path / name)
    names = FreeNames(tmp_path)
    asked = ["free.png", "free.png", "00012.png", "00012.png", "7_0.png", "Ä.png", "99999.png", "00012.jpg"]
    given = [names.find(name).name for name in asked]
    assert given == [
        "free.png",
        "free_1.png",
        "00014.png",
        "00015.png",
        "7_1.png",
        "Ä_1.png",
        "100000.png",
        "00012.jpg",
    ]
