import base64
import dataclasses

import numpy as np
import pytest

from facewright.commands.train import mask_rows
from facewright.core.images import encode
from facewright.core.workspace import Workspace
from facewright.data import cache
from facewright.data.sampling_order import IdentityPairs, Shuffled, YawBalanced
from facewright.faces.record import load_face, save_face
from facewright.train import faces, samplers
from facewright.train.options import Options
from train import tiny


class Stub:
    """As much of a session as the samplers need."""

    def __init__(self, matching="shuffled", samplers=None):
        self.model = tiny.Tiny.__new__(tiny.Tiny)
        self.model.matching = matching
        self.name, self.iteration, self.samplers = "h64", 0, samplers or {}


@pytest.fixture
def filled(tmp_path):
    workspace = Workspace(tmp_path / "wörk space")
    for side, yaws in ((workspace.src, (40, 41, 42, 43)), (workspace.dst, (-40, -41, -44, -2))):
        for path, yaw in zip(tiny.save_faces(side.aligned_dir, 4, seed=50 + yaws[0]), yaws, strict=True):
            image, record = load_face(path)
            save_face(path, image, type(record)(**{**vars(record), "pose": (float(yaw), 0.0, 0.0)}))
    return workspace


def make(workspace, session=None, **given):
    pair = faces.load_pair(workspace)
    return samplers.make_samplers(workspace, session or Stub(), pair, Options(model="h64", **given))


def flips(sampler, count=60):
    rng = np.random.default_rng(0)
    return [sampler.pick(rng)[1].flip for _ in range(count)]


def test_faces_are_shuffled_and_mirrored_at_random(filled):
    for sampler in make(filled):
        assert isinstance(sampler._strategy, Shuffled) and 5 < sum(flips(sampler)) < 50


def test_a_model_that_matches_yaws_mirrors_only_for_that(filled):
    src, dst = make(filled, Stub("yaw"))
    assert all(flips(src)) and not any(flips(dst))


def test_uniform_yaw_is_for_every_model(filled):
    src, dst = make(filled, uniform_yaw=True)
    assert isinstance(src._strategy, YawBalanced) and isinstance(dst._strategy, YawBalanced)


def test_draws_go_on_in_the_next_run(filled):
    first = make(filled, Stub("yaw"))
    first[0].batch(3)
    again = make(filled, Stub("yaw", {"src": first[0].state()}))
    a, b = first[0].batch(4), again[0].batch(4)
    assert all((a[name] == b[name]).all() for name in a)


def test_the_cache_lies_beside_the_faces_and_serves_the_next_run(filled, monkeypatch):
    make(filled)
    assert len(list(filled.src.frames_dir.glob(".faces_src_*.cache"))) == 1
    monkeypatch.setattr(cache, "decode_face", None)
    make(filled)


def test_without_room_for_a_cache_it_says_so_and_goes_on(filled, monkeypatch, capsys):
    monkeypatch.setattr(cache, "RESERVE", 1 << 60)
    src, _ = make(filled)
    assert "not kept in a file: it would take 0 MB, and the disk is nearly full" in capsys.readouterr().out
    assert src.batch(2)["warped"].shape == (2, 16, 16, 3)


def test_pretraining_keeps_one_cache_for_both_sides(filled):
    pair = faces.load_for_pretraining(filled.src.aligned_dir)
    made = samplers.make_samplers(filled, Stub("yaw"), pair, Options(model="h64", pretrain="folder"))
    assert len(list(filled.root.glob(".faces_pretrain_*.cache"))) == 1
    assert all(isinstance(sampler._strategy, IdentityPairs) and any(flips(sampler)) for sampler in made)


@pytest.mark.parametrize(("cores", "memory", "workers"), [(1, 8, 1), (2, 8, 1), (16, 64, 8), (64, 64, 8), (16, 0.6, 2)])
def test_workers_are_bounded(cores, memory, workers):
    assert samplers.worker_count(cores, memory) == workers


def test_the_mask_of_the_records_is_the_target_when_asked_for(filled):
    """One face of src has a mask of its own: white all over."""
    path = filled.src.aligned()[1]
    image, record = load_face(path)
    white = base64.b64encode(encode(np.full((64, 64), 255, np.uint8))).decode()
    save_face(path, image, dataclasses.replace(record, mask=white))
    pair = faces.load_pair(filled)
    assert mask_rows(pair, Options()) == []
    ((_, said),) = mask_rows(pair, Options(mask="record"))
    assert "1 of 4 src" in said and "0 of 4 dst" in said
    plain, asked = ([s.untouched([0, 1])["mask"] for s in make(filled, mask=mask)] for mask in ("hull", "record"))
    assert (plain[0][0] == asked[0][0]).all() and (plain[1] == asked[1]).all()
    assert asked[0][1].mean() > 0.7 > plain[0][1].mean()
