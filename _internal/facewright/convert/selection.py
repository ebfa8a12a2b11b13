"""What is typed to choose persons and frames: the cast, ranges of frames, every nth."""

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


def _number(text: str) -> int:
    """Return a whole number from 1 on; 0 for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else 0
