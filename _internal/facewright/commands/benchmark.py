"""Measure the speed of a part against its peers, side by side in one run; without --name, list what there is.

The benchmarks are the programs in tests/benchmarks/.
"""

import pydoc
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from facewright.core import console
from facewright.core.command import Command
from facewright.core.errors import UserError
from facewright.core.hints import hint
from facewright.core.options import option
from facewright.core.workspace import Workspace

REPOSITORY = Path(__file__).resolve().parents[3]
FOLDER = REPOSITORY / "tests" / "benchmarks"


def benchmarks() -> dict[str, str]:
    """Return the benchmarks: name -> first line of the file's docstring."""
    found = {}
    for path in sorted(FOLDER.glob("[!_]*.py")):
        with path.open(encoding="utf-8") as file:
            found[path.stem] = pydoc.source_synopsis(file) or ""
    return found


@dataclass(frozen=True)
class Options:
    """What to measure."""

    name: str = option("", "Name of the benchmark, as the list shows it.")
    arguments: str = option("", "Arguments for it, in one pair of quotes: --arguments '--frames 50'.")


@dataclass(frozen=True)
class BenchmarkReport:
    """What was measured.

    Attributes:
        known: Names of all benchmarks.
        ran: The one that ran; empty for the list.
    """

    known: tuple[str, ...]
    ran: str


def run(workspace: Workspace, options: Options) -> BenchmarkReport:
    """Run a benchmark as a program of its own, or list all.

    Raises:
        UserError: There is none of that name, or it failed.
    """
    known = benchmarks()
    if not options.name:
        for name, text in known.items():
            console.say(f"  {name:<24}{text}")
        if known:
            console.say(f"To run one:{hint('benchmark --name', next(iter(known)))}")
        return BenchmarkReport(tuple(known), "")
    if options.name not in known:
        raise UserError(
            f"There is no benchmark {options.name!r}.",
            f"one of {', '.join(known)}.",
            f"see them:{hint('benchmark')}",
        )
    script = FOLDER / f"{options.name}.py"
    start = f"import sys, runpy; sys.path.insert(0, {str(REPOSITORY / '_internal')!r}); sys.argv = sys.argv[1:]; "
    command = [sys.executable, "-c", f"{start}runpy.run_path({str(script)!r}, run_name='__main__')", str(script)]
    done = subprocess.run([*command, *options.arguments.split()], check=False)
    if done.returncode != 0:
        raise UserError(
            f"The benchmark {options.name} ended with exit code {done.returncode}.",
            "a measurement.",
            "read its message above.",
        )
    return BenchmarkReport(tuple(known), options.name)


COMMAND = Command(__doc__, Options, run, makes_workspace=True)
