"""Starting from something: another model's weights, a pretrained network, another src."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facewright.core.errors import UserError
from facewright.core.files import typed_path
from facewright.models.base import Trainable
from facewright.models.trained import has_grown, load_generation, names_after_growth, weights_of
from facewright.nn import checkpoint
from facewright.nn.checkpoint import Generation
from facewright.nn.loading import load_fitting
from facewright.train.session import TrainingSession

SRC, DST = "_src", "_dst"
INTER = "inter"
DECODER = "decoder"


@dataclass(frozen=True)
class Start:
    """What a new model was started from.

    Attributes:
        source: Folder of the generation.
        kind: Network of the other model.
        iteration: Its iteration.
        parts: Part -> how many of its arrays were loaded, and how many it has.
    """

    source: Path
    kind: str
    iteration: int
    parts: Mapping[str, tuple[int, int]]

    def describe(self) -> str:
        """Say what was loaded and what not."""
        whole = [name for name, (loaded, all_) in self.parts.items() if loaded == all_]
        some = [f"{name} ({loaded} of {all_})" for name, (loaded, all_) in self.parts.items() if 0 < loaded < all_]
        none = [name for name, (loaded, _) in self.parts.items() if not loaded]
        said = [f"Started from {self.source} ({self.kind}, iteration {self.iteration})."]
        said += [f"Loaded: {', '.join([*whole, *some])}."]
        said += [f"New, for nothing in it fits: {', '.join(none)}."] if none else []
        return " ".join(said)


def find_source(model_dir: Path, wanted: str) -> Generation:
    """Return the generation that a new model is to start from.

    Args:
        model_dir: The workspace's model folder.
        wanted: Name of a model in it; or the folder of a model, of one of its generations or backups, or a
            workspace.

    Raises:
        UserError: There is none, or it is damaged.
    """
    path = typed_path(wanted)
    for folder in (model_dir / wanted, path, path / "model"):
        if (folder / checkpoint.MANIFEST).is_file():
            return _checked(folder)
        names = [folder] if checkpoint.generations(folder) else []
        names += [folder / name for name in checkpoint.trained_models(folder)]
        found = checkpoint.newest(names[0], need=("weights",)) if names else None
        if found:
            return found.generation
    raise UserError(
        f"There is no trained model {wanted!r}.",
        f"the name of a model in {model_dir}, or the folder of one that facewright trained.",
        "check the spelling; --start-from takes for example quick, or /other/workspace/model/quick.",
    )


def _checked(folder: Path) -> Generation:
    try:
        return checkpoint.check(folder, need=("weights",))
    except checkpoint.DamagedGeneration as problem:
        raise UserError(f"{folder} is damaged: {problem}.", "a complete one.", "name another one.") from problem


def begin_from(model: Trainable, source: Generation, *, new_src: bool = False) -> Start:
    """Load what fits from another model: arrays of the same part, name and shape; of the same layers, where it is one
    whose networks are those of the new one before they grew.

    Args:
        model: A new model.
        source: Of any model of ours.
        new_src: Whether src is another person: what is made for src alone then starts from its counterpart for dst.

    Raises:
        UserError: Nothing fits.
    """
    arrays = source.arrays("weights").as_dict()
    if source.state.get("model") == model.name() and has_grown(model, source):
        after = names_after_growth(model, source)
        arrays = {after[name]: array for name, array in arrays.items() if name in after}
    if new_src:
        arrays |= {n.replace(DST, SRC, 1): a for n, a in arrays.items() if DST in n.partition("/")[0]}
    for person in model.people:  # whom the other model does not know; that person begins as its src
        arrays = {n.replace(f"{DECODER}{SRC}/", f"{DECODER}_{person}/", 1): a for n, a in arrays.items()} | arrays
    fit = load_fitting(weights_of(model), arrays)
    if not fit.loaded:
        raise UserError(
            f"Nothing in {source.folder} fits this model.",
            "a model with at least one part of the same layout.",
            "choose a model of the same kind, or leave out --start-from.",
        )
    model.load_extra_state({})  # an EMA starts with the weights as they are
    loaded = [name.partition("/")[0] for name in fit.loaded]
    left = [name.partition("/")[0] for name in fit.left]
    parts = {name: (loaded.count(name), loaded.count(name) + left.count(name)) for name in model.parts}
    kind, iteration = str(source.state.get("model")), source.state.get("iteration", 0)
    return Start(source.folder, kind, iteration, parts)


def leave_pretraining(session: TrainingSession, generation: Generation) -> list[str]:
    """Turn a pretrained model into a new one that knows faces, but nobody in particular.

    Weights are kept, but for the parts between encoder and decoder ("inter…"), which start over, as
    iteration, losses and optimiser do.

    The rule is that of the program that introduced pretraining, whose inters are parts of their own. DF, QUICK96 and
    their like have such layers inside the encoder: these are kept with it, for without them it is no trained encoder.

    Args:
        session: Freshly made; nothing is loaded yet.
        generation: The pretrained state.

    Returns:
        Names of the parts that start over.
    """
    model = session.model
    fresh = {
        name: [np.array(np.asarray(v)) for v in part.variables]
        for name, part in model.parts.items()
        if name.startswith(INTER)
    }
    load_generation(model, generation, optimizer=False)
    for name, arrays in fresh.items():
        for variable, array in zip(model.parts[name].variables, arrays, strict=True):
            variable.assign(array)
    model.load_extra_state({})
    return list(fresh)
