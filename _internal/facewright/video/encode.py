"""Frames -> short encoded segments of video, each a whole file or absent: what a kill leaves is used by the next run.

One ffmpeg encodes a run of frames without a break; it begins each segment with a keyframe of its own, and
its packets are sorted into files of about two seconds. Segments know frames by number only. The exact times come
in when they are joined (`mux.py`), so a segment fits constant and variable rates alike.
"""

import hashlib
import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import ffmpeg
from av.error import FFmpegError

from facewright.core.contents import Contents
from facewright.core.errors import UserError
from facewright.core.exif import UPRIGHT, orientation
from facewright.core.files import write_bytes
from facewright.core.hints import hint
from facewright.core.images import (
    decode,
    encode,
    encoded_size,
    format_of,
    has_16_bits,
    in_16_bits,
    picture_of,
    read_encoded,
)
from facewright.core.safe_files import is_regular, open_regular
from facewright.video.codecs import CODECS, RGB_RANGE, encoder_options
from facewright.video.ffmpeg import FfmpegRun, command, has_filters
from facewright.video.filters import DEEP_RGB, DEEP_RGBA, ZSCALE_RANGES, zscale_matrix
from facewright.video.probe import Colour, open_pipe

SEGMENT_SECONDS = 2
MIN_SEGMENT_FRAMES = 12
# H.264 reorders over 16 frames at most; the shift keeps "shown" from being before "decoded" in a segment.
MAX_REORDER = 16
HEAD = 1 << 16  # bytes of a file, in which its EXIF data lie
PNG_TYPE_AT = 25  # byte of a PNG's header that names its type of colour
PNG_ALPHA = (b"\4", b"\6")  # grey and RGB with alpha
RAW = "raw"  # (h, w, 3) BGR, uint8 or, of deep frames, uint16
RAW_FORMATS = ("bgr24", "bgr48le")
FEEDS = {"png": ".png", "mjpeg": ".jpg"}  # what the pipe can carry: codec -> format


@dataclass(frozen=True)
class EncodeSettings:
    """How the frames are encoded.

    Attributes:
        crf: Quality, 0 (lossless) to 51, as x264 counts it; used when `bitrate` is 0.
        bitrate: Megabits per second, or 0.
        b_frames: Whether frames may be reordered (AVI cannot say it).
        rate: Frames per second, for the rate control.
        colour: Tags of the result.
        matrix: The YUV matrix, by the scaler's name, that the frames were decoded with.
        preset: Speed of x264 and x265.
        codec: See `facewright.video.codecs.CODECS`.
        encoder: ffmpeg's name of the encoder; "" takes the codec's own, on the processor.
        alpha: Whether the alpha of the frames is kept.
        pixel_format: What the encoder gets of frames of 16 bits a channel; "" where they have 8, which go into the
            codec's own.
    """

    crf: int
    bitrate: float
    b_frames: bool
    rate: Fraction
    colour: Colour
    matrix: str
    preset: str = "medium"
    codec: str = "h264"
    encoder: str = ""
    alpha: bool = False
    pixel_format: str = ""

    @property
    def deep(self) -> bool:
        """Whether the frames have 16 bits a channel."""
        return bool(self.pixel_format)

    @property
    def kept_bits(self) -> int:
        """How many bits of such frames the encoder gets: those of the hardware get fewer."""
        return int(av.VideoFormat(self.pixel_format).components[0].bits) if self.deep else 8

    @property
    def tick(self) -> Fraction:
        """Seconds between two frames of the even grid that the segments are encoded on."""
        return 1 / self.rate


@dataclass(frozen=True)
class VideoSegment:
    """A segment of the result.

    Attributes:
        first: Index of its first frame among all frames of the result.
        count: Number of frames.
        path: Its file, present when it is finished. The name depends on everything that went into it.
    """

    first: int
    count: int
    path: Path


def plan_segments(
    frames: Sequence[Path], settings: EncodeSettings, folder: Path, contents: Contents | None = None
) -> list[VideoSegment]:
    """Cut the frames into segments of about two seconds.

    Args:
        frames: All frames of the result, in order.
        settings: How they are encoded.
        folder: Of the segments.
        contents: Those of the workspace.
    """
    contents = contents or Contents()
    return cut_into_segments([identity(frame, contents) for frame in frames], settings, folder)


def cut_into_segments(identities: Sequence[Any], settings: EncodeSettings, folder: Path) -> list[VideoSegment]:
    """Do as `plan_segments`, for frames of which each is known by a JSON-able value that tells it from all others."""
    length = max(MIN_SEGMENT_FRAMES, round(SEGMENT_SECONDS * settings.rate))
    ending = f".{CODECS[settings.codec].segments}"
    planned = []
    for first in range(0, len(identities), length):
        chunk = identities[first : first + length]
        made_of = json.dumps([repr(settings), *chunk]).encode()
        name = hashlib.sha256(made_of).hexdigest()[:32]
        planned.append(VideoSegment(first, len(chunk), folder / f"{name}{ending}"))
    return planned


class ResultFrames(Protocol):
    """The frames of a result, wherever they come from."""

    def identities(self) -> list[Any]:
        """Return for each frame what tells it from all others, as JSON-able values."""

    def encode(
        self, segments: Sequence[VideoSegment], settings: EncodeSettings, on_progress: Callable[[int], Any]
    ) -> int:
        """Encode the segments that are not there yet; see `encode_segments`."""


@dataclass(frozen=True)
class ImageFiles:
    """Frames that lie in files, see `ResultFrames`; `contents` are those of the workspace."""

    paths: Sequence[Path]
    contents: Contents

    def identities(self) -> list[Any]:
        """See `ResultFrames`."""
        self.contents.look_through(self.paths, title="Looking at the frames")
        return [identity(path, self.contents) for path in self.paths]

    def encode(
        self, segments: Sequence[VideoSegment], settings: EncodeSettings, on_progress: Callable[[int], Any]
    ) -> int:
        """See `ResultFrames`."""
        return encode_segments(self.paths, segments, settings, on_progress)


def identity(path: Path, contents: Contents) -> list[str]:
    """Return what identifies a frame: folder, name, content."""
    return [path.parent.name, path.name, contents.of(path)]


def encode_segments(
    frames: Sequence[Path],
    segments: Sequence[VideoSegment],
    settings: EncodeSettings,
    on_progress: Callable[[int], Any],
) -> int:
    """Encode the segments that are not there yet.

    Args:
        frames: All frames of the result, in order, all of one size.
        segments: From `plan_segments` with the same frames.
        settings: As there.
        on_progress: Called with the number of frames just finished, those of kept segments included.

    Returns:
        The number of frames that were encoded by this run.

    Raises:
        UserError: A frame is damaged or of another size, or the disk is full.
    """
    size = image_size(read_encoded(frames[0]), frames[0])

    def feed(first: int, last: int) -> Feed:
        chosen = frames[first:last]
        codec = _feed_codec(chosen)
        return codec, _feed(chosen, codec, size, settings)

    return encode_missing(segments, settings, size, feed, on_progress)


# What ffmpeg reads: the codec of the frames ("png", "mjpeg" or RAW), and their bytes in order.
Feed = tuple[str, Iterator[bytes]]


def encode_missing(
    segments: Sequence[VideoSegment],
    settings: EncodeSettings,
    size: tuple[int, int],
    feed: Callable[[int, int], Feed],
    on_progress: Callable[[int], Any],
) -> int:
    """Encode the segments that are not there yet, neighbouring ones with one ffmpeg.

    Args:
        segments: All of the result, in order.
        settings: How they are encoded.
        size: (h, w) of the frames.
        feed: Called with the first and the end of a range of frames; gives these.
        on_progress: See `encode_segments`, as for what is returned and raised.
    """
    encoded = 0
    for present, group in itertools.groupby(segments, lambda s: is_regular(s.path)):
        neighbours = list(group)
        if present:
            on_progress(sum(segment.count for segment in neighbours))
            continue
        first, last = neighbours[0].first, neighbours[-1].first + neighbours[-1].count
        codec, frames = feed(first, last)
        what = "the frames could not be encoded"
        with FfmpegRun(_command(settings, codec, size, neighbours[0].count), frames) as run:
            finished = _sort_into_segments(run, neighbours, settings.tick, on_progress)
            run.finish(what)
            if finished != last - first:
                raise run.failure(f"{what} ({finished} of {last - first} from number {first + 1} on)")
        encoded += finished
    return encoded


def _sort_into_segments(
    run: FfmpegRun, segments: list[VideoSegment], tick: Fraction, on_progress: Callable[[int], Any]
) -> int:
    try:
        container = open_pipe(run.stdout, "nut")
    except FFmpegError:
        return 0  # the caller says why
    finished = 0
    with closing(container):
        stream = container.streams.video[0]
        waiting = iter(segments)
        segment = next(waiting)
        packets: list[tuple[int, Any]] = []
        shift: int | None = None
        for packet in run.checked(container.demux(stream)):
            if not packet.size:
                continue
            index = round(packet.pts * Fraction(packet.time_base) / tick)
            # The first packet is the first frame; the container may have moved all times to stay above 0.
            shift = segment.first - index if shift is None else shift
            index += shift
            if index >= segment.first + segment.count and packet.is_keyframe:
                finished += _write_segment(segment, stream, packets, tick)
                segment = next(waiting)
                packets = []
            packets.append((index - segment.first, packet))
            on_progress(1)
        finished += _write_segment(segment, stream, packets, tick)
    return finished


def _write_segment(segment: VideoSegment, stream: Any, packets: list[tuple[int, Any]], tick: Fraction) -> int:
    """Write a segment if it is whole; return its number of frames."""
    if sorted(index for index, _ in packets) != list(range(segment.count)):
        return 0
    memory = io.BytesIO()
    with av.open(memory, "w", format=segment.path.suffix[1:]) as container:
        out = container.add_stream_from_template(stream)
        out.time_base = tick
        for order, (index, packet) in enumerate(packets):
            packet.stream = out
            packet.time_base = tick
            packet.pts, packet.dts = index + MAX_REORDER, order
            container.mux_one(packet)
    write_bytes(segment.path, memory.getvalue())
    return segment.count


def open_segment(segment: VideoSegment) -> Any:
    """Open the file of a finished segment."""
    return av.open(str(segment.path), format=segment.path.suffix[1:])


def segment_packets(segment: VideoSegment, tick: Fraction) -> Iterator[tuple[int, Any]]:
    """Yield (index of the frame in the result, packet) in the order of decoding."""
    with open_segment(segment) as container:
        for packet in container.demux(video=0):
            if packet.size and packet.pts is not None:
                shown = round(Fraction(packet.pts) * Fraction(packet.time_base) / tick) - MAX_REORDER
                yield segment.first + shown, packet


def _command(settings: EncodeSettings, feed: str, size: tuple[int, int], keyframe_every: int) -> list[str]:
    kind = CODECS[settings.codec]
    if feed == RAW:
        given = {"format": "rawvideo", "pix_fmt": RAW_FORMATS[settings.deep], "s": f"{size[1]}x{size[0]}"}
    else:
        given = {"format": "image2pipe", "c:v": feed}
    node = ffmpeg.input("pipe:0", **given, framerate=str(settings.rate)).video
    if kind.halves_colour and (size[0] % 2 or size[1] % 2):
        node = node.filter("format", DEEP_RGB if settings.deep else "gbrp")
        node = node.filter("pad", "ceil(iw/2)*2", "ceil(ih/2)*2")
        node = node.filter("fillborders", right=size[1] % 2, bottom=size[0] % 2, mode="smear")
    colour = settings.colour
    if kind.rgb:
        colour = replace(colour, matrix="gbr", range=RGB_RANGE)
    node = _in_colours(node, settings, feed).filter("format", settings.pixel_format or kind.formats[settings.alpha])
    node = node.filter(
        "setparams",
        color_primaries=colour.primaries or "unknown",
        color_trc=colour.transfer or "unknown",
        colorspace=colour.matrix or "unknown",
        range=colour.range or "unknown",
    )
    options = encoder_options(
        settings.codec,
        settings.encoder or kind.encoder,
        crf=settings.crf,
        bitrate=settings.bitrate,
        preset=settings.preset,
        b_frames=settings.b_frames,
    )
    output = node.output(
        "pipe:1",
        format="nut",
        fps_mode="passthrough",
        force_key_frames=f"expr:not(mod(n,{keyframe_every}))",
        **options,
    )
    return command(output)


def _in_colours(node: Any, settings: EncodeSettings, feed: str) -> Any:
    """Add what leads from RGB to the colours of the codec."""
    levels = settings.colour.range or "tv"
    rgb = CODECS[settings.codec].rgb
    if settings.deep and not rgb and has_filters("zscale"):  # ffmpeg's own scaler takes 65280 for white
        to = {"m": zscale_matrix(settings.matrix), "r": ZSCALE_RANGES[levels]}
        to |= {"filter": "bicubic", "min": "gbr", "rin": "full"}
        if not settings.alpha:
            return node.filter("format", DEEP_RGB).filter("zscale", **to)
        # The colours by themselves: beside alpha, zscale makes black of what is not seen.
        streams, whole = node.filter("format", DEEP_RGBA).split(), settings.pixel_format
        colours = streams[0].filter("mergeplanes", map1p=1, map2p=2, format=DEEP_RGB).filter("zscale", **to)
        colours = colours.filter("format", CODECS[settings.codec].deep_format(settings.encoder, alpha=False))
        both = streams[1].filter("zscale", **to).filter("format", whole), colours
        planes = {"map0s": 1, "map1s": 1, "map1p": 1, "map2s": 1, "map2p": 2, "map3p": 3}
        return ffmpeg.filter(both, "mergeplanes", **planes, format=whole)
    # Without full_chroma_int frames that are JPEG come out one or two levels too dark.
    return node.filter(
        "scale",
        **({} if rgb else {"out_color_matrix": settings.matrix, "out_range": levels}),
        flags="bicubic+accurate_rnd+full_chroma_inp+full_chroma_int",
        **({"in_color_matrix": "bt601", "in_range": "pc"} if feed == "mjpeg" else {}),
    )


def alpha_and_depth(frames: Iterable[Path]) -> tuple[bool, bool]:
    """Return whether one of the files is a PNG with an alpha channel, and whether one is of 16 bits a channel."""
    alpha = deep = False
    for path in frames:
        head = _read_head(path, PNG_TYPE_AT + 1)
        alpha = alpha or (format_of(head) == ".png" and head[PNG_TYPE_AT:] in PNG_ALPHA)
        deep = deep or has_16_bits(head)
        if alpha and deep:
            break
    return alpha, deep


def _read_head(path: Path, length: int) -> bytes:
    """Return the first bytes of an image file; none where it cannot be opened, which the feed will say."""
    try:
        with open_regular(path, links=True) as file:
            return file.read(length)
    except OSError:
        return b""


def _feed_codec(frames: Sequence[Path]) -> str:
    """Return what the pipe carries: JPEG where all files are such and upright, else PNG, which holds all exactly."""
    return "mjpeg" if all(_is_upright_jpeg(path) for path in frames) else "png"


def _is_upright_jpeg(path: Path) -> bool:
    head = _read_head(path, HEAD)
    return format_of(head) == ".jpg" and orientation(head) == UPRIGHT


def _feed(frames: Sequence[Path], codec: str, size: tuple[int, int], settings: EncodeSettings) -> Iterator[bytes]:
    """Yield the bytes of every frame, in the one format that the pipe carries.

    For an encoder that gets 16 bits a channel frames of 8 are made such here: ffmpeg's scale is up to a level off.
    """
    deep = settings.deep
    for path in frames:
        data = read_encoded(path)
        found = image_size(data, path)
        if found != size:
            raise UserError(
                f"{path} is {found[1]}x{found[0]}, but {frames[0].name} and others are {size[1]}x{size[0]}.",
                "frames of one size.",
                f"delete that frame and make it again with the step that wrote it:{hint('convert')}",
            )
        picture = picture_of(data, FEEDS[codec])
        if picture and deep and not has_16_bits(picture):
            alpha = settings.alpha and picture[PNG_TYPE_AT : PNG_TYPE_AT + 1] in PNG_ALPHA
            picture = encode(in_16_bits(decode(picture, str(path), alpha=alpha)), FEEDS[codec])
        elif not picture:
            image = decode(data, str(path), deep=deep)
            picture = encode(in_16_bits(image) if deep else image, FEEDS[codec], quality=100)
        yield picture


def image_size(data: bytes, path: Path) -> tuple[int, int]:
    """Return (h, w) of an encoded image as it is shown.

    Args:
        data: The whole file; PNG and JPEG are not decoded.
        path: Its name, for the message.

    Raises:
        UserError: It is damaged or cut off.
    """
    try:
        if extension := format_of(data):
            picture_of(data, extension)
            return encoded_size(data)
    except ValueError as error:
        raise UserError(
            f"{path} is damaged or cut off ({error}).",
            "a whole image.",
            f"delete it and make it again with the step that wrote it:{hint('convert')}",
        ) from error
    height, width = decode(data, str(path)).shape[:2]
    return height, width
