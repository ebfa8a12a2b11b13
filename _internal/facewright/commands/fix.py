"""Search the frames without a face again at lower thresholds, then annotate: no face, several, or a suspicious one.

Manual annotation takes place in a window, or with --serve on a page in a browser (for a machine without a screen,
through ssh -L). Both show their keys. A frame that was accepted is saved at once and not offered again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from facewright.annotate.launch import (
    SUSPICIOUS_CHOICES,
    USUAL_KINDS,
    AnnotationOptions,
    ManualAnnotation,
    ask_kinds,
    can_show,
    frames_by_kind,
    parse_kinds,
    reasons_of,
    usual_faces,
)
from facewright.core import console
from facewright.core.command import Command
from facewright.core.errors import UserError
from facewright.core.options import option
from facewright.core.workspace import FRAMES_OF_SIDES, Side, Workspace
from facewright.extract.log import frames_to_search
from facewright.extract.open_frames import OpenFrame, open_frames
from facewright.extract.options import MendOptions
from facewright.extract.people import number_new
from facewright.extract.report import say_next
from facewright.extract.second_search import passes, search_again
from facewright.extract.session import mend_after_search
from facewright.extract.side_run import ModelLoader, SideRun, open_side
from facewright.extract.smooth_side import smooth_side
from facewright.extract.sources import FolderSource
from facewright.extract.unmend import undo_all, undo_stopped
from facewright.extract.verdict import say_verdict

SHOWN = 12  # odd frames whose reasons are said


@dataclass(frozen=True)
class FixOptions:
    """What is searched and looked at."""

    side: str = option(
        "dst",
        "Whose frames are looked at.",
        choices=FRAMES_OF_SIDES,
        remember=False,
    )
    slow: bool = option(
        False,
        "Also try dlib's large network where all else found nothing: 1 to 15 seconds per frame without a GPU.",
        ask="Try the slow network too",
    )
    undo_repairs: bool = option(
        False,
        "Give faces whose landmarks were repaired those back that were found, move faces that were filled in to the "
        "trash folder, and do nothing else. Neither is made again.",
        remember=False,
    )
    look: str = option(
        "",
        f"Which frames to annotate: some of {', '.join(SUSPICIOUS_CHOICES)}; usual (the first four) or none. "
        "Without this flag you are asked, where somebody is there to answer and there is a screen.",
        check=parse_kinds,
        remember=False,
    )


@dataclass(frozen=True)
class Options(AnnotationOptions, MendOptions, FixOptions):
    """What can be chosen."""


@dataclass(frozen=True)
class FixResult:
    """What was done.

    Attributes:
        found: Frame name -> files of the faces that the second search found in it.
        frames: How many frames a person accepted.
        unsearched: How many frames are still to be searched by the extraction.
    """

    found: Mapping[str, Sequence[str]]
    frames: int
    unsearched: int


def run(workspace: Workspace, options: Options, models: ModelLoader | None = None) -> FixResult:
    """Search again, report, and let a person look.

    Raises:
        UserError: The faces were never extracted, or what a person asked for cannot be shown or saved.
    """
    side = workspace.side(options.side)
    console.heading(f"Frames of {side.name} that need a look")
    with open_side(workspace, side, models) as side_run:
        frames = frames_to_search(side, or_video=False)
        side_run.frames = FolderSource(side, listed=frames)
        if side_run.log.settings is None:
            raise UserError(
                f"The faces of {side.name} were not extracted yet.",
                "an earlier run of the extraction, whose gaps are filled here.",
                f"extract them first:{side.hint('extract')}",
            )
        undo_stopped(side_run)
        if options.undo_repairs:
            return _undo(side_run)
        names = set(side_run.log.unfinished())
        faceless = [path for path in frames if path.name in names]
        found = search_again(side_run, faceless, passes(slow=options.slow))
        if found:
            number_new(side_run)
            smooth_side(side_run)
        mend_after_search(side_run, options.max_gap)
        worst = open_frames(side, side_run.log, side_run.faces)
        kinds = frames_by_kind(side_run, frames, worst)
        unsearched = sum(map(len, side_run.log.split(frames)))
        for line in _lines(side, found, kinds, worst, unsearched, usual_faces(side_run)):
            console.say(line)
        annotated = _annotate(side_run, frames, kinds, worst, options)
        number_new(side_run)
        smooth_side(side_run)  # as the extraction did: new faces steady their neighbours
        if annotated:  # an accepted frame counts as searched
            unsearched = sum(map(len, side_run.log.split(frames)))
    if unsearched:
        console.say(f"Next, the frames that were not searched yet:{side.hint('extract')}")
    else:
        say_next(side, side_run.faces)
    return FixResult(found, annotated, unsearched)


def _undo(side_run: SideRun) -> FixResult:
    """Take back what was made from the frames around."""
    restored, removed = undo_all(side_run)
    number_new(side_run)
    smooth_side(side_run)
    console.say(
        f"Faces with the landmarks that were found in them: {restored}. Filled-in faces in the trash: {removed}."
    )
    say_verdict(side_run.side, side_run.faces, side_run.log, fine=True)
    return FixResult({}, 0, 0)


def _annotate(
    side_run: SideRun,
    frames: Sequence[Path],
    kinds: dict[str, list[Path]],
    worst: Sequence[OpenFrame],
    options: Options,
) -> int:
    """Open window or page where somebody is there to look, or asked for it; else say how. Return the frames done."""
    if options.look:
        chosen = parse_kinds(options.look)
    elif any(kinds[name] for name in (*USUAL_KINDS, "deleted")):
        if console.interactive() and can_show(options):
            chosen = ask_kinds({name: len(paths) for name, paths in kinds.items()})
        elif options.serve:
            chosen = list(USUAL_KINDS)
        else:
            if any(kinds[name] for name in USUAL_KINDS):
                how = () if can_show(options) else ("--serve",)
                console.say(f"To annotate them:{side_run.side.hint('fix', '--look', 'usual', *how)}")
            return 0
    else:
        chosen = []
    wanted = {path for name in chosen for path in kinds[name]}
    settings = side_run.log.settings or {}
    reasons = reasons_of(worst, kinds) if wanted else None
    made = [path.name for path in kinds["made"]]
    ranks = {name: rank for rank, name in enumerate(dict.fromkeys([*made, *(one.name for one in worst)]))}
    ordered = [path for path in frames if path in wanted]
    ordered.sort(key=lambda path: ranks.get(path.name, len(ranks)))  # the worst first, others in the frames' order
    done = ManualAnnotation(options)(side_run, frames, ordered, settings, reasons)
    return done.frames


def _lines(
    side: Side,
    found: Mapping[str, Sequence[str]],
    kinds: dict[str, list[Path]],
    worst: Sequence[OpenFrame],
    unsearched: int,
    usual: int,
) -> Iterator[str]:
    names = {kind: [path.name for path in paths] for kind, paths in kinds.items()}
    if found:
        files = [name for names in found.values() for name in names]
        yield f"Faces found in frames that had none: {len(files)} ({console.listed(files)})."
        yield f"  Look at them in {side.aligned_dir}: at these thresholds other things are taken for faces too."
    if made := names["made"]:
        yield f"Frames with a face made from the frames around: {len(made)} ({console.listed(made)})."
    if left := names["faceless"]:
        yield f"Frames still without a face: {len(left)} ({console.listed(left)}). Conversion leaves them as they are."
    if usual > 1:
        yield f"Most frames have {console.counted(usual, 'face')}. To keep some of the people only:{side.hint('keep')}"
    if crowded := names["several"]:
        yield f"Frames with several faces: {len(crowded)} ({console.listed(crowded)})."
        yield f"  Delete from {side.aligned_dir} the faces of people who are not meant."
    if odd := names["suspicious"]:
        yield f"Frames with a suspicious face: {len(odd)} ({console.listed(odd)})."
        yield from (f"  {Path(one.name).stem}: {', '.join(one.reasons)}" for one in worst[:SHOWN])
    if deleted := names["deleted"]:
        yield f"Frames whose faces were deleted: {len(deleted)} ({console.listed(deleted)}). They are left alone."
    if unsearched:
        yield f"Frames not searched yet: {unsearched}."
    if not (found or made or left or crowded or odd or deleted or unsearched):
        many = "exactly one face" if usual < 2 else f"{console.counted(usual, 'face')} at most"
        yield f"Every frame has {many}, or was finished by a person."


COMMAND = Command(__doc__, Options, run)
