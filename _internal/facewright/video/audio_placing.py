"""The audio of a source on the timeline of its frames: each packet moves with its section of the video."""

import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import av
import ffmpeg

from facewright.video.probe import MAX_GAP, file_url, longest_step, open_video, readable_packets, video_stream
from facewright.video.timing import Section

# Packets further apart than this, in seconds, leave a silence between them.
MAX_SILENCE = Fraction(1)
# Containers round the times of audio: a fall by less than this, in seconds, is none.
ROUNDING = Fraction(1, 10)
# Packets that coincide are put this much apart, in seconds: a tick of the coarsest rate of sound.
STEP = Fraction(1, 8000)
# Sections leave small holes in the audio where they meet; longer ones than this, in seconds, become silence.
MAX_HOLE = 0.01
# Seconds that times in a pipe are ahead of those of the timeline, where these may be below 0.
LEAD = 3600


@dataclass
class AudioPackets:
    """The packets of an audio stream that have a time stamp, in the order of the file.

    Attributes:
        tick: Seconds per tick.
        starts: Their time stamps in ticks.
        durations: In ticks; 0 where one is not known.
        restarts: How often the time stamps of the video began anew or jumped before each of them.
        all_restarts: How often they did in the whole file.
    """

    tick: Fraction
    starts: list[int] = field(default_factory=list)
    durations: list[int] = field(default_factory=list)
    restarts: list[int] = field(default_factory=list)
    all_restarts: int = 0


def read_audio(source: Path, indices: Sequence[int]) -> list[AudioPackets]:
    """Read through a file and return what is known of its audio packets.

    Args:
        source: The file.
        indices: Of the audio streams.
    """
    with closing(open_video(source)) as container:
        video = video_stream(container)
        found = {index: AudioPackets(Fraction(container.streams[index].time_base)) for index in indices}
        limit = longest_step(container.format.name) / Fraction(video.time_base)
        restarts, last = 0, None
        for packet in readable_packets(container, video, *(container.streams[index] for index in indices)):
            if packet.stream_index == video.index:
                if packet.dts is not None:
                    restarts += last is not None and not 0 <= packet.dts - last <= limit
                    last = packet.dts
                continue
            audio = found[packet.stream_index]
            audio.starts.append(packet.pts)
            audio.durations.append(packet.duration or 0)
            audio.restarts.append(restarts)
    for audio in found.values():
        audio.all_restarts = restarts
    return [found[index] for index in indices]


@dataclass(frozen=True)
class PlacedPackets:
    """Where the packets of an audio stream belong.

    Attributes:
        places: For each when it is heard, in ticks, rising; None where it is to be left out.
        breaks: How often the time stamps did not run on.
    """

    places: list[int | None]
    breaks: int


def place_audio(audio: AudioPackets, sections: Sequence[Section], *, trimmed: bool = False) -> PlacedPackets:
    """Place the packets of audio: each moves with its section of the video, and a section's audio ends with it.

    Audio that falls back or jumps where the video does not goes on without a break.

    Args:
        audio: The packets.
        sections: Of the video, at least one.
        trimmed: Leave out what lies before the first section, behind the last one, and between them.
    """
    ticks = [_TickSection(*(round(t / audio.tick) for t in (s.begin, s.end, s.shift))) for s in sections]
    follower = _Follower(audio, ticks)
    moved = [follower.follow(number) for number in range(len(audio.starts))]
    used = sorted({at for at, _ in moved})
    over = {at: ticks[later].begin + ticks[later].shift for at, later in pairwise(used)}
    places: list[int | None] = []
    step = math.ceil(STEP / audio.tick)
    last: int | None = None
    for (at, own), start, duration in zip(moved, audio.starts, audio.durations, strict=True):
        place = start + ticks[at].shift + own
        middle = place + duration // 2
        if trimmed and not ticks[at].begin <= middle - ticks[at].shift < ticks[at].end:
            places.append(None)
            continue
        begin = ticks[at].begin + ticks[at].shift if at else middle
        if not own and not begin <= middle <= over.get(at, middle):
            places.append(None)
            continue
        last = place if last is None else max(place, last + step)
        places.append(last)
    return PlacedPackets(places, sum(a != b for a, b in pairwise(moved)))


class _TickSection(NamedTuple):
    """A `Section` in ticks."""

    begin: int
    end: int
    shift: int


class _Follower:
    """Finds the section of one packet after the other, and what to add where the audio broke by itself."""

    def __init__(self, audio: AudioPackets, sections: Sequence[_TickSection]) -> None:
        self._audio = audio
        self._sections = sections
        self._reach = round(MAX_GAP / audio.tick)
        self._silence = round(MAX_SILENCE / audio.tick)
        self._rounding = round(ROUNDING / audio.tick)
        self._has_hints = audio.all_restarts == len(sections) - 1
        self._at = 0
        self._own = 0
        self._over = 0  # when the packet before was over, on the timeline

    def follow(self, number: int) -> tuple[int, int]:
        """Return the section of a packet and the ticks to add to it besides; call it with 0, 1, 2 ..."""
        starts, durations = self._audio.starts, self._audio.durations
        start = starts[number]
        if number == 0:
            self._at = self._nearest(number, 0)
        else:
            last = starts[number - 1]
            jumped = start - last - durations[number - 1] > self._silence
            if start < last - self._rounding:
                self._break(number, self._at + 1)
            elif jumped:
                self._break(number, self._at)
            else:
                self._run_on(start)
        self._over = start + self._sections[self._at].shift + self._own + durations[number]
        return self._at, self._own

    def _break(self, number: int, first: int) -> None:
        """Find the section behind a fall or a jump, from `first` on."""
        start = self._audio.starts[number]
        nearest = self._nearest(number, first) if first < len(self._sections) else self._at
        if nearest >= first and self._distance(nearest, start) <= self._reach:
            self._at, self._own = nearest, 0
        else:
            self._own = self._over - start - self._sections[self._at].shift

    def _run_on(self, start: int) -> None:
        section = self._sections[self._at]
        if self._own > 0 and start + section.shift >= self._over:
            self._own = 0  # what was lost has been caught up
        later = self._at + 1
        if later == len(self._sections) or self._sections[later].begin < section.end:
            return
        if self._distance(later, start) < self._distance(self._at, start):  # it went through a jump of the video
            self._at, self._own = later, 0

    def _nearest(self, number: int, first: int) -> int:
        """Return the section, from `first` on, that holds a packet or nearly so; else the nearest."""
        start, hint = self._audio.starts[number], self._audio.restarts[number]
        later = range(first, len(self._sections))
        holding = [at for at in later if self._distance(at, start) <= self._silence]
        # A section's first audio may come just before its first frame.
        hinted = [at for at in (hint, hint + 1) if at in holding] if self._has_hints else []
        return next(iter(hinted or holding), min(later, key=lambda at: self._distance(at, start)))

    def _distance(self, at: int, start: int) -> int:
        section = self._sections[at]
        return max(section.begin - start, start - section.end, 0)


class PlacedAudio:
    """The audio of a source, each packet at its place.

    Args:
        source: The file.
        indices: Of its audio streams, the main one first.
        sections: Of the video; empty where the time stamps are taken as they are.
        trimmed: See `place_audio`.

    Attributes:
        source: The file.
        start: When the main stream begins, in seconds on the timeline of the frames; None where it is not moved.
        lead: Seconds that `nodes` adds to all times: a pipe has none below 0.
    """

    def __init__(
        self, source: Path, indices: Sequence[int], sections: Sequence[Section], *, trimmed: bool = False
    ) -> None:
        self.source = source
        self._indices = indices
        self._places: dict[int, list[int | None]] = {}
        self.start: Fraction | None = None
        self.lead = 0
        if sections and indices:
            self.lead = LEAD
            found = read_audio(source, indices)
            placed = [place_audio(audio, sections, trimmed=trimmed) for audio in found]
            self._places = {n: one.places for n, one in zip(indices, placed, strict=True)}
            first = next((place for place in self._places[indices[0]] if place is not None), None)
            self.start = None if first is None else first * found[0].tick

    def packets(self, container: Any) -> Iterator[Any]:
        """Yield the packets of the streams of the open source with their places for a time stamp; these rise."""
        places = {index: iter(places) for index, places in self._places.items()}
        last: dict[int, int] = {}
        for packet in readable_packets(container, *(container.streams[index] for index in self._indices)):
            index = packet.stream_index
            place = next(places[index], None) if index in places else packet.pts
            if place is not None:
                step = math.ceil(STEP / Fraction(packet.time_base))
                packet.pts = packet.dts = last[index] = max(place, last.get(index, place - step) + step)
                yield packet

    def nodes(self, **options: Any) -> tuple[list[Any], Iterator[bytes] | None]:
        """Return ffmpeg's inputs, and what to feed to its standard input, if that is where they come from.

        Args:
            options: Of the input where it is the file itself.
        """
        if self._places:
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
        holes = {"min_hard_comp": MAX_HOLE} if self._places else {}
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
