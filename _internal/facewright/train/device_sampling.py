"""Where the samples of a training are made: on the device, inside the step, or by the sampler on the processor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from facewright import nn
from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.hints import again
from facewright.data.colour import LINEAR_TRANSFERS
from facewright.data.draws import Draws, cuts_of, transfer_name
from facewright.data.sample import Sample, masks_needed
from facewright.data.sampler import Sampler
from facewright.models.base import Trainable
from facewright.nn import gpus
from facewright.nn.devices import Device
from facewright.train.prefetch import BatchSource
from facewright.train.session import TrainingSession

if TYPE_CHECKING:  # it imports keras
    from facewright.nn.sample_maker import Output

MEMORY_SHARE = 0.25  # of the device's free memory that the pixels of all streams may take
MAX_DIFFERENCE = 0.01  # of the two executors, on average over an output; rounding makes 0.001


@dataclass(frozen=True)
class Sampling:
    """Where the batches of a training come from.

    Attributes:
        sources: Stream name -> its source.
        reason: Where the samples are made, in a few words.
    """

    sources: Mapping[str, BatchSource]
    reason: str


def by_processor(samplers: Mapping[str, Sampler], because: str = "") -> Sampling:
    """Let the samplers make the samples, on the processor."""
    return Sampling(samplers, f"made by the processor{because}")


def start_sampling(
    session: TrainingSession, samplers: Mapping[str, Sampler], *, asked: str, device: Device
) -> Sampling:
    """Let samples be made where they are to be made.

    What the device makes is first compared with what the processor makes: a GPU nobody tried yet may surprise.

    Args:
        session: The model.
        samplers: Stream name -> its sampler, whose order and random numbers go on.
        asked: One of `train.options.SAMPLING`.
        device: Where it trains.

    Raises:
        UserError: A face cannot be read; the device is asked for and makes other images, or none.
    """
    if asked == "host" or (asked == "auto" and device.kind != "gpu"):
        return by_processor(samplers)
    model = session.model
    transfers = {sample.transfer for of_stream in samplers.values() for sample in of_stream.samples}
    if hard := sorted(transfers - {"none", *LINEAR_TRANSFERS}):
        return by_processor(samplers, f", which alone can do the colour transfer {hard[0]}")
    bound = MEMORY_SHARE * gpus.free_memory(device) / len(samplers)
    # Where the faces lie is decided once for a model: what is free changes, by them and by a memory that was full.
    draws = {name: Draws(of, bound, there=model.makers[name].holds_faces) for name, of in samplers.items()}
    problem = ""
    try:
        for name, of_stream in draws.items():
            model.makers[name].prepare(outputs_of(of_stream.samples), of_stream.table)
        if _difference(model, samplers, draws, device.count) > MAX_DIFFERENCE:
            problem = "they are other images than the processor's"
    except Exception as error:
        if asked == "auto":
            console.LOG.exception("no samples on the device")
        problem = f"{type(error).__name__}: {str(error)[:200]}"
    if not problem:
        return Sampling(draws, _described(draws))
    if asked == "device":
        raise UserError(
            f"The samples cannot be made on the device: {problem}.",
            "a device that makes the processor's images.",
            f"let the processor make them:{again('--sampling', 'host')}",
        )
    console.warn(f"The samples are made by the processor, because the GPU could not: {problem}.")
    return by_processor(samplers)


def _difference(model: Trainable, samplers: Mapping[str, Sampler], draws: Mapping[str, Draws], count: int) -> float:
    """Return how far the images of both executors lie apart: the largest mean over an output, in 0..1."""
    largest, rng = 0.0, np.random.default_rng(0)
    for name, sampler in samplers.items():
        chosen = [(k % len(sampler), sampler.augmentation(rng)) for k in range(count)]
        made = nn.sample_maker.make_once(model.makers[name], draws[name].numbers(chosen))
        for output, image in sampler.make(chosen).items():
            largest = max(largest, float(np.abs(image - made[output]).mean()))
    return largest


def _described(draws: Mapping[str, Draws]) -> str:
    if all(of_stream.whole for of_stream in draws.values()):
        size = sum(of_stream.bytes for of_stream in draws.values()) / (1 << 20)
        return f"made on the device, where all faces lie: {size:.0f} MiB"
    return "made on the device; the faces are more than it holds, so those of each batch travel there"


def outputs_of(samples: Sequence[Sample]) -> "tuple[Output, ...]":
    """Return what the samples are to the device."""
    cuts, masks = cuts_of(samples), masks_needed(samples)
    found = []
    for sample in samples:
        image, moved = sample.kind == "image", transfer_name(sample, cuts)
        channel = 0 if image else 3 + masks.index(sample.kind)
        found.append(
            nn.sample_maker.Output(
                sample.name,
                cuts.index((sample.size, sample.face_type)),
                sample.size,
                (channel, channel + sample.channels),
                sample.interpolation if image else "linear",
                sample.warp,
                sample.colour == "grey",
                moved,
                bool(moved) and LINEAR_TRANSFERS[sample.transfer].lab,
                sample.hsv,
                sample.light,
            )
        )
    return tuple(found)
