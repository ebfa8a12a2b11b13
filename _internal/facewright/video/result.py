"""The finished video of a workspace: encoded in segments, joined, remembered, so that a second run does nothing."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from facewright.core import console
from facewright.core.console import listed
from facewright.core.contents import Contents
from facewright.core.errors import UserError
from facewright.core.files import (
    disk_errors,
    fsync_folder,
    list_files,
    make_folder,
    move_to_trash,
    read_json,
    write_json,
)
from facewright.core.frame_origins import FrameOrigins, warn_of_renamed
from facewright.core.hints import again, hint
from facewright.core.images import IMAGE_EXTENSIONS, read_encoded
from facewright.core.json_data import fields
from facewright.core.left_out import warn_of_left_out_images
from facewright.core.safe_files import remove_tree
from facewright.core.workspace import MASKS_FOLDER, Side, Workspace
from facewright.video.audio import AudioStream, audio_is_copied, chosen_track, fits_aac, mixed_down_note
from facewright.video.codecs import CODECS, choose_encoder, container_for
from facewright.video.encode import (
    EncodeSettings,
    ImageFiles,
    ResultFrames,
    alpha_and_depth,
    cut_into_segments,
    identity,
    image_size,
)
from facewright.video.filters import matrix_of, result_colour
from facewright.video.mux import Timeline, join
from facewright.video.probe import Colour, VideoInfo, packet_times, probe
from facewright.video.result_times import cut_timeline, timeline_of_frames, timeline_of_video
from facewright.video.timing import Timing, frame_number, frame_stem, read_timing

MAX_NAMED = 10


@dataclass(frozen=True)
class ResultPlan:
    """What a result is made of.

    Attributes:
        frames: Its images in order.
        timeline: When each is shown.
        colour: Tags of the result.
        matrix: The YUV matrix to encode with, by the scaler's name.
        filled: Names of frames that were not converted and are taken from the untouched ones.
        repeated: Names of frames that are nowhere any more; the frame before them stays on the screen.
        orphans: Files of the merged folder that belong to no frame.
    """

    frames: tuple[Path, ...]
    timeline: Timeline
    colour: Colour
    matrix: str
    filled: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()


def plan_from_timing(
    timing: Timing, frames_dir: Path, merged_dir: Path, *, fill_missing: bool, only_merged: bool = False
) -> ResultPlan:
    """Plan a result by frames.json.

    Args:
        timing: Its content.
        frames_dir: The untouched frames.
        merged_dir: The converted frames.
        fill_missing: Take the untouched frame where there is no converted one.
        only_merged: Leave out, with their sound, the frames of which there is no converted one; see `cut_timeline`.

    Raises:
        UserError: Nothing is converted, or converted frames are missing and may not be filled.
    """
    merged = _by_number(merged_dir)
    wanted = range(1, len(timing.pts) + 1)
    if not merged or (only_merged and merged.keys().isdisjoint(wanted)):
        raise _nothing_merged(merged_dir)
    untouched = _by_number(frames_dir)
    missing = [untouched[n].stem for n in wanted if n not in merged and n in untouched]
    if only_merged:
        untouched, missing = {}, []
    if missing and not fill_missing:
        raise _some_missing(merged_dir, missing, len(wanted))
    chosen = [(n - 1, merged.get(n) or untouched[n]) for n in wanted if n in merged or n in untouched]
    kept = [i for i, _ in chosen]
    return ResultPlan(
        frames=tuple(path for _, path in chosen),
        timeline=cut_timeline(timing, kept) if only_merged else timeline_of_frames(timing, kept),
        colour=timing.colour,
        matrix=timing.assumed_matrix,
        filled=tuple(missing),
        repeated=() if only_merged else tuple(frame_stem(n) for n in wanted if n not in merged and n not in untouched),
        orphans=tuple(path.name for key, path in merged.items() if key not in wanted),
    )


def plan_from_video(info: VideoInfo, merged_dir: Path) -> ResultPlan:
    """Plan a result for frames that were brought from elsewhere: as many as the video has.

    Raises:
        UserError: Their number does not fit the video.
    """
    frames = tuple(_by_number(merged_dir).values())
    if not frames:
        raise _nothing_merged(merged_dir)
    stamps = packet_times(info)
    if len(frames) == len(stamps):
        timeline = timeline_of_video(info, stamps)
    elif len(frames) == info.frame_count:
        timeline = Timeline.constant(len(frames), info.average_rate, info.start * info.time_base)
    else:
        raise UserError(
            f"{merged_dir} holds {console.counted(len(frames), 'frame')}, but {info.path.name} has {len(stamps)}, "
            "and there is no frames.json that says when each one is shown.",
            "one frame for each frame of the video.",
            "bring as many frames as the video has, or take them out and convert them:"
            f"{hint('extract-frames --side dst')}{hint('convert')}",
        )
    return ResultPlan(frames, timeline, result_colour(info), matrix_of(info))


def _by_number(folder: Path) -> dict[int | str, Path]:
    """Return the images of a folder by their number, else by their name; of several the newest counts.

    They are in natural order. 7.png, 00007.png and 00007.jpg have one number: other programs write fewer digits.
    """
    found: dict[int | str, Path] = {}
    for path in list_files(folder, IMAGE_EXTENSIONS):
        number = frame_number(path.stem)
        key = path.stem if number is None else number
        other = found.get(key)
        if other is None or path.stat().st_mtime_ns > other.stat().st_mtime_ns:
            found[key] = path
    return found


def _nothing_merged(merged_dir: Path) -> UserError:
    return UserError(
        f"There are no frames in {merged_dir}.", "the converted frames.", f"convert first:{_convert(merged_dir)}"
    )


def _some_missing(merged_dir: Path, missing: Sequence[str], of: int) -> UserError:
    names = listed(missing, MAX_NAMED)
    happened = f"Missing in {merged_dir}: {len(missing)} of {console.counted(of, 'frame')}: {names}."
    redo, without = _convert(merged_dir), again("--only-merged")
    if merged_dir.name == MASKS_FOLDER:  # a frame is no mask, so none can take its place
        fix = f"make the missing masks (first line), or leave their frames out (second):{redo}{without}"
        return UserError(happened, "a mask for each frame of the video.", fix)
    fix = (
        "convert again (first line), take the untouched frames in their place (second), or leave them out with their "
        f"sound (third):{redo}{again('--fill-missing')}{without}"
    )
    return UserError(happened, "a converted frame for each frame of the video.", fix)


def _convert(merged_dir: Path) -> str:
    """Return the line that makes what is missing in a folder of results."""
    return hint("convert", *(["--mask-only"] if merged_dir.name == MASKS_FOLDER else []))


SCRATCH = ".make_video"
MKV_TICK = Fraction(1, 1000)
MIN_RATE, MAX_RATE = Fraction(1, 10), Fraction(1000)


@dataclass(frozen=True)
class ResultSettings:
    """How a result is encoded.

    Attributes:
        crf: Quality, 0 to 51 as x264 counts it; used when `bitrate` is 0.
        bitrate: Megabits per second, or 0.
        container: See `facewright.video.codecs.MUXERS`; "auto" takes the usual one of the codec.
        audio: Whether the result gets audio.
        audio_track: Number of the track, from 1; 0 is the main one.
        fill_missing: Take the untouched frame where there is no converted one.
        only_merged: Leave such frames out, with their sound.
        codec: See `facewright.video.codecs.CODECS`.
        hardware: Whether an encoder of the hardware is used, where one works.
        masks: Whether the masks are made into a video, in place of the converted frames; it is silent.
    """

    crf: int
    bitrate: float
    container: str
    audio: bool = True
    audio_track: int = 0
    fill_missing: bool = False
    only_merged: bool = False
    codec: str = "h264"
    hardware: bool = False
    masks: bool = False


def encode_settings(
    plan: ResultPlan, settings: ResultSettings, encoder: str = "", *, alpha: bool = False, deep: bool = False
) -> EncodeSettings:
    """Return the encoder's settings for a plan.

    Args:
        plan: What is encoded.
        settings: How.
        encoder: As `EncodeSettings` has it.
        alpha: Whether some of the frames have alpha.
        deep: Whether some have 16 bits a channel.
    """
    rate = min(max(plan.timeline.rate, MIN_RATE), MAX_RATE).limit_denominator(100_000)
    codec = CODECS[settings.codec]
    alpha = alpha and bool(codec.formats[1])
    return EncodeSettings(
        settings.crf,
        settings.bitrate,
        settings.container != "avi",
        rate,
        plan.colour,
        plan.matrix,
        codec=settings.codec,
        encoder=encoder,
        alpha=alpha,
        pixel_format=codec.deep_format(encoder, alpha=alpha) if deep else "",
    )


class ResultFile:
    """A result that may be there already.

    Args:
        target: The file to write.
        plan: Its frames.
        encoding: How they are encoded.
        container: See `facewright.video.codecs.MUXERS`.
        source: The file with the audio, None without.
        audio: Its stream, None for a silent result.
        tags: Metadata of the container.
        trash: Where a file of the user's at the place of `target` goes.
        frames: The frames; by default the files of the plan.
        scratch: Folder for what is not finished; by default a hidden one beside the target.
    """

    def __init__(
        self,
        target: Path,
        plan: ResultPlan,
        encoding: EncodeSettings,
        container: str,
        source: Path | None,
        audio: AudioStream | None,
        tags: Mapping[str, str],
        trash: Path,
        frames: ResultFrames | None = None,
        scratch: Path | None = None,
    ) -> None:
        self.target = target
        self._plan = plan
        self._encoding = encoding
        self._container = container
        self._source = source if audio is not None else None
        self._audio = audio
        self._tags = dict(tags)
        self._trash = trash
        self._scratch = scratch or target.parent / SCRATCH
        self._state = self._scratch / f"{target.name}.json"
        self._contents = Contents(scratch or target.parent)
        self._frames = frames or ImageFiles(plan.frames, self._contents)

    def finished(self) -> bool:
        """Whether the file is there and was made of exactly these frames, settings and audio."""
        state = self._remembered()
        return self._is_ours(state, "file") and state.get("made_of") == self._made_of()

    def make(self, on_progress: Callable[[int], Any]) -> int:
        """Encode what is missing and join it.

        Args:
            on_progress: Called with the number of frames just finished.

        Returns:
            Frames that were kept from a run that was broken off.

        Raises:
            UserError: A frame is damaged, the audio cannot be read, or the disk is full.
        """
        encoding = self._encoding
        segments_dir = make_folder(self._scratch / self._container)
        identities = self._frames.identities()
        segments = cut_into_segments(identities, encoding, segments_dir)
        made_of = self._made_of()
        encoded = self._frames.encode(segments, encoding, on_progress)
        ready = self._scratch / self.target.name
        join(
            segments,
            encoding,
            self._plan.timeline,
            self._source,
            self._audio,
            ready,
            self._container,
            self._tags,
        )
        self._put_in_place(ready, made_of)
        remove_tree(segments_dir)
        return len(identities) - encoded

    def _put_in_place(self, ready: Path, made_of: str) -> None:
        """Give the finished file its name; whenever a kill comes, it is known whether the file there is ours."""
        if self.target.exists() and not self._is_ours(self._remembered()):
            move_to_trash([self.target], self._trash, by="make-video")
        before = self._contents.of(self.target) if self.target.exists() else None
        write_json(self._state, {"made_of": made_of, "file": self._contents.of(ready), "before": before})
        with disk_errors(self.target):
            os.replace(ready, self.target)
            fsync_folder(self.target.parent)

    def _remembered(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = read_json(self._state, {}, schema=fields({}))
        except UserError:  # a state that cannot be read remembers nothing
            return {}
        return state

    def _is_ours(self, state: dict[str, Any], *names: str) -> bool:
        """Whether the file at the place of the result is there, and is one that an earlier run wrote.

        Args:
            state: What that run noted.
            names: Of what it noted, as which file; without them also the one that it was about to replace.
        """
        notes = [state.get(name) for name in names or ("file", "before")]
        notes = [note[1:] if isinstance(note, list) else note for note in notes]  # earlier programs noted the name, too
        return self.target.exists() and any(self._contents.same(self.target, note) for note in notes)

    def _made_of(self) -> str:
        timeline, encoding = self._plan.timeline, self._encoding
        parts = [
            repr([*astuple(encoding), self._audio and astuple(self._audio)[:3], *sorted(self._tags.items())]),
            repr((timeline.rate, timeline.tick, timeline.end, *timeline.sections)) + "trimmed" * timeline.trimmed,
            *map(str, timeline.timestamps),
            *map(repr, self._frames.identities()),
            repr(identity(self._source, self._contents)[1:] if self._source else None),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class MakeVideoReport:
    """What was made.

    Attributes:
        video: The finished video.
        frames: Its frames.
        written: Whether this run made it; else it was finished already.
        resumed: Frames that a broken-off run had encoded.
        rate: Average frames per second.
        seconds: Its duration.
        encoder: ffmpeg's name of the encoder.
    """

    video: Path
    frames: int
    written: bool
    resumed: int
    rate: float
    seconds: float
    encoder: str


def make_video(workspace: Workspace, settings: ResultSettings, tags: Mapping[str, str]) -> MakeVideoReport:
    """Write the finished video of a workspace, unless it is there already.

    Args:
        workspace: The project.
        settings: How it is encoded, and in which container.
        tags: Metadata of the container.

    Raises:
        UserError: No converted frames, some missing, no video for the audio, a container that does not take the codec,
            or a full disk.
    """
    settings = replace(settings, container=container_for(settings.codec, settings.container))
    target = workspace.result.with_suffix(f".{settings.container}")
    if settings.masks:
        settings, target = replace(settings, audio=False), target.with_stem(f"{target.stem}_mask")
    with workspace.lock("result"):
        plan, source, audio = _plan_result(workspace.dst, settings)
        _say_plan(plan, _made_dir(workspace.dst, settings).name)
        if not settings.masks:
            say_audio(audio, settings)
        size = image_size(read_encoded(plan.frames[0]), plan.frames[0])
        alpha, deep = alpha_and_depth(plan.frames)
        encoding = encode_settings(plan, settings, hardware_encoder(settings, size), alpha=alpha, deep=deep)
        result = ResultFile(target, plan, encoding, settings.container, source, audio, tags, workspace.trash)
        written, resumed = not result.finished(), 0
        if written:
            say_limits(plan, settings, size, encoding)
            with console.progress_bar(len(plan.frames), title=f"Encoding {target.name}", unit="frames") as bar:
                try:
                    resumed = result.make(bar.update)
                except UserError as error:
                    if encoding.encoder:
                        error.add_note(f"Or let the processor encode:{again('--no-hardware')}")
                    raise
    timeline = plan.timeline
    seconds = float(timeline.end - timeline.timestamps[0])
    encoder = encoding.encoder or CODECS[encoding.codec].encoder
    return MakeVideoReport(target, len(plan.frames), written, resumed, float(timeline.rate), seconds, encoder)


def hardware_encoder(settings: ResultSettings, size: tuple[int, int]) -> str:
    """Return the encoder of the hardware that is to be used, "" for none; what was tried is said.

    Args:
        settings: How the result is encoded.
        size: (h, w) of its frames.
    """
    if not settings.hardware:
        return ""
    known = CODECS[settings.codec].hardware
    if not known:
        console.warn(f"No hardware encodes {settings.codec}: the processor does.")
        return ""
    chosen = choose_encoder(settings.codec, size)
    if chosen.name in known:
        console.say(f"{chosen.name} encodes: it is the first encoder of the hardware that works here.")
        return chosen.name
    console.warn(f"No encoder of the hardware works here, so {chosen.name} encodes on the processor:")
    for name, reason in chosen.refused.items():
        console.say(f"  {name}: {reason}")
    return ""


def _made_dir(side: Side, settings: ResultSettings) -> Path:
    return side.masks_dir if settings.masks else side.merged_dir


def _plan_result(side: Side, settings: ResultSettings) -> tuple[ResultPlan, Path | None, AudioStream | None]:
    """Return the frames with their times, the file with the audio, and the audio."""
    made_dir = _made_dir(side, settings)
    warn_of_left_out_images(made_dir)
    timing = read_timing(side.timing_file)
    if timing is None:
        info = probe(side.video())
        console.warn(f"{side.timing_file} is missing: the times are taken from {info.path.name}.")
        return plan_from_video(info, made_dir), info.path, wanted_audio(info, settings)
    with suppress(UserError):  # a frame that cannot be read: whoever needs it will tell
        warn_of_renamed(FrameOrigins(side.frames(), side, Contents(side.root)).renamed, side)
    how = {"fill_missing": settings.fill_missing, "only_merged": settings.only_merged}
    plan = plan_from_timing(timing, side.frames_dir, made_dir, **how)
    if not settings.audio or (timing.audio is None and not settings.audio_track):
        return plan, None, None
    try:
        info = _same_video(side, timing)
    except UserError as error:
        error.add_note(f"Or make the result without its audio:{again('--no-audio')}")
        raise
    return plan, info.path, wanted_audio(info, settings)


def _same_video(side: Side, timing: Timing) -> VideoInfo:
    """Return the video that the frames were made of.

    Raises:
        UserError: It is gone, or another one is there.
    """
    info = probe(side.video(), Contents(side.root))
    same = (info.path.name, info.byte_count) == (timing.source_name, timing.source_bytes)
    if not same or timing.source_content not in ("", info.content):
        other = "another content, " if same else ""
        raise UserError(
            f"{info.path.name} ({info.byte_count} bytes) is not the video that the frames were made of "
            f"({other}{timing.source_name}, {timing.source_bytes} bytes), so its audio would not fit.",
            "the same video as when its frames were taken out.",
            f"put that video back, or begin again with its frames:{hint('extract-frames --side dst')}",
        )
    return info


def wanted_audio(info: VideoInfo, settings: ResultSettings) -> AudioStream | None:
    """Return the audio track that the result gets, None for none."""
    if not settings.audio:
        return None
    if settings.audio_track:
        return chosen_track(info.path, info.audio_tracks, settings.audio_track)
    if len(info.audio_tracks) > 1:
        tracks = ", ".join(map(str, info.audio_tracks))
        more = " --audio-track N takes another one." if sum(track.readable for track in info.audio_tracks) > 1 else ""
        console.say(f"{info.path.name} has several audio tracks: {tracks}.{more}")
    return info.audio


def _say_plan(plan: ResultPlan, folder: str) -> None:
    """Say what is unusual about the frames of a folder of data_dst; nothing is filled or left out in silence."""
    if plan.filled:
        names = listed(plan.filled, MAX_NAMED)
        console.warn(f"Untouched, as --fill-missing asks for: {console.counted(len(plan.filled), 'frame')} ({names}).")
    if plan.repeated:
        console.warn(
            f"Neither in data_dst nor in {folder}: {console.counted(len(plan.repeated), 'frame')} "
            f"({listed(plan.repeated, MAX_NAMED)}). The frame before stays on the screen."
        )
    if plan.orphans:
        names = listed(plan.orphans, MAX_NAMED)
        images = console.counted(len(plan.orphans), "image")
        console.warn(f"Left out, for it belongs to no frame: {images} in {folder} ({names}).")


def say_audio(audio: AudioStream | None, settings: ResultSettings) -> None:
    """Say what becomes of the audio, as far as it does not stay as it is."""
    if audio is None:
        reason = "data_dst has no audio that ffmpeg can read" if settings.audio else "--no-audio"
        console.say(f"The result is silent ({reason}).")
    elif settings.container != "avi" and not audio_is_copied(audio, settings.container) and not fits_aac(audio):
        console.warn(f"{mixed_down_note(audio)} To keep them:{hint('make-video --container avi')}")


def say_limits(plan: ResultPlan, settings: ResultSettings, size: tuple[int, int], encoding: EncodeSettings) -> None:
    """Say what the format of the result does not hold exactly.

    Args:
        plan: What is encoded.
        settings: How.
        size: (h, w) of the frames.
        encoding: What the encoder is told.
    """
    height, width = size
    if encoding.deep and encoding.kept_bits == 8:
        console.say(
            f"The frames have 16 bits a channel, of which {encoding.encoder or settings.codec} keeps 8. On the "
            "processor --codec h265 and prores keep 10, ffv1 all."
        )
    if CODECS[settings.codec].halves_colour and (height % 2 or width % 2):
        console.say(
            f"The frames are {width}x{height}; {settings.codec} needs even sizes, "
            f"so the last column or row is doubled: {width + width % 2}x{height + height % 2}."
        )
    if settings.codec == "h264" and settings.crf == 0 and not settings.bitrate:
        console.warn(
            "--crf 0 makes lossless H.264 (profile High 4:4:4), which many players, phones and televisions do not "
            "show; --crf 1 looks the same and plays everywhere."
        )
    timestamps = plan.timeline.timestamps
    if settings.container == "avi" and any(b - a != plan.timeline.tick for a, b in pairwise(timestamps)):
        console.warn("AVI knows no variable rate: the times are rounded to 1/240 second. result.mp4 keeps them exact.")
    if settings.container == "mkv" and plan.timeline.tick % MKV_TICK:
        console.say("Matroska keeps times to a millisecond.")
