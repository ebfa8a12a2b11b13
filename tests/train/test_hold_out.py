"""Faces that are never trained on: which they are, that they stay the same, and what is measured on them."""

from dataclasses import replace

import numpy as np
import pytest

from facewright.core.workspace import SIDES, Workspace
from facewright.faces.faceset import FaceFile, load_faceset
from facewright.faces.hold_out import hold_out_of
from facewright.nn import checkpoint
from facewright.train.faces import describe_faces, load_face_pair
from facewright.train.hold_out import LEAST, choose_hold_out
from train.tiny import save_faces, use_tiny


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Sixty faces of each side, a frame each."""
    folder = tmp_path_factory.mktemp("pair")
    paths = {side: save_faces(folder / side, 60, seed=number) for number, side in enumerate(SIDES)}
    return {side: load_faceset(found).faces for side, found in paths.items()}


def chosen(pair, percent=5.0, saved=None, iteration=0, seed=0, started_from=None):
    return choose_hold_out(pair, percent, saved or {}, iteration=iteration, seed=seed, started_from=started_from or {})


def frames(pair, choice):
    """Numbers of the frames held out, by side."""
    _, held = choice.split(pair)
    return {side: [int(pair[side][index].stem) for index in indices] for side, indices in held.items()}


def test_whole_runs_of_neighbouring_frames_are_held_out(pair):
    choice = chosen(pair)
    for side, out in frames(pair, choice).items():
        assert len(out) == LEAST
        runs = np.split(out, np.flatnonzero(np.diff(out) > 1) + 1)
        assert all(len(run) >= 4 for run in runs), side
        assert len(runs) == 2, "from more than one place of the clip"
    trained, held = choice.split(pair)
    assert all(sorted(trained[side] + held[side]) == list(range(60)) for side in SIDES)
    assert frames(pair, chosen(pair, percent=20))["src"].__len__() == 12


def test_small_sets_are_learned_from_whole(pair):
    few = {"src": pair["src"][:40], "dst": pair["dst"]}
    choice = chosen(few)
    assert not choice and "src" in choice.why_not and "dst" not in choice.why_not
    assert choice.split(few)[1] == {"src": [], "dst": []}
    assert not chosen(pair, percent=0)


def test_a_model_that_has_seen_all_faces_holds_none_out(pair):
    assert not chosen(pair, iteration=100)


def test_the_same_faces_stay_out_whatever_comes_and_goes(pair):
    first = chosen(pair, seed=3)
    saved = {"hold_out": first.to_data()}
    out = frames(pair, first)
    shuffled = {side: [files[i] for i in np.random.default_rng(1).permutation(60)] for side, files in pair.items()}
    again = chosen(shuffled, saved=saved, iteration=500, seed=9)
    assert {side: sorted(found) for side, found in frames(shuffled, again).items()} == out
    assert again.since == first.since == 0, "the same faces go on with the same curve"

    gone = [file for file in pair["src"] if int(file.stem) != out["src"][0]]
    between = f"{out['src'][1]:05d}"  # a second face in a frame that is held out
    new = FaceFile(gone[0].path, replace(gone[0].record, frame=f"{between}.png"))
    far = FaceFile(gone[0].path, replace(gone[0].record, frame="00100.png"))
    changed = {"src": [*gone, new, far], "dst": pair["dst"]}
    later = chosen(changed, saved=saved, iteration=700)
    assert frames(changed, later)["src"] == [*out["src"][1:], out["src"][1]]
    assert later.since == 700, "other faces, so the curve begins anew"


def test_too_few_left_of_those_held_out_are_not_measured_but_stay_out(pair):
    first = chosen(pair)
    out = frames(pair, first)["src"]
    rest = {**pair, "src": [file for file in pair["src"] if int(file.stem) not in out[2:]]}
    later = chosen(rest, saved={"hold_out": first.to_data()}, iteration=10)
    assert not later and frames(rest, later)["src"] == out[:2]
    assert chosen(pair, saved={"hold_out": later.to_data()}, iteration=20), "until the others come back"


def test_with_hardly_a_face_beside_them_nothing_is_measured(pair):
    first = chosen(pair)
    _, held = first.split(pair)
    kept = {*held["dst"], *range(60)[:1], 59}
    rest = {**pair, "dst": [pair["dst"][index] for index in sorted(kept)]}
    later = chosen(rest, saved={"hold_out": first.to_data()}, iteration=10)
    assert not later and "dst" in later.why_not and len(frames(rest, later)["dst"]) == LEAST


def test_a_model_that_starts_from_another_holds_out_what_that_held_out(pair):
    old = {"hold_out": replace(chosen(pair, seed=3), since=40).to_data(), "faces": describe_faces(pair)}
    out = frames(pair, chosen(pair, saved=old, iteration=50))
    new = chosen(pair, seed=9, started_from=old)
    assert frames(pair, new) == out != frames(pair, chosen(pair, seed=9)) and new.since == 0
    fewer = {**pair, "src": [file for file in pair["src"] if int(file.stem) != 30 or 30 in out["src"]]}
    assert frames(fewer, chosen(fewer, seed=9, started_from=old)) == out
    other = {"src": pair["dst"][:59], "dst": pair["dst"]}  # src is a different person
    found = frames(other, chosen(other, seed=9, started_from=old))
    assert found["dst"] == out["dst"] and found["src"] != out["src"] and len(found["src"]) == LEAST


def test_names_of_a_stranger_that_are_none_are_left_out():
    assert not hold_out_of({"hold_out": {"runs": {"src": [["9" * 5000, "9" * 5001]]}}})


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    from facewright.models import registry

    made = Workspace(tmp_path)
    for number, side in enumerate((made.src, made.dst)):
        save_faces(side.aligned_dir, 48, seed=50 * number)
    use_tiny(lambda target, name, value: monkeypatch.setattr(registry, name, value))
    return made


def test_a_training_measures_what_it_holds_out_and_goes_on_with_it(workspace):
    from commands.train_runs import run

    run(workspace, target_iter=4)
    first = checkpoint.newest(workspace.model_dir / "h64").generation
    pair = load_face_pair(workspace)
    out = frames(pair, chosen(pair, saved=first.state, iteration=4))
    assert all(len(found) == LEAST for found in out.values())
    curve = dict(zip(first.state["measures"], first.arrays("history").as_dict()["measures"].T, strict=True))
    assert curve["iteration"].tolist() == [4]
    assert 0 < curve["src"][0] < 50 and 0 < curve["trip"][0] < 50 and 0 < curve["dst sharp"][0] < 1

    run(workspace, target_iter=6)
    second = checkpoint.newest(workspace.model_dir / "h64").generation
    assert second.state["hold_out"] == first.state["hold_out"] and second.state["seconds"] > first.state["seconds"]
    assert second.arrays("history").as_dict()["measures"][:, 0].tolist() == [4, 6]

    run(workspace, name="new", start_from="h64", seed=7, target_iter=1)
    new = checkpoint.newest(workspace.model_dir / "new").generation
    assert new.state["hold_out"] == first.state["hold_out"], "it knows the others already"
