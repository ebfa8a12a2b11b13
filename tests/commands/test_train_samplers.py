"""How the faces of a training are drawn, and where the prepared ones are kept."""

import base64
import dataclasses

import numpy as np
import pytest

from facewright.core.images import encode
from facewright.core.workers import threads
from facewright.core.workspace import Workspace
from facewright.faces.record import load_face, save_face
from facewright.train import faces
from facewright.train.options import TrainOptions
from facewright.train.samplers import make_samplers, sampler_workers
from facewright.train.session import TrainingSession
from train import tiny


class Matching(tiny.Tiny):
    """The tiny model, with src's faces drawn for the yaws of dst."""

    matching = "yaw"


@pytest.fixture
def filled(tmp_path):
    workspace = Workspace(tmp_path / "wörk space")
    for side, yaws in ((workspace.src, (40, 41, 42, 43)), (workspace.dst, (-40, -39.5, -44, -2))):
        for path, yaw in zip(tiny.save_faces(side.aligned_dir, 4, seed=50 + yaws[0]), yaws, strict=True):
            image, record = load_face(path)
            save_face(path, image, type(record)(**{**vars(record), "pose": (float(yaw), 0.0, 0.0)}))
    return workspace


@pytest.fixture
def make(filled):
    """Return a function that makes the samplers of a new session."""
    with threads(2) as executor:

        def made(model=tiny.Tiny, states=None, pair=None, **given):
            session = TrainingSession("h64", model(model.Options()), filled.model_dir, samplers=states or {})
            options = TrainOptions(model="h64", **given)
            return make_samplers(filled, session, pair or faces.load_face_pair(filled), options, executor, 1)

        yield made


def picks(sampler, count=60):
    """Face and augmentation of many picks."""
    rng = np.random.default_rng(0)
    return [sampler.pick(rng) for _ in range(count)]


def flips(sampler):
    return [params.flip for _, params in picks(sampler)]


def test_faces_are_shuffled_and_mirrored_at_random(make):
    for sampler in make().values():
        assert 5 < sum(flips(sampler)) < 50
        chosen = [index for index, _ in picks(sampler)]
        assert all(sorted(chosen[k : k + 4]) == [0, 1, 2, 3] for k in range(0, 60, 4))


def test_a_model_that_matches_yaws_mirrors_only_for_that(make):
    samplers = make(Matching)
    assert all(flips(samplers["src"])) and not any(flips(samplers["dst"]))


def test_uniform_yaw_is_for_every_model(make):
    chosen = [index for index, _ in picks(make(uniform_yaw=True)["dst"])]
    assert [chosen.count(index) for index in range(4)] == [10, 10, 20, 20]  # the first two look the same way


def test_draws_continue_in_the_next_run(make):
    first = make(Matching)["src"]
    first.batch(3)
    again = make(Matching, {"src": first.state()})["src"]
    a, b = first.batch(4), again.batch(4)
    assert all((a[name] == b[name]).all() for name in a)


def test_the_cache_lies_beside_the_faces_and_serves_the_next_run(make, filled):
    first = make()["src"].untouched([0, 1, 2, 3])
    (path,) = filled.src.frames_dir.glob(".faces_src_*.cache")
    file = path.stat().st_ino
    again = make()["src"].untouched([0, 1, 2, 3])
    assert path.stat().st_ino == file  # it was not made anew
    assert all((first[name] == again[name]).all() for name in first)


def test_where_there_can_be_no_cache_it_says_so_and_continues(make, filled, capsys):
    make()
    (path,) = filled.src.frames_dir.glob(".faces_src_*.cache")
    path.unlink()
    path.mkdir()
    capsys.readouterr()
    samplers = make()
    assert "faces of src are not kept in a file" in capsys.readouterr().out
    assert samplers["src"].batch(2)["warped"].shape == (2, 16, 16, 3)


def test_pretraining_pairs_two_people_and_keeps_one_cache_for_both_sides(make, filled, tmp_path):
    for person in ("a", "b"):
        tiny.save_faces(tmp_path / "many" / person, 3, seed=ord(person))
    pair = faces.load_pretraining_faces(tmp_path / "many")
    samplers = make(Matching, pair=pair, pretrain="folder")
    assert len(list(filled.root.glob(".faces_pretrain_*.cache"))) == 1
    people = [[pair["src"][index].path.parent.name for index, _ in picks(sampler)] for sampler in samplers.values()]
    assert all(src != dst for src, dst in zip(*people, strict=True))
    assert all(5 < sum(flips(sampler)) < 50 for sampler in samplers.values())


@pytest.mark.parametrize(("cores", "memory", "workers"), [(1, 8, 1), (2, 8, 1), (16, 64, 8), (64, 64, 8), (16, 0.6, 2)])
def test_workers_are_bounded(cores, memory, workers):
    assert sampler_workers(cores, memory) == workers


def test_the_mask_of_the_records_is_the_target_when_asked_for(make, filled):
    """One face of src has a mask of its own: white all over."""
    path = filled.src.aligned()[1]
    image, record = load_face(path)
    white = base64.b64encode(encode(np.full((64, 64), 255, np.uint8))).decode()
    save_face(path, image, dataclasses.replace(record, mask=white))
    hull, own = ({side: s.untouched([0, 1])["mask"] for side, s in make(mask=m).items()} for m in ("hull", "record"))
    assert (hull["src"][0] == own["src"][0]).all() and (hull["dst"] == own["dst"]).all()
    assert own["src"][1].mean() > 0.7 > hull["src"][1].mean()


def test_src_may_get_the_colours_of_dst(make, filled):
    class Coloured(tiny.Tiny):
        def samples(self, stream="src"):
            usual = super().samples(stream)
            return tuple(dataclasses.replace(s, transfer="rct") for s in usual) if stream == "src" else usual

    for path in filled.dst.aligned():
        image, record = load_face(path)
        save_face(path, np.uint8(image * [0.2, 0.2, 1.0]), record)
    plain, coloured = (make(model)["src"].batch(8)["target"].mean(axis=(0, 1, 2)) for model in (tiny.Tiny, Coloured))
    assert coloured[0] / coloured[2] < 0.5 < plain[0] / plain[2]
