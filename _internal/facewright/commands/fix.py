"""Search the frames without a face again with finer eyes, then mend by hand: no face, several, or a suspicious one.

By hand means a window, or with --serve a page in a browser (for a machine without a screen, through ssh -L). Both show
their keys. A frame that was accepted is saved at once and not offered again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facewright.annotate import launch as by_hand
from facewright.commands.extract import face_writer, make_checks, options_of
from facewright.core import console
from facewright.core.command import Command
from facewright.core.errors import UserError
from facewright.core.files import make_folder
from facewright.core.journal import Journal
from facewright.core.options import option
from facewright.core.workspace import Side, Workspace
from facewright.extract.detection import Look
from facewright.extract.detectors.base import make_detector
from facewright.extract.identity_options import number_new
from facewright.extract.landmarks import Landmarker
from facewright.extract.log import Searched, Settings, frames_to_search, note, read_searched
from facewright.extract.pipeline import extract
from facewright.extract.smooth_side import SmoothOptions, smooth_side


@dataclass(frozen=True)
class FixOptions:
    """What is searched and looked at."""

    side: str = option(
        "dst",
        "Whose frames are looked at.",
        choices={"src": "data_src, the face that is put in", "dst": "data_dst, the video that is changed"},
        remember=False,
    )
    slow: bool = option(
        False,
        "Also try dlib's large network where all else found nothing: 1 to 15 seconds per frame without a card.",
        ask="Try the slow network too",
    )
    look: str = option(
        "",
        f"Which frames to look at by hand: some of {', '.join(by_hand.KINDS)}; usual (the first three) or none. "
        "Without this flag you are asked, where somebody is there to answer and there is a screen.",
        check=by_hand.parse_kinds,
        remember=False,
    )


@dataclass(frozen=True)
class Options(by_hand.HandOptions, FixOptions):
    """What can be chosen."""


@dataclass(frozen=True)
class Pass:
    """One more search: a detector at its most sensitive, in the frame enlarged `zoom` times."""

    detector: str
    zoom: float

    @property
    def name(self) -> str:
        """As it stands in the journal."""
        return f"{self.detector} x{self.zoom:g}"


QUICK = (Pass("mtcnn", 1.0), Pass("mtcnn", 2.0), Pass("dlib-hog", 1.0), Pass("dlib-hog", 2.0))
SLOW = (Pass("dlib-cnn", 1.0),)


def run(workspace: Workspace, options: Options) -> None:
    """Search again, report, and let a person look.

    Raises:
        UserError: The faces were never extracted, or what a person asked for cannot be shown or saved.
    """
    side = workspace.side(options.side)
    console.heading(f"Frames of {side.name} that need a look")
    with workspace.lock(side.name):
        frames = frames_to_search(side, or_video=False)
        searched = read_searched(side)
        if searched.settings is None:
            raise UserError(
                f"The faces of {side.name} were not extracted yet.",
                "an earlier run of the extraction, whose gaps are filled here.",
                f"run {side.extractor} first.",
            )
        names = set(searched.unfinished())
        before = [path for path in frames if path.name in names]
        found = _search(workspace, side, searched, before, (*QUICK, *SLOW) if options.slow else QUICK)
        kinds = by_hand.sort_out(side, frames, read_searched(side))
        for line in _lines(side, frames, found, kinds):
            console.say(line)
        _look(workspace, side, frames, searched.settings, kinds, options)
        number_new(side)
        smooth_side(workspace, side, SmoothOptions())  # as the extraction did: new faces steady their neighbours
        unsearched = any(read_searched(side).split(frames))
        following = {"data_src": "5_dst_extract_faces", "data_dst": "6_train"}
        console.say(f"Next: {side.extractor if unsearched else following[side.name]}.")


def _look(
    workspace: Workspace,
    side: Side,
    frames: Sequence[Path],
    settings: Settings,
    kinds: dict[str, list[Path]],
    options: Options,
) -> None:
    """Open window or page where somebody is there to look, or asked for it; else say how."""
    if options.look:
        chosen = by_hand.parse_kinds(options.look)
    elif any(kinds[name] for name in (*by_hand.USUAL, "deleted")):
        if console.interactive() and by_hand.can_show(options):
            chosen = by_hand.ask_kinds({name: len(paths) for name, paths in kinds.items()})
        elif options.serve:
            chosen = list(by_hand.USUAL)
        else:
            usual = any(kinds[name] for name in by_hand.USUAL)
            how = "" if by_hand.can_show(options) else " --serve"
            if usual:
                console.say(f"To mend them by hand: main.py fix --side {side.name[5:]} --look usual{how}")
            return
    else:
        chosen = []
    wanted = {path for name in chosen for path in kinds[name]}
    by_hand.work(workspace, side, frames, [path for path in frames if path in wanted], settings, options)


def _search(
    workspace: Workspace, side: Side, searched: Searched, faceless: Sequence[Path], passes: Sequence[Pass]
) -> dict[str, list[str]]:
    """Run the passes that a frame has not seen yet; return frame name -> files of its new faces."""
    found: dict[str, list[str]] = {}
    tried = {path: str(searched.entries[path.name].get("tried", "")).split(",") for path in faceless}
    if not any(_waiting(tried, one, found) for one in passes):
        return found
    settings = searched.settings or {}
    make_folder(side.aligned_dir)
    landmarker = Landmarker()
    options = options_of(side, settings)
    checks = make_checks(options, side)
    with Journal(side.extract_journal) as journal:
        for one in passes:
            waiting = _waiting(tried, one, found)
            if not waiting:
                continue
            detector = make_detector(one.detector, sensitive=True)
            debug_dir = side.debug_dir if side.debug_dir.is_dir() else None
            writer = face_writer(workspace, side, options, detector, landmarker, checks, debug_dir=debug_dir)
            outcomes = extract(waiting, detector, writer, Look(zoom=one.zoom, smallest=options.min_face))
            for outcome in console.progress(outcomes, total=len(waiting), title=one.name, unit="frames"):
                tried[outcome.path].append(one.name)
                note(journal, outcome, settings, tried=",".join(filter(None, tried[outcome.path])))
                if outcome.faces:
                    found[outcome.path.name] = outcome.faces
    return found


def _waiting(tried: dict[Path, list[str]], one: Pass, found: dict[str, list[str]]) -> list[Path]:
    return [path for path, names in tried.items() if one.name not in names and path.name not in found]


def _lines(
    side: Side, frames: Sequence[Path], found: dict[str, list[str]], kinds: dict[str, list[Path]]
) -> Iterator[str]:
    names = {kind: [path.name for path in paths] for kind, paths in kinds.items()}
    if found:
        files = [name for names in found.values() for name in names]
        yield f"Faces found in frames that had none: {len(files)} ({console.listed(files)})."
        yield f"  Look at them in {side.aligned_dir}: a search this keen also takes other things for faces."
    if left := names["faceless"]:
        yield f"Frames still without a face: {len(left)} ({console.listed(left)}). Conversion leaves them as they are."
    if crowded := names["several"]:
        yield f"Frames with several faces: {len(crowded)} ({console.listed(crowded)})."
        yield f"  Delete from {side.aligned_dir} the faces of people who are not meant."
    if odd := names["suspicious"]:
        yield f"Frames with a suspicious face: {len(odd)} ({console.listed(odd)})."
    if deleted := names["deleted"]:
        yield f"Frames whose faces were deleted: {len(deleted)} ({console.listed(deleted)}). They are left alone."
    unsearched = sum(map(len, read_searched(side).split(frames)))
    if unsearched:
        yield f"Frames not searched yet: {unsearched}. Run {side.extractor} again."
    if not (found or left or crowded or odd or deleted or unsearched):
        yield "Every frame has exactly one face, or was finished by hand."


COMMAND = Command(__doc__, Options, run)
