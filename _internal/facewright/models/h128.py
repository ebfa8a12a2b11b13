"""H128: half face at 128 px, one shared encoder and a decoder per person (DeepFaceLab 2018)."""

from types import MappingProxyType
from typing import Any

from facewright import nn
from facewright.faces.align import FaceType
from facewright.models.layouts import SharedEncoder
from facewright.models.spec import CONVERTER_DEFAULTS, LightOptions


class H128(SharedEncoder):
    """Half face, 128 px: H64 at twice the resolution."""

    title = "half face, 128 px: as h64 with twice the detail, four times as slow"
    resolution = 128
    face_type = FaceType.HALF
    converter = CONVERTER_DEFAULTS[face_type]
    default_batch = 4
    parameters = MappingProxyType({"full": 138_400_520, "light": 55_918_600})
    memory = 3.5
    seconds = 8.0
    batches = MappingProxyType({2.5: 2, 3: 2, 4: 4, 5: 8, 6: 8, 7: 16, 8: 16, 9: 24, 10: 24, 11: 32, 12: 32, 13: 48})
    light_below = 5.0
    Options = LightOptions

    def build(self) -> dict[str, Any]:
        """Build encoder (128 -> 16x16) and the decoders."""
        w = self.width
        code = (
            nn.networks.LatentSpec(w(256), 8, w(256), w(256))
            if self.light
            else nn.networks.LatentSpec(w(512), 8, w(512), w(512))
        )
        branch = self.widths(256, 128, 64) if self.light else self.widths(512, 256, 128)
        return {
            "encoder": nn.networks.encoder(128, self.widths(128, 256, 512, 1024), code),
            **{name: nn.networks.decoder(code.shape, branch, branch, name) for name in self.decoders},
        }
