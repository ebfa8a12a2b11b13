"""Run all steps on the sample clips and name the finished video.

The sample goes into the workspace when nothing of yours is in it, otherwise into a folder of the same name with
_sample behind it. Every later run goes on where the last one was. The training ends at its iteration, or after six
minutes: then it says how far it came, and the next run trains on.
"""

import filecmp
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facewright.core import console
from facewright.core.command import Command, CommandPackage
from facewright.core.errors import UserError
from facewright.core.files import list_files, make_folder, write_bytes
from facewright.core.hints import again, hint
from facewright.core.log_file import FOLDER as LOGS
from facewright.core.options import option
from facewright.core.safe_files import files_below
from facewright.core.workspace import Workspace
from facewright.train.console_line import time_text
from facewright.train.goal import parse_span
from facewright.train.pipeline import TrainingReport
from facewright.train.step_times import step_times

REPOSITORY = Path(__file__).resolve().parents[3]
SAMPLE = REPOSITORY / "_internal" / "sample"
CLIPS = ("data_src.mp4", "data_dst.mp4")
# Iterations after which the sample's swap is good; the time is some minutes on two cores.
ITERATIONS = 4000
TWO_CORES_SECONDS = 0.1  # per iteration of 4 + 4 faces, on two free cores with bfloat16


@dataclass(frozen=True)
class Options:
    """What may be changed about the quick start."""

    target_iter: int = option(ITERATIONS, "Iterations of training.", low=1, high=10_000_000)
    for_: str = option("6m", "End the training after so long, also before that: 6m, 1h30m.", check=parse_span)


@dataclass(frozen=True)
class Step:
    """A numbered script: its name, its subcommand, and the flags by name of their option."""

    script: str
    command: str
    flags: Mapping[str, str | int]

    @property
    def line(self) -> str:
        """The subcommand line."""
        flags = (f"--{name.rstrip('_').replace('_', '-')} {value}" for name, value in self.flags.items())
        return " ".join([self.command, *flags])


@dataclass(frozen=True)
class QuickstartReport:
    """What was made.

    Attributes:
        workspace: The folder that holds the sample.
        video: The finished video.
        seconds: Numbered script -> time that it took.
    """

    workspace: Path
    video: Path
    seconds: Mapping[str, float]


def run(workspace: Workspace, options: Options) -> QuickstartReport:
    """Put the sample in place and run every step on it, each as its numbered script would."""
    workspace = place_for_sample(workspace)
    console.say(f"The sample is in {workspace.root}. What an earlier run has finished is not done again.")
    console.say(how_long(options))
    began = time.monotonic()
    took, trained = {}, TrainingReport(workspace.model_dir, 0)
    for step in steps(options):
        console.heading(f"\n== {step.script}   ({step.line})")
        started = time.monotonic()
        made = run_step(workspace, step)
        trained = made if isinstance(made, TrainingReport) else trained
        took[step.script] = time.monotonic() - started
    say_report(workspace, took, time.monotonic() - began)
    if trained.result and trained.result.reason == "time":
        console.say(too_short(trained, options))
    return QuickstartReport(workspace.root, workspace.result, took)


def how_long(options: Options) -> str:
    """Say how long the training takes, which is most of the time: as the last one here, or as on another machine."""
    iterations, known, most = options.target_iter, step_times().get("quick"), parse_span(options.for_)
    seconds = iterations * (known.milliseconds / 1000 if known else TWO_CORES_SECONDS)
    elsewhere = f"about {time_text(seconds)} on two processor cores, twice that where they lack bfloat16, less on a GPU"
    whole = known.describe(iterations) if known else elsewhere
    if 0 < most < seconds:
        return (
            f"The training, most of the time, ends after {time_text(most)}; all of its "
            f"{console.counted(iterations, 'iteration')} take {whole}. Every later start trains on."
        )
    return f"The training, most of the time, takes {whole}."


def too_short(trained: TrainingReport, options: Options) -> str:
    """Say that the time was over before the iterations were done, and how to go on."""
    return (
        f"The training came to iteration {trained.iteration} of {options.target_iter} in {options.for_}: the face is "
        "softer than it can be. This trains on for as long again, and makes the video anew:"
        f"{again()}"
    )


def steps(options: Options) -> Iterator[Step]:
    """Yield the steps in their order."""
    yield Step("2_extract_png_from_src", "extract-frames", {"side": "src"})
    yield Step("3_extract_png_from_dst", "extract-frames", {"side": "dst"})
    yield Step("4_src_extract_faces", "extract", {"side": "src"})
    yield Step("5_dst_extract_faces", "extract", {"side": "dst"})
    limit = {"for_": options.for_} if options.for_ else {}
    yield Step("6_train", "train", {"model": "quick", "target_iter": options.target_iter, **limit})
    yield Step("7_convert", "convert", {})
    yield Step("8_to_mp4", "make-video", {})


def run_step(workspace: Workspace, step: Step) -> Any:
    """Run a step with the answers of earlier runs; nobody is asked.

    Returns:
        What the step reports.

    Raises:
        UserError: As the step says it.
        KeyboardInterrupt: It was stopped; the step has then saved what it had.
    """
    try:
        command = CommandPackage().load(step.command)
        return command.run_by_name(workspace, step.flags, console.Answers.YES, use_answers=True)
    except UserError as problem:
        fix = f"{problem.fix.rstrip('.')}; then start quickstart again: it goes on where it was."
        raise UserError(f"{step.script}: {problem.happened}", problem.expected, fix) from problem


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
            f"move that folder away, or name another:{hint('quickstart --workspace DIR')}",
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
    return path.is_file() or any(p.is_file() and not p.name.startswith(".") for p in files_below(path))


def put_clips(root: Path) -> Path:
    """Copy the clips that are missing; return the folder."""
    make_folder(root)
    for name in CLIPS:
        if not (root / name).exists():
            write_bytes(root / name, (SAMPLE / name).read_bytes())
    return root


def say_report(workspace: Workspace, took: Mapping[str, float], total: float) -> None:
    """Say how long each step took and where the results are."""
    console.heading("\n== Done")
    for script, seconds in took.items():
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
        "\nNow with clips of your own: copy them into the workspace as data_src.* and data_dst.* (move the sample's\n"
        f"away), then run the numbered scripts in order, beginning with:{hint('clear')}"
    )


COMMAND = Command(__doc__, Options, run, makes_workspace=True)
