"""The step, with the tiny model in the place of h64."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from facewright.core.errors import UserError
from facewright.core.images import write_image
from facewright.core.options import declared, option, resolve
from facewright.models import base, trained
from facewright.models.base import ModelOptions
from facewright.nn import backups, checkpoint, shelf
from facewright.steps import _train_faces, _train_opening, train
from facewright.training import signals, start
from facewright.training.fit import out_of_memory
from facewright.training.loop import Outcome
from training import tiny

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def filled(workspace, monkeypatch):
    """A workspace with faces; h64 stands for the tiny model."""
    tiny.use_tiny(monkeypatch.setattr)
    tiny.fill(workspace)
    return workspace


def run(workspace, more=None, **given):
    options = {"model": "h64", "precision": "float32", "window": False, **given}
    train.run(workspace, train.Options(**options), more)


def iteration(workspace):
    return checkpoint.newest(workspace.model_dir / "h64").generation.state["iteration"]


def test_trains_resumes_and_stops_at_the_target(filled, capsys):
    run(filled, target_iter=3)
    said = capsys.readouterr().out
    assert "6 src, 6 dst" in said and "Next: 7_convert" in said and "CPU" in said
    assert (filled.model_dir / "preview.png").exists()
    assert iteration(filled) == 3
    run(filled, target_iter=5)
    assert "goes on from iteration 3" in capsys.readouterr().out
    assert iteration(filled) == 5
    before = checkpoint.generations(filled.model_dir / "h64")
    run(filled, target_iter=5)
    assert "nothing to do" in capsys.readouterr().out
    assert checkpoint.generations(filled.model_dir / "h64") == before
    assert trained.load_trained(filled.model_dir).iteration == 5
    assert train.known_answers(filled) == {"model": "h64"}


def test_a_damaged_newest_state_is_set_aside(filled, capsys):
    run(filled, target_iter=2, preview=False)
    assert not (filled.model_dir / "preview.png").exists()
    newest = checkpoint.generations(filled.model_dir / "h64")[0]
    os.truncate(newest / "optimizer.safetensors", 100)
    capsys.readouterr()
    run(filled, target_iter=4, preview=False)
    said = capsys.readouterr().out
    assert "is damaged (optimizer.safetensors is cut off (100 of" in said
    assert (filled.model_dir / "h64" / f"damaged_{newest.name}").is_dir()
    assert iteration(filled) == 4


def test_debug_shows_samples_and_trains_nothing(filled, capsys):
    run(filled, debug=True)
    assert (filled.model_dir / "samples.png").exists()
    assert checkpoint.trained_models(filled.model_dir) == []
    assert "Nothing was trained" in capsys.readouterr().out


@pytest.mark.parametrize("side", ["src", "dst"])
def test_no_faces(filled, side):
    for path in filled.side(side).aligned():
        path.unlink()
    with pytest.raises(UserError, match="There are no faces") as caught:
        run(filled)
    assert f"{side}_extract_faces" in caught.value.fix
    assert not filled.model_dir.exists()


def test_some_of_the_same_faces_on_both_sides_are_told(filled, capsys):
    face = filled.src.aligned()[0]
    shutil.copy(face, filled.dst.aligned_dir / "another name.png")
    _train_faces.load_pair(filled)
    assert "1 face is in both data_src and data_dst" in capsys.readouterr().out


def test_unreadable_faces_are_named_before_training(filled):
    for number in range(7):
        write_image(filled.src.aligned_dir / f"plain{number}.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(UserError, match=r"7 file\(s\).*plain0.png.*and 2 more"):
        run(filled)
    assert not filled.model_dir.exists()


def test_faces_that_show_too_little_are_named(filled, monkeypatch, tmp_path):
    monkeypatch.setattr(tiny.Tiny, "face_type", tiny.FaceType.HEAD)
    with pytest.raises(
        UserError, match=r"6 face\(s\) of data_src show less than the model h64 needs: 00000_0.png"
    ) as it:
        run(filled)
    assert "4_src_extract_faces --face-type head" in it.value.fix
    folder = tmp_path / "many"
    tiny.save_faces(folder, 3)
    with pytest.raises(UserError) as it:
        run(filled, pretrain=str(folder))
    assert it.value.happened.startswith(f"3 face(s) of {folder} show less")
    assert "data_src" not in str(it.value) and "4_src" not in str(it.value)


def test_a_folder_of_another_model(filled):
    run(filled, target_iter=1, preview=False)
    (filled.model_dir / "h64").rename(filled.model_dir / "other")
    state = checkpoint.generations(filled.model_dir / "other")
    (filled.model_dir / "other").rename(filled.model_dir / "h64")
    assert state
    monkey = filled.model_dir / "h64"
    found = checkpoint.newest(monkey).generation
    checkpoint.save(monkey, {**found.state, "model": "df"}, {"weights": found.arrays("weights").as_dict()})
    with pytest.raises(UserError, match="holds the model 'df'"):
        run(filled, target_iter=3)


def test_weights_that_are_cut_off_everywhere(filled):
    run(filled, target_iter=1, preview=False)
    folder = filled.model_dir / "h64"
    for path in folder.glob("*/weights.safetensors"):
        path.write_bytes(path.read_bytes()[:-10])
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with pytest.raises(UserError, match=r"No saved state .* is whole .*weights\.safetensors is cut off") as caught:
        run(filled, target_iter=3)
    assert "restore" not in caught.value.fix  # there is nothing to restore
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_weights_of_another_network(filled):
    run(filled, target_iter=1, preview=False)
    folder = filled.model_dir / "h64"
    found = checkpoint.newest(folder).generation
    checkpoint.save(folder, found.state, {"weights": {"encoder/0000.kernel": np.zeros((9, 9), np.float32)}})
    with pytest.raises(UserError, match="belong to another network"):
        run(filled, target_iter=3)
    assert len(checkpoint.generations(folder)) == 2


class ResourceExhaustedError(Exception):
    pass


@pytest.mark.parametrize(
    ("most", "advice"), [(5, "--batch-size 4"), (6, "--batch-size 6"), (1, "--batch-size 1"), (0, "smaller network")]
)
def test_a_model_that_does_not_fit_the_memory(filled, monkeypatch, most, advice):
    step = tiny.Tiny.train_on

    def train_on(self, src, dst):
        if len(src["warped"]) > most:
            raise ResourceExhaustedError("OOM when allocating tensor")
        return step(self, src, dst)

    monkeypatch.setattr(tiny.Tiny, "train_on", train_on)
    with pytest.raises(UserError, match=r"batch of 8 \+ 8") as caught:
        run(filled, batch_size=8, preview=False)
    assert advice in caught.value.fix
    assert iteration(filled) == 0


def test_out_of_memory_is_known_in_every_backends_words():
    class XlaRuntimeError(RuntimeError):
        pass

    assert out_of_memory(XlaRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 17179869184 bytes."))
    assert out_of_memory(RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"))
    assert out_of_memory(MemoryError()) and not out_of_memory(ValueError("shapes differ"))


@pytest.mark.parametrize("count", [1, 3])
def test_very_few_faces_train_with_a_warning(workspace, monkeypatch, capsys, count):
    tiny.use_tiny(monkeypatch.setattr)
    tiny.fill(workspace, count)
    run(workspace, target_iter=3, preview=False)
    assert f"data_src has {count} face{'s' if count > 1 else ''} only" in capsys.readouterr().out
    assert iteration(workspace) == 3


def test_the_same_faces_on_both_sides_are_refused(filled):
    shutil.rmtree(filled.dst.aligned_dir)
    shutil.copytree(filled.src.aligned_dir, filled.dst.aligned_dir)
    with pytest.raises(UserError, match="hold the same faces"):
        run(filled, target_iter=3)
    shutil.rmtree(filled.dst.aligned_dir)
    filled.dst.aligned_dir.symlink_to(filled.src.aligned_dir)
    with pytest.raises(UserError, match="hold the same faces"):
        run(filled, target_iter=3)
    assert not filled.model_dir.exists()


def test_faces_that_changed_between_two_runs_are_told(filled, capsys):
    run(filled, target_iter=1, preview=False)
    filled.src.aligned()[0].rename(filled.src.aligned_dir / "renamed.png")
    run(filled, target_iter=2, preview=False)
    assert "not those of the last run" not in capsys.readouterr().out
    filled.src.aligned()[0].unlink()
    run(filled, target_iter=3, preview=False)
    assert "not those of the last run (data_src: 6 faces then, 5 now)" in capsys.readouterr().out


def test_src_and_dst_that_changed_places_are_refused(filled):
    run(filled, target_iter=1, preview=False)
    before = checkpoint.generations(filled.model_dir / "h64")
    aside = filled.root / "aside"
    for old, new in ((filled.src.aligned_dir, aside), (filled.dst.aligned_dir, filled.src.aligned_dir)):
        old.rename(new)
    aside.rename(filled.dst.aligned_dir)
    with pytest.raises(UserError, match="data_src and data_dst have changed places since h64") as caught:
        run(filled, target_iter=2, preview=False)
    assert "--name NEW --start-from h64" in caught.value.fix
    assert checkpoint.generations(filled.model_dir / "h64") == before
    run(filled, name="other way", start_from="h64", target_iter=1, preview=False)


def test_a_model_of_a_newer_program_is_refused(filled):
    run(filled, target_iter=1, preview=False)
    for path in filled.model_dir.glob("*/*/manifest.json"):
        path.write_text(path.read_text().replace('"format": 1', '"format": 7'))
    with pytest.raises(UserError, match="newer facewright"):
        run(filled, target_iter=3)


def test_two_trainings_on_one_model_are_refused(filled):
    with filled.lock("model"):
        owner = filled.root / ".lock_model"
        owner.write_text(f"{os.getppid()}")
        with pytest.raises(UserError, match="model is in use by another facewright"):
            run(filled, target_iter=1)


def test_a_disk_that_fills_keeps_the_old_state(filled, monkeypatch):
    run(filled, target_iter=2, preview=False)
    monkeypatch.setattr(checkpoint.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 100})())
    with pytest.raises(UserError, match="disk is full"):
        run(filled, target_iter=4, preview=False)
    assert iteration(filled) == 2
    assert not list(filled.model_dir.rglob(".saving*"))
    monkeypatch.undo()
    tiny.use_tiny(monkeypatch.setattr)
    run(filled, target_iter=4, preview=False)
    assert iteration(filled) == 4


class TestNamedModels:
    """Several models side by side."""

    @pytest.fixture
    def two(self, filled):
        run(filled, name="hero", target_iter=2, preview=False)
        run(filled, name="villain", target_iter=9, batch_size=3, preview=False)
        old = checkpoint.generations(filled.model_dir / "hero")[0]
        os.utime(old, (1, 1))
        return filled

    def test_they_live_side_by_side(self, two):
        assert [(m.name, m.kind, m.iteration) for m in shelf.shelf(two.model_dir)] == [
            ("villain", "h64", 9),
            ("hero", "h64", 2),
        ]
        assert trained.load_trained(two.model_dir, "hero").iteration == 2
        assert trained.load_trained(two.model_dir).name == "villain"

    def test_without_a_terminal_the_last_one_goes_on_with_its_answers(self, two):
        found = train.opening(two, {})
        assert found.flags == {"name": "villain", "model": "h64"} and not found.ask
        assert found.remembered["batch_size"] == 3
        assert found.remembered["target_iter"] == 0  # it was reached
        assert train.opening(two, {"name": "hero", "model": None}).flags == {"name": "hero", "model": "h64"}
        assert train.opening(two, {"model": "quick"}).flags == {"name": "quick"}

    def test_a_target_that_was_not_reached_stays(self, filled):
        known = shelf.Shelved("a", "h64", 5, "", {"settings": {"target_iter": 9, "keep": 4, "odd": 1}})
        assert _train_opening.last_answers(known) == {"target_iter": 9, "keep": 4}

    def test_chosen_on_the_console(self, two, typed, monkeypatch, capsys):
        monkeypatch.setattr(_train_opening, "any_key", lambda seconds: False)
        typed("7", "2")
        found = train.opening(two, {})
        assert found.flags["name"] == "hero" and not found.ask
        said = capsys.readouterr().out
        assert "1  villain" in said and "'7' is no model" in said and "press a key within 2 seconds" in said
        monkeypatch.setattr(_train_opening, "any_key", lambda seconds: True)
        typed("")
        assert train.opening(two, {}).ask

    def test_a_name_with_a_blank_is_that_model(self, two, typed, monkeypatch):
        monkeypatch.setattr(_train_opening, "any_key", lambda seconds: False)
        shelf.rename(two.model_dir, "villain", "hero 2")
        typed("Hero 2")
        assert train.opening(two, {}).flags["name"] == "hero 2"
        typed("hero")
        assert train.opening(two, {}).flags["name"] == "hero"
        typed("hero 3", "r hero 2", "d x", "d x")  # no such model; then a model that is called like a command
        assert train.opening(two, {}).flags["name"] == "d x"

    def test_renamed_and_deleted_on_the_console(self, two, typed, monkeypatch, capsys):
        monkeypatch.setattr(_train_opening, "any_key", lambda seconds: False)
        typed("r 2", "star", "r 1", "con", "d 1", "y", "")
        assert train.opening(two, {}).flags["name"] == "star"
        assert "cannot be the name" in capsys.readouterr().out
        assert [m.name for m in shelf.shelf(two.model_dir)] == ["star"]
        (dated,) = two.trash.iterdir()
        assert checkpoint.newest(dated / "villain").generation.state["iteration"] == 9

    def test_a_new_one_on_the_console(self, two, typed):
        typed("n", "h64", "hero", "bad/name", "")
        found = train.opening(two, {})
        assert found.flags == {"model": "h64", "name": "h64"} and found.ask

    def test_another_network_than_the_name_holds(self, two):
        with pytest.raises(UserError, match="hero holds the model 'h64'") as caught:
            run(two, model="quick", name="hero")
        assert "--model h64" in caught.value.fix

    @pytest.mark.parametrize("name", ["../up", ".hidden", "a/b", "nul", "x" * 61, "end.", ""])
    def test_names_that_are_no_folders(self, name):
        with pytest.raises(UserError, match="cannot be the name"):
            shelf.check_name(name)


class TestStartingFromSomething:
    """--start-from, --new-src, --pretrain."""

    def weights(self, workspace, name):
        return checkpoint.newest(workspace.model_dir / name).generation.arrays("weights").as_dict()

    def test_takes_over_what_fits_and_says_what(self, filled, capsys):
        run(filled, name="old", target_iter=30, preview=False)
        run(filled, name="new", start_from="old", target_iter=1, save_interval_min=0.01, preview=False)
        said = capsys.readouterr().out
        assert "(h64, iteration 30). Loaded: encoder, decoder_src, decoder_dst." in said
        first = checkpoint.check(checkpoint.generations(filled.model_dir / "new")[-1])
        old = self.weights(filled, "old")
        for name, array in first.arrays("weights").as_dict().items():
            np.testing.assert_array_equal(array, old[name])
        run(filled, name="new", start_from="old", target_iter=2, preview=False)  # the same line once more goes on
        with pytest.raises(UserError, match="is there already"):
            run(filled, name="new", start_from="other", target_iter=3)

    def test_a_new_src_starts_from_the_decoder_of_dst(self, filled):
        run(filled, name="old", target_iter=30, preview=False)
        folder = filled.model_dir / "old"
        run(filled, name="new", start_from=str(folder), new_src=True, target_iter=1, preview=False)
        first = checkpoint.check(checkpoint.generations(filled.model_dir / "new")[-1]).arrays("weights").as_dict()
        old = self.weights(filled, "old")
        for name in first:
            np.testing.assert_array_equal(first[name], old[name.replace("_src", "_dst", 1)])

    def test_only_some_parts_fit(self, filled, capsys):
        arrays = {"encoder/0000.kernel": np.zeros((5, 5, 3, 4), np.float32), "other/0": np.ones(3, np.float32)}
        checkpoint.save(filled.model_dir / "part", {"model": "df", "iteration": 3}, {"weights": arrays})
        run(filled, name="new", start_from="part", target_iter=1, preview=False)
        said = capsys.readouterr().out
        assert "Loaded: encoder (1 of 2)." in said and "nothing there fits: decoder_src, decoder_dst" in said

    def test_nothing_fits_or_is_there(self, filled):
        checkpoint.save(filled.model_dir / "part", {"model": "df"}, {"weights": {"x/0": np.zeros(2, np.float32)}})
        with pytest.raises(UserError, match="Nothing in"):
            run(filled, name="new", start_from="part")
        with pytest.raises(UserError, match="no trained model 'nobody'"):
            run(filled, name="new", start_from="nobody")
        with pytest.raises(UserError, match="no model to start from"):
            run(filled, name="new", new_src=True)
        assert not (filled.model_dir / "new").exists()

    def test_pretraining_then_training(self, filled, tmp_path, capsys):
        folder = tmp_path / "many"
        tiny.save_faces(folder / "a", 3, seed=7)
        tiny.save_faces(folder / "b", 4, seed=70)
        write_image(folder / "plain.png", np.zeros((8, 8, 3), np.uint8))
        run(filled, pretrain=str(folder), target_iter=4, preview=False)
        history = filled.model_dir / "h64" / "history"
        history.mkdir()
        (history / "000010.jpg").write_bytes(b"of the pretraining")
        said = capsys.readouterr().out
        assert "plain.png" in said and "7 src, 7 dst" in said and "without --pretrain" in said
        before = self.weights(filled, "h64")
        run(filled, debug=True)
        assert backups.backups(filled.model_dir / "h64") == []  # nothing was trained
        run(filled, target_iter=1, save_interval_min=0.01, preview=False)
        said = capsys.readouterr().out
        assert "Pretraining is over" in said and "restore --what model goes back" in said
        assert not history.exists() and [p.name for p in filled.trash.glob("*/history/*")] == ["000010.jpg"]
        generation = checkpoint.newest(filled.model_dir / "h64").generation
        assert generation.state["iteration"] == 1 and generation.state["pretrain"] is False
        assert len(generation.arrays("history").as_dict()["losses"]) == 1
        after = generation.arrays("weights").as_dict()
        assert max(np.abs(after[n] - before[n]).max() for n in after) < 0.01  # one step away
        (kept,) = backups.backups(filled.model_dir / "h64")
        state = checkpoint.check(kept).state
        assert (state["pretrain"], state["iteration"]) == (True, 4)
        np.testing.assert_equal(checkpoint.check(kept).arrays("weights").as_dict(), before)
        with pytest.raises(UserError, match="holds 0 aligned faces"):
            run(filled, name="x", pretrain=str(tmp_path / "absent"))

    def test_a_disk_that_fills_at_the_switch_leaves_the_pretrained_state(self, filled, tmp_path, monkeypatch):
        tiny.save_faces(tmp_path / "many", 3, seed=7)
        run(filled, pretrain=str(tmp_path / "many"), target_iter=2, preview=False)
        before = checkpoint.generations(filled.model_dir / "h64")

        def full(source, target):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(backups, "_copy_file", full)
        with pytest.raises(UserError, match="disk is full"):
            run(filled, target_iter=1, preview=False)
        assert checkpoint.generations(filled.model_dir / "h64") == before

    def test_a_model_of_two_people_is_not_pretrained(self, filled, tmp_path):
        tiny.save_faces(tmp_path / "many", 3, seed=7)
        run(filled, target_iter=2, preview=False)
        before = checkpoint.generations(filled.model_dir / "h64")
        with pytest.raises(UserError, match="was trained on two people") as caught:
            run(filled, pretrain=str(tmp_path / "many"), target_iter=4)
        assert "--name NEW" in caught.value.fix
        assert checkpoint.generations(filled.model_dir / "h64") == before
        run(filled, name="new", start_from="h64", pretrain=str(tmp_path / "many"), target_iter=2, preview=False)
        run(filled, name="new", pretrain=str(tmp_path / "many"), target_iter=3, preview=False)  # it goes on
        assert checkpoint.newest(filled.model_dir / "new").generation.state["iteration"] == 3

    def test_what_lies_between_begins_anew_after_pretraining(self, filled, tmp_path, monkeypatch):
        monkeypatch.setattr(start, "INTER", "encoder")
        tiny.save_faces(tmp_path / "many", 3, seed=7)
        run(filled, pretrain=str(tmp_path / "many"), target_iter=40, preview=False)
        before = self.weights(filled, "h64")
        run(filled, target_iter=1, preview=False)
        first = checkpoint.check(checkpoint.generations(filled.model_dir / "h64")[1]).arrays("weights").as_dict()
        same = {name: np.array_equal(first[name], before[name]) for name in first}
        assert {name.partition("/")[0] for name, equal in same.items() if not equal} == {"encoder"}


def test_the_losses_go_to_tensorboard(filled, capsys):
    run(filled, target_iter=25, tensorboard=True, preview=False)
    folder = filled.model_dir / "h64" / "tensorboard"
    assert f"tensorboard --logdir {folder}" in capsys.readouterr().out
    assert sum(1 for _ in folder.iterdir()) == 1


@dataclass(frozen=True)
class WithOption(ModelOptions):
    light: bool = option(False, "Smaller.", ask="Light version")


class TestModelOptions:
    """They are asked at creation and fixed then."""

    @pytest.fixture(autouse=True)
    def with_option(self, filled, monkeypatch):
        monkeypatch.setattr(tiny.Tiny, "Options", WithOption)

    def test_asked_for_a_new_model(self, filled):
        assert train.more_options(filled, train.Options(model="h64")) is WithOption

    def test_fixed_afterwards(self, filled):
        run(filled, WithOption(light=True), target_iter=1, preview=False)
        settings = train.more_options(filled, train.Options(model="h64"))
        assert [(s.name, s.default, s.ask) for s in declared(settings)] == [("light", True, None)]
        run(filled, resolve(settings, {}, {"light": False}), target_iter=2, preview=False)
        with pytest.raises(UserError, match="was created with light = yes, not no"):
            run(filled, resolve(settings, {"light": False}, {}), target_iter=3)
        assert iteration(filled) == 2

    def test_damaged_saved_options_are_a_clear_error(self, filled):
        run(filled, WithOption(), target_iter=1, preview=False)
        folder = filled.model_dir / "h64"
        found = checkpoint.newest(folder).generation
        state = {**found.state, "options": {"light": "perhaps"}}
        checkpoint.save(folder, state, {"weights": found.arrays("weights").as_dict()})
        with pytest.raises(UserError, match="light"):
            run(filled, target_iter=3)


def command(workspace, *flags):
    paths = os.pathsep.join(map(str, (REPOSITORY / "_internal", REPOSITORY / "tests")))
    return [sys.executable, "-m", "training.tiny", str(workspace.root), *flags], {**os.environ, "PYTHONPATH": paths}


def launch(workspace, *flags):
    line, environment = command(workspace, *flags)
    return subprocess.Popen(
        line,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )


def wait_for(condition, process):
    end = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_killed_it_loses_at_most_back_to_the_last_saving_and_told_to_stop_nothing(workspace):
    tiny.fill(workspace)
    folder = workspace.model_dir / "h64"
    process = launch(workspace, "--save-interval-min", "0.01")
    wait_for(
        lambda: len(checkpoint.generations(folder)) > 1 and checkpoint.generations(folder)[0].name[-1] > "2", process
    )
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = iteration(workspace)
    assert kept > 0

    process = launch(workspace)
    lines = []
    while not lines or "  #" not in lines[-1]:
        lines.append(process.stdout.readline())
        assert lines[-1], "".join(lines)
    assert any(f"goes on from iteration {kept}" in line for line in lines)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 0, said
    assert "All is saved" in said
    generation = checkpoint.newest(folder).generation
    assert generation.state["iteration"] > kept
    assert len(generation.arrays("history").as_dict()["losses"]) == generation.state["iteration"]
    assert not (workspace.root / ".lock_model").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_stopped_before_its_target_the_exit_code_says_so(workspace):
    tiny.fill(workspace)
    process = launch(workspace, "--target-iter", "1000000")
    wait_for(lambda: "  #" in process.stdout.readline(), process)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 128 + signal.SIGTERM and "All is saved" in said


@pytest.mark.parametrize("name", signals.NAMES)
def test_every_signal_that_ends_a_training_early_gives_an_exit_code(filled, monkeypatch, name):
    monkeypatch.setattr(signal, name, 21, raising=False)  # each exists on one kind of system only
    monkeypatch.setattr(train, "_train", lambda *given: Outcome(name, 1, 1.0, 0.0))
    with pytest.raises(SystemExit) as end:
        run(filled, target_iter=9, preview=False)
    assert end.value.code == 128 + 21


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
def test_a_lost_terminal_saves(workspace):
    import pty

    tiny.fill(workspace)
    line, environment = command(workspace)
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        os.execve(line[0], line, environment)
    seen = b""
    while b"#000002" not in seen:
        seen += os.read(terminal, 1000)
    os.close(terminal)
    assert os.waitpid(pid, 0)[1] == 0
    assert iteration(workspace) >= 2


def test_models_are_offered_with_their_titles():
    spec = next(s for s in declared(train.Options) if s.name == "model")
    assert list(spec.choices) == base.model_names()
