"""Faces of FaceSwap: the text form of a dictionary, in an `iTXt` chunk of a PNG."""

from typing import Any

from facewright.core.png import SIGNATURE, get_text
from facewright.faces.align import FaceType
from facewright.interop.foreign_face import ForeignFace, NotImportable, box_number, frame_name, landmarks
from facewright.interop.safe_literal import read_literal

PROGRAM = "FaceSwap"
HEAD_SCALE = 1 - 0.625  # side of the mean face's square in a head-centred image, as a share of the image's side


def read_faceswap(data: bytes) -> ForeignFace | None:
    """Read what a file says about its face; None where FaceSwap wrote nothing into it.

    Args:
        data: A PNG or JPEG file.

    Raises:
        NotImportable: A part is missing or of another kind.
        BadLiteral: There is more in it than plain values.
        ValueError: The file is damaged.
    """
    text = get_text(data, "faceswap") if data.startswith(SIGNATURE) else None
    return None if text is None else _face(read_literal(text))


def _face(value: Any) -> ForeignFace:
    """Check the dictionary."""
    face = value.get("alignments") if isinstance(value, dict) else None
    source = value.get("source") if isinstance(value, dict) else None
    if not isinstance(face, dict) or not isinstance(source, dict):
        raise NotImportable("its data is not FaceSwap's")
    points = landmarks(face.get("landmarks_xy"), "landmarks")
    left, top, width, height = (box_number(face.get(name)) for name in ("x", "y", "w", "h"))
    return ForeignFace(
        PROGRAM,
        frame_name(source.get("source_filename")),
        points,
        None,
        (left, top, left + width, top + height),
        FaceType.FULL,
        lost=tuple(name for name, key in (("masks", "mask"), ("identity vectors", "identity")) if face.get(key)),
    )
