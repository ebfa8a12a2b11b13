"""One command at work on one side: what it reads once, loads once and shares between its steps."""

import contextlib
from collections.abc import Container, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cached_property

from facewright.core import workers
from facewright.core.workspace import Side, Workspace
from facewright.extract.detectors.base import Detector, make_detector
from facewright.extract.embedding import Embedder
from facewright.extract.follow import FollowedFaces, follow_faces
from facewright.extract.hands import HandFinder
from facewright.extract.landmarkers.base import DEFAULT_LANDMARKER, Landmarker, make_landmarker
from facewright.extract.log import ExtractionLog
from facewright.extract.pipeline import pipeline_workers
from facewright.extract.sources import FolderSource, SearchSource
from facewright.faces.faceset import FaceIndex, load_faceset


class ModelLoader:
    """Loads models when they are needed; what several steps use is loaded once.

    Attributes:
        landmarker_name: Which landmarker finds landmarks, see `use_landmarker`; None for the default one.
    """

    landmarker_name: str | None = None

    def detector(self, name: str, *, sensitive: bool = False) -> Detector:
        """Load a detector, see `make_detector`."""
        return make_detector(name, sensitive=sensitive)

    def use_landmarker(self, name: str) -> None:
        """Choose the landmarker; it is loaded when it is needed."""
        if name != self.landmarker_name:
            self.landmarker_name = name
            self.__dict__.pop("landmarker", None)

    @cached_property
    def landmarker(self) -> Landmarker:
        """The landmarker."""
        return make_landmarker(self.landmarker_name)

    @cached_property
    def embedder(self) -> Embedder:
        """The network that compares faces."""
        return Embedder()

    @cached_property
    def hands(self) -> HandFinder:
        """The networks that find hands."""
        return HandFinder()


@dataclass
class SideRun:
    """What the steps of a command share.

    Attributes:
        workspace: Where all is.
        side: Whose faces; its lock is held.
        executor: Threads for all that reads and writes files.
        models: Loads what finds and compares faces.
    """

    workspace: Workspace
    side: Side
    executor: Executor
    models: ModelLoader
    _frames: SearchSource | None = field(default=None, repr=False)
    _log: ExtractionLog | None = field(default=None, repr=False)
    _faces: FaceIndex | None = field(default=None, repr=False)
    _followed: FollowedFaces | None = field(default=None, repr=False)

    @property
    def log(self) -> ExtractionLog:
        """What was searched, read at the first use."""
        if self._log is None:
            self._log = ExtractionLog.read(self.side)
        return self._log

    @property
    def frames(self) -> SearchSource:
        """Where the images of frames come from: the video, where they are searched straight from it, else files."""
        if self._frames is None:
            self._frames = FolderSource(self.side)
        return self._frames

    @frames.setter
    def frames(self, source: SearchSource) -> None:
        self._frames = source

    @property
    def faces(self) -> FaceIndex:
        """The faces of the side, read at the first use."""
        if self._faces is None:
            self._faces = load_faceset(self.side.aligned_dir)
        return self._faces

    def followed(self) -> FollowedFaces:
        """Return the faces through their frames; they are only followed again where something has changed."""
        found = follow_faces(self.side, self.log, self.faces)
        if self._followed is not None:
            found.borrow_tracks(self._followed)
        self._followed = found
        return found

    def start_anew(self) -> None:
        """Say that faces and log were moved away."""
        self._log = self._faces = None

    def faces_written(self, names: Container[str]) -> None:
        """Say that files of these names were written, and others perhaps deleted."""
        if self._faces is not None:
            self._faces.refresh(names)


@contextlib.contextmanager
def open_side(workspace: Workspace, side: Side, models: ModelLoader | None = None) -> Iterator[SideRun]:
    """Lock a side and open one pool of threads for all that is done with it.

    Raises:
        UserError: Another program works on this side.
    """
    with workspace.lock(side.name), workers.threads(pipeline_workers()) as executor:
        run = SideRun(workspace, side, executor, models or ModelLoader())
        if run.log.settings is not None:
            run.models.use_landmarker(str(run.log.settings.get("landmarker", DEFAULT_LANDMARKER)))
        yield run
