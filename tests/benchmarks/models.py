"""Memory and time of a training iteration, model by model, each in a process of its own.

    _internal/env/bin/python tests/benchmarks/models.py [--model h64 df] [--batch 4] [--precision float32] [--light]
    _internal/env/bin/python tests/benchmarks/models.py --model saehd --set resolution=256 archi=df-ud

"memory" is the most that the process ever held, keras and its engine included; "iteration" is the median time of the
iterations after the first, "processor" the processor time that one took, on all cores together: other programs on the
machine hardly change it. The batches are noise, made once: no faces are needed.
"""

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "_internal")]

import numpy as np  # noqa: E402

from facewright.models.registry import model_names  # noqa: E402


def main() -> None:
    """Measure and print a line per model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", default=model_names())
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--light", action="store_true")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="options of the model")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measure(given)))
        return
    for name in given.model:
        flags = ["--batch", str(given.batch), "--steps", str(given.steps), "--precision", given.precision]
        flags += ["--light"] if given.light else []
        flags += ["--set", *given.set] if given.set else []
        command = [sys.executable, __file__, "--child", "--model", name, *flags]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{name:<12} failed: {done.stderr.strip().splitlines()[-1]}", flush=True)
            continue
        found = json.loads(done.stdout.splitlines()[-1])
        print(
            f"{name:<12} batch {given.batch:3d}  {found['parameters'] / 1e6:7.1f} million parameters  "
            f"memory {found['memory']:5.2f} GiB  iteration {found['milliseconds']:8.0f} ms  "
            f"processor {found['processor']:6.2f} s",
            flush=True,
        )


def measure(given: argparse.Namespace) -> dict[str, float]:
    """Train a few iterations; return parameters, peak memory in GiB and the median of an iteration in ms."""
    import resource  # not on Windows

    from facewright.nn import devices

    devices.prepare()
    devices.precision(given.precision)
    from facewright.core.options import declared
    from facewright.models.registry import model_class
    from facewright.models.spec import LightOptions

    kind = model_class(given.model[0])
    options = kind.Options(light="yes" if given.light else "no") if kind.Options is LightOptions else kind.Options()
    asked = dict(word.split("=", 1) for word in given.set)
    values = {spec.name: spec.parse(asked[spec.name]) for spec in declared(kind.Options) if spec.name in asked}
    model = kind(dataclasses.replace(options, **values))
    rng = np.random.default_rng(0)
    batches = {
        side: {s.name: rng.random((given.batch, s.size, s.size, s.channels), np.float32) for s in model.samples(side)}
        for side in model.streams
    }
    times, processor = [], []
    for _ in range(given.steps):
        began, used = time.perf_counter(), time.process_time()
        model.train_on(batches)
        times.append(1000 * (time.perf_counter() - began))
        processor.append(time.process_time() - used)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / (1 << 30)
    count = sum(model.count_params().values())
    middle, most = statistics.median(times[1:] or times), statistics.median(processor[1:] or processor)
    return {"parameters": count, "memory": peak, "milliseconds": middle, "processor": most}


if __name__ == "__main__":
    main()
