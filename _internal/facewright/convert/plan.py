"""What is to be converted: one job per frame of dst, and the key that tells whether its result is up to date.

A key holds what the result depends on: the frame, its faces and their masks, the trained state, the options that
affect the output, every field of the resolved parameters, and VERSION. A frame without a face is copied: its key
holds the frame and the format only.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facewright.convert.masks import DstFace, MaskKind, RecordMask
from facewright.convert.matching import LOOKED_AT, Groups, Matched, Shape, found_in, shows_faces
from facewright.convert.parameters import Options, Parameters, resolve_parameters
from facewright.convert.pipeline import ModelInput
from facewright.core import console
from facewright.core.contents import Contents
from facewright.core.errors import UserError
from facewright.core.files import png_fingerprint
from facewright.core.left_out import warn_of_left_out_faces
from facewright.core.options import output_values
from facewright.core.workspace import Side
from facewright.faces.faceset import FaceFile, load_faceset
from facewright.faces.mask import decode_mask
from facewright.models.spec import ConverterDefaults
from facewright.ui.contact_sheet import evenly

# Goes up when the same parameters give another image, so that older results are made again.
VERSION = 1
NAMED = 3  # files named in a message
COMPRESSED = (".png", ".jpg", ".jpeg", ".webp")  # an image of these that changes has another length or another end


@dataclass(frozen=True)
class Job:
    """One frame to convert.

    Attributes:
        index: Its number from 1, in the order of the frames.
        frame: Its file.
        target: Where the result goes; the suffix decides the format.
        faces: Those to replace; none: the frame is copied.
        parameters: How they are blended in.
        shown: The frame whose face is taken instead of its own; None for its own.
    """

    index: int
    frame: Path
    target: Path
    faces: tuple[DstFace, ...]
    parameters: Parameters = dataclasses.field(default_factory=Parameters)
    shown: Path | None = None

    @property
    def source(self) -> Path:
        """The frame that the faces are cut from."""
        return self.shown or self.frame


@dataclass(frozen=True)
class TrainedState:
    """A trained model as far as the plan depends on it.

    Attributes:
        name: What the user calls it.
        fingerprint: Changes with every saved generation.
        wanted: What the network takes.
        defaults: Its converter defaults.
        portrait: Whether its image is the result, instead of being blended into dst's frame.
    """

    name: str
    fingerprint: str
    wanted: ModelInput
    defaults: ConverterDefaults
    portrait: bool = False


@dataclass(frozen=True)
class Planned:
    """A job, and what its result depends on, as a hash."""

    job: Job
    key: str
    parts: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)

    def has_key(self, noted: Any) -> bool:
        """Whether a key of the journal says that the result is up to date.

        Earlier programs knew a frame by its end alone, which serves for compressed images.
        """
        source = self.job.source
        return noted == self.key or (
            source.suffix.lower() in COMPRESSED and noted == _hashed({**self.parts, "content": png_fingerprint(source)})
        )


def make_plan(
    frames: Sequence[Path],
    matched: Matched | Groups,
    side: Side,
    options: Options,
    trained: TrainedState,
    contents: Contents | None = None,
) -> list[Planned]:
    """Return one job per frame, in order.

    Args:
        frames: From `Side.distinct_frames`.
        matched: From `match_faces`, or the faces as `list_faces` has them.
        side: Whose merged folder the results go to.
        options: The user's.
        trained: The model's.
        contents: Those of the workspace.
    """
    # A portrait is not blended, so nothing of that counts for it.
    parameters = Parameters() if trained.portrait else resolve_parameters(options, trained.defaults)
    values = {} if trained.portrait else output_values(options)
    own_masks = MaskKind.RECORD in parameters.masks
    jobs: Sequence[Job] = make_jobs(frames, matched, side, options, parameters, own_masks=own_masks)
    if trained.portrait and any(job.faces for job in jobs):
        jobs = portrait_jobs(jobs)
    contents = contents or Contents()
    contents.look_through(frames, title="Looking at the frames")
    return [_planned(job, trained, values, contents) for job in jobs]


def make_jobs(
    frames: Sequence[Path],
    matched: Matched | Groups,
    side: Side,
    options: Options,
    parameters: Parameters,
    *,
    own_masks: bool,
) -> list[Job]:
    """Return one job per frame, in order; `own_masks` tells whether the faces bring the masks of their records."""
    faces = matched if isinstance(matched, Matched) else Matched(matched)
    return [
        Job(
            index,
            frame,
            side.merged_dir / f"{frame.stem}.{options.format}",
            tuple(
                _dst_face(face, own_masks, faces.changed.get(frame.stem)) for face in faces.groups.get(frame.stem, ())
            ),
            parameters,
        )
        for index, frame in enumerate(frames, 1)
    ]


def _dst_face(face: FaceFile, own_mask: bool, shape: Shape | None) -> DstFace:
    """Return a face as the conversion takes it; `shape` is that of a frame that has changed since, as it was then."""
    record = face.record
    mask = RecordMask(record.mask, record.matrix) if own_mask and record.mask is not None else None
    return DstFace(record.frame_landmarks, mask, shape and found_in(face, shape))


def _planned(job: Job, trained: TrainedState, values: Mapping[str, Any], contents: Contents) -> Planned:
    parts = _parts(job, trained, values, contents)
    return Planned(job, _hashed(parts), parts)


def job_key(job: Job, trained: TrainedState, values: Mapping[str, Any]) -> str:
    """Return what the result of a job depends on, as a hash.

    Args:
        job: The job.
        trained: The model's state.
        values: The options that affect the output: name -> value.
    """
    return _planned(job, trained, values, Contents()).key


def _parts(job: Job, trained: TrainedState, values: Mapping[str, Any], contents: Contents) -> dict[str, Any]:
    parts: dict[str, Any] = {"frame": job.frame.name, "content": contents.of(job.source), "target": job.target.name}
    if job.faces:
        parts["version"] = VERSION
        parts["trained"] = [trained.name, trained.fingerprint, *dataclasses.astuple(trained.wanted)]
        parts["options"] = dict(values)
        parts["parameters"] = dataclasses.asdict(job.parameters)
        parts["faces"] = [_face_key(face) for face in job.faces]
    return parts


def _hashed(parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _face_key(face: DstFace) -> list[Any]:
    mask = face.mask and [hashlib.sha256(face.mask.text.encode()).hexdigest(), face.mask.matrix.round(6).tolist()]
    key = [np.asarray(face.landmarks, float).round(3).tolist(), mask]
    return [*key, face.found_in.shape] if face.found_in else key


def portrait_jobs(jobs: Sequence[Job]) -> list[Job]:
    """Give every frame one face: the largest of its own, or that of the frame before, at the start of the next.

    A portrait video has one image per frame of dst, or it would not fit its audio.

    Args:
        jobs: One per frame, in order; the faces of a frame in any order. At least one has a face.

    Returns:
        One per frame, each with one face; `shown` names the frame where that is not the frame's own.

    Raises:
        ValueError: No frame has a face.
    """
    with_face = [job for job in jobs if job.faces]
    if not with_face:
        raise ValueError("a portrait video needs a face in at least one frame")
    current = with_face[0]
    result = []
    for job in jobs:
        current = job if job.faces else current
        largest = max(current.faces, key=lambda face: float(np.ptp(face.landmarks, axis=0).prod()))
        shown = None if current is job else current.frame
        result.append(dataclasses.replace(job, faces=(largest,), shown=shown))
    return result


def list_faces(side: Side) -> dict[str, list[FaceFile]]:
    """Return the faces to convert, by the stem of their frame.

    Raises:
        UserError: There are none, or files that are no faces.
    """
    warn_of_left_out_faces(side)
    faceset = load_faceset(side.aligned_dir)
    if faceset.bad:
        more = f" (and {len(faceset.bad) - NAMED} more)" if len(faceset.bad) > NAMED else ""
        raise UserError(
            " ".join(problem.happened for _, problem in faceset.bad[:NAMED]) + more,
            f"only faces that the extract step wrote, in {side.aligned_dir}.",
            "move these files out of that folder or extract the faces again, then convert again; nothing was changed.",
        )
    if not faceset.faces:
        raise UserError(
            f"There are no faces in {side.aligned_dir}.",
            "at least one aligned face of the person who is to be replaced.",
            f"extract the faces first:{side.hint('extract')}",
        )
    return faceset.by_frame()


def check_frames(jobs: Sequence[Job], side: Side) -> None:
    """Look at a few of the frames that have changed since their faces were found, where most have.

    Raises:
        UserError: None of them shows its face.
    """
    with_faces = [job for job in jobs if job.faces]
    changed = [job for job in with_faces if job.faces[0].found_in]
    looked_at = [changed[index] for index in evenly(len(changed), LOOKED_AT)]
    if 2 * len(changed) <= len(with_faces) or any(shows_faces(job.source, job.faces) for job in looked_at):
        return
    names = console.listed([job.source.name for job in changed], NAMED)
    raise UserError(
        f"{len(changed)} of {len(with_faces)} frames are not those that their faces were found in: {names}. "
        "They show something else where the faces were.",
        "the frames of the extraction, also graded, or scaled as a whole.",
        f"put the old frames back, or search the changed frames again:{side.hint('extract')}",
    )


def count_masked_faces(plan: Sequence[Planned]) -> int:
    """Return how many faces have a readable mask of their own that is used."""
    return sum(
        face.mask is not None and decode_mask(face.mask.text) is not None
        for planned in plan
        for face in planned.job.faces
    )
