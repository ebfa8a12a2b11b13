"""More people than src in one model: the encoder is theirs too, and each has a decoder of his or her own.

Where a trained model is named, the model and one of its people are "quick:anna": anna takes src's place. No keras.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from facewright.core.errors import UserError
from facewright.core.files import typed_path

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,19}")  # a part of the network and a column of losses are called so
RESERVED = ("src", "dst", "loss", "critics")  # these are there already
PART = re.compile(r",\s*(?=[^,=]*=)")  # a folder's name may hold a comma
MOST = 8
SEPARATOR = ":"


def check_people(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of more people, which may be anybody's words.

    Raises:
        UserError: One cannot be a name, is there twice, or they are too many.
    """
    given = tuple(names)
    for name in given:
        if not NAME.fullmatch(name) or name.lower() in RESERVED:
            raise _refused(f"{name[:40]!r} cannot be the name of a person")
    if len({name.lower() for name in given}) < len(given):
        raise _refused("A person is named twice")
    if len(given) > MOST:
        raise _refused(f"These are {len(given)} people beside src")
    return given


def parse_more_src(text: str) -> dict[str, Path]:
    """Read "anna=FOLDER, ben=FOLDER": name -> folder.

    Raises:
        UserError: It is no such list, or a name cannot be one.
    """
    pairs = [tuple(word.strip() for word in part.partition("=")) for part in PART.split(text) if part.strip()]
    wrong = [name for name, equals, folder in pairs if not (name and equals and folder)]
    if wrong:
        raise UserError(
            f"{wrong[0][:40]!r} does not say whose faces lie where.",
            "a name, =, and a folder with that person's faces; several parts with commas between them.",
            'give it as in: --more-src "anna=FOLDER, ben=FOLDER"',
        )
    names = check_people(name for name, _, _ in pairs)
    return dict(zip(names, (typed_path(folder) for _, _, folder in pairs), strict=True))


def people_of(state: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the people beside src that a saved model knows.

    Raises:
        UserError: As `check_people`.
    """
    return check_people(state.get("people") or ())


def split_name(name: str) -> tuple[str, str]:
    """Return the name of a model and of one of its people, "" for src, of "quick:anna"."""
    model, _, person = name.partition(SEPARATOR)
    return model, person


def joined_name(model: str, person: str) -> str:
    """Return what a trained model is called as it draws a person; "" is src."""
    return f"{model}{SEPARATOR}{person}" if person else model


def check_known(name: str, state: Mapping[str, Any]) -> None:
    """Check that a saved model knows the person who is named with it.

    Raises:
        UserError: It does not.
    """
    model, person = split_name(name)
    known = people_of(state)
    if SEPARATOR in name and person not in known:
        there = ", ".join(joined_name(model, one) for one in ("", *known))
        raise UserError(
            f"The model {model} knows nobody called {person[:40]!r}.",
            f"one of {there}." if known else "the model's name alone: it has learned src and dst.",
            f"name {there.rpartition(', ')[2]}.",
        )


def _refused(what: str) -> UserError:
    return UserError(
        f"{what}.",
        f"at most {MOST} names of up to 20 letters, digits and _, each once, and none of {', '.join(RESERVED)}.",
        'give them as in: --more-src "anna=FOLDER, ben=FOLDER"',
    )
