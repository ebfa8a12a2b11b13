"""The ways of onnxruntime to compute: what a user may ask for, and in which build each is. It imports nothing heavy."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Provider:
    """A way of onnxruntime to compute.

    Attributes:
        name: onnxruntime's own.
        what: The device, in a few words.
        package: The build of onnxruntime that holds it.
    """

    name: str
    what: str
    package: str


PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        "cpu": Provider("CPUExecutionProvider", "the processor", "onnxruntime"),
        "cuda": Provider("CUDAExecutionProvider", "an NVIDIA GPU", "onnxruntime-gpu[cuda,cudnn]"),
        "directml": Provider("DmlExecutionProvider", "any GPU, on Windows", "onnxruntime-directml"),
        "migraphx": Provider("MIGraphXExecutionProvider", "an AMD GPU, on Linux", "onnxruntime-migraphx"),
        "openvino": Provider("OpenVINOExecutionProvider", "an Intel processor or GPU", "onnxruntime-openvino"),
        "coreml": Provider("CoreMLExecutionProvider", "Apple silicon", "onnxruntime"),
    }
)
# Taken where nothing is asked for: the first one that is there. CoreML, which computes with half the bits, is not.
USUAL = ("cuda", "directml", "migraphx", "cpu")
