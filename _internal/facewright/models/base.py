"""What every model shares: declaration, training step, prediction, preview.

A model is one file in this folder with one subclass of `FaceModel`; its file name is its name on the
command line, in prompts and in the model folder.
"""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
from numpy.typing import NDArray

from facewright.core.errors import UserError
from facewright.faces.align import FaceType
from facewright.models.catalogue import model_files
from facewright.nn.average import RunningMean
from facewright.samples.sampler import Batch, Sample

Array = NDArray[np.float32]


@dataclass(frozen=True)
class ConverterDefaults:
    """What conversion adds to the user's numbers, and what it starts from.

    Attributes:
        erode: Added to the erode modifier.
        blur: Added to the blur modifier.
        masked_hist_match: Whether histogram matching looks inside the mask only.
        border: Share of the side that is faded out at the picture's border; 0 for none.
        within_hull: Whether only the hull of dst's own landmarks is replaced, however far the mask reaches.
    """

    erode: int
    blur: int
    masked_hist_match: bool = True
    border: float = 0.0
    within_hull: bool = False


@dataclass(frozen=True)
class ModelOptions:
    """Options of a model, fixed when it is created. A model with more of them subclasses this."""


class FaceModel(ABC):
    """A network for two faces.

    Attributes:
        title: One line: what the model is for.
        resolution: Side S of the faces it takes and gives, in pixels.
        face_type: What its faces show.
        flip: Whether training may mirror faces.
        jitter: Strength of the random rotation, scale and shift of training; 1 is the full range.
        average: Momentum of the running mean of the weights, which then predicts and draws previews in
            place of the last ones; 0 for none.
        converter: Its converter defaults.
        parts: Name -> keras.Model; these are saved.
        trainer: The compiled keras.Model of one training step; holds the optimiser.
    """

    title: ClassVar[str]
    resolution: ClassVar[int]
    face_type: ClassVar[FaceType]
    flip: ClassVar[bool] = True
    jitter: ClassVar[float] = 1.0
    average: ClassVar[float] = 0.0
    converter: ClassVar[ConverterDefaults]
    default_batch: ClassVar[int] = 8
    Options: ClassVar[type[ModelOptions]] = ModelOptions

    def __init__(self, options: ModelOptions, *, seed: int = 0) -> None:
        self.options = options
        keras.utils.set_random_seed(seed)
        self.parts = self.build()
        self.trainer = _Trainer(self)
        self.trainer.compile(optimizer=self.optimizer(), jit_compile="auto")
        self._mean = RunningMean(self.parts, self.build(), self.average) if self.average else None

    def samples(self) -> tuple[Sample, ...]:
        """Return the outputs wanted of the sampler: warped input, target and target mask."""
        side, kind = self.resolution, self.face_type
        return (
            Sample("warped", "image", side, kind, warp=True),
            Sample("target", "image", side, kind),
            Sample("mask", "mask", side, kind),
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
            src, dst: What the sampler gave, by name.
            rebuilt: What `forward` returned.
        """

    def optimizer(self) -> Any:
        """Return a new optimiser: Adam as the workflow of 2018 had it."""
        return keras.optimizers.Adam(learning_rate=5e-5, beta_1=0.5, beta_2=0.999)

    def train_on(self, src: Batch, dst: Batch) -> dict[str, float]:
        """Train one step on both faces; return the reported losses by name."""
        self.trainer.reset_metrics()
        logs = self.trainer.train_on_batch(
            [src["warped"], dst["warped"]], {"src": dict(src), "dst": dict(dst)}, return_dict=True
        )
        if self._mean:
            self._mean.step()
        return {name: float(logs[name]) for name in self.trainer.reported}

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
        """Return what is saved beside parts and optimiser (averaged weights, say): name -> variable or array.

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


class SharedEncoder(FaceModel):
    """One encoder for both people and a decoder each: the parts "encoder", "decoder_src" and "decoder_dst"."""

    def forward(self, src: Any, dst: Any) -> dict[str, Any]:
        """Encode both in one go (large weights are read once), decode each with its own decoder."""
        code = self.parts["encoder"](keras.ops.concatenate([src, dst]))
        count = keras.ops.shape(src)[0]
        src_face, src_mask = self.parts["decoder_src"](code[:count])
        dst_face, dst_mask = self.parts["decoder_dst"](code[count:])
        return {"src": src_face, "src_mask": src_mask, "dst": dst_face, "dst_mask": dst_mask}

    def swap(self, dst: Any) -> tuple[Any, Any]:
        """Encode dst, decode as src."""
        face, mask = self.parts["decoder_src"](self.parts["encoder"](dst))
        return face, mask


def to_numpy(tensor: Any) -> Array:
    """Return a tensor of any backend as float32 numpy."""
    return np.asarray(keras.ops.convert_to_numpy(tensor), np.float32)


class _Trainer(keras.Model):
    """One training step on any backend: forward, losses, gradients, optimiser."""

    def __init__(self, model: FaceModel) -> None:
        super().__init__(name="trainer")
        self._face_model = model
        for name, part in model.parts.items():
            setattr(self, f"part_{name}", part)
        side = model.resolution
        self.reported = ("src", "dst")
        self.metric_src = keras.metrics.Mean(name="src")
        self.metric_dst = keras.metrics.Mean(name="dst")
        # Every variable exists before the first step, so that a checkpoint can be read into a fresh model.
        blank = keras.ops.zeros((1, side, side, 3))
        self([blank, blank])

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Rebuild [src, dst], both (b, S, S, 3)."""
        return self._face_model.forward(inputs[0], inputs[1])

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the model's total loss and note the reported ones."""
        y = keras.tree.map_structure(keras.ops.convert_to_tensor, y)
        total, reported = self._face_model.losses(y["src"], y["dst"], y_pred)
        self.metric_src.update_state(reported["src"])
        self.metric_dst.update_state(reported["dst"])
        return total


def model_names() -> list[str]:
    """Return the names of all models, from their file names, without importing any."""
    return list(model_files())


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
