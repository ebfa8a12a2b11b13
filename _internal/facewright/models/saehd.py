"""SAEHD: DeepFaceLab's large models, their widths chosen at creation; what old folders hold is imported as this.

df has a decoder for each person and keeps src's shape of face; liae has one decoder behind two networks in the middle
and follows dst more. The flags of the architecture and the losses are those of DeepFaceLab from 2020 on, in our own
words and code. Faces are cut out as there.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from facewright import nn
from facewright.core import machine
from facewright.core.errors import UserError
from facewright.core.options import declared, option
from facewright.core.workspace import SIDES
from facewright.data.colour import TRANSFER_CHOICES
from facewright.data.sample import Sample
from facewright.faces.dfl_crop import DflFaceType
from facewright.models.layouts import SharedEncoder
from facewright.models.saehd_losses import background_style, face_style, gan_terms, judged, reconstruction_loss
from facewright.models.spec import CONVERTER_DEFAULTS, FaceView, ModelOptions, warp_option
from facewright.nn.saehd_shape import Architecture, count_parameters, side_step

if TYPE_CHECKING:  # these import keras
    from facewright.nn.recompute import Recomputed
    from facewright.nn.train_step import TrainStep

ARCHITECTURE = re.compile(r"(df|liae)(?:-([udtc]{1,4}))?")
FACES = MappingProxyType(
    {
        "half": "below the brows to the mouth",
        "mid-full": "a third more",
        "full": "brow to chin",
        "whole": "with the forehead",
        "head": "all of the head",
    }
)
OPTIMIZERS = MappingProxyType(
    {
        "adabelief": "as most models of today",
        "rmsprop": "as models until 2020; half its memory",
        "adam": "the usual one elsewhere",
        "lion": "every weight by the same step; half the memory of adabelief",
    }
)
# What DeepFaceLab forces while it pretrains.
PRETRAINING: Mapping[str, Any] = MappingProxyType(
    {
        **{"random_warp": False, "random_src_flip": True, "random_dst_flip": True, "random_hsv_power": 0.0},
        **{"ct_mode": "none", "lr_dropout": False, "gan_power": 0.0, "true_face_power": 0.0},
        **{"face_style_power": 0.0, "bg_style_power": 0.0},
    }
)
INTERS = MappingProxyType({"src": ("inter_ab", "inter_ab"), "dst": ("inter_b", "inter_ab")})
CLIPPING = MappingProxyType(
    {
        "no": "none",
        "yes": "to a norm of 1, of the mean over the faces of a batch (DeepFaceLab clips their sum to it, so it clips "
        "more, the larger the batch)",
        "auto": "to the tenth percentile of the last thousand norms (AutoClip)",
    }
)
RATE, KEEP, PERIOD = 5e-5, 0.3, 500
LION_RATE = RATE / 5


def has_gan(values: Mapping[str, Any]) -> bool:
    """Whether a GAN is trained along."""
    return bool(values.get("gan_power"))


def has_decoder_each(values: Mapping[str, Any]) -> bool:
    """Whether the architecture has a decoder for each person, and one code for both."""
    return str(values.get("archi")).startswith("df")


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
    gan_sides: ClassVar[tuple[str, ...]] = ("src",)  # whose made faces a GAN judges
    parameters = MappingProxyType({"full": 82_376_555})
    memory = 3.2
    seconds = 3.5

    @dataclass(frozen=True)
    class Options(ModelOptions):
        """Its networks, and how they are trained."""

        resolution: int = option(
            128,
            "Side of the faces in pixels: a multiple of 16, with the flags d or t of 32.",
            low=64,
            high=640,
            ask="Resolution",
            grows=True,
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
        inner_resolution: int = option(
            0,
            "Side at which the networks themselves work, where more blocks at their end enlarge the face: half or a "
            "quarter of the resolution. 0 is all of it. A recipe that raises the resolution sets it.",
            low=0,
            high=320,
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
        random_warp: bool = warp_option(ask="Random warp")
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
        gan_power: float = option(
            0.0,
            "Strength of a discriminator that learns to tell made faces of src from real ones: for the end, without "
            "random warp, for detail; 0.1 is usual, 0 is none.",
            low=0,
            high=5,
            ask="GAN power",
            per_run=True,
        )
        gan_patch_size: int = option(
            0,
            "Side of the patches that it judges, in pixels: larger ones are slower and see more; 0 takes an eighth of "
            "the side. Another one lets the discriminator start over.",
            low=0,
            high=640,
            ask="GAN patch size",
            applies_when=has_gan,
            per_run=True,
        )
        gan_dims: int = option(
            16,
            "Width of the discriminator. Another one lets it start over.",
            low=4,
            high=512,
            ask="GAN width",
            applies_when=has_gan,
            per_run=True,
        )
        true_face_power: float = option(
            0.0,
            "Strength of a discriminator of codes, which makes those of src like those of dst: more of src's likeness, "
            "from df alone; 0.01 is usual.",
            low=0,
            high=1,
            ask="True face power",
            applies_when=has_decoder_each,
            per_run=True,
        )
        face_style_power: float = option(
            0.0,
            "How much of the colours of dst's face the swap learns to take, in percent: small, 0.001 at first, once "
            "faces are there.",
            low=0,
            high=100,
            ask="Face style power",
            per_run=True,
        )
        bg_style_power: float = option(
            0.0,
            "How much of what lies around dst's face the swap learns to take, in percent; 2 is usual.",
            low=0,
            high=100,
            ask="Background style power",
            per_run=True,
        )
        clipgrad: str = option(
            "no", "Limit the length of the gradients.", choices=CLIPPING, ask="Gradient clipping", per_run=True
        )
        gradient_checkpointing: bool = option(
            False,
            "Keep few of the maps that gradients need and make the others again: less memory for a larger batch, a "
            "quarter more time, the same losses.",
            per_run=True,
        )

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
        if inner_side(options) * 2 ** growth(options) != options.resolution or inner_side(options) % step:
            raise UserError(
                f"Networks of {options.inner_resolution} px cannot make faces of {options.resolution} px.",
                f"half or a quarter of the resolution, a multiple of {step} px.",
                "leave out --inner-resolution, or give another one.",
            )
        return replace(options, archi=f"{kind}-{flags}" if flags else kind)

    @classmethod
    def switched(cls, options: ModelOptions, values: Mapping[str, Any]) -> ModelOptions:
        """Return the options as a stage switches them: a higher resolution adds blocks to the networks that are there.

        Raises:
            UserError: It is not twice or four times that of the networks.
        """
        assert isinstance(options, cls.Options)
        wanted = max(values.get("resolution", 0), options.resolution)
        most = next(spec.high or 0 for spec in declared(cls.Options) if spec.name == "resolution")
        sides = (2 * inner_side(options), 4 * inner_side(options))
        larger = [side for side in sides if options.resolution < side <= most]
        if wanted > options.resolution and wanted not in larger:
            raise UserError(
                f"The model has networks of {inner_side(options)} px; they cannot grow to {wanted} px.",
                "twice or four times their side.",
                f"let the stage say resolution = {larger[0]}, or leave it out."
                if larger
                else f"leave it out: at {options.resolution} px they are as large as they can grow.",
            )
        inner = inner_side(options) if wanted > options.resolution else options.inner_resolution
        return cls.settle(replace(options, **{**values, "resolution": wanted, "inner_resolution": inner}))

    @classmethod
    def for_pretraining(cls, options: ModelOptions) -> ModelOptions:
        """Return the options without warp, other colours, discriminators, styles and dropout, with both flips."""
        assert isinstance(options, cls.Options)
        return replace(options, **PRETRAINING)

    @property
    def shape(self) -> Architecture:
        """The shape of its networks."""
        o = self.options
        widths = self.widths(o.ae_dims, o.e_dims, o.d_dims, o.d_mask_dims)
        return replace(Architecture(*parse_architecture(o.archi), inner_side(o), *widths), grown=growth(o))

    def build(self) -> dict[str, Any]:
        """Build the networks that the architecture asks for."""
        shape, nets = self.shape, nn.saehd_networks
        check_memory(count_parameters(shape))
        inters = ("inter",) if shape.kind == "df" else ("inter_ab", "inter_b")
        decoders = self.decoders if shape.kind == "df" else ("decoder",)
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
        if stream != "dst":
            warped = replace(warped, transfer=o.ct_mode, hsv=o.random_hsv_power)
            others = [replace(sample, transfer=o.ct_mode) for sample in others]
        focus = (Sample("focus", "focus", self.resolution, self.face_type),) if o.eyes_mouth_prio else ()
        return (warped, *others, *focus)

    def flips(self, stream: str) -> bool:
        """As the options say of each side."""
        return self.options.random_dst_flip if stream == "dst" else self.options.random_src_flip

    def optimizer(self) -> Any:
        """Return a new optimizer of the options."""
        o, kinds = self.options, nn.optimizers
        dropped = {"keep": KEEP, "period": PERIOD} if o.lr_dropout else {}
        adam = kinds.DroppedAdam if o.lr_dropout else kinds.Adam  # without dropping it takes one pass over the weights
        kind, rate = {
            "adabelief": (kinds.AdaBelief, RATE),
            "rmsprop": (kinds.DroppedRMSprop, RATE),
            "adam": (adam, RATE),
            "lion": (kinds.DroppedLion, LION_RATE),
        }[o.optimizer]
        made = kind(rate, global_clipnorm=1.0 if o.clipgrad == "yes" else None, **dropped)
        return nn.clipping.AutoClip(made) if o.clipgrad == "auto" else made

    def build_critics(self) -> dict[str, Any]:
        """Build the discriminators that the options ask for."""
        o, found = self.options, {}
        if o.gan_power:
            patch = o.gan_patch_size or self.resolution // 8
            found["gan"] = nn.discriminators.patch_discriminator(self.resolution, patch, self.width(o.gan_dims))
        if self.true_face:
            found["code"] = nn.discriminators.code_discriminator(self.shape.latent)
        return found

    @property
    def true_face(self) -> float:
        """The weight of the code discriminator's word; 0 where there is no such."""
        return self.options.true_face_power if self.shape.kind == "df" else 0.0

    def train_steps(self) -> "tuple[TrainStep, ...]":
        """Return the networks' step, then one for each discriminator."""
        critics = tuple(self.critics)
        # Without warp liae's common network stays as it is, as in DeepFaceLab: it would begin to tell the two apart.
        still = () if self.options.random_warp else ("inter_ab",)
        networks = self.train_step(
            "", self.of_both, self.forward, self.losses, frozen=critics, reports=SIDES, still=still
        )
        given = {
            "gan": (self.rebuild, self.gan_loss, self.gan_sides),
            "code": (self.codes, self.code_loss, SIDES),
        }
        return networks, *(self._critic_step(name, *given[name]) for name in critics)

    def _critic_step(
        self, name: str, forward: Callable[..., Any], loss: Callable[..., Any], streams: tuple[str, ...]
    ) -> "TrainStep":
        settings = {"streams": streams, "reports": (), "stable": False}
        return self.train_step(name, (name,), forward, loss, frozen=tuple(self.parts), **settings)

    def latent(self, side: str, code: Any) -> Any:
        """Return what a decoder gets of what the encoder gave, on the way of "src" or "dst"."""
        if "inter" in self.parts:
            return self.parts["inter"](code)
        maps = {name: self.parts[name](code) for name in dict.fromkeys(INTERS[side])}
        return nn.ops.concatenate([maps[name] for name in INTERS[side]], axis=-1)

    def encode(self, faces: Any) -> Any:
        """Run the encoder."""
        return self.run("encoder", faces)

    def draw(self, side: str, latent: Any) -> tuple[Any, Any]:
        """Decode as "src" or "dst": image (b, S, S, 3) and mask (b, S, S, 1)."""
        own = f"decoder_{side}"
        face, mask = self.run(own if own in self.parts else "decoder", latent)
        return face, mask

    def run(self, name: str, given: Any) -> Any:
        """Run a part whose maps are large, as `gradient_checkpointing` says."""
        if not self.options.gradient_checkpointing or isinstance(given, nn.keras.KerasTensor):  # a network is built
            return self.parts[name](given)
        if name not in self._recomputed:
            self._recomputed[name] = nn.recompute.Recomputed(self.parts[name])
        return self._recomputed[name](given)

    @cached_property
    def _recomputed(self) -> "dict[str, Recomputed]":
        return {}

    def decode(self, side: str, code: Any) -> tuple[Any, Any]:
        """Send what the encoder gave through the networks in the middle, decode as "src" or "dst"."""
        return self.draw(side, self.latent(side, code))

    def forward(self, src: Any, dst: Any) -> dict[str, Any]:
        """Rebuild both; return as well what the losses of true face and styles look at, where they are wanted."""
        code, count = self.encode(nn.ops.concatenate([src, dst])), nn.ops.shape(src)[0]
        codes = {"src": code[:count], "dst": code[count:]}
        latents = {side: self.latent(side, codes[side]) for side in SIDES}
        made: dict[str, Any] = {}
        for side in SIDES:
            made[side], made[f"{side}_mask"] = self.draw(side, latents[side])
        if self.true_face:
            made |= {f"{side}_code": latents[side] for side in SIDES}
        o = self.options
        if o.face_style_power or o.bg_style_power:
            swapped = self.latent("src", codes["dst"])
        if o.face_style_power:  # the decoder alone learns from it
            made["styled"], made["styled_mask"] = self.draw("src", nn.ops.stop_gradient(swapped))
        if o.bg_style_power:
            made["swapped"], _ = self.draw("src", swapped)
        return made

    def loss(self, face: dict[str, Any], picture: Any, mask: Any) -> tuple[Any, Any]:
        """Return how badly a face is rebuilt: no discriminator, no style."""
        total = reconstruction_loss(face, picture, mask, self.options)
        return total, total

    def rebuild(self, *faces: Any) -> dict[str, Any]:
        """Return the faces that the GAN judges: side -> image (b, S, S, 3)."""
        pairs = zip(self.gan_sides, faces, strict=True)
        return {side: self.decode(side, self.encode(face))[0] for side, face in pairs}

    def codes(self, src: Any, dst: Any) -> dict[str, Any]:
        """Return the codes that the code discriminator judges: side -> map (b, h, w, c)."""
        return {side: self.latent(side, self.encode(face)) for side, face in (("src", src), ("dst", dst))}

    def losses(
        self, src: dict[str, Any], dst: dict[str, Any], reconstructed: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """Return the sum of both people's losses and of what discriminators and styles add; the former are reported."""
        o, faces = self.options, {"src": src, "dst": dst}
        reported = {
            side: self.loss(face, reconstructed[side], reconstructed[f"{side}_mask"])[0] for side, face in faces.items()
        }
        total = sum(reported.values())
        for side in self.gan_sides if o.gan_power else ():
            total += gan_terms(self.critics["gan"], faces[side], reconstructed[side], o)
        if self.true_face:
            total += self.true_face * nn.losses.called_real(self.critics["code"](reconstructed["src_code"]))
        if o.face_style_power:
            total += o.face_style_power / 100 * face_style(reconstructed)
        if o.bg_style_power:
            total += o.bg_style_power / 100 * background_style(dst, reconstructed["swapped"])
        return total, reported

    def gan_loss(self, *batches: Any) -> tuple[Any, dict[str, Any]]:
        """Return how badly the GAN tells made faces from real ones."""
        *faces, made = batches
        wrong = 0.0
        for side, face in zip(self.gan_sides, faces, strict=True):
            real, fake = judged(face, made[side], self.options)
            wrong += nn.losses.told_apart(self.critics["gan"](real), self.critics["gan"](fake))
        return wrong, {}

    def code_loss(self, src: Any, dst: Any, codes: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return how badly the code discriminator tells codes of src from those of dst."""
        of_dst, of_src = (self.critics["code"](codes[side]) for side in ("dst", "src"))
        return nn.losses.told_apart([of_dst], [of_src]), {}


def inner_side(options: "SAEHD.Options") -> int:
    """Return the side at which the networks work."""
    return options.inner_resolution or options.resolution


def growth(options: "SAEHD.Options") -> int:
    """Return how often the networks' faces are enlarged to twice their side."""
    return {2: 1, 4: 2}.get(options.resolution // inner_side(options), 0)


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
