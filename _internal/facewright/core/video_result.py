"""The finished video of a workspace: encoded in pieces, joined, remembered, so that a second run does nothing."""

import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from facewright.core.errors import UserError
from facewright.core.files import make_folder, move_to_trash, read_json, write_json
from facewright.core.video_join import join
from facewright.core.video_plan import ResultPlan
from facewright.core.video_probe import Sound
from facewright.core.video_segments import EncodeSettings, encode_segments, identity, plan_segments

SCRATCH = ".make_video"
SLOWEST, FASTEST = Fraction(1, 10), Fraction(1000)


@dataclass(frozen=True)
class ResultOrder:
    """The settings of a result.

    Attributes:
        crf: Quality of x264, 0 to 51; used when `bitrate` is 0.
        bitrate: Megabits per second, or 0.
        container: "mp4" or "avi".
    """

    crf: int
    bitrate: float
    container: str


def encode_settings(plan: ResultPlan, order: ResultOrder) -> EncodeSettings:
    """Return the encoder's settings for a plan."""
    rate = min(max(plan.clock.rate, SLOWEST), FASTEST).limit_denominator(100_000)
    return EncodeSettings(order.crf, order.bitrate, order.container != "avi", rate, plan.colour, plan.matrix)


class Result:
    """A result that may be there already.

    Args:
        target: The file to write.
        plan: Its frames.
        order: Its settings.
        source: The file with the sound, None without.
        sound: Its stream, None for a silent result.
        tags: Metadata of the container.
        trash: Where a file of the user's at the place of `target` goes.
    """

    def __init__(
        self,
        target: Path,
        plan: ResultPlan,
        order: ResultOrder,
        source: Path | None,
        sound: Sound | None,
        tags: Mapping[str, str],
        trash: Path,
    ) -> None:
        self.target = target
        self._plan = plan
        self._order = order
        self._source = source if sound is not None else None
        self._sound = sound
        self._tags = dict(tags)
        self._trash = trash
        self._scratch = target.parent / SCRATCH
        self._state = self._scratch / f"{target.name}.json"

    def finished(self) -> bool:
        """Whether the file is there and was made of exactly these frames, settings and sound."""
        state = self._remembered()
        return state.get("made_of") == self._made_of() and state.get("file") == self._file()

    def make(self, moved: Callable[[int], Any]) -> int:
        """Encode what is missing and join it.

        Args:
            moved: Called with the number of frames just finished.

        Returns:
            Frames that were kept from a run that was broken off.

        Raises:
            UserError: A frame is damaged, the sound cannot be read, or the disk is full.
        """
        settings = encode_settings(self._plan, self._order)
        pieces_dir = make_folder(self._scratch / self._order.container)
        pieces = plan_segments(self._plan.frames, settings, pieces_dir)
        made_of = self._made_of()
        encoded = encode_segments(self._plan.frames, pieces, settings, moved)
        if self.target.exists() and self._remembered().get("file") != self._file():
            move_to_trash([self.target], self._trash, by="make-video")
        join(
            pieces,
            settings.tick,
            self._plan.clock,
            self._source,
            self._sound,
            self.target,
            self._order.container,
            self._tags,
        )
        write_json(self._state, {"made_of": made_of, "file": self._file()})
        shutil.rmtree(pieces_dir, ignore_errors=True)
        return len(self._plan.frames) - encoded

    def _remembered(self) -> dict[str, Any]:
        try:
            state = read_json(self._state, {})
        except UserError:  # a state that cannot be read remembers nothing
            return {}
        return state if isinstance(state, dict) else {}

    def _file(self) -> list[Any] | None:
        return identity(self.target)[1:] if self.target.exists() else None

    def _made_of(self) -> str:
        clock = self._plan.clock
        parts = [
            repr((encode_settings(self._plan, self._order), self._sound, sorted(self._tags.items()))),
            repr((clock.rate, clock.tick, clock.end)),
            *map(str, clock.times),
            *(repr(identity(f)) for f in self._plan.frames),
            repr(identity(self._source)[1:] if self._source else None),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
