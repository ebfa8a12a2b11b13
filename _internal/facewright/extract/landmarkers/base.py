"""What a landmarker is, and which ones there are.

A landmarker is one file in this folder with a tuple `LANDMARKERS`; dropping the file in makes it known. Such a file
imports its library only inside `make`.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from facewright.core.errors import UserError
from facewright.core.images import Image
from facewright.extract.detectors.base import Box

DEFAULT_LANDMARKER = "dlib"


class Landmarker(Protocol):
    """Finds the landmarks of faces; may be called from several threads at once.

    Attributes:
        name: As in the list of landmarkers; records carry it.
    """

    name: str

    def find(self, frame: Image, box: Box, *, accurate: bool = False) -> NDArray[np.float32]:
        """Return the landmarks (x, y) in the frame's pixels, (68, 2) float32 in iBUG-68 order.

        Args:
            frame: (h, w, 3) uint8 BGR.
            box: The face square (see `Detector.face_square`) with its roll; what part of the frame is needed around
                it is the landmarker's own business.
            accurate: Spend more time on steadier points.
        """
        ...


class FoundMesh(NamedTuple):
    """What a landmarker with a mesh knows of a face.

    Attributes:
        points: (68, 2) float32, as `Landmarker.find` returns them.
        mesh: (468, 3) float32, see `FaceRecord.mesh`.
        score: The mesh's own confidence that this is a face, 0..1.
    """

    points: NDArray[np.float32]
    mesh: NDArray[np.float32]
    score: float


@runtime_checkable
class MeshFinder(Landmarker, Protocol):
    """A landmarker that finds a whole mesh."""

    def find_mesh(self, frame: Image, box: Box, *, accurate: bool = False) -> FoundMesh:
        """Return landmarks, mesh and confidence; arguments as for `find`."""
        ...


@dataclass(frozen=True)
class LandmarkerSpec:
    """One landmarker that can be chosen.

    Attributes:
        name: By which it is asked for.
        summary: One line.
        make: Loads it.
    """

    name: str
    summary: str
    make: Callable[[], Landmarker]


def landmarker_specs() -> list[LandmarkerSpec]:
    """Return all landmarkers, by name."""
    package = importlib.import_module(__package__)
    names = [info.name for info in pkgutil.iter_modules(package.__path__) if info.name != "base"]
    modules = [importlib.import_module(f"{__package__}.{name}") for name in names]
    return sorted((spec for module in modules for spec in module.LANDMARKERS), key=lambda spec: spec.name)


def make_landmarker(name: str = DEFAULT_LANDMARKER) -> Landmarker:
    """Load a landmarker.

    Raises:
        UserError: No such name, or its library or weights are missing.
    """
    specs = {spec.name: spec for spec in landmarker_specs()}
    if name not in specs:
        raise UserError(
            f"There is no landmarker {name!r}.", f"one of {', '.join(specs)}.", f"use {DEFAULT_LANDMARKER}."
        )
    return specs[name].make()
