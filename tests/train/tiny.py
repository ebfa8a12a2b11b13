"""A model of a few hundred weights and a drawn faceset, for tests; run as a program it trains like step 6."""

import argparse
import sys
from pathlib import Path

import numpy as np

from facewright.nn import devices

devices.prepare()

import keras  # noqa: E402

from convert.drawn_faces import landmarks, scene  # noqa: E402
from facewright.core.workspace import Workspace  # noqa: E402
from facewright.faces.align import FaceType  # noqa: E402
from facewright.faces.record import FaceRecord, save_face  # noqa: E402
from facewright.models.base import FaceModel  # noqa: E402
from facewright.models.spec import ConverterDefaults  # noqa: E402
from facewright.nn.blocks import conv, output_layer, upscale  # noqa: E402
from facewright.nn.losses import mae  # noqa: E402


class Tiny(FaceModel):
    """16 px, one convolution each way."""

    title = "for tests"
    resolution = 16
    face_type = FaceType.FULL
    converter = ConverterDefaults(erode=0, blur=0)
    default_batch = 2
    seconds = 0.01

    def build(self):
        face = keras.Input((16, 16, 3))
        code = keras.Input((8, 8, 4))
        return {
            "encoder": keras.Model(face, conv(4)(face)),
            "decoder_src": keras.Model(code, [output_layer(3)(upscale(4)(code)), output_layer(1)(upscale(2)(code))]),
            "decoder_dst": keras.Model(code, [output_layer(3)(upscale(4)(code)), output_layer(1)(upscale(2)(code))]),
        }

    def forward(self, src, dst):
        src_face, src_mask = self.parts["decoder_src"](self.parts["encoder"](src))
        dst_face, dst_mask = self.parts["decoder_dst"](self.parts["encoder"](dst))
        return {"src": src_face, "src_mask": src_mask, "dst": dst_face, "dst_mask": dst_mask}

    def swap(self, dst):
        face, mask = self.parts["decoder_src"](self.parts["encoder"](dst))
        return face, mask

    def losses(self, src, dst, rebuilt):
        of_src, of_dst = mae(src["target"], rebuilt["src"]), mae(dst["target"], rebuilt["dst"])
        masks = mae(src["mask"], rebuilt["src_mask"]) + mae(dst["mask"], rebuilt["dst_mask"])
        return of_src + of_dst + masks, {"src": of_src, "dst": of_dst}

    def optimizer(self):
        return keras.optimizers.Adam(learning_rate=1e-3, beta_1=0.5)


def save_faces(folder: Path, count: int, seed: int = 0, side: int = 64) -> list[Path]:
    """Write aligned faces whose landmarks vary."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    paths = []
    for number in range(count):
        points = landmarks((32 + rng.uniform(-3, 3), 32 + rng.uniform(-3, 3)), 40, rng.uniform(-10, 10))
        points = points.astype(np.float32)
        record = FaceRecord(
            FaceType.FULL,
            side,
            points,
            points,
            f"{number:05d}.png",
            "drawn",
            1.0,
            (0, 0, 64, 64),
            np.eye(2, 3),
            (0, 0, 0),
        )
        path = folder / f"{number:05d}_0.png"
        save_face(path, scene(side, side, seed + number), record)
        paths.append(path)
    return paths


def fill(workspace: Workspace, count: int = 6) -> None:
    """Put faces of both sides into a workspace."""
    save_faces(workspace.src.aligned_dir, count, seed=1)
    save_faces(workspace.dst.aligned_dir, count, seed=100)


def use_tiny(setattr_=setattr, kind=Tiny) -> None:
    """Let the name h64 stand for the tiny model, or for a variant of it."""
    from facewright.models import registry

    real = registry.model_class
    # A portrait model stays what it is: some commands refuse it.
    setattr_(registry, "model_class", lambda name: real(name) if name == "avatar" else kind)


def main() -> None:
    """Train the tiny model in a workspace until it is stopped."""
    from facewright.commands import train

    use_tiny()
    parser = argparse.ArgumentParser()
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--target-iter", type=int, default=0)
    parser.add_argument("--save-interval-min", type=float, default=10.0)
    parser.add_argument("--window", action="store_true")
    parser.add_argument("--serve", action="store_true")
    given = vars(parser.parse_args())
    train.run(Workspace(given.pop("workspace")), train.TrainOptions(model="h64", precision="float32", **given))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    main()
