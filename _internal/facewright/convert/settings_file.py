"""data_dst/convert_settings.json: the settings of every frame, as window and page leave them for the conversion."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from facewright.convert.parameters import ConvertOptions
from facewright.convert.settings import SettingsByFrame, controls
from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import move_to_trash, read_json, write_json
from facewright.core.hints import again
from facewright.core.json_data import dict_of, either, fields, flag, number, text, whole
from facewright.core.options import Value, show
from facewright.core.workspace import Side, Workspace

NAME = "convert_settings.json"
VERSION = 1
TRASH_NAME = "convert"
LAYER = dict_of(either(flag, number, text))
SCHEMA = fields({"base": LAYER, "shots": dict_of(LAYER), "frames": dict_of(LAYER)})


def settings_path(side: Side) -> Path:
    """Return where the settings of a side's frames lie."""
    return side.frames_dir / NAME


def save_settings(side: Side, settings: SettingsByFrame) -> None:
    """Write the settings of a side's frames, whole or not at all.

    Raises:
        UserError: The disk is full, or the folder cannot be written.
    """
    base = {spec.name: getattr(settings.base, spec.name) for spec in controls()}
    value = {"version": VERSION, "base": base, "shots": settings.shots, "frames": settings.frames}
    write_json(settings_path(side), value)


def saved_base(side: Side) -> dict[str, Value]:
    """Return the saved values for all frames: what a run's options are where no flag says otherwise.

    Raises:
        UserError: A newer version of the program wrote the settings.
    """
    try:
        value = read_json(settings_path(side), schema=_schema)
    except UserError:  # damaged: `load_settings` will say so
        return {}
    return _fitting({"all frames": _known(value, side)["base"]})["all frames"] if value else {}


def load_settings(workspace: Workspace, names: Sequence[str], base: ConvertOptions) -> SettingsByFrame | None:
    """Return the settings of the frames of dst; None where there are none. A damaged file moves to the trash.

    Args:
        workspace: The project, with its lock held.
        names: Names of the frames that there are, in order.
        base: The options for all frames, see `saved_base`.

    Raises:
        UserError: A newer version of the program wrote the settings.
    """
    path = settings_path(workspace.dst)
    try:
        value = read_json(path, schema=_schema)
    except UserError as problem:
        moved = move_to_trash([path], workspace.trash, by=TRASH_NAME)
        console.warn(f"{problem.happened} It was moved to {moved}; every frame gets the same settings.")
        return None
    if value is None:
        return None
    layers = _known(value, workspace.dst)
    settings = SettingsByFrame(tuple(names), base, _fitting(layers["shots"]), _fitting(layers["frames"]))
    if settings.aside:
        gone = console.listed(settings.aside)
        console.warn(f"{NAME} names frames that are gone: {gone}. Their settings are kept until they are back.")
    return settings


def say_settings(settings: SettingsByFrame | None) -> None:
    """Say that settings of the preview are used, and how to do without; nothing where there are none."""
    if settings is None:
        return
    own = sum(name in settings.frames for name in settings.names)
    console.say(
        f"Settings of the preview ({NAME}): {console.counted(len(settings.starts), 'shot')}; frames with settings of "
        f"their own: {own}. Without them:{again('--no-saved-settings')}"
    )


def _schema(value: Any) -> Any:
    fields({"version": whole(1)})(value)
    return value if value["version"] > VERSION else SCHEMA(value)


def _known(value: dict[str, Any], side: Side) -> dict[str, Any]:
    if value["version"] <= VERSION:
        return value
    raise UserError(
        f"{settings_path(side)} was saved by a newer facewright (version {value['version']}).",
        f"version {VERSION}.",
        f"update facewright; or convert without the settings of the preview:{again('--no-saved-settings')}",
    )


def _fitting(layers: Mapping[str, Mapping[str, Value]]) -> dict[str, dict[str, Value]]:
    """Return the values that fit their controls; the others are named."""
    known = {spec.name: spec for spec in controls()}
    found: dict[str, dict[str, Value]] = {}
    for frame, layer in layers.items():
        found[frame] = {}
        for name, value in layer.items():
            try:
                found[frame][name] = known[name].parse(show(value))
            except (KeyError, UserError):
                console.warn_once(f"{NAME}: {name[:40]} of {frame[:100]} is passed over, for it does not fit.")
    return found
