"""MIAEF128: full face at 128 px, colour learned from dst alone (DeepFaceLab 2018).

src is shown and reconstructed in grey; shape comes from it through inner network and common decoder A, colour from dst
through common decoder B and the RGB head. To swap, dst's face takes the codes (A, A) and both common decoders.
"""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

from facewright import nn
from facewright.data.sample import Sample
from facewright.faces.align import FaceType
from facewright.models.layouts import InTurn
from facewright.models.liaef128 import inter
from facewright.models.spec import CONVERTER_DEFAULTS

PATHS = {
    "src": ("encoder", "inter_a", "common_a", "head_bw", "head_mask"),
    "dst": ("encoder", "inter_a", "inter_b", "common_a", "common_b", "head_rgb", "head_mask"),
}


class MIAEF128(InTurn):
    """Full face, 128 px; for src and dst in quite different light."""

    title = "full face, 128 px: shape from a grey src, colour from dst alone, for light that differs much"
    resolution = 128
    face_type = FaceType.FULL
    converter = replace(CONVERTER_DEFAULTS[face_type], masked_hist_match=False)
    default_batch = 4
    parameters = MappingProxyType({"full": 157_899_141})
    memory = 4.4
    seconds = 10.4
    batches = MappingProxyType({4.5: 4, 5: 4, 6: 8, 7: 12, 8: 16, 9: 20, 10: 24, 11: 24, 12: 32, 13: 48})

    def samples(self, side: str = "src") -> tuple[Sample, ...]:
        """Return the usual outputs; src's images are grey in three equal channels."""
        usual = super().samples(side)
        if side == "dst":
            return usual
        return tuple(replace(s, colour="grey") if s.kind == "image" else s for s in usual)

    def build(self) -> dict[str, Any]:
        """Build encoder, two inner networks, two common decoders (16 -> 128) and the three heads."""
        w = self.width
        latent = nn.networks.LatentSpec(w(256), 8, w(512), w(512))
        wide, narrow = self.widths(512, 256, 128), self.widths(256, 128, 64)
        face = nn.networks.encoder(128, self.widths(128, 256, 512, 1024), None)
        flat, shape = face.output.shape[-1], (*latent.shape[:2], 2 * latent.out)
        return {
            "encoder": face,
            "inter_a": inter(flat, latent, "inter_a"),
            "inter_b": inter(flat, latent, "inter_b"),
            "common_a": _common(shape, wide, narrow, "common_a"),
            "common_b": _common(shape, wide, narrow, "common_b"),
            "head_rgb": _head(3, 2 * wide[-1], "head_rgb"),
            "head_bw": _head(1, 2 * wide[-1], "head_bw"),
            "head_mask": _head(1, 2 * narrow[-1], "head_mask"),
        }

    def trained_by(self, side: str) -> tuple[str, ...]:
        """All on the person's path."""
        return PATHS[side]

    def path(self, side: str, faces: Any) -> tuple[Any, Any]:
        """Rebuild src in grey (b, S, S, 1) from grey faces, or dst in colour (b, S, S, 3)."""
        flat = self.parts["encoder"](faces)
        a = self.parts["inter_a"](flat)
        if side == "dst":
            return self._in_colour(self.parts["inter_b"](flat), a)
        x, y = self.parts["common_a"](nn.ops.concatenate([a, a], axis=-1))
        return self._pair("head_bw", x, x), self._pair("head_mask", y, y)

    def swap(self, dst: Any) -> tuple[Any, Any]:
        """Paint dst's faces with src's shape, in dst's colours."""
        a = self.parts["inter_a"](self.parts["encoder"](dst))
        return self._in_colour(a, a)

    def forward(self, src: Any, dst: Any) -> dict[str, Any]:
        """Rebuild both; src's grey image in three equal channels."""
        reconstructed = super().forward(src, dst)
        return {**reconstructed, "src": nn.ops.repeat(reconstructed["src"], 3, axis=-1)}

    def loss(self, face: dict[str, Any], picture: Any, mask: Any) -> tuple[Any, Any]:
        """Take a grey face's three equal channels as one."""
        return super().loss({**face, "target": face["target"][..., : picture.shape[-1]]}, picture, mask)

    def _in_colour(self, first: Any, second: Any) -> tuple[Any, Any]:
        code = nn.ops.concatenate([first, second], axis=-1)  # (b, 16, 16, 1024)
        (xa, ya), (xb, yb) = self.parts["common_a"](code), self.parts["common_b"](code)
        return self._pair("head_rgb", xa, xb), self._pair("head_mask", ya, yb)

    def _pair(self, name: str, first: Any, second: Any) -> Any:
        return self.parts[name](nn.ops.concatenate([first, second], axis=-1))


def _common(shape: tuple[int, ...], wide: tuple[int, ...], narrow: tuple[int, ...], name: str) -> Any:
    """keras.Model (b, 16, 16, c) -> for the image (b, 128, 128, wide[-1]), for the mask (…, narrow[-1])."""
    code = nn.keras.Input(shape)
    return nn.keras.Model(
        code, [nn.networks.upsample_blocks(code, wide), nn.networks.upsample_blocks(code, narrow)], name=name
    )


def _head(channels: int, inputs: int, name: str) -> Any:
    x = nn.keras.Input((128, 128, inputs))
    return nn.keras.Model(x, nn.blocks.output_layer(channels)(x), name=name)
