"""What is in a file: every byte counts, and nothing is read twice."""

import json
import os
import sys
from pathlib import Path

import pytest

from facewright.core.contents import MEMORY, Contents
from facewright.core.errors import UserError
from facewright.core.files import png_fingerprint

LONG = 300_000  # bytes, more than any part of a file that is looked at


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that was written a minute ago."""
    path = tmp_path / "sub" / "film.dv"
    path.parent.mkdir()
    path.write_bytes(bytes(LONG))
    aged(path)
    return path


def aged(path: Path, seconds: int = 60) -> None:
    when = path.stat().st_mtime_ns - seconds * 1_000_000_000
    os.utime(path, ns=(when, when))


def change(path: Path, position: int) -> None:
    with open(path, "r+b") as file:
        file.seek(position)
        file.write(b"\1")


def memory(root: Path) -> list[dict]:
    return [json.loads(line) for line in (root / MEMORY).read_text().splitlines()]


@pytest.mark.parametrize("position", [0, LONG // 2, LONG - 1])
def test_each_byte_counts(file: Path, tmp_path: Path, position: int) -> None:
    contents = Contents(tmp_path)
    before = contents.of(file)
    change(file, position)
    assert contents.of(file) != before
    change(file, position)
    assert contents.of(file) == Contents().of(file)


def test_the_time_is_no_part_of_it(file: Path, tmp_path: Path) -> None:
    before = Contents(tmp_path).of(file)
    aged(file)
    assert Contents(tmp_path).of(file) == before


def test_a_file_that_was_seen_is_not_read_again(file: Path, tmp_path: Path) -> None:
    right = Contents(tmp_path).of(file)
    (entry,) = memory(tmp_path)
    assert entry["path"] == "sub/film.dv" and entry["content"] == right
    (tmp_path / MEMORY).write_text(json.dumps({**entry, "content": "known"}))
    assert Contents(tmp_path).of(file) == "known"
    aged(file)
    assert Contents(tmp_path).of(file) == right


def test_a_file_just_written_is_not_remembered(file: Path, tmp_path: Path) -> None:
    """It may be written once more within the same tick of the clock."""
    contents = Contents(tmp_path)
    for value in (b"one", b"two", b"one"):
        file.write_bytes(value)
        assert contents.of(file) == Contents().of(file)
    assert not (tmp_path / MEMORY).exists()


def test_many_are_looked_through_at_once(file: Path, tmp_path: Path) -> None:
    paths = [file.with_name(f"{n}.bmp") for n in range(20)]
    for n, path in enumerate(paths):
        path.write_bytes(bytes([n]) * 100)
        aged(path)
    Contents(tmp_path).look_through([*paths, file.with_name("gone.bmp")], title="Looking")
    assert {entry["path"]: entry["content"] for entry in memory(tmp_path)} == {
        f"sub/{path.name}": Contents().of(path) for path in paths
    }


@pytest.mark.parametrize(
    "spoiled", [b"", b"\xff\xfe", b"[1]\n", b'{"path": "sub/film.dv", "stamp": 7, "content": []}\n']
)
def test_a_damaged_memory_remembers_nothing(file: Path, tmp_path: Path, spoiled: bytes) -> None:
    right = Contents().of(file)
    (tmp_path / MEMORY).write_bytes(spoiled)
    assert Contents(tmp_path).of(file) == right == Contents(tmp_path).of(file)


def test_a_memory_that_cannot_be_written_is_done_without(file: Path, tmp_path: Path) -> None:
    (tmp_path / MEMORY).mkdir()
    assert Contents(tmp_path).of(file) == Contents().of(file)


@pytest.mark.skipif(sys.platform != "linux", reason="names are not bytes there")
def test_a_name_that_is_no_text_is_read_each_time(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff.bmp")
    path.write_bytes(bytes(9))
    aged(path)
    assert Contents(tmp_path).of(path) == Contents().of(path)


def test_a_memory_does_not_grow_for_ever(file: Path, tmp_path: Path) -> None:
    for _ in range(30):
        Contents(tmp_path).of(file)
        aged(file)
    assert len(memory(tmp_path)) < 15


def test_what_earlier_programs_noted_still_counts(file: Path) -> None:
    contents = Contents()
    noted = png_fingerprint(file)
    assert contents.same(file, noted) and contents.same(file, contents.of(file))
    change(file, LONG - 1)
    assert not contents.same(file, noted) and not contents.same(file, None)


def test_a_file_that_is_nearly_all_holes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "00001.png"
    with open(path, "wb") as file:
        file.write(b"\x89PNG")
        file.truncate(1 << 40)
    with pytest.raises(UserError, match=r"00001\.png"):
        Contents().of(path)
    Contents().look_through([path], title="Looking")
