"""Questions are seen wherever the output goes."""

import io

from facewright.core import console


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_question_is_seen_when_the_output_goes_to_a_file(monkeypatch):
    shown, prompts = Terminal(), []
    monkeypatch.setattr("sys.stdout", io.StringIO())
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setattr("builtins.input", lambda text: prompts.append(text) or " 7 ")
    assert console.ask("How many? ") == "7"
    assert shown.getvalue() == "How many? " and prompts == [""]


def test_a_question_on_a_terminal_goes_through_the_line_editor(monkeypatch):
    prompts = []
    monkeypatch.setattr("sys.stdout", Terminal())
    monkeypatch.setattr("builtins.input", lambda text: prompts.append(text) or "")
    assert console.ask("How many? ") == "" and prompts == ["How many? "]


def test_a_yes_or_no_question_answers_a_question_mark(typed, capsys):
    shown = typed("?", "n")
    assert not console.confirm("Rename 3 files?", default=True)
    assert len(shown) == 2 and "Enter means y" in capsys.readouterr().out


def test_numbers_of_things():
    assert [console.counted(n, "face") for n in (0, 1, 2, 1200)] == ["0 faces", "1 face", "2 faces", "1,200 faces"]
