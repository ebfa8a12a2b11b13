"""Made-up faces for the tests of conversion: 68 landmarks around the mean face, plain predictors."""

import numpy as np

from facewright.convert.masks import DstFace
from facewright.convert.pipeline import Prediction, blend_faces, cut_faces
from facewright.faces.align import MEAN_FACE


def landmarks(centre=(100.0, 100.0), side=80.0, turn=0.0):
    """Return (68, 2) points: the mean face with a jaw, `side` px wide, turned by `turn` degrees."""
    angle = np.linspace(np.pi, 0, 17)
    jaw = np.stack([0.49 + 0.62 * np.cos(angle), 0.25 + 0.95 * np.sin(angle)], axis=1)
    points = (np.vstack([jaw, MEAN_FACE]) - (0.49, 0.5)) * side
    cosine, sine = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    return points @ np.array([[cosine, sine], [-sine, cosine]]) + centre


def ellipse(side, share=0.42):
    """Return a (side, side) float32 mask: a soft-edged disc."""
    y, x = np.mgrid[:side, :side]
    radius = np.hypot(x - (side - 1) / 2, y - (side - 1) / 2) / side
    return np.clip((share - radius) * side / 3 + 0.5, 0, 1).astype(np.float32)


def constant(colour, share=0.42):
    """Return predict(): a plain colour (BGR 0..1) inside a disc."""

    def predict(faces):
        count, side = faces.shape[:2]
        pictures = np.broadcast_to(np.float32(colour), (count, side, side, 3)).copy()
        return pictures, np.repeat(ellipse(side, share)[None, ..., None], count, axis=0)

    return predict


def identity(share=0.42):
    """Return predict(): the face itself inside a disc."""

    def predict(faces):
        return faces.copy(), np.repeat(ellipse(faces.shape[1], share)[None, ..., None], len(faces), axis=0)

    return predict


def scene(height, width, seed=0):
    """Return a (height, width, 3) uint8 picture, smooth with some detail."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / random.uniform(9, 60) + y / random.uniform(9, 60) + random.uniform(0, 6)) for _ in range(9)]
    picture = 120 + 30 * np.stack([sum(waves[c::3]) for c in range(3)], axis=-1)
    return np.clip(picture + random.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)


def as_prediction(predict):
    """Return the predictor with its answer as a Prediction."""

    def predicted(faces, *, dst_mask=False):
        image, mask, *more = predict(faces)
        return Prediction(image, mask, *more[:dst_mask])

    return predicted


def dst_faces(*points):
    """Return faces without a mask of their own."""
    return tuple(DstFace(one) for one in points)


def convert_alone(frame, faces, predict, wanted, parameters):
    """Return a frame with its faces replaced, done by itself; faces are landmarks or DstFace."""
    faces = [face if isinstance(face, DstFace) else DstFace(face) for face in faces]
    found = cut_faces(frame, faces, wanted, parameters)
    return blend_faces(frame, found, as_prediction(predict)(found.images), parameters)[0]
