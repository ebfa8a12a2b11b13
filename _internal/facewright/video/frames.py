"""Video -> frames 00001.png ... with every frame's exact time; a killed run goes on after its last whole frame."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from av.error import FFmpegError

from facewright.core.console import counted
from facewright.core.errors import UserError
from facewright.core.files import make_folder, write_bytes
from facewright.core.images import Image, read_image
from facewright.core.journal import Journal, read_journal
from facewright.core.json_data import whole
from facewright.video.ffmpeg import FfmpegRun, command
from facewright.video.filters import (
    DEPTH,
    carried_step,
    carry_stamps,
    changes_of,
    deinterlaced,
    fitted_note,
    matrix_of,
    result_colour,
    select_frames,
    to_image,
    video_frames,
    video_input,
)
from facewright.video.frame_io import Frame
from facewright.video.probe import VideoInfo, open_pipe
from facewright.video.timeline import Straightened, clean_times
from facewright.video.timing import Timing, frame_digits, frame_stem, true_rate, write_timing

PARTIAL = ".frames.partial.jsonl"
HEADER = "header"
READ_BLOCK = 1 << 18
JPEG_QUALITY = 2  # ffmpeg's scale: 1 (best) to 31
# A frame that comes later than so many usual steps, in a file that the decoder complained of, follows a hole.
HOLE = 2.5
MANY_HOLES = 5  # are named
# Where a frame's own duration is not known: a last frame that stays longer than this is taken for a cut-off end.
MAX_LAST_FRAME_SECONDS = Fraction(60)


@dataclass(frozen=True)
class FrameSettings:
    """What frames are to be made of.

    Attributes:
        fps: Rate to thin out to; 0 takes every frame.
        image_format: "png" or "jpg".
        video_track: Number of the video track, from 1; 0 is the main one.
        bits: A channel: 8, or 16 in a PNG; see `facewright.video.filters.frame_bits`.
    """

    fps: float
    image_format: str
    video_track: int = 0
    bits: int = 8


NOT_NOTED: Mapping[str, Any] = MappingProxyType({"video_track": 0, "bits": 8})  # by earlier programs


@dataclass(frozen=True)
class FrameReport:
    """What a run did.

    Attributes:
        timing: The times of all frames.
        written: Frames written by this run.
        resumed: Frames that a broken-off run had left.
        promised: Frames that the file claims to hold; 0 when that is not known or does not matter.
    """

    timing: Timing
    written: int
    resumed: int
    promised: int


def made_from(info: VideoInfo, settings: FrameSettings) -> dict[str, Any]:
    """Return what identifies the frames: the video and the settings."""
    return {"name": info.path.name, "bytes": info.byte_count, "content": info.content, **asdict(settings)}


def differing(made_of: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return the fields in which two origins differ; a content that one of them does not know is passed over."""
    known = made_of.get("content") and wanted.get("content")
    made_of = {**NOT_NOTED, **made_of}
    return [key for key in wanted if made_of.get(key) != wanted[key] and (known or key != "content")]


def _journal(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the lines of a broken-off run: the header, and those of frames with a time."""
    entries = read_journal(folder / PARTIAL, "frame", {"pts": whole()})
    return {name: entry for name, entry in entries.items() if name == HEADER or "pts" in entry}


def partial_made_from(folder: Path) -> dict[str, Any] | None:
    """Return the origin of a broken-off run in this folder, None when there is no such run."""
    entry = _journal(folder).get(HEADER)
    if entry is None:
        return None
    return {k: v for k, v in entry.items() if k != "frame"}


def write_frames(
    info: VideoInfo, folder: Path, timing_file: Path, settings: FrameSettings, on_progress: Callable[[int], Any]
) -> FrameReport:
    """Write the frames of a video and then their times.

    Args:
        info: The video.
        folder: Where the frames go; holds none, or those of a broken-off run of the same origin.
        timing_file: Written last: its presence says that the frames are complete. An older one goes first.
        settings: What to take.
        on_progress: Called with the number of frames just finished (first of all, with those already there).

    Raises:
        UserError: Nothing can be decoded, ffmpeg breaks off, or the disk is full.
    """
    make_folder(folder)
    timing_file.unlink(missing_ok=True)
    digits = _digits(folder, info, settings)
    done = _finished_frames(folder, info, settings, digits)
    on_progress(len(done))
    run, new = _decode_frames(info, folder, settings, done, digits, on_progress)
    pts = (*done, *new)
    if not pts:
        raise _no_frame(info)
    missing = info.counted and not settings.fps and run.error_count > 0 and len(pts) < info.frame_count
    timing = timing_of(info, _size(folder, settings, len(pts), digits), settings, pts, whole=not missing)
    fitted = fitted_note(info, run.sizes) if run.sizes else ""
    holes = "" if settings.fps or missing else _holes_note(timing, run.error_count, digits)
    timing = replace(timing, changes=(*timing.changes, *filter(None, (fitted, holes))))
    write_timing(timing_file, timing)
    (folder / PARTIAL).unlink(missing_ok=True)
    return FrameReport(timing, len(new), len(done), info.frame_count if missing else 0)


def _holes_note(timing: Timing, errors: int, digits: int) -> str:
    """Say where a damaged place has cost frames: there the next frame comes late. "" where nothing tells of damage."""
    steps = np.diff(np.array(timing.seconds, float))
    usual = float(np.median(steps)) if steps.size else 0.0
    late = np.flatnonzero(steps > HOLE * usual).tolist()
    if not errors or not late:
        return ""
    places = ", ".join(f"{steps[i] - usual:.3g} s after frame {frame_stem(i + 1, digits)}" for i in late[:MANY_HOLES])
    more = f" and {len(late) - MANY_HOLES} more" if len(late) > MANY_HOLES else ""
    return f"decoded from a damaged file ({counted(errors, 'complaint')} of ffmpeg); frames are missing: {places}{more}"


def _digits(folder: Path, info: VideoInfo, settings: FrameSettings) -> int:
    """Return how many digits the frames' names have; a broken-off run goes on with its own."""
    begun = _journal(folder).keys() - {HEADER}
    return min(map(len, begun), default=frame_digits(expected_count(info, settings.fps)))


def _no_frame(info: VideoInfo) -> UserError:
    return UserError(
        f"No frame of {info.path.name} could be decoded ({info.codec}).",
        "a video with at least one whole frame.",
        "check that the file plays in a video player; if it does, convert it to mp4 and try again.",
    )


def _finished_frames(folder: Path, info: VideoInfo, settings: FrameSettings, digits: int) -> list[int]:
    """Return the times of the frames that a broken-off run has left, up to the first one that is not whole."""
    entries = _journal(folder)
    done: list[int] = []
    origin = partial_made_from(folder)
    if origin is not None and not differing(origin, made_from(info, settings)):
        while (entry := entries.get(frame_stem(len(done) + 1, digits))) is not None:
            path = folder / f"{entry['frame']}.{settings.image_format}"
            # A frame that its user deleted meanwhile counts as done; an empty one was lost in a power cut.
            if path.exists() and path.stat().st_size == 0:
                break
            done.append(entry["pts"])
    return done


def _decode_frames(
    info: VideoInfo,
    folder: Path,
    settings: FrameSettings,
    done: list[int],
    digits: int,
    on_progress: Callable[[int], Any],
) -> tuple[FfmpegRun, list[int]]:
    """Return the decoder that ran, and the times of the new frames in ticks."""
    journal_file = folder / PARTIAL
    if not done:
        journal_file.unlink(missing_ok=True)
    new: list[int] = []
    with FfmpegRun(_command(info, settings, len(done) + 1)) as run, Journal(journal_file) as journal:
        if not done:
            journal.add({"frame": HEADER, **made_from(info, settings)})
        for packet, stamp in stamped_packets(run, info.time_base, READ_BLOCK):
            stem = frame_stem(len(done) + len(new) + 1, digits)
            write_bytes(folder / f"{stem}.{settings.image_format}", bytes(packet))
            new.append(stamp)
            journal.add({"frame": stem, "pts": stamp})
            on_progress(1)
        run.finish(f"{info.path.name} could not be decoded to its end")
        return run, new


def _command(info: VideoInfo, settings: FrameSettings, first: int) -> list[str]:
    node = video_frames(video_input(info), info)
    node = carry_stamps(select_frames(deinterlaced(node, info), info, settings.fps, first), info.time_base)
    node = to_image(node, info, settings.image_format, settings.bits)
    codec: dict[str, Any] = {"c:v": "mjpeg", "q:v": JPEG_QUALITY, "huffman": "default"}
    if settings.image_format == "png":
        # Level 1 with the "up" predictor: the fastest of all settings, and on camera frames not the largest.
        codec = {"c:v": "png", "compression_level": 1, "pred": "up"}
    return _to_pipe(node, codec)


def _to_pipe(node: Any, codec: dict[str, Any]) -> list[str]:
    output = node.output("pipe:1", format="nut", fps_mode="passthrough", enc_time_base="filter", **codec)
    return command(output, "-copyts", "-max_error_rate", "1")


def decoded_stamps(info: VideoInfo, most: int = 0) -> list[int]:
    """Return the time stamps of all frames that can be decoded, in ticks of `info.time_base`, as the video has them.

    Args:
        info: The video.
        most: Frames after which to stop; 0 goes on to the end.

    Raises:
        UserError: None can be decoded, or ffmpeg breaks off.
    """
    node = video_frames(video_input(info), info)
    node = carry_stamps(deinterlaced(node, info), info.time_base).filter("scale", 2, 2).filter("format", "gray")
    limit = {"frames:v": most} if most else {}
    with FfmpegRun(_to_pipe(node, {"c:v": "rawvideo", **limit})) as run:
        stamps = [stamp for _, stamp in stamped_packets(run, info.time_base, READ_BLOCK)]
        run.finish(f"{info.path.name} could not be decoded to its end")
    if not stamps:
        raise _no_frame(info)
    return stamps


def stamped_packets(run: FfmpegRun, tick: Fraction, block: int) -> Iterator[tuple[Any, int]]:
    """Read whole frames and their time stamps in ticks from a run that writes to its pipe.

    Args:
        run: Its frames went through `carry_stamps`.
        tick: As there.
        block: Bytes to read at once.
    """
    try:
        # The demuxer needs nothing but the stream's header: it is complete in NUT.
        options = {"probesize": "32", "analyzeduration": "0", "fflags": "+noparse"}
        container = open_pipe(run.stdout, "nut", block, options)
    except FFmpegError:  # nothing was written; the caller's `finish` says why, or there was no frame
        return
    before = stamp = 0
    with closing(container):
        for packet in run.checked(container.demux(video=0)):
            if packet.size and packet.pts is not None:
                carried = round(packet.pts * Fraction(packet.time_base) / tick)
                stamp += carried_step(carried - before)
                before = carried
                yield packet, stamp


def timing_of(
    info: VideoInfo, size: tuple[int, int], settings: FrameSettings, stamps: tuple[int, ...], *, whole: bool
) -> Timing:
    """Return the times of the frames of a video.

    Args:
        info: The video.
        size: (h, w) of its frames.
        settings: What was taken.
        stamps: From the decoder, in ticks, one per frame; at least one.
        whole: Whether all frames that the video promises are there.
    """
    times = clean_times(info, stamps)
    clean = times.frames
    rate, constant = true_rate(clean.pts, clean.time_base, (info.average_rate, info.nominal_rate))
    claimed = whole and not constant and not settings.fps and not times.sections
    return Timing(
        source_name=info.path.name,
        source_bytes=info.byte_count,
        fps=settings.fps,
        image_format=settings.image_format,
        video_track=settings.video_track,
        time_base=clean.time_base,
        pts=clean.pts,
        end=_end(info, clean, rate, claimed=claimed),
        rate=rate,
        constant=constant,
        size=size,
        colour=result_colour(info),
        assumed_matrix=matrix_of(info),
        audio=times.audio,
        changes=(*changes_of(info, settings.bits), *clean.changes),
        sections=times.sections,
        source_content=info.content,
        bits=settings.bits,
    )


def _end(info: VideoInfo, clean: Straightened, rate: Fraction, *, claimed: bool) -> int:
    """Return when the last frame is over, in ticks; `claimed` takes the file's word for it, where it is sensible."""
    pts, tick = clean.pts, clean.time_base
    if claimed and info.duration is not None:
        end = round((info.start * info.time_base + info.duration) / tick)
        if 0 < (end - pts[-1]) * tick <= MAX_LAST_FRAME_SECONDS:
            return end
    return pts[-1] + max(1, round(1 / rate / tick))


def _size(folder: Path, settings: FrameSettings, count: int, digits: int) -> tuple[int, int]:
    """Return (h, w) of the first frame that is still there."""
    for number in range(1, count + 1):
        path = folder / f"{frame_stem(number, digits)}.{settings.image_format}"
        if path.exists():
            height, width = read_image(path).shape[:2]
            return height, width
    return 0, 0


STREAM_BLOCK = 1 << 20
RAW_FORMATS = MappingProxyType({8: "bgr24", DEPTH: "bgr48le"})


class VideoFrames:
    """The frames of a video file, or some of them: a `FrameSource` that decodes while it is read.

    Args:
        info: The video.
        fps: Rate to thin out to, as `FrameSettings` has it; 0 takes every frame.
        every: Of those, take every nth, from the first on.
        first: Number of the first wanted frame, from 1; those before it are decoded and dropped.
        bits: A channel, as `FrameSettings` has it: images are uint8, or of 16 bits uint16.

    Attributes:
        last: Number of the last frame that was yielded; 0 before the first.
        decoder_errors: How often the decoder complained, once all is read.
        sizes: (h, w) of frames that had another size than the first and were fitted into it, once all is read.
    """

    def __init__(self, info: VideoInfo, *, fps: float = 0.0, every: int = 1, first: int = 1, bits: int = 8) -> None:
        self._info = info
        self._fps = fps
        self._every = every
        self._first = first + (1 - first) % every
        self._bits = bits
        self.last = 0
        self.decoder_errors = 0
        self.sizes: set[tuple[int, int]] = set()

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; their indices are those of the frames on disk.

        Raises:
            UserError: ffmpeg breaks off.
        """
        index = self._first - self._every
        with FfmpegRun(self._command()) as run:
            for time, image in self._images(run):
                index += self._every
                self.last = index
                yield Frame(index, time, image)
            run.finish(f"{self._info.path.name} could not be decoded to its end")
            self.decoder_errors = run.error_count
            self.sizes = run.sizes

    def _command(self) -> list[str]:
        info = self._info
        node = video_frames(video_input(info), info)
        node = select_frames(deinterlaced(node, info), info, self._fps, self._first, self._every)
        node = to_image(carry_stamps(node, info.time_base), info, "png", self._bits)
        node = node.filter("format", RAW_FORMATS[self._bits])
        return _to_pipe(node, {"c:v": "rawvideo"})

    def _images(self, run: FfmpegRun) -> Iterator[tuple[Fraction, Image]]:
        kind: Any = np.uint8 if self._bits == 8 else np.dtype("<u2")
        for packet, stamp in stamped_packets(run, self._info.time_base, STREAM_BLOCK):
            context = packet.stream.codec_context
            shape = (context.height, context.width, 3)
            yield stamp * self._info.time_base, np.frombuffer(bytes(packet), kind).reshape(shape)


def expected_count(info: VideoInfo, fps: float) -> int:
    """Return how many frames a video probably has at a rate (0: all); 0 when that is not known."""
    if fps and info.average_rate > fps:
        return round(info.frame_count * Fraction(fps) / info.average_rate)
    return info.frame_count
