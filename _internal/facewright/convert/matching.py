"""Which faces belong to which frame: by the content that the extraction noted, then by what the aligned images show.

Names alone would put faces anywhere once frames were renumbered, scaled or replaced.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from facewright.convert.masks import DstFace, FoundIn
from facewright.core import console
from facewright.core.contents import Contents
from facewright.core.errors import UserError
from facewright.core.files import natural
from facewright.core.frame_origins import FrameOrigins, warn_of_renamed
from facewright.core.images import Image, in_bytes, read_image
from facewright.core.workspace import Side
from facewright.faces.align import FaceType, Matrix
from facewright.faces.faceset import FaceFile
from facewright.faces.likeness import ALIKE, is_plain, likeness_at
from facewright.faces.record import MANUAL_DETECTOR
from facewright.ui.contact_sheet import evenly

Groups = Mapping[str, Sequence[FaceFile]]  # stem of a frame -> its faces
FrameSize = tuple[int, int]
NOT_NOTED: FrameSize = (0, 0)
SAME_FACE = 0.1  # of a face's size: landmarks of one face, found twice, lie nearer to each other
LOOKED_AT = 8  # frames that stand for all
# Of frames, to be tried where nobody has noted what they were, in px and as shares of those that are there.
USUAL_HEIGHTS = (240, 288, 360, 480, 540, 576, 640, 720, 768, 1080, 1280, 1440, 1920, 2160, 4320)
USUAL_FACTORS = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 4 / 3, 3 / 2, 2, 3, 4)
ROUNDING = 1.5  # px by which a scaled frame's sides may miss the exact proportion


def without_copies(groups: Groups) -> tuple[dict[str, list[FaceFile]], list[FaceFile]]:
    """Return the faces without those that lie in their frame where another one lies, and these.

    Of faces at one place, one that a person placed counts, else the one with the shortest name.
    """
    kept: dict[str, list[FaceFile]] = {}
    copies: list[FaceFile] = []
    for stem, faces in groups.items():
        chosen: list[FaceFile] = []
        for face in sorted(faces, key=_rank):
            (copies if any(_same_place(face, other) for other in chosen) else chosen).append(face)
        names = {face.path for face in chosen}
        kept[stem] = [face for face in faces if face.path in names]
    return kept, copies


def _rank(face: FaceFile) -> tuple[Any, ...]:
    return face.record.detector != MANUAL_DETECTOR, len(face.path.name), natural(face.path.name)


def _same_place(face: FaceFile, other: FaceFile) -> bool:
    points, others = face.record.frame_landmarks, other.record.frame_landmarks
    apart = float(np.linalg.norm(points - others, axis=1).mean())
    return apart <= SAME_FACE * min(float(np.ptp(one, axis=0).max()) for one in (points, others))


@dataclass(frozen=True)
class Matched:
    """The faces of the frames that are there.

    Attributes:
        groups: By the stem that their frame has now.
        changed: Stems of the frames that are not as the extraction saw them -> their (h, w) then, or `NOT_NOTED`.
        renamed: Names of the frames that had other names then.
        lost: Faces whose frames are gone.
    """

    groups: Groups
    changed: Mapping[str, FrameSize] = field(default_factory=dict)
    renamed: Sequence[str] = ()
    lost: Sequence[FaceFile] = ()


def match_faces(frames: Sequence[Path], groups: Groups, side: Side, contents: Contents) -> Matched:
    """Find the faces of each frame.

    Args:
        frames: One per stem.
        groups: All faces, by the stem of the frame that their records name.
        side: Whose journal says what each frame was.
        contents: Those of the workspace.
    """
    origins = FrameOrigins(frames, side, contents)
    found: dict[str, Sequence[FaceFile]] = {}
    changed: dict[str, FrameSize] = {}
    for frame in frames:
        stem = origin = frame.stem
        if origins.changed(stem):
            origin = origins.origin(stem) or stem
            if origin == stem and stem in origins.was and stem in groups:
                changed[stem] = tuple(origins.noted[stem].get("shape", NOT_NOTED))
        if origin in groups:
            found[stem] = groups[origin]
    used = {face.path for faces in found.values() for face in faces}
    lost = [face for faces in groups.values() for face in faces if face.path not in used]
    if not origins.was and (shape := _shape_by_faces(frames, found, side)) is not None:
        changed = dict.fromkeys(found, shape)
    if NOT_NOTED in changed.values():
        shape = _shape_of_frames(side)
        changed = {stem: shape if known == NOT_NOTED else known for stem, known in changed.items()}
    return Matched(found, changed, origins.renamed, lost)


def _shape_by_faces(frames: Sequence[Path], groups: Groups, side: Side) -> FrameSize | None:
    """Return the (h, w) of the frames in which the faces were found, where no extraction has noted any.

    None where it is that of the frames that are there, or where no usual size makes a frame show its faces.
    """
    with_faces = [frame for frame in frames if frame.stem in groups]
    looked_at = [with_faces[index] for index in evenly(len(with_faces), LOOKED_AT)]
    images = {frame: image for frame in looked_at for image in _readable(frame)}
    shapes = {image.shape[:2] for image in images.values()}
    if len(shapes) != 1:
        return None
    now = next(iter(shapes))
    noted = _shape_of_frames(side)
    if noted not in (NOT_NOTED, now):
        return noted
    # A plain face is alike wherever nothing is seen, as beyond the border of the frame.
    pairs = [(image, face) for frame, image in images.items() for face in groups[frame.stem] if not _is_plain(face)]
    if not pairs:
        return None

    def seen(shape: FrameSize) -> float:
        scale = scale_between(shape, now)
        return float(np.median([_likeness(image, found_in(face, shape), scale) for image, face in pairs]))

    if seen(now) >= ALIKE:
        return None
    heights = {*USUAL_HEIGHTS, *(round(now[0] * factor) for factor in USUAL_FACTORS)}
    usual = [(height, round(now[1] * height / now[0])) for height in sorted(heights)]
    best = max(usual, key=seen)
    return best if seen(best) >= ALIKE else None


def _is_plain(face: FaceFile) -> bool:
    """Whether a face's aligned image shows nothing, or is gone."""
    return all(is_plain(image) for image in _readable(face.path))


def _shape_of_frames(side: Side) -> FrameSize:
    """Return the (h, w) that frames.json names: earlier extractions of faces noted none."""
    from facewright.video.timing import read_timing  # it leads to the libraries for videos, which take half a second

    try:
        timing = read_timing(side.timing_file)
    except UserError:  # the step that needs the times will tell
        return NOT_NOTED
    return timing.size if timing else NOT_NOTED


def say_matched(matched: Matched, copies: Sequence[FaceFile], side: Side) -> None:
    """Say what is unusual about faces and frames."""
    if copies:
        names = console.listed([face.path.name for face in copies])
        console.warn(f"Faces that lie twice in {side.aligned_dir}: {len(copies)} ({names}). Each is used once.")
    if matched.renamed:
        console.say(f"Renamed frames are known by their content: {console.listed(matched.renamed)}.")
        warn_of_renamed(matched.renamed, side)
    if matched.lost:
        names = console.listed(sorted({face.record.frame for face in matched.lost}, key=natural))
        console.warn(f"Faces of frames that are not there any more: {len(matched.lost)} ({names}). They are left out.")


def warn_of_strangers(frames: Sequence[Path], matched: Matched) -> None:
    """Say so where no face shows what its frame shows: a folder of faces may have come from another project."""
    known = [frame for frame in frames if frame.stem in matched.groups and frame.stem not in matched.changed]
    looked_at = [known[index] for index in evenly(len(known), LOOKED_AT)]
    if looked_at and not any(_shows_one_of(frame, matched.groups[frame.stem]) for frame in looked_at):
        names = console.listed([frame.name for frame in looked_at])
        console.warn(
            f"The faces do not show what lies at their places in {names}: they seem to be faces of other frames. Look "
            "at the converted frames before you go on."
        )


def _shows_one_of(frame: Path, faces: Sequence[FaceFile]) -> bool:
    return any(_shows(image, found_in(face, NOT_NOTED), 1.0) for image in _readable(frame) for face in faces)


def _readable(frame: Path) -> Iterator[Image]:
    """Yield a frame's image; one that cannot be read is for its conversion to name."""
    with suppress(UserError):
        yield read_image(frame)


def shows_faces(frame: Path, faces: Sequence[DstFace]) -> bool:
    """Whether a frame shows at least one of its faces, see `faces_there`."""
    return any(faces_there(image, faces) for image in _readable(frame))


def found_in(face: FaceFile, shape: FrameSize) -> FoundIn:
    """Return by what it is seen whether a face lies in a frame; `shape` is that of the frame it was found in."""
    return FoundIn(shape, face.path, None if face.record.face_type is FaceType.MARK_ONLY else face.record.matrix)


def faces_there(image: Image, faces: Sequence[DstFace]) -> list[DstFace]:
    """Return the faces that lie in a frame where they were found, scaled with it where it has another size now.

    Args:
        image: The frame, (h, w, 3) uint8 or uint16 BGR.
        faces: Those of a frame that has not changed are returned as they are.
    """
    if any(face.found_in for face in faces):
        image = in_bytes(image)
    return [there for face in faces if (there := _there(image, face)) is not None]


def _there(image: Image, face: DstFace) -> DstFace | None:
    if face.found_in is None:
        return face
    scale = scale_between(face.found_in.shape, image.shape[:2])
    return scaled(face, scale) if _shows(image, face.found_in, scale) else None


def scale_between(before: FrameSize, now: tuple[int, ...]) -> float:
    """Return by how much a frame was scaled as a whole; 1 where it was not, or where its size is not known.

    Args:
        before, now: (h, w).
    """
    if before == now or min(before) < 1:
        return 1.0
    scale = float(np.sqrt(now[0] * now[1] / (before[0] * before[1])))
    whole = all(abs(old * scale - new) <= ROUNDING for old, new in zip(before, now, strict=True))
    return scale if whole else 1.0


def scaled(face: DstFace, scale: float) -> DstFace:
    """Return a face in its frame after that was scaled."""
    if scale == 1:
        return face
    shift = (scale - 1) / 2  # pixels are named by their middle
    mask, occlusion = (
        one and dataclasses.replace(one, matrix=_in_scaled_frame(one.matrix, scale))
        for one in (face.mask, face.occlusion)
    )
    outline = None if face.outline is None else face.outline * scale + shift
    landmarks = face.landmarks * scale + shift
    return dataclasses.replace(face, landmarks=landmarks, mask=mask, occlusion=occlusion, outline=outline)


def _in_scaled_frame(matrix: Matrix, scale: float) -> Matrix:
    """Return a matrix frame -> aligned image for the frame after it was scaled."""
    result = np.array(matrix, np.float64)
    result[:, :2] /= scale
    result[:, 2] -= result[:, :2].sum(1) * (scale - 1) / 2
    return result


def _shows(image: Image, found: FoundIn, scale: float) -> bool:
    """Whether the frame shows at the face's place what the aligned image shows."""
    return _likeness(image, found, scale) >= ALIKE


def _likeness(image: Image, found: FoundIn, scale: float) -> float:
    try:
        aligned = read_image(found.aligned)
    except UserError:  # it was deleted just now
        return 0.0
    matrix = None if found.matrix is None else _in_scaled_frame(found.matrix, scale)
    return likeness_at(image, aligned, matrix)
