"""Detectors and landmarks are loaded once for all tests: that takes seconds."""

import pytest

from facewright.extract.detectors.base import Detector, make_detector, offers
from facewright.extract.landmarks import Landmarker


@pytest.fixture(scope="session")
def detectors() -> dict[str, Detector]:
    return {offer.name: make_detector(offer.name) for offer in offers()}


@pytest.fixture(scope="session")
def landmarker() -> Landmarker:
    return Landmarker()
