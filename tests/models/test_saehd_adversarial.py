"""SAEHD's discriminators and styles: their losses against numpy, and what is saved of them."""

import shutil
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from facewright import nn
from facewright.models import registry, trained
from facewright.models.saehd_losses import gaussian_blur, reconstruction_loss, soft_mask
from facewright.nn import devices
from facewright.train.session import TrainingSession

SAEHD = registry.model_class("saehd")
SMALL = {"resolution": 64, "archi": "df-d", "ae_dims": 4, "e_dims": 2, "d_dims": 2, "d_mask_dims": 2, "gan_dims": 4}
ALL = {"gan_power": 0.1, "true_face_power": 0.01, "face_style_power": 0.5, "bg_style_power": 2.0}


@pytest.fixture(autouse=True)
def fresh():
    devices.precision("float32")
    yield
    keras.backend.clear_session()


def faces(seed):
    """Return random faces as the sampler gives them, with a round mask."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:64, :64] - 31.5
    mask = (np.hypot(rows, columns) < 20 + seed).astype(np.float32)[None, :, :, None].repeat(2, 0)
    images = {name: rng.random((2, 64, 64, 3)).astype(np.float32) for name in ("warped", "target")}
    return {name: nn.ops.convert_to_tensor(value) for name, value in {**images, "mask": mask}.items()}


def plain(tensor):
    return np.asarray(tensor, np.float64)


def real(scores):
    return np.log1p(np.exp(-plain(scores))).mean()


def made(scores):
    return np.log1p(np.exp(plain(scores))).mean()


def loss_of(model, src, dst):
    return float(model.losses(src, dst, model.forward(src["warped"], dst["warped"]))[0])


def test_terms():
    model, src, dst = SAEHD(SAEHD.Options(**SMALL, **ALL)), faces(0), faces(5)
    plainly, critics = model.options, model.critics
    drawn = model.forward(src["warped"], dst["warped"])

    def with_only(**options):
        model.options = replace(plainly, **{**dict.fromkeys(ALL, 0.0), **options})
        return float(model.losses(src, dst, drawn)[0])

    usual = sum(
        float(reconstruction_loss(face, drawn[side], drawn[f"{side}_mask"], plainly))
        for side, face in (("src", src), ("dst", dst))
    )
    assert with_only() == pytest.approx(usual, rel=1e-5)

    weight, around = plain(soft_mask(src["mask"])), 1 - plain(soft_mask(src["mask"]))
    scores = critics["gan"](plain(drawn["src"]) * weight)
    rough = sum((np.diff(plain(drawn["src"]), axis=axis) ** 2).sum() / 2 for axis in (1, 2))
    behind = (((plain(src["target"]) - plain(drawn["src"])) * around) ** 2).mean()
    gan = 0.1 * sum(real(s) for s in scores) + 1e-6 * rough + 0.02 * behind
    assert with_only(gan_power=0.1) - usual == pytest.approx(gan, rel=1e-3)

    assert drawn["src_code"].shape == (2, 4, 4, 4)
    true_face = 0.01 * real(critics["code"](drawn["src_code"]))
    assert with_only(true_face_power=0.01) - usual == pytest.approx(true_face, rel=1e-3, abs=2e-5)

    image = plain(gaussian_blur(drawn["styled"] * drawn["styled_mask"], 8))
    like = plain(gaussian_blur(drawn["dst"] * drawn["dst_mask"], 8))
    differences = [f(image) - f(like) for f in (lambda x: x.mean((1, 2)), lambda x: np.sqrt(x.var((1, 2)) + 1e-5))]
    style = 10_000 * 0.005 * sum((d**2).mean() for d in differences)
    assert with_only(face_style_power=0.5) - usual == pytest.approx(style, rel=1e-2, abs=2e-5)

    around = 1 - soft_mask(dst["mask"])  # of dst, not of the face of src in the same place
    one, other = dst["target"] * around, drawn["swapped"] * around
    background = 0.02 * 10 * (float(nn.losses.dssim(one, other, 5)) + ((plain(one) - plain(other)) ** 2).mean())
    assert with_only(bg_style_power=2) - usual == pytest.approx(background, rel=1e-3)


def test_what_the_discriminators_learn():
    model, src, dst = SAEHD(SAEHD.Options(**SMALL, **ALL)), faces(1), faces(2)
    gan, code = model.steps["gan"], model.steps["code"]
    assert gan.streams == ("src",) and not gan.reports and not code.reports
    weight, image = soft_mask(src["mask"]), model.rebuild(src["warped"])["src"]
    pairs = zip(model.critics["gan"](src["target"] * weight), model.critics["gan"](image * weight), strict=True)
    wanted = sum(real(r) / 2 + made(m) / 2 for r, m in pairs)
    assert float(gan.loss_function(src, gan.forward_pass(src["warped"]))[0]) == pytest.approx(wanted, rel=1e-4)
    codes = model.codes(src["warped"], dst["warped"])
    wanted = real(model.critics["code"](codes["dst"])) / 2 + made(model.critics["code"](codes["src"])) / 2
    assert float(code.loss_function(src, dst, codes)[0]) == pytest.approx(wanted, rel=1e-4)


def test_the_decoder_alone_learns_the_style_of_a_face():
    options = {**SMALL, "face_style_power": 1.0}
    model, src, dst = SAEHD(SAEHD.Options(**options)), faces(1), faces(2)
    encoder, decoder = (model.parts[name].trainable_variables for name in ("encoder", "decoder_src"))
    ways = {}
    for power in (0.0, 1.0):
        with tf.GradientTape() as tape:
            drawn = model.forward(src["warped"], dst["warped"])
            model.options = replace(model.options, face_style_power=power)
            total = model.losses(src, dst, drawn)[0]
        model.options = replace(model.options, face_style_power=1.0)
        ways[power] = tape.gradient(total, [*encoder, *decoder])
    differ = [np.abs(plain(a) - plain(b)).max() > 1e-6 for a, b in zip(ways[0.0], ways[1.0], strict=True)]
    assert not any(differ[: len(encoder)]) and any(differ[len(encoder) :])


def test_the_gan_of_amp_judges_both_people():
    amp = registry.model_class("amp")
    widths = {name: SMALL[name] for name in ("resolution", "ae_dims", "e_dims", "d_dims", "d_mask_dims", "gan_dims")}
    model, src, dst = amp(amp.Options(**widths, inter_dims=4, gan_power=0.5, eyes_mouth_prio=False)), faces(3), faces(4)
    assert list(model.steps) == ["", "gan"] and model.steps["gan"].streams == ("src", "dst")
    drawn = model.forward(src["warped"], dst["warped"])
    seen = [drawn[side] * soft_mask(face["mask"]) for side, face in (("src", src), ("dst", dst))]
    wanted = 0.5 * sum(real(scores) for image in seen for scores in model.critics["gan"](image))
    found = float(model.losses(src, dst, drawn)[0])
    model.options = replace(model.options, gan_power=0.0)
    assert found - float(model.losses(src, dst, drawn)[0]) == pytest.approx(wanted, rel=1e-3)


def test_liae_has_no_true_face():
    model = SAEHD(SAEHD.Options(**{**SMALL, "archi": "liae"}, true_face_power=0.01, gan_power=0.1))
    assert list(model.critics) == ["gan"] and list(model.steps) == ["", "gan"]


@pytest.mark.slow
def test_discriminators_come_and_go_from_run_to_run(tmp_path, capsys):
    def session(**options):
        found = TrainingSession("saehd", SAEHD(SAEHD.Options(**SMALL | options), seed=len(options)), tmp_path)
        newest = found.find()
        if newest:
            found.resume(newest.generation)
        return found

    first = session(**ALL, clipgrad="auto")
    for number, (name, variable) in enumerate(trained.model_arrays(first.model)["optimizer"].items()):
        variable.assign(nn.ops.full(variable.shape, number % 7, dtype=variable.dtype))
        assert name.startswith(("0", "gan/", "code/"))
    first.save()
    again = session(**ALL, clipgrad="auto")
    kept, found = trained.model_arrays(first.model), trained.model_arrays(again.model)
    for file in ("weights", "critics", "optimizer"):
        assert list(kept[file]) == list(found[file])
        assert all((plain(kept[file][name]) == plain(found[file][name])).all() for name in kept[file])
    assert "start over" not in capsys.readouterr().out

    wider = session(**{**ALL, "gan_dims": 8})
    assert "gan" in capsys.readouterr().out
    changed = trained.model_arrays(wider.model)
    assert all((plain(changed["critics"][n]) == plain(v)).all() for n, v in kept["critics"].items() if "code/" in n)
    assert all(
        (plain(v) == plain(kept["optimizer"][n])).all() for n, v in changed["optimizer"].items() if "gan" not in n
    )

    without = session()
    assert not trained.model_arrays(without.model)["critics"]
    without.save()
    assert not without.find().generation.has("critics")
    back = session(gan_power=0.1)
    assert all(not plain(v).any() for n, v in trained.model_arrays(back.model)["optimizer"].items() if "bias_mean" in n)
    shutil.rmtree(tmp_path)


def test_a_conversion_builds_no_discriminator(tmp_path):
    TrainingSession("saehd", SAEHD(SAEHD.Options(**SMALL, **ALL)), tmp_path).save()
    model = trained.load_trained(tmp_path).model
    assert model.network()
    assert "critics" not in vars(model)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adabelief", "rmsprop", "adam", "lion"])
def test_every_option_trains(optimizer):
    chosen = {"optimizer": optimizer, "clipgrad": "auto", "lr_dropout": optimizer != "adam", "random_hsv_power": 0.1}
    model = SAEHD(SAEHD.Options(**SMALL, **ALL, **chosen, eyes_mouth_prio=True, blur_out_mask=True))
    batches = {
        side: {name: np.asarray(value) for name, value in faces(seed).items()}
        for seed, side in enumerate(("src", "dst"))
    }
    for batch in batches.values():
        batch["focus"] = batch["mask"]
    before = {name: plain(part.trainable_variables[0]).copy() for name, part in (model.parts | model.critics).items()}
    losses = [model.train_on(batches) for _ in range(30)]
    assert all(np.isfinite(list(loss.values())).all() for loss in losses)
    assert sum(losses[-1].values()) < sum(losses[0].values())
    for name, part in (model.parts | model.critics).items():
        assert (plain(part.trainable_variables[0]) != before[name]).any(), name
