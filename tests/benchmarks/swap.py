"""How good is the swap in a workspace: identity by dlib's face embedding, sharpness of the eyes.

    main.py benchmark --name swap --arguments '--workspace workspace'

For every merged frame with a face the 128-number embedding (dlib's ResNet) is taken at dst's landmarks and held
against the mean embeddings of src's and dst's own faces. The margin is the distance to dst less the distance to
src: above 0 the face is nearer to src. The embedding is used here only, never for training.
Sharpness: deviation of the Laplacian around the eyes, merged against untouched frame.
"""

import argparse
import importlib.util
import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "_internal"))

from facewright.core.images import read_image
from facewright.core.workspace import Workspace
from facewright.faces.align import FaceType, align_matrix, cut, transform_points
from facewright.faces.faceset import load_faceset

EYES = slice(36, 48)


def embedder():
    """Return a function (frame BGR, landmarks) -> 128 numbers."""
    import dlib

    spec = importlib.util.find_spec("face_recognition_models")
    models = Path(spec.origin).parent / "models"
    net = dlib.face_recognition_model_v1(str(models / "dlib_face_recognition_resnet_model_v1.dat"))

    def embed(frame, landmarks):
        left, top = (int(v) for v in landmarks.min(0))
        right, bottom = (int(v) for v in landmarks.max(0))
        points = [dlib.point(round(float(x)), round(float(y))) for x, y in landmarks]
        shape = dlib.full_object_detection(dlib.rectangle(left, top, right, bottom), dlib.points(points))
        return np.array(net.compute_face_descriptor(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), shape))

    return embed


def eye_detail(frame, landmarks):
    """Deviation of the Laplacian around the eyes of the aligned face."""
    matrix = align_matrix(landmarks, FaceType.FULL, 256)
    face = cv2.cvtColor(cut(frame, matrix, 256), cv2.COLOR_BGR2GRAY)
    (left, top), (right, bottom) = (f(transform_points(landmarks[EYES], matrix)) for f in (_low, _high))
    region = cv2.GaussianBlur(face, (0, 0), 1.5)[max(0, top - 6) : bottom + 6, max(0, left - 6) : right + 6]
    return float(cv2.Laplacian(region, cv2.CV_32F).std())


def _low(points):
    return points.min(0).astype(int)


def _high(points):
    return points.max(0).astype(int)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workspace", type=Path, default=Path(__file__).resolve().parents[2] / "workspace")
    parser.add_argument("--every", type=int, default=3, help="take every n-th face")
    arguments = parser.parse_args()
    workspace, embed = Workspace(arguments.workspace), embedder()
    means = {}
    for side in (workspace.src, workspace.dst):
        faces = load_faceset(side.aligned_dir).faces[:: arguments.every]
        found = [embed(read_image(side.frames_dir / f.record.frame), f.record.frame_landmarks) for f in faces]
        means[side.name] = np.mean(found, axis=0)
    margins, details = [], []
    for face in load_faceset(workspace.dst.aligned_dir).faces[:: arguments.every]:
        points = face.record.frame_landmarks
        merged = read_image(workspace.dst.merged_dir / face.record.frame)
        here = embed(merged, points)
        to_src, to_dst = (np.linalg.norm(here - means[name]) for name in ("data_src", "data_dst"))
        margins.append(to_dst - to_src)
        untouched = read_image(workspace.dst.frames_dir / face.record.frame)
        details.append(eye_detail(merged, points) / max(1e-6, eye_detail(untouched, points)))
    margins = np.array(margins)
    print(f"src to dst, mean embeddings: {np.linalg.norm(means['data_src'] - means['data_dst']):.3f}")
    print(f"nearer to src: {(margins > 0).sum()} of {len(margins)} faces ({(margins > 0).mean():.1%})")
    print(f"margin: mean {margins.mean():.3f}, least {margins.min():.3f}")
    print(f"detail around the eyes, merged / untouched: {np.mean(details):.2f}")


if __name__ == "__main__":
    main()
