"""What there is to be reviewed: every frame with its result and its faces, and src's faces, read from their records."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facewright.convert.every_face import faces_side
from facewright.convert.last_run import same_options
from facewright.convert.masks import DstFace, RecordMask
from facewright.convert.matching import Matched, found_in, match_faces, without_copies
from facewright.convert.plan import Job
from facewright.core.contents import Contents
from facewright.core.errors import UserError
from facewright.core.files import list_files
from facewright.core.hints import hint
from facewright.core.images import IMAGE_EXTENSIONS
from facewright.core.workspace import Workspace
from facewright.faces.faceset import load_faceset
from facewright.faces.record import EMBEDDING, FaceRecord
from facewright.faces.tracks import Sighting
from facewright.review.scores import Numbers


@dataclass(frozen=True)
class KnownFace:
    """What is known of a face beside its landmarks.

    Attributes:
        pose: (yaw, pitch), degrees; NaN where not known.
        person: Number of the person; None where not known.
    """

    pose: tuple[float, float] = (float("nan"), float("nan"))
    person: int | None = None


@dataclass(frozen=True)
class ClipFrame:
    """A frame of dst.

    Attributes:
        path: Its file.
        result: The converted frame; None where it is not converted yet.
        faces: Those in `data_dst/aligned`, as the conversion takes them.
        known: What the records say of each.
    """

    path: Path
    result: Path | None
    faces: tuple[DstFace, ...]
    known: tuple[KnownFace, ...]


@dataclass(frozen=True, eq=False)
class Clip:
    """All frames of dst, in order, and what is known of src.

    Attributes:
        frames: One per name.
        src_poses: (m, 2) yaw and pitch of src's faces, degrees.
        src_embeddings: (k, 128) of those that have one.
    """

    frames: Sequence[ClipFrame]
    src_poses: Numbers
    src_embeddings: Numbers

    def sightings(self) -> tuple[list[Sighting], list[tuple[int, int]]]:
        """Return all faces, and for each the number of its frame and its own in that."""
        found, places = [], []
        for time, frame in enumerate(self.frames):
            for number, (face, known) in enumerate(zip(frame.faces, frame.known, strict=True)):
                found.append(Sighting(time, np.asarray(face.landmarks, np.float64), known.person))
                places.append((time, number))
        return found, places


def open_clip(workspace: Workspace, contents: Contents) -> Clip:
    """Read what there is; no image is decoded.

    Args:
        workspace: The project; its lock `data_dst` is held.
        contents: Those of the workspace.

    Raises:
        UserError: No frames, or none of them is converted.
    """
    side = faces_side(workspace.dst, same_options(workspace))
    frames = side.distinct_frames()
    results = {path.stem: path for path in list_files(side.merged_dir, IMAGE_EXTENSIONS)}
    if not any(frame.stem in results for frame in frames):
        raise UserError(
            f"There are no converted frames in {side.merged_dir}.",
            "the results of a conversion.",
            f"convert first:{hint('convert')}",
        )
    matched = match_faces(frames, without_copies(load_faceset(side.aligned_dir).by_frame())[0], side, contents)
    src = load_faceset(workspace.src.aligned_dir).faces
    poses = np.array([face.record.pose[:2] for face in src], np.float64).reshape(-1, 2)
    vectors = [face.record.embedding for face in src if face.record.embedding is not None]
    embeddings = np.array(vectors, np.float64).reshape(-1, EMBEDDING)
    return Clip([_frame(path, results.get(path.stem), matched) for path in frames], poses, embeddings)


def _frame(path: Path, result: Path | None, matched: Matched) -> ClipFrame:
    files = tuple(matched.groups.get(path.stem, ()))
    shape = matched.changed.get(path.stem)
    records = [file.record for file in files]
    found = [shape and found_in(file, shape) for file in files]
    faces = [DstFace(one.frame_landmarks, None, there, _cover(one)) for one, there in zip(records, found, strict=True)]
    return ClipFrame(path, result, tuple(faces), tuple(KnownFace(one.pose[:2], one.person) for one in records))


def _cover(record: FaceRecord) -> RecordMask | None:
    return RecordMask(record.occlusion, record.matrix, record.size) if record.occlusion else None


def clip_of(jobs: Sequence[Job]) -> Clip:
    """Return the clip that was just converted, as far as the conversion itself knows it."""
    frames = [ClipFrame(job.frame, job.target, job.faces, (KnownFace(),) * len(job.faces)) for job in jobs]
    return Clip(frames, np.zeros((0, 2)), np.zeros((0, EMBEDDING)))
