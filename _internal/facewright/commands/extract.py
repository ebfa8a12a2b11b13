"""Find the faces of data_src or data_dst and save them aligned, with their data inside each PNG."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from facewright.annotate import launch as by_hand
from facewright.core import console
from facewright.core.command import Command
from facewright.core.errors import UserError
from facewright.core.files import list_files, make_folder, move_to_trash
from facewright.core.images import write_image
from facewright.core.journal import Journal
from facewright.core.workspace import Side, Workspace
from facewright.extract import identity_options as who
from facewright.extract import smooth_side as calm
from facewright.extract.detection import Look
from facewright.extract.detectors.base import BY_HAND, Detector, make_detector
from facewright.extract.filters import Blurred, Check, false_face
from facewright.extract.landmarks import Landmarker
from facewright.extract.log import Searched, Settings, begin, frames_to_search, note, read_searched
from facewright.extract.options import ExtractOptions, contradiction, settings_of, words
from facewright.extract.pipeline import FaceWriter, annotate, debug_file, extract
from facewright.extract.report import Tally
from facewright.extract.rotation import parse_turns
from facewright.extract.sources import Files, Source, Todo, video_of_frames
from facewright.faces.align import FaceType
from facewright.faces.faceset import load_faceset

FOLLOWING = {"src": "5_dst_extract_faces", "dst": "6_train"}


# A group of options that lives in a file of its own is named before ExtractOptions; see there what is a setting.
@dataclass(frozen=True)
class Options(by_hand.ManualFix, calm.SmoothOptions, who.PeopleOptions, ExtractOptions):
    """What can be chosen; all but the side has a default that suits the models."""


def _false_faces(options: Options, side: Side) -> Check | None:
    return false_face if options.false_face_filter else None


def _blurred(options: Options, side: Side) -> Check | None:
    return Blurred(options.blur_threshold, side.blurry_dir) if options.blur_threshold else None


# What is asked about each face before it is saved, in this order. Each function looks at the options and returns a
# check (see `facewright.extract.filters.Check`), or None where the options want none. It is called once, before the
# search; libraries and weights are loaded in it. The check itself runs in several threads at once. Cheap ones first.
CHECKS: tuple[Callable[[Options, Side], Check | None], ...] = (_false_faces, _blurred, who.recognizer)


def _gaps_by_hand(workspace: Workspace, side: Side, options: Options) -> None:
    """Let a person place faces in the frames that have none (`--manual-fix`)."""
    if options.manual_fix and options.detector not in BY_HAND:
        frames = frames_to_search(side, or_video=False)
        wanted = by_hand.sort_out(side, frames, read_searched(side))["faceless"]
        by_hand.work(workspace, side, frames, wanted, settings_of(options), options)


# What is done over all faces of the side once every frame was searched (who is who, smoothing over time, gaps fixed
# by hand), in this order, under the side's lock. Called at each run, also when there was nothing left to search: it
# does what is missing, quickly says nothing when nothing is, and can be killed and called again at any moment.
AFTER_SEARCH: tuple[Callable[[Workspace, Side, Options], None], ...] = (
    _gaps_by_hand,
    who.number,
    calm.smooth_side,
)


def run(workspace: Workspace, options: Options) -> None:
    """Search all frames that were not searched yet; save faces, journal and debug pictures.

    Raises:
        UserError: Options that do not go together, no frames, faces of other settings are in the way, or some frames
            are no pictures (the others are done then).
    """
    wrong = contradiction(options) or who.contradiction(options)
    wrong = wrong or by_hand.contradiction(options, options.detector, from_video=options.from_video)
    if wrong:
        raise wrong
    side = workspace.side(options.side)
    console.heading(f"Faces of {side.name}")
    with workspace.lock(side.name):
        source = _source(side, options)
        # Photos are looked at before anything moves: one that does not serve, or lies among the old faces, is no harm.
        checks = make_checks(options, side) if options.person or options.not_person else None
        searched = _earlier(workspace, side, options, source)
        turns = parse_turns(options.rotate)
        again = searched.unturned(turns) if turns else set()
        leave = set(load_faceset(side.aligned()).by_frame()) if options.skip_existing else set()
        todo = source.todo(searched, again, leave)
        make_folder(side.aligned_dir)
        if todo.changed:
            _set_aside(workspace, side, todo.changed)
        tally = Tally()
        if todo.count != 0 or todo.frames:
            _search(workspace, side, options, source, todo, searched, tally, checks)
        for step in AFTER_SEARCH:
            step(workspace, side, options)
        searched = read_searched(side)
        if options.debug:
            _draw_missing(side, source, source.names(searched))
        tally.report(
            side,
            searched,
            source.names(searched),
            before=todo.before,
            following=FOLLOWING[options.side],
            straight=source.straight,
        )
    wrong = tally.problem() or source.damage()
    if wrong:
        raise wrong


def _source(side: Side, options: Options) -> Source:
    """Choose between the frames on disk and the video; it is offered where there are no frames."""
    straight = options.from_video
    on_disk = options.manual_fix or options.detector in BY_HAND
    if not straight and not on_disk and options.side == "src" and not side.frames() and len(side.videos()) == 1:
        question = f"There are no frames in {side.frames_dir}. Take them straight from {side.video().name}?"
        straight = console.interactive() and console.confirm(question, default=True)
    if not straight:
        return Files(side, options.every)
    if side.frames():
        console.say(f"The frames in {side.frames_dir} are not read: --from-video takes those of {side.video().name}.")
    from facewright.extract.video_source import Video  # it leads to the libraries for videos

    return Video(side, options.fps, options.every)


def _earlier(workspace: Workspace, side: Side, options: Options, source: Source) -> Searched:
    """Read what was done; faces of other settings or another video go to the trash folder if the user says so."""
    searched = read_searched(side)
    settings = settings_of(options)
    if options.skip_existing:
        same = {name: entry for name, entry in searched.entries.items() if entry.get("settings") == settings}
        return replace(searched, entries=same)
    if not options.redo:
        untouched = searched.settings is None and not side.aligned()
        if untouched or (searched.settings == settings and _same_video(side, searched, source)):
            return searched
        _ask_to_move(side, searched, settings, source)
    _move_old(workspace, side)
    return read_searched(side)


def _same_video(side: Side, searched: Searched, source: Source) -> bool:
    """Whether the frames are those that were searched, as far as the video tells; files are looked at one by one."""
    was = str(searched.header.get("video", ""))
    if source.straight:
        return (was or video_of_frames(side)) == source.video
    return not was or was == source.video


def _ask_to_move(side: Side, searched: Searched, settings: Settings, source: Source) -> None:
    video = str(searched.header.get("video", ""))
    was = words(searched.settings, video) if searched.settings else "by another program or an unknown run"
    now = words(settings, source.video if source.straight else "")
    happened = f"{side.aligned_dir} holds faces extracted {was}; now: {now}."
    if console.interactive():
        console.warn(happened)
        if console.confirm("Move them to the trash folder and extract anew?"):
            return
        happened = "Nothing was extracted, and nothing moved."
    raise UserError(
        happened,
        "the same settings as before, to go on, or --redo to begin anew.",
        "add --redo (the old faces are moved to the trash folder), or give the old settings.",
    )


def _move_old(workspace: Workspace, side: Side) -> None:
    folders = [folder for folder in (side.debug_dir, side.blurry_dir) if folder.exists()]
    target = move_to_trash([*side.aligned(), *folders, side.extract_journal], workspace.trash, by="extract --redo")
    if target:
        console.say(f"The old faces of {side.name} are in {target}.")


def _set_aside(workspace: Workspace, side: Side, changed: Sequence[Path]) -> None:
    """Move the faces of frames that are others now out of the way."""
    names = {path.name for path in changed}
    console.say(f"Frames that changed since they were searched: {len(names)}. They are searched again.")
    blurred = [face.path for face in load_faceset(side.blurry_dir).faces if face.record.frame in names]
    stale = [face.path for face in load_faceset(side.aligned()).faces if face.record.frame in names]
    stale += [path for path in (debug_file(side.debug_dir, frame) for frame in changed) if path.exists()]
    # A name may stand in both folders: two moves, two dated folders.
    for target in (move_to_trash(old, workspace.trash, by="extract, other frames") for old in (stale, blurred)):
        if target:
            console.say(f"Their old faces are in {target}.")


def make_checks(options: Options, side: Side) -> tuple[Check, ...]:
    """Return all checks that the options ask for; libraries, weights and photos are loaded."""
    return tuple(check for make in CHECKS if (check := make(options, side)) is not None)


def face_writer(
    workspace: Workspace,
    side: Side,
    options: Options,
    detector: Detector,
    landmarker: Landmarker,
    checks: tuple[Check, ...],
    *,
    debug_dir: Path | None,
) -> FaceWriter:
    """Return what cuts and saves faces by these options."""
    return FaceWriter(
        side.aligned_dir,
        workspace.trash,
        detector,
        landmarker,
        FaceType(options.face_type),
        options.size,
        debug_dir,
        checks,
        smallest=options.min_face,
        most=options.max_faces,
        level_eyes=options.align_eyes,
        second_pass=options.second_pass,
    )


def options_of(side: Side, settings: Settings) -> Options:
    """Return the options of an earlier run, as far as its journal notes them."""
    known = {field.name for field in fields(Options)} & settings.keys()
    return Options(side=side.name.removeprefix("data_"), **{name: settings[name] for name in known})  # type: ignore[arg-type]


def _search(
    workspace: Workspace,
    side: Side,
    options: Options,
    source: Source,
    todo: Todo,
    searched: Searched,
    tally: Tally,
    checks: tuple[Check, ...] | None,
) -> None:
    if options.detector in BY_HAND:
        wanted = [Path(frame) for frame in todo.frames if isinstance(frame, Path)]
        desk = by_hand.work(workspace, side, frames_to_search(side), wanted, settings_of(options), options)
        tally.frames, tally.faces = (len(desk.accepted), desk.faces) if desk else (0, 0)
        return
    console.say(f"Frames to search with {options.detector}: {'all' if todo.count is None else todo.count}.")
    detector = make_detector(options.detector)
    debug_dir = make_folder(side.debug_dir) if options.debug else None
    checks = make_checks(options, side) if checks is None else checks
    writer = face_writer(workspace, side, options, detector, Landmarker(), checks, debug_dir=debug_dir)
    look = Look(turns=parse_turns(options.rotate), smallest=options.min_face)
    settings = settings_of(options)
    header: dict[str, Any] = {key: searched.header[key] for key in ("video", "end") if key in searched.header}
    if source.straight:
        header["video"] = source.video
    with Journal(side.extract_journal) as journal:
        begin(journal, settings, **header)
        outcomes = extract(todo.frames, detector, writer, look, ahead=source.ahead)
        for outcome in console.progress(outcomes, total=todo.count, title="Faces", unit="frames"):
            known = searched.entries.get(outcome.path.name, {})
            more: dict[str, Any] = {"tried": known["tried"]} if "tried" in known else {}
            if look.turns:
                more["turns"] = list(look.turns)
            note(journal, outcome, settings, **more)
            tally.count(outcome)
        header.update(source.end())
        begin(journal, settings, **header)


def _draw_missing(side: Side, source: Source, names: set[str]) -> None:
    """Draw the debug pictures of frames that were searched without --debug."""
    there = {path.name for path in list_files(side.debug_dir)}
    lacking = {name for name in names if debug_file(side.debug_dir, Path(name)).name not in there}
    if not lacking:
        return
    make_folder(side.debug_dir)
    faces = load_faceset(side.aligned()).by_frame()
    pictures = source.pictures(lacking)
    for path, picture in console.progress(pictures, total=len(lacking), title="Drawing", unit="frames"):
        records = [face.record for face in faces.get(path.stem, [])]
        write_image(debug_file(side.debug_dir, path), annotate(picture, records))


COMMAND = Command(__doc__, Options, run)
