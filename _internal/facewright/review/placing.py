"""Other landmarks for a frame that needs a look: the manual annotation of that frame alone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from facewright.annotate.desk import room_beside
from facewright.annotate.session import AnnotationSession
from facewright.annotate.storage import FaceStorage
from facewright.convert.every_face import faces_side
from facewright.convert.last_run import same_options
from facewright.core.errors import UserError
from facewright.core.workspace import Workspace
from facewright.extract.log import frames_to_search
from facewright.extract.people import number_new
from facewright.extract.side_run import ModelLoader, open_side
from facewright.extract.smooth_side import smooth_side

LONGEST_SIDE = 1368  # px of a shown frame


@contextmanager
def placing(
    workspace: Workspace,
    name: str,
    models: ModelLoader,
    *,
    screen: tuple[int, int] | None = None,
    reasons: Sequence[str] = (),
) -> Iterator[AnnotationSession]:
    """Open the annotation of a frame of dst; what was accepted is on the disk at once.

    Args:
        workspace: The project.
        name: The frame's.
        models: Where the landmarker comes from.
        screen: (w, h) in pixels of the screen that a window must fit in; None for a page.
        reasons: Why the frame needs a look.

    Raises:
        UserError: Another program works on dst, or its faces do not come from an extraction.
    """
    side = faces_side(workspace.dst, same_options(workspace))
    with open_side(workspace, side, models) as run:
        settings = run.log.settings
        if settings is None:
            raise UserError(
                "The faces of data_dst were not extracted here.",
                "an extraction, whose faces are mended.",
                f"extract them first:{side.hint('extract')}",
            )
        frames = frames_to_search(side, or_video=False)
        wanted = [path for path in frames if path.name == name]
        session = AnnotationSession(
            frames,
            wanted,
            FaceStorage(run, settings),
            models.landmarker,
            window_size=LONGEST_SIDE,
            room=room_beside(screen) if screen else None,
            reasons={name: reasons},
        )
        try:
            yield session
        finally:
            session.end()
        if session.accepted:
            number_new(run)
            smooth_side(run)  # as the extraction did: new faces steady their neighbours
