"""Renaming a folder: no name is lost, whenever it is killed."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewright.core.errors import UserError
from facewright.facesets import rename
from facewright.facesets.rename import PLAN, Finished, finish, plan_names, rename_all

NAMES = st.sampled_from(
    ["00000.png", "00001.png", "00002.PNG", "s00001.png", "a.png", "A.jpg", "00001_0.png", "ss.png"]
)


@given(st.lists(NAMES, unique_by=str.lower), st.lists(NAMES, unique_by=str.lower))
def test_no_two_names_ever_meet(names: list[str], others: list[str]) -> None:
    taken = [name for name in others if name.lower() not in {n.lower() for n in names}]
    moves = plan_names(names, taken)
    everything = [name.lower() for name in taken]
    between = [move[1].lower() for move in moves]
    final = [move[2].lower() for move in moves]
    assert [move[0] for move in moves] == names
    assert len({*everything, *between}) == len(everything) + len(between)
    assert len({*everything, *final}) == len(everything) + len(final)
    assert not {*between} & {*final, *(name.lower() for name in names)}
    assert [Path(m[2]).suffix for m in moves] == [Path(n).suffix for n in names]
    assert final == sorted(final)


def fill(folder: Path, names: list[str]) -> dict[str, bytes]:
    for name in names:
        (folder / name).write_bytes(name.encode())
    return {name: name.encode() for name in names}


TRASH = Path("never used")
OLD = ["00000.png", "00001.png", "00002.png", "x.png"]
ORDER = ["x.png", "00002.png", "00000.png", "00001.png"]


def check_done(folder: Path) -> None:
    visible = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    assert visible == ["00000.png", "00001.png", "00002.png", "00003.png"]
    assert [(folder / name).read_text() for name in visible] == ORDER
    assert not (folder / PLAN).exists()


def test_rename_all(tmp_path: Path) -> None:
    fill(tmp_path, OLD)
    rename_all(tmp_path, plan_names(ORDER, []), TRASH)
    check_done(tmp_path)
    assert finish(tmp_path, TRASH) is None


@pytest.mark.parametrize("renames", range(8))
def test_killed_after_any_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int) -> None:
    fill(tmp_path, OLD)
    real, count = os.replace, 0

    class Killed(BaseException):
        pass

    def replace(old: Path, new: Path) -> None:
        nonlocal count
        if Path(old).suffix == ".png":
            if count == renames:
                raise Killed
            count += 1
        real(old, new)

    monkeypatch.setattr(rename.os, "replace", replace)
    with pytest.raises(Killed):
        rename_all(tmp_path, plan_names(ORDER, []), TRASH)
    monkeypatch.undo()
    visible = [name for name in os.listdir(tmp_path) if not name.startswith(".")]
    assert len(visible) == 4, "every face stays visible to the other steps"
    assert sorted((tmp_path / name).read_text() for name in visible) == sorted(OLD)
    assert finish(tmp_path, TRASH) == Finished(4)
    check_done(tmp_path)


def test_file_deleted_after_the_kill_is_no_obstacle(tmp_path: Path) -> None:
    fill(tmp_path, OLD)
    rename.write_json(tmp_path / PLAN, {"pass": 1, "moves": plan_names(ORDER, [])})
    (tmp_path / "x.png").unlink()
    assert finish(tmp_path, TRASH) == Finished(4)
    assert sorted(os.listdir(tmp_path)) == ["00001.png", "00002.png", "00003.png"]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"pass": 3, "moves": []}',
        '{"pass": 0, "moves": [], "rejected": ["../x.png"]}',
        '{"pass": 0, "moves": [], "rejected": 5}',
        '{"pass": 0, "moves": [], "by": 5}',
        '{"pass": 1}',
        '{"pass": 1, "moves": [["a", "b"]]}',
        '{"pass": 1, "moves": [["a", "../b", "c"]]}',
        '{"pass": 1, "moves": [["..", "b", "c"]]}',
    ],
)
def test_damaged_plan_moves_nothing(tmp_path: Path, text: str) -> None:
    before = fill(tmp_path, OLD)
    (tmp_path / PLAN).write_text(text)
    with pytest.raises(UserError):
        finish(tmp_path, TRASH)
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
