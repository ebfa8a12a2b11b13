"""Frames with faces, and a stand-in for models/ that counts how often one was built."""

from types import SimpleNamespace

import numpy as np

from convert.drawn_faces import constant, landmarks, scene
from facewright.commands.convert import say_report
from facewright.convert.parameters import ConvertOptions
from facewright.convert.session import convert, state_of
from facewright.core.images import write_image
from facewright.faces.align import FaceType, align_matrix, transform_points
from facewright.faces.record import FaceRecord, save_face
from facewright.models.spec import ConverterDefaults

FRAMES = 6
BLUE, RED = (0.9, 0.1, 0.1), (0.1, 0.1, 0.9)


def add_face(workspace, index, name, centre=(40, 30), frame=None, mask=None, person=None):
    points = landmarks(centre, 24).astype(np.float32)
    matrix = align_matrix(points, FaceType.FULL, 64)
    placed = transform_points(points, matrix).astype(np.float32)
    frame = frame or f"{index:05d}.png"
    given = (placed, points, frame, "mtcnn", 1.0, (0, 0, 9, 9), matrix, (0, 0, 0), mask)
    record = FaceRecord(FaceType.FULL, 64, *given, person=person)
    save_face(workspace.dst.aligned_dir / name, np.zeros((64, 64, 3), np.uint8), record)


def fill(workspace, frames=FRAMES):
    """Frames 1..n; a face in each but frame 3."""
    workspace.dst.aligned_dir.mkdir(parents=True)
    for index in range(1, frames + 1):
        write_image(workspace.dst.frames_dir / f"{index:05d}.png", scene(60, 80, index))
        if index != 3:
            add_face(workspace, index, f"{index:05d}_0.png")


def fake_model(colour=BLUE, fingerprint="first", portrait=False, name="fake", side=32):
    return SimpleNamespace(
        name=name,
        iteration=7,
        fingerprint=fingerprint,
        resolution=side,
        face_type=FaceType.HALF,
        converter=ConverterDefaults(erode=10, blur=10),
        portrait=portrait,
        morph=None,
        predict=constant(colour),
    )


class StubModels:
    """Stands for the models of a workspace; counts how often one was built."""

    def __init__(self):
        self.model, self.loads = fake_model(), 0
        self.state_on_disk = None  # None: that of the model

    def newest(self, model_dir, name):
        return self.state_on_disk or state_of(self.model)

    def names(self, model_dir):
        return [self.model.name]

    def load(self, model_dir, name):
        self.loads += 1
        return self.model


def run(workspace, models, options=None):
    """Convert as the command does, with a stand-in for the models; return the report."""
    report = convert(workspace, options or ConvertOptions(), models)
    say_report(report)
    return report
