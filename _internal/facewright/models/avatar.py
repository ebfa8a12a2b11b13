"""AVATAR: move the face of a portrait with another person's face (DeepFaceLab 2018). Two stages that learn together.

1. ae64 swaps expressions: one encoder, a decoder for each person, half faces at 64 px.
2. ae256 renders: src's half face at 64 px in, src's full face at 256 px out. It only ever sees src.

Converted is dst -> encoder64 -> decoder64_src -> encoder256 -> decoder256: src with dst's expression. The result is
the whole image; nothing is blended into dst's frame. docs/avatar.md tells how to make a portrait video with it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from facewright import nn
from facewright.data.sample import Batch, Sample
from facewright.faces.align import FaceType
from facewright.models.base import Array, FaceModel, to_numpy
from facewright.models.spec import ConverterDefaults

DROPOUT = 0.5
CODE = 64


class AVATAR(FaceModel):
    """src's portrait, 256 px, moved by dst's face."""

    title = "a portrait of src, 256 px, moved by dst's face; makes a video of its own, see docs/avatar.md"
    resolution = 64
    output = 256
    portrait = True
    face_type = FaceType.HALF
    reported = ("loss64", "loss256")
    flip = False
    converter = ConverterDefaults(erode=0, blur=0)
    default_batch = 4
    parameters = MappingProxyType({"full": 89_428_183})
    memory = 2.6
    seconds = 6.8
    batches = MappingProxyType({3.5: 8, 4: 8, 5: 12, 6: 16, 7: 24, 8: 32, 9: 48})

    def samples(self, side: str = "src") -> tuple[Sample, ...]:
        """Return warped and true half face; for src its full face as well."""
        half = super().samples(side)[:2]
        return (*half, Sample("portrait", "image", self.output, FaceType.FULL)) if side == "src" else half

    def build(self) -> dict[str, Any]:
        """Build both encoders (64 -> 64 numbers) and the three decoders."""
        w = self.width
        small, large = self.widths(360, 180, 90), self.widths(720, 360, 180, 90)
        convs, dense = self.widths(90, 180, 360), w(1024)
        return {
            "encoder64": _encoder(convs, dense, "encoder64"),
            "decoder64_src": _decoder(8, w(720), small, "decoder64_src"),
            "decoder64_dst": _decoder(8, w(720), small, "decoder64_dst"),
            "encoder256": _encoder(convs, dense, "encoder256"),
            "decoder256": _decoder(16, w(720), large, "decoder256"),
        }

    def forward(self, src: Any, dst: Any) -> dict[str, Any]:
        """Rebuild both half faces and src's portrait: {"src", "dst", "portrait"}."""
        code = self.parts["encoder64"](nn.ops.concatenate([src, dst]))
        count = nn.ops.shape(src)[0]
        return {
            "src": self.parts["decoder64_src"](code[:count]),
            "dst": self.parts["decoder64_dst"](code[count:]),
            "portrait": self.render(src),
        }

    def render(self, face: Any) -> Any:
        """Render src's half faces (b, 64, 64, 3) as portraits (b, 256, 256, 3)."""
        return self.parts["decoder256"](self.parts["encoder256"](face))

    def swap(self, dst: Any) -> tuple[Any, Any]:
        """Return src's portrait with dst's expression; its mask is the whole image."""
        portrait = self.render(self.parts["decoder64_src"](self.parts["encoder64"](dst)))
        return portrait, nn.ops.ones_like(portrait[..., :1])

    def losses(
        self, src: dict[str, Any], dst: dict[str, Any], reconstructed: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """DSSIM of the whole images. The stages share no weight, so their sum trains each by itself."""
        small = nn.losses.dssim(src["target"], reconstructed["src"]) + nn.losses.dssim(
            dst["target"], reconstructed["dst"]
        )
        large = nn.losses.dssim(src["portrait"], reconstructed["portrait"])
        return small + large, {"loss64": small, "loss256": large}

    def preview(self, batches: Mapping[str, Batch]) -> dict[str, Array]:
        """Show both stages: the half faces, then src's portrait, rendered from itself and moved by dst."""
        columns = super().preview(batches)
        src, dst = batches["src"], batches["dst"]
        portrait = columns.pop("dst as src")
        face = nn.ops.convert_to_tensor(dst["target"])
        columns["dst as src"] = to_numpy(self.parts["decoder64_src"](self.parts["encoder64"](face)))
        rendered = to_numpy(self.render(nn.ops.convert_to_tensor(src["target"])))
        return {**columns, "src whole": src["portrait"], "src rendered": rendered, "moved by dst": portrait}


def _encoder(filters: tuple[int, ...], dense: int, name: str) -> Any:
    face = nn.keras.Input((64, 64, 3))
    x = face
    for count, kernel in zip(filters, (5, 3, 3), strict=True):
        # No activation between: so it was built, and so its weights were trained.
        x = nn.layers.Conv2D(count, kernel, padding="same")(x)
        x = nn.layers.Conv2D(count, kernel, padding="same")(x)
        x = nn.layers.MaxPooling2D(3, strides=2, padding="same")(x)  # -> (b, 8, 8, 360)
    for number in range(2):
        x = nn.layers.LeakyReLU(negative_slope=nn.blocks.LEAK)(nn.layers.Dense(dense)(x))  # (b, 8, 8, 1024)
        x = nn.layers.Dropout(DROPOUT, seed=number)(x)
    return nn.keras.Model(face, nn.layers.Dense(CODE)(nn.layers.Flatten()(x)), name=name)  # (b, 64)


def _decoder(side: int, channels: int, filters: tuple[int, ...], name: str) -> Any:
    code = nn.keras.Input((CODE,))
    x = nn.layers.Reshape((side, side, channels))(nn.layers.Dense(side * side * channels)(code))
    return nn.keras.Model(code, nn.blocks.output_layer(3)(nn.networks.upsample_blocks(x, filters)), name=name)
