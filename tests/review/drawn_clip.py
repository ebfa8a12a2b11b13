"""A drawn clip with a face in every frame, its results, and stand-ins for the networks that look at them."""

from types import SimpleNamespace

import cv2
import numpy as np

from convert.drawn_faces import landmarks, scene
from facewright.core.images import read_image, write_image
from facewright.faces.align import FaceType, align_matrix, invert
from facewright.faces.faceset import load_faceset
from facewright.faces.mask import hull_mask
from facewright.faces.record import FaceRecord, save_face

HEIGHT, WIDTH, FACE = 120, 160, 50
TEXTURE = 96  # side of the drawn faces


def texture(seed):
    """A face that is like no other: blots at fixed places, (96, 96, 3) float32."""
    random = np.random.default_rng(seed)
    noise = random.normal(0, 1, (TEXTURE, TEXTURE, 3))
    coarse, fine = (cv2.GaussianBlur(noise, (0, 0), sigma) for sigma in (8, 1.2))
    return np.float32(130 + 260 * coarse + 22 * fine)


SRC, DST, STRANGER = texture(1), texture(2), texture(3)


def points_at(time):
    """Landmarks of a head that moves and tilts a little."""
    return landmarks((80 + 12 * np.sin(time / 9), 60 + 5 * np.cos(time / 7)), FACE, 6 * np.sin(time / 11))


def painted(frame, points, face):
    """Return a frame with a face painted into the hull of its landmarks."""
    matrix = invert(align_matrix(points, FaceType.FULL, TEXTURE))
    there = cv2.warpAffine(face, matrix, frame.shape[1::-1], flags=cv2.INTER_LINEAR)
    mask = cv2.GaussianBlur(hull_mask(points, frame.shape[:2]), (0, 0), 1.2)[..., None]
    return np.uint8(np.rint(np.clip(frame * (1 - mask) + there * mask, 0, 255)))


def record_of(points, name):
    box = (*points.min(0), *points.max(0))
    return FaceRecord.from_landmarks(
        points.astype(np.float32), FaceType.FULL, TEXTURE, frame=name, detector="mtcnn", score=1.0, rect=box
    )


def fill(workspace, count):
    """Draw frames, faces of both sides, and the results."""
    ground = scene(HEIGHT, WIDTH)
    for side, face in ((workspace.dst, DST), (workspace.src, SRC)):
        side.aligned_dir.mkdir(parents=True)
        for time in range(count):
            name = f"{time + 1:05d}.png"
            points = points_at(time)
            frame = painted(ground, points, face)
            write_image(side.frames_dir / name, frame)
            record = record_of(points, name)
            save_face(side.aligned_dir / f"{time + 1:05d}_0.png", record.cut(frame), record)
    convert(workspace)


def convert(workspace):
    """Stand in for the conversion: every face that is there becomes src's."""
    workspace.dst.merged_dir.mkdir(exist_ok=True)
    faces = load_faceset(workspace.dst.aligned_dir).by_frame()
    for path in workspace.dst.frames():
        frame = read_image(path)
        for face in faces.get(path.stem, ()):
            frame = painted(frame, face.record.frame_landmarks, SRC)
        write_image(workspace.dst.merged_dir / path.name, frame)


def draw_stranger(folder):
    """Write the aligned face of somebody else; return its file."""
    points = landmarks((80, 60), FACE)
    frame = painted(scene(HEIGHT, WIDTH), points, STRANGER)
    record = record_of(points, "00001.png")
    save_face(folder / "stranger.png", record.cut(frame), record)
    return folder / "stranger.png"


class StubModels:
    """Sees faces by their small grey image, and landmarks where the box is; counts what it was asked."""

    landmarker_name = "dlib"

    def __init__(self):
        self.faces = 0
        self.landmarker = SimpleNamespace(find=self._find)
        self.embedder = SimpleNamespace(embed=self._embed)

    def use_landmarker(self, name):
        pass

    def _find(self, frame, box, *, accurate=False):
        self.faces += 1
        return np.float32(landmarks(((box.left + box.right) / 2, (box.top + box.bottom) / 2), FACE, -box.roll))

    def _embed(self, chips):
        faces = [cv2.cvtColor(chip[40:110, 40:110], cv2.COLOR_BGR2GRAY) for chip in chips]
        small = [cv2.resize(face, (16, 8), interpolation=cv2.INTER_AREA) for face in faces]
        rows = np.float32(small).reshape(-1, 128)
        rows -= rows.mean(axis=1, keepdims=True)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
