"""H64: half face at 64 px, one shared encoder and a decoder per person (DeepFaceLab 2018)."""

from types import MappingProxyType
from typing import Any

from facewright import nn
from facewright.faces.align import FaceType
from facewright.models.layouts import SharedEncoder
from facewright.models.spec import CONVERTER_DEFAULTS, LightOptions


class H64(SharedEncoder):
    """Half face, 64 px; learns in a day on a small GPU."""

    title = "half face, 64 px: the classic; robust, light on memory, blurred when the face is near"
    resolution = 64
    face_type = FaceType.HALF
    converter = CONVERTER_DEFAULTS[face_type]
    default_batch = 4
    parameters = MappingProxyType({"full": 112_753_288, "light": 44_507_144})
    memory = 2.9
    seconds = 1.8
    batches = MappingProxyType({1.5: 2, 2: 2, 3: 8, 4: 16, 5: 24, 6: 32, 7: 40, 8: 48})
    light_below = 4.0
    Options = LightOptions

    def build(self) -> dict[str, Any]:
        """Build encoder (64 -> 8x8) and the decoders."""
        w = self.width
        code = (
            nn.networks.LatentSpec(w(512), 4, w(512), w(256))
            if self.light
            else nn.networks.LatentSpec(w(1024), 4, w(1024), w(512))
        )
        picture = self.widths(256, 128, 64) if self.light else self.widths(512, 256, 128)
        mask = self.widths(256, 128, 64)
        return {
            "encoder": nn.networks.encoder(64, self.widths(128, 256, 512, 768 if self.light else 1024), code),
            **{name: nn.networks.decoder(code.shape, picture, mask, name) for name in self.decoders},
        }
