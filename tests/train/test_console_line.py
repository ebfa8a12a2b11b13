import io
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facewright.train.console_line import Status, duration

INTERNAL = Path(__file__).resolve().parents[2] / "_internal"


def test_times_and_losses():
    status = Status()
    status.add(9.0, 5.0)
    for _ in range(4):
        status.add(0.2, 0.01)
    assert status.line(12, {"src": 0.25, "dst": 1.0}) == "#000012     200 ms  data wait 5.0%  src 0.2500  dst 1.0000"


@pytest.mark.parametrize(("seconds", "said"), [(0.0004, "0 ms"), (9.9, "9900 ms"), (10.0, "10.0 s"), (99.94, "99.9 s")])
def test_a_long_iteration_is_said_in_seconds(seconds, said):
    status = Status()
    status.add(seconds, 0.0)
    assert f"#000003 {said:>10}  data wait" in status.line(3, {})
    assert duration(1000 * seconds) == said


@pytest.fixture
def clock(monkeypatch):
    """It is the same time of day all the while."""
    monkeypatch.setattr(time, "strftime", lambda form: "09:08:07")


def test_the_time_of_day_stands_before_the_line(capsys):
    status = Status()
    status.show("#000001", now=True)
    assert re.fullmatch(r"\d\d:\d\d:\d\d  #000001\n", capsys.readouterr().out)


def test_without_a_terminal_it_speaks_seldom(capsys, clock):
    status = Status()
    for number in range(5):
        status.show(str(number))
    status.show("end", now=True)
    status.show("end", now=True)
    assert capsys.readouterr().out.split() == ["09:08:07", "0", "09:08:07", "end"]


def test_on_a_terminal_it_is_rewritten_in_place(monkeypatch, clock):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    status = Status()
    status.show("a long line")
    status.show("short")
    assert sys.stdout.getvalue() == "\r09:08:07  a long line\r09:08:07  short      "
    status.clear()
    assert sys.stdout.getvalue().endswith("\r")


def test_a_terminal_that_is_gone_is_no_error():
    code = f"""
import sys
sys.path.insert(0, {str(INTERNAL)!r})
from facewright.train.console_line import Status
input()  # until nobody reads the output any more
status = Status()
status.show("one", now=True)
status.say("two")
status.clear()
print("three")
sys.exit(7)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    process.stderr.close()
    process.stdin.write(b"\n")
    process.stdin.close()
    assert process.wait(60) == 7
