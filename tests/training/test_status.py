import io
import sys

from facewright.training.status import Status


def test_times_and_losses():
    status = Status()
    status.add(9.0, 5.0)
    for _ in range(4):
        status.add(0.2, 0.01)
    assert status.line(12, {"src": 0.25, "dst": 1.0}) == "#000012     200 ms  data wait 5.0%  src 0.2500  dst 1.0000"


def test_without_a_terminal_it_speaks_seldom(capsys):
    status = Status()
    for number in range(5):
        status.show(str(number))
    status.show("end", now=True)
    status.show("end", now=True)
    assert capsys.readouterr().out.split() == ["0", "end"]


def test_on_a_terminal_it_is_rewritten_in_place(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    status = Status()
    status.show("a long line")
    status.show("short")
    assert sys.stdout.getvalue() == "\ra long line\rshort      "
    status.clear()
    assert sys.stdout.getvalue().endswith("\r")


def test_a_terminal_that_is_gone_is_no_error(monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(sys, "stdout", Gone())
    monkeypatch.setattr(sys, "stderr", Gone())
    status = Status()
    status.show("one", now=True)
    status.say("two")
    status.clear()
    print("three")
