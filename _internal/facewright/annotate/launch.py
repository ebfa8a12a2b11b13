"""Faces by hand inside a step: its options, which frames are meant, and window or page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facewright.annotate import page, window
from facewright.annotate.session import Desk
from facewright.annotate.storage import Keeper
from facewright.annotate.suspicious import suspicious
from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.options import option
from facewright.core.workspace import Side, Workspace
from facewright.extract.detectors.base import MANUAL
from facewright.extract.landmarks import Landmarker
from facewright.extract.log import Searched, Settings
from facewright.faces.faceset import load_faceset
from facewright.ui.window import Window, has_screen, open_window

KINDS = {
    "faceless": "frames in which no face was found",
    "several": "frames with several faces",
    "suspicious": "frames with a face that may be none, or lies oddly",
    "deleted": "frames whose faces were deleted",
    "every": "every frame, those too that were done by hand before",
}
USUAL = ("faceless", "several", "suspicious")
SHORT = {"none": (), "usual": USUAL}  # further words for kinds
NOTHING = "none"


@dataclass(frozen=True)
class HandOptions:
    """Window or page."""

    serve: bool = option(
        False,
        "Work by hand on a page in a browser instead of a window; for machines without a screen, through ssh -L.",
        remember=False,
    )
    port: int = option(0, "Port of that page on 127.0.0.1; 0 takes a free one.", low=0, high=65_535)
    manual_window_size: int = option(
        1368, "Longest side of a frame in window or page, in pixels; 0 shows it in its own size.", low=0, high=4096
    )


@dataclass(frozen=True)
class ManualFix(HandOptions):
    """By hand within the extraction."""

    manual_fix: bool = option(
        False, "After the search, place faces by hand in the frames where none was found.", remember=False
    )


def contradiction(options: ManualFix, detector: str, *, from_video: bool) -> UserError | None:
    """Say what does not go together with work by hand, None when all does."""
    if not (options.manual_fix or detector == MANUAL):
        return None
    if from_video:
        return UserError(
            "Faces are placed by hand in frames on disk, not straight in a video.",
            "frames as files.",
            "run 2_extract_png_from_src, then extract without --from-video.",
        )
    return None if can_show(options) else no_screen()


def parse_kinds(text: str) -> list[str]:
    """Read a list of kinds such as "faceless,several"; "usual" is short for three of them, "none" for no kind.

    Raises:
        UserError: A word that is no kind.
    """
    typed = text.lower().replace(",", " ").split()
    words = [kind for word in typed for kind in SHORT.get(word, (word,))]
    for word in words:
        if word not in KINDS:
            raise UserError(
                f"{word!r} is no kind of frames.",
                f"some of {', '.join(KINDS)}, or usual, or none.",
                f'for example: --look "{",".join(USUAL)}"',
            )
    return words


def ask_kinds(counts: dict[str, int]) -> list[str]:
    """Ask which kinds of frames are to be looked at; kinds that have none are not offered."""
    offered = [name for name in KINDS if counts[name]]
    usual = [name for name in USUAL if counts[name]]
    for name in offered:
        console.say(f"  {name:<12} {counts[name]:>6}  {KINDS[name]}")
    shown = ",".join(usual) or NOTHING
    while True:
        text = console.ask(f"Look by hand at [{shown}] (some of these, or {NOTHING}): ")
        if not text:
            return usual
        try:
            return parse_kinds(text)
        except UserError as problem:
            console.warn(f"{problem.happened} Expected {problem.expected}")


def sort_out(side: Side, frames: Sequence[Path], searched: Searched) -> dict[str, list[Path]]:
    """Return the frames of every kind; those that a person finished stand under "every" alone."""
    faces = load_faceset(side.aligned()).by_frame()
    finished = {name for name, entry in searched.entries.items() if entry.get("by") == "hand"}
    open_ones = [path for path in frames if path.name not in finished]
    unfinished = set(searched.unfinished())
    odd = suspicious(frames, faces, video=side.timing_file.exists())
    empty = [path for path in open_ones if path.stem not in faces]
    return {
        "faceless": [path for path in empty if path.name in unfinished],
        "several": [path for path in open_ones if len(faces.get(path.stem, [])) > 1],
        "suspicious": [path for path in open_ones if path in odd],
        "deleted": [path for path in empty if searched.entries.get(path.name, {}).get("faces")],
        "every": list(frames),
    }


def can_show(options: HandOptions) -> bool:
    """Whether there is something to show frames on."""
    return options.serve or has_screen()


def no_screen() -> UserError:
    """Return what to say where there is neither screen nor page."""
    return UserError(
        "There is no screen for the window.",
        "a screen, or a browser on another machine.",
        "add --serve: the same work on a page, reached through ssh -L.",
    )


def work(
    workspace: Workspace,
    side: Side,
    frames: Sequence[Path],
    wanted: Sequence[Path],
    settings: Settings,
    options: HandOptions,
) -> Desk | None:
    """Let a person work through frames in the window, or on the page; without any frames there is nothing to do.

    Returns:
        The desk as it was left, None where there was nothing to do.

    Raises:
        UserError: Neither screen nor page, the port is taken, or a face could not be saved; what was accepted before
            is on the disk.
    """
    if not wanted:
        return None
    if not can_show(options):
        raise no_screen()
    shown = None if options.serve else open_window(window.TITLE)
    if shown is None and not options.serve:
        console.warn("The window does not open (Python without Tk? its package may be python3-tk). A page instead:")
    desk = Desk(
        frames,
        wanted,
        Keeper(side, workspace.trash, settings),
        Landmarker(),
        window_size=options.manual_window_size,
        room=shown.screen if shown else None,
    )
    try:
        _show(desk, shown, options.port)
    except KeyboardInterrupt:
        console.say("Stopped.")
    finally:
        desk.end()
        _tell(desk, side)
    return desk


def _show(desk: Desk, shown: Window | None, port: int) -> None:
    if shown is None:
        page.work(desk, port)
        return
    console.say(f"Frames to look at: {desk.left + 1}. The window shows its keys; h hides them.")
    try:
        window.work(desk, shown)
    finally:
        shown.close()


def _tell(desk: Desk, side: Side) -> None:
    console.say(f"Frames accepted by hand: {len(desk.accepted)} ({console.listed(desk.accepted)})."
                if desk.accepted else "Frames accepted by hand: 0.")  # fmt: skip
    if desk.left:
        console.say(f"Frames not looked at: {desk.left}. Run the step again: it offers them again.")
