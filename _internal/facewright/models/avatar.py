"""AVATAR: move the face of a portrait with another person's face (DeepFaceLab 2018). Two stages that learn together.

1. ae64 swaps expressions: one encoder, a decoder for each person, half faces at 64 px.
2. ae256 renders: src's half face at 64 px in, src's full face at 256 px out. It only ever sees src.

Converted is dst -> encoder64 -> decoder64_src -> encoder256 -> decoder256: src with dst's expression. The result is
the whole picture; nothing is blended into dst's frame. docs/avatar.md tells how to make a portrait video with it.
"""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import keras
from keras import layers, ops

from facewright.data.sample import Batch, Sample
from facewright.faces.align import FaceType
from facewright.models.base import Array, ConverterDefaults, FaceModel, to_numpy
from facewright.nn.blocks import LEAK, head
from facewright.nn.losses import dssim
from facewright.nn.networks import doubled
from facewright.nn.train_step import Phase

DROPOUT = 0.5
CODE = 64


class AVATAR(FaceModel):
    """src's portrait, 256 px, moved by dst's face."""

    title = "a portrait of src, 256 px, moved by dst's face; makes a video of its own, see docs/avatar.md"
    resolution = 64
    output = 256
    portrait = True
    face_type = FaceType.HALF
    flip = False
    converter = ConverterDefaults(erode=0, blur=0)
    default_batch = 4
    parameters = MappingProxyType({"full": 89_428_183})
    memory = MappingProxyType({4: 2.8})
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
        code = self.parts["encoder64"](ops.concatenate([src, dst]))
        count = ops.shape(src)[0]
        return {
            "src": self.parts["decoder64_src"](code[:count]),
            "dst": self.parts["decoder64_dst"](code[count:]),
            "portrait": self.render(src),
        }

    def render(self, face: Any) -> Any:
        """Render src's half faces (b, 64, 64, 3) as portraits (b, 256, 256, 3)."""
        return self.parts["decoder256"](self.parts["encoder256"](face))

    def swap(self, dst: Any) -> tuple[Any, Any]:
        """Return src's portrait with dst's expression; its mask is the whole picture."""
        portrait = self.render(self.parts["decoder64_src"](self.parts["encoder64"](dst)))
        return portrait, ops.ones_like(portrait[..., :1])

    def phases(self) -> tuple[Phase, ...]:
        """Return one step for all; the losses of both stages are reported."""
        return (replace(super().phases()[0], reports=("loss64", "loss256")),)

    def losses(self, src: dict[str, Any], dst: dict[str, Any], rebuilt: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """DSSIM of the whole pictures. The stages share no weight, so their sum trains each by itself."""
        small = dssim(src["target"], rebuilt["src"]) + dssim(dst["target"], rebuilt["dst"])
        large = dssim(src["portrait"], rebuilt["portrait"])
        return small + large, {"loss64": small, "loss256": large}

    def preview(self, src: Batch, dst: Batch) -> dict[str, Array]:
        """Show both stages: the half faces, then src's portrait, rendered from itself and moved by dst."""
        columns = super().preview(src, dst)
        portrait = columns.pop("dst as src")
        face = ops.convert_to_tensor(dst["target"])
        columns["dst as src"] = to_numpy(self.parts["decoder64_src"](self.parts["encoder64"](face)))
        rendered = to_numpy(self.render(ops.convert_to_tensor(src["target"])))
        return {**columns, "src whole": src["portrait"], "src rendered": rendered, "moved by dst": portrait}


def _encoder(filters: tuple[int, ...], dense: int, name: str) -> Any:
    face = keras.Input((64, 64, 3))
    x = face
    for count, kernel in zip(filters, (5, 3, 3), strict=True):
        # No activation between: so it was built, and so its weights were trained.
        x = layers.Conv2D(count, kernel, padding="same")(x)
        x = layers.Conv2D(count, kernel, padding="same")(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)  # -> (b, 8, 8, 360)
    for number in range(2):
        x = layers.LeakyReLU(negative_slope=LEAK)(layers.Dense(dense)(x))  # (b, 8, 8, 1024)
        x = layers.Dropout(DROPOUT, seed=number)(x)
    return keras.Model(face, layers.Dense(CODE)(layers.Flatten()(x)), name=name)  # (b, 64)


def _decoder(side: int, channels: int, filters: tuple[int, ...], name: str) -> Any:
    code = keras.Input((CODE,))
    x = layers.Reshape((side, side, channels))(layers.Dense(side * side * channels)(code))
    return keras.Model(code, head(3)(doubled(x, filters)), name=name)
