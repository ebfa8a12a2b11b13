"""What an extraction says at its end."""

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, field

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.workspace import Side
from facewright.extract.log import Searched
from facewright.extract.pipeline import Outcome


@dataclass
class Tally:
    """What happened so far."""

    frames: int = 0
    faces: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    aside: int = 0
    gone: list[str] = field(default_factory=list)
    unreadable: list[UserError] = field(default_factory=list)

    def count(self, outcome: Outcome) -> None:
        """Add a frame."""
        if outcome.gone:
            self.gone.append(outcome.path.name)
        elif outcome.problem is not None:
            self.unreadable.append(outcome.problem)
        else:
            self.frames += 1
            self.faces += len(outcome.faces)
            # What stands behind a colon is this face's own figure.
            self.dropped.update(dropped.why.split(":")[0] for dropped in outcome.dropped)
            self.aside += sum(dropped.folder is not None for dropped in outcome.dropped)

    def report(
        self,
        side: Side,
        searched: Searched,
        present: Container[str],
        *,
        before: int,
        following: str,
        straight: bool = False,
    ) -> None:
        """Say what was done, what was not, and what comes next.

        Args:
            side: The side.
            searched: The journal after the run.
            present: Names of the frames that are there.
            before: How many of them needed no search.
            following: The script to run next.
            straight: Whether the frames came straight from the video.
        """
        if before:
            console.say(f"Frames that needed no search: {before}.")
        console.say(f"Frames searched: {self.frames}. Faces saved: {self.faces}, in {side.aligned_dir}.")
        if self.dropped:
            reasons = ", ".join(f"{why}: {count}" for why, count in self.dropped.most_common())
            console.say(f"Faces left out: {self.dropped.total()} ({reasons}).")
        if self.aside:
            console.say(f"  Those that are blurred are in {side.blurry_dir}; move back what you want to keep.")
        if self.dropped and not side.aligned():
            console.warn("No face is left: loosen what leaves them out (--debug shows it), with --redo.")
        empty = [frame for frame in searched.faceless() if frame in present]
        if empty:
            console.say(f"Frames without a face: {len(empty)} ({console.listed(empty)}).")
            console.say(f"  {_again(side, searched, empty, straight)}.")
        gone = sorted({*(frame for frame in searched.entries if frame not in present), *self.gone})
        if gone:
            console.say(f"Frames that are no longer there: {len(gone)} ({console.listed(gone)}). Their faces stay.")
        console.say(f"Next: {following}.")

    def problem(self) -> UserError | None:
        """Return what to complain of: files that are no pictures."""
        return _unreadable(self.unreadable) if self.unreadable else None


def _again(side: Side, searched: Searched, empty: Sequence[str], straight: bool) -> str:
    """Say what else can be tried in frames without a face."""
    fixing = "5.3_dst_fix_faces" if side.name == "data_dst" else "main.py fix --side src"
    turned = all(searched.entries[frame].get("turns") for frame in empty)
    first = ", after 2_extract_png_from_src" if straight else ""
    return f"{fixing} searches them again{first}{'' if turned else '; so does --rotate on'}"


def _unreadable(problems: Sequence[UserError]) -> UserError:
    first = problems[0]
    if len(problems) == 1:
        return UserError(f"All other frames are done, but: {first.happened}", first.expected, first.fix)
    names = console.listed([problem.happened.split(" ")[0] for problem in problems])
    return UserError(
        f"All other frames are done, but {len(problems)} files are no pictures: {names}.", first.expected, first.fix
    )
