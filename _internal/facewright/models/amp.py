"""AMP: SAEHD's encoder and decoder around a middle that can be morphed: how much of src is in a swap is told later.

The encoder gives a code; a network each makes src's and dst's map of it, and one decoder draws the face. In training
each channel of a face of src comes from src's map or, as often or more often, from dst's, by chance; of a swap the
first channels are src's, as many as the user wishes. DeepFaceLab (2021) left the two networks as they were drawn at
the beginning; here they are trained.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from facewright import nn
from facewright.core.options import option
from facewright.data.sample import Batch
from facewright.faces.dfl_crop import DflFaceType
from facewright.models.base import Array, to_numpy
from facewright.models.saehd import FACES, SAEHD, check_memory, growth, inner_side, parse_architecture
from facewright.models.saehd_losses import gan_word, reconstruction_loss, soft_mask
from facewright.models.spec import CONVERTER_DEFAULTS
from facewright.nn.saehd_shape import Architecture, count_parameters

KINDS = ("full", "whole", "head")
SHOWN = (0.25, 0.5, 0.75)  # of src, in the preview
BACKGROUND, ROUGHNESS = 0.1, 1e-6  # weights of what lies around dst's mask: its squared error, its total variation


class AMP(SAEHD):
    """Faces of 64 to 640 px, any width, morphed in conversion."""

    title = "how much of src shows is chosen in conversion, any size and width: for a GPU"
    resolution = 224
    face_type = DflFaceType.WHOLE
    converter = CONVERTER_DEFAULTS[face_type]
    morphs = True
    gan_sides = ("src", "dst")
    parameters = MappingProxyType({"full": 101_345_195})
    memory = 3.8
    seconds = 8.2

    @dataclass(frozen=True)
    class Options(SAEHD.Options):
        """Its networks, and how they are trained."""

        resolution: int = option(
            224, "Side of the faces in pixels: a multiple of 32.", low=64, high=640, ask="Resolution", grows=True
        )
        face_type: str = option(
            "whole", "What its faces show.", choices={kind: FACES[kind] for kind in KINDS}, ask="Face type"
        )
        archi: str = "df-udt"  # fixed: no option
        inter_dims: int = option(
            1024, "Channels of the map in the middle.", low=2, high=2048, ask="Width of the middle"
        )
        morph_factor: float = option(
            0.5,
            "Share of the channels that are src's while faces of src are learned.",
            low=0.1,
            high=0.5,
            ask="Morph factor of the training",
            per_run=True,
        )
        eyes_mouth_prio: bool = option(True, "Let eyes and mouth weigh more.", ask="Eyes and mouth first", per_run=True)
        # These need a code of each person, and a decoder that is src's alone: no options.
        true_face_power: float = 0.0
        face_style_power: float = 0.0
        bg_style_power: float = 0.0

    options: Options

    @property
    def shape(self) -> Architecture:
        """The shape of its networks."""
        o, (_, flags) = self.options, parse_architecture(self.options.archi)
        widths = self.widths(o.ae_dims, o.e_dims, o.d_dims, o.d_mask_dims, o.inter_dims)
        return replace(Architecture("amp", flags, inner_side(o), *widths), grown=growth(o))

    def build(self) -> dict[str, Any]:
        """Build the encoder, the middle of each person, and what draws the face."""
        shape, nets = self.shape, nn.saehd_networks
        check_memory(count_parameters(shape))
        return {
            "encoder": nets.encoder(shape),
            "inter_src": nets.inter(shape, "inter_src"),
            "inter_dst": nets.inter(shape, "inter_dst"),
            "mix": nets.channel_mix(shape, self.options.morph_factor),
            "decoder": nets.decoder(shape, "decoder"),
        }

    def latent(self, side: str, code: Any) -> Any:
        """Return what the decoder gets as "src" or "dst"; as src in training with channels of dst's map among src's."""
        of_dst = self.parts["inter_dst"](code)
        return of_dst if side == "dst" else self.parts["mix"]([self.parts["inter_src"](code), of_dst])

    def morphed(self, dst: Any, *share: Any) -> tuple[Any, Any, Any]:
        """Return dst's faces with some of src: image, mask, dst's own mask."""
        code = self.parts["encoder"](dst)
        of_src, of_dst = self.parts["inter_src"](code), self.parts["inter_dst"](code)
        face, mask = self.parts["decoder"](nn.saehd_networks.Morph()([of_src, of_dst], *share))
        return face, mask, self.parts["decoder"](of_dst)[1]

    def preview(self, batches: Mapping[str, Batch]) -> dict[str, Array]:
        """Return the usual columns, then dst with less of src."""
        columns, dst = super().preview(batches), batches["dst"]["target"]
        for share in SHOWN:
            columns[f"{100 * share:.0f} % src"] = to_numpy(self.morphed(dst, nn.ops.convert_to_tensor([share]))[0])
        return columns

    def losses(
        self, src: dict[str, Any], dst: dict[str, Any], reconstructed: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """Return the sum of both people's losses, as SAEHD's of large faces, of dst's background and the GAN."""
        faces = {"src": src, "dst": dst}
        reported = {
            side: reconstruction_loss(face, reconstructed[side], reconstructed[f"{side}_mask"], self.options, fine=True)
            for side, face in faces.items()
        }
        around = 1 - soft_mask(dst["mask"])
        made = reconstructed["dst"] * around
        reported["dst"] += BACKGROUND * nn.losses.mse(dst["target"] * around, made)
        reported["dst"] += ROUGHNESS * nn.losses.total_variation(made)
        total = sum(reported.values())
        for side in self.gan_sides if self.options.gan_power else ():
            total += gan_word(self.critics["gan"], faces[side], reconstructed[side], self.options)
        return total, reported
