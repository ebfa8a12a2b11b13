"""Replace the faces of a video in one go: main.py swap VIDEO... RESULT, without image files between.

Finds the faces (or takes those of --aligned), replaces them as 7_convert does and encodes as 8_to_mp4 does, with the
times and the audio of the video. A run that was stopped goes on after the last whole segment of two seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facewright.commands.make_video import EncodeOptions
from facewright.convert.engines import EngineModels
from facewright.convert.parameters import BlendOptions, ConvertOptions
from facewright.convert.settings_file import saved_base
from facewright.core import console
from facewright.core.command import Command
from facewright.core.errors import UserError
from facewright.core.files import typed_path
from facewright.core.hints import command_line
from facewright.core.options import PromptPlan, declared, option, several
from facewright.core.workspace import Workspace
from facewright.extract.fit_faces import check_faces
from facewright.extract.side_run import ModelLoader
from facewright.marking.provenance import container_tags
from facewright.swap.session import SwapOrder, SwapReport, lies_in, swap_video
from facewright.video.codecs import MUXERS, container_for
from facewright.video.result import ResultSettings


@dataclass(frozen=True)
class Files:
    """Which videos."""

    files: str = option(
        "",
        "The video, and the file that is to be made of it. Several videos before it are each made into a file of "
        "their own, called after both.",
        positional=True,
        many=True,
        remember=False,
    )
    aligned: str = option(
        "",
        "Folder of the video's aligned faces, sorted out by hand perhaps; without it the faces are found, and kept "
        "beside the result.",
        remember=False,
    )


@dataclass(frozen=True)
class Options(EncodeOptions, BlendOptions, Files):
    """Files, faces, encoding."""


@dataclass(frozen=True)
class SwapReports:
    """What was made of each video."""

    videos: tuple[SwapReport, ...]


def run(workspace: Workspace, options: Options, finders: ModelLoader | None = None) -> SwapReports:
    """Make a video of each.

    Raises:
        UserError: Wrong files, or as `facewright.swap.session.swap_video` says.
    """
    pairs = pair_files([typed_path(text) for text in several(options.files)])
    if options.aligned:
        check_faces(workspace, folder=typed_path(options.aligned))
    if options.aligned and len(pairs) > 1:
        raise UserError(
            "--aligned holds the faces of one video, and several are given.",
            "one video with --aligned.",
            "swap them one by one, or leave --aligned out: then the faces are found.",
        )
    faces = ConvertOptions(**{spec.name: getattr(options, spec.name) for spec in declared(BlendOptions)})
    if len(pairs) > 1:  # what is saved for all frames of one of them is not meant for the others
        faces = replace(faces, saved_settings=False)
    models, finders = EngineModels(workspace, faces), finders or ModelLoader()
    done = []
    for video, target in pairs:
        console.heading(f"Swapping the faces of {video.name}")
        container = container_for(options.codec, target.suffix[1:].lower())
        encoding = {spec.name: getattr(options, spec.name) for spec in declared(EncodeOptions)}
        order = SwapOrder(
            video,
            target,
            faces,
            ResultSettings(**encoding, container=container),
            typed_path(options.aligned) if options.aligned else None,
        )
        report = swap_video(workspace, order, models, finders, container_tags())
        say_report(report)
        done.append(report)
    return SwapReports(tuple(done))


def pair_files(paths: list[Path]) -> list[tuple[Path, Path]]:
    """Return each video with the file that is made of it.

    Args:
        paths: Videos, and at the end the result: a file, or a folder.

    Raises:
        UserError: Too few, a video that is not there, a result of no known kind, or one at the place of a video.
    """
    if len(paths) < 2:
        raise _wrong("A swap needs a video, and a file to make of it.")
    *videos, last = paths
    for video in videos:
        if not video.is_file():
            raise _wrong(f"There is no video {video}.")
    if last.is_dir():
        targets = [last / f"{video.stem}_swapped.mp4" for video in videos]
    elif len(videos) == 1:
        targets = [last]
    else:
        targets = [last.with_name(f"{last.stem}_{video.stem}{last.suffix}") for video in videos]
    for target in targets:
        if target.suffix[1:].lower() not in MUXERS:
            raise _wrong(f"{target.name} is no kind of file that is written ({', '.join(MUXERS)}).")
        if any(target.exists() and target.samefile(video) for video in videos):
            raise _wrong(f"{target} is the video itself.")
    if len(set(targets)) < len(targets):
        raise _wrong("Two of the videos have one name, so that their results would have one, too.")
    return list(zip(videos, [target.absolute() for target in targets], strict=True))


def _wrong(happened: str) -> UserError:
    line = command_line("swap", "data_dst.mp4", "result.mp4")
    return UserError(happened, "one video or more, then the result.", f"give them in this order:\n    {line}")


def say_report(report: SwapReport) -> None:
    """Print what was done."""
    if not report.written:
        console.say(f"{report.video} is made of this very video and these settings already; nothing to do.")
        return
    console.say(
        f"Wrote {report.video}: {console.counted(report.frames, 'frame')}, {report.seconds:.2f} s; "
        f"replaced {console.counted(report.replaced, 'face')}."
    )
    if report.resumed:
        console.say(f"Encoded by the run before: {console.counted(report.resumed, 'frame')}.")


def plan(workspace: Workspace, flags: Mapping[str, Any]) -> PromptPlan:
    """Ask nothing: it runs by itself, with what the preview has saved where the video is the workspace's.

    Raises:
        UserError: A newer version of the program saved those settings.
    """
    videos = [typed_path(text) for text in several(str(flags.get("files") or ""))][:-1]
    own = flags.get("saved_settings") is not False and len(videos) == 1 and videos[0].is_file()
    saved = saved_base(workspace.dst) if own and lies_in(workspace, videos[0]) else {}
    return PromptPlan(remembered=saved, ask=False)


COMMAND = Command(__doc__, Options, run, plan=plan)
