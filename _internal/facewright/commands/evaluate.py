"""Measure how good the result is: identity, expression, steadiness, light, and what else was touched.

Reads data_dst/, its aligned faces, data_dst/merged/ (or --result) and data_src/aligned/; writes evaluation.json
and a page, evaluation.html.
Nothing is trained and no frame is changed. A run that was stopped goes on where it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from facewright.core import console
from facewright.core.command import Command
from facewright.core.workspace import Workspace
from facewright.evaluate.options import EvaluateOptions
from facewright.evaluate.page import NAME as PAGE
from facewright.evaluate.page import write_page
from facewright.evaluate.pairs import FOLDER as PAIRS_FOLDER
from facewright.evaluate.pairs import NAME as PAIRS
from facewright.evaluate.pairs import PairResult, pairs_table, read_pairs, run_pairs
from facewright.evaluate.report import NAME, console_table, trip_table, write_report
from facewright.evaluate.session import evaluate


@dataclass(frozen=True)
class EvaluateReport:
    """What was found.

    Attributes:
        report: evaluation.json.
        page: evaluation.html.
        faces: How many faces were measured.
        figures: Name -> value; NaN where it cannot be known.
    """

    report: Path
    page: Path
    faces: int
    figures: Mapping[str, float]


@dataclass(frozen=True)
class PairsReport:
    """What came of several pairs of videos.

    Attributes:
        report: pairs.json.
        results: One for each pair.
    """

    report: Path
    results: tuple[PairResult, ...]


def run(workspace: Workspace, options: EvaluateOptions) -> EvaluateReport | PairsReport:
    """Measure, write the report, print the table.

    Raises:
        UserError: There is nothing to measure, or what there is does not fit dst.
    """
    if options.pairs:
        return evaluate_pairs(workspace, options)
    console.heading("Evaluating the result")
    found = evaluate(workspace, options)
    path, page = workspace.root / NAME, workspace.root / PAGE
    write_report(path, found)
    write_page(page, found)
    for line in (*console_table(found), *(trip_table(found.trip) if found.trip else ())):
        console.say(line)
    if found.reused:
        console.note(f"Looked at by an earlier run: {console.counted(found.reused, 'face')}.")
    if found.against:
        how = (
            f"{console.counted(found.against.paired, 'face')} in both"
            if found.against.paired
            else "they show other faces"
        )
        console.say(f"The other is {found.against.name}; {how}. * The difference is more than chance.")
    console.say(f"Curves, the worst and the best faces, and what these figures cannot know: {page}")
    values = {name: value.value for name, value in found.result.values.items()}
    return EvaluateReport(path, page, len(found.result.table), values)


def evaluate_pairs(workspace: Workspace, options: EvaluateOptions) -> PairsReport:
    """Take every pair of a list through all steps, and print one table.

    Raises:
        UserError: The list is damaged, or a step fails.
    """
    results = run_pairs(workspace, read_pairs(Path(options.pairs)), options)
    console.heading(f"\n== {console.counted(len(results), 'pair')}, {options.minutes:g} minutes of training each")
    for line in pairs_table(results):
        console.say(line)
    console.say(f"All figures: {workspace.root / PAIRS}; each pair has a page of its own below {PAIRS_FOLDER}/.")
    return PairsReport(workspace.root / PAIRS, tuple(results))


COMMAND = Command(__doc__, EvaluateOptions, run)
