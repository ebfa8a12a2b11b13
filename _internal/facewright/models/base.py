"""What every model shares: declaration, training steps, prediction, preview.

A model is one file in this folder with one subclass of `FaceModel`; its file name is its name on the
command line, in prompts and in the model folder.
"""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

import keras
import numpy as np
from numpy.typing import NDArray

from facewright.core.errors import UserError
from facewright.core.options import option
from facewright.data.sample import Batch, Sample
from facewright.faces.align import FaceType
from facewright.models.catalogue import model_files
from facewright.models.spec import ConverterDefaults as ConverterDefaults  # each model file takes it from here
from facewright.nn import devices
from facewright.nn.ema import RunningMean
from facewright.nn.gpus import device_memory
from facewright.nn.optimizers import Adam
from facewright.nn.train_step import Phase, PhaseTrainer

Array = NDArray[np.float32]
NARROWEST = 4  # channels, however small the scale


@dataclass(frozen=True)
class ModelOptions:
    """Options of a model, fixed when it is created. A model with more of them subclasses this."""


LIGHT = {
    "auto": "by the memory of the device on which it is created",
    "yes": "the light version: narrower, for small memory",
    "no": "the full version",
}


@dataclass(frozen=True)
class LightOptions(ModelOptions):
    """Options of a model that has a light version."""

    light: str = option("auto", "Which version of the network; fixed for good.", choices=LIGHT, ask="Light version")


class FaceModel(ABC):
    """A network for two faces.

    Attributes:
        title: One line: what the model is for.
        resolution: Side S of the faces it takes, in pixels.
        output: Side of the pictures it gives, in pixels; 0 means `resolution`.
        portrait: Whether its picture is the result, instead of being blended into dst's frame.
        face_type: What its faces show.
        flip: Whether training may mirror faces.
        jitter: Strength of the random rotation, scale and shift of training; 1 is the full range.
        matching: How src's faces are drawn: "shuffled", or "yaw" for the yaws that dst has.
        average: Momentum of the running mean of the weights, which then predicts and draws previews in
            place of the last ones; 0 for none.
        converter: Its converter defaults.
        parameters: Name of the version ("full", "light") -> number of parameters; the catalogue shows them.
        memory: Faces per side and iteration -> GiB that training the full version took on a processor, in float32;
            measured with tests/benchmarks/models.py.
        batches: Memory of the device in GiB -> faces per side and iteration; see `batch_for`.
        light_below: Memory in GiB below which "auto" takes the light version.
        parts: Name -> keras.Model; these are saved.
        reported: Names of the losses that `train_on` returns.
        scale: Factor on the channels of all layers; 1 but for tests.
    """

    title: ClassVar[str]
    resolution: ClassVar[int]
    output: ClassVar[int] = 0
    portrait: ClassVar[bool] = False
    face_type: ClassVar[FaceType]
    flip: ClassVar[bool] = True
    jitter: ClassVar[float] = 1.0
    matching: ClassVar[str] = "shuffled"
    average: ClassVar[float] = 0.0
    converter: ClassVar[ConverterDefaults]
    default_batch: ClassVar[int] = 8
    parameters: ClassVar[Mapping[str, int]]
    memory: ClassVar[Mapping[int, float]] = MappingProxyType({})
    batches: ClassVar[Mapping[float, int]] = MappingProxyType({})
    light_below: ClassVar[float] = 0.0
    Options: ClassVar[type[ModelOptions]] = ModelOptions

    def __init__(self, options: ModelOptions, *, seed: int = 0, scale: float = 1.0) -> None:
        self.options = self.settle(options)
        self.scale = scale
        devices.seed(seed)
        self.parts = self.build()
        self._phases = self.phases()
        self.reported = tuple(name for phase in self._phases for name in phase.reports)
        self._mean = RunningMean(self.parts, self.build(), self.average) if self.average else None

    @cached_property
    def trainers(self) -> dict[str, PhaseTrainer]:
        """Name of the phase -> the compiled step; each holds its optimiser. An iteration runs them in order.

        They are built on first use: who only predicts needs none, and their moments are twice what they train.
        """
        return {phase.name: PhaseTrainer(phase, self.resolution) for phase in self._phases}

    @classmethod
    def settle(cls, options: ModelOptions) -> ModelOptions:
        """Decide what was left open at creation: full or light, by the memory. What is decided already stays."""
        if isinstance(options, LightOptions) and options.light == "auto":
            small = device_memory() < cls.light_below
            return replace(options, light="yes" if small else "no")
        return options

    @property
    def light(self) -> bool:
        """Whether this is the light version."""
        return isinstance(self.options, LightOptions) and self.options.light == "yes"

    @classmethod
    def batch_for(cls, memory: float) -> int:
        """Return the faces per side and iteration that the workflow of 2018 took for a card of that memory.

        Args:
            memory: Of the device, in GiB. The first entry of `batches` that is not smaller counts; beyond the
                last entry, the last.

        Raises:
            UserError: The model needs more.
        """
        entries = sorted(cls.batches.items())
        if not entries:
            return cls.default_batch
        if memory < entries[0][0]:
            raise UserError(
                f"The device has {memory:.1f} GiB of memory; the model {model_name(cls)} needs {entries[0][0]:g}.",
                f"a device with at least {entries[0][0]:g} GiB.",
                "choose a smaller model, for example h64 with --light yes, or give --batch-size yourself.",
            )
        return next((batch for size, batch in entries if size >= memory), entries[-1][1])

    def width(self, channels: int) -> int:
        """Return a layer's number of channels: as declared, or narrower in tests."""
        return channels if self.scale == 1 else max(NARROWEST, round(channels * self.scale))

    def widths(self, *channels: int) -> tuple[int, ...]:
        """Return the number of channels of several layers."""
        return tuple(self.width(count) for count in channels)

    def samples(self, side: str = "src") -> tuple[Sample, ...]:
        """Return the outputs wanted of the sampler of "src" or "dst": warped input, target and target mask."""
        size, kind = self.resolution, self.face_type
        return (
            # Warped faces differ by 50 dB between the two filters, and Lanczos would cost four times as much.
            Sample("warped", "image", size, kind, warp=True, interpolation="cubic"),
            Sample("target", "image", size, kind),
            Sample("mask", "mask", size, kind),
        )

    @abstractmethod
    def build(self) -> dict[str, Any]:
        """Build the networks: part name -> keras.Model."""

    @abstractmethod
    def forward(self, src: Any, dst: Any) -> dict[str, Any]:
        """Rebuild both faces: {"src", "src_mask", "dst", "dst_mask"}, (b, S, S, 3 or 1) in 0..1."""

    @abstractmethod
    def swap(self, dst: Any) -> tuple[Any, Any]:
        """Return dst faces as src: picture (b, S, S, 3) and mask (b, S, S, 1), both in 0..1."""

    @abstractmethod
    def losses(self, src: dict[str, Any], dst: dict[str, Any], rebuilt: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the total and the reported losses.

        Args:
            src, dst: What the sampler gave, by name, without the warped faces.
            rebuilt: What `forward` returned.
        """

    def phases(self) -> tuple[Phase, ...]:
        """Return the steps of an iteration, in order: here one, for all parts and both people."""
        return (Phase("", self.parts, self.forward, self.losses, self.optimizer()),)

    def optimizer(self) -> Any:
        """Return a new optimiser: Adam as the workflow of 2018 had it."""
        return Adam(learning_rate=5e-5, beta_1=0.5, beta_2=0.999)

    def train_on(self, src: Batch, dst: Batch) -> dict[str, float]:
        """Train one iteration on both faces; return the reported losses by name."""
        losses: dict[str, float] = {}
        for trainer in self.trainers.values():
            losses |= trainer.step({"src": src, "dst": dst})
        if self._mean:
            self._mean.step()
        return losses

    def preview(self, src: Batch, dst: Batch) -> dict[str, Array]:
        """Return the columns of the preview from left to right: title -> (n, side, side, 3) float32 in 0..1.

        Args:
            src, dst: Untouched faces as the sampler gives them; n of each.
        """
        src_rebuilt, dst_rebuilt, swapped = self.rebuild(src["target"], dst["target"])
        return {
            "src": src["target"],
            "src rebuilt": src_rebuilt,
            "dst": dst["target"],
            "dst rebuilt": dst_rebuilt,
            "dst as src": swapped,
        }

    def rebuild(self, src: Array, dst: Array) -> tuple[Array, Array, Array]:
        """Return src rebuilt, dst rebuilt and dst as src for a preview, (n, S, S, 3) float32 in 0..1."""
        with self._averaged():
            rebuilt = self.forward(keras.ops.convert_to_tensor(src), keras.ops.convert_to_tensor(dst))
        swapped, _ = self.predict(dst)
        return to_numpy(rebuilt["src"]), to_numpy(rebuilt["dst"]), swapped

    def predict(self, faces: Array) -> tuple[Array, Array]:
        """Swap dst faces.

        Args:
            faces: (n, S, S, 3) float32 BGR in 0..1.

        Returns:
            Picture (n, S, S, 3) and mask (n, S, S, 1), float32 in 0..1.
        """
        picture, mask = self._swapper.predict_on_batch(faces)
        return np.asarray(picture, np.float32), np.asarray(mask, np.float32)

    def own_mask(self, dst: Any) -> Any:
        """Return the mask of dst's own faces as the network paints it: (b, S, S, 1) in 0..1."""
        return self.forward(dst, dst)["dst_mask"]

    @property
    def learns_mask(self) -> bool:
        """Whether its masks are learned; where they are not, they are 1 everywhere."""
        return any(sample.kind == "mask" for sample in self.samples("dst"))

    def live_network(self) -> Any:
        """Return what a program for live pictures runs: one keras.Model for the swap and both masks.

        Returns:
            keras.Model (b, S, S, 3) -> [dst's own mask (b, S, S, 1), dst as src (b, S, S, 3), its mask (b, S, S, 1)];
            without learned masks [dst as src] alone. It predicts with the same weights as `predict`.
        """
        face = keras.Input((self.resolution, self.resolution, 3))
        with self._averaged():
            picture, mask = self.swap(face)
            return keras.Model(face, [self.own_mask(face), picture, mask] if self.learns_mask else [picture])

    @property
    def _swapper(self) -> Any:
        # Built on first use: training alone does not need it.
        if not hasattr(self, "_swapper_model"):
            face = keras.Input((self.resolution, self.resolution, 3))
            with self._averaged():
                self._swapper_model = keras.Model(face, list(self.swap(face)))
        return self._swapper_model

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Let `forward` and `swap` use the averaged networks, where the model keeps them."""
        trained = self.parts
        if self._mean:
            self.parts = self._mean.parts
        try:
            yield
        finally:
            self.parts = trained

    def extra_state(self) -> dict[str, Any]:
        """Return what is saved beside parts and optimisers (averaged weights, say): name -> variable or array.

        The names and shapes are the same in every run of the model.
        """
        return self._mean.state() if self._mean else {}

    def load_extra_state(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take back what `extra_state` gave."""
        if self._mean:
            self._mean.load(arrays)

    def count_params(self) -> dict[str, int]:
        """Return the number of parameters of each part."""
        return {name: int(part.count_params()) for name, part in self.parts.items()}


def to_numpy(tensor: Any) -> Array:
    """Return a tensor of any backend as float32 numpy."""
    return np.asarray(keras.ops.convert_to_numpy(tensor), np.float32)


def model_names() -> list[str]:
    """Return the names of all models, from their file names, without importing any."""
    return list(model_files())


def model_name(kind: type[FaceModel]) -> str:
    """Return the name by which users know a model: that of its file."""
    return kind.__module__.rpartition(".")[2]


def model_class(name: str) -> type[FaceModel]:
    """Import one model file and return its model.

    Raises:
        UserError: There is no such model.
        TypeError: The file does not hold exactly one model.
    """
    if name not in model_names():
        raise UserError(
            f"There is no model {name!r}.", f"one of {', '.join(model_names())}.", "give one of them with --model."
        )
    module = importlib.import_module(f"facewright.models.{name}")
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, FaceModel) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise TypeError(f"models/{name}.py holds {len(found)} models; one file holds exactly one")
    return found[0]
