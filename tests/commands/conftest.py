"""What tests of steps share."""

import pytest

from extract.squares import Squares


@pytest.fixture
def filled(workspace, monkeypatch):
    """A workspace with faces; h64 stands for the tiny model."""
    from train import tiny  # imports keras

    tiny.use_tiny(monkeypatch.setattr)
    tiny.fill(workspace)
    return workspace


@pytest.fixture
def squares() -> Squares:
    """Bright squares take the place of faces, for every name of a detector."""
    return Squares()
