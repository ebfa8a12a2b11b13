"""The codecs of a result: which containers take them, what ffmpeg is told, which encoders of the hardware work here."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import ffmpeg

from facewright.core.errors import UserError
from facewright.core.hints import again
from facewright.video.ffmpeg import FfmpegRun, command, has_encoder
from facewright.video.probe import MATRICES, PRIMARIES, RANGES, TRANSFERS, Colour

MUXERS = MappingProxyType({"mp4": "mp4", "mov": "mov", "mkv": "matroska", "avi": "avi"})  # container -> ffmpeg's name
PROBED_FRAMES = 6
RGB_RANGE = "pc"
UNSPECIFIED = 2  # of primaries, transfer and matrix


@dataclass(frozen=True)
class Codec:
    """A codec of the result.

    Attributes:
        title: A line for people.
        containers: Those that take it, the usual one first.
        encoder: ffmpeg's encoder that runs on the processor.
        formats: Pixel formats without and with alpha; "" where it has no alpha.
        deep_formats: The same for frames of 16 bits a channel, on the processor; none where it takes them in the usual
            ones. ProRes' own are deep.
        has_quality: Whether it is told a quality or a bitrate.
        hardware: Encoders that run on graphics chips, in the order in which they are tried.
        segments: Container of the pieces that are encoded and joined later.
        tags: Container -> the name under which players know the codec in it, where ffmpeg's own choice is another.
    """

    title: str
    containers: tuple[str, ...]
    encoder: str
    formats: tuple[str, str]
    has_quality: bool = False
    hardware: tuple[str, ...] = ()
    segments: str = "nut"
    tags: Mapping[str, str] = field(default_factory=dict)
    deep_formats: tuple[str, str] | None = None

    @property
    def rgb(self) -> bool:
        """Whether it keeps the frames as they are, without turning RGB into YUV."""
        return self.formats[0].startswith(("bgr", "gbr"))

    def deep_format(self, encoder: str, *, alpha: bool) -> str:
        """Return the pixel format for frames of 16 bits a channel; `encoder` is "" for the codec's own."""
        formats = self.formats if self.deep_formats is None or encoder in self.hardware else self.deep_formats
        return formats[alpha]

    @property
    def halves_colour(self) -> bool:
        """Whether it stores colour at half the size, which then must be even."""
        return "420" in self.formats[0]


CODECS: Mapping[str, Codec] = MappingProxyType(
    {
        "h264": Codec(
            "plays everywhere (default)",
            ("mp4", "mov", "mkv", "avi"),
            "libx264",
            ("yuv420p", ""),
            has_quality=True,
            hardware=("h264_nvenc", "h264_qsv", "h264_amf", "h264_videotoolbox"),
        ),
        "h265": Codec(
            "smaller, for newer players",
            ("mp4", "mov", "mkv"),
            "libx265",
            ("yuv420p", ""),
            has_quality=True,
            hardware=("hevc_nvenc", "hevc_qsv", "hevc_amf", "hevc_videotoolbox"),
            tags={"mp4": "hvc1", "mov": "hvc1"},
            deep_formats=("yuv420p10le", ""),
        ),
        "prores": Codec(
            "ProRes 4444 for editing and compositing, large; with the alpha of the frames, where they have it",
            ("mov",),
            "prores_ks",
            ("yuv444p10le", "yuva444p10le"),
            segments="mov",  # PyAV writes no ProRes into NUT
            tags={"mov": "ap4h"},
        ),
        "ffv1": Codec(
            "lossless: the very pixels of the frames, with their alpha, where they have it",
            ("mkv",),
            "ffv1",
            ("bgr0", "bgra"),
            deep_formats=("gbrp16le", "gbrap16le"),
        ),
    }
)

# Encoder, or the end of its name -> quality as x264 counts it (CRF, 0..51) -> options.
QUALITY: Mapping[str, Callable[[int], dict[str, Any]]] = MappingProxyType(
    {
        "nvenc": lambda crf: {"rc": "vbr", "cq": max(crf, 1), "b:v": 0},
        "qsv": lambda crf: {"global_quality": max(crf, 1)},
        "amf": lambda crf: {"rc": "cqp", "qp_i": crf, "qp_p": crf},
        "videotoolbox": lambda crf: {"q:v": round(100 - 100 * crf / 51)},
    }
)
# What else an encoder is told, so that every segment begins anew and none refers to the one before it.
OWN_OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "libx264": {"forced-idr": 1},
        "libx265": {"forced-idr": 1, "x265-params": "open-gop=0:log-level=error"},
        "nvenc": {"forced-idr": 1},
        "qsv": {"forced_idr": 1},
        "amf": {"forced_idr": 1},
        "prores_ks": {"profile:v": "4444", "vendor": "apl0"},
        "ffv1": {"level": 3, "g": 1, "slices": 4, "slicecrc": 1},
    }
)
PRESETS = ("libx264", "libx265")  # encoders that know x264's presets


def container_for(codec: str, container: str) -> str:
    """Return the container to write; "auto" takes the usual one.

    Raises:
        UserError: The container does not take the codec.
    """
    usual = CODECS[codec].containers
    if container == "auto":
        return usual[0]
    if container not in usual:
        raise UserError(
            f"{container} does not take {codec}.",
            f"{' or '.join(usual)}.",
            f"leave the container to the program:{again('--container', 'auto')}",
        )
    return container


def encoder_options(
    codec: str, encoder: str, *, crf: int, bitrate: float, preset: str = "medium", b_frames: bool = True
) -> dict[str, Any]:
    """Return what ffmpeg is told about the encoder.

    Args:
        codec: One of `CODECS`.
        encoder: Its encoder.
        crf: Quality, 0 to 51; used when `bitrate` is 0.
        bitrate: Megabits per second, or 0.
        preset: Speed of x264 and x265.
        b_frames: Whether frames may be reordered.
    """
    kind = encoder if encoder in OWN_OPTIONS else encoder.rpartition("_")[2]
    options: dict[str, Any] = {"c:v": encoder, **OWN_OPTIONS.get(kind, {})}
    if encoder in PRESETS:
        options["preset"] = preset
    if CODECS[codec].has_quality:
        bits = round(bitrate * 1e6)
        rate = {"b:v": bits, "maxrate": round(bits * 1.5), "bufsize": bits * 2}
        options |= rate if bits else QUALITY.get(kind, lambda quality: {"crf": quality})(crf)
        if not b_frames:
            options["bf"] = 0
    return options


@dataclass(frozen=True)
class ChosenEncoder:
    """An encoder, and why others are not used.

    Attributes:
        name: ffmpeg's name of it.
        refused: Encoder of the hardware -> what ffmpeg says.
    """

    name: str
    refused: Mapping[str, str]


def choose_encoder(codec: str, size: tuple[int, int], candidates: Sequence[str] | None = None) -> ChosenEncoder:
    """Return the first encoder of the hardware that encodes a few frames here; the processor's own where none does.

    Args:
        codec: One of `CODECS`.
        size: (h, w) of the frames: graphics chips refuse some.
        candidates: Encoders to try; None takes those of the codec.
    """
    refused: dict[str, str] = {}
    for name in CODECS[codec].hardware if candidates is None else candidates:
        reason = _try(codec, name, size)
        if not reason:
            return ChosenEncoder(name, refused)
        refused[name] = reason
    return ChosenEncoder(CODECS[codec].encoder, refused)


def _try(codec: str, encoder: str, size: tuple[int, int]) -> str:
    """Encode a few frames; return why that failed, "" where it did not."""
    if not has_encoder(encoder):
        return "this ffmpeg has no such encoder."
    height, width = (side + side % 2 for side in size)
    node = ffmpeg.input("pipe:0", format="rawvideo", pix_fmt="gray", s=f"{width}x{height}", framerate="25").video
    node = node.filter("format", CODECS[codec].formats[0])
    options = encoder_options(codec, encoder, crf=16, bitrate=0)
    output = node.output("pipe:1", format="nut", **{**options, "frames:v": PROBED_FRAMES})
    frames: Iterator[bytes] = itertools.repeat(bytes(height * width), PROBED_FRAMES)
    with FfmpegRun(command(output), frames) as run:
        made = 0
        while block := run.stdout.read(1 << 16):
            made += len(block)
        try:
            run.finish(encoder)
        except UserError as error:
            return (error.happened.partition("ffmpeg says: ")[2] or error.happened).rstrip(".") + "."
    return "" if made else "it wrote nothing"


def settle_stream(stream: Any, codec: str, container: str, colour: Colour) -> None:
    """Set what a container says of a codec that says it not, or not as players expect it, itself.

    Args:
        stream: Of PyAV, new in its container.
        codec: One of `CODECS`.
        container: One of `MUXERS`.
        colour: Tags of the frames.
    """
    context = stream.codec_context
    if tag := CODECS[codec].tags.get(container):
        context.codec_tag = tag
    if CODECS[codec].rgb:
        context.color_primaries = _code(PRIMARIES, colour.primaries)
        context.color_trc = _code(TRANSFERS, colour.transfer)
        context.colorspace, context.color_range = _code(MATRICES, "gbr"), _code(RANGES, RGB_RANGE)


def _code(names: Mapping[int, str], name: str) -> int:
    """Return the number of a tag, that of "unspecified" for any other."""
    return next((code for code, known in names.items() if known == name), UNSPECIFIED)
