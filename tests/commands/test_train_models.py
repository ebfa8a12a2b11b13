"""Models side by side, starting from one, and options fixed at creation; the tiny model stands for h64."""

import os
from dataclasses import dataclass, replace

import keras
import numpy as np
import pytest

from commands.train_runs import iteration, run
from facewright.commands import train
from facewright.core.errors import UserError
from facewright.core.images import write_image
from facewright.core.options import declared, option, resolve
from facewright.models import trained
from facewright.models.spec import ModelOptions
from facewright.nn import backups, checkpoint, saved_models
from facewright.train import model_prompt
from train import tiny
from train.loop_runs import file_in_the_way


def plan(workspace, *, key=False):
    """What is settled at a terminal, where a key is pressed to get the questions or not."""
    kinds = next(spec for spec in declared(train.TrainOptions) if spec.name == "model")
    return model_prompt.plan_training_prompts(workspace, {}, kinds, wait_for_key=lambda seconds: key)


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
        assert [(m.name, m.kind, m.iteration) for m in saved_models.list_saved_models(two.model_dir)] == [
            ("villain", "h64", 9),
            ("hero", "h64", 2),
        ]
        assert trained.load_trained(two.model_dir, "hero").iteration == 2
        assert trained.load_trained(two.model_dir).name == "villain"

    def test_without_a_terminal_the_last_one_goes_on_with_its_answers(self, two):
        found = train.plan_prompts(two, {})
        assert found.flags == {"name": "villain", "model": "h64"} and not found.ask
        assert found.remembered["batch_size"] == 3
        assert found.remembered["target_iter"] == 0  # it was reached
        assert train.plan_prompts(two, {"name": "hero", "model": None}).flags == {"name": "hero", "model": "h64"}
        assert train.plan_prompts(two, {"model": "quick"}).flags == {"name": "quick"}

    def test_a_target_that_was_not_reached_stays(self, filled):
        known = saved_models.SavedModelInfo("a", "h64", 5, "", {"settings": {"target_iter": 9, "keep": 4, "odd": 1}})
        assert model_prompt.last_answers(known) == {"target_iter": 9, "keep": 4, "recipe": "none"}

    def test_chosen_on_the_console(self, two, typed, monkeypatch, capsys):
        typed("7", "2")
        found = plan(two)
        assert found.flags["name"] == "hero" and not found.ask
        said = capsys.readouterr().out
        assert "1  villain" in said and "'7'" in said and "press a key within 2 seconds" in said

    def test_a_key_asks_the_questions(self, two, typed):
        typed("")
        assert plan(two, key=True).ask

    def test_a_name_with_a_blank_is_that_model(self, two, typed, monkeypatch):
        saved_models.rename(two.model_dir, "villain", "hero 2")
        typed("Hero 2")
        assert plan(two).flags["name"] == "hero 2"
        typed("hero")
        assert plan(two).flags["name"] == "hero"
        typed("hero 3", "r hero 2", "d x", "d x")  # no such model; then a model that is called like a command
        assert plan(two).flags["name"] == "d x"

    def test_renamed_and_deleted_on_the_console(self, two, typed, monkeypatch, capsys):
        typed("r 2", "star", "r 1", "con", "r 1", "mask", "d 1", "y", "")
        assert plan(two).flags["name"] == "star"
        assert "cannot be the name" in capsys.readouterr().out
        assert [m.name for m in saved_models.list_saved_models(two.model_dir)] == ["star"]
        (dated,) = two.trash.iterdir()
        assert checkpoint.newest(dated / "villain").generation.state["iteration"] == 9

    def test_a_new_one_on_the_console(self, two, typed):
        typed("n", "h64", "hero", "bad/name", "")
        found = train.plan_prompts(two, {})
        assert found.flags == {"model": "h64", "name": "h64"} and found.ask

    def test_another_network_than_the_name_holds(self, two):
        with pytest.raises(UserError, match="hero holds the model 'h64'") as caught:
            run(two, model="quick", name="hero")
        assert "--model h64" in caught.value.fix

    @pytest.mark.parametrize("name", ["../up", ".hidden", "a/b", "nul", "x" * 61, "end.", ""])
    def test_names_that_are_no_folders(self, name):
        with pytest.raises(UserError, match="cannot be the name"):
            saved_models.check_name(name)


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
        assert "Loaded: encoder (1 of 2)." in said and "nothing in it fits: decoder_src, decoder_dst" in said

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
        assert "Pretraining is over" in said and "--what model" in said
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

    def test_a_failed_backup_at_the_switch_leaves_the_pretrained_state(self, filled, tmp_path):
        tiny.save_faces(tmp_path / "many", 3, seed=7)
        run(filled, pretrain=str(tmp_path / "many"), target_iter=2, preview=False)
        before = checkpoint.generations(filled.model_dir / "h64")

        folder = filled.model_dir / "h64" / backups.BACKUPS
        with file_in_the_way(folder), pytest.raises(UserError, match=backups.BACKUPS):
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
        class WithInter(tiny.Tiny):
            """The tiny model with a part between encoder and decoder, as LIAEF has it."""

            def build(self):
                parts = super().build()
                return {"inter": parts.pop("encoder"), **parts}

            def forward(self, src, dst):
                src_face, src_mask = self.parts["decoder_src"](self.parts["inter"](src))
                dst_face, dst_mask = self.parts["decoder_dst"](self.parts["inter"](dst))
                return {"src": src_face, "src_mask": src_mask, "dst": dst_face, "dst_mask": dst_mask}

            def swap(self, dst):
                return tuple(self.parts["decoder_src"](self.parts["inter"](dst)))

        tiny.use_tiny(monkeypatch.setattr, WithInter)
        tiny.save_faces(tmp_path / "many", 3, seed=7)
        run(filled, pretrain=str(tmp_path / "many"), target_iter=40, preview=False)
        before = self.weights(filled, "h64")
        run(filled, target_iter=1, preview=False)
        first = checkpoint.check(checkpoint.generations(filled.model_dir / "h64")[1]).arrays("weights").as_dict()
        same = {name: np.array_equal(first[name], before[name]) for name in first}
        assert {name.partition("/")[0] for name, equal in same.items() if not equal} == {"inter"}


@dataclass(frozen=True)
class WithOption(ModelOptions):
    light: bool = option(False, "Smaller.", ask="Light version")
    sharpness: float = option(1.0, "May change at every run.", low=0, high=9, ask="Sharpness", per_run=True)
    architecture: str = "flat"  # what the kind of model decides is no option


class TinyWithOption(tiny.Tiny):
    Options = WithOption

    @classmethod
    def for_pretraining(cls, options):
        return replace(options, sharpness=9.0)

    def losses(self, src, dst, rebuilt):
        total, _ = super().losses(src, dst, rebuilt)
        sharpness = keras.ops.convert_to_tensor(self.options.sharpness)
        return total, {"src": sharpness, "dst": sharpness}


def test_pretraining_has_options_of_its_own_and_keeps_those_that_were_chosen(filled, tmp_path, monkeypatch):
    tiny.use_tiny(monkeypatch.setattr, TinyWithOption)
    tiny.save_faces(tmp_path / "many", 3, seed=7)
    chosen = WithOption(sharpness=2.0)
    run(filled, chosen, pretrain=str(tmp_path / "many"), target_iter=1, preview=False)
    folder = filled.model_dir / "h64"
    state = checkpoint.newest(folder).generation
    assert state.state["options"]["sharpness"] == 2 and state.arrays("history").as_dict()["losses"][0, 0] == 9
    run(filled, chosen, target_iter=1, preview=False)
    assert checkpoint.newest(folder).generation.arrays("history").as_dict()["losses"][0, 0] == 2


class TestModelOptions:
    """They are asked at creation and fixed then."""

    @pytest.fixture(autouse=True)
    def with_option(self, filled, monkeypatch):
        tiny.use_tiny(monkeypatch.setattr, TinyWithOption)

    def test_asked_for_a_new_model(self, filled):
        assert train.more_options(filled, train.TrainOptions(model="h64")) is WithOption

    def test_fixed_afterwards(self, filled):
        run(filled, WithOption(light=True), target_iter=1, preview=False)
        settings = train.more_options(filled, train.TrainOptions(model="h64"))
        assert [(s.name, s.default, s.ask) for s in declared(settings)] == [
            ("light", True, None),
            ("sharpness", 1.0, "Sharpness"),
        ]
        run(filled, resolve(settings, {}, {"light": False}), target_iter=2, preview=False)
        with pytest.raises(UserError, match="was created with light = yes, not no"):
            run(filled, resolve(settings, {"light": False}, {}), target_iter=3)
        assert iteration(filled) == 2

    def test_one_declared_per_run_may_change(self, filled, capsys):
        run(filled, WithOption(light=True, sharpness=2.0), target_iter=1, preview=False)
        settings = train.more_options(filled, train.TrainOptions(model="h64"))
        run(filled, resolve(settings, {"sharpness": 3.0}, {}), target_iter=2, preview=False)
        said = capsys.readouterr().out
        assert "light = yes (since its creation)" in said and "architecture" not in said
        kept = checkpoint.newest(filled.model_dir / "h64").generation.state["options"]
        assert kept == {"light": True, "sharpness": 3.0, "architecture": "flat"}
        # The next run starts from what the model had last, whatever the workspace remembers of another model.
        settings = train.more_options(filled, train.TrainOptions(model="h64"))
        assert resolve(settings, {}, {"sharpness": 7.0}).sharpness == 3.0

    def test_damaged_saved_options_are_a_clear_error(self, filled):
        run(filled, WithOption(), target_iter=1, preview=False)
        folder = filled.model_dir / "h64"
        found = checkpoint.newest(folder).generation
        state = {**found.state, "options": {"light": "perhaps"}}
        checkpoint.save(folder, state, {"weights": found.arrays("weights").as_dict()})
        with pytest.raises(UserError, match="light"):
            run(filled, target_iter=3)
