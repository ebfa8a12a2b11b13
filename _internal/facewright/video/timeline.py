"""A clean, rising timeline from whatever time stamps a container gives.

Files glued together, streams cut into pieces, advertisements and damage leave time stamps that fall back, jump ahead or
coincide. A player shows such frames one after another; so does the result. The frames are divided into sections whose
time stamps run on; each section is moved to the end of the one before, and its sound with it.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from statistics import median_low

from facewright.core.console import listed
from facewright.video.audio_placing import MAX_SILENCE, AudioPackets, place_audio, read_audio
from facewright.video.probe import MAX_GAP, VideoInfo, longest_step
from facewright.video.timing import AudioTiming, Section, frame_stem

# So many frames show whether time stamps stay where they fell or jumped to. Damage leaves one or two wrong ones.
LOOKAHEAD = 8
MAX_NAMED = 5


@dataclass(frozen=True)
class Straightened:
    """Times that rise from frame to frame.

    Attributes:
        pts: One per frame, in ticks.
        time_base: Seconds per tick: the container's, or a part of it where more frames coincide than ticks are free.
        sections: What was moved by how much, at least one.
        changes: What was done, for people; empty when the time stamps were clean.
    """

    pts: tuple[int, ...]
    time_base: Fraction
    sections: tuple[Section, ...]
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class VideoTimes:
    """When the frames and the audio of a video are shown and heard.

    Attributes:
        frames: The times of the frames.
        audio: What is known of the main audio track; None in a silent video.
        others_break: Whether the time stamps of another track do not run on.
    """

    frames: Straightened
    audio: AudioTiming | None
    others_break: bool = False

    @property
    def sections(self) -> tuple[Section, ...]:
        """By what the audio is placed; empty where the time stamps can be taken as they are."""
        broken = self.frames.changes or (self.audio is not None and self.audio.breaks) or self.others_break
        return self.frames.sections if broken else ()


def clean_times(info: VideoInfo, stamps: Sequence[int]) -> VideoTimes:
    """Make the timeline of a video; reads through the file once if it has audio.

    Args:
        info: The video.
        stamps: The time stamps of its frames in ticks, in the order of showing; at least one.
    """
    audio, longest = info.audio, longest_step(info.container)
    if info.container == "avi":  # it stores no times of showing: the decoder's delay is in them
        stamps = [stamp - stamps[0] + info.start for stamp in stamps]
    if audio is None:
        return VideoTimes(_evened(info, straighten(stamps, info.time_base, info.average_rate, longest=longest)), None)
    others = [track.index for track in info.audio_tracks if track.readable and track != audio]
    packets, *more = read_audio(info.path, [audio.index, *others])
    frames = _evened(info, straighten(stamps, info.time_base, info.average_rate, _heard(packets), longest=longest))
    placed = place_audio(packets, frames.sections)
    first = next((place for place in placed.places if place is not None), None)
    moved = first is not None and (frames.changes or placed.breaks)
    start = first * packets.tick if first is not None and moved else audio.start
    offset = start - frames.pts[0] * frames.time_base
    others_break = any(place_audio(track, frames.sections).breaks for track in more)
    return VideoTimes(frames, AudioTiming(audio.codec, start, offset, placed.breaks), others_break)


def _evened(info: VideoInfo, clean: Straightened) -> Straightened:
    """Put the frames of a program stream on an even grid, if they lie within a frame of it.

    Such a file times some frames only; the times of the others are guessed, now and then one frame too late.
    """
    pts, step = clean.pts, 1 / info.nominal_rate / clean.time_base
    off = [abs(time - pts[0] - n * step) for n, time in enumerate(pts)]
    if info.container != "mpeg" or max(off) > 1.5 * step or off[-1] > 0.5 * step:
        return clean
    changes = clean.changes if len(clean.sections) > 1 else ()
    return replace(clean, pts=tuple(round(pts[0] + n * step) for n in range(len(pts))), changes=changes)


def _heard(packets: AudioPackets) -> Callable[[Fraction, Fraction], bool]:
    """Return a function that says whether audio is heard for more than half of the time between two seconds."""
    starts, tick = sorted(packets.starts), packets.tick
    silence = MAX_SILENCE / tick

    def is_heard(begin: Fraction, end: Fraction) -> bool:
        first, last = round(begin / tick), round(end / tick)
        inside = [first, *starts[bisect_right(starts, first) : bisect_left(starts, last)], last]
        return 2 * sum(b - a for a, b in pairwise(inside) if b - a <= silence) > last - first

    return is_heard


def straighten(
    stamps: Sequence[int],
    time_base: Fraction,
    rate: Fraction,
    is_heard: Callable[[Fraction, Fraction], bool] = lambda begin, end: False,
    *,
    longest: Fraction = MAX_GAP,
) -> Straightened:
    """Make a rising timeline.

    Args:
        stamps: The container's time stamps in ticks, in the order in which the frames are shown; at least one.
        time_base: Seconds per tick.
        rate: Frames per second, for a video without any times.
        is_heard: Whether the sound runs on between two times in seconds: then the image stands still meanwhile.
        longest: Seconds that a frame may stay without sound.
    """
    steps = [b - a for a, b in pairwise(stamps) if b > a]
    usual = max(1, median_low(steps) if steps else round(1 / rate / time_base))
    if not steps and len(stamps) > 1:
        pts = tuple(stamps[0] + i * usual for i in range(len(stamps)))
        section = Section(pts[0] * time_base, (pts[-1] + usual) * time_base, Fraction(0))
        return Straightened(
            pts, time_base, (section,), (f"shown {float(rate):.6g} times a second: they have no times",)
        )
    max_gap = max(round(longest / time_base), 4 * usual)
    work = _Straightening(stamps, usual, max_gap, lambda a, b: is_heard(a * time_base, b * time_base))
    work.run()
    factor = work.ticks_needed()
    return Straightened(
        pts=tuple(time * factor + ticks for time, ticks in work.placed),
        time_base=time_base / factor,
        sections=tuple(Section(*(ticks * time_base for ticks in section)) for section in work.sections),
        changes=tuple(_words(work, time_base)),
    )


class _Straightening:
    """The work of `straighten`, in ticks.

    Attributes:
        placed: For each frame a time, and how many ticks after it the frame is shown.
        sections: (begin, end, shift) of each; see `Section`.
        joins: Index of the first frame of each later section -> ticks by which the clock jumped ahead; 0 where it fell.
        strays: Indices of the frames without a time of their own.
    """

    def __init__(self, stamps: Sequence[int], usual: int, max_gap: int, is_heard: Callable[[int, int], bool]) -> None:
        self.placed: list[tuple[int, int]] = [(stamps[0], 0)]
        self.sections: list[tuple[int, int, int]] = []
        self.joins: dict[int, int] = {}
        self.strays: list[int] = []
        self._stamps = stamps
        self._usual = usual
        self._max_gap = max_gap
        self._is_heard = is_heard

    def run(self) -> None:
        stamps = self._stamps
        begin = last = stamps[0]
        shift = 0
        recent: deque[int] = deque(maxlen=LOOKAHEAD)  # steps of this section
        for index in range(1, len(stamps)):
            stamp = stamps[index]
            step = stamp - last
            if 0 < step <= self._max_gap or (step > 0 and self._is_heard(last, stamp)):
                recent.append(step)
                self.placed.append((stamp + shift, 0))
                last = stamp
            elif -2 * self._usual < step <= 0 or self._is_stray(index, last + self.placed[-1][1] * self._usual):
                self.strays.append(index)
                time, ticks = self.placed[-1]
                self.placed.append((time, ticks + 1))
            else:
                usual = median_low(recent) if recent else self._usual
                self.sections.append((begin, last + usual, shift))
                self.joins[index] = max(0, step)
                time, ticks = self.placed[-1]
                shift = time + max(usual, ticks + 1) - stamp
                self.placed.append((stamp + shift, 0))
                begin = last = stamp
                recent.clear()
        self.sections.append((begin, last + self._usual, shift))

    def _is_stray(self, index: int, before: int) -> bool:
        """Whether the next frames go on from the frame before, which belongs at `before`: this one alone is wrong."""
        following = self._stamps[index + 1 : index + 1 + LOOKAHEAD]
        if not following:
            return False
        off = median_low([s - self._stamps[index] - n * self._usual for n, s in enumerate(following, 1)])
        return abs(before + self._usual - self._stamps[index] - off) < abs(off)

    def ticks_needed(self) -> int:
        """Return into how many parts a tick is divided, so that all the frames of one time fit before the next."""
        return 1 + max(
            (ticks // (later - time) for (time, ticks), (later, more) in pairwise(self.placed) if not more), default=0
        )


def _words(work: _Straightening, time_base: Fraction) -> list[str]:
    said = []
    falls = [frame_stem(index) for index, gap in work.joins.items() if not gap]
    if falls:
        said.append(f"joined where their time stamps begin anew (after frame {listed(falls, MAX_NAMED)})")
    gaps = [f"{float(gap * time_base):.6g} s after frame {frame_stem(i)}" for i, gap in work.joins.items() if gap]
    if gaps:
        said.append(f"moved together where their time stamps jump ahead ({listed(gaps, MAX_NAMED)})")
    if work.strays:
        strays = listed([frame_stem(index + 1) for index in work.strays], MAX_NAMED)
        said.append(f"put one tick after the one before where their time stamps do not rise (frame {strays})")
    return said
