"""Faces and files from the trash, back to where they were."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import FreeNames, TrashBatch, TrashedFile, batches, make_folder, move, tidy, tidy_trash
from facewright.core.links import FLAG, FOLLOWED, check_links
from facewright.core.safe_files import is_link
from facewright.core.workspace import Side, Workspace
from facewright.faces.record import load_record
from facewright.facesets.rename import finish
from facewright.restore.choice import RestoreReport, RestoreRequest, Row, nothing_there

LOCKS = ("data_src", "data_dst", "model", "result")


def restore_faces(request: RestoreRequest) -> RestoreReport:
    """Bring back the faces of a side that one step put away; taken names get another number.

    Which frame a face belongs to is written inside it, so another name changes nothing.

    Raises:
        UserError: There are none, or none is named so.
    """
    workspace, side = request.workspace, request.side
    _tidy(workspace)
    found = [(batch, trashed_faces(batch, side)) for batch in batches(workspace.trash)]
    found = [(batch, items) for batch, items in found if items]
    rows = [
        Row(batch.folder.name, f"{console.counted(len(items), 'face'):>12}  {batch.by or 'unknown step'}")
        for batch, items in found
    ]
    index = request.choose(rows, _no_faces(workspace, side))
    listed = tuple(row.name for row in rows)
    if index is None:
        return RestoreReport(listed)
    batch, items = found[index]
    with workspace.lock(side.name):
        finish(make_folder(side.aligned_dir), workspace.trash)
        names = FreeNames(side.aligned_dir)
        targets = [(item, names.find((item.origin or item.path).name)) for item in items if not _stays(item)]
        back = [(item, target) for item, target in targets if move(item.path, target)]
    tidy(batch)
    renamed = sum(target.name != (item.origin or item.path).name for item, target in back)
    console.say(f"Back in {side.aligned_dir}: {console.counted(len(back), 'face')} of {side.name}.")
    if renamed:
        console.say(f"{renamed} of them have another number, for theirs was taken. They still know their frames.")
    console.say(f"Next, look at them:{side.hint('view')}")
    return RestoreReport(listed, batch.folder.name, len(back))


def _no_faces(workspace: Workspace, side: Side) -> UserError:
    """Say that there are no faces of a side, and whether there are some of the other one."""
    problem = nothing_there(workspace, f"faces of {side.name}")
    other = workspace.dst if side.name == workspace.src.name else workspace.src
    count = sum(len(trashed_faces(batch, other)) for batch in batches(workspace.trash))
    if not count:
        return problem
    return UserError(
        problem.happened,
        problem.expected,
        f"it holds {console.counted(count, 'face')} of {other.name}. To bring those back:{other.hint('restore')}",
    )


def trashed_faces(batch: TrashBatch, side: Side) -> list[TrashedFile]:
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


def _is_face(item: TrashedFile) -> bool:
    try:
        load_record(item.path)
    except UserError:
        return False
    return True


def restore_files(request: RestoreRequest) -> RestoreReport:
    """Bring back all of one folder of the trash, each file to where it was; nothing there is overwritten.

    Raises:
        UserError: There is nothing, or nothing is named so.
    """
    workspace = request.workspace
    _tidy(workspace)
    found = batches(workspace.trash)
    rows = [Row(batch.folder.name, f"{_contents(workspace, batch)}  {batch.by or 'unknown step'}") for batch in found]
    index = request.choose(rows, nothing_there(workspace, "files"))
    listed = tuple(row.name for row in rows)
    if index is None:
        return RestoreReport(listed)
    batch = found[index]
    with _everything(workspace):
        check_links((), alone=_folders_on_the_way(workspace, batch))
        for side in (workspace.src, workspace.dst):
            if side.aligned_dir.is_dir():
                finish(side.aligned_dir, workspace.trash)
        back = sum(_put_back(item, names) for names in [_Names(workspace)] for item in batch.items)
    tidy(batch)
    console.say(f"Back in place: {back} of {console.counted(len(batch.items), 'file')}.")
    links = [item.path for item in batch.items if _stays(item)]
    if links:
        console.say(
            f"In {batch.folder} stays what leads elsewhere: {console.counted(len(links), 'link')}. With {FLAG} "
            "that goes back too."
        )
    left = [item for item in batch.items if item.path.exists() and item.path not in links]
    for why, items in (
        ("another file is in their place", [item for item in left if item.origin]),
        ("no place in this workspace is noted for them", [item for item in left if not item.origin]),
    ):
        if items:
            shown = console.listed([item.path.relative_to(batch.folder).as_posix() for item in items])
            console.say(f"{console.counted(len(items), 'file')} left in {batch.folder}, for {why}: {shown}.")
    return RestoreReport(listed, batch.folder.name, back)


@contextmanager
def _everything(workspace: Workspace) -> Iterator[None]:
    """Hold all locks."""
    with ExitStack() as locks:
        for name in LOCKS:
            locks.enter_context(workspace.lock(name))
        yield


def _tidy(workspace: Workspace) -> None:
    """Remove what a killed run has emptied, unless another step is running."""
    if workspace.trash.is_dir():
        with suppress(UserError), _everything(workspace):
            tidy_trash(workspace.trash)


def _folders_on_the_way(workspace: Workspace, batch: TrashBatch) -> list[Path]:
    """Return the folders of the workspace through which the files of a batch would go back."""
    origins = [item.origin for item in batch.items if item.origin]
    inside = (path for origin in origins for path in origin.parents if workspace.root in path.parents)
    return sorted(set(inside))


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


def _stays(item: TrashedFile) -> bool:
    """Whether it is a link: somebody's trash could lay one to anywhere, for the files after it to go through."""
    return is_link(item.path) and not FOLLOWED.get()


def _put_back(item: TrashedFile, names: _Names) -> bool:
    if item.origin is None or _stays(item):
        return False
    try:
        target = names.target(item.origin)
    except UserError:  # a file lies where a folder was
        return False
    return target is not None and move(item.path, target)


def _contents(workspace: Workspace, batch: TrashBatch) -> str:
    origins = {item.origin.parent for item in batch.items if item.origin}
    highest = min(origins, key=lambda path: (len(path.parts), path), default=None)
    place = "unknown origin" if highest is None else highest.relative_to(workspace.root.parent).as_posix()
    return f"{console.counted(len(batch.items), 'file'):>12} of {place}"
