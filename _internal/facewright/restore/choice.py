"""What a user asks to have restored, and the choice from a list."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.hints import again, hint
from facewright.core.workspace import Side, Workspace


@dataclass(frozen=True)
class Row:
    """One thing that can be brought back.

    Attributes:
        name: As typed behind `--which`.
        text: What it is, in a line.
    """

    name: str
    text: str


@dataclass(frozen=True)
class RestoreRequest:
    """What the user asked for.

    Attributes:
        workspace: The project.
        side: Whose faces; other kinds pass it over.
        which: Number in the list or name; empty takes the newest, or asks.
        show: Print the list and bring nothing back.
    """

    workspace: Workspace
    side: Side
    which: str
    show: bool

    def choose(self, rows: Sequence[Row], nothing: UserError) -> int | None:
        """Return the index of the chosen row, None when only the list was wanted or a person said no.

        A person sees the list and is asked; else the chosen row is named.

        Args:
            rows: The newest first.
            nothing: Raised when there are none.

        Raises:
            UserError: There are none, or none is named so.
        """
        if not rows:
            raise nothing
        asking = not self.which and console.interactive()
        if self.show or asking:
            width = max(len(row.name) for row in rows)
            for number, row in enumerate(rows, 1):
                console.say(f"  {number:>3}  {row.name:<{width}}  {row.text}", needed=True)
        if self.show:
            return None
        if asking and len(rows) == 1:
            return 0 if console.confirm("Bring it back?", default=True) else None
        which = console.ask(f"Which [1] (1..{len(rows)}): ") if asking else self.which
        index = _find(which, [row.name for row in rows]) if which else 0
        if not asking:
            console.say(f"Bringing back {rows[index].name}: {rows[index].text.strip()}.")
        return index


def _find(which: str, names: Sequence[str]) -> int:
    if which in names:
        return names.index(which)
    if which.isascii() and which.isdigit() and 1 <= int(which) <= len(names):
        return int(which) - 1
    raise UserError(
        f"There is nothing {which!r} to restore.",
        f"a number from 1 (the newest) to {len(names)}, or a name of the list.",
        f"see them:{again('--list')}",
    )


@dataclass(frozen=True)
class RestoreReport:
    """What was brought back.

    Attributes:
        listed: Names of what there is to restore, the newest first.
        chosen: The one that was brought back; "" where only the list was wanted.
        files: Files that are back; for a model 1, its state.
    """

    listed: tuple[str, ...]
    chosen: str = ""
    files: int = 0


@dataclass(frozen=True)
class RestorableKind:
    """Something that `restore --what` knows to bring back.

    Attributes:
        help: A line for the prompt.
        run: Does it, holding the locks it needs; says what it did.
    """

    help: str
    run: Callable[[RestoreRequest], RestoreReport]


def nothing_there(workspace: Workspace, what: str) -> UserError:
    """Say that the trash holds nothing of the kind."""
    return UserError(
        f"There are no {what} in {workspace.trash}.",
        "files that a step put there: sort --by final, clear, or an extraction with --redo, say.",
        f"nothing needs to be done. All that the trash holds is shown by:{hint('restore --list --what all')}",
    )
