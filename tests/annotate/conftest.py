"""A hand at a table of drawn frames."""

import pytest

from annotate.hand import Hand
from annotate.table import fill, lay
from facewright.core.workspace import Workspace


@pytest.fixture
def hand(workspace: Workspace) -> Hand:
    fill(workspace.dst)
    return Hand(lay(workspace))
