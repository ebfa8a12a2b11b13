"""Saving beside the training: whether a copy is made, and how the outcome is reported."""

import numpy as np

from facewright.nn import checkpoint
from facewright.train.saver import Saver, Snapshot, seconds_to_next


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
