"""What may be used for pay: the licence of each part that was trained, and a workspace that takes no other.

The code of every part may be used commercially; this is about trained weights. A detector or landmarker declares its
licence beside its name; what has no such declaration is not used in a commercial workspace.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from facewright.core.errors import UserError
from facewright.core.hints import RUN, again, hint
from facewright.core.workspace import Workspace

ANSWER_KEY, ANSWER = "licences", "commercial"


@dataclass(frozen=True)
class Licence:
    """The licence of a trained part.

    Attributes:
        part: What was trained.
        terms: Licence of the weights, and what their owners say.
        trained_on: On which images.
        commercial: Whether these terms allow commercial work.
    """

    part: str
    terms: str
    trained_on: str
    commercial: bool


NOT_STATED = Licence("", "not stated", "not stated", commercial=False)


def of_google(part: str) -> Licence:
    """Return the licence of a network of MediaPipe."""
    return Licence(part, "Apache-2.0", "Google's own images", commercial=True)


def commercial_answer(workspace: Workspace) -> bool | None:
    """Whether a workspace is for commercial work; None where nobody said so yet."""
    answer = workspace.answers(ANSWER_KEY).get(ANSWER)
    return answer if isinstance(answer, bool) else None


def remember_commercial(workspace: Workspace, commercial: bool) -> None:
    """Keep for what a workspace is; all later commands follow it."""
    workspace.remember(ANSWER_KEY, {ANSWER: commercial})


def commercial_only() -> bool:
    """Whether the command that runs works in a commercial workspace."""
    root = RUN.get().workspace
    return root is not None and commercial_answer(Workspace(root)) is True


class Part(Protocol):
    """A detector or landmarker as it is declared."""

    @property
    def name(self) -> str:
        """By which it is asked for."""

    @property
    def licence(self) -> Licence:
        """Of its weights."""


AnyPart = TypeVar("AnyPart", bound=Part)


def usable_part(parts: Sequence[AnyPart], name: str, kind: str, usual: str) -> AnyPart:
    """Return the part of a name, if it may be used in the workspace of the command that runs.

    Args:
        parts: All of the kind, the best first.
        name: By which it is asked for.
        kind: "detector"; the flag by which another one is chosen is called so.
        usual: The name of the usual one.

    Raises:
        UserError: No such name, or its licence does not allow commercial work, and the workspace is for that.
    """
    option, by_name = f"--{kind}", {part.name: part for part in parts}
    if name not in by_name:
        raise UserError(f"There is no {kind} {name!r}.", f"one of {', '.join(by_name)}.", f"use {option} {usual}.")
    licence = by_name[name].licence
    if licence.commercial or not commercial_only():
        return by_name[name]
    others = [part.name for part in parts if part.licence.commercial]
    words = RUN.get().words
    if words and words[0] == "extract":
        fix = f"take another one:{again(option, others[0])}"
    else:
        redo = ("--redo", option, others[0])
        lines = "".join(hint(f"extract --side {side}", *redo) for side in ("src", "dst"))
        fix = f"extract the faces again, with another one; the old ones move to the trash folder:{lines}"
    raise UserError(
        f"This workspace is for commercial work, and {licence.part or name} is not: {licence.terms}.",
        f"what may be used for pay: {option} {' or '.join(others)}.",
        fix,
    )
