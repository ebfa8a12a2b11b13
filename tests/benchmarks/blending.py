"""Milliseconds of one core that a frame takes, stage by stage: PNG, cut, blending in each mode.

    main.py benchmark --name blending
    main.py benchmark --name blending --arguments '--face 500 --side 256'

A drawn frame of 720p with one face; the prediction is the face itself, paler. The least of --times counts, by the clock
of the thread: what a machine without other work takes. The network is no part of it: `--name conversion` has that.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "_internal")]

from convert.drawn_faces import ellipse, landmarks, scene  # noqa: E402
from facewright.convert.controls import MODES  # noqa: E402
from facewright.convert.masks import DstFace  # noqa: E402
from facewright.convert.parameters import ConvertOptions, resolve_parameters  # noqa: E402
from facewright.convert.pipeline import ModelInput, Prediction, blend_faces, cut_faces  # noqa: E402
from facewright.core.images import decode, encode, single_threaded_opencv  # noqa: E402
from facewright.faces.align import FaceType  # noqa: E402
from facewright.models.spec import CONVERTER_DEFAULTS  # noqa: E402


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=2, default=[720, 1280], metavar=("H", "W"))
    parser.add_argument("--face", type=int, default=280, help="width of the half face in pixels")
    parser.add_argument("--side", type=int, nargs="+", default=[64, 128], help="of the model in pixels")
    parser.add_argument("--times", type=int, default=12)
    given = parser.parse_args()
    height, width = given.size
    frame = scene(height, width, 1)
    faces = [DstFace(landmarks((width / 2, height / 2), given.face, turn=4).astype(np.float32))]
    with single_threaded_opencv():
        data = encode(frame)
        told("PNG written", lambda: encode(frame), given.times)
        told("PNG read", lambda: decode(data, "frame"), given.times)
        for side in given.side:
            face_type = FaceType.HALF if side <= 64 else FaceType.FULL
            stages(frame, faces, ModelInput(side, face_type), given.times)


def stages(frame, faces, wanted, times):
    """Measure one model's size: its cut, and each mode."""
    words = f"{wanted.side} px, {wanted.face_type} face"
    for mode in MODES:
        parameters = resolve_parameters(ConvertOptions(mode=mode), CONVERTER_DEFAULTS[wanted.face_type])
        cuts = cut_faces(frame, faces, wanted, parameters)
        prediction = Prediction(np.clip(cuts.images * 0.8 + 0.1, 0, 1), ellipse(wanted.side, 0.45)[None, ..., None])
        if mode == next(iter(MODES)):
            told(f"{words}: cut", lambda p=parameters: cut_faces(frame, faces, wanted, p), times)
        told(f"{words}: {mode}", lambda c=cuts, d=prediction, p=parameters: blend_faces(frame, c, d, p), times)


def told(words, work, times):
    """Print the least time of some."""
    found = []
    for _ in range(times):
        began = time.thread_time()
        work()
        found.append(time.thread_time() - began)
    print(f"{words:<40}{1000 * min(found):8.1f} ms", flush=True)


if __name__ == "__main__":
    main()
