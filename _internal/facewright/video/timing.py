"""The times of the frames: `frames.json` next to the frames, written when the last frame is on the disk.

    {
      "format": "facewright frames", "version": 1,
      "source": {"name": "data_dst.mp4", "bytes": 710662, "content": "710662:0a1b2c3d"},
                                       the video the frames were made of; content: length and CRC-32 of all bytes
                                       (facewright/core/contents.py), absent in files of earlier programs
      "settings": {"fps": 0.0, "image_format": "png"},           0 fps means every frame; "video_track": 2 where
                                       another one than the main one was taken,
                                       "bits": 16 where the frames have so many a channel
      "time_base": [1, 12800],         seconds per tick, as a fraction
      "pts": [0, 512, 1024],           when frame 00001, 00002, 00003 is shown, in ticks, rising; the clock is
                                       that of the source file (of its first section), so that its audio fits
      "end": 1536,                     when the last frame is over, in ticks
      "rate": [25, 1],                 true average frames per second (never a VFR file's r_frame_rate)
      "constant": true,                the frames lie on an even grid of that rate
      "size": [480, 640],              height and width of the frames: upright, with square pixels
      "colour": {"primaries": "bt709", "transfer": "bt709", "matrix": "bt709", "range": "tv"},
                                       the tags the result gets; "" where the source does not say
      "assumed_matrix": "bt709",       the YUV matrix that the frames were decoded with
      "sound": {"codec": "aac", "start": [0, 1], "offset": [0, 1], "breaks": 0},
                                       null in a silent video; seconds: on the clock of the pts, and after frame 00001;
                                       how often its time stamps do not run on
      "sections": [[0, 1024, 0], [0, 512, 1024]],
                                       only where the source's time stamps do not run on: each stretch of them in
                                       ticks, its first and its end in the source, and what was added to its times
      "changes": ["rotated by 90 degrees"]   what was done to the frames, for people
    }

Frame number n (from 1) is the file whose name is that number, with any zeros before it (see `frame_stem`); a frame
that a user deleted keeps its entry.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from dataclasses import fields as dataclass_fields
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from facewright.core.errors import UserError
from facewright.core.files import read_json, write_json
from facewright.core.hints import hint
from facewright.core.json_data import BadJson, choice, either, fields, flag, list_of, nothing, number, text, whole
from facewright.video.probe import Colour

FORMAT = "facewright frames"
VERSION = 1
MAX_FRAMES = 50_000_000
MAX_RATE = 1_000_000  # frames per second
MAX_SIDE = 1 << 20  # px
MAX_TRACK = 1000
DIGITS = 5  # of a frame's name, where there are not more frames

# Where a container rounds its times (Matroska: to a millisecond) the rate people meant is one of these.
USUAL_RATES = tuple(
    Fraction(n, d) for n, d in ((24000, 1001), (30000, 1001), (60000, 1001), (120000, 1001), (15000, 1001))
)


@dataclass(frozen=True)
class AudioTiming:
    """The audio of the source.

    Attributes:
        codec: Its name.
        start: Seconds, on the clock of the frames.
        offset: Seconds after the first frame; negative when the audio starts first.
        breaks: How often its time stamps do not run on; with breaks it is placed by the sections of the frames.
    """

    codec: str
    start: Fraction
    offset: Fraction
    breaks: int = 0


@dataclass(frozen=True)
class Section:
    """A stretch of a source whose time stamps run on.

    Attributes:
        begin: Time stamp of its first frame in the source, in seconds.
        end: When its last frame is over, likewise.
        shift: Seconds that were added to its time stamps, to come after the section before.
    """

    begin: Fraction
    end: Fraction
    shift: Fraction


@dataclass(frozen=True)
class Timing:
    """The content of frames.json; see the module's text for the fields."""

    source_name: str
    source_bytes: int
    fps: float
    image_format: str
    time_base: Fraction
    pts: tuple[int, ...]
    end: int
    rate: Fraction
    constant: bool
    size: tuple[int, int]
    colour: Colour
    assumed_matrix: str
    audio: AudioTiming | None
    changes: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    source_content: str = ""
    video_track: int = 0
    bits: int = 8

    @property
    def seconds(self) -> list[Fraction]:
        """When each frame is shown, in seconds on the source's clock, exact."""
        return [p * self.time_base for p in self.pts]


def frame_stem(number: int, digits: int = DIGITS) -> str:
    """Return the name of a frame without its ending; numbers start at 1."""
    return f"{number:0{digits}d}"


def frame_number(stem: str) -> int | None:
    """Return the number of a frame by its name without the ending, None where that is not a number alone."""
    return int(stem) if stem.isdecimal() and stem.isascii() else None


def frame_digits(count: int) -> int:
    """Return how many digits the names of so many frames have, so that they sort in every program; 0: not known."""
    return max(DIGITS, len(str(count)))


def is_rising(times: Sequence[int]) -> bool:
    """Whether each time is later than the one before."""
    return all(b > a for a, b in pairwise(times))


def true_rate(pts: tuple[int, ...], time_base: Fraction, hints: tuple[Fraction, ...]) -> tuple[Fraction, bool]:
    """Return the average rate of frames in 1/s and whether they lie on an even grid.

    Args:
        pts: Rising times in ticks.
        time_base: Seconds per tick.
        hints: Rates the container names; taken when the times bear them out.
    """
    if len(pts) < 2:
        return min(hints[0] if hints else Fraction(25), Fraction(MAX_RATE)), True
    span = (pts[-1] - pts[0]) * time_base
    measured = (len(pts) - 1) / span
    if measured > MAX_RATE:
        return Fraction(MAX_RATE), False
    if _on_grid(pts, time_base, measured, time_base / 1000):
        return measured, True
    # What a container may round by: a millisecond, also when it came through Matroska before.
    slack = max(time_base, Fraction(1, 1000))
    for rate in (*map(_usual, hints), *USUAL_RATES, Fraction(round(measured))):
        if rate > 0 and _on_grid(pts, time_base, rate, slack):
            return rate, True
    even = _on_grid(pts, time_base, measured, time_base)
    return measured.limit_denominator(1_000_000), even


def _usual(rate: Fraction) -> Fraction:
    """Return 30000/1001 for 29.97 and the like."""
    return next((usual for usual in USUAL_RATES if abs(rate / usual - 1) < 1e-5), rate)


def _on_grid(pts: tuple[int, ...], time_base: Fraction, rate: Fraction, slack: Fraction) -> bool:
    tick, step, allowed = float(time_base), float(1 / rate), float(slack) * 1.001
    first = pts[0]
    return all(abs((p - first) * tick - i * step) <= allowed for i, p in enumerate(pts))


def write_timing(path: Path, timing: Timing) -> None:
    """Write frames.json atomically and durably.

    Raises:
        ValueError: No reader would take it: a mistake of this program, which is to show now and not days later.
    """
    audio = timing.audio
    data = {
        "format": FORMAT,
        "version": VERSION,
        "source": {
            "name": timing.source_name,
            "bytes": timing.source_bytes,
            **({"content": timing.source_content} if timing.source_content else {}),
        },
        "settings": {
            "fps": timing.fps,
            "image_format": timing.image_format,
            **({"video_track": timing.video_track} if timing.video_track else {}),
            **({"bits": timing.bits} if timing.bits != 8 else {}),
        },
        "time_base": list(timing.time_base.as_integer_ratio()),
        "pts": list(timing.pts),
        "end": timing.end,
        "rate": list(timing.rate.as_integer_ratio()),
        "constant": timing.constant,
        "size": list(timing.size),
        "colour": asdict(timing.colour),
        "assumed_matrix": timing.assumed_matrix,
        "sound": None
        if audio is None
        else {
            "codec": audio.codec,
            "start": list(audio.start.as_integer_ratio()),
            "offset": list(audio.offset.as_integer_ratio()),
            "breaks": audio.breaks,
        },
        "changes": list(timing.changes),
        "sections": [[int(time / timing.time_base) for time in astuple(section)] for section in timing.sections],
    }
    _parse(FRAMES_SCHEMA(data))
    write_json(path, data)


def read_timing(path: Path) -> Timing | None:
    """Read frames.json; None when it is absent.

    Raises:
        UserError: It is damaged or of a future version.
    """
    try:
        data = read_json(path, schema=either(nothing, FRAMES_SCHEMA))
        return None if data is None else _parse(data)
    except UserError as error:
        raise _damaged(path, error.happened) from error
    except ValueError as error:
        raise _damaged(path, f"{path} is damaged ({error}).") from error


def _damaged(path: Path, happened: str) -> UserError:
    side = path.parent.name.removeprefix("data_")
    return UserError(
        happened,
        f"a file of the format {FORMAT!r}, version {VERSION}, as extract-frames writes it.",
        f"take the frames out again:{hint(f'extract-frames --side {side} --redo')}",
    )


def _parse(data: dict[str, Any]) -> Timing:
    pts, end = tuple(data["pts"]), data["end"]
    time_base, rate = Fraction(*data["time_base"]), Fraction(*data["rate"])
    if rate > MAX_RATE:
        raise ValueError("a rate that no video has")
    if not pts or len(pts) > MAX_FRAMES or not is_rising(pts) or end <= pts[-1]:
        raise ValueError("times that do not rise")
    height, width = data["size"]
    source, settings, audio = data["source"], data["settings"], data["sound"]
    return Timing(
        source_name=source["name"],
        source_bytes=source["bytes"],
        fps=float(settings["fps"]),
        image_format=settings["image_format"],
        time_base=time_base,
        pts=pts,
        end=end,
        rate=rate,
        constant=data["constant"],
        size=(height, width),
        colour=Colour(**{part: data["colour"][part] for part in COLOUR_PARTS}),
        assumed_matrix=data["assumed_matrix"],
        audio=audio
        and AudioTiming(audio["codec"], Fraction(*audio["start"]), Fraction(*audio["offset"]), audio.get("breaks", 0)),
        changes=tuple(data["changes"]),
        sections=tuple(Section(*(ticks * time_base for ticks in section)) for section in data.get("sections", ())),
        source_content=source.get("content", ""),
        video_track=settings.get("video_track", 0),
        bits=settings.get("bits", 8),
    )


def _fraction(value: Any) -> Any:
    """Take [numerator, denominator] (see `core.json_data`)."""
    list_of(whole(), 2)(value)
    whole(1)(value[1])
    return value


def _tag(value: Any) -> Any:
    """Take a name as ffmpeg writes it: it becomes an argument of a filter."""
    if not re.fullmatch(r"[\w.-]{0,40}", text(value), re.ASCII):
        raise BadJson(f"{value[:40]!r} is no name of ffmpeg's")
    return value


COLOUR_PARTS = tuple(part.name for part in dataclass_fields(Colour))
FRAMES_SCHEMA = fields(
    {
        "format": choice(FORMAT),
        "version": choice(VERSION),
        "source": fields({"name": text, "bytes": whole(0)}, {"content": text}),
        "settings": fields(
            {"fps": number, "image_format": text}, {"video_track": whole(0, MAX_TRACK), "bits": choice(8, 16)}
        ),
        "time_base": list_of(whole(1), 2),
        "pts": list_of(whole()),
        "end": whole(),
        "rate": list_of(whole(1), 2),
        "constant": flag,
        "size": list_of(whole(0, MAX_SIDE), 2),
        "colour": fields(dict.fromkeys(COLOUR_PARTS, _tag)),
        "assumed_matrix": _tag,
        "sound": either(
            nothing, fields({"codec": text, "start": _fraction, "offset": _fraction}, {"breaks": whole(0)})
        ),
        "changes": list_of(text),
    },
    {"sections": list_of(list_of(whole(), 3))},
)
