"""An option is declared once; flag, help, question, check and remembered answer derive from it.

    @dataclass(frozen=True)
    class Options:
        fps: float = option(0.0, "Frames per second to take; 0 takes every frame.", low=0, high=240, ask="FPS")

Order of precedence: flag, typed answer, remembered answer, default of the user's own file, declared default.

What depends on an option is declared with it: `affects_output` puts it into the keys by which a step knows its
finished work again (`output_values`), `saved_with_model` and `per_run` say how a model keeps it.
"""

import dataclasses
import difflib
import inspect
import math
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, TypeVar

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.names import check_path, is_plain, printable

Value = bool | int | float | str
Settings = TypeVar("Settings")

YES = ("y", "yes", "true", "t", "1", "on")
NO = ("n", "no", "false", "f", "0", "off")


@dataclasses.dataclass(frozen=True)
class Option:
    """One declared option of a step or a model.

    Attributes:
        name: Field name; the flag is `--` + the name with dashes. A `_` at its end, after a word that Python keeps for
            itself, is left out.
        kind: bool, int, float or str.
        default: Value when nothing else says otherwise.
        help: One or two sentences; ranges and defaults are added by the program.
        ask: The console question, or None for an option that is never asked.
        choices: Allowed values with a line of explanation each; empty when any value goes.
        unasked: Says from the values of the options before it, and the flags, which choices the question leaves out:
            they are no use there. None: none.
        low, high: Inclusive range of a number, or None.
        remember: Whether a typed answer becomes the next run's default.
        check: Raises a UserError for a text that does not fit; None where any text does.
        many: Whether the flag may be given several times; the texts are joined by line ends, see `several`.
        positional: Whether it is given without a flag: `main.py inspect FILE`.
        affects_output: Whether another value makes the step write something else for the same input. Such options
            are part of cache keys and journal settings, see `output_values`.
        applies_when: Says from the values of the options before it whether this one plays a part at all. One that
            plays none is not asked for, and is in no key. None: it always does.
        saved_with_model: Whether the model keeps the value of its last run as the default of its next one.
        explain: Returns more for "?" at the question than `help`, what only this machine knows, say; or None.
        notes: Returns choice -> what only this machine knows of it, for the question; or None.
        per_run: For an option of a model: it may change after the model was created. The others are fixed then. Of
            these, and of a training's options with this mark, a stage of a recipe may switch each.
        grows: For an option of a model that is fixed otherwise: a stage of a recipe may raise it.
        group: The heading under which a preview offers it as a control; "" for what is no control.
        keys: Keys of the preview -> what each does: "+" or "-" a step, ">" the next choice, or a choice by its name.
    """

    name: str
    kind: type
    default: Value
    help: str
    ask: str | None = None
    choices: Mapping[str, str] = dataclasses.field(default_factory=dict)
    unasked: Callable[[Mapping[str, Any]], Container[str]] | None = None
    low: float | None = None
    high: float | None = None
    remember: bool = True
    check: Callable[[str], Any] | None = None
    many: bool = False
    positional: bool = False
    affects_output: bool = False
    applies_when: Callable[[Mapping[str, Any]], bool] | None = None
    saved_with_model: bool = False
    per_run: bool = False
    grows: bool = False
    explain: Callable[[], str] | None = None
    notes: Callable[[], Mapping[str, str]] | None = None
    group: str = ""
    keys: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def asked_beside(self, answers: Mapping[str, Any]) -> "Option":
        """Return it with the choices that its question offers beside these answers."""
        left_out = self.unasked(answers) if self.unasked else ()
        choices = {name: words for name, words in self.choices.items() if name not in left_out}
        return dataclasses.replace(self, choices=choices)

    @property
    def flag(self) -> str:
        """The command-line flag."""
        return "--" + self.name.rstrip("_").replace("_", "-")

    def range_text(self) -> str:
        """Describe the allowed values in a few words."""
        if self.kind is bool:
            return "yes or no"
        if self.choices:
            return ", ".join(self.choices)
        what = {int: "a whole number", float: "a number", str: "text"}[self.kind]
        if self.low is not None and self.high is not None:
            return f"{what} from {plain(self.low)} to {plain(self.high)}"
        if self.low is not None:
            return f"{what}, {plain(self.low)} or more"
        return what

    def applies(self, values: Mapping[str, Any]) -> bool:
        """Whether the option plays a part beside these values of the options before it."""
        return self.applies_when is None or self.applies_when(values)

    def parse(self, text: str) -> Value:
        """Turn typed text into a checked value.

        Raises:
            UserError: Not of the kind, out of range, or none of the choices. Nothing is clipped.
        """
        if not all(map(is_plain, text.split("\n"))):  # the line feed stands between several texts
            raise UserError(
                f"What was given for {self.flag}, {printable(text)[:200]}, is not UTF-8 or holds control characters.",
                "a text, or a path that can be written in UTF-8.",
                "give another one; a file or folder can be renamed.",
            )
        value = self._convert(text.strip())
        if value is None or not self._allowed(value):
            meant = self.nearest(text)
            raise UserError(
                f"{text.strip()!r} does not fit {self.flag}.",
                f"{self.range_text()}.",
                f"did you mean {self.flag} {meant}?"
                if meant
                else f"give another value, for example {self.flag} {self.example()}.",
            )
        if isinstance(value, str):
            for line in value.split("\n"):
                check_path(line, self.flag)
            if self.check:
                self.check(value)
        return value

    def nearest(self, text: str) -> str:
        """Return the choice that a mistyped one is nearest to, "" where none is near."""
        return next(iter(difflib.get_close_matches(text.strip().lower(), self.choices, 1)), "")

    def example(self) -> str:
        """A value that fits, for messages."""
        if self.default == "":
            return next(iter(self.choices), "NAME")
        return show(self.default)

    def _convert(self, text: str) -> Value | None:
        if self.kind is bool:
            return True if text.lower() in YES else False if text.lower() in NO else None
        if self.choices:
            return self._choice(text.lower())
        try:
            return self.kind(text)
        except ValueError:
            return None

    def _choice(self, text: str) -> str | None:
        names = list(self.choices)
        if text in names:
            return text
        if text.isascii() and text.isdigit() and 1 <= int(text) <= len(names):
            return names[int(text) - 1]
        return None

    def _allowed(self, value: Value) -> bool:
        if isinstance(value, bool | str):
            return True
        inside = (self.low is None or value >= self.low) and (self.high is None or value <= self.high)
        return math.isfinite(value) and inside


@dataclasses.dataclass(frozen=True)
class PromptPlan:
    """What a step has settled before its questions are asked.

    Attributes:
        flags: Values that count like flags.
        remembered: Answers of an earlier run that count more than those that the workspace remembers.
        ask: Whether the questions are asked at all.
    """

    flags: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    remembered: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    ask: bool = True


def several(text: str) -> list[str]:
    """Return the texts of an option that may be given several times."""
    return [line for line in text.split("\n") if line]


def plain(number: float) -> str:
    """Write a limit without an exponent where that is short."""
    return f"{number:.0f}" if number == int(number) and abs(number) < 1e15 else f"{number:g}"


def show(value: Value) -> str:
    """Write a value as a user would type it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def option(default: Value, help: str, **declaration: Any) -> Any:
    """Declare an option as a dataclass field; the declaration is the other attributes of `Option`, but for the name.

    Raises:
        TypeError: An `Option` has no such attribute.
    """
    spec = Option("", type(default), default, help, **declaration)
    return dataclasses.field(default=default, metadata={"option": spec})


def port_option() -> Any:
    """Declare the option `port` of a step that can serve a page."""
    return option(0, "Port of that page on 127.0.0.1; 0 takes a free one.", low=0, high=65_535)


def declared(settings: type) -> list[Option]:
    """Return the options of a dataclass, in the order of declaration."""
    found = []
    for field in dataclasses.fields(settings):
        if "option" in field.metadata:
            found.append(dataclasses.replace(field.metadata["option"], name=field.name))
    return found


def grouped(settings: type) -> list[tuple[str, list[Option]]]:
    """Return the options of a dataclass by the class that declares each: first line of its docstring -> options."""
    groups, known = [], {spec.name: spec for spec in declared(settings)}
    for base in reversed(settings.__mro__):
        own = [known.pop(name) for name in inspect.get_annotations(base) if name in known]
        if own:
            groups.append(((base.__doc__ or "").strip().split("\n")[0].removesuffix("."), own))
    return groups


def output_values(options: Any, *, group: type | None = None, omit_defaults: bool = False) -> dict[str, Value]:
    """Return the values that decide what a step writes: those of `affects_output` options that apply.

    Args:
        options: An instance of a settings class.
        group: Only the options of this base of the settings class; None takes all.
        omit_defaults: Leave out what equals its default. A journal that was written before an option existed then
            stays valid as long as nobody uses the option.

    Returns:
        name -> value, in the order of declaration.
    """
    values = {spec.name: getattr(options, spec.name) for spec in declared(type(options))}
    return {
        spec.name: values[spec.name]
        for spec in declared(group or type(options))
        if spec.affects_output and spec.applies(values) and not (omit_defaults and values[spec.name] == spec.default)
    }


def resolve(
    settings: type[Settings],
    flags: Mapping[str, Value | None],
    remembered: Mapping[str, Any],
    *,
    skip: tuple[str, ...] = (),
    own: Mapping[str, Value] | None = None,
) -> Settings:
    """Build the settings of a step from flags, answers, remembered answers and defaults.

    Args:
        settings: A dataclass whose fields were made with `option`.
        flags: Checked values from the command line; None or absent when not given.
        remembered: Values of the last run; what no longer fits is ignored.
        skip: Names that are not asked.
        own: The user's own defaults; they count more than the declared ones.
    """
    answers: dict[str, Value] = {}
    for spec in declared(settings):
        spec = dataclasses.replace(spec, default=(own or {}).get(spec.name, spec.default))
        given = flags.get(spec.name)
        if given is not None:
            answers[spec.name] = given
            continue
        default = kept_value(spec, remembered) if spec.remember else spec.default
        if spec.ask and spec.name not in skip and console.interactive() and spec.applies(answers):
            shown = spec.asked_beside({**flags, **answers})
            if shown.choices and default not in shown.choices:
                default = spec.default  # remembered from a run whose other answers allowed it
            default = question(shown, default)
        answers[spec.name] = default
    _name_idle(settings, answers, [name for name, value in flags.items() if value is not None])
    return settings(**answers)


def _name_idle(settings: type, answers: Mapping[str, Value], given: Sequence[str]) -> None:
    """Say which of the given options play no part beside the others, so that nobody waits for what they do."""
    for spec in declared(settings):
        if spec.name in given and answers[spec.name] != spec.default and not spec.applies(answers):
            console.warn(f"{spec.flag} {show(answers[spec.name])} plays no part with the other settings.")


def kept_value(spec: Option, values: Mapping[str, Any]) -> Value:
    """Return an option's value out of a file; its default where the file has none, or one that does not fit."""
    try:
        return spec.parse(show(values[spec.name]))
    except (KeyError, UserError):
        return spec.default


def question(spec: Option, default: Value) -> Value:
    """Ask on the console until the answer fits; Enter takes the default, `?` prints the help."""
    names = list(spec.choices)
    digits, width = len(str(len(names))), max(map(len, names), default=0)
    notes = spec.notes() if spec.notes else {}
    for number, (name, explanation) in enumerate(spec.choices.items(), 1):
        known = f" ({notes[name]})" if name in notes else ""
        console.say(f"  {number:>{digits}}  {name:<{width}}  {explanation}{known}", needed=True)
    usual = str(names.index(str(default)) + 1) if default in names else show(default)
    hint = f"1..{len(names)}" if names else spec.range_text()
    while True:
        text = console.ask(f"{spec.ask} [{usual}] ({hint}, ? for help): ")
        if not text and (not names or default in names):
            return default
        if text == "?":
            console.say(f"  {spec.help}", needed=True)
            if spec.explain:
                console.say(spec.explain(), needed=True)
            continue
        try:
            return spec.parse(text)
        except UserError as error:
            console.warn(f"{error.happened} Expected {error.expected}")
