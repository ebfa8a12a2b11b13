"""Manual annotation inside a command: its options, which frames are meant, and window or page."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from facewright.annotate import page, window
from facewright.annotate.board import Session
from facewright.annotate.desk import room_beside
from facewright.annotate.session import AnnotationSession
from facewright.annotate.storage import FaceStorage
from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.hints import hint
from facewright.core.options import option, port_option
from facewright.extract.log import LoggedSettings, finished_manually
from facewright.extract.open_frames import OpenFrame
from facewright.extract.session import Annotated, frames_without_faces
from facewright.extract.side_run import SideRun
from facewright.faces.record import MANUAL_DETECTOR
from facewright.ui.window import Window, has_screen, open_window

SUSPICIOUS_CHOICES = {
    "made": "frames with a face that was filled in or repaired from the frames around",
    "faceless": "frames in which no face was found",
    "several": "frames with several faces, more than most frames have",
    "suspicious": "frames with a face that may be none, lies oddly, or is missing among others",
    "deleted": "frames whose faces were deleted",
    "every": "every frame, those too that a person finished before",
}
USUAL_KINDS = ("made", "faceless", "several", "suspicious")
KIND_GROUPS = {"none": (), "usual": USUAL_KINDS}  # further words for kinds
NO_KIND = "none"
KIND_REASONS = {
    "made": "made from the frames around",
    "faceless": "no face",
    "several": "several faces",
    "deleted": "its faces were deleted",
}


@dataclass(frozen=True)
class AnnotationOptions:
    """Window or page."""

    serve: bool = option(
        False,
        "Annotate on a page in a browser instead of a window; for machines without a screen, through ssh -L.",
        remember=False,
    )
    port: int = port_option()
    manual_window_size: int = option(
        1368, "Longest side of a frame in window or page, in pixels; 0 shows it in its own size.", low=0, high=4096
    )


@dataclass(frozen=True)
class GapOptions(AnnotationOptions):
    """Manual annotation within the extraction."""

    manual_fix: bool = option(
        False, "After the search, place faces yourself in the frames where none was found.", remember=False
    )


def annotation_contradiction(options: GapOptions, detector: str, *, from_video: bool) -> UserError | None:
    """Say what does not go together with manual annotation, None when all does."""
    if not (options.manual_fix or detector == MANUAL_DETECTOR):
        return None
    if from_video:
        return UserError(
            "Faces are placed in frames on disk, not straight in a video.",
            "frames as files.",
            f"take the frames out first, then extract without --from-video:{hint('extract-frames --side src')}",
        )
    return None if can_show(options) else no_screen()


def parse_kinds(text: str) -> list[str]:
    """Read a list of kinds such as "faceless,several"; "usual" is short for four of them, "none" for no kind.

    Raises:
        UserError: A word that is no kind.
    """
    typed = text.lower().replace(",", " ").split()
    words = [kind for word in typed for kind in KIND_GROUPS.get(word, (word,))]
    for word in words:
        if word not in SUSPICIOUS_CHOICES:
            raise UserError(
                f"{word!r} is not a kind of frames.",
                f"some of {', '.join(SUSPICIOUS_CHOICES)}, or usual, or none.",
                f'for example: --look "{",".join(USUAL_KINDS)}"',
            )
    return words


def ask_kinds(counts: dict[str, int]) -> list[str]:
    """Ask which kinds of frames are to be looked at; kinds that have none are not offered."""
    offered = [name for name in SUSPICIOUS_CHOICES if counts[name]]
    usual = [name for name in USUAL_KINDS if counts[name]]
    for name in offered:
        console.say(f"  {name:<12} {counts[name]:>6}  {SUSPICIOUS_CHOICES[name]}")
    shown = ",".join(usual) or NO_KIND
    while True:
        text = console.ask(f"Frames to annotate [{shown}] (some of these, or {NO_KIND}): ")
        if not text:
            return usual
        try:
            return parse_kinds(text)
        except UserError as problem:
            console.warn(f"{problem.happened} Expected {problem.expected}")


def frames_by_kind(run: SideRun, frames: Sequence[Path], worst: Sequence[OpenFrame]) -> dict[str, list[Path]]:
    """Return the frames of every kind; those that a person finished stand under "every" alone.

    Args:
        run: The side at work.
        frames: All its frames.
        worst: Those that need a look, from `open_frames`.
    """
    entries, faces = run.log.entries, run.faces.by_frame()
    usual = usual_faces(run)
    finished = {name for name, entry in entries.items() if finished_manually(entry)}
    unfinished = [path for path in frames if path.name not in finished]
    odd = {one.name for one in worst}
    made = {face.record.frame for face in run.faces.faces if face.record.origin != "found"}
    bad = {path.name for path, _ in run.faces.bad}  # a face whose file is damaged is no deleted one
    saved = {name for name, entry in entries.items() if set(entry.get("faces") or ()) - bad}
    return {
        "made": [path for path in unfinished if path.name in made],
        "faceless": frames_without_faces(run, frames),
        "several": [path for path in unfinished if len(faces.get(path.stem, [])) > usual],
        "suspicious": [path for path in unfinished if path.name in odd],
        "deleted": [path for path in unfinished if path.name in saved and path.stem not in faces],
        "every": list(frames),
    }


def usual_faces(run: SideRun) -> int:
    """Return how many faces most frames with a face have: where two people talk, two are nothing to look at."""
    counts = [len(faces) for faces in run.faces.by_frame().values()]
    return statistics.median_low(counts) if counts else 0


def reasons_of(worst: Sequence[OpenFrame], kinds: Mapping[str, Sequence[Path]]) -> dict[str, tuple[str, ...]]:
    """Return why each frame is to be looked at, by its name.

    Args:
        worst: The frames that need a look, from `open_frames`.
        kinds: From `frames_by_kind`.
    """
    said = {one.name: one.reasons for one in worst}
    for kind, words in KIND_REASONS.items():
        for path in kinds[kind]:
            said[path.name] = tuple(dict.fromkeys((words, *said.get(path.name, ()))))
    return said


def can_show(options: AnnotationOptions) -> bool:
    """Whether there is something to show frames on."""
    return options.serve or has_screen()


def no_screen() -> UserError:
    """Return what to say where there is neither screen nor page."""
    return UserError(
        "There is no screen for the window.",
        "a screen, or a browser on another machine.",
        "add --serve: the same work on a page, reached through ssh -L.",
    )


class ManualAnnotation:
    """Lets a person work through frames in the window, or on the page; see `facewright.extract.session.Annotator`."""

    def __init__(self, options: AnnotationOptions) -> None:
        self._options = options

    def __call__(
        self,
        run: SideRun,
        frames: Sequence[Path],
        wanted: Sequence[Path],
        settings: LoggedSettings,
        reasons: Mapping[str, Sequence[str]] | None = None,
    ) -> Annotated:
        """Offer the wanted frames among all; without any there is nothing to do.

        Args:
            run: The side at work.
            frames: All frames.
            wanted: Those that are to be looked at.
            settings: Of the extraction.
            reasons: Why they are, by the frame's name.

        Raises:
            UserError: Neither screen nor page, the port is taken, or a face could not be saved; what was accepted
                before is on the disk.
        """
        if not wanted:
            return Annotated()
        shown = open_shown(self._options)
        session = AnnotationSession(
            frames,
            wanted,
            FaceStorage(run, settings),
            run.models.landmarker,
            window_size=self._options.manual_window_size,
            room=room_beside(shown.screen) if shown else None,
            reasons=reasons,
        )
        try:
            show(session, shown, self._options.port, f"Frames to look at: {session.left + 1}.")
        finally:
            _say_accepted(session)
        return Annotated(len(session.accepted), session.faces)


def open_shown(options: AnnotationOptions) -> Window | None:
    """Open the window; None where a page was asked for, or where Tk is missing, which is said.

    Raises:
        UserError: There is neither screen nor page.
    """
    if not can_show(options):
        raise no_screen()
    if options.serve:
        return None
    shown = open_window(window.TITLE)
    if shown is None:
        console.warn("The window does not open (Python without Tk? its package may be python3-tk). A page instead:")
    return shown


def show(session: Session, shown: Window | None, port: int, words: str) -> None:
    """Show a session in the window, or on a page; Ctrl-C ends it like its key q.

    Args:
        session: What is worked on; it is ended afterwards.
        shown: From `open_shown`.
        port: Of the page.
        words: What there is to do.

    Raises:
        UserError: The port is taken, or something could not be saved.
    """
    try:
        if shown is None:
            page.serve_session(session, port)
            return
        console.say(f"{words} The window shows its keys; h hides them.")
        try:
            window.show_session(session, shown)
        finally:
            shown.close()
    except KeyboardInterrupt:
        console.say("Stopped.")
    finally:
        session.end()


def _say_accepted(session: AnnotationSession) -> None:
    names = f" ({console.listed(session.accepted)})" if session.accepted else ""
    console.say(f"Frames accepted in manual annotation: {len(session.accepted)}{names}.")
    if session.left:
        console.say(f"Frames not looked at: {session.left}. Run the step again: it offers them again.")
