"""What may run the network of a conversion, and what the options of `facewright.convert.parameters` say of it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from facewright.nn.onnx_providers import PROVIDERS


class Engine(StrEnum):
    """What runs the network."""

    KERAS = "keras"
    ONNX = "onnx"


ENGINES = {
    Engine.KERAS.value: "keras, on the backend that trained it (default)",
    Engine.ONNX.value: "onnxruntime: starts in a second; the model is written as ONNX once per saved state",
}
PRECISIONS = {
    "float32": "full precision (default)",
    "bfloat16": "half of the bits: quicker on processors and GPUs that have it in hardware, slower on others",
}
DEVICES = {
    "auto": "a GPU, if this build of onnxruntime can use one, else the processor",
    **{key: provider.what for key, provider in PROVIDERS.items()},
}
DFM_FACES = {
    "file": "as the file says itself; files of other programs say nothing",
    "half": "from the brows to the mouth",
    "mid-full": "a little more than half",
    "full": "from the brows to the chin",
    "whole": "with the forehead: the usual one",
    "head": "all of the head",
}
DFM_SUFFIX = ".dfm"


def names_dfm(values: Mapping[str, Any]) -> bool:
    """Whether a .dfm file is among the models that options name."""
    return bool(values.get("dfm")) or any(DFM_SUFFIX in str(values.get(name) or "") for name in ("model", "cast"))


def runs_keras(values: Mapping[str, Any]) -> bool:
    """Whether keras runs the network, or a part of a cast."""
    return values.get("engine") != Engine.ONNX and not values.get("dfm")


def needs_onnx(values: Mapping[str, Any]) -> bool:
    """Whether onnxruntime computes anything with these values of the options."""
    return values.get("engine") == Engine.ONNX or bool(values.get("super_resolution")) or names_dfm(values)
