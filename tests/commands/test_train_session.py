"""Batch, precision and box: what a training decides before it begins."""

from types import SimpleNamespace

import numpy as np
import pytest

from facewright.nn import devices, gpus
from facewright.nn.devices import Device
from facewright.train import batch_size, setup, summary
from facewright.train.batch_size import BatchSize, choose_batch_size
from facewright.train.options import TrainOptions
from facewright.train.preview import draw_samples
from facewright.train.setup import ChosenDevice
from train import tiny

CPU = Device("tensorflow", "cpu", "drawn", 4, True)
GPU = Device("jax", "gpu", "drawn", 3, True)


@pytest.mark.parametrize(
    ("asked", "device", "suggested", "batch", "why"),
    [
        (7, CPU, 99, 7, "as asked"),
        (0, CPU, 99, 4, "a processor gains nothing from more"),
        (0, CPU, 3, 3, "for 6.0 GiB"),
        (0, GPU, 99, 99, "for 6.0 GiB"),
        (0, GPU, 20, 18, "for 6.0 GiB; a multiple of 3 GPUs"),
        (7, GPU, 99, 6, "as asked; a multiple of 3 GPUs"),
        (1, GPU, 99, 3, "as asked; a multiple of 3 GPUs"),
    ],
)
def test_the_batch(monkeypatch, asked, device, suggested, batch, why):
    monkeypatch.setattr(batch_size, "device_memory", lambda device: 6.0)
    model = SimpleNamespace(batch_for=lambda gib: suggested, default_batch=4)
    assert choose_batch_size(model, asked, device) == BatchSize(batch, why)


class TestPrecision:
    """Chosen by a trial, which is remembered for the device it was made on."""

    @pytest.fixture
    def trials(self, monkeypatch):
        made = []

        def try_it():
            made.append(1)
            return SimpleNamespace(precision="bfloat16", ratio=1.534, describe=lambda: "faster here")

        monkeypatch.setattr(setup, "compare_precisions", try_it)
        monkeypatch.setattr(gpus, "list_gpus", lambda: ())
        monkeypatch.setattr(devices, "find", lambda: CPU)
        monkeypatch.setattr(devices, "precision", lambda policy, device: "float32" if policy == "auto" else policy)
        return made

    def start(self, kept=None, **given):
        found = SimpleNamespace(generation=SimpleNamespace(state={"trial": kept})) if kept is not None else None
        return setup.start_device(TrainOptions(**given), found)

    def test_tried_once_and_remembered(self, trials):
        chosen = self.start()
        assert (chosen.device, chosen.precision, len(trials)) == (CPU, "bfloat16", 1)
        assert chosen.benchmark == {"device": "drawn", "precision": "bfloat16", "ratio": 1.53}
        assert chosen.describe_precision() == "bfloat16 (faster here)"
        again = self.start(chosen.benchmark)
        assert (again.precision, again.benchmark) == ("bfloat16", chosen.benchmark) and len(trials) == 1

    @pytest.mark.parametrize("kept", [{}, {"device": "another", "precision": "float32"}, {"device": "drawn"}])
    def test_tried_anew_on_another_device(self, trials, kept):
        assert self.start(kept).precision == "bfloat16" and len(trials) == 1

    def test_not_tried_where_it_is_asked_for_or_cannot_win(self, trials, monkeypatch):
        assert self.start(precision="float32") == ChosenDevice(CPU, "float32")
        monkeypatch.setattr(devices, "find", lambda: Device("tensorflow", "cpu", "drawn", 4, False))
        assert self.start().precision == "float32"
        assert not trials


def test_the_box_is_as_wide_as_its_longest_line_and_breaks_long_texts():
    words = " ".join(f"word{k}" for k in range(40))
    lines = summary.boxed("training", [("a", "short"), ("name", words)])
    assert len({len(line) for line in lines}) == 1 and len(lines[0]) <= summary.MAX_WIDTH
    assert lines[0].strip("+-") == " training " and lines[1].startswith("| a     short ")
    inner = [line[2:-2] for line in lines[1:-1]]
    assert [line[:6] for line in inner] == ["a     ", "name  "] + ["      "] * (len(inner) - 2)
    assert " ".join(line[6:].strip() for line in inner[1:]) == words


def test_a_long_title_has_room():
    assert {len(line) for line in summary.boxed("a title longer than all rows", [("a", "b")])} == {28 + 8}


def test_the_sheet_of_samples_shows_every_output_with_its_landmarks(tmp_path):
    from facewright.data.sampler import Sampler

    paths = tiny.save_faces(tmp_path, 3)
    model = tiny.Tiny(tiny.Tiny.Options(), seed=0)
    samplers = {
        side: Sampler(paths, model.samples(side), np.random.default_rng(0), flip=True) for side in ("src", "dst")
    }
    count = len(model.samples())
    sheet = draw_samples(samplers, np.random.default_rng(0), rows=2)
    side = sheet.shape[1] // (2 * count)
    assert sheet.dtype == np.uint8
    assert sheet.shape[1] == 2 * count * side and sheet.shape[0] - 2 * side in range(10, 60)
    for column, sample in enumerate(model.samples()):
        tile = sheet[-side:, column * side : (column + 1) * side].astype(int)
        green = (tile[..., 1] > tile[..., 0] + 40) & (tile[..., 1] > tile[..., 2] + 40)
        assert green.any() == (sample.kind == "image")
        assert tile.std() > 5
