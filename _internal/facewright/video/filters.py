"""The chain of filters from a decoded frame to an upright one of 8 or 16 bits a channel with square pixels."""

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import ffmpeg

from facewright.core.errors import UserError
from facewright.video.ffmpeg import FfmpegRun, command, has_filters
from facewright.video.probe import Colour, VideoInfo, file_url, longest_step

# The YUV matrices that the scaler knows, under its names.
SCALER_MATRICES = {
    "bt709": "bt709",
    "fcc": "fcc",
    "bt470bg": "bt601",
    "smpte170m": "bt601",
    "smpte240m": "smpte240m",
    "bt2020nc": "bt2020",
    "bt2020c": "bt2020",
}
# Those whose tag ffmpeg's scaler refuses, though it can work with the matrix.
REFUSED_TAGS = ("bt2020c",)
# zscale's names for them, where it has others.
ZSCALE_MATRICES = {"bt601": "smpte170m", "bt2020": "bt2020nc"}
ZSCALE_RANGES = {"tv": "limited", "pc": "full"}
# What zscale takes of more than 8 bits: ffmpeg itself turns any other into the nearest of these.
DEEP_BITS = (9, 10, 12, 14, 16)
DEEP_RGB, DEEP_RGBA = "gbrp16le", "gbrap16le"  # whatever is reckoned in 16 bits goes through them
DEPTH = 16
# Degrees counter-clockwise -> the filters that turn a frame by them.
TURNS: Mapping[int, Sequence[Sequence[str]]] = MappingProxyType(
    {0: (), 90: (("transpose", "cclock"),), 180: (("hflip",), ("vflip",)), 270: (("transpose", "clock"),)}
)
# Filters that begin anew at a change lose count of frames and times, and what ffmpeg itself would put before them to
# turn the frames cannot take another size.
AS_IS: Mapping[str, Any] = MappingProxyType({"reinit_filter": 0, "noautorotate": None})
SDR = Colour("bt709", "bt709", "bt709", "tv")

# Diffuse white of PQ and HLG by ITU-R BT.2408, in cd/m2.
REFERENCE_WHITE = 203


# What the tone mapper knows of the tags; HDR with any other is mostly BT.2020 that was tagged wrongly.
TONE_MAPPED_PRIMARIES = ("bt2020", "bt709", "smpte432", "smpte431", "bt470bg", "smpte170m")
TONE_MAPPED_MATRICES = ("bt2020nc", "bt709", "bt470bg", "smpte170m")


def matrix_of(info: VideoInfo) -> str:
    """Return the YUV matrix to decode with, by the scaler's name.

    An untagged video is taken as players take it: BT.709 when it is larger than standard definition.
    """
    if info.hdr:
        return "bt709"
    known = SCALER_MATRICES.get(info.colour.matrix)
    height, width = info.size
    return known or ("bt709" if width >= 1280 or height > 576 else "bt601")


def result_colour(info: VideoInfo) -> Colour:
    """Return the tags that a result made of this video's frames gets."""
    if info.hdr:
        return SDR
    if info.rgb:
        return Colour(info.colour.primaries, info.colour.transfer, "", "")
    keep = info.colour.matrix in SCALER_MATRICES
    return Colour(info.colour.primaries, info.colour.transfer, info.colour.matrix if keep else "", info.colour.range)


def frame_bits(info: VideoInfo, image_format: str = "png") -> int:
    """Return the bits a channel that the frames of a video need: 16 where it has more than 8, else 8.

    Args:
        info: The video.
        image_format: Of the files; a JPEG has 8.
    """
    return DEPTH if info.deep and image_format == "png" and has_filters("zscale") else 8


def changes_of(info: VideoInfo, bits: int = 8) -> list[str]:
    """Say in words what the chain does to the frames of this video, which get so many bits a channel."""
    said = []
    angle = info.rotation % 360
    turned = [*([f"rotated by {angle} degrees"] if angle else []), *(["mirrored"] if info.mirrored else [])]
    if turned:
        said.append(f"{' and '.join(turned)}, as the file's display matrix asks")
    if info.transparent:
        said.append("taken without their transparency: what was not opaque is now")
    if info.interlaced:
        said.append("deinterlaced (bwdif), because the video is flagged as interlaced")
    if info.hdr:
        name = "PQ" if info.colour.transfer == "smpte2084" else "HLG"
        said.append(f"tone-mapped from HDR ({name}) to SDR (BT.709), so the result will be SDR")
    if info.pixel_aspect != 1:
        ratio = f"{info.pixel_aspect.numerator}:{info.pixel_aspect.denominator}"
        said.append(f"resized to square pixels (the video's are {ratio})")
    if not info.rgb and info.colour.matrix and info.colour.matrix not in SCALER_MATRICES:
        used = "bt2020" if info.hdr else matrix_of(info)
        said.append(
            f"decoded as if {used} was the colour matrix, for the video's own, {info.colour.matrix}, is unknown"
        )
    if info.deep and bits == 8:
        said.append("reduced to 8 bits a channel")
    return said


def video_input(info: VideoInfo, **options: Any) -> Any:
    """Open a video for the filters; `video_frames` takes its frames from it.

    Args:
        info: The video.
        options: More options of ffmpeg for the input.
    """
    return ffmpeg.input(
        file_url(info.path), **{"protocol_whitelist": "file", **(AS_IS if _fits(info) else {}), **options}
    )


def video_frames(source: Any, info: VideoInfo) -> Any:
    """Return the decoded frames, upright, all of the size of the first: another is fitted in, with black borders.

    Args:
        source: From `video_input`.
        info: The video.
    """
    node = source[str(info.index)]
    matrix = info.colour.matrix
    if not info.rgb and matrix and (matrix not in SCALER_MATRICES or matrix in REFUSED_TAGS):
        node = node.filter("setparams", colorspace="bt2020nc" if matrix in REFUSED_TAGS else "unknown")
    if not _fits(info):
        return node
    height, width = info.size
    node = node.filter(
        "scale",
        width,
        height,
        force_original_aspect_ratio="decrease",
        eval="frame",
        flags="bicubic+accurate_rnd+full_chroma_int",
    )
    if not _is_plain(info):
        # Borders of any width need a pixel for each sample. The scaler itself makes this format: another one behind it
        # would not let the sizes change.
        node = node.filter("format", "rgb24" if info.rgb else "yuv444p16le" if info.deep else "yuv444p")
    node = node.filter("pad", width, height, -1, -1, eval="frame").filter("setsar", str(info.pixel_aspect))
    slant = [["rotate", f"{-info.rotation}*PI/180"]]
    for turn in (*TURNS.get(info.rotation % 360, slant), *([["hflip"]] if info.mirrored else [])):
        node = node.filter(*turn)
    return node.filter("sidedata", mode="delete", type="DISPLAYMATRIX")


def _fits(info: VideoInfo) -> bool:
    """Whether frames of another size are fitted in: always, or only where there are some."""
    return _is_plain(info) or _changes_size(info)


def _is_plain(info: VideoInfo) -> bool:
    """Whether scaler, borders and turns leave frames as they are that need no fitting.

    Not those of RGB, palettes and odd sizes, nor slanting frames.
    """
    height, width = info.size
    return not info.rgb and info.rotation % 360 in TURNS and not width % 2 and not height % 2


@lru_cache
def _changes_size(info: VideoInfo) -> bool:
    """Decode a video to see whether its frames have several sizes."""
    source = ffmpeg.input(file_url(info.path), protocol_whitelist="file", **AS_IS)
    output = source[str(info.index)].filter("null").output("pipe:1", format="null")
    with FfmpegRun(command(output, "-max_error_rate", "1")) as run:
        while run.stdout.read(1 << 16):  # nothing is written; it closes in the end
            pass
        run.finish(f"{info.path.name} could not be decoded to its end")
        return bool(run.sizes)


def fitted_note(info: VideoInfo, sizes: Collection[tuple[int, int]]) -> str:
    """Say that frames were fitted in.

    Args:
        info: The video.
        sizes: (h, w) of the frames that had another size.
    """
    others = ", ".join(f"{width}x{height}" for height, width in sorted(sizes))
    return (
        f"fitted into {info.size[1]}x{info.size[0]} with black borders where the video changes its image size "
        f"(to {others})"
    )


def deinterlaced(node: Any, info: VideoInfo) -> Any:
    """Add a deinterlacer that gives one frame for each one that is flagged, if the video needs it."""
    return node.filter("bwdif", mode="send_frame", deint="interlaced") if info.interlaced else node


def select_frames(node: Any, info: VideoInfo, fps: float, first: int, every: int = 1) -> Any:
    """Keep the frames of a lower rate, and of those every nth from one on; none is ever doubled.

    Args:
        node: Frames in order.
        info: The video.
        fps: Rate to thin out to; 0 keeps all.
        first: Number of the first wanted frame after the thinning, from 1.
        every: Of those, every nth.
    """
    if fps > 0:
        # The first frame of each slice of 1/fps seconds. The clock, in variable 0, runs on where the time stamps fall
        # back or jump. The small shift is for times that a container rounded.
        longest = float(longest_step(info.container))
        step = f"if(isnan(prev_t),0,if(between(t-prev_t,0,{longest}),t-prev_t,{float(1 / info.average_rate)!r}))"
        clock = f"st(0,ld(0)+{step});st(1,floor(ld(0)*{fps:g}+0.02))"
        node = node.filter("select", f"{clock};if(isnan(prev_selected_t)+gt(ld(1),ld(2)),st(2,ld(1))+1)")
    if first > 1 or every > 1:
        node = node.filter("select", f"gte(n,{first - 1})*not(mod(n,{every}))")
    return node


def carry_stamps(node: Any, tick: Fraction) -> Any:
    """Let time stamps of any kind through a container that takes rising ones only.

    A step forward becomes the next even number, none or a step back the next odd one: see `carried_step`.
    """
    step = "st(0,PTS-if(isnan(PREV_INPTS),0,PREV_INPTS))"
    before = "if(isnan(PREV_OUTPTS),0,PREV_OUTPTS)"
    node = node.filter("settb", str(tick))
    return node.filter("setpts", f"{step};{before}+if(gt(ld(0),0),2*ld(0),1-2*ld(0))")


def carried_step(step: int) -> int:
    """Undo `carry_stamps` for the distance of two neighbours; return the step between their time stamps."""
    return -(step // 2) if step % 2 else step // 2


def to_image(node: Any, info: VideoInfo, image_format: str, bits: int = 8) -> Any:
    """Add what leads to square pixels and the colours that an image file has.

    Args:
        node: Decoded frames.
        info: What they come from.
        image_format: "png" (RGB) or "jpg" (JFIF: BT.601, full range).
        bits: A channel, see `frame_bits`.

    Raises:
        UserError: The video is HDR and this ffmpeg cannot tone-map.
    """
    if bits > 8:
        return _to_deep(node, info).filter("format", "rgb48be").filter("setsar", 1)
    if info.hdr:
        node = _tone_mapped(node, info).filter("format", "yuv444p")
    # Bilinear only touches the chroma here. Without accurate_rnd every luma value of a PNG comes out one too dark,
    # and the red and blue of a JPEG are off by two or three.
    kernel = "bilinear" if info.pixel_aspect == 1 else "bicubic"
    settings: dict[str, Any] = {"flags": f"{kernel}+accurate_rnd+full_chroma_int", **_square(info)}
    if info.hdr or not info.rgb:
        settings["in_color_matrix"], settings["in_range"] = matrix_of(info), "tv" if info.hdr else _range(info)
    if image_format == "jpg":
        node = node.filter("scale", out_color_matrix="bt601", out_range="pc", **settings)
        node = node.filter("format", "yuvj444p" if info.rgb or "444" in info.pixel_format else "yuvj420p")
    else:
        node = node.filter("scale", **settings).filter("format", "rgb24")
    return node.filter("setsar", 1)


def _to_deep(node: Any, info: VideoInfo) -> Any:
    """Add what leads to RGB of 16 bits.

    By zscale: ffmpeg's own scaler makes white 65280, not 65535, and of some kinds of frames nonsense.
    """
    if info.hdr:
        node, given = _tone_mapped(node, info, matrix="gbr", levels="full"), {}
    elif info.rgb:
        node = _without_alpha(node, info).filter("format", _deep_formats("gbrp{}le"))
        given = {"min": "gbr", "rin": "full"}
    else:
        if "gray" in info.pixel_format:  # which ffmpeg would take for full range, whatever the video says
            node = node.filter("scale", in_range=_range(info), out_range=_range(info))
        # It takes no halved colour of an odd size.
        halves = ["yuv444p{}le"] if info.size[0] % 2 or info.size[1] % 2 else [f"yuv4{n}p{{}}le" for n in (20, 22, 44)]
        node = node.filter("format", "|".join(map(_deep_formats, halves)))
        given = {"min": zscale_matrix(matrix_of(info)), "rin": ZSCALE_RANGES[_range(info)]}
    kernel = "bilinear" if info.pixel_aspect == 1 else "bicubic"
    return node.filter("zscale", **_square(info), filter=kernel, **given, m="gbr", r="full").filter("format", DEEP_RGB)


def _without_alpha(node: Any, info: VideoInfo) -> Any:
    """Leave out the alpha of RGB in planes: where ffmpeg's own scaler does, parts of some rows come out black."""
    if not info.pixel_format.startswith("gbrap"):
        return node
    bits = next((bits for bits in DEEP_BITS if f"gbrap{bits}" in info.pixel_format), DEPTH)
    node = node.filter("format", f"gbrap{bits}le")
    return node.filter("mergeplanes", map1p=1, map2p=2, format=f"gbrp{bits}le")


def _deep_formats(name: str) -> str:
    return "|".join(name.format(bits) for bits in DEEP_BITS)


def zscale_matrix(matrix: str) -> str:
    """Return zscale's name for a matrix of the scaler."""
    return ZSCALE_MATRICES.get(matrix, matrix)


def _square(info: VideoInfo) -> dict[str, str]:
    """Return the size that makes pixels square, where they are not."""
    if info.pixel_aspect == 1:
        return {}
    return {"w": "if(gt(sar,1),round(iw*sar),iw)", "h": "if(gt(sar,1),ih,round(ih/sar))"}


def _range(info: VideoInfo) -> str:
    return info.colour.range or ("pc" if "yuvj" in info.pixel_format else "tv")


def _tone_mapped(node: Any, info: VideoInfo, matrix: str = "bt709", levels: str = "limited") -> Any:
    if not has_filters("zscale", "tonemap"):
        raise UserError(
            f"{info.path.name} is an HDR video (PQ or HLG), and this ffmpeg has no tone mapping.",
            "a video in SDR, or the bundled ffmpeg with zscale and tonemap.",
            "export the video as SDR (BT.709) with a video editor, or repair the environment with quickstart.",
        )
    tags = _tone_mapper_tags(info)
    # Colour at full resolution where the tone mapper could not halve it.
    odd = info.size[0] % 2 or info.size[1] % 2
    node = node.filter("format", "yuv444p16le") if odd and not info.rgb else node
    node = node.filter("setparams", **tags)
    node = node.filter("zscale", t="linear", npl=REFERENCE_WHITE).filter("format", "gbrpf32le")
    node = node.filter("zscale", p="bt709").filter("tonemap", "mobius", desat=0)
    return node.filter("zscale", t="bt709", p="bt709", m=matrix, r=levels)


def _tone_mapper_tags(info: VideoInfo) -> dict[str, str]:
    """Return the tags to tone-map by: those of the video, where the tone mapper knows them, else the usual ones."""
    colour = info.colour
    matrix = colour.matrix if colour.matrix in TONE_MAPPED_MATRICES else "bt2020nc"
    return {
        "color_primaries": colour.primaries if colour.primaries in TONE_MAPPED_PRIMARIES else "bt2020",
        "color_trc": colour.transfer,
        "colorspace": "gbr" if info.rgb else matrix,
        "range": "pc" if info.rgb else colour.range or "tv",
    }
