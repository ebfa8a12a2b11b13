"""Cut all faces again, at another size or face type, from their frames."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import write_bytes
from facewright.core.images import Image, encode, read_image
from facewright.core.machine import cores
from facewright.core.options import option
from facewright.core.png import set_text
from facewright.core.workers import ordered_map
from facewright.core.workspace import Side, Workspace
from facewright.extract.log import ExtractionLog
from facewright.faces.align import FaceType
from facewright.faces.faceset import FaceFile
from facewright.faces.record import KEYWORD, FaceRecord, load_face
from facewright.facesets.common import OldVersions, load_side_faces
from facewright.facesets.recut import from_aligned_image, from_frame, is_cut_as


@dataclass(frozen=True)
class RemakeOptions:
    """How the faces are to be cut."""

    face_type: str = option(
        "full",
        "How much of the head the aligned images show from now on.",
        choices={
            "half": "from the brows to the chin",
            "full": "the whole face with some of its surroundings",
            "head": "the whole head",
            "avatar": "head and neck, always upright",
            "mark_only": "the whole frame, uncut",
        },
        ask="Face type",
    )
    size: int = option(256, "Side of an aligned image in pixels.", low=64, high=1024, ask="Size in pixels")


@dataclass(frozen=True)
class Cut:
    """How a face is to be cut out of its frame."""

    kind: FaceType
    size: int
    level_eyes: bool

    def matches(self, record: FaceRecord) -> bool:
        """Whether a face is cut like this already."""
        return is_cut_as(record, self.kind, self.size, level_eyes=self.level_eyes)


@dataclass
class FrameResult:
    """The faces of one frame, cut again.

    Attributes:
        done: (file, its new bytes).
        from_aligned: How many of them were cut from the old aligned image.
        left: Files that stay as they are, each with the reason.
    """

    done: list[tuple[Path, bytes]] = field(default_factory=list)
    from_aligned: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)


def remake(workspace: Workspace, side_name: str, options: RemakeOptions, executor: Executor) -> None:
    """Cut all faces again that are cut in another way; a run that was stopped goes on.

    Raises:
        UserError: There are no faces, or the folder cannot be written.
    """
    side = workspace.side(side_name)
    log = ExtractionLog.read(side)
    settings = log.settings or {}
    cut = Cut(FaceType(options.face_type), options.size, bool(settings.get("align_eyes")))
    faces = load_side_faces(workspace, side).faces
    todo = [face for face in faces if not cut.matches(face.record)]
    old = OldVersions(workspace, [face.path for face in todo], "faceset --action remake")
    made, from_aligned, left = 0, 0, []
    for result in _cut_frames(side, log, todo, cut, executor):
        for path, data in result.done:
            if not path.exists():  # deleted meanwhile
                continue
            old.keep(path)
            write_bytes(path, data)
            made += 1
        from_aligned += result.from_aligned
        left += result.left
    _update_journal(log, cut)
    console.say(f"{console.counted(made, 'face')} cut again in {side.aligned_dir}: {cut.kind}, {cut.size} px.")
    if len(faces) > len(todo):
        console.say(f"{len(faces) - len(todo)} were cut like this already.")
    if from_aligned:
        console.say(f"{from_aligned} of them are cut from the old aligned images, because their frames are gone.")
    if left:
        console.warn(
            f"{console.counted(len(left), 'face')} left as before: {console.listed([name for name, _ in left])}."
        )
        console.warn(f"  The first: {left[0][1]}.")
        if not side.frames() and side.videos():
            console.warn("  There are no frames: take them out of the video, then run this again.")
    old.report()


def _cut_frames(
    side: Side, log: ExtractionLog, faces: list[FaceFile], cut: Cut, executor: Executor
) -> Iterator[FrameResult]:
    """Make the faces of one frame after the other; each frame is read once."""
    frames = {path.name: path for path in side.frames()}
    changed = {path.name for path in log.split(list(frames.values()))[1]}
    groups: dict[str, list[FaceFile]] = {}
    for face in faces:
        groups.setdefault(face.record.frame, []).append(face)

    def make(name: str) -> FrameResult:
        return _make(frames.get(name) if name not in changed else None, groups[name], cut)

    results = ordered_map(make, sorted(groups), executor, ahead=cores() + 1)
    yield from console.progress(results, total=len(groups), title="Faces", unit="frames")


def _make(frame: Path | None, faces: list[FaceFile], cut: Cut) -> FrameResult:
    made = FrameResult()
    image = None
    if frame is not None:
        with contextlib.suppress(UserError):
            image = read_image(frame)
    for face in faces:
        if image is not None:
            new: tuple[Image, FaceRecord] | None = from_frame(
                image, face.record, cut.kind, cut.size, level_eyes=cut.level_eyes
            )
        else:
            try:
                new = from_aligned_image(*load_face(face.path), cut.kind, cut.size, level_eyes=cut.level_eyes)
            except UserError as problem:
                made.left.append((face.path.name, problem.happened.rstrip(".")))
                continue
            made.from_aligned += new is not None
        if new is None:
            reason = f"{face.record.frame} is gone or has changed, and the old image does not show all of {cut.kind}"
            made.left.append((face.path.name, reason))
        else:
            made.done.append((face.path, set_text(encode(new[0]), KEYWORD, new[1].to_json())))
    return made


def _update_journal(log: ExtractionLog, cut: Cut) -> None:
    """Note the new settings, so that the next extraction goes on with them."""
    settings = log.settings
    new = None if settings is None else {**settings, "face_type": str(cut.kind), "size": cut.size}
    if new is not None and new != settings:
        with log.writing():
            log.begin(new)
