"""The torch side of peer.py: trains a network as often as it is told, on arrays made once; answers in JSON lines.

    KERAS_BACKEND=torch python tests/benchmarks/_torch_peer.py NETWORK BATCH LOSS KIND

Written from the facts that are known of FaceSwap 3 (layers, losses, order of the step), without its code. KIND "keras"
is its way: a Keras network, channels last, float32, on the torch backend; forward of A and of B, one sum of their
losses, backward, torch's Adam. Its loss is SSIM and squared error of the faces under their mask. KIND "plain" is the
same network as torch modules, channels first, with the squared error alone.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True)
class Network:
    """The numbers of a network: side in pixels, channels down, code (width, side, filters, out), channels up."""

    side: int
    down: tuple[int, ...]
    code: tuple[int, int, int, int]
    up: tuple[int, ...]


NETWORKS = {
    "original": Network(64, (128, 256, 512, 1024), (1024, 4, 1024, 512), (256, 128, 64)),
    "h128": Network(128, (128, 256, 512, 1024), (512, 8, 512, 512), (512, 256, 128)),
}
LEAK = 0.1


def main() -> None:
    """Build, tell the number of parameters, then train whenever a number of iterations is read."""
    name, batch, loss, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
    build = {"keras": keras_networks, "plain": torch_networks}[kind]
    weights, forward = build(NETWORKS[name])
    print(json.dumps({"parameters": sum(w.numel() for w in weights)}), flush=True)
    faces, masks = pictures(NETWORKS[name].side, batch, kind)
    if kind == "plain":
        loss = "mse"
    elif loss == "ours":
        loss = "mae" if name == "original" else "ssim"
    losses = {"own": ssim_and_square, "mae": absolute, "ssim": ssim, "mse": square}
    step = trainer(weights, forward, losses[loss], faces, masks)
    for line in sys.stdin:
        walls, began = [], time.process_time()
        for _ in range(int(line)):
            at = time.perf_counter()
            step()
            walls.append(time.perf_counter() - at)
        cpu = (time.process_time() - began) / len(walls)
        print(json.dumps({"wall": statistics.fmean(walls), "cpu": cpu}), flush=True)


def pictures(side: int, batch: int, kind: str) -> tuple[list[Any], list[Any]]:
    """Return random faces and masks of A and B."""
    rng = np.random.default_rng(0)
    order = (0, 3, 1, 2) if kind == "plain" else (0, 1, 2, 3)
    make = [rng.random((batch, side, side, channels), np.float32).transpose(order) for channels in (3, 3, 1, 1)]
    tensors = [torch.from_numpy(np.ascontiguousarray(array)) for array in make]
    return tensors[:2], tensors[2:]


def trainer(weights: list[Any], forward: Callable[..., Any], loss: Callable[..., Any], faces: Any, masks: Any) -> Any:
    """Return the step: both sides forwards, one sum of their losses, backwards, Adam."""
    optimizer = torch.optim.Adam(weights, lr=5e-5, betas=(0.5, 0.99), eps=1e-7)

    def step() -> float:
        optimizer.zero_grad()
        rebuilt = [forward(side, face) for side, face in enumerate(faces)]
        total = sum(loss(*pair) for pair in zip(faces, rebuilt, masks, strict=True))
        total.backward()
        optimizer.step()
        return float(total.detach())

    return step


def keras_networks(shape: Network) -> tuple[list[Any], Callable[..., Any]]:
    """Build encoder and decoders with Keras."""
    import keras
    from keras import layers, ops

    def down(x: Any, filters: int) -> Any:
        return layers.LeakyReLU(LEAK)(layers.Conv2D(filters, 5, 2, padding="same")(x))

    class Shuffle(layers.Layer):
        def call(self, x: Any) -> Any:
            _, h, w, c = x.shape
            x = ops.reshape(x, (-1, h, w, 2, 2, c // 4))
            return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, 2 * h, 2 * w, c // 4))

    def up(x: Any, filters: int) -> Any:
        return Shuffle()(layers.LeakyReLU(LEAK)(layers.Conv2D(4 * filters, 3, padding="same")(x)))

    width, side, filters, out = shape.code
    x = face = keras.Input((shape.side, shape.side, 3))
    for count in shape.down:
        x = down(x, count)
    x = layers.Dense(side * side * filters)(layers.Dense(width)(layers.Flatten()(x)))
    encoder = keras.Model(face, up(layers.Reshape((side, side, filters))(x), out))
    decoders = []
    for _ in range(2):
        x = code = keras.Input((2 * side, 2 * side, out))
        for count in shape.up:
            x = up(x, count)
        decoders.append(keras.Model(code, layers.Conv2D(3, 5, padding="same", activation="sigmoid")(x)))
    parts = [encoder, *decoders]
    weights = [variable.value for part in parts for variable in part.trainable_variables]
    return weights, lambda number, picture: decoders[number](encoder(picture, training=True), training=True)


def torch_networks(shape: Network) -> tuple[list[Any], Callable[..., Any]]:
    """Build encoder and decoders as torch modules."""
    nn = torch.nn
    width, side, filters, out = shape.code

    def up(inputs: int, filters: int) -> list[Any]:
        return [nn.Conv2d(inputs, 4 * filters, 3, padding=1), nn.LeakyReLU(LEAK), nn.PixelShuffle(2)]

    halved, inputs = [], 3
    for count in shape.down:
        halved += [nn.Conv2d(inputs, count, 5, stride=2, padding=2), nn.LeakyReLU(LEAK)]
        inputs = count
    flat = inputs * (shape.side >> len(shape.down)) ** 2
    squeezed = [nn.Flatten(), nn.Linear(flat, width), nn.Linear(width, side * side * filters)]
    encoder = nn.Sequential(*halved, *squeezed, nn.Unflatten(1, (filters, side, side)), *up(filters, out))
    decoders = []
    for _ in range(2):
        parts, inputs = [], out
        for count in shape.up:
            parts += up(inputs, count)
            inputs = count
        decoders.append(nn.Sequential(*parts, nn.Conv2d(inputs, 3, 5, padding=2), nn.Sigmoid()))
    weights = [weight for part in (encoder, *decoders) for weight in part.parameters()]
    return weights, lambda number, picture: decoders[number](encoder(picture))


def square(target: Any, picture: Any, mask: Any) -> Any:
    """Mean squared error."""
    return torch.mean((target - picture) ** 2)


def absolute(target: Any, picture: Any, mask: Any) -> Any:
    """Mean absolute error."""
    return torch.mean(torch.abs(target - picture))


def ssim(target: Any, picture: Any, mask: Any) -> Any:
    """Structural dissimilarity of the masked faces (b, h, w, c): Gaussian of 11 px, sigma 1.5."""
    a, b = ((face * mask).permute(0, 3, 1, 2) for face in (target, picture))
    offsets = torch.arange(11) - 5.0
    line = torch.exp(-(offsets**2) / 4.5)
    line = (line / line.sum()).repeat(3, 1)

    def blur(x: Any) -> Any:
        x = torch.nn.functional.conv2d(x, line[:, None, :, None], groups=3)
        return torch.nn.functional.conv2d(x, line[:, None, None, :], groups=3)

    mean_a, mean_b = blur(a), blur(b)
    covariance = blur(a * b) - mean_a * mean_b
    power = blur(a * a) + blur(b * b) - mean_a**2 - mean_b**2
    luminance = (2 * mean_a * mean_b + 1e-4) / (mean_a**2 + mean_b**2 + 1e-4)
    return (1 - torch.mean(luminance * (2 * covariance + 9e-4) / (power + 9e-4))) / 2


def ssim_and_square(target: Any, picture: Any, mask: Any) -> Any:
    """Both, under the mask."""
    return ssim(target, picture, mask) + square(target * mask, picture * mask, mask)


if __name__ == "__main__":
    main()
