"""Files among the faces that cannot be used: how they are named, and what to say where nothing else is there."""

from collections.abc import Sequence
from pathlib import Path

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.workspace import Side

NAMED = 5

Bad = Sequence[tuple[Path, UserError]]


def name_bad(bad: Bad, fate: str) -> None:
    """Name the first few files that are no usable faces, with the reason, and count the rest.

    Args:
        bad: Files and what is wrong with them.
        fate: What becomes of each: "keeps its name".
    """
    for path, problem in bad[:NAMED]:
        if path.exists():
            console.warn(f"{problem.happened} It {fate}.")
        else:
            console.warn(f"{path.name} vanished meanwhile.")
    if len(bad) > NAMED:
        console.warn(f"So it is with {len(bad) - NAMED} more files.")


def no_faces(side: Side, bad: Bad = ()) -> UserError:
    """Say that a side has no faces, and what to do where only their data is gone."""
    if not bad:
        return UserError(
            f"There are no faces in {side.aligned_dir}.",
            "aligned PNG files, as the extraction writes them.",
            f"run {side.extractor} first.",
        )
    return UserError(
        f"None of the {len(bad)} PNG files in {side.aligned_dir} is a face that can be used.",
        "aligned PNG files with the data of their face inside, as the extraction writes them.",
        f"put the data back where another program lost it: main.py faceset --action restore-metadata --side "
        f"{side.name.removeprefix('data_')}. Or move them away and run {side.extractor}.",
    )
