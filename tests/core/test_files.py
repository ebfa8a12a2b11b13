"""Atomic writes, sorted listings, folders, the trash."""

import errno
import os
from pathlib import Path

import pytest

from disks import longest_file
from facewright.core.errors import UserError
from facewright.core.files import (
    disk_errors,
    list_files,
    make_folder,
    move_to_trash,
    read_json,
    write_bytes,
    write_json,
)


def test_listing_is_sorted_and_hides_hidden_files(tmp_path: Path) -> None:
    for name in ("b.png", "a.PNG", "c.txt", ".hidden.png"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    assert [p.name for p in list_files(tmp_path)] == ["a.PNG", "b.png", "c.txt"]
    assert [p.name for p in list_files(tmp_path, (".png",))] == ["a.PNG", "b.png"]
    assert list_files(tmp_path / "absent") == []


@pytest.mark.parametrize("durable", [False, True])
def test_write_replaces_the_whole_file(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "ä b.bin"
    write_bytes(path, b"old, and longer", durable=durable)
    write_bytes(path, b"new", durable=durable)
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["ä b.bin"]


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")
    with longest_file(10), pytest.raises(UserError) as caught:
        write_bytes(path, b"new and longer")
    assert str(path) in caught.value.happened
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EPERM])
def test_missing_rights_are_a_user_error(number: int) -> None:
    with pytest.raises(UserError), disk_errors(Path("x")):
        raise OSError(number, os.strerror(number))


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(OSError) as caught, disk_errors(Path("x")):
        raise OSError(errno.EIO, "I/O error")
    assert not isinstance(caught.value, UserError)


def test_json_round_trip_and_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert read_json(path, {"none": 1}) == {"none": 1}
    write_json(path, {"ä": [1, 2.5, None]})
    assert read_json(path) == {"ä": [1, 2.5, None]}
    path.write_text('{"ä": [1,')
    with pytest.raises(UserError):
        read_json(path)
    with pytest.raises(UserError, match="cannot be read"):
        read_json(tmp_path)


def test_folder_where_a_file_is_in_the_way(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError):
            make_folder(path)


def test_trash_keeps_everything(tmp_path: Path) -> None:
    trash = tmp_path / "trash"
    places = []
    for round_ in range(3):
        folder = tmp_path / "faces"
        folder.mkdir()
        (folder / "a.png").write_text(str(round_))
        places.append(move_to_trash([folder, tmp_path / "absent"], trash))
        assert not folder.exists()
    assert len({*places}) == 3
    assert [(place / "faces" / "a.png").read_text() for place in places if place] == ["0", "1", "2"]
    assert move_to_trash([tmp_path / "absent"], trash) is None


def test_trash_on_another_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.replace

    def other_disk(old: Path, new: Path) -> None:
        if Path(old).parent != Path(new).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        real(old, new)

    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "a.png").write_text("a")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", other_disk)
        patch.setattr(os, "rename", other_disk)
        place = move_to_trash([tmp_path / "faces"], tmp_path / "trash")
    assert place is not None and (place / "faces" / "a.png").read_text() == "a"
    assert not (tmp_path / "faces").exists()


def test_a_folder_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rights alone would not hold back a test that runs as root."""

    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("facewright.core.files.os.scandir", refuse)
    with pytest.raises(UserError, match="cannot be read: Permission denied"):
        list_files(tmp_path)
