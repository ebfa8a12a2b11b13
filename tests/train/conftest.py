"""What the tests of the loop share."""

import pytest

from facewright.nn import devices
from train.tiny import save_faces


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """Faces of src and dst."""
    folder = tmp_path_factory.mktemp("faces")
    return save_faces(folder / "src", 5, seed=1), save_faces(folder / "dst", 4, seed=50)


@pytest.fixture
def full_precision():
    devices.precision("float32")
