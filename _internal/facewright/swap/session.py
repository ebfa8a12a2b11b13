"""One video to another: times, faces, model, conversion and encoding, resumed where an earlier run was stopped.

FOLDER/.swap/result.mp4/          beside the result: what a later run goes on with
    data_dst/frames.json          when each frame is shown
    data_dst/aligned/*.png        the faces, unless a folder of them was given
    mp4/                          finished segments, until they are joined
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from facewright.convert.cast import Cast
from facewright.convert.masks import DstFace
from facewright.convert.matching import NOT_NOTED, Matched, found_in, without_copies
from facewright.convert.parameters import ConvertOptions
from facewright.convert.plan import Job, OptionsOf, make_jobs, whole_faceset
from facewright.convert.session import Models, find_cast, load_cast, predict_with, say_models
from facewright.convert.settings_file import load_settings, say_settings, settings_path
from facewright.convert.stream import Done
from facewright.core import console
from facewright.core.contents import Contents
from facewright.core.errors import UserError
from facewright.core.files import make_folder
from facewright.core.hints import hint
from facewright.core.safe_files import remove_tree
from facewright.core.workspace import Side, Workspace
from facewright.extract.options import search_options
from facewright.extract.session import extract_side
from facewright.extract.side_run import ModelLoader, open_side
from facewright.faces.faceset import FaceFile
from facewright.swap.frames import SwappedFrames
from facewright.ui.contact_sheet import evenly
from facewright.video.filters import frame_bits
from facewright.video.frames import FrameSettings, VideoFrames, decoded_stamps, timing_of
from facewright.video.probe import VideoInfo, probe
from facewright.video.result import (
    ResultFile,
    ResultPlan,
    ResultSettings,
    encode_settings,
    hardware_encoder,
    say_audio,
    say_limits,
    wanted_audio,
)
from facewright.video.result_times import cut_timeline
from facewright.video.timing import Timing, frame_digits, frame_number, frame_stem, read_timing, write_timing

SCRATCH = ".swap"
LOOKED_AT = 8  # frames in which it is seen whether given faces are theirs


@dataclass(frozen=True)
class _VideoSide(Side):
    """data_dst of a swap: its video lies anywhere, its frames nowhere."""

    path: Path

    def videos(self) -> list[Path]:
        """Return the one video."""
        return [self.path]


@dataclass(frozen=True)
class _Scratch(Workspace):
    """The folder beside the result, in the form of a workspace."""

    path: Path

    @property
    def dst(self) -> Side:
        """The video that is changed."""
        return _VideoSide(self.root, "data_dst", self.path)


@dataclass(frozen=True)
class SwapOrder:
    """What is wanted.

    Attributes:
        video: The video.
        target: The result; its ending decides the container.
        options: How the faces are replaced.
        encoding: How the result is encoded.
        aligned: Folder of its faces; None searches them.
    """

    video: Path
    target: Path
    options: ConvertOptions
    encoding: ResultSettings
    aligned: Path | None = None


@dataclass(frozen=True)
class SwapReport:
    """What was made.

    Attributes:
        video: The result.
        frames: Its frames.
        written: Whether this run made it; else it was finished already.
        resumed: Frames that a broken-off run had encoded.
        faces: Faces to replace.
        replaced: Faces replaced by this run.
        seconds: Duration of the result.
    """

    video: Path
    frames: int
    written: bool
    resumed: int
    faces: int
    replaced: int
    seconds: float


def swap_video(
    workspace: Workspace, order: SwapOrder, models: Models, finders: ModelLoader, tags: Mapping[str, str]
) -> SwapReport:
    """Make a video with other faces, unless it is there already.

    Args:
        workspace: Holds the models; what lies at the place of the result moves to its trash.
        order: What is wanted.
        models: Where the models come from.
        finders: Load what finds faces.
        tags: Metadata of the result.

    Raises:
        UserError: The video or the faces cannot be read, no such model, one that makes portraits, or a full disk.
    """
    _check_aligned(order)
    scratch = _Scratch(make_folder(order.target.parent / SCRATCH / order.target.name), order.video)
    with scratch.lock("swap"):
        info = probe(order.video, Contents(scratch.root))
        timing = _times(scratch.dst, info)
        matched = _faces(scratch, order, timing, finders)
        cast = find_cast(workspace, order.options, models, matched)
        if cast.portrait:
            raise _makes_portraits(cast)
        bits = timing.bits
        plan = ResultPlan((), cut_timeline(timing, range(len(timing.pts))), timing.colour, timing.assumed_matrix)
        audio, encoder = wanted_audio(info, order.encoding), hardware_encoder(order.encoding, timing.size)
        encoding = encode_settings(plan, order.encoding, encoder, deep=bits > 8)
        done: list[Done] = []

        def result_of(cast: Cast, frames: SwappedFrames) -> ResultFile:
            container = order.encoding.container
            return ResultFile(
                *(order.target, plan, encoding, container, info.path, audio, tags, workspace.trash),
                frames=frames,
                scratch=scratch.root,
            )

        options_of = _options_of(workspace, order, len(timing.pts))
        jobs = _jobs(scratch.dst, matched, order.options, cast, timing, options_of)
        frames = SwappedFrames(info, jobs, timing.size, {}, bits=bits)
        result = result_of(cast, frames)
        written, resumed = not result.finished(), 0
        if written:
            say_audio(audio, order.encoding)
            say_limits(plan, order.encoding, timing.size, encoding)
            if any(job.shares for job in jobs):
                loaded, cast = load_cast(workspace, order.options, models, cast, jobs)
                jobs = _jobs(scratch.dst, matched, order.options, cast, timing, options_of)
                say_models(loaded, cast, order.options)
                predict = {model.name: predict_with(model) for model in loaded}
                looked_at = _looked_at(jobs, matched) if order.aligned else {}
                frames = SwappedFrames(info, jobs, timing.size, predict, done.append, looked_at, bits)
                result = result_of(cast, frames)
            else:
                console.say("No face is to be replaced: the video is encoded as it is.")
            with console.progress_bar(len(jobs), title=f"Swapping {order.target.name}", unit="frames") as bar:
                resumed = result.make(bar.update)
            _warn_of_other_faces(order, info, frames)
    timeline = plan.timeline
    return SwapReport(
        order.target,
        len(jobs),
        written,
        resumed,
        sum(len(job.faces) for job in jobs),
        sum(one.faces for one in done),
        float(timeline.end - timeline.timestamps[0]),
    )


def _check_aligned(order: SwapOrder) -> None:
    if order.aligned and not order.aligned.is_dir():
        raise UserError(
            f"There is no folder {order.aligned}.",
            "a folder of aligned faces of this video, as data_dst/aligned of a workspace.",
            "give another one with --aligned, or leave it out: then the faces are found.",
        )


def _warn_of_other_faces(order: SwapOrder, info: VideoInfo, frames: SwappedFrames) -> None:
    if frames.shown and not any(frames.shown):
        console.warn(
            f"The faces of {order.aligned} do not show what lies at their places in {info.path.name}: they "
            "seem to be faces of another video. Look at the result."
        )


def _times(side: Side, info: VideoInfo) -> Timing:
    """Return when each frame is shown; remembered, with the faces, until another video lies there."""
    try:
        timing = read_timing(side.timing_file)
    except UserError:  # it is made anew
        timing = None
    bits = frame_bits(info)
    if timing is not None and (timing.source_content, timing.bits) == (info.content, bits):
        return timing
    remove_tree(side.frames_dir)
    make_folder(side.frames_dir)
    console.say(f"Looking through {info.path.name}.")
    first = next(iter(VideoFrames(info)), None)
    stamps = decoded_stamps(info)
    size = first.image.shape[:2] if first else (0, 0)
    timing = timing_of(info, (size[0], size[1]), FrameSettings(0.0, "png", bits=bits), tuple(stamps), whole=True)
    write_timing(side.timing_file, timing)
    return timing


def _faces(scratch: Workspace, order: SwapOrder, timing: Timing, finders: ModelLoader) -> Matched:
    """Return the faces of the video by the stem of their frame: those that were given, else all that are found."""
    side = scratch.dst
    if order.aligned is None:
        with open_side(scratch, side, finders) as run:
            report = extract_side(run, search_options(side="dst", from_video=True))
        console.say(f"Faces: {len(side.aligned())} in {console.counted(len(timing.pts), 'frame')}.")
        if report.problem:
            raise report.problem
    faceset = whole_faceset(order.aligned or side.aligned_dir)
    digits = frame_digits(len(timing.pts))
    groups: dict[str, list[FaceFile]] = {}
    for stem, faces in faceset.by_frame().items():
        number = frame_number(stem)
        if number is not None and number <= len(timing.pts):
            groups.setdefault(frame_stem(number, digits), []).extend(faces)
    return Matched(without_copies(groups)[0])


def lies_in(workspace: Workspace, video: Path) -> bool:
    """Whether the frames of data_dst are all frames of a video, so that settings made for them are made for it."""
    try:
        timing = read_timing(workspace.dst.timing_file)
    except UserError:
        return False
    if timing is None or timing.fps or timing.source_bytes != video.stat().st_size:
        return False
    return timing.source_content == Contents(workspace.root).of(video)


def _options_of(workspace: Workspace, order: SwapOrder, frames: int) -> OptionsOf | None:
    """Return the settings that the preview has saved for the frames of the video; None where there are none.

    They count for all its frames, whether their files are still there or not.
    """
    side = workspace.dst
    if not (order.options.saved_settings and settings_path(side).exists() and lies_in(workspace, order.video)):
        return None
    with workspace.lock("data_dst"):
        there = {frame.stem: frame.name for frame in reversed(side.frames())}
        names = {stem: there.get(stem, f"{stem}.png") for stem in _stems(frames)}
        settings = load_settings(workspace, list(names.values()), order.options)
    say_settings(settings)
    return None if settings is None else lambda name: settings.of(names[Path(name).stem])


def _stems(frames: int) -> list[str]:
    digits = frame_digits(frames)
    return [frame_stem(number, digits) for number in range(1, frames + 1)]


def _jobs(
    side: Side,
    matched: Matched,
    options: ConvertOptions,
    cast: Cast,
    timing: Timing,
    options_of: OptionsOf | None,
) -> list[Job]:
    paths = [side.frames_dir / f"{stem}.png" for stem in _stems(len(timing.pts))]
    return make_jobs(paths, matched, side, options, cast, options_of)


def _looked_at(jobs: list[Job], matched: Matched) -> dict[int, list[DstFace]]:
    """Return some frames' faces, with their images to be compared with the frame."""
    with_faces = [job for job in jobs if job.shares]
    chosen = [with_faces[index] for index in evenly(len(with_faces), LOOKED_AT)]
    files = {job.index: matched.groups[job.frame.stem] for job in chosen}
    return {
        index: [DstFace(file.record.frame_landmarks, None, found_in(file, NOT_NOTED)) for file in some]
        for index, some in files.items()
    }


def _makes_portraits(cast: Cast) -> UserError:
    return UserError(
        f"The model {cast.states[0].name} makes portraits, which take the place of whole frames.",
        "a model that replaces faces in frames.",
        f"name another one with --model, or take the way by folders:{hint('convert')}",
    )
