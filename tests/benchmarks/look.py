"""How the modes of a conversion look, in figures and on one sheet: the same predictions, blended in each way.

    main.py benchmark --name look --arguments '--workspace workspace --sheet look.png'

Runs of five neighbouring frames are taken over the whole of dst. Printed for each mode, the mean over the faces:

margin     distance of the face's embedding to dst less that to src (dlib's ResNet): above 0 it is nearer to src
step       how much the colour changes across the border of the face more than it does in dst, dE; 0 is ideal
shade      low frequencies of light and colour against dst, dE; 0 is ideal
eyes, face sharpness (deviation of the Laplacian) against dst; 1 is ideal
flicker    change of the face from frame to frame once dst's motion is taken out, against dst's; 1 is ideal
ms         blending one face, after its prediction
"""

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "_internal"), str(Path(__file__).parent)]

from swap import embedder  # noqa: E402

from facewright.convert.controls import MODES  # noqa: E402
from facewright.convert.masks import DstFace  # noqa: E402
from facewright.convert.parameters import ConvertOptions, resolve_parameters  # noqa: E402
from facewright.convert.pipeline import ModelInput, Prediction, blend_faces, cut_faces  # noqa: E402
from facewright.convert.session import SavedModels  # noqa: E402
from facewright.core.images import read_image, write_image  # noqa: E402
from facewright.core.workspace import Workspace  # noqa: E402
from facewright.evaluate import pixels  # noqa: E402
from facewright.faces.faceset import load_faceset  # noqa: E402
from facewright.ui.contact_sheet import evenly  # noqa: E402

RUN = 5  # neighbouring frames
COLUMNS = ("margin", "step", "shade", "eyes", "face", "flicker", "ms")
CELL = 320  # px of the sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", type=Path, default=Path(__file__).resolve().parents[2] / "workspace")
    parser.add_argument("--modes", nargs="+", choices=list(MODES), default=list(MODES))
    parser.add_argument("--runs", type=int, default=12, help="runs of five frames")
    parser.add_argument("--sheet", type=Path, help="write a PNG: dst, then a column for each mode")
    given = parser.parse_args()
    workspace, embed = Workspace(given.workspace), embedder()
    model = SavedModels().load(workspace.model_dir, "")
    wanted = ModelInput(model.resolution, model.face_type)
    everything = load_faceset(workspace.dst.aligned_dir).faces
    starts = evenly(max(len(everything) - RUN + 1, 1), given.runs)
    faces = [everything[start : start + RUN] for start in starts]
    identities = [mean_identity(side, embed) for side in (workspace.src, workspace.dst)]
    found = {mode: [] for mode in given.modes}
    rows = []
    for run in faces:
        before = {}
        for at, face in enumerate(run):
            frame = read_image(workspace.dst.frames_dir / face.record.frame)
            points = face.record.frame_landmarks
            stills, images = {}, []
            for mode in given.modes:
                parameters = resolve_parameters(ConvertOptions(mode=mode), model.converter)
                cuts = cut_faces(frame, [DstFace(points)], wanted, parameters)
                image, mask = model.predict(cuts.images)
                began = time.perf_counter()
                result, _ = blend_faces(frame, cuts, Prediction(image, mask), parameters)
                seconds = time.perf_counter() - began
                stills[mode] = pixels.still(frame, result, points)
                changed, own = pixels.flicker(before[mode], stills[mode]) if before else (np.nan, np.nan)
                flicker = changed / max(own, 1e-6)
                found[mode].append((*measures(result, frame, points, embed, identities), flicker, 1000 * seconds))
                images.append(result)
            before = stills
            if at == 0:
                rows.append(np.hstack([closeup(image, points) for image in (frame, *images)]))
    print(
        f"{len(everything)} faces, {sum(map(len, faces))} of them measured, {model.name}, {model.iteration} iterations"
    )
    print(f"{'':<21}" + "".join(f"{name:>9}" for name in COLUMNS))
    for mode, values in found.items():
        print(f"{mode:<21}" + "".join(f"{value:>9.3f}" for value in np.nanmean(np.array(values), axis=0)))
    if given.sheet:
        write_image(given.sheet, np.vstack(rows))


def mean_identity(side, embed):
    faces = load_faceset(side.aligned_dir).faces
    chosen = [faces[at] for at in evenly(len(faces), 60)]
    there = [embed(read_image(side.frames_dir / f.record.frame), f.record.frame_landmarks) for f in chosen]
    return np.mean(there, axis=0)


def measures(result, frame, points, embed, identities):
    """Margin, step, shade, eyes, face."""
    seen = embed(result, points)
    to_src, to_dst = (float(np.linalg.norm(seen - identity)) for identity in identities)
    region = pixels.face_region(points, frame.shape[:2])
    was, now = (pixels.lab_of(image, region) for image in (frame, result))
    there, here = pixels.detail(was, region), pixels.detail(now, region)
    eyes, face = here.eyes / max(there.eyes, 1e-6), here.face / max(there.face, 1e-6)
    step, shade = pixels.border_step(now, was, region), pixels.shade_difference(now, was, region)
    return to_dst - to_src, step, shade, eyes, face


def closeup(frame, points):
    centre, reach = (points.min(0) + points.max(0)) / 2, float(np.ptp(points, axis=0).max()) * 0.75
    matrix = np.float64([[1, 0, reach - centre[0]], [0, 1, reach - centre[1]]]) * (CELL / (2 * reach))
    return cv2.warpAffine(frame, matrix, (CELL, CELL), flags=cv2.INTER_AREA if reach * 2 > CELL else cv2.INTER_CUBIC)


if __name__ == "__main__":
    main()
