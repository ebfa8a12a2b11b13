"""The extraction of one side: which frames are left, the search itself, and what is done over all faces at its end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import list_files, make_folder, move_to_trash
from facewright.core.hints import again
from facewright.core.images import write_image
from facewright.core.options import declared, kept_value
from facewright.core.workspace import Side
from facewright.extract.covers import find_covers
from facewright.extract.detectors.base import MANUAL_CHOICE, Detector
from facewright.extract.filters import BlurFilter, EachFace, FaceFilter, reject_false_face
from facewright.extract.identity_filter import identity_filter
from facewright.extract.log import ExtractionLog, LoggedSettings, frames_to_search
from facewright.extract.mend_side import mend_side
from facewright.extract.mesh_judge import JUDGED, NETWORKS, MeshJudge
from facewright.extract.options import ExtractOptions, describe_settings, settings_of
from facewright.extract.overlay import debug_file, draw_detections
from facewright.extract.people import number_after_extraction, number_new
from facewright.extract.pipeline import ExtractionConfig, FaceExtractor, extract_faces
from facewright.extract.report import ExtractionReport
from facewright.extract.rotation import parse_angles
from facewright.extract.side_run import SideRun
from facewright.extract.smooth_side import smooth_side
from facewright.extract.sources import FolderSource, SearchSource, Todo, same_video, video_of_frames
from facewright.extract.tflite import has_network
from facewright.extract.unmend import undo_stopped
from facewright.faces.align import FaceType
from facewright.faces.faceset import load_faceset


def _false_faces(options: ExtractOptions, run: SideRun) -> FaceFilter | None:
    return EachFace(reject_false_face) if options.false_face_filter else None


def _judged(options: ExtractOptions, run: SideRun) -> FaceFilter | None:
    if not options.false_face_filter or options.landmarker not in JUDGED:
        return None
    if not all(map(has_network, NETWORKS)):
        console.note("MediaPipe's networks are missing: nobody judges what is no face.")
        return None
    return MeshJudge()


def _blurred(options: ExtractOptions, run: SideRun) -> FaceFilter | None:
    return BlurFilter(options.blur_threshold, run.side.blurry_dir) if options.blur_threshold else None


def _identities(options: ExtractOptions, run: SideRun) -> FaceFilter | None:
    return identity_filter(options, run.models)


# What is asked about each face before it is saved, in this order. Each function looks at the options and returns a
# filter (see `facewright.extract.filters.FaceFilter`), or None where the options want none. It is called once, before
# the search; libraries and weights are loaded in it. Cheap filters come first.
FILTERS: tuple[Callable[[ExtractOptions, SideRun], FaceFilter | None], ...] = (
    _false_faces,
    _blurred,
    _judged,
    _identities,
)


def mend_after_search(run: SideRun, max_gap: int) -> None:
    """Repair and fill in between good faces, see `mend_side`; new faces get their numbers and steady their neighbours.

    Args:
        run: The side, whose faces were numbered and smoothed.
        max_gap: Frames of a gap at most.
    """
    options = options_of_settings(run.side, run.log.settings or {})
    names = [name for name in dict.fromkeys((options.detector, "dlib-hog")) if name not in MANUAL_CHOICE]

    def extractors() -> list[FaceExtractor]:
        found = [run.models.detector(name, sensitive=True) for name in names]
        return [make_extractor(run, options, detector, (), debug_dir=None) for detector in found]

    done = mend_side(run, max_gap, extractors)
    done.say()
    if done.any:
        number_new(run)
        smooth_side(run)


# What is done over all faces of the side once every frame was searched, in this order. Called at each run, also when
# there was nothing left to search: it does what is missing, quickly says nothing when nothing is, and can be killed
# and called again at any moment.
AFTER_SEARCH: tuple[Callable[[SideRun, ExtractOptions], None], ...] = (
    number_after_extraction,
    lambda run, options: smooth_side(run, options.smooth),
    lambda run, options: mend_after_search(run, options.max_gap),
    find_covers,
)


@dataclass(frozen=True)
class Annotated:
    """What a person did: how many frames were accepted, and how many faces they hold."""

    frames: int = 0
    faces: int = 0


class Annotator(Protocol):
    """Lets a person place faces (see `facewright.annotate`, which this package does not know)."""

    def __call__(
        self, run: SideRun, frames: Sequence[Path], wanted: Sequence[Path], settings: LoggedSettings
    ) -> Annotated:
        """Offer the wanted ones among all frames; the log and the faces of the run are kept up to date."""
        ...


def extract_side(
    run: SideRun, options: ExtractOptions, annotator: Annotator | None = None, *, fill_gaps: bool = False
) -> ExtractionReport:
    """Search all frames that were not searched yet; save faces, journal and debug images.

    Args:
        run: The side.
        options: What was chosen, without a contradiction (see `facewright.extract.options.contradiction`).
        annotator: Needed for the detector "manual" and for `fill_gaps`.
        fill_gaps: Let a person place faces in the frames in which none was found.

    Returns:
        What was done. Frames that could not be read are in it; all others are done then.

    Raises:
        UserError: No frames, faces of other settings are in the way, or a face could not be saved.
    """
    run.models.use_landmarker(options.landmarker)
    on_disk = fill_gaps or options.detector in MANUAL_CHOICE
    source = run.frames = _choose_source(run.side, options, on_disk=on_disk)
    # Photos are looked at before anything moves: if one does not serve, or lies among the old faces, nothing is lost.
    filters = make_filters(options, run) if options.person or options.not_person else None
    settings = settings_of(options)
    undo_stopped(run)
    known = _open_log(run, options, settings, source)
    todo = _todo(run, options, source, known)
    make_folder(run.side.aligned_dir)
    if todo.changed:
        _set_aside(run, todo.changed)
    report = ExtractionReport(run.side, before=todo.before, straight=source.straight)
    if todo.count != 0 or todo.frames:
        if options.detector in MANUAL_CHOICE:
            _annotate(run, settings, annotator, todo, report)
        else:
            _search(run, options, settings, source, todo, known, report, filters)
    if fill_gaps and options.detector not in MANUAL_CHOICE and annotator is not None:
        frames = frames_to_search(run.side, or_video=False)
        annotator(run, frames, frames_without_faces(run, frames), settings)
    searched = {face.path for face in run.faces.faces}
    for step in AFTER_SEARCH:
        step(run, options)
    report.faces += sum(face.path not in searched for face in run.faces.faces)  # found nearby, or filled in
    names = source.names(run.log)
    if options.debug:
        _draw_missing(run, source, names)
    report.finish(run.log, names, damage=source.damage())
    return report


def frames_without_faces(run: SideRun, frames: Sequence[Path]) -> list[Path]:
    """Return the searched frames that have no face and that no person finished."""
    unfinished, with_faces = set(run.log.unfinished()), run.faces.by_frame()
    return [path for path in frames if path.name in unfinished and path.stem not in with_faces]


def make_filters(options: ExtractOptions, run: SideRun) -> tuple[FaceFilter, ...]:
    """Return all filters that the options ask for; libraries, weights and photos are loaded."""
    return tuple(one for make in FILTERS if (one := make(options, run)) is not None)


def make_extractor(
    run: SideRun,
    options: ExtractOptions,
    detector: Detector,
    filters: Sequence[FaceFilter],
    *,
    debug_dir: Path | None,
    zoom: float = 1.0,
) -> FaceExtractor:
    """Return what finds, cuts and saves faces by these options."""
    config = ExtractionConfig(
        run.side.aligned_dir,
        run.workspace.trash,
        FaceType(options.face_type),
        options.size,
        debug_dir,
        min_face_px=options.min_face,
        max_faces=options.max_faces,
        level_eyes=options.align_eyes,
        second_pass=options.second_pass,
        zoom=zoom,
        rotations=parse_angles(options.rotate),
    )
    return FaceExtractor(config, detector, run.models.landmarker, filters)


def options_of_settings(side: Side, settings: LoggedSettings) -> ExtractOptions:
    """Return the options of an earlier run, as far as its journal notes them."""
    known = {spec.name: kept_value(spec, settings) for spec in declared(ExtractOptions) if spec.name in settings}
    return ExtractOptions(**{**known, "side": side.name.removeprefix("data_")})  # type: ignore[arg-type]


def _choose_source(side: Side, options: ExtractOptions, *, on_disk: bool) -> SearchSource:
    """Choose between the frames on disk and the video; it is offered where there are no frames."""
    straight = options.from_video
    if not straight and not on_disk and options.side == "src" and not side.frames() and len(side.videos()) == 1:
        question = f"There are no frames in {side.frames_dir}. Take them straight from {side.video().name}?"
        straight = console.interactive() and console.confirm(question, default=True)
    if not straight:
        return FolderSource(side, options.every)
    if side.frames():
        console.say(f"The frames in {side.frames_dir} are not read: --from-video takes those of {side.video().name}.")
    # It leads to the libraries for videos, which take half a second to import.
    from facewright.extract.video_source import VideoSource

    return VideoSource(side, options.fps, options.every)


def _open_log(run: SideRun, options: ExtractOptions, settings: LoggedSettings, source: SearchSource) -> ExtractionLog:
    """Return the log that counts; faces of other settings or another video move to the trash if the user agrees."""
    if options.skip_existing:
        return run.log.only_made_with(settings)
    if not options.redo:
        untouched = run.log.settings is None and not run.side.aligned()
        if untouched or (run.log.settings == settings and _same_video(run, source)):
            return run.log
        _ask_to_move(run, settings, source)
    side = run.side
    folders = [folder for folder in (side.debug_dir, side.blurry_dir) if folder.exists()]
    old = [*side.aligned(), *folders, side.extract_journal]
    target = move_to_trash(old, run.workspace.trash, by="extract --redo")
    if target:
        console.say(f"The old faces of {side.name} are in {target}.")
    run.start_anew()
    return run.log


def _same_video(run: SideRun, source: SearchSource) -> bool:
    """Whether the frames are those that were searched, as far as the video tells; files are looked at one by one."""
    was = str(run.log.header.get("video", ""))
    if source.straight:
        return same_video(was or video_of_frames(run.side), source.video)
    return not was or same_video(was, source.video)


def _ask_to_move(run: SideRun, settings: LoggedSettings, source: SearchSource) -> None:
    video = str(run.log.header.get("video", ""))
    known = run.log.settings
    was = describe_settings(known, video) if known else "by another program or an unknown run"
    now = describe_settings(settings, source.video if source.straight else "")
    happened = f"{run.side.aligned_dir} holds faces extracted {was}; now: {now}."
    if console.interactive():
        console.warn(happened)
        if console.confirm("Move them to the trash folder and extract anew?"):
            return
        happened = "Nothing was extracted, and nothing moved."
    raise UserError(
        happened,
        "the same settings as before, to go on, or --redo to begin anew.",
        f"give the old settings, or begin anew (the old faces are moved to the trash folder):{again('--redo')}",
    )


def _todo(run: SideRun, options: ExtractOptions, source: SearchSource, known: ExtractionLog) -> Todo:
    angles = parse_angles(options.rotate)
    again = known.not_rotated(angles) if angles else set()
    leave = set(run.faces.by_frame()) if options.skip_existing else set()
    return source.todo(known, again, leave)


def _set_aside(run: SideRun, changed: Sequence[Path]) -> None:
    """Move the faces of frames that are others now out of the way."""
    side = run.side
    names = {path.name for path in changed}
    console.say(f"Frames that changed since they were searched: {len(names)}. They are searched again.")
    blurred = [face.path for face in load_faceset(side.blurry_dir).faces if face.record.frame in names]
    stale = [face.path for face in run.faces.faces if face.record.frame in names]
    run.faces.discard(stale)
    stale += [path for path in (debug_file(side.debug_dir, frame) for frame in changed) if path.exists()]
    # A name may stand in both folders: two moves, two dated folders.
    for target in (move_to_trash(old, run.workspace.trash, by="extract, other frames") for old in (stale, blurred)):
        if target:
            console.say(f"Their old faces are in {target}.")


def _annotate(
    run: SideRun, settings: LoggedSettings, annotator: Annotator | None, todo: Todo, report: ExtractionReport
) -> None:
    if annotator is None:
        raise ValueError("the detector 'manual' needs an annotator")
    wanted = [frame for frame in todo.frames if isinstance(frame, Path)]
    done = annotator(run, frames_to_search(run.side), wanted, settings)
    report.frames, report.faces = done.frames, done.faces


def _search(
    run: SideRun,
    options: ExtractOptions,
    settings: LoggedSettings,
    source: SearchSource,
    todo: Todo,
    known: ExtractionLog,
    report: ExtractionReport,
    filters: tuple[FaceFilter, ...] | None,
) -> None:
    console.say(f"Frames to search with {options.detector}: {'all' if todo.count is None else todo.count}.")
    detector = run.models.detector(options.detector)
    debug_dir = make_folder(run.side.debug_dir) if options.debug else None
    filters = make_filters(options, run) if filters is None else filters
    extractor = make_extractor(run, options, detector, filters, debug_dir=debug_dir)
    angles = list(extractor.config.rotations)
    header: dict[str, Any] = {key: known.header[key] for key in ("video", "end", "round") if key in known.header}
    if source.straight:
        header["video"] = source.video
    written: set[str] = set()
    with run.log.writing() as log:
        log.begin(settings, **header)
        results = extract_faces(todo.frames, extractor, run.executor, ahead=source.ahead)
        for result in console.progress(results, total=todo.count, title="Faces", unit="frames"):
            earlier = known.entries.get(result.path.name, {})
            more: dict[str, Any] = {"tried": earlier["tried"]} if "tried" in earlier else {}
            if angles:
                more["turns"] = angles
            log.note(result, settings, **more)
            report.count(result)
            written.update(result.faces)
        header.update(source.end())
        log.begin(settings, **header)
    run.faces_written(written)


def _draw_missing(run: SideRun, source: SearchSource, names: set[str]) -> None:
    """Draw the debug images of frames that were searched without --debug."""
    side = run.side
    there = {path.name for path in list_files(side.debug_dir)}
    lacking = {name for name in names if debug_file(side.debug_dir, Path(name)).name not in there}
    if not lacking:
        return
    make_folder(side.debug_dir)
    faces = run.faces.by_frame()
    images = source.images(lacking)
    for path, image in console.progress(images, total=len(lacking), title="Drawing", unit="frames"):
        records = [face.record for face in faces.get(path.stem, [])]
        write_image(debug_file(side.debug_dir, path), draw_detections(image, records))
