"""H64: half face at 64 px, one shared encoder and a decoder per person (DeepFaceLab 2018)."""

from dataclasses import dataclass
from typing import Any

import keras

from facewright.core.options import option
from facewright.faces.align import FaceType
from facewright.models.base import ConverterDefaults, ModelOptions, SharedEncoder
from facewright.nn.blocks import bottleneck, conv, head, upscale
from facewright.nn.losses import mae, masked_dssim


class H64(SharedEncoder):
    """Half face, 64 px; learns in a day on a small card."""

    title = "half face, 64 px: the classic; robust, light on memory, blurred when the face is near"
    resolution = 64
    face_type = FaceType.HALF
    converter = ConverterDefaults(erode=100, blur=100)
    default_batch = 4

    @dataclass(frozen=True)
    class Options(ModelOptions):
        """Fixed at creation."""

        light: bool = option(False, "The light version: 45 instead of 113 million parameters.", ask="Light version")

    def build(self) -> dict[str, Any]:
        """Build encoder (64 -> 8x8) and both decoders."""
        assert isinstance(self.options, H64.Options)
        light = self.options.light
        return {
            "encoder": _encoder(light),
            "decoder_src": _decoder(light, "decoder_src"),
            "decoder_dst": _decoder(light, "decoder_dst"),
        }

    def losses(self, src: dict[str, Any], dst: dict[str, Any], rebuilt: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Masked DSSIM and mask MAE of both; the DSSIM terms are reported."""
        of_src = masked_dssim(src["target"], rebuilt["src"], src["mask"])
        of_dst = masked_dssim(dst["target"], rebuilt["dst"], dst["mask"])
        masks = mae(src["mask"], rebuilt["src_mask"]) + mae(dst["mask"], rebuilt["dst_mask"])
        return of_src + of_dst + masks, {"src": of_src, "dst": of_dst}


def _encoder(light: bool) -> Any:
    face = keras.Input((64, 64, 3))
    x = face
    for filters in (128, 256, 512, 768 if light else 1024):
        x = conv(filters)(x)  # -> (b, 4, 4, 1024)
    x = bottleneck(512, 4, 512)(x) if light else bottleneck(1024, 4, 1024)(x)
    return keras.Model(face, upscale(256 if light else 512)(x), name="encoder")  # (b, 8, 8, 512)


def _decoder(light: bool, name: str) -> Any:
    code = keras.Input((8, 8, 256 if light else 512))
    x = code
    for filters in (256, 128, 64) if light else (512, 256, 128):
        x = upscale(filters)(x)
    m = code
    for filters in (256, 128, 64):
        m = upscale(filters)(m)
    return keras.Model(code, [head(3)(x), head(1)(m)], name=name)  # (b, 64, 64, 3 and 1)
