"""Photos of phones among the frames: each gets a PNG beside it, which all steps read."""

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import IMAGE_EXTENSIONS, PHONE_EXTENSIONS, list_files, write_bytes
from facewright.core.workspace import Side


def make_pngs(side: Side) -> None:
    """Write a PNG for each photo of a phone's format that has none yet; one that cannot be read is named."""
    photos = list_files(side.frames_dir, PHONE_EXTENSIONS)
    if not photos:
        return
    from facewright.video.still import photo_as_png  # it leads to the libraries for videos

    there = {path.stem for path in list_files(side.frames_dir, IMAGE_EXTENSIONS)}
    made = []
    for path in photos:
        if path.stem in there:
            continue
        try:
            write_bytes(path.with_suffix(".png"), photo_as_png(path))
        except UserError as problem:
            console.warn(f"Left out: {problem.happened}")
            continue
        there.add(path.stem)
        made.append(path.name)
    if made:
        console.say(f"Wrote a PNG beside each of these photos, which are read in its place: {console.listed(made)}.")
