"""Extraction in tests: with real faces, or with bright squares in their place."""

from dataclasses import replace

from extract.squares import SquareModels, Squares, StillLandmarks
from facewright.commands import extract as extract_faces
from facewright.commands.extract import Options
from facewright.core.workspace import Workspace
from facewright.extract.report import ExtractionReport


def run(
    workspace: Workspace, options: Options, squares: Squares | None = None, landmarker: StillLandmarks | None = None
) -> ExtractionReport:
    """Extract faces, or squares: then who they are is not asked, and nothing is smoothed."""
    if squares is None:
        return extract_faces.run(workspace, options)
    models = SquareModels(squares, landmarker)
    return extract_faces.run(workspace, replace(options, people=False, smooth="off"), models)
