"""Encoded segments + exact times + audio -> one mp4, mov, mkv or avi, whole or absent."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import av
from av.error import FFmpegError

from facewright.core import console
from facewright.core.files import disk_errors
from facewright.core.safe_files import replacing
from facewright.video.audio import AudioStream, audio_is_copied, for_aac
from facewright.video.audio_placing import PlacedAudio
from facewright.video.codecs import MUXERS, settle_stream
from facewright.video.encode import EncodeSettings, VideoSegment, open_segment, segment_packets
from facewright.video.ffmpeg import FfmpegRun, command
from facewright.video.probe import open_pipe, open_video, readable_packets
from facewright.video.timing import Section

AAC_BITRATE = "192k"
# Container -> options of its writer. Matroska would move all times for the sake of an encoder's run-in.
OPTIONS: Mapping[str, dict[str, str]] = MappingProxyType(
    {
        "mp4": {"movflags": "+faststart+use_metadata_tags"},
        "mov": {"movflags": "+faststart+use_metadata_tags"},
        "mkv": {"avoid_negative_ts": "disabled"},
    }
)
# An encoder's run-in before the first sample: shorter than this it is cut off rather than shown as a lead.
MAX_PRIMING = Fraction(1, 20)
# AVI knows one rate only; the times of a variable rate are rounded to this grid (about 4 ms).
AVI_GRID = Fraction(1, 240)


@dataclass(frozen=True)
class Timeline:
    """The presentation timestamps of the result's frames.

    Attributes:
        timestamps: Seconds on the source's clock, rising, one per frame.
        end: When the last frame is over.
        rate: Average frames per second.
        tick: Time base for the result; all times are multiples of it after the first one.
        sections: How the source's audio is moved; empty where its time stamps are taken as they are.
        trimmed: Whether the audio outside the sections is left out: frames are, too.
    """

    timestamps: tuple[Fraction, ...]
    end: Fraction
    rate: Fraction
    tick: Fraction
    sections: tuple[Section, ...] = ()
    trimmed: bool = False

    @classmethod
    def constant(cls, count: int, rate: Fraction, start: Fraction) -> "Timeline":
        """Return the timeline of `count` frames at a constant rate, from `start` in seconds on."""
        step = 1 / rate
        return cls(tuple(start + i * step for i in range(count)), start + count * step, rate, step)


def join(
    segments: Sequence[VideoSegment],
    settings: EncodeSettings,
    timeline: Timeline,
    source: Path | None,
    audio: AudioStream | None,
    target: Path,
    container: str,
    tags: Mapping[str, str],
) -> None:
    """Write the result atomically.

    Args:
        segments: The finished segments, in order.
        settings: How they were encoded.
        timeline: When each frame is shown.
        source: The file with the audio; None without.
        audio: Its stream; None for a silent result.
        target: The file to write.
        container: See `facewright.video.codecs.MUXERS`.
        tags: Metadata of the container.

    Raises:
        UserError: The disk is full, or the audio cannot be read.
    """

    def write(copied: bool) -> None:
        _write(segments, settings, timeline, source, audio, target, container, tags, copied=copied)

    copied = audio is not None and audio_is_copied(audio, container)
    try:
        write(copied)
    except (_ChangedError, av.error.ArgumentError, av.error.InvalidDataError):
        if not copied:
            raise
        # It changes on its way, from 5.1 to stereo say, or is not what its container calls it.
        console.warn("The audio cannot be copied as it is: it is encoded anew.")
        write(False)


def _write(
    segments: Sequence[VideoSegment],
    settings: EncodeSettings,
    timeline: Timeline,
    source: Path | None,
    audio: AudioStream | None,
    target: Path,
    container: str,
    tags: Mapping[str, str],
    *,
    copied: bool,
) -> None:
    """Write the result with audio that is copied or encoded; see `join`."""
    sound = None
    if audio is not None and source is not None:
        sound = PlacedAudio(source, [audio.index], timeline.sections, trimmed=timeline.trimmed)
    base = _base(timeline, sound, audio)
    times = _ticks(timeline, base, container)
    options = OPTIONS.get(container, {})
    with disk_errors(target), ExitStack() as stack:
        temporary = stack.enter_context(replacing(target, durable=True))
        out = stack.enter_context(
            closing(av.open(f"file:{temporary.resolve()}", "w", format=MUXERS[container], options=options))
        )
        out.metadata.update(tags)
        template = stack.enter_context(open_segment(segments[0]))
        video = out.add_stream_from_template(template.streams.video[0])
        settle_stream(video, settings.codec, container, settings.colour)
        video.time_base = times.tick
        sources = [_video_packets(segments, settings.tick, times, video)]
        if sound is not None and audio is not None:
            packets = _copied_packets if copied else _encoded_packets
            sources.append(packets(stack, sound, audio, base, container, out))
        for _, _, packet in heapq.merge(*sources, key=lambda item: item[:2]):
            out.mux_one(packet)
        out.close()


def _base(timeline: Timeline, sound: PlacedAudio | None, audio: AudioStream | None) -> Fraction:
    """Return the moment on the source's clock that becomes 0 in the result."""
    first = timeline.timestamps[0]
    if sound is None or audio is None:
        return first
    # The stream says it more exactly than its first packet, which may begin with an encoder's run-in.
    start = sound.start if timeline.sections else audio.start
    return start if start is not None and start < first - MAX_PRIMING else first


@dataclass(frozen=True)
class _Ticks:
    """The timeline in whole ticks of the result: `shown[i]`, and `end` after the last frame."""

    tick: Fraction
    shown: list[int]
    end: int


def _ticks(timeline: Timeline, base: Fraction, container: str) -> _Ticks:
    tick = timeline.tick
    if container == "avi" and tick < AVI_GRID:
        tick = AVI_GRID
    shown: list[int] = []
    for time in timeline.timestamps:
        at = round((time - base) / tick)
        shown.append(max(at, shown[-1] + 1) if shown else at)
    return _Ticks(tick, shown, max(round((timeline.end - base) / tick), shown[-1] + 1))


def _video_packets(
    segments: Sequence[VideoSegment], segment_tick: Fraction, times: _Ticks, stream: Any
) -> Iterator[tuple[float, int, Any]]:
    """Yield (time in seconds, 0, packet) with every frame's own time, in the order of decoding."""
    delay = _delay(segments, segment_tick)
    shown, order = times.shown, 0
    step = step_before(shown, times.end)
    for segment in segments:
        for index, packet in segment_packets(segment, segment_tick):
            packet.stream = stream
            packet.time_base = times.tick
            packet.pts = shown[index]
            # A frame is decoded when the one `delay` places before it is shown: never late, always rising.
            packet.dts = shown[order - delay] if order >= delay else shown[0] - (delay - order) * step
            packet.duration = (shown[index + 1] if index + 1 < len(shown) else times.end) - shown[index]
            yield float(packet.dts * times.tick), 0, packet
            order += 1


def step_before(shown: Sequence[int], end: int) -> int:
    """Return the distance at which frames are decoded before the first one is shown.

    Args:
        shown: When each frame is shown, in ticks.
        end: When the last one is over.
    """
    step = max(1, (end - shown[0]) // len(shown))
    # Readers of mp4 lose a late beginning if that distance is larger than those behind it.
    return min([step, *(b - a for a, b in pairwise(shown))]) if shown[0] else step


def _delay(segments: Sequence[VideoSegment], segment_tick: Fraction) -> int:
    """Return by how many places the coder moved a frame at most."""
    order, most = 0, 0
    for segment in segments:
        for index, _ in segment_packets(segment, segment_tick):
            most = max(most, order - index)
            order += 1
    return most


def _copied_packets(
    stack: ExitStack, sound: PlacedAudio, audio: AudioStream, base: Fraction, container: str, out: Any
) -> Iterator[tuple[float, int, Any]]:
    """Add the audio stream to the result as it is; return its (time in seconds, 1, packet)."""
    given = stack.enter_context(closing(open_video(sound.source)))
    stream = given.streams[audio.index]
    base_ticks = round(base / Fraction(stream.time_base))
    return _moved(_of_one_kind(sound.packets(given)), out.add_stream_from_template(stream), base_ticks)


class _ChangedError(Exception):
    """Audio changes in mid-stream."""


def _of_one_kind(packets: Iterator[Any]) -> Iterator[Any]:
    """Yield packets as long as the head of each AAC frame of a stream names the same rate and channels."""
    first: tuple[int, int] | None = None
    for packet in packets:
        head = bytes(packet)[:4]
        if len(head) == 4 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:  # ADTS
            kind = (head[2], head[3] & 0xC0)
            first = first or kind
            if kind != first:
                raise _ChangedError
        yield packet


def _encoded_packets(
    stack: ExitStack, sound: PlacedAudio, audio: AudioStream, base: Fraction, container: str, out: Any
) -> Iterator[tuple[float, int, Any]]:
    """Do so with the stream encoded anew."""
    (node,), feed = sound.nodes()
    base += sound.lead
    run = stack.enter_context(FfmpegRun(_audio_command(sound, node, audio, base, container), feed))
    try:
        given = stack.enter_context(closing(open_pipe(run.stdout, "nut" if container == "avi" else "mp4")))
    except FFmpegError as error:
        raise run.failure(f"The audio of {sound.source.name} could not be read") from error
    stream = given.streams.audio[0]
    base_ticks = 0 if container == "avi" else round(base / Fraction(stream.time_base))
    return _moved(readable_packets(given, stream), out.add_stream_from_template(stream), base_ticks)


def _moved(packets: Iterator[Any], target: Any, base_ticks: int) -> Iterator[tuple[float, int, Any]]:
    """Yield packets with `base_ticks` as the new 0."""
    for packet in packets:
        packet.pts -= base_ticks
        packet.dts = packet.pts
        packet.stream = target
        yield float(packet.pts * Fraction(packet.time_base)), 1, packet


def _audio_command(sound: PlacedAudio, node: Any, audio: AudioStream, base: Fraction, container: str) -> list[str]:
    if container != "avi":
        node = sound.filled(for_aac(node, audio))
        output = node.output(
            "pipe:1", format="mp4", movflags="frag_keyframe+delay_moov", **{"c:a": "aac", "b:a": AAC_BITRATE}
        )
        return command(output, "-copyts")
    # AVI has no start time of a stream: silence fills the gap, and what lies before the first frame is cut.
    node = node.filter("asetpts", f"PTS-({float(base)!r})/TB").filter("atrim", start=0)
    node = sound.filled(node, first_pts=0)
    return command(node.output("pipe:1", format="nut", **{"c:a": "pcm_s16le"}), "-copyts")
