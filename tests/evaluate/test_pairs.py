"""A list of pairs of videos: each step in its own workspace, a fixed time to train, nothing twice."""

import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from facewright.core.errors import UserError
from facewright.evaluate.figures import FIGURES
from facewright.evaluate.options import EvaluateOptions
from facewright.evaluate.pairs import pairs_table, read_pairs, run_pairs
from facewright.train.signals import Signals

MINUTES = 0.4 / 60


class Steps:
    """Notes what is run; trains until it is asked to end."""

    def __init__(self, fail="", ended=""):
        self.ran, self.trained, self.fail, self.ended = [], 0.0, fail, ended

    def __call__(self, workspace, name, options):
        self.ran.append((workspace.root.name, name, options.get("side", "")))
        if name == self.fail:
            raise UserError("no faces", "faces", "look")
        if name == "train":
            return self.train()
        values = dict.fromkeys((figure.name for figure in FIGURES), 0.25 * len(workspace.root.name))
        return SimpleNamespace(report=workspace.root / "evaluation.json", figures=values)

    def train(self):
        start = time.monotonic()
        with Signals() as signals:
            while not signals.received and not self.ended:
                time.sleep(0.01)
                assert time.monotonic() - start < 20
        self.trained += time.monotonic() - start
        return SimpleNamespace(result=SimpleNamespace(reason=signals.received or self.ended))


@pytest.fixture
def pairs(tmp_path):
    for name in ("a.mp4", "b.MOV"):
        (tmp_path / name).write_bytes(name.encode())
    listed = tmp_path / "pairs.csv"
    listed.write_text("# name, src, dst\nab, a.mp4, b.MOV\n\n'ba',b.MOV,a.mp4\n".replace("'", ""))
    return read_pairs(listed)


def test_each_pair_goes_through_all_steps_with_its_time(workspace, pairs):
    results = run_pairs(workspace, pairs, EvaluateOptions(minutes=MINUTES), steps := Steps())
    one = [("extract-frames", "src"), ("extract-frames", "dst"), ("extract", "src"), ("extract", "dst")]
    one += [("train", ""), ("convert", ""), ("evaluate", "")]
    assert steps.ran == [(name, *step) for name in ("ab", "ba") for step in one]
    assert 0.8 <= steps.trained < 10 and all(result.minutes >= MINUTES for result in results)
    assert (workspace.root / "pairs" / "ab" / "data_dst.mov").read_bytes() == b"b.MOV"
    written = json.loads((workspace.root / "pairs.json").read_text())
    assert [one["name"] for one in written] == ["ab", "ba"] and written[0]["report"] == "pairs/ab/evaluation.json"
    lines = list(pairs_table(results))
    assert len(lines) == 4 and lines[-1].split()[0] == "mean"


def test_no_pair_is_trained_twice(workspace, pairs):
    run_pairs(workspace, pairs, EvaluateOptions(minutes=MINUTES), Steps())
    run_pairs(workspace, pairs, EvaluateOptions(minutes=MINUTES), steps := Steps())
    assert steps.trained == 0 and "train" not in {step for _, step, _ in steps.ran}


def test_what_a_user_stops_stays_stopped_and_its_time_counts(workspace, pairs):
    with pytest.raises(KeyboardInterrupt):
        run_pairs(workspace, pairs, EvaluateOptions(minutes=5), Steps(ended="SIGINT"))
    note = json.loads((workspace.root / "pairs" / "ab" / "trained.json").read_text())
    assert 0 <= note["seconds"] < 60


def test_a_step_that_fails_names_its_pair(workspace, pairs):
    with pytest.raises(UserError, match="ab"):
        run_pairs(workspace, pairs, EvaluateOptions(minutes=MINUTES), Steps(fail="extract"))


NONE = ("", "a, a.mp4", "../a, a.mp4, a.mp4", "a, a.mp4, none.mp4", "a\x1b, a.mp4, a.mp4")


LONG = [f"a, {'b' * 200_000}, a.mp4", f"a, {'b' * 5000}, a.mp4", f"{'a' * 300}, a.mp4, a.mp4"]
TWICE = ["a, a.mp4, a.mp4\na, a.mp4, a.mp4", "a, a.mp4, a.mp4\nA, a.mp4, a.mp4"]


@pytest.mark.parametrize("text", [*NONE, *LONG, *TWICE], ids=range(len([*NONE, *LONG, *TWICE])))
def test_a_list_that_is_none_is_refused_in_a_sentence(tmp_path, text):
    (tmp_path / "a.mp4").write_bytes(b"")
    listed = tmp_path / "list.csv"
    listed.write_text(text)
    with pytest.raises(UserError):
        read_pairs(listed)
    with pytest.raises(UserError):
        read_pairs(Path(tmp_path / "missing.csv"))
