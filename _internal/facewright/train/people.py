"""More people than src in one training: where their faces lie."""

from pathlib import Path

from facewright.core import console
from facewright.core.errors import UserError
from facewright.faces.faceset import FaceFile, load_faceset
from facewright.models.people import parse_more_src


def load_people(text: str) -> dict[str, list[FaceFile]]:
    """Return the faces of each person that `--more-src` names.

    Raises:
        UserError: A folder is not there, or holds no faces.
    """
    return {name: _load(name, folder) for name, folder in parse_more_src(text).items()}


def _load(name: str, folder: Path) -> list[FaceFile]:
    faceset = load_faceset(folder)
    if faceset.bad:
        names = [path.name for path, _ in faceset.bad]
        console.warn(
            f"Left out of {folder}, for it is no aligned face: {console.counted(len(names), 'image')} "
            f"({console.listed(names)})"
        )
    if not faceset.faces:
        raise UserError(
            f"There are no aligned faces of {name} in {folder}.",
            "a folder with faces as step 4 wrote them: data_src/aligned of another workspace, say.",
            f'name another folder, as in: --more-src "{name}=FOLDER"',
        )
    return faceset.faces
