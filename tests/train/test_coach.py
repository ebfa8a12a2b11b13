"""What the curves of the faces held out say: curves of known shape, and what must be told of them."""

import numpy as np
import pytest

from facewright.faces.hold_out import HoldOut
from facewright.train.callbacks import TrainingRun
from facewright.train.coach import SECONDS_BETWEEN, Coach, advise, at_rest
from facewright.train.goal import Goal
from facewright.train.history import MEASURES, LossHistory
from facewright.train.recipe import parse_recipe
from facewright.train.stages import FollowRecipe, Stages
from train.loop_runs import new_session

TWO_STAGES = """
[[stage]]
name = "shape"
[[stage]]
name = "detail"
begins = "at plateau"
"""
EVERY = 60.0  # seconds between two measurements


def curve(minutes, noise=0.002, **columns):
    """Measurements once a minute; a column is a function of the seconds, the others are steady."""
    rng = np.random.default_rng(0)
    steady = {"variety": 1.0, "like src": 1.0, "src sharp": 0.9, "dst sharp": 0.9}
    made = LossHistory(MEASURES)
    for number in range(1, minutes + 1):
        at = number * EVERY
        row = {name: 5.0 * rng.normal(1, noise) for name in MEASURES} | steady
        row |= {name.replace("_", " "): float(value(at)) for name, value in columns.items()}
        made.append(row | {"iteration": 10 * number, "seconds": at})
    return made


def falling(power):
    return lambda seconds: 100 * seconds**-power


def test_nothing_is_said_too_early():
    assert advise(curve(2)).kind == "early" and not advise(curve(2)).text


def test_what_still_improves_is_named_with_the_time_it_takes():
    found = advise(curve(60, src_eyes=falling(0.15)))
    assert found.kind == "improves" and found.text.startswith("Src's eyes")
    # 0.15 * 600 s / t falls below 1 % at t = 9,000 s; 3,600 of them are over.
    assert found.seconds_left == pytest.approx(5400, rel=0.01) and "1 h 30 min" in found.text
    young = advise(curve(10, dst=falling(0.3), dst_mouth=falling(0.5)))
    assert "dst's mouth" in young.text.lower() and young.seconds_left is None


def test_the_time_left_is_unknown_rather_than_none():
    made = curve(60, dst_eyes=falling(0.31))  # a large model on a machine that became busy: few measurements, late ones
    few = advise(LossHistory(made.names, made.values[[0, 1, 3, 24, 59]]))
    assert few.kind == "improves" and few.seconds_left is None and "train on" in few.text


def test_a_time_in_which_the_machine_was_busy_does_not_count():
    made = curve(60, src_eyes=falling(0.15))
    values = made.values.copy()
    values[20:, made.names.index("seconds")] += 10_000
    assert advise(LossHistory(made.names, values)).seconds_left == pytest.approx(5400, rel=0.01)


def test_a_plateau_says_what_helps():
    assert advise(curve(30)).kind == "plateau" and "Convert" in advise(curve(30)).text
    soft = advise(curve(30, dst_sharp=lambda _: 0.6))
    assert soft.kind == "plateau" and "0.60" in soft.text and "GAN" in soft.text
    by_heart = advise(curve(30, dst_trained=lambda _: 2.0))
    assert by_heart.kind == "plateau" and "varied" in by_heart.text
    assert advise(curve(15)).kind == "improves", "two windows of ten minutes are needed"


def test_learning_by_heart_is_told_of_the_side():
    found = advise(curve(40, dst=lambda s: 4 + s / 1500, dst_trained=falling(0.4)))
    assert (found.kind, found.bad) == ("overfit", True) and "dst's faces" in found.text
    both = advise(curve(40, dst=lambda s: 4 + s / 1500, dst_trained=lambda s: 4 + s / 1500))
    assert both.kind != "overfit", "where the trained ones get worse too it is something else"


def test_a_collapse_names_the_iteration_before():
    alike = advise(curve(20, variety=lambda s: 0.9 if s < 15 * EVERY else 0.1, dst=falling(0.3)))
    assert alike.kind == "collapse" and "restore" in alike.text
    broken = advise(curve(20, src=lambda s: 3.0 if s < 15 * EVERY else 20.0, dst=lambda s: 3.0 if s < 900 else 20.0))
    assert broken.kind == "collapse" and "restore" in broken.text
    assert advise(curve(20, variety=lambda s: 0.1 if s < 5 * EVERY else 0.9)).kind != "collapse", "a young one is alike"


def test_a_swap_that_is_dst_is_told():
    assert advise(curve(30, like_src=lambda _: 0.1)).kind == "mixed"


@pytest.mark.usefixtures("full_precision")
def test_the_coach_speaks_seldom_and_ends_a_training_at_the_plateau(tmp_path, faces, capsys):
    now = [0.0]
    session, _ = new_session(tmp_path, faces)
    session.hold_out = HoldOut({"src": (("0", "1"),)})
    run = TrainingRun(session, goal=Goal(plateau=True))
    coach = Coach(lambda: now[0])
    coach.on_start(run)
    session.measures = curve(12, src=falling(0.2))
    for _ in range(3):
        now[0] += 20
        coach.between_steps(run)
    assert run.advice.startswith("Src's face") and not capsys.readouterr().out, "the page knows, nobody is disturbed"
    now[0] += SECONDS_BETWEEN
    session.measures = curve(13, src=falling(0.2))
    coach.between_steps(run)
    assert "Src's face" in capsys.readouterr().out and not run.goal.reason(1)
    session.measures = curve(14, like_src=lambda _: 0.0)
    coach.between_steps(run)
    assert "Src" not in capsys.readouterr().out.split("rather than")[0], "bad news come at once"
    session.measures = curve(40)
    coach.between_steps(run)
    assert run.goal.reason(1) == "plateau" and at_rest(session, 1000.0)
    session.measures = curve(41, src_eyes=falling(0.15))
    coach.between_steps(run)
    assert not run.goal.reason(1)
    session.measures = curve(42, dst=lambda s: 4 + s / 1500, dst_trained=falling(0.4))
    coach.between_steps(run)
    assert run.goal.reason(1) == "plateau", "what gets worse improves no more"


def in_stage(tmp_path, faces, number):
    """A training until the plateau that follows a recipe of two stages, with its coach: nothing improves any more."""
    now = [0.0]
    session, _ = new_session(tmp_path, faces)
    session.hold_out = HoldOut({"src": (("0", "1"),)})
    stages = Stages(parse_recipe(TWO_STAGES, "quick", "two"), number)
    run = TrainingRun(session, goal=Goal(plateau=True))
    callbacks = [FollowRecipe(stages), Coach(lambda: now[0])]
    for callback in callbacks:
        callback.on_start(run)
    session.measures = curve(40)
    callbacks[1].between_steps(run)
    return run, stages


def test_a_stage_that_follows_comes_before_the_end_at_the_plateau(tmp_path, faces):
    run, _ = in_stage(tmp_path / "first", faces, 0)
    assert not run.goal.reason(1) and run.goal.estimate is None
    assert "next stage" in run.advice and "onvert" not in run.advice
    run, _ = in_stage(tmp_path / "last", faces, 1)
    assert run.goal.reason(1) == "plateau" and "onvert" in run.advice


def test_only_what_was_measured_in_the_last_stage_ends_it(tmp_path, faces):
    run, _ = in_stage(tmp_path, faces, 1)
    run.since = 350  # the fortieth measurement is of iteration 400
    coach = Coach()
    run.goal.rested = False
    coach.between_steps(run)
    assert not run.goal.reason(1)


def test_a_stage_at_the_plateau_begins_where_several_steps_run_at_once(tmp_path, faces):
    run, stages = in_stage(tmp_path, faces, 0)
    begun = []
    for run.session.iteration in (1, 2, *range(12, 203, 10)):  # as with `read_every` 10: never a round number
        begun += [run.session.iteration] if stages.due(run) else []
    assert begun == [102, 202]


def test_a_swap_that_is_dst_comes_to_rest_too(tmp_path, faces):
    session, _ = new_session(tmp_path, faces)
    session.hold_out = HoldOut({"src": (("0", "1"),)})
    session.measures = curve(40, like_src=lambda _: 0.1)
    assert advise(session.curve).kind == "mixed" and at_rest(session, 1000.0)
