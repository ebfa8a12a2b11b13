"""Search the frames without a face again, with other detectors and a finer eye; name what is left to look at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import make_folder
from facewright.core.journal import Journal
from facewright.core.options import option
from facewright.core.workspace import Side, Workspace
from facewright.detect.base import make_detector
from facewright.detect.extraction import FaceWriter, extract
from facewright.detect.landmarks import Landmarker
from facewright.detect.search import Look
from facewright.detect.searched import Searched, frames_to_search, note, read_searched
from facewright.faces.align import FaceType
from facewright.faces.faceset import load_faceset

COMMAND = "fix"


@dataclass(frozen=True)
class Options:
    """What can be chosen."""

    side: str = option(
        "dst",
        "Whose frames are looked at.",
        choices={"src": "data_src, the face that is put in", "dst": "data_dst, the video that is changed"},
        remember=False,
    )
    slow: bool = option(
        False,
        "Also try dlib's large network where all else found nothing: 1 to 15 seconds per frame without a card.",
        ask="Try the slow network too",
    )


@dataclass(frozen=True)
class Pass:
    """One more search: a detector at its most sensitive, in the frame enlarged `zoom` times."""

    detector: str
    zoom: float

    @property
    def name(self) -> str:
        """As it stands in the journal."""
        return f"{self.detector} x{self.zoom:g}"


QUICK = (Pass("mtcnn", 1.0), Pass("mtcnn", 2.0), Pass("dlib-hog", 1.0), Pass("dlib-hog", 2.0))
SLOW = (Pass("dlib-cnn", 1.0),)


def run(workspace: Workspace, options: Options) -> None:
    """Search again and report.

    Raises:
        UserError: The faces were never extracted.
    """
    side = workspace.side(options.side)
    console.heading(f"Frames of {side.name} that need a look")
    with workspace.lock(side.name):
        frames = frames_to_search(side)
        searched = read_searched(side)
        if searched.settings is None:
            raise UserError(
                f"The faces of {side.name} were not extracted yet.",
                "an earlier run of the extraction, whose gaps are filled here.",
                f"run {side.extractor} first.",
            )
        before = _faceless(searched, frames)
        found = _search(workspace, side, searched, before, (*QUICK, *SLOW) if options.slow else QUICK)
        _report(side, frames, found)


def _faceless(searched: Searched, frames: Sequence[Path]) -> list[Path]:
    names = set(searched.faceless())
    return [path for path in frames if path.name in names]


def _search(
    workspace: Workspace, side: Side, searched: Searched, faceless: Sequence[Path], passes: Sequence[Pass]
) -> dict[str, list[str]]:
    """Run the passes that a frame has not seen yet; return frame name -> files of its new faces."""
    found: dict[str, list[str]] = {}
    tried = {path: str(searched.entries[path.name].get("tried", "")).split(",") for path in faceless}
    if not any(_waiting(tried, one, found) for one in passes):
        return found
    settings = searched.settings or {}
    make_folder(side.aligned_dir)
    landmarker = Landmarker()
    with Journal(side.extract_journal) as journal:
        for one in passes:
            waiting = _waiting(tried, one, found)
            if not waiting:
                continue
            detector = make_detector(one.detector, sensitive=True)
            writer = FaceWriter(
                side.aligned_dir,
                workspace.trash,
                detector,
                landmarker,
                FaceType(str(settings["face_type"])),
                int(settings["size"]),
                side.debug_dir if side.debug_dir.is_dir() else None,
            )
            outcomes = extract(waiting, detector, writer, Look(zoom=one.zoom))
            for outcome in console.progress(outcomes, total=len(waiting), title=one.name, unit="frames"):
                tried[outcome.path].append(one.name)
                note(journal, outcome, settings, tried=",".join(filter(None, tried[outcome.path])))
                if outcome.faces:
                    found[outcome.path.name] = outcome.faces
    return found


def _waiting(tried: dict[Path, list[str]], one: Pass, found: dict[str, list[str]]) -> list[Path]:
    return [path for path, names in tried.items() if one.name not in names and path.name not in found]


def _report(side: Side, frames: Sequence[Path], found: dict[str, list[str]]) -> None:
    for line in _lines(side, frames, found):
        console.say(line)


def _lines(side: Side, frames: Sequence[Path], found: dict[str, list[str]]) -> Iterator[str]:
    searched = read_searched(side)
    if found:
        files = [name for names in found.values() for name in names]
        yield f"Faces found in frames that had none: {len(files)} ({console.listed(files)})."
        yield f"  Look at them in {side.aligned_dir}: a search this keen also takes other things for faces."
    left = [path.name for path in _faceless(searched, frames)]
    if left:
        yield f"Frames still without a face: {len(left)} ({console.listed(left)}). Conversion leaves them as they are."
    faces = load_faceset(side.aligned()).by_frame()
    crowded = [path.name for path in frames if len(faces.get(path.stem, [])) > 1]
    if crowded:
        yield f"Frames with several faces: {len(crowded)} ({console.listed(crowded)})."
        yield f"  Delete from {side.aligned_dir} the faces of people who are not meant."
    empty = {path.name for path in frames if path.stem not in faces} - set(left)
    deleted = sorted(empty & set(searched.entries))
    if deleted:
        yield f"Frames whose faces were deleted: {len(deleted)} ({console.listed(deleted)}). They are left alone."
    new, changed = searched.split(frames)
    if new or changed:
        yield f"Frames not searched yet: {len(new) + len(changed)}. Run {side.extractor} again."
    if not (found or left or crowded or deleted or new or changed):
        yield "Every frame has exactly one face."
    following = {"data_src": "5_dst_extract_faces", "data_dst": "6_train"}
    yield f"Next: {side.extractor if new or changed else following[side.name]}."
