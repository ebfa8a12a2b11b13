"""What a subcommand is: a file of the commands package that declares one `Command`.

    # commands/cut_video.py, the subcommand cut-video
    '''Cut data_dst.* down to a part.'''          the first line is what `main.py --help` shows

    @dataclass(frozen=True)
    class Options: ...                            every field made with core.options.option

    def run(workspace: Workspace, options: Options) -> CutResult: ...

    COMMAND = Command(__doc__, Options, run)

A file is imported only when its subcommand is called, or its help asked for: it may import at its top what takes
less than half a second. Keras and the libraries below it are imported inside `run`, once there is something to do.
"""

import importlib
import importlib.util
import pkgutil
import pydoc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from facewright.core import console
from facewright.core.hints import hints_of
from facewright.core.more_settings import ask_for_more
from facewright.core.options import Option, PromptPlan, Value, declared, resolve, several, show
from facewright.core.safe_files import remove_leftovers
from facewright.core.user_defaults import own_defaults, read_defaults
from facewright.core.workspace import Workspace

OptionValue = bool | int | float | str | Path | Sequence[str]


@dataclass(frozen=True)
class MoreOptions:
    """Options that depend on the first ones, such as those of the chosen model.

    Attributes:
        by: Name of the option that decides.
        of: Returns the second settings class for the resolved first options, None where there is none.
    """

    by: str
    of: Callable[[Workspace, Any], type | None]


def plan_nothing(workspace: Workspace, flags: Mapping[str, Any]) -> PromptPlan:
    """Settle nothing before the questions."""
    return PromptPlan()


def know_nothing(workspace: Workspace) -> Mapping[str, Any]:
    """Take no answers from the workspace's content."""
    return {}


@dataclass(frozen=True)
class Command:
    """One subcommand.

    Attributes:
        help: The text of its `--help`; the first line is a sentence of its own.
        options: A frozen dataclass whose fields are made with `core.options.option`.
        run: `run(workspace, options)`, with `more` also `run(workspace, options, more)` where the last one is None
            or an instance of the class that `more.of` gave. It returns a frozen dataclass that says what was done.
        more: A second settings class that depends on the first, or None.
        plan: What is settled before the questions, from the workspace and the flags: which of several models, say.
        known_answers: Defaults that the workspace's content gives; they count more than the answers of an earlier run.
        offers_more: Whether a last question offers the options that have a `group`, see `ask_for_more`.
        makes_workspace: Whether the folder behind `--workspace` may be missing.
    """

    help: str | None
    options: type
    run: Callable[..., Any]
    more: MoreOptions | None = None
    plan: Callable[[Workspace, Mapping[str, Any]], PromptPlan] = plan_nothing
    known_answers: Callable[[Workspace], Mapping[str, Any]] = know_nothing
    offers_more: bool = False
    makes_workspace: bool = False

    @property
    def name(self) -> str:
        """The subcommand, as typed: the name of its file with dashes."""
        return command_name(self.run.__module__)

    def remembered(self, workspace: Workspace) -> dict[str, Any]:
        """Return the defaults of the questions that are not the declared ones."""
        typed = typed_answers(workspace, self.name, self.options, offers_more=self.offers_more)
        return {**typed, **self.known_answers(workspace)}

    def every_option(self, workspace: Workspace) -> list[Option]:
        """Return all its options: those of the second settings class for each choice of the first."""
        found = {spec.name: spec for spec in declared(self.options)}
        if self.more:
            spec = found[self.more.by]
            for choice in spec.choices:
                settings = self.more.of(workspace, self.options(**{spec.name: choice}))
                found = {**{other.name: other for other in (declared(settings) if settings else ())}, **found}
        return list(found.values())

    def own_defaults(self, workspace: Workspace) -> dict[str, Value]:
        """Return the checked values of the user's own file.

        Raises:
            UserError: It is damaged, or names what this command does not have.
        """
        table = read_defaults().get(self.name)
        return own_defaults(self.name, self.every_option(workspace), table) if table else {}

    def call(self, workspace: Workspace, options: Any, more: Any = None) -> Any:
        """Run it with resolved options; return its result."""
        remove_leftovers(workspace.root)
        console.note(f"Options of {self.name}: {options}" + (f", {more}" if more else ""))
        return self.run(workspace, options, more) if self.more else self.run(workspace, options)

    def execute(
        self,
        workspace: Workspace,
        flags: Mapping[str, Any],
        more_flags: Callable[[type | None], Mapping[str, Any]],
        *,
        use_answers: bool = True,
        words: Sequence[str] = (),
    ) -> Any:
        """Settle every option from flags, answers, the workspace and defaults, then run it.

        Args:
            workspace: The project.
            flags: Checked values by name of the option; None where there is none.
            more_flags: Called with the second settings class, None where there is none; returns its flags.
            use_answers: Whether the workspace's remembered answers count.
            words: The command line, for hints; only what follows the subcommand.

        Returns:
            The result of `run`.
        """
        with hints_of(workspace.root, (self.name, *words)) as another_workspace:
            if another_workspace:
                console.say(f"Workspace: {workspace.root}")
            return self._execute(workspace, flags, more_flags, use_answers=use_answers)

    def _execute(
        self,
        workspace: Workspace,
        flags: Mapping[str, Any],
        more_flags: Callable[[type | None], Mapping[str, Any]],
        *,
        use_answers: bool,
    ) -> Any:
        plan = self.plan(workspace, flags)
        own = self.own_defaults(workspace) if use_answers else {}
        known = self.remembered(workspace) if use_answers else self.known_answers(workspace)
        flags, known = {**flags, **plan.flags}, {**known, **plan.remembered}
        options = settle(workspace, self.name, self.options, flags, known, ask=plan.ask, own=own)
        if self.offers_more and plan.ask:
            options = _settle_more(workspace, self.name, options)
        if self.more is None:
            return self.call(workspace, options)
        settings = self.more.of(workspace, options)
        given = more_flags(settings)
        if settings is None:
            return self.call(workspace, options)
        key = f"{self.name}.{settings.__module__.rpartition('.')[2].removeprefix(f'{self.name}_').lstrip('_')}"
        known = typed_answers(workspace, key, settings) if use_answers else {}
        return self.call(workspace, options, settle(workspace, key, settings, given, known, own=own))

    def run_by_name(
        self, workspace: Workspace, values: Mapping[str, OptionValue], answers: console.Answers, *, use_answers: bool
    ) -> Any:
        """Run it for a program, with options by name.

        Args:
            workspace: The project.
            values: Name of an option, of either settings class, -> its value; what is missing has its default.
            answers: Who answers questions.
            use_answers: Whether the workspace's remembered answers count as defaults.

        Returns:
            The result of `run`.

        Raises:
            TypeError: There is no such option.
            UserError: A value does not fit, or what `run` says.
            KeyboardInterrupt: It was stopped.
        """
        first = {name: value for name, value in values.items() if name in _names(self.options)}

        def more(settings: type | None) -> dict[str, Any]:
            rest = {name: value for name, value in values.items() if name not in first}
            unknown = sorted(rest.keys() - (_names(settings) if settings else set()))
            if unknown:
                raise TypeError(f"{self.name} has no option {unknown[0]!r}")
            return _checked(settings, rest) if settings else {}

        if self.more is None:
            more(None)
        try:
            with console.answered_by(answers):
                flags = _checked(self.options, first)
                words = _as_words(declared(self.options), flags)
                return self.execute(workspace, flags, more, use_answers=use_answers, words=words)
        except SystemExit as stop:  # a training that was stopped before its target has saved, and says so in this way
            raise KeyboardInterrupt from stop


def _names(settings: type) -> set[str]:
    return {spec.name for spec in declared(settings)}


def _checked(settings: type, values: Mapping[str, OptionValue]) -> dict[str, Any]:
    """Return the values as the command line would read them.

    Raises:
        UserError: One does not fit its option.
    """
    return {spec.name: spec.parse(_text(values[spec.name])) for spec in declared(settings) if spec.name in values}


def _as_words(specs: Sequence[Option], flags: Mapping[str, Any]) -> list[str]:
    """Return the flags as they would be typed."""
    words: list[str] = []
    for spec in specs:
        value = flags.get(spec.name)
        if isinstance(value, bool):
            words.append(spec.flag if value else f"--no-{spec.flag[2:]}")
        elif value is not None:
            texts = several(str(value)) if spec.many else [show(value)]
            words += [word for text in texts for word in ((text,) if spec.positional else (spec.flag, text))]
    return words


def _text(value: OptionValue) -> str:
    if isinstance(value, bool | int | str):
        return show(value)
    if isinstance(value, float):
        return repr(value)  # all its digits
    return str(value) if isinstance(value, Path) else "\n".join(map(str, value))


def settle(
    workspace: Workspace,
    key: str,
    settings: type,
    flags: Mapping[str, Any],
    remembered: Mapping[str, Any],
    *,
    ask: bool = True,
    own: Mapping[str, Value] | None = None,
) -> Any:
    """Resolve a settings class, with questions; the workspace keeps typed answers for the next run.

    Args:
        workspace: The project.
        key: Under this name it keeps the answers.
        settings: A dataclass of options.
        flags: Values of the command line, None where there is none.
        remembered: Defaults that count more than the declared ones.
        ask: Whether questions are asked where there is somebody to answer.
        own: The user's own defaults.
    """
    specs = declared(settings)
    options: Any = resolve(settings, flags, remembered, skip=() if ask else tuple(spec.name for spec in specs), own=own)
    asked = {name for name in _kept_answers(settings) if flags.get(name) is None}
    if ask and asked and console.interactive():
        answers = {name: getattr(options, name) for name in sorted(asked)}
        workspace.remember(key, {**workspace.answers(key), **answers})
    return options


def _settle_more(workspace: Workspace, key: str, options: Any) -> Any:
    """Offer further options; the workspace keeps what was changed, as it keeps typed answers."""
    wanted = ask_for_more(options)
    changed = {name: value for name, value in vars(wanted).items() if value != getattr(options, name)}
    if changed:
        workspace.remember(key, {**workspace.answers(key), **changed})
    return wanted


def typed_answers(workspace: Workspace, key: str, settings: type, *, offers_more: bool = False) -> dict[str, Any]:
    """Return what the workspace remembers of the questions that are asked; what else stands there, nobody answered.

    Args:
        workspace: The project; it may be a stranger's.
        key: Under this name it keeps the answers.
        settings: A dataclass of options.
        offers_more: Whether those that have a `group` count too.
    """
    kept = _kept_answers(settings)
    if offers_more:
        kept |= {spec.name for spec in declared(settings) if spec.group and spec.remember}
    return {name: value for name, value in workspace.answers(key).items() if name in kept}


def _kept_answers(settings: type) -> set[str]:
    return {spec.name for spec in declared(settings) if spec.ask and spec.remember}


def command_name(module: str) -> str:
    """Return the subcommand that a module declares: facewright.commands.cut_video -> cut-video."""
    return module.rpartition(".")[2].replace("_", "-")


@dataclass(frozen=True)
class CommandPackage:
    """A package whose modules are subcommands; dropping a file in adds one.

    Attributes:
        package: Its dotted name.
    """

    package: str = "facewright.commands"

    @cached_property
    def modules(self) -> dict[str, str]:
        """Subcommand -> dotted name of its module, sorted; nothing is imported for it."""
        spec = importlib.util.find_spec(self.package)
        places = spec.submodule_search_locations if spec else None
        found = [info.name for info in pkgutil.iter_modules(places) if not info.name.startswith("_")]
        return {command_name(name): f"{self.package}.{name}" for name in sorted(found)}

    def summary(self, name: str) -> str:
        """Return the first line of a subcommand's help, without importing its module."""
        spec = importlib.util.find_spec(self.modules[name])
        if spec is None or spec.origin is None:
            return ""
        with Path(spec.origin).open(encoding="utf-8") as file:
            return pydoc.source_synopsis(file) or ""

    def load(self, name: str) -> Command:
        """Import a subcommand's module and return its declaration.

        Raises:
            KeyError: There is no such subcommand.
            TypeError: Its module declares none.
        """
        command = getattr(importlib.import_module(self.modules[name]), "COMMAND", None)
        if not isinstance(command, Command):
            raise TypeError(f"{self.modules[name]} declares no COMMAND = Command(...)")
        return command

    def load_all(self) -> dict[str, Command]:
        """Import all: subcommand -> its declaration."""
        return {name: self.load(name) for name in self.modules}
