"""The models that a workspace holds, side by side under names of their own; read without importing keras.

A model is a folder of `model/`; its name is what the user calls it, its kind is the network it is made of.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facewright.core.errors import UserError
from facewright.core.files import disk_errors, move_to_trash, read_json
from facewright.core.hints import hint
from facewright.core.safe_files import is_bare
from facewright.nn.checkpoint import STATE, STATE_SCHEMA, generations, trained_models

NAME = re.compile(r"[^\W_][\w .-]{0,59}(?<![ .])")
MASK_MODEL = "mask"  # kind and folder of the mask model, which swaps no faces
RESERVED = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.IGNORECASE)  # Windows gives such names to devices


@dataclass(frozen=True)
class SavedModelInfo:
    """A model as its newest saved state tells; that state may still turn out to be damaged.

    Attributes:
        name: Its folder's name.
        kind: The network it is made of; "" when the state cannot be read.
        iteration: Steps it was trained.
        saved: When it was saved, as the state writes it.
        state: All of the state.
    """

    name: str
    kind: str
    iteration: int
    saved: str
    state: dict[str, Any] = field(default_factory=dict, repr=False)

    def describe(self) -> str:
        """Return one line, without the name."""
        when = self.saved[:16].replace("T", " ")
        stage = " of its pretraining" if self.pretrained else ""
        said = f"{self.kind or 'not readable'}, iteration {self.iteration}{stage}"
        return said + (f", saved {when}" if when else "")

    @property
    def pretrained(self) -> bool:
        """Whether it was only pretrained so far: it knows faces, but not those of src and dst."""
        return bool(self.state.get("pretrain"))


def list_saved_models(model_dir: Path) -> list[SavedModelInfo]:
    """Return the models of a model folder that swap faces, the one saved last first."""
    found = [read_model_info(model_dir, name) for name in trained_models(model_dir)]
    return [model for model in found if model.kind != MASK_MODEL]


def read_model_info(model_dir: Path, name: str) -> SavedModelInfo:
    """Return what the newest readable state of a model tells; blanks when there is none."""
    for path in generations(model_dir / name):
        try:
            state = read_json(path / STATE, {}, schema=STATE_SCHEMA)
        except UserError:
            continue
        if state.get("model"):
            return SavedModelInfo(
                name, state["model"][:40], state.get("iteration", 0), state.get("saved", "")[:40], state
            )
    return SavedModelInfo(name, "", 0, "")


def check_trained(model: SavedModelInfo) -> None:
    """Check that a model was trained on two people.

    Raises:
        UserError: It was only pretrained: what it makes is nobody's face.
    """
    if model.pretrained:
        raise UserError(
            f"The model {model.name} was only pretrained (iteration {model.iteration}): it has not seen your two "
            "people yet.",
            "a model that was trained on the faces of data_src and data_dst.",
            "name another model with --model, or train this one on your two people first:"
            f"{hint('train --name', model.name)}",
        )


def check_name(name: str) -> None:
    """Check a name for a new model that swaps faces.

    Raises:
        UserError: It cannot be a folder's name everywhere, or is that of the mask model's.
    """
    if not NAME.fullmatch(name) or RESERVED.fullmatch(name):
        raise UserError(
            f"{name[:80]!r} cannot be the name of a model.",
            "letters, digits, blanks, dots, - and _, beginning with a letter or digit; 60 at most.",
            "choose another name.",
        )
    check_swaps(name)


def check_swaps(name: str) -> None:
    """Check that a name is not that of the mask model's folder.

    Raises:
        UserError: It is.
    """
    if name.lower() == MASK_MODEL:
        raise UserError(
            f"{name!r} is the folder of the mask model.",
            "another name for a model that swaps faces.",
            f"choose another name; the mask model is trained by another step:{hint('mask --side dst --action train')}",
        )


def check_chosen(name: str) -> None:
    """Check the name of a model that is there, or "" for none: whatever it is, it leads out of no folder.

    Raises:
        UserError: It is a path.
    """
    if name and not is_bare(name):
        raise UserError(
            f"{name[:80]!r} is not the name of a model.",
            "the name of a folder in model/, not a path.",
            "give the name; --workspace DIR chooses another workspace.",
        )


def rename(model_dir: Path, old: str, new: str) -> None:
    """Give a model another name.

    Raises:
        UserError: The name does not fit, or is taken.
    """
    check_name(new)
    taken = {path.name.lower() for path in model_dir.iterdir()} - {old.lower()}
    if new.lower() in taken:
        raise UserError(f"There is {new} in {model_dir} already.", "a new name.", "choose another one.")
    with disk_errors(model_dir / new):
        (model_dir / old).rename(model_dir / new)


def delete(model_dir: Path, name: str, trash: Path) -> Path | None:
    """Move a model with all its states to the trash; return where it is."""
    return move_to_trash([model_dir / name], trash, by="train")
