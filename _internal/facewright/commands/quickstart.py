"""Run all steps on the sample clips and name the finished video.

The sample goes into the workspace when nothing of yours is in it, otherwise into a folder of the same name with
_sample behind it. Every later run goes on where the last one was.
"""

import filecmp
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from facewright.core import console
from facewright.core.command import Command
from facewright.core.errors import UserError
from facewright.core.files import list_files, make_folder, write_bytes
from facewright.core.log_file import FOLDER as LOGS
from facewright.core.options import option
from facewright.core.workspace import Workspace

REPOSITORY = Path(__file__).resolve().parents[3]
SAMPLE = REPOSITORY / "_internal" / "sample"
CLIPS = ("data_src.mp4", "data_dst.mp4")
# Iterations after which the sample's swap is good; the time is some minutes on two cores.
ITERATIONS = 4000


@dataclass(frozen=True)
class Options:
    """What may be changed about the quick start."""

    target_iter: int = option(ITERATIONS, "Iterations of training.", low=1, high=10_000_000)


def run(workspace: Workspace, options: Options) -> None:
    """Put the sample in place and run every step on it, each as its numbered script would."""
    workspace = place_for_sample(workspace)
    console.say(f"The sample is in {workspace.root}. What an earlier run has finished is not done again.")
    began = time.monotonic()
    took = []
    for script, arguments in steps(options):
        console.heading(f"\n== {script}   (main.py {' '.join(arguments)})")
        started = time.monotonic()
        call_step([*arguments, "--yes", "--workspace", str(workspace.root)], script)
        took.append((script, time.monotonic() - started))
    report(workspace, took, time.monotonic() - began)


def steps(options: Options) -> Iterator[tuple[str, list[str]]]:
    """Yield (numbered script, its subcommand line)."""
    yield "2_extract_png_from_src", ["extract-frames", "--side", "src"]
    yield "3_extract_png_from_dst", ["extract-frames", "--side", "dst"]
    yield "4_src_extract_faces", ["extract", "--side", "src"]
    yield "5_dst_extract_faces", ["extract", "--side", "dst"]
    yield "6_train", ["train", "--model", "quick", "--target-iter", str(options.target_iter)]
    yield "7_convert", ["convert"]
    yield "8_to_mp4", ["make-video"]


def place_for_sample(workspace: Workspace) -> Workspace:
    """Copy the clips into the workspace, or into its neighbour when files of the user's own are there.

    Raises:
        UserError: Such files are in the neighbour too.
    """
    if is_free(workspace.root):
        return Workspace(put_clips(workspace.root))
    neighbour = workspace.root.with_name(workspace.root.name + "_sample")
    console.say(f"{workspace.root} holds files of your own and stays as it is. The sample goes to {neighbour}.")
    if not is_free(neighbour):
        raise UserError(
            f"{neighbour} holds clips that are not the sample's.",
            "an empty folder, or one that an earlier quickstart made.",
            "move that folder away, or name another: quickstart --workspace DIR",
        )
    return Workspace(put_clips(neighbour))


def is_free(root: Path) -> bool:
    """Whether a folder holds nothing of the user's own: no clip but the sample's, and nothing without the clips."""
    clips = [path for path in list_files(root) if path.stem in ("data_src", "data_dst")]
    if not clips:
        return not any(holds_files(path) for path in root.glob("[!.]*") if path.name != LOGS)
    samples = {name: SAMPLE / name for name in CLIPS}
    return all(path.name in samples and filecmp.cmp(path, samples[path.name], shallow=False) for path in clips)


def holds_files(path: Path) -> bool:
    """Whether a path is a file or a folder with a visible file somewhere in it."""
    return path.is_file() or any(p.is_file() and not p.name.startswith(".") for p in path.rglob("*"))


def put_clips(root: Path) -> Path:
    """Copy the clips that are missing; return the folder."""
    make_folder(root)
    for name in CLIPS:
        if not (root / name).exists():
            write_bytes(root / name, (SAMPLE / name).read_bytes())
    return root


def call_step(arguments: list[str], script: str) -> None:
    """Run a step as its own process, which gives its memory back when it ends.

    Raises:
        UserError: It ended with an error (which it has printed itself).
        KeyboardInterrupt: It was stopped; the step has then saved what it had.
    """
    process = subprocess.Popen([sys.executable, str(REPOSITORY / "main.py"), *arguments])
    stopped = False
    while process.poll() is None:
        try:
            process.wait()
        except KeyboardInterrupt:  # the child gets it too: let it save
            stopped = True
    if stopped or process.returncode in (130, -2):
        raise KeyboardInterrupt
    if process.returncode != 0:
        raise UserError(
            f"Step {script} ended with exit code {process.returncode}.",
            "every step to end well.",
            "see its message above; then start quickstart again: it goes on where it was.",
        )


def report(workspace: Workspace, took: list[tuple[str, float]], total: float) -> None:
    """Say how long each step took and where the results are."""
    console.heading("\n== Done")
    for script, seconds in took:
        console.say(f"  {script:<24}{seconds:7.1f} s")
    console.say(f"  {'together':<24}{total:7.1f} s\n")
    results = {
        "The video": workspace.result,
        "Its frames on one sheet": workspace.root / "merged_sheet.png",
        "The training's preview": workspace.model_dir / "preview.png",
    }
    for title, path in results.items():
        if path.exists():
            console.say(f"  {title:<24}{path}")
    console.say(
        "\nNow with clips of your own: copy them into the workspace as data_src.* and data_dst.* (move the sample's"
    )
    console.say("away), run 1_clear_workspace, then the other numbered scripts in order.")


COMMAND = Command(__doc__, Options, run, makes_workspace=True)
