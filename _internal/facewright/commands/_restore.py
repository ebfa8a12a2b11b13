"""What can be brought back: faces and files from the trash, older states of a model."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import Batch, FreeNames, Item, batches, make_folder, move, read_json, tidy
from facewright.core.workspace import Side, Workspace
from facewright.faces.record import load_record
from facewright.facesets.rename import finish
from facewright.nn import backups, checkpoint


@dataclass(frozen=True)
class Row:
    """One thing that can be brought back.

    Attributes:
        name: As typed behind `--which`.
        text: What it is, in a line.
    """

    name: str
    text: str


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Attributes:
        workspace: The project.
        side: Whose faces; other kinds pass it over.
        which: Number in the list or name; empty takes the newest, or asks.
        show: Print the list and bring nothing back.
    """

    workspace: Workspace
    side: Side
    which: str
    show: bool

    def choose(self, rows: Sequence[Row], nothing: UserError) -> int | None:
        """Return the index of the chosen row, None when only the list was wanted.

        Args:
            rows: The newest first.
            nothing: Raised when there are none.

        Raises:
            UserError: There are none, or none is named so.
        """
        if not rows:
            raise nothing
        asking = not self.which and len(rows) > 1 and console.interactive()
        if self.show or asking:
            width = max(len(row.name) for row in rows)
            for number, row in enumerate(rows, 1):
                console.say(f"  {number:>3}  {row.name:<{width}}  {row.text}")
        if self.show:
            return None
        which = console.ask(f"Which [1] (1..{len(rows)}): ") if asking else self.which
        return _find(which, [row.name for row in rows]) if which else 0


def _find(which: str, names: Sequence[str]) -> int:
    if which in names:
        return names.index(which)
    if which.isascii() and which.isdigit() and 1 <= int(which) <= len(names):
        return int(which) - 1
    raise UserError(
        f"There is nothing {which!r} to restore.",
        f"a number from 1 (the newest) to {len(names)}, or a name of the list.",
        "see them with main.py restore --list",
    )


def bring_back(side: Side) -> str:
    """The line that brings the faces of a side back from the trash."""
    return f"main.py restore --side {side.name.removeprefix('data_')}"


@dataclass(frozen=True)
class Kind:
    """Something that `restore --what` knows to bring back.

    Attributes:
        help: A line for the prompt.
        run: Does it, holding the locks it needs; says what it did.
    """

    help: str
    run: Callable[[Request], None]


@dataclass(frozen=True)
class Saved:
    """A saved state that can be made the newest.

    Attributes:
        folder: Where it lies.
        name: "model/generation" or "model/backups/generation".
        iteration: Of the training.
        when: When it was saved, as its state tells.
    """

    folder: Path
    name: str
    iteration: int
    when: str


def saved_states(model_dir: Path) -> list[Saved]:
    """Return all states but the newest of each model, which is in use anyway; the last saved first."""
    found = []
    for model in checkpoint.trained_models(model_dir):
        folder = model_dir / model
        for path in [*checkpoint.generations(folder)[1:], *backups.backups(folder)]:
            state = _state(path)
            iteration = state.get("iteration")
            name = path.relative_to(model_dir).as_posix()
            found.append(Saved(path, name, iteration if isinstance(iteration, int) else 0, str(state.get("saved", ""))))
    return sorted(found, key=lambda saved: saved.when, reverse=True)


def _state(path: Path) -> dict[str, Any]:
    try:
        state = read_json(path / checkpoint.STATE, {})
    except UserError:
        return {}
    return state if isinstance(state, dict) else {}


def model(request: Request) -> None:
    """Make an older state the one that is trained on and converted with; newer ones go to the trash."""
    workspace = request.workspace
    there = saved_states(workspace.model_dir)
    rows = [Row(s.name, f"iteration {s.iteration:>7}  {s.when[:16].replace('T', ' ')}") for s in there]
    nothing = UserError(
        f"There is no older saved state of a model in {workspace.model_dir}.",
        "a state before the newest one, or a backup.",
        "nothing was changed; 6_train --keep N keeps more states, --autobackup-hours H makes backups.",
    )
    index = request.choose(rows, nothing)
    if index is None:
        return
    chosen = there[index]
    with workspace.lock("model"):
        generation = backups.restore(chosen.folder, workspace.trash)
    name = generation.folder.parent.name
    console.say(
        f"The model {name} is back at iteration {generation.state.get('iteration')} ({chosen.name}). Newer states are "
        f"in {workspace.trash}. Next: 6_train trains on from here, 7_convert converts with it."
    )


LOCKS = ("data_src", "data_dst", "model", "result")


def faces(request: Request) -> None:
    """Bring back the faces of a side that one step put away; taken names get another number.

    Which frame a face belongs to is written inside it, so another name changes nothing.
    """
    workspace, side = request.workspace, request.side
    found = [(batch, faces_of(batch, side)) for batch in batches(workspace.trash)]
    found = [(batch, items) for batch, items in found if items]
    rows = [Row(batch.folder.name, f"{len(items):>6} faces  {batch.by or 'unknown step'}") for batch, items in found]
    index = request.choose(rows, _no_faces(workspace, side))
    if index is None:
        return
    batch, items = found[index]
    with workspace.lock(side.name):
        finish(make_folder(side.aligned_dir), workspace.trash)
        names = FreeNames(side.aligned_dir)
        targets = [(item, names.find((item.origin or item.path).name)) for item in items]
        back = [(item, target) for item, target in targets if move(item.path, target)]
    tidy(batch)
    renamed = sum(target.name != (item.origin or item.path).name for item, target in back)
    console.say(f"{len(back)} faces of {side.name} are back in {side.aligned_dir}.")
    if renamed:
        console.say(f"{renamed} of them have another number, for theirs was taken. They still know their frames.")
    console.say(f"Next: {'4.1_src' if side.name == 'data_src' else '5.1_dst'}_view_faces")


def _no_faces(workspace: Workspace, side: Side) -> UserError:
    """Say that there are no faces of a side, and whether there are some of the other one."""
    problem = nothing_there(workspace, f"faces of {side.name}")
    other = workspace.dst if side.name == workspace.src.name else workspace.src
    count = sum(len(faces_of(batch, other)) for batch in batches(workspace.trash))
    if not count:
        return problem
    return UserError(
        problem.happened, problem.expected, f"it holds {count} faces of {other.name}. For those: {bring_back(other)}"
    )


def faces_of(batch: Batch, side: Side) -> list[Item]:
    """Return the faces of a side in a batch; where no origin was noted, every PNG with a face record."""
    pictures = [item for item in batch.items if item.path.suffix.lower() == ".png" and item.path.name[0] != "."]
    return [
        item
        for item in pictures
        if (
            item.origin.parent == side.aligned_dir
            if item.origin
            else item.path.parent == batch.folder and _is_face(item)
        )
    ]


def _is_face(item: Item) -> bool:
    try:
        load_record(item.path)
    except UserError:
        return False
    return True


def everything(request: Request) -> None:
    """Bring back all of one folder of the trash, each file to where it was; nothing there is overwritten."""
    workspace = request.workspace
    found = batches(workspace.trash)
    rows = [Row(batch.folder.name, f"{_contents(workspace, batch)}  {batch.by or 'unknown step'}") for batch in found]
    index = request.choose(rows, nothing_there(workspace, "files"))
    if index is None:
        return
    batch = found[index]
    with ExitStack() as locks:
        for name in LOCKS:
            locks.enter_context(workspace.lock(name))
        for side in (workspace.src, workspace.dst):
            if side.aligned_dir.is_dir():
                finish(side.aligned_dir, workspace.trash)
        back = sum(_put_back(item, names) for names in [_Names(workspace)] for item in batch.items)
    tidy(batch)
    console.say(f"{back} of {len(batch.items)} files are back where they were.")
    left = [item.path for item in batch.items if item.path.exists()]
    if left:
        shown = console.listed([path.relative_to(batch.folder).as_posix() for path in left])
        console.say(f"{len(left)} stay in {batch.folder}, for another file is in their place: {shown}.")


class _Names:
    """Where files may go: faces get another number where theirs is taken, other files do not."""

    def __init__(self, workspace: Workspace) -> None:
        self._aligned = {side.aligned_dir for side in (workspace.src, workspace.dst)}
        self._free: dict[Path, FreeNames] = {}

    def target(self, origin: Path) -> Path | None:
        """Return where a file goes back to; None when its place is taken."""
        folder = make_folder(origin.parent)
        if folder not in self._aligned or origin.suffix.lower() != ".png":
            return None if origin.exists() else origin
        if folder not in self._free:
            self._free[folder] = FreeNames(folder)
        return self._free[folder].find(origin.name)


def _put_back(item: Item, names: _Names) -> bool:
    if item.origin is None:
        return False
    try:
        target = names.target(item.origin)
    except UserError:  # a file lies where a folder was
        return False
    return target is not None and move(item.path, target)


def _contents(workspace: Workspace, batch: Batch) -> str:
    origins = {item.origin.parent for item in batch.items if item.origin}
    highest = min(origins, key=lambda path: (len(path.parts), path), default=None)
    place = "unknown origin" if highest is None else highest.relative_to(workspace.root.parent).as_posix()
    return f"{len(batch.items):>6} files of {place}"


def nothing_there(workspace: Workspace, what: str) -> UserError:
    """Say that the trash holds nothing of the kind."""
    return UserError(
        f"There are no {what} in {workspace.trash}.",
        "files that a step put there: sort --by final, clear, or an extraction with --redo, say.",
        "nothing needs to be done. restore --list --what all shows all that the trash holds.",
    )
