"""A part of a video: its frames chosen by their times, encoded, and checked one by one.

Seeking is trusted nowhere: transport streams land seconds away from where they were asked to. The frames of the part
are known from the file's packets before it is read, and every frame that comes must be one of them. If one is
missing, the video is decoded from its beginning and its frames are counted.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median_low
from typing import Any

import av
import ffmpeg
from av.error import FFmpegError

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import disk_errors
from facewright.core.safe_files import replacing
from facewright.video.audio import AudioStream, for_aac
from facewright.video.audio_placing import PlacedAudio, place_audio, read_audio
from facewright.video.ffmpeg import FfmpegRun, command
from facewright.video.filters import deinterlaced, fitted_note, video_frames, video_input
from facewright.video.frames import decoded_stamps
from facewright.video.mux import MAX_PRIMING, step_before
from facewright.video.probe import VideoInfo, frame_index, open_pipe, packet_times, probe
from facewright.video.timeline import VideoTimes, clean_times

CRF = 16
AUDIO_BITRATE = "256k"
# A frame this much before the start, in seconds, belongs to the part: containers round to a millisecond.
ROUNDING = Fraction(1, 1000)
# Seconds between the keyframe from which a part is decoded and the place that is asked for.
SEEK_MARGIN = 5
# Seconds that the pipe's times are ahead: it has none below 0, and the coder begins before the first frame.
LEAD = 3600

BELIEVED = 32  # frames that are decoded to see whether packets have the times of their frames
REORDERED = 2  # places by which x264 with its pyramid of B-frames moves a frame at most


@dataclass(frozen=True)
class Part:
    """Frames one after another, and the moments between which the audio is taken.

    Attributes:
        info: The video.
        start: Seconds after its beginning.
        end: Likewise; None is its end.
        times: Of all its frames.
        stamps: Their time stamps in the file, in ticks of `info.time_base`.
        first: Index of the first frame.
        count: Number of frames.
        seek: Where to begin to decode, in seconds on the file's clock; None is the beginning.
        decoded: Whether the frames were counted by decoding; else they are what the packets promise.
        tracks: The audio that is heard in it, the main track first: it is the main one of the part too.
    """

    info: VideoInfo
    start: Fraction
    end: Fraction | None
    times: VideoTimes
    stamps: Sequence[int]
    first: int
    count: int
    seek: Fraction | None
    decoded: bool
    tracks: tuple[AudioStream, ...] = ()

    @property
    def zero(self) -> Fraction:
        """The moment that becomes 0, in seconds on the timeline of the frames."""
        wanted = beginning(self.times) + self.start
        return min(wanted, self.times.frames.pts[self.first] * self.times.frames.time_base)

    @property
    def duration(self) -> Fraction:
        """Length of the whole video in seconds."""
        section = self.times.frames.sections[-1]
        return section.end + section.shift - beginning(self.times)

    def shown(self) -> list[int]:
        """Return when each frame of the part is shown, in ticks of the frames' time base after `zero`."""
        frames = self.times.frames
        zero = round(self.zero / frames.time_base)
        return [time - zero for time in frames.pts[self.first : self.first + self.count]]

    def over(self) -> int:
        """Return when its last frame is over, likewise."""
        frames, last = self.times.frames, self.first + self.count
        tick, section = frames.time_base, frames.sections[-1]
        over = frames.pts[last] * tick if last < len(frames.pts) else section.end + section.shift
        if self.end is not None:
            over = min(over, beginning(self.times) + self.end)
        return max(round(over / tick), frames.pts[last - 1] + 1) - round(self.zero / tick)


def beginning(times: VideoTimes) -> Fraction:
    """Return the moment at which a player's clock is 0, in seconds on the timeline of the frames."""
    first = times.frames.pts[0] * times.frames.time_base
    audio = times.audio
    return audio.start if audio is not None and audio.start < first - MAX_PRIMING else first


def choose_part(info: VideoInfo, start: Fraction, end: Fraction | None, *, decode: bool = False) -> Part:
    """Find the frames between two times; their `count` may be 0.

    Args:
        info: The video.
        start: Seconds after its beginning; a frame that begins before it is not in the part.
        end: Likewise; None is its end.
        decode: Decode the whole video rather than believe its packets.

    Raises:
        UserError: No frame can be decoded.
    """
    index = [] if decode else frame_index(info)
    stamps = [stamp for stamp, _ in index]
    times = clean_times(info, stamps) if stamps else None
    if times is None or not _are_as_stamped(times, stamps) or stamps[:BELIEVED] != decoded_stamps(info, BELIEVED):
        index, stamps = [], decoded_stamps(info)
        times = clean_times(info, stamps)
    pts, tick = times.frames.pts, times.frames.time_base
    base = beginning(times) - ROUNDING
    first = bisect_left(pts, (base + start) / tick)
    last = len(pts) if end is None else bisect_left(pts, (base + end) / tick)
    seek = None
    keys = [stamp for stamp, is_key in index[: first + 1] if is_key]
    if len(keys) > 1:
        # Frames behind the last keyframe may need some before it; one more is a reserve.
        seek = keys[max(0, len(keys) - 3)] * info.time_base - SEEK_MARGIN
        seek = seek if seek > pts[0] * tick else None
    part = Part(info, start, end, times, stamps, first, max(0, last - first), seek, decoded=not index)
    return replace(part, tracks=_heard(part)) if part.count else part


def _heard(part: Part) -> tuple[AudioStream, ...]:
    """Return the audio tracks that can be read and have something in the part."""
    info, sections = part.info, part.times.sections
    tracks = sorted((audio for audio in info.audio_tracks if audio.readable), key=lambda audio: audio != info.audio)
    if not tracks:
        return ()
    end = None if part.end is None else beginning(part.times) + part.end
    heard = []
    for track, packets in zip(tracks, read_audio(info.path, [track.index for track in tracks]), strict=True):
        places = place_audio(packets, sections).places if sections else packets.starts
        times = (place * packets.tick for place in places if place is not None)
        if any(time >= part.zero and (end is None or time < end) for time in times):
            heard.append(track)
    return tuple(heard)


def _are_as_stamped(times: VideoTimes, stamps: Sequence[int]) -> bool:
    pts = times.frames.pts
    return not times.sections and all(a - pts[0] == b - stamps[0] for a, b in zip(pts, stamps, strict=True))


def write_part(part: Part, target: Path, on_progress: Callable[[int], Any]) -> Part:
    """Write a part as an mp4, and check that it holds its frames at their times.

    Args:
        part: From `choose_part`, with at least one frame.
        target: The file to write; it is there only when it is whole and right.
        on_progress: Called with the number of frames just written; a negative number takes some back.

    Returns:
        What was written: the part, or another one of the same times, if the frames had to be counted.

    Raises:
        UserError: The video cannot be decoded, or the disk is full.
    """
    written = 0

    def note() -> None:
        nonlocal written
        written += 1
        on_progress(1)

    try:
        with disk_errors(target), replacing(target, durable=True) as temporary:
            whole = _encode(part, temporary, note)
            if not whole or part.shown() != _times_in(temporary, part.times.frames.time_base):
                raise _NotExactError
    except _NotExactError:
        on_progress(-written)
        audible = tuple(audio for audio in part.tracks if _is_audible(part, audio))
        if audible != part.tracks:
            dumb = ", ".join(str(audio) for audio in part.tracks if audio not in audible)
            console.warn(f"Audio that is left out, for nothing of it can be decoded in this part: track {dumb}.")
            return write_part(replace(part, tracks=audible), target, on_progress)
        if not part.decoded:
            console.say(f"{part.info.path.name} cannot be searched exactly: it is read from its beginning.")
            counted = choose_part(part.info, part.start, part.end, decode=True)
            if counted.count:
                return write_part(counted, target, on_progress)
        raise _not_right(part, written) from None
    return part


class _NotExactError(Exception):
    """Other frames came than those of the part."""


def _times_in(video: Path, tick: Fraction) -> list[int]:
    info = probe(video)
    return [round(stamp * info.time_base / tick) for stamp in packet_times(info)]


def _not_right(part: Part, written: int) -> UserError:
    return UserError(
        f"{part.info.path.name} could not be cut exactly: {written} of {console.counted(part.count, 'frame')} "
        "came out at their times.",
        "a video that decodes to the same frames each time.",
        "convert the video to mp4 with another program, and cut that.",
    )


def _encode(part: Part, target: Path, note: Callable[[], None]) -> bool:
    """Encode the frames and the audio, calling `note` for each frame; return whether all came, and no other."""
    info = part.info
    sound = PlacedAudio(info.path, [audio.index for audio in part.tracks], part.times.sections)
    problem = f"{info.path.name} could not be cut"
    with ExitStack() as stack:
        run = stack.enter_context(FfmpegRun(*_command(part, sound)))
        try:
            given = stack.enter_context(closing(open_pipe(run.stdout, "nut")))
        except FFmpegError:
            if part.decoded and all(_is_audible(part, audio) for audio in part.tracks):
                raise run.failure(problem) from None
            return False
        # Where the first frame comes after 0, its time is stored in the movie's own ticks.
        ticks = part.times.frames.time_base.denominator
        options = {"movflags": "+faststart", "movie_timescale": str(ticks)}
        out = stack.enter_context(closing(av.open(f"file:{target.resolve()}", "w", format="mp4", options=options)))
        streams = {s.index: out.add_stream_from_template(s) for s in given.streams}
        place = _FramePlaces(part)
        for packet in run.checked(given.demux()):
            if not packet.size or packet.pts is None:
                continue
            packet.stream = streams[packet.stream_index]
            packet.pts -= round(LEAD / Fraction(packet.time_base))
            packet.dts = packet.pts
            if packet.stream.type == "video":
                if not place(packet):
                    return False
                note()
            out.mux_one(packet)
        if part.decoded:
            run.finish(problem)
        if run.sizes:
            console.say(f"The frames were {fitted_note(info, run.sizes)}.")
        out.close()
    return place.count == part.count


class _FramePlaces:
    """Gives the encoded frames of a part their times.

    Attributes:
        count: Frames so far.
    """

    def __init__(self, part: Part) -> None:
        self._part = part
        self._shown = part.shown()
        self._tick = part.times.frames.time_base
        self._step = _step(part)
        self._over = part.over()
        self._before = step_before(self._shown, self._over)
        self.count = 0

    def __call__(self, packet: Any) -> bool:
        """Set the times of the next packet in the order of decoding; return whether it is one of the part's frames."""
        ticks = round(packet.pts * packet.time_base / self._part.info.time_base)
        index = ticks // self._step if self._part.decoded else bisect_left(self._shown, self._shown[0] + ticks)
        if self.count == self._part.count or not 0 <= index < self._part.count:
            return False
        # A frame is decoded when the one so many places before it is shown: never late, always rising.
        order = self.count - REORDERED
        packet.time_base = self._tick
        packet.pts = self._shown[index]
        packet.dts = self._shown[order] if order >= 0 else self._shown[0] + order * self._before
        packet.duration = (self._shown[index + 1] if index + 1 < self._part.count else self._over) - self._shown[index]
        self.count += 1
        return self._part.decoded or packet.pts == self._shown[0] + ticks


def _step(part: Part) -> int:
    """Return the usual distance of two frames in ticks of the file."""
    steps = [b - a for a, b in pairwise(part.shown())]
    usual = median_low(steps) * part.times.frames.time_base if steps else 1 / part.info.average_rate
    return max(1, round(usual / part.info.time_base))


def _command(part: Part, sound: PlacedAudio) -> tuple[list[str], Iterator[bytes] | None]:
    info, first, last = part.info, part.first, part.first + part.count - 1
    options = _seeking(part)
    node = deinterlaced(video_frames(video_input(info, **options), info), info)
    node = node.filter("settb", str(info.time_base))
    lead = round(LEAD / info.time_base)
    if part.decoded:
        node = node.filter("select", f"between(n,{first},{last})").filter("setpts", f"N*{_step(part)}+{lead}")
    else:
        begin, end = part.stamps[first], part.stamps[last]
        node = node.filter("select", f"between(pts,{begin},{end})").filter("setpts", f"PTS-{begin - lead}")
    nodes, feed = sound.nodes(**options)
    tracks = [_trimmed(audio, node, part, sound) for audio, node in zip(part.tracks, nodes, strict=True)]
    # Full colour resolution where halving it would lose something: odd sizes, RGB.
    odd = info.size[0] % 2 or info.size[1] % 2
    layout = ("yuv444p" if odd or info.rgb or "444" in info.pixel_format else "yuv420p") + ("10le" if info.deep else "")
    output = ffmpeg.output(
        node,
        *tracks,
        "pipe:1",
        format="nut",
        fps_mode="passthrough",
        enc_time_base="filter",
        pix_fmt=layout,
        crf=CRF,
        **{"c:v": "libx264", "c:a": "aac", "b:a": AUDIO_BITRATE},
    )
    return command(output, "-copyts", "-max_error_rate", "1"), feed


def _is_audible(part: Part, audio: AudioStream) -> bool:
    """Whether anything of an audio track can be decoded inside a part: ffmpeg begins no file without."""
    sound = PlacedAudio(part.info.path, [audio.index], part.times.sections)
    (node,), feed = sound.nodes(**_seeking(part))
    output = ffmpeg.output(_trimmed(audio, node, part, sound), "pipe:1", format="s16le")
    with FfmpegRun(command(output, "-copyts", "-max_error_rate", "1"), feed) as run:
        return bool(run.stdout.read(1))


def _seeking(part: Part) -> dict[str, Any]:
    """Return ffmpeg's options for an input that is read from shortly before the part on."""
    if part.seek is None:
        return {"protocol_whitelist": "file"}
    # A frame whose references are missing is not to come at all.
    options = {"ss": f"{float(part.seek):.6f}", "seek_timestamp": 1, "noaccurate_seek": None}
    return {"protocol_whitelist": "file", **options, "flags": "-output_corrupt"}


def _trimmed(audio: AudioStream, node: Any, part: Part, sound: PlacedAudio) -> Any:
    """Return a track from the part's 0 to its end."""
    begin = part.zero + sound.lead
    limits = {"start": f"{float(begin):.6f}"}
    if part.end is not None:
        limits["end"] = f"{float(beginning(part.times) + part.end + sound.lead):.6f}"
    node = for_aac(node, audio).filter("atrim", **limits)
    return sound.filled(node.filter("asetpts", f"PTS+({LEAD}-{float(begin):.6f})/TB"))
