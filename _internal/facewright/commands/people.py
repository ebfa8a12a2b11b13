"""Tell who is who: number the people of data_src or data_dst, show them in a table, an image and a page.

Faces are compared with each other, inside this folder. The step knows nobody and finds nobody.
"""

from dataclasses import dataclass

from facewright.core import console
from facewright.core.command import Command
from facewright.core.options import option
from facewright.core.workspace import FACES_OF_SIDES, Workspace
from facewright.extract.people import People, number_people
from facewright.extract.side_run import ModelLoader, open_side
from facewright.faces.grouping import MAX_GROUP_DISTANCE
from facewright.facesets.people_sheet import present_people


@dataclass(frozen=True)
class Options:
    """Whose faces, and what counts as one person."""

    side: str = option(
        "dst",
        "Whose faces.",
        choices=FACES_OF_SIDES,
        remember=False,
    )
    threshold: float = option(
        MAX_GROUP_DISTANCE,
        "How far apart two groups of faces may be, on the average, to be one person. Lower where two people share a "
        "number, higher where one person has several; with --renumber.",
        low=0.05,
        high=1.5,
        remember=False,
    )
    renumber: bool = option(False, "Forget the old numbers and number all faces anew.", remember=False)


def run(workspace: Workspace, options: Options, models: ModelLoader | None = None) -> People:
    """Number the people and show them.

    Raises:
        UserError: There are no faces.
    """
    side = workspace.side(options.side)
    console.heading(f"People of {side.name}")
    with open_side(workspace, side, models) as side_run:
        people = number_people(side_run, threshold=options.threshold, anew=options.renumber)
        present_people(workspace, side, people)
    lines = side.hint("keep") + side.hint("sort --by person")
    console.say(f"Next, keep whom you choose, or put each one's faces together:{lines}")
    return people


COMMAND = Command(__doc__, Options, run)
