"""The mask model: which pixels of a face are seen, and not covered by a hand, hair or a thing.

A U-Net (Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015) that works
at half the resolution inside; its last layer gives four sub-pixels at once. It is no network that swaps faces: the
command `mask` trains it, in the loop in which those are trained, and applies it. In its place may be an XSeg of
DeepFaceLab that was imported: a larger network, trained and applied in the same way.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from facewright import nn
from facewright.core.options import option
from facewright.data.sample import Batch, Sample
from facewright.faces.align import FaceType
from facewright.faces.dfl_crop import DflFaceType, FaceKind
from facewright.models.base import Array, Trainable, to_numpy
from facewright.models.spec import ModelOptions

if TYPE_CHECKING:  # it imports keras
    from facewright.nn.train_step import TrainStep

SIDE = 128
STREAM = "faces"
ENCODER = (24, 48, 96, 128)  # channels, 64 px down to 8 px
DECODER = (96, 48, 24)  # channels, 16 px up to 64 px
GREEN = np.array([0.2, 0.9, 0.2], np.float32)  # of what is covered, in the preview
TINT = 0.55
SURE = 0.9  # of `known`: from here on a label is one that somebody or something vouches for
DISPUTED = 0.4  # of a prediction: below it a pixel is taken for covered
IGNORED = 0.05  # weight of a pixel whose label is disputed
OWN, XSEG, XSEG_2020 = "own", "xseg", "xseg-2020"
NETWORKS = {
    OWN: "that of this program, 128 px",
    XSEG: "DeepFaceLab's XSeg, 256 px",
    XSEG_2020: "XSeg as it was until May 2021, 256 px",
}
FACE_TYPES: tuple[FaceKind, ...] = (FaceType.FULL, *DflFaceType)
OVERLAP = 0.5  # weight of how well covered areas are met, beside the entropy of their pixels
XSEG_RATE, XSEG_KEEP = 1e-4, 0.3  # with which XSeg is trained there, too


class FaceMask(Trainable):
    """Image -> where the face is seen: full face, 128 px; an imported XSeg as its options say, 256 px."""

    title = "mask of what of a face is seen, 128 px"
    resolution = SIDE
    face_type: FaceKind = FaceType.FULL
    streams = (STREAM,)
    reported = ("mask",)
    ema = 0.99
    default_batch = 8
    parameters = MappingProxyType({"full": 1_046_492})

    @dataclass(frozen=True)
    class Options(ModelOptions):
        """Which network it is; an import decides that."""

        network: str = option(OWN, "Which network it is.", choices=NETWORKS)
        face_type: str = option(
            str(FaceType.FULL), "What of a face it looks at.", choices={str(kind): str(kind) for kind in FACE_TYPES}
        )

    options: Options

    def __init__(self, options: ModelOptions, *, seed: int = 0, scale: float = 1.0) -> None:
        assert isinstance(options, self.Options)
        self.resolution = SIDE if options.network == OWN else nn.xseg_network.SIDE
        self.face_type = next(kind for kind in FACE_TYPES if str(kind) == options.face_type)
        super().__init__(options, seed=seed, scale=scale)

    @property
    def is_xseg(self) -> bool:
        """Whether it is an XSeg, which has learned what lies outside the hull as well."""
        return self.options.network != OWN

    def samples(self, stream: str = STREAM) -> tuple[Sample, ...]:
        """Return the face, its label, and where that label is known."""
        return (
            Sample("warped", "image", self.resolution, self.face_type, interpolation="cubic"),
            Sample("label", "visible", self.resolution, self.face_type),
            Sample("known", "known", self.resolution, self.face_type),
        )

    def build(self) -> dict[str, Any]:
        """Build the network (S, S, 3) -> (S, S, 1) in 0..1."""
        if not self.is_xseg:
            return {"network": _network(self.widths(*ENCODER), self.widths(*DECODER))}
        nets = nn.xseg_network
        logits = nets.xseg(self.width) if self.options.network == XSEG else nets.xseg_of_2020(self.width)
        mask = nn.layers.Activation("sigmoid", dtype="float32")(logits.output)
        return {"network": nn.keras.Model(logits.input, mask, name="network")}

    def train_steps(self) -> "tuple[TrainStep, ...]":
        """Return the one step."""

        def loss(batch: dict[str, Any], mask: Any) -> tuple[Any, dict[str, Any]]:
            weight = trusted(batch["label"], mask, batch["known"])
            entropy = nn.losses.weighted_crossentropy(batch["label"], mask, weight)
            # A finger covers a hundredth of a face: of its pixels alone the network would make little.
            overlap = nn.losses.dice(1 - batch["label"], 1 - mask, weight)
            return entropy + OVERLAP * overlap, {"mask": entropy}

        settings: dict[str, Any] = {"side": self.resolution, "streams": self.streams, "reports": self.reported}
        settings["average"] = self.average
        return (nn.train_step.TrainStep("", self.parts, self.parts["network"], loss, self.optimizer(), **settings),)

    def optimizer(self) -> Any:
        """Return Adam, as fast as QUICK's: the network is as shallow. An XSeg is trained on as it was before."""
        if self.is_xseg:
            return nn.optimizers.DroppedRMSprop(XSEG_RATE, keep=XSEG_KEEP)
        return nn.optimizers.Adam(learning_rate=1e-3, beta_1=0.9, beta_2=0.99, global_clipnorm=1.0)

    def predict(self, faces: Array) -> Array:
        """Return where faces are seen: (n, S, S, 3) float32 BGR in 0..1 -> (n, S, S) in 0..1."""
        with self.averaged():
            return to_numpy(self.parts["network"].predict_on_batch(faces))[..., 0]

    def preview(self, batches: Mapping[str, Batch]) -> dict[str, Array]:
        """Return the face, its label, the prediction, and the face with what is covered in green."""
        batch = batches[STREAM]
        faces, label, known = batch["warped"], batch["label"], batch["known"]
        mask = self.predict(faces)[..., None]
        covered = (1 - mask) * known
        overlay = faces * (1 - TINT * covered) + TINT * covered * GREEN
        grey = [np.repeat(plane, 3, axis=-1).astype(np.float32) for plane in (label * known, mask * known)]
        return {"face": faces, "label": grey[0], "mask": grey[1], "covered": overlay.astype(np.float32)}


def trusted(label: Any, prediction: Any, known: Any) -> Any:
    """Return how much each pixel counts, all (b, h, w, 1) in 0..1.

    Where a face is only taken for uncovered, the network may know better: a hand that nobody has marked would teach
    the opposite of what it is to learn. Such pixels count little once they are predicted to be covered (a small loss
    is believed: Han et al., "Co-teaching", NeurIPS 2018, whose second network is left out).
    """
    doubted = nn.ops.logical_and(known < SURE, nn.ops.logical_and(label > DISPUTED, prediction < DISPUTED))
    return known * nn.ops.where(nn.ops.stop_gradient(doubted), IGNORED, 1.0)


def _network(encoder: tuple[int, ...], decoder: tuple[int, ...]) -> Any:
    face = nn.keras.Input((SIDE, SIDE, 3))
    x, skips = face, []
    for level, filters in enumerate(encoder):
        x = nn.blocks.conv(filters, kernel=5 if level == 0 else 3, init=nn.blocks.HE)(x)
        skips.append(x)  # (b, 64, 64, 24) ... (b, 8, 8, 128)
    x = nn.blocks.residual(encoder[-1])(nn.blocks.residual(encoder[-1])(x))
    for filters, skip in zip(decoder, reversed(skips[:-1]), strict=True):
        x = nn.layers.Concatenate()([nn.blocks.upscale(filters, kernel=1, init=nn.blocks.HE)(x), skip])
        x = nn.blocks.conv(filters, kernel=3, strides=1, init=nn.blocks.HE)(x)
    fine = nn.blocks.PixelShuffle()(nn.layers.Conv2D(4, 3, padding="same")(x))
    return nn.keras.Model(face, nn.layers.Activation("sigmoid", dtype="float32")(fine), name="network")
