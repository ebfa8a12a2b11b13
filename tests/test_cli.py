"""The command line: flags, questions, remembered answers, errors in three lines, exit codes."""

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType as Module

import pytest

from facewright import __version__, cli
from facewright.core.command import CommandPackage
from facewright.core.options import declared
from facewright.core.workspace import Workspace

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = "probe_commands"


PROBE = '''"""Probe the command line.

With a table:
  a   b
"""

from dataclasses import dataclass

from facewright.core.command import Command, MoreOptions
from facewright.core.options import option

CALLS = []


@dataclass(frozen=True)
class Options:
    rate: float = option(0.0, "Pictures per second.", low=0, high=240, ask="Rate")
    mode: str = option("plain", "What to do.", choices={"plain": "the first", "fancy": "the second"}, ask="Mode")
    sharp: bool = option(True, "Sharpen.", ask="Sharpen")
    size: int = option(256, "Side in pixels.", low=64, high=1024)


@dataclass(frozen=True)
class More:
    depth: int = option(3, "How deep.", low=1, high=9, ask="Depth")


def run(workspace, options, more):
    CALLS.append((workspace, options, more))


def more_options(workspace, options):
    return More if options.mode == "fancy" else None


COMMAND = Command(__doc__, Options, run, MoreOptions("mode", more_options))
'''

FAILING = '''"""Fail in the wanted way."""

from dataclasses import dataclass

from facewright.core.command import Command
from facewright.core.errors import UserError
from facewright.core.options import option


@dataclass(frozen=True)
class Options:
    how: str = option("user", "What goes wrong.", choices={"user": "", "stop": "", "bug": "", "package": ""})


def run(workspace, options):
    raise {
        "user": UserError("The cup is empty.", "a full cup.", "fill it."),
        "stop": KeyboardInterrupt(),
        "bug": ZeroDivisionError(),
        "package": ModuleNotFoundError("No module named 'mtcnn'", name="mtcnn"),
    }[options.how]


COMMAND = Command(__doc__, Options, run)
'''


@pytest.fixture
def probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Module]:
    """A package with two made-up commands; returns the module of `probe`, whose CALLS are its runs."""
    folder = tmp_path / "code" / PACKAGE
    folder.mkdir(parents=True)
    for name, text in {"__init__": "", "probe": PROBE, "go_wrong": FAILING, "_helper": "1 / 0"}.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder.parent))
    yield importlib.import_module(f"{PACKAGE}.probe")
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def main(*arguments: str) -> int:
    return cli.main(arguments, commands=PACKAGE)


def run(workspace: Workspace, *flags: str) -> int:
    return main("probe", "--workspace", str(workspace.root), *flags)


def fail(workspace: Workspace, how: str) -> int:
    return main("go-wrong", "--workspace", str(workspace.root), "--how", how)


def test_no_subcommand_shows_the_help(probe: Module, capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0
    shown = capsys.readouterr().out
    assert "probe" in shown and "Probe the command line." in shown and "go-wrong" in shown and "helper" not in shown


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


def test_help_shows_ranges_choices_and_defaults(probe: Module, capsys: pytest.CaptureFixture[str]) -> None:
    assert main("probe", "--help") == 0
    shown = capsys.readouterr().out
    folded = " ".join(shown.split())
    for text in ("[a number from 0 to 240; default: 0]", "plain the first", "fancy the second", "[default: plain]"):
        assert text in folded
    assert "--sharp / --no-sharp" in shown and "--yes" in shown and "  a   b" in shown
    assert "--depth" not in shown and "main.py probe --mode NAME --help" in folded


def test_help_shows_the_options_that_depend_on_others(probe: Module, capsys: pytest.CaptureFixture[str]) -> None:
    assert main("probe", "--mode", "fancy", "--help") == 0
    shown = capsys.readouterr().out
    assert "Options with --mode fancy:" in shown and "--depth" in shown


def test_flags_reach_the_step(probe: Module, workspace: Workspace) -> None:
    assert run(workspace, "--rate", "12.5", "--no-sharp", "--size=64") == 0
    assert [(workspace, probe.Options(12.5, "plain", False, 64), None)] == probe.CALLS


def test_flags_of_the_second_class_reach_the_step(probe: Module, workspace: Workspace) -> None:
    assert run(workspace, "--depth", "7", "--mode", "fancy", "--yes") == 0
    assert probe.CALLS[0][2] == probe.More(7)


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
    arguments: list[str],
    happened: str,
    probe: Module,
    capsys: pytest.CaptureFixture[str],
    workspace: Workspace,
) -> None:
    if arguments[0] == "probe" and "--workspace" not in arguments:
        arguments = ["probe", "--workspace", str(workspace.root), *arguments[1:]]
    assert main(*arguments) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == happened
    assert "\x1b" not in "".join(lines), "colour is for terminals"
    assert [line.split(":")[0] for line in lines[1:3]] == ["  Expected", "  To fix it"]
    assert probe.CALLS == []


MEANT = [
    (["prob", "--rate", "3"], "probe --rate 3"),
    (["probe", "--rat", "3"], "probe --rate 3"),
    (["probe", "--rat=3", "--yes"], "probe --rate=3 --yes"),
    (["probe", "--workspac", "/x"], "probe --workspace /x"),
    (["probe", "--mode", "fancy", "--dept", "3"], "probe --mode fancy --depth 3"),
    (["probe", "--mode", "fanzy", "--rate", "3"], "probe --mode fancy --rate 3"),
    (["probe", "--rate", "3", "--mode=fanzy"], "probe --rate 3 --mode=fancy"),
    (["probe", "--workspace", "fanzy", "--mode", "fanzy"], "probe --workspace fanzy --mode fancy"),
    (["probe", "--rate", "3", "fancy", "--yes"], "probe --rate 3 --mode fancy --yes"),
    (["probe", "fanzy"], "probe --mode fancy"),
    (["probe", "--zzz"], "probe --help"),
]


@pytest.mark.parametrize(("arguments", "line"), MEANT)
def test_what_was_probably_meant_is_named(
    arguments: list[str], line: str, probe: Module, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(*arguments) == 1
    assert capsys.readouterr().err.rstrip().endswith(line)


def test_the_first_line_names_the_workspace(
    probe: Module, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(workspace, "--yes") == 0
    assert str(workspace.root) in capsys.readouterr().out.splitlines()[0]


def test_quiet_and_verbose(probe: Module, workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main("go-wrong", "--workspace", str(workspace.root), "--how", "user", "--quiet") == 1
    shown = capsys.readouterr()
    assert shown.out == "" and "The cup is empty." in shown.err and "Traceback" not in shown.err
    assert main("go-wrong", "--workspace", str(workspace.root), "--how", "user", "--verbose") == 1
    shown = capsys.readouterr()
    assert "Options of go-wrong" in shown.out and "Traceback" in shown.err
    logged = [path.read_text() for path in sorted((workspace.root / "logs").iterdir())]
    assert all("Options of go-wrong" in text and "Workspace:" in text for text in logged)


def test_a_quiet_run_still_asks(
    probe: Module, workspace: Workspace, typed: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = typed("3", "2", "n", "5")
    assert run(workspace, "--quiet") == 0
    assert len(shown) == 4
    assert "fancy" in capsys.readouterr().out, "the choices of a question are shown"


def test_the_help_is_in_the_order_of_the_work_and_lists_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    places = [shown.index(f"\n  {name} ") for name in ("extract-frames", "extract", "train", "convert", "make-video")]
    assert places == sorted(places)
    assert re.search(r"Exit codes:\n  0 .*\n  1 [^$]*\n  130 ", shown)


def test_questions_are_asked_and_answers_remembered(
    probe: Module, workspace: Workspace, typed: Callable[..., list[str]]
) -> None:
    shown = typed("2", "n", "5")
    assert run(workspace, "--rate", "3") == 0
    assert [text.split(" [")[0] for text in shown] == ["Mode", "Sharpen", "Depth"]
    assert probe.CALLS[-1][1:] == (probe.Options(3.0, "fancy", False, 256), probe.More(5))
    assert run(workspace, "--yes") == 0
    assert probe.CALLS[-1][1] == probe.Options(0.0, "fancy", False, 256), "a flag is not remembered, answers are"
    assert probe.CALLS[-1][2] == probe.More(5)


def test_answers_to_what_is_never_asked_count_for_nothing(workspace: Workspace) -> None:
    """A workspace that somebody sent must not choose the model that is trained, or where it lies."""
    wanted = {"name": "../../mine/model/quick", "model": "h64", "pretrain": "/home", "serve": True, "target_iter": 5}
    (workspace.root / "answers.json").write_text(json.dumps({"train": wanted, "timelapse": wanted}))
    commands = CommandPackage()
    assert commands.load("train").remembered(workspace) == {"model": "h64", "target_iter": 5}
    assert commands.load("timelapse").remembered(workspace) == {}


def test_questions_are_not_asked_twice_with_flags(probe: Module, workspace: Workspace, typed: Callable) -> None:
    shown = typed()
    assert run(workspace, "--rate", "3", "--mode", "plain", "--sharp") == 0
    assert shown == []


def test_end_of_input_is_a_user_error(
    probe: Module, workspace: Workspace, typed: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    typed()
    assert run(workspace) == 1
    assert "--yes" in capsys.readouterr().err


@pytest.mark.parametrize("kept", ["not json", "[]", '{"probe": 5}', '{"probe": {"mode": "gone", "rate": "x", "q": 1}}'])
def test_damaged_memory_is_passed_over(probe: Module, workspace: Workspace, kept: str) -> None:
    (workspace.root / "answers.json").write_text(kept)
    assert run(workspace, "--yes") == 0
    assert probe.CALLS[0][1] == probe.Options()


def test_user_errors_and_interrupts(probe: Module, workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert fail(workspace, "user") == 1
    said = capsys.readouterr().err
    assert said.startswith("The cup is empty.\n  Expected: a full cup.\n  To fix it: fill it.\n")
    assert str(workspace.root / "logs") in said.splitlines()[3]
    assert fail(workspace, "stop") == 130
    assert "goes on where it was" in capsys.readouterr().out


def test_bugs_keep_their_traceback(probe: Module, workspace: Workspace) -> None:
    with pytest.raises(ZeroDivisionError):
        fail(workspace, "bug")


def test_missing_package_names_the_fix(probe: Module, workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert fail(workspace, "package") == 1
    assert "mtcnn is missing" in capsys.readouterr().err


@pytest.mark.parametrize("name", CommandPackage().modules)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert CommandPackage().summary(name).endswith((".", ":")), "the first line of its docstring is a sentence"
    assert cli.main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    flags = re.findall(r"^  (--[a-z-]+|-h, --help)", shown, re.M)
    assert {"--workspace", "--yes", "-h, --help"} <= set(flags)
    assert len(flags) == len(set(flags)), "no option hides a common flag"


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
    assert f"Workspace: {workspace.root}" in text
    assert "What decides the order." in text
    assert "'nonsense' does not fit --by" in text and "'99' does not fit --by" in text
    assert json.loads((workspace.root / "answers.json").read_text())["sort"] == {"by": "brightness"}
    assert (workspace.src.aligned_dir / "00000.png").exists()


def test_yes_ends_with_the_run(probe: Module, workspace: Workspace, typed: Callable) -> None:
    shown = typed("1", "y")
    assert run(workspace, "--yes") == 0
    assert shown == []
    assert run(workspace, "--rate", "3") == 0
    assert len(shown) == 2, "the next run asks again"


def test_long_help_stands_in_groups(capsys: pytest.CaptureFixture[str]) -> None:
    for name, titles in (("train", ("How it learns:", "Where it runs:")), ("extract", ("Which faces are kept",))):
        assert cli.main([name, "--help"]) == 0
        shown = capsys.readouterr().out
        assert all(title in shown for title in titles) and "Options of every command:" in shown
        assert all(f"  {spec.flag}" in shown for spec in declared(CommandPackage().load(name).options))


def test_a_set_is_not_worked_on_without_saying_what(
    workspace: Workspace, typed: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["faceset", "--yes", "--workspace", str(workspace.root)]) == 1
    assert "faceset" in capsys.readouterr().err.splitlines()[-2]
    shown = typed("", "remake")
    cli.main(["faceset", "--workspace", str(workspace.root)])
    assert [text.split(" [")[0] for text in shown[:2]] == ["What is to be done"] * 2, "Enter chooses nothing"


def test_nothing_is_asked_about_a_video_that_is_not_there(
    workspace: Workspace, typed: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = typed("25")
    assert cli.main(["extract-frames", "--side", "src", "--workspace", str(workspace.root)]) == 1
    assert shown == [] and "no video" in capsys.readouterr().err
