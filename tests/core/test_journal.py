"""The journal after kills and on a full disk."""

import json
import os
from pathlib import Path

import pytest

from disks import longest_file
from facewright.core.errors import UserError
from facewright.core.journal import Journal, read_journal
from strangers import needs_pipes


def test_the_last_entry_of_an_item_counts(tmp_path: Path) -> None:
    path = tmp_path / "done.jsonl"
    assert read_journal(path, "frame") == {}
    for number in range(2):
        with Journal(path) as journal:
            journal.add({"frame": "ä.png", "run": number})
            journal.add({"frame": f"{number}.png"})
    assert read_journal(path, "frame") == {
        "ä.png": {"frame": "ä.png", "run": 1},
        "0.png": {"frame": "0.png"},
        "1.png": {"frame": "1.png"},
    }


def test_cut_anywhere_the_next_run_goes_on(tmp_path: Path) -> None:
    whole = "".join(json.dumps({"frame": f"{n}"}) + "\n" for n in range(3)).encode()
    path = tmp_path / "done.jsonl"
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        before = set(read_journal(path, "frame"))
        with Journal(path) as journal:
            journal.add({"frame": "next"})
        assert set(read_journal(path, "frame")) == {*before, "next"}


def test_lines_that_are_no_entries_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "done.jsonl"
    path.write_bytes(b'[1]\n{"frame": 1}\nnull\n\xff\xfe\n{"frame": "a"}\n')
    assert list(read_journal(path, "frame")) == ["a"]


@pytest.mark.skipif(os.name == "nt", reason="Windows limits no file's length")
def test_what_the_disk_refuses_is_said_once_and_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "done.jsonl"
    with Journal(path) as journal:
        journal.add({"frame": "a"})
        with pytest.raises(UserError, match="could not be written"), longest_file(path.stat().st_size):
            journal.add({"frame": "b"})
    assert list(read_journal(path, "frame")) == ["a"]


def test_it_is_never_opened_through_a_link(tmp_path: Path) -> None:
    """The line would end in somebody's file elsewhere."""
    elsewhere, path = tmp_path / "bashrc", tmp_path / "done.jsonl"
    elsewhere.write_text('{"frame": "a"}')
    path.symlink_to(elsewhere)
    with pytest.raises(UserError, match="a link"):
        Journal(path)
    with pytest.raises(UserError, match="a link"):
        read_journal(path, "frame")
    path.unlink()
    path.symlink_to(tmp_path / "absent")
    with pytest.raises(UserError, match="a link"):
        Journal(path)
    path.unlink()
    os.link(elsewhere, path)
    with Journal(path) as journal:
        journal.add({"frame": "b"})
    assert sorted(os.listdir(tmp_path)) == ["bashrc", "done.jsonl"]
    assert elsewhere.read_text() == '{"frame": "a"}' and list(read_journal(path, "frame")) == ["a", "b"]


@needs_pipes
def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "done.jsonl"
    os.mkfifo(path)
    with pytest.raises(UserError, match="a pipe"):
        read_journal(path, "frame")
    with pytest.raises(UserError, match="a pipe"):
        Journal(path)
