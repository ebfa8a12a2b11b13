"""What an extraction did, and what it says at its end."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import natural
from facewright.core.hints import hint
from facewright.core.left_out import no_faces
from facewright.core.workspace import Side
from facewright.extract.log import ExtractionLog
from facewright.extract.pipeline import ExtractedFrame
from facewright.faces.faceset import FaceIndex, load_faceset
from facewright.faces.landmarkers import landmarkers_of


def say_next(side: Side, faces: FaceIndex, others: FaceIndex | None = None) -> None:
    """Say what comes after the faces of a side: first those of the other one, where another landmarker found them.

    Args:
        side: Whose.
        faces: All of it.
        others: All of the other side; None reads them.
    """
    other = side.other
    own = landmarkers_of(face.record for face in faces.faces)
    found: Counter[str] = Counter()
    if other.extract_journal.exists():
        there = load_faceset(other.aligned_dir) if others is None else others
        found = landmarkers_of(face.record for face in there.faces)
    foreign = Counter({one: count for one, count in found.items() if one not in own})
    if own and foreign:
        name, old = own.most_common(1)[0][0], foreign.most_common(1)[0][0]
        part = "" if len(found) == len(foreign) else f" of {console.counted(foreign[old], 'face')}"
        console.say(
            f"The landmarks{part} of {other.name} are those of {old}, these of {name}. Next, the faces of "
            f"{other.name} by {name}; the old ones move to the trash folder:"
            f"{other.hint('extract --redo', '--landmarker', name)}"
        )
    elif side.short == "src":
        console.say(f"Next, the faces of data_dst:{hint('extract --side dst')}")
    else:
        console.say(f"Next, train:{hint('train')}")


@dataclass
class ExtractionReport:
    """What happened.

    Attributes:
        side: The side.
        before: How many frames needed no search.
        straight: Whether the frames came straight from the video.
        frames, faces: How many frames were searched, and how many faces were saved.
        rejections: Reason -> how many faces were left out for it.
        blurred: How many faces were saved in the folder for blurred ones.
        gone: Names of the frames that are no longer there.
        unreadable: What is wrong with frames that could not be read.
        empty: Names of the frames that have no face after the run.
        problem: What is to be complained of in the end: frames or a video that could not be read.
    """

    side: Side
    before: int = 0
    straight: bool = False
    frames: int = 0
    faces: int = 0
    rejections: Counter[str] = field(default_factory=Counter)
    blurred: int = 0
    gone: list[str] = field(default_factory=list)
    unreadable: list[UserError] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    problem: UserError | None = None
    rotated: bool = False

    def count(self, result: ExtractedFrame) -> None:
        """Add a frame."""
        if result.gone:
            self.gone.append(result.path.name)
        elif result.problem is not None:
            self.unreadable.append(result.problem)
        else:
            self.frames += 1
            self.faces += len(result.faces)
            # What stands behind a colon is this face's own figure.
            self.rejections.update(rejection.reason.split(":")[0] for rejection in result.rejections)
            self.blurred += sum(rejection.folder is not None for rejection in result.rejections)

    def finish(self, log: ExtractionLog, present: Collection[str], *, damage: UserError | None) -> None:
        """Add what is known at the end.

        Args:
            log: The journal after the run.
            present: Names of the frames that are there.
            damage: What was wrong with the source as a whole.
        """
        self.empty = [frame for frame in log.faceless() if frame in present]
        self.rotated = all(log.entries[frame].get("turns") for frame in self.empty)
        self.gone = sorted({*(frame for frame in log.entries if frame not in present), *self.gone}, key=natural)
        self.problem = _unreadable(self.unreadable) if self.unreadable else damage

    def say(self) -> None:
        """Say what was done and what was not."""
        side = self.side
        if self.before:
            console.say(f"Frames that needed no search: {self.before}.")
        console.say(f"Frames searched: {self.frames}. Faces saved: {self.faces}, in {side.aligned_dir}.")
        if self.rejections:
            reasons = ", ".join(f"{reason}: {count}" for reason, count in self.rejections.most_common())
            console.say(f"Faces left out: {self.rejections.total()} ({reasons}).")
        if self.blurred:
            console.say(f"  Those that are blurred are in {side.blurry_dir}; move back what you want to keep.")
        if self.rejections and not side.aligned():
            console.warn("No face is left: loosen what leaves them out (--debug shows it), with --redo.")
        elif self.before and not side.aligned():
            problem = no_faces(side, "")
            console.warn(f"{problem.happened} To have some, {problem.fix}")
        if self.empty:
            console.say(f"Frames without a face: {len(self.empty)} ({console.listed(self.empty)}).")
            console.say(f"  {self._second_search()}")
        if self.gone:
            frames = console.listed(self.gone)
            console.say(f"Frames that are no longer there: {len(self.gone)} ({frames}). Their faces stay.")

    def _second_search(self) -> str:
        """Say what else can be tried in frames without a face."""
        first = "take the frames out, then " if self.straight else ""
        lines = (self.side.hint("extract-frames") if self.straight else "") + self.side.hint("fix")
        turned = "" if self.rotated else " (or extract with --rotate on)"
        return f"To search them again, {first}look for them at lower thresholds{turned}:{lines}"


def _unreadable(problems: Sequence[UserError]) -> UserError:
    first = problems[0]
    if len(problems) == 1:
        return UserError(f"All other frames are done, but: {first.happened}", first.expected, first.fix)
    names = console.listed([problem.happened.split(" ")[0] for problem in problems])
    return UserError(
        f"All other frames are done. No images: {console.counted(len(problems), 'file')} ({names}).",
        first.expected,
        first.fix,
    )
