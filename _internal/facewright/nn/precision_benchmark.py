"""A short benchmark: which compute precision is faster on this device."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from facewright.nn.devices import precision, prepare

SIDE, CHANNELS, BATCH = 32, 96, 8
MIN_SPEEDUP = 1.05  # of bfloat16 over float32, which is more exact


@dataclass(frozen=True)
class PrecisionBenchmark:
    """What the benchmark found.

    Attributes:
        precision: "bfloat16" or "float32": the faster one.
        ratio: How many times as fast as float32 bfloat16 is.
    """

    precision: str
    ratio: float

    def describe(self) -> str:
        """Say why it was chosen."""
        if self.precision == "bfloat16":
            return f"{self.ratio:.2f} times as fast as float32 in a short benchmark on this device"
        return f"bfloat16 is {self.ratio:.2f} times as fast in a short benchmark on this device, which is no gain"


def compare_precisions(rounds: int = 5) -> PrecisionBenchmark:
    """Time training steps of a small network of the usual layers in both precisions, in turns.

    The precision of networks that are built from now on is afterwards the one that was found.

    Args:
        rounds: Timed steps of each.
    """
    keras = prepare()
    rng = np.random.default_rng(0)
    faces = rng.random((BATCH, SIDE, SIDE, CHANNELS), np.float32)
    steps = {policy: _network(keras, policy) for policy in ("float32", "bfloat16")}
    times: dict[str, list[float]] = {policy: [] for policy in steps}
    for round_ in range(rounds + 2):
        for policy, network in steps.items():
            began = time.perf_counter()
            network.train_on_batch(faces, faces)
            if round_ > 1:  # the first ones build the network's program
                times[policy].append(time.perf_counter() - began)
    ratio = min(times["float32"]) / min(times["bfloat16"])
    found = PrecisionBenchmark("bfloat16" if ratio >= MIN_SPEEDUP else "float32", ratio)
    precision(found.precision)
    return found


def _network(keras: Any, policy: str) -> Any:
    precision(policy)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, CHANNELS)),
            layers.Conv2D(2 * CHANNELS, 5, strides=2, padding="same"),
            layers.LeakyReLU(0.1),
            layers.Conv2D(4 * CHANNELS, 3, padding="same"),
            layers.Reshape((SIDE, SIDE, CHANNELS)),
            layers.Dense(CHANNELS, dtype="float32"),
        ]
    )
    network.compile(optimizer="adam", loss="mae", jit_compile="auto")
    return network
