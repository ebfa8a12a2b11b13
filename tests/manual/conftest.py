"""A hand at a table of drawn frames."""

import pytest

from facewright.core.workspace import Workspace
from manual.hand import Hand
from manual.table import fill, lay


@pytest.fixture
def hand(workspace: Workspace) -> Hand:
    fill(workspace.dst)
    return Hand(lay(workspace))
