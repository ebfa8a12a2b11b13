"""What is typed to choose persons and frames: the cast, ranges of frames, every nth."""

from collections.abc import Sequence
from pathlib import Path

from facewright.core import console
from facewright.core.errors import UserError

MAX_DIGITS = 9  # of a number that is typed


def parse_cast(text: str) -> dict[int, str]:
    """Read a list such as "1=quick, 2=df": number of a person -> name of a model.

    Raises:
        UserError: It is none, or names a person twice.
    """
    roles: dict[int, str] = {}
    for part in text.split(",") if text.strip() else ():
        person, _, model = (word.strip() for word in part.partition("="))
        number = _number(person)
        if not number or not model:
            raise _no_cast(f"{part.strip()!r} is no part of a cast")
        if number in roles:
            raise _no_cast(f"The cast {text!r} names person {number} twice")
        roles[number] = model
    return roles


def _no_cast(what: str) -> UserError:
    return UserError(
        f"{what}.",
        "the number of a person, =, and the name of a trained model; several parts with commas between them.",
        'give it as in: --cast "1=quick,2=df"',
    )


def parse_ranges(text: str) -> list[tuple[int, int]]:
    """Read ranges such as "10-20,35": the first and the last frame of each.

    Raises:
        UserError: They are none, or one ends before it begins.
    """
    ranges = []
    for part in text.split(",") if text.strip() else ():
        first, dash, last = (word.strip() for word in part.partition("-"))
        begin, end = _number(first), _number(last if dash else first)
        if not begin or end < begin:
            raise UserError(
                f"{part.strip()!r} is no range of frames.",
                "numbers of frames from 1 on, or the first and the last of a range with - between them; several with "
                "commas.",
                "give them as in: --frame-ranges 10-20,35",
            )
        ranges.append((begin, end))
    return ranges


def choose_frames(frames: Sequence[Path], ranges: str, every: int) -> list[Path]:
    """Return the frames in the ranges, and of those every nth from the first on.

    Args:
        frames: All frames, in order.
        ranges: As `parse_ranges` reads them; "" takes all.
        every: Of those, every nth.

    Raises:
        UserError: No frame lies in one of the ranges.
    """
    wanted = parse_ranges(ranges)
    if not wanted:
        return list(frames[::every])
    numbers = frame_numbers(frames)
    for begin, end in wanted:
        if not any(begin <= number <= end for number in numbers):
            raise UserError(
                f"No frame lies in the range {begin}{f'-{end}' * (end > begin)}.",
                f"numbers from {min(numbers)} to {max(numbers)}.",
                f"give a range of the {console.counted(len(frames), 'frame')} that are there.",
            )
    chosen = [
        frame
        for frame, number in zip(frames, numbers, strict=True)
        if any(begin <= number <= end for begin, end in wanted)
    ]
    return chosen[::every]


def frame_numbers(frames: Sequence[Path]) -> list[int]:
    """Return the number of each frame: that of its name; where a name is no number, its place from 1 on for all."""
    from facewright.video.timing import frame_number  # it leads to the libraries for videos, which take half a second

    numbers = [frame_number(frame.stem) for frame in frames]
    return list(range(1, len(frames) + 1)) if None in numbers else [int(number or 0) for number in numbers]


def _number(text: str) -> int:
    """Return a whole number from 1 on; 0 for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else 0
