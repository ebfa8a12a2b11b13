import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

from facewright.core import console
from facewright.train import console_line
from facewright.train.console_line import ConsoleLine, StepTimes, duration, status_line, time_text


def test_times_and_losses():
    times = StepTimes()
    times.add(9.0, 5.0)  # compiles the step
    for _ in range(4):
        times.add(0.2, 0.01)
    line = status_line(12, {"src": 0.25, "dst": 1.0}, times)
    assert line == "#000012     200 ms  data wait 5.0%  src 0.2500  dst 1.0000"


def test_the_time_left_is_told_where_there_is_a_target():
    times = StepTimes()
    times.add(9.0, 5.0)
    assert times.seconds_left(1, 1201) is None, "the first step compiles and says nothing about the others"
    times.add(0.2, 0.0)
    assert times.seconds_left(2, 1202) == pytest.approx(240)
    assert "4 min left" in status_line(2, {}, times, times.seconds_left(2, 1202))
    assert "left" not in status_line(2, {}, times)
    assert times.seconds_left(1300, 1202) == 0


TIMES = [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (3570, "1 h 0 min"), (12_000, "3 h 20 min"), (200_000, "2 d 7 h")]


@pytest.mark.parametrize(("seconds", "said"), TIMES)
def test_long_times(seconds, said):
    assert time_text(seconds) == said


def test_a_quiet_training_prints_no_line(capsys):
    with console.printing(console.Verbosity.QUIET):
        ConsoleLine().show("#000001", now=True)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("seconds", "said"), [(0.0004, "0 ms"), (9.9, "9900 ms"), (10.0, "10.0 s"), (99.94, "99.9 s")])
def test_a_long_iteration_is_shown_in_seconds(seconds, said):
    times = StepTimes()
    times.add(seconds, 0.0)
    assert f"#000003 {said:>10}  data wait" in status_line(3, {}, times)
    assert duration(1000 * seconds) == said


def test_the_time_of_day_stands_before_the_line(capsys):
    ConsoleLine().show("#000001", now=True)
    assert re.fullmatch(r"\d\d:\d\d:\d\d  #000001\n", capsys.readouterr().out)


def test_without_a_terminal_it_prints_seldom(capsys):
    line = ConsoleLine()
    for number in range(5):
        line.show(str(number))
    line.show("end", now=True)
    line.show("end", now=True)
    assert capsys.readouterr().out.split()[1::2] == ["0", "end"]


def test_on_a_terminal_it_is_rewritten_in_place(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    line = ConsoleLine()
    line.show("a long line")
    line.show("short")
    time_of_day = r"\d\d:\d\d:\d\d"
    assert re.fullmatch(rf"\r{time_of_day}  a long line\r{time_of_day}  short      ", sys.stdout.getvalue())
    line.clear()
    assert sys.stdout.getvalue().endswith("\r")


LISTENER_LEAVES = """
import sys
from facewright.train.console_line import ConsoleLine
line = ConsoleLine()
line.show("first", now=True)
sys.stdin.read()  # until nobody reads the output any more
line.show("second", now=True)
line.say("third")
line.clear()
print("fourth")
print("not lost", file=open(sys.argv[1], "w"))
"""


def test_an_output_that_nobody_reads_any_more_is_no_error(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", LISTENER_LEAVES, str(tmp_path / "proof")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(Path(console_line.__file__).parents[2])},
    )
    assert b"first" in process.stdout.readline()
    process.stdout.close()
    process.stdin.close()
    assert process.wait(timeout=30) == 0
    assert (tmp_path / "proof").read_text() == "not lost\n"
