"""What a result is held against: the frames of dst, and the faces in them that were to be replaced."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facewright.convert.every_face import faces_side
from facewright.convert.last_run import same_options
from facewright.convert.selection import parse_cast
from facewright.convert.session import find_faces
from facewright.core import console
from facewright.core.contents import Contents
from facewright.core.errors import UserError
from facewright.core.workspace import Side, Workspace
from facewright.faces.faceset import FaceFile, load_faceset
from facewright.faces.tracks import Sighting, join_tracks
from facewright.models.people import parse_more_src, split_name
from facewright.nn.saved_models import read_model_info


@dataclass(frozen=True, eq=False)
class EvaluatedFace:
    """A face of dst.

    Attributes:
        frame: Index of its frame, from 0.
        number: Its number within the frame, from 0.
        points: (68, 2) landmarks in the frame, as the conversion took them.
        person: Number of the person; None where faces were not compared.
        track: Number of its track through the frames, from 0.
    """

    frame: int
    number: int
    points: NDArray[np.float32]
    person: int | None
    track: int = 0


@dataclass(frozen=True, eq=False)
class Subject:
    """All of dst.

    Attributes:
        side: Its paths.
        frames: Its frames, one per name without the ending, in order.
        faces: Its faces, in order of the frames.
        changed: Frames that are others now than when their faces were found, and are left out.
    """

    side: Side
    frames: Sequence[Path]
    faces: Sequence[EvaluatedFace]
    changed: int = 0

    @cached_property
    def of_frame(self) -> dict[int, list[EvaluatedFace]]:
        """Return the faces by the index of their frame."""
        groups: dict[int, list[EvaluatedFace]] = {}
        for face in self.faces:
            groups.setdefault(face.frame, []).append(face)
        return groups


def read_subject(workspace: Workspace, contents: Contents, person: int = 0) -> Subject:
    """Read the faces of dst as the conversion does.

    Args:
        workspace: The project.
        contents: Its contents.
        person: Number of the person whose faces count; 0 takes all faces.

    Raises:
        UserError: There are no frames, no faces, or none of that person.
    """
    side = faces_side(workspace.dst, same_options(workspace))
    frames, matched, _ = find_faces(side, contents)
    index = {frame.stem: number for number, frame in enumerate(frames)}
    found = [
        EvaluatedFace(index[stem], number, face.record.frame_landmarks, face.record.person)
        for stem, faces in matched.groups.items()
        if stem in index and stem not in matched.changed
        for number, face in enumerate(faces)
        if person in (0, face.record.person)
    ]
    if not found:
        raise UserError(
            f"There is no face of person {person} in {side.aligned_dir}."
            if person
            else f"No face in {side.aligned_dir} belongs to a frame in {side.frames_dir}.",
            "faces of dst that were to be replaced.",
            f"see who is there:{side.hint('keep')}" if person else f"search the frames again:{side.hint('extract')}",
        )
    faces = sorted(found, key=lambda face: (face.frame, face.number))
    return Subject(side, frames, _with_tracks(faces), len(matched.changed))


def src_faces(workspace: Workspace, person: int = 0) -> Sequence[FaceFile]:
    """Return the faces of whom the last conversion put in: src's, or those of another of its people.

    Args:
        workspace: The project.
        person: As in `read_subject`: another person may have got another model.
    """
    last = same_options(workspace)
    name, who = split_name(parse_cast(last.cast).get(person, last.model))
    if who:
        settings = read_model_info(workspace.model_dir, name).state.get("settings", {})
        with suppress(UserError):
            folder = parse_more_src(str(settings.get("more_src", ""))).get(who)
            if folder and (faces := load_faceset(folder).faces):
                console.say(f"The last conversion put in {who}: src is who lies in {folder}.")
                return faces
        console.warn(
            f"The last conversion put in {who}, whose faces are not where the model {name} learned them: src is who "
            f"lies in {workspace.src.aligned_dir}."
        )
    return load_faceset(workspace.src.aligned_dir).faces


def _with_tracks(faces: Sequence[EvaluatedFace]) -> list[EvaluatedFace]:
    tracks = join_tracks([Sighting(face.frame, face.points, face.person) for face in faces])
    number = {index: track for track, indices in enumerate(tracks) for index in indices}
    return [
        EvaluatedFace(face.frame, face.number, face.points, face.person, number[index])
        for index, face in enumerate(faces)
    ]
