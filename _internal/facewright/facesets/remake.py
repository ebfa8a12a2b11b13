"""Cut all faces again, at another size or face type, from their frames."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import write_bytes
from facewright.core.images import Image, encode, read_image
from facewright.core.journal import Journal
from facewright.core.options import option
from facewright.core.png import set_text
from facewright.core.workers import cores, ordered_map, threads
from facewright.core.workspace import Side, Workspace
from facewright.extract.log import begin, read_searched
from facewright.faces.align import FaceType
from facewright.faces.faceset import FaceFile
from facewright.faces.record import KEYWORD, FaceRecord, load_face
from facewright.facesets.common import OldVersions, load_own
from facewright.facesets.recut import from_frame, from_picture, is_cut_as


@dataclass(frozen=True)
class RemakeOptions:
    """What the faces shall be."""

    face_type: str = option(
        "full",
        "How much of the head the pictures show from now on.",
        choices={
            "half": "from the brows to the chin",
            "full": "the whole face with some of its surroundings",
            "head": "the whole head",
            "avatar": "head and neck, always upright",
            "mark_only": "the whole frame, uncut",
        },
        ask="Face type",
    )
    size: int = option(256, "Side of an aligned picture in pixels.", low=64, high=1024, ask="Size in pixels")


@dataclass(frozen=True)
class Wish:
    """How a face shall be cut."""

    kind: FaceType
    size: int
    level_eyes: bool

    def holds(self, record: FaceRecord) -> bool:
        """Whether a face is so already."""
        return is_cut_as(record, self.kind, self.size, level_eyes=self.level_eyes)


@dataclass
class Made:
    """What became of the faces of one frame.

    Attributes:
        done: (file, its new bytes).
        from_pictures: How many of them came from the aligned picture.
        left: Files that could not be made, each with the reason.
    """

    done: list[tuple[Path, bytes]] = field(default_factory=list)
    from_pictures: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)


def remake(workspace: Workspace, side_name: str, options: RemakeOptions) -> None:
    """Cut all faces anew that are cut otherwise; a run that was stopped goes on.

    Raises:
        UserError: There are no faces, or the folder cannot be written.
    """
    side = workspace.side(side_name)
    settings = read_searched(side).settings or {}
    wish = Wish(FaceType(options.face_type), options.size, bool(settings.get("align_eyes")))
    faces = load_own(workspace, side).faces
    todo = [face for face in faces if not wish.holds(face.record)]
    old = OldVersions(workspace, [face.path for face in todo], "faceset --action remake")
    made, pictures, left = 0, 0, []
    for result in _work(side, todo, wish):
        for path, data in result.done:
            if not path.exists():  # deleted meanwhile
                continue
            old.keep(path)
            write_bytes(path, data)
            made += 1
        pictures += result.from_pictures
        left += result.left
    _tell_journal(side, wish)
    console.say(f"{made} faces made anew in {side.aligned_dir}: {wish.kind}, {wish.size} px.")
    if len(faces) > len(todo):
        console.say(f"{len(faces) - len(todo)} were so already.")
    if pictures:
        console.say(f"{pictures} of them come from the old aligned pictures, because their frames are gone.")
    if left:
        console.warn(f"{len(left)} faces stay as they are: {console.listed([name for name, _ in left])}.")
        console.warn(f"  The first: {left[0][1]}.")
        if not side.frames() and side.videos():
            console.warn("  There are no frames: take them out of the video, then run this again.")
    old.say()


def _work(side: Side, faces: list[FaceFile], wish: Wish) -> Iterator[Made]:
    """Make the faces of one frame after the other; each frame is read once."""
    frames = {path.name: path for path in side.frames()}
    changed = {path.name for path in read_searched(side).split(list(frames.values()))[1]}
    groups: dict[str, list[FaceFile]] = {}
    for face in faces:
        groups.setdefault(face.record.frame, []).append(face)

    def make(name: str) -> Made:
        return _make(frames.get(name) if name not in changed else None, groups[name], wish)

    with threads(cores()) as pool:
        results = ordered_map(make, sorted(groups), pool, ahead=cores() + 1)
        yield from console.progress(results, total=len(groups), title="Faces", unit="frames")


def _make(frame: Path | None, faces: list[FaceFile], wish: Wish) -> Made:
    made = Made()
    picture = None
    if frame is not None:
        try:
            picture = read_image(frame)
        except UserError:
            picture = None
    for face in faces:
        if picture is not None:
            new: tuple[Image, FaceRecord] | None = from_frame(
                picture, face.record, wish.kind, wish.size, level_eyes=wish.level_eyes
            )
        else:
            try:
                new = from_picture(*load_face(face.path), wish.kind, wish.size, level_eyes=wish.level_eyes)
            except UserError as problem:
                made.left.append((face.path.name, problem.happened.rstrip(".")))
                continue
            made.from_pictures += new is not None
        if new is None:
            reason = f"{face.record.frame} is gone or has changed, and the old picture does not show all of {wish.kind}"
            made.left.append((face.path.name, reason))
        else:
            made.done.append((face.path, set_text(encode(new[0]), KEYWORD, new[1].to_json())))
    return made


def _tell_journal(side: Side, wish: Wish) -> None:
    """Note the new settings, so that the next extraction goes on with them."""
    settings = read_searched(side).settings
    new = None if settings is None else {**settings, "face_type": str(wish.kind), "size": wish.size}
    if new is not None and new != settings:
        with Journal(side.extract_journal) as journal:
            begin(journal, new)
