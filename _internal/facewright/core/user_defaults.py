"""Defaults of a user's own, for all projects: a TOML file with a table per subcommand.

    [train]
    save-interval-min = 5

    [convert]
    mode = "overlay"

They count more than the declared defaults, and less than the answers that a workspace remembers.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import platformdirs

from facewright.core.errors import UserError
from facewright.core.names import printable
from facewright.core.options import Option, Value, show

NAME = "defaults.toml"


def defaults_file() -> Path:
    """Return where the file is, or would be: in the system's folder for settings, or as FACEWRIGHT_DEFAULTS says."""
    named = os.environ.get("FACEWRIGHT_DEFAULTS")
    return Path(named) if named else platformdirs.user_config_path("facewright", appauthor=False) / NAME


def read_defaults() -> dict[str, dict[str, Any]]:
    """Return subcommand -> name of an option, with underscores, -> its value; empty without a file.

    Raises:
        UserError: The file cannot be read, is no TOML, or holds something else than tables of values.
    """
    path = defaults_file()
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise _wrong(f"{path} cannot be read: {error}.") from error
    for command, table in tables.items():
        if not isinstance(table, dict):
            raise _wrong(f"{path}: {command!r} stands in no table.")
    return {
        command: {name.replace("-", "_"): value for name, value in table.items()} for command, table in tables.items()
    }


def own_defaults(command: str, known: Sequence[Option], table: Mapping[str, Any]) -> dict[str, Value]:
    """Return the checked values of a subcommand's table, by name of the option.

    Args:
        command: Its name.
        known: All its options.
        table: From `read_defaults`.

    Raises:
        UserError: It names an option that there is not, or a value that does not fit.
    """
    return table_values(known, table, f"{defaults_file()}, [{command}]")


def table_values(known: Sequence[Option], table: Mapping[str, Any], place: str) -> dict[str, Value]:
    """Return the checked values of a TOML table of options, by name of the option.

    Args:
        known: The options that it may hold.
        table: Name of an option, with dashes or underscores, -> its value.
        place: Where it stands, for messages.

    Raises:
        UserError: It names an option that there is not, or a value that does not fit.
    """
    specs = {spec.name: spec for spec in known}
    found: dict[str, Value] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in specs:
            near = difflib.get_close_matches(name, specs, 1)
            meant = f"did you mean {_key(near[0])}?" if near else "delete that line."
            raise _wrong(f"{place}: there is no option {printable(_key(key))[:60]} here.", meant)
        try:
            found[name] = specs[name].parse(_text(value))
        except UserError as error:
            raise _wrong(f"{place}: {error.happened}", f"write {error.expected}") from error
    return found


def _key(name: str) -> str:
    return name.replace("_", "-")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(map(str, value))
    return show(value) if isinstance(value, bool | int | str) else repr(value)


def _wrong(happened: str, fix: str = "correct that line, or delete the file.") -> UserError:
    return UserError(happened, 'tables such as [train] with lines such as save-interval-min = 5 or mask = "hull".', fix)
