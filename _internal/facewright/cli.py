"""Command line -> command: one subcommand per file of commands/, questions for what is missing, exit codes."""

import difflib
import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from facewright import __version__
from facewright.core import console, links
from facewright.core.command import Command, CommandPackage
from facewright.core.errors import EXIT_CODES, UserError
from facewright.core.files import make_folder
from facewright.core.hints import PROGRAM, REPOSITORY, SCRIPTS, USUAL_WORKSPACE, hint
from facewright.core.log_file import log_file, versions
from facewright.core.names import check_path, is_plain, printable
from facewright.core.options import Option, Value, declared, grouped, resolve, show
from facewright.core.workspace import Workspace
from facewright.launchers import unlisted_scripts, write_launchers

NEAR = 0.7  # share of the letters; with the usual 0.6 --bogus would mean --verbose
EXTRA = re.compile(r"unexpected extra arguments? \((.+)\)")
RAW_ARGUMENTS = "facewright.raw_arguments"


class Checked(click.ParamType[Value]):
    """Text of a flag, checked by the option's own declaration."""

    name = "value"

    def __init__(self, spec: Option) -> None:
        self.spec = spec

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Value:
        """Return the checked value.

        Raises:
            UserError: It does not fit.
        """
        if not isinstance(value, str):
            return value
        try:
            return self.spec.parse(value)
        except UserError as problem:
            meant = self.spec.nearest(value)
            words = [] if ctx is None else list(ctx.meta.get(RAW_ARGUMENTS, ()))
            if ctx is None or not meant or not words:
                raise
            line = [str(ctx.info_name), *_with_value(words, self.spec.flag, value, meant)]
            raise UserError(problem.happened, problem.expected, _did_you_mean(meant, line)) from problem


def _with_value(words: Sequence[str], flag: str, wrong: str, right: str) -> list[str]:
    """Return the words of a command line with another value of a flag."""
    before = ("", *words)
    return [
        right if word == wrong and last == flag else f"{flag}={right}" if word == f"{flag}={wrong}" else word
        for last, word in zip(before, words, strict=False)
    ]


def _did_you_mean(meant: str, words: Sequence[str]) -> str:
    """Return the question, with the command line that does it."""
    return f"did you mean {meant}?{hint('', *words)}"


def click_option(spec: Option) -> click.Parameter:
    """Derive a click option, or argument, from a declared one."""
    if spec.positional:
        return click.Argument(
            [spec.name],
            type=Checked(spec),
            metavar=spec.name.upper() + "..." * spec.many,
            required=False,
            nargs=-1 if spec.many else 1,
            callback=_together if spec.many else None,
        )
    if spec.kind is bool:
        names = [f"{spec.flag}/--no-{spec.flag[2:]}", spec.name]
        return click.Option(names, default=None, help=_help_text(spec))
    metavar = "NAME" if spec.choices else {int: "N", float: "X", str: "TEXT"}[spec.kind]
    return click.Option(
        [spec.flag, spec.name],
        type=Checked(spec),
        metavar=metavar,
        help=_help_text(spec),
        multiple=spec.many,
        callback=_together if spec.many else None,
    )


def _together(context: click.Context, parameter: click.Parameter, given: Sequence[str]) -> str | None:
    """Join what was given several times, see `core.options.several`."""
    return "\n".join(given) or None


def _help_text(spec: Option) -> str:
    """The help with range, choices and default. The mark before a paragraph keeps click from re-wrapping it."""
    default = "" if spec.default == "" else f"default: {show(spec.default)}"
    if spec.choices:
        width = max(map(len, spec.choices))
        lines = [f"  {name:<{width}}  {text}" for name, text in spec.choices.items()]
        return "\n".join([spec.help, "", "\b", *lines, *([f"[{default}]"] if default else [])])
    allowed = "" if spec.kind in (bool, str) else spec.range_text()
    notes = "; ".join(note for note in (allowed, default) if note)
    return f"{spec.help} [{notes}]" if notes else spec.help


def common_options() -> list[click.Parameter]:
    """The flags of every subcommand."""
    return [
        click.Option(
            ["--workspace", "workspace_"],
            metavar="DIR",
            default=None,
            help=f"Folder of the project. [default: {USUAL_WORKSPACE}]",
        ),
        click.Option(
            ["--yes", "yes_"],
            is_flag=True,
            default=False,
            help="Ask nothing: take flags, the answers of the last run, and defaults.",
        ),
        click.Option(
            ["--quiet/--verbose", "-q/-v", "quiet_"],
            default=None,
            help="Print warnings and errors only; or also what otherwise goes into the log file alone.",
        ),
        click.Option(
            [links.FLAG, "follow_links_"],
            is_flag=True,
            default=False,
            help="Follow links in the workspace that lead to other folders, without a question.",
        ),
    ]


class Subcommand(click.Command):
    """The command line of one declared command."""

    def __init__(self, command: Command) -> None:
        self.command = command
        # Flags that only the second settings class knows are left over at first.
        settings = {"ignore_unknown_options": bool(command.more), "allow_extra_args": bool(command.more)}
        super().__init__(
            command.name,
            params=[*map(click_option, declared(command.options)), *common_options()],
            help=_as_help(command.help or ""),
            callback=lambda **given: self.start(given),
            context_settings={**settings, "max_content_width": 110},
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the raw arguments: the help of a command with further options needs them."""
        ctx.meta[RAW_ARGUMENTS] = list(args)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in their groups, then those that depend on the flags given so far."""
        groups = grouped(self.command.options)
        by_name = {parameter.name: parameter for parameter in self.get_params(ctx)}
        for title, specs in groups:
            records = [by_name.pop(spec.name).get_help_record(ctx) for spec in specs]
            with formatter.section(title if len(groups) > 1 else "Options"):
                formatter.write_dl([record for record in records if record])
        with formatter.section("Options of every command"):
            formatter.write_dl([record for p in by_name.values() if (record := p.get_help_record(ctx))])
        if self.command.more is None:
            return
        typed, _, _ = self.make_parser(ctx).parse_args(list(ctx.meta[RAW_ARGUMENTS]))
        workspace = Workspace(workspace_root(typed.get("workspace_")))
        specs = declared(self.command.options)
        flags = {s.name: s.parse(str(typed[s.name])) for s in specs if typed.get(s.name) is not None}
        names = tuple(spec.name for spec in specs)
        options: Any = resolve(self.command.options, flags, self.command.remembered(workspace), skip=names)
        more = self.command.more.of(workspace, options)
        records = [click_option(s).get_help_record(ctx) for s in declared(more)] if more else []
        by = self.command.more.by
        flag, chosen = f"--{by.replace('_', '-')}", getattr(options, by)
        with formatter.section(f"Options with {flag} {chosen or 'NAME'}"):
            if records:
                formatter.write_dl([record for record in records if record])
            none = "" if records else "None. "
            formatter.write_text(f"{none}{PROGRAM} {self.name} {flag} NAME --help shows those of another one.")

    def start(self, given: dict[str, Any]) -> None:
        """Ask what is missing and run the command; its log file tells of it."""
        answers = console.Answers.YES if given.pop("yes_") else console.ANSWERS.get()
        follow = given.pop("follow_links_")
        verbosity = {True: console.Verbosity.QUIET, False: console.Verbosity.VERBOSE, None: console.VERBOSITY.get()}
        workspace = open_workspace(given.pop("workspace_"), may_be_new=self.command.makes_workspace)
        ctx = click.get_current_context()
        header = [f"facewright {__version__}: {shlex.join([PROGRAM, self.command.name, *ctx.meta[RAW_ARGUMENTS]])}"]
        header.append(versions())
        with (
            console.printing(verbosity[given.pop("quiet_")]),
            console.answered_by(answers),
            links.following(follow),
            log_file(workspace.root, self.command.name, header),
        ):
            words = ctx.meta[RAW_ARGUMENTS]
            self.command.execute(workspace, given, lambda more: self._rest(ctx, more), words=words)

    def _rest(self, ctx: click.Context, more: type | None) -> dict[str, Any]:
        """Read the flags that only the second settings class knows; others are refused."""
        params: list[click.Parameter] = [click_option(s) for s in declared(more)] if more else []
        second = click.Command(self.name, params=params, add_help_option=False)
        with second.make_context(ctx.info_name, list(ctx.args), parent=ctx.parent) as inner:
            return dict(inner.params)


def _as_help(docstring: str) -> str:
    """Keep the docstring's own lines: click would re-wrap tables and lists."""
    return "\n\n".join("\b\n" + paragraph for paragraph in docstring.strip().split("\n\n"))


def workspace_root(folder: str | None) -> Path:
    """The project folder: as named, or `workspace/` beside main.py."""
    return Path(os.path.expanduser(folder)).absolute() if folder else USUAL_WORKSPACE


def open_workspace(folder: str | None, *, may_be_new: bool) -> Workspace:
    """Return the workspace; the default one is made when it is missing.

    Raises:
        UserError: The named folder is not there, or a file is in its place.
    """
    check_path(folder or "", "--workspace")
    root = workspace_root(folder)
    if not is_plain(str(root)):  # no journal, no page and no ffmpeg could name what lies in it
        raise UserError(
            f"The path of the workspace, {printable(str(root))}, is not UTF-8 or holds control characters.",
            "a folder whose name can be written in UTF-8.",
            "rename the folder.",
        )
    if root.exists() and not root.is_dir():
        raise UserError(f"{root} is a file.", "the folder of a project.", "name the folder: --workspace DIR")
    if not root.is_dir():
        if folder and not may_be_new:
            raise UserError(
                f"There is no folder {root}.",
                "the folder of a project behind --workspace.",
                f"check the spelling, or make it:{hint('clear --workspace', folder)}",
            )
        if not folder:
            make_folder(root)
    return Workspace(root)


class Program(click.Group):
    """All subcommands; one is imported only when it is called or its own help is asked for."""

    def __init__(self, package: CommandPackage, **settings: Any) -> None:
        self.package = package
        super().__init__(PROGRAM, **settings)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the subcommands in the order of the work; those without a script last."""
        order = {line.split()[0]: None for line in SCRIPTS.values()}
        known = {*self.package.modules, *self.commands}
        return [*(name for name in order if name in known), *sorted(known - order.keys())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a subcommand, None for an unknown one."""
        if cmd_name in self.package.modules:
            return Subcommand(self.package.load(cmd_name))
        return self.commands.get(cmd_name)

    def flags(self, name: str) -> list[str]:
        """Return the flags of a subcommand, those that say no among them."""
        command = self.get_command(click.Context(self), name)
        words = (word for one in (command.params if command else ()) for word in (*one.opts, *one.secondary_opts))
        return [word for word in words if word[0] == "-"]

    def choices(self, name: str) -> list[Option]:
        """Return the options of a subcommand that offer choices, those that are asked for first."""
        command = self.get_command(click.Context(self), name)
        found = (
            [spec for spec in declared(command.command.options) if spec.choices]
            if isinstance(command, Subcommand)
            else []
        )
        return sorted(found, key=lambda spec: not spec.ask)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a line per subcommand."""
        rows = {name: self.package.summary(name) for name in self.package.modules}
        rows |= {name: command.get_short_help_str(200) for name, command in self.commands.items()}
        with formatter.section("Subcommands"):
            formatter.write_dl([(name, rows[name]) for name in self.list_commands(ctx)])
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), text) for code, text in EXIT_CODES.items()])


def launchers_command() -> click.Command:
    """Return the subcommand that writes the numbered scripts from the table of the launchers."""
    return click.Command(
        "launchers",
        params=common_options(),
        help="Write the numbered scripts (.sh and .bat) and the tables of the documents from the declarations.",
        callback=_write_launchers,
    )


def _write_launchers(**common: Any) -> None:
    written = write_launchers(REPOSITORY)
    console.say(f"Wrote {console.counted(len(written), 'script')} to {REPOSITORY}; the others were right already.")
    for name in unlisted_scripts(REPOSITORY):
        console.warn(f"{name} is in no row of launchers.py: delete it, or add the row.")
    from facewright.doc_tables import write_tables  # late: imports every package, which no other subcommand needs

    for path in write_tables(REPOSITORY):
        console.say(f"Brought the tables of {path.relative_to(REPOSITORY)} up to date.")


def build_cli(package: CommandPackage) -> Program:
    """Return the whole command line."""
    program = Program(
        package,
        commands={"launchers": launchers_command()},
        help="facewright: from two videos to one with the face replaced. The numbered scripts call these subcommands.",
        invoke_without_command=True,
        callback=_show_help,
        context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 110},
        subcommand_metavar="SUBCOMMAND [flags]",
    )
    click.version_option(__version__, prog_name="facewright")(program)
    return program


@click.pass_context
def _show_help(ctx: click.Context) -> None:
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def usage_error(problem: click.ClickException, arguments: Sequence[str], program: Program) -> UserError:
    """Say click's complaint in the three lines of all our errors; the last one is the line that was meant."""
    names = program.list_commands(click.Context(program))
    command = next((word for word in arguments if not word.startswith("-")), "")
    happened = getattr(problem, "message", problem.format_message())
    if command not in names:
        return UserError(happened, f"one of {', '.join(names)}.", _meant(command, names, arguments) or _see("--help"))
    expected = f"the flags of {command}."
    if isinstance(problem, click.NoSuchOption):
        wrong = problem.option_name
        flags = [*program.flags(command), *(problem.possibilities or ())]
        return UserError(happened, expected, _meant(wrong, flags, arguments) or _see(f"{command} --help"))
    if extra := EXTRA.search(happened):
        flagged = _with_its_flag(extra[1].split()[0], program.choices(command), arguments)
        return UserError(happened, expected, flagged or _see(f"{command} --help"))
    return UserError(happened, expected, _see(f"{command} --help"))


def _meant(wrong: str, known: Sequence[str], arguments: Sequence[str]) -> str:
    """Return the command line with the nearest known word in place of a wrong one; empty where none is near."""
    near = difflib.get_close_matches(wrong, known, 1, NEAR)
    if not near or not wrong:
        return ""
    words = [near[0] + word[len(wrong) :] if word.partition("=")[0] == wrong else word for word in arguments]
    return _did_you_mean(near[0], words)


def _with_its_flag(word: str, options: Sequence[Option], arguments: Sequence[str]) -> str:
    """Return the command line with the flag of a choice that was typed without it; empty where none offers such one."""
    spec = next((spec for spec in options if spec.nearest(word)), None)
    if spec is None or word not in arguments:
        return ""
    at = len(arguments) - 1 - list(reversed(arguments)).index(word)
    words = [*arguments[:at], spec.flag, spec.nearest(word), *arguments[at + 1 :]]
    return _did_you_mean(f"{spec.flag} {spec.nearest(word)}", words)


def _see(line: str) -> str:
    return f"see what there is:{hint(line)}"


def missing_package(problem: ModuleNotFoundError) -> UserError:
    """Say that the environment lacks a package."""
    return UserError(
        f"The Python package {problem.name} is missing.",
        f"the environment in {REPOSITORY / '_internal' / 'env'}, complete.",
        "rename or delete that folder and start any numbered script: it makes the environment anew.",
    )


def main(argv: Sequence[str] | None = None, *, commands: str = "facewright.commands") -> int:
    """Run the program.

    Args:
        argv: Arguments without the program's name; None takes the process's.
        commands: The package whose files are the subcommands.

    Returns:
        One of `EXIT_CODES`.
    """
    console.set_up()
    arguments = list(sys.argv[1:] if argv is None else argv)
    program = build_cli(CommandPackage(commands))
    try:
        code = program.main(arguments, prog_name=PROGRAM, standalone_mode=False)
    except UserError as problem:
        console.error(problem)
        return 1
    except click.ClickException as problem:
        console.error(usage_error(problem, arguments, program))
        return 1
    except ModuleNotFoundError as problem:
        if (problem.name or "").split(".")[0] == "facewright":
            raise
        console.error(missing_package(problem))
        return 1
    except (KeyboardInterrupt, click.Abort):
        console.say("Stopped. Run the same step again: it goes on where it was.")
        return 130
    return code if isinstance(code, int) else 0
