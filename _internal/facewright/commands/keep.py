"""Keep one person, or a few, of data_src or data_dst: the faces of all others move to the trash folder.

The people are shown first, in a table, an image and a page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facewright.core import console
from facewright.core.command import Command
from facewright.core.errors import UserError
from facewright.core.files import move_to_trash
from facewright.core.hints import again
from facewright.core.options import option
from facewright.core.workspace import FACES_OF_SIDES, Side, Workspace
from facewright.extract.people import People, number_people
from facewright.extract.report import say_next
from facewright.extract.side_run import ModelLoader, open_side
from facewright.extract.verdict import say_verdict
from facewright.facesets.people_sheet import present_people
from facewright.ui.file_viewer import open_in_viewer


@dataclass(frozen=True)
class Options:
    """Whose faces, and who stays."""

    side: str = option(
        "dst",
        "Whose faces.",
        choices=FACES_OF_SIDES,
        remember=False,
    )
    person: str = option(
        "",
        "Numbers of those who stay, as the people step shows them: 2, or 1,3. Asked where it is not given.",
        remember=False,
    )


@dataclass(frozen=True)
class KeepReport:
    """Who stayed.

    Attributes:
        persons: Numbers of those who stay.
        moved: Faces of others that were moved.
        trash: Where they are; None where nothing was moved.
    """

    persons: tuple[int, ...]
    moved: int = 0
    trash: Path | None = None


def run(workspace: Workspace, options: Options, models: ModelLoader | None = None) -> KeepReport:
    """Number the people, ask who stays, move the others' faces.

    Raises:
        UserError: There are no faces, no such person, or nobody to ask.
    """
    side = workspace.side(options.side)
    console.heading(f"People of {side.name}")
    with open_side(workspace, side, models) as side_run:
        people = number_people(side_run)
        present_people(workspace, side, people)
        if len(people.persons) < 2 and not options.person:
            console.say("There is nobody else: nothing moves.")
            report = KeepReport(tuple(people.numbers()))
        else:
            chosen = parse_numbers(options.person, people) if options.person else _ask(workspace, side.name, people)
            report = _keep(workspace, side, people, chosen)
        side_run.faces.refresh()
        say_verdict(side, side_run.faces, side_run.log)
    say_next(side, side_run.faces)
    return report


def parse_numbers(text: str, people: People) -> list[int]:
    """Read numbers with commas or blanks between them.

    Raises:
        UserError: A word is no number, or nobody has it.
    """
    there = people.numbers()
    chosen: list[int] = []
    for word in text.replace(",", " ").split():
        if not (word.isascii() and word.isdigit()) or int(word) not in there:
            raise UserError(
                f"There is no person {word!r}.",
                f"one of {console.listed([str(number) for number in there], 20)}; several with commas between them.",
                "look at the table and give the number that stands there.",
            )
        chosen.append(int(word))
    if not chosen:
        raise UserError(
            "No person is named.",
            f"a number from {there[0]} to {there[-1]}." if there else "faces that could be compared.",
            "give the number, for example --person 1.",
        )
    return sorted(set(chosen))


def _ask(workspace: Workspace, name: str, people: People) -> list[int]:
    """Ask who stays; Enter keeps everybody."""
    if not console.interactive():
        raise UserError(
            "There is nobody to ask who stays.",
            "a terminal, or the number of a person.",
            f"name one or more numbers of the table:{again('--person', '1', '--yes')}",
        )
    open_in_viewer(workspace.root / f"{name}_people.png")
    while True:
        text = console.ask("Who stays? Numbers, with commas between them (Enter: everybody, ? for help): ")
        if not text:
            return people.numbers()
        if text == "?":
            console.say(
                "  The numbers stand in the table above, and beside the faces, on the sheet and on the page.",
                needed=True,
            )
            console.say(
                "  1 keeps the person with most faces, 1,3 two of them; what moves is asked once more.", needed=True
            )
            continue
        try:
            return parse_numbers(text, people)
        except UserError as problem:
            console.warn(f"{problem.happened} Expected {problem.expected}")


def _keep(workspace: Workspace, side: Side, people: People, chosen: Sequence[int]) -> KeepReport:
    others = [person for person in people.persons if person.number not in chosen]
    faces = [face.path for person in others for face in person.faces]
    names = ", ".join(map(str, chosen))
    if not others:
        console.say("Everybody stays: nothing moves.")
        return KeepReport(tuple(chosen))
    who = f"person {others[0].number}" if len(others) == 1 else f"{len(others)} other people"
    question = f"Keep {names} and move {console.counted(len(faces), 'face')} of {who} to {workspace.trash.name}/?"
    if not console.ask_permission(question, default=True):
        console.say("Nothing was moved.")
        return KeepReport(tuple(people.numbers()))
    target = move_to_trash(faces, workspace.trash, by=f"keep --person {','.join(map(str, chosen))}")
    kept = sum(len(person.faces) for person in people.persons if person.number in chosen)
    console.say(f"Kept {console.counted(kept, 'face')} (person {names}); moved {len(faces)} of others to {target}.")
    console.say(f"To bring them back:{side.hint('restore')}")
    if people.unknown:
        console.say(
            f"  Without a number, and still there: {console.counted(len(people.unknown), 'face')}. Look at them."
        )
    return KeepReport(tuple(chosen), len(faces), target)


COMMAND = Command(__doc__, Options, run)
