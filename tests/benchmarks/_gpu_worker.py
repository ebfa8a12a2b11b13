"""One measurement of gpu.py, in a process of its own: prints a JSON line per finished part.

    python _gpu_worker.py '{"model": "quick", "precision": "bfloat16", "rows": [{"batch": 16, "sampling": "host"}], …}'

KERAS_BACKEND names the backend. Needs neither TensorFlow nor dlib.
"""

import contextlib
import dataclasses
import io
import json
import math
import os
import resource
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

HERE = Path(__file__).resolve()
sys.path[:1] = [str(HERE.parents[1]), str(HERE.parents[2] / "_internal")]

import numpy as np  # noqa: E402

from facewright.core import machine  # noqa: E402
from facewright.nn import devices  # noqa: E402

REPEATS = 5  # products per timing of the peak, so that launching them does not count
BACKWARD = 3  # a training step costs about three times the forward pass: forward, gradients of inputs, of weights


def main() -> None:
    """Measure what the argument says."""
    task = json.loads(sys.argv[1])
    device, precision = devices.start(task["precision"])
    say(device=device.describe(), kind=device.kind)
    if task.get("demo"):
        demo(task, precision, device)
        return
    say(peak_tflops=matmul_peak(device.kind == "gpu"))
    model = build(task)
    flops = sum(flops_per_pair(model).values())
    with ThreadPoolExecutor(threads()) as executor:
        loop = Loop(model, Path(task["faces"]), executor, device)
        for row in task["rows"]:  # small batches first: the peak of the memory only grows
            try:
                loop.sample(row["sampling"])
                result = measure(loop, row["batch"], task)
            except Exception as error:
                say(**row, error=f"{type(error).__name__}: {str(error)[:300]}")
                continue
            say(**row, tflop_per_iteration=BACKWARD * flops * row["batch"] / 1e12, **result)


def say(**values: Any) -> None:
    """Hand a part of the result to gpu.py."""
    print("RESULT " + json.dumps(values), flush=True)


def threads() -> int:
    """Return the threads that make the samples of both sides."""
    return max(1, min(machine.cores(), 16))


def build(task: dict[str, Any]) -> Any:
    """Return a new model, its full version."""
    from facewright.models.registry import model_class

    kind = model_class(task["model"])
    full = {"light": "no"} if any(f.name == "light" for f in dataclasses.fields(kind.Options)) else {}
    return kind(kind.Options(**full, **task.get("options", {})), scale=task.get("scale", 1.0))


def flops_per_pair(model: Any) -> dict[str, float]:
    """Return part -> operations of its forward pass for one src face and one dst face, counted from its layers.

    A part whose name ends with a side takes that side's faces only; all others take both.
    """
    return {
        name: part_flops(part) * (1 if name.rpartition("_")[2] in ("src", "dst") else 2)
        for name, part in model.parts.items()
    }


def part_flops(part: Any) -> float:
    """Return the operations for one face in a network: convolutions and dense layers, 2 per multiplication."""
    total = 0.0
    for layer in part.layers:
        if hasattr(layer, "layers"):
            total += part_flops(layer)
        elif (kernel := getattr(layer, "kernel", None)) is not None:
            outputs = math.prod(int(n) for n in layer.output.shape[1:])
            total += 2.0 * outputs * math.prod(kernel.shape[:-1])
    return total


def matmul_peak(gpu: bool) -> float:
    """Return the TFLOP/s of a large bfloat16 matrix product in the backend: what the share of the peak refers to."""
    side = 8192 if gpu else 512
    step = product(side)
    step()
    best, began = math.inf, time.perf_counter()
    while time.perf_counter() - began < (0.5 if gpu else 0.2):
        started = time.perf_counter()
        step()
        best = min(best, time.perf_counter() - started)
    return REPEATS * 2 * side**3 / best / 1e12


def product(side: int) -> Any:
    """Return a function that multiplies two bfloat16 matrices REPEATS times and waits for the result."""
    if os.environ["KERAS_BACKEND"] == "torch":
        import torch

        place = "cuda" if torch.cuda.is_available() else "cpu"
        a, b = (torch.randn(side, side, device=place, dtype=torch.bfloat16) for _ in range(2))

        def step() -> None:
            for _ in range(REPEATS):
                result = a @ b
            float(result[0, 0])

        return step
    import keras

    a, b = (keras.random.normal((side, side), dtype="bfloat16") for _ in range(2))
    matmul = keras.ops.matmul
    if os.environ["KERAS_BACKEND"] == "jax":
        import jax

        matmul = jax.jit(matmul)

    def step() -> None:
        for _ in range(REPEATS):
            result = matmul(a, b)
        float(keras.ops.convert_to_numpy(keras.ops.cast(result[0, 0], "float32")))

    return step


class Loop:
    """The training loop of the program on drawn faces; nothing is saved, the disk is not what is measured."""

    def __init__(self, model: Any, faces: Path, executor: ThreadPoolExecutor, device: Any) -> None:
        from facewright.data.sampler import Sampler
        from facewright.train.session import TrainingSession

        class Unsaved(TrainingSession):
            def save(self) -> None:
                self.saved_iteration = self.iteration

        self.model, self.device = model, device
        self.session = Unsaved("gpu", model, faces)
        self.samplers = {
            side: Sampler(
                sorted((faces / side).glob("*.png")),
                model.samples(side),
                np.random.default_rng(number),
                flip=model.flip,
                executor=executor,
                workers=max(1, threads() // 2),
            )
            for number, side in enumerate(("src", "dst"))
        }

        self.sources: Any = self.samplers

    def sample(self, where: str) -> None:
        """Let the samples be made on the "device", by the "host", or where "auto" makes them."""
        from facewright.train.device_sampling import start_sampling

        self.sources = start_sampling(self.session, self.samplers, asked=where, device=self.device).sources

    def run(self, batch: int, steps: int) -> Any:
        """Train; return the loop's own result."""
        from facewright.train.goal import Goal
        from facewright.train.loop import READ_EVERY, LoopSettings, train_session

        settings = LoopSettings(
            batch, Goal(self.session.iteration + steps), first_save_seconds=1e9, read_every=READ_EVERY
        )
        with contextlib.redirect_stdout(io.StringIO()):
            return train_session(self.session, self.sources, settings)


def measure(loop: Loop, batch: int, task: dict[str, Any]) -> dict[str, Any]:
    """Measure one batch size: the same batch again and again, then the whole loop with its sampler."""
    batches = {side: source.batch(batch) for side, source in loop.sources.items()}
    began = time.perf_counter()
    loop.model.train_on(batches)
    build_seconds = time.perf_counter() - began
    loop.model.train_on(batches)
    bare = timed(lambda: loop.model.train_on(batches), task["seconds"] / 3)
    steps = max(3, round(task["seconds"] / bare))
    with GpuSampler() as gpu:
        result = loop.run(batch, steps)
    seconds = result.milliseconds / 1000
    return {
        "it_per_s": 1 / seconds,
        "ms": result.milliseconds,
        "bare_ms": 1000 * bare,
        "data_wait": result.waiting,
        "skipped": result.skipped,
        "steps": steps,
        "first_step_s": build_seconds,
        "busy": gpu.busy,
        "memory_gib": memory_peak(),
        "card_memory_gib": gpu.memory,
    }


def timed(step: Any, seconds: float) -> float:
    """Return the seconds of a step, the median over about that long; `train_on` waits for the losses."""
    took, began = [], time.perf_counter()
    while len(took) < 3 or time.perf_counter() - began < seconds:
        started = time.perf_counter()
        step()
        took.append(time.perf_counter() - started)
    return statistics.median(took)


def memory_peak() -> float:
    """Return the most memory so far in GiB: what the backend took on the card, or this process on a processor."""
    backend = os.environ["KERAS_BACKEND"]
    if backend == "torch":
        import torch

        if torch.cuda.is_available():
            return torch.cuda.max_memory_allocated() / 2**30
    if backend == "jax":
        import jax

        stats = jax.devices()[0].memory_stats() or {}
        if "peak_bytes_in_use" in stats:
            return stats["peak_bytes_in_use"] / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


class GpuSampler:
    """Asks nvidia-smi for the card's busy share and memory while a block runs; None without a card.

    Attributes:
        busy: Mean share of the time in which a kernel ran, 0..1.
        memory: The most memory of the card in use, GiB: all processes, the caches of the backend too.
    """

    busy: float | None = None
    memory: float | None = None

    def __enter__(self) -> "GpuSampler":
        self._stop = threading.Event()
        self._seen: list[tuple[float, float]] = []
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(30)
        if self._seen:
            self.busy = sum(share for share, _ in self._seen) / len(self._seen) / 100
            self.memory = max(used for _, used in self._seen) / 1024

    def _watch(self) -> None:
        while not self._stop.wait(0.25):
            lines = machine.nvidia_smi("utilization.gpu", "memory.used")
            if not lines:
                return
            with contextlib.suppress(ValueError):
                share, used = (float(value) for value in lines[0].split(","))
                self._seen.append((share, used))


def demo(task: dict[str, Any], precision: str, device: Any) -> None:
    """Train on the sample's faces for some time; write the preview."""
    from facewright.train.callbacks import Callback, TrainingRun
    from facewright.train.loop import READ_EVERY, LoopSettings, train_session
    from facewright.train.preview_writer import PreviewWriter

    class StopAfter(Callback):
        """Asks the loop to end when the time is over."""

        def on_start(self, run: TrainingRun) -> None:
            self._end = time.monotonic() + task["demo"]

        def between_steps(self, run: TrainingRun) -> None:
            run.leave_requested |= time.monotonic() > self._end

    with ThreadPoolExecutor(threads()) as executor:
        loop = Loop(build(task), Path(task["faces"]), executor, device)
        loop.sample(task["sampling"])
        loop.session.model_dir = Path(task["out"])
        preview = PreviewWriter(loop.session, loop.samplers)
        settings = LoopSettings(task["batch"], first_save_seconds=1e9, read_every=READ_EVERY)
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            result = train_session(loop.session, loop.sources, settings, more_callbacks=[StopAfter()])
        seconds = time.perf_counter() - began
        preview.refresh(f"{os.environ['KERAS_BACKEND']}, {precision}, batch {settings.batch_size}")
    shown = preview.path.replace(preview.path.with_name(f"preview_{task['name']}.png"))
    say(
        iterations=loop.session.iteration,
        seconds=seconds,
        ms=result.milliseconds,
        data_wait=result.waiting,
        skipped=result.skipped,
        losses=loop.session.history.mean(100),
        preview=str(shown),
    )


if __name__ == "__main__":
    main()
