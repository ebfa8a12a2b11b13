"""DF: full face at 128 px, the network of H128 trained in two steps (dfaker's idea, DeepFaceLab 2018)."""

from types import MappingProxyType
from typing import Any

from facewright import nn
from facewright.faces.align import FaceType
from facewright.models.layouts import InTurn
from facewright.models.spec import CONVERTER_DEFAULTS


class DF(InTurn):
    """Full face, 128 px; keeps src's own shape of face."""

    title = "full face, 128 px: src's own face and shape, for faces of like shape and light"
    resolution = 128
    face_type = FaceType.FULL
    converter = CONVERTER_DEFAULTS[face_type]
    default_batch = 4
    parameters = MappingProxyType({"full": 138_400_520})
    memory = 3.8
    seconds = 8.3
    batches = MappingProxyType({4.5: 16, 5: 16, 6: 16, 7: 16, 8: 24, 9: 24, 10: 32, 11: 32, 12: 32, 13: 48})

    def build(self) -> dict[str, Any]:
        """Build encoder (128 -> 16x16) and the decoders."""
        w = self.width
        latent = nn.networks.LatentSpec(w(512), 8, w(512), w(512))
        branch = self.widths(512, 256, 128)
        return {
            "encoder": nn.networks.encoder(128, self.widths(128, 256, 512, 1024), latent),
            **{name: nn.networks.decoder(latent.shape, branch, branch, name) for name in self.decoders},
        }

    def path(self, side: str, faces: Any) -> tuple[Any, Any]:
        """Encode, decode as the person."""
        face, mask = self.parts[f"decoder_{side}"](self.parts["encoder"](faces))
        return face, mask
