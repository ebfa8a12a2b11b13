"""A self-test of the device: that a convolution gives the right numbers, and how fast."""

import time
from dataclasses import dataclass
from typing import Any

from facewright.nn import devices

SIDE, CHANNELS, KERNEL, BATCH = 32, 128, 5, 8


@dataclass(frozen=True)
class SelfTestResult:
    """What the self-test found.

    Attributes:
        gflops: Billions of multiplications and additions per second.
        right: Whether the result was the expected one.
        place: Where the backend says that it ran, for example ".../device:CPU:0"; "" when it does not tell.
    """

    gflops: float
    right: bool
    place: str


def run_self_test(seconds: float = 1.0) -> SelfTestResult:
    """Run a 5x5 convolution of 128 channels for about a second and check its result.

    Args:
        seconds: How long to measure, without the first call.
    """
    keras = devices.prepare()
    picture = keras.ops.ones((BATCH, SIDE, SIDE, CHANNELS), dtype="float32")
    kernel = keras.ops.full((KERNEL, KERNEL, CHANNELS, CHANNELS), 0.5, dtype="float32")

    def once() -> Any:
        return keras.ops.conv(picture, kernel, padding="same")

    result = once()
    value = float(keras.ops.convert_to_numpy(result)[0, SIDE // 2, SIDE // 2, 0])
    began = time.perf_counter()
    count = 0
    while time.perf_counter() - began < seconds:
        for _ in range(4):
            result = once()
        keras.ops.convert_to_numpy(result[0, 0, 0, 0])  # waits until the device is through
        count += 4
    spent = time.perf_counter() - began
    work = 2 * BATCH * SIDE * SIDE * CHANNELS * CHANNELS * KERNEL * KERNEL * count
    return SelfTestResult(
        work / spent / 1e9, value == KERNEL * KERNEL * CHANNELS / 2, str(getattr(result, "device", ""))
    )
