"""Look at the converted frames, the worst first: each with what may be wrong with it, in words.

Every face is held against dst, against src and against the frames around it: landmarks that jump, a face that is
missing or was not replaced, another identity, a colour, a border or a sharpness of its own, a hole in the mask, a pose
that src does not have. In a window, or with --serve on a page in a browser, each is found right, gets other landmarks
or other settings, fades to dst or keeps dst's face. Without a screen review_sheet.png shows the worst before and after.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from facewright.convert.engines import EngineModels
from facewright.core import console
from facewright.core.command import Command
from facewright.core.hints import hint
from facewright.core.options import option, port_option
from facewright.core.workspace import Workspace
from facewright.extract.side_run import ModelLoader
from facewright.marking.provenance import write_marked
from facewright.review.listing import ReviewList
from facewright.review.page import ReviewServer
from facewright.review.ranking import FrameScore, places, worst_first
from facewright.review.session import Review, review
from facewright.review.sheet import review_sheet
from facewright.review.window import TITLE, ReviewWindow
from facewright.ui.page import check_port
from facewright.ui.window import has_screen, open_window

SHEET_NAME = "review_sheet.png"
TOLD = 2  # reasons of a frame in the table
MOST = 200  # places in it


@dataclass(frozen=True)
class Options:
    """How much is shown."""

    first: int = option(20, "How many places the table shows, and frames the sheet.", low=1, high=MOST)
    serve: bool = option(
        False,
        "Look at them on a page in a browser, and decide about each; from another machine through ssh -L.",
        remember=False,
    )
    port: int = port_option()


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


def run(workspace: Workspace, options: Options, models: ModelLoader | None = None) -> ReviewReport:
    """Measure, list and draw.

    Raises:
        UserError: As `facewright.review.session.review` says.
    """
    console.heading("The converted frames, the worst first")
    if options.serve:
        check_port(options.port)
    loader = models or ModelLoader()
    found = review(workspace, loader)
    for line in _lines(found, options.first):
        console.say(line, needed=True)
    again = _decide(workspace, found, options, loader)
    drawn = None
    found = again or found
    needing = [one for one in worst_first(found.scores) if one.needs_a_look]
    if again is not None:
        console.say(f"Next, make the frames again about which you decided:{hint('convert')}")
    elif needing:
        drawn = workspace.root / SHEET_NAME
        write_marked(drawn, review_sheet(found.clip, needing[: options.first]))
        console.say(f"Before and after: {drawn}")
        console.say(f"To decide about each on a page in a browser:{hint('review', '--serve')}")
    console.say(f"Next, make the video:{hint('make-video')}")
    return ReviewReport(tuple(one.name for one in needing), len(found.keys), drawn)


def _decide(workspace: Workspace, found: Review, options: Options, models: ModelLoader) -> Review | None:
    """Let a person decide about the frames, on the page or in a window; return the newest review, None without."""
    listing, trained = ReviewList(workspace, found), partial(EngineModels, workspace)
    if options.serve:
        ReviewServer(workspace, listing, models, trained).serve(options.port)
        return listing.found
    if not (console.interactive() and has_screen() and any(one.needs_a_look for one in found.scores)):
        return None
    shown = open_window(TITLE)
    if shown is None:
        console.warn("The window does not open (Python without Tk? its package may be python3-tk).")
        return None
    try:
        ReviewWindow(workspace, listing, shown, models, trained).work()
    finally:
        shown.close()
    return listing.found


def _lines(found: Review, first: int) -> Iterator[str]:
    """Yield the table of the worst frames, and what is said of the others."""
    found_at = sorted(places(found.scores), key=lambda place: -place[0].score)
    needing, frames = sum(map(len, found_at)), console.counted(len(found.keys), "converted frame")
    if not needing:
        yield f"None of {frames} needs a look."
    else:
        need = "needs" if needing == 1 else "need"
        yield f"{needing} of {frames} {need} a look, at {console.counted(len(found_at), 'place')}:"
        width = max(len(place[0].name) for place in found_at[:first])
        yield from (_line(place, width) for place in found_at[:first])
        if (more := len(found_at) - first) > 0:
            yield f"  and {console.counted(more, 'more place')}: see review.json, or --first {min(len(found_at), MOST)}"
    if missing := len(found.clip.frames) - len(found.keys):
        yield f"Frames that are not converted yet: {missing}."
    if found.fine:
        yield f"Frames that somebody found right: {len(found.fine)}."


def _line(place: Sequence[FrameScore], width: int) -> str:
    """Return the worst frame of a place with its reasons, and where the others are."""
    worst = place[0]
    more = f"; and {len(worst.reasons) - TOLD} more" if len(worst.reasons) > TOLD else ""
    line = f"  {worst.name:<{width}} {worst.score:>6.1f}  {'; '.join(worst.reasons[:TOLD])}{more}"
    if len(place) == 1:
        return line
    ordered = sorted(place, key=lambda one: one.index)
    first, last = (Path(one.name).stem for one in (ordered[0], ordered[-1]))
    return f"{line}: {console.counted(len(place), 'frame')}, {first} to {last}"


COMMAND = Command(__doc__, Options, run)
