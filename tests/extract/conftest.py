"""Detectors and landmarks are loaded once for all tests: that takes seconds."""

import pytest

from facewright.extract.detectors.base import Detector, make_detector
from facewright.extract.landmarkers.base import Landmarker, make_landmarker


class Detectors(dict[str, Detector]):
    """Each is loaded when a test asks for it."""

    def __missing__(self, name: str) -> Detector:
        return self.setdefault(name, make_detector(name))


@pytest.fixture(scope="session")
def detectors() -> dict[str, Detector]:
    return Detectors()


@pytest.fixture(scope="session")
def landmarker() -> Landmarker:
    return make_landmarker()
