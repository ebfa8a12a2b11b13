"""Saving beside the training: whether a copy is made, and how the outcome is reported."""

import numpy as np
import pytest

from facewright.nn import checkpoint
from facewright.train.saver import Saver, Snapshot, free_memory, seconds_to_next


@pytest.fixture
def group(tmp_path):
    """A control group whose numbers the test chooses."""
    folder = tmp_path / "group"
    folder.mkdir()

    def write(limit, used, inactive=0, active=0):
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text(f"{used}\n")
        stat = f"anon 5\nfile 7\ninactive_file {inactive}\nactive_file {active}\n"
        (folder / "memory.stat").write_text(stat)
        return folder

    return write


def test_a_run_is_saved_after_1_2_4_8_and_16_minutes_and_then_every_10():
    at = []
    while len(at) < 7:
        now = at[-1] if at else 0.0
        at.append(now + seconds_to_next(600, now))
    assert [moment / 60 for moment in at] == [1, 2, 4, 8, 16, 26, 36]
    assert seconds_to_next(5, 0) == seconds_to_next(5, 1e6) == 5


def snapshot(folder, kind=Snapshot):
    weights = np.arange(1000, dtype=np.float32)
    return kind(folder, 3, {"model": "tiny", "iteration": 3}, {"weights": {"w": weights}})


@pytest.mark.parametrize(
    ("numbers", "left"),
    [
        ((1000, 400), 600),
        ((1000, 1000, 300, 200), 500),  # pages of files can be dropped
        ((1000, 1200), 1),  # nothing is left, which is not "unknown"
    ],
)
def test_what_the_control_group_leaves(group, numbers, left):
    assert free_memory(group(*numbers)) == left


@pytest.mark.parametrize("limit", ["max", 1 << 60])
def test_a_group_without_a_limit_or_with_a_large_one_leaves_what_the_computer_has(group, tmp_path, limit):
    computer = free_memory(tmp_path / "no group")
    assert computer > 0
    assert free_memory(group(limit, 7)) == pytest.approx(computer, rel=0.3)


def test_a_copy_is_made_where_the_memory_holds_it(tmp_path):
    live = snapshot(tmp_path / "model")
    assert live.copied(free=4000) is None
    copy = live.copied(free=40_000)
    live.files["weights"]["w"][:] = -1
    assert copy.files["weights"]["w"][5] == 5.0 and copy.iteration == 3


def test_without_memory_for_a_copy_the_save_has_ended_at_once(tmp_path):
    class Huge(Snapshot):
        def copied(self, free=None):
            return super().copied(free=1)

    saver = Saver()
    saver.begin(snapshot(tmp_path / "model", Huge))
    report = saver.take()
    assert report.problem is None and report.waited == report.seconds
    assert checkpoint.newest(tmp_path / "model").generation.state["iteration"] == 3
    assert saver.take() is None and not saver.busy
