"""What is inside a video file: streams, times, colour, rotation. Read with PyAV, so no ffprobe is needed."""

import math
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import IO, Any

import av
from av.error import FFmpegError
from av.sidedata.sidedata import Type

from facewright.core.contents import Contents
from facewright.core.errors import UserError
from facewright.core.safe_files import is_mostly_holes, open_regular
from facewright.video.audio import AudioStream, audio_tracks, main_track

BOM = b"\xef\xbb\xbf"
PLAYLISTS = (b"ffconcat", b"#EXTM3U", b"<?xml", b"<MPD", b"v=0")  # concat, HLS, DASH and IMF, SDP
PROBED_FRAMES = 8
# A step between two time stamps that is longer than this, in seconds, is one of the clock, not of the image.
MAX_GAP = Fraction(5)
# Except where the container itself says how long each frame is shown: a slide may stay for some minutes.
MAX_HELD = Fraction(600)
HOLDING = ("mov", "gif")  # such containers, by the first of ffmpeg's names

# ISO/IEC 23091-2 code points, under the names that ffmpeg's options take. What is absent here is unspecified.
PRIMARIES = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
}
TRANSFERS = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    11: "iec61966-2-4",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    18: "arib-std-b67",
}
MATRICES = {
    0: "gbr",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
    11: "smpte2085",
    12: "chroma-derived-nc",
    13: "chroma-derived-c",
    14: "ictcp",
}
RANGES = {1: "tv", 2: "pc"}
HDR_TRANSFERS = ("smpte2084", "arib-std-b67")
OPAQUE = 255
INTERLACED_ORDERS = (2, 3, 4, 5)  # AVFieldOrder; 1 is progressive, 0 is unspecified


@dataclass(frozen=True)
class Colour:
    """Colour tags by ffmpeg's names; an empty text means that the file does not say."""

    primaries: str = ""
    transfer: str = ""
    matrix: str = ""
    range: str = ""


@dataclass(frozen=True)
class VideoTrack:
    """A video track.

    Attributes:
        track: Its number among the video tracks, from 1.
        codec: For example "h264".
        size: (h, w) that the file states.
    """

    track: int
    codec: str
    size: tuple[int, int]

    def __str__(self) -> str:
        """Return for example "2 (h264, 1920x1080)"."""
        return f"{self.track} ({self.codec}, {self.size[1]}x{self.size[0]})"


@dataclass(frozen=True)
class VideoInfo:
    """A video file.

    Attributes:
        path: The file.
        byte_count: Its length.
        container: Its format by ffmpeg's name, for example "mov,mp4,m4a,3gp,3g2,mj2".
        index: Index of the video stream.
        codec: Its codec, for example "h264".
        size: (h, w) as stored, before rotation and before non-square pixels are made square.
        pixel_format: For example "yuv420p".
        deep: More than 8 bits per component.
        rgb: The stream stores RGB or a palette.
        time_base: Seconds per tick of `start` and of the frames' times.
        start: First time stamp of the stream in ticks.
        frame_count: Frames that the file claims; an estimate unless `counted`.
        counted: The container states the number.
        duration: Length of the frames in seconds, None when unknown.
        average_rate: Frames per second by the container.
        nominal_rate: The rate that the time stamps are multiples of (`r_frame_rate`); not the true one of a VFR file.
        rotation: Degrees counter-clockwise that the display matrix asks for.
        mirrored: It asks to swap left and right after that.
        transparent: Some of the first frames are not opaque everywhere, or the file says so.
        pixel_aspect: Width : height of one pixel.
        interlaced: The stream is flagged as interlaced.
        colour: Its tags.
        audio: The main audio track, None where there is none that can be read.
        audio_tracks: All audio tracks.
        track: The video track that is looked at.
        tracks: All of them; cover art is none.
        content: What is in the file (see `facewright.core.contents`); "" where nobody asked.
    """

    path: Path
    byte_count: int
    container: str
    index: int
    codec: str
    size: tuple[int, int]
    pixel_format: str
    deep: bool
    rgb: bool
    time_base: Fraction
    start: int
    frame_count: int
    counted: bool
    duration: Fraction | None
    average_rate: Fraction
    nominal_rate: Fraction
    rotation: int
    mirrored: bool
    transparent: bool
    pixel_aspect: Fraction
    interlaced: bool
    colour: Colour
    audio: AudioStream | None
    audio_tracks: tuple[AudioStream, ...]
    track: VideoTrack
    tracks: tuple[VideoTrack, ...]
    content: str = ""

    @property
    def hdr(self) -> bool:
        """Whether the transfer is PQ or HLG."""
        return self.colour.transfer in HDR_TRANSFERS


def longest_step(container: str) -> Fraction:
    """Return up to how many seconds a frame may stay, by the container's name; a longer step is one of the clock."""
    return MAX_HELD if container.partition(",")[0] in HOLDING else MAX_GAP


def file_url(path: Path) -> str:
    """Name a file so that no part of its path is taken for a protocol or a pattern."""
    return f"file:{path.resolve()}"


def open_video(path: Path) -> Any:
    """Open a file with PyAV.

    Raises:
        UserError: It cannot be read, is cut off before its index, or is no video.
    """
    try:
        with open_regular(path, links=True) as file:  # ffmpeg would wait for a pipe
            head = file.read(64)
        if head.removeprefix(BOM).lstrip().startswith(PLAYLISTS):
            raise UserError(
                f"{path} is a list of other files, not a video.",
                "a video: a list could name files of yours anywhere.",
                "join its pieces into one file with the program that made them.",
            )
        if is_mostly_holes(path):
            raise UserError(
                f"{path} is nearly empty: of its {path.stat().st_size / 1e9:.1f} GB hardly anything was ever written.",
                "a whole file; one that is still being downloaded, say, is not.",
                "wait for its end, or copy the video again.",
            )
        # Local files only, whatever else names others.
        return av.open(file_url(path), options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except (FFmpegError, OSError) as error:
        raise _not_a_video(path, error) from error


def read_video_tags(path: Path) -> dict[str, str]:
    """Return the metadata of a video's container: tag -> text.

    Raises:
        UserError: It cannot be read, or is no video.
    """
    with closing(open_video(path)) as container:
        return dict(container.metadata)


def open_pipe(pipe: IO[bytes], kind: str, block: int = 1 << 16, options: dict[str, str] | None = None) -> Any:
    """Open what a running ffmpeg writes to its pipe.

    Args:
        pipe: Its standard output.
        kind: The format it writes.
        block: Bytes to read at once.
        options: For the demuxer.

    Raises:
        FFmpegError: Nothing came; the run's own `finish` or `failure` says why.
    """
    return av.open(pipe, format=kind, buffer_size=block, options=options or {})


def _not_a_video(path: Path, error: Exception) -> UserError:
    expected = "a video that ffmpeg reads, for example mp4, mov, mkv, avi, webm or gif."
    try:
        with open_regular(path, links=True) as file:
            head = file.read(12)
    except OSError as reason:  # PyAV's own error for it is one of ffmpeg's too
        return UserError(f"{path} cannot be read: {reason.strerror}.", expected, "check the file's rights and name.")
    if not head:
        return UserError(f"{path} is empty.", expected, "copy the video again.")
    if head[4:8] in (b"ftyp", b"mdat", b"wide", b"free") and not _has_atom(path, b"moov"):
        return UserError(
            f"{path} is cut off: its index (the moov atom) is missing.",
            "a whole file; a recording or a copy that was broken off has no index.",
            "copy or download the video again, or record it anew.",
        )
    return UserError(
        f"{path} is not a video ({getattr(error, 'strerror', None) or error}).",
        expected,
        "check that the file plays in a video player, and copy the right one.",
    )


def _has_atom(path: Path, wanted: bytes) -> bool:
    """Walk through the top-level atoms of an ISO media file."""
    length = path.stat().st_size
    position = 0
    with open_regular(path, links=True) as file:
        while position + 8 <= length:
            file.seek(position)
            head = file.read(16)
            size, kind = int.from_bytes(head[:4], "big"), head[4:8]
            if kind == wanted:
                return True
            size = int.from_bytes(head[8:16], "big") if size == 1 else size
            if size < 8:
                return False
            position += size
    return False


def probe(path: Path, contents: Contents | None = None, *, track: int = 0) -> VideoInfo:
    """Read what a video file is, decoding its first few frames.

    Args:
        path: The file.
        contents: Those of the workspace, where the whole content is asked for.
        track: Number of the video track, from 1; 0 is the one that ffmpeg prefers.

    Raises:
        UserError: The file is no video, is cut off, holds audio only, or has no track of that number.
    """
    container = open_video(path)
    with closing(container):
        streams = video_streams(container)
        videos = tuple(
            VideoTrack(number, s.codec_context.name, (s.codec_context.height, s.codec_context.width))
            for number, s in enumerate(streams, 1)
        )
        if track > len(videos):
            raise _no_track(path, videos, track)
        stream = streams[track - 1] if track else video_stream(container)
        if stream is None:
            raise UserError(
                f"{path} has no video stream, only {_kinds(container)}.",
                "a file with a video stream.",
                "copy a video there.",
            )
        tracks, best = audio_tracks(container), container.streams.best("audio")
        start = stream.start_time or 0
        duration = _duration(container, stream)
        average = Fraction(stream.average_rate or stream.guessed_rate or 25)
        frames = _first_frames(container, stream)
        first = frames[0] if frames else None
        rotation, mirrored = _orientation(first)
        context = stream.codec_context
        pixel_format: Any = context.format or (first.format if first else None)
        return VideoInfo(
            path=path,
            byte_count=path.stat().st_size,
            container=container.format.name,
            index=stream.index,
            codec=context.name,
            size=(first.height, first.width) if first else (context.height, context.width),
            pixel_format=pixel_format.name if pixel_format else "unknown",
            deep=bool(pixel_format) and max(c.bits for c in pixel_format.components) > 8,
            rgb=bool(pixel_format) and bool(pixel_format.is_rgb or pixel_format.has_palette),
            time_base=Fraction(stream.time_base),
            start=start,
            frame_count=stream.frames or round((duration or 0) * average),
            counted=stream.frames > 0,
            duration=duration,
            average_rate=average,
            nominal_rate=Fraction(stream.guessed_rate or average),
            rotation=rotation,
            mirrored=mirrored,
            transparent=stream.metadata.get("alpha_mode") == "1" or _shows_through(frames),
            pixel_aspect=Fraction(stream.sample_aspect_ratio or 1) or Fraction(1),
            interlaced=context.field_order in INTERLACED_ORDERS or any(f.interlaced_frame for f in frames),
            colour=_colour(context, first),
            audio=main_track(tracks, best.index if best is not None else None),
            audio_tracks=tracks,
            track=videos[streams.index(stream)],
            tracks=videos,
            content=contents.of(path) if contents else "",
        )


def _no_track(path: Path, tracks: Sequence[VideoTrack], number: int) -> UserError:
    there = f"its video tracks are {', '.join(map(str, tracks))}" if tracks else "it has none"
    return UserError(
        f"{path.name} has no video track {number}; {there}.",
        "the number of a track that is there.",
        "name another one with --video-track, or leave it out to take the main one.",
    )


def video_streams(container: Any) -> list[Any]:
    """Return the video streams of an open file that can be decoded; cover art of a music file does not count."""
    attached = av.stream.Disposition.attached_pic
    return [s for s in container.streams.video if not s.disposition & attached and s.codec_context is not None]


def video_stream(container: Any) -> Any:
    """Return the main one of the `video_streams`; None without one."""
    moving = video_streams(container)
    best = container.streams.best("video")
    return best if best in moving else next(iter(moving), None)


def _kinds(container: Any) -> str:
    kinds = {"cover art" if stream.type == "video" else stream.type for stream in container.streams}
    return " and ".join(sorted(kinds)) or "nothing"


def _duration(container: Any, stream: Any) -> Fraction | None:
    if stream.duration:
        return Fraction(stream.duration) * Fraction(stream.time_base)
    return Fraction(container.duration, av.time_base) if container.duration else None


def _first_frames(container: Any, stream: Any) -> list[Any]:
    try:
        return list(islice(container.decode(stream), PROBED_FRAMES))
    except FFmpegError:  # a damaged start: ffmpeg itself will skip it
        return []


def _orientation(frame: Any) -> tuple[int, bool]:
    """Return by how many degrees a frame is to be rotated counter-clockwise, and whether it is mirrored after that."""
    matrices = [data for data in frame.side_data if data.type is Type.DISPLAYMATRIX] if frame is not None else []
    if not matrices:
        return 0, False
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrices[0]))
    mirrored = a * d - b * c < 0
    return round(-math.degrees(math.atan2(b, -a if mirrored else a))), mirrored


def _shows_through(frames: Sequence[Any]) -> bool:
    """Whether a frame has an alpha channel, and not opaque everywhere."""
    with_alpha = [frame for frame in frames if any(part.is_alpha for part in frame.format.components)]
    return any(frame.to_ndarray(format="rgba")[..., 3].min() < OPAQUE for frame in with_alpha)


def _colour(context: Any, frame: Any) -> Colour:
    def tag(names: dict[int, str], attribute: str) -> str:
        return names.get(int(getattr(context, attribute))) or (
            names.get(int(getattr(frame, attribute)), "") if frame is not None else ""
        )

    return Colour(
        tag(PRIMARIES, "color_primaries"),
        tag(TRANSFERS, "color_trc"),
        tag(MATRICES, "colorspace"),
        tag(RANGES, "color_range"),
    )


def packet_times(info: VideoInfo) -> list[int]:
    """Return the time stamps of all frames in ticks of `info.time_base`, in the order of showing, from the packets.

    Much faster than decoding, and the same for whole files. Where the file begins its time stamps anew, so do these.
    """
    return [stamp for stamp, _ in frame_index(info)]


def frame_index(info: VideoInfo) -> list[tuple[int, bool]]:
    """Return for each frame its time stamp, as `packet_times` does, and whether it is a keyframe."""
    limit = longest_step(info.container) / info.time_base
    ordered: list[tuple[int, bool]] = []
    section: list[tuple[int, bool]] = []
    last: int | None = None
    with closing(open_video(info.path)) as container:
        for packet in readable_packets(container, container.streams[info.index]):
            if packet.is_discard:
                continue
            dts = packet.dts
            if dts is not None and last is not None and not 0 <= dts - last <= limit:
                ordered += sorted(section)
                section = []
            section.append((packet.pts, bool(packet.is_keyframe)))
            last = dts if dts is not None else last
    return ordered + sorted(section)


def readable_packets(container: Any, *streams: Any) -> Iterator[Any]:
    """Yield the packets of streams that have a time, up to a place where a damaged file cannot be read on."""
    while True:
        try:
            yield from (packet for packet in container.demux(*streams) if packet.size and packet.pts is not None)
        except FFmpegError:
            return
        except IndexError:  # PyAV's word for a stream that turns up in mid-file: read on behind it
            continue
        return
