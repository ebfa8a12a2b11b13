"""More people than src in one training: where their faces lie."""

import re
from pathlib import Path

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import typed_path
from facewright.faces.faceset import FaceFile, load_faceset
from facewright.models.people import check_people

PART = re.compile(r",\s*(?=[^,=]*=)")  # a folder's name may hold a comma


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
