"""Faces in a commercial workspace: those that were found by parts that may not be used for pay are refused.

A workspace may become a commercial one when faces lie in it already, and a folder of faces may come from elsewhere.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from facewright.core.errors import UserError
from facewright.core.hints import hint
from facewright.core.workspace import Side, Workspace
from facewright.extract.detectors.base import detector_specs
from facewright.extract.landmarkers.base import DEFAULT_LANDMARKER, landmarker_specs
from facewright.extract.licences import commercial_answer
from facewright.faces.faceset import load_faceset
from facewright.faces.record import MANUAL_DETECTOR, FaceRecord


def check_faces(workspace: Workspace, *sides: Side, folder: Path | None = None) -> None:
    """Check that the faces of sides may be used in this workspace; outside of commercial ones all may.

    Args:
        workspace: The project.
        sides: Whose aligned faces.
        folder: More of them.

    Raises:
        UserError: Some were found by a part whose licence does not allow commercial work.
    """
    if commercial_answer(workspace) is not True:
        return
    unfit_parts = {
        kind: {spec.name: spec.licence.part for spec in specs if not spec.licence.commercial}
        for kind, specs in (("detector", detector_specs()), ("landmarker", landmarker_specs()))
    }
    redo = "".join(hint(f"extract --side {side.short} --redo") for side in sides)
    for place in (*(side.aligned_dir for side in sides), *([folder] if folder else [])):
        records = (face.record for face in load_faceset(place).faces)
        unfit = Counter(part for record in records for part in _unfit(record, unfit_parts))
        if unfit:
            raise UserError(
                f"This workspace is for commercial work, and {place} holds faces that were found by other means: "
                f"{', '.join(f'{count} by {part}' for part, count in unfit.most_common())}.",
                "faces that were found by parts which may be used for pay (README.md has a table).",
                f"find them again, the old ones move to the trash folder:{redo}\n"
                f"  Or, if it is not for commercial work:{hint('extract --no-commercial')}",
            )


def _unfit(record: FaceRecord, parts: dict[str, dict[str, str]]) -> Iterator[str]:
    """Yield the parts that found a face and may not be used; older faces have dlib's points."""
    if record.detector in parts["detector"]:
        yield parts["detector"][record.detector]
    placed = record.landmarker or ("" if record.detector == MANUAL_DETECTOR else DEFAULT_LANDMARKER)
    if placed in parts["landmarker"]:
        yield parts["landmarker"][placed]
