"""Model folders as DeepFaceLab writes them, with weights drawn by chance, and what its networks give: plain numpy.

Written from a sheet of facts; nothing of the package is used, so that both can be compared.
"""

import pickle
import zlib

import numpy as np

OPTIONS = {
    **{"resolution": np.int64(64), "face_type": "f", "models_opt_on_gpu": True, "archi": "df-ud"},
    **{"ae_dims": np.int64(6), "e_dims": np.int64(2), "d_dims": np.int64(2), "d_mask_dims": np.int64(2)},
    **{"masked_training": True, "eyes_mouth_prio": True, "uniform_yaw": False, "blur_out_mask": False},
    **{"adabelief": True, "lr_dropout": "n", "random_warp": False, "gan_power": np.float64(0.1), "batch_size": 2},
}


AMP_OPTIONS = {
    **{k: v for k, v in OPTIONS.items() if k not in ("archi", "masked_training", "eyes_mouth_prio", "adabelief")},
    **{"inter_dims": np.int64(10), "morph_factor": np.float64(0.3)},
}


def shapes(archi, side, ae, e, d, m, inter_dims=0):
    """Return network -> layer -> shape of its kernel; the architecture of AMP is called "amp-udt" here."""
    kind, _, flags = archi.partition("-")
    t, half = "t" in flags, "d" in flags
    downs = [e, 2 * e, 4 * e, 8 * e] + [8 * e] * t
    inputs = [3, *downs]
    names = [f"down{n + 1}/conv1" if t else f"down1/downs_{n}/conv1" for n in range(len(downs))]
    encoder = {n: (5, 5, i, o) for n, i, o in zip(names, inputs, downs, strict=False)}
    if t:
        encoder |= {f"res1/conv{n}": (3, 3, e, e) for n in (1, 2)}
        encoder |= {f"res5/conv{n}": (3, 3, 8 * e, 8 * e) for n in (1, 2)}
    out = inter_dims or ae * (2 if kind == "liae" else 1)
    s, r = side // (32 if t else 16), side // (32 if half else 16)
    inter = {"dense1": (8 * e * s * s, ae), "dense2": (ae, r * r * out)}
    inter |= {} if t else {"upscale1/conv1": (3, 3, out, 4 * out)}
    first = out * (2 if kind == "liae" else 1)
    multiples = [8, 8, 4, 2] if t else [8, 4, 2]
    decoder = {}
    for stem, base, widths in (("upscale", d, multiples), ("upscalem", m, multiples + [1] * half)):
        before = first
        for n, w in enumerate(widths):
            decoder[f"{stem}{n}/conv1"] = (3, 3, before, 4 * base * w)
            before = base * w
            if stem == "upscale":
                decoder |= {f"res{n}/conv{k}": (3, 3, before, before) for k in (1, 2)}
    decoder["out_conv"] = (1, 1, 2 * d, 3)
    decoder |= {f"out_conv{n}": (3, 3, 2 * d, 3) for n in (1, 2, 3)} if half else {}
    decoder["out_convm"] = (1, 1, m if half else 2 * m, 1)
    if kind == "amp":
        encoder["dense1"], middle = inter["dense1"], {"dense2": inter["dense2"]}
        return {"encoder": encoder, "inter_src": middle, "inter_dst": middle, "decoder": decoder}
    if kind == "df":
        return {"encoder": encoder, "inter": inter, "decoder_src": decoder, "decoder_dst": decoder}
    return {"encoder": encoder, "inter_AB": inter, "inter_B": inter, "decoder": decoder}


def weights(layers, seed):
    """Return name -> array for the layers of a network."""
    found = {}
    for name, shape in layers.items():
        rng = np.random.default_rng(zlib.crc32(f"{seed}/{name}".encode()))
        scale = 1.2 * np.sqrt(3 / np.prod(shape[:-1]))
        found[f"{name}/weight:0"] = (rng.uniform(-1, 1, shape) * scale).astype(np.float32)
        found[f"{name}/bias:0"] = rng.uniform(-0.3, 0.3, shape[-1]).astype(np.float32)
    return found


def data_file(options, *, iteration=1234, protocol=4, steps=5):
    """Return the bytes of a data.dat."""
    told = {"iter": iteration, "options": options, "loss_history": [[1.5, 1.25]] * steps}
    sample = [[np.zeros((2, 64, 64, 3), np.float32)] * 3] * 2
    return pickle.dumps({**told, "sample_for_preview": sample, "choosed_gpu_indexes": None}, protocol)


WIDTHS = ("resolution", "ae_dims", "e_dims", "d_dims", "d_mask_dims")


def write_saehd(folder, name="tiny", **changed):
    """Write a folder with a SAEHD; return network -> its weights."""
    options = {**OPTIONS, **changed}
    return written(folder, f"{name}_SAEHD", options, shapes(options["archi"], *(int(options[key]) for key in WIDTHS)))


def write_amp(folder, name="tiny", **changed):
    """Write a folder with an AMP; an option that is None is left out. Return network -> its weights."""
    options = {key: value for key, value in {**AMP_OPTIONS, **changed}.items() if value is not None}
    inter = int(options.get("inter_dims", options["ae_dims"]))
    return written(folder, f"{name}_AMP", options, shapes("amp-udt", *(int(options[key]) for key in WIDTHS), inter))


def written(folder, start, options, networks):
    made = {part: weights(layers, part) for part, layers in networks.items()}
    folder.mkdir(exist_ok=True)
    (folder / f"{start}_data.dat").write_bytes(data_file(options))
    for part, arrays in made.items():
        (folder / f"{start}_{part}.npy").write_bytes(pickle.dumps(arrays, 4))
    return made


def optimizer_of(networks, kept=("ms", "vs"), *, leave_out=()):
    """Return what an optimiser's file holds of networks: numbers by chance, squares not below zero."""
    state = {"iters:0": np.int64(777)}
    for kind in kept:
        for root, arrays in networks.items():
            for name, array in arrays.items() if root not in leave_out else ():
                rng = np.random.default_rng(zlib.crc32(f"{kind}/{root}/{name}".encode()))
                drawn = rng.uniform(-1 if kind == "ms" else 0, 1, array.shape).astype(np.float32)
                state[f"{kind}_{root}/{name.replace(':', '_')}:0"] = drawn
    return state


class PlainSaehd:
    """The networks of a folder, for one face at a time: (h, w, c) arrays."""

    def __init__(self, archi, networks):
        self.kind, _, self.flags = archi.partition("-")
        self.networks = networks

    def swap(self, face):
        """Return image and mask of a face of dst as src."""
        return self._decode(
            "decoder_src" if self.kind == "df" else "decoder", self._code(face, ("inter_AB", "inter_AB"))
        )

    def rebuild(self, face):
        """Return image and mask of a face of dst as dst."""
        return self._decode(
            "decoder_dst" if self.kind == "df" else "decoder", self._code(face, ("inter_B", "inter_AB"))
        )

    def morphed(self, face, count):
        """Return image and mask of a face with the first channels of src's map: AMP."""
        maps = [self._inter(name, self._encode(face)) for name in ("inter_src", "inter_dst")]
        return self._decode("decoder", np.concatenate([maps[0][..., :count], maps[1][..., count:]], axis=-1))

    def _code(self, face, inters):
        flat = self._encode(face)
        if self.kind == "df":
            return self._inter("inter", flat)
        return np.concatenate([self._inter(name, flat) for name in inters], axis=-1)

    def _encode(self, x):
        part = self.networks["encoder"]
        for name in [f"down{n}" for n in range(1, 6)] if "t" in self.flags else [f"down1/downs_{n}" for n in range(4)]:
            x = self._act(conv(part, f"{name}/conv1", x, 2))
            if "t" in self.flags and name in ("down1", "down5"):
                x = self._residual(part, f"res{name[-1]}", x)
        x = x.transpose(2, 0, 1).reshape(-1)
        x = x / np.sqrt(np.mean(x * x) + 1e-6) if "u" in self.flags else x
        return x @ part["dense1/weight:0"] + part["dense1/bias:0"] if self.kind == "amp" else x

    def _inter(self, name, flat):
        part = self.networks[name]
        for layer in ("dense1", "dense2") if self.kind != "amp" else ("dense2",):
            flat = flat @ part[f"{layer}/weight:0"] + part[f"{layer}/bias:0"]
        first = next(iter(self.networks["decoder" if self.kind != "df" else "decoder_src"].values()))
        channels = first.shape[2] // (2 if self.kind == "liae" else 1)
        side = round((flat.size // channels) ** 0.5)
        x = flat.reshape(channels, side, side).transpose(1, 2, 0)
        return x if "t" in self.flags else self._up(part, "upscale1", x)

    def _decode(self, name, code):
        part = self.networks[name]
        x = m = code
        for n in range(4 if "t" in self.flags else 3):
            x = self._residual(part, f"res{n}", self._up(part, f"upscale{n}", x))
        for n in range(sum(name.startswith("upscalem") and "weight" in name for name in part)):
            m = self._up(part, f"upscalem{n}", m)
        image = conv(part, "out_conv", x)
        if "d" in self.flags:
            image = shuffle(np.concatenate([image, *(conv(part, f"out_conv{n}", x) for n in (1, 2, 3))], axis=-1))
        return [1 / (1 + np.exp(-y)) for y in (image, conv(part, "out_convm", m))]

    def _act(self, x, slope=0.1):
        return x * np.cos(x) if "c" in self.flags else np.where(x > 0, x, slope * x)

    def _up(self, part, name, x):
        return shuffle(self._act(conv(part, f"{name}/conv1", x)))

    def _residual(self, part, name, x):
        return self._act(x + conv(part, f"{name}/conv2", self._act(conv(part, f"{name}/conv1", x), 0.2)), 0.2)


def conv(part, name, x, stride=1):
    """Convolve (h, w, c), padded by half the kernel on all sides."""
    kernel, bias = part[f"{name}/weight:0"], part[f"{name}/bias:0"]
    k = kernel.shape[0]
    padded = np.pad(x, ((k // 2, k // 2), (k // 2, k // 2), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), axis=(0, 1))[::stride, ::stride]
    return np.einsum("hwcij,ijco->hwo", windows, kernel, optimize=True) + bias


def shuffle(x):
    """(h, w, 4 c) -> (2 h, 2 w, c): the sub-pixel is the slow index."""
    h, w, c = x.shape
    return x.reshape(h, w, 2, 2, c // 4).transpose(0, 2, 1, 3, 4).reshape(2 * h, 2 * w, c // 4)
