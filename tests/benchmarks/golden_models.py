"""Networks of DeepFaceLab against what its own code gave: each folder of golden data, the greatest difference.

    _internal/env/bin/python tests/benchmarks/golden_models.py FOLDER

FOLDER holds folders with a model, `input.npz` and `expected.npz`; where weights would be large, `weights.json` says by
which rule they are drawn. Faces and masks may differ by 2e-5, the logits of XSeg by 5e-4. The data are not part of
the repository: they take 9 MB.
"""

import argparse
import json
import pickle
import sys
import tempfile
import zlib
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "_internal")]

import numpy as np  # noqa: E402

from facewright.models.dfl_import import import_folder  # noqa: E402
from facewright.models.trained import load_trained  # noqa: E402
from facewright.nn import devices  # noqa: E402

FACE, LOGITS = 2e-5, 5e-4


def main() -> None:
    """Compare every folder; end with 1 where one differs by more than it may."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    devices.start("float32")
    worst: dict[str, float] = {}
    for place in sorted(folder.glob("saehd_*")):
        worst[place.name] = saehd(place)
    worst |= {"quick96": quick96(folder / "quick96"), "amp": amp(folder / "amp")}
    faces = np.load(folder / "xseg" / "input.npz")["input_u8"].astype(np.float32) / np.float32(255)
    wrong = [name for name, difference in worst.items() if not difference <= FACE]
    for name in ("xseg", "xseg_2020"):
        worst[name] = xseg(folder / name, (folder / "xseg" / "XSeg_data.dat").read_bytes(), faces)
        wrong += [name] if not worst[name] <= LOGITS else []
    for name, difference in worst.items():
        print(f"{name:<20} {difference:.1e}{'  DIFFERS' if name in wrong else ''}")
    sys.exit(bool(wrong))


def saehd(place: Path) -> float:
    """Import the folder as users do, and convert."""
    given, wanted = np.load(place / "input.npz")["input"], np.load(place / "expected.npz")
    with tempfile.TemporaryDirectory() as folder:
        import_folder(place, Path(folder))
        model = load_trained(Path(folder))
    rebuilt = model.model.swap_back(given)
    made = (*model.predict(given), *rebuilt)
    return greatest(made, [wanted[name] for name in ("src_src", "src_src_mask", "dst_dst", "dst_dst_mask")])


def quick96(place: Path) -> float:
    """Draw the weights by the rule."""
    from facewright.nn import dfl_weights, saehd_networks

    shape = saehd_networks.Architecture("df", "ud", 96, 128, 64, 64, 16)
    given, wanted, files = np.load(place / "input.npz")["input"], np.load(place / "expected.npz"), drawn(place)
    encoder, inter = saehd_networks.encoder(shape), saehd_networks.inter(shape, "inter")
    dfl_weights.load_file(encoder, files["encoder.npy"])
    dfl_weights.load_file(inter, files["inter.npy"], flattened=shape.encoded, unflattened=shape.middle)
    code, made, names = inter(encoder(given)), [], []
    for side in ("src", "dst"):
        decoder = saehd_networks.decoder(shape, f"decoder_{side}")
        dfl_weights.load_file(decoder, files[f"decoder_{side}.npy"])
        made += decoder(code)
        names += [f"{side}_{side}", f"{side}_{side}_mask"]
    return greatest(made, [wanted[name] for name in names])


def amp(place: Path) -> float:
    """Import the folder as users do, and convert at every share of src."""
    given, wanted = np.load(place / "input.npz")["input"], np.load(place / "expected.npz")
    with tempfile.TemporaryDirectory() as folder:
        import_folder(place, Path(folder))
        model = load_trained(Path(folder))
    made, expected = [*model.morphed(0).predict(given)], [wanted["dst_dst"], wanted["dst_dst_mask"]]
    for name in (name for name in wanted.files if name.startswith("src_dst_") and "mask" not in name):
        value = name.removeprefix("src_dst_")
        made += model.morphed(float(value)).predict(given)
        expected += [wanted[name], wanted[f"src_dst_mask_{value}"]]
    return greatest(made, expected)


def xseg(place: Path, data: bytes, faces: np.ndarray) -> float:
    """Draw the weights by the rule, import them as users do; compare the logits."""
    from facewright.core.workspace import Workspace
    from facewright.masks.applying import load_mask_network
    from facewright.nn import keras

    wanted = np.load(place / "expected.npz")["logits"]
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        (workspace.root / "XSeg_data.dat").write_bytes(data)
        (workspace.root / "XSeg_256.npy").write_bytes(pickle.dumps(drawn(place)["XSeg_256.npy"], 4))
        import_folder(workspace.root, workspace.model_dir)
        network = load_mask_network(workspace).model.parts["network"]
    before_sigmoid = keras.Model(network.input, network.layers[-1].input)
    return greatest([before_sigmoid(faces[: len(wanted)])], [wanted])


def greatest(made, wanted) -> float:
    """Return the greatest difference."""
    return max(float(np.abs(np.asarray(one) - other).max()) for one, other in zip(made, wanted, strict=True))


def drawn(place: Path) -> dict[str, dict[str, np.ndarray]]:
    """Return the weights of a folder by the rule of its README: file -> name -> array."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for file, entries in json.loads((place / "weights.json").read_text()).items():
        for name, shape, _, checksum in entries:
            u = np.random.default_rng(zlib.crc32(f"{file}/{name}".encode())).random(shape) * 2 - 1
            if name.endswith(("eps:0", "tau:0")):
                u = 1e-6 * (1 + 0.5 * u) if name.endswith("eps:0") else 0.3 * u - 0.1
            elif "/frn/weight" in name:
                u = 1 + 0.3 * u
            else:
                u = u * np.sqrt(3 / np.prod(shape[:-1])) * 1.25 if len(shape) > 1 else 0.3 * u
            array = u.astype(np.float32)
            assert zlib.crc32(array.tobytes()) == checksum, name
            found.setdefault(file, {})[name] = array
    return found


if __name__ == "__main__":
    main()
