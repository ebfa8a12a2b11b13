"""From a model to its generations on disk and back; a trained model for conversion."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from facewright import nn
from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.hints import hint
from facewright.core.options import declared, show
from facewright.faces.dfl_crop import FaceKind
from facewright.models import registry
from facewright.models.base import Array, FaceModel, Trainable
from facewright.models.people import check_known, joined_name, people_of, split_name
from facewright.models.spec import ConverterDefaults, FaceView, ModelOptions
from facewright.nn import checkpoint, devices
from facewright.nn.checkpoint import Generation, ModelFolder
from facewright.nn.loading import load_groups, load_variables, read_fitting
from facewright.nn.saved_models import list_saved_models

HEAD = 2  # variables of an optimizer before those of its weights: iteration and learning rate


@dataclass(frozen=True)
class TrainedModel(ABC):
    """A trained model as the converter sees it, whatever runs it.

    Attributes:
        name: What the user calls it: its folder, and who of its people takes src's place.
        kind: The network it is made of.
        iteration: How many steps it was trained.
        fingerprint: Changes with every saved generation.
        resolution: Side S of the faces it takes and gives, in pixels.
        face_type: What its faces show.
        converter: Its converter defaults.
        portrait: Whether its image is the result, instead of being blended into dst's frame.
        morph: How much of src its swaps show, 0..1; None for one that cannot be morphed.
    """

    name: str
    kind: str
    iteration: int
    fingerprint: str
    resolution: int
    face_type: FaceKind
    converter: ConverterDefaults
    portrait: bool
    morph: float | None = field(default=None, kw_only=True)

    @abstractmethod
    def predict(self, faces: Array) -> tuple[Array, Array]:
        """Swap dst faces: (n, S, S, 3) float32 BGR in 0..1 -> image (n, S, S, 3) and mask (n, S, S, 1)."""

    @abstractmethod
    def predict_with_own_mask(self, faces: Array) -> tuple[Array, Array, Array | None]:
        """Return the same and dst's own mask (n, S, S, 1), which takes longer; None for a model that learns none."""


@dataclass(frozen=True)
class KerasModel(TrainedModel):
    """A trained model on keras.

    Attributes:
        model: The network.
        backwards: Whether it puts dst's face over src's, instead of src's over dst's.
    """

    model: FaceModel
    backwards: bool = False
    _busy: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def predict(self, faces: Array) -> tuple[Array, Array]:
        """See `TrainedModel`; threads wait for each other: a preview and a conversion share the network."""
        with self._busy:
            return self.model.predict(faces, backwards=self.backwards, morph=self.morph)

    def predict_with_own_mask(self, faces: Array) -> tuple[Array, Array, Array | None]:
        """See `TrainedModel`."""
        with self._busy:
            return self.model.predict_with_own_mask(faces, backwards=self.backwards, morph=self.morph)

    def reversed(self) -> "KerasModel":
        """Return the same model, which works backwards."""
        fingerprint = used_fingerprint(self.fingerprint, backwards=True)
        return replace(self, backwards=True, fingerprint=fingerprint, morph=None)

    def morphed(self, share: float) -> "KerasModel":
        """Return the same model, whose swaps show that share of src, 0..1; itself where it knows no such thing."""
        if not self.model.morphs:
            return self
        return replace(self, morph=share, fingerprint=used_fingerprint(self.fingerprint, morph=share))


def used_fingerprint(fingerprint: str, *, name: str = "", backwards: bool = False, morph: float | None = None) -> str:
    """Return the fingerprint of a saved generation as it is used.

    Args:
        fingerprint: Of the generation.
        name: Of the model, with who of its people takes src's place.
        backwards: Whether src's faces become dst's.
        morph: The share of src, 0..1.
    """
    _, person = split_name(name)
    if person:
        fingerprint = f"{fingerprint} as {person}"
    if backwards:
        return f"{fingerprint} backwards"
    return fingerprint if morph in (None, 1) else f"{fingerprint} morph {morph:g}"


def model_arrays(model: Trainable) -> dict[str, dict[str, Any]]:
    """Return all that is saved of a model: file name -> name -> variable or array.

    Names follow the order in which the model builds its weights, so that they are the same in every process.
    """
    return {
        "weights": weights_of(model),
        "critics": critics_of(model),
        "optimizer": {
            _slot_name(key, number): variable
            for key, step in model.steps.items()
            for number, variable in enumerate(step.optimizer.inner.variables)
        },
        "extra": model.extra_state(),
    }


def weights_of(model: Trainable) -> dict[str, Any]:
    """Return the weights of a model: "<part>/<number>.<name>" -> keras variable."""
    return _named(model.parts)


def critics_of(model: Trainable) -> dict[str, Any]:
    """Return the weights of the networks that only training needs, by names like those of `weights_of`."""
    return _named(model.critics)


def _slot_name(key: str, number: int) -> str:
    return f"{key}/{number:04d}" if key else f"{number:04d}"


def _named(networks: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"{name}/{number:04d}.{variable.name}": variable
        for name, network in networks.items()
        for number, variable in enumerate(network.variables)
    }


def load_generation(model: Trainable, generation: Generation, *, optimizer: bool = True) -> None:
    """Read a generation into a freshly built model.

    Args:
        model: Built with the generation's options, or such that its networks have grown since: what is new in them
            stays as it was made, and so does what the optimizer knows of it.
        generation: A whole generation.
        optimizer: Whether critics and the optimizer's state are wanted (training) or not (conversion). What of them
            was of another shape starts over, with a word.

    Raises:
        UserError: The weights belong to another network.
    """
    grown = has_grown(model, generation)
    wanted = weights_of(model)
    if grown:
        wanted = {old: wanted[new] for old, new in names_after_growth(model, generation).items()}
    load_variables("weights", wanted, generation.arrays("weights"))
    kept, extra = model.extra_state(), generation.has("extra")
    model.load_extra_state(dict(read_fitting("averages", kept, generation.arrays("extra"))) if kept and extra else {})
    kept = model_arrays(model) if optimizer else {}
    if kept and grown:
        kept["optimizer"] = _slots_before_growth(model, wanted)
    for name in ("critics", "optimizer"):
        anew = load_groups(kept[name], generation.arrays(name)) if name in kept and generation.has(name) else ()
        if anew:
            whose = ", ".join(group or "the network" for group in anew)
            console.say(f"Of {name} these start over, for they have another shape now: {whose}.")


def has_grown(model: Trainable, generation: Generation) -> bool:
    """Whether a generation is of the time before the model's networks grew."""
    saved = generation.state.get("options") or {}
    growing = [spec.name for spec in declared(type(model.options)) if spec.grows and spec.name in saved]
    if not growing:
        return False
    before = build_options(str(generation.state["model"]), saved)
    return any(getattr(before, name) < getattr(model.options, name) for name in growing)


def names_after_growth(model: Trainable, generation: Generation) -> dict[str, str]:
    """Return what the weights of an older generation are called in a model that has grown: old name -> new name."""
    with nn.keras.StatelessScope(initialize_variables=False):
        smaller = build_model(generation.state)
    names: dict[str, str] = {}
    for name, part in smaller.parts.items():
        larger = model.parts[name].variables if name in model.parts else []
        numbers = {id(v): number for number, v in enumerate(larger)}
        layers = model.parts[name].layers if larger else []
        places = {(layer.name, v.name): numbers[id(v)] for layer in layers for v in layer.variables}
        old = {id(v): (layer.name, v.name) for layer in part.layers for v in layer.variables}
        for number, v in enumerate(part.variables):
            place = number if len(part.variables) == len(larger) else places.get(old[id(v)])
            if place is not None:
                names[f"{name}/{number:04d}.{v.name}"] = f"{name}/{place:04d}.{v.name}"
    return names


def _slots_before_growth(model: Trainable, weights: Mapping[str, Any]) -> dict[str, Any]:
    """Return where what an optimizer knew before its networks grew lies now, by its name in the older generation.

    An optimizer keeps iteration and learning rate, then as many arrays for each weight, one weight after another, then
    what a clipping remembers. Critics do not grow.

    Args:
        model: With networks that have grown.
        weights: Those of the older generation, by their names in that, in their order.
    """
    before = {name: [v for old, v in weights.items() if old.startswith(f"{name}/")] for name in model.parts}
    places: dict[str, Any] = {}
    for key, step in model.steps.items():
        variables, known = step.optimizer.inner.variables, step.optimizer.known
        each = (len(variables) - HEAD) // len(known)
        first = {id(weight): HEAD + each * number for number, weight in enumerate(known)}
        learned = [
            weight
            for name in step.members
            for weight in (before[name] if name in before else model.critics[name].variables)
            if id(weight) in first
        ]
        numbers = [*range(HEAD), *(first[id(weight)] + slot for weight in learned for slot in range(each))]
        numbers += range(HEAD + each * len(known), len(variables))
        places |= {_slot_name(key, old): variables[new] for old, new in enumerate(numbers)}
    return places


def find_generation(model_dir: Path, name: str, need: tuple[str, ...] | None = None) -> ModelFolder | None:
    """Return the newest whole generation of a model in a model folder; None when there is none.

    Its kind, `generation.state["model"]`, is one that this program knows.

    Raises:
        UserError: None is whole, its kind is unknown, or it is called like another kind than its own.
    """
    found = checkpoint.newest(model_dir / name, need)
    if found is None:
        return None
    kind = str(found.generation.state.get("model"))
    if kind != name and (name in registry.model_names() or kind not in registry.model_names()):
        raise UserError(
            f"The folder {model_dir / name} holds the model {kind[:40]!r}.",
            f"the model {name!r}."
            if name in registry.model_names()
            else f"one of {', '.join(registry.model_names())}.",
            f"rename the folder to {kind[:40]}, or move it away; nothing was changed.",
        )
    return found


def build_model(state: Mapping[str, Any]) -> FaceModel:
    """Build the model of a saved state, with options and people as it tells; its weights are not read.

    Raises:
        UserError: They do not fit.
    """
    kind, people = str(state["model"]), people_of(state)
    model, options = registry.model_class(kind), build_options(kind, state.get("options") or {})
    return model(options, people=people) if people else model(options)


def build_options(name: str, values: Mapping[str, Any]) -> ModelOptions:
    """Build a model's options from saved values; absent ones take their defaults.

    Raises:
        UserError: A value does not fit the model any more.
    """
    settings = registry.trainable_class(name).Options
    fitting = {s.name: s.parse(show(values[s.name])) for s in declared(settings) if s.name in values}
    return settings(**fitting)


def option_values(options: ModelOptions) -> dict[str, Any]:
    """Return a model's options as JSON-able values."""
    return asdict(options)


def view_of(state: Mapping[str, Any]) -> FaceView:
    """Return what a saved model sees of a face, from its state; nothing is loaded.

    Raises:
        UserError: Its options do not fit any more.
    """
    kind = str(state["model"])
    return registry.model_class(kind).view(build_options(kind, state.get("options") or {}))


def load_trained(model_dir: Path, name: str = "", precision: str = "float32") -> KerasModel:
    """Load a trained model for conversion: weights only.

    Args:
        model_dir: The workspace's model folder.
        name: Which model, and who of its people takes src's place ("quick:anna"); "" takes the one that was saved last.
        precision: "float32" or "bfloat16".

    Raises:
        UserError: There is none, it is damaged, or it is of an unknown kind.
    """
    several = not name and len(trained_names(model_dir)) > 1
    name, found = find_trained(model_dir, name, need=("weights", "extra"))
    if several:
        console.say(
            f"There are {console.counted(len(trained_names(model_dir)), 'trained model')}; {name}, the one "
            "saved last, is used."
        )
    generation = found.generation
    for path, reason in found.damaged.items():
        console.warn(f"{path.name} of the model {name} is damaged ({reason}); {generation.folder.name} is used.")
    devices.precision(precision)
    model, (_, person) = build_model(generation.state), split_name(name)
    load_generation(model, generation, optimizer=False)
    if person:
        model.draw_as(person)
    fingerprint, iteration = used_fingerprint(generation.fingerprint, name=name), generation.state.get("iteration", 0)
    return keras_model(name, str(generation.state["model"]), int(iteration), fingerprint, model)


def keras_model(name: str, kind: str, iteration: int, fingerprint: str, model: FaceModel) -> KerasModel:
    """Return a network with what it declares; see `TrainedModel`."""
    declared_of = (model.resolution, model.face_type, model.converter, model.portrait)
    return KerasModel(name, kind, iteration, fingerprint, *declared_of, model, morph=1.0 if model.morphs else None)


def find_trained(model_dir: Path, name: str, need: tuple[str, ...] | None) -> tuple[str, ModelFolder]:
    """Return the name of the trained model that is meant, and its newest whole generation; nothing is loaded.

    Args:
        model_dir: The workspace's model folder.
        name: Which model, and who of its people ("quick:anna"); "" takes the one that was saved last.
        need: As for `checkpoint.newest`.

    Raises:
        UserError: There is none, it is damaged, it is of an unknown kind, or it does not know that person.
    """
    name = name or _last_trained(model_dir)
    found = find_generation(model_dir, split_name(name)[0], need)
    if found is None:
        raise _nothing_trained(model_dir, f"no trained model {name!r}")
    check_known(name, found.generation.state)
    return name, found


def trained_names(model_dir: Path) -> list[str]:
    """Return the names of the saved models of known kinds, the one saved last first."""
    return [model.name for model in list_saved_models(model_dir) if model.kind in registry.model_names()]


def names_with_people(model_dir: Path) -> list[str]:
    """Return the same, each followed by the model as it draws each of its people, where these can be read."""
    found = []
    for model in list_saved_models(model_dir):
        if model.kind in registry.model_names():
            found.append(model.name)
            with suppress(UserError):  # it is said when that model is chosen
                found += [joined_name(model.name, person) for person in people_of(model.state)]
    return found


def _last_trained(model_dir: Path) -> str:
    known = trained_names(model_dir)
    if not known:
        there = list_saved_models(model_dir)
        unknown = f" of a known kind ({', '.join(model.name for model in there)})" if there else ""
        raise _nothing_trained(model_dir, f"no trained model{unknown}")
    return known[0]


def _nothing_trained(model_dir: Path, what: str) -> UserError:
    return UserError(
        f"There is {what} in {model_dir}.",
        f"a trained model: {', '.join(registry.model_names())}.",
        f"train one first:{hint('train')}",
    )
