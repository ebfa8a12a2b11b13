"""What every model shares: networks, training steps, prediction, preview.

A model is one file in this folder with one subclass of `FaceModel`; its file name is its name on the
command line, in prompts and in the model folder. What it declares is in `facewright.models.spec`.
"""

import difflib
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facewright import nn
from facewright.core.errors import UserError
from facewright.data.sample import Batch, Sample
from facewright.models.spec import LightOptions, ModelOptions, ModelSpec
from facewright.nn import devices

if TYPE_CHECKING:  # these import keras
    from facewright.nn.sample_maker import SampleMaker
    from facewright.nn.train_step import TrainStep

Array = NDArray[np.float32]
MIN_CHANNELS = 4  # of a layer, however small the scale


class Trainable(ModelSpec):
    """Networks that the training loop trains on named streams of batches, saves and shows.

    Attributes:
        options: Its options, settled.
        scale: Factor on the channels of all layers; 1 but for tests.
        parts: Name -> keras.Model; these are saved.
        people: Names of those beside src who have a stream, a reported loss and a decoder of their own.
        held: Names of the parts that stay as they are; see `hold`.
        average: The moving average of its weights, which the steps of an iteration follow; None without.

    Raises:
        UserError: There are `people`, and the model has no decoder for each.
    """

    people: tuple[str, ...] = ()
    held: frozenset[str] = frozenset()

    def __init__(
        self, options: ModelOptions, *, people: Collection[str] = (), seed: int = 0, scale: float = 1.0
    ) -> None:
        self.options = self.settle(options)
        self.scale = scale
        self.people = tuple(people)
        self.streams, self.reported = (*self.streams, *people), (*self.reported, *people)
        devices.seed(seed)
        self.parts = self.build()
        if not all(f"decoder_{person}" in self.parts for person in people):
            raise _one_src(self.name())
        self.average = nn.ema.WeightEMA(self.parts, self.build(), self.ema) if self.ema else None

    @cached_property
    def steps(self) -> "dict[str, TrainStep]":
        """Key of the step -> the compiled step, which holds its optimizer. An iteration runs them in order.

        They are built on first use: a model that only predicts needs none, and the optimizer's slots are twice the
        size of what it trains.
        """
        return {step.key: step for step in (*self.train_steps(), *map(self.person_step, self.people))}

    @cached_property
    def makers(self) -> "dict[str, SampleMaker]":
        """Stream -> what makes its samples inside the steps, where they are made on the device."""
        return {name: nn.sample_maker.SampleMaker() for name in self.streams}

    def hold(self, names: Collection[str]) -> None:
        """Leave parts out of the training; called before the first step.

        Raises:
            UserError: There is no such part, or a step of an iteration is left with none to train.
        """
        self.held = frozenset(names)
        if names:
            self.check_held(names)
        if self.average:
            self.average.hold(names)

    def check_held(self, names: Collection[str]) -> None:
        """Check whether parts can be left out of the training.

        Raises:
            UserError: As `hold`.
        """
        parts = [name for name, part in self.parts.items() if part.trainable_variables]
        for name in names:
            if name not in parts:
                near = difflib.get_close_matches(name, parts, 1)
                raise UserError(
                    f"The model {self.name()} has no part {name[:40]!r} that could be frozen.",
                    f"some of {', '.join(parts)}.",
                    f"did you mean --frozen {near[0]}?" if near else f"give for example --frozen {parts[0]}.",
                )
        for step in self.steps.values():
            if set(step.trained) <= set(names):
                raise UserError(
                    f"Of what a step trains ({', '.join(step.trained)}) nothing would learn: all of it is frozen.",
                    "a part that learns in every step of an iteration.",
                    "freeze fewer of them"
                    + (f", for example --frozen {step.trained[0]}." if step.trained[1:] else "."),
                )

    @cached_property
    def critics(self) -> dict[str, Any]:
        """Name -> keras.Model: networks that only training needs, discriminators, say.

        They are saved beside the parts, and built on first use, as `steps` are. From run to run there may be others:
        what was saved of those that are the same is loaded.
        """
        return self.build_critics()

    def build_critics(self) -> dict[str, Any]:
        """Build the critics; most models have none."""
        return {}

    @abstractmethod
    def build(self) -> dict[str, Any]:
        """Build the networks: part name -> keras.Model."""

    @abstractmethod
    def train_steps(self) -> "tuple[TrainStep, ...]":
        """Return the steps of an iteration, in order."""

    def person_step(self, person: str) -> "TrainStep":
        """Return the step in which one of `people` is learned; it follows the others."""
        raise NotImplementedError

    @abstractmethod
    def samples(self, stream: str = "src") -> tuple[Sample, ...]:
        """Return the outputs that the sampler of a stream makes of each face."""

    @abstractmethod
    def preview(self, batches: Mapping[str, Batch]) -> dict[str, Array]:
        """Return the columns of the preview from left to right: title -> (n, side, side, 3) float32 in 0..1.

        Args:
            batches: Untouched faces of each stream as its sampler gives them; n of each.
        """

    def flips(self, stream: str) -> bool:
        """Whether training may mirror the faces of a stream."""
        return self.flip

    def optimizer(self) -> Any:
        """Return a new optimizer: Adam as the workflow of 2018 had it."""
        return nn.optimizers.Adam(learning_rate=5e-5, beta_1=0.5, beta_2=0.999)

    def start(self, batches: Mapping[str, Mapping[str, Any]]) -> list[list[Any]]:
        """Start one iteration on a batch of each stream, and do not wait for it; `finish` gives its losses."""
        return [step.start(batches) for step in self.steps.values()]

    def finish(self, started: Sequence[list[list[Any]]]) -> list[dict[str, float]]:
        """Return the reported losses by name of each of the iterations that were started, in their order.

        What is on the device comes here in one copy: the fewer calls, the less it waits.
        """
        numbers = iter(nn.train_step.read([step for iteration in started for step in iteration]))
        losses: list[dict[str, float]] = []
        for _ in started:
            losses.append({})
            for step in self.steps.values():
                losses[-1] |= step.finish(next(numbers))
        return losses

    def train_on(self, batches: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
        """Train one iteration on a batch of each stream; return the reported losses by name."""
        return self.finish([self.start(batches)])[0]

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Let `parts` be the networks with averaged weights, where the model keeps them."""
        trained = self.parts
        if self.average:
            self.parts = self.average.parts
        try:
            yield
        finally:
            self.parts = trained

    @property
    def light(self) -> bool:
        """Whether this is the light version."""
        return isinstance(self.options, LightOptions) and self.options.light == "yes"

    def width(self, channels: int) -> int:
        """Return a layer's number of channels: as declared, or narrower in tests."""
        return channels if self.scale == 1 else max(MIN_CHANNELS, round(channels * self.scale))

    def widths(self, *channels: int) -> tuple[int, ...]:
        """Return the number of channels of several layers."""
        return tuple(self.width(count) for count in channels)

    def extra_state(self) -> dict[str, Any]:
        """Return what is saved beside parts and optimizers (EMA weights, say): name -> variable or array.

        The names and shapes are the same in every run of the model.
        """
        return self.average.state() if self.average else {}

    def load_extra_state(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take back what `extra_state` gave."""
        if self.average:
            self.average.load(arrays)

    def count_params(self) -> dict[str, int]:
        """Return the number of parameters of each part."""
        return {name: int(part.count_params()) for name, part in self.parts.items()}


class FaceModel(Trainable):
    """A network that swaps faces: it learns to reconstruct src and dst, and draws dst as src."""

    def __init__(
        self, options: ModelOptions, *, people: Collection[str] = (), seed: int = 0, scale: float = 1.0
    ) -> None:
        settled = self.settle(options)
        view = self.view(settled)  # before `build`, which goes by it
        self.resolution, self.face_type, self.converter = view.resolution, view.face_type, view.converter
        super().__init__(settled, people=people, seed=seed, scale=scale)

    @property
    def decoders(self) -> tuple[str, ...]:
        """Names of the parts of a model that has a decoder for each person."""
        return tuple(f"decoder_{name}" for name in self.streams)

    @property
    def of_both(self) -> tuple[str, ...]:
        """Names of the parts that have to do with src and dst."""
        return tuple(name for name in self.parts if name not in {f"decoder_{person}" for person in self.people})

    def draw_as(self, person: str) -> None:
        """Let one of `people` take the place of src for good, in all that predicts: for a conversion."""
        for parts in (self.parts, *([self.average.parts] if self.average else [])):
            parts["decoder_src"] = parts[f"decoder_{person}"]
        self._networks.clear()

    def samples(self, stream: str = "src") -> tuple[Sample, ...]:
        """Return the outputs wanted of the sampler of "src" or "dst": warped input, target and target mask."""
        size, kind = self.resolution, self.face_type
        return (
            # Warped faces differ by 50 dB between the two filters, and Lanczos would cost four times as much.
            Sample("warped", "image", size, kind, warp=True, interpolation="cubic"),
            Sample("target", "image", size, kind),
            Sample("mask", "mask", size, kind),
        )

    @abstractmethod
    def forward(self, src: Any, dst: Any) -> dict[str, Any]:
        """Reconstruct both faces: {"src", "src_mask", "dst", "dst_mask"}, (b, S, S, 3 or 1) in 0..1."""

    def path(self, side: str, faces: Any) -> tuple[Any, Any]:
        """Return faces as "src", "dst" or one of `people`: image (b, S, S, 3 or 1) and mask (b, S, S, 1) in 0..1."""
        raise NotImplementedError

    @abstractmethod
    def swap(self, dst: Any) -> tuple[Any, Any]:
        """Return dst faces as src: image (b, S, S, 3) and mask (b, S, S, 1), both in 0..1."""

    def swap_back(self, src: Any) -> tuple[Any, Any]:
        """Return src faces as dst: image (b, S, S, 3) and mask (b, S, S, 1), both in 0..1."""
        rebuilt = self.forward(src, src)
        return rebuilt["dst"], rebuilt["dst_mask"]

    @abstractmethod
    def losses(
        self, src: dict[str, Any], dst: dict[str, Any], reconstructed: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """Return the total and the reported losses.

        Args:
            src, dst: What the sampler gave, by name, without the warped faces.
            reconstructed: What `forward` returned.
        """

    def train_steps(self) -> "tuple[TrainStep, ...]":
        """Return one step for all parts and both people."""
        reports = tuple(name for name in self.reported if name not in self.people)
        return (self.train_step("", self.of_both, self.forward, self.losses, reports=reports),)

    def train_step(
        self,
        key: str,
        parts: tuple[str, ...],
        forward: Callable[..., Any],
        loss: Callable[..., tuple[Any, dict[str, Any]]],
        *,
        frozen: tuple[str, ...] = (),
        **more: Any,
    ) -> "TrainStep":
        """Return a compiled step with an optimizer of its own.

        Args:
            key: See `facewright.nn.train_step.TrainStep`, as for what follows and `more`.
            parts: Names of the parts, or critics, that it trains.
            forward: The warped faces of its streams -> what `loss` takes.
            loss: The batches of its streams, what `forward` gave -> total and reported losses.
            frozen: Names of those that only take part.
        """
        networks = {**self.parts, **self.critics}
        trained, fixed = ({name: networks[name] for name in names} for names in (parts, frozen))
        settings: dict[str, Any] = {"side": self.resolution, "frozen": fixed, "held": self.held, "makers": self.makers}
        settings |= {"average": self.average, **more}
        return nn.train_step.TrainStep(key, trained, forward, loss, self.optimizer(), **settings)

    def preview(self, batches: Mapping[str, Batch]) -> dict[str, Array]:
        """Return both faces, both reconstructed, and dst as src; for those of `people` given: a face, dst as that."""
        src, dst = batches["src"]["target"], batches["dst"]["target"]
        with self.averaged():
            reconstructed = self.forward(nn.ops.convert_to_tensor(src), nn.ops.convert_to_tensor(dst))
        swapped, _ = self.predict(dst)
        shown: dict[str, Array] = {}
        for person in (one for one in self.people if one in batches):
            shown[person] = batches[person]["target"]
            with self.averaged():
                shown[f"dst as {person}"] = to_numpy(self.path(person, nn.ops.convert_to_tensor(dst))[0])
        return {
            "src": src,
            "src rebuilt": to_numpy(reconstructed["src"]),
            "dst": dst,
            "dst rebuilt": to_numpy(reconstructed["dst"]),
            "dst as src": swapped,
            **shown,
        }

    def predict(self, faces: Array, *, backwards: bool = False, morph: float | None = None) -> tuple[Array, Array]:
        """Swap dst faces.

        Args:
            faces: (n, S, S, 3) float32 BGR in 0..1.
            backwards: Swap src faces instead, which become dst's.
            morph: How much of src the result shows, 0..1, where the model `morphs`; None for all.

        Returns:
            Image (n, S, S, 3) and mask (n, S, S, 1), float32 in 0..1.
        """
        given = self.given(faces, backwards=backwards, morph=morph)
        image, mask = self.network(backwards=backwards).predict_on_batch(given)
        return np.asarray(image, np.float32), np.asarray(mask, np.float32)

    def predict_with_own_mask(
        self, faces: Array, *, backwards: bool = False, morph: float | None = None
    ) -> tuple[Array, Array, Array | None]:
        """Swap faces as `predict`, and predict their own mask: image and mask as there, own mask (n, S, S, 1).

        A method of its own, because dst's decoder costs half as much again (DF) to as much again (QUICK) as the swap.
        The own mask is None for a model that learns none.
        """
        if not self.learns_mask:
            return *self.predict(faces, backwards=backwards, morph=morph), None
        network = self.network(backwards=backwards, own_mask=True)
        made = network.predict_on_batch(self.given(faces, backwards=backwards, morph=morph))
        image, mask, own = (np.asarray(array, np.float32) for array in made)
        return image, mask, own

    def own_mask(self, dst: Any) -> Any:
        """Return the mask of dst's own faces as the network predicts it: (b, S, S, 1) in 0..1."""
        return self.forward(dst, dst)["dst_mask"]

    def swap_with_own_mask(self, dst: Any) -> tuple[Any, Any, Any]:
        """Return what `swap` and `own_mask` return."""
        return *self.swap(dst), self.own_mask(dst)

    def morphed(self, dst: Any, *share: Any) -> tuple[Any, Any, Any]:
        """Return the same; a model that `morphs` is told how much of src the swaps show, (b) or (1) in 0..1."""
        return self.swap_with_own_mask(dst)

    @property
    def learns_mask(self) -> bool:
        """Whether its masks are learned; where they are not, they are 1 everywhere."""
        return any(sample.kind == "mask" for sample in self.samples("dst"))

    def live_network(self) -> Any:
        """Return what a program for live video runs: one keras.Model for the swap and both masks.

        Returns:
            keras.Model (b, S, S, 3) -> [dst's own mask (b, S, S, 1), dst as src (b, S, S, 3), its mask (b, S, S, 1)];
            without learned masks [dst as src] alone. It predicts with the same weights as `predict`, and takes what
            `network` takes.
        """
        inputs = self._inputs()
        with self.averaged():
            if not self.learns_mask:
                return nn.keras.Model(inputs, [self.swap(inputs[0])[0]])
            image, mask, own = self.morphed(*inputs)
            return nn.keras.Model(inputs, [own, image, mask])

    def network(self, *, backwards: bool = False, own_mask: bool = False) -> Any:
        """Return what predicts: keras.Model (b, S, S, 3) -> [image, mask], with `own_mask` [image, mask, own mask].

        One that `morphs` takes a second input, but for backwards: how much of src is to be seen, (b) or (1) in 0..1.
        It is built when it is first asked for: training alone needs none.
        """
        if (backwards, own_mask) not in self._networks:
            inputs = self._inputs(backwards=backwards)
            face = inputs[0]
            with self.averaged():
                if backwards:
                    made = [*self.swap_back(face), *([self.swap(face)[1]] if own_mask else [])]
                else:
                    made = list(self.morphed(*inputs)[: 2 + own_mask] if own_mask or self.morphs else self.swap(face))
                self._networks[backwards, own_mask] = nn.keras.Model(inputs, made)
        return self._networks[backwards, own_mask]

    def _inputs(self, *, backwards: bool = False) -> list[Any]:
        face = nn.keras.Input((self.resolution, self.resolution, 3))
        return [face, nn.keras.Input(())] if self.morphs and not backwards else [face]

    def given(self, faces: Array, *, backwards: bool = False, morph: float | None = None) -> list[Array]:
        """Return what `network` takes for faces; see `predict`."""
        share = np.array([1.0 if morph is None else morph], np.float32)
        return [faces, share] if self.morphs and not backwards else [faces]

    @cached_property
    def _networks(self) -> dict[tuple[bool, bool], Any]:
        return {}


def _one_src(name: str) -> UserError:
    return UserError(
        f"The model {name} has no decoder for each person, so it learns one src.",
        "a model with one, such as quick, h128, df, or saehd with --archi df-ud.",
        "choose one of these with --model, or leave out --more-src.",
    )


def to_numpy(tensor: Any) -> Array:
    """Return a tensor of any backend as float32 numpy."""
    return np.asarray(nn.ops.convert_to_numpy(tensor), np.float32)
