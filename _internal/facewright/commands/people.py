"""Tell who is who: number the people of data_src or data_dst, show them in a table, a picture and a page.

Faces are compared with each other, inside this folder. The step knows nobody and finds nobody.
"""

from dataclasses import dataclass

from facewright.core import console
from facewright.core.command import Command
from facewright.core.options import option
from facewright.core.workspace import Side, Workspace
from facewright.extract.people import People, number_people
from facewright.faces.grouping import THRESHOLD
from facewright.facesets.common import no_faces, warn_of_bad_files
from facewright.facesets.people_sheet import show_people, table

KEEPERS = {"data_src": "4.3_src_keep_person", "data_dst": "5.4_dst_keep_person"}


@dataclass(frozen=True)
class Options:
    """Whose faces, and what counts as one person."""

    side: str = option(
        "dst",
        "Whose faces.",
        choices={"src": "faces of data_src", "dst": "faces of data_dst"},
        remember=False,
    )
    threshold: float = option(
        THRESHOLD,
        "How far apart two groups of faces may be, on the average, to be one person. Lower where two people share a "
        "number, higher where one person has several; with --renumber.",
        low=0.05,
        high=1.5,
        remember=False,
    )
    renumber: bool = option(False, "Forget the old numbers and number all faces anew.", remember=False)


def run(workspace: Workspace, options: Options) -> None:
    """Number the people and show them.

    Raises:
        UserError: There are no faces.
    """
    side = workspace.side(options.side)
    console.heading(f"People of {side.name}")
    with workspace.lock(side.name):
        people = number_people(side, threshold=options.threshold, anew=options.renumber)
        present(workspace, side, people)
    console.say(f"Next: {KEEPERS[side.name]} keeps whom you choose; sort --by person puts each one's faces together.")


def present(workspace: Workspace, side: Side, people: People) -> None:
    """Print the table, write sheet and page, name the faces that have no number.

    Raises:
        UserError: There are no faces.
    """
    if not people.persons and not people.unknown:
        raise no_faces(side, people.bad)
    warn_of_bad_files(people.bad, "is left alone")
    for line in table(people) if people.persons else ():
        console.say(line)
    if people.unknown:
        names = console.listed([face.path.name for face in people.unknown])
        console.say(f"Faces that could not be compared: {len(people.unknown)} ({names}).")
        console.say("  A half face shows too little by itself: its frame must be there. Or the file is damaged.")
    picture, page = show_people(workspace, side, people)
    if people.persons:
        console.say(f"A row of faces for each: {picture}")
    console.say(f"All faces by person: {page}")


COMMAND = Command(__doc__, Options, run)
