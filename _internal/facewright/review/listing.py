"""A review in a person's hands: the list, what is shown of a frame, and what was decided; for window and page alike."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum

import numpy as np

from facewright.convert.last_run import check_repeatable, same_options
from facewright.convert.launch import preview_session
from facewright.convert.parameters import ConvertOptions
from facewright.convert.preview_session import PreviewSession
from facewright.convert.session import Models as ModelSource
from facewright.convert.session import convert
from facewright.core import console
from facewright.core.hints import hints_of
from facewright.core.images import Image
from facewright.core.options import Value, show
from facewright.core.workspace import Workspace
from facewright.review.decisions import OPACITY, Decisions
from facewright.review.looking import LookingModels
from facewright.review.ranking import FrameScore, worst_first
from facewright.review.report import write_review
from facewright.review.session import Review, review
from facewright.review.sheet import look_at
from facewright.ui.contact_sheet import fit

TrainedModels = Callable[[ConvertOptions], ModelSource]  # where the models of a conversion come from

CLOSE_UP_PX = 640
LONGEST_LIST = 500
FEW = 60  # frames are listed, where so many have anything to see


class ReviewView(StrEnum):
    """What is shown of a frame."""

    AFTER = "after"
    BEFORE = "before"
    BESIDE = "beside"


class ReviewList:
    """The frames of a review, the worst first, and the decisions about them.

    Args:
        workspace: The project.
        found: What the review found.

    Attributes:
        listed: The frames to go through, the worst first.
        found: The newest review.
        decided: What was decided, in words, by the name of the frame.
        round: Goes up with every newer review.
    """

    def __init__(self, workspace: Workspace, found: Review) -> None:
        self._workspace = workspace
        self.round = 0
        self._loaded: tuple[tuple[str, ...], ModelSource] | None = None
        self.show(found)

    def show(self, found: Review) -> None:
        """Go on with a newer review."""
        self.found, self.round = found, self.round + 1
        ordered = worst_first(found.scores)
        needing = sum(one.needs_a_look for one in ordered)
        self.listed: list[FrameScore] = ordered[: min(max(needing, FEW), LONGEST_LIST)]
        names = tuple(frame.path.name for frame in found.clip.frames)
        self.decisions = Decisions(self._workspace, names, found.keys, found.fine)
        self._placed: set[str] = set()
        self.decided = self._decided()

    def image(self, index: int, view: ReviewView, *, close_up: bool) -> Image:
        """Return a frame as it is to be shown, (h, w, 3) uint8 BGR.

        Args:
            index: Its place among all frames.
            view: The result, dst's frame, or both beside each other.
            close_up: Its face alone, 640 px.
        """
        pair = look_at(self.found.clip, index, close_up=CLOSE_UP_PX if close_up else 0)
        if view is not ReviewView.BESIDE:
            return pair.before if view is ReviewView.BEFORE else pair.after
        size = pair.before.shape[0], pair.before.shape[1]
        return np.hstack([fit(image, size) for image in (pair.before, pair.after)])

    def decide(self, what: str, index: int) -> None:
        """Do what a person decided about a frame.

        Args:
            what: keep, fade, fine or undo.
            index: Its place among all frames.

        Raises:
            KeyError: There is no such decision.
            UserError: It could not be kept.
        """
        decisions = self.decisions
        doing: Mapping[str, Callable[[int], object]] = {
            "keep": decisions.keep_original,
            "fade": decisions.fade,
            "fine": decisions.accept,
            "undo": lambda _: decisions.undo(),
        }
        doing[what](index)
        self.decided = self._decided()
        write_review(self._workspace, self._open_scores(), decisions.fine)

    def placed(self, name: str) -> None:
        """Note that a frame has other landmarks now."""
        self._placed.add(name)
        self.decided = self._decided()

    @contextmanager
    def previewing(self, trained: TrainedModels) -> Iterator[tuple[PreviewSession, str]]:
        """Open the preview of the conversion; see `facewright.convert.launch.preview_session`."""
        marks = {one.name: ", ".join(one.kinds) for one in self.found.scores if one.needs_a_look}
        with hints_of(self._workspace.root, ("convert",)):
            check_repeatable(self._workspace)
            options = same_options(self._workspace)
            with preview_session(self._workspace, options, self._source(trained, options), marks) as opened:
                yield opened

    def refresh(self, models: LookingModels, *, anew: bool) -> None:
        """See what was decided elsewhere; `anew`: review the frames again, for they were made again."""
        if anew:
            self.show(review(self._workspace, models))
        else:
            self.decided = self._decided()

    def convert(self, trained: TrainedModels, models: LookingModels) -> int:
        """Make the frames again whose settings or faces have changed, and review them; return how many.

        Raises:
            UserError: As the conversion says.
        """
        console.heading("Converting the changed frames")
        with hints_of(self._workspace.root, ("convert",)):
            check_repeatable(self._workspace)
            options = same_options(self._workspace)
            report = convert(self._workspace, options, self._source(trained, options))
        console.say(f"Made again: {console.counted(report.written, 'frame')}.")
        self.show(review(self._workspace, models))
        return report.written

    def _source(self, trained: TrainedModels, options: ConvertOptions) -> ModelSource:
        """Return where models come from; one that was loaded stays as long as the options name the same."""
        named = options.model, options.cast, options.engine, options.provider
        if self._loaded is None or self._loaded[0] != named:
            self._loaded = named, trained(options)
        return self._loaded[1]

    def _decided(self) -> dict[str, str]:
        own = {name: _in_words(values) for name, values in self.decisions.own_values().items()}
        placed = dict.fromkeys(self._placed, "other landmarks")
        return own | placed | dict.fromkeys(self.decisions.fine, "fine as it is")

    def _open_scores(self) -> list[FrameScore]:
        fine = self.decisions.fine
        return [FrameScore(one.index, one.name) if one.name in fine else one for one in self.found.scores]


def _in_words(values: Mapping[str, Value]) -> str:
    if set(values) == {OPACITY}:
        return "keeps dst's face" if values[OPACITY] == 0 else f"fades: opacity {values[OPACITY]}"
    return "settings of its own: " + ", ".join(f"{name} {show(value)}" for name, value in values.items())
