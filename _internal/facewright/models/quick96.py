"""QUICK96: full face at 96 px, DeepFaceLab's small model of 2019 with its fixed settings ("df-ud").

The encoder's code is normalised; the decoders work at half the resolution and give four sub-pixels at once. Every
third iteration sees the faces as they are, without the warp. There it repeated the batch before; here it takes the
next one, which shows the same share of faces unwarped and wastes no batch that was made ahead.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from numpy.typing import NDArray

from facewright import nn
from facewright.faces.align import FaceType
from facewright.models.layouts import SharedEncoder
from facewright.models.spec import CONVERTER_DEFAULTS

SIDE = 96
WINDOW = 8  # of SSIM: int(side / 11.6)
SIGMA = 3.0  # of the mask's blur, in pixels: side / 32
UNWARPED_EVERY = 3
LEAK = 0.2  # in the residual blocks


class Quick96(SharedEncoder):
    """Full face, 96 px, 38 million parameters."""

    title = "full face, 96 px: the small model of later DeepFaceLab, for a first look on a small GPU"
    resolution = 96
    face_type = FaceType.FULL
    flip = False
    converter = CONVERTER_DEFAULTS[face_type]
    default_batch = 4
    parameters = MappingProxyType({"full": 38_294_330})
    memory = 1.7
    seconds = 1.7
    _iterations: int | None = None

    def build(self) -> dict[str, Any]:
        """Build the encoder with its inner network (96 -> 6x6) and the decoders."""
        w = self.width
        latent = nn.networks.LatentSpec(w(128), 3, w(128), w(128))
        picture, mask = self.widths(512, 256, 128), self.widths(128, 64, 32, 16)
        return {
            "encoder": _encoder(self.widths(64, 128, 256, 512), latent),
            **{name: _decoder(latent.shape, picture, mask, name) for name in self.decoders},
        }

    def optimizer(self) -> Any:
        """Return RMSprop that moves three weights in ten at each step."""
        return nn.optimizers.DroppedRMSprop(learning_rate=2e-4, rho=0.9, keep=0.3)

    def start(self, batches: Mapping[str, Mapping[str, Any]]) -> list[list[Any]]:
        """Start one iteration; every third is on faces that are not warped."""
        if self._iterations is None:  # asked for once: the device would have to end its step to tell it
            self._iterations = int(nn.ops.convert_to_numpy(self.steps[""].optimizer.iterations))
        if self._iterations % UNWARPED_EVERY == UNWARPED_EVERY - 1:
            batches = {name: _unwarped(batch) for name, batch in batches.items()}
        self._iterations += 1
        return super().start(batches)

    def load_extra_state(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take a saved state; its iterations count."""
        self._iterations = None
        super().load_extra_state(arrays)

    def loss(self, face: dict[str, Any], picture: Any, mask: Any) -> tuple[Any, Any]:
        """Return DSSIM and squared error inside a soft mask, squared error of the mask, each ten times."""
        soft = 2 * nn.ops.clip(nn.losses.blurred(face["mask"], SIGMA), 0, 0.5)
        target, made = face["target"] * soft, picture * soft
        total = 10 * (
            nn.losses.dssim(target, made, WINDOW) + nn.losses.mse(target, made) + nn.losses.mse(face["mask"], mask)
        )
        return total, total


def _encoder(filters: tuple[int, ...], code: "nn.networks.LatentSpec") -> Any:
    face = nn.keras.Input((SIDE, SIDE, 3))
    x = face
    for count in filters:
        x = nn.blocks.conv(count)(x)  # -> (b, 6, 6, 512)
    x = nn.blocks.PixelNorm()(nn.layers.Flatten()(x))
    return nn.keras.Model(face, nn.networks.upscaled_bottleneck(code)(x), name="encoder")  # (b, 6, 6, 128)


def _unwarped(batch: Mapping[str, Any]) -> dict[str, Any]:
    """Return the batch without its warp: of images, or of the numbers that a device makes them of."""
    if "control_points" in batch:
        return {**batch, "control_points": nn.ops.zeros_like(batch["control_points"])}
    return {**batch, "warped": batch["target"]}


def _decoder(shape: tuple[int, ...], picture: tuple[int, ...], mask: tuple[int, ...], name: str) -> Any:
    code = nn.keras.Input(shape)
    x = code
    for count in picture:
        x = nn.blocks.residual(count, init="glorot_uniform", leak=LEAK)(
            nn.blocks.upscale(count)(x)
        )  # -> (b, 48, 48, 128)
    # Four convolutions, one for each of the sub-pixels.
    corners = [nn.layers.Conv2D(3, kernel, padding="same")(x) for kernel in (1, 3, 3, 3)]
    x = nn.blocks.PixelShuffle()(nn.layers.Concatenate()(corners))
    m = nn.layers.Conv2D(1, 1)(nn.networks.upsample_blocks(code, mask))
    sigmoid = [nn.layers.Activation("sigmoid", dtype="float32")(y) for y in (x, m)]
    return nn.keras.Model(code, sigmoid, name=name)  # (b, 96, 96, 3 and 1)
