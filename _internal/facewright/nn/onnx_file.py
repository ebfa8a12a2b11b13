"""An ONNX file: what it says of itself, and its answers from onnxruntime, on a device that is named. No keras."""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.hints import again
from facewright.core.machine import cores
from facewright.nn.cards import find_cards
from facewright.nn.onnx_providers import PROVIDERS, USUAL

ERRORS_ONLY = 3
TRIALS = 3


def choose_provider(wanted: str = "auto") -> str:
    """Return the key of the provider to use; warn where a GPU lies idle.

    Args:
        wanted: "auto" or a key of `PROVIDERS`.

    Raises:
        UserError: This build of onnxruntime has no such provider.
    """
    there = onnxruntime.get_available_providers()
    if wanted != "auto":
        if PROVIDERS[wanted].name not in there:
            raise UserError(
                f"This build of onnxruntime has no {PROVIDERS[wanted].name}, only {', '.join(there)}.",
                f"a build for {PROVIDERS[wanted].what}.",
                f"install it, or take the processor:{_way_to(wanted)}{again('--provider', 'cpu')}",
            )
        return wanted
    found = next(key for key in USUAL if PROVIDERS[key].name in there)
    gpu = next((card.name for card in find_cards() if card.maker == "NVIDIA"), "") if found == "cpu" else ""
    if gpu:
        console.warn(
            f"There is an NVIDIA GPU ({gpu}), but this build of onnxruntime cannot use it: the network runs on the "
            f"processor, many times slower. Install the build for GPUs, or let keras convert:{_way_to('cuda')}"
            f"{again('--engine', 'keras')}"
        )
    return found


def _way_to(key: str) -> str:
    # Both builds fill the same folder: one must go before the other comes.
    pip = f'"{sys.executable}" -m pip'
    return f'\n    {pip} uninstall -y onnxruntime && {pip} install "{PROVIDERS[key].package}"'


class OnnxFile:
    """An ONNX file, open for running.

    Attributes:
        inputs, outputs: (name, shape) of each, in the order of the file; a text in a shape names an axis of any length.
        tags: What the file says of itself: key -> text.
        provider: onnxruntime's name of what computes.

    Args:
        source: The file, or its content.
        provider: A key of `PROVIDERS`.

    Raises:
        ValueError: It is no ONNX file, damaged, or holds what the runtime does not know.
        UserError: The provider does not start.
    """

    def __init__(self, source: Path | bytes, provider: str = "cpu") -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = ERRORS_ONLY
        options.intra_op_num_threads = cores()
        # Threads that wait would otherwise keep their cores busy, which decode, blend and encode meanwhile.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if provider == "cuda" and hasattr(onnxruntime, "preload_dlls"):
            onnxruntime.preload_dlls()  # those of NVIDIA's packages beside it
        wanted = PROVIDERS[provider].name
        try:
            self._session = onnxruntime.InferenceSession(
                source if isinstance(source, bytes) else str(source), options, providers=[wanted]
            )
        except Exception as error:  # the runtime's own types derive from Exception alone
            name = "the network" if isinstance(source, bytes) else source.name
            raise ValueError(f"{name} does not load: {error}") from error
        self.provider = str(self._session.get_providers()[0])
        if self.provider != wanted:  # onnxruntime goes on with the processor and tells nobody
            raise UserError(
                f"{wanted} of onnxruntime does not start: libraries or the driver of {PROVIDERS[provider].what} are "
                "missing or of another version.",
                f"onnxruntime with all that {wanted} needs.",
                f"install it anew, or take the processor:{_way_to(provider)}{again('--provider', 'cpu')}",
            )
        self.inputs = tuple((found.name, tuple(found.shape)) for found in self._session.get_inputs())
        self.outputs = tuple((found.name, tuple(found.shape)) for found in self._session.get_outputs())
        self.tags = dict(self._session.get_modelmeta().custom_metadata_map)

    def run(self, *arrays: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return all outputs for the inputs, both in the order of the file.

        Raises:
            ValueError: The network does not run on them.
        """
        try:
            given = {name: array for (name, _), array in zip(self.inputs, arrays, strict=True)}
            return [np.asarray(values, np.float32) for values in self._session.run(None, given)]
        except Exception as error:  # see `__init__`
            raise ValueError(f"the network does not run: {error}") from error

    def milliseconds(self, *arrays: NDArray[np.float32]) -> float:
        """Return the time of a run, the shortest of some."""
        times = []
        for _ in range(TRIALS):
            start = time.perf_counter()
            self.run(*arrays)
            times.append(time.perf_counter() - start)
        return 1000 * min(times)


def read_tags(path: Path) -> dict[str, str]:
    """Return what a file says of itself: key -> text.

    Raises:
        ValueError: It is no ONNX file, or not all of one.
    """
    import onnx  # a fifth of a second, which a conversion with a finished file need not wait for

    try:
        proto: Any = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # the reader's own types derive from Exception alone
        raise ValueError(f"{path.name} is no ONNX file: {error}") from error
    return {entry.key: entry.value for entry in proto.metadata_props}
