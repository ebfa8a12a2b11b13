"""QUICK: full face at 128 px, small enough to learn a pair of short clips in minutes on two CPU cores.

What makes it quick:
* the decoders work at half the resolution; the last layer gives four sub-pixels at once;
* every decoder level adds its own image to the coarser one (Karras et al., "Analyzing and Improving the
  Image Quality of StyleGAN", CVPR 2020: the generator with skips), so coarse colours are there after a hundred
  iterations and the fine levels only learn what is missing;
* aligned faces are turned and shifted a fifth as much as the models of 2018 do it, since the converter's faces
  are aligned as well;
* the learning rate stays high, which teaches both decoders the same latent code; an EMA of the weights takes its
  noise out again (Polyak and Juditsky 1992). A falling learning rate gave sharper reconstructions, but poorer swaps;
* batches are small on processors: in 250 s of one core (the sample, one run each) 1,106 iterations at batch 4 gave a
  margin of 0.088 and eyes with 0.64 of dst's detail, 625 at batch 8 gave 0.082 and 0.61;
* samples keep a face's detail (`data/sample.py`): in the same time the sample's eyes came to 0.67, its skin from 0.67
  to 0.71; on a real pair whose src shows what dst does (159 s) eyes from 0.76 to 0.79, skin from 0.88 to 0.94 and the
  mouth's correlation from 0.89 to 0.94; eyes (0.84) and distance to src (0.43) were as before. The sample's src has
  0.95 of dst's detail around the eyes itself: no swap should have more. An absolute error of the differences of
  neighbouring pixels, weighted like that of the pixels, gained nothing (margin 0.080, eyes 0.65), nor did twice the
  learning rate (0.088, 0.66; faces held out 4.2 instead of 3.7 % off). After 500 s, 2,206 iterations, the sample has a
  margin of 0.096, eyes with 0.75 and skin with 0.79 of dst's detail, and eyes that follow dst's by 0.94;
* eyes and mouth, with what is around them, weigh four times as much as the skin, in both terms of the loss. (When only
  what lies between the lids did, shut eyes hardly counted: on the sample, 1,000 iterations at batch 4, `main.py
  evaluate`, one run each, the eyes' opening correlated with dst's by 0.73 instead of 0.86; margin 0.089 and sharpness
  of eyes and face were the same.)

Random light (`--random-light 1`): 1,000 iterations at batch 4, same faces and seed, `main.py evaluate`, one run each;
where dst stands in another light than src and src never shuts its eyes (real people), the eyes followed dst better
(correlation 0.40 instead of 0.09), as did the mouth (error 0.057 instead of 0.079); margin (0.454, 0.447), landmark
error (0.040, 0.041) and border step (1.76, 1.88) were as good, sharpness of the face 0.85 instead of 0.92. On the
sample, where the light is alike, it only cost time: eyes 0.63 instead of 0.73, margin 0.072 instead of 0.089. So it is
offered, not the rule.

Without the elastic warp at the end (`--no-random-warp`): the sample, 1,000 iterations and 350 more with and without it,
one run each; eyes came to 0.73 instead of 0.70 of dst's detail, the face to 0.76 instead of 0.74, the eyes' correlation
to 0.90 instead of 0.88, the mouth's to 0.90 instead of 0.91; margin (0.094) and landmark error (0.036) were the same.
"""

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from facewright import nn
from facewright.core.options import option
from facewright.data.sample import Sample
from facewright.faces.align import FaceType
from facewright.models.layouts import SharedEncoder
from facewright.models.spec import CONVERTER_DEFAULTS, ModelOptions, warp_option

SIDE = 128
ENCODER = (24, 48, 96, 192)  # channels, 64 px down to 8 px
DECODER = (128, 64, 32)  # channels, 16 px up to 64 px
CODE = 256
FOCUS = 3.0
BACKGROUND = 0.1
EVERY = 2  # pixels from one window of SSIM to the next


class Quick(SharedEncoder):
    """Full face, 128 px, 8 million parameters."""

    title = "full face, 128 px: learns short clips in minutes, also without a GPU"
    resolution = 128
    face_type = FaceType.FULL
    flip = False
    jitter = 0.2
    ema = 0.99
    converter = replace(CONVERTER_DEFAULTS[face_type], erode=0, blur=40, within_hull=True)
    default_batch = 4
    batches = MappingProxyType({1: 4, 2: 8})
    parameters = MappingProxyType({"full": 7_824_800})
    memory = 0.9
    seconds = 0.2
    iterations = (1_000, 4_000)  # the second is what quickstart trains

    @dataclass(frozen=True)
    class Options(ModelOptions):
        """How it is trained."""

        random_warp: bool = warp_option()
        random_light: float = option(
            0.0,
            "How strongly light and colour of src's and dst's faces change at random, what is learned from and what is "
            "to come out alike. 1 lets eyes and mouth follow dst where its light differs from src's; it learns slower.",
            low=0,
            high=1,
            per_run=True,
        )

    options: Options

    def samples(self, side: str = "src") -> tuple[Sample, ...]:
        """Return the usual outputs, the images in random light, and where eyes and mouth are."""
        warped, target, mask = super().samples(side)
        warped = replace(warped, warp=self.options.random_warp)
        images = (replace(image, interpolation="cubic", light=self.options.random_light) for image in (warped, target))
        return (*images, mask, Sample("focus", "focus", self.resolution, self.face_type))

    def build(self) -> dict[str, Any]:
        """Build the shared encoder (128 -> 8x8) and the decoders."""
        return {
            "encoder": _encoder(),
            **{name: _decoder(name) for name in self.decoders},
        }

    def optimizer(self) -> Any:
        """Return Adam, twenty times faster than the large models: the network is shallow and well scaled."""
        return nn.optimizers.Adam(learning_rate=1e-3, beta_1=0.9, beta_2=0.99, global_clipnorm=1.0)

    def loss(self, face: dict[str, Any], picture: Any, mask: Any) -> tuple[Any, Any]:
        """Return masked DSSIM, absolute error, mask error; the plain masked DSSIM is reported."""
        weight = face["mask"] * (1 + FOCUS * face["focus"])
        similarity = nn.losses.ssim_map(face["target"] * face["mask"], picture * face["mask"], every=EVERY)
        total = (
            nn.losses.weighted_dssim(similarity, weight, EVERY)
            + 3 * nn.losses.weighted_mae(face["target"], picture, weight + BACKGROUND)
            + 0.5 * nn.losses.mae(face["mask"], mask)
        )
        return total, (1 - nn.ops.mean(similarity)) / 2


def _encoder() -> Any:
    face = nn.keras.Input((SIDE, SIDE, 3))
    x = face
    for filters in ENCODER:
        x = nn.blocks.conv(filters, init=nn.blocks.HE)(x)  # -> (b, 8, 8, 192)
    return nn.keras.Model(face, nn.blocks.bottleneck(CODE, SIDE // 16, DECODER[0])(x), name="encoder")  # (b, 8, 8, 128)


def _decoder(name: str) -> Any:
    code = nn.keras.Input((SIDE // 16, SIDE // 16, DECODER[0]))
    x, picture = code, None
    for filters in DECODER:
        x = nn.blocks.upscale(filters, init=nn.blocks.HE)(x)
        if filters != DECODER[-1]:
            level = nn.layers.Conv2D(4, 1)(x)
            picture = level if picture is None else nn.layers.Add()([_double(picture), level])
    x = nn.blocks.residual(DECODER[-1])(x)  # (b, 64, 64, 32)
    fine = nn.blocks.PixelShuffle()(nn.layers.Conv2D(16, 3, padding="same")(x))
    # The sum and what follows in float32: the coarse image carries the colour.
    coarse = nn.layers.Activation("linear", dtype="float32")(picture)
    total = nn.layers.Add(dtype="float32")([_double(_double(coarse)), fine])
    result = nn.layers.Activation("sigmoid", dtype="float32")(total)
    # Not two slices: their gradients take TensorFlow 8 ms of processor time, these 2.5 (8 faces).
    image, mask = nn.ops.split(result, [3], axis=-1)
    return nn.keras.Model(code, [image, mask], name=name)  # (b, 128, 128, 3 and 1)


def _double(picture: Any) -> Any:
    return nn.layers.UpSampling2D(2, interpolation="bilinear", dtype=picture.dtype)(picture)
