"""What the documents say is what the program does: tables, names of steps, links."""

import re
from pathlib import Path

import pytest

from facewright.core.command import CommandPackage
from facewright.readme import fill, tables

REPOSITORY = Path(__file__).resolve().parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted(p.name for p in REPOSITORY.glob("*.md"))


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


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_between_the_documents_lead_somewhere(document):
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (REPOSITORY / target).exists(), f"{document} links to {target}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_named_in_the_documents_exist(document):
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    for path in re.findall(r"`((?:_internal|tests)/[\w/.]+\.(?:py|sh|bat|txt|mp4))`", text):
        assert (REPOSITORY / path).exists(), f"{document} names {path}"
