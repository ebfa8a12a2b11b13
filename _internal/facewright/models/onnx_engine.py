"""Networks on onnxruntime: a saved state of a model here, written as ONNX once, and the .dfm files that people have.

    model/<name>/convert*.onnx   a saved state: in_face:0 (batch, S, S, 3) -> image, mask; `generation` says which;
                                 of a model that morphs also morph_value:0 (1), how much of src is seen

A .dfm file comes from DeepFaceLab, from DeepFaceLive's users or from `export`: see `facewright.models.dfm` for its
inputs and outputs. Networks that can be morphed (AMP) have a second input, morph_value:0 (1), 0..1.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facewright import __version__
from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import write_bytes
from facewright.core.hints import again
from facewright.core.names import printable
from facewright.core.safe_files import is_regular
from facewright.faces.align import FaceType
from facewright.faces.dfl_crop import DflFaceType, FaceKind
from facewright.marking.provenance import network_tags
from facewright.models import registry
from facewright.models.base import Array
from facewright.models.dfm_check import LIMITS, check_faces
from facewright.models.people import split_name
from facewright.models.spec import CONVERTER_DEFAULTS, ConverterDefaults
from facewright.models.trained import (
    KerasModel,
    TrainedModel,
    find_trained,
    load_trained,
    used_fingerprint,
    view_of,
)
from facewright.nn import devices
from facewright.nn.onnx_check import BadOnnx, OnnxFacts, TensorShape, check_memory, read_facts
from facewright.nn.onnx_file import OnnxFile, choose_provider

LAYOUT = "2"  # goes up when the same weights give another file
INPUT, MORPH = "in_face", "morph_value"
OWN_MASK, IMAGE, MASK = OUTPUTS = ("out_face_mask", "out_celeb_face", "out_celeb_face_mask")
LEAST, MOST = 32, 1024  # px of a side
TIMED = 8  # faces
TRIED = 0.5  # of src, where a model that morphs is compared with its file
OWN_TYPES = (FaceType.HALF, FaceType.FULL, FaceType.HEAD)


@dataclass(frozen=True)
class OnnxModel(TrainedModel):
    """A trained model on onnxruntime.

    Attributes:
        run: Faces -> image, mask and, where it comes with them, dst's own mask.
        run_all: The same, with dst's own mask in any case but that the model learns none.
    """

    run: Callable[[Array], Sequence[Array]]
    run_all: Callable[[Array], Sequence[Array]]

    def predict(self, faces: Array) -> tuple[Array, Array]:
        """See `TrainedModel`."""
        image, mask, *_ = self.run(faces)
        return image, mask

    def predict_with_own_mask(self, faces: Array) -> tuple[Array, Array, Array | None]:
        """See `TrainedModel`."""
        image, mask, *own = self.run_all(faces)
        return image, mask, own[0] if own else None


@dataclass(frozen=True)
class Way:
    """What a file holds of a saved state: the swap in one direction, with the own mask of what is given or without."""

    backwards: bool = False
    own_mask: bool = False
    person: str = ""  # who of the model's people takes src's place

    @property
    def file(self) -> str:
        """Name of the file."""
        person = f".{self.person}" if self.person else ""
        return f"convert{'_back' * self.backwards}{'_masks' * self.own_mask}{person}.onnx"

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return tuple(f"{name}:0" for name in (IMAGE, MASK, OWN_MASK)[: 2 + self.own_mask])


def load_saved(model_dir: Path, name: str, provider: str, *, backwards: bool = False, morph: float = 1.0) -> OnnxModel:
    """Open the newest state of a model of the workspace; keras is needed only where that was never done.

    Args:
        model_dir: The workspace's model folder.
        name: Which model, and who of its people; "" takes the one that was saved last.
        provider: "auto" or a key of `nn.onnx_providers.PROVIDERS`.
        backwards, morph: See `KerasModel`.

    Raises:
        UserError: There is none, it is damaged, the provider is missing, or the file answers otherwise than keras.
    """
    name, found = find_trained(model_dir, name, need=("weights", "extra"))
    generation, provider = found.generation, choose_provider(provider)
    for path, reason in found.damaged.items():
        console.warn(f"{path.name} of the model {name} is damaged ({reason}); {generation.folder.name} is used.")
    kind = registry.model_class(str(generation.state["model"]))
    view = view_of(generation.state)
    morphs = kind.morphs and not backwards
    share = (np.array([morph], np.float32),) if morphs else ()
    trained = functools.cache(lambda: load_trained(model_dir, name))

    folder, person = split_name(name)
    fingerprint = used_fingerprint(generation.fingerprint, name=name)

    @functools.cache
    def opened(way: Way) -> OnnxFile:
        path = model_dir / folder / way.file
        return _cached(path, fingerprint, provider) or _written(path, trained(), way, provider)

    file = opened(Way(backwards, person=person))
    _say(file, (np.zeros((TIMED, view.resolution, view.resolution, 3), np.float32), *share))
    all_outputs = Way(backwards, own_mask=file.tags.get("masks") == "learned", person=person)
    used = used_fingerprint(fingerprint, backwards=backwards, morph=morph if morphs else None)
    return OnnxModel(
        name,
        kind.name(),
        int(generation.state.get("iteration", 0)),
        used,
        view.resolution,
        view.face_type,
        view.converter,
        kind.portrait,
        lambda faces: file.run(faces, *share),
        lambda faces: opened(all_outputs).run(faces, *share),
        morph=morph if morphs else None,
    )


def _cached(path: Path, fingerprint: str, provider: str) -> OnnxFile | None:
    """Open the file of an earlier run, if it is of this state."""
    if not is_regular(path):
        return None
    try:
        facts, _ = read_facts(path)
        if facts.tags.get("generation") != fingerprint or facts.tags.get("layout") != LAYOUT:
            return None
        return OnnxFile(path, provider)
    except (ValueError, OSError):
        return None


def _written(path: Path, trained: KerasModel, way: Way, provider: str) -> OnnxFile:
    """Write a state as ONNX, compare it with keras, keep it for the next run."""
    content = swap_bytes(trained, way)
    file = OnnxFile(content, provider)
    face = check_faces([], trained.model.face_type, trained.resolution)[0][:1]
    limit = LIMITS["cpu" if file.provider == "CPUExecutionProvider" and devices.on_processor() else "gpu"]
    given = trained.model.given(face, backwards=way.backwards, morph=TRIED)
    wanted = trained.model.network(backwards=way.backwards, own_mask=way.own_mask).predict_on_batch(given)
    difference = max(float(np.abs(one - other).max()) for one, other in zip(file.run(*given), wanted, strict=True))
    if not difference <= limit:  # also where one of them is no number
        raise UserError(
            f"onnxruntime answers otherwise than keras: by {difference:.2g} of 1.",
            f"the same images, to {limit:g}.",
            f"convert with keras, and report this with the name of the model:{again('--engine', 'keras')}",
        )
    try:
        write_bytes(path, content)
    except UserError as error:  # the conversion can do without
        console.warn(f"{error.happened} The next run will need keras again.")
    return file


def swap_bytes(trained: KerasModel, way: Way = Way()) -> bytes:
    """Return a trained network as ONNX: in_face:0 -> the outputs of one way.

    Raises:
        NotImplementedError: It holds a layer that the export does not know.
    """
    from facewright.nn.onnx_graph import build_onnx, set_tags  # it imports keras, which a later run does without

    network = trained.model.network(backwards=way.backwards, own_mask=way.own_mask)
    inputs = [f"{name}:0" for name in (INPUT, MORPH)[: len(network.inputs)]]
    proto = build_onnx(network, input_names=inputs, output_names=way.outputs, constants={})
    tags = {"name": trained.name, "generation": trained.fingerprint, "layout": LAYOUT}
    tags["masks"] = "learned" if trained.model.learns_mask else "none"
    set_tags(proto, network_tags() | tags, version=__version__)
    return bytes(proto.SerializeToString(deterministic=True))


def _say(file: OnnxFile, inputs: tuple[Array, ...]) -> None:
    time = file.milliseconds(*inputs) / len(inputs[0])
    shown_time = f"{time:.1f}" if time < 10 else f"{time:.0f}"
    console.say(f"onnxruntime, {file.provider}, {shown_time} ms a face.")


@dataclass(frozen=True)
class DfmFile:
    """A checked .dfm file.

    Attributes:
        path: The file.
        side: Side S of its images in pixels.
        face_type: What they show, as the file says itself; None where it says nothing.
        morphs: Whether it takes a morph value.
        one_by_one: Whether it takes one face at a time.
        iteration: As the file says; 0 where it says nothing.
        facts: What else it says.
    """

    path: Path
    side: int
    face_type: FaceKind | None
    morphs: bool
    one_by_one: bool
    iteration: int
    facts: OnnxFacts


def read_dfm(path: Path) -> DfmFile:
    """Look at a .dfm file without running it.

    Raises:
        UserError: It is no such file, or one that is not run.
    """
    try:
        facts, proto = read_facts(path)
        return _understood(path, facts, proto)
    except FileNotFoundError as error:
        raise UserError(
            f"There is no file {path}.", "a .dfm file.", f"give its path:{again('--dfm', 'FILE.dfm')}"
        ) from error
    except BadOnnx as error:
        raise refused(path, str(error)) from error
    except OSError as error:
        raise refused(path, f"it cannot be read: {error.strerror}") from error


def refused(path: Path, why: str) -> UserError:
    """Return what is raised for a file that cannot be used."""
    return UserError(
        f"{path.name} is not used: {printable(why)}.",
        "a network as DeepFaceLive takes it: in_face of (batch, side, side, 3), and the outputs "
        f"{', '.join(OUTPUTS)}; all in one file.",
        "export it again with the program that trained it, or choose another file.",
    )


def _understood(path: Path, facts: OnnxFacts, proto: Any) -> DfmFile:
    """Check names and shapes.

    Raises:
        BadOnnx: They are those of another network.
    """
    inputs = {_plain(name): (name, shape) for name, shape in facts.inputs.items()}
    if INPUT not in inputs or not inputs.keys() <= {INPUT, MORPH}:
        raise BadOnnx(f"its inputs are {_listed(facts.inputs)}")
    name, shape = inputs[INPUT]
    if len(shape) != 4 or shape[3] != 3 or shape[1] != shape[2] or not shape[1] or not LEAST <= shape[1] <= MOST:
        raise BadOnnx(f"{name[:40]} has the shape {_sides(shape)}")
    if shape[0] not in (None, 1):
        raise BadOnnx(f"it takes {console.counted(int(shape[0]), 'face')} at once")
    if MORPH in inputs and inputs[MORPH][1] not in ((1,), (None,)):
        raise BadOnnx(f"{MORPH} has the shape {_sides(inputs[MORPH][1])}")
    if not set(OUTPUTS) <= set(map(_plain, facts.outputs)):
        raise BadOnnx(f"its outputs are {_listed(facts.outputs)}")
    side = shape[1]
    given = {inputs[key][0]: (1, side, side, 3) if key == INPUT else (1,) for key in inputs}
    for output, found in check_memory(proto, given).items():
        _check_output(output, found, side)
    return DfmFile(path, side, _own_type(facts), MORPH in inputs, shape[0] == 1, _iteration(facts), facts)


def _check_output(name: str, shape: TensorShape, side: int) -> None:
    if _plain(name) not in OUTPUTS:
        return
    wanted = (1, side, side, 3 if _plain(name) == IMAGE else 1)
    fits = len(shape) == 4 and all(got in (None, want) for got, want in zip(shape, wanted, strict=True))
    if shape and not fits:
        raise BadOnnx(f"{name[:40]} has the shape {_sides(shape)}")


def _plain(name: str) -> str:
    return name.partition(":")[0]


def _listed(names: Any) -> str:
    return console.listed([name[:40] for name in names]) or "none"


def _sides(shape: TensorShape) -> str:
    return "(" + ", ".join("any" if length is None else str(length) for length in shape) + ")"


def _own_type(facts: OnnxFacts) -> FaceKind | None:
    said = facts.tags.get("face_type", "")
    return next((kind for kind in (*OWN_TYPES, *DflFaceType) if kind == said), None)


def _iteration(facts: OnnxFacts) -> int:
    said = facts.tags.get("iteration", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 13 else 0


def converter_of(kind: FaceKind) -> ConverterDefaults:
    """Return the converter defaults for a face type."""
    return CONVERTER_DEFAULTS.get(kind, CONVERTER_DEFAULTS[FaceType.FULL])


def open_dfm(dfm: DfmFile, kind: FaceKind, morph: float, provider: str, fingerprint: str) -> OnnxModel:
    """Open a .dfm file for converting.

    Args:
        dfm: From `read_dfm`.
        kind: What its images show.
        morph: 0..1, for networks that take it: how much of src is in the result.
        provider: "auto" or a key of `nn.onnx_providers.PROVIDERS`.
        fingerprint: Of file and morph.

    Raises:
        UserError: It does not load, does not run, answers otherwise than it says, or the provider is missing.
    """
    provider = choose_provider(provider)
    try:
        file = OnnxFile(dfm.path, provider)
        run = _runner(dfm, file, np.array([morph], np.float32))
        faces = np.zeros((1 if dfm.one_by_one else TIMED, dfm.side, dfm.side, 3), np.float32)
        run(faces)  # of several: one face alone may come back in the right shape by chance
        _say(file, _given(dfm, file, faces, np.array([morph], np.float32)))
    except ValueError as error:
        raise refused(dfm.path, str(error)[:300]) from error
    about = (dfm.path.name, "dfm", dfm.iteration, fingerprint, dfm.side, kind, converter_of(kind))
    return OnnxModel(*about, portrait=False, run=run, run_all=run, morph=morph if dfm.morphs else None)


def _given(dfm: DfmFile, file: OnnxFile, faces: Array, morph: Array) -> tuple[Array, ...]:
    by_name = {INPUT: faces, MORPH: morph}
    return tuple(by_name[_plain(name)] for name, _ in file.inputs)


def _runner(dfm: DfmFile, file: OnnxFile, morph: Array) -> Callable[[Array], tuple[Array, ...]]:
    order = [_plain(name) for name, _ in file.outputs]
    image, mask, own = (order.index(name) for name in (IMAGE, MASK, OWN_MASK))

    def few(faces: Array) -> tuple[Array, ...]:
        made = file.run(*_given(dfm, file, faces, morph))
        shape = faces.shape[:3]
        if made[image].shape != (*shape, 3) or any(made[one].shape != (*shape, 1) for one in (mask, own)):
            raise ValueError(f"it answers with shapes {[array.shape for array in made]}")
        return made[image], made[mask], made[own]

    def run(faces: Array) -> tuple[Array, ...]:
        at_once = 1 if dfm.one_by_one else max(len(faces), 1)
        try:
            made = [few(faces[place : place + at_once]) for place in range(0, len(faces), at_once)]
        except ValueError as error:  # what it was opened with went through; faces may still fail
            raise refused(dfm.path, str(error)[:300]) from error
        if len(made) == 1:
            return made[0]
        return tuple(np.concatenate(parts) for parts in zip(*made, strict=True))

    return run
