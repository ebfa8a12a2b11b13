"""A small workspace with a result, and stand-ins for what looks at faces."""

import numpy as np

from convert.drawn_faces import landmarks, scene
from facewright.core.images import write_image
from facewright.core.workspace import Workspace
from facewright.extract.detectors.base import Box
from facewright.faces.align import FaceType, align_matrix, cut, transform_points
from facewright.faces.mask import hull_mask
from facewright.faces.record import FaceRecord, save_face

FRAMES, SIZE, SIDE = 40, (96, 128), 30.0
RED, BLUE = (40, 60, 200), (200, 80, 40)


def points_of(frame):
    return landmarks((60 + 8 * np.sin(frame / 6), 48 + 3 * np.cos(frame / 9)), SIDE).astype(np.float32)


def painted(image, points, colour, noise=4.0, seed=0):
    """The image with a face: a colour inside the hull, dark eyes, grain."""
    mask = hull_mask(points, image.shape[:2])[..., None]
    grain = np.random.default_rng(seed).normal(0, noise, (*image.shape[:2], 1))
    face = np.clip(np.float32(colour) + grain, 0, 255)
    return np.rint(image * (1 - mask) + face * mask).astype(np.uint8)


def save(side, image, points, name, person=None, number=0):
    matrix = align_matrix(points, FaceType.FULL, 64)
    placed = transform_points(points, matrix).astype(np.float32)
    record = FaceRecord(
        *(FaceType.FULL, 64, placed, points, name, "mtcnn", 1.0, (0, 0, 9, 9), matrix, (0, 0, 0)), person=person
    )
    save_face(
        side.aligned_dir / f"{name.removesuffix('.png')}_{number}.png", np.asarray(cut(image, matrix, 64)), record
    )


def fill(workspace: Workspace, frames=FRAMES, colour=BLUE):
    """Src is blue, dst is red; merged/ has dst with faces of a colour."""
    ground = scene(*SIZE)
    for side in (workspace.src, workspace.dst):
        side.aligned_dir.mkdir(parents=True)
    for index in range(frames):
        points, name = points_of(index), f"{index + 1:05d}.png"
        dst = painted(ground, points, RED, seed=index)
        write_image(workspace.dst.frames_dir / name, dst)
        save(workspace.dst, dst, points, name)
        if index % 4 == 0:
            save(workspace.src, painted(ground, points, BLUE, seed=index + 500), points, name)
    merge(workspace.dst, workspace.dst.merged_dir, frames, colour)


def merge(side, folder, frames=FRAMES, colour=BLUE, noise=4.0):
    folder.mkdir(exist_ok=True)
    for index in range(frames):
        name = f"{index + 1:05d}.png"
        result = painted(scene(*SIZE), points_of(index), colour, noise, seed=index + 100)
        write_image(folder / name, result)


class ColourJudge:
    """A face is its mean colour."""

    name = "colours"
    about = "A face is its mean colour."

    def __init__(self):
        self.seen = 0

    def chip(self, image, points):
        x, y = np.rint(points.mean(0)).astype(int)
        return np.ascontiguousarray(image[y - 4 : y + 4, x - 4 : x + 4])

    def embed(self, chips):
        self.seen += len(chips)
        return np.stack([np.append(one.mean((0, 1)) / 255, 0.5) for one in chips]).astype(np.float32)

    def known(self, record):
        return None


class Observers:
    """Stands for `facewright.evaluate.observe.Observers`: landmarks where they are looked for, faces that are blue or
    red."""

    def __init__(self):
        self.judge = ColourJudge()
        self.landmarker = self.detector = self
        self.looks = 0

    def find(self, frame, box, *, accurate=False):
        self.looks += 1
        middle = ((box.left + box.right) / 2, (box.top + box.bottom) / 2)
        side = box.width / 1.24
        return (landmarks((0, 0), side) - (0.01 * side, 0) + middle).astype(np.float32)

    def detect(self, frames, *, smallest=0.0):
        middles = [frame[70:90, 70:90].astype(int).mean((0, 1)) for frame in frames]
        return [[Box(30, 30, 130, 130, 1.0)] if abs(m[2] - m[0]) > 60 else [] for m in middles]

    def face_square(self, box):
        return box
