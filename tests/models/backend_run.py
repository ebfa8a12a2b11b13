"""Train every case three iterations on the backend that KERAS_BACKEND names; print the losses as JSON.

    KERAS_BACKEND=jax python tests/models/backend_run.py WEIGHTS.npz [--write] [CASE ...]

A case is a model as it is created by default, or one of `MORE`.

With --write the first weights and the batches are saved; without, they are read: so all backends begin alike.
Random layers are switched off, because no two backends draw the same numbers.
"""

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "_internal")]

import numpy as np  # noqa: E402

from facewright.nn import devices  # noqa: E402

devices.prepare()
devices.precision("float32")

import keras  # noqa: E402

from facewright.data.draws import Draws  # noqa: E402
from facewright.data.sampler import Sampler  # noqa: E402
from facewright.data.store import DecodedFaces  # noqa: E402
from facewright.models import registry  # noqa: E402
from facewright.nn.saehd_networks import ChannelMix  # noqa: E402
from facewright.train.device_sampling import outputs_of  # noqa: E402
from train.tiny import save_faces  # noqa: E402

SCALE = 1 / 16
STEPS = 3
FACES = 3
SMALL = {"resolution": 64, "ae_dims": 256, "e_dims": 128, "d_dims": 128, "d_mask_dims": 64}
STYLES = {"face_style_power": 0.1, "bg_style_power": 2.0, "eyes_mouth_prio": True}
ADVERSARIAL = {**SMALL, **STYLES, "archi": "df-ud", "gan_power": 0.1, "true_face_power": 0.01}


@dataclass(frozen=True)
class Case:
    """A model and how it is trained.

    Attributes:
        model, options: Which, and how it is created.
        people: Whose faces it learns beside src's and dst's.
        on_device: Whether its samples are made inside the step.
        epsilon: In the place of its optimizers' own; 0 for that. Adam's first steps move each weight by the learning
            rate, up or down as its gradient is, also where that is hardly more than rounding. With QUICK's 1e-7 and a
            person more, losses that agree to 4e-7 in the first step differ by 1e-4 (torch) and 3.4e-4 (JAX) in the
            next two: gradients agree to 2e-6 and, where an activation beside LeakyReLU's kink takes the other slope, to
            6e-4 (JAX). With 1e-3, by which such a weight stays, all three steps agree to 6e-8 and 1.6e-6. RMSprop's are
            no other: XSeg's third step differs by 1.6e-4 with 1e-6 (torch), by 3.5e-6 with 1e-3. QUICK's with samples
            made on the device differs by 1.1e-4 with 1e-7 (JAX).
    """

    model: str
    options: Mapping[str, Any] = field(default_factory=dict)
    people: tuple[str, ...] = ()
    on_device: bool = False
    epsilon: float = 0.0


MORE = {
    "saehd df-ud": Case("saehd", ADVERSARIAL),
    "saehd df-ud recomputed": Case("saehd", {**ADVERSARIAL, "gradient_checkpointing": True}),
    "saehd liae-udtc": Case(
        "saehd", {**SMALL, "archi": "liae-udtc", "gan_power": 0.1, "blur_out_mask": True, "clipgrad": "auto"}
    ),
    "amp gan": Case("amp", {**SMALL, "face_type": "full", "inter_dims": 256, "gan_power": 0.1}),
    "mask": Case("mask"),
    "xseg": Case("mask", {"network": "xseg"}, epsilon=1e-3),
    "quick with more people": Case("quick", people=("anna",), epsilon=1e-3),
    "quick on the device": Case("quick", {"random_light": 0.5}, on_device=True, epsilon=1e-3),
    "saehd on the device": Case(
        "saehd", {**SMALL, "archi": "df", "ct_mode": "rct", "random_hsv_power": 0.1}, on_device=True
    ),
}


def main() -> None:
    """Train and print {model: [{loss: value}, ...]}."""
    path = Path(sys.argv[1])
    write = "--write" in sys.argv
    names = [name for name in sys.argv[2:] if not name.startswith("--")] or [*registry.model_names(), *MORE]
    kept = {} if write else dict(np.load(path))
    losses = {}
    for name in names:
        case = MORE.get(name) or Case(name, {"perceptual": True} if name == "gan" else {})
        model = built(case)
        without_chance(model)
        share(model, name, kept, write=write)
        model.load_extra_state({})  # a running mean begins at these weights
        batches = {stream: batch(model, stream, seed) for seed, stream in enumerate(model.streams)}
        given = on_device(model) if case.on_device else [batches] * STEPS
        losses[name] = [model.train_on(one) for one in given]
        if "dst" in batches:
            picture, mask = model.predict(batches["dst"]["target"])
            losses[name].append({"picture": float(picture.mean()), "mask": float(mask.mean())})
        print(json.dumps({name: losses[name]}), file=sys.stderr, flush=True)
        del model
        keras.backend.clear_session()
    if write:
        np.savez(path, **kept)
    if keras.backend.backend() != "tensorflow":
        assert "tensorflow" not in sys.modules, "a second backend beside the one in use takes seconds and memory"
    print(json.dumps(losses))


def built(case: Case):
    """Return the model of a case, narrow."""
    kind = registry.trainable_class(case.model)
    more = {"people": case.people} if case.people else {}
    model = kind(kind.Options(**case.options), scale=SCALE, **more)
    for step in model.steps.values() if case.epsilon else ():
        step.optimizer.inner.epsilon = case.epsilon
    return model


def on_device(model) -> list[dict]:
    """Return what a model takes whose samples are made inside its steps: numbers, a dictionary per iteration."""
    with tempfile.TemporaryDirectory() as folder:
        draws = {}
        for seed, stream in reversed(list(enumerate(model.streams))):  # dst first: src gets its colours
            paths, samples = save_faces(Path(folder, stream), FACES, seed=seed), model.samples(stream)
            like = draws["dst"][1] if draws else DecodedFaces(paths, samples)
            sampler = Sampler(paths, samples, np.random.default_rng(seed), flip=True, like=like)
            draws[stream] = Draws(sampler, 1e9), like
            model.makers[stream].prepare(outputs_of(samples), draws[stream][0].table)
        return [{stream: drawn.batch(2) for stream, (drawn, _) in draws.items()} for _ in range(STEPS)]


def without_chance(model) -> None:
    """Switch dropped activations and dropped updates off."""
    for part in model.parts.values():
        for layer in part.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = 0.0
            if isinstance(layer, ChannelMix):
                layer.share = 1.0
    for trainer in model.steps.values():
        if hasattr(trainer.optimizer.inner, "keep"):
            trainer.optimizer.inner.keep = 1.0


def share(model, name: str, kept: dict, *, write: bool) -> None:
    """Note the weights, or take those that were noted."""
    for part, network in {**model.parts, **model.critics}.items():
        for number, weight in enumerate(network.weights):
            key = f"{name}/{part}/{number}"
            if write:
                kept[key] = keras.ops.convert_to_numpy(weight)
            else:
                weight.assign(kept[key])


def batch(model, side: str, seed: int) -> dict:
    """Return two smooth drawn faces."""
    rng = np.random.default_rng(seed)
    found = {}
    for sample in model.samples(side):
        coarse = rng.random((2, sample.size // 8, sample.size // 8, sample.channels)).astype(np.float32)
        picture = coarse.repeat(8, axis=1).repeat(8, axis=2)
        found[sample.name] = picture if sample.kind == "image" else (picture > 0.5).astype(np.float32)
    return found


if __name__ == "__main__":
    main()
