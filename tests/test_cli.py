"""The command line: flags, questions, remembered answers, errors in three lines, exit codes."""

import json
import os
import subprocess
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from facewright import __version__, cli
from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.options import option
from facewright.core.workspace import Workspace

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Options:
    rate: float = option(0.0, "Pictures per second.", low=0, high=240, ask="Rate")
    mode: str = option("plain", "What to do.", choices={"plain": "the first", "fancy": "the second"}, ask="Mode")
    sharp: bool = option(True, "Sharpen.", ask="Sharpen")
    size: int = option(256, "Side in pixels.", low=64, high=1024)


@dataclass(frozen=True)
class More:
    depth: int = option(3, "How deep.", low=1, high=9, ask="Depth")


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """A made-up step in place of the real ones; returns the list of its calls."""
    calls: list[tuple[object, ...]] = []
    module = types.ModuleType("probe_step", "Probe the command line.\n\nWith a table:\n  a   b")
    module.COMMAND = "probe"  # type: ignore[attr-defined]
    module.MORE_BY = "mode"  # type: ignore[attr-defined]
    module.Options = Options  # type: ignore[attr-defined]
    module.more_options = lambda workspace, options: More if options.mode == "fancy" else None  # type: ignore[attr-defined]
    module.run = lambda workspace, options, more: calls.append((workspace, options, more))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "probe_step", module)
    monkeypatch.setattr(cli, "step_files", lambda: (cli.StepFile("probe", "probe_step", "Probe the command line."),))
    return calls


def run(workspace: Workspace, *flags: str) -> int:
    return cli.main(["probe", "--workspace", str(workspace.root), *flags])


def test_no_subcommand_shows_the_help(probe: list, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    assert "probe" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


def test_help_shows_ranges_choices_and_defaults(probe: list, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["probe", "--help"]) == 0
    shown = capsys.readouterr().out
    folded = " ".join(shown.split())
    for text in ("[a number from 0 to 240; default: 0]", "plain the first", "fancy the second", "[default: plain]"):
        assert text in folded
    assert "--sharp / --no-sharp" in shown and "--yes" in shown and "  a   b" in shown
    assert "--depth" not in shown and "main.py probe --mode NAME --help" in folded


def test_help_shows_the_options_that_depend_on_others(probe: list, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["probe", "--mode", "fancy", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Options with --mode fancy:" in shown and "--depth" in shown


def test_flags_reach_the_step(probe: list, workspace: Workspace) -> None:
    assert run(workspace, "--rate", "12.5", "--no-sharp", "--size=64") == 0
    assert probe == [(workspace, Options(12.5, "plain", False, 64), None)]


def test_flags_of_the_second_class_reach_the_step(probe: list, workspace: Workspace) -> None:
    assert run(workspace, "--depth", "7", "--mode", "fancy", "--yes") == 0
    assert probe[0][2] == More(7)


WRONG = [
    (["probe", "--rate", "900"], "'900' does not fit --rate."),
    (["probe", "--rate", "nan"], "'nan' does not fit --rate."),
    (["probe", "--size", "1.5"], "'1.5' does not fit --size."),
    (["probe", "--mode", "rough"], "'rough' does not fit --mode."),
    (["probe", "--rate"], "Option '--rate' requires an argument."),
    (["probe", "--nonsense"], "No such option '--nonsense'."),
    (["probe", "--depth", "2"], "No such option '--depth'."),
    (["probe", "--mode", "fancy", "--depth", "70"], "'70' does not fit --depth."),
    (["probe", "left", "over"], "Got unexpected extra arguments (left over)"),
    (["nonsense"], "No such command 'nonsense'."),
    (["--nonsense"], "No such option '--nonsense'."),
    (["probe", "--workspace", "/not/there"], "There is no folder /not/there."),
    (["probe", "--workspace", __file__], f"{Path(__file__).absolute()} is a file."),
    (["probe", "--workspace", "~no such user/x"], f"There is no folder {Path('~no such user/x').absolute()}."),
]


@pytest.mark.parametrize(("arguments", "happened"), WRONG)
def test_wrong_command_lines(
    arguments: list[str], happened: str, probe: list, capsys: pytest.CaptureFixture[str], workspace: Workspace
) -> None:
    if arguments[0] == "probe" and "--workspace" not in arguments:
        arguments = ["probe", "--workspace", str(workspace.root), *arguments[1:]]
    assert cli.main(arguments) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == happened
    assert [line.split(":")[0] for line in lines[1:]] == ["  Expected", "  To fix it"]
    assert probe == []


def test_questions_are_asked_and_answers_remembered(
    probe: list, workspace: Workspace, typed: Callable[..., list[str]]
) -> None:
    shown = typed("2", "n", "5")
    assert run(workspace, "--rate", "3") == 0
    assert [text.split(" [")[0] for text in shown] == ["Mode", "Sharpen", "Depth"]
    assert probe[-1][1:] == (Options(3.0, "fancy", False, 256), More(5))
    assert run(workspace, "--yes") == 0
    assert probe[-1][1:] == (Options(0.0, "fancy", False, 256), More(5)), "a flag is not remembered, answers are"


def test_questions_are_not_asked_twice_with_flags(probe: list, workspace: Workspace, typed: Callable) -> None:
    shown = typed()
    assert run(workspace, "--rate", "3", "--mode", "plain", "--sharp") == 0
    assert shown == []


def test_end_of_input_is_a_user_error(
    probe: list, workspace: Workspace, typed: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    typed()
    assert run(workspace) == 1
    assert "--yes" in capsys.readouterr().err


@pytest.mark.parametrize("kept", ["not json", "[]", '{"probe": 5}', '{"probe": {"mode": "gone", "rate": "x", "q": 1}}'])
def test_damaged_memory_is_passed_over(probe: list, workspace: Workspace, kept: str) -> None:
    (workspace.root / "answers.json").write_text(kept)
    assert run(workspace, "--yes") == 0
    assert probe[0][1] == Options()


def test_user_errors_and_interrupts(
    probe: list, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise UserError("The cup is empty.", "a full cup.", "fill it.")

    monkeypatch.setattr(sys.modules["probe_step"], "run", fails)
    assert run(workspace) == 1
    assert capsys.readouterr().err == "The cup is empty.\n  Expected: a full cup.\n  To fix it: fill it.\n"

    def stops(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["probe_step"], "run", stops)
    assert run(workspace) == 130
    assert "goes on where it was" in capsys.readouterr().out


def test_bugs_keep_their_traceback(probe: list, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sys.modules["probe_step"], "run", breaks)
    with pytest.raises(ZeroDivisionError):
        run(workspace)


def test_missing_package_names_the_fix(
    probe: list, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lacks(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'mtcnn'", name="mtcnn")

    monkeypatch.setattr(sys.modules["probe_step"], "run", lacks)
    assert run(workspace) == 1
    assert "mtcnn is missing" in capsys.readouterr().err


def test_names_of_the_common_flags_are_free(workspace: Workspace) -> None:
    """No step declares an option that hides --workspace, --yes or --help."""
    for step in cli.step_files():
        command = cli.StepCommand(step)
        flags = [flag for param in command.params for flag in (*param.opts, *param.secondary_opts)]
        assert len(flags) == len(set(flags)), step.command
        assert "--help" not in flags and "-h" not in flags


@pytest.mark.parametrize("step", cli.step_files(), ids=lambda step: step.command)
def test_every_step_has_help(step: cli.StepFile, capsys: pytest.CaptureFixture[str]) -> None:
    assert step.help.endswith((".", ":")), "the first line of its docstring is a sentence"
    assert cli.main([step.command, "--help"]) == 0
    assert "--workspace" in capsys.readouterr().out


def test_program_runs_from_any_folder(tmp_path: Path) -> None:
    command = [sys.executable, str(REPOSITORY / "main.py"), "nonsense"]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert answer.returncode == 1
    assert "No such command" in answer.stderr and "Traceback" not in answer.stderr


@pytest.mark.skipif(os.name == "nt", reason="pty is a thing of Unix")
def test_real_terminal(workspace: Workspace, save_drawn_face: Callable[..., Path]) -> None:
    """The sort step in a real terminal: help on ?, a wrong answer asked again, the answer remembered."""
    import pty

    save_drawn_face(workspace.src.aligned_dir / "a.png", level=0.2)
    save_drawn_face(workspace.src.aligned_dir / "b.png", level=0.8)
    command = [sys.executable, str(REPOSITORY / "main.py"), "sort", "--workspace", str(workspace.root)]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, b"?\nnonsense\n99\nbrightness\n")
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # the other end closed: on Linux an error, elsewhere an empty read
        pass
    os.close(ours)
    assert process.wait(30) == 0
    text = shown.decode()
    assert text.count("Sort by [") == 4
    assert "What decides the order." in text
    assert "'nonsense' does not fit --by" in text and "'99' does not fit --by" in text
    assert json.loads((workspace.root / "answers.json").read_text())["sort"] == {"by": "brightness"}
    assert (workspace.src.aligned_dir / "00000.png").exists()


def test_yes_reaches_the_console(probe: list, workspace: Workspace) -> None:
    assert run(workspace, "--yes") == 0
    assert console.says_yes()
