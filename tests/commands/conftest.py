"""What tests of steps share."""

import pytest


@pytest.fixture
def filled(workspace, monkeypatch):
    """A workspace with faces; h64 stands for the tiny model."""
    from train import tiny  # imports keras

    tiny.use_tiny(monkeypatch.setattr)
    tiny.fill(workspace)
    return workspace
