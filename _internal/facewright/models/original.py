"""ORIGINAL: the first face-swapping autoencoder, half face at 64 px, without a mask (FaceSwap, spring 2018)."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

from facewright import nn
from facewright.data.sample import Sample
from facewright.faces.align import FaceType
from facewright.models.layouts import SharedEncoder
from facewright.models.spec import CONVERTER_DEFAULTS


class Original(SharedEncoder):
    """Half face, 64 px, absolute error of the whole image; dst's own landmarks say what is replaced."""

    title = "half face, 64 px: the first of its kind, without a mask of its own"
    resolution = 64
    face_type = FaceType.HALF
    converter = replace(CONVERTER_DEFAULTS[face_type], within_hull=True)
    default_batch = 16
    parameters = MappingProxyType({"full": 82_062_470})
    memory = 2.2
    seconds = 0.96

    def samples(self, side: str = "src") -> tuple[Sample, ...]:
        """Return warped input and target."""
        return super().samples(side)[:2]

    def build(self) -> dict[str, Any]:
        """Build encoder (64 -> 8x8) and the decoders."""
        w = self.width
        latent = nn.networks.LatentSpec(w(1024), 4, w(1024), w(512))
        return {
            "encoder": nn.networks.encoder(64, self.widths(128, 256, 512, 1024), latent),
            **{n: nn.networks.decoder(latent.shape, self.widths(256, 128, 64), (), n) for n in self.decoders},
        }

    def decode(self, side: str, code: Any) -> tuple[Any, Any]:
        """Decode as one person; the mask is 1 everywhere."""
        face = self.parts[f"decoder_{side}"](code)
        return face, nn.ops.ones_like(face[..., :1])

    def loss(self, face: dict[str, Any], picture: Any, mask: Any) -> tuple[Any, Any]:
        """Return the mean absolute error."""
        error = nn.losses.mae(face["target"], picture)
        return error, error
