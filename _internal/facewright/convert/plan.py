"""What is to be converted: one job per frame of dst, and the key that tells whether its result is up to date.

A key holds what the result depends on: the frame, its faces and their masks, the trained state, the options that
affect the output, every field of the resolved parameters, and VERSION. A frame without a face is copied: its key
holds the frame and the format only.
"""

import dataclasses
import functools
import hashlib
import itertools
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facewright.convert.blend import Mode
from facewright.convert.cast import Cast, TrainedState
from facewright.convert.masks import DstFace, MaskKind, RecordMask
from facewright.convert.matching import LOOKED_AT, FrameSize, Groups, Matched, found_in, shows_faces
from facewright.convert.motion import motion_of
from facewright.convert.output import Output, output_of, results_of
from facewright.convert.parameters import (
    ConvertOptions,
    Parameters,
    keyed_options,
    keyed_parameters,
    resolve_parameters,
)
from facewright.core import console
from facewright.core.contents import Contents
from facewright.core.errors import UserError
from facewright.core.files import png_fingerprint
from facewright.core.hints import hint
from facewright.core.left_out import no_faces, warn_of_left_out_faces
from facewright.core.workspace import Side
from facewright.faces.align import Points
from facewright.faces.faceset import FaceFile, FaceIndex, load_faceset
from facewright.faces.landmarkers import warn_of_mixed_landmarkers
from facewright.faces.mask import decode_mask, encode_mask, outline_of
from facewright.faces.record import FaceRecord
from facewright.faces.visible import has_predicted_mask, mask_with_polygons
from facewright.ui.contact_sheet import evenly

# Goes up when the same parameters give another image, so that older results are made again.
VERSION = 3
NAMED = 3  # files named in a message
OF_RECORDS = frozenset((MaskKind.RECORD, MaskKind.OCCLUSION, MaskKind.PREDICTED))
COMPRESSED = (".png", ".jpg", ".jpeg", ".webp")  # an image of these that changes has another length or another end


OptionsOf = Callable[[str], ConvertOptions]  # name of a frame -> its options


@dataclass(frozen=True)
class Share:
    """The faces of a frame that one model replaces.

    Attributes:
        faces: Those to replace.
        trained: The model's state.
        parameters: How they are blended in.
        values: The options that affect the output: name -> value.
    """

    faces: tuple[DstFace, ...]
    trained: TrainedState
    parameters: Parameters = dataclasses.field(default_factory=Parameters)
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Job:
    """One frame to convert.

    Attributes:
        index: Its number from 1, in the order of the frames.
        frame: Its file.
        target: Where the result goes; the suffix decides the format.
        shares: Who replaces which of its faces, in the order in which they are laid over each other; none: the frame
            is copied.
        shown: The frame whose face is taken instead of its own; None for its own.
        output: What is written of it.
    """

    index: int
    frame: Path
    target: Path
    shares: tuple[Share, ...] = ()
    shown: Path | None = None
    output: Output = Output.FRAME

    @property
    def source(self) -> Path:
        """The frame that the faces are cut from."""
        return self.shown or self.frame

    @property
    def faces(self) -> tuple[DstFace, ...]:
        """All faces to replace."""
        return tuple(face for share in self.shares for face in share.faces)


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
    options: ConvertOptions,
    cast: Cast,
    contents: Contents | None = None,
    options_of: OptionsOf | None = None,
    chosen: Collection[Path] | None = None,
) -> list[Planned]:
    """Return one job per frame, in order.

    Args:
        frames: From `Side.distinct_frames`.
        matched: From `match_faces`, or the faces as `list_faces` has them.
        side: Whose merged folder the results go to.
        options: The user's.
        cast: Which model replaces whom.
        contents: Those of the workspace.
        options_of: The options of each frame, where they are not the same for all.
        chosen: The frames to convert, if not all; the others are copied, or left out if the options say so.
    """
    jobs: Sequence[Job] = make_jobs(frames, matched, side, options, cast, options_of)
    if chosen is not None:
        jobs = _chosen(jobs, set(chosen), discard=options.discard_frames)
    if cast.portrait and any(job.shares for job in jobs):
        jobs = portrait_jobs(jobs)
    contents = contents or Contents()
    contents.look_through(frames, title="Looking at the frames")
    return [_planned(_without_untouched(job), contents) for job in jobs]


def _chosen(jobs: Sequence[Job], chosen: Collection[Path], *, discard: bool) -> list[Job]:
    """Return the jobs of the chosen frames, and unless they are discarded, the others as copies.

    Jobs are chosen, not frames: how a face moves is seen in the frames beside it, whether they are chosen or not.
    """
    if discard:
        return [job for job in jobs if job.frame in chosen]
    return [job if job.frame in chosen else dataclasses.replace(job, shares=()) for job in jobs]


def _without_untouched(job: Job) -> Job:
    """Return a job without the faces that its mode leaves to the frame: without any, that is copied as it is."""
    kept = tuple(share for share in job.shares if share.parameters.mode is not Mode.ORIGINAL)
    return job if len(kept) == len(job.shares) else dataclasses.replace(job, shares=kept)


def make_jobs(
    frames: Sequence[Path],
    matched: Matched | Groups,
    side: Side,
    options: ConvertOptions,
    cast: Cast,
    options_of: OptionsOf | None = None,
) -> list[Job]:
    """Return one job per frame, in order; arguments as for `make_plan`.

    Their faces bring all that is known of them, also what the options do not use; the keys know what is used.
    """
    faces = matched if isinstance(matched, Matched) else Matched(matched)
    settled = functools.cache(_settled)

    def shares(place: int) -> tuple[Share, ...]:
        frame = frames[place]
        chosen, shape = options_of(frame.name) if options_of else options, faces.changed.get(frame.stem)
        around = [_landmarks(faces, frames, beside) for beside in (place - 1, place + 1)]
        made = []
        for trained, run in _by_model(faces.groups.get(frame.stem, ()), cast):
            parameters, values = settled(chosen, trained)
            made.append(Share(tuple(_dst_face(face, shape, around) for face in run), trained, parameters, values))
        return tuple(made)

    output = output_of(options)
    folder, _ = results_of(side, output)
    return [
        Job(place + 1, frame, folder / f"{frame.stem}.{options.format}", shares(place), output=output)
        for place, frame in enumerate(frames)
    ]


def _landmarks(faces: Matched, frames: Sequence[Path], place: int) -> list[Points]:
    """Return the landmarks of all faces of a frame; none where there is no such frame."""
    stem = frames[place].stem if 0 <= place < len(frames) else None
    return [face.record.frame_landmarks for face in faces.groups.get(stem, ())] if stem else []


def _settled(options: ConvertOptions, trained: TrainedState) -> tuple[Parameters, Mapping[str, Any]]:
    """Return the parameters of a model's faces, and the options that affect the output."""
    if trained.portrait:  # it is not blended, so nothing of that counts for it
        return Parameters(), {}
    return resolve_parameters(options, trained.defaults), keyed_options(options)


def _by_model(faces: Sequence[FaceFile], cast: Cast) -> list[tuple[TrainedState, list[FaceFile]]]:
    """Return the faces that are replaced, in runs of one model each; of several models larger faces come first."""
    given = [(state, face) for face in faces if (state := cast.of(face)) is not None]
    if len({state.name for state, _ in given}) > 1:
        given.sort(key=lambda pair: -_extent(pair[1].record.frame_landmarks))
    runs = itertools.groupby(given, key=lambda pair: pair[0])
    return [(state, [face for _, face in run]) for state, run in runs]


def _extent(landmarks: Points) -> float:
    """Return the area of the box around landmarks."""
    return float(np.ptp(landmarks, axis=0).prod())


def _dst_face(face: FaceFile, shape: FrameSize | None, around: Sequence[Sequence[Points]]) -> DstFace:
    """Return a face as the conversion takes it.

    Args:
        face: The face.
        shape: That of a frame that has changed since, as it was then.
        around: Landmarks of the faces of the frame before, and of the next one.
    """
    record = face.record
    mask, occlusion = (
        RecordMask(text, record.matrix, record.size) if text else None
        for text in (_mask_text(record), record.occlusion)
    )
    if mask and has_predicted_mask(record):
        mask = dataclasses.replace(mask, predicted=True)
    motion = motion_of(record.frame_landmarks, *around)
    return DstFace(record.frame_landmarks, mask, shape and found_in(face, shape), occlusion, motion, outline_of(record))


def _mask_text(record: FaceRecord) -> str | None:
    """Return the mask that a face carries, with the polygons of a person."""
    drawn = mask_with_polygons(record, record.size) if record.polygons and record.size else None
    return record.mask if drawn is None else encode_mask(drawn)


def _planned(job: Job, contents: Contents) -> Planned:
    parts = _parts(job, contents.of(job.source))
    return Planned(job, _hashed(parts), parts)


def job_key(job: Job) -> str:
    """Return what the result of a job depends on, as a hash."""
    return _planned(job, Contents()).key


def decoded_frame_key(job: Job, content: str) -> str:
    """Do as `job_key` for a frame that lies in no file; `content` tells it from others."""
    return _hashed(_parts(job, content))


def _parts(job: Job, content: str) -> dict[str, Any]:
    parts: dict[str, Any] = {"frame": job.frame.name, "content": content, "target": job.target.name}
    if job.output is not Output.FRAME:
        parts["output"] = str(job.output)
    if job.shares:
        parts["version"] = VERSION
        first, *others = map(_share_parts, job.shares)
        parts |= first
        if others:
            parts["others"] = others
    return parts


def _share_parts(share: Share) -> dict[str, Any]:
    trained = share.trained
    return {
        "trained": [trained.name, trained.fingerprint, *dataclasses.astuple(trained.wanted)],
        "options": dict(share.values),
        "parameters": keyed_parameters(share.parameters),
        "faces": [_face_key(face, share.parameters) for face in share.faces],
    }


def _hashed(parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _face_key(face: DstFace, parameters: Parameters) -> list[Any]:
    """Return what counts of a face with these parameters."""
    key = [np.asarray(face.landmarks, float).round(3).tolist()]
    carried = [_carried(face, kind) for kind in (MaskKind.RECORD, MaskKind.PREDICTED) if kind in parameters.masks]
    key.append(_mask_key(next(filter(None, carried), None)))
    if face.found_in:
        key.append(face.found_in.shape)
    if (parameters.leave_covers and face.occlusion) or MaskKind.OCCLUSION in parameters.masks:
        key.append({"occlusion": _mask_key(face.occlusion)})
    if face.outline is not None:
        key.append({"outline": face.outline.round(2).tolist()})
    if parameters.motion_blur:
        key.append({"motion": [round(part, 4) for part in face.motion]})
    return key


def _carried(face: DstFace, kind: MaskKind) -> RecordMask | None:
    """Return the mask that a kind takes from a face's record."""
    if kind is MaskKind.OCCLUSION:
        return face.occlusion
    return face.mask if kind is MaskKind.RECORD or (face.mask and face.mask.predicted) else None


def _mask_key(mask: RecordMask | None) -> list[Any] | None:
    return None if mask is None else [hashlib.sha256(mask.text.encode()).hexdigest(), mask.matrix.round(6).tolist()]


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
    with_face = [job for job in jobs if job.shares]
    if not with_face:
        raise ValueError("a portrait video needs a face in at least one frame")
    current = with_face[0]
    result = []
    for job in jobs:
        current = job if job.shares else current
        largest = max(current.faces, key=lambda face: _extent(face.landmarks))
        shown = None if current is job else current.frame
        share = dataclasses.replace(current.shares[0], faces=(largest,))
        result.append(dataclasses.replace(job, shares=(share,), shown=shown))
    return result


def whole_faceset(folder: Path) -> FaceIndex:
    """Read a folder of faces, which holds nothing else.

    Raises:
        UserError: It holds files that are no faces.
    """
    faceset = load_faceset(folder)
    if faceset.bad:
        more = f" (and {len(faceset.bad) - NAMED} more)" if len(faceset.bad) > NAMED else ""
        raise UserError(
            " ".join(problem.happened for _, problem in faceset.bad[:NAMED]) + more,
            f"only faces that the extract step wrote, in {folder}.",
            "move these files out of that folder or extract the faces again, then convert again; nothing was changed.",
        )
    return faceset


def list_faces(side: Side) -> dict[str, list[FaceFile]]:
    """Return the faces to convert, by the stem of their frame.

    Raises:
        UserError: There are none, or files that are no faces.
    """
    warn_of_left_out_faces(side)
    faceset = whole_faceset(side.aligned_dir)
    if not faceset.faces:
        raise no_faces(
            side,
            "at least one aligned face of the person who is to be replaced.",
            more=f"\n  Or let the conversion search and replace every face:{hint('convert --every-face')}",
        )
    warn_of_mixed_landmarkers(
        str(side.aligned_dir),
        (face.record for face in faceset.faces),
        f"To find all by the same:{side.hint('extract --redo')}",
    )
    return faceset.by_frame()


def check_frames(jobs: Sequence[Job], side: Side) -> None:
    """Look at a few of the frames that have changed since their faces were found, where most have.

    Raises:
        UserError: None of them shows its face.
    """
    with_faces = [job for job in jobs if job.shares]
    changed = [job for job in with_faces if job.faces[0].found_in]
    looked_at = [changed[index] for index in evenly(len(changed), LOOKED_AT)]
    if 2 * len(changed) <= len(with_faces) or any(shows_faces(job.source, job.faces) for job in looked_at):
        return
    names = console.listed([job.source.name for job in changed], NAMED)
    raise UserError(
        f"Not as when faces were found there: {len(changed)} of {console.counted(len(with_faces), 'frame')} ({names}). "
        "They show something else where the faces were.",
        "the frames of the extraction, also graded, or scaled as a whole.",
        f"put the old frames back, or search the changed frames again:{side.hint('extract')}",
    )


def count_masked_faces(plan: Sequence[Planned]) -> int:
    """Return how many faces have a readable mask of their own that is used."""
    used = [
        _carried(face, kind)
        for planned in plan
        for share in planned.job.shares
        for kind in OF_RECORDS.intersection(share.parameters.masks)
        for face in share.faces
    ]
    return sum(mask is not None and decode_mask(mask.text) is not None for mask in used)


def uses_records(planned: Planned) -> bool:
    """Whether the masks that records carry are asked for."""
    return any(OF_RECORDS.intersection(share.parameters.masks) for share in planned.job.shares)
