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

from facewright.core.images import Image
from facewright.extract.detectors.base import Box
from facewright.extract.licences import NOT_STATED, Licence, commercial_only, usable_part

DEFAULT_LANDMARKER = "dlib"
COMMERCIAL_LANDMARKER = "mesh"


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
        licence: Of its weights.
    """

    name: str
    summary: str
    make: Callable[[], Landmarker]
    licence: Licence = NOT_STATED


def landmarker_specs() -> list[LandmarkerSpec]:
    """Return all landmarkers, by name."""
    package = importlib.import_module(__package__)
    names = [info.name for info in pkgutil.iter_modules(package.__path__) if info.name != "base"]
    modules = [importlib.import_module(f"{__package__}.{name}") for name in names]
    return sorted((spec for module in modules for spec in module.LANDMARKERS), key=lambda spec: spec.name)


def default_landmarker() -> str:
    """Return the landmarker that is used where none is chosen; in a commercial workspace it may be used for pay."""
    return COMMERCIAL_LANDMARKER if commercial_only() else DEFAULT_LANDMARKER


def landmarker_spec(name: str) -> LandmarkerSpec:
    """Return a landmarker that may be used here, not loaded yet.

    Raises:
        UserError: No such name, or the workspace is for commercial work and the landmarker is not.
    """
    return usable_part(landmarker_specs(), name, "landmarker", DEFAULT_LANDMARKER)


def make_landmarker(name: str | None = None) -> Landmarker:
    """Load a landmarker; without a name the default one.

    Raises:
        UserError: As `landmarker_spec`, or its library or weights are missing.
    """
    return landmarker_spec(name or default_landmarker()).make()
