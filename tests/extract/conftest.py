"""Detectors and landmarks are loaded once for all tests: that takes seconds."""

import pytest

from facewright.extract.detectors.base import Detector, detector_specs, make_detector
from facewright.extract.landmarkers.base import Landmarker, make_landmarker


@pytest.fixture(scope="session")
def detectors() -> dict[str, Detector]:
    return {spec.name: make_detector(spec.name) for spec in detector_specs()}


@pytest.fixture(scope="session")
def landmarker() -> Landmarker:
    return make_landmarker()
