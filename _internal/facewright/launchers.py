"""The two files that each script of the table in core/hints.py becomes.

`python main.py launchers` writes them; a test compares the files on disk with this table.
"""

import os
from pathlib import Path

from facewright.core.files import list_files, make_folder, write_bytes
from facewright.core.hints import SCRIPTS

# The tests are no subcommand: they run with tools that users do not need.
TESTS = "run_tests"

SHELL = """#!/bin/sh
# Written by "main.py launchers" from _internal/facewright/launchers.py: change it there.
script=$0
while [ -L "$script" ]; do
  target=$(readlink "$script")
  case $target in /*) script=$target ;; *) script=$(dirname -- "$script")/$target ;; esac
done
root=$(CDPATH= cd -- "$(dirname -- "$script")" && pwd -P)
{prepare}. "$root/_internal/bootstrap.sh"
{call}
"""

BATCH = """@echo off
rem Written by "main.py launchers" from _internal/facewright/launchers.py: change it there.
setlocal EnableExtensions DisableDelayedExpansion
chcp 65001 >nul
{prepare}
call "%~dp0_internal\\bootstrap.bat"
if not errorlevel 1 {call}
set "code=%errorlevel%"
rem A double-click starts "cmd /c script" without arguments: its window stays open until a key is pressed.
setlocal EnableDelayedExpansion
set "line=!cmdcmdline!"
if "%~1"=="" if not "!line:/c=!"=="!line!" pause
exit /b %code%
"""


def render(name: str) -> dict[str, bytes]:
    """Return the two files of a script: file name -> bytes (LF for .sh, CRLF for .bat)."""
    if name == TESTS:
        shell = SHELL.format(prepare="dev=--dev\n", call='cd -- "$root" && exec "$python" -m pytest "$@"')
        # "cd" comes last: after it cmd may take %~dp0 of a script that was named by a relative path for another folder.
        batch = BATCH.format(prepare='set "dev=--dev"', call='cd /d "%~dp0" && "%python%" -m pytest %*')
    else:
        line = SCRIPTS[name]
        shell = SHELL.format(prepare="dev=\n", call=f'exec "$python" "$root/main.py" {line} "$@"')
        batch = BATCH.format(prepare='set "dev="', call=f'"%python%" "%~dp0main.py" {line} %*')
    return {
        f"{name}.sh": shell.encode("ascii"),
        f"{name}.bat": batch.replace("\n", "\r\n").encode("ascii"),
    }


def all_files() -> dict[str, bytes]:
    """Return every launcher: file name -> bytes."""
    return {file: data for name in (*SCRIPTS, TESTS) for file, data in render(name).items()}


def write_launchers(folder: Path) -> list[Path]:
    """Write every launcher that is missing or differs; shell scripts are executable.

    Args:
        folder: The top folder of the repository.

    Returns:
        The files that were written.
    """
    written = []
    for file, data in all_files().items():
        path = make_folder(folder) / file
        if not path.is_file() or path.read_bytes() != data:
            write_bytes(path, data)
            written.append(path)
        if file.endswith(".sh") and not os.access(path, os.X_OK):
            path.chmod(0o755)
    return written


def unlisted_scripts(folder: Path) -> list[str]:
    """Return the names of numbered scripts in the folder that no row of the table makes."""
    scripts = [path.name for path in list_files(folder, (".sh", ".bat"))]
    return [name for name in scripts if name[0].isdigit() and name not in all_files()]
