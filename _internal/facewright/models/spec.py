"""What a model declares: read without keras, for prompts, tables, the converter and the choice of the batch."""

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar

from facewright.core.errors import UserError
from facewright.core.options import option
from facewright.faces.align import FaceType
from facewright.faces.dfl_crop import DflFaceType, FaceKind
from facewright.nn.gpus import device_memory


@dataclass(frozen=True)
class ConverterDefaults:
    """What conversion adds to the user's numbers, and what it starts from.

    Attributes:
        erode: Added to the erode modifier, in percent.
        blur: Added to the blur modifier, in percent.
        masked_hist_match: Whether histogram matching looks inside the mask only.
        border: Share of the side that is faded out at the border of the aligned image; 0 for none.
        within_hull: Whether only the hull of dst's own landmarks is replaced, however far the mask reaches.
        light_erode, light_blur: In the place of `erode` and `blur` in the mode light, where dst's light leaves no step
            to hide: just inside the cheek's outline.
        enlarged_from: Side of what the model itself makes, where a network of the user's enlarges it; else 0.
    """

    erode: int
    blur: int
    masked_hist_match: bool = True
    border: float = 0.0
    within_hull: bool = False
    light_erode: int = 70
    light_blur: int = 80
    enlarged_from: int = 0


# A half face's image ends just below the lower lip. The workflow of 2018 took 100 and 100, which ends on it.
_OF_HALF = ConverterDefaults(erode=50, blur=50)
_OF_FULL = ConverterDefaults(erode=30, blur=0, border=0.046875)
# What a model of a face type starts from; one that needs something else replaces that.
CONVERTER_DEFAULTS: Mapping[FaceKind, ConverterDefaults] = MappingProxyType(
    {
        FaceType.HALF: _OF_HALF,
        FaceType.FULL: _OF_FULL,
        DflFaceType.HALF: _OF_HALF,
        DflFaceType.MID_FULL: _OF_HALF,
        DflFaceType.FULL: _OF_FULL,
        DflFaceType.WHOLE: _OF_FULL,
        DflFaceType.HEAD: _OF_FULL,
    }
)


@dataclass(frozen=True)
class FaceView:
    """What a model sees of a face.

    Attributes:
        resolution: Side S of its images in pixels.
        face_type: What they show.
        converter: Its converter defaults.
    """

    resolution: int
    face_type: FaceKind
    converter: ConverterDefaults


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


def warp_option(**declaration: Any) -> Any:
    """Declare the option `random_warp` of a model whose warp can be switched off; the rest as of `option`."""
    text = "Warp the faces at random; switch it off at the end, for detail."
    return option(True, text, per_run=True, **declaration)


class ModelSpec(ABC):
    """What a model class declares as class attributes.

    Attributes:
        title: One line: what the model is for.
        resolution: Side S of the faces it takes, in pixels.
        output: Side of the images it gives, in pixels; 0 means `resolution`.
        portrait: Whether its image is the result, instead of being blended into dst's frame.
        morphs: Whether how much of src its swaps show is told when they are made.
        face_type: What its faces show.
        streams: Names of the batches that an iteration takes.
        reported: Names of the losses that `train_on` returns.
        flip: Whether training may mirror faces.
        jitter: Strength of the random rotation, scale and shift of training; 1 is the full range.
        matching: How src's faces are sampled: "shuffled", or "yaw" for the yaws that dst has.
        ema: Decay per iteration of the moving average of the weights (EMA), which then predicts and draws previews
            in place of the last weights; 0 for none.
        converter: Its converter defaults.
        default_batch: Faces per stream and iteration.
        parameters: Name of the version ("full", "light") -> number of parameters.
        memory, seconds: GiB that training the full version took at most, its engine included, and processor time of an
            iteration, all cores together, with 4 faces a side in bfloat16 on AMD Zen 4 (2024); measured with
            tests/benchmarks/models.py.
        iterations: After how many there is a first look at the swap, and a finished one: an assumption that nothing
            here has measured, by which the question for the model tells the time.
        batches: Memory of the device in GiB -> faces per stream and iteration; see `batch_for`.
        light_below: Memory in GiB below which "auto" takes the light version.
        Options: Dataclass of its options.
    """

    title: ClassVar[str]
    resolution: int
    output: ClassVar[int] = 0
    portrait: ClassVar[bool] = False
    morphs: ClassVar[bool] = False
    face_type: FaceKind
    streams: tuple[str, ...] = ("src", "dst")
    reported: tuple[str, ...] = ("src", "dst")
    flip: ClassVar[bool] = True
    jitter: ClassVar[float] = 1.0
    matching: ClassVar[str] = "shuffled"
    ema: ClassVar[float] = 0.0
    converter: ConverterDefaults
    default_batch: ClassVar[int] = 8
    parameters: ClassVar[Mapping[str, int]]
    memory: ClassVar[float]
    seconds: ClassVar[float]
    iterations: ClassVar[tuple[int, int]] = (10_000, 100_000)
    batches: ClassVar[Mapping[float, int]] = MappingProxyType({})
    light_below: ClassVar[float] = 0.0
    Options: ClassVar[type[ModelOptions]] = ModelOptions

    @classmethod
    def name(cls) -> str:
        """Return the name by which users know the model: that of its file."""
        return cls.__module__.rpartition(".")[2]

    @classmethod
    def view(cls, options: ModelOptions) -> FaceView:
        """Return what a model with these options sees; overridden where the options decide it."""
        return FaceView(cls.resolution, cls.face_type, cls.converter)

    @classmethod
    def output_side(cls) -> int:
        """Return the side of the images it gives, in pixels."""
        return cls.output or cls.resolution

    @classmethod
    def settle(cls, options: ModelOptions) -> ModelOptions:
        """Decide what was left open at creation: full or light, by the memory. What is decided already stays."""
        if isinstance(options, LightOptions) and options.light == "auto":
            small = device_memory() < cls.light_below
            return replace(options, light="yes" if small else "no")
        return options

    @classmethod
    def for_pretraining(cls, options: ModelOptions) -> ModelOptions:
        """Return the options by which a model is pretrained; the given ones are kept for the training after that."""
        return options

    @classmethod
    def switched(cls, options: ModelOptions, values: Mapping[str, Any]) -> ModelOptions:
        """Return the options of a model as the stage of a recipe switches them.

        Args:
            options: As they are.
            values: Options that may change, by name; one that only grows stays where it has grown further.

        Raises:
            UserError: The model cannot grow so.
        """
        return replace(options, **values)

    @classmethod
    def batch_for(cls, memory: float) -> int:
        """Return the faces per stream and iteration that the workflow of 2018 took for a GPU of that memory.

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
                f"The device has {memory:.1f} GiB of memory; the model {cls.name()} needs {entries[0][0]:g}.",
                f"a device with at least {entries[0][0]:g} GiB.",
                "choose a smaller model, for example h64 with --light yes, or give --batch-size yourself.",
            )
        return next((batch for size, batch in entries if size >= memory), entries[-1][1])
