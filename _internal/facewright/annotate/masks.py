"""The mask editor inside a command: in a window, or on a page."""

from collections.abc import Mapping, Sequence

from facewright.annotate.desk import room_beside
from facewright.annotate.launch import AnnotationOptions, open_shown, show
from facewright.annotate.mask_session import MaskSession, say_changed
from facewright.extract.side_run import SideRun
from facewright.faces.faceset import FaceFile

LONGEST_PX = 900  # of a shown face: more is only blown up


def edit_masks(
    run: SideRun,
    faces: Sequence[FaceFile],
    options: AnnotationOptions,
    reasons: Mapping[str, Sequence[str]] | None = None,
) -> tuple[str, ...]:
    """Let a person draw what belongs to the masks of faces; each polygon is saved at once.

    Args:
        run: The side at work, whose faces are kept up to date.
        faces: Through which one goes, in order; without any there is nothing to do.
        options: Window or page.
        reasons: Why faces are to be looked at, by file name.

    Returns:
        The names of the files that were changed.

    Raises:
        UserError: Neither screen nor page, the port is taken, or a face could not be saved; what was drawn before is
            on the disk.
    """
    if not faces:
        return ()
    shown = open_shown(options)
    session = MaskSession(
        faces,
        run.faces,
        window_size=min(options.manual_window_size or LONGEST_PX, LONGEST_PX),
        room=room_beside(shown.screen) if shown else None,
        reasons=reasons,
    )
    try:
        show(session, shown, options.port, f"Faces: {len(faces)}.")
    finally:
        say_changed(session)
    return tuple(session.changed)
