"""The step, with the tiny model in the place of h64."""

import base64
import contextlib
import dataclasses
import os
import shutil

import numpy as np
import pytest

from commands.train_runs import iteration, run
from facewright.commands import train
from facewright.core.errors import UserError
from facewright.core.images import encode, write_image
from facewright.core.options import declared
from facewright.faces.record import load_face, save_face
from facewright.models import registry, trained
from facewright.nn import checkpoint, gpus
from facewright.train import faces
from facewright.train.batch_size import is_out_of_memory, largest_fitting_batch
from train import tiny
from train.loop_runs import break_weights


def test_trains_resumes_and_stops_at_the_target(filled, capsys):
    run(filled, target_iter=3)
    said = capsys.readouterr().out
    assert "6 src, 6 dst" in said and "7_convert" in said and "CPU" in said
    assert (filled.model_dir / "preview.png").exists()
    assert iteration(filled) == 3
    run(filled, target_iter=5)
    assert "continues from iteration 3" in capsys.readouterr().out
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


def test_the_box_counts_the_faces_with_a_mask_of_their_own(filled, capsys):
    path = filled.src.aligned()[1]
    image, record = load_face(path)
    white = base64.b64encode(encode(np.full((64, 64), 255, np.uint8))).decode()
    save_face(path, image, dataclasses.replace(record, mask=white))
    run(filled, target_iter=1, preview=False)
    assert "mask of their own" not in capsys.readouterr().out
    run(filled, target_iter=2, mask="record", preview=False)
    said = capsys.readouterr().out
    assert "1 of 6 src" in said and "0 of 6 dst" in said


def test_debug_shows_samples_and_trains_nothing(filled, capsys):
    run(filled, debug=True)
    assert (filled.model_dir / "samples.png").exists()
    assert checkpoint.trained_models(filled.model_dir) == []
    assert "Nothing was trained" in capsys.readouterr().out


def test_the_choice_of_a_gpu_ends_with_the_training(filled, tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho '0, Test 4000, 8192'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    with contextlib.suppress(UserError):  # this backend cannot use it
        run(filled, gpus="0", debug=True)
    assert gpus.VISIBLE not in os.environ


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
    faces.load_face_pair(filled)
    assert "1 face is in both data_src and data_dst" in capsys.readouterr().out


def test_unreadable_faces_are_named_before_training(filled):
    for number in range(7):
        write_image(filled.src.aligned_dir / f"plain{number}.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(UserError, match=r"7 files.*plain0.png.*and 2 more"):
        run(filled)
    assert not filled.model_dir.exists()


def test_faces_that_show_too_little_are_named(filled, monkeypatch, tmp_path):
    class WholeHead(tiny.Tiny):
        face_type = tiny.FaceType.HEAD

    tiny.use_tiny(monkeypatch.setattr, WholeHead)
    with pytest.raises(UserError, match=r"6 faces of data_src.*h64.*: 00000_0.png") as it:
        run(filled)
    assert "4_src_extract_faces" in it.value.fix and "--face-type head" in it.value.fix
    folder = tmp_path / "many"
    tiny.save_faces(folder, 3)
    with pytest.raises(UserError) as it:
        run(filled, pretrain=str(folder))
    assert it.value.happened.startswith(f"3 faces of {folder} with less")
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


class Large(tiny.Tiny):
    """The tiny model on a device whose memory holds `most` faces per side from a number of iterations on."""

    most, scarce_after, broken_by_it = 8, 0, False
    calls = 0

    def train_on(self, batches):
        Large.calls += 1
        if Large.calls > self.scarce_after and len(batches["src"]["warped"]) > self.most:
            if self.broken_by_it:
                break_weights(self)
            raise ResourceExhaustedError("OOM when allocating tensor")
        return super().train_on(batches)


@pytest.fixture
def memory(monkeypatch):
    """Return a function that says how much the memory holds."""

    def holds(most, **more):
        for name, value in {"most": most, "calls": 0, **more}.items():
            monkeypatch.setattr(Large, name, value)
        tiny.use_tiny(monkeypatch.setattr, Large)

    return holds


class TestFullMemory:
    """A batch that the memory does not hold."""

    def test_the_training_goes_on_with_the_batch_that_fits(self, filled, memory, capsys):
        memory(6)
        run(filled, batch_size=8, target_iter=3, preview=False)
        state = checkpoint.newest(filled.model_dir / "h64").generation.state
        assert (state["iteration"], state["batch"]) == (3, 6)
        assert state["settings"]["batch_size"] == 6  # the next run need not find out again
        said = capsys.readouterr().out
        assert "6 + 6, from iteration 0. Nothing is lost." in said
        assert "3 of them in this run" in said

    def test_in_mid_training_nothing_is_lost(self, filled, memory, capsys):
        memory(4, scarce_after=5)
        run(filled, batch_size=8, target_iter=8, keep=9, preview=False)
        rescued, last = checkpoint.generations(filled.model_dir / "h64")[1::-1]
        before, after = (checkpoint.check(folder) for folder in (rescued, last))
        assert (before.state["iteration"], after.state["iteration"]) == (5, 8)
        losses = [state.arrays("history").as_dict()["losses"] for state in (before, after)]
        np.testing.assert_array_equal(losses[1][:5], losses[0])
        assert np.isfinite(losses[1]).all() and len(losses[1]) == 8
        assert "from iteration 5. Nothing is lost." in capsys.readouterr().out

    def test_weights_that_it_broke_are_those_of_the_last_saved_state(self, filled, memory, capsys):
        memory(4, scarce_after=5, broken_by_it=True)
        run(filled, batch_size=8, target_iter=2, preview=False)
        run(filled, batch_size=8, target_iter=6, preview=False)
        assert iteration(filled) == 6
        assert "from iteration 2. The 3 iterations since the last save are lost." in capsys.readouterr().out

    def test_not_even_one_face_fits(self, filled, memory):
        memory(0)
        with pytest.raises(UserError, match=r"batch of 8 \+ 8") as caught:
            run(filled, batch_size=8, preview=False)
        assert "smaller network" in caught.value.fix
        assert iteration(filled) == 0

    def test_gpus_that_share_a_batch_get_equal_parts(self):
        sizes = []

        def train_on(batches):
            sizes.append(len(batches["src"]))
            if sizes[-1] > 10:
                raise ResourceExhaustedError

        class Source:
            def batch(self, size):
                return [0] * size

        assert largest_fitting_batch(train_on, {"src": Source()}, 24, multiple=4) == 8
        assert not any(size % 4 for size in sizes)


def test_out_of_memory_is_known_in_every_backends_words():
    class XlaRuntimeError(RuntimeError):
        pass

    assert is_out_of_memory(XlaRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 17179869184 bytes."))
    assert is_out_of_memory(RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"))
    assert is_out_of_memory(MemoryError()) and not is_out_of_memory(ValueError("shapes differ"))


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
    with filled.lock("model"), pytest.raises(UserError, match="model is in use by another facewright"):
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


def test_the_losses_go_to_tensorboard(filled, capsys):
    run(filled, target_iter=25, tensorboard=True, preview=False)
    folder = filled.model_dir / "h64" / "tensorboard"
    assert f"tensorboard --logdir {folder}" in capsys.readouterr().out
    assert sum(1 for _ in folder.iterdir()) == 1


def test_models_are_offered_with_their_titles():
    spec = next(s for s in declared(train.TrainOptions) if s.name == "model")
    assert list(spec.choices) == registry.model_names()
