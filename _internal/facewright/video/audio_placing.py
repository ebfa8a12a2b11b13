"""The audio of a source on the timeline of its frames: each packet moves with its section of the video."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import ffmpeg

from facewright.video.probe import MAX_GAP, file_url, open_video, readable_packets
from facewright.video.timing import Section

# Packets further apart than this, in seconds, leave a silence between them.
MAX_SILENCE = Fraction(1)
# Containers round the times of audio: a fall by less than this, in seconds, is none.
ROUNDING = Fraction(1, 10)
# Sections leave small holes in the audio where they meet; longer ones than this, in seconds, become silence.
MAX_HOLE = 0.01
# Seconds that times in a pipe are ahead of those of the timeline, where these may be below 0.
LEAD = 3600
ALL_TIMES = Section(Fraction(-1 << 40), Fraction(1 << 40), Fraction(0))


class PlacedAudio:
    """The audio of a source, each packet at its place.

    Args:
        source: The file.
        indices: Of its streams in the file, the main one first.
        sections: Of the video; empty where the time stamps are taken as they are.

    Attributes:
        source: The file.
        start: When the main stream begins, in seconds on the timeline of the frames; None without a packet.
        lead: Seconds that `nodes` adds to all times: a pipe has none below 0.
    """

    def __init__(self, source: Path, indices: Sequence[int], sections: Sequence[Section]) -> None:
        self.source = source
        self._indices = indices
        self._sections = sections
        with closing(open_video(source)) as container:
            first = next(self.packets(container), None) if indices else None
            self.start = None if first is None else first.pts * Fraction(first.time_base)
        self.lead = LEAD if sections else 0

    def packets(self, container: Any) -> Iterator[Any]:
        """Yield the packets of the streams of the open source with their places for a time stamp; these rise."""
        streams = [container.streams[index] for index in self._indices]
        placers = {s.index: AudioPlacer(self._sections or (ALL_TIMES,), Fraction(s.time_base)) for s in streams}
        for packet in readable_packets(container, *streams):
            place = placers[packet.stream_index].place(packet.pts, packet.duration or 0)
            if place is not None:
                packet.pts = packet.dts = place
                yield packet

    def nodes(self, **options: Any) -> tuple[list[Any], Iterator[bytes] | None]:
        """Return ffmpeg's inputs, and what to feed to its standard input, if that is where they come from.

        Args:
            options: Of the input where it is the file itself.
        """
        if self._sections and self._indices:
            pipe = ffmpeg.input("pipe:0", format="nut")
            return [pipe[str(n)] for n in range(len(self._indices))], self._feed()
        file = ffmpeg.input(file_url(self.source), **{"protocol_whitelist": "file", **options})
        return [file[str(index)] for index in self._indices], None

    def filled(self, node: Any, **options: Any) -> Any:
        """Let silence fill the holes of one of the `nodes`, so that what follows stays at its time.

        Args:
            node: The audio, filtered perhaps.
            options: More for the filter `aresample`.
        """
        holes = {"min_hard_comp": MAX_HOLE} if self._sections else {}
        return node.filter("aresample", **{"async": 1, **holes, **options})

    def _feed(self) -> Iterator[bytes]:
        blocks = _Blocks()
        with closing(open_video(self.source)) as container, av.open(blocks, "w", format="nut") as out:
            targets = {index: out.add_stream_from_template(container.streams[index]) for index in self._indices}
            for packet in self.packets(container):
                packet.pts += round(self.lead / Fraction(packet.time_base))
                packet.dts = packet.pts
                packet.stream = targets[packet.stream_index]
                out.mux_one(packet)
                yield blocks.take()
        yield blocks.take()


class _Blocks:
    """A file that is read as it is written."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def take(self) -> bytes:
        data = bytes(self._data)
        self._data.clear()
        return data


class _TickSection(NamedTuple):
    """A `Section` in ticks."""

    begin: int
    end: int
    shift: int


class AudioPlacer:
    """Finds the places of the packets of audio.

    A section's audio ends with it. Audio that falls back or jumps where the video does not goes on without a break.

    Args:
        sections: Of the video, at least one.
        tick: Seconds per tick of the audio.

    Attributes:
        breaks: How often the time stamps of the audio did not run on.
    """

    def __init__(self, sections: Sequence[Section], tick: Fraction) -> None:
        self._sections = [
            _TickSection(round(s.begin / tick), round(s.end / tick), round(s.shift / tick)) for s in sections
        ]
        self._reach = round(MAX_GAP / tick)
        self._silence = round(MAX_SILENCE / tick)
        self._rounding = round(ROUNDING / tick)
        self._at = 0  # the section
        self._own = 0  # ticks to add where the audio broke by itself
        self._last: int | None = None  # time stamp of the packet before
        self._end = 0  # when that one was over, by its time stamp
        self._placed: int | None = None  # where the last one that was kept is
        self._placed_end = 0
        self.breaks = 0

    def place(self, start: int, duration: int) -> int | None:
        """Return when a packet is heard, later than the one before; None when it is to be left out.

        Args:
            start: Its time stamp in ticks.
            duration: Its duration in ticks, 0 where it is not known.
        """
        before = (self._at, self._own)
        if self._last is None:
            self._at = self._nearest(start, 0)
        else:
            self._follow(start, self._last)
            self.breaks += (self._at, self._own) != before
        self._last, self._end = start, start + duration
        section = self._sections[self._at]
        placed = start + section.shift + self._own
        middle = placed + duration // 2
        if not self._own and (self._is_over(middle) or (self._at and middle < section.begin + section.shift)):
            return None
        if self._placed is not None:
            placed = max(placed, self._placed + 1)
        self._placed, self._placed_end = placed, placed + duration
        return placed

    def _is_over(self, middle: int) -> bool:
        """Whether the next section has begun."""
        if self._at + 1 == len(self._sections):
            return False
        following = self._sections[self._at + 1]
        return middle > following.begin + following.shift

    def _follow(self, start: int, last: int) -> None:
        """Choose the section of the next packet."""
        section = self._sections[self._at]
        fell, jumped = start < last - self._rounding, start - self._end > self._silence
        if not (fell or jumped):
            if start > section.end:
                self._at = self._nearest(start, self._at)
            if self._own > 0 and start + self._sections[self._at].shift >= self._placed_end:
                self._own = 0  # what was lost has been caught up
            return
        first = self._at + 1 if fell else self._at
        nearest = self._nearest(start, first) if first < len(self._sections) else self._at
        if nearest >= first and self._distance(nearest, start) <= self._reach:
            self._at, self._own = nearest, 0
        else:
            self._own = 0 if self._placed is None else self._placed_end - start - section.shift

    def _nearest(self, start: int, first: int) -> int:
        """Return the first section, from `first` on, that holds a time or nearly so; else the nearest."""
        later = range(first, len(self._sections))
        holding = (at for at in later if self._distance(at, start) <= self._silence)
        return next(holding, min(later, key=lambda at: self._distance(at, start)))

    def _distance(self, at: int, start: int) -> int:
        section = self._sections[at]
        return max(section.begin - start, start - section.end, 0)
