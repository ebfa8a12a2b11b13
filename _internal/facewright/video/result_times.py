"""When each frame of a result is shown: all frames, those that are there, or some alone with the others cut out."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from facewright.core import console
from facewright.video.mux import Timeline
from facewright.video.probe import VideoInfo
from facewright.video.timeline import clean_times
from facewright.video.timing import Section, Timing, true_rate

MIN_TICK = Fraction(1, 1_000_000)


def timeline_of_video(info: VideoInfo, stamps: list[int]) -> Timeline:
    """Return the timeline of all frames of a video."""
    times = clean_times(info, stamps)
    for change in times.frames.changes:
        console.say(f"The frames are {change}.")
    tick = times.frames.time_base
    rate, _ = true_rate(times.frames.pts, tick, (info.average_rate, info.nominal_rate))
    seconds = [t * tick for t in times.frames.pts]
    return _uneven(seconds, seconds[-1] + max(tick, 1 / rate), rate, tick, times.sections)


def timeline_of_frames(timing: Timing, kept: list[int]) -> Timeline:
    """Return the timeline of the frames with these indices."""
    if not timing.constant:
        seconds = timing.seconds
        end = timing.end * timing.time_base
        return _uneven([seconds[i] for i in kept], end, timing.rate, timing.time_base, timing.sections)
    full = Timeline.constant(len(timing.pts), timing.rate, timing.pts[0] * timing.time_base)
    return replace(full, timestamps=tuple(full.timestamps[i] for i in kept), sections=timing.sections)


def cut_timeline(timing: Timing, kept: Sequence[int]) -> Timeline:
    """Return the timeline of some frames alone, with what lies between them cut out.

    Every nth frame stays until the next of them: a gap is cut where it is longer than the shortest one.

    Args:
        timing: Of all frames.
        kept: Indices of the frames, rising, at least one.
    """
    whole = timeline_of_frames(timing, list(range(len(timing.pts))))
    if len(kept) == len(timing.pts):
        return whole
    step = min((b - a for a, b in pairwise(kept)), default=1)
    edges = [*whole.timestamps, *[whole.end] * step]
    runs = [(edges[i], edges[i + step]) for i in kept]
    times, sections = [runs[0][0]], []
    for begin, end in runs:
        sections += _moved_sections(timing.sections, begin, end, times[-1] - begin)
        times.append(times[-1] + end - begin)
    rate = whole.rate / step
    if timing.constant:
        timeline = Timeline.constant(len(kept), rate, times[0])
    else:
        timeline = _uneven(times[:-1], times[-1], rate, timing.time_base, ())
    return replace(timeline, sections=_joined(sections), trimmed=True)


def _moved_sections(sections: Sequence[Section], begin: Fraction, end: Fraction, by: Fraction) -> list[Section]:
    """Return the stretches of the source that make begin..end of the timeline, moved by some seconds more."""
    if not sections:
        return [Section(begin, end, by)]
    cut = [(max(s.begin, begin - s.shift), min(s.end, end - s.shift), s.shift) for s in sections]
    return [Section(first, last, shift + by) for first, last, shift in cut if first < last]


def _joined(sections: Sequence[Section]) -> tuple[Section, ...]:
    """Join stretches that run on."""
    joined: list[Section] = []
    for section in sections:
        if joined and joined[-1].end == section.begin and joined[-1].shift == section.shift:
            section = replace(joined.pop(), end=section.end)
        joined.append(section)
    return tuple(joined)


def _uneven(
    seconds: list[Fraction], end: Fraction, rate: Fraction, tick: Fraction, sections: tuple[Section, ...]
) -> Timeline:
    return Timeline(tuple(seconds), end, rate, max(tick, MIN_TICK), sections)
