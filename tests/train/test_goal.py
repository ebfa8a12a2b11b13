"""A training that stops by itself: at an iteration, after some time, at a time of day."""

from datetime import datetime

import pytest

from facewright.core.errors import UserError
from facewright.train.console_line import StepTimes
from facewright.train.goal import Goal, parse_span, parse_time_of_day
from facewright.train.options import TrainOptions
from facewright.train.status import StepStats, TrainingStatus
from train.loop_runs import new_session, train

SPANS = [("10m", 600), ("1h30m", 5400), ("1.5h", 5400), ("90s", 90), ("2d 4 h", 187_200), ("3 h 20 min", 12_000)]


@pytest.mark.parametrize(("text", "seconds"), [*SPANS, ("", 0)])
def test_lengths_of_time(text, seconds):
    assert parse_span(text) == seconds


@pytest.mark.parametrize("text", ["10", "m", "0m", "-5m", "10 weeks", "1m1h", "9" * 30 + "s"])
def test_what_is_no_length_of_time_is_refused(text):
    with pytest.raises(UserError, match="--for"):
        parse_span(text)


def test_a_time_of_day_is_the_next_one():
    evening = datetime(2026, 11, 30, 22, 15)
    assert datetime.fromtimestamp(parse_time_of_day("07:00", evening)) == datetime(2026, 12, 1, 7, 0)
    assert datetime.fromtimestamp(parse_time_of_day("22:16", evening)) == datetime(2026, 11, 30, 22, 16)
    assert datetime.fromtimestamp(parse_time_of_day("22:15", evening)) == datetime(2026, 12, 1, 22, 15)


@pytest.mark.parametrize("text", ["24:00", "7", "07:60", "seven", "07:00:00"])
def test_what_is_no_time_of_day_is_refused(text):
    with pytest.raises(UserError, match="--until"):
        parse_time_of_day(text)


def pace(seconds):
    times = StepTimes()
    for _ in range(3):
        times.add(seconds, 0.0)
    return times


def test_what_comes_first_is_the_goal():
    now = [100.0]
    goal = Goal(1000, 60.0, clock=lambda: now[0])
    now[0] += 1000
    goal.start()
    assert goal.seconds_left(900, pace(0.1)) == pytest.approx(10) and goal.progress(900, pace(0.1)) == 0.9
    assert goal.seconds_left(0, pace(0.1)) == 60 and goal.progress(0, pace(0.1)) == 0
    now[0] += 45
    assert goal.seconds_left(0, pace(0.1)) == 15 and goal.progress(0, pace(0.1)) == 0.75
    assert not goal.reason(999) and goal.reason(1000) == "target"
    now[0] += 15
    assert goal.reason(1) == "time"
    goal.start()
    assert goal.reason(1) == "time", "the rounds of a run share its time"


def test_without_a_goal_nothing_is_left():
    goal = Goal()
    assert not goal and goal.seconds_left(5, pace(0.1)) is None and goal.progress(5, pace(0.1)) is None


def test_a_plateau_ends_it_and_the_curves_tell_the_time_left():
    goal = TrainOptions(until="plateau").goal
    assert goal and not goal.at and not goal.reason(10**6) and goal.seconds_left(5, pace(0.1)) is None
    goal.estimate = 300.0
    assert goal.seconds_left(5, pace(0.1)) == 300
    goal.rested = True
    assert goal.reason(1) == "plateau" and not Goal(rested=True).reason(1), "only where it was asked for"


def test_the_time_of_day_follows_the_clock_on_the_wall():
    now = [1000.0]
    goal = Goal(at=1060.0, wall=lambda: now[0])
    assert goal and goal.seconds_left(1, pace(1)) == 60
    now[0] = 1061.0
    assert goal.reason(1) == "time" and goal.seconds_left(1, pace(1)) == 0


@pytest.mark.usefixtures("full_precision")
def test_a_training_stops_when_its_time_is_over(tmp_path, faces, capsys):
    session, sources = new_session(tmp_path, faces)
    status = TrainingStatus(session.history, StepStats(0))
    result = train(session, sources, goal=Goal(seconds=1.0), status=status)
    assert result.reason == "time" and result.steps == session.iteration == session.saved_iteration > 0
    assert status.stats.progress == 1 and status.stats.seconds_left == 0
    assert " left " in capsys.readouterr().out
