"""What SAEHD's options ask of samples, steps and networks."""

import pytest

from facewright.core.errors import UserError
from facewright.models import registry

SMALL = {"resolution": 64, "ae_dims": 8, "e_dims": 4, "d_dims": 4, "d_mask_dims": 4}
AMP = registry.model_class("amp")
SAEHD = registry.model_class("saehd")


def test_src_alone_gets_other_colours_and_its_input_alone_is_shifted():
    model = SAEHD(SAEHD.Options(**SMALL, ct_mode="rct", random_hsv_power=0.05, random_warp=False))
    src, dst = ({sample.name: sample for sample in model.samples(side)} for side in ("src", "dst"))
    assert {name: (sample.transfer, sample.hsv) for name, sample in src.items() if name != "mask"} == {
        "warped": ("rct", 0.05),
        "target": ("rct", 0),
    }
    assert all(sample.transfer == "none" and not sample.hsv for sample in dst.values())
    assert not src["warped"].warp and not dst["warped"].warp


@pytest.mark.parametrize("kind", [SAEHD, AMP])
def test_pretraining_goes_without_all_that_is_for_two_people(kind):
    chosen = {"random_warp": True, "ct_mode": "rct", "random_hsv_power": 0.1, "gan_power": 0.1, "lr_dropout": True}
    forced = kind.for_pretraining(kind.Options(**chosen, ae_dims=8, clipgrad="auto"))
    assert not any((forced.random_warp, forced.random_hsv_power, forced.gan_power, forced.lr_dropout))
    assert forced.ct_mode == "none" and forced.random_src_flip and forced.random_dst_flip
    assert forced.ae_dims == 8 and forced.clipgrad == "auto"


@pytest.mark.parametrize(("archi", "held"), [("liae-d", {"inter_ab"}), ("df-d", set())])
def test_without_warp_the_common_network_of_liae_stays_as_it_is(archi, held):
    model = SAEHD(SAEHD.Options(**SMALL, archi=archi, random_warp=False))
    step = model.steps[""]
    moved = {id(variable) for variable in step.optimizer.moved}
    kept = {name for name, part in model.parts.items() if not {id(v) for v in part.trainable_variables} & moved}
    assert kept == held
    assert len(step.optimizer.inner.variables) > 2 * len(model.parts)  # the optimizer knows all of them


@pytest.mark.parametrize(
    ("kind", "options", "frozen"),
    [
        ("saehd", {"archi": "liae", "random_warp": False}, ("encoder", "inter_b", "decoder")),
        ("amp", {"inter_dims": 4}, ("encoder", "inter_src", "inter_dst", "decoder")),
        ("amp", {"inter_dims": 4}, ("mix",)),
    ],
)
def test_what_would_leave_nothing_to_learn_or_freeze_nothing_is_refused(kind, options, frozen):
    model = registry.model_class(kind)(registry.model_class(kind).Options(**SMALL, **options))
    with pytest.raises(UserError, match="frozen"):
        model.hold(frozen)
    model.hold(frozen[1:])
