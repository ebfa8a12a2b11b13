"""GAN: half face at 64 px with a discriminator per person that learns to tell generated faces from real ones.

The idea of the adversarial model of FaceSwap's spring of 2018: reconstruction alone settles for the mean of all that
could be right, which is blurred; a discriminator takes no blur for a face. Losses: masked DSSIM and absolute error of
the reconstructed face, error of the predicted mask, the discriminator's least squares (Mao et al., ICCV 2017), and
where wanted the distance of the discriminator's features (Larsen et al., "Autoencoding beyond pixels using a learned
similarity metric", ICML 2016), a perceptual loss that needs no foreign weights. Discriminators see the masked face, so
that no background gives the generated one away.

An iteration has two steps with an optimizer each: the generators against the discriminators, then the discriminators.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from facewright import nn
from facewright.core.options import option
from facewright.core.workspace import SIDES
from facewright.faces.align import FaceType
from facewright.models.layouts import SharedEncoder
from facewright.models.spec import CONVERTER_DEFAULTS, ModelOptions

if TYPE_CHECKING:  # it imports keras
    from facewright.nn.train_step import TrainStep

GENERATORS = ("encoder", "decoder_src", "decoder_dst")
# Saved models know the discriminators, their step and their loss under these names.
DISCRIMINATORS = ("critic_src", "critic_dst")
ADVERSARIAL = 0.05  # weight of the adversarial loss: enough for texture, too little to invent a face
PERCEPTUAL = 0.5
LEAK = 0.2


class GAN(SharedEncoder):
    """Half face, 64 px, sharpened by a discriminator."""

    title = (
        "half face, 64 px: sharpened by a discriminator that tells generated faces from real ones; slower, less stable"
    )
    resolution = 64
    face_type = FaceType.HALF
    converter = CONVERTER_DEFAULTS[face_type]
    reported = ("src", "dst", "critics")
    default_batch = 8
    parameters = MappingProxyType({"full": 96_666_378})
    memory = 2.6
    seconds = 1.7

    @dataclass(frozen=True)
    class Options(ModelOptions):
        """Its loss."""

        perceptual: bool = option(
            False,
            "Compare faces by the discriminator's features, too: slower, finer.",
            ask="Perceptual loss",
            per_run=True,  # a term of the loss: no weight depends on it
        )

    def build(self) -> dict[str, Any]:
        """Build encoder (64 -> 8x8), both decoders and both discriminators."""
        w = self.width
        latent = nn.networks.LatentSpec(w(1024), 4, w(1024), w(512))
        filters = self.widths(256, 128, 64)
        return {
            "encoder": nn.networks.encoder(64, self.widths(128, 256, 512, 1024), latent),
            "decoder_src": _decoder(latent.shape, filters, "decoder_src"),
            "decoder_dst": _decoder(latent.shape, filters, "decoder_dst"),
            "critic_src": _discriminator(self.widths(64, 128, 256), "critic_src"),
            "critic_dst": _discriminator(self.widths(64, 128, 256), "critic_dst"),
        }

    def train_steps(self) -> "tuple[TrainStep, ...]":
        """Return the generators' step, then the discriminators'."""
        return (
            self.train_step("networks", GENERATORS, self.forward, self.losses, frozen=DISCRIMINATORS),
            self.train_step(
                "critics",
                DISCRIMINATORS,
                self.forward,
                self.discriminator_loss,
                frozen=GENERATORS,
                reports=("critics",),
                stable=False,
            ),
        )

    def optimizer(self) -> Any:
        """Return Adam at the rate that is usual against a discriminator."""
        return nn.optimizers.Adam(learning_rate=1e-4, beta_1=0.5, beta_2=0.999)

    def losses(
        self, src: dict[str, Any], dst: dict[str, Any], reconstructed: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """Reconstruction and adversarial loss; the masked DSSIM is reported."""
        reported, total = {}, 0.0
        for side, face in zip(SIDES, (src, dst), strict=True):
            picture, mask = reconstructed[side], face["mask"]
            reported[side] = nn.losses.masked_dssim(face["target"], picture, mask)
            total += (
                reported[side]
                + nn.losses.weighted_mae(face["target"], picture, mask)
                + nn.losses.mae(mask, reconstructed[f"{side}_mask"])
            )
            *features, scores = self.parts[f"critic_{side}"](picture * mask)
            total += ADVERSARIAL * nn.losses.lsgan_real(scores)
            if getattr(self.options, "perceptual", False):
                *wanted, _ = self.parts[f"critic_{side}"](face["target"] * mask)
                pairs = zip(wanted, features, strict=True)
                total += PERCEPTUAL * sum(nn.losses.mae(nn.ops.stop_gradient(w), f) for w, f in pairs) / len(features)
        return total, reported

    def discriminator_loss(
        self, src: dict[str, Any], dst: dict[str, Any], reconstructed: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """Return the LSGAN loss: 0 when every face is told right, 0.25 each at chance."""
        wrong = 0.0
        for side, face in zip(SIDES, (src, dst), strict=True):
            discriminator, mask = self.parts[f"critic_{side}"], face["mask"]
            *_, of_real = discriminator(face["target"] * mask)
            *_, of_fake = discriminator(nn.ops.stop_gradient(reconstructed[side]) * mask)
            wrong += (nn.losses.lsgan_real(of_real) + nn.losses.lsgan_fake(of_fake)) / 2
        return wrong, {"critics": wrong}


def _decoder(shape: tuple[int, ...], filters: tuple[int, ...], name: str) -> Any:
    code = nn.keras.Input(shape)
    x = nn.blocks.residual(filters[-1], init="glorot_uniform")(nn.networks.upsample_blocks(code, filters))
    m = nn.networks.upsample_blocks(code, filters)
    return nn.keras.Model(
        code, [nn.blocks.output_layer(3)(x), nn.blocks.output_layer(1)(m)], name=name
    )  # (b, 64, 64, 3 and 1)


def _discriminator(filters: tuple[int, ...], name: str) -> Any:
    """keras.Model (b, 64, 64, 3) -> three inner layers and the scores (b, 8, 8, 1): near 1 for real."""
    face = nn.keras.Input((64, 64, 3))
    x, inner = face, []
    for count in filters:
        x = nn.blocks.conv(count, leak=LEAK)(x)
        inner.append(nn.layers.Activation("linear", dtype="float32")(x))
    scores = nn.layers.Conv2D(1, 3, padding="same", dtype="float32")(x)
    return nn.keras.Model(face, [*inner, scores], name=name)
