"""How much of a face's detail the samples of a training keep: laid back into their frames, against the frames.

    main.py benchmark --name detail --arguments "workspace/data_dst [--model quick] [--faces 40]"

For each face of a side, the image that the model is to learn is made as in a training and laid back by Lanczos-4.
Printed are the fine detail of face and eyes over the frame's own (as `evaluate` measures it) and the error in levels of
255: as training does it, and with faces that were shrunk to the very size of the sample before.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

sys.path[:1] = [str(Path(__file__).resolve().parents[2] / "_internal")]

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from facewright.core.images import Image, read_image  # noqa: E402
from facewright.data.augment import draw_params  # noqa: E402
from facewright.data.sample import (  # noqa: E402
    Sample,
    before_cut,
    composed,
    cut_matrix,
    make_sample,
    prepare_face,
    shrunk_landmarks,
    source_of,
)
from facewright.evaluate import pixels  # noqa: E402
from facewright.faces.align import zoom_of  # noqa: E402
from facewright.faces.dfl_crop import face_matrix  # noqa: E402
from facewright.faces.faceset import load_faceset  # noqa: E402
from facewright.faces.record import FaceRecord  # noqa: E402
from facewright.models.registry import model_class  # noqa: E402
from facewright.ui.contact_sheet import evenly  # noqa: E402


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", type=Path, help="a folder with frames and aligned/")
    parser.add_argument("--model", default="quick")
    parser.add_argument("--faces", type=int, default=40)
    given = parser.parse_args()
    kind = model_class(given.model)
    model = kind(kind.Options(), scale=0.05)
    sample = next(sample for sample in model.samples() if sample.name == "target")
    files = load_faceset(given.side / "aligned").faces
    random, found = np.random.default_rng(0), {"as training does it": [], "shrunk before": []}
    for file in (files[index] for index in evenly(len(files), given.faces)):
        frame, aligned = read_image(given.side / file.record.frame), read_image(file.path)
        params = draw_params(random, flip=False, jitter=model.jitter)
        for rows, face in zip(
            found.values(), ((aligned, file.record), shrunk(aligned, file.record, sample)), strict=True
        ):
            rows.append(measured(frame, file.record, *face, sample, params))
    print(f"{len(found['shrunk before'])} faces: detail of face and eyes over the frame's, error of face and eyes")
    for name, rows in found.items():
        print(f"  {name:<22}" + "".join(f"{value:8.3f}" for value in np.nanmean(rows, axis=0)))


def shrunk(aligned: Image, record: FaceRecord, sample: Sample) -> tuple[Image, FaceRecord]:
    """Return the face with as many pixels as the sample has."""
    side = aligned.shape[0]
    zoom = zoom_of(face_matrix(np.asarray(record.landmarks, np.float32), sample.face_type, sample.size))
    small = min(side, round(zoom * side))
    points = shrunk_landmarks(np.asarray(record.landmarks, np.float32), small / side)
    image = cv2.resize(aligned, (small, small), interpolation=cv2.INTER_AREA)
    return image, replace(record, size=small, landmarks=points)


def measured(
    frame: Image, whole: FaceRecord, aligned: Image, record: FaceRecord, sample: Sample, params
) -> list[float]:
    """Lay a sample back into its frame: detail of face and eyes over the frame's, root of the mean squared errors."""
    prepared = prepare_face(aligned, record, [sample])
    made = np.uint8(np.clip(make_sample(prepared, [sample], params)[0] * 255 + 0.5, 0, 255))
    source = source_of(prepared, sample)
    to_sample = composed(cut_matrix(source, sample, mirrored=False), before_cut(params, source.side))
    scale = source.side / whole.size
    to_source = np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2]])
    matrix = composed(to_sample, composed(to_source, whole.matrix))
    back = cv2.warpAffine(
        *(made, matrix, frame.shape[1::-1]),
        dst=frame.copy(),
        flags=cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_TRANSPARENT,
    )
    region = pixels.face_region(whole.frame_landmarks, frame.shape[:2])
    kept, own = (pixels.detail(pixels.lab_of(image, region), region) for image in (back, frame))
    apart = np.square(back.astype(np.float32) - frame)[region.crop]
    errors = [float(np.sqrt(apart[part].mean())) for part in (region.depth > 0.1 * region.size, region.eyes)]
    return [kept.face / own.face, kept.eyes / own.eyes, *errors]


if __name__ == "__main__":
    main()
