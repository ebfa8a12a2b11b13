"""What the documents say is what the program does: tables, names of commands, scripts and flags, links."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from facewright.core.command import Command, CommandPackage
from facewright.core.options import declared
from facewright.core.workspace import Workspace
from facewright.launchers import LAUNCHERS
from facewright.readme import fill, tables

REPOSITORY = Path(__file__).resolve().parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
COMMON_FLAGS = {"--workspace", "--yes", "--help"}
# Flags that are no option of a command -> whose they are.
OTHER_FLAGS = {
    "--all": "run_tests: the slow tests too",
    "--rebuild": "bootstrap.py: a new environment",
    "--version": "main.py",
}


def test_the_tables_of_the_readme_are_current():
    assert fill(README) == README, "run: main.py launchers"


@pytest.mark.parametrize("name", sorted(tables()))
def test_every_table_has_rows(name):
    assert tables()[name].count("\n") > 2


def test_a_missing_marker_is_an_error():
    with pytest.raises(ValueError, match="marker"):
        fill("no tables here")


def test_every_command_is_named_in_the_readme():
    assert not [name for name in CommandPackage().modules if f"`{name}" not in README]


def problems(rule: Callable[[Path, str], Iterable[str]]) -> list[str]:
    """Return "document: what is wrong" for all documents."""
    texts = {path: path.read_text(encoding="utf-8") for path in DOCUMENTS}
    return [f"{path.relative_to(REPOSITORY)}: {wrong}" for path, text in texts.items() for wrong in rule(path, text)]


def slug(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(text: str) -> set[str]:
    return {slug(heading) for heading in re.findall(r"(?m)^#+ (.+)$", text)}


def broken_links(path: Path, text: str) -> Iterator[str]:
    for target, anchor in re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)#?([^)\s]*)\)", text):
        place = (path.parent / target).resolve() if target else path
        if not place.exists():
            yield f"links to {target}"
        elif anchor and anchor not in anchors(place.read_text(encoding="utf-8")):
            yield f"links to {target}#{anchor}"


def test_links_lead_somewhere():
    assert not problems(broken_links)


def lost_files(path: Path, text: str) -> Iterator[str]:
    for name in re.findall(r"`((?:_internal|tests|docs)/[\w/.]+\.(?:py|sh|bat|txt|mp4|md|jpg|png))`", text):
        if not (REPOSITORY / name).exists():
            yield name


def test_files_named_in_the_documents_exist():
    assert not problems(lost_files)


def code_of(text: str) -> Iterator[str]:
    """Yield the code spans, and the lines of code blocks."""
    for block in re.findall(r"(?ms)^```\w*\n(.*?)^```", text):
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```", "", text))


def flags_of(command: Command) -> set[str]:
    """Return every flag of a command, whatever is chosen first."""
    classes = [command.options]
    if command.more:
        spec = next(spec for spec in declared(command.options) if spec.name == command.more.by)
        chosen = (replace(command.options(), **{spec.name: choice}) for choice in spec.choices)
        classes += [found for options in chosen if (found := command.more.of(Workspace(REPOSITORY), options))]
    flags = {spec.flag for kind in classes for spec in declared(kind)} | COMMON_FLAGS
    return flags | {f"--no-{flag[2:]}" for flag in flags}


def flags_of_tools() -> set[str]:
    """Return the flags of the programs in tests: benchmarks and the mutation check."""
    texts = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "tests").rglob("*.py")]
    return {flag for text in texts for flag in re.findall(r"add_argument\(\s*[\"'](--[\w-]+)", text)}


def test_flags_named_in_the_documents_are_declared():
    """Where the code names a script or a command the flag is one of its own, elsewhere one of some command."""
    commands = {name: flags_of(command) for name, command in CommandPackage().load_all().items()}
    by_name = {**commands, **{script: commands[line.split()[0]] for script, line in LAUNCHERS.items()}}
    every = set().union(*commands.values(), OTHER_FLAGS, flags_of_tools())

    def undeclared(path: Path, text: str) -> Iterator[str]:
        for code in code_of(text):
            words = re.sub(r"[.](sh|bat)", "", code.removeprefix("main.py ").removeprefix("./")).split()
            known = by_name.get(words[0], every) if words else every
            for flag in re.findall(r"(?<![\w-])--[a-z][\w-]*", code):
                if flag not in known | OTHER_FLAGS.keys():
                    yield f"{flag} in `{code}`"

    assert not problems(undeclared)


def test_scripts_named_in_the_documents_exist():
    def unknown(path: Path, text: str) -> Iterator[str]:
        for code in code_of(text):
            for name in re.findall(r"(?<![\w./-])(?:\./)?(\d(?:\.\d)?_[a-z_]+\d?)(?:\.sh|\.bat)?(?![\w.*])", code):
                if name not in LAUNCHERS:
                    yield name

    assert not problems(unknown)
