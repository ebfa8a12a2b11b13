"""Say what is installed, which device will be used and how fast it is, and how to mend what is wrong.

Ends with exit code 1 when something is wrong.
"""

from dataclasses import dataclass

from facewright.commands._doctor_checks import Finding, all_checks
from facewright.core import console
from facewright.core.command import Command
from facewright.core.errors import UserError
from facewright.core.workspace import Workspace


@dataclass(frozen=True)
class Options:
    """There is nothing to choose."""


def run(workspace: Workspace, options: Options) -> None:
    """Run every check and print a line for each.

    Raises:
        UserError: Something is wrong.
    """
    wrong: list[Finding] = []
    for finding in all_checks(workspace):
        line = f"{'ok' if finding.right else 'WRONG':<6}{finding.what:<13}{finding.text}"
        if finding.right:
            console.say(line)
        else:
            wrong.append(finding)
            console.warn(line)
        if finding.advice:
            console.say(f"{'':<19}{'-> ' if finding.right else 'To fix it: '}{finding.advice}")
    if wrong:
        raise UserError(
            f"\nNot all is well: {', '.join(finding.what for finding in wrong)}.",
            "every line above to begin with ok.",
            "follow the advice in those lines and run doctor again.",
        )
    console.say("\nAll is well.")


COMMAND = Command(__doc__, Options, run, makes_workspace=True)
