"""Lines that users are told to run: they can be pasted from where the user is, and the command line takes them."""

import ast
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from facewright.cli import build_cli
from facewright.core import workers
from facewright.core.command import CommandPackage
from facewright.core.hints import PROGRAM, REPOSITORY, SCRIPTS, USUAL_WORKSPACE, again, command_line, hint, hints_of

PACKAGE = REPOSITORY / "_internal" / "facewright"
NAMES_SCRIPTS = {"core/hints.py", "launchers.py", "commands/quickstart.py"}
STEP = re.compile(r"\b\d(\.\d)?_(clear|extract|cut|src|dst|train|export|convert|to)_?\w*|\bmain\.py [a-z]")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="lines for a shell")


def test_a_script_is_named_beside_main_py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    assert command_line("extract --side src --redo") == "./4_src_extract_faces.sh --redo"
    assert command_line("make-video --container avi") == "./8.1_to_avi.sh"
    assert hint("convert").strip() == "./7_convert.sh"


def test_from_elsewhere_the_folder_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert command_line("convert") == shlex.quote(str(REPOSITORY / "7_convert.sh"))
    python, program, *words = shlex.split(command_line("inspect", "my file.png"))
    assert (program, words) == (str(REPOSITORY / PROGRAM), ["inspect", "my file.png"])
    asked = subprocess.run([python, "--version"], capture_output=True, text=True)
    assert asked.stdout.startswith("Python 3")


def test_another_workspace_is_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    with hints_of(Path("/some where"), ["sort", "--by", "blur"]) as another:
        assert another
        assert command_line("convert") == "./7_convert.sh --workspace '/some where'"
        assert command_line("convert --workspace", "/x") == "./7_convert.sh --workspace /x"
        assert shlex.split(again("--yes"))[-5:] == ["--by", "blur", "--yes", "--workspace", "/some where"]
        with hints_of(Path("/some where"), []) as another:
            assert not another
    with hints_of(USUAL_WORKSPACE, []):
        assert "--workspace" not in command_line("convert")


@pytest.mark.parametrize(
    ("typed", "anew", "words"),
    [
        (["--detector", "mtcnn", "--redo"], ["--detector", "blazeface"], ["--redo", "--detector", "blazeface"]),
        (["--detector=mtcnn", "--yes"], ["--detector", "blazeface"], ["--yes", "--detector", "blazeface"]),
        (["--alpha", "a.mp4"], ["--no-alpha"], ["a.mp4", "--no-alpha"]),
        (["--yes", "--mode", "light"], ["--yes"], ["--mode", "light", "--yes"]),
        (["--mode", "light"], [], ["--mode", "light"]),
    ],
)
def test_a_flag_that_is_given_anew_stands_once(typed: list[str], anew: list[str], words: list[str]) -> None:
    with hints_of(USUAL_WORKSPACE, ["inspect", *typed]):
        assert shlex.split(again(*anew))[-len(words) - 1 :] == ["inspect", *words]


def test_threads_know_the_workspace() -> None:
    with hints_of(Path("/elsewhere"), []), workers.threads(2) as pool:
        assert pool.submit(command_line, "convert").result().endswith("--workspace /elsewhere")


def texts_of(path: Path) -> Iterator[str]:
    """Yield the texts of a file that are no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def test_no_text_names_a_script_by_itself() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)}: {text!r} (core.hints.hint makes the line: script, folder and workspace)"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).as_posix() not in NAMES_SCRIPTS
        for text in texts_of(path)
        if STEP.search(text)
    ]
    assert not wrong


def hinted(path: Path) -> Iterator[list[str]]:
    """Yield the words of the hints in a file; what is known only in a run is None there, a side is src."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", "") or getattr(node.func, "attr", "")
        if name not in ("hint", "command_line") or path.name == "hints.py":
            continue
        words = [word for part in node.args for word in _words(part)]
        of_side = isinstance(node.func, ast.Attribute) and name == "hint"
        if words:
            yield [*words, "--side", "src"] if of_side else words


def _words(part: ast.expr) -> list[str]:
    if isinstance(part, ast.Constant):
        return str(part.value).split()
    if isinstance(part, ast.JoinedStr):
        text = "".join(str(v.value) if isinstance(v, ast.Constant) else "src" for v in part.values)
        return text.split()
    return [] if isinstance(part, ast.Starred) else ["?"]


def test_the_command_line_takes_every_hint() -> None:
    program, wrong, count = build_cli(CommandPackage()), [], 0
    for path in sorted(PACKAGE.rglob("*.py")):
        for words in hinted(path):
            if words[0] in ("?", "src", "launchers"):
                continue
            count += 1
            flags = program.flags(words[0])
            wrong += [f"{path.name}: {words}" for word in words[1:] if word[:2] == "--" and word not in flags]
            wrong += [] if flags else [f"{path.name}: no command {words}"]
    assert not wrong
    assert count > 40


def test_every_script_is_a_line() -> None:
    for script, line in SCRIPTS.items():
        assert Path(shlex.split(command_line(line))[0]).stem == script
