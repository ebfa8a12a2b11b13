import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facewright.train import keys
from facewright.train.keys import TrainingCommand

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
READER = """
import sys, time
from facewright.train.keys import terminal_keys
with terminal_keys() as keys:
    print("ready", flush=True)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        for command in keys.poll():
            print(command, flush=True)
            if command == "leave":
                sys.exit()
        time.sleep(0.01)
"""


def environment():
    return {**os.environ, "PYTHONPATH": str(Path(keys.__file__).parents[2])}


def test_letters():
    assert keys.commands_of("sxP \r") == [
        TrainingCommand.SAVE,
        TrainingCommand.PREVIEW,
        TrainingCommand.NEXT,
        TrainingCommand.LEAVE,
    ]


def test_without_a_terminal_there_are_no_keys():
    done = subprocess.run(
        [sys.executable, "-c", "from facewright.train.keys import *\nwith terminal_keys() as k: print(k.poll())"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert done.stdout.strip() == "[]"


@posix
def test_keys_of_a_terminal_need_no_enter_and_the_terminal_is_put_back():
    import pty
    import termios

    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-c", READER], environment())
    seen = _read_until(terminal, b"ready")
    for typed, answer in ((b"s", b"save"), (b" ", b"next"), (b"p", b"preview")):
        os.write(terminal, typed)
        seen = _read_until(terminal, answer)
        assert typed + answer not in seen  # no echo
    assert not termios.tcgetattr(terminal)[3] & termios.ICANON
    os.write(terminal, b"\r")
    _read_until(terminal, b"leave")
    for _ in range(500):
        if termios.tcgetattr(terminal)[3] & termios.ICANON:
            break
        time.sleep(0.01)
    assert termios.tcgetattr(terminal)[3] & termios.ECHO
    assert os.waitpid(pid, 0)[1] == 0
    os.close(terminal)


def _read_until(descriptor, text):
    seen = b""
    while text not in seen:
        seen += os.read(descriptor, 1000)
    return seen


def test_letters_of_backups_and_of_the_chart():
    assert keys.commands_of("bL") == [TrainingCommand.BACKUP, TrainingCommand.RANGE]


WAITER = "from facewright.train.keys import any_key\nprint('ready', flush=True)\nprint(any_key({0}), flush=True)"


@posix
@pytest.mark.parametrize(("typed", "seconds", "answer"), [(b"x", 20, b"True"), (b"", 0.3, b"False")])
def test_any_key_is_awaited_for_some_time(typed, seconds, answer):
    import pty

    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-c", WAITER.format(seconds)], environment())
    _read_until(terminal, b"ready")
    if typed:
        time.sleep(0.3)
        os.write(terminal, typed)
    _read_until(terminal, answer)
    os.close(terminal)
    os.waitpid(pid, 0)


def test_without_a_terminal_nothing_is_awaited(monkeypatch):
    monkeypatch.setattr(keys.sys, "stdin", None)
    began = time.monotonic()
    assert not keys.any_key(30)
    assert time.monotonic() - began < 5
