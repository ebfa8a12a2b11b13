import itertools
import os
import threading
import time
from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from facewright import nn
from facewright.core.errors import UserError
from facewright.core.workspace import Workspace
from facewright.data.sample import Sample
from facewright.data.sampler import Sampler
from facewright.faces.align import FaceType
from facewright.marking.origin import read_origin
from facewright.models.base import Trainable, to_numpy
from facewright.nn import backups, checkpoint, devices
from facewright.train.callbacks import Callback, TrainingRun
from facewright.train.facts import facts
from facewright.train.goal import Goal
from facewright.train.keys import TrainingCommand
from facewright.train.preview_writer import PreviewWriter
from facewright.train.saver import Snapshot
from facewright.train.session import TrainingSession
from train.loop_runs import Commands, file_in_the_way, new_session, train, weights

pytestmark = pytest.mark.usefixtures("full_precision")
SAVE, BACKUP, LEAVE = TrainingCommand.SAVE, TrainingCommand.BACKUP, TrainingCommand.LEAVE
NEXT, PREVIEW = TrainingCommand.NEXT, TrainingCommand.PREVIEW


def saved_iterations(folder):
    """Iterations of the whole generations of a model, the newest first."""
    return [checkpoint.check(path).state["iteration"] for path in checkpoint.generations(folder)]


def test_trains_to_the_target_and_saves(tmp_path, faces, capsys):
    session, sources = new_session(tmp_path, faces)
    result = train(session, sources, target=12)
    assert (result.reason, result.steps, session.iteration, len(session.history)) == ("target", 12, 12, 12)
    assert 0 <= result.waiting <= 1 and result.milliseconds > 0
    assert session.history.values[-3:].mean() < session.history.values[:3].mean()
    state = checkpoint.newest(tmp_path / "tiny").generation.state
    assert (state["iteration"], state["model"]) == (12, "tiny")
    assert "#000012" in capsys.readouterr().out


def test_a_resumed_run_is_the_uninterrupted_one(tmp_path, faces):
    whole, sources = new_session(tmp_path / "a", faces)
    train(whole, sources, target=9)
    first, sources = new_session(tmp_path / "b", faces)
    train(first, sources, target=4)
    second, sources = new_session(tmp_path / "b", faces, seed=0)
    assert second.iteration == 4
    train(second, sources, target=9)
    np.testing.assert_allclose(second.history.values, whole.history.values, rtol=1e-4)
    for a, b in zip(weights(whole), weights(second), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_losses_read_now_and_then_are_those_of_every_step(tmp_path, faces):
    """A run that reads every fourth one ends at its target, with the same losses, weights and random numbers."""
    each, sources = new_session(tmp_path / "a", faces)
    train(each, sources, target=11)
    rarely, sources = new_session(tmp_path / "b", faces)
    seen = []

    class Steps(Callback):
        def on_step(self, run, step):
            seen.append((step.iteration, run.session.iteration))

        def between_steps(self, run):
            seen.append("turn")

    train(rarely, sources, target=11, read_every=4, callbacks=[Steps()])
    assert [one for one in seen if one != "turn"] == [(k, k) for k in range(1, 12)]
    assert seen.count("turn") < 11 and rarely.iteration == 11
    np.testing.assert_array_equal(rarely.history.values, each.history.values)
    assert rarely.samplers == each.samplers
    for a, b in zip(weights(each), weights(rarely), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_follows_a_rollback_is_not_counted(tmp_path, faces):
    """Steps that were on their way when the model went back to its saved state are as if they had not been."""
    session, sources = new_session(tmp_path, faces)

    class Back(Callback):
        done = False

        def on_step(self, run, step):
            if step.iteration == 6 and not self.done:
                self.done = True
                run.session.recover()

    train(session, sources, target=8, read_every=5, callbacks=[Back()])
    assert (session.iteration, len(session.history)) == (8, 8)


def test_a_model_continues_under_another_precision(tmp_path, faces):
    session, sources = new_session(tmp_path, faces)
    train(session, sources, target=2)
    devices.precision("bfloat16")
    other, sources = new_session(tmp_path, faces)
    assert all((a == b).all() for a, b in zip(weights(session), weights(other), strict=True))
    train(other, sources, target=4)
    assert other.iteration == 4 and np.isfinite(other.history.values).all()


def test_commands_save_and_leave(tmp_path, faces):
    session, sources = new_session(tmp_path, faces)
    result = train(session, sources, commands=Commands(_3=SAVE, _5=LEAVE))
    assert (result.reason, session.iteration) == ("key", 5)
    assert saved_iterations(tmp_path / "tiny") == [5, 3]


def test_previews_and_their_history(tmp_path, faces):
    session, sources = new_session(tmp_path, faces)
    preview = PreviewWriter(session, sources, write_history=True)
    train(session, sources, preview=preview, commands=Commands(_2=NEXT, _3=PREVIEW), target=11)
    assert cv2.imread(str(tmp_path / "preview.png")).shape[1] == 640
    assert [p.name for p in (tmp_path / "tiny" / "history").iterdir()] == ["000010.jpg"]
    for image in (tmp_path / "preview.png", tmp_path / "tiny" / "history" / "000010.jpg"):
        origin = read_origin(image)
        assert origin is not None and origin.made_with_network


def test_the_history_of_previews_is_bounded(tmp_path, faces):
    session, sources = new_session(tmp_path, faces)
    preview = PreviewWriter(session, sources, write_history=True, history_images=2, clock=lambda: 0.0)
    train(session, sources, preview=preview, target=50)
    assert sorted(p.name for p in (tmp_path / "tiny" / "history").iterdir()) == ["000020.jpg", "000040.jpg"]


def test_a_history_that_somebody_wanted_whole_stays(tmp_path, faces):
    session, sources = new_session(tmp_path, faces)
    folder = tmp_path / "tiny" / "history"
    folder.mkdir(parents=True)
    for iteration in (1, 2, 3, 4, 5):
        (folder / f"{iteration:06d}.jpg").write_bytes(b"an image of an earlier version")
    preview = PreviewWriter(session, sources, write_history=True, history_images=1, clock=lambda: 0.0)
    train(session, sources, preview=preview, target=20)
    assert len(list(folder.iterdir())) >= 6


def test_kept_images_take_little_of_the_time(tmp_path, faces):
    session, sources = new_session(tmp_path, faces)
    ticks = itertools.count()
    preview = PreviewWriter(session, sources, write_history=True, clock=lambda: float(next(ticks)))
    train(session, sources, preview=preview, target=60)
    assert len(list((tmp_path / "tiny" / "history").iterdir())) < 6


def test_the_lines_above_the_preview_say_what_the_page_says(tmp_path, faces):
    session, _ = new_session(tmp_path, faces)
    run = TrainingRun(session, goal=Goal(5000), skipped=2)
    for _ in range(3):
        run.times.add(0.5, 0.1)
    session.iteration = 1000
    session.save()
    run.say("Something was said.\nAt length.")
    text = "\n".join(facts(run))
    for part in ("iteration 1,000 of 5,000", "500 ms per iteration (2.0/s)", "about 33 min left", "data wait 20.0%"):
        assert part in text
    for part in ("saved: iteration 1,000, just now", "no backup", "not applied: 2", "Something was said."):
        assert part in text
    assert "At length" not in text


def test_the_terminal_gets_the_faces_that_were_requested(tmp_path, faces):
    session, sources = new_session(tmp_path, faces)
    drawn = []
    preview = PreviewWriter(session, sources, terminal=lambda image: drawn.append((session.iteration, image.shape)))
    train(session, sources, preview=preview, commands=Commands(_2=NEXT, _4=PREVIEW), target=6)
    assert drawn == [(2, (512, 640, 3)), (4, (512, 640, 3)), (6, (512, 640, 3))]  # keys, and the end


def test_autosave_by_time(tmp_path, faces):
    session, sources = new_session(tmp_path, faces)
    train(session, sources, target=3, save_seconds=0.0)
    saved = saved_iterations(tmp_path / "tiny")
    assert saved[0] == 3 and saved[1] in (1, 2)


def test_a_young_run_is_saved_before_its_interval_is_over(tmp_path, faces):
    session, sources = new_session(tmp_path, faces)
    train(session, sources, target=3, save_seconds=1e6, first_save_seconds=0.0)
    assert len(checkpoint.generations(tmp_path / "tiny")) == 2  # within the run, and at its end


def test_a_failed_autosave_does_not_stop_the_training(tmp_path, faces, capsys):
    session, sources = new_session(tmp_path, faces)
    folder = tmp_path / "tiny"

    class UntilTold(Commands):
        """Makes room once it was told that nothing was saved."""

        said = ""

        def poll(self):
            self.said += capsys.readouterr().out
            if "Not saved" in self.said and folder.is_file():
                blocked.__exit__(None, None, None)
                self.at[self.polls + 5] = LEAVE
            return super().poll()

    commands = UntilTold(_1=SAVE)
    blocked = file_in_the_way(folder)
    blocked.__enter__()
    assert train(session, sources, commands=commands, retry_seconds=0.0).reason == "key"
    assert str(folder) in commands.said and "training continues" in commands.said
    assert session.saved_iteration == session.iteration > 5
    assert saved_iterations(folder)[0] == session.iteration


def test_saving_goes_on_beside_the_training(tmp_path, faces):
    gate = threading.Event()

    @dataclass(frozen=True)
    class SlowSnapshot(Snapshot):
        def write(self):
            assert gate.wait(60)
            return super().write()

    class SlowSession(TrainingSession):
        def snapshot(self, **given):
            slow = super().snapshot(**given)
            return SlowSnapshot(**vars(slow)) if self.saved_iteration >= 0 else slow

    class Opening(Commands):
        def poll(self):
            if self.polls == 6:
                assert session.saved_iteration == 0  # five steps were trained since the command
                gate.set()
            return super().poll()

    session, sources = new_session(tmp_path, faces, session=SlowSession)
    train(session, sources, commands=Opening(_1=SAVE), target=9)
    first, last = (checkpoint.check(p) for p in reversed(checkpoint.generations(tmp_path / "tiny")))
    assert (first.state["iteration"], last.state["iteration"]) == (1, 9)
    assert len(first.arrays("history").as_dict()["losses"]) == 1


def test_backups_by_command_and_by_time(tmp_path, faces):
    session, sources = new_session(tmp_path, faces)
    train(session, sources, commands=Commands(_2=BACKUP), target=4)
    (made,) = backups.backups(tmp_path / "tiny")
    assert checkpoint.check(made).state["iteration"] == 2
    train(session, sources, target=5, backup_seconds=3600.0)
    assert len(backups.backups(tmp_path / "tiny")) == 1
    long_ago = time.time() - 7200
    os.utime(made, (long_ago, long_ago))
    train(session, sources, target=7, backup_seconds=3600.0)
    assert [checkpoint.check(p).state["iteration"] for p in backups.backups(tmp_path / "tiny")] == [6, 2]


@pytest.mark.parametrize("with_preview", [True, False])
def test_a_backup_holds_the_preview_of_its_own_model_only(tmp_path, faces, with_preview):
    session, sources = new_session(tmp_path, faces)
    (tmp_path / "preview.png").write_bytes(b"of another model")
    preview = PreviewWriter(session, sources) if with_preview else None
    train(session, sources, preview=preview, commands=Commands(_2=BACKUP), target=3)
    (made,) = backups.backups(tmp_path / "tiny")
    kept = [cv2.imread(str(path)) is not None for path in made.glob("preview.png")]
    assert kept == ([True] if with_preview else [])


def test_a_backup_that_fails_is_told_apart_from_the_save_and_tried_again(tmp_path, faces, capsys):
    session, sources = new_session(tmp_path, faces)
    folder = tmp_path / "tiny" / backups.BACKUPS

    class UntilTold(Commands):
        said = ""

        def poll(self):
            self.said += capsys.readouterr().out
            if "not backed up" in self.said and folder.is_file():
                blocked.__exit__(None, None, None)
                self.at[self.polls + 30] = LEAVE
            return super().poll()

    commands = UntilTold(_2=BACKUP)
    blocked = file_in_the_way(folder)
    blocked.__enter__()
    train(session, sources, commands=commands, retry_seconds=0.0)
    said = commands.said + capsys.readouterr().out
    assert "Saved iteration 2 in" in said and "Not saved" not in said and "Saved and backed up iteration" in said
    (made,) = backups.backups(tmp_path / "tiny")
    assert checkpoint.check(made).state["iteration"] > 2


def test_a_callback_of_ones_own_gets_every_step_and_the_session(tmp_path, faces):
    class Plateau(Callback):
        """Halves the learning rate after every second step."""

        def __init__(self):
            self.heard = []

        def on_step(self, run, step):
            self.heard.append((step.iteration, *step.losses))
            if step.iteration % 2 == 0:
                run.session.scale_learning_rate(0.5)

    plateau = Plateau()
    session, sources = new_session(tmp_path, faces)
    before = session.learning_rates
    train(session, sources, callbacks=[plateau], target=4)
    assert plateau.heard == [(k, "src", "dst") for k in range(1, 5)]
    assert session.learning_rates == pytest.approx([rate / 4 for rate in before])


class FakeWindow:
    """A window that sends commands once it has shown something.

    Args:
        at: Poll -> commands.
    """

    open = True

    def __init__(self, at):
        self.at, self.shown, self.polls = at, 0, 0

    def show(self, picture):
        self.shown += 1

    def poll(self):
        self.polls += 1
        return self.at.get(self.polls, [])


def test_the_window_stays_after_the_target_until_it_is_closed(tmp_path, faces):
    session, sources = new_session(tmp_path, faces)
    window = FakeWindow({4: [NEXT], 5: [SAVE], 6: [LEAVE]})
    preview = PreviewWriter(session, sources, window)
    result = train(session, sources, commands=window, preview=preview, target=3, wait_for_close=True)
    assert (result.reason, window.polls, session.iteration) == ("target", 6, 3)
    assert len(checkpoint.generations(tmp_path / "tiny")) == 2


def test_a_preview_that_cannot_be_written_stops_nothing(tmp_path, faces, capsys):
    class Full(PreviewWriter):
        def refresh(self, line=""):
            raise UserError("The disk is full.", "space", "make some")

    session, sources = new_session(tmp_path, faces)
    assert train(session, sources, preview=Full(session, sources), target=3).reason == "target"
    said = capsys.readouterr().out
    assert "training continues" in said and "The disk is full." in said


def test_the_window_gets_previews_and_gives_commands(tmp_path, faces):
    session, sources = new_session(tmp_path, faces)
    window = FakeWindow({2: [LEAVE]})
    result = train(session, sources, commands=window, preview=PreviewWriter(session, sources, window))
    assert (result.reason, window.shown) == ("key", 2)


def test_the_model_folder_is_the_parent(tmp_path, faces):
    workspace = Workspace(tmp_path)
    session, _ = new_session(workspace.model_dir, faces)
    assert session.folder == tmp_path / "model" / "tiny"


class MaskNetwork(Trainable):
    """One stream of its own name: a network that learns masks."""

    title = "for tests"
    resolution = 16
    face_type = FaceType.FULL
    streams = ("faces",)
    reported = ("faces",)

    def samples(self, stream="faces"):
        return (Sample("warped", "image", 16, self.face_type, warp=True), Sample("mask", "mask", 16, self.face_type))

    def build(self):
        face = nn.keras.Input((16, 16, 3))
        return {"network": nn.keras.Model(face, nn.blocks.output_layer(1)(nn.blocks.conv(4, strides=1)(face)))}

    def train_steps(self):
        def loss(batch, mask):
            total = nn.losses.mse(batch["mask"], mask)
            return total, {"faces": total}

        settings = {"side": 16, "streams": self.streams, "reports": self.reported}
        optimizer = nn.optimizers.Adam(learning_rate=1e-2)
        return (nn.train_step.TrainStep("", self.parts, self.parts["network"], loss, optimizer, **settings),)

    def preview(self, batches):
        faces = batches["faces"]["warped"]
        mask = to_numpy(self.parts["network"](faces))
        return {"face": faces, "mask": np.repeat(mask, 3, axis=-1)}


def test_a_network_of_one_stream_trains_saves_and_goes_on(tmp_path, faces):
    def new():
        session = TrainingSession("masks", MaskNetwork(MaskNetwork.Options()), tmp_path)
        return session, {"faces": Sampler(faces[0], session.model.samples(), np.random.default_rng(0), flip=True)}

    session, sources = new()
    preview = PreviewWriter(session, sources)
    result = train(session, sources, target=15, preview=preview)
    assert (result.reason, session.iteration) == ("target", 15)
    assert session.history.values[-3:].mean() < session.history.values[:3].mean()
    again, sources = new()
    again.resume(again.find().generation)
    assert train(again, sources, target=18).steps == 3
