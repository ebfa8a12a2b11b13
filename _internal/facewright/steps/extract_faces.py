"""Find the faces of data_src or data_dst and save them aligned, with their data inside each PNG."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import make_folder, move_to_trash
from facewright.core.images import read_image, write_image
from facewright.core.journal import Journal
from facewright.core.workspace import Side, Workspace
from facewright.detect.base import make_detector
from facewright.detect.extraction import Check, FaceWriter, Outcome, annotate, debug_file, extract
from facewright.detect.landmarks import Landmarker
from facewright.detect.searched import Searched, Settings, begin, frames_to_search, note, read_searched
from facewright.faces.align import FaceType
from facewright.faces.faceset import load_faceset
from facewright.steps._extract_options import BasicOptions, RunOptions, settings_of

COMMAND = "extract"
SCRIPTS = {"src": "4_src_extract_faces", "dst": "5_dst_extract_faces"}


# Groups further down come first in the list of flags and in the questions.
@dataclass(frozen=True)
class Options(RunOptions, BasicOptions):
    """What can be chosen; all but the side has a default that suits the models."""


# What is asked about each face before it is saved, in this order. Each function looks at the options and returns a
# check (see `facewright.detect.extraction.Check`), or None where the options want none. It is called once, before the
# search; libraries and weights are loaded in it. The check itself runs in several threads at once.
CHECKS: tuple[Callable[[Options, Side], Check | None], ...] = ()

# What is done over all faces of the side once every frame was searched (who is who, smoothing over time, gaps fixed
# by hand), in this order, under the side's lock. Called at each run, also when there was nothing left to search: it
# does what is missing, quickly says nothing when nothing is, and can be killed and called again at any moment.
AFTER_SEARCH: tuple[Callable[[Workspace, Side, Options], None], ...] = ()


@dataclass
class Tally:
    """What happened so far."""

    frames: int = 0
    faces: int = 0
    gone: list[str] = field(default_factory=list)
    unreadable: list[UserError] = field(default_factory=list)

    def count(self, outcome: Outcome) -> None:
        """Add a frame."""
        if outcome.gone:
            self.gone.append(outcome.path.name)
        elif outcome.problem is not None:
            self.unreadable.append(outcome.problem)
        else:
            self.frames += 1
            self.faces += len(outcome.faces)


def run(workspace: Workspace, options: Options) -> None:
    """Search all frames that were not searched yet; save faces, journal and debug pictures.

    Raises:
        UserError: No frames, faces of other settings are in the way, or some frames are no pictures (the others
            are done then).
    """
    side = workspace.side(options.side)
    console.heading(f"Faces of {side.name}")
    with workspace.lock(side.name):
        frames = frames_to_search(side)
        settings = settings_of(options)
        searched = _earlier(workspace, side, settings, redo=options.redo)
        new, changed = searched.split(frames)
        make_folder(side.aligned_dir)
        if changed:
            _set_aside(workspace, side, changed)
        tally = Tally()
        todo = sorted([*new, *changed])
        if todo:
            _search(workspace, side, options, todo, tally)
        for step in AFTER_SEARCH:
            step(workspace, side, options)
        if options.debug:
            _draw_missing(side, frames)
        _report(side, options.side, read_searched(side), frames, tally, skipped=len(frames) - len(todo))
    if tally.unreadable:
        raise _unreadable(tally.unreadable)


def _earlier(workspace: Workspace, side: Side, settings: Settings, *, redo: bool) -> Searched:
    """Read what was done; faces of other settings go to the trash folder if the user says so."""
    searched = read_searched(side)
    known = searched.settings is not None
    if not redo:
        if searched.settings == settings or (not known and not side.aligned()):
            return searched
        was = _words(searched.settings) if searched.settings else "by another program or an unknown run"
        console.warn(f"{side.aligned_dir} holds faces extracted {was}; now: {_words(settings)}.")
        if not console.confirm("Move them to the trash folder and extract anew?"):
            raise UserError(
                f"{side.aligned_dir} holds faces extracted {was}.",
                "the same settings as before, to go on, or --redo to begin anew.",
                "add --redo (the old faces are moved to the trash folder), or give the old settings.",
            )
    old = [*side.aligned(), *([side.debug_dir] if side.debug_dir.exists() else []), side.extract_journal]
    target = move_to_trash(old, workspace.trash)
    if target:
        console.say(f"The old faces of {side.name} are in {target}.")
    return read_searched(side)


def _words(settings: Settings) -> str:
    return f"with {settings.get('detector')}, {settings.get('face_type')}, {settings.get('size')} px"


def _set_aside(workspace: Workspace, side: Side, changed: Sequence[Path]) -> None:
    """Move the faces of frames that are others now out of the way."""
    names = {path.name for path in changed}
    stale = [face.path for face in load_faceset(side.aligned()).faces if face.record.frame in names]
    stale += [path for path in (debug_file(side.debug_dir, frame) for frame in changed) if path.exists()]
    target = move_to_trash(stale, workspace.trash)
    console.say(f"Frames that changed since they were searched: {len(names)}. They are searched again.")
    if target:
        console.say(f"Their old faces are in {target}.")


def _search(workspace: Workspace, side: Side, options: Options, todo: Sequence[Path], tally: Tally) -> None:
    console.say(f"Frames to search with {options.detector}: {len(todo)}.")
    detector = make_detector(options.detector)
    debug_dir = make_folder(side.debug_dir) if options.debug else None
    writer = FaceWriter(
        side.aligned_dir,
        workspace.trash,
        detector,
        Landmarker(),
        FaceType(options.face_type),
        options.size,
        debug_dir,
        tuple(check for make in CHECKS if (check := make(options, side)) is not None),
    )
    settings = settings_of(options)
    with Journal(side.extract_journal) as journal:
        begin(journal, settings)
        outcomes = extract(todo, detector, writer)
        for outcome in console.progress(outcomes, total=len(todo), title="Faces", unit="frames"):
            note(journal, outcome, settings)
            tally.count(outcome)


def _draw_missing(side: Side, frames: Sequence[Path]) -> None:
    """Draw the debug pictures of frames that were searched without --debug."""
    lacking = [path for path in frames if not debug_file(side.debug_dir, path).exists()]
    if not lacking:
        return
    make_folder(side.debug_dir)
    faces = load_faceset(side.aligned()).by_frame()
    for path in console.progress(lacking, title="Drawing", unit="frames"):
        records = [face.record for face in faces.get(path.stem, [])]
        try:
            write_image(debug_file(side.debug_dir, path), annotate(read_image(path), records))
        except UserError:
            continue  # a frame that is no picture was named by the search


def _report(side: Side, name: str, searched: Searched, frames: Sequence[Path], tally: Tally, *, skipped: int) -> None:
    present = {path.name for path in frames}
    empty = [frame for frame in searched.faceless() if frame in present]
    if skipped:
        console.say(f"Frames searched before: {skipped}.")
    console.say(f"Frames searched: {tally.frames}. Faces saved: {tally.faces}, in {side.aligned_dir}.")
    if empty:
        console.say(f"Frames without a face: {len(empty)} ({console.listed(empty)}).")
        console.say(f"  fix --side {name} searches them again (5.3_dst_fix_faces for dst).")
    gone = sorted({*searched.gone(frames), *tally.gone})
    if gone:
        console.say(f"Frames that are no longer there: {len(gone)} ({console.listed(gone)}). Their faces stay.")
    console.say(f"Next: {SCRIPTS['dst'] if name == 'src' else '6_train'}.")


def _unreadable(problems: Sequence[UserError]) -> UserError:
    first = problems[0]
    if len(problems) == 1:
        return UserError(f"All other frames are done, but: {first.happened}", first.expected, first.fix)
    names = console.listed([problem.happened.split(" ")[0] for problem in problems])
    return UserError(
        f"All other frames are done, but {len(problems)} files are no pictures: {names}.", first.expected, first.fix
    )
