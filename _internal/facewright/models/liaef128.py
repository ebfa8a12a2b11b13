"""LIAEF128: full face at 128 px, one decoder for both people behind two inner networks (DeepFaceLab 2018).

The inner network AB carries what both faces share, B only what is dst's: src is (AB, AB), dst is (B, AB). To swap,
dst's face goes down the path of src.
"""

from types import MappingProxyType
from typing import Any

from facewright import nn
from facewright.faces.align import FaceType
from facewright.models.layouts import InTurn
from facewright.models.spec import CONVERTER_DEFAULTS

INTERS = {"src": ("inter_ab", "inter_ab"), "dst": ("inter_b", "inter_ab")}


class LIAEF128(InTurn):
    """Full face, 128 px; takes over more of dst's shape and light than DF."""

    title = "full face, 128 px: src's features in dst's shape and light, for faces that differ"
    resolution = 128
    face_type = FaceType.FULL
    converter = CONVERTER_DEFAULTS[face_type]
    default_batch = 4
    parameters = MappingProxyType({"full": 136_056_068})
    memory = 4.1
    seconds = 10.1
    batches = MappingProxyType({4.5: 4, 5: 4, 6: 8, 7: 12, 8: 16, 9: 20, 10: 24, 11: 24, 12: 32, 13: 48})

    def build(self) -> dict[str, Any]:
        """Build encoder (128 -> flat), two inner networks (-> 16x16) and the decoder of both halves."""
        w = self.width
        latent = nn.networks.LatentSpec(w(256), 8, w(512), w(512))
        branch = self.widths(512, 256, 128)
        face = nn.networks.encoder(128, self.widths(128, 256, 512, 1024), None)
        return {
            "encoder": face,
            "inter_b": inter(face.output.shape[-1], latent, "inter_b"),
            "inter_ab": inter(face.output.shape[-1], latent, "inter_ab"),
            "decoder": nn.networks.decoder((*latent.shape[:2], 2 * latent.out), branch, branch, "decoder"),
        }

    def trained_by(self, side: str) -> tuple[str, ...]:
        """Encoder, the person's inner networks, the decoder."""
        return "encoder", *sorted(set(INTERS[side])), "decoder"

    def path(self, side: str, faces: Any) -> tuple[Any, Any]:
        """Encode, set the person's two codes side by side, decode."""
        flat = self.parts["encoder"](faces)
        codes = {name: self.parts[name](flat) for name in dict.fromkeys(INTERS[side])}
        both = nn.ops.concatenate([codes[name] for name in INTERS[side]], axis=-1)  # (b, 16, 16, 1024)
        face, mask = self.parts["decoder"](both)
        return face, mask


def inter(inputs: int, code: "nn.networks.LatentSpec", name: str) -> Any:
    """Build an inner network: keras.Model (b, inputs) -> (b, *latent.shape)."""
    flat = nn.keras.Input((inputs,))
    return nn.keras.Model(flat, nn.networks.upscaled_bottleneck(code)(flat), name=name)
