"""Model folders of DeepFaceLab: what its files say, as plain data.

All models lie flat in one folder. `<name>_<Class>_data.dat` is a pickled dictionary with the iteration, the options,
the losses and some faces of the preview; only what stands before the losses is read. `<name>_<Class>_<network>.npy` is
a pickled dictionary of arrays. Facts in our own words; formats of 2020-06 to 2023-04.
"""

import glob
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewright.core.names import printable
from facewright.core.safe_files import open_regular, read_regular
from facewright.interop.foreign_face import NotImportable
from facewright.interop.safe_pickle import Limits, read_before, read_pickle

DATA = "_data.dat"
DATA_FILE = re.compile(r"(?:(?P<name>.{1,200})_(?P<kind>SAEHD|AMP|Quick96)|(?P<alone>XSeg))" + DATA)
BEGINNING = 64 << 10  # bytes of the data file that hold all but losses and faces
LOSSES = "loss_history"
MOST_ITERATIONS = 10**9
LARGEST = 8 << 30  # bytes of a network's file
# Networks of AMP, and of SAEHD and Quick96 by architecture.
NETWORKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "df": ("encoder", "inter", "decoder_src", "decoder_dst"),
        "liae": ("encoder", "inter_AB", "inter_B", "decoder"),
        "amp": ("encoder", "inter_src", "inter_dst", "decoder"),
    }
)
XSEG, XSEG_NETWORK = "XSeg", "256"
STEPS = "iters:0"  # of the optimiser
KERAS_NAMES = "*.h5"  # of the version until January 2020
OF_2019 = "its networks (*.h5) are those of DeepFaceLab 1, before 2020, which were built otherwise"


@dataclass(frozen=True)
class ForeignModel:
    """A model as its data file tells.

    Attributes:
        folder: Where its files lie.
        name: What its user called it; "XSeg" for that network, which has no name.
        kind: "SAEHD", "AMP", "Quick96" or "XSeg".
        iteration: Steps it was trained.
        options: Plain values by the names that DeepFaceLab gives them.
    """

    folder: Path
    name: str
    kind: str
    iteration: int
    options: Mapping[str, Any]

    @property
    def optimizer_file(self) -> str:
        """The file of what the optimiser knows, called as the networks are."""
        return "256_opt" if self.kind == XSEG else "src_dst_opt"

    def path(self, network: str) -> Path:
        """Return the file of a network; where a save was cut off, the new one that had not got its name yet."""
        named = XSEG if self.kind == XSEG else f"{self.name}_{self.kind}"
        path = self.folder / f"{named}_{network}.npy"
        unnamed = path.with_name(f"{path.name}.tmp")
        return unnamed if unnamed.exists() and not path.exists() else path

    def size(self, network: str) -> int:
        """Return the bytes of a network's file.

        Raises:
            NotImportable: It is not there.
        """
        path = self.path(network)
        if not path.is_file():
            raise NotImportable(f"{path.name} is missing")
        return os.path.getsize(path)

    def arrays(self, network: str) -> dict[str, NDArray[np.float32]]:
        """Read the weights of a network: name -> float32 array.

        Raises:
            NotImportable: The file holds something else.
            PickleRefused: There is more in it than plain data, or it is damaged.
            OSError: It cannot be read, or is larger than a network can be.
        """
        return self._weights(network, self._content(network))

    def optimizer(self, file: str) -> tuple[int, dict[str, NDArray[np.float32]]]:
        """Read what an optimiser knows: its steps, and by name what it keeps of each weight.

        Args:
            file: `optimizer_file`, or that of a discriminator's optimiser, called as the networks are.

        Raises:
            NotImportable, PickleRefused, OSError: As `arrays`.
        """
        found = self._content(file)
        told = found.pop(STEPS, None) if isinstance(found, dict) else None
        # A list of lists of several lengths would make no array.
        steps = np.ravel(told) if isinstance(told, int | float | np.generic | np.ndarray) else np.zeros(0)
        if steps.size != 1 or steps.dtype.kind not in "iuf" or not 0 <= steps[0] <= MOST_ITERATIONS:
            raise NotImportable(f"{self.path(file).name} tells no number of steps")
        return int(steps[0]), self._weights(file, found)

    def _content(self, network: str) -> Any:
        data = read_regular(self.path(network), longest=LARGEST)
        return read_pickle(data, Limits(len(data), len(data)))

    def _weights(self, network: str, found: Any) -> dict[str, NDArray[np.float32]]:
        if not isinstance(found, dict) or not all(_is_weight(k, v) for k, v in found.items()):
            raise NotImportable(f"{self.path(network).name} is no dictionary of weights")
        return {name: np.asarray(array, np.float32) for name, array in found.items()}


def _is_weight(name: Any, value: Any) -> bool:
    return isinstance(name, str) and isinstance(value, np.ndarray) and value.dtype.kind == "f"


def find_models(folder: Path) -> list[Path]:
    """Return the data files of the models of a folder, sorted by name.

    Raises:
        NotImportable: There is none.
    """
    found = sorted(path for path in folder.glob(f"*{DATA}") if DATA_FILE.fullmatch(path.name))
    if not found and any(folder.glob(KERAS_NAMES)):
        raise NotImportable(OF_2019)
    if not found:
        raise NotImportable(
            "it holds no file NAME_SAEHD_data.dat, NAME_AMP_data.dat, NAME_Quick96_data.dat or XSeg_data.dat"
        )
    return found


def read_model(data_file: Path) -> ForeignModel:
    """Read what a data file tells.

    Args:
        data_file: One that `find_models` found.

    Raises:
        NotImportable: A part is missing or of another kind.
        PickleRefused: There is more in it than plain data, or it is damaged.
        OSError: It cannot be read.
    """
    named = DATA_FILE.fullmatch(data_file.name)
    if named is None:
        raise NotImportable(f"{printable(data_file.name)[:80]} is no data file of a known model")
    if any(data_file.parent.glob(f"{glob.escape(data_file.name.removesuffix(DATA))}_{KERAS_NAMES}")):
        raise NotImportable(OF_2019)
    with open_regular(data_file) as file:
        told = read_before(file.read(BEGINNING), LOSSES)
    iteration, options = (told.get("iter"), told.get("options")) if isinstance(told, dict) else (None, None)
    if type(iteration) is not int or not 0 <= iteration <= MOST_ITERATIONS or not isinstance(options, dict):
        raise NotImportable("its data file tells no iteration and no options")
    plain = {k: v for k, v in options.items() if isinstance(k, str) and type(v) in (bool, int, float, str)}
    kind = named["kind"] or named["alone"]
    return ForeignModel(data_file.parent, named["name"] or kind, kind, iteration, plain)
