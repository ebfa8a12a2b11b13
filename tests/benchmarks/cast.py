"""Memory of the models that a cast keeps loaded, as a conversion uses them: what each adds to one process.

_internal/env/bin/python tests/benchmarks/cast.py [--models quick h64 liaef128 df] [--batch 8]
"""

import argparse
import gc
import sys
from pathlib import Path

import numpy as np
import psutil

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "_internal"))

from facewright.models import registry  # noqa: E402
from facewright.nn import devices  # noqa: E402


def used() -> float:
    """Return the memory of this process in GB."""
    return float(psutil.Process().memory_info().rss / 1e9)


def main() -> None:
    """Load one model after the other, predict a few batches with each, print what it added."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["quick", "h64", "liaef128", "df"])
    parser.add_argument("--batch", type=int, default=8)
    given = parser.parse_args()
    devices.start("float32")
    before, kept = used(), []
    print(f"keras alone: {before:.2f} GB")
    for name in given.models:
        kind = registry.model_class(name)
        model = kind(kind.Options())
        for _ in range(3):
            model.predict(np.zeros((given.batch, kind.resolution, kind.resolution, 3), np.float32))
        kept.append(model)
        gc.collect()
        print(f"{name}: {used() - before:.2f} GB more, {used():.2f} GB in all")
        before = used()


if __name__ == "__main__":
    main()
