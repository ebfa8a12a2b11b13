"""The numbered scripts on disk are those of the table, and every row is a command that the parser takes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from facewright.cli import build_cli
from facewright.core.command import CommandPackage
from facewright.core.hints import SCRIPTS
from facewright.launchers import TESTS, all_files, render, unlisted_scripts, write_launchers

REPOSITORY = Path(__file__).resolve().parents[1]


def test_bytes_on_disk_are_those_of_the_table() -> None:
    files = all_files()
    assert [file for file, data in files.items() if (REPOSITORY / file).read_bytes() != data] == [], (
        "run: main.py launchers"
    )
    for file, data in files.items():
        if file.endswith(".sh"):
            assert os.access(REPOSITORY / file, os.X_OK), file
            assert b"\r" not in data, file
        else:
            assert data.count(b"\n") == data.count(b"\r\n"), file


def test_no_further_numbered_script() -> None:
    assert unlisted_scripts(REPOSITORY) == []


@pytest.mark.parametrize("name", list(SCRIPTS))
def test_every_row_parses(name: str) -> None:
    command_name, *flags = SCRIPTS[name].split()
    group = build_cli(CommandPackage())
    with group.make_context("main.py", [command_name, *flags], resilient_parsing=True) as context:
        command = group.get_command(context, command_name)
        assert command is not None, f"there is no command {command_name!r}"
        with command.make_context(command_name, list(flags)) as inner:
            assert not inner.args
            given = {k: v for k, v in inner.params.items() if v not in (None, False)}
            assert len(given) == len(flags) / 2


def test_every_command_is_reachable() -> None:
    """A command without a script is one of the few that are typed."""
    scripted = {line.split()[0] for line in SCRIPTS.values()}
    typed = {"benchmark", "inspect"}
    assert CommandPackage().modules.keys() <= scripted | typed


def test_writing_repairs_what_differs(tmp_path: Path) -> None:
    written = write_launchers(tmp_path)
    assert len(written) == 2 * (len(SCRIPTS) + 1)
    assert write_launchers(tmp_path) == []
    (tmp_path / "6_train.sh").write_text("echo broken")
    (tmp_path / "6_train.sh").chmod(0o644)
    assert write_launchers(tmp_path) == [tmp_path / "6_train.sh"]
    assert os.access(tmp_path / "6_train.sh", os.X_OK)
    (tmp_path / "9_mine.sh").write_text("")
    assert unlisted_scripts(tmp_path) == ["9_mine.sh"]


def test_scripts_are_ascii_and_short() -> None:
    for name in (*SCRIPTS, TESTS):
        for data in render(name).values():
            assert data.isascii()
            assert len(data.splitlines()) < 20


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A repository whose path has blanks, an umlaut, a quote and a dollar; its main.py prints its arguments."""
    root = tmp_path / "Ünser $Ordner's (1)"
    (root / "_internal" / "env" / "bin").mkdir(parents=True)
    write_launchers(root)
    shutil.copy(REPOSITORY / "_internal" / "bootstrap.sh", root / "_internal")
    # A whole environment as far as the shell can tell: the check passes, and Python is Python.
    (root / "_internal" / "bootstrap.py").write_text("")
    (root / "_internal" / "env" / "bin" / "python").symlink_to(sys.executable)
    (root / "main.py").write_text("import sys; print(sys.argv[1:]); sys.exit(7)")
    return root


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_script_passes_flags_through_and_returns_the_exit_code(elsewhere: Path, tmp_path: Path) -> None:
    link = tmp_path / "a link.sh"
    link.symlink_to(elsewhere / "4_src_extract_faces.sh")
    second = tmp_path / "link to the link.sh"
    second.symlink_to("a link.sh")
    for script in (elsewhere / "4_src_extract_faces.sh", link, second):
        answer = subprocess.run([script, "--yes", "two words", "*"], cwd="/", capture_output=True, text=True)
        assert answer.returncode == 7
        assert answer.stdout.strip() == "['extract', '--side', 'src', '--yes', 'two words', '*']"
    relative = subprocess.run(
        ["sh", "6_train.sh"], cwd=elsewhere, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": "/x"}
    )
    assert relative.stdout.strip() == "['train']"


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_script_says_when_there_is_no_python(elsewhere: Path, tmp_path: Path) -> None:
    (elsewhere / "_internal" / "env" / "bin" / "python").unlink()
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "dirname", "readlink"):
        (tools / name).symlink_to(str(shutil.which(name)))
    answer = subprocess.run(
        [elsewhere / "6_train.sh"], capture_output=True, text=True, env={"PATH": str(tools), "FACEWRIGHT_PYTHON": "no"}
    )
    assert answer.returncode == 1
    assert [line.split(":")[0].strip() for line in answer.stderr.splitlines()][1:] == ["Expected", "To fix it"]
