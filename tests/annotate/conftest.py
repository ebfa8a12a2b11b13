"""A person at a session over drawn frames."""

import pytest

from annotate.person import Person
from annotate.sessions import fill, open_session
from facewright.core.workspace import Workspace


@pytest.fixture
def person(workspace: Workspace) -> Person:
    fill(workspace.dst)
    return Person(open_session(workspace))
