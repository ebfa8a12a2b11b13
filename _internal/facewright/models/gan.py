"""GAN: half face at 64 px with a critic per person that learns to tell made faces from real ones.

The idea of the adversarial model of FaceSwap's spring of 2018: rebuilding alone settles for the mean of all that
could be right, which is blurred; a critic takes no blur for a face. Losses: masked DSSIM and absolute error of the
rebuilt face, error of the predicted mask, the critic's least squares (Mao et al., ICCV 2017), and where wanted the
distance of the critic's inner layers (Larsen et al., "Autoencoding beyond pixels using a learned similarity metric",
ICML 2016), a perceptual loss that needs no foreign weights. Critics see the masked face, so that no background
betrays what is made.

An iteration has two phases with an optimiser each: the networks against the critics, then the critics.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import keras
from keras import layers, ops

from facewright.core.options import option
from facewright.core.workspace import SIDES
from facewright.faces.align import FaceType
from facewright.models.base import ConverterDefaults, ModelOptions
from facewright.models.layouts import SharedEncoder
from facewright.nn.blocks import conv, head, residual
from facewright.nn.losses import made, mae, masked_dssim, real, weighted_mae
from facewright.nn.networks import Code, doubled, encoder
from facewright.nn.optimizers import Adam
from facewright.nn.train_step import Phase

NETWORKS = ("encoder", "decoder_src", "decoder_dst")
CRITICS = ("critic_src", "critic_dst")
ADVERSARIAL = 0.05  # weight of the critic's word: enough for texture, too little to invent a face
PERCEPTUAL = 0.5
LEAK = 0.2


class GAN(SharedEncoder):
    """Half face, 64 px, sharpened by a critic."""

    title = "half face, 64 px: sharpened by a critic that tells made faces from real ones; slower, less steady"
    resolution = 64
    face_type = FaceType.HALF
    converter = ConverterDefaults(erode=100, blur=100)
    default_batch = 8
    parameters = MappingProxyType({"full": 96_666_378})
    memory = MappingProxyType({4: 2.4})

    @dataclass(frozen=True)
    class Options(ModelOptions):
        """Fixed at creation."""

        perceptual: bool = option(
            False, "Compare faces as the critic's inner layers see them, too: slower, finer.", ask="Perceptual loss"
        )

    def build(self) -> dict[str, Any]:
        """Build encoder (64 -> 8x8), both decoders and both critics."""
        w = self.width
        code = Code(w(1024), 4, w(1024), w(512))
        filters = self.widths(256, 128, 64)
        return {
            "encoder": encoder(64, self.widths(128, 256, 512, 1024), code),
            "decoder_src": _decoder(code.shape, filters, "decoder_src"),
            "decoder_dst": _decoder(code.shape, filters, "decoder_dst"),
            "critic_src": _critic(self.widths(64, 128, 256), "critic_src"),
            "critic_dst": _critic(self.widths(64, 128, 256), "critic_dst"),
        }

    def phases(self) -> tuple[Phase, ...]:
        """Return the networks' step, then the critics'."""
        networks, critics = ({name: self.parts[name] for name in names} for names in (NETWORKS, CRITICS))
        return (
            Phase("networks", networks, self.forward, self.losses, self.optimizer(), fixed=critics),
            Phase(
                name="critics",
                parts=critics,
                forward=self.forward,
                loss=self.judge,
                optimizer=self.optimizer(),
                reports=("critics",),
                fixed=networks,
                steady=False,
            ),
        )

    def optimizer(self) -> Any:
        """Return Adam at the rate that is usual against a critic."""
        return Adam(learning_rate=1e-4, beta_1=0.5, beta_2=0.999)

    def losses(self, src: dict[str, Any], dst: dict[str, Any], rebuilt: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Rebuilding and the critics' word on it; the masked DSSIM is reported."""
        reported, total = {}, 0.0
        for side, face in zip(SIDES, (src, dst), strict=True):
            picture, mask = rebuilt[side], face["mask"]
            reported[side] = masked_dssim(face["target"], picture, mask)
            total += reported[side] + weighted_mae(face["target"], picture, mask) + mae(mask, rebuilt[f"{side}_mask"])
            *features, scores = self.parts[f"critic_{side}"](picture * mask)
            total += ADVERSARIAL * real(scores)
            if getattr(self.options, "perceptual", False):
                *wanted, _ = self.parts[f"critic_{side}"](face["target"] * mask)
                pairs = zip(wanted, features, strict=True)
                total += PERCEPTUAL * sum(mae(ops.stop_gradient(w), f) for w, f in pairs) / len(features)
        return total, reported

    def judge(self, src: dict[str, Any], dst: dict[str, Any], rebuilt: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """What the critics get wrong: 0 when they know every face, 0.25 each when they only guess."""
        wrong = 0.0
        for side, face in zip(SIDES, (src, dst), strict=True):
            critic, mask = self.parts[f"critic_{side}"], face["mask"]
            *_, of_real = critic(face["target"] * mask)
            *_, of_made = critic(ops.stop_gradient(rebuilt[side]) * mask)
            wrong += (real(of_real) + made(of_made)) / 2
        return wrong, {"critics": wrong}


def _decoder(shape: tuple[int, ...], filters: tuple[int, ...], name: str) -> Any:
    code = keras.Input(shape)
    x = residual(filters[-1], init="glorot_uniform")(doubled(code, filters))
    m = doubled(code, filters)
    return keras.Model(code, [head(3)(x), head(1)(m)], name=name)  # (b, 64, 64, 3 and 1)


def _critic(filters: tuple[int, ...], name: str) -> Any:
    """keras.Model (b, 64, 64, 3) -> three inner layers and the scores (b, 8, 8, 1): near 1 for real."""
    face = keras.Input((64, 64, 3))
    x, inner = face, []
    for count in filters:
        x = conv(count, leak=LEAK)(x)
        inner.append(layers.Activation("linear", dtype="float32")(x))
    scores = layers.Conv2D(1, 3, padding="same", dtype="float32")(x)
    return keras.Model(face, [*inner, scores], name=name)
