"""Look at the converted frames, the worst first: each with what may be wrong with it, in words.

Every face is held against dst, against src and against the frames around it: landmarks that jump, a face that is
missing or was not replaced, another identity, a colour, a border or a sharpness of its own, a hole in the mask, a pose
that src does not have. Writes review_sheet.png, the worst before and after, and review.json.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facewright.core import console
from facewright.core.command import Command
from facewright.core.hints import hint
from facewright.core.options import option
from facewright.core.workspace import Workspace
from facewright.extract.side_run import ModelLoader
from facewright.marking.provenance import write_marked
from facewright.review.looking import Models
from facewright.review.ranking import FrameScore, places, worst_first
from facewright.review.session import Review, review
from facewright.review.sheet import sheet

SHEET_NAME = "review_sheet.png"


@dataclass(frozen=True)
class Options:
    """How much is shown."""

    first: int = option(20, "How many frames the table and the sheet show.", low=1, high=200)


@dataclass(frozen=True)
class ReviewReport:
    """What was found.

    Attributes:
        frames: Names of the frames that need a look, the worst first.
        reviewed: How many converted frames there are.
        sheet: The worst before and after; None where nothing needs a look.
    """

    frames: tuple[str, ...]
    reviewed: int
    sheet: Path | None


def run(workspace: Workspace, options: Options, models: Models | None = None) -> ReviewReport:
    """Measure, list and draw.

    Raises:
        UserError: As `facewright.review.session.review` says.
    """
    console.heading("The converted frames, the worst first")
    found = review(workspace, models or ModelLoader())
    listed = worst_first(found.scores)
    needing = [one for one in listed if one.needs_a_look]
    for line in _lines(found, needing, options.first):
        console.say(line, needed=True)
    drawn = None
    if needing:
        drawn = workspace.root / SHEET_NAME
        write_marked(drawn, sheet(found.clip, needing[: options.first]))
        console.say(f"Before and after: {drawn}")
        console.say(f"Place faces anew, or convert with other settings:{hint('fix --side dst')}{hint('convert')}")
    console.say(f"Next, make the video:{hint('make-video')}")
    return ReviewReport(tuple(one.name for one in needing), len(found.keys), drawn)


def _lines(found: Review, needing: Sequence[FrameScore], first: int) -> Iterator[str]:
    """Yield the table of the worst frames, and what is said of the others."""
    if not needing:
        yield f"None of {console.counted(len(found.keys), 'converted frame')} needs a look."
    else:
        where = len(places(found.scores))
        yield (
            f"{len(needing)} of {console.counted(len(found.keys), 'converted frame')} need a look, "
            f"at {console.counted(where, 'place')}:"
        )
        width = max(len(one.name) for one in needing[:first])
        for one in needing[:first]:
            yield f"  {one.name:<{width}} {one.score:>6.1f}  {'; '.join(one.reasons)}"
        if len(needing) > first:
            yield f"  and {len(needing) - first} more: see review.json, or --first {len(needing)}"
    if missing := len(found.clip.frames) - len(found.keys):
        yield f"Frames that are not converted yet: {missing}."
    if found.fine:
        yield f"Frames that somebody found right: {len(found.fine)}."


COMMAND = Command(__doc__, Options, run)
