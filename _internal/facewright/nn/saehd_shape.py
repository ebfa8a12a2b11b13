"""The shape of SAEHD's and AMP's networks, and how many weights they have: read without keras."""

import math
from dataclasses import dataclass
from itertools import pairwise

LEAST_GROWN = 8  # channels


def side_step(flags: str) -> int:
    """Return the pixels of which the side of the faces must be a multiple, with these flags of an architecture."""
    return 32 if set(flags) & set("dt") else 16


@dataclass(frozen=True)
class Architecture:
    """What decides the shapes of the networks.

    Attributes:
        kind: "df": a decoder for each person. "liae": one decoder behind two networks in the middle. "amp": the same,
            but the code ends in the encoder, and each channel of the map in the middle is src's or dst's.
        flags: Letters out of "udtc". u: the encoder's code is normalised. d: the decoders work at half the side, and
            their last layer gives four sub-pixels at once. t: one layer more, residual blocks in the encoder.
            c: x cos(x) takes the place of LeakyReLU.
        side: Side of the faces in pixels, a multiple of `side_step`.
        code: Length of the code in the middle.
        encoder, decoder, mask: Channels, of which the layers take multiples.
        inter: Channels that the middle gives the decoder; 0 for the code's length or, with liae, twice that.
        grown: How often the faces are enlarged behind all this, and made as much smaller before it.
    """

    kind: str
    flags: str
    side: int
    code: int
    encoder: int
    decoder: int
    mask: int
    inter: int = 0
    grown: int = 0

    def __post_init__(self) -> None:
        if self.side % side_step(self.flags):
            raise ValueError(f"a side of {self.side} px is no multiple of {side_step(self.flags)}")

    @property
    def downs(self) -> tuple[int, ...]:
        """Channels behind each halving of the encoder."""
        e = self.encoder
        return (e, 2 * e, 4 * e, 8 * e, 8 * e) if "t" in self.flags else (e, 2 * e, 4 * e, 8 * e)

    @property
    def image_ups(self) -> tuple[int, ...]:
        """Channels behind each doubling on the way to the face."""
        return tuple(n * self.decoder for n in self._multiples)

    @property
    def mask_ups(self) -> tuple[int, ...]:
        """Channels behind each doubling on the way to the mask, which has no sub-pixels at its end."""
        return tuple(n * self.mask for n in (*self._multiples, *((1,) if "d" in self.flags else ())))

    @property
    def _multiples(self) -> tuple[int, ...]:
        return (8, 8, 4, 2) if "t" in self.flags else (8, 4, 2)

    @property
    def face_side(self) -> int:
        """Side of the faces in pixels that go in and come out."""
        return self.side << self.grown

    @property
    def grown_image(self) -> tuple[int, ...]:
        """Channels of each block that enlarges the face."""
        return tuple(max(LEAST_GROWN, self.image_ups[-1] >> n + 1) for n in range(self.grown))

    @property
    def grown_mask(self) -> tuple[int, ...]:
        """Channels of each block that enlarges the mask."""
        return tuple(max(LEAST_GROWN, self.mask_ups[-1] >> n + 1) for n in range(self.grown))

    @property
    def encoded(self) -> tuple[int, int, int]:
        """(h, w, c) of the encoder's last map, before it is made flat."""
        side = self.side // (32 if "t" in self.flags else 16)
        return side, side, 8 * self.encoder

    @property
    def middle(self) -> tuple[int, int, int]:
        """(h, w, c) of the map that the network in the middle makes of the code."""
        side = self.side // (32 if "d" in self.flags else 16)
        return side, side, self.inter or self.code * (2 if self.kind == "liae" else 1)

    @property
    def latent(self) -> tuple[int, int, int]:
        """(h, w, c) of what a decoder takes."""
        side, _, channels = self.middle
        side *= 1 if "t" in self.flags else 2
        return side, side, channels * (2 if self.kind == "liae" else 1)


def count_parameters(shape: Architecture) -> int:
    """Return the number of weights of a whole model, before anything is built."""

    def conv(kernel: int, inputs: int, filters: int) -> int:
        return (kernel * kernel * inputs + 1) * filters

    e, wide = shape.encoder, "t" in shape.flags
    encoded = sum(conv(5, i, o) for i, o in pairwise((3, *shape.downs)))
    encoded += 2 * (conv(3, e, e) + conv(3, 8 * e, 8 * e)) if wide else 0
    code = (math.prod(shape.encoded) + 1) * shape.code
    inter = (shape.code + 1) * math.prod(shape.middle)
    inter += 0 if wide else conv(3, shape.middle[2], 4 * shape.middle[2])
    image, mask = shape.image_ups, shape.mask_ups
    decoder = sum(conv(3, i, 4 * o) for way in (image, mask) for i, o in pairwise((shape.latent[2], *way)))
    decoder += sum(2 * conv(3, n, n) for n in image) + conv(1, image[-1], 3) + conv(1, mask[-1], 1)
    decoder += 3 * conv(3, image[-1], 3) if "d" in shape.flags else 0
    for way, outputs in ((shape.grown_image, 3), (shape.grown_mask, 1)):
        ends = (image if outputs == 3 else mask)[-1]
        decoder += sum(conv(3, i, 4 * o) for i, o in pairwise((ends, *way)))
        corners = 4 if outputs == 3 and "d" in shape.flags else 1
        decoder += sum(conv(3, n, corners * outputs) for n in way)
    decoder += sum(2 * conv(3, n, n) for n in shape.grown_image)
    codes, inters, decoders = {"df": (1, 1, 2), "liae": (2, 2, 1), "amp": (1, 2, 1)}[shape.kind]
    return encoded + codes * code + inters * inter + decoders * decoder
