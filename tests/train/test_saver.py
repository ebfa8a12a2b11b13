"""Saving beside the training: whether a copy is made, and how an outcome is told."""

import numpy as np
import pytest

from facewright.nn import checkpoint
from facewright.train import saver
from facewright.train.saver import Content

GIB = 1 << 30


@pytest.fixture
def group(tmp_path, monkeypatch):
    """A control group whose numbers the test chooses."""
    monkeypatch.setattr(saver, "CONTROL_GROUP", tmp_path / "group" / "memory.max")
    (tmp_path / "group").mkdir()

    def write(limit, used, inactive=0, active=0):
        (tmp_path / "group" / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "group" / "memory.current").write_text(f"{used}\n")
        stat = f"anon 5\nfile 7\ninactive_file {inactive}\nactive_file {active}\n"
        (tmp_path / "group" / "memory.stat").write_text(stat)

    return write


def test_a_run_is_saved_after_1_2_4_8_and_16_minutes_and_then_every_10():
    at = []
    while len(at) < 7:
        now = at[-1] if at else 0.0
        at.append(now + saver.seconds_to_next(600, now))
    assert [moment / 60 for moment in at] == [1, 2, 4, 8, 16, 26, 36]
    assert saver.seconds_to_next(5, 0) == saver.seconds_to_next(5, 1e6) == 5


def content(folder, **more):
    weights = np.arange(1000, dtype=np.float32)
    return Content(folder, 3, {"model": "tiny", "iteration": 3}, {"weights": {"w": weights}}, **more)


@pytest.mark.parametrize(
    ("numbers", "left"),
    [
        ((1000, 400), 600),
        ((1000, 1000, 300, 200), 500),  # pages of files are let go of
        ((1000, 1200), 1),  # nothing is left, which is not "unknown"
    ],
)
def test_what_the_control_group_leaves(group, numbers, left):
    group(*numbers)
    assert saver._free_memory() == left


def test_a_group_without_a_limit_or_with_a_large_one_leaves_what_the_computer_has(group):
    computer = saver._free_memory()
    assert computer > 0
    group("max", 7)
    assert saver._free_memory() == pytest.approx(computer, rel=0.3)
    group(1 << 60, 7)
    assert saver._free_memory() == pytest.approx(computer, rel=0.3)


def test_a_copy_is_made_where_the_memory_holds_it(group, tmp_path):
    live = content(tmp_path / "model")
    group(GIB, GIB - 4000)
    assert live.copied() is None
    group(GIB, GIB - 40_000)
    copy = live.copied()
    live.files["weights"]["w"][:] = -1
    assert copy.files["weights"]["w"][5] == 5.0 and copy.iteration == 3


def test_without_room_for_a_copy_the_saving_is_over_at_once(group, tmp_path):
    group(GIB, GIB)
    writer = saver.Saver()
    writer.begin(content(tmp_path / "model"))
    report = writer.take()
    assert report.problem is None and report.waited == report.seconds
    assert checkpoint.newest(tmp_path / "model").generation.state["iteration"] == 3
