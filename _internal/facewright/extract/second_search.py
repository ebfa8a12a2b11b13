"""A second search of the frames without a face: detectors at lower thresholds, on the frame and enlarged."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facewright.core import console
from facewright.core.files import make_folder
from facewright.extract.detectors.base import default_detector
from facewright.extract.pipeline import extract_faces
from facewright.extract.session import make_extractor, make_filters, options_of_settings
from facewright.extract.side_run import SideRun


@dataclass(frozen=True)
class SearchPass:
    """One more search: a detector at its most sensitive, on the frame enlarged `zoom` times."""

    detector: str
    zoom: float

    @property
    def name(self) -> str:
        """As it stands in the journal."""
        return f"{self.detector} x{self.zoom:g}"


def passes(*, slow: bool) -> tuple[SearchPass, ...]:
    """Return the searches in the order in which they are tried; the slow one takes seconds per frame."""
    quick = tuple(SearchPass(name, zoom) for name in (default_detector(), "dlib-hog") for zoom in (1.0, 2.0))
    return (*quick, SearchPass("dlib-cnn", 1.0)) if slow else quick


def search_again(run: SideRun, faceless: Sequence[Path], passes: Sequence[SearchPass]) -> dict[str, list[str]]:
    """Run the passes that a frame has not been through yet, until a face is found in it.

    Args:
        run: The side, which was searched before.
        faceless: Its frames without a face.
        passes: In the order in which they are tried.

    Returns:
        Frame name -> files of its new faces.
    """
    found: dict[str, list[str]] = {}
    tried = {path: run.log.tried(path.name) for path in faceless}

    def waiting(one: SearchPass) -> list[Path]:
        return [path for path, names in tried.items() if one.name not in names and path.name not in found]

    if not any(waiting(one) for one in passes):
        return found
    settings = run.log.settings or {}
    make_folder(run.side.aligned_dir)
    options = options_of_settings(run.side, settings)
    filters = make_filters(options, run)
    debug_dir = run.side.debug_dir if run.side.debug_dir.is_dir() else None
    with run.log.writing() as log:
        for one in passes:
            frames = waiting(one)
            if not frames:
                continue
            detector = run.models.detector(one.detector, sensitive=True)
            extractor = make_extractor(run, options, detector, filters, debug_dir=debug_dir, zoom=one.zoom)
            results = extract_faces(frames, extractor, run.executor)
            for result in console.progress(results, total=len(frames), title=one.name, unit="frames"):
                tried[result.path].append(one.name)
                log.note(result, settings, tried=",".join(tried[result.path]))
                if result.faces:
                    found[result.path.name] = result.faces
    run.faces_written({name for names in found.values() for name in names})
    return found
