"""The settings of every frame: those of all frames, over them those of its shot, over them its own.

A shot begins at a marker and ends before the next one. What a layer does not name is inherited; a value that is
set for all frames also takes the place of those that shots and frames have of their own. The preview makes such
settings, `settings_file` keeps them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

from facewright.convert.parameters import ConvertOptions
from facewright.core.options import Option, Value, declared

Values = Mapping[str, Value]  # name of a control -> its value
Layers = Mapping[str, Values]  # name of a frame -> what differs there


class Scope(StrEnum):
    """Whose settings a change is made to."""

    ALL = "all"
    SHOT = "shot"
    FRAME = "frame"


def controls() -> list[Option]:
    """Return the options that may differ from frame to frame: those that change how a face looks."""
    return [spec for spec in declared(ConvertOptions) if spec.group]


@dataclass(frozen=True)
class SettingsByFrame:
    """The settings of the frames of dst; every change returns new ones.

    Attributes:
        names: Names of the frames, in order; at least one.
        base: The options for all frames.
        shots: First frame of a shot -> what differs from `base` there.
        frames: Frame -> what differs from its shot. Here and in `shots` may be names of frames that are gone; these
            are kept for the day on which the frame is back.
    """

    names: tuple[str, ...]
    base: ConvertOptions = field(default_factory=ConvertOptions)
    shots: Layers = field(default_factory=dict)
    frames: Layers = field(default_factory=dict)

    @cached_property
    def aside(self) -> list[str]:
        """The names that no frame has."""
        return [name for name in {**self.shots, **self.frames} if name not in self._index]

    @cached_property
    def starts(self) -> list[int]:
        """The indices of the frames with which shots begin, rising; the first frame needs no marker."""
        return sorted({0, *(self._index[name] for name in self.shots if name in self._index)})

    def shot(self, at: int) -> range:
        """Return the indices of the frames of the shot in which a frame lies."""
        start = max(start for start in self.starts if start <= at)
        return range(start, min((later for later in self.starts if later > at), default=len(self.names)))

    def options(self, at: int) -> ConvertOptions:
        """Return the options of a frame."""
        return self._options[at]

    def of(self, name: str) -> ConvertOptions:
        """Return the options of the frame of that name."""
        return self._options[self._index[name]]

    def own(self, at: int, scope: Scope) -> Values:
        """Return the values that a frame, its shot, or all frames have from nowhere else."""
        if scope is Scope.ALL:
            return _differing(self.base, {spec.name: spec.default for spec in controls()})
        return self.frames.get(self.names[at], {}) if scope is Scope.FRAME else self._layers[at]

    def with_value(self, at: int, name: str, value: Value, scope: Scope) -> "SettingsByFrame":
        """Set a control as a frame shows it: for that frame, for its shot, or for all frames alike.

        Other frames of a shot, and where there is one shot only, keep what they have of their own.
        """
        if scope is Scope.FRAME:
            inherited = self._layers[at].get(name, getattr(self.base, name))
            own = _without(self.own(at, scope), name)
            return self._with_own(at, own if value == inherited else {**own, name: value})
        changed = self.frames if scope is Scope.ALL else (self.names[at],)
        frames = {frame: _without(own, name) if frame in changed else own for frame, own in self.frames.items()}
        if scope is Scope.SHOT and len(self.starts) > 1:
            layer = _without(self._layers[at], name)
            layer |= {} if value == getattr(self.base, name) else {name: value}
            return replace(self, shots={**self.shots, self._start(at): layer}, frames=_filled(frames))
        base = replace(self.base, **{name: value})  # type: ignore[arg-type]
        shots = {start: _without(layer, name) for start, layer in self.shots.items()}
        return replace(self, base=base, shots=shots, frames=_filled(frames))

    def reset(self, at: int, scope: Scope) -> "SettingsByFrame":
        """Let a frame or a shot inherit again; for all frames, set every control as it is declared."""
        if scope is Scope.FRAME:
            return self._with_own(at, {})
        if scope is Scope.SHOT and len(self.starts) > 1:
            return replace(self, shots={**self.shots, self._start(at): {}})._with_own(at, {})
        usual = {spec.name: spec.default for spec in controls()}
        return replace(self, base=replace(self.base, **usual))  # type: ignore[arg-type]

    def toggle_marker(self, at: int) -> "SettingsByFrame":
        """Begin a shot at a frame, with the settings that it has; where one begins, join it to the shot before."""
        name = self.names[at]
        if name in self.shots:
            return replace(self, shots={start: layer for start, layer in self.shots.items() if start != name})
        return replace(self, shots={**self.shots, name: self._layers[at]}) if at else self

    def copied_to(self, at: int, target: int) -> "SettingsByFrame":
        """Give another frame the settings that this one has."""
        return self._with_own(target, _differing(self.options(at), {**vars(self.base), **self._layers[target]}))

    def copied_over(self, at: int, first: int, last: int) -> "SettingsByFrame":
        """Give the frames from `first` to `last`, both included, the settings of this one; all others keep theirs."""
        wanted = _differing(self.options(at), vars(self.base))
        inside = set(self.names[first : last + 1])
        shots, frames = ({n: layer for n, layer in one.items() if n not in inside} for one in (self.shots, self.frames))
        if self.names[first] in self.shots or wanted != (self._layers[first - 1] if first else {}):
            shots[self.names[first]] = wanted
        after = last + 1
        if after < len(self.names) and self.names[after] not in shots and self._layers[after] != wanted:
            shots[self.names[after]] = self._layers[after]
        return replace(self, shots=shots, frames=frames)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.names)}

    @cached_property
    def _layers(self) -> list[Values]:
        """Of each frame, what its shot has."""
        found: list[Values] = []
        for start, end in zip(self.starts, [*self.starts[1:], len(self.names)], strict=True):
            found += [self.shots.get(self.names[start], {})] * (end - start)
        return found

    @cached_property
    def _options(self) -> list[ConvertOptions]:
        known: dict[str, ConvertOptions] = {}  # most frames share their options
        found = []
        for layer, name in zip(self._layers, self.names, strict=True):
            values: dict[str, Any] = {**layer, **self.frames.get(name, {})}
            key = repr(sorted(values.items()))
            if key not in known:
                known[key] = replace(self.base, **values)
            found.append(known[key])
        return found

    def _start(self, at: int) -> str:
        return self.names[self.shot(at).start]

    def _with_own(self, at: int, values: Values) -> "SettingsByFrame":
        return replace(self, frames=_filled({**self.frames, self.names[at]: values}))


def _differing(options: ConvertOptions, other: Mapping[str, Any]) -> dict[str, Value]:
    values = {spec.name: getattr(options, spec.name) for spec in controls()}
    return {name: value for name, value in values.items() if value != other[name]}


def _without(layer: Values, name: str) -> dict[str, Value]:
    return {other: value for other, value in layer.items() if other != name}


def _filled(layers: Layers) -> dict[str, Values]:
    return {name: layer for name, layer in layers.items() if layer}
