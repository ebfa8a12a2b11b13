"""Iterations to the same preview from nothing, from another pair's model, and from one of another src.

    _internal/env/bin/python tests/benchmarks/reuse.py [--model quick] [--src DIR --dst DIR --new-src DIR]
        [--before 300] [--iterations 300] [--batch 4] [--scale 1.0]

First a model learns --src and --dst. Then models learn --new-src and the same dst: one from nothing; one from the
first model as it is; one from it with --new-src, where the decoder of src starts as the one of dst. What is compared
is the mean absolute error of rebuilt faces that are not warped, inside the mask, at 16 fixed faces per side. Without
folders drawn faces are used, which show that it runs, and no more.
"""

import argparse
import sys
import tempfile
from pathlib import Path

# Without this folder, whose training.py would hide the tests' folder of that name.
sys.path[:1] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "_internal")]

import numpy as np  # noqa: E402

from facewright.nn import devices  # noqa: E402

EVERY, FACES = 20, 16


def main() -> None:
    """Train and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="quick")
    for side in ("src", "dst", "new-src"):
        parser.add_argument(f"--{side}", type=Path)
    parser.add_argument("--before", type=int, default=300)
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--scale", type=float, default=1.0)
    given = parser.parse_args()
    device, precision = devices.start("auto")
    print(f"{device.describe()}, {precision}; {given.model}, batch {given.batch}, scale {given.scale}")
    with tempfile.TemporaryDirectory() as folder:
        compare(given, Path(folder))


def compare(given: argparse.Namespace, folder: Path) -> None:
    """Train the first model, then the three."""
    from facewright.models.registry import model_class
    from facewright.train.session import TrainingSession
    from facewright.train.transfer import begin_from, find_source
    from train.tiny import save_faces

    kind = model_class(given.model)
    sets = []
    for number, asked in enumerate((given.src, given.dst, given.new_src)):
        sets.append(sorted(asked.glob("*.png")) if asked else save_faces(folder / str(number), 20, seed=100 * number))
    first = kind(kind.Options(), scale=given.scale)
    began = learn(first, sets[0], sets[1], given.before, given.batch)
    print(f"the first pair: {began[0]:.4f} at the start, {began[-1]:.4f} after {given.before} iterations")
    TrainingSession("first", first, folder / "model", given.model, iteration=given.before).save()
    curves = {}
    for name, source, new_src in (("nothing", False, False), ("as it is", True, False), ("--new-src", True, True)):
        model = kind(kind.Options(), seed=1, scale=given.scale)
        if source:
            begin_from(model, find_source(folder / "model", "first"), new_src=new_src)
        curves[name] = learn(model, sets[2], sets[1], given.iterations, given.batch)
    goal = curves["nothing"][-1]
    print(f"error of the new pair; the goal is what starting from nothing reaches in {given.iterations}: {goal:.4f}")
    for name, curve in curves.items():
        reached = next((k * EVERY for k, value in enumerate(curve) if value <= goal), None)
        shown = "  ".join(f"{curve[k]:.4f}" for k in range(0, len(curve), max(1, len(curve) // 6)))
        print(f"  {name:<10} reached after {reached!s:>5} iterations   {shown}")


def learn(model: object, src: list[Path], dst: list[Path], iterations: int, batch: int) -> list[float]:
    """Train; return the error every so many iterations, the start first."""
    from facewright.data.sampler import Sampler

    samplers = [
        Sampler(paths, model.samples(side), np.random.default_rng(number), flip=model.flip, jitter=model.jitter)
        for number, (side, paths) in enumerate((("src", src), ("dst", dst)))
    ]
    fixed = [s.untouched(np.linspace(0, len(s) - 1, FACES).astype(int).tolist()) for s in samplers]
    found = [error(model, *fixed)]
    for step in range(1, iterations + 1):
        model.train_on({side: s.batch(batch) for side, s in zip(model.streams, samplers, strict=True)})
        if step % EVERY == 0:
            found.append(error(model, *fixed))
    return found


def error(model: object, src: dict, dst: dict) -> float:
    """Return the mean absolute error inside the mask of both sides."""
    rebuilt = model.rebuild(src["target"], dst["target"])
    return float(
        np.mean(
            [
                (np.abs(made - side["target"]) * side["mask"]).sum() / (3 * side["mask"].sum())
                for made, side in zip(rebuilt[:2], (src, dst), strict=True)
            ]
        )
    )


if __name__ == "__main__":
    main()
