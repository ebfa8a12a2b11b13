"""Links to folders inside a workspace: a step works through one only when the user said so, once for each.

All that a step writes, moves away or removes below such a link happens at another place. A user may want that (the
frames on a second disk); a workspace that somebody sent may hold one that leads to the user's own images. Links to
files are no danger: what is written replaces the link (core/safe_files.py). The workspace itself may be a link.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import make_folder, read_json, write_json
from facewright.core.hints import again
from facewright.core.json_data import dict_of, text
from facewright.core.safe_files import is_link
from facewright.core.user_defaults import defaults_file

FLAG = "--follow-links"
SHOWN = 5
FOLLOWED: ContextVar[bool] = ContextVar("follow_links", default=False)


@contextmanager
def following(follow: bool = True) -> Iterator[None]:
    """Decide for the block whether links to folders are followed without a question."""
    before = FOLLOWED.set(follow or FOLLOWED.get())
    try:
        yield
    finally:
        FOLLOWED.reset(before)


def check_links(places: Iterable[Path], *, alone: Iterable[Path] = ()) -> None:
    """Tell the user of each link to a folder at or below some places, and ask whether to work through it.

    Behind a link that is followed the search goes on: there may be more of them.

    Args:
        places: Folders, links to folders, or nothing.
        alone: More of them, below which nothing is searched.

    Raises:
        UserError: There is a link that the user did not allow, or nobody to ask; or a folder cannot be searched.
    """
    _ask([place for place in alone if is_link(place) and place.is_dir()])
    seen: set[str] = set()
    found = [link for place in places for link in _links_below(place)]
    while found:
        found = [link for link in found if os.path.realpath(link) not in seen]
        _ask(found)
        seen |= {os.path.realpath(link) for link in found}
        found = [link for outer in found for link in _links_below(Path(os.path.realpath(outer)))]


def _links_below(place: Path) -> Iterator[Path]:
    """Yield the links to folders at or below a place, without going through them."""
    if is_link(place):
        if place.is_dir():
            yield place
        return
    folders = [place]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    # A junction of Windows leads elsewhere too; Python 3.11 knows none.
                    if entry.is_symlink() or getattr(entry, "is_junction", bool)():
                        if entry.is_dir():
                            yield Path(entry)
                    elif entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise UserError(
                f"{error.filename} cannot be searched for links: {error.strerror}.",
                "folders that this user may read.",
                "change its rights, or move it out of the workspace.",
            ) from error


def _memory() -> Path:
    """Return the file that keeps a user's answers: among his own settings, out of reach of any workspace."""
    return defaults_file().with_name("followed_links.json")


def _confirmed() -> dict[str, str]:
    """Return the links that the user said yes to, and where they led then."""
    try:
        found: dict[str, str] = read_json(_memory(), {}, schema=dict_of(text))
    except UserError:
        return {}
    return found


def _ask(links: list[Path]) -> None:
    targets = {str(link): os.path.realpath(link) for link in links}
    lines = [f"{link} leads to {target}" for link, target in targets.items()]
    told = console.listed(lines, SHOWN)
    known = _confirmed()
    if FOLLOWED.get() or all(known.get(link) == target for link, target in targets.items()):
        if links:
            console.say(f"Followed: {told}.")
        return
    console.warn(f"Links to other folders are in this workspace: {told}.")
    if console.confirm("Write, move and remove files there too, now and in later steps?", default=False):
        with suppress(UserError):  # then the next step asks again
            make_folder(_memory().parent)
            write_json(_memory(), known | targets)
        return
    raise UserError(
        f"The workspace holds {len(links)} {'link' if len(links) == 1 else 'links'} to other folders: {told}.",
        "folders of its own, or links that you made yourself and want to be followed.",
        f"if they are not yours, delete them (the links only); if they are:{again(FLAG)}",
    )
