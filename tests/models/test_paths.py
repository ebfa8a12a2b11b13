"""Which parts make which outputs, and which weights each step moves, as the facts on every model have it."""

import keras
import numpy as np
import pytest

from facewright.models import registry
from facewright.nn import devices, train_step
from facewright.nn.saehd_networks import ChannelMix

SCALE = 1 / 128
SMALL = {"saehd": {"resolution": 64}, "amp": {"resolution": 64}}
SRC, DST, SWAP = {"src", "src_mask"}, {"dst", "dst_mask"}, {"swap", "swap_mask"}
EVERY = SRC | DST | SWAP
BOTH_DECODERS = {"encoder": EVERY, "decoder_src": SRC | SWAP, "decoder_dst": DST}
# Model -> part -> the outputs that it has a hand in.
OUTPUTS = {
    "amp": {"encoder": EVERY, "inter_src": SRC | SWAP, "inter_dst": DST, "mix": set(), "decoder": EVERY},
    "avatar": {
        "encoder64": {"src", "dst", "swap"},
        "decoder64_src": {"src", "swap"},
        "decoder64_dst": {"dst"},
        "encoder256": {"portrait", "swap"},
        "decoder256": {"portrait", "swap"},
    },
    "df": BOTH_DECODERS,
    "gan": {**BOTH_DECODERS, "critic_src": set(), "critic_dst": set()},
    "h64": BOTH_DECODERS,
    "h128": BOTH_DECODERS,
    "liaef128": {"encoder": EVERY, "inter_ab": EVERY, "inter_b": DST, "decoder": EVERY},
    "miaef128": {
        "encoder": EVERY,
        "inter_a": EVERY,
        "inter_b": DST,
        "common_a": EVERY,
        "common_b": DST | SWAP,
        "head_rgb": {"dst", "swap"},
        "head_bw": {"src"},
        "head_mask": {"src_mask", "dst_mask", "swap_mask"},
    },
    "original": {"encoder": {"src", "dst", "swap"}, "decoder_src": {"src", "swap"}, "decoder_dst": {"dst"}},
    "quick": BOTH_DECODERS,
    "quick96": BOTH_DECODERS,
    "saehd": {"encoder": EVERY, "inter_ab": EVERY, "inter_b": DST, "decoder": EVERY},
}
# Model -> phase -> the parts that it moves, where an iteration has more phases than one.
MOVED = {
    "df": {"src": {"encoder", "decoder_src"}, "dst": {"encoder", "decoder_dst"}},
    "gan": {"networks": {"encoder", "decoder_src", "decoder_dst"}, "critics": {"critic_src", "critic_dst"}},
    "liaef128": {"src": {"encoder", "inter_ab", "decoder"}, "dst": {"encoder", "inter_ab", "inter_b", "decoder"}},
    "miaef128": {
        "src": {"encoder", "inter_a", "common_a", "head_bw", "head_mask"},
        "dst": {"encoder", "inter_a", "inter_b", "common_a", "common_b", "head_rgb", "head_mask"},
    },
}
NETWORKS = [name for name in registry.model_names() if name != "liaef128yaw"]  # the network of liaef128


@pytest.fixture(autouse=True)
def fresh():
    devices.precision("float32")
    yield
    keras.backend.clear_session()


def narrow(name):
    """Return a model with few channels and larger weights, so that every part clearly shows in the outputs."""
    kind = registry.model_class(name)
    model = kind(kind.Options(**SMALL.get(name, {})), scale=SCALE)
    stir(model.parts.values())
    return model


def stir(parts, seed=0):
    """Add noise to all weights, as large as first weights are."""
    rng = np.random.default_rng(seed)
    for part in parts:
        for weight in part.trainable_variables:
            size = 0.5 / np.sqrt(np.prod(weight.shape[:-1])) if len(weight.shape) > 1 else 0.1
            weight.assign(weight + rng.normal(0, size, weight.shape).astype(np.float32))


def faces(model, count, seed):
    return np.random.default_rng(seed).random((count, model.resolution, model.resolution, 3), np.float32)


def taken(step, batches):
    """Take a step and wait for it; return its losses."""
    return step.finish(train_step.read([step.start(batches)])[0])


def outputs(model, src, dst):
    """Return all that the model makes of the faces of both people; constant masks are left out."""
    picture, mask = model.swap(dst)
    made = {**model.forward(src, dst), "swap": picture, "swap_mask": mask}
    made = {name: np.asarray(value) for name, value in made.items()}
    return {name: value for name, value in made.items() if not name.endswith("mask") or value.min() < 1}


def changed(before, after):
    assert before.keys() == after.keys()
    return {name for name in before if not np.allclose(before[name], after[name], rtol=0, atol=1e-6)}


def test_every_model_is_here():
    assert set(OUTPUTS) == set(NETWORKS)


def beside(*codes):
    return keras.ops.concatenate(codes, axis=-1)


def two_decoders(p, src, dst):
    """H64, H128, DF and their like: B.4 to B.6."""
    of_src, of_dst = p["encoder"](src), p["encoder"](dst)
    made = {"src": p["decoder_src"](of_src), "dst": p["decoder_dst"](of_dst), "swap": p["decoder_src"](of_dst)}
    return {**{k: v[0] for k, v in made.items()}, **{f"{k}_mask": v[1] for k, v in made.items()}}


def original(p, src, dst):
    of_src, of_dst = p["encoder"](src), p["encoder"](dst)
    return {"src": p["decoder_src"](of_src), "dst": p["decoder_dst"](of_dst), "swap": p["decoder_src"](of_dst)}


def liaef(p, src, dst):
    """B.7: src is (AB, AB), dst is (B, AB), the swap is the path of src."""

    def path(faces, first):
        flat = p["encoder"](faces)
        return p["decoder"](beside(p[first](flat), p["inter_ab"](flat)))

    made = {"src": path(src, "inter_ab"), "dst": path(dst, "inter_b"), "swap": path(dst, "inter_ab")}
    return {**{k: v[0] for k, v in made.items()}, **{f"{k}_mask": v[1] for k, v in made.items()}}


def miaef(p, src, dst):
    """B.8: src (A, A), common A twice, BW; dst (B, A), commons A and B, RGB; swap (A, A), commons A and B, RGB."""

    def path(faces, first, second, head):
        flat = p["encoder"](faces)
        code = beside(p[first](flat), p["inter_a"](flat))
        (x, y), (u, v) = p["common_a"](code), p[second](code)
        return p[head](beside(x, u)), p["head_mask"](beside(y, v))

    grey, src_mask = path(src, "inter_a", "common_a", "head_bw")
    colour, dst_mask = path(dst, "inter_b", "common_b", "head_rgb")
    swap, swap_mask = path(dst, "inter_a", "common_b", "head_rgb")
    made = {"src": beside(grey, grey, grey), "src_mask": src_mask, "dst": colour, "dst_mask": dst_mask}
    return {**made, "swap": swap, "swap_mask": swap_mask}


def avatar(p, src, dst):
    """B.9: the swap is dst -> encoder64 -> decoder64_src -> encoder256 -> decoder256."""
    as_src = p["decoder64_src"](p["encoder64"](dst))
    return {
        "src": p["decoder64_src"](p["encoder64"](src)),
        "dst": p["decoder64_dst"](p["encoder64"](dst)),
        "portrait": p["decoder256"](p["encoder256"](src)),
        "swap": p["decoder256"](p["encoder256"](as_src)),
    }


def amp(p, src, dst):
    """All of src, as where nothing is said of the morph."""

    def path(faces, middle):
        return p["decoder"](p[middle](p["encoder"](faces)))

    made = {"src": path(src, "inter_src"), "dst": path(dst, "inter_dst"), "swap": path(dst, "inter_src")}
    return {**{k: v[0] for k, v in made.items()}, **{f"{k}_mask": v[1] for k, v in made.items()}}


WRITTEN = {"amp": amp, "avatar": avatar, "liaef128": liaef, "miaef128": miaef, "original": original, "saehd": liaef}


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_and_the_parts_that_make_them(name):
    model = narrow(name)
    src, dst = faces(model, 2, 0), faces(model, 1, 1)
    before, expected = outputs(model, src, dst), WRITTEN.get(name, two_decoders)(model.parts, src, dst)
    assert before.keys() == expected.keys() == set.union(*OUTPUTS[name].values())
    for output, value in expected.items():
        np.testing.assert_allclose(before[output], np.asarray(value), atol=1e-5, err_msg=output)
    if "dst_mask" in before:
        np.testing.assert_allclose(np.asarray(model.own_mask(dst)), before["dst_mask"], atol=1e-5)
        for made, wanted in zip(model.swap_with_own_mask(dst), ("swap", "swap_mask", "dst_mask"), strict=True):
            np.testing.assert_allclose(np.asarray(made), expected.get(wanted, before[wanted]), atol=1e-5)
    assert set(model.parts) == set(OUTPUTS[name])
    for part, network in model.parts.items():
        kept = network.get_weights()
        stir([network], seed=1)
        assert changed(before, outputs(model, src, dst)) == OUTPUTS[name][part], part
        network.set_weights(kept)
    # What is made of one person's faces does not hang on the other's.
    of_src = {output for output in before if output in SRC | {"portrait"}}
    assert changed(before, outputs(model, src, faces(model, 1, 2))) == set(before) - of_src
    assert changed(before, outputs(model, faces(model, 2, 2), dst)) == of_src


def batch(model, side, seed):
    rng = np.random.default_rng(seed)
    return {s.name: rng.random((2, s.size, s.size, s.channels), np.float32) for s in model.samples(side)}


def without_chance(model):
    """Every weight moves, and a loss can be computed again."""
    for part in model.parts.values():
        for layer in part.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = 0.0
            if isinstance(layer, ChannelMix):
                layer.share = 1.0
    for trainer in model.steps.values():
        trainer.run_eagerly = True  # the graph takes longer to build than this test may take
        if hasattr(trainer.optimizer.inner, "keep"):
            trainer.optimizer.inner.keep = 1.0


def arrays(model):
    """Return copies of all trained weights by part, and of each phase's optimiser."""
    weights = {name: [np.array(v.numpy()) for v in part.trainable_variables] for name, part in model.parts.items()}
    states = {name: [np.array(v.numpy()) for v in trainer.optimizer.variables] for name, trainer in model.steps.items()}
    return weights, states


@pytest.mark.parametrize("name", NETWORKS)
def test_what_each_phase_moves(name):
    model = narrow(name)
    without_chance(model)
    batches = {side: batch(model, side, seed) for seed, side in enumerate(("src", "dst"))}
    table = MOVED.get(name, {"": set(model.parts)})
    assert list(model.steps) == list(table)
    for phase, trainer in model.steps.items():
        inputs, wanted = trainer.arguments(batches)
        _, expected = trainer.loss_function(*wanted.values(), trainer.forward_pass(*inputs))
        weights, states = arrays(model)
        told = taken(trainer, batches)
        # The step tells the losses of the weights that it found.
        assert told == pytest.approx({key: float(value) for key, value in expected.items()}, rel=1e-4)
        weights_after, states_after = arrays(model)
        for part, before in weights.items():
            same = [np.array_equal(a, b) for a, b in zip(before, weights_after[part], strict=True)]
            assert not any(same) if part in table[phase] else all(same), part
        for other, before in states.items():
            same = [np.array_equal(a, b) for a, b in zip(before, states_after[other], strict=True)]
            assert not all(same) if other == phase else all(same), other


def test_liaef128yaw_is_liaef128():
    yaw, plain = registry.model_class("liaef128yaw"), registry.model_class("liaef128")
    assert issubclass(yaw, plain) and not {"build", "path", "trained_by", "train_steps", "loss"} & set(vars(yaw))


def test_avatars_dropout_is_active_in_training_only():
    model = narrow("avatar")
    batches = {side: batch(model, side, seed) for seed, side in enumerate(("src", "dst"))}
    (trainer,) = model.steps.values()
    trainer.run_eagerly = True
    trainer.optimizer.learning_rate = 0.0  # the same weights and faces; what differs is what is dropped
    first, second = taken(trainer, batches), taken(trainer, batches)
    assert all(abs(first[key] - second[key]) > 1e-5 for key in first)
    face = batches["dst"]["target"]
    np.testing.assert_array_equal(model.predict(face)[0], model.predict(face)[0])
    without_chance(model)
    assert taken(trainer, batches) == pytest.approx(taken(trainer, batches), abs=1e-6)
