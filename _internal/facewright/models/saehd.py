"""SAEHD: DeepFaceLab's large models, their widths chosen at creation; what old folders hold is imported as this.

df has a decoder for each person and keeps src's shape of face; liae has one decoder behind two networks in the middle
and follows dst more. The flags of the architecture and the losses are those of DeepFaceLab from 2020 on, in our own
words and code. Faces are cut out as there.
"""

import re
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from facewright import nn
from facewright.core import machine
from facewright.core.errors import UserError
from facewright.core.options import option
from facewright.core.workspace import SIDES
from facewright.data.colour import TRANSFER_CHOICES
from facewright.data.sample import Sample
from facewright.faces.dfl_crop import DflFaceType
from facewright.models.layouts import SharedEncoder
from facewright.models.spec import CONVERTER_DEFAULTS, FaceView, ModelOptions
from facewright.nn.saehd_shape import Architecture, count_parameters, side_step

ARCHITECTURE = re.compile(r"(df|liae)(?:-([udtc]{1,4}))?")
FACES = MappingProxyType(
    {
        "half": "below the brows to the mouth",
        "mid-full": "a third more",
        "full": "brow to chin",
        "whole": "with the forehead",
    }
)
OPTIMIZERS = MappingProxyType(
    {"adabelief": "as most models of today", "rmsprop": "as models until 2020; half its memory"}
)
INTERS = MappingProxyType({"src": ("inter_ab", "inter_ab"), "dst": ("inter_b", "inter_ab")})
RATE, KEEP, PERIOD = 5e-5, 0.3, 500
FOCUS = 300  # weight of eyes and mouth
LARGE = 256  # px from which two windows of SSIM are used


def check_architecture(text: str) -> None:
    """Check the name of an architecture.

    Raises:
        UserError: It is none.
    """
    found = ARCHITECTURE.fullmatch(text)
    if not found or len(set(found[2] or "")) != len(found[2] or ""):
        raise UserError(
            f"{text[:40]!r} is no architecture.",
            "df or liae, then a dash and some of the letters u, d, t, c.",
            "give one, for example --archi liae-ud.",
        )


class SAEHD(SharedEncoder):
    """Faces of 64 to 640 px, any width."""

    title = "any size and width: DeepFaceLab's large models, for a GPU; imported ones go on as this"
    resolution = 128
    face_type = DflFaceType.FULL
    converter = CONVERTER_DEFAULTS[face_type]
    default_batch = 4
    parameters = MappingProxyType({"full": 82_376_555})
    memory = MappingProxyType({4: 3.0})
    cost = 17.0

    @dataclass(frozen=True)
    class Options(ModelOptions):
        """Its networks, and how they are trained."""

        resolution: int = option(
            128,
            "Side of the faces in pixels: a multiple of 16, with the flags d or t of 32.",
            low=64,
            high=640,
            ask="Resolution",
        )
        face_type: str = option("full", "What its faces show.", choices=FACES, ask="Face type")
        archi: str = option(
            "liae-ud",
            "df (src's own shape) or liae (closer to dst); then flags: u for likeness, d for a larger image at its "
            "cost, t for more layers, c for another activation.",
            check=check_architecture,
            ask="Architecture",
        )
        ae_dims: int = option(256, "Length of the code.", low=2, high=2048, ask="Length of the code")
        e_dims: int = option(64, "Width of the encoder.", low=2, high=512, ask="Width of the encoder")
        d_dims: int = option(64, "Width of the decoder.", low=2, high=512, ask="Width of the decoder")
        d_mask_dims: int = option(
            22, "Width of the mask's decoder.", low=2, high=512, ask="Width of the mask's decoder"
        )
        optimizer: str = option("adabelief", "How the weights are moved.", choices=OPTIMIZERS)
        masked_training: bool = option(
            True, "Learn what lies inside the mask only.", ask="Masked training", per_run=True
        )
        eyes_mouth_prio: bool = option(
            False, "Let eyes and mouth weigh more.", ask="Eyes and mouth first", per_run=True
        )
        blur_out_mask: bool = option(
            False,
            "Blur what lies around the mask in the faces to learn from.",
            ask="Blur around the mask",
            per_run=True,
        )
        random_warp: bool = option(
            True, "Warp the faces at random; switch it off at the end, for detail.", ask="Random warp", per_run=True
        )
        random_src_flip: bool = option(False, "Mirror faces of src at random.", ask="Mirror src", per_run=True)
        random_dst_flip: bool = option(True, "Mirror faces of dst at random.", ask="Mirror dst", per_run=True)
        random_hsv_power: float = option(
            0.0,
            "How far hue, saturation and light of src's faces shift at random on their way in, where the light of src "
            "and dst differs: 0.05 is usual.",
            low=0,
            high=0.3,
            ask="Random hue, saturation and light",
            per_run=True,
        )
        ct_mode: str = option(
            "none",
            "Give src's faces the colours of faces of dst, drawn at random, while it learns.",
            choices=TRANSFER_CHOICES,
            ask="Colour transfer of src",
            per_run=True,
        )
        lr_dropout: bool = option(
            False,
            "Move three weights in ten at each step, in waves: for the end, for detail.",
            ask="Learning-rate dropout",
            per_run=True,
        )
        clipgrad: bool = option(False, "Limit the length of a step.", ask="Gradient clipping", per_run=True)

    options: Options

    @classmethod
    def view(cls, options: ModelOptions) -> FaceView:
        """Return side and face type as the options say."""
        assert isinstance(options, cls.Options)
        kind = DflFaceType(f"dfl-{options.face_type}")
        return FaceView(options.resolution, kind, CONVERTER_DEFAULTS[kind])

    @classmethod
    def settle(cls, options: ModelOptions) -> ModelOptions:
        """Check that the side fits the architecture; put its flags in order.

        Raises:
            UserError: The side is no multiple of what it must be.
        """
        assert isinstance(options, cls.Options)
        kind, flags = parse_architecture(options.archi)
        step = side_step(flags)
        if options.resolution % step:
            raise UserError(
                f"The side {options.resolution} px does not fit the architecture {options.archi}.",
                f"a multiple of {step} px.",
                f"give --resolution {max(64, round(options.resolution / step) * step)}.",
            )
        return replace(options, archi=f"{kind}-{flags}" if flags else kind)

    @property
    def shape(self) -> Architecture:
        """The shape of its networks."""
        o = self.options
        widths = self.widths(o.ae_dims, o.e_dims, o.d_dims, o.d_mask_dims)
        return Architecture(*parse_architecture(o.archi), o.resolution, *widths)

    def build(self) -> dict[str, Any]:
        """Build the networks that the architecture asks for."""
        shape, nets = self.shape, nn.saehd_networks
        check_memory(count_parameters(shape))
        inters = ("inter",) if shape.kind == "df" else ("inter_ab", "inter_b")
        decoders = ("decoder_src", "decoder_dst") if shape.kind == "df" else ("decoder",)
        return {
            "encoder": nets.encoder(shape),
            **{name: nets.inter(shape, name) for name in inters},
            **{name: nets.decoder(shape, name) for name in decoders},
        }

    def samples(self, stream: str = "src") -> tuple[Sample, ...]:
        """Return the usual outputs, warped and coloured as the options say, and where eyes and mouth are."""
        o = self.options
        warped, *others = super().samples(stream)
        warped = replace(warped, warp=o.random_warp)
        if stream == "src":
            warped = replace(warped, transfer=o.ct_mode, hsv=o.random_hsv_power)
            others = [replace(sample, transfer=o.ct_mode) for sample in others]
        focus = (Sample("focus", "focus", self.resolution, self.face_type),) if o.eyes_mouth_prio else ()
        return (warped, *others, *focus)

    def flips(self, stream: str) -> bool:
        """As the options say of each side."""
        return self.options.random_src_flip if stream == "src" else self.options.random_dst_flip

    def optimizer(self) -> Any:
        """Return the optimizer of the options."""
        kind = nn.optimizers.AdaBelief if self.options.optimizer == "adabelief" else nn.optimizers.DroppedRMSprop
        dropped = {"keep": KEEP, "period": PERIOD} if self.options.lr_dropout else {}
        return kind(RATE, global_clipnorm=1.0 if self.options.clipgrad else None, **dropped)

    def decode(self, side: str, code: Any) -> tuple[Any, Any]:
        """Send what the encoder gave through the networks in the middle, decode as "src" or "dst"."""
        if "inter" in self.parts:
            return super().decode(side, self.parts["inter"](code))
        codes = {name: self.parts[name](code) for name in dict.fromkeys(INTERS[side])}
        face, mask = self.parts["decoder"](nn.ops.concatenate([codes[name] for name in INTERS[side]], axis=-1))
        return face, mask

    def losses(
        self, src: dict[str, Any], dst: dict[str, Any], reconstructed: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """Return the sum of both people's losses; each is reported."""
        reported = {
            side: reconstruction_loss(face, reconstructed[side], reconstructed[f"{side}_mask"], self.options)
            for side, face in zip(SIDES, (src, dst), strict=True)
        }
        return sum(reported.values()), reported


def parse_architecture(text: str) -> tuple[str, str]:
    """Return the kind and the flags, in the order u, d, t, c, of an architecture that was checked."""
    found = ARCHITECTURE.fullmatch(text)
    assert found
    return found[1], "".join(flag for flag in "udtc" if flag in (found[2] or ""))


def check_memory(parameters: int) -> None:
    """Check that a model's weights fit into the memory, before they are made or read.

    Raises:
        UserError: They do not.
    """
    needed, free = 2 * 4 * parameters, machine.memory().available
    if needed > free:
        raise UserError(
            f"The model's {parameters / 1e6:,.0f} million weights need {needed / machine.GIB:.1f} GiB of memory; "
            f"{free / machine.GIB:.1f} are free.",
            "a computer with more memory, or a smaller model.",
            "close other programs; or create a model with a smaller --resolution, --ae-dims or --d-dims.",
        )


def reconstruction_loss(
    face: dict[str, Any], image: Any, mask: Any, options: "SAEHD.Options", *, fine: bool = False
) -> Any:
    """Return DeepFaceLab's loss of a rebuilt face: DSSIM and squared error inside a soft mask, and the mask's error.

    Args:
        face: "target", "mask", with the priority of eyes and mouth "focus"; (b, S, S, 3 or 1) in 0..1.
        image, mask: What the network made.
        options: Those of the training.
        fine: Whether small images are compared in two windows of SSIM, too.
    """
    side, losses = image.shape[1], nn.losses
    target = face["target"]
    if options.blur_out_mask:
        target = blurred_outside(target, face["mask"])
    weight = 1.0
    if options.masked_training:
        weight = soft_mask(face["mask"])
    wanted, made = target * weight, image * weight
    windows = (side / 11.6, side / 23.2) if fine or side >= LARGE else (side / 11.6,)
    total = sum(10 / len(windows) * losses.dssim(wanted, made, int(window)) for window in windows)
    total += 10 * losses.mse(wanted, made)
    if options.eyes_mouth_prio:
        total += FOCUS * losses.mae(target * face["focus"], image * face["focus"])
    return total + 10 * losses.mse(face["mask"], mask)


def soft_mask(mask: Any) -> Any:
    """Return a mask (b, S, S, 1) in 0..1 whose edge is soft towards the outside alone."""
    return 2 * nn.ops.clip(gaussian_blur(mask, max(1, mask.shape[1] // 32)), 0, 0.5)


def gaussian_blur(image: Any, sigma: float) -> Any:
    """Blur as DeepFaceLab: its Gaussian ends after twice sigma."""
    return nn.losses.blurred(image, sigma, max(3, int(4 * sigma)) // 2)


def blurred_outside(image: Any, mask: Any) -> Any:
    """Return faces that are as before where the mask is 1, and the blur of their own outside where it is 0.

    Args:
        image: (b, S, S, 3) in 0..1.
        mask: (b, S, S, 1) in 0..1.
    """
    sigma, ops = image.shape[1] / 128, nn.ops
    outside = gaussian_blur(image * (1 - mask), sigma)
    share = 1 - gaussian_blur(mask, sigma)
    share = ops.where(share == 0, ops.ones_like(share), share)
    return image * mask + outside / share * (1 - mask)
