"""The one program behind all scripts: `python main.py SUBCOMMAND [flags]`; `--help` lists the subcommands."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

INTERNAL = Path(__file__).resolve().parent / "_internal"
MENDED = "FACEWRIGHT_MENDED"


def start() -> int:
    """Run the command line; with another Python than the environment's, or a damaged one, mend and start again."""
    sys.path.insert(0, str(INTERNAL))
    try:
        from facewright.cli import main
    except ImportError as problem:
        if (problem.name or "").split(".")[0] == "facewright" or MENDED in os.environ:
            raise
        return start_in_environment()
    return main()


def start_in_environment() -> int:
    """Make the environment whole and run this program with its Python."""
    inside = Path(sys.prefix) == INTERNAL / "env"
    base = getattr(sys, "_base_executable", sys.executable)
    made = subprocess.call([base, str(INTERNAL / "bootstrap.py"), *(["--rebuild"] if inside else [])])
    if made != 0:
        return made
    python = INTERNAL / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    command = [str(python), __file__, *sys.argv[1:]]
    environment = {**os.environ, MENDED: "1"}
    if os.name != "nt":
        sys.stdout.flush()
        os.execve(command[0], command, environment)  # Ctrl-C and other signals reach the step itself
    process = subprocess.Popen(command, env=environment)
    while process.poll() is None:
        with contextlib.suppress(KeyboardInterrupt):  # the step gets it too, and saves what it has
            process.wait()
    return process.returncode


if __name__ == "__main__":
    sys.exit(start())
