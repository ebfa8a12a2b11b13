"""Devices, network blocks, losses and checkpoints.

`from facewright import nn` costs nothing: keras, and the modules here that need it, are imported on first use, as
`nn.keras`, `nn.ops`, `nn.blocks` and so on. The model files rely on it: what they declare is read without keras.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    from keras import layers, ops

    from facewright.nn import (
        blocks,
        clipping,
        discriminators,
        ema,
        losses,
        networks,
        optimizers,
        recompute,
        resampling,
        saehd_networks,
        sample_maker,
        train_step,
        xseg_network,
    )

__all__ = (
    "blocks",
    "clipping",
    "discriminators",
    "ema",
    "keras",
    "layers",
    "losses",
    "networks",
    "ops",
    "optimizers",
    "recompute",
    "resampling",
    "saehd_networks",
    "sample_maker",
    "train_step",
    "xseg_network",
)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in ("keras", "layers", "ops"):
        backend = importlib.import_module("facewright.nn.devices").prepare()
        found = backend if name == "keras" else getattr(backend, name)
        globals()[name] = found
        return found
    return importlib.import_module(f"{__name__}.{name}")
