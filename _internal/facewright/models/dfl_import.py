"""Model folders of DeepFaceLab become models here: options mapped, weights in their places, the iteration kept."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from facewright import __version__
from facewright.core import console, machine
from facewright.core.errors import UserError
from facewright.core.hints import again
from facewright.core.names import printable
from facewright.core.options import declared, show
from facewright.interop.deepfacelab_models import (
    NETWORKS,
    XSEG,
    XSEG_NETWORK,
    ForeignModel,
    find_models,
    read_model,
)
from facewright.interop.foreign_face import NotImportable
from facewright.interop.safe_pickle import PickleRefused
from facewright.models import registry
from facewright.models.spec import ModelOptions
from facewright.nn import checkpoint, saved_models
from facewright.nn.saved_models import MASK_MODEL

if TYPE_CHECKING:
    from facewright.models.base import FaceModel, Trainable


class Critic(NamedTuple):
    """What a folder holds of a discriminator.

    Attributes:
        file: Its weights, called as the networks are.
        state: What its optimiser knows.
        root: How it is called in that.
        called: In words.
        of_amp: The same name in AMP's files, and by how much more the loss is divided there than here.
    """

    file: str
    state: str
    root: str
    called: str
    of_amp: tuple[str, int] = ("", 1)


FACES = {"h": "half", "mf": "mid-full", "f": "full", "wf": "whole", "head": "head"}
# What models become here.
KINDS: Mapping[str, str] = {"SAEHD": "saehd", "Quick96": "saehd", "AMP": "amp", XSEG: MASK_MODEL}
# Options without which the networks are not known, by what a model becomes; they are called as here.
WIDTHS = ("resolution", "ae_dims", "e_dims", "d_dims", "d_mask_dims")
SHAPES: Mapping[str, tuple[str, ...]] = {"saehd": ("archi", *WIDTHS), "amp": (*WIDTHS, "inter_dims")}
# DeepFaceLab's small model has no options: it is a SAEHD with these, trained in this way.
QUICK96: Mapping[str, Any] = {
    **{"resolution": 96, "face_type": "f", "archi": "df-ud", "ae_dims": 128, "e_dims": 64, "d_dims": 64},
    **{"d_mask_dims": 16, "adabelief": False, "lr_dropout": "y", "random_dst_flip": False},
}
EARLIER = {"eyes_prio": "eyes_mouth_prio"}  # what an option was called before
SWITCHES = ("masked_training", "eyes_mouth_prio", "blur_out_mask", "random_warp", "clipgrad")
FLIPS = ("random_src_flip", "random_dst_flip")
# Options that mean the same here.
VALUES = (
    *("random_hsv_power", "ct_mode", "gan_power", "gan_patch_size", "gan_dims"),
    *("true_face_power", "face_style_power", "bg_style_power", "morph_factor"),
)
CRITICS = {  # discriminator here -> what there is of it in a folder
    "gan": Critic("GAN", "GAN_opt", "D_src", "the GAN's discriminator", ("GAN", 4)),
    "code": Critic("code_discriminator", "D_code_opt", "dis", "the true-face discriminator"),
}
# Options of which something is lost when they are on, and what takes their place.
DROPPED = {
    "uniform_yaw": "uniform yaw (train --uniform-yaw does it)",
    "pretrain": "pretraining: the model counts as trained, on faces of many people",
    "target_iter": "the target iteration (train --target-iter)",
    "autobackup_hour": "backups by the hour (train --autobackup-hours)",
}
MOST_FACES = 1024  # of a batch
COPIES = 5  # of a file's arrays that reading takes for a moment


@dataclass(frozen=True)
class Imported:
    """A model that was imported.

    Attributes:
        name: What it is called here.
        kind: The network it is made of here.
        source: What it was: "tiny (SAEHD)".
        iteration: Steps it was trained.
        optimizer: Whether the optimiser goes on, too.
        dropped: What did not come along, in words.
    """

    name: str
    kind: str
    source: str
    iteration: int
    optimizer: bool
    dropped: tuple[str, ...]


def import_folder(folder: Path, model_dir: Path, name: str = "") -> list[Imported]:
    """Import every model of a folder; those of kinds that are not imported are passed over with a word.

    Args:
        folder: A model folder of DeepFaceLab.
        model_dir: Where our models lie.
        name: What a single model is called here; "" keeps its name.

    Raises:
        UserError: There is none, one of them cannot be imported, or its name is taken; those before it are there.
    """
    try:
        found = [read_model(path) for path in find_models(folder)]
    except (NotImportable, PickleRefused, OSError) as error:
        raise _refused(folder, error) from error
    masks = [model for model in found if model.kind == XSEG]
    found = [model for model in found if model.kind != XSEG]
    if found and masks and (model_dir / MASK_MODEL).exists():
        console.warn(f"XSeg is left where it is: there is a mask model in {model_dir} already.")
        masks = []
    if name and len(found) != 1:
        names = ", ".join(printable(f"{model.name} ({model.kind})") for model in (*found, *masks))
        raise UserError(
            f"{folder} holds {names}: not one model that swaps faces.",
            "one such model, where it gets another name; a mask model has a name of its own.",
            "leave out --name; or copy the files of one model into a folder of their own.",
        )
    named = [(model, name or model.name) for model in found] + [(mask, MASK_MODEL) for mask in masks]
    return [_import(model, model_dir, new) for model, new in named]


def _import(foreign: ForeignModel, model_dir: Path, name: str) -> Imported:
    _check_free(model_dir, name, KINDS[foreign.kind])
    try:
        model = _mask_model(foreign) if foreign.kind == XSEG else _swap_model(foreign)
    except (NotImportable, PickleRefused, OSError) as error:
        raise _refused(foreign.folder, error, foreign.name) from error
    return _saved(model, foreign, model_dir, name)


def _swap_model(foreign: ForeignModel) -> "FaceModel":
    model_options = map_options(foreign)
    _check_reading(foreign)
    model = registry.model_class(KINDS[foreign.kind])(model_options)
    load_networks(model, foreign)
    return model


def _mask_model(foreign: ForeignModel) -> "Trainable":
    """Read an XSeg; which of the two networks of that name it is, its weights tell."""
    from facewright.models.trained import build_options  # late: these need keras
    from facewright.nn.dfl_weights import OtherNetwork, load_file  # late, too
    from facewright.nn.xseg_network import FLAT, OLD_PART  # late, too

    face = foreign.options.get("face_type")
    if face not in FACES:
        raise _unknown_face(face)
    if foreign.options.get("pretrain"):
        raise NotImportable("it was pretrained only: it draws faces, and no masks yet")
    _check_reading(foreign)
    arrays = foreign.arrays(XSEG_NETWORK)
    options = {"network": "xseg-2020" if OLD_PART in arrays else "xseg", "face_type": f"dfl-{FACES[face]}"}
    model = registry.trainable_class(MASK_MODEL)(build_options(MASK_MODEL, options))
    try:
        load_file(model.parts["network"], arrays, flattened=FLAT, unflattened=FLAT)
    except OtherNetwork as error:
        raise NotImportable(f"{foreign.path(XSEG_NETWORK).name}: {error}") from error
    return model


def networks_of(foreign: ForeignModel) -> tuple[str, ...]:
    """Return the names of the networks that a model consists of, as its architecture, once it is checked, tells."""
    if foreign.kind == XSEG:
        return (XSEG_NETWORK,)
    if foreign.kind == "AMP":
        return NETWORKS["amp"]
    return NETWORKS["liae" if str(options_of(foreign).get("archi")).startswith("liae") else "df"]


def options_of(foreign: ForeignModel) -> dict[str, Any]:
    """Return the options by the names of 2022; those that a small model does not have are filled in."""
    own = {EARLIER.get(name, name): value for name, value in foreign.options.items()}
    if isinstance(own.get("lr_dropout"), bool):  # until June 2020
        own["lr_dropout"] = "y" if own["lr_dropout"] else "n"
    if own.get("random_flip") is True:  # until March 2021
        own |= {name: True for name in FLIPS if name not in own}
    if foreign.kind == "AMP":  # until June 2021 the middle was as wide as the code is long
        return {"inter_dims": own.get("ae_dims"), **own, "adabelief": True}
    return {**own, **QUICK96} if foreign.kind == "Quick96" else own


def map_options(foreign: ForeignModel) -> ModelOptions:
    """Return the options of the model that it becomes here.

    Raises:
        NotImportable: One of them fits no model here.
    """
    own, kind = options_of(foreign), registry.model_class(KINDS[foreign.kind])
    shape, known = SHAPES[kind.name()], {spec.name: spec for spec in declared(kind.Options)}
    face = own.get("face_type")
    if face not in FACES:
        raise _unknown_face(face)
    values = {**{name: own[name] for name in shape if name in own}, "face_type": FACES[face]}
    values |= {name: own[name] for name in (*SWITCHES, *FLIPS) if isinstance(own.get(name), bool)}
    values |= {name: own[name] for name in VALUES if name in own and name in known}
    values["lr_dropout"] = own.get("lr_dropout") in ("y", "cpu")
    # Until December 2020 there was no other.
    values["optimizer"] = "adabelief" if own.get("adabelief") is True else "rmsprop"
    try:
        settings = {name: known[name].parse(show(value)) for name, value in values.items()}
        missing = [name for name in shape if name not in settings]
        if missing:
            raise NotImportable(f"its options tell no {missing[0]}")
        return kind.settle(kind.Options(**settings))
    except UserError as error:
        raise NotImportable(f"{error.happened} Expected: {error.expected.rstrip('.')}") from error


def _unknown_face(face: Any) -> NotImportable:
    return NotImportable(f"its faces are {printable(str(face))[:20]!r}; only {', '.join(FACES)} can be cut out here")


def dropped(foreign: ForeignModel) -> tuple[str, ...]:
    """Return in words what of the options a model here does not have."""
    own = options_of(foreign)
    off = (None, False, 0, 0.0, "none", "n")
    return tuple(words for name, words in DROPPED.items() if own.get(name) not in off)


def load_networks(model: Any, foreign: ForeignModel) -> None:
    """Read all networks of a folder into a model.

    Raises:
        NotImportable: A file is missing or belongs to another network.
        PickleRefused: A file holds more than arrays, or is damaged.
        OSError: A file cannot be read.
    """
    from facewright.nn.dfl_weights import OtherNetwork, load_file  # late: it needs keras

    for network in networks_of(foreign):
        try:
            load_file(
                model.parts[network.lower()],
                foreign.arrays(network),
                flattened=model.shape.encoded,
                unflattened=model.shape.middle,
            )
        except (OtherNetwork, PickleRefused) as error:
            raise NotImportable(f"{foreign.path(network).name}: {error}") from error


def load_critics(model: Any, foreign: ForeignModel) -> dict[str, str]:
    """Read the discriminators of a folder into a model; return those that start over: name -> in words.

    Raises:
        UserError: The memory is too small for one of them.
    """
    from facewright.nn.dfl_weights import OtherNetwork, load_file  # late: it needs keras

    anew = {}
    for name, network in model.critics.items():
        critic = CRITICS[name]
        try:
            _check_memory((1 + COPIES) * foreign.size(critic.file))
            load_file(network, foreign.arrays(critic.file))
        except (OtherNetwork, NotImportable, PickleRefused, OSError):  # older ones were built otherwise
            anew[name] = f"{critic.called}, which starts over"
    return anew


def load_optimizer_state(model: Any, foreign: ForeignModel) -> None:
    """Read what the optimiser knows of the networks, so that it goes on with steps as long as the last ones were.

    Raises:
        NotImportable: It cannot be read, or belongs to other networks.
    """
    from facewright.nn.xseg_network import FLAT  # late: it needs keras

    if foreign.kind == XSEG:
        parts, flattened, unflattened = {XSEG: model.parts["network"]}, FLAT, FLAT
    else:
        parts = {network: model.parts[network.lower()] for network in networks_of(foreign)}
        flattened, unflattened = model.shape.encoded, model.shape.middle
    optimizer = next(iter(model.steps.values())).optimizer.inner
    _load_state(optimizer, parts, foreign, foreign.optimizer_file, flattened=flattened, unflattened=unflattened)


def load_critics_states(model: Any, foreign: ForeignModel, without: Collection[str]) -> tuple[str, ...]:
    """Read what the optimisers of the discriminators know; return in words whose starts over.

    Args:
        model: Its discriminators are read.
        foreign: The folder.
        without: Names of those that start over themselves.
    """
    anew = []
    for name, network in model.critics.items():
        critic = CRITICS[name]
        if name not in without and foreign.path(critic.state).is_file():
            root, shorter = critic.of_amp if foreign.kind == "AMP" else (critic.root, 1)
            try:
                _load_state(model.steps[name].optimizer.inner, {root: network}, foreign, critic.state, shorter=shorter)
            except NotImportable as error:
                anew.append(f"the optimiser's state of {critic.called} ({printable(str(error))[:200]})")
    return tuple(anew)


def _load_state(
    optimizer: Any, networks: Mapping[str, Any], foreign: ForeignModel, file: str, *, shorter: float = 1, **maps: Any
) -> None:
    """Read an optimiser's file.

    Args:
        optimizer: Built.
        networks: See `nn.dfl_weights.load_optimizer`, also for `maps`.
        foreign: The model.
        file: Called as the networks are.
        shorter: By how much the loss is divided there.

    Raises:
        NotImportable: It cannot be read, or belongs to other networks.
    """
    from facewright.nn.dfl_weights import OtherNetwork, load_optimizer  # late: it needs keras

    batch = batch_of(foreign)
    if not batch:
        raise NotImportable("the size of its batches is not known")
    try:
        _check_memory((1 + COPIES) * foreign.size(file))
        steps, arrays = foreign.optimizer(file)
        load_optimizer(optimizer, networks, arrays, longer=batch / shorter, **maps)
    except (OtherNetwork, PickleRefused, OSError) as error:
        raise NotImportable(str(error)) from error
    except UserError as error:
        raise NotImportable(error.happened) from error
    optimizer.iterations.assign(steps)


def batch_of(foreign: ForeignModel) -> int:
    """Return the faces per step of its training; 0 where that is not known."""
    batch = foreign.options.get("batch_size")
    return batch if type(batch) is int and 0 < batch <= MOST_FACES else 0


def _check_free(model_dir: Path, name: str, kind: str) -> None:
    if kind == MASK_MODEL:
        if (model_dir / name).exists():
            raise UserError(
                f"There is a mask model in {model_dir} already.",
                f"no folder {name} there: a workspace has one mask model.",
                "rename or move that folder, then import again; nothing was changed.",
            )
        return
    try:
        saved_models.check_name(name)
    except UserError as error:
        raise _named_otherwise(error.happened) from error
    if (model_dir / name).exists():
        raise _named_otherwise(f"There is a model {name} in {model_dir} already.")
    if name in registry.model_names() and name != kind:
        raise _named_otherwise(f"{name} is the name of another kind of model.")


def _named_otherwise(happened: str) -> UserError:
    return UserError(happened, "a free name for the imported model.", f"give it another one:{again('--name', 'NAME')}")


def _check_reading(foreign: ForeignModel) -> None:
    sizes = [foreign.size(network) for network in networks_of(foreign)]
    _check_memory(3 * sum(sizes) + COPIES * max(sizes))


def _check_memory(needed: int) -> None:
    free = machine.memory().available
    if needed > free:
        raise UserError(
            f"Reading it takes {needed / machine.GIB:.1f} GiB of memory; {free / machine.GIB:.1f} are free.",
            "that much free memory.",
            "close other programs, or import it on a larger computer and copy the folder in model/.",
        )


def _saved(model: "Trainable", foreign: ForeignModel, model_dir: Path, name: str) -> Imported:
    from facewright.models.trained import critics_of, model_arrays, option_values, weights_of  # late: it needs keras

    batch, anew = batch_of(foreign), load_critics(model, foreign)
    lost = (*dropped(foreign), *anew.values())
    arrays = {"weights": weights_of(model), "critics": critics_of(model)}
    if foreign.path(foreign.optimizer_file).is_file():
        try:
            load_optimizer_state(model, foreign)
            lost += load_critics_states(model, foreign, anew)
            arrays["optimizer"] = model_arrays(model)["optimizer"]
        except NotImportable as error:
            lost += (f"the optimisers' states ({printable(str(error))[:200]})",)
    state = {
        "model": model.name(),
        "options": option_values(model.options),
        "iteration": foreign.iteration,
        "losses": list(model.reported),
        "settings": {"batch_size": batch} if batch else {},
        "program": __version__,
        "saved": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "imported": f"DeepFaceLab {foreign.kind}",
    }
    checkpoint.save(model_dir / name, state, arrays)
    source = f"{foreign.name} ({foreign.kind})"
    return Imported(name, model.name(), source, foreign.iteration, "optimizer" in arrays, lost)


def _refused(folder: Path, error: Exception, name: str = "") -> UserError:
    what = f"The model {printable(name)} in {folder}" if name else f"{folder}"
    return UserError(
        f"{what} cannot be imported: {printable(str(error))[:300]}.",
        "a folder with a SAEHD, AMP, Quick96 or XSeg model that DeepFaceLab saved in June 2020 or later.",
        "choose the folder in which the files *_data.dat and *.npy lie; nothing was changed.",
    )
