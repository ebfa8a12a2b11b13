"""What a person decides about a frame that needs a look, kept as settings of that frame alone.

Keeping dst's face and fading to it are values of the opacity; the conversion then makes those frames again, and no
others. A frame that was found right is noted with what it is like, and comes up again when that changes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from facewright.convert.last_run import same_options
from facewright.convert.settings import Scope, SettingsByFrame, Values
from facewright.convert.settings_file import load_settings, save_settings
from facewright.core.workspace import Workspace

OPACITY = "opacity"
FADED = 4  # frames on each side over which the new face fades out and in again


@dataclass(frozen=True)
class _Before:
    """What the frames that a decision changed were like."""

    frames: Mapping[str, Values] = field(default_factory=dict)
    fine: Mapping[str, str] = field(default_factory=dict)


class Decisions:
    """The decisions about the frames of a workspace; each is on the disk when the call returns.

    Args:
        workspace: The project.
        names: Of all frames, in order.
        keys: Name of a frame -> what it is like.
        fine: Name of a frame that was found right -> what it was like then.

    Attributes:
        fine: The same, with those that were found right since.
    """

    def __init__(
        self, workspace: Workspace, names: tuple[str, ...], keys: Mapping[str, str], fine: Mapping[str, str]
    ) -> None:
        self.fine = dict(fine)
        self._workspace = workspace
        self._names = names
        self._keys = keys
        self._before: list[_Before] = []

    def keep_original(self, at: int) -> None:
        """Leave dst's face in a frame.

        Raises:
            UserError: Another program works on the frames, or the settings cannot be saved.
        """
        self._change(lambda settings: settings.with_value(at, OPACITY, 0, Scope.FRAME), [at])

    def fade(self, at: int) -> None:
        """Let the new face fade out towards a frame and in again after it, within its shot.

        Raises:
            UserError: As `keep_original`.
        """

        def faded(settings: SettingsByFrame) -> SettingsByFrame:
            for other in around:
                usual = settings.options(other).opacity
                share = usual * abs(other - at) // (FADED + 1)
                settings = settings.with_value(other, OPACITY, share, Scope.FRAME)
            return settings

        with self._workspace.lock("data_dst"):
            shot = self._settings().shot(at)
        around = [other for other in range(at - FADED, at + FADED + 1) if other in shot]
        self._change(faded, around)

    def accept(self, at: int) -> None:
        """Note that a frame is right as it is."""
        name = self._names[at]
        self._before.append(_Before(fine=dict(self.fine)))
        self.fine[name] = self._keys.get(name, "")

    def undo(self) -> bool:
        """Take the last decision back; return whether there was one.

        Raises:
            UserError: As `keep_original`.
        """
        if not self._before:
            return False
        last = self._before[-1]
        if last.frames:
            with self._workspace.lock("data_dst"):
                settings = self._settings()
                frames = {name: own for name, own in settings.frames.items() if name not in last.frames}
                kept = {name: own for name, own in last.frames.items() if own}
                save_settings(self._workspace.dst, replace(settings, frames=frames | kept))
        else:
            self.fine = dict(last.fine)
        self._before.pop()
        return True

    def own_values(self) -> dict[str, Values]:
        """Return the values that frames have of their own, by name."""
        with self._workspace.lock("data_dst"):
            return dict(self._settings().frames)

    def _change(self, change: Callable[[SettingsByFrame], SettingsByFrame], touched: list[int]) -> None:
        with self._workspace.lock("data_dst"):
            settings = self._settings()
            before = {self._names[at]: settings.frames.get(self._names[at], {}) for at in touched}
            save_settings(self._workspace.dst, change(settings))
        self._before.append(_Before(frames=before))

    def _settings(self) -> SettingsByFrame:
        """Read the settings anew: the preview may have saved others."""
        return _read_settings(self._workspace, self._names)


def faded_frames(workspace: Workspace, names: Sequence[str]) -> set[str]:
    """Return the names of the frames that keep dst's face, or some of it, because somebody wanted that.

    Args:
        workspace: The project, with its lock held.
        names: Of all frames, in order.
    """
    settings = _read_settings(workspace, names)
    own = [at for at, name in enumerate(names) if OPACITY in settings.frames.get(name, {})]
    inherited = {at: settings.reset(at, Scope.FRAME).options(at).opacity for at in own}
    return {names[at] for at in own if settings.options(at).opacity < inherited[at]}


def _read_settings(workspace: Workspace, names: Sequence[str]) -> SettingsByFrame:
    base = same_options(workspace)
    return load_settings(workspace, names, base) or SettingsByFrame(tuple(names), base)
