"""A review: the faces of all frames measured and judged, and the frames put into an order, the worst first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from facewright.convert.every_face import faces_side
from facewright.convert.last_run import same_options
from facewright.convert.plan import Job
from facewright.core.contents import Contents
from facewright.core.workspace import Side, Workspace
from facewright.extract.verdict import open_by_name
from facewright.faces.faceset import load_faceset
from facewright.faces.tracks import Sighting
from facewright.review.chains import Chain, find_chains
from facewright.review.clip import Clip, clip_of, open_clip
from facewright.review.decisions import faded_frames
from facewright.review.findings import LOST, ChainFaces, Finding, FindingKind, chain_findings
from facewright.review.looking import LookingModels, MeasuredFaces, frame_key, measure_frames
from facewright.review.measuring import FaceMeasures
from facewright.review.ranking import FrameScore, frame_scores
from facewright.review.report import read_review, write_review

MOSTLY = 0.9  # of the faces of a chain
PLACING = (FindingKind.MISSING, FindingKind.LANDMARKS)


@dataclass(frozen=True, eq=False)
class Review:
    """What was found.

    Attributes:
        clip: The frames.
        scores: One for each frame, in order; where somebody found it right, or faded it to dst, there are no findings.
        keys: Name of a converted frame -> what it is like now.
        fine: Name of a frame that somebody found right -> what it was like then.
    """

    clip: Clip
    scores: Sequence[FrameScore]
    keys: Mapping[str, str]
    fine: Mapping[str, str]


def review(workspace: Workspace, models: LookingModels) -> Review:
    """Look at the converted frames of dst, and write what needs a look to review.json.

    What was measured before is not measured again.

    Raises:
        UserError: No frames, none converted, a library is missing, or the disk is full.
    """
    contents, fine = Contents(workspace.root), read_review(workspace).fine
    with workspace.lock("data_dst"):
        clip = open_clip(workspace, contents)
        measures = measure_frames(workspace.dst, clip.frames, models, contents)
        keys = {frame.path.name: frame_key(frame, contents) for frame in clip.frames if frame.result}
        still = {name: key for name, key in fine.items() if keys.get(name) == key}
        settled = still.keys() | faded_frames(workspace, [frame.path.name for frame in clip.frames])
        known = told_by_extraction(faces_side(workspace.dst, same_options(workspace)))
        scores = [replace(one, findings=()) if one.name in settled else one for one in judge(clip, measures, known)]
        write_review(workspace, scores, still)
    return Review(clip, scores, keys, still)


def glance(jobs: Sequence[Job], side: Side | None = None) -> list[FrameScore]:
    """Return the scores of what was just converted, by where its faces lie alone: no image is read.

    Args:
        jobs: Of all frames, in order.
        side: Whose faces they are, to be asked what the extraction says of them; None: nothing is known of that.
    """
    return judge(clip_of(jobs), {}, told_by_extraction(side) if side else None)


def told_by_extraction(side: Side) -> dict[str, list[Finding]] | None:
    """Return what the verdict of the extraction says of the faces of each frame; None where there was none."""
    known = open_by_name(side, load_faceset(side.aligned_dir))
    if known is None:
        return None
    found = {}
    for name, one in known.items():
        in_faces = {reason for reasons in one.faces.values() for reason in reasons}
        kinds = [FindingKind.LANDMARKS if reason in in_faces else FindingKind.MISSING for reason in one.reasons]
        found[name] = [Finding(kind, one.severity, words) for kind, words in zip(kinds, one.reasons, strict=True)]
    return found


def judge(
    clip: Clip, measures: Mapping[str, MeasuredFaces], told: Mapping[str, Sequence[Finding]] | None = None
) -> list[FrameScore]:
    """Return a score for each frame, in order.

    Args:
        clip: The frames.
        measures: Of the faces of each frame, by its name; none: only their records are judged.
        told: What is known of where the faces of a frame lie, by its name: it stands for what is seen here of that;
            None where there was no extraction.
    """
    sightings, places = clip.sightings()
    found: dict[int, list[Finding]] = {}
    judged = []
    for chain in find_chains(sightings):
        own = [places[index] for index in chain.faces]
        faces = _chain_faces(clip, chain, sightings, own, measures)
        judged.append((own, chain_findings(faces, clip.src_poses, clip.src_embeddings)))
        for time in chain.missing:
            words = "no face here, but in the frames before and after"
            found.setdefault(time, []).append(Finding(FindingKind.MISSING, LOST, words))
    replaced = [not _left_alone(findings) for _, findings in judged]
    for (own, findings), was_replaced in zip(judged, replaced, strict=True):
        for (time, _), some in zip(own, findings, strict=True):
            # Somebody beside others who are replaced is left alone on purpose.
            found.setdefault(time, []).extend(some if was_replaced or not any(replaced) else ())
    for time, frame in enumerate(clip.frames if told is not None else ()):
        others = [one for one in found.get(time, ()) if one.kind not in PLACING]
        found[time] = [*(told or {}).get(frame.path.name, ()), *others]
    shown = {time: some for time, some in found.items() if clip.frames[time].result is not None}
    return frame_scores([frame.path.name for frame in clip.frames], shown)


def _left_alone(findings: Sequence[Sequence[Finding]]) -> bool:
    untouched = [any(one.kind is FindingKind.UNTOUCHED for one in some) for some in findings]
    return sum(untouched) >= MOSTLY * len(untouched)


def _chain_faces(
    clip: Clip,
    chain: Chain,
    sightings: Sequence[Sighting],
    own: Sequence[tuple[int, int]],
    measures: Mapping[str, MeasuredFaces],
) -> ChainFaces:
    frames = [(clip.frames[time], number) for time, number in own]
    return ChainFaces(
        times=np.array([time for time, _ in own]),
        points=np.array([sightings[index].points for index in chain.faces], np.float64),
        poses=np.array([frame.known[number].pose for frame, number in frames], np.float64),
        jumped=np.array([index in chain.jumped for index in chain.faces]),
        measures=[_one(measures.get(frame.path.name), number) for frame, number in frames],
    )


def _one(measures: MeasuredFaces | None, number: int) -> FaceMeasures | None:
    return None if measures is None else measures[number]
