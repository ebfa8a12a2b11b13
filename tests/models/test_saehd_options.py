"""What SAEHD's options ask of samples, steps and networks."""

from facewright.models import registry

SMALL = {"resolution": 64, "ae_dims": 8, "e_dims": 4, "d_dims": 4, "d_mask_dims": 4}
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
