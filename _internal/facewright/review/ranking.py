"""From findings to an order: one score for each frame, the worst first, and each place once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from facewright.review.findings import Finding, FindingKind

NEEDS_A_LOOK = 1.0
GAP = 3  # frames without the fault that do not end the place where it is


@dataclass(frozen=True)
class FrameScore:
    """How much a frame needs a look.

    Attributes:
        index: Its place among the frames, from 0.
        name: Its file's name.
        findings: What may be wrong, the worst first; none: nothing.
    """

    index: int
    name: str
    findings: tuple[Finding, ...] = ()

    @property
    def score(self) -> float:
        """The severity of the worst; 0 and more, from 1 on it needs a look."""
        return self.findings[0].severity if self.findings else 0.0

    @property
    def kind(self) -> FindingKind | None:
        """What the worst is."""
        return self.findings[0].kind if self.findings else None

    @property
    def kinds(self) -> tuple[FindingKind, ...]:
        """What may be wrong: all that needs a look, at least the worst."""
        return tuple(one.kind for one in self._told)

    @property
    def needs_a_look(self) -> bool:
        """Whether somebody should see it."""
        return self.score >= NEEDS_A_LOOK

    @property
    def reasons(self) -> tuple[str, ...]:
        """The same in words."""
        return tuple(one.words for one in self._told)

    @property
    def _told(self) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.severity >= NEEDS_A_LOOK) or self.findings[:1]


def frame_scores(names: Sequence[str], findings: Mapping[int, Sequence[Finding]]) -> list[FrameScore]:
    """Return the score of each frame, in the order of the frames.

    Args:
        names: Of all frames.
        findings: Index of a frame -> what may be wrong with any of its faces, in any order.
    """
    return [FrameScore(index, name, _worst_of_each(findings.get(index, ()))) for index, name in enumerate(names)]


def _worst_of_each(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Of each kind the worst: a frame may have several faces."""
    kept: dict[FindingKind, Finding] = {}
    for finding in sorted(findings, key=lambda one: -one.severity):
        kept.setdefault(finding.kind, finding)
    return tuple(kept.values())


def worst_first(scores: Sequence[FrameScore]) -> list[FrameScore]:
    """Return the frames with something to see, the worst first.

    Of frames that follow each other with the same fault, the worst stands for all; the others come behind all that
    need a look.

    Args:
        scores: Of all frames, in the order of the frames.
    """
    ordered = sorted((one for one in scores if one.findings), key=lambda one: -one.score)
    needing = [one for one in ordered if one.needs_a_look]
    shown = {place[0].index for place in places(scores)}
    first = [one for one in needing if one.index in shown]
    return first + [one for one in ordered if one.index not in shown]


def places(scores: Sequence[FrameScore]) -> list[list[FrameScore]]:
    """Return the frames that need a look by place: those that follow each other with the same fault, the worst first.

    Args:
        scores: Of all frames, in the order of the frames.
    """
    found: list[list[FrameScore]] = []
    last: dict[FindingKind, list[FrameScore]] = {}
    for one in scores:
        if not one.needs_a_look or one.kind is None:
            continue
        before = last.get(one.kind)
        if before is not None and one.index - before[-1].index <= GAP + 1:
            before.append(one)
        else:
            last[one.kind] = [one]
            found.append(last[one.kind])
    return [sorted(place, key=lambda one: -one.score) for place in found]
