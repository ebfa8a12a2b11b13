"""What the documents say is what the program does: tables, names of commands, scripts and flags, links."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from facewright.cli import common_options
from facewright.core.command import Command, CommandPackage
from facewright.core.hints import SCRIPTS
from facewright.core.workspace import Workspace
from facewright.doc_tables import documents, fill, marked, tables
from facewright.marking.origin import read_origin

REPOSITORY = Path(__file__).resolve().parents[1]
DOCUMENTS = documents(REPOSITORY)
COMMON_FLAGS = {
    "--help",
    *(flag for parameter in common_options() for flag in [*parameter.opts, *parameter.secondary_opts]),
}
# Flags that are no option of a command -> whose they are.
OTHER_FLAGS = {
    "--all": "run_tests: the slow tests too",
    "--rebuild": "bootstrap.py: a new environment",
    "--version": "main.py",
    "--weights": "bootstrap.py: MediaPipe's networks",
}
README_LINES = 200


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_the_tables_of_the_documents_are_current():
    known = tables()
    old = [path.name for path in DOCUMENTS if fill(text_of(path), known) != text_of(path)]
    assert not old, "run: main.py launchers"


def test_every_table_stands_in_one_document():
    places = sorted(name for path in DOCUMENTS for name in marked(text_of(path)))
    assert places == sorted(tables())


@pytest.mark.parametrize("name", sorted(tables()))
def test_every_table_has_rows(name):
    assert tables()[name].count("\n") > 2


def test_an_unknown_marker_is_an_error():
    with pytest.raises(ValueError, match="nonsense"):
        fill("<!-- table: nonsense -->\n<!-- end -->", {})


def test_the_readme_is_short():
    assert len(text_of(REPOSITORY / "README.md").splitlines()) <= README_LINES


def test_every_document_can_be_reached_from_the_readme():
    reached, queue = set(), [REPOSITORY / "README.md"]
    while queue:
        path = queue.pop()
        if path not in reached:
            reached.add(path)
            targets = re.findall(r"\]\((?!https?:|mailto:)([^)#\s]+\.md)", text_of(path))
            queue += [(path.parent / target).resolve() for target in targets]
    assert not {path.resolve() for path in DOCUMENTS} - {path.resolve() for path in reached}


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
    flags = {spec.flag for spec in command.every_option(Workspace(REPOSITORY))} | COMMON_FLAGS
    return flags | {f"--no-{flag[2:]}" for flag in flags}


def flags_of_tools() -> set[str]:
    """Return the flags of the programs in tests: benchmarks and the mutation check."""
    texts = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "tests").rglob("*.py")]
    return {flag for text in texts for flag in re.findall(r"add_argument\(\s*[\"'](--[\w-]+)", text)}


def test_flags_named_in_the_documents_are_declared():
    """Where the code names a script or a command the flag is one of its own, elsewhere one of some command."""
    commands = {name: flags_of(command) for name, command in CommandPackage().load_all().items()}
    by_name = {**commands, **{script: commands[line.split()[0]] for script, line in SCRIPTS.items()}}
    of_tools = flags_of_tools()
    by_name["tests/benchmarks/gpu"] = of_tools
    every = set().union(*commands.values(), OTHER_FLAGS, of_tools)

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
                if name not in SCRIPTS:
                    yield name

    assert not problems(unknown)


# Pictures in which no face was replaced.
UNCHANGED = {
    "1_videos",
    "2_src_frames",
    "3_dst_frames",
    "4_src_faces",
    "5_dst_faces",
    "debug_frame",
    "contact_sheet",
} | {"gallery_page"}


def test_pictures_of_replaced_faces_are_marked():
    pictures = [*(REPOSITORY / "docs").glob("*.jpg"), *(REPOSITORY / "docs" / "img").iterdir()]
    unmarked = {path.stem for path in pictures if not ((origin := read_origin(path)) and origin.made_with_network)}
    assert unmarked == UNCHANGED


def test_every_picture_is_shown():
    shown = {
        (path.parent / target).resolve()
        for path in DOCUMENTS
        for target in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text_of(path))
    }
    assert set((REPOSITORY / "docs" / "img").resolve().iterdir()) <= shown


def test_python_examples_fit_the_library(tmp_path):
    """Types alone are checked: names, arguments and attributes of the results that do not exist are found."""
    names = ("README.md", "docs/library.md")
    blocks = [code for name in names for code in re.findall(r"(?ms)^```python\n(.*?)^```", text_of(REPOSITORY / name))]
    assert blocks
    for number, code in enumerate(blocks):
        (tmp_path / f"example{number}.py").write_text(code, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--config-file", REPOSITORY / "pyproject.toml", *tmp_path.glob("*.py")]
    done = subprocess.run(list(map(str, command)), cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
