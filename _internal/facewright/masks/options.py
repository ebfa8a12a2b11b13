"""Options of the training of the mask model, and of applying it."""

from dataclasses import dataclass

from facewright.core.options import option
from facewright.nn import devices
from facewright.train.options import DeviceOptions, GoalOptions, WatchOptions

USEFUL_ITERATIONS = 3000  # after so many it finds hands that nobody has labelled; see docs/masks.md


@dataclass(frozen=True)
class MaskTrainOptions(WatchOptions, DeviceOptions, GoalOptions):
    """How the mask model is trained."""

    target_iter: int = option(
        USEFUL_ITERATIONS,
        "Iteration at which to stop; 0 trains until you stop it.",
        low=0,
        ask="Target iteration",
    )
    batch_size: int = option(0, "Faces per iteration; 0 chooses what fits the memory.", low=0, high=4096)
    precision: str = option("auto", "Compute precision.", choices=devices.POLICIES)
    seed: int = option(0, "Random seed of a new model.", low=0, high=2**31 - 1)


@dataclass(frozen=True)
class MaskApplyOptions:
    """Which faces get a predicted mask."""

    redo: bool = option(False, "Predict the masks of all faces anew, those too that this model has made.")
    overwrite: bool = option(False, "Replace masks too that were painted or imported; without it you are asked.")
