"""Train every model three iterations on the backend that KERAS_BACKEND names; print the losses as JSON.

    KERAS_BACKEND=jax python tests/models/backend_run.py WEIGHTS.npz [--write] [MODEL ...]

With --write the first weights and the batches are saved; without, they are read: so all backends begin alike.
Random layers are switched off, because no two backends draw the same numbers.
"""

import json
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "_internal")]

import numpy as np  # noqa: E402

from facewright.nn import devices  # noqa: E402

devices.prepare()
devices.precision("float32")

import keras  # noqa: E402

from facewright.models import registry  # noqa: E402
from facewright.nn.saehd_networks import ChannelMix  # noqa: E402

SCALE = 1 / 16
STEPS = 3


def main() -> None:
    """Train and print {model: [{loss: value}, ...]}."""
    path = Path(sys.argv[1])
    write = "--write" in sys.argv
    names = [name for name in sys.argv[2:] if not name.startswith("--")] or registry.model_names()
    kept = {} if write else dict(np.load(path))
    losses = {}
    for name in names:
        kind = registry.model_class(name)
        given = {"perceptual": True} if name == "gan" else {}
        model = kind(kind.Options(**given), scale=SCALE)
        without_chance(model)
        share(model, name, kept, write=write)
        model.load_extra_state({})  # a running mean begins at these weights
        batches = {side: batch(model, side, seed) for seed, side in enumerate(("src", "dst"))}
        losses[name] = [model.train_on(batches) for _ in range(STEPS)]
        picture, mask = model.predict(batches["dst"]["target"])
        losses[name].append({"picture": float(picture.mean()), "mask": float(mask.mean())})
        del model
        keras.backend.clear_session()
    if write:
        np.savez(path, **kept)
    if keras.backend.backend() != "tensorflow":
        assert "tensorflow" not in sys.modules, "a second backend beside the one in use takes seconds and memory"
    print(json.dumps(losses))


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
    for part, network in model.parts.items():
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
        found[sample.name] = (picture > 0.5).astype(np.float32) if sample.kind == "mask" else picture
    return found


if __name__ == "__main__":
    main()
