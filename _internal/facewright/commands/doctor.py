"""Say what is installed, which device will be used and how fast it is, and how to fix what is wrong.

Ends with exit code 1 when something is wrong.
"""

from dataclasses import dataclass
from pathlib import Path

from facewright.core import console
from facewright.core.bug_report import pack_logs
from facewright.core.command import Command
from facewright.core.errors import UserError
from facewright.core.hints import hint
from facewright.core.options import option
from facewright.core.workspace import Workspace
from facewright.doctor_checks import CheckResult, all_checks


@dataclass(frozen=True)
class Options:
    """What is done beside the checks."""

    report: bool = option(
        False,
        "Pack the log files for a bug report: no images, paths shortened, no addresses of pages.",
        remember=False,
    )
    measure: str = option(
        "",
        "Time a training step of this model anew with each installed engine (TensorFlow, JAX, torch). Where several "
        "can be used it is done once by itself; the quickest is taken.",
        remember=False,
    )


@dataclass(frozen=True)
class DoctorReport:
    """What was found.

    Attributes:
        findings: A line each.
        packed: The file for a bug report, None where none was asked for.
    """

    findings: tuple[CheckResult, ...]
    packed: Path | None = None


def run(workspace: Workspace, options: Options) -> DoctorReport:
    """Run every check and print a line for each.

    Raises:
        UserError: Something is wrong.
    """
    from facewright.train import engine_trial  # only now: a damaged package costs a finding, not the whole report

    if options.measure:
        engine_trial.measure_engines(options.measure)
    else:
        engine_trial.choose_engine()
    findings: list[CheckResult] = []
    packed = None
    for finding in all_checks(workspace):
        findings.append(finding)
        line = f"{'ok' if finding.right else 'WRONG':<6}{finding.what:<13}{finding.text}"
        if finding.right:
            console.say(line)
        else:
            console.warn(line)
        if finding.advice:
            console.say(f"{'':<19}{'-> ' if finding.right else 'To fix it: '}{finding.advice}")
    if options.report:
        packed = pack_logs(workspace.root)
        console.say(f"\nThe logs of this workspace, without images and with shortened paths: {packed}")
        console.say("Look into it before you send it.")
    wrong = [finding for finding in findings if not finding.right]
    if wrong:
        raise UserError(
            f"\nNot all is well: {', '.join(finding.what for finding in wrong)}.",
            "every line above to begin with ok.",
            f"follow the advice in those lines and run doctor again:{hint('doctor')}",
        )
    console.say("\nAll is well.")
    return DoctorReport(tuple(findings), packed)


COMMAND = Command(__doc__, Options, run, makes_workspace=True)
